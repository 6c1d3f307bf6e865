"""Values weighed by volume over the session: mean and deviation.

Here: weighted sums of the session up to t.
Not here: which price is weighed by which volume, and when a deviation counts (component modules).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import ratio, session_count, session_sum, value_at_first


def session_weighted_mean(p: ColumnPlan, x: str | pl.Expr, weight: str | pl.Expr) -> pl.Expr:
    """Weighted mean of the group's values up to t; null where the weights add up to zero; a column.

    Args:
        p: The plan; its group is the session.
        x: Values; a null one does not enter.
        weight: Their weights, null where the value is.
    """
    return p.let(ratio(session_sum(p, p.let(x) * p.let(weight)), session_sum(p, weight)))


@dataclass(frozen=True)
class WeightedDeviation:
    """Weighted moments of the session up to t, taken from its first value; columns.

    Attributes:
        origin: First value that has a weight, null before it.
        mean: Weighted mean of the values less the origin.
        square: Weighted mean of the squares of the same.
        variance: Weighted (population) variance; below zero by rounding where values are alike.
        count: Values that entered.
    """

    origin: pl.Expr
    mean: pl.Expr
    square: pl.Expr
    variance: pl.Expr
    count: pl.Expr


def session_weighted_deviation(
    p: ColumnPlan, x: str | pl.Expr, weight: str | pl.Expr
) -> WeightedDeviation:
    """Weighted mean and variance of the group's values up to t.

    Values are taken from the first one, so that squares far from zero keep their digits.

    Args:
        p: The plan; its group is the session.
        x: Values; a null one does not enter.
        weight: Their weights, null where the value is.
    """
    column, share = p.let(x), p.let(weight)
    origin = value_at_first(p, column, share.is_not_null())
    offset = p.let(column - origin)
    mean = session_weighted_mean(p, offset, share)
    square = session_weighted_mean(p, offset * offset, share)
    return WeightedDeviation(
        origin, mean, square, p.let(square - mean * mean), session_count(p, share)
    )
