"""Which days are overdue, by the calendar."""

from __future__ import annotations

import datetime as dt

import pytest

from mr_platform.orchestration.overdue import OverdueMemory, due_partitions, remember
from mr_platform.trading_calendar import IST, PartitionKey


def moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=IST)


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2025-08-29T18:29", ["2025-08-28"]),  # 29th closes 15:30, due three hours later
        ("2025-08-29T18:30", ["2025-08-28", "2025-08-29"]),
        ("2025-08-31T12:00", ["2025-08-28", "2025-08-29"]),  # a weekend adds nothing
    ],
)
def test_a_day_is_due_hours_after_its_close(now: str, days: list[str]) -> None:
    memory = OverdueMemory(moment("2025-08-27T18:00"))  # 27 August 2025 was a holiday
    due = due_partitions(memory, moment(now), 3)
    assert [str(key) for key in due] == [
        f"{day}|{symbol}" for day in days for symbol in ("BANKNIFTY", "NIFTY")
    ]


def test_days_that_closed_before_the_sensor_was_switched_on_are_never_due() -> None:
    memory = OverdueMemory(moment("2025-08-29T16:00"))
    assert due_partitions(memory, moment("2025-08-29T23:00"), 3) == []


def test_days_beyond_the_look_back_are_no_longer_due() -> None:
    memory = OverdueMemory(moment("2025-01-01T00:00"))
    due = due_partitions(memory, moment("2025-08-29T23:00"), 3)
    assert min(key.date for key in due) == dt.date(2025, 7, 30)


def test_a_date_past_the_calendar_is_no_fault() -> None:
    memory = OverdueMemory(moment("2099-01-01T00:00"))
    assert due_partitions(memory, moment("2099-02-01T00:00"), 3) == []


def test_what_was_told_is_remembered_while_it_is_due_and_then_forgotten() -> None:
    first = PartitionKey(dt.date(2025, 8, 28), "NIFTY")
    second = PartitionKey(dt.date(2025, 8, 29), "NIFTY")
    start = OverdueMemory(moment("2025-08-01T00:00"))
    once = remember(start, [first], [first])
    assert once.told == {str(first)}
    assert remember(once, [first, second], []).told == {str(first)}
    assert remember(once, [second], [second]).told == {str(second)}
    assert OverdueMemory.parse(once.text(), moment("2026-01-01T00:00")) == once


@pytest.mark.parametrize("cursor", ["by hand", "[]", '{"since": "2024-01-02T09:00:00"}'])
def test_a_cursor_that_cannot_be_read_is_begun_anew(cursor: str) -> None:
    now = dt.datetime(2024, 1, 2, 9, tzinfo=IST)
    assert OverdueMemory.parse(cursor, now) == OverdueMemory(now)
