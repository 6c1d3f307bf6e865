"""One day of one index as plain Python rows, and the re-struck and held series read from it.

Here: the data model that every reference component reads, and the history of earlier days.
Not here: arithmetic of features (plain.py), any component (c1.py to c8.py).
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

MINUTES = 375
BRIDGE = 3
"""A held return looks back at most this many minutes."""
ZONE_STARTS = ((0, "OPEN"), (45, "MID_MORN"), (135, "LUNCH"), (225, "AFTERNOON"), (345, "CLOSE"))
COMB = (("strd", 0, 0.5), ("itm1", -1, 0.3), ("otm1", 1, 0.2))
STRADDLES = {"strd": 0, "itm1": -1, "otm1": 1}
LEGS = {"ce": "ce_close", "pe": "pe_close"}
IV_LEGS = {
    "iv_ce": (0, "ce_iv"),
    "iv_pe": (0, "pe_iv"),
    "iv_otmput": (-3, "pe_iv"),
    "iv_otmcall": (3, "ce_iv"),
}
SIDE_FIELDS = ("open", "high", "low", "close", "volume", "oi", "iv")
GREEK_FIELDS = ("delta", "gamma", "theta", "vega")
FUTURE_FIELDS = ("open", "high", "low", "close", "volume", "oi")

Result = dict[str, dict[dt.date, list]]
"""Column to expiry to 375 values."""


def rounded(x: float | None) -> float | None:
    """A sum of prices, rounded to 6 decimals so that equal prices tie."""
    return None if x is None else round(x, 6)


def both(a: float | None, b: float | None) -> float | None:
    """The sum of two prices, null if one is missing."""
    return None if a is None or b is None else rounded(a + b)


def valid_iv(x: float | None) -> float | None:
    """An implied volatility in [0.01, 5], else null."""
    return x if x is not None and 0.01 <= x <= 5 else None


@dataclass
class Day:
    """The chain of one (symbol, date)."""

    symbol: str
    date: dt.date
    expiries: list[dt.date]
    dte: dict[dt.date, int]
    rows: dict[tuple[dt.date, int], list[dict]]
    _by_rank: dict = field(default_factory=dict)
    _by_strike: dict = field(default_factory=dict)
    _values: dict = field(default_factory=dict)
    _held: dict = field(default_factory=dict)
    _diffs: dict = field(default_factory=dict)

    # ---- rows ----
    def present(self, e: dt.date, j: int) -> bool:
        """Whether the chain quotes this expiry at this minute."""
        return bool(self.rows.get((e, j)))

    def row(self, e: dt.date, j: int, k: int | None) -> dict | None:
        """The one row with rank k, null if none or several have it."""
        if (e, j) not in self._by_rank:
            found: dict[int, list[dict]] = {}
            for row in self.rows.get((e, j), []):
                found.setdefault(row["k"], []).append(row)
            self._by_rank[e, j] = found
        hits = self._by_rank[e, j].get(k, [])
        return hits[0] if k is not None and len(hits) == 1 else None

    def strike_row(self, e: dt.date, j: int, strike: float | None) -> dict | None:
        """The row of a strike."""
        if (e, j) not in self._by_strike:
            self._by_strike[e, j] = {row["strike"]: row for row in self.rows.get((e, j), [])}
        return self._by_strike[e, j].get(strike)

    # ---- series of the underlying, the same for every expiry ----
    def _first_row(self, j: int) -> dict | None:
        for e in self.expiries:
            if self.present(e, j):
                return self.rows[e, j][0]
        return None

    def _minute(self, name: str, j: int):
        if not 0 <= j < MINUTES:
            return None
        row = self._first_row(j)
        return None if row is None else row[name]

    def spot(self, j: int) -> float | None:
        """Index value."""
        return self._minute("spot", j)

    def fut(self, j: int) -> float | None:
        """Close of the near-month future."""
        return self._minute("future_close", j)

    def fut_open(self, j: int) -> float | None:
        """Its open."""
        return self._minute("future_open", j)

    def fut_high(self, j: int) -> float | None:
        """Its high."""
        return self._minute("future_high", j)

    def fut_low(self, j: int) -> float | None:
        """Its low."""
        return self._minute("future_low", j)

    def fut_volume(self, j: int) -> float | None:
        """Its volume of the minute."""
        return self._minute("future_volume", j)

    def fut_oi(self, j: int) -> float | None:
        """Its open interest."""
        return self._minute("future_oi", j)

    # ---- re-struck series of an expiry ----
    def straddle_at(self, e: dt.date, j: int, strike: float | None) -> float | None:
        """ce_close + pe_close of a given strike."""
        row = self.strike_row(e, j, strike)
        return None if row is None else both(row["ce_close"], row["pe_close"])

    def value(self, name: str, e: dt.date, j: int) -> float | None:
        """A re-struck series: the strike is chosen anew at every minute."""
        if not 0 <= j < MINUTES:
            return None
        key = (name, e, j)
        if key not in self._values:
            self._values[key] = self._value(name, e, j)
        return self._values[key]

    def _value(self, name: str, e: dt.date, j: int) -> float | None:
        if name in STRADDLES:
            row = self.row(e, j, STRADDLES[name])
            return None if row is None else both(row["ce_close"], row["pe_close"])
        if name in LEGS:
            row = self.row(e, j, 0)
            return None if row is None else row[LEGS[name]]
        if name in IV_LEGS:
            rank, leg = IV_LEGS[name]
            row = self.row(e, j, rank)
            return None if row is None else valid_iv(row[leg])
        return getattr(self, f"_value_{name}")(e, j)

    def _value_comb(self, e: dt.date, j: int) -> float | None:
        parts = [(weight, self.value(name, e, j)) for name, _, weight in COMB]
        if any(price is None for _, price in parts):
            return None
        return rounded(sum(weight * price for weight, price in parts))

    def _value_strd_open(self, e: dt.date, j: int) -> float | None:
        row = self.row(e, j, 0)
        return None if row is None else both(row["ce_open"], row["pe_open"])

    def _value_strd_high(self, e: dt.date, j: int) -> float | None:
        close, opened = self.value("strd", e, j), self.value("strd_open", e, j)
        return close if close is None or opened is None else max(close, opened)

    def _value_strd_low(self, e: dt.date, j: int) -> float | None:
        close, opened = self.value("strd", e, j), self.value("strd_open", e, j)
        return close if close is None or opened is None else min(close, opened)

    def _value_strd_lag(self, e: dt.date, j: int) -> float | None:
        row = self.row(e, j, 0)
        return None if row is None or j == 0 else self.straddle_at(e, j - 1, row["strike"])

    def _value_iv(self, e: dt.date, j: int) -> float | None:
        call, put = self.value("iv_ce", e, j), self.value("iv_pe", e, j)
        return None if call is None or put is None else (call + put) / 2

    def _value_skew(self, e: dt.date, j: int) -> float | None:
        put, call = self.value("iv_otmput", e, j), self.value("iv_otmcall", e, j)
        return None if call is None or put is None else put - call

    def _value_forward(self, e: dt.date, j: int) -> float | None:
        found = []
        for k in (-1, 0, 1):
            row = self.row(e, j, k)
            if row is None or row["ce_close"] is None or row["pe_close"] is None:
                continue
            if row["ce_close"] > 0 and row["pe_close"] > 0:
                found.append(row["strike"] + row["ce_close"] - row["pe_close"])
        return statistics.median(found) if found else None

    def _value_step(self, e: dt.date, j: int) -> float | None:
        near = [r for r in self.rows.get((e, j), []) if r["k"] is not None and abs(r["k"]) <= 10]
        gaps = Counter(b["strike"] - a["strike"] for a, b in pairwise(near))
        if not gaps:
            return None
        most = max(gaps.values())
        return min(gap for gap, times in gaps.items() if times == most)

    def _value_tau(self, e: dt.date, j: int) -> float:
        minutes = (e - self.date).days * 1440 + MINUTES - (j + 1)
        return max(minutes, 5) / 525600

    def _value_atm_strike(self, e: dt.date, j: int) -> float | None:
        return self.rows[e, j][0]["atm_strike"] if self.present(e, j) else None

    def _value_basis(self, e: dt.date, j: int) -> float | None:
        future, spot = self.fut(j), self.spot(j)
        return None if future is None or spot is None else future - spot

    # ---- held series ----
    def _own(self, name: str, e: dt.date, j: int) -> float | None:
        if not 0 <= j < MINUTES:
            return None
        if name == "und":
            return self.spot(j)
        if name == "fut":
            return self.fut(j)
        return self.value(name, e, j)

    def _before(self, name: str, e: dt.date, j: int) -> int | None:
        """t': the last minute in t-3..t-1 where the series' own value is non-null."""
        for s in range(j - 1, max(j - BRIDGE, 0) - 1, -1):
            if self._own(name, e, s) is not None:
                return s
        return None

    def _kept(self, name: str, e: dt.date, s: int, j: int) -> float | None:
        """Value at j of the strikes that the series selected at s."""
        if name in ("und", "fut"):
            return self._own(name, e, j)
        if name in STRADDLES:
            return self.straddle_at(e, j, self.row(e, s, STRADDLES[name])["strike"])
        if name in LEGS:
            row = self.strike_row(e, j, self.row(e, s, 0)["strike"])
            return None if row is None else row[LEGS[name]]
        if name in IV_LEGS:
            rank, leg = IV_LEGS[name]
            row = self.strike_row(e, j, self.row(e, s, rank)["strike"])
            return None if row is None else valid_iv(row[leg])
        if name == "comb":
            prices = [(w, self._kept(part, e, s, j)) for part, _, w in COMB]
            if any(price is None for _, price in prices):
                return None
            return rounded(sum(w * price for w, price in prices))
        one, two = ("iv_ce", "iv_pe") if name == "iv" else ("iv_otmput", "iv_otmcall")
        a, b = self._kept(one, e, s, j), self._kept(two, e, s, j)
        if a is None or b is None:
            return None
        return (a + b) / 2 if name == "iv" else a - b

    def held(self, name: str, e: dt.date, j: int) -> tuple[float | None, int | None]:
        """Held log return of a series at j, with the minutes it spans."""
        key = (name, None if name in ("und", "fut") else e, j)
        if key not in self._held:
            self._held[key] = self._held_return(name, e, j)
        return self._held[key]

    def _held_return(self, name: str, e: dt.date, j: int) -> tuple[float | None, int | None]:
        if self._own(name, e, j) is None:
            return None, None
        s = self._before(name, e, j)
        if s is None:
            return None, None
        then, now = self._own(name, e, s), self._kept(name, e, s, j)
        if now is None or now <= 0 or then <= 0:
            return None, None
        return math.log(now / then), j - s

    def held_diff(self, name: str, e: dt.date, j: int) -> float | None:
        """Held difference of a volatility series at j, the strikes of t' at both ends."""
        key = (name, e, j)
        if key not in self._diffs:
            self._diffs[key] = self._held_change(name, e, j)
        return self._diffs[key]

    def _held_change(self, name: str, e: dt.date, j: int) -> float | None:
        if self._own(name, e, j) is None:
            return None
        s = self._before(name, e, j)
        if s is None:
            return None
        now = self._kept(name, e, s, j)
        return None if now is None else now - self._own(name, e, s)

    # ---- calendar ----
    def zone(self, j: int) -> str:
        """Name of the zone of a minute."""
        return [name for start, name in ZONE_STARTS if start <= j][-1]

    def zone_id(self, j: int) -> int:
        """Number of the zone of a minute."""
        return len([name for start, name in ZONE_STARTS if start <= j])

    def bucket(self, e: dt.date) -> str:
        """dte bucket of an expiry: near 0-7, mid 8-30, far 31 and more calendar days."""
        days = self.dte[e]
        return "near" if days <= 7 else "mid" if days <= 30 else "far"


