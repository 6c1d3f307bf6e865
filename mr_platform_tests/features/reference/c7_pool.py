"""The pool of levels of component 7: counts, nearest levels, clusters, probabilities."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c7_events import UND_BAND
from mr_platform_tests.features.reference.c7_levels import GROUP_OF, POOL, Levels
from mr_platform_tests.features.reference.plain import ZERO, ratio
from mr_platform_tests.features.reference.streams import MINUTES, Series, Value, valid_in

SIDES = ("support", "resistance")
BANDS = (10, 25, 50)
NEAR = 0.001  # 0.10 percent of a level
REACH = 0.25  # percent: the decay of proximity
Columns = dict[str, Series]
Named = list[tuple[str, float]]


def pool_at(levels: Levels, j: int) -> Named:
    """Non-null pool levels of a minute."""
    return [(name, levels[name][j]) for name in POOL if levels[name][j] is not None]


def on_side(pool: Named, spot: float, side: str) -> Named:
    """Pool levels at or below spot (support) or above it (resistance)."""
    return [(n, v) for n, v in pool if (v <= spot if side == "support" else v > spot)]


def distance(spot: float, level: float) -> float:
    """Distance of a level from spot in percent."""
    return 100 * abs(spot - level) / spot


def neighbours(pool: Named, level: float) -> list[str]:
    """Pool levels within 0.10 percent of a level."""
    return [name for name, value in pool if abs(value - level) <= NEAR * level]


def group_count(pool: Named, level: float) -> int:
    """Distinct groups with a pool level within 0.10 percent."""
    return len({GROUP_OF[name] for name in neighbours(pool, level)})


def strength(pool: Named, level: float, touches: Columns, j: int) -> float:
    """Saturating count of groups and touches at a level."""
    counts = [touches[name][j] for name in neighbours(pool, level) if name in touches]
    total = sum(count for count in counts if count is not None)
    return 1 - math.exp(-(group_count(pool, level) - 1 + 0.5 * total) / 3)


def nearest(side: str, values: list[float]) -> float:
    """The one nearest spot of the levels on a side."""
    return max(values) if side == "support" else min(values)


def pool_columns(spot: Series, levels: Levels, touches: Columns) -> Columns:
    """Counts in bands, nearest and cluster distances, strengths, channel."""
    out: Columns = {}
    for side in SIDES:
        for name in (f"nearest_{side}_dist", f"nearest_{side}_strength", f"cluster_{side}_dist"):
            out[f"c7_{name}"] = []
        for band in BANDS:
            out[f"c7_confluence_{side}_{band}bp"] = []
    for j in range(MINUTES):
        pool = pool_at(levels, j)
        for side in SIDES:
            side_columns(out, side, spot[j], pool, touches, j)
    support, resistance = out["c7_nearest_support_dist"], out["c7_nearest_resistance_dist"]
    out["c7_channel_width"] = []
    out["c7_channel_position"] = []
    for s, r in zip(support, resistance, strict=True):
        width = None if s is None or r is None else s + r
        out["c7_channel_width"].append(width)
        out["c7_channel_position"].append(ratio(s, width))
    return out


def side_columns(
    out: Columns, side: str, spot: Value, pool: Named, touches: Columns, j: int
) -> None:
    """Append what one side of spot shows at a minute."""
    values = [] if spot is None else [v for _, v in on_side(pool, spot, side)]
    for band in BANDS:
        count = sum(1 for v in values if abs(spot - v) / spot <= band / 10000)
        enough = spot is not None and len(pool) >= 8
        out[f"c7_confluence_{side}_{band}bp"].append(count if enough else None)
    level = nearest(side, values) if values else None
    out[f"c7_nearest_{side}_dist"].append(None if level is None else distance(spot, level))
    out[f"c7_nearest_{side}_strength"].append(
        None if level is None else strength(pool, level, touches, j)
    )
    clusters = [v for v in values if group_count(pool, v) >= 2]
    out[f"c7_cluster_{side}_dist"].append(
        distance(spot, nearest(side, clusters)) if clusters else None
    )


def prox(away: float) -> float:
    """Proximity of a level at a distance in percent."""
    return math.exp(-away / REACH)


def level_strength(out: Columns) -> Series:
    """Mean strength of both sides, weighted by proximity."""
    result: Series = []
    for j in range(MINUTES):
        top, weight, sides = 0.0, 0.0, 0
        for side in SIDES:
            power = out[f"c7_nearest_{side}_strength"][j]
            away = out[f"c7_nearest_{side}_dist"][j]
            if power is None or away is None:
                continue
            top += power * prox(away)
            weight += prox(away)
            sides += 1
        result.append(ratio(top, weight) if sides else None)
    return result


def reach_probability(away: Value, sigma: Value, minutes: int) -> Value:
    """Chance that a driftless walk comes this far (percent) within some minutes."""
    if away is None or sigma is None or sigma < ZERO:
        return None
    x = away / (100 * sigma * math.sqrt(minutes))
    return math.erfc(x / math.sqrt(2))  # 2*Phi(-x), exact in the far tail as well


def probability_columns(out: Columns, sigma: Series) -> None:
    """Chances to hit either side, and to pass either edge by the band."""
    for side in SIDES:
        away = out[f"c7_nearest_{side}_dist"]
        for h in (15, 30, 60):
            out[f"c7_hit_prob_{side}_{h}m"] = [
                reach_probability(away[j], sigma[j], h) for j in range(MINUTES)
            ]
    chances: Series = []
    for j in range(MINUTES):
        u, d = out["c7_nearest_resistance_dist"][j], out["c7_nearest_support_dist"][j]
        if u is None or d is None:
            chances.append(None)
            continue
        up, down = (reach_probability(x + 100 * UND_BAND, sigma[j], 30) for x in (u, d))
        chances.append(None if up is None or down is None else 1 - (1 - up) * (1 - down))
    out["c7_breakout_probability"] = chances


def level_volume(spot: Series, volume: Series, levels: Levels) -> Series:
    """Log of mean volume at levels over mean volume, last hour."""
    seen: list[tuple[float, bool] | None] = []
    for j in range(MINUTES):
        if spot[j] is None or volume[j] is None:
            seen.append(None)
            continue
        pool = pool_at(levels, j)
        seen.append((volume[j], any(abs(spot[j] - v) <= UND_BAND * spot[j] for _, v in pool)))
    result: Series = []
    for j in range(MINUTES):
        minutes = valid_in(seen, j, 60)
        at_level = [v for v, near in minutes if near]
        if len(minutes) < 40 or len(at_level) < 3:
            result.append(None)
            continue
        all_mean = sum(v for v, _ in minutes) / len(minutes)
        share = ratio(sum(at_level) / len(at_level), all_mean)
        result.append(math.log(share) if share is not None and share > 0 else None)
    return result


def straddle_confluence(strd: Series, levels: Levels, side: str) -> Series:
    """Levels of the straddle within one percent on a side."""
    result: Series = []
    for j in range(MINUTES):
        values = [series[j] for series in levels.values() if series[j] is not None]
        price = strd[j]
        if price is None or price <= 0 or len(values) < 4:
            result.append(None)
            continue
        own = [v for v in values if (v <= price if side == "support" else v > price)]
        result.append(sum(1 for v in own if abs(price - v) / price <= 0.01))
    return result
