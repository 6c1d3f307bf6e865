"""What a book may declare of its own, and every fault of it with its line."""

from __future__ import annotations

import dataclasses

import pytest

from mr_platform.errors import InputFileError
from mr_platform.registry.book_declaration import (
    BookDeclaration,
    format_fault,
    option_of,
    parse_book_declaration,
    pattern_fault,
)
from mr_platform.registry.strategy_files import load_strategy_files

PLACE = "strategy_books/mine/book.yaml"
WHOLE = BookDeclaration(
    format="legacy_csv",
    date_format="%d-%m-%Y",
    time_format="%H:%M",
    confidence_unit="fraction",
    threshold_unit="percent",
    pnl_unit="percent",
    include=("SENSEX *", "*"),
    exclude=("*50 %*", "1"),
    missing_in_strategy=0.2,
    missing_in_all=1.0,
)


def test_every_setting_is_written_and_read_back() -> None:
    assert set(WHOLE.given) == {field.name for field in dataclasses.fields(WHOLE)}
    assert parse_book_declaration(WHOLE.text().encode(), PLACE) == WHOLE


def test_what_a_file_does_not_name_is_not_declared() -> None:
    read = parse_book_declaration(b"date_format: '%d/%m/%Y'\n", PLACE)

    assert read.given == {"date_format": "%d/%m/%Y"}
    assert read.updated(BookDeclaration(exclude=("a",))).given == {
        "date_format": "%d/%m/%Y",
        "exclude": ("a",),
    }
    assert WHOLE.updated(read).date_format == "%d/%m/%Y"
    assert WHOLE.updated(BookDeclaration()) == WHOLE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("exlude: [a]", "line 1: unknown field exlude. Near: exclude"),
        ("exclude: [a]\n\nformat: legcy_csv", "line 3: unknown format 'legcy_csv'. Near: legacy"),
        ("date_format: '%d-%m'", "line 1: date_format '%d-%m' does not tell a whole date"),
        ("date_format: dd-mm-yyyy", "such as %d-%m-%Y"),
        ("time_format: '%H'", "time_format '%H' does not tell a whole time of day"),
        ("confidence_unit: percnt", "unknown confidence_unit 'percnt'. Near: percent"),
        ("pnl_unit: dollars", "unknown pnl_unit 'dollars'"),
        ("include: SENSEX*", "include must be a list, was 'SENSEX*'"),
        ("include: []", "include names no pattern"),
        ("exclude:\n- a\n- 930", "line 3: a pattern must be text, was 930"),
        ("missing_in_strategy: 20", "missing_in_strategy must be a number from 0 to 1, was 20"),
        ("missing_in_all: true", "missing_in_all must be a number from 0 to 1, was True"),
        ("format:", "format must be text, was nothing"),
        ("exclude: [a]\nexclude: [b]", "line 2: the key exclude is declared twice"),
        ("", "line 1: the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("[a]", "the file must be a mapping"),
        ("format: [", "not readable as YAML"),
    ],
)
def test_a_fault_names_the_file_and_its_line(text: str, told: str) -> None:
    with pytest.raises(InputFileError) as refused:
        parse_book_declaration(text.encode(), PLACE)

    assert refused.value.place == PLACE
    assert told in refused.value.fault
    assert "Correct the lines" in str(refused.value)


def test_all_faults_are_told_at_once_and_bytes_that_are_no_text() -> None:
    with pytest.raises(InputFileError, match=r"line 1: .*; line 2: .*"):
        parse_book_declaration(b"exlude: [a]\nform: x\n", PLACE)
    with pytest.raises(InputFileError, match="is not UTF-8 text"):
        parse_book_declaration(b"exclude: [\xff]", PLACE)


@pytest.mark.parametrize(
    "form", ["%d-%m-%Y", "%d/%m/%y", "%d-%b-%Y", "%Y%m%d", "%F", "%-d.%-m.%Y", "%Y-%m-%d %H:%M:%S"]
)
def test_forms_of_whole_dates(form: str) -> None:
    assert pattern_fault("date_format", form) is None


@pytest.mark.parametrize("form", ["%Q", "%", "%Y-%m", "%H:%M", "%s", "%d.%m"])
def test_forms_that_leave_a_date_open(form: str) -> None:
    assert "does not tell a whole date" in str(pattern_fault("date_format", form))


@pytest.mark.parametrize(("form", "whole"), [("%H:%M", True), ("%I:%M %p", True), ("%Y", False)])
def test_forms_of_times(form: str, whole: bool) -> None:
    assert (pattern_fault("time_format", form) is None) is whole


def test_formats_are_the_declared_ones() -> None:
    assert {format_fault(name) for name in load_strategy_files().formats} == {None}
    assert format_fault("legacy") == "unknown format 'legacy'. Near: legacy_csv"


def test_the_book_stands_in_the_place_of_format_and_limits() -> None:
    declared = load_strategy_files()
    form = declared.formats["enhanced_csv"]
    own = BookDeclaration(confidence_unit="fraction", missing_in_all=0.5)

    read = own.format_of(form)
    assert (read.confidence_unit, read.date_format) == ("fraction", form.date_format)
    assert read.declarer("confidence_unit") == "the book"
    assert read.declarer("date_format") == "enhanced_csv"
    limits = own.limits_of(declared.limits)
    assert (limits.missing_in_all, limits.missing_in_strategy) == (0.5, 0.1)
    assert BookDeclaration().format_of(form) == form


def test_settings_are_options_of_the_same_name() -> None:
    assert option_of("missing_in_all") == "--missing-in-all"
