"""The stored portfolios of a book as a legacy run, written and read back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.gateways.run_folders import read_run_folder, write_run_folder
from mr_platform.orchestration.book_report import gather_report
from mr_platform.orchestration.legacy_runs import legacy_run
from mr_platform.orchestration.strategy_books import read_part, write_part
from mr_platform.portfolio.run_folder import read_run, run_files
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, names, search, sheet

CAP = 0.25
AT = dt.datetime(2026, 7, 26, 16, 32, 51)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A loaded book."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    made.land("year.csv", sheet())
    made.load()
    return made


@pytest.fixture
def own_shelf(shelf: Shelf, tmp_path: Path) -> Shelf:
    return shelf.copied(tmp_path / "home")


def test_a_run_folder_is_read_back_with_the_same_figures(own_shelf: Shelf, tmp_path: Path) -> None:
    for size in (3, 4):
        search(own_shelf, size)
    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    folder = write_run_folder(tmp_path / "runs", run.folder_name, run_files(run))
    again = read_run(read_run_folder(folder), str(folder))

    assert folder.name == "run_20260726_163251"
    assert again.portfolios == run.portfolios
    assert [portfolio.size for portfolio in again.portfolios] == [3, 4]
    assert again.best == run.best
    assert again.strategies["strategy"].to_list() == list(names())
    assert again.parameters == run.parameters
    assert again.inversions is None
    assert again.pictures == dict(run.pictures)
    book = own_shelf.read()
    stored = own_shelf.lakehouse.scan("portfolios").collect()
    for portfolio in again.portfolios:
        of_size = stored.filter(pl.col("size") == portfolio.size)
        assert portfolio.fitness == of_size["fitness"].max()
        columns = [book.returns.names.index(name) for name in portfolio.members]
        total = book.returns.pnl[:, columns].mean(axis=1).sum()
        assert portfolio.figures["roi"] == pytest.approx(total)


def test_a_run_of_inverted_returns_tells_what_was_inverted(own_shelf: Shelf) -> None:
    search(own_shelf, 4, inversion=True)

    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    again = read_run(run_files(run), "run")
    assert run.parameters.inverted
    assert again.inversions is not None
    losing = {
        name
        for name, total in zip(names(), own_shelf.read().returns.pnl.sum(axis=0), strict=True)
        if total < 0
    }
    assert set(again.inversions["strategy"]) == losing
    assert {name for name in again.strategies["strategy"] if name.endswith("_inv")} == {
        f"{name}_inv" for name in losing
    }
    gathered = gather_report(own_shelf.lakehouse, BOOK, CAP)
    assert gathered.current.preparation.inversion
    assert set(gathered.current.returns.names) == set(again.strategies["strategy"])


def test_a_run_of_sizes_with_a_gap_is_read_back(own_shelf: Shelf) -> None:
    for size in (2, 4):
        search(own_shelf, size, algorithms=["random_search"], evaluations=5)

    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    again = read_run(run_files(run), "run")
    assert [portfolio.size for portfolio in again.portfolios] == [2, 4]
    assert (again.parameters.smallest, again.parameters.largest) == (2, 4)
    assert again.portfolios == run.portfolios


def test_a_run_tells_the_metric_of_the_portfolios_it_holds(own_shelf: Shelf) -> None:
    search(own_shelf, 2, metric="expectancy")
    search(own_shelf, 4, metric="roi")

    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    assert run.parameters.metric == "roi", "searched last"
    assert [portfolio.size for portfolio in run.portfolios] == [4]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"algorithms": ["genetic"], "parameters": {"genetic": {"population": 10}}},
            {"population": 10, "mutation_rate": 0.03, "generations": None, "form": "improved"},
        ),
        (
            {"algorithms": ["genetic"], "form": "legacy"},
            {"population": 30, "mutation_rate": 0.1, "generations": 50, "form": "legacy"},
        ),
        (
            {"algorithms": ["hill_climbing"]},
            {"population": None, "mutation_rate": None, "generations": None, "form": "improved"},
        ),
    ],
    ids=["genetic", "legacy genetic", "no such parameter"],
)
def test_a_run_tells_the_parameters_of_what_found_the_best(
    asked: dict, told: dict, own_shelf: Shelf
) -> None:
    search(own_shelf, 3, **asked)

    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    found = run.parameters
    assert {name: getattr(found, name) for name in told} == told
    assert (found.evaluations, found.seed, found.balanced) == (60, 7, False)
    assert found.penalty_factor is None
    assert read_run(run_files(run), "run").parameters == found


def test_a_balanced_run_tells_its_price(own_shelf: Shelf) -> None:
    search(own_shelf, 3, balance={"desired": {"year.csv": 2}, "penalty_factor": 0.5})

    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    assert (run.parameters.balanced, run.parameters.penalty_factor) == (True, 0.5)


def test_a_run_tells_what_was_done_first_and_which_dates_were_searched(own_shelf: Shelf) -> None:
    search(own_shelf, 3)
    plain = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP).parameters
    assert (plain.preparation, plain.held_out) == ("none", None)
    dates = own_shelf.read().returns.dates.tolist()
    assert plain.searched == (dates[0], dates[-1])

    search(own_shelf, 4, holdout=0.25, inversion=True)
    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)
    assert run.parameters.preparation == (
        "the last 25 % of the dates were held out; strategies that lose on the rows searched were "
        "inverted"
    )
    assert run.parameters.searched == (dates[0], dates[29])
    assert run.parameters.held_out == (dates[30], dates[39])
    files = run_files(run)
    summary = files[f"optimization_summary_{run.run_id}.txt"].decode()
    assert f"- Dates Held Out: {dates[30]} to {dates[39]}\n" in summary
    assert read_run(files, "run").parameters == run.parameters


def test_portfolios_stored_without_parameters_tell_none(own_shelf: Shelf) -> None:
    search(own_shelf, 3, algorithms=["genetic"])
    rows = read_part(own_shelf.lakehouse, "portfolios", BOOK, "003")
    nothing = pl.lit(None, dtype=pl.String)
    older = rows.with_columns(parameters=nothing, balance=nothing)
    write_part(own_shelf.lakehouse, "portfolios", older, BOOK, "003")

    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)

    assert (run.parameters.population, run.parameters.balanced) == (None, False)
    assert run.parameters.seed == 7
