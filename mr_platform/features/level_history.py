"""High, low and close of finished periods, for levels of today: previous day, previous ISO week.

Here: the two look-ups into ``hist_daily``.
Not here: the lines drawn from them (``kernels/levels.py``), the table itself (``history.py``).

Levels of a straddle or a leg are those of the same expiry_date; levels of spot are the symbol's.
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.history import past

SPOT = "spot"
"""The asset that has one price for all expiries."""

WEEK_DEPTH = 14
"""Trading days back at which the previous ISO week surely has ended (two weeks of seven days)."""

WEEK_DAYS_NEEDED = 2
"""Days of the previous week that weekly levels need."""

_THURSDAY_BASED = 3  # 1970-01-01, day 0, was a Thursday: three days after its Monday


def level_keys(asset: str) -> list[str]:
    """Columns that a row of levels belongs to, beside which it is unique.

    Args:
        asset: ``spot``, ``strd``, ``comb``, ``ce`` or ``pe``.
    """
    return ["symbol", "date"] if asset == SPOT else ["symbol", "date", "expiry_date"]


def previous_day(history: pl.LazyFrame, days: pl.LazyFrame, asset: str, n: int = 1) -> pl.LazyFrame:
    """High, low and close of the n-th trading day before each target date.

    The day is the calendar's: where the table has no row of it, there is no row here.

    Args:
        history: ``hist_daily``.
        days: Previous trading days of the target dates: date, back, hist_date.
        asset: ``spot``, ``strd``, ``comb``, ``ce`` or ``pe``.
        n: Trading days back.

    Returns:
        ``level_keys(asset)`` with the target date, and high, low, close.
    """
    rows = past(history, days, n).filter(pl.col("back") == n)
    return _by_day(rows, asset).drop("back")


def previous_week(history: pl.LazyFrame, days: pl.LazyFrame, asset: str) -> pl.LazyFrame:
    """High, low and close of the ISO week before that of each target date.

    Args:
        history: ``hist_daily``.
        days: Previous trading days of the target dates: date, back, hist_date.
        asset: ``spot``, ``strd``, ``comb``, ``ce`` or ``pe``.

    Returns:
        ``level_keys(asset)`` with the target date; high, low, close (of the week's last day with
        a price) and days, the number of days with prices. Rows of one day stay: weekly levels
        need ``WEEK_DAYS_NEEDED``.
    """
    keys = level_keys(asset)
    rows = past(history, _days_of_previous_week(days), WEEK_DEPTH)
    return (
        _by_day(rows, asset)
        .filter(pl.all_horizontal(pl.col("high", "low", "close").is_not_null()))
        .sort(*keys, "back")
        .group_by(keys, maintain_order=True)
        .agg(
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").first(),
            pl.len().cast(pl.Int32).alias("days"),
        )
    )


def _by_day(rows: pl.LazyFrame, asset: str) -> pl.LazyFrame:
    """One row for each past day, with the asset's high, low and close."""
    keys = [*level_keys(asset), "back"]
    picked = rows.select(
        *keys, *[pl.col(f"{asset}_{name}").alias(name) for name in ("high", "low", "close")]
    )
    if asset != SPOT:
        return picked
    # spot stands in the row of every expiry; the greatest of equal values skips nulls
    return picked.group_by(keys).agg(pl.col("high", "low", "close").max())


def _days_of_previous_week(days: pl.LazyFrame) -> pl.LazyFrame:
    """The days that lie in the ISO week before that of their target date."""

    def week(day: str) -> pl.Expr:
        return (pl.col(day).cast(pl.Int32) + _THURSDAY_BASED).floordiv(7)

    # a few hundred rows of the calendar, worked out here: a date as a number is not an operation
    # of every engine
    calendar = days.filter(pl.col("back") <= WEEK_DEPTH).collect()
    return calendar.filter(week("date") - week("hist_date") == 1).lazy()
