from __future__ import annotations

import datetime as dt

import click
import pytest

from mr_platform.cli.arguments import DATES, NAMES, SYMBOLS, DateRange


def test_a_range_of_days_includes_both_ends() -> None:
    parsed = DATES.convert("2024-01-01:2024-01-31", None, None)
    assert parsed == DateRange(dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    assert dt.date(2024, 1, 31) in parsed
    assert dt.date(2024, 2, 1) not in parsed


def test_one_day_is_a_range() -> None:
    day = dt.date(2024, 1, 5)
    assert DATES.convert("2024-01-05", None, None) == DateRange(day, day)


@pytest.mark.parametrize("text", ["05-01-2024", "2024-01-05:", "2024-01-05:x", ":", "jan"])
def test_a_range_that_cannot_be_read_shows_a_right_one(text: str) -> None:
    if text == "2024-01-05:":
        assert DATES.convert(text, None, None).last == dt.date(2024, 1, 5)
        return
    with pytest.raises(click.BadParameter, match="2024-01-01:2024-01-31"):
        DATES.convert(text, None, None)


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="ends before it starts"):
        DATES.convert("2024-01-05:2024-01-04", None, None)


def test_names_are_distinct_and_in_order() -> None:
    assert NAMES.convert("b, a,b,", None, None) == ("b", "a")
    with pytest.raises(click.BadParameter, match="names nothing"):
        NAMES.convert(" , ", None, None)


def test_symbols_are_checked_and_taken_in_any_case() -> None:
    assert SYMBOLS.convert("nifty,BANKNIFTY", None, None) == ("NIFTY", "BANKNIFTY")
    with pytest.raises(click.BadParameter, match="SENSEX is no known symbol; known: NIFTY"):
        SYMBOLS.convert("SENSEX", None, None)
