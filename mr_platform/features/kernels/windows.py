"""Windows over the minute grid: lags, sums, extremes, session totals, runs.

Here: kernels that every component shares, as columns of a ``ColumnPlan``.
Not here: means with decaying weights (``moving_averages.py``), dependence of two series
(``dependence.py``), ranks (``ranks.py``).

A window of w minutes at t is the rows t-w+1 .. t of the group; at the group's start it is what
the group offers. Null values are skipped; ``min_periods`` counts the others. Window sums are
trees of partial sums of 1, 2, 4, ... rows: no value outside the window ever enters, so nothing
cancels and the bits do not depend on what came before, on the batch, or on the engine's threads
(a difference of running totals would lose nine digits after one large value).
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.column_plan import ColumnPlan

TINY = 1e-12
"""A divisor, or a variance as a share of the mean square, of at most this counts as zero."""

OPEN_LIMIT = 15
"""Bar labelled 09:30: the latest at which a first value counts as the open."""

MAX_BRIDGE = 3
"""A one-minute change reaches back to the last valid minute, at most this far."""


def lag(p: ColumnPlan, x: str | pl.Expr, w: int) -> pl.Expr:
    """Value w minutes before, null before the group's start."""
    return pl.when(p.reaches(w)).then(p.let(x).shift(w))


def lag_or_zero(
    p: ColumnPlan, x: str | pl.Expr, w: int, dtype: type[pl.DataType] = pl.Float64
) -> pl.Expr:
    """Value w minutes before, 0 before the group's start.

    The product hides the neighbouring group only where its values are finite, which every series
    of the panel is: prices are finite at the door, and quotients and logarithms are null
    otherwise.

    Args:
        p: The plan.
        x: Series without nulls, finite.
        w: Minutes.
        dtype: Type of the series.
    """
    return p.let(x).shift(w, fill_value=0) * p.weight(w, dtype)


def change(p: ColumnPlan, x: str | pl.Expr, w: int) -> pl.Expr:
    """x(t) - x(t-w); needs both ends and nothing between."""
    column = p.let(x)
    return column - lag(p, column, w)


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Quotient; null where the denominator is zero or below ``TINY`` in size."""
    return pl.when(denominator.abs() >= TINY).then(numerator / denominator)


def log(x: pl.Expr) -> pl.Expr:
    """Natural logarithm; null where x is not positive."""
    return pl.when(x > 0).then(x).log()


def sign(x: pl.Expr, scale: pl.Expr | float = 1.0) -> pl.Expr:
    """-1.0, 0.0 or 1.0; zero where x is no more than rounding of numbers of size ``scale``."""
    size = pl.lit(scale) if isinstance(scale, float) else scale.abs()
    return (
        pl.when(x.abs() > TINY * size).then(x.sign()).otherwise(pl.when(x.is_not_null()).then(0.0))
    )


def bridged(p: ColumnPlan, x: str | pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Last valid value in t-3 .. t-1 of the group, and how many minutes it lies back.

    Returns:
        The value and the minutes (Int32), both null where none is valid.
    """
    column = p.let(x)
    lags = [p.let(lag(p, column, back)) for back in range(1, MAX_BRIDGE + 1)]
    minutes = pl.coalesce(
        *[
            pl.when(value.is_not_null()).then(pl.lit(back, dtype=pl.Int32))
            for back, value in enumerate(lags, start=1)
        ]
    )
    return p.let(pl.coalesce(*lags)), p.let(minutes)