@dataclass
class History:
    """Earlier trading days, as the stored tables hold them."""

    tables: dict[str, pl.DataFrame]
    back: dict[dt.date, int]

    def dates(self, depth: int) -> dict[int, dt.date]:
        """n to the n-th previous trading day, n up to depth."""
        return {n: date for date, n in self.back.items() if 1 <= n <= depth}


def _label_rank(call: str, put: str | None) -> int | None:
    """Rank of a strike from the labels of its legs."""
    if call == "ATM":
        return 0 if put == "ATM" else None
    return int(call[3:]) * (1 if call.startswith("OTM") else -1)


def _dense_ranks(rows: list[dict]) -> list[int]:
    """Rank among the strikes quoted, relative to the listed strike nearest atm_strike."""
    distances = [abs(row["strike"] - row["atm_strike"]) for row in rows]
    middle = distances.index(min(distances))
    return [n - middle for n in range(len(rows))]


def _plain_columns() -> list[str]:
    """The columns that a row keeps."""
    legs = [f"{side}_{what}" for side in ("ce", "pe") for what in SIDE_FIELDS + GREEK_FIELDS]
    return ["strike", "spot", "atm_strike", *legs, *(f"future_{what}" for what in FUTURE_FIELDS)]


def build_day(chain: pl.DataFrame) -> Day:
    """The day of a canonical option chain of one (symbol, date).

    Args:
        chain: Its rows, in any order.
    """
    first = chain.row(0, named=True)
    date = first["date"]
    start = dt.datetime.combine(date, dt.time(3, 45), tzinfo=dt.UTC)
    ordered = chain.sort("expiry_date", "ts_minute", "strike")
    plain = ordered.select(_plain_columns()).with_columns(pl.col(pl.Float64).fill_nan(None))
    keys = ordered.select("expiry_date", "ts_minute", "call_strike_type", "put_strike_type")
    minutes = {ts: int((ts - start).total_seconds()) // 60 for ts in chain["ts_minute"].unique()}
    rows: dict[tuple[dt.date, int], list[dict]] = {}
    for (e, ts, call, put), row in zip(keys.iter_rows(), plain.iter_rows(named=True), strict=True):
        row["call"], row["put"] = call, put
        rows.setdefault((e, minutes[ts]), []).append(row)
    for found in rows.values():
        unlabelled = any(row["call"] is None for row in found)
        dense = _dense_ranks(found) if unlabelled else [0] * len(found)
        for row, rank in zip(found, dense, strict=True):
            call, put = row.pop("call"), row.pop("put")
            row["k"] = rank if call is None else _label_rank(call, put)
    expiries = sorted({e for e, _ in rows})
    return Day(
        symbol=first["symbol"],
        date=date,
        expiries=expiries,
        dte={e: (e - date).days for e in expiries},
        rows=rows,
    )
