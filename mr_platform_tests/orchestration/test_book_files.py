"""Landed files of a book, read."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.orchestration.book_files import (
    bars_not_used,
    book_fingerprint,
    file_rows,
    names_left_out,
    own_choice,
    read_file,
    read_regimes,
    regimes_taken,
    require_alike,
    require_same_dates,
    with_regimes,
)
from mr_platform.portfolio.book_sheets import LABELS_SCHEMA
from mr_platform.portfolio.strategy_headers import StrategyChoice

SHEET = "Date,Day,up,down\n2023-01-02,Monday,1,-1\n2023-01-03,Tuesday,2,x\n"
BARS = (
    "Date,Time,Market Regime,Confidence Score,Transition Threshold Score\n"
    "2023-01-02,09:15:00,Vol_Crush,0.8,0.4\n2023-01-02,13:00:00,Bearish_Panic,0.6,0.7\n"
)


@pytest.fixture
def landing(tmp_path: Path) -> StrategyLanding:
    """A book of one sheet and one file of bars."""
    sheet, bars = tmp_path / "july.csv", tmp_path / "bars.csv"
    sheet.write_text(SHEET, "utf-8")
    bars.write_text(BARS, "utf-8")
    zone = StrategyLanding(tmp_path / "landing")
    zone.place([sheet], "mine")
    zone.place([bars], "mine", regimes=True)
    return zone


def test_results_and_bars_lie_apart(landing: StrategyLanding) -> None:
    files = {file.file.relative: file.holds_regimes for file in landing.files_of("mine")}
    assert files == {
        "strategy_books/mine/july.csv": False,
        "strategy_books/mine/regimes/bars.csv": True,
    }


def test_a_sheet_is_read_with_its_account(landing: StrategyLanding) -> None:
    (file,) = [file for file in landing.files_of("mine") if not file.holds_regimes]
    generous = StrategyChoice(limits=None, exclude=("nothing",))
    with pytest.raises(InputFileError, match="down"):
        read_file(file, generous)  # half of a strategy's cells are no numbers
    read = read_file(file, StrategyChoice(include=("up",)))

    assert read.book_sheet.names == ("up",)
    assert read.book_sheet.place == "strategy_books/mine/july.csv"
    (row,) = file_rows([read]).to_dicts()
    assert (row["rows"], row["strategies"], row["excluded"]) == (2, 1, 1)
    assert row["sha256"] == read.sha256
    assert json.loads(row["first_faults"]) == []


def test_lines_that_end_in_two_ways_are_told(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed.csv"
    mixed.write_bytes(b"Date,up\n2023-01-02,1\r\n2023-01-03,2\n")
    zone = StrategyLanding(tmp_path / "landing")
    zone.place([mixed], "mine")
    assert "end in two ways" in " ".join(
        read_file(zone.files_of("mine")[0], StrategyChoice()).warnings
    )


def test_rows_take_from_bars_what_they_do_not_say(landing: StrategyLanding) -> None:
    (file,) = [file for file in landing.files_of("mine") if file.holds_regimes]
    bars = read_regimes(file)
    none = {name: [None] * 3 for name in LABELS_SCHEMA}
    rows = pl.DataFrame(none, schema=LABELS_SCHEMA).with_columns(
        date=pl.Series([dt.date(2023, 1, 2)] * 2 + [dt.date(2023, 1, 4)]),
        start_time=pl.Series([None, dt.time(14), None]),
        regime_confidence=pl.Series([None, 0.99, None], dtype=pl.Float64),
    )
    told = with_regimes(rows, [bars])

    assert told["market_regime"].to_list() == ["Vol_Crush", "Bearish_Panic", None]
    assert told["regime_confidence"].to_list() == [0.8, 0.99, None], "what a row says stays"
    assert told.schema == rows.schema
    assert with_regimes(rows, []).equals(rows)


def test_the_fingerprint_follows_content_and_place(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    before = book_fingerprint(landing.files_of("mine"))
    assert book_fingerprint(landing.files_of("mine")) == before
    (landing.folder / "mine" / "july.csv").write_text(SHEET.replace("1,-1", "1,-2"), "utf-8")
    assert book_fingerprint(landing.files_of("mine")) != before


def rows_of(*days: dt.date, start: str | None = None, regime: str | None = None) -> pl.DataFrame:
    at = None if start is None else dt.time.fromisoformat(start)
    given = {"date": list(days), "start_time": [at] * len(days), "market_regime": regime}
    return pl.DataFrame({name: given.get(name) for name in LABELS_SCHEMA}, schema=LABELS_SCHEMA)


@pytest.mark.parametrize(
    ("rows", "taken", "why"),
    [
        (rows_of(dt.date(2023, 1, 2), dt.date(2023, 1, 3), start="14:00"), 1, None),
        (
            rows_of(dt.date(2023, 1, 3), dt.date(2023, 1, 4), start="14:00"),
            0,
            "bars are of 2023-01-02 to 2023-01-02, rows of 2023-01-03 to 2023-01-04",
        ),
        (
            rows_of(dt.date(2023, 1, 2), start="09:14"),
            0,
            "1 rows are of days with bars, but start before the first bar is known",
        ),
        (
            rows_of(dt.date(2023, 1, 2), start="14:00", regime="Vol_Crush"),
            0,
            "all rows of the files say theirs themselves",
        ),
    ],
    ids=["one of two days", "other days", "too early", "told by the rows"],
)
def test_rows_that_took_a_regime_are_counted_and_why_none_did_is_told(
    rows: pl.DataFrame, taken: int, why: str | None, landing: StrategyLanding
) -> None:
    (file,) = [file for file in landing.files_of("mine") if file.holds_regimes]
    bars = [read_regimes(file)]

    assert regimes_taken(rows, with_regimes(rows, bars)) == taken
    if why is not None:
        told = bars_not_used(rows, bars)
        assert told == f"no row took a regime from the bars: {why}"


def declared(landing: StrategyLanding, text: str) -> StrategyChoice:
    """The choice of the book once it declares this."""
    (landing.folder / "mine" / "book.yaml").write_text(text, "utf-8")
    settings = StrategyChoice(include=("up", "x"), exclude=("x",))
    return own_choice(landing.files_of("mine"), settings)


def test_what_the_book_declares_stands_in_the_place_of_the_settings(
    landing: StrategyLanding,
) -> None:
    settings = StrategyChoice(include=("up", "x"), exclude=("x",))
    assert own_choice(landing.files_of("mine"), settings) is settings

    choice = declared(landing, "exclude: [y]\nmissing_in_all: 0.5\ndate_format: '%d/%m/%Y'\n")

    assert (choice.include, choice.exclude) == (("up", "x"), ("y",))
    assert choice.limits is not None
    assert (choice.limits.missing_in_all, choice.limits.missing_in_strategy) == (0.5, 0.1)
    assert choice.own.date_format == "%d/%m/%Y"
    with pytest.raises(InputFileError, match=r"^strategy_books/mine/book\.yaml: line 1: unknown"):
        declared(landing, "exlude: [y]\n")


def test_strategies_left_out_are_named_as_in_the_book(tmp_path: Path) -> None:
    (tmp_path / "july.csv").write_text(SHEET, "utf-8")
    zone = StrategyLanding(tmp_path / "landing")
    zone.place([tmp_path / "july.csv"], "mine")
    zone.place([tmp_path / "july.csv"], "mine", prefixed=True)
    choice = StrategyChoice(include=("up",))

    read = [read_file(file, choice) for file in zone.files_of("mine")]

    assert names_left_out(read) == {"down", "july_down"}


def test_the_declaration_is_part_of_the_fingerprint(landing: StrategyLanding) -> None:
    before = book_fingerprint(landing.files_of("mine"))
    declared(landing, "exclude: [y]\n")
    other = book_fingerprint(landing.files_of("mine"))
    assert other != before
    (landing.folder / "mine" / "book.yaml").unlink()
    assert book_fingerprint(landing.files_of("mine")) == before


def test_bars_handed_in_as_results_are_refused_with_the_option_for_bars(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(BARS, "utf-8")
    zone = StrategyLanding(tmp_path / "landing")
    zone.place([tmp_path / "bars.csv"], "mine")

    with pytest.raises(InputFileError, match="is a file of regime bars") as refused:
        read_file(zone.files_of("mine")[0], StrategyChoice())

    assert "mr portfolio load FILE --book mine --regimes bars.csv" in str(refused.value)


def test_what_does_not_fit_to_what_is_stored_is_refused(landing: StrategyLanding) -> None:
    (file,) = [file for file in landing.files_of("mine") if file.holds_results]
    read = read_file(file, StrategyChoice(include=("up",)))
    place = "strategy_books/mine/july.csv"
    files = pl.DataFrame({"file": [place], "sha256": [read.sha256], "pnl_unit": ["rupees"]})
    days = [dt.date(2023, 1, 2), dt.date(2023, 2, 1)]
    rows = pl.DataFrame(
        {"date": days, "zone": [None, None], "source_file": [place, place]},
        schema_overrides={"zone": pl.String},
    )

    require_alike(read.book_sheet, "mine", files, rows)
    percent = files.with_columns(pnl_unit=pl.lit("percent"))
    with pytest.raises(InputFileError, match="in rupees, those stored of the book mine in percent"):
        require_alike(read.book_sheet, "mine", percent, rows)
    zones = rows.with_columns(zone=pl.lit("A"))
    with pytest.raises(InputFileError, match="rows are by day, those stored of the book mine by z"):
        require_alike(read.book_sheet, "mine", files, zones)
    require_same_dates([read], files, rows.head(1))
    require_same_dates([read], files.with_columns(sha256=pl.lit("other bytes")), rows)
    with pytest.raises(InputFileError, match=r"gave 1 rows other dates .* such as 2023-02-01"):
        require_same_dates([read], files, rows)
