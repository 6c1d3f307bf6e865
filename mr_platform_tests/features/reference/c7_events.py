"""Tests of levels in component 7: touches, ages, breaks, holds, false breaks."""

from __future__ import annotations

from mr_platform_tests.features.reference.c7_levels import Levels
from mr_platform_tests.features.reference.streams import MINUTES, Series, Value

UND_BAND = 0.0005
STRD_BAND = 0.005
TOUCHED = ("pdh", "pdl", "pdc", "orh", "orl", "pp", "r1", "s1", "call_wall", "put_wall")
BROKEN = ("pdh", "pdl", "orh", "orl", "pp", "r1", "s1", "pwh", "pwl", "pdc")
STRD_BROKEN = ("pdh", "pdl", "orh", "orl")
Event = tuple[int, str, float]  # minute, side of entry, level


def within_band(price: Value, level: Value, share: float) -> bool | None:
    """Whether a price is within the band of a level; null if one is missing."""
    if price is None or level is None:
        return None
    return abs(price - level) <= share * price


def touches(spot: Series, level: Series) -> tuple[Series, list[Event]]:
    """Entries into the band of a level so far, and each entry with its side."""
    counts: Series = []
    events: list[Event] = []
    valid = 0
    for j in range(MINUTES):
        inside = within_band(spot[j], level[j], UND_BAND)
        before = within_band(spot[j - 1], level[j - 1], UND_BAND) if j > 0 else None
        valid += inside is not None
        if inside and before is False:
            side = "support" if spot[j - 1] > level[j - 1] else "resistance"
            events.append((j, side, level[j]))
        counts.append(len(events) if level[j] is not None and valid >= 2 else None)
    return counts, events


def hold_ratio(spot: Series, events: list[Event], side: str) -> Series:
    """Share of the resolved touches after which spot was back on the side it came from."""
    outcomes: list[tuple[int, bool]] = []
    for u, entered, level in events:
        if entered != side or u + 10 >= MINUTES or spot[u + 10] is None:
            continue
        later = spot[u + 10]
        band = UND_BAND * later
        held = later > level + band if side == "support" else later < level - band
        outcomes.append((u + 10, held))
    result: Series = []
    for j in range(MINUTES):
        known = [held for minute, held in outcomes if minute <= j]
        result.append(sum(known) / len(known) if known else None)
    return result


def age_since_change(level: Series) -> Series:
    """Minutes since a level differed from its last valid value, else since its first."""
    ages: Series = []
    last: Value = None
    since = 0
    for j, value in enumerate(level):
        if value is None:
            ages.append(None)
            continue
        if last is None or value != last:
            since = j
        last = value
        ages.append(j - since)
    return ages


def age_of_bar(bars: Series) -> Series:
    """Minutes since the bar of a swing."""
    return [None if i is None else j - i for j, i in enumerate(bars)]


def session_extreme(price: Series, side: str) -> Series:
    """Highest or lowest price so far."""
    result: Series = []
    best: Value = None
    for value in price:
        if value is not None:
            if best is None:
                best = value
            best = max(best, value) if side == "high" else min(best, value)
        result.append(best)
    return result


def breaks(price: Series, level: Series, share: float) -> Series:
    """1 or -1 where each of the last five prices is beyond the band of the level at t, else 0."""
    result: Series = []
    for j in range(MINUTES):
        line, last = level[j], price[max(0, j - 4) : j + 1]
        if line is None or len(last) < 5 or any(p is None for p in last):
            result.append(None)
        elif all(p > line + share * p for p in last):
            result.append(1)
        else:
            result.append(-1 if all(p < line - share * p for p in last) else 0)
    return result


def crossed_up(spot: Series, level: Series, u: int) -> bool:
    """Whether spot went above the band of the level at minute u."""
    if u < 1 or None in (spot[u], spot[u - 1], level[u], level[u - 1]):
        return False
    now = spot[u] > level[u] + UND_BAND * abs(spot[u])
    return now and spot[u - 1] <= level[u - 1] + UND_BAND * abs(spot[u - 1])


def returned_down(spot: Series, level: Series, v: int) -> bool:
    """Whether spot fell back below the level at minute v."""
    if v < 1 or None in (spot[v], spot[v - 1], level[v], level[v - 1]):
        return False
    return spot[v] < level[v] and level[v - 1] <= spot[v - 1]


def false_breaks(spot: Series, levels: list[Series]) -> Series:
    """Returns below a level within ten minutes of a crossing above it, so far, over levels."""
    result: Series = []
    count = 0
    valid = 0
    for j in range(MINUTES):
        valid += spot[j] is not None
        for level in levels:
            if returned_down(spot, level, j) and any(
                crossed_up(spot, level, u) for u in range(max(1, j - 10), j)
            ):
                count += 1
        known = any(level[j] is not None for level in levels)
        result.append(count if known and valid >= 2 else None)
    return result


def dual_flag(spot: Series, strd: Series, levels: Levels, strd_levels: Levels) -> Series:
    """Whether spot is at a level while the straddle is at one of its own."""
    result: Series = []
    for j in range(MINUTES):
        und = [within_band(spot[j], levels[name][j], UND_BAND) for name in BROKEN]
        own = [within_band(strd[j], level[j], STRD_BAND) for level in strd_levels.values()]
        if all(x is None for x in und) or all(x is None for x in own):
            result.append(None)
        else:
            result.append(int(any(und) and any(own)))
    return result
