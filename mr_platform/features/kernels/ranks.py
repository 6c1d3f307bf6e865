"""Where a value stands among others: percentiles and ranks against the session and past days.

Here: mid-rank percentile and min-max rank, against columns beside the value, against the minutes
before it, and against a list of past values by key.
Not here: which past values a component compares with (component modules, ``features/history.py``).

pctl(x, h) = (#{h < x} + 0.5 #{h = x}) / n over the non-null h; h never holds x itself. All counts
are whole numbers, so every form gives the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.across import count_across
from mr_platform.features.kernels.windows import (
    lag,
    ratio,
    session_count,
    session_max,
    session_min,
    window_count,
)


def percentile(p: ColumnPlan, x: pl.Expr, values: Sequence[pl.Expr], min_periods: int) -> pl.Expr:
    """Mid-rank percentile of x among columns beside it, 0 .. 1.

    Args:
        p: The plan.
        x: The value, a column.
        values: Columns with the values to compare with (one for each past day).
        min_periods: Non-null values needed.
    """
    count = p.let(count_across(values))
    enough = x.is_not_null() & (count >= max(min_periods, 1))
    return pl.when(enough).then((count + _balance(x, values)) / (2.0 * count))


def place_between(x: pl.Expr, least: pl.Expr, greatest: pl.Expr) -> pl.Expr:
    """(x - least) / (greatest - least), clipped to [0, 1]; null where both ends are alike."""
    return ratio(x - least, greatest - least).clip(0.0, 1.0)


def _balance(x: pl.Expr, values: Sequence[pl.Expr]) -> pl.Expr:
    """Number of values below x less the number above it; a null on either side adds nothing."""
    return pl.sum_horizontal([(x - value).sign() for value in values])


# -- the minutes before ---------------------------------------------------------------------------


def trailing_percentiles(
    p: ColumnPlan, x: str | pl.Expr, windows: Mapping[int, int]
) -> dict[int, pl.Expr]:
    """Mid-rank percentile of x(t) among the minutes before t (t left out), for several windows.

    Compares t with every lag once, so the cost grows with the longest window; a window as long
    as the group counts as ``session_percentile`` does.

    Args:
        p: The plan.
        x: Series; nulls are skipped and give null.
        windows: Valid minutes needed (at least 1 is) by minutes before t.

    Returns:
        Columns by window.
    """
    column = p.let(x)
    before = p.let(lag(p, column, 1))
    found: dict[int, pl.Expr] = {}
    balance, covered = pl.lit(0.0), 0
    for w, needed in sorted(windows.items()):
        if w >= p.length - 1:
            found[w] = session_percentile(p, column, needed)
            continue
        lags = [lag(p, column, back) for back in range(covered + 1, w + 1)]
        balance, covered = p.let(balance + _balance(column, lags)), w
        count = window_count(p, before, w)
        enough = column.is_not_null() & (count >= max(needed, 1))
        found[w] = p.let(pl.when(enough).then((count + balance) / (2.0 * count)))
    return found


def session_percentile(p: ColumnPlan, x: str | pl.Expr, min_periods: int) -> pl.Expr:
    """Mid-rank percentile of x(t) among all the group's values before t; a column.

    Counts by the digits of the value's rank (a wavelet tree, Grossi, Gupta and Vitter 2003): a
    value is smaller than x when, at the first binary digit in which their ranks differ, x has 1
    and it has 0. So for each digit the values that agree with x in all higher digits are
    counted as they come, in nine running totals where lags would need 374. The rank itself is
    taken over the whole group, but says no more about two values than which is smaller: what
    follows t changes no count at t.

    Args:
        p: The plan; its group is the session.
        x: Series; nulls are skipped and give null.
        min_periods: Valid values before t needed.
    """
    # adding zero makes -0.0 into 0.0, which equals it but need not have its rank
    column = p.let(p.let(x) + 0.0)
    valid = p.let(column.is_not_null())
    digits = p.length.bit_length()
    rank = p.over(column.rank("dense")).cast(pl.Int64)
    place = p.let(pl.when(valid).then(pl.col(p.group).cast(pl.Int64) * 2**digits + rank))
    smaller = []
    for digit in range(digits):
        one = p.let(place // 2**digit % 2)
        alike = p.let(place // 2 ** (digit + 1))
        smaller.append(one * _so_far(p, 1 - one, alike))
    equal = _so_far(p, valid.cast(pl.Int64), place) - 1
    count = session_count(p, column) - 1
    enough = valid & (count >= max(min_periods, 1))
    share = (2 * pl.sum_horizontal(smaller) + equal) / (2.0 * count)
    return p.let(pl.when(enough).then(share))


def session_rank(p: ColumnPlan, x: str | pl.Expr, min_periods: int) -> pl.Expr:
    """Min-max rank of x(t) among all the group's values before t, 0 .. 1; a column."""
    column = p.let(x)
    least, greatest = p.let(lag(p, session_min(p, column), 1)), lag(p, session_max(p, column), 1)
    # where x is valid, one of the values so far is x itself
    enough = session_count(p, column) - 1 >= max(min_periods, 1)
    return p.let(pl.when(enough).then(place_between(column, least, p.let(greatest))))


