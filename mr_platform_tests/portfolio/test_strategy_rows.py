"""Rows of strategy sheets: declared dates and units, faults with their rows, order."""

from __future__ import annotations

import dataclasses
import datetime as dt

import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.portfolio.strategy_rows import (
    ROWS_SCHEMA,
    day_mismatches,
    days_without_trading,
    read_rows,
    sort_rows,
)
from mr_platform.registry.strategy_files import load_strategy_files

DECLARED = load_strategy_files()
LEGACY = DECLARED.formats["legacy_csv"]
FULL = DECLARED.formats["enhanced_csv"]
CONFIDENCE = "Regime_Confidence_%"


def rows(form=FULL, **labels: list[object]) -> pl.DataFrame:
    labels.setdefault("Date", ["02-01-2023" if form is FULL else "2023-01-02"] * 2)
    return read_rows(
        "in/s.csv",
        {name: pl.Series(values) for name, values in labels.items()},
        {name: DECLARED.metadata[name.lower()] for name in labels},
        form,
        DECLARED,
    )


def test_every_field_is_typed_and_what_is_absent_is_null():
    found = rows(
        Date=["02-01-2023", "03-01-2023"],
        zone=["A", " B "],
        start_time=["09:15:00", ""],
        market_regime=["Vol_Crush", None],
        capital=["3575000", None],
        **{CONFIDENCE: ["72", "100"], "Market_regime_transition_threshold": ["0.663", "1"]},
    )

    assert dict(found.schema) == ROWS_SCHEMA
    assert found.row(0, named=True) == {
        "date": dt.date(2023, 1, 2),
        "zone": "A",
        "day": None,
        "start_time": dt.time(9, 15),
        "end_time": None,
        "market_regime": "Vol_Crush",
        "regime_confidence": 0.72,
        "transition_threshold": 0.663,
        "capital": 3575000.0,
        "file_row": 1,
    }
    assert found.row(1)[1:4] == ("B", None, None)
    assert found["regime_confidence"][1] == 1.0


def test_a_date_is_read_as_the_format_declares_it():
    assert rows(LEGACY, Date=["2023-02-01"])["date"].to_list() == [dt.date(2023, 2, 1)]
    assert rows(FULL, Date=["02-01-2023"])["date"].to_list() == [dt.date(2023, 1, 2)]
    typed = [dt.date(2023, 1, 2), dt.date(2023, 1, 3)]
    assert rows(FULL, Date=typed)["date"].to_list() == typed
    instants = [dt.datetime(2023, 1, 2), dt.datetime(2023, 1, 3)]
    assert rows(FULL, Date=instants)["date"].to_list() == typed


@pytest.mark.parametrize("shares", [[0.0, 0.56, 0.7, 0.93, 1.0], [0.295, 0.705]])
def test_both_units_of_confidence_give_the_same_mask(shares):
    dates = [dt.date(2023, 1, 2)] * len(shares)
    fraction = dataclasses.replace(FULL, confidence_unit="fraction")
    percents = [str(round(share * 1000) / 10) for share in shares]

    by_percent = rows(FULL, Date=dates, **{CONFIDENCE: percents})["regime_confidence"]
    by_fraction = rows(fraction, Date=dates, **{CONFIDENCE: shares})["regime_confidence"]

    for limit in (0.5, 0.56, 0.7, 0.93):
        assert (by_percent >= limit).to_list() == (by_fraction >= limit).to_list()


