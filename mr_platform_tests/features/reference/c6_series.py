"""Reference of component 6: the series that its correlations pair, one list a series.

Here: held returns, one-minute differences, open interest, volume and net greeks of a day.
Not here: any column (c6_pairs.py, c6_partner.py, c6_day.py, c6_straddle.py, c6_momentum.py).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mr_platform_tests.features.reference.day import (
    GREEK_FIELDS,
    Day,
    History,
    Result,
    valid_iv,
)
from mr_platform_tests.features.reference.plain import ZERO, ln, log_ratio, ratio, sub, window
from mr_platform_tests.features.reference.streams import Past, Series, Value

MINUTES = 375
BRIDGE = 3
CHAIN_STRIKES = 15
NEAR_STRIKES = 10
NEAR_RANK = 7
Columns = dict[str, Series]
Expiry = datetime.date
Row = dict[str, Any]


def least(w: int) -> int:
    """Default min_periods: two thirds of the window, rounded up."""
    return -(-2 * w // 3)


def minute_before(values: Series, j: int) -> int | None:
    """t': the last valid minute in t-3..t-1 of the session."""
    for s in range(j - 1, max(j - BRIDGE, 0) - 1, -1):
        if values[s] is not None:
            return s
    return None


def diff1(values: Series) -> Series:
    """One-minute difference, bridging gaps of up to two minutes."""
    out: Series = []
    for j in range(MINUTES):
        s = minute_before(values, j)
        out.append(None if s is None else sub(values[j], values[s]))
    return out


def five_minute_sum(returns: Series) -> Series:
    """Sum of the last five one-minute returns, at least four valid."""
    out: Series = []
    for j in range(MINUTES):
        found = [r for r in window(returns, j, 5) if r is not None]
        out.append(sum(found) if len(found) >= 4 else None)
    return out


def pearson(x: np.ndarray, y: np.ndarray, n_min: int) -> Value:
    """Correlation of the pairs where both are there; null where either counts as constant."""
    kept = ~(np.isnan(x) | np.isnan(y))
    a, b = x[kept], y[kept]
    n = len(a)
    if n < n_min:
        return None
    for values in (a, b):
        squares = n * float(values @ values)
        if squares - float(values.sum()) ** 2 <= ZERO * squares:
            return None
    a, b = a - a.sum() / n, b - b.sum() / n
    rho = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
    return min(1.0, max(-1.0, rho))


def rolling_pearson(x: Series, y: Series, w: int) -> Series:
    """Correlation over the last w minutes of the pairs where both are non-null."""
    one, two = np.array(x, dtype=float), np.array(y, dtype=float)
    out: Series = []
    for j in range(MINUTES):
        first = max(0, j - w + 1)
        out.append(pearson(one[first : j + 1], two[first : j + 1], least(w)))
    return out


# ---------------------------------------------------------------- sums over strikes


def chain_sum(rows: list[Row], column: str) -> Value:
    """Sum of a column over all strikes of the minute, at least 15 of them with a value."""
    found = [row[column] for row in rows if row[column] is not None]
    return float(sum(found)) if len(found) >= CHAIN_STRIKES else None


def chain_volume(rows: list[Row]) -> Value:
    """Volume of both legs over all strikes, at least 15 of them with a leg's volume."""
    total = 0.0
    strikes = 0
    for row in rows:
        legs = [row[f"{leg}_volume"] for leg in ("ce", "pe")]
        found = [volume for volume in legs if volume is not None]
        total += sum(found)
        strikes += 1 if found else 0
    return total if strikes >= CHAIN_STRIKES else None


def near_strikes(day: Day, expiry: Expiry, j: int) -> list[float]:
    """Strikes with |k| <= 7 at the minute."""
    return [
        row["strike"]
        for row in day.rows.get((expiry, j), [])
        if row["k"] is not None and abs(row["k"]) <= NEAR_RANK
    ]


def net_greek(day: Day, expiry: Expiry, j: int, strikes: list[float], greek: str) -> Value:
    """Mean of a greek over the legs of given strikes, weighted by open interest.

    A leg enters with all four greeks or not at all, so that all four speak of the same legs.
    """
    total = 0.0
    weights = 0.0
    counted = 0
    for strike in strikes:
        row = day.strike_row(expiry, j, strike)
        if row is None:
            continue
        with_leg = False
        for leg in ("ce", "pe"):
            value, oi, iv = row[f"{leg}_{greek}"], row[f"{leg}_oi"], valid_iv(row[f"{leg}_iv"])
            whole = all(row[f"{leg}_{name}"] is not None for name in GREEK_FIELDS)
            if not whole or oi is None or iv is None:
                continue
            total += value * oi
            weights += oi
            with_leg = True
        counted += 1 if with_leg else 0
    return ratio(total, weights) if counted >= NEAR_STRIKES else None


