"""C1, triple rolling straddle: reference of the 120 straddle columns, loops over minutes.

Here: c1, the series of an expiry, level, trend, position, volatility, volume and open interest.
Not here: previous-day levels (c1_pivots.py), path structure (c1_path.py), the 30 momentum
columns (c1_momentum.py).
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise

from mr_platform_tests.features.reference.c1_momentum import momentum_columns
from mr_platform_tests.features.reference.c1_path import path_columns
from mr_platform_tests.features.reference.c1_pivots import pivot_columns
from mr_platform_tests.features.reference.day import MINUTES, Day, History, Result
from mr_platform_tests.features.reference.plain import (
    ANN,
    ZERO,
    Phi,
    clip,
    ema_span,
    ln,
    log_ratio,
    mean,
    msr,
    no_variance,
    pearson,
    percentile,
    ratio,
    sign_of_difference,
    sqrt,
    std,
    valid,
    window,
)

NAMES = {"atm": "strd", "itm1": "itm1", "otm1": "otm1", "comb": "comb", "ce": "ce", "pe": "pe"}
"""Series of a column's name to the series of the day."""
RANKS = {"atm": 0, "itm1": -1, "otm1": 1}
BASE_WEIGHTS = {"atm": 0.5, "itm1": 0.3, "otm1": 0.2}
LAST_OPEN_BAR = 15
"""09:30, as a minute of the session."""
PAIRS = {
    "ce_pe": ("ce", "pe"),
    "atm_itm1": ("atm", "itm1"),
    "atm_otm1": ("atm", "otm1"),
    "itm1_otm1": ("itm1", "otm1"),
    "atm_fut": ("atm", "fut"),
}

Columns = dict[str, list]


class Series:
    """Every series that C1 reads of one expiry, as lists of 375."""

    def __init__(self, day: Day, e: dt.date) -> None:
        js = range(MINUTES)
        self.day, self.e = day, e
        self.price = {s: [day.value(name, e, j) for j in js] for s, name in NAMES.items()}
        self.held = {s: [day.held(name, e, j) for j in js] for s, name in NAMES.items()}
        self.price["fut"] = [day.fut(j) for j in js]
        self.held["fut"] = [day.held("fut", e, j) for j in js]
        self.ret = {s: [h for h, _ in pairs] for s, pairs in self.held.items()}
        self.spot = [day.spot(j) for j in js]
        self.tau = [day.value("tau", e, j) for j in js]
        self.volume = self._volumes()
        self.open_bar = {s: self._open_bar(self.price[s]) for s in NAMES}

    def leg(self, s: str, field: str, j: int):
        """A field of the row of a straddle."""
        row = self.day.row(self.e, j, RANKS[s])
        return None if row is None else row[field]

    def _volumes(self) -> Columns:
        out: Columns = {s: [None] * MINUTES for s in NAMES}
        for j in range(MINUTES):
            for s in RANKS:
                call, put = self.leg(s, "ce_volume", j), self.leg(s, "pe_volume", j)
                out[s][j] = None if call is None or put is None else call + put
            three = [out[s][j] for s in RANKS]
            out["comb"][j] = None if None in three else sum(three)
            out["ce"][j] = self.leg("atm", "ce_volume", j)
            out["pe"][j] = self.leg("atm", "pe_volume", j)
        return out

    @staticmethod
    def _open_bar(price: list) -> int | None:
        for j in range(LAST_OPEN_BAR + 1):
            if price[j] is not None:
                return j
        return None

    def traded(self, s: str, j: int):
        """Volume of a minute whose price is there too."""
        return None if self.price[s][j] is None else self.volume[s][j]


def c1(day: Day, history: History) -> Result:
    """All 150 columns of C1.

    Args:
        day: The day.
        history: Earlier trading days.
    """
    out: Result = {}
    for e in day.expiries:
        series = Series(day, e)
        columns: Columns = {}
        for part in (
            level_columns,
            trend_columns,
            position_columns,
            volatility_columns,
            compression_columns,
            volume_columns,
            interest_columns,
            weight_columns,
            path_columns,
        ):
            columns.update(part(series))
        columns.update(pivot_columns(series, history))
        columns.update(momentum_columns(series, columns, history))
        for name, values in columns.items():
            out.setdefault(name, {})[e] = values
    return out


def each_minute(function) -> list:
    """The 375 values of a function of the minute."""
    return [function(j) for j in range(MINUTES)]