BAD: dict[str, tuple[dict[str, list[object]], str]] = {
    "day first in ISO": ({"Date": ["02-01-2023"], "form": [LEGACY]},
        "Date is not of the form %Y-%m-%d that legacy_csv declares in 1 of 1 rows: row 1 "
        "('02-01-2023')"),
    "ISO in day first": ({"Date": ["2023-01-02"]}, "is not of the form %d-%m-%Y"),
    "no such day": ({"Date": ["30-02-2023"]}, "is not of the form"),
    "month first": ({"Date": ["01-13-2023"]}, "is not of the form"),
    "no date": ({"Date": ["02-01-2023", ""]}, "Date is missing in 1 of 2 rows: row 2"),
    "short year": ({"Date": ["02-01-23"]}, "Date lies outside the calendar"),
    "far date": ({"Date": ["02-01-2199"]}, "Date lies outside the calendar of 2018-01-01 to"),
    "hour": ({"Date": [dt.datetime(2023, 1, 2, 9)]}, "Date has an hour"),
    "whole number as date": ({"Date": [20230102]}, "Date is stored as Int64 and holds no dates"),
    "number as time": ({"end_time": [9.5, 9.5]}, "end_time is stored as Float64 and holds no"),
    "time": ({"start_time": ["9h15", "09:15:00"]}, "start_time is not of the form %H:%M:%S"),
    "zone": ({"zone": ["A", "E"]}, "zone is none of A, B, C, D, Zone 1, Zone 2, Zone 3, Zone 4, "
        "Outside Market in 1 of 2 rows: row 2 ('E')"),
    "no zone": ({"zone": ["A", None]}, "zone is missing in 1 of 2 rows"),
    "percent above 100": ({CONFIDENCE: ["72", "101"]},
        f"{CONFIDENCE} is declared in percent by enhanced_csv and lies outside 0 to 100 per cent "
        "in 1 of 2 rows: row 2 ('101')"),
    "negative confidence": ({CONFIDENCE: ["-1", "50"]}, "lies outside 0 to 100 per cent"),
    "confidence in words": ({CONFIDENCE: ["high", "50"]}, f"{CONFIDENCE} is no number"),
    "confidence with a unit": ({CONFIDENCE: ["72%", "50"]}, f"{CONFIDENCE} is no number"),
    "NaN confidence": ({CONFIDENCE: [float("nan"), 50.0]}, f"{CONFIDENCE} is no number"),
    "fraction declared, percent given": (
        {"regime_confidence": ["72", "81"], "form": [DECLARED.formats["wide_parquet"]]},
        "is declared in fraction by wide_parquet and lies outside 0 to 1 in 2 of 2 rows"),
    "threshold": ({"Market_regime_transition_threshold": ["1.5", "0"]}, "lies outside 0 to 1"),
    "negative capital": ({"capital": ["100", "-1"]}, "capital is negative in 1 of 2 rows: row 2"),
    "capital with commas": ({"capital": ["3,575,000", "1"]}, "capital is no number"),
    "infinite capital": ({"capital": ["inf", "1"]}, "capital is no number"),
    "capital as truth": ({"capital": [True, False]}, "capital is stored as Boolean"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_label_is_told_with_its_rows(kind):
    labels, fault = BAD[kind]
    labels = dict(labels)
    [form] = labels.pop("form", [FULL])

    with pytest.raises(InputFileError) as refused:
        rows(form, **labels)

    assert refused.value.place == "in/s.csv"
    assert fault in refused.value.fault
    assert refused.value.next_step


def test_rows_are_sorted_by_date_and_zone():
    found = rows(Date=["03-01-2023", "02-01-2023", "02-01-2023"], zone=["A", "B", "A"])

    assert sort_rows("s", found)["file_row"].to_list() == [3, 2, 1]
    alone = rows(Date=["03-01-2023", "02-01-2023"])
    assert sort_rows("s", alone)["file_row"].to_list() == [2, 1]


def test_a_repeated_row_is_refused_with_its_places():
    once = rows(Date=["02-01-2023"] * 4, zone=["A", "B", "A", "C"])
    with pytest.raises(InputFileError, match="2023-01-02 A in rows 1, 3") as refused:
        sort_rows("s", once)
    assert "pairs of date and zone that stand more than once, 1 in all" in refused.value.fault

    with pytest.raises(InputFileError, match=r"dates .* 2023-01-02 in rows 1, 2, 3 …"):
        sort_rows("s", rows(Date=["02-01-2023"] * 4))


def test_weekdays_are_compared_with_dates():
    found = rows(
        Date=["02-01-2023", "03-01-2023", "04-01-2023", "05-01-2023", "06-01-2023"],
        day=["Monday", "tue", " WEDNESDAY ", "Friday", None],
    )

    assert day_mismatches(found) == [4]
    assert day_mismatches(rows()) == []


def test_dates_without_trading_are_told_once():
    found = rows(Date=["26-01-2023", "25-01-2023", "28-01-2023", "26-01-2023"],
                 zone=["A", "A", "A", "B"])  # fmt: skip

    assert days_without_trading(found) == [dt.date(2023, 1, 26), dt.date(2023, 1, 28)]
    assert days_without_trading(found.clear()) == []


@pytest.mark.parametrize(
    ("labels", "step"),
    [
        ({"Date": ["2023-01-02"]}, "--date-format %Y-%m-%d, or date_format in book.yaml"),
        ({"start_time": ["9h15"]}, "--time-format %H:%M, or time_format in book.yaml"),
        ({CONFIDENCE: ["101"]}, "--confidence-unit fraction, or confidence_unit in book.yaml"),
        (
            {"Market_regime_transition_threshold": ["30"]},
            "--threshold-unit percent, or threshold_unit in book.yaml",
        ),
        ({"Date": ["02-01-23"]}, "--date-format FORM"),
    ],
)
def test_the_next_step_of_a_bad_label_is_an_option_that_a_person_can_give(labels, step):
    with pytest.raises(InputFileError) as refused:
        rows(FULL, **labels)
    assert step in str(refused.value.next_step)


def test_a_setting_of_the_book_is_told_as_the_books():
    own = dataclasses.replace(FULL, date_format="%Y/%m/%d", of_the_book=frozenset({"date_format"}))
    with pytest.raises(InputFileError, match="form %Y/%m/%d that the book declares"):
        rows(own, Date=["02-01-2023"])
