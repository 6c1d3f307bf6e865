from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import MissingInputError
from mr_platform.orchestration.day_tables import read_day
from mr_platform.trading_calendar import CALENDAR_FIRST, PartitionKey, next_trading_day
from mr_platform_tests.orchestration.small_days import small_day
from mr_platform_tests.pictures import picture_days as days


def test_a_day_is_read_from_the_front_expiry_with_the_tables_there_are(tmp_path: Path) -> None:
    day = read_day(days.store(tmp_path, "c1", "c8"), days.KEY)
    assert day.expiry == days.FRONT
    assert day.expiries == (days.FRONT, days.NEXT)
    assert_frame_equal(day.panel.sort("expiry_date", "j"), days.panel())
    assert list(day.components) == ["c1", "c8"]
    assert day.levels("spot")["close"] == 24_990.0


def test_missing_tables_come_with_the_command_that_makes_them(tmp_path: Path) -> None:
    missing = read_day(days.store(tmp_path, "c1"), days.KEY).missing
    assert [each.table for each in missing] == [f"c{n}_features" for n in range(2, 9)]
    assert missing[0].command == ("mr materialize +c2_features --dates 2025-09-03 --symbols NIFTY")


def test_levels_of_the_previous_trading_day_may_be_missing(tmp_path: Path) -> None:
    tables = days.lakehouse(tmp_path)
    tables.replace_partitions("minute_panel", days.panel(), [days.KEY])
    day = read_day(tables, days.KEY)
    assert day.levels("spot") == {}
    assert day.missing[0].table == "hist_daily"
    assert "--dates 2025-09-02" in day.missing[0].command


def test_rows_not_stored_yet_are_read_in_place_of_the_table(tmp_path: Path) -> None:
    tables = days.store(tmp_path)
    day = read_day(tables, days.KEY, unstored={"c8_features": days.features("c8")})
    assert list(day.components) == ["c8"]


def test_an_expiry_that_is_not_quoted_names_those_that_are(tmp_path: Path) -> None:
    tables = days.store(tmp_path)
    assert read_day(tables, days.KEY, days.NEXT).expiry == days.NEXT
    with pytest.raises(MissingInputError, match="2025-09-09, 2025-09-30"):
        read_day(tables, days.KEY, dt.date(2025, 9, 16))


def test_a_day_without_panel_tells_what_to_run(tmp_path: Path) -> None:
    tables = days.store(tmp_path)
    tomorrow = PartitionKey(next_trading_day(days.DAY), "NIFTY")
    with pytest.raises(MissingInputError, match="nor does option_chain") as unfed:
        read_day(tables, tomorrow)
    assert "mr ingest PATH" in str(unfed.value)
    chain = small_day(tomorrow).select("strike", symbol="index_name", date="trade_date")
    typed = chain.with_columns(chain["date"].str.to_date())
    tables.replace_partitions("option_chain", typed, [tomorrow])
    with pytest.raises(MissingInputError) as fed:
        read_day(tables, tomorrow)
    assert "ingest" not in str(fed.value)
    assert f"mr materialize +minute_panel --dates {tomorrow.date}" in str(fed.value)


def test_the_first_day_of_the_calendar_has_no_levels(tmp_path: Path) -> None:
    first = PartitionKey(CALENDAR_FIRST, "NIFTY")
    panel = days.panel().with_columns(date=CALENDAR_FIRST)
    tables = days.lakehouse(tmp_path)
    tables.replace_partitions("minute_panel", panel, [first])
    day = read_day(tables, first)
    assert day.previous.is_empty()
    assert "hist_daily" not in [each.table for each in day.missing]
