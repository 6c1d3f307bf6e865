"""Tables of books that an earlier version made, which lack columns that are declared now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.config.settings import ParquetSettings
from mr_platform.errors import TableError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.partition_layout import BookPart
from mr_platform.orchestration.book_freshness import BEST_PORTFOLIO, BookAge
from mr_platform.orchestration.book_tables import (
    BEFORE_THE_COLUMN,
    no_rows,
    store_parts,
    stored_rows,
)
from mr_platform.orchestration.stored_portfolios import current_portfolios
from mr_platform.orchestration.strategy_books import read_book, read_part
from mr_platform.registry.portfolio_tables import load_portfolio_tables
from mr_platform_tests.orchestration.book_graph import BookGraph, open_books
from mr_platform_tests.orchestration.small_books import BOOK, plain_pages, sheet

NEWER = {"portfolios": ["parameters", "balance", "sharpe", "cvar_99"], BEST_PORTFOLIO: ["data_key"]}
"""Columns that were declared after the first homes were made."""

SIZE = 4
TABLE = "portfolio_members"
OLD = BookPart("old", "004")
NEW = BookPart("new", "004")
ROW = {
    "size": 4,
    "algorithm": "genetic",
    "form": "legacy",
    "place": 1,
    "strategy_id": 7,
    "name": "a",
}


def rows(key: BookPart) -> pl.DataFrame:
    """One declared row of a part."""
    schema = load_portfolio_tables()[TABLE].schema
    return pl.DataFrame([{"book": key.book, "part": key.part, **ROW}], schema=schema)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """A table of an earlier version: without the column ``form``, which stands in the middle."""
    opened = Lakehouse(tmp_path, ParquetSettings())
    opened.replace_partitions(TABLE, rows(OLD).drop("form"), [OLD])
    return opened


def test_what_was_not_stored_is_null_at_its_declared_place(lakehouse: Lakehouse) -> None:
    expected = rows(OLD).with_columns(form=pl.lit(None, pl.String))

    assert_frame_equal(stored_rows(lakehouse, TABLE, [OLD]), expected)
    assert stored_rows(lakehouse, TABLE, [NEW]).equals(no_rows(TABLE))


def test_a_write_adds_the_column_and_leaves_the_rows_of_before(lakehouse: Lakehouse) -> None:
    store_parts(lakehouse, TABLE, [(NEW, rows(NEW))])

    assert list(lakehouse.schema(TABLE))[-1] == "form", "behind the columns that were there"
    assert_frame_equal(stored_rows(lakehouse, TABLE, [NEW]), rows(NEW))
    assert stored_rows(lakehouse, TABLE, [OLD])["form"].to_list() == [None]
    store_parts(lakehouse, TABLE, [(OLD, rows(OLD))])
    assert_frame_equal(stored_rows(lakehouse, TABLE, [OLD, NEW]), pl.concat([rows(NEW), rows(OLD)]))


def test_columns_are_added_once(lakehouse: Lakehouse) -> None:
    columns = load_portfolio_tables()[TABLE].schema
    assert lakehouse.add_columns(TABLE, columns)
    version = lakehouse.version(TABLE)
    assert not lakehouse.add_columns(TABLE, columns)
    assert lakehouse.version(TABLE) == version
    with pytest.raises(TableError, match=r"does not store: odd \(Time\)"):
        lakehouse.add_columns(TABLE, {"odd": pl.Time()})


def test_an_earlier_version_of_the_table_is_read_with_the_columns_of_now(
    lakehouse: Lakehouse,
) -> None:
    before = lakehouse.version(TABLE)
    store_parts(lakehouse, TABLE, [(NEW, rows(NEW))])
    lakehouse.restore(TABLE, before)

    assert stored_rows(lakehouse, TABLE, [OLD])["form"].to_list() == [None]
    store_parts(lakehouse, TABLE, [(NEW, rows(NEW))])
    assert_frame_equal(stored_rows(lakehouse, TABLE, [NEW]), rows(NEW))


def test_a_column_that_is_declared_no_more_is_not_read(lakehouse: Lakehouse) -> None:
    lakehouse.add_columns(TABLE, {"of_a_later_version": pl.String()})

    assert stored_rows(lakehouse, TABLE, [OLD]).columns == list(
        load_portfolio_tables()[TABLE].schema
    )
    with pytest.raises(TableError, match="missing of_a_later_version"):
        store_parts(lakehouse, TABLE, [(NEW, rows(NEW))])


def test_values_of_before_are_declared_columns() -> None:
    for table, column in BEFORE_THE_COLUMN:
        assert column in load_portfolio_tables()[table].schema


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookGraph]:
    """A searched and reported book whose tables are put back into the form of the first homes."""
    with plain_pages(), open_books(tmp_path_factory.mktemp("home") / "home") as graph:
        graph.shelf.land("year.csv", sheet())
        for run in (graph.load(), graph.search(SIZE), graph.report()):
            assert run.fault is None, run.fault
        whole = graph.shelf.lakehouse
        for table, newer in NEWER.items():
            part = f"{SIZE:03}" if table == "portfolios" else "all"
            stored = read_part(whole, table, BOOK, part)
            folder = Path(whole.uri(table))
            folder.rename(folder.with_name(f"{table} before"))
            whole.replace_partitions(table, stored.drop(newer), [BookPart(BOOK, part)])
            assert not set(newer) & set(whole.schema(table))
        yield graph


def test_portfolios_of_before_count_as_searched_without_balance(home: BookGraph) -> None:
    found = current_portfolios(home.shelf.lakehouse, read_book(home.shelf.lakehouse, BOOK))

    assert found.rows["balance"].unique().to_list() == ["{}"]
    assert found.rows["parameters"].null_count() == found.rows.height > 0
    assert found.rows["sharpe"].null_count() == found.rows["cvar_99"].null_count() > 0
    assert found.left_out == 0
    fault = BookAge(home.shelf.lakehouse, BOOK).best()
    assert fault is not None
    assert fault.startswith("it was made by an earlier version")


def test_a_search_and_a_report_over_tables_of_before_store_all_of_now(home: BookGraph) -> None:
    for run in (home.search(SIZE), home.report()):
        assert run.fault is None, run.fault
        assert run.refused == ()

    stored = read_part(home.shelf.lakehouse, "portfolios", BOOK, f"{SIZE:03}")
    assert stored["balance"].unique().to_list() == ["{}"]
    assert BookAge(home.shelf.lakehouse, BOOK).best() == ""
