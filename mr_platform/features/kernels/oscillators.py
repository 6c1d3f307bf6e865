"""Relative strength in its two forms.

Here: Cutler's (simple means inside the session) and Wilder's (decaying means over samples).
Not here: features made of them (component modules).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.moving_averages import wilder_mean
from mr_platform.features.kernels.windows import change, ratio, window_count, window_sum

RSI_PERIODS = 14


def rsi_cutler(p: ColumnPlan, x: str | pl.Expr, k: int) -> pl.Expr:
    """RSI in simple means over the last 14·k minutes of k-minute changes, 0 .. 100; a column.

    Null below 14 valid changes, and where no change differs from zero.

    Args:
        p: The plan; its group is the session.
        x: Price.
        k: Minutes of a change.
    """
    move = p.let(change(p, x, k))
    window = RSI_PERIODS * k
    count = window_count(p, move, window)
    # over a null change the greatest of (null, 0) is 0, which is what a sum adds for it
    up = window_sum(p, pl.max_horizontal(move, pl.lit(0.0)), window)
    down = window_sum(p, pl.max_horizontal(-move, pl.lit(0.0)), window)
    return p.let(pl.when(count >= RSI_PERIODS).then(100.0 * ratio(up, up + down)))


def rsi_wilder(
    p: ColumnPlan, move: str | pl.Expr, *, min_periods: int, by: Sequence[str] = ()
) -> pl.Expr:
    """RSI of Wilder 1978 of given changes, alpha 1/14 with normalised weights, 0 .. 100; a column.

    Args:
        p: The plan; its group is the stream.
        move: Changes of the price from sample to sample.
        min_periods: Valid changes needed.
        by: Columns that divide the stream further (phases of a sampling).
    """
    column = p.let(move)
    up, down = (
        wilder_mean(
            p,
            pl.when(column.is_not_null()).then(pl.max_horizontal(part, pl.lit(0.0))),
            RSI_PERIODS,
            min_periods=min_periods,
            by=by,
            counted=column,
        )
        for part in (column, -column)
    )
    return p.let(100.0 * ratio(up, up + down))
