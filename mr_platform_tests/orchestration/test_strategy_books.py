"""Landed books to stored months: what a load writes, keeps, refuses and mends."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import InputFileError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.partition_layout import BookPart
from mr_platform.gateways.storage_faults import StorageError
from mr_platform.gateways.wide_export import write_wide
from mr_platform.orchestration.strategy_books import (
    BOOK_TABLES,
    STRATEGIES,
    STRATEGY_FILES,
    STRATEGY_RETURNS,
    STRATEGY_ROWS,
    book_fingerprint,
    declared,
    read_book,
    read_part,
    read_parts,
    stored_books,
    wide_rows,
    write_part,
)
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.portfolio.strategy_headers import StrategyChoice
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    MONTHS,
    ODD_NAMES,
    Shelf,
    names,
    of_month,
    sheet,
    values_of,
    wide,
    zone_sheet,
)

SHEET = sheet()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_a_file_comes_back_with_its_bits_names_and_dates(shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)

    report = shelf.load()

    book = shelf.read()
    assert book.returns.names == names()
    assert np.array_equal(book.returns.pnl, values_of(SHEET, names()))
    assert [str(day) for day in book.returns.dates] == SHEET["Date"].to_list()
    assert (book.pnl_unit, book.returns.zones) == ("rupees", None)
    assert book.ids == {name: number for number, name in enumerate(names())}
    assert (report.rows, report.strategies, report.cells) == (40, 12, 480)
    assert report.months == report.replaced == MONTHS
    assert set(report.versions) == set(BOOK_TABLES)
    assert stored_books(shelf.lakehouse) == [BOOK]


def test_names_with_signs_and_blanks_reach_the_tables_as_they_are(shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)
    shelf.load()

    stored = read_part(shelf.lakehouse, STRATEGIES, BOOK)

    assert stored["name"].to_list()[: len(ODD_NAMES)] == list(ODD_NAMES)
    first = stored.row(0, named=True)
    assert (first["entry"], first["exit"], first["name_parsed"]) == ("09:30", "10:30", True)
    assert (first["stop_loss_percent"], first["take_profit_percent"]) == (38.0, 27.0)
    assert stored.row(1, named=True)["name_parsed"] is False


def test_loading_twice_writes_nothing_the_second_time(shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)
    first = shelf.load()
    before = shelf.versions()

    again = shelf.load()

    assert (again.replaced, again.cells, again.versions) == ((), 0, {})
    assert shelf.versions() == before
    assert again.fingerprint == first.fingerprint
    assert again.months == first.months


def test_a_file_of_one_more_month_touches_that_month_alone(shelf: Shelf) -> None:
    shelf.land("january.csv", of_month(SHEET, "2024-01"))
    shelf.load()
    january = shelf.lakehouse.scan(STRATEGY_RETURNS, [BookPart(BOOK, "2024-01")]).collect()
    shelf.land("february.csv", of_month(SHEET, "2024-02"))

    report = shelf.load(run_id="second")

    assert report.months == MONTHS
    assert report.replaced == ("2024-02",)
    for table in (STRATEGY_RETURNS, STRATEGY_ROWS):
        newest = shelf.lakehouse.history(table, 1)[0]
        assert newest.predicate == "(book = 'sensex' AND part IN ('2024-02'))"
        assert newest.version == report.versions[table]
    after = shelf.lakehouse.scan(STRATEGY_RETURNS, [BookPart(BOOK, "2024-01")]).collect()
    assert_frame_equal(after, january)
    assert np.array_equal(shelf.read().returns.pnl, values_of(SHEET, names()))


def test_a_changed_cell_replaces_its_month(shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)
    shelf.load()
    first = pl.int_range(pl.len()) == 0
    name = names()[3]
    changed = SHEET.with_columns(pl.when(first).then(1.25).otherwise(name).alias(name))
    shelf.land("year.csv", changed)

    assert shelf.load().replaced == ("2024-01",)
    assert np.array_equal(shelf.read().returns.pnl, values_of(changed, names()))


def test_rows_of_a_file_gone_from_landing_stay(shelf: Shelf) -> None:
    file = shelf.land("january.csv", of_month(SHEET, "2024-01"))
    shelf.load()
    file.unlink()
    shelf.land("february.csv", of_month(SHEET, "2024-02"))

    report = shelf.load()

    assert report.months == ("2024-02",)
    assert np.array_equal(shelf.read().returns.pnl, values_of(SHEET, names()))
    assert read_part(shelf.lakehouse, STRATEGY_FILES, BOOK)["file"].to_list() == [
        "strategy_books/sensex/february.csv"
    ]


def test_rows_of_the_same_month_stay_when_their_file_is_gone(shelf: Shelf) -> None:
    january = of_month(SHEET, "2024-01")
    file = shelf.land("first_half.csv", january.head(10))
    shelf.load()
    file.unlink()
    shelf.land("second_half.csv", january.slice(10))

    report = shelf.load()

    assert (report.kept_cells, report.replaced) == (10 * len(names()), ("2024-01",))
    assert np.array_equal(shelf.read().returns.pnl, values_of(january, names()))
    sources = read_parts(shelf.lakehouse, STRATEGY_ROWS, BOOK)["source_file"].to_list()
    assert sources == ["strategy_books/sensex/first_half.csv"] * 10 + [
        "strategy_books/sensex/second_half.csv"
    ] * (january.height - 10)
    before = shelf.versions()
    assert shelf.load().versions == {}
    assert shelf.versions() == before


def test_strategies_of_a_file_that_is_gone_keep_their_number_and_source(shelf: Shelf) -> None:
    january = of_month(SHEET, "2024-01")
    old = ["Date", "Day", *names()[:4]]
    file = shelf.land("old.csv", january.head(10).select(old))
    shelf.load()
    file.unlink()
    shelf.land("new.csv", january.slice(10).drop(names()[:4]))
    shelf.load()

    stored = shelf.read()

    assert stored.ids == {name: number for number, name in enumerate(names())}
    sources = dict(stored.strategies.select("name", "source_file").rows())
    assert {sources[name] for name in names()[:4]} == {"strategy_books/sensex/old.csv"}
    assert {sources[name] for name in names()[4:]} == {"strategy_books/sensex/new.csv"}
    kept = stored.returns.pnl[:10, :4]
    assert np.array_equal(kept, values_of(january.head(10), names()[:4]))
    assert not stored.returns.pnl[10:, :4].any(), "no row of a strategy counts as 0"


def test_numbers_stay_when_a_file_is_added_before(shelf: Shelf) -> None:
    shelf.land("b.csv", SHEET.drop(names()[:4]))
    shelf.load()
    numbers = shelf.read().ids
    shelf.land("a.csv", SHEET.select("Date", "Day", *names()[:4]))

    report = shelf.load()

    found = shelf.read()
    assert report.strategies == 12
    assert {name: found.ids[name] for name in numbers} == numbers
    assert sorted(found.ids.values()) == list(range(12))
    columns = [name for name, _ in sorted(found.ids.items(), key=lambda item: item[1])]
    assert np.array_equal(found.returns.pnl, values_of(SHEET, columns))


def test_files_that_contradict_are_both_named_and_nothing_is_written(shelf: Shelf) -> None:
    shelf.land("a.csv", SHEET)
    shelf.load()
    before = shelf.versions()
    other = of_month(SHEET, "2024-02").with_columns(pl.col(names()[5]) + 1)
    shelf.land("b.csv", other)

    with pytest.raises(InputFileError, match=r"strategy_books/sensex/b\.csv") as refused:
        shelf.load()

    assert "strategy_books/sensex/a.csv" in str(refused.value)
    assert names()[5] in str(refused.value)
    assert shelf.versions() == before


def test_cells_that_two_files_hold_alike_are_counted(shelf: Shelf) -> None:
    shelf.land("a.csv", SHEET)
    shelf.land("b.csv", of_month(SHEET, "2024-02"))

    report = shelf.load()

    assert report.repeated_cells == 12 * of_month(SHEET, "2024-02").height
    assert np.array_equal(shelf.read().returns.pnl, values_of(SHEET, names()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.csv", b""),
        ("broken.csv", b"<!DOCTYPE html><html>\n"),
        ("broken.csv", b"When,A\n2024-01-04,1\n"),
        ("broken.parquet", b"PAR1 and no more"),
        ("broken.csv.gz", b"\x1f\x8b cut"),
    ],
    ids=["empty", "a page", "no date", "cut Parquet", "cut gzip"],
)
def test_a_file_that_cannot_be_read_leaves_the_tables_as_they_are(
    name: str, content: bytes, shelf: Shelf
) -> None:
    shelf.land("year.csv", SHEET)
    shelf.load()
    before = shelf.versions()
    (shelf.landing.folder / BOOK / name).write_bytes(content)

    with pytest.raises(InputFileError, match=f"strategy_books/sensex/{name}"):
        shelf.load()

    assert shelf.versions() == before
    (shelf.landing.folder / BOOK / name).unlink()
    assert shelf.load().versions == {}


def test_an_absent_book_is_told_with_those_there_are(shelf: Shelf) -> None:
    with pytest.raises(InputFileError, match="no file of this book is landed"):
        shelf.load("nifty")
    shelf.land("year.csv", SHEET)
    with pytest.raises(InputFileError, match="Books: sensex"):
        shelf.load("nifty")
    with pytest.raises(InputFileError, match="nothing of this book is stored"):
        read_book(shelf.lakehouse, BOOK)
    assert stored_books(shelf.lakehouse) == []
    assert read_part(shelf.lakehouse, STRATEGIES, BOOK).is_empty()
    assert read_parts(shelf.lakehouse, "portfolios", BOOK).is_empty()


@pytest.mark.parametrize("table", [STRATEGY_RETURNS, STRATEGY_ROWS, STRATEGY_FILES])
@pytest.mark.parametrize("first", [True, False], ids=["first load", "later load"])
def test_a_load_cut_off_after_a_table_is_made_whole_by_the_next(
    table: str, first: bool, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not first:
        shelf.land("old.csv", of_month(SHEET, "2024-01").select("Date", "Day", *names()[:6]))
        shelf.load()
    shelf.land("year.csv", SHEET)

    with monkeypatch.context() as patched:
        _stop_after(patched, table)
        with pytest.raises(StorageError, match="the plug was pulled"):
            shelf.load()
    if first:
        with pytest.raises(InputFileError, match="nothing of this book is stored"):
            shelf.read()
    shelf.load()

    book = shelf.read()
    assert book.returns.names == names()
    assert np.array_equal(book.returns.pnl, values_of(SHEET, names()))
    assert shelf.load().versions == {}


@pytest.mark.parametrize("table", [STRATEGY_RETURNS, STRATEGY_ROWS])
def test_a_book_between_the_tables_of_a_load_is_whole_or_refused(
    table: str, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = of_month(SHEET, "2024-01").select("Date", "Day", *names()[:6])
    shelf.land("old.csv", old)
    shelf.load()
    shelf.land("year.csv", SHEET)
    with monkeypatch.context() as patched:
        _stop_after(patched, table)
        with pytest.raises(StorageError):
            shelf.load()

    if table == STRATEGY_RETURNS:
        with pytest.raises(InputFileError, match="a load was broken off") as refused:
            shelf.read()
        assert str(refused.value).startswith(BOOK)
        assert f"mr portfolio load FILE --book {BOOK}" in str(refused.value.next_step)
    else:
        book = shelf.read()
        assert book.returns.names == names()[:6], "strategies without a name are not seen"
        assert np.array_equal(book.returns.pnl, values_of(SHEET, names()[:6]))
    shelf.load()

    assert shelf.read().returns.names == names()
    assert np.array_equal(shelf.read().returns.pnl, values_of(SHEET, names()))


def test_an_inverted_strategy_has_the_number_of_its_original(shelf: Shelf) -> None:
    own = "SENSEX 1000-1100 SL0%"
    shelf.land("year.csv", SHEET.rename({names()[1]: f"{own}_inv"}))
    shelf.load()
    book = shelf.read()

    def numbers(*renamed: tuple[str, str]) -> dict[str, int]:
        told = tuple(dict(renamed).get(name, name) for name in book.returns.names)
        found = StrategyReturns(book.returns.pnl, told, book.returns.dates)
        return dict(zip(told, book.numbers(found), strict=True))

    assert numbers() == book.ids
    assert numbers((names()[0], f"{names()[0]}_inv"))[f"{names()[0]}_inv"] == book.ids[names()[0]]
    both = numbers((own, f"{own}_inv"), (f"{own}_inv", f"{own}_inv_inv"))
    assert both[f"{own}_inv"] == book.ids[own]
    assert both[f"{own}_inv_inv"] == book.ids[f"{own}_inv"]
    with pytest.raises(KeyError):
        numbers((own, "nobody"))


def test_units_and_zones_do_not_mix(shelf: Shelf) -> None:
    shelf.land("a.csv", SHEET)
    shelf.load()
    before = shelf.versions()
    shelf.land("b.csv", zone_sheet())
    with pytest.raises(InputFileError, match="percent"):
        shelf.load()
    (shelf.landing.folder / BOOK / "a.csv").unlink()
    with pytest.raises(InputFileError, match="those stored of the book sensex in rupees"):
        shelf.load()
    (shelf.landing.folder / BOOK / "b.csv").unlink()
    dated = SHEET.with_columns(Zone=pl.lit("A"))
    shelf.land("c.csv", dated)
    shelf.land("a.csv", SHEET)
    with pytest.raises(InputFileError, match="rows by zone, the other by day"):
        shelf.load()
    (shelf.landing.folder / BOOK / "a.csv").unlink()
    with pytest.raises(InputFileError, match="zone"):
        shelf.load()

    assert shelf.versions() == before


def test_another_month_by_zone_is_refused_where_the_book_is_stored_by_day(shelf: Shelf) -> None:
    file = shelf.land("january.csv", of_month(SHEET, "2024-01"))
    shelf.load()
    before = shelf.versions()
    file.unlink()
    shelf.land("february.csv", of_month(SHEET, "2024-02").with_columns(Zone=pl.lit("A")))

    with pytest.raises(InputFileError, match="zone"):
        shelf.load()

    assert shelf.versions() == before
    assert shelf.read().returns.zones is None


def test_rows_by_zone_keep_zones_units_and_what_they_say_of_themselves(shelf: Shelf) -> None:
    frame = zone_sheet()
    shelf.land("zones.csv", frame)
    report = shelf.load()

    book = shelf.read()

    assert (report.pnl_unit, book.pnl_unit) == ("percent", "percent")
    assert book.returns.zones == tuple(frame["zone"])
    rows = read_parts(shelf.lakehouse, STRATEGY_ROWS, BOOK).sort("date", "zone")
    confidence = (frame["Regime_Confidence_%"] / 100).to_list()
    assert rows["regime_confidence"].to_list() == pytest.approx(confidence, rel=1e-15)
    assert rows["start_time"].to_list() == frame["start_time"].to_list()
    assert shelf.load().versions == {}


def test_a_folder_stands_before_the_names_of_its_strategies(shelf: Shelf) -> None:
    shelf.land("july.csv", SHEET)
    shelf.land("atm/july.csv", SHEET.with_columns(pl.col(pl.Float64) + 1))

    report = shelf.load()

    prefixed = [f"atm_{name}" for name in names()]
    book = shelf.read()
    assert set(book.returns.names) == {*names(), *prefixed}
    columns = {name: book.returns.pnl[:, place] for place, name in enumerate(book.returns.names)}
    for name in names():
        assert np.array_equal(columns[name], SHEET[name].to_numpy())
        assert np.array_equal(columns[f"atm_{name}"], (SHEET[name] + 1).to_numpy())
    assert report.strategies == 24


def test_only_chosen_strategies_are_stored(shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)

    shelf.load(choice=StrategyChoice(("SENSEX *",), ("*SL7%",)))

    assert set(shelf.read().returns.names) == {
        name for name in names() if name.startswith("SENSEX ") and not name.endswith("SL7%")
    }
    files = read_part(shelf.lakehouse, STRATEGY_FILES, BOOK)
    assert files["excluded"].to_list() == [12 - shelf.read().returns.strategies]


def declare_own(shelf: Shelf, text: str) -> None:
    (shelf.landing.folder / BOOK / "book.yaml").write_text(text)


def test_a_strategy_that_the_book_excludes_leaves_it_and_comes_back(shelf: Shelf) -> None:
    shelf.land("january.csv", of_month(SHEET, "2024-01"))
    shelf.land("gone.csv", SHEET.select("Date", other=pl.col(names()[0])))
    shelf.load()
    before = shelf.values()
    (shelf.landing.folder / BOOK / "gone.csv").unlink()
    declare_own(shelf, "exclude: ['SENSEX *']\n")

    shelf.load()

    kept = [name for name in (*names(), "other") if not name.startswith("SENSEX ")]
    assert set(shelf.read().returns.names) == set(kept)
    # a file that is gone takes nothing with it, nor does what is excluded beside it
    assert_frame_equal(shelf.values(), before.filter(pl.col("name").is_in(kept)))

    declare_own(shelf, "include: ['*']\n")
    shelf.load()
    assert_frame_equal(shelf.values(), before)


def test_dates_misread_before_are_not_left_beside_the_right_ones(shelf: Shelf) -> None:
    days = ["03-01-2024", "04-01-2024", "05-01-2024"]
    shelf.land("year.csv", SHEET.head(3).with_columns(Date=pl.Series(days), Day=None))
    declare_own(shelf, "date_format: '%m-%d-%Y'\n")
    shelf.load()
    before = shelf.values()

    declare_own(shelf, "date_format: '%d-%m-%Y'\n")
    with pytest.raises(InputFileError, match="gave 3 rows other dates"):
        shelf.load()
    assert_frame_equal(shelf.values(), before)


def test_cells_without_a_number_are_counted_located_and_told(shelf: Shelf) -> None:
    odd = names()[0]
    spoilt = SHEET.with_columns(pl.col(odd).cast(pl.String)).with_columns(
        pl.when(pl.int_range(pl.len()) == 3)
        .then(pl.lit("n/a"))
        .when(pl.int_range(pl.len()) == 4)
        .then(pl.lit("abc"))
        .otherwise(pl.col(odd))
        .alias(odd)
    )
    shelf.land("year.csv", spoilt)

    report = shelf.load()

    assert (report.missing_cells, report.unreadable_cells) == (1, 1)
    assert list(shelf.read().returns.pnl[3:5, 0]) == [0.0, 0.0]
    (faults,) = read_part(shelf.lakehouse, STRATEGY_FILES, BOOK)["first_faults"]
    assert [(fault["column"], fault["text"]) for fault in json.loads(faults)] == [
        (odd, "n/a"),
        (odd, "abc"),
    ]


def test_two_books_do_not_touch_each_other(shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)
    shelf.land("year.csv", sheet(seed=9), book="other")
    shelf.load()
    first = shelf.values()
    shelf.load("other")

    assert_frame_equal(shelf.values(), first)
    assert stored_books(shelf.lakehouse) == ["other", BOOK]
    assert shelf.load().versions == {}


def test_the_fingerprint_is_that_of_names_and_contents(shelf: Shelf) -> None:
    shelf.land("a.csv", SHEET)
    before = book_fingerprint(shelf.landing.files_of(BOOK))
    file = shelf.land("a.csv", SHEET)
    assert book_fingerprint(shelf.landing.files_of(BOOK)) == before
    file.rename(file.with_name("b.csv"))
    assert book_fingerprint(shelf.landing.files_of(BOOK)) != before
    shelf.land("b.csv", SHEET.head(39))
    assert book_fingerprint(shelf.landing.files_of(BOOK)) != before


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_the_wide_export_loads_back_with_the_same_bits(ending: str, shelf: Shelf) -> None:
    shelf.land("year.csv", SHEET)
    shelf.load()
    target = shelf.landing.folder / "again" / f"export.{ending}"

    write_wide(wide_rows(shelf.read()), target, shelf.read().pnl_unit)
    shelf.load("again")

    assert_frame_equal(wide(shelf.read("again")), wide(shelf.read()), check_exact=True)
    labels = [
        read_parts(shelf.lakehouse, STRATEGY_ROWS, book).drop("book", "source_file")
        for book in (BOOK, "again")
    ]
    assert_frame_equal(*labels)


def test_the_wide_export_of_zones_keeps_zones_confidence_and_bits(shelf: Shelf) -> None:
    shelf.land("zones.csv", zone_sheet())
    shelf.load()
    target = shelf.landing.folder / "again" / "export.parquet"

    write_wide(wide_rows(shelf.read()), target, shelf.read().pnl_unit)
    shelf.load("again")

    assert_frame_equal(wide(shelf.read("again")), wide(shelf.read()), check_exact=True)
    confidence = [
        read_parts(shelf.lakehouse, STRATEGY_ROWS, book)["regime_confidence"].to_list()
        for book in (BOOK, "again")
    ]
    assert confidence[0] == confidence[1]
    assert shelf.read("again").pnl_unit == shelf.read().pnl_unit == "percent"


def test_rows_are_stored_as_the_table_declares_them(shelf: Shelf) -> None:
    rows = pl.DataFrame(
        {"zone": [None], "pnl": [1], "date": [dt.date(2024, 1, 4)], "strategy_id": [3]}
    )

    version = write_part(shelf.lakehouse, STRATEGY_RETURNS, rows, BOOK, "2024-01")

    stored = read_part(shelf.lakehouse, STRATEGY_RETURNS, BOOK, "2024-01")
    assert_frame_equal(stored, declared(STRATEGY_RETURNS, rows, BOOK, "2024-01"))
    assert stored.schema["strategy_id"] == pl.Int32
    assert shelf.lakehouse.version(STRATEGY_RETURNS) == version
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        declared(STRATEGY_RETURNS, rows.drop("pnl"), BOOK, "2024-01")


def _stop_after(patched: pytest.MonkeyPatch, table: str) -> None:
    """Let nothing be written once a table was."""
    stopped = []

    def pulling(method: str) -> None:
        write = getattr(Lakehouse, method)

        def writing(self, name, *given, **named):
            if stopped:
                raise StorageError("the plug was pulled", place=name)
            report = write(self, name, *given, **named)
            if name == table:
                stopped.append(name)
            return report

        patched.setattr(Lakehouse, method, writing)

    pulling("replace_partitions")
    pulling("replace_one_by_one")
