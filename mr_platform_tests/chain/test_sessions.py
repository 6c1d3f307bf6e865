"""Minutes, zones and time to expiry, by hand and against the real files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain import sessions
from mr_platform.trading_calendar import SESSION_MINUTES

UTC = dt.UTC


def clock(*texts: str) -> pl.Series:
    return pl.Series([dt.time.fromisoformat(text) for text in texts])


def test_a_minute_is_stored_in_utc_and_seconds_are_cut() -> None:
    frame = pl.DataFrame({"date": [dt.date(2025, 8, 29)] * 3, "time": [None, None, None]})
    frame = frame.with_columns(
        pl.Series("time", [dt.time(9, 15), dt.time(15, 29, 59, 999_999), None])
    )
    minute = frame.select(minute=sessions.ts_minute("date", "time"))["minute"]
    assert minute.dtype == sessions.UTC_MINUTE
    assert minute.to_list() == [
        dt.datetime(2025, 8, 29, 3, 45, tzinfo=UTC),
        dt.datetime(2025, 8, 29, 9, 59, tzinfo=UTC),
        None,
    ]
    assert sessions.utc_minute(dt.date(2025, 8, 29), dt.time(9, 15, 40)) == minute[0]


def test_a_minute_reads_back_as_ist_date_and_time() -> None:
    frame = pl.DataFrame({"date": [dt.date(2025, 8, 29)], "time": [dt.time(9, 15)]}).with_columns(
        ts_minute=sessions.ts_minute("date", "time")
    )
    back = frame.select(date=sessions.ist_date(), time=sessions.ist_time())
    assert back.row(0) == (dt.date(2025, 8, 29), dt.time(9, 15))


def test_the_session_holds_375_minutes_from_0915() -> None:
    whole_day = pl.DataFrame({"m": range(24 * 60)}).select(
        time=pl.time(pl.col("m") // 60, pl.col("m") % 60)
    )
    inside = whole_day.filter(sessions.in_session("time"))
    assert inside.height == SESSION_MINUTES
    assert inside["time"].min() == dt.time(9, 15)
    assert inside["time"].max() == dt.time(15, 29)
    index = inside.select(sessions.minute_index("time")).to_series()
    assert index.to_list() == list(range(SESSION_MINUTES))


def test_minutes_outside_the_session_have_no_index_and_no_zone() -> None:
    frame = pl.DataFrame({"time": clock("09:14:59", "15:30:00", "18:15:00")}).vstack(
        pl.DataFrame({"time": [None]}, schema={"time": pl.Time})
    )
    answers = frame.select(
        sessions.minute_index("time").alias("index"),
        sessions.zone_id("time").alias("id"),
        sessions.zone_name("time").alias("name"),
    )
    assert answers.null_count().row(0) == (4, 4, 4)
    assert frame.select(sessions.in_session("time")).to_series().to_list() == [
        False,
        False,
        False,
        None,
    ]


@pytest.mark.parametrize(
    ("time", "zone"),
    [
        ("09:15:00", (1, "OPEN")),
        ("09:59:59", (1, "OPEN")),
        ("10:00:00", (2, "MID_MORN")),
        ("11:30:00", (3, "LUNCH")),
        ("12:59:00", (3, "LUNCH")),
        ("13:00:00", (4, "AFTERNOON")),
        ("15:00:00", (5, "CLOSE")),
        ("15:29:59", (5, "CLOSE")),
    ],
)
def test_zones_are_half_open(time: str, zone: tuple[int, str]) -> None:
    frame = pl.DataFrame({"time": clock(time)})
    assert frame.select(id=sessions.zone_id("time"), name=sessions.zone_name("time")).row(0) == zone


def test_time_to_expiry_counts_calendar_minutes_from_the_end_of_the_bar() -> None:
    cases = [
        ((9, 15), 0, 374),
        ((15, 23), 0, 6),
        ((15, 24), 0, 5),
        ((15, 29), 0, 5),
        ((15, 29), 1, 1440),
        ((9, 15), 3, 3 * 1440 + 374),
    ]
    day = dt.date(2025, 8, 29)
    frame = pl.DataFrame(
        {
            "ts_minute": [sessions.utc_minute(day, dt.time(*time)) for time, _, _ in cases],
            "expiry_date": [day + dt.timedelta(days=days) for _, days, _ in cases],
        },
        schema_overrides={"ts_minute": sessions.UTC_MINUTE},
    )
    minutes = frame.select(m=sessions.minutes_to_expiry(), y=sessions.years_to_expiry())
    assert minutes["m"].to_list() == [expected for _, _, expected in cases]
    assert minutes["y"].to_list() == pytest.approx([left / 525_600 for _, _, left in cases])


def test_an_expired_contract_stays_at_the_floor() -> None:
    frame = pl.DataFrame(
        {
            "ts_minute": [sessions.utc_minute(dt.date(2025, 8, 29), dt.time(10))],
            "expiry_date": [dt.date(2025, 8, 28)],
        },
        schema_overrides={"ts_minute": sessions.UTC_MINUTE},
    )
    assert frame.select(sessions.minutes_to_expiry()).item() == sessions.MINIMUM_MINUTES_TO_EXPIRY


def test_labels_from_0916_to_1530_are_bar_ends() -> None:
    ends = pl.Series([dt.time(9 + (16 + n) // 60, (16 + n) % 60) for n in range(375)])
    assert sessions.labels_are_bar_ends(ends)
    starts = pl.Series([dt.time(9 + (15 + n) // 60, (15 + n) % 60) for n in range(375)])
    assert not sessions.labels_are_bar_ends(starts)


@pytest.mark.parametrize(
    "labels",
    [
        ("09:16:00", "15:29:00"),  # a start-labelled file that lacks its first bar
        ("09:15:00", "09:16:00", "15:30:00"),  # both: a closing print, not a shift
        ("15:30:00",),
        ("09:17:00", "15:30:00"),
    ],
)
def test_incomplete_evidence_is_no_bar_end(labels: tuple[str, ...]) -> None:
    assert not sessions.labels_are_bar_ends(clock(*labels))


def test_bar_ends_are_judged_per_day_and_in_ist() -> None:
    one = dt.datetime(2022, 1, 3, 9, 16)
    other = dt.datetime(2022, 1, 4, 15, 30)
    assert not sessions.labels_are_bar_ends(pl.Series([one, other]))
    same = pl.Series([one, one.replace(hour=15, minute=30), None])
    assert sessions.labels_are_bar_ends(same)
    assert sessions.labels_are_bar_ends(
        same.dt.replace_time_zone("Asia/Kolkata").dt.convert_time_zone("UTC")
    )
    assert not sessions.labels_are_bar_ends(pl.Series([], dtype=pl.Time))


def test_the_real_index_file_is_labelled_by_bar_ends(real_data: Path) -> None:
    file = real_data / "options" / "raw" / "index_1min" / "NIFTY_2022.parquet"
    assert sessions.labels_are_bar_ends(pl.read_parquet(file)["ts"])


def test_zones_and_minutes_equal_those_of_the_real_files(real_data: Path) -> None:
    chain = real_data / "options" / "chain"
    for name in ("symbol=NIFTY/NIFTY_2025-08-29", "symbol=BANKNIFTY/BANKNIFTY_2019-05-23"):
        frame = pl.read_parquet(chain / f"{name}.parquet").with_columns(
            ts_minute=sessions.ts_minute("trade_date", "trade_time")
        )
        agree = frame.select(
            (sessions.zone_id("trade_time") == pl.col("zone_id")).all().alias("id"),
            (sessions.zone_name("trade_time") == pl.col("zone_name")).all().alias("name"),
            (sessions.ist_time() == pl.col("trade_time")).all().alias("time"),
            (sessions.ist_date() == pl.col("trade_date")).all().alias("date"),
        )
        assert agree.row(0) == (True, True, True, True)
