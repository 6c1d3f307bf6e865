"""Numbers of one row taken together: how many, their sum, their mean.

Here: count, sum and mean of columns beside each other, nulls left out; how many conditions hold.
Not here: windows (``windows.py``), ranks among columns (``ranks.py``).

The sum adds in the order in which the values are given. Polars' ``sum_horizontal`` adds in the
order in which its threads happen to finish, so that a sum of fractions now and then differs in
its last bit from run to run; it serves for counts, which are exact in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import polars as pl

from mr_platform.features.column_plan import ColumnPlan


def count_across(values: Sequence[pl.Expr]) -> pl.Expr:
    """Number of values that are not null (Int32)."""
    return pl.sum_horizontal([value.is_not_null().cast(pl.Int32) for value in values])


def count_where_across(conditions: Sequence[pl.Expr]) -> pl.Expr:
    """Number of conditions that hold (Int32); null counts as no."""
    return pl.sum_horizontal([condition.cast(pl.Int32) for condition in conditions])


def sum_across(values: Sequence[pl.Expr]) -> pl.Expr:
    """Sum of the values that are not null, 0 where there are none."""
    return reduce(add, [value.fill_null(0.0) for value in values])


def mean_across(p: ColumnPlan, values: Sequence[pl.Expr], min_periods: int) -> pl.Expr:
    """Mean of the values that are not null, null below ``min_periods`` of them; a column."""
    columns = [p.let(value) for value in values]
    count = p.let(count_across(columns))
    return p.let(pl.when(count >= max(min_periods, 1)).then(sum_across(columns) / count))
