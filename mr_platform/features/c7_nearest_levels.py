"""The levels next to spot: how many, how far, how strong.

Here: what is drawn from the pool of levels, in a part that all expiries share and a part for each
expiry.
Not here: counting and choosing among levels (``c7_level_pool.py``), the levels themselves
(``c7_level_set.py``, the minute panel), how likely the nearest are passed
(``c7_level_chances.py``), features that need no pool (``c7_levels.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mr_platform.features.c7_level_events import BAND
from mr_platform.features.c7_level_pool import (
    BANDS,
    DAY_LEVELS,
    EXPIRY_LEVELS,
    LEVELS_NEEDED,
    SIDES,
    confluence_counts,
    distance_to_other_source,
    least_distance,
    nearer,
    nearest,
    reach_of,
    sources_near,
    strength,
    touches_near,
)
from mr_platform.features.c7_momentum_levels import momentum_features, proximity
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.across import count_across, sum_across
from mr_platform.features.kernels.windows import ratio

Columns = dict[str, pl.Expr]


def shared_pool(p: ColumnPlan) -> Columns:
    """Counts and choices among the levels that all expiries share."""
    spot = pl.col("spot")
    pool = {name: pl.col(f"l_{name}") for name in DAY_LEVELS}
    away = [pl.col(f"a_{name}") for name in DAY_LEVELS]
    clustered = [_if_beside(p, name, pool, DAY_LEVELS) for name in DAY_LEVELS]
    at_level = least_distance(spot, list(pool.values())) <= spot * BAND["und"]
    output: Columns = {"u_levels": count_across(away), "u_at_level": at_level.fill_null(False)}
    counts = confluence_counts(p, away, tuple(BANDS.values()))
    for side in SIDES:
        output[f"u_nearest_{side}"] = nearest(list(pool.values()), side)
        output[f"u_cluster_{side}"] = nearest(clustered, side)
        for points, reach in BANDS.items():
            output[f"u_{side}_{points}bp"] = counts[side, reach]
    return output


def _if_beside(p: ColumnPlan, name: str, levels: Columns, others: Sequence[str]) -> pl.Expr:
    """A level where one of another source is within 0.10 percent of it; a column."""
    level = levels[name]
    beside = distance_to_other_source(name, levels, others) <= reach_of(level)
    return p.let(pl.when(beside).then(level))


def around_spot(p: ColumnPlan, pool: Columns, counts: Columns) -> Columns:
    """Levels near spot, the nearest on each side, and what follows from their distance."""
    spot = pl.col("spot")
    own = {name: pool[name] for name in EXPIRY_LEVELS}
    away = [p.let(ratio(spot - level, spot)) for level in own.values()]
    enough = p.let(count_across(away) + pl.col("u_levels") >= LEVELS_NEEDED)
    output: Columns = {}
    around = confluence_counts(p, away, tuple(BANDS.values()))
    near_count: dict[int, pl.Expr] = {}
    distance: Columns = {}
    solid: Columns = {}
    # a shared level may cluster with one of the expiry's; among themselves the day plan has looked
    clustered = [_if_beside(p, name, pool, EXPIRY_LEVELS) for name in DAY_LEVELS]
    clustered += [_if_beside(p, name, pool, list(pool)) for name in EXPIRY_LEVELS]
    for side in SIDES:
        for points, reach in BANDS.items():
            count = around[side, reach] + pl.col(f"u_{side}_{points}bp")
            count = p.let(pl.when(enough).then(count))
            output[f"c7_confluence_{side}_{points}bp"] = count
            near_count[points] = near_count[points] + count if points in near_count else count
        level = p.let(
            nearer([nearest(list(own.values()), side), pl.col(f"u_nearest_{side}")], side)
        )
        cluster = p.let(nearer([nearest(clustered, side), pl.col(f"u_cluster_{side}")], side))
        distance[side] = p.let(100.0 * ratio((spot - level).abs(), spot))
        reach_here = p.let(reach_of(level))
        sources = p.let(sources_near(level, reach_here, pool))
        touched = p.let(touches_near(level, reach_here, pool, counts))
        solid[side] = p.let(pl.when(level.is_not_null()).then(strength(sources, touched)))
        output[f"c7_nearest_{side}_dist"] = distance[side]
        output[f"c7_nearest_{side}_strength"] = solid[side]
        output[f"c7_cluster_{side}_dist"] = 100.0 * ratio((spot - cluster).abs(), spot)
    below, above = distance["support"], distance["resistance"]
    channel = p.let(ratio(below, below + above))
    weights = [p.let(proximity(distance[side])) for side in SIDES]
    score = p.let(
        ratio(
            sum_across([solid[s] * w for s, w in zip(SIDES, weights, strict=True)]),
            sum_across(weights),
        )
    )
    output |= {
        "c7_channel_position": channel,
        "c7_channel_width": below + above,
        "c7_level_strength_score": score,
    }
    output |= momentum_features(
        distance=distance, strength=solid, score=score, channel=channel, levels_25bp=near_count[25]
    )
    return output
