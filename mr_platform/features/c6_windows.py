"""Sums, means and variances of single series over trailing windows, for C6.

Here: which series, over which windows, worked out in stacks.
Not here: pairs (``c6_pairs.py``), what is made of them (``c6_context.py``, ``c6_momentum.py``).
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.features.c6_pairs import pairs_needed
from mr_platform.features.c6_series import PAIRED_SCALES, RETURNS
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import rolling_mean, rolling_sum, rolling_var
from mr_platform.features.stacks import run_stacked
from mr_platform.features.streams import ASSETS
from mr_platform.gateways.frame_engine import FrameEngine

SUM_WINDOWS: tuple[int, ...] = (15, 30, 60)
MEAN_WINDOW = 30
VARIANCE_WINDOWS: tuple[int, ...] = (60, 120)
LEVEL_WINDOW = 60

_SUMMED = ("theta_gap", "r_und", "partner_r_und")
_AVERAGED = (
    "agree_partner",
    *(f"{what}_{k}" for k in PAIRED_SCALES for what in ("agree_rsi", "together_rsi")),
    *(f"together_macd_{k}" for k in PAIRED_SCALES),
)
_VARYING = (*(name for a in ASSETS for name in (RETURNS[a], f"r5_{a}")), "iv_spread")


def window_statistics(frame: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """Statistics of the trailing windows, each null below two thirds of the window.

    Args:
        frame: The columns of ``c6_series``.
        engine: Where to work it out.

    Returns:
        ``sum_{x}_{w}``, ``mean_{x}_{w}``, ``var_{x}_{w}`` (ddof 1); rows as given.
    """
    found: list[pl.Series] = []
    for names, (plan, outputs) in (
        (_SUMMED, _sums()),
        (_AVERAGED, _means()),
        (_VARYING, _variances()),
    ):
        found += run_stacked(frame, {name: {"x": name} for name in names}, plan, outputs, engine)
    return pl.DataFrame(found)


@cache
def _sums() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    return p, {f"sum_{{}}_{w}": rolling_sum(p, "x", w, pairs_needed(w)) for w in SUM_WINDOWS}


@cache
def _means() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    w = MEAN_WINDOW
    return p, {f"mean_{{}}_{w}": rolling_mean(p, "x", w, pairs_needed(w))}


@cache
def _variances() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    outputs = {f"var_{{}}_{w}": rolling_var(p, "x", w, pairs_needed(w)) for w in VARIANCE_WINDOWS}
    # of the level alone, but the sums are there
    w = LEVEL_WINDOW
    return p, outputs | {f"mean_{{}}_{w}": rolling_mean(p, "x", w, pairs_needed(w))}
