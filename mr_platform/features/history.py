"""Previous trading days beside the rows that read them, and the streams that run over them.

Here: which earlier rows a target date reads, as rows, as columns, as one stream of minutes; the
two history tables that all components share (``hist_minute``, ``hist_daily``).
Not here: tables of one component (``zone_history.py``, ``oi_history.py``, ``iv_history.py``,
``c8_history.py``), where tables are stored.

"Previous day" is a place in the trading calendar, not in the data: a day that was never loaded
leaves its place empty, so that a value read 20 days back is the same whatever else is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import polars as pl

from mr_platform.errors import CalendarError
from mr_platform.features.chain_grid import GROUP_KEYS
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.kernels import windows
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES, previous_trading_day

MAX_DEPTH = 252
"""Greatest number of previous trading days that any feature reads."""

STREAM_INDEX = "s"
"""Place of a minute in its stream, 0 at the first bar of the oldest day."""

HIST_MINUTE_COLUMNS: tuple[str, ...] = (
    "spot", "fut", "fut_open", "fut_high", "fut_low", "strd", "strd_open", "strd_lag", "comb",
    "ce", "pe",
)  # fmt: skip

DAILY_PRICES: tuple[str, ...] = ("spot", "strd", "comb", "ce", "pe")
"""Series whose daily open, high, low and close ``hist_daily`` keeps."""

CLOSING_MINUTES = 30
"""The last half hour, whose share of volume and return the next day reads."""


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
    rows = past(table, days, depth)
    places = [
        pl.when(pl.col("back") == back).then(pl.col(value)).max().alias(f"{value}_{back}")
        for value in values
        for back in range(1, depth + 1)
    ]
    return rows.group_by("date", *keys).agg(places)


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
    group = GROUP if by_expiry else "u"
    today = panel.lazy()
    if not by_expiry:
        today = today.filter(pl.col(GROUP) == pl.col(GROUP).min().over("u"))
    keys = ["symbol", "date", "expiry_date"] if by_expiry else ["symbol", "date"]
    groups = today.filter(pl.col(INDEX) == 0).select(group, *keys)
    earlier = past(hist_minute, days, depth)
    if not by_expiry:
        # all expiries of a day carry the same underlying; the first one speaks for it
        earlier = earlier.filter(
            pl.col("expiry_date") == pl.col("expiry_date").min().over("symbol", "date", "hist_date")
        )
    earlier = earlier.join(groups, on=keys).select(
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
    past_grid = groups.select(group).join(places, how="cross")
    filled = past_grid.join(earlier, on=[group, STREAM_INDEX], how="left", maintain_order="left")
    return (
        pl.concat([filled, now])
        .sort(group, STREAM_INDEX)
        .with_columns((pl.col(STREAM_INDEX) % SESSION_MINUTES).alias(INDEX))
    )


def minute_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_minute``: the panel's minutes that later days' streams read.

    Args:
        panel: Minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, expiry_date, j, and ``HIST_MINUTE_COLUMNS``, the full grid of each expiry.
    """
    return engine.collect(panel.lazy().select(*GROUP_KEYS, INDEX, *HIST_MINUTE_COLUMNS))


def daily_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_daily``: one row for each expiry of a finished day.

    Args:
        panel: Minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, expiry_date, dte, dte_bucket; ``{p}_{open,high,low,close}`` of
        ``DAILY_PRICES`` (open: first valid close at 09:30 at the latest; high, low, close over
        minute closes); last valid itm1, otm1, iv, basis; share of the last 30 minutes in the
        option volume; straddle returns of the last 30 minutes and of the day (sums of r_strd);
        volume-weighted prices of future and straddle.
    """
    p = ColumnPlan()
    closing = pl.col(INDEX) >= SESSION_MINUTES - CLOSING_MINUTES
    traded = pl.col("atm_ce_volume") + pl.col("atm_pe_volume")
    future = (pl.col("fut_high") + pl.col("fut_low") + pl.col("fut")) / 3.0
    opens = {f"{name}_open": windows.open_value(p, name) for name in DAILY_PRICES}
    closes = {
        f"{name}_close": windows.forward_filled(p, name)
        for name in (*DAILY_PRICES, "itm1", "otm1", "iv", "basis")
    }
    frame = p.run(
        panel.lazy(),
        {
            **opens,
            **closes,
            "closing_volume": pl.when(closing).then(pl.col("chain_volume")),
            "closing_return": pl.when(closing).then(pl.col("r_strd")),
            "strd_traded": pl.when(pl.col("strd").is_not_null()).then(traded),
            "strd_turnover": pl.col("strd") * traded,
            "fut_traded": pl.when(future.is_not_null()).then(pl.col("fut_volume")),
            "fut_turnover": future * pl.col("fut_volume"),
        },
        keep=[GROUP, *GROUP_KEYS, "dte", "dte_bucket", *DAILY_PRICES, "r_strd", "chain_volume"],
    )
    day = frame.group_by(GROUP, maintain_order=True).agg(
        pl.col(*GROUP_KEYS, "dte", "dte_bucket").first(),
        pl.col(*opens).max(),
        *[pl.col(name).max().alias(f"{name}_high") for name in DAILY_PRICES],
        *[pl.col(name).min().alias(f"{name}_low") for name in DAILY_PRICES],
        pl.col(*closes).last(),
        pl.col("chain_volume").sum(),
        _sum_or_null("closing_volume").alias("closing_volume"),
        _sum_or_null("r_strd").alias("strd_day_return"),
        _sum_or_null("closing_return").alias("close30_strd_return"),
        *[pl.col(f"{name}_{what}").sum() for name in ("fut", "strd") for what in _TRADE],
    )
    table = day.select(
        *GROUP_KEYS, "dte", "dte_bucket",
        *[f"{name}_{what}" for name in DAILY_PRICES for what in ("open", "high", "low", "close")],
        "itm1_close", "otm1_close", "iv_close", "basis_close",
        windows.ratio(pl.col("closing_volume").cast(pl.Float64), pl.col("chain_volume"))
        .alias("close30_volume_share"),
        "close30_strd_return", "strd_day_return",
        *[
            windows.ratio(pl.col(f"{name}_turnover"), pl.col(f"{name}_traded"))
            .alias(f"{name}_vwap")
            for name in ("fut", "strd")
        ],
    )  # fmt: skip
    return engine.collect(table)


_TRADE = ("turnover", "traded")


def _sum_or_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())