# ---- level and change ----
def level_columns(x: Series) -> Columns:
    """Levels, implied volatility, curvature, changes and returns."""
    out: Columns = {}
    for s in ("atm", "itm1", "otm1", "ce"):
        out[f"c1_premium_pct_{s}"] = each_minute(lambda j, s=s: percent(x.price[s][j], x.spot[j]))
    out["c1_straddle_iv"] = each_minute(lambda j: straddle_iv(x, j))
    out["c1_straddle_curvature"] = each_minute(lambda j: curvature(x, j))
    for s in NAMES:
        out[f"c1_open_chg_{s}"] = each_minute(lambda j, s=s: open_change(x, s, j))
    for s in ("atm", "comb", "ce", "pe"):
        for w, n in ((3, 2), (5, 4), (10, 7), (15, 10)):
            out[f"c1_ret_{s}_{w}m"] = each_minute(
                lambda j, s=s, w=w, n=n: window_return(x.ret[s], j, w, n)
            )
    return out


def percent(a, b):
    """100 a / b."""
    share = ratio(a, b)
    return None if share is None else 100 * share


def straddle_iv(x: Series, j: int):
    """Brenner and Subrahmanyam's volatility."""
    if x.spot[j] is None:
        return None
    half = ratio(x.price["atm"][j], 2 * x.spot[j])
    return None if half is None else half * math.sqrt(2 * math.pi / x.tau[j])


def curvature(x: Series, j: int):
    """ln(P_itm1 * P_otm1 / P_atm^2)."""
    low, middle, high = (x.price[s][j] for s in ("itm1", "atm", "otm1"))
    if low is None or middle is None or high is None:
        return None
    return log_ratio(low * high, middle * middle)


def open_change(x: Series, s: str, j: int):
    """Percent change since the open bar."""
    start = x.open_bar[s]
    if start is None or j < start:
        return None
    share = ratio(x.price[s][j], x.price[s][start])
    return None if share is None else 100 * (share - 1)


def window_return(returns: list, j: int, w: int, n: int):
    """Sum of the held returns of the window."""
    found = valid(window(returns, j, w))
    return math.fsum(found) if j >= w and len(found) >= n else None


