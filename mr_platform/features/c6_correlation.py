"""C6: how prices, volatility, flows, the other components and the other index move together.

Here: the component as a whole; statistics of the correlation matrix, anchors and their stability.
Not here: series (``c6_series.py``), correlations (``c6_pairs.py``), the day's context
(``c6_context.py``), RSI and MACD (``c6_momentum.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import polars as pl

from mr_platform.features.c6_context import c6_context
from mr_platform.features.c6_momentum import c6_momentum
from mr_platform.features.c6_pairs import (
    ANCHORS,
    BETA_SERIES,
    BETA_WINDOWS,
    COMPONENT_PAIRS,
    correlations,
)
from mr_platform.features.c6_series import c6_series
from mr_platform.features.c6_windows import window_statistics
from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.kernels.across import (
    count_across,
    count_where_across,
    mean_across,
    sum_across,
)
from mr_platform.features.kernels.windows import lag, ratio, rolling_mean, rolling_std
from mr_platform.features.stacks import run_stacked
from mr_platform.gateways.frame_engine import FrameEngine

MATRIX_WINDOWS: tuple[int, ...] = (30, 60)
MATRIX_NEEDED = 8
"""Correlations, of ten, that a statistic of the matrix needs; effective rank needs all."""

COMPONENTS = 5
"""Size of the matrix of component correlations."""

FISHER_LIMIT = 0.999
"""Correlations are cut here before the Fisher transform."""

ANCHOR_WINDOW = 120
ANCHOR_NEEDED = 45
ANCHOR_STD_WINDOW = 60
ANCHOR_STD_NEEDED = 30

BREAKDOWN_LIMIT = 2.0
"""An anchor this many standard deviations off its mean has broken down."""

SYSTEM_NEEDED = 4
"""Anchors, of six, that breakdown and stability need."""

AGREEMENT_NEEDED = 8
"""Pairs, of sixteen, that the agreement of windows needs."""


def c6_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All features of C6.

    Args:
        inputs: Panel, partner, components c1 to c5, ``hist_minute``, ``hist_daily``,
            ``hist_zone``.

    Returns:
        The declared columns, one row for each panel row, in the panel's order.
    """
    engine = inputs.engine
    series = c6_series(inputs)
    pairs = correlations(series, engine)
    sums = window_statistics(series, engine)
    anchors = _anchors(series, pairs, engine)
    plan, outputs = _system_plan()
    system = _system_frame(series, pairs, anchors)
    parts = (
        plan.compute(system, outputs, engine),
        c6_context(inputs, series, pairs, sums),
        c6_momentum(series, pairs, sums, engine),
    )
    finished = [column for part in parts for column in part.get_columns()]
    finished += [column for column in pairs.get_columns() if column.name.startswith("c6_")]
    finished += [column for column in anchors if column.name.startswith("c6_")]
    finished += [
        pairs.get_column(f"slope_c6_xsym_corr_{name}_{w}m").alias(f"c6_xsym_beta_{name}_{w}m")
        for name in BETA_SERIES
        for w in BETA_WINDOWS
    ]
    return pl.DataFrame(finished)


# -- anchors: how unusual, how unsteady -----------------------------------------------------------


def _anchors(series: pl.DataFrame, pairs: pl.DataFrame, engine: FrameEngine) -> list[pl.Series]:
    """``c6_anchor_z_{pair}`` and ``c6_anchor_vol_{pair}``."""
    plan, outputs = _anchor_plan()
    frame = pairs.select(f"c6_anchor_{pair}_30m" for pair in ANCHORS)
    blocks = {pair: {"rho": f"c6_anchor_{pair}_30m"} for pair in ANCHORS}
    return run_stacked(frame.hstack([series.get_column(INDEX)]), blocks, plan, outputs, engine)


