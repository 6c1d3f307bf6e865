"""Levels of component 7: previous day and week, opening range, pivots, VWAP, walls, swings."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, field

import numpy as np

from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.streams import (
    LAST_OPEN_MINUTE,
    MINUTES,
    Past,
    Series,
    Triple,
    Value,
    open_value,
    weighted_spread,
)

OPENING = 15
GROUPS = {
    "prev_day": ("pdh", "pdl", "pdc"),
    "week": ("pwh", "pwl"),
    "or": ("orh", "orl"),
    "pivot": ("pp", "r1", "s1", "r2", "s2", "tc", "bc"),
    "oi": ("call_wall", "put_wall", "max_pain"),
    "round": ("round_major",),
    "swing": ("swh", "swl"),
    "vwap": ("vwap",),
}
POOL = tuple(name for names in GROUPS.values() for name in names)
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}
UND_LEVELS = (*POOL, "vwap_u1", "vwap_l1", "round_minor")
STRD_LEVELS = (
    "pdh", "pdl", "pdc", "orh", "orl", "pp", "r1", "s1", "tc", "bc", "vwap", "swh", "swl"
)  # fmt: skip
Levels = dict[str, Series]


def day_levels(bar: Triple | None) -> dict[str, Value]:
    """Previous day's high, low, close, floor pivots and central range."""
    names = ("pdh", "pdl", "pdc", "pp", "r1", "s1", "r2", "s2", "bc", "tc")
    if bar is None:
        return dict.fromkeys(names)
    high, low, close = bar
    pp = (high + low + close) / 3
    bc = (high + low) / 2
    values = (
        high,
        low,
        close,
        pp,
        2 * pp - low,
        2 * pp - high,
        pp + high - low,
        pp - (high - low),
        bc,
        2 * pp - bc,
    )
    return dict(zip(names, values, strict=True))


def opening_range(price: Series) -> Levels:
    """Extremes of the first 15 minutes, ten of them valid; null before they are over."""
    seen = [p for p in price[:OPENING] if p is not None]
    high = max(seen) if len(seen) >= 10 else None
    low = min(seen) if len(seen) >= 10 else None
    before = [None] * (OPENING - 1)
    after = MINUTES - len(before)
    return {"orh": [*before, *[high] * after], "orl": [*before, *[low] * after]}


def is_high_fractal(price: Series, i: int) -> bool:
    """Whether bar i tops the five bars before it and no bar of the five after it exceeds it."""
    if price[i] is None:
        return False
    before = [p for p in price[max(0, i - 5) : i] if p is not None]
    after = [p for p in price[i + 1 : i + 6] if p is not None]
    if len(before) < 4 or len(after) < 4:
        return False
    return all(price[i] > p for p in before) and all(price[i] >= p for p in after)


def swings(price: Series) -> tuple[Series, Series]:
    """Level of the latest confirmed swing high, and the minute of its bar."""
    pivots = [i for i in range(MINUTES) if i + 5 < MINUTES and is_high_fractal(price, i)]
    levels: Series = []
    bars: Series = []
    for j in range(MINUTES):
        known = [i for i in pivots if i + 5 <= j]
        levels.append(price[known[-1]] if known else None)
        bars.append(known[-1] if known else None)
    return levels, bars


def mirrored(values: Series) -> Series:
    """Negative of every value."""
    return [None if value is None else -value for value in values]


def swing_levels(price: Series) -> tuple[Levels, Levels]:
    """Both swing levels, and the minutes of their bars."""
    high, high_bar = swings(price)
    low, low_bar = swings(mirrored(price))
    return {"swh": high, "swl": mirrored(low)}, {"swh": high_bar, "swl": low_bar}


@dataclass
class Vwap:
    """Volume-weighted price of the session so far: mean, deviation and minutes in it."""

    mean: Series = field(default_factory=list)
    deviation: Series = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)


def volume_weighted(price: Series, volume: Series) -> Vwap:
    """VWAP over the minutes where price and volume are known."""
    result = Vwap()
    prices: list[float] = []
    volumes: list[float] = []
    for j in range(MINUTES):
        if price[j] is not None and volume[j] is not None:
            prices.append(price[j])
            volumes.append(volume[j])
        mean, deviation = weighted_spread(prices, volumes) if prices else (None, None)
        result.mean.append(mean)
        result.deviation.append(deviation)
        result.minutes.append(len(prices))
    return result


