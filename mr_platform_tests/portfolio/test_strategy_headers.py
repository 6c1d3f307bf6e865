"""Headers of strategy sheets: format by names alone, near misses explained, wanted strategies."""

from __future__ import annotations

import dataclasses

import pytest

from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.portfolio.strategy_headers import (
    StrategyChoice,
    check_names,
    choose_strategies,
    detect_format,
    format_of_sheet,
    listed,
)
from mr_platform.registry.book_declaration import BookDeclaration
from mr_platform.registry.strategy_files import load_strategy_files

DECLARED = load_strategy_files()
FULL = [
    *("Date", "start_time", "end_time", "day", "zone", "market_regime", "Regime_Confidence_%"),
    *("Market_regime_transition_threshold", "capital", "S1"),
]


@pytest.mark.parametrize(
    ("columns", "container", "name"),
    [
        (["Date", "Day", "S1"], "csv", "legacy_csv"),
        (["date", "S1"], "csv", "legacy_csv"),
        (["DATE", "Zone", "DAY", "S1"], "csv", "legacy_csv"),
        (FULL, "csv", "enhanced_csv"),
        ([name.upper() for name in reversed(FULL)], "csv", "enhanced_csv"),
        (["Date", "S1"], "parquet", "wide_parquet"),
        (["Date", "Zone", "regime_confidence", "capital", "S1"], "parquet", "wide_parquet"),
    ],
)
def test_a_header_tells_its_format_whatever_case_and_order(columns, container, name):
    assert detect_format(columns, container, DECLARED, "s").name == name


@pytest.mark.parametrize(
    ("columns", "container", "told"),
    [
        (["Dates", "S1"], "csv",
         ["2 columns", "nearest is legacy_csv", "missing 'Date'", "'Dates' may be meant"]),
        (FULL[:4] + FULL[6:], "csv",
         ["nearest is enhanced_csv", "missing 'Zone', 'market_regime'"]),
        (["Date", "capital", "S1"], "csv", ["nearest is legacy_csv", "not part of it 'capital'"]),
        (["Date", "Regime_Confidence_%", "S1"], "parquet",
         ["nearest is wide_parquet", "not part of it 'Regime_Confidence_%'"]),
        (["S1"], "parquet", ["missing 'Date'"]),
    ],
)  # fmt: skip
def test_a_header_of_no_format_names_the_nearest_and_what_differs(columns, container, told):
    with pytest.raises(UnknownDialectError) as refused:
        detect_format(columns, container, DECLARED, "in/s.csv")

    assert refused.value.place == "in/s.csv"
    assert [text for text in told if text not in refused.value.fault] == []


def test_a_container_without_formats_says_so():
    csv_alone = {"legacy_csv": DECLARED.formats["legacy_csv"]}
    declared = dataclasses.replace(DECLARED, formats=csv_alone)

    with pytest.raises(UnknownDialectError, match="a parquet file, for which no format"):
        detect_format(["Date"], "parquet", declared, "s")


def test_names_that_are_blank_or_repeated_are_told_with_their_places():
    with pytest.raises(InputFileError, match="2 columns without a name: 2, 4"):
        check_names(["Date", "", "S1", "  "], DECLARED, "s")
    with pytest.raises(InputFileError, match=r"1 names that stand over several.*'S1' at 2, 4"):
        check_names(["Date", "S1", "S2", "S1"], DECLARED, "s")
    with pytest.raises(InputFileError, match="'date' at 1, 3"):
        check_names(["Date", "S1", "DATE"], DECLARED, "s")


def test_strategies_are_told_apart_by_case():
    check_names(["Date", "s1", "S1"], DECLARED, "s")


NAMES = ["SENSEX 930-1030 SL7%", "SENSEX 930-1030 SL7%TP9%", "NIFTY 930-1030 SL7%", "a[1]"]