def diff1(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """One-minute difference that bridges gaps of up to two minutes, as a column."""
    column = p.let(x)
    return p.let(column - bridged(p, column)[0])


# -- sums -----------------------------------------------------------------------------------------


def window_sum(p: ColumnPlan, x: str | pl.Expr, w: int) -> pl.Expr:
    """Sum of the non-null values of the window, 0 where there are none; a Float64 column."""
    return _tree_sum(p, p.let(p.let(x).cast(pl.Float64).fill_null(0.0)), w, pl.Float64)


def window_count(p: ColumnPlan, x: str | pl.Expr, w: int) -> pl.Expr:
    """Number of non-null values in the window (Int32); a column."""
    return _tree_sum(p, p.let(p.let(x).is_not_null().cast(pl.Int32)), w, pl.Int32)


def window_count_where(p: ColumnPlan, condition: pl.Expr, w: int) -> pl.Expr:
    """Number of rows of the window at which a condition holds (Int32); null counts as no."""
    return _tree_sum(p, p.let(condition.fill_null(False).cast(pl.Int32)), w, pl.Int32)


def _tree_sum(p: ColumnPlan, column: pl.Expr, w: int, dtype: type[pl.DataType]) -> pl.Expr:
    """Sum over w rows of a column without nulls, from sums of 1, 2, 4, ... rows."""
    partial, size, covered = column, 1, 0
    total: pl.Expr | None = None
    rest = min(w, p.length)
    while rest:
        if rest & 1:
            part = partial if covered == 0 else lag_or_zero(p, partial, covered, dtype)
            total = part if total is None else total + part
            covered += size
        rest >>= 1
        if rest:
            partial = p.let(partial + lag_or_zero(p, partial, size, dtype))
            size *= 2
    assert total is not None
    return p.let(total)


def rolling_sum(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int) -> pl.Expr:
    """Sum over the window, null below ``min_periods`` valid values; a column."""
    column = p.let(x)
    enough = window_count(p, column, w) >= min_periods
    return p.let(pl.when(enough).then(window_sum(p, column, w)))


def rolling_mean(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int) -> pl.Expr:
    """Mean over the window, null below ``min_periods`` valid values; a column."""
    column = p.let(x)
    count = window_count(p, column, w)
    return p.let(pl.when(count >= min_periods).then(window_sum(p, column, w) / count))


def rolling_var(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int) -> pl.Expr:
    """Variance (ddof 1) over the window; 0 up to ``TINY`` of the mean square; a column."""
    column = p.let(x)
    count = window_count(p, column, w)
    total, squares = window_sum(p, column, w), window_sum(p, column * column, w)
    return p.let(
        pl.when((count >= min_periods) & (count >= 2)).then(
            _variance(count, total, squares, ddof=1)
        )
    )


def rolling_std(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int) -> pl.Expr:
    """Standard deviation (ddof 1) over the window, 0 where the values are alike; a column."""
    return p.let(rolling_var(p, x, w, min_periods).sqrt())


def _variance(count: pl.Expr, total: pl.Expr, squares: pl.Expr, *, ddof: int) -> pl.Expr:
    spread = squares - total * total / count
    return pl.when(spread > TINY * squares).then(spread / (count - ddof)).otherwise(0.0)


# -- session totals -------------------------------------------------------------------------------


def session_sum(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """Running total of the group's non-null values up to t, 0 before the first; a column."""
    return p.over(p.let(x).fill_null(0).cum_sum())


def session_count(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """Number of the group's non-null values up to t (Int32); a column."""
    return p.over(p.let(x).is_not_null().cast(pl.Int32).cum_sum())


def session_count_where(p: ColumnPlan, condition: pl.Expr) -> pl.Expr:
    """Number of the group's rows up to t at which a condition holds (Int32); a column."""
    return p.over(condition.fill_null(False).cast(pl.Int32).cum_sum())


def session_mean(p: ColumnPlan, x: str | pl.Expr, min_periods: int) -> pl.Expr:
    """Mean of the group's valid values up to t; a column."""
    count = session_count(p, x)
    return p.let(pl.when(count >= max(min_periods, 1)).then(session_sum(p, x) / count))


def session_std(p: ColumnPlan, x: str | pl.Expr, min_periods: int) -> pl.Expr:
    """Standard deviation (ddof 1) of the group's valid values up to t; a column.

    The values are taken from the group's first valid one, so that a level far from zero does not
    cost digits (the mean of the session would look ahead).
    """
    column = p.let(x)
    count = session_count(p, column)
    shifted = p.let(column - first_valid(p, column))
    total, squares = session_sum(p, shifted), session_sum(p, shifted * shifted)
    raw_squares = session_sum(p, column * column)
    spread = squares - total * total / count
    variance = pl.when(spread > TINY * raw_squares).then(spread / (count - 1)).otherwise(0.0)
    return p.let(pl.when((count >= min_periods) & (count >= 2)).then(variance.sqrt()))


def session_rms(p: ColumnPlan, x: str | pl.Expr, min_periods: int) -> pl.Expr:
    """Root of the mean square of the group's valid values up to t; a column."""
    column = p.let(x)
    count = session_count(p, column)
    squares = session_sum(p, column * column)
    return p.let(pl.when(count >= min_periods).then((squares / count).sqrt()))


def forward_filled(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """Last valid value of the group up to t; a column. For bookkeeping, never for prices."""
    return p.over(p.let(x).fill_null(strategy="forward"))


def first_valid(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """The group's first valid value, null before it; a column."""
    return value_at_first(p, x, pl.lit(True))


def value_at_first(p: ColumnPlan, x: str | pl.Expr, condition: pl.Expr) -> pl.Expr:
    """Value at the group's first row where x is valid and a condition holds; null before it."""
    column = p.let(x)
    index = pl.col(p.index)
    place = p.let(pl.when(column.is_not_null() & condition).then(index))
    first = p.over(place.min())
    value = p.over(p.let(pl.when(index == first).then(column)).max())
    return p.let(pl.when(index >= first).then(value))


def open_value(
    p: ColumnPlan, x: str | pl.Expr, *, first: int = 0, last: int = OPEN_LIMIT
) -> pl.Expr:
    """First valid value from minute ``first`` to minute ``last`` (09:30); a column.

    Null before that minute, and all day if none of them is valid.
    """
    return value_at_first(p, x, pl.col(p.index).is_between(first, last))


# -- extremes -------------------------------------------------------------------------------------


def rolling_max(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int = 1) -> pl.Expr:
    """Greatest valid value of the window; a column."""
    return _extreme(p, x, w, min_periods, pl.max_horizontal)


def rolling_min(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int = 1) -> pl.Expr:
    """Least valid value of the window; a column."""
    return _extreme(p, x, w, min_periods, pl.min_horizontal)


def session_max(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """Greatest valid value of the group up to t; a column."""
    return rolling_max(p, x, p.length)


def session_min(p: ColumnPlan, x: str | pl.Expr) -> pl.Expr:
    """Least valid value of the group up to t; a column."""
    return rolling_min(p, x, p.length)


def _extreme(p: ColumnPlan, x: str | pl.Expr, w: int, min_periods: int, pick) -> pl.Expr:  # type: ignore[no-untyped-def]
    column = partial = p.let(x)
    size, width = 1, min(w, p.length)
    while size * 2 <= width:
        partial = p.let(pick(partial, lag(p, partial, size)))
        size *= 2
    if size < width:  # two overlapping spans cover the window
        partial = p.let(pick(partial, lag(p, partial, width - size)))
    if min_periods <= 1:
        return partial
    return p.let(pl.when(window_count(p, column, w) >= min_periods).then(partial))


# -- runs -----------------------------------------------------------------------------------------


def minutes_since(p: ColumnPlan, event: pl.Expr) -> pl.Expr:
    """Rows since a condition last held, 0 where it holds, null before its first time; a column."""
    index = pl.col(p.index)
    last = p.over(p.let(pl.when(event).then(index)).fill_null(strategy="forward"))
    return p.let(index - last)


def run_length(p: ColumnPlan, code: str | pl.Expr) -> pl.Expr:
    """Rows up to t with the same code, 1 where it appears; a null or missing row ends the run.

    Null where the code is null; a column (Int32).
    """
    column = p.let(code)
    starts = column.is_not_null() & column.ne_missing(p.let(lag(p, column, 1)))
    return p.let(pl.when(column.is_not_null()).then(minutes_since(p, starts) + 1))
