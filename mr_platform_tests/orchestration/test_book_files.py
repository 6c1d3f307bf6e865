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
    read_file,
    read_regimes,
    regimes_taken,
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
