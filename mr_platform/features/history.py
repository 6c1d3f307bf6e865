"""Previous trading days beside the rows that read them, and the streams that run over them.

Here: which earlier rows a target date reads, as rows, as columns, as one stream of minutes.
Not here: how a day becomes history (``day_history.py``, ``zone_history.py``, ``oi_history.py``,
``iv_history.py``, ``c8_history.py``), where tables are stored.

"Previous day" is a place in the trading calendar, not in the data: a day that was never loaded
leaves its place empty, so that a value read 20 days back is the same whatever else is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import lru_cache

import polars as pl

from mr_platform.errors import CalendarError
from mr_platform.features.chain_grid import DAY, GROUP_KEYS
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.features.inputs import groups, symbol_days, underlying
from mr_platform.trading_calendar import SESSION_MINUTES, previous_trading_day

MAX_DEPTH = 252
"""Greatest number of previous trading days that any feature reads."""

STREAM_INDEX = "s"
"""Place of a minute in its stream, 0 at the first bar of the oldest day."""


def previous_days(dates: Iterable[dt.date], depth: int = MAX_DEPTH) -> pl.DataFrame:
    """Previous trading days of each date by the calendar.

    Args:
        dates: Target dates.
        depth: Days to go back.

    Returns:
        date, back (Int32, 1 = the trading day before), hist_date; fewer where the calendar
        begins.
    """
    rows: list[tuple[dt.date, int, dt.date]] = []
    for day in sorted(set(dates)):
        for back in range(1, depth + 1):
            try:
                rows.append((day, back, previous_trading_day(day, back)))
            except CalendarError:
                break
    return pl.DataFrame(
        rows, schema={"date": pl.Date, "back": pl.Int32, "hist_date": pl.Date}, orient="row"
    )


def past(table: pl.LazyFrame, days: pl.LazyFrame, depth: int) -> pl.LazyFrame:
    """Rows of a history table for each target date that reads them.

    Args:
        table: A history table with its own ``date``.
        days: date, back, hist_date.
        depth: Days to go back.

    Returns:
        The table's columns, ``date`` now being the target date, with ``back`` and ``hist_date``.
    """
    wanted = days.filter(pl.col("back") <= depth)
    return table.rename({"date": "hist_date"}).join(wanted, on="hist_date", how="inner")


def wide(
    table: pl.LazyFrame,
    days: pl.LazyFrame,
    *,
    keys: Sequence[str],
    values: Sequence[str],
    depth: int,
) -> pl.LazyFrame:
    """Past values side by side: one row for each target date and key.

    Args:
        table: A history table with one row for each date and key.
        days: date, back, hist_date.
        keys: Columns beside the date that identify a row, ``symbol`` among them.
        values: Columns to lay out.
        depth: Days to go back.

    Returns:
        date, the keys, and ``{value}_{back}`` for back = 1 .. depth, null where absent.
    """
    return past(table, days, depth).group_by("date", *keys).agg(_places(tuple(values), depth))


@lru_cache(maxsize=16)
def _places(values: tuple[str, ...], depth: int) -> list[pl.Expr]:
    """The value of each day back; kept, since to write down hundreds takes milliseconds."""
    return [
        pl.when(pl.col("back") == back).then(pl.col(value)).max().alias(f"{value}_{back}")
        for value in values
        for back in range(1, depth + 1)
    ]


def stream(
    panel: pl.DataFrame,
    hist_minute: pl.LazyFrame,
    days: pl.LazyFrame,
    depth: int,
    columns: Sequence[str],
    *,
    by_expiry: bool = True,
) -> pl.LazyFrame:
    """Minutes of the ``depth`` previous trading days and of the target day as one series.

    Every stream has (depth + 1) · 375 rows; minutes and days without data are null rows.

    Args:
        panel: The panel of the target dates.
        hist_minute: The table ``hist_minute``.
        days: date, back, hist_date.
        depth: Previous trading days.
        columns: Columns that panel and table share.
        by_expiry: True for one stream a (symbol, date, expiry_date), grouped by ``g``; False for
            one a (symbol, date), grouped by ``u``, of series that all expiries share.

    Returns:
        g or u, s (place in the stream), j (minute of its day), and the columns, ascending by
        group and s. The rows of the target day (s >= 375 · depth) are, in order, the panel's
        rows (or those of ``inputs.underlying``). Windows: ``ColumnPlan(group=g or u, index="s",
        length=(depth + 1) * 375)``.
    """
    if by_expiry:
        group, keys, today = GROUP, list(GROUP_KEYS), panel.lazy()
        runs = groups(panel, keys)
    else:
        group, keys, today = DAY, ["symbol", "date"], underlying(panel, columns)
        runs = symbol_days(panel)
    earlier = past(hist_minute.select(*GROUP_KEYS, INDEX, *columns), days, depth)
    if not by_expiry:
        # all expiries of a day carry the same underlying; the first one speaks for it
        earlier = earlier.filter(
            pl.col("expiry_date") == pl.col("expiry_date").min().over("symbol", "date", "hist_date")
        )
    earlier = earlier.join(runs, on=keys).select(
        group,
        ((depth - pl.col("back")) * SESSION_MINUTES + pl.col(INDEX)).cast(pl.Int32)
        .alias(STREAM_INDEX),
        *columns,
    )  # fmt: skip
    now = today.select(
        group,
        (pl.col(INDEX) + depth * SESSION_MINUTES).cast(pl.Int32).alias(STREAM_INDEX),
        *columns,
    )
    places = pl.LazyFrame(
        {STREAM_INDEX: range(depth * SESSION_MINUTES)}, schema={STREAM_INDEX: pl.Int32}
    )
    past_grid = runs.select(group).join(places, how="cross")
    filled = past_grid.join(earlier, on=[group, STREAM_INDEX], how="left", maintain_order="left")
    return (
        pl.concat([filled, now])
        .sort(group, STREAM_INDEX)
        .with_columns((pl.col(STREAM_INDEX) % SESSION_MINUTES).alias(INDEX))
    )
