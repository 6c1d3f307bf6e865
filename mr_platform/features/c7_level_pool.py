"""The pool of levels around spot: how many are near, which is the nearest, where they cluster.

Here: sums and choices over levels that stand beside each other as columns.
Not here: the levels (``c7_level_set.py``), what price has done at them (``c7_level_events.py``).

Most levels are the same for all expiries of a minute. So every choice is made twice: among those
once a minute, then between the result and the four levels of the expiry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.across import count_where_across

GROUPS: Mapping[str, tuple[str, ...]] = {
    "prev_day": ("pdh", "pdl", "pdc"),
    "week": ("pwh", "pwl"),
    "or": ("orh", "orl"),
    "pivot": ("pp", "r1", "s1", "r2", "s2", "tc", "bc"),
    "oi": ("call_wall", "put_wall", "max_pain"),
    "round": ("round_major",),
    "swing": ("swh", "swl"),
    "vwap": ("vwap",),
}
"""Levels of the pool by their source."""

EXPIRY_LEVELS: tuple[str, ...] = (*GROUPS["oi"], *GROUPS["round"])
"""Levels of the pool that differ between expiries."""

DAY_LEVELS: tuple[str, ...] = tuple(
    name for names in GROUPS.values() for name in names if name not in EXPIRY_LEVELS
)
"""Levels of the pool that all expiries share."""

SIDES: tuple[str, ...] = ("support", "resistance")

BANDS = {10: 0.001, 25: 0.0025, 50: 0.005}
"""Bands of the confluence counts: basis points, and the share of spot."""

LEVELS_NEEDED = 8
"""Levels that a confluence count needs."""

CLUSTER_REACH = 0.001
"""Levels within this share of one are its neighbours: 0.10 percent."""

_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}

Levels = Mapping[str, pl.Expr]


def confluence_counts(
    p: ColumnPlan, away: Sequence[pl.Expr], reaches: Sequence[float]
) -> dict[tuple[str, float], pl.Expr]:
    """Number of levels on either side of a price within shares of it (Int32).

    A count between two bounds is the difference of two counts below a bound: one comparison a
    level instead of two and their "and".

    Args:
        p: The plan.
        away: (price - level) / price of each level, columns.
        reaches: Shares of the price.

    Returns:
        Counts by side and reach: ``support`` below the price or at it, ``resistance`` above it.
    """
    above = p.let(count_where_across([x < 0.0 for x in away]))
    counts: dict[tuple[str, float], pl.Expr] = {}
    for reach in reaches:
        near = p.let(count_where_across([x <= reach for x in away]))
        beyond = p.let(count_where_across([x < -reach for x in away]))
        counts["support", reach] = near - above
        counts["resistance", reach] = above - beyond
    return counts


def nearest(levels: Sequence[pl.Expr], side: str) -> pl.Expr:
    """Greatest level at or below spot (support), or least one above it (resistance)."""
    spot = pl.col("spot")
    if side == "support":
        return nearer([pl.when(x <= spot).then(x) for x in levels], side)
    return nearer([pl.when(x > spot).then(x) for x in levels], side)


def nearer(candidates: Sequence[pl.Expr], side: str) -> pl.Expr:
    """The nearest of levels that are on the side of spot already."""
    pick = pl.max_horizontal if side == "support" else pl.min_horizontal
    # Polars holds a condition that is nowhere true as one null, and the greatest of such nulls
    # as a column of one row; the condition on spot gives it all rows again
    return pl.when(pl.col("spot").is_not_null()).then(pick(list(candidates)))


def least_distance(level: pl.Expr, others: Sequence[pl.Expr]) -> pl.Expr:
    """Distance of a value to the nearest of some levels, in points; null where none is known.

    One least distance costs a fraction of as many comparisons joined by "or".
    """
    return pl.min_horizontal([(other - level).abs() for other in others])


def reach_of(level: pl.Expr) -> pl.Expr:
    """Distance within which other levels are a level's neighbours: 0.10 percent of it."""
    return level * CLUSTER_REACH


def distance_to_other_source(name: str, levels: Levels, others: Sequence[str]) -> pl.Expr:
    """Distance of a level to the nearest level of another source, in points.

    Args:
        name: The level.
        levels: Levels by name.
        others: Names of the levels to compare with; those of its own source are left out.
    """
    compared = [levels[x] for x in others if _GROUP_OF[x] != _GROUP_OF[name]]
    return least_distance(levels[name], compared)


def sources_near(level: pl.Expr, reach: pl.Expr, levels: Levels) -> pl.Expr:
    """Number of distinct sources with a level within a distance of a level (Int32)."""
    found = [
        least_distance(level, [levels[name] for name in names]) <= reach
        for names in GROUPS.values()
    ]
    return count_where_across(found)


def touches_near(level: pl.Expr, reach: pl.Expr, levels: Levels, counts: Levels) -> pl.Expr:
    """Touches of all levels within a distance of a level, as far as they are counted."""
    return pl.sum_horizontal(
        [
            pl.when((levels[name] - level).abs() <= reach).then(count)
            for name, count in counts.items()
        ]
    )


def strength(sources: pl.Expr, touched: pl.Expr) -> pl.Expr:
    """Strength of a level from its sources and their touches, 0 .. 1, saturating."""
    return 1.0 - ((sources - 1 + 0.5 * touched) * (-1.0 / 3.0)).exp()