def future_vwap(day: Day) -> Vwap:
    """VWAP of the future's typical price."""
    typical: Series = []
    for j in range(MINUTES):
        parts = (day.fut_high(j), day.fut_low(j), day.fut(j))
        typical.append(None if any(p is None for p in parts) else sum(parts) / 3)
    return volume_weighted(typical, [day.fut_volume(j) for j in range(MINUTES)])


def straddle_vwap(day: Day, expiry: datetime.date) -> Vwap:
    """VWAP of the ATM straddle, by the volume of its row."""
    volumes: Series = []
    for j in range(MINUTES):
        row = day.row(expiry, j, 0)
        legs = (None, None) if row is None else (row["ce_volume"], row["pe_volume"])
        volumes.append(None if legs[0] is None or legs[1] is None else legs[0] + legs[1])
    return volume_weighted([day.value("strd", expiry, j) for j in range(MINUTES)], volumes)


def shifted_vwap(day: Day, vwap: Vwap) -> Levels:
    """The future's VWAP and its bands in terms of spot."""
    levels: Levels = {"vwap": [], "vwap_u1": [], "vwap_l1": []}
    for j in range(MINUTES):
        mean, deviation = vwap.mean[j], vwap.deviation[j]
        spot, fut = day.spot(j), day.fut(j)
        missing = mean is None or spot is None or fut is None
        centre = None if missing else mean - (fut - spot)
        known = centre is not None and deviation is not None
        levels["vwap"].append(centre)
        levels["vwap_u1"].append(centre + deviation if known else None)
        levels["vwap_l1"].append(centre - deviation if known else None)
    return levels


def underlying_levels(day: Day, past: Past) -> tuple[Levels, Levels]:
    """The levels all expiries share, and the minutes of the swing bars."""
    spot = [day.spot(j) for j in range(MINUTES)]
    levels: Levels = {
        name: [value] * MINUTES for name, value in day_levels(past.spot_bar(1)).items()
    }
    week = past.week(day.date, None)
    levels["pwh"] = [None if week is None else week[0]] * MINUTES
    levels["pwl"] = [None if week is None else week[1]] * MINUTES
    levels.update(opening_range(spot))
    levels.update(shifted_vwap(day, future_vwap(day)))
    swing, bars = swing_levels(spot)
    levels.update(swing)
    return levels, bars


def straddle_levels(day: Day, past: Past, expiry: datetime.date, vwap: Vwap) -> Levels:
    """The 13 levels of the straddle of one expiry."""
    strd = [day.value("strd", expiry, j) for j in range(MINUTES)]
    fixed = day_levels(past.bar(1, expiry, "strd"))
    levels: Levels = {name: [fixed[name]] * MINUTES for name in fixed if name in STRD_LEVELS}
    levels.update(opening_range(strd))
    levels["vwap"] = vwap.mean
    levels.update(swing_levels(strd)[0])
    return levels


# ---------------------------------------------------------------- of one expiry


@dataclass
class Wall:
    """The strike of the largest open interest of one side, minute by minute."""

    strike: Series
    share: Series  # of the side's open interest
    build: Series  # logarithm of the change since the open
    dominance: Series  # logarithm of largest over second largest


CHAIN_STRIKES = 15
"""Strikes with open interest that walls and max pain need."""


def largest(pairs: list[tuple[float, float]], spot: float) -> tuple[float, float] | None:
    """Strike and open interest of the wall: nearest spot on a tie, then the lower."""
    if not pairs or max(oi for _, oi in pairs) <= 0:
        return None
    top = max(oi for _, oi in pairs)
    tied = [strike for strike, oi in pairs if oi == top]
    return min(tied, key=lambda strike: (abs(strike - spot), strike)), top


