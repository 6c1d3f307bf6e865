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
    missing = read_day(days.store(tmp_path, "c1", "c8"), days.KEY).missing
    assert [each.table for each in missing] == [f"c{n}_features" for n in range(2, 8)]
    assert missing[0].command == ("mr materialize +c2_features --dates 2025-09-03 --symbols NIFTY")


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ((), "c1_features to c8_features"),
        (("c1",), "c2_features to c8_features"),
        (("c1", "c2", "c3", "c4", "c6", "c7"), "c5_features, c8_features"),
    ],
)
def test_what_one_command_makes_is_told_in_one_line(
    tmp_path: Path, stored: tuple[str, ...], told: str
) -> None:
    (missing,) = read_day(days.store(tmp_path, *stored), days.KEY).missing
    assert missing.table == told
    assert missing.command == "mr materialize +c8_features --dates 2025-09-03 --symbols NIFTY"


def test_levels_of_the_previous_trading_day_may_be_missing(tmp_path: Path) -> None:
    tables = days.lakehouse(tmp_path)
    tables.replace_partitions("minute_panel", days.panel(), [days.KEY])
    day = read_day(tables, days.KEY)
    assert day.levels("spot") == {}
    # without a chain of that day no command but that which lands its file can work
    assert day.missing[0].table == "hist_daily"
    assert day.missing[0].command == "mr ingest PATH"
    assert "2025-09-02 are not drawn" in day.missing[0].effect
    assert "needs its NIFTY option-chain file" in day.missing[0].effect
    assert "no rows of the day before" in day.missing[0].text


def test_levels_of_a_previous_day_whose_chain_is_there_can_be_made(tmp_path: Path) -> None:
    tables = days.lakehouse(tmp_path)
    tables.replace_partitions("minute_panel", days.panel(), [days.KEY])
    before = PartitionKey(days.BEFORE, days.KEY.symbol)
    chain = small_day(before).select("strike", symbol="index_name", date="trade_date")
    typed = chain.with_columns(chain["date"].str.to_date())
    tables.replace_partitions("option_chain", typed, [before])
    missing = read_day(tables, days.KEY).missing[0]
    assert missing.command == "mr materialize +hist_daily --dates 2025-09-02 --symbols NIFTY"
    assert "needs" not in missing.effect


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
