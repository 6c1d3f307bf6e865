"""Session columns of component 7: VWAP, range position, volume profile, wicks, previous range."""

from __future__ import annotations

import math
from collections.abc import Callable

from mr_platform_tests.features.reference.c7_events import session_extreme
from mr_platform_tests.features.reference.c7_levels import Vwap
from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.plain import ln, ratio
from mr_platform_tests.features.reference.streams import (
    MINUTES,
    Series,
    Value,
    open_value,
    so_far,
    valid_in,
)

Columns = dict[str, Series]


def vwap_z(price: Series, level: Series, vwap: Vwap) -> Series:
    """Distance from the VWAP in its own deviations, from the tenth minute in it."""
    result: Series = []
    for j in range(MINUTES):
        known = price[j] is not None and level[j] is not None and vwap.minutes[j] >= 10
        result.append(ratio(price[j] - level[j], vwap.deviation[j]) if known else None)
    return result


def vwap_slope(vwap: Vwap, price: Series) -> Series:
    """Log change of the VWAP over 15 minutes in percent; needs both ends, nothing between.

    At a minute without a price the VWAP is null, as every series is.
    """
    mean = [m if p is not None else None for m, p in zip(vwap.mean, price, strict=True)]
    result: Series = []
    for j in range(MINUTES):
        before = mean[j - 15] if j >= 15 else None
        change = ln(ratio(mean[j], before))
        result.append(None if change is None else 100 * change)
    return result


def session_position(price: Series) -> Series:
    """Place of the price between the session's low and high so far."""
    high, low = session_extreme(price, "high"), session_extreme(price, "low")
    result: Series = []
    for j in range(MINUTES):
        known = price[j] is not None and len(so_far(price, j)) >= 5
        result.append(ratio(price[j] - low[j], high[j] - low[j]) if known else None)
    return result


def value_area(
    volumes: dict[int, float], poc: int, spot: float, centre: Callable[[int], float]
) -> tuple[int, int]:
    """Lowest and highest bin that hold 70 percent of the volume, grown from the modal bin."""
    first, last = min(volumes), max(volumes)
    low = high = poc
    held = volumes[poc]
    total = sum(volumes.values())
    while held < 0.7 * total:
        below = volumes.get(low - 1, 0) if low > first else None
        above = volumes.get(high + 1, 0) if high < last else None
        if below is None:
            down = False
        elif above is None:
            down = True
        elif below != above:
            down = below > above
        else:
            down = abs(centre(low - 1) - spot) <= abs(centre(high + 1) - spot)
        if down:
            low -= 1
            held += below
        else:
            high += 1
            held += above
    return low, high


def profile_columns(day: Day) -> Columns:
    """Distances from the modal price and the edges of the value area."""
    spot = [day.spot(j) for j in range(MINUTES)]
    names = ("poc", "vah", "val")
    out: Columns = {f"c7_profile_{name}_dist": [] for name in names}
    opened = open_value(spot)
    width = None if opened is None else 0.0005 * opened
    volumes: dict[int, float] = {}
    minutes = 0

    def centre(i: int) -> float:
        return opened + (i + 0.5) * width

    for j in range(MINUTES):
        volume = day.fut_volume(j)
        if width is not None and spot[j] is not None and volume is not None:
            i = math.floor((spot[j] - opened) / width)
            volumes[i] = volumes.get(i, 0) + volume
            minutes += 1
        if minutes < 10 or spot[j] is None or sum(volumes.values()) <= 0:
            for series in out.values():
                series.append(None)
            continue
        top = max(volumes.values())
        tied = [i for i, v in volumes.items() if v == top]
        poc = min(tied, key=lambda i: (abs(centre(i) - spot[j]), i))
        low, high = value_area(volumes, poc, spot[j], centre)
        edges = (centre(poc), opened + (high + 1) * width, opened + low * width)
        for name, level in zip(names, edges, strict=True):
            out[f"c7_profile_{name}_dist"].append(100 * (spot[j] - level) / spot[j])
    return out


def wick(day: Day, j: int, side: str) -> int | None:
    """Whether a wick of the future's bar is at least half of it; null without range."""
    parts = (day.fut_open(j), day.fut_high(j), day.fut_low(j), day.fut(j))
    if any(part is None for part in parts):
        return None
    opened, high, low, close = parts
    if high - low < 1e-12:
        return None
    length = high - max(opened, close) if side == "upper" else min(opened, close) - low
    return int(length >= 0.5 * (high - low))


def rejection_share(day: Day, side: str) -> Series:
    """Share of the last 15 future bars with a long wick."""
    wicks = [wick(day, j, side) for j in range(MINUTES)]
    result: Series = []
    for j in range(MINUTES):
        seen = valid_in(wicks, j, 15)
        result.append(sum(seen) / len(seen) if len(seen) >= 10 else None)
    return result


def previous_range(spot: Series, high: Value, low: Value) -> Columns:
    """Place of spot in yesterday's range, and the share of minutes outside it."""
    out: Columns = {"c7_prev_range_pos": [], "c7_outside_prev_range_share": []}
    missing = high is None or low is None
    for j in range(MINUTES):
        seen = so_far(spot, j)
        place = None if missing or spot[j] is None else ratio(spot[j] - low, high - low)
        outside = None
        if not missing and seen:
            outside = sum(1 for p in seen if p > high or p < low) / len(seen)
        out["c7_prev_range_pos"].append(place)
        out["c7_outside_prev_range_share"].append(outside)
    return out
