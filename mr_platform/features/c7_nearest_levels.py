"""The levels next to spot: how far, how strong, how likely reached, how much is traded there.

Here: what is drawn from the pool of levels, in a part that all expiries share and a part for each
expiry.
Not here: counting and choosing among levels (``c7_level_pool.py``), the levels themselves
(``c7_level_set.py``, the minute panel), features that need no pool (``c7_levels.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from mr_platform.features.c7_level_pool import (
    BANDS,
    DAY_LEVELS,
    EXPIRY_LEVELS,
    LEVELS_NEEDED,
    SIDES,
    confluence_counts,
    distance_to_other_source,
    known_levels,
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
from mr_platform.features.kernels.across import sum_across
from mr_platform.features.kernels.probability import normal_tail
from mr_platform.features.kernels.windows import log, ratio, window_count, window_sum
from mr_platform.gateways.frame_engine import FrameEngine

BAND = {"und": 0.0005, "strd": 0.005}
"""Half width of the band around a level, as a share of the price."""

HIT_MINUTES: tuple[int, ...] = (15, 30, 60)
BREAKOUT_MINUTES = 30
BREAKOUT_MARGIN = 0.05
"""Percent beyond a level that makes passing it a breakout: the half width of its band."""

VOLUME_MINUTES = 60
VOLUME_NEEDED = 40
VOLUME_AT_LEVEL_NEEDED = 3

Columns = dict[str, pl.Expr]


def shared_pool(p: ColumnPlan) -> Columns:
    """Counts and choices among the levels that all expiries share."""
    spot = pl.col("spot")
    pool = {name: pl.col(f"l_{name}") for name in DAY_LEVELS}
    away = [pl.col(f"a_{name}") for name in DAY_LEVELS]
    clustered = [_if_beside(p, name, pool, DAY_LEVELS) for name in DAY_LEVELS]
    at_level = least_distance(spot, list(pool.values())) <= spot * BAND["und"]
    output: Columns = {"u_levels": known_levels(away), "u_at_level": at_level.fill_null(False)}
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
    enough = p.let(known_levels(away) + pl.col("u_levels") >= LEVELS_NEEDED)
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


def passing_chances(rows: pl.DataFrame, engine: FrameEngine) -> list[pl.Series]:
    """Chance that a driftless walk reaches the nearest levels: Bachelier's reflection.

    All chances go through one formula, one above the other.

    Args:
        rows: Distances of the nearest levels, u_sigma.
        engine: Where to work it out.
    """
    cases = {
        f"c7_hit_prob_{side}_{minutes}m": (side, minutes, 0.0)
        for side in SIDES
        for minutes in HIT_MINUTES
    } | {side: (side, BREAKOUT_MINUTES, BREAKOUT_MARGIN) for side in SIDES}
    stack = pl.concat(
        [
            rows.lazy().select(
                ratio(
                    pl.col(f"c7_nearest_{side}_dist") + margin,
                    pl.col("u_sigma") * (100.0 * math.sqrt(minutes)),
                ).alias("size")
            )
            for side, minutes, margin in cases.values()
        ]
    )
    found = engine.collect(
        stack.select((2.0 * normal_tail(pl.col("size"))).clip(0.0, 1.0).alias("chance"))
    ).get_column("chance")
    chances = {
        name: found.slice(number * rows.height, rows.height).alias(name)
        for number, name in enumerate(cases)
    }
    up, down = (pl.col(side) for side in ("resistance", "support"))
    either = (1.0 - (1.0 - up) * (1.0 - down)).clip(0.0, 1.0)
    breakout = engine.collect(
        pl.DataFrame([chances.pop(side) for side in SIDES])
        .lazy()
        .select(either.alias("c7_breakout_probability"))
    )
    return [*chances.values(), *breakout.get_columns()]


def level_volume(p: ColumnPlan, pool: Columns) -> Columns:
    """Volume of the future at levels against its mean."""
    spot, volume = pl.col("spot"), pl.col("fut_volume").cast(pl.Float64)
    band = p.let(spot * BAND["und"])
    own = least_distance(spot, [pool[name] for name in EXPIRY_LEVELS]) <= band
    at_level = p.let(pl.col("u_at_level") | own.fill_null(False))
    there = p.let(pl.when(at_level).then(volume))
    minutes, minutes_there = (window_count(p, x, VOLUME_MINUTES) for x in (p.let(volume), there))
    mean = ratio(window_sum(p, p.let(volume), VOLUME_MINUTES), minutes.cast(pl.Float64))
    mean_there = ratio(window_sum(p, there, VOLUME_MINUTES), minutes_there.cast(pl.Float64))
    enough = (minutes >= VOLUME_NEEDED) & (minutes_there >= VOLUME_AT_LEVEL_NEEDED)
    share = p.let(ratio(mean_there, mean))
    return {"c7_level_volume_ratio_60m": pl.when(enough).then(log(share))}
