"""How likely a walk without drift passes the levels next to spot.

Here: chances of reaching the nearest level on each side, and of breaking out through either.
Not here: which levels are nearest (``c7_nearest_levels.py``), the normal distribution
(``kernels/probability.py``).
"""

from __future__ import annotations

import math
from functools import cache

import polars as pl

from mr_platform.features.c7_level_pool import SIDES
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.probability import normal_tail
from mr_platform.features.kernels.windows import ratio
from mr_platform.features.stacks import Block, run_blocks
from mr_platform.gateways.frame_engine import FrameEngine

HIT_MINUTES: tuple[int, ...] = (15, 30, 60)
BREAKOUT_MINUTES = 30
BREAKOUT_MARGIN = 0.05
"""Percent beyond a level that makes passing it a breakout: the half width of its band."""


def passing_chances(rows: pl.DataFrame, engine: FrameEngine) -> list[pl.Series]:
    """Chance that a driftless walk reaches the nearest levels: Bachelier's reflection.

    All chances go through one formula, one above the other.

    Args:
        rows: Distances of the nearest levels in percent, and u_sigma, the deviation a minute.
        engine: Where to work it out.

    Returns:
        c7_hit_prob_{side}_{minutes}m and c7_breakout_probability, rows as given.
    """
    sigma = rows.get_column("u_sigma")
    away = {side: rows.get_column(f"c7_nearest_{side}_dist") for side in SIDES}
    cases = {
        f"c7_hit_prob_{side}_{minutes}m": (away[side], minutes, 0.0)
        for side in SIDES
        for minutes in HIT_MINUTES
    }
    cases |= {side: (away[side], BREAKOUT_MINUTES, BREAKOUT_MARGIN) for side in SIDES}
    blocks: dict[str, Block] = {
        name: {
            "distance": distance,
            "sigma": sigma,
            "margin": margin,
            "percent": 100.0 * math.sqrt(minutes),
        }
        for name, (distance, minutes, margin) in cases.items()
    }
    plan, outputs = _plan()
    *hits, support, resistance = run_blocks(blocks, plan, outputs, engine)
    up, down = (pl.col(side.name) for side in (resistance, support))
    either = (1.0 - (1.0 - up) * (1.0 - down)).clip(0.0, 1.0)
    breakout = engine.collect(
        pl.DataFrame([support, resistance]).lazy().select(either.alias("c7_breakout_probability"))
    )
    return [*hits, *breakout.get_columns()]


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Chance of a distance in percent, where a minute's deviation grows with root time."""
    p = ColumnPlan()
    deviation = pl.col("sigma") * pl.col("percent")
    size = ratio(pl.col("distance") + pl.col("margin"), deviation)
    return p, {"{}": (2.0 * normal_tail(p, size)).clip(0.0, 1.0)}
