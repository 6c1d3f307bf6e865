"""The page of a book and its legacy run folder, gathered from stored portfolios."""

from __future__ import annotations

import datetime as dt
import html
from pathlib import Path

import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.run_folders import read_run_folder, write_run_folder
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.gateways.storage_faults import StorageError
from mr_platform.orchestration import book_report
from mr_platform.orchestration.book_report import (
    WrittenReport,
    gather_report,
    legacy_run,
    summary_text,
    write_report,
)
from mr_platform.orchestration.book_search import search_book
from mr_platform.orchestration.strategy_books import write_part
from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.run_folder import read_run, run_files
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, names, order, sheet

CAP = 0.25
AT = dt.datetime(2026, 7, 26, 16, 32, 51)


def search(shelf: Shelf, size: int, **asked: object) -> None:
    """Search one size and store what was found; a larger size is searched later."""
    kept = SearchCheckpoints(shelf.home / "checkpoints")
    asked = {"algorithms": ["hill_climbing", "random_search"], "evaluations": 60, **asked}
    book = shelf.read()
    at = AT.replace(tzinfo=dt.UTC) + dt.timedelta(minutes=size)
    portfolios, members = search_book(book, size, order(**asked), kept, len, at=at).rows(book)
    write_part(shelf.lakehouse, "portfolios", portfolios, BOOK, f"{size:03}")
    write_part(shelf.lakehouse, "portfolio_members", members, BOOK, f"{size:03}")


@pytest.fixture(scope="module")
def unsearched(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A loaded book."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    made.land("year.csv", sheet())
    made.load()
    return made


@pytest.fixture(scope="module")
def shelf(unsearched: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A book whose sizes 3 and 4 were searched."""
    made = unsearched.copied(tmp_path_factory.mktemp("searched") / "home")
    for size in (3, 4):
        search(made, size)
    return made


@pytest.fixture(scope="module")
def written(shelf: Shelf) -> WrittenReport:
    return write_report(shelf.lakehouse, BOOK, shelf.home / "new" / "reports", kelly_cap=CAP)


@pytest.fixture
def own_shelf(unsearched: Shelf, tmp_path: Path) -> Shelf:
    return unsearched.copied(tmp_path / "home")


def test_the_page_is_one_whole_file_in_a_folder_made_for_it(written: WrittenReport) -> None:
    assert written.page.name == "sensex.html"
    assert [path.name for path in written.page.parent.iterdir()] == ["sensex.html"]
    text = written.page.read_text("utf-8")
    assert text.rstrip().endswith("</html>")
    assert "http" not in text.replace("http-equiv", "")


def test_the_page_has_the_figures_the_members_and_the_file(
    shelf: Shelf, written: WrittenReport
) -> None:
    gathered = gather_report(shelf.lakehouse, BOOK, CAP)
    text = written.page.read_text("utf-8")

    best = gathered.facts.best.found
    for column in best.members:
        assert html.escape(gathered.current.returns.names[column]) in text
    assert "<b>on</b>" not in text, "a name is text"
    assert "strategy_books/sensex/year.csv" in text
    assert f"| fitness | {best.fitness:.6g} |" in written.summary
    assert f"| size | {best.size} |" in written.summary
    assert written.summary == summary_text(gathered.facts)
    assert any("40 rows" in warning for warning in written.warnings), written.warnings


def test_facts_are_those_of_every_stored_portfolio(shelf: Shelf) -> None:
    gathered = gather_report(shelf.lakehouse, BOOK, CAP)
    stored = shelf.lakehouse.scan("portfolios").collect()

    assert gathered.current.left_out == 0
    assert gathered.book.book == BOOK
    assert sorted(one.fitness for one in gathered.facts.portfolios) == sorted(stored["fitness"])
    assert {one.size for one in gathered.facts.portfolios} == {3, 4}
    best = gathered.facts.best.found
    assert best.fitness == stored["fitness"].max()
    series = gathered.current.returns.pnl[:, best.members].mean(axis=1)[None, :]
    assert gathered.facts.best.series.legacy["roi"] == pytest.approx(series.sum())
    assert gathered.facts.best.series.legacy["max_drawdown"] == pytest.approx(
        float(legacy_metrics.drawdown(series)[0])
    )


def test_a_run_folder_is_read_back_with_the_same_figures(shelf: Shelf, tmp_path: Path) -> None:
    run = legacy_run(shelf.lakehouse, BOOK, AT, CAP)

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
    book = shelf.read()
    stored = shelf.lakehouse.scan("portfolios").collect()
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


def test_portfolios_that_cannot_be_compared_are_left_out_and_counted(
    own_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pages with pictures have their tests; here it is what is told beside them
    monkeypatch.setattr(book_report, "portfolio_page", lambda *_, notes: "\n".join(notes))
    search(own_shelf, 2, metric="expectancy")
    search(own_shelf, 3)
    changed = sheet().with_columns(pl.col(names()[1]) - 500)
    own_shelf.land("year.csv", changed)
    own_shelf.load()
    with pytest.raises(InputFileError, match="those stored were searched on other returns"):
        gather_report(own_shelf.lakehouse, BOOK, CAP)
    search(own_shelf, 4, metric="roi")
    search(own_shelf, 5, metric="roi", inversion=True)

    gathered = gather_report(own_shelf.lakehouse, BOOK, CAP)

    assert {one.size for one in gathered.facts.portfolios} == {5}, "searched last"
    assert gathered.current.left_out == 6
    assert gathered.current.metric == "roi"
    run = legacy_run(own_shelf.lakehouse, BOOK, AT, CAP)
    assert run.parameters.metric == "roi", "that of the portfolios shown"
    written = write_report(own_shelf.lakehouse, BOOK, own_shelf.home, kelly_cap=CAP)
    (left_out,) = (line for line in written.warnings if "left out" in line)
    assert left_out.startswith("6 stored portfolios are left out")
    assert left_out in written.page.read_text("utf-8")


def test_a_page_is_replaced_only_by_a_whole_one(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "sensex.html"
    page.write_text("the old page")
    monkeypatch.setattr(book_report, "portfolio_page", lambda *_, **__: "x" * 100)
    write = Path.write_text

    def cut(self: Path, text: str, *given: object) -> int:
        write(self, text[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", cut)
        with pytest.raises(StorageError, match="no room"):
            write_report(shelf.lakehouse, BOOK, tmp_path, kelly_cap=CAP)

    assert page.read_text() == "the old page"
    assert [path.name for path in tmp_path.iterdir()] == ["sensex.html"]
    write_report(shelf.lakehouse, BOOK, tmp_path, kelly_cap=CAP)
    assert page.read_text() == "x" * 100


def test_a_book_without_portfolios_has_no_report(own_shelf: Shelf, tmp_path: Path) -> None:
    for missing in (BOOK, "nifty"):
        with pytest.raises(InputFileError):
            write_report(own_shelf.lakehouse, missing, tmp_path / "reports", kelly_cap=CAP)

    assert not (tmp_path / "reports").exists()