def wall(day: Day, expiry: datetime.date, leg: str) -> Wall:
    """Wall of the calls (ce) or the puts (pe)."""
    column = f"{leg}_oi"
    at_open: dict[float, float] = {}
    result = Wall([], [], [], [])
    for j in range(MINUTES):
        pairs = [
            (row["strike"], row[column])
            for row in day.rows.get((expiry, j), [])
            if row[column] is not None
        ]
        if j <= LAST_OPEN_MINUTE:
            for strike, oi in pairs:
                at_open.setdefault(strike, oi)
        spot = day.spot(j)
        enough = spot is not None and len(pairs) >= CHAIN_STRIKES
        found = largest(pairs, spot) if enough else None
        if found is None:
            for series in (result.strike, result.share, result.build, result.dominance):
                series.append(None)
            continue
        strike, oi = found
        ranked = sorted((oi for _, oi in pairs), reverse=True)
        second = ranked[1] if len(ranked) > 1 else 0
        first = at_open.get(strike, 0)
        result.strike.append(strike)
        result.share.append(oi / sum(ranked))
        result.build.append(math.log(oi / first) if first > 0 else None)
        result.dominance.append(math.log(oi / second) if second > 0 else None)
    return result


def max_pain(day: Day, expiry: datetime.date) -> Series:
    """Strike of least total intrinsic value of the open contracts."""
    result: Series = []
    for j in range(MINUTES):
        rows = day.rows.get((expiry, j), [])
        spot = day.spot(j)
        strikes = np.array([row["strike"] for row in rows], dtype=float)
        calls = np.array([row["ce_oi"] or 0 for row in rows], dtype=float)
        puts = np.array([row["pe_oi"] or 0 for row in rows], dtype=float)
        known = [r for r in rows if r["ce_oi"] is not None or r["pe_oi"] is not None]
        if spot is None or len(known) < CHAIN_STRIKES:
            result.append(None)
            continue
        pains = [
            float((calls * np.maximum(k - strikes, 0)).sum())
            + float((puts * np.maximum(strikes - k, 0)).sum())
            for k in strikes
        ]
        tied = [float(k) for k, pain in zip(strikes, pains, strict=True) if pain == min(pains)]
        result.append(min(tied, key=lambda k: (abs(k - spot), k)))
    return result


def nearest_multiple(spot: Value, unit: Value) -> Value:
    """Nearest multiple of a unit, the lower on a tie."""
    if spot is None or unit is None or unit <= 0:
        return None
    below = math.floor(spot / unit) * unit
    return below if spot - below <= below + unit - spot else below + unit


def round_levels(day: Day, expiry: datetime.date) -> Levels:
    """Round numbers in units of ten and of two steps."""
    levels: Levels = {}
    for name, factor in (("round_major", 10), ("round_minor", 2)):
        levels[name] = []
        for j in range(MINUTES):
            step = day.value("step", expiry, j)
            unit = None if step is None else factor * step
            levels[name].append(nearest_multiple(day.spot(j), unit))
    return levels


def steps_moved(day: Day, expiry: datetime.date, strikes: Series) -> Series:
    """Whole steps that the strike of least pain has moved since the open."""
    opened = open_value(strikes)
    result: Series = []
    for j in range(MINUTES):
        step = day.value("step", expiry, j)
        if strikes[j] is None or opened is None or step is None or step <= 0:
            result.append(None)
            continue
        moved = (strikes[j] - opened) / step
        result.append(math.floor(moved + 0.5) if moved >= 0 else math.ceil(moved - 0.5))
    return result


def centroid_distance(day: Day, expiry: datetime.date, leg: str) -> Series:
    """Distance of spot from the mean strike of near open interest, in percent."""
    result: Series = []
    for j in range(MINUTES):
        pairs = [
            (row["strike"], row[f"{leg}_oi"])
            for row in day.rows.get((expiry, j), [])
            if row["k"] is not None and abs(row["k"]) <= 7 and row[f"{leg}_oi"] is not None
        ]
        total = sum(oi for _, oi in pairs)
        spot = day.spot(j)
        if len(pairs) < 10 or total <= 0 or spot is None:
            result.append(None)
            continue
        centre = sum(strike * oi for strike, oi in pairs) / total
        result.append(100 * (spot - centre) / spot)
    return result