# ---- trend ----
def trend_columns(x: Series) -> Columns:
    """Exponential means and volume-weighted prices."""
    out: Columns = {}
    for s in ("atm", "comb", "ce", "pe"):
        p = x.price[s]
        means = {n: ema_span(p, n, n // 2) for n in (20, 100, 200)}
        for n, smooth in means.items():
            out[f"c1_ema_dist_{s}_{n}"] = each_minute(
                lambda j, p=p, smooth=smooth: log_ratio(p[j], smooth[j])
            )
        out[f"c1_ema_align_{s}"] = each_minute(
            lambda j, p=p, m=means: alignment(p[j], m[20][j], m[100][j], m[200][j])
        )
    for s in NAMES:
        lines = each_minute(lambda j, s=s: vwap(x, s, j, 5))
        out[f"c1_vwap_dist_{s}"] = each_minute(
            lambda j, s=s, lines=lines: log_ratio(x.price[s][j], lines[j])
        )
    for s in ("atm", "comb"):
        out[f"c1_vwap_z_{s}"] = each_minute(lambda j, s=s: vwap_z(x, s, j))
    out["c1_fut_vwap_dist"] = each_minute(lambda j: fut_vwap_dist(x, j))
    return out


def alignment(*ordered: float | None) -> float | None:
    """Mean sign of the steps P, E20, E100, E200."""
    signs = [sign_of_difference(a, b) for a, b in pairwise(ordered)]
    return None if None in signs else sum(signs) / 3


def vwap(x: Series, s: str, j: int, n: int):
    """Closes weighed by volume, from the session's first bar."""
    bars = [i for i in range(j + 1) if x.traded(s, i) is not None]
    if len(bars) < n:
        return None
    money = math.fsum(x.price[s][i] * x.volume[s][i] for i in bars)
    return ratio(money, sum(x.volume[s][i] for i in bars))


def vwap_z(x: Series, s: str, j: int):
    """Distance to the volume-weighted price in its volume-weighted deviations."""
    line = vwap(x, s, j, 15)
    if line is None or x.price[s][j] is None:
        return None
    bars = [i for i in range(j + 1) if x.traded(s, i) is not None]
    squares = math.fsum(x.volume[s][i] * (x.price[s][i] - line) ** 2 for i in bars)
    deviation = math.sqrt(squares / sum(x.volume[s][i] for i in bars))
    return None if deviation < 1e-6 * line else (x.price[s][j] - line) / deviation


def fut_vwap_dist(x: Series, j: int):
    """ln of the future over its volume-weighted typical price."""
    money, volumes = [], []
    for i in range(j + 1):
        bar = (x.day.fut_high(i), x.day.fut_low(i), x.day.fut(i), x.day.fut_volume(i))
        if None not in bar:
            money.append(sum(bar[:3]) / 3 * bar[3])
            volumes.append(bar[3])
    if len(volumes) < 5:
        return None
    return log_ratio(x.price["fut"][j], ratio(math.fsum(money), sum(volumes)))


# ---- co-movement and position ----
def position_columns(x: Series) -> Columns:
    """Correlations, z-scores and ranks."""
    out: Columns = {}
    for pair, (a, b) in PAIRS.items():
        for w, n in ((20, 14), (60, 40)):
            out[f"c1_corr_{pair}_{w}m"] = each_minute(
                lambda j, a=a, b=b, w=w, n=n: pearson(
                    window(x.ret[a], j, w), window(x.ret[b], j, w), n
                )
            )
    for s in ("atm", "comb"):
        p = x.price[s]
        for w, n in ((15, 10), (60, 40)):
            out[f"c1_z_{s}_{w}m"] = each_minute(
                lambda j, p=p, w=w, n=n: price_z(p[j], valid(window(p, j, w)), n)
            )
        for w, n in ((30, 20), (120, 60)):
            out[f"c1_pctrank_{s}_{w}m"] = each_minute(
                lambda j, p=p, w=w, n=n: percentile(p[j], window(p, j, w)[:-1], n)
            )
    return out


def price_z(p, found: list, n: int):
    """(P - mean) / std over the window."""
    if p is None or len(found) < n or no_variance(found):
        return None
    return ratio(p - mean(found), std(found))


# ---- volatility ----
def volatility_columns(x: Series) -> Columns:
    """Realised and Parkinson volatility, implied over realised."""
    out: Columns = {}
    for s in ("atm", "fut"):
        for w, n in ((15, 10), (30, 20), (60, 40)):
            out[f"c1_rv_{s}_{w}m"] = each_minute(
                lambda j, s=s, w=w, n=n: realised(msr(window(x.held[s], j, w), n))
            )
    ranges = {
        "ce": each_minute(
            lambda j: log_range(x.leg("atm", "ce_high", j), x.leg("atm", "ce_low", j))
        ),
        "pe": each_minute(
            lambda j: log_range(x.leg("atm", "pe_high", j), x.leg("atm", "pe_low", j))
        ),
        "fut": each_minute(lambda j: log_range(x.day.fut_high(j), x.day.fut_low(j))),
    }
    for s, squares in ranges.items():
        for w, n in ((15, 10), (60, 40)):
            out[f"c1_parkinson_{s}_{w}m"] = each_minute(
                lambda j, squares=squares, w=w, n=n: parkinson(mean(window(squares, j, w), n))
            )
    realised_fut = out["c1_rv_fut_60m"]
    out["c1_iv_rv_ratio"] = each_minute(lambda j: log_ratio(straddle_iv(x, j), realised_fut[j]))
    return out


def realised(square):
    """Annualised root of a mean square."""
    return None if square is None else math.sqrt(ANN * square)


def leg_range(x: Series, side: str, j: int):
    """ln(high / low)^2 of a leg of the ATM row."""
    return log_range(x.leg("atm", f"{side}_high", j), x.leg("atm", f"{side}_low", j))


def log_range(high, low):
    """ln(high / low)^2."""
    if high is None or low is None or high <= 0 or low <= 0:
        return None
    return math.log(high / low) ** 2


def parkinson(square):
    """Annualised root of the mean squared log range."""
    return None if square is None else math.sqrt(ANN / (4 * math.log(2)) * square)


def compression_columns(x: Series) -> Columns:
    """Compression, breakout probability and decay."""
    comb = x.held["comb"]
    return {
        "c1_vol_compression": each_minute(
            lambda j: log_ratio(
                sqrt(msr(window(comb, j, 120), 60)), sqrt(msr(window(comb, j, 15), 10))
            )
        ),
        "c1_breakout_probability": each_minute(lambda j: breakout(x, j)),
        "c1_decay_excess": each_minute(lambda j: decay_excess(x, j)),
    }


def breakout(x: Series, j: int):
    """Chance that a driftless future leaves its range within 15 minutes."""
    minutes = range(max(0, j - 59), j + 1)
    highs = valid([x.day.fut_high(i) for i in minutes])
    lows = valid([x.day.fut_low(i) for i in minutes])
    square, now = msr(window(x.held["fut"], j, 60), 40), x.price["fut"][j]
    if square is None or now is None or len(highs) < 40 or len(lows) < 40:
        return None
    reach = math.sqrt(square) * math.sqrt(15)
    up, down = log_ratio(max(highs), now), log_ratio(now, min(lows))
    if up is None or down is None or reach < ZERO:
        return None
    stay = 1.0
    for edge in (up, down):
        passed = 2 * (1 - Phi((edge + 0.5 * reach) / reach))
        stay *= 1 - clip(passed, 0.0, 1.0)
    return clip(1 - stay, 0.0, 1.0)


def decay_excess(x: Series, j: int):
    """Premium kept beyond square-root-of-time decay since the open bar."""
    o = x.open_bar["atm"]
    if o is None or j < o:
        return None
    now, start = ratio(x.price["atm"][j], x.spot[j]), ratio(x.price["atm"][o], x.spot[o])
    kept = log_ratio(now, start)
    return None if kept is None else kept - 0.5 * math.log(x.tau[j] / x.tau[o])


# ---- volume and open interest ----
def volume_columns(x: Series) -> Columns:
    """Relative volume and imbalance of the legs."""
    out: Columns = {}
    for s in RANKS:
        bars = each_minute(lambda j, s=s: x.traded(s, j))
        for w, n_window, n_session in ((5, 3, 10), (15, 10, 20)):
            out[f"c1_relvol_{s}_{w}m"] = each_minute(
                lambda j, bars=bars, w=w, a=n_window, b=n_session: ratio(
                    mean(window(bars, j, w), a), mean(bars[: j + 1], b)
                )
            )
        out[f"c1_leg_volume_imb_{s}_15m"] = each_minute(
            lambda j, s=s, bars=bars: leg_volume_imbalance(x, s, bars, j)
        )
    return out


def leg_volume_imbalance(x: Series, s: str, bars: list, j: int):
    """Call less put volume over both, 15 bars."""
    kept = [i for i in range(max(0, j - 14), j + 1) if bars[i] is not None]
    if len(kept) < 10:
        return None
    calls = sum(x.leg(s, "ce_volume", i) for i in kept)
    puts = sum(x.leg(s, "pe_volume", i) for i in kept)
    return ratio(calls - puts, calls + puts)


def interest_columns(x: Series) -> Columns:
    """Open interest of the legs and its change since the open bar."""
    out: Columns = {}
    for s in RANKS:
        out[f"c1_leg_oi_imb_{s}"] = each_minute(lambda j, s=s: leg_oi_imbalance(x, s, j))
        out[f"c1_oi_chg_{s}"] = each_minute(lambda j, s=s: oi_change(x, s, j))
    return out


def leg_oi_imbalance(x: Series, s: str, j: int):
    """Put less call open interest over both."""
    call, put = x.leg(s, "ce_oi", j), x.leg(s, "pe_oi", j)
    return None if call is None or put is None else ratio(put - call, put + call)


def oi_change(x: Series, s: str, j: int):
    """ln of the open interest of the strike of t, now over that at the open bar."""
    row, o = x.day.row(x.e, j, RANKS[s]), x.open_bar[s]
    if row is None or o is None or j < o:
        return None
    then = x.day.strike_row(x.e, o, row["strike"])
    if then is None or None in (row["ce_oi"], row["pe_oi"], then["ce_oi"], then["pe_oi"]):
        return None
    return log_ratio(row["ce_oi"] + row["pe_oi"], then["ce_oi"] + then["pe_oi"])


# ---- weights ----
def weight_columns(x: Series) -> Columns:
    """Weights by volume, their effective number and what they do to the premium."""
    names = ("c1_weight_atm", "c1_weight_itm1", "c1_weight_effective_n", "c1_weight_premium_dev")
    out: Columns = {name: [None] * MINUTES for name in names}
    for j in range(MINUTES):
        w = weights(x, j)
        if w is None:
            continue
        out["c1_weight_atm"][j], out["c1_weight_itm1"][j] = w["atm"], w["itm1"]
        spread = sum(share * share for share in w.values())
        out["c1_weight_effective_n"][j] = clip(ratio(1.0, spread), 1.0, 3.0)
        prices = {s: x.price[s][j] for s in RANKS}
        if None not in prices.values():
            mixed = sum(w[s] * prices[s] for s in RANKS)
            out["c1_weight_premium_dev"][j] = ln(ratio(mixed, x.price["comb"][j]))
    return out


def weights(x: Series, j: int):
    """Shares of base weight times volume of 15 bars, each straddle with 10 valid."""
    parts = {}
    for s in RANKS:
        found = valid([x.traded(s, i) for i in range(max(0, j - 14), j + 1)])
        if len(found) < 10:
            return None
        parts[s] = BASE_WEIGHTS[s] * sum(found)
    total = sum(parts.values())
    return None if total < ZERO else {s: part / total for s, part in parts.items()}
