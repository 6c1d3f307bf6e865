"""Realised volatility: squared returns for each minute that they cover, and those of a year.

Here: the mean square of returns over windows and sessions, and the number of minutes in a year.
Not here: returns and the minutes that they span (``price_series.py``), deviations of levels
(``windows.py``).

A return that bridges a gap spans several minutes. Divided by the minutes that the returns cover,
not by their number, a missing bar does not count as a calm one.
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import (
    session_count,
    session_sum,
    window_count,
    window_sum,
)
from mr_platform.trading_calendar import SESSION_MINUTES

YEAR_DAYS = 252
"""Trading days of a year."""

YEAR_MINUTES = YEAR_DAYS * SESSION_MINUTES
"""Trading minutes of a year: 94500."""


def mean_square(
    p: ColumnPlan, returns: str | pl.Expr, minutes: str | pl.Expr, w: int, min_periods: int
) -> pl.Expr:
    """Mean squared return for each minute covered by the returns of the window; a column.

    Args:
        p: The plan.
        returns: Returns of one or more minutes each.
        minutes: Minutes that each spans, at least 1, null where the return is.
        w: Minutes of the window, in which the returns end.
        min_periods: Returns needed, at least 1.
    """
    column = p.let(returns)
    squares, covered = window_sum(p, column * column, w), window_sum(p, minutes, w)
    return p.let(pl.when(window_count(p, column, w) >= min_periods).then(squares / covered))


def session_mean_square(
    p: ColumnPlan, returns: str | pl.Expr, minutes: str | pl.Expr, min_periods: int
) -> pl.Expr:
    """The same over the group's returns up to t; a column."""
    column = p.let(returns)
    squares, covered = session_sum(p, column * column), session_sum(p, minutes)
    return p.let(pl.when(session_count(p, column) >= min_periods).then(squares / covered))


def annual(minute_variance: pl.Expr) -> pl.Expr:
    """Annual volatility from a variance a minute."""
    return (YEAR_MINUTES * minute_variance).sqrt()
