"""Partitions: the trading calendar × symbol, keys and ranges."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from mr_platform.orchestration.partitions import (
    MAX_PARTITIONS_PER_RUN,
    PARTITIONS,
    TRADING_DATES,
    batches,
    dagster_key,
    parse_keys,
    range_tags,
)
from mr_platform.trading_calendar import CALENDAR_FIRST, SYMBOLS, PartitionKey, trading_days

IST = ZoneInfo("Asia/Kolkata")
NIFTY, BANKNIFTY = "NIFTY", "BANKNIFTY"


def key(day: str, symbol: str = NIFTY) -> PartitionKey:
    return PartitionKey(dt.date.fromisoformat(day), symbol)


def test_text_and_hash_of_the_dates_are_those_of_dagster_s_own() -> None:
    plain = dg.DailyPartitionsDefinition
    assert repr(TRADING_DATES) == plain.__repr__(TRADING_DATES)
    assert hash(TRADING_DATES) == plain.__hash__(TRADING_DATES)


def test_partitions_are_exactly_trading_days_times_symbols() -> None:
    now = dt.datetime(2025, 12, 31, 12, tzinfo=IST)
    days = trading_days(CALENDAR_FIRST, dt.date(2025, 12, 31))
    wanted = {f"{day}|{symbol}" for day in days for symbol in SYMBOLS}
    assert {str(text) for text in PARTITIONS.get_partition_keys(current_time=now)} == wanted


@pytest.mark.parametrize(
    ("day", "present"),
    [
        ("2024-03-02", True),  # live-trading Saturday
        ("2025-02-01", True),  # Budget Saturday
        ("2024-03-09", False),  # ordinary Saturday
        ("2024-03-08", False),  # holiday
        ("2024-03-07", True),
    ],
)
def test_special_sessions_are_partitions_and_holidays_are_not(day: str, present: bool) -> None:
    assert TRADING_DATES.has_partition_key(day) is present


def test_todays_partition_exists_while_the_session_runs() -> None:
    before_open = dt.datetime(2025, 8, 29, 0, 30, tzinfo=IST)
    assert TRADING_DATES.get_partition_keys(current_time=before_open)[-1] == "2025-08-29"


def test_keys_translate_both_ways_and_come_back_in_order() -> None:
    keys = [key("2025-08-28", BANKNIFTY), key("2025-08-28"), key("2025-08-29")]
    texts = [dagster_key(item) for item in reversed(keys)]
    assert parse_keys(texts) == keys
    assert parse_keys([*texts, *texts]) == keys


def test_a_batch_is_the_range_that_dagster_reads_from_its_tags() -> None:
    days = trading_days(dt.date(2024, 2, 26), dt.date(2024, 4, 12))
    asked = {PartitionKey(day, symbol) for day in days for symbol in SYMBOLS}
    asked -= {key("2024-03-05"), key("2024-03-11", BANKNIFTY)}
    seen: list[PartitionKey] = []
    for batch in batches(asked):
        assert len(batch) <= MAX_PARTITIONS_PER_RUN
        tags = range_tags(batch)
        whole = dg.PartitionKeyRange(
            tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]
        )
        assert parse_keys(PARTITIONS.get_partition_keys_in_range(whole)) == batch
        seen += batch
    assert sorted(seen) == sorted(asked)


def test_a_gap_splits_a_batch_because_a_range_would_fill_it() -> None:
    first, second, third = key("2024-03-04"), key("2024-03-05"), key("2024-03-06")
    assert batches([third, first]) == [[first], [third]]
    assert batches([third, first, second]) == [[first, second, third]]
    assert batches([third, first, second], limit=2) == [[first, second], [third]]


def test_no_keys_make_no_batches() -> None:
    assert batches([]) == []
