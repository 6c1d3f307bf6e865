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
    listed,
)
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
