"""What was made of a book, asked whether it is of the book as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from mr_platform.orchestration import book_freshness, book_runs, stored_portfolios
from mr_platform.orchestration.book_freshness import (
    BEST_PORTFOLIO,
    MADE_OF,
    PORTFOLIO_REPORT,
    ZONE_PORTFOLIOS,
    BookAge,
)
from mr_platform.orchestration.book_runs import BookRun
from mr_platform.orchestration.book_zones import ZoneConfig
from mr_platform.orchestration.strategy_books import read_part, write_part
from mr_platform_tests.orchestration.book_graph import BookGraph, open_books
from mr_platform_tests.orchestration.graph_runs import FAILED, PASSED
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    of_month,
    plain_pages,
    sheet,
    zone_sheet,
)

SIZE = 4
CHECKS = {
    BEST_PORTFOLIO: "best_portfolio_is_current",
    PORTFOLIO_REPORT: "report_is_current",
    ZONE_PORTFOLIOS: "zones_are_current",
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookGraph]:
    """A book of January that was loaded, searched and reported, and one by zones, searched."""
    with plain_pages(), open_books(tmp_path_factory.mktemp("home") / "home") as opened:
        opened.shelf.land("january.csv", of_month(sheet(), "2024-01"))
        opened.shelf.land("zones.csv", zone_sheet(), book="zones")
        for run in (opened.load(), opened.search(SIZE), opened.report(), opened.load("zones")):
            assert run.fault is None, run.fault
        zones = ZoneConfig(sizes=[3], evaluations=40)
        assert book_runs.zones(opened.definitions, opened.instance, "zones", zones).fault is None
        yield opened


def age_of(graph: BookGraph, book: str = BOOK) -> BookAge:
    return BookAge(graph.shelf.lakehouse, book)


def told(graph: BookGraph) -> dict[str, object]:
    return graph.metadata(PORTFOLIO_REPORT, BOOK)


def verdicts_of(run: BookRun) -> dict[str, tuple[bool, bool, str]]:
    names = set(CHECKS.values())
    return {
        one.asset: (one.passed, one.severe, one.sentence)
        for one in run.verdicts
        if one.check in names
    }


def test_what_was_just_made_is_current(graph: BookGraph) -> None:
    for asset, book in (
        (BEST_PORTFOLIO, BOOK),
        (PORTFOLIO_REPORT, BOOK),
        (ZONE_PORTFOLIOS, "zones"),
    ):
        found = graph.verdicts(asset, CHECKS[asset])
        assert found[book].status is PASSED
    assert age_of(graph).faults(told(graph)) == {}
    assert age_of(graph, "zones").faults(None) == {}


def test_what_was_never_made_has_no_verdict(graph: BookGraph) -> None:
    age = age_of(graph, "zones")

    assert (age.best(), age.report(None)) == (None, None)
    assert age_of(graph).zones() is None
    asked = graph.verdicts(BEST_PORTFOLIO, CHECKS[BEST_PORTFOLIO])["zones"]
    assert asked.status not in (PASSED, FAILED)


def test_a_load_of_the_same_files_leaves_it_current(graph: BookGraph) -> None:
    run = graph.load()

    assert {asset: passed for asset, (passed, _, _) in verdicts_of(run).items()} == {
        BEST_PORTFOLIO: True,
        PORTFOLIO_REPORT: True,
    }


def test_a_further_search_makes_choice_and_page_old(graph: BookGraph) -> None:
    lakehouse = graph.shelf.lakehouse
    stored = read_part(lakehouse, "portfolios", BOOK, f"{SIZE:03}")
    best = read_part(lakehouse, BEST_PORTFOLIO, BOOK)
    try:
        # another one is now the best: the one that was chosen is gone
        rest = stored.filter(pl.col("algorithm") != best["algorithm"][0])
        write_part(lakehouse, "portfolios", rest, BOOK, f"{SIZE:03}")
        faults = age_of(graph).faults(told(graph))
    finally:
        write_part(lakehouse, "portfolios", stored, BOOK, f"{SIZE:03}")

    assert set(faults) == {BEST_PORTFOLIO, PORTFOLIO_REPORT}
    assert faults[BEST_PORTFOLIO].startswith("portfolios were searched after it was chosen")
    assert faults[PORTFOLIO_REPORT].startswith("the book or its portfolios changed")
    for fault in faults.values():
        assert fault.endswith(f"mr portfolio report {BOOK}")
    assert age_of(graph).faults(told(graph)) == {}


@pytest.mark.parametrize("asset", [BEST_PORTFOLIO, ZONE_PORTFOLIOS])
def test_what_an_earlier_version_made_is_told_as_unknown(asset: str, graph: BookGraph) -> None:
    book = BOOK if asset == BEST_PORTFOLIO else "zones"
    stored = read_part(graph.shelf.lakehouse, asset, book)
    try:
        without = stored.with_columns(data_key=pl.lit(None, pl.String))
        write_part(graph.shelf.lakehouse, asset, without, book)
        faults = age_of(graph, book).faults(None)
    finally:
        write_part(graph.shelf.lakehouse, asset, stored, book)

    assert list(faults) == [asset]
    assert faults[asset].startswith("it was made by an earlier version")
    assert f" {book}" in faults[asset]


def test_a_page_of_an_earlier_version_is_told_as_unknown(graph: BookGraph) -> None:
    without = {name: value for name, value in told(graph).items() if name != MADE_OF}

    fault = age_of(graph).report(without)
    assert fault is not None
    assert fault.startswith("it was made by an earlier version")


def test_another_order_of_the_same_portfolios_is_the_same(graph: BookGraph) -> None:
    lakehouse, part = graph.shelf.lakehouse, f"{SIZE:03}"
    stored = read_part(lakehouse, "portfolios", BOOK, part)
    before = age_of(graph).made_of()
    write_part(lakehouse, "portfolios", stored.reverse(), BOOK, part)
    after = age_of(graph).made_of()
    write_part(lakehouse, "portfolios", stored, BOOK, part)

    assert before == after


@pytest.mark.parametrize("column", ["evaluations", "seed", "parameters", "convergence"])
def test_what_the_page_tells_of_a_search_makes_it_old(graph: BookGraph, column: str) -> None:
    lakehouse, part = graph.shelf.lakehouse, f"{SIZE:03}"
    stored = read_part(lakehouse, "portfolios", BOOK, part)
    other = pl.lit("[]") if stored.schema[column] == pl.String else pl.col(column) + 1
    write_part(lakehouse, "portfolios", stored.with_columns(other.alias(column)), BOOK, part)
    try:
        faults = age_of(graph).faults(told(graph))
    finally:
        write_part(lakehouse, "portfolios", stored, BOOK, part)

    assert list(faults) == [PORTFOLIO_REPORT]


def test_a_search_by_another_measure_makes_the_page_old(graph: BookGraph) -> None:
    """The rows are those stored before; which of them count is decided by the latest search."""
    lakehouse, part, before = graph.shelf.lakehouse, f"{SIZE:03}", age_of(graph).made_of()
    stored = read_part(lakehouse, "portfolios", BOOK, part)
    assert graph.search(3, metric="expectancy").fault is None
    other = read_part(lakehouse, "portfolios", BOOK, "003")
    try:
        fault = age_of(graph).report(told(graph))
        of_other = age_of(graph).made_of()
        later = stored.with_columns(searched_at=pl.lit("2999-01-01T00:00:00+00:00"))
        write_part(lakehouse, "portfolios", later, BOOK, part)
        again = age_of(graph).made_of()
    finally:
        write_part(lakehouse, "portfolios", stored, BOOK, part)
        write_part(lakehouse, "portfolios", other.clear(), BOOK, "003")

    assert fault is not None
    assert fault.startswith("the book or its portfolios changed after it was drawn")
    assert len({before, of_other, again}) == 3, "the page tells how many are left out, too"
    assert age_of(graph).report(told(graph)) == ""


def test_a_page_that_is_gone_is_told(graph: BookGraph) -> None:
    page = Path(str(told(graph)["page"]))
    content = page.read_bytes()
    page.unlink()
    try:
        fault = age_of(graph).report(told(graph))
    finally:
        page.write_bytes(content)

    assert fault == (f"its page {page} is gone; choose and draw again: mr portfolio report {BOOK}")


def test_portfolios_that_do_not_count_are_told_in_the_words_of_the_fault(graph: BookGraph) -> None:
    lakehouse, part = graph.shelf.lakehouse, f"{SIZE:03}"
    members = read_part(lakehouse, "portfolio_members", BOOK, part)
    write_part(lakehouse, "portfolio_members", members.filter(pl.col("place") == 1), BOOK, part)
    try:
        faults = age_of(graph).faults(told(graph))
    finally:
        write_part(lakehouse, "portfolio_members", members, BOOK, part)

    why = "no portfolio of this book was searched; those stored were not stored whole. Search: "
    assert faults == dict.fromkeys(
        [BEST_PORTFOLIO, PORTFOLIO_REPORT], f"{why}mr portfolio optimize {BOOK}"
    )


def test_zones_that_were_searched_otherwise_than_the_portfolios_are_told(graph: BookGraph) -> None:
    assert graph.search(3, "zones", holdout=0.25).fault is None
    found = read_part(graph.shelf.lakehouse, "portfolios", "zones", "003")
    try:
        fault = age_of(graph, "zones").zones()
    finally:
        write_part(graph.shelf.lakehouse, "portfolios", found.clear(), "zones", "003")

    assert fault is not None
    assert "searched on all dates, the others on all dates but the last 25 %" in fault
    assert "mr portfolio zones zones" in fault
    assert age_of(graph, "zones").zones() == ""


def test_the_content_of_a_book_is_worked_out_once(
    graph: BookGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, asked = book_freshness.data_key, []

    def counted(book: object) -> str:
        asked.append(book)
        return known(book)  # type: ignore[arg-type]

    for module in (book_freshness, stored_portfolios):
        monkeypatch.setattr(module, "data_key", counted)
    assert age_of(graph).faults(told(graph)) == {}
    assert len(asked) == 1


def test_a_load_that_changes_the_book_tells_of_all_that_is_old(graph: BookGraph) -> None:
    graph.shelf.land("february.csv", of_month(sheet(), "2024-02"))
    changed = zone_sheet().with_columns(strategy_1=pl.col("strategy_1") + 1.0)
    graph.shelf.land("zones.csv", changed, book="zones")
    run, zones = graph.load(), graph.load("zones")

    assert run.fault is None
    assert zones.fault is None
    found = {**verdicts_of(run), **verdicts_of(zones)}
    assert {asset: (passed, severe) for asset, (passed, severe, _) in found.items()} == {
        BEST_PORTFOLIO: (False, False),
        PORTFOLIO_REPORT: (False, False),
        ZONE_PORTFOLIOS: (False, False),
    }
    for asset in (BEST_PORTFOLIO, PORTFOLIO_REPORT):
        assert found[asset][2] == (
            "no portfolio of this book was searched; those stored were searched on other returns. "
            f"Search: mr portfolio optimize {BOOK}"
        )
        assert graph.verdicts(asset, CHECKS[asset])[BOOK].status is FAILED
    assert found[ZONE_PORTFOLIOS][2] == (
        "the book changed after the search; search again: mr portfolio zones zones"
    )