@pytest.mark.parametrize(
    ("include", "exclude", "chosen"),
    [
        (("*",), (), [0, 1, 2, 3]),
        (("SENSEX *",), (), [0, 1]),
        (("*",), ("*TP*", "NIFTY*"), [0, 3]),
        (("NIFTY*", "a[1]"), (), [2, 3]),
        (("?ENSEX 930-1030 SL7%",), (), [0]),
        (("sensex*", "a*"), (), [3]),
    ],
)
def test_patterns_choose_strategies(include, exclude, chosen):
    assert choose_strategies(NAMES, StrategyChoice(include, exclude), "s") == chosen


@pytest.mark.parametrize(("include", "exclude"), [(("x*",), ()), ((), ()), (("*",), ("*",))])
def test_a_choice_of_nothing_is_refused(include, exclude):
    with pytest.raises(InputFileError, match="has 4 strategies, none of which is chosen"):
        choose_strategies(NAMES, StrategyChoice(include, exclude), "s")


def test_long_lists_are_cut_and_counted():
    assert listed([1, "b"]) == "1, 'b'"
    assert listed(range(7)) == "0, 1, 2, 3, 4 and 2 more"


def twins():
    """The declaration with a second format of the header of the first."""
    legacy = DECLARED.formats["legacy_csv"]
    other = dataclasses.replace(legacy, name="day_first_csv", date_format="%d-%m-%Y")
    return dataclasses.replace(DECLARED, formats={**DECLARED.formats, other.name: other})


def test_a_header_that_two_formats_fit_alike_is_refused_until_one_is_named():
    with pytest.raises(UnknownDialectError) as refused:
        detect_format(["Date", "Day", "S1"], "csv", twins(), "in/s.csv")
    assert "2 declared formats fit alike: legacy_csv, day_first_csv" in refused.value.fault
    assert "--format legacy_csv, or format: legacy_csv in book.yaml" in str(refused.value)

    own = BookDeclaration(format="day_first_csv")
    assert format_of_sheet(["Date", "S1"], "csv", twins(), "s", own).date_format == "%d-%m-%Y"
    # the more particular one is no twin
    assert detect_format(FULL, "csv", twins(), "s").name == "enhanced_csv"


def test_what_the_book_says_stands_in_the_place_of_its_format():
    own = BookDeclaration(date_format="%d/%m/%Y", confidence_unit="fraction")

    assert format_of_sheet(["Date", "S1"], "csv", DECLARED, "s", own).date_format == "%d/%m/%Y"
    full = format_of_sheet(FULL, "csv", DECLARED, "s", own)
    assert (full.name, full.date_format, full.confidence_unit) == (
        "enhanced_csv", "%d/%m/%Y", "fraction",
    )  # fmt: skip


def test_a_named_format_takes_further_metadata_whose_unit_is_declared():
    columns = ["Date", "market_regime", "Regime_Confidence_%", "S1"]
    with pytest.raises(UnknownDialectError, match="--format legacy_csv"):
        detect_format(columns, "csv", DECLARED, "s")
    named = BookDeclaration(format="legacy_csv")
    with pytest.raises(UnknownDialectError) as refused:
        format_of_sheet(columns, "csv", DECLARED, "s", named)
    assert "of which legacy_csv does not declare the confidence_unit" in refused.value.fault
    assert "--confidence-unit; it is never guessed" in str(refused.value)

    own = named.updated(BookDeclaration(confidence_unit="percent"))
    assert format_of_sheet(columns, "csv", DECLARED, "s", own).confidence_unit == "percent"


@pytest.mark.parametrize(
    ("columns", "container", "told"),
    [
        (["Dates", "S1"], "csv", "lacks 'Date' of legacy_csv, which its book names"),
        (["Date", "S1"], "parquet", "is a parquet file, legacy_csv, which its book names, is of"),
        (["Date", "regime_confidence", "Regime_Confidence_%", "S1"], "csv",
         "several columns that mean regime_confidence: 'regime_confidence', 'Regime_Confidence_%'"),
    ],
)  # fmt: skip
def test_a_named_format_that_does_not_fit_is_told(columns, container, told):
    own = BookDeclaration(format="legacy_csv", confidence_unit="percent")
    with pytest.raises(UnknownDialectError) as refused:
        format_of_sheet(columns, container, DECLARED, "s", own)
    assert told in refused.value.fault
    assert refused.value.next_step