def net_greek_change(day: Day, expiry: Expiry, greek: str) -> Series:
    """One-minute difference of a net greek, over the strikes of t' at both ends."""
    strikes = [near_strikes(day, expiry, j) for j in range(MINUTES)]
    level = [net_greek(day, expiry, j, strikes[j], greek) for j in range(MINUTES)]
    out: Series = []
    for j in range(MINUTES):
        s = minute_before(level, j)
        if s is None or level[j] is None:
            out.append(None)
        else:
            out.append(sub(net_greek(day, expiry, j, strikes[s], greek), level[s]))
    return out


def log_of_one_more(volume: Value) -> Value:
    """ln(1 + volume)."""
    return None if volume is None else ln(1 + volume)


# ---------------------------------------------------------------- series of an expiry

SIMPLE: dict[str, Callable[[Day, Expiry, int], Value]] = {
    "spot": lambda day, e, j: day.spot(j),
    "oi_ce": lambda day, e, j: chain_sum(day.rows.get((e, j), []), "ce_oi"),
    "oi_pe": lambda day, e, j: chain_sum(day.rows.get((e, j), []), "pe_oi"),
    "optvol": lambda day, e, j: log_of_one_more(chain_volume(day.rows.get((e, j), []))),
    "fvol": lambda day, e, j: log_of_one_more(day.fut_volume(j)),
}
"""Series of a minute that need no other minute."""


@dataclass
class Series6:
    """Series of one expiry of one symbol, each computed when first asked for."""

    day: Day
    expiry: Expiry
    _found: Columns = field(default_factory=dict)

    def get(self, name: str) -> Series:
        """A series by its name in the declarations."""
        if name not in self._found:
            self._found[name] = self._compute(name)
        return self._found[name]

    def _compute(self, name: str) -> Series:
        day, e, minutes = self.day, self.expiry, range(MINUTES)
        if name in SIMPLE:
            return [SIMPLE[name](day, e, j) for j in minutes]
        if name in ("d_ndelta", "d_ngamma", "d_ntheta", "d_nvega"):
            return net_greek_change(day, e, name[3:])
        if name in ("d_oi_ce", "d_oi_pe"):
            return self._oi_change(name[2:])
        if name == "abs_oi":
            both = zip(self.get("d_oi_ce"), self.get("d_oi_pe"), strict=True)
            return [None if a is None or b is None else abs(a + b) for a, b in both]
        if name == "d_pcr":
            both = zip(self.get("oi_pe"), self.get("oi_ce"), strict=True)
            return diff1([log_ratio(a, b) for a, b in both])
        if name == "d_foi":
            return diff1([ln(day.fut_oi(j)) for j in minutes])
        if name.startswith("r_"):
            return [day.held(name[2:], e, j)[0] for j in minutes]
        if name.startswith("d_"):
            return [day.held_diff(name[2:], e, j) for j in minutes]
        return [day.value(name, e, j) for j in minutes]

    def _oi_change(self, leg: str) -> Series:
        calls, puts, own = self.get("oi_ce"), self.get("oi_pe"), self.get(leg)
        out: Series = []
        for j in range(MINUTES):
            s = minute_before(own, j)
            if s is None or calls[s] is None or puts[s] is None:
                out.append(None)
            else:
                out.append(ratio(sub(own[j], own[s]), calls[s] + puts[s]))
        return out


@dataclass
class Sight:
    """What every family of one expiry reads, and the columns so far."""

    day: Day
    history: History
    past: Past
    components: dict[str, Result]
    series: Series6
    columns: Columns = field(default_factory=dict)

    @property
    def expiry(self) -> Expiry:
        """The expiry."""
        return self.series.expiry

    def score(self, column: str) -> Series:
        """A column of an earlier component at the minutes that its table holds."""
        values = self.components.get(column[:2], {}).get(column, {}).get(self.expiry)
        if values is None:
            return [None] * MINUTES
        return [values[j] if self.day.present(self.expiry, j) else None for j in range(MINUTES)]
