"""Exponential means with normalised weights, and what is built on them: Wilder means, MACD.

Here: one kernel for every EMA, in a form that both engines run (running sums, no ewm function).
Not here: where a stream starts (``features/history.py``), RSI (``oscillators.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mr_platform.features.column_plan import ColumnPlan

_GREATEST_EXPONENT = 690.0
"""Powers of e beyond this, times a price and summed, would overflow."""


def ema(
    p: ColumnPlan,
    x: str | pl.Expr,
    *,
    alpha: float,
    min_periods: int,
    by: Sequence[str] = (),
    counted: str | pl.Expr | None = None,
) -> pl.Expr:
    """Exponential mean over the group's valid values up to t; a column.

    sum(x_i * q_i) / sum(q_i) with q_i = (1 - alpha)^(-i), i counting valid values: the mean with
    normalised weights (``adjust=True``) of Hunter 1986. The divisor is the closed geometric sum.

    Args:
        p: The plan; its group is the stream.
        x: Series; nulls are skipped and give null.
        alpha: 2 / (span + 1) for an EMA, 1 / n for a Wilder mean.
        min_periods: Valid values needed, at least 1.
        by: Columns that divide the stream further (phases of a sampling).
        counted: A column that is null exactly where x is; means made of one column share its
            count this way.

    Returns:
        Null where x is null or fewer than ``min_periods`` values are valid.

    Raises:
        ValueError: The weights of a full group would leave the range of a float.
    """
    column = p.let(x)
    valid = p.let(column if counted is None else counted).is_not_null()
    count = p.over(p.let(valid.cast(pl.Int32)).cum_sum(), by)
    growth = 1.0 / (1.0 - alpha)
    if p.length * math.log(growth) > _GREATEST_EXPONENT:
        raise ValueError(f"alpha {alpha} is too large for groups of {p.length} rows")
    weight = p.let((count.cast(pl.Float64) * math.log(growth)).exp())
    total = p.over(p.let((column * weight).fill_null(0.0)).cum_sum(), by)
    divisor = growth * (weight - 1.0) / (growth - 1.0)
    return p.let(pl.when(valid & (count >= max(min_periods, 1))).then(total / divisor))


def span_alpha(span: int) -> float:
    """Weight of the newest value of an EMA(span)."""
    return 2.0 / (span + 1.0)


def ema_span(
    p: ColumnPlan, x: str | pl.Expr, span: int, *, min_periods: int, by: Sequence[str] = ()
) -> pl.Expr:
    """EMA with alpha = 2 / (span + 1); a column."""
    return ema(p, x, alpha=span_alpha(span), min_periods=min_periods, by=by)


def wilder_mean(
    p: ColumnPlan,
    x: str | pl.Expr,
    n: int,
    *,
    min_periods: int,
    by: Sequence[str] = (),
    counted: str | pl.Expr | None = None,
) -> pl.Expr:
    """Wilder 1978: the exponential mean with alpha = 1 / n; a column."""
    return ema(p, x, alpha=1.0 / n, min_periods=min_periods, by=by, counted=counted)


@dataclass(frozen=True)
class Macd:
    """Columns of a MACD, in units of the price."""

    line: pl.Expr
    signal: pl.Expr
    histogram: pl.Expr


def macd(
    p: ColumnPlan,
    x: str | pl.Expr,
    *,
    fast: int,
    slow: int,
    smooth: int,
    by: Sequence[str] = (),
) -> Macd:
    """Appel 1979: EMA(fast) - EMA(slow), its EMA(smooth), and their difference.

    Each EMA needs as many valid values as its span, the signal counting values of the line; so
    the histogram starts at valid value slow + smooth - 1.

    Args:
        p: The plan; its group is the stream.
        x: Price.
        fast: Span of the fast mean, in values.
        slow: Span of the slow mean.
        smooth: Span of the signal.
        by: Columns that divide the stream further (phases of a sampling).
    """
    line = p.let(
        ema_span(p, x, fast, min_periods=fast, by=by)
        - ema_span(p, x, slow, min_periods=slow, by=by)
    )
    signal = ema_span(p, line, smooth, min_periods=smooth, by=by)
    return Macd(line, signal, p.let(line - signal))