def _so_far(p: ColumnPlan, number: pl.Expr, alike: pl.Expr) -> pl.Expr:
    """Running total among the rows of the group that share a number (which names the group)."""
    return p.let(p.let(number).cum_sum().over(alike.meta.output_name()))


# -- past values by key ---------------------------------------------------------------------------


def past_percentiles(
    rows: pl.LazyFrame, past: pl.LazyFrame, depths: Mapping[int, int]
) -> pl.LazyFrame:
    """Mid-rank percentile of each row's value among past values with its key.

    Rows and past values are sorted together and the past values counted as they come. Each
    stands in the order twice, before the rows that equal it and after them, so the running
    count at a row is #{h <= x} + #{h < x}.

    Args:
        rows: key (a whole number), row (which row it is), x.
        past: key, back (1 = the newest), h.
        depths: Non-null values needed for each depth; a depth takes values up to that ``back``.

    Returns:
        row and ``pctl_{depth}``; no row where x is null or its key has no past value. Rows come
        in another order.
    """
    values = past.filter(pl.col("h").is_not_null()).select(
        "key", (pl.col("h") + 0.0).alias("x"), pl.lit(None, pl.UInt32).alias("row"), "back"
    )
    asked = rows.filter(pl.col("x").is_not_null()).select(
        "key", pl.col("x") + 0.0, pl.col("row").cast(pl.UInt32), pl.lit(0, pl.Int32).alias("back")
    )
    ordered = pl.concat(
        [
            values.with_columns(turn=pl.lit(0, pl.Int8)),
            asked.with_columns(turn=pl.lit(1, pl.Int8)),
            values.with_columns(turn=pl.lit(2, pl.Int8)),
        ]
    ).sort("key", "x", "turn")
    counts = [
        pl.col("back").is_between(1, depth).cast(pl.Int32).alias(f"in_{depth}") for depth in depths
    ]
    counted = ordered.with_columns(counts).select(
        "row",
        *[pl.col(f"in_{d}").cum_sum().over("key").alias(f"below_{d}") for d in depths],
        *[pl.col(f"in_{d}").sum().over("key").alias(f"all_{d}") for d in depths],
    )
    return counted.filter(pl.col("row").is_not_null()).select(
        "row",
        *[
            pl.when(pl.col(f"all_{d}") >= 2 * max(needed, 1))
            .then(pl.col(f"below_{d}") / pl.col(f"all_{d}"))
            .alias(f"pctl_{d}")
            for d, needed in depths.items()
        ],
    )


def past_extremes(past: pl.LazyFrame, depths: Mapping[int, int]) -> pl.LazyFrame:
    """Least and greatest past value of each key, null with too few.

    Args:
        past: key, back, h.
        depths: Non-null values needed for each depth.

    Returns:
        key, ``least_{depth}``, ``greatest_{depth}``.
    """
    columns = []
    for depth, needed in depths.items():
        value = pl.when(pl.col("back") <= depth).then(pl.col("h"))
        enough = value.count() >= max(needed, 1)
        columns.append(pl.when(enough).then(value.min()).alias(f"least_{depth}"))
        columns.append(pl.when(enough).then(value.max()).alias(f"greatest_{depth}"))
    return past.group_by("key").agg(columns)
