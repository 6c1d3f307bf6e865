"""How books stand: landed, loaded, searched, of now or not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import polars as pl
import pytest

from mr_platform.config.settings import ParquetSettings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_freshness import BEST_PORTFOLIO, PORTFOLIO_REPORT
from mr_platform.orchestration.book_status import (
    BOOK_ITSELF,
    CHANGED,
    LOADED,
    NOT_LOADED,
    WITHOUT_FILES,
    BookState,
    book_states,
)
from mr_platform.orchestration.strategy_books import read_part, write_part
from mr_platform_tests.orchestration.book_graph import BookGraph, open_books
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    STRATEGIES,
    of_month,
    plain_pages,
    sheet,
)

SIZE = 4


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookGraph]:
    """A book of January, searched and reported; one that was loaded, one that only was landed."""
    with plain_pages(), open_books(tmp_path_factory.mktemp("home") / "home") as opened:
        for book in (BOOK, "plain", "waiting"):
            opened.shelf.land("january.csv", of_month(sheet(), "2024-01"), book=book)
        for run in (opened.load(), opened.load("plain"), opened.search(SIZE), opened.report()):
            assert run.fault is None, run.fault
        yield opened


def states(graph: BookGraph) -> dict[str, BookState]:
    """How each book stands now, by name."""
    found = book_states(graph.shelf.lakehouse, graph.shelf.landing, graph.instance)
    return {state.book: state for state in found}


def test_each_book_is_told_as_it_stands(graph: BookGraph) -> None:
    found = states(graph)

    assert list(found) == ["plain", BOOK, "waiting"]
    months = ("2024-01",)
    assert found["waiting"] == BookState("waiting", 1, NOT_LOADED, 0, (), 0, 0, None, {})
    assert found["plain"] == BookState("plain", 1, LOADED, STRATEGIES, months, 0, 0, None, {})
    best = read_part(graph.shelf.lakehouse, BEST_PORTFOLIO, BOOK)["fitness"][0]
    assert found[BOOK] == BookState(BOOK, 1, LOADED, STRATEGIES, months, 2, 0, best, {})


def test_other_files_and_files_that_are_gone_are_told(graph: BookGraph) -> None:
    further = graph.shelf.land("february.csv", of_month(sheet(), "2024-02"))
    only = graph.shelf.landing.folder / "plain" / "january.csv"
    content = only.read_bytes()
    only.unlink()
    try:
        found = states(graph)
        assert (found[BOOK].loaded, found[BOOK].files) == (CHANGED, 2)
        assert (found["plain"].loaded, found["plain"].files) == (WITHOUT_FILES, 0)
        assert found[BOOK].not_current == {}, "what is stored is as it was"
    finally:
        further.unlink()
        only.write_bytes(content)
    assert states(graph)["plain"].loaded == LOADED


def test_what_a_book_declares_is_no_file_of_it_but_a_change(graph: BookGraph) -> None:
    declaration = graph.shelf.landing.folder / "plain" / "book.yaml"
    declaration.write_text("exclude: [a]\n")
    try:
        found = states(graph)["plain"]
    finally:
        declaration.unlink()
    assert (found.files, found.loaded) == (1, CHANGED)
    assert states(graph)["plain"].loaded == LOADED


def test_portfolios_of_other_returns_are_counted_apart(graph: BookGraph) -> None:
    lakehouse, part = graph.shelf.lakehouse, f"{SIZE:03}"
    stored = read_part(lakehouse, "portfolios", BOOK, part)
    older = stored.with_columns(data_key=pl.lit("of before"))
    write_part(lakehouse, "portfolios", older, BOOK, part)
    try:
        state = states(graph)[BOOK]
    finally:
        write_part(lakehouse, "portfolios", stored, BOOK, part)

    assert (state.portfolios, state.older_portfolios, state.best_fitness) == (0, 2, None)
    assert set(state.not_current) == {BEST_PORTFOLIO, PORTFOLIO_REPORT}
    assert states(graph)[BOOK].not_current == {}


def test_only_portfolios_of_the_latest_measure_are_compared(graph: BookGraph) -> None:
    lakehouse, part = graph.shelf.lakehouse, f"{SIZE + 1:03}"
    before = states(graph)[BOOK]
    assert graph.search(SIZE + 1, metric="expectancy").fault is None
    found = read_part(lakehouse, "portfolios", BOOK, part)
    try:
        state = states(graph)[BOOK]
    finally:
        write_part(lakehouse, "portfolios", found.clear(), BOOK, part)

    assert (state.portfolios, state.older_portfolios, state.other_portfolios) == (2, 0, 2)
    assert state.best_fitness == found["fitness"].max()
    assert state.best_fitness != before.best_fitness
    assert states(graph)[BOOK] == before


@pytest.mark.parametrize("table", ["portfolios", "strategy_returns", "strategies"])
def test_a_damaged_table_hides_no_book(graph: BookGraph, table: str) -> None:
    logs = graph.shelf.home / "lakehouse" / table / "_delta_log"
    gone = logs.rename(logs.with_name("log"))
    (logs.parent / "_delta_log").mkdir()
    (logs.parent / "_delta_log" / f"{0:020}.json").write_text("{")
    try:
        fresh = Lakehouse(graph.shelf.home / "lakehouse", ParquetSettings())
        found = {one.book: one for one in book_states(fresh, graph.shelf.landing, graph.instance)}
    finally:
        shutil.rmtree(logs)
        gone.rename(logs)

    assert list(found) == ["plain", BOOK, "waiting"]
    assert table in found[BOOK].not_current[BOOK_ITSELF]
    assert found[BOOK].loaded == LOADED
    assert found[BOOK].strategies == (0 if table == "strategies" else STRATEGIES)
    assert found[BOOK].months == (() if table == "strategy_returns" else ("2024-01",))
    assert states(graph)[BOOK].not_current == {}


def test_a_book_that_cannot_be_read_is_told_and_the_others_too(graph: BookGraph) -> None:
    lakehouse = graph.shelf.lakehouse
    stored = read_part(lakehouse, "strategy_rows", BOOK, "2024-01")
    write_part(lakehouse, "strategy_rows", stored.head(1), BOOK, "2024-01")
    try:
        found = states(graph)
    finally:
        write_part(lakehouse, "strategy_rows", stored, BOOK, "2024-01")

    assert "a load was broken off" in found[BOOK].not_current["book"]
    assert found["plain"].not_current == {}
