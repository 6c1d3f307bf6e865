"""Runs over a book in this process: what came of them as plain facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import dagster as dg
import pytest

from mr_platform.errors import InputFileError, PlatformError
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration import book_runs, strategy_books
from mr_platform.orchestration.assets import portfolios
from mr_platform.orchestration.book_partitions import BOOKS
from mr_platform.orchestration.book_runs import BookRun
from mr_platform.orchestration.book_zones import ZoneConfig
from mr_platform_tests.orchestration.book_graph import BookGraph, open_books
from mr_platform_tests.orchestration.small_books import BOOK, plain_pages, sheet

SHEET = sheet()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookGraph]:
    """A home whose book was loaded."""
    with plain_pages(), open_books(tmp_path_factory.mktemp("home") / "home") as opened:
        opened.shelf.land("year.csv", SHEET)
        assert opened.load().fault is None
        yield opened


def test_a_load_tells_its_facts_and_the_outcome_of_every_check(graph: BookGraph) -> None:
    run = graph.load()

    assert (run.fault, run.refused, run.warned, run.partition) == (None, (), (), BOOK)
    assert run.facts["strategy_returns"]["strategies"] == 12
    assert run.facts["strategy_metrics"]["dagster/partition_row_count"] == 12
    checked = {(one.asset, one.check) for one in run.verdicts if one.passed}
    assert {
        ("strategy_returns", "cells_are_numbers"),
        ("strategy_metrics", "legacy_metrics_agree"),
        ("inversions", "inversions_agree"),
        ("correlation_summary", "correlations_agree"),
    } <= checked
    assert all(one.sentence for one in run.verdicts)
    recorded = graph.instance.get_run_by_id(run.run_id)
    assert recorded is not None
    assert recorded.status is dg.DagsterRunStatus.SUCCESS


def test_a_search_and_a_report_tell_theirs(graph: BookGraph) -> None:
    searched = graph.search(4)
    reported = graph.report()

    assert (searched.fault, searched.refused, reported.fault) == (None, (), None)
    assert searched.partition == f"{BOOK}|004"
    told = searched.facts["portfolios"]
    assert {one.check for one in searched.verdicts} == {
        "fitness_agrees",
        "portfolios_are_current",
        "algorithms_beat_chance",
    }
    assert reported.facts["best_portfolio"]["fitness"] == told["best_fitness"]
    assert reported.facts["best_portfolio"]["size"] == 4


def test_what_is_asked_of_a_search_reaches_it(graph: BookGraph) -> None:
    run = graph.search(3, metric="roi", inversion=True, patience=0, seed=0, evaluations=30)

    asked = run.facts["portfolios"]["search"]
    assert (asked["metric"], asked["inversion"], asked["seed"]) == ("roi", True, 0)
    assert (asked["evaluations"], asked["patience"]) == (30, None)
    assert asked["algorithms"] == ["hill_climbing", "random_search"]


def test_a_fault_is_one_sentence_without_a_traceback(graph: BookGraph) -> None:
    run = graph.search(4, algorithms=["genetics"])

    assert run.fault is not None
    assert "genetic" in run.fault.message
    assert "Traceback" not in run.fault.message
    assert run.facts == {}
    recorded = graph.instance.get_run_by_id(run.run_id)
    assert recorded is not None
    assert recorded.status is dg.DagsterRunStatus.FAILURE


def test_a_size_above_the_strategies_is_told(graph: BookGraph) -> None:
    run = graph.search(40)

    assert run.fault is not None
    assert "portfolios of 40 members cannot be drawn from 12 candidates" in run.fault.message


def test_sizes_and_names_that_cannot_be_start_no_run(graph: BookGraph) -> None:
    before = graph.instance.get_runs_count()

    with pytest.raises(PlatformError, match="1 is no size"):
        graph.search(1)
    with pytest.raises(InputFileError, match="'my book' cannot name a book"):
        graph.load("my book")

    assert graph.instance.get_runs_count() == before
    assert graph.instance.get_dynamic_partitions(str(BOOKS.name)) == [BOOK]


def test_a_book_that_is_not_landed_is_told(graph: BookGraph) -> None:
    run = graph.load("nifty")

    assert run.fault is not None
    assert "no file of this book is landed" in run.fault.message
    assert f"Books: {BOOK}" in run.fault.message
    assert graph.instance.get_dynamic_partitions(str(BOOKS.name)) == [BOOK]


def test_a_first_load_that_fails_leaves_no_partition_and_a_further_one_the_books(
    graph: BookGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be used, and Ctrl-C, of a new book and of a known one."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    bad = graph.shelf.land("bad.csv", SHEET.drop("Date"), book="bad")
    worse = graph.shelf.land("worse.csv", SHEET.drop("Date"))
    try:
        for book in ("bad", BOOK):
            assert graph.load(book).fault is not None
            with monkeypatch.context() as patched:
                patched.setattr(portfolios, "load_book", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    graph.load(book)
            assert graph.instance.get_dynamic_partitions(str(BOOKS.name)) == [BOOK]
    finally:
        bad.unlink()
        worse.unlink()


@pytest.mark.parametrize("other", ["at work", "asked for"])
def test_a_first_load_that_fails_leaves_the_partition_to_whoever_else_loads_the_book(
    graph: BookGraph, other: str
) -> None:
    books = str(BOOKS.name)
    bad = graph.shelf.land("bad.csv", SHEET.drop("Date"), book="raced")
    try:
        with ExitStack() as stack:
            if other == "at work":
                run = book_runs._run

                def meanwhile(*given: Any) -> BookRun:
                    done = run(*given)
                    stack.enter_context(graph.shelf.landing.alone("raced"))
                    return done

                patched = stack.enter_context(pytest.MonkeyPatch.context())
                patched.setattr(book_runs, "_run", meanwhile)
            else:
                graph.instance.add_run(
                    dg.DagsterRun(
                        job_name="strategy_book_job",
                        status=dg.DagsterRunStatus.NOT_STARTED,
                        tags={"dagster/partition": "raced"},
                    )
                )
            assert graph.load("raced").fault is not None
        assert "raced" in graph.instance.get_dynamic_partitions(books)
    finally:
        bad.unlink()
        graph.instance.delete_dynamic_partition(books, "raced")


def test_a_first_load_that_stored_a_part_keeps_its_partition(
    graph: BookGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    landed = graph.shelf.land("part.csv", SHEET, book="part")
    monkeypatch.setattr(strategy_books, "file_rows", cut_off)  # returns are written by then
    try:
        with pytest.raises(KeyboardInterrupt):
            graph.load("part")
        assert "part" in graph.instance.get_dynamic_partitions(str(BOOKS.name))
    finally:
        landed.unlink()
        graph.instance.delete_dynamic_partition(str(BOOKS.name), "part")


def test_a_stored_book_without_partition_gets_one_where_it_is_worked_on(graph: BookGraph) -> None:
    for work in (lambda: graph.search(4), graph.report):
        graph.instance.delete_dynamic_partition(str(BOOKS.name), BOOK)
        assert work().fault is None
        assert graph.instance.get_dynamic_partitions(str(BOOKS.name)) == [BOOK]
    graph.instance.delete_dynamic_partition(str(BOOKS.name), BOOK)
    zones = book_runs.zones(graph.definitions, graph.instance, BOOK, ZoneConfig())
    assert zones.fault is not None, "its rows name no zone"
    assert graph.instance.get_dynamic_partitions(str(BOOKS.name)) == [BOOK]


def test_a_search_that_is_interrupted_goes_on_where_it_was(
    graph: BookGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = graph.search(6)
    members = graph.shelf.lakehouse.scan("portfolio_members").filter(size=6).collect()
    settings = type(graph.definitions.resources["settings"])
    load = settings.load

    def often(self):
        found = load(self)
        search = found.portfolio.search.model_copy(update={"checkpoint_seconds": 0})
        portfolio = found.portfolio.model_copy(update={"search": search})
        return found.model_copy(update={"portfolio": portfolio})

    write = SearchCheckpoints.write
    written = []

    def write_and_stop(self, name: str, content: bytes) -> None:
        write(self, name, content)
        written.append(name)
        if len(written) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(settings, "load", often)
        patched.setattr(SearchCheckpoints, "write", write_and_stop)
        with pytest.raises(KeyboardInterrupt):
            graph.search(6)

    (broken_off,) = graph.instance.get_runs(limit=1)
    assert broken_off.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    again = graph.search(6)

    assert again.facts["portfolios"]["resumed"] == "hill_climbing"
    assert again.facts["portfolios"]["best_fitness"] == whole.facts["portfolios"]["best_fitness"]
    after = graph.shelf.lakehouse.scan("portfolio_members").filter(size=6).collect()
    assert after.equals(members)