@cache
def _anchor_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    rho = p.let(pl.col("rho").clip(-FISHER_LIMIT, FISHER_LIMIT))
    fisher = p.let(0.5 * ((1.0 + rho) / (1.0 - rho)).log())
    mean = rolling_mean(p, fisher, ANCHOR_WINDOW, ANCHOR_NEEDED)
    std = rolling_std(p, fisher, ANCHOR_WINDOW, ANCHOR_NEEDED)
    # the value itself must not enter the statistics it is measured against
    z = ratio(fisher - lag(p, mean, 1), lag(p, std, 1))
    vol = rolling_std(p, fisher, ANCHOR_STD_WINDOW, ANCHOR_STD_NEEDED)
    return p, {
        "c6_anchor_z_{}": z,
        "c6_anchor_vol_{}": vol,
    }


# -- the system of correlations -------------------------------------------------------------------


def _system_frame(
    series: pl.DataFrame, pairs: pl.DataFrame, anchors: Sequence[pl.Series]
) -> pl.DataFrame:
    heads = [*(f"c6_corr_{pair}" for pair in COMPONENT_PAIRS), *_ANCHOR_HEADS]
    names = [f"{head}_{w}m" for head in heads for w in MATRIX_WINDOWS]
    return pairs.select(names).hstack([series.get_column(INDEX), *anchors])


_ANCHOR_HEADS = tuple(f"c6_anchor_{pair}" for pair in ANCHORS)


@cache
def _system_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {}
    inner = [f"c6_corr_{pair}" for pair in COMPONENT_PAIRS]
    for w in MATRIX_WINDOWS:
        outputs |= _matrix(p, [pl.col(f"{head}_{w}m") for head in inner], w)
    short, long = MATRIX_WINDOWS
    steps = [
        p.let((pl.col(f"{head}_{short}m") - pl.col(f"{head}_{long}m")).abs() / 2.0)
        for head in (*inner, *_ANCHOR_HEADS)
    ]
    outputs["c6_correlation_agreement_score"] = 1.0 - mean_across(p, steps, AGREEMENT_NEEDED)
    off = [p.let(pl.col(f"c6_anchor_z_{pair}").abs() >= BREAKDOWN_LIMIT) for pair in ANCHORS]
    broken = p.let(count_where_across(off))
    level = pl.when(broken >= 4).then(3).when(broken >= 2).then(2).otherwise(broken)
    outputs["c6_breakdown_alert"] = pl.when(count_across(off) >= SYSTEM_NEEDED).then(
        level.cast(pl.Int64)
    )
    unsteady = mean_across(p, [pl.col(f"c6_anchor_vol_{pair}") for pair in ANCHORS], SYSTEM_NEEDED)
    outputs["c6_system_stability_score"] = (-2.0 * unsteady).exp()
    return p, outputs


def _matrix(p: ColumnPlan, rhos: Sequence[pl.Expr], w: int) -> dict[str, pl.Expr]:
    """Statistics of the ten correlations of one window."""
    mean = mean_across(p, rhos, MATRIX_NEEDED)
    count = p.let(count_across(rhos))
    spread = sum_across([(rho - mean) * (rho - mean) for rho in rhos])
    squares = p.let(sum_across([rho * rho for rho in rhos]))
    # participation ratio tr(C)² / tr(C²) of the correlation matrix
    rank = float(COMPONENTS**2) / (COMPONENTS + 2.0 * squares)
    moves = [p.let(rho - lag(p, rho, w)) for rho in rhos]
    return {
        f"c6_matrix_mean_{w}m": mean,
        f"c6_matrix_mean_abs_{w}m": mean_across(p, [rho.abs() for rho in rhos], MATRIX_NEEDED),
        f"c6_matrix_dispersion_{w}m": pl.when(mean.is_not_null()).then(
            (spread / (count - 1)).sqrt()
        ),
        f"c6_matrix_effective_rank_{w}m": pl.when(count == len(rhos)).then(rank),
        f"c6_matrix_shift_{w}m": mean_across(p, [x * x for x in moves], MATRIX_NEEDED).sqrt(),
    }
