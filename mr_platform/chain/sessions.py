"""The session as Polars expressions: minutes, zones, time to expiry.

Here: expressions over the columns ``date``, ``trade_time``, ``ts_minute``, ``expiry_date`` and
the test for bars labelled by their end.
Not here: which days trade and the table of zones (``trading_calendar.py``).
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.trading_calendar import IST, SESSION_CLOSE, SESSION_MINUTES, SESSION_OPEN, ZONES

MINIMUM_MINUTES_TO_EXPIRY = 5
"""Floor of the time to expiry, so that the last minutes of an expiry day stay finite."""

MINUTES_PER_YEAR = 525_600
"""ACT/365."""

UTC_MINUTE = pl.Datetime("us", "UTC")

_ZONE_NAME = "Asia/Kolkata"
_FIRST_MINUTE = SESSION_OPEN.hour * 60 + SESSION_OPEN.minute


def ts_minute(date: str | pl.Expr, time: str | pl.Expr) -> pl.Expr:
    """Start of the minute in UTC from an IST date and time; seconds are cut (floor).

    Args:
        date: Date column.
        time: Time column, IST.

    Returns:
        ``Datetime("us", "UTC")``; null where either is null.
    """
    local = _expr(date).cast(pl.Date).dt.combine(_expr(time).cast(pl.Time), time_unit="us")
    return floor_to_minute(local.dt.replace_time_zone(_ZONE_NAME)).dt.convert_time_zone("UTC")


def floor_to_minute(moment: str | pl.Expr) -> pl.Expr:
    """The minute a snapshot belongs to."""
    return _expr(moment).dt.truncate("1m")


def ist_time(moment: str | pl.Expr = "ts_minute") -> pl.Expr:
    """IST time of day of a UTC (or otherwise zoned) moment, for the time expressions below."""
    return _expr(moment).dt.convert_time_zone(_ZONE_NAME).dt.time()


def ist_date(moment: str | pl.Expr = "ts_minute") -> pl.Expr:
    """IST date of a UTC (or otherwise zoned) moment."""
    return _expr(moment).dt.convert_time_zone(_ZONE_NAME).dt.date()


def in_session(time: str | pl.Expr) -> pl.Expr:
    """Whether an IST time of day lies in 09:15:00 to 15:29:59; null where it is null."""
    column = _expr(time)
    return (column >= pl.lit(SESSION_OPEN)) & (column < pl.lit(SESSION_CLOSE))


def minute_index(time: str | pl.Expr) -> pl.Expr:
    """Number of the bar in the session, 0 at 09:15 to 374 at 15:29; null outside it."""
    column = _expr(time)
    minutes = column.dt.hour().cast(pl.Int32) * 60 + column.dt.minute() - _FIRST_MINUTE
    return pl.when(in_session(column)).then(minutes).cast(pl.Int32)


def zone_id(time: str | pl.Expr) -> pl.Expr:
    """Number of the zone of an IST time of day, Int64; null outside the session."""
    number: pl.Expr = pl.lit(None, dtype=pl.Int64)
    for zone in reversed(ZONES):
        here = _between(time, zone.start, zone.end)
        number = pl.when(here).then(pl.lit(zone.zone_id, dtype=pl.Int64)).otherwise(number)
    return number


def zone_name(time: str | pl.Expr) -> pl.Expr:
    """Name of the zone of an IST time of day; null outside the session."""
    name: pl.Expr = pl.lit(None, dtype=pl.String)
    for zone in reversed(ZONES):
        name = pl.when(_between(time, zone.start, zone.end)).then(pl.lit(zone.name)).otherwise(name)
    return name


def minutes_to_expiry(
    ts_minute: str | pl.Expr = "ts_minute", expiry_date: str | pl.Expr = "expiry_date"
) -> pl.Expr:
    """Calendar minutes from the end of the bar to 15:30 IST on expiry, at least 5.

    The value of bar t is known at t + 1 minute, so the bar 15:29 of the day before expiry has
    1,440 minutes left. Formula: ``tau`` of the base series, in minutes.

    Returns:
        Int64; null where either input is null.
    """
    expiry = (
        _expr(expiry_date)
        .cast(pl.Date)
        .dt.combine(SESSION_CLOSE, time_unit="us")
        .dt.replace_time_zone(_ZONE_NAME)
        .dt.convert_time_zone("UTC")
    )
    left = (expiry - _expr(ts_minute)).dt.total_minutes() - 1
    return left.clip(lower_bound=MINIMUM_MINUTES_TO_EXPIRY)


def years_to_expiry(
    ts_minute: str | pl.Expr = "ts_minute", expiry_date: str | pl.Expr = "expiry_date"
) -> pl.Expr:
    """``minutes_to_expiry`` in years of 525,600 minutes (ACT/365)."""
    return minutes_to_expiry(ts_minute, expiry_date) / MINUTES_PER_YEAR


def labels_are_bar_ends(minutes: pl.Series) -> bool:
    """Whether one-minute bars are labelled by their end: 09:16 to 15:30, none at 09:15.

    Ask only about files of bars. A file of snapshots may start at 09:16 for other reasons, and
    its labels are never shifted.

    Args:
        minutes: Bar labels of a file: Time, or Datetime in IST without zone or with any zone.

    Returns:
        True if no label is 09:15 and some day has labels at both 09:16 and 15:30. Labels outside
        09:15 to 15:30, such as the pre-open print, do not matter.
    """
    labels = minutes.drop_nulls()
    if labels.dtype == pl.Time:
        frame = pl.DataFrame({"time": labels}).with_columns(day=pl.lit(0))
    else:
        if isinstance(labels.dtype, pl.Datetime) and labels.dtype.time_zone is not None:
            labels = labels.dt.convert_time_zone(_ZONE_NAME)
        frame = pl.DataFrame({"time": labels.dt.time(), "day": labels.dt.date()})
    # times are cut to the minute: a bar label may carry seconds of 00 only, a stray one of 01
    minute = pl.col("time").dt.hour().cast(pl.Int32) * 60 + pl.col("time").dt.minute()
    number = minute - _FIRST_MINUTE
    days = frame.group_by("day").agg(
        at_open=(number == 0).any(),
        after_open=(number == 1).any(),
        at_close=(number == SESSION_MINUTES).any(),
    )
    whole = days.select((pl.col("after_open") & pl.col("at_close")).any()).item()
    return bool(whole) and not bool(days["at_open"].any())


def utc_minute(date: dt.date, time: dt.time) -> dt.datetime:
    """``ts_minute`` of one IST date and time, as a Python value."""
    local = dt.datetime.combine(date, time.replace(second=0, microsecond=0), tzinfo=IST)
    return local.astimezone(dt.UTC)


def _between(time: str | pl.Expr, start: dt.time, end: dt.time) -> pl.Expr:
    column = _expr(time)
    return (column >= pl.lit(start)) & (column < pl.lit(end))


def _expr(column: str | pl.Expr) -> pl.Expr:
    return pl.col(column) if isinstance(column, str) else column
