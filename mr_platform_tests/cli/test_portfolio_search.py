"""Searching a book and its report, the way a person calls them."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration import book_search
from mr_platform_tests.cli.conftest import BOOK_STRATEGIES, Run, document
from mr_platform_tests.orchestration.small_books import plain_pages

TWO = "hill_climbing,random_search"
EVALUATIONS = 60
PLAIN = "a page without pictures"


@pytest.fixture
def plain_page() -> Iterator[None]:
    """Reports without pictures: one test draws them."""
    with plain_pages(PLAIN):
        yield


def optimize(run: Run, home: Path, *more: object) -> Any:
    words = ["portfolio", "optimize", "sensex", "--evaluations", EVALUATIONS, "--home", home]
    result = run(*words, "--json", *more)
    assert result.exit_code == 0, result.output
    return document(result)


# ---------------------------------------------------------------- what cannot be


def test_wrong_sizes_are_wrong_usage(run: Run, book_home: Path) -> None:
    result = run("portfolio", "optimize", "sensex", "--sizes", "a lot", "--home", book_home)
    assert result.exit_code == 2
    assert "write 37, 35:40 or 35,40,50" in result.stderr


@pytest.mark.parametrize("size", [0, 1, 101])
def test_a_size_outside_the_bounds_is_refused(run: Run, book_home: Path, size: int) -> None:
    result = run("portfolio", "optimize", "sensex", "--sizes", size, "--home", book_home)
    assert result.exit_code == 2
    assert f"{size} is no size of a portfolio. Give a number from 2 to 100" in result.stderr


def test_a_size_above_the_book_is_refused_before_anything_runs(run: Run, book_home: Path) -> None:
    result = run("portfolio", "optimize", "sensex", "--sizes", "5,41,50", "--home", book_home)
    assert result.exit_code == 1
    assert f"the book has {BOOK_STRATEGIES} strategies" in result.stderr
    assert "41, 50" in result.stderr
    assert f"up to {BOOK_STRATEGIES}, such as --sizes {BOOK_STRATEGIES // 2}" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--algorithms", "hill_climb", "Did you mean 'hill_climbing'?"),
        ("--algorithms", "magic", "Choose from genetic, simulated_annealing"),
        ("--metric", "beauty", "Choose one of ratio, roi, less max dd, win percentage"),
        ("--parameter", "genetik.population=3", "Did you mean 'genetic'?"),
        ("--parameter", "genetic.populace=3", "Did you mean 'population'?"),
        ("--parameter", "genetic.population=0", "it must be at least 2. population: portfolios in"),
        ("--balance-penalty", "2", "Say how many members each file should give"),
        ("--balance-penalty", "inf", "is not finite; write a number such as 0.5"),
        ("--multiplier", "bull=inf", "a family and a number from 0 up"),
        ("--rules", "none,regime", "Name the rules, or none alone"),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(
    run: Run, book_home: Path, option: str, value: str, told: str
) -> None:
    words = ["portfolio", "optimize", "sensex", "--sizes", 5, option, value, "--home", book_home]
    result = run(*words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""


def test_an_algorithm_without_legacy_form_is_refused_when_named(run: Run, book_home: Path) -> None:
    words = ["--sizes", 5, "--form", "legacy", "--algorithms", "random_search"]
    result = run("portfolio", "optimize", "sensex", *words, "--home", book_home)
    assert result.exit_code == 2
    assert "random_search has no legacy form" in result.stderr


def test_a_report_before_a_search_names_the_search(
    run: Run, tmp_path: Path, book_home: Path
) -> None:
    # a copy without what other tests searched is quicker than a load
    home = tmp_path / "home"
    shutil.copytree(
        book_home, home, ignore=shutil.ignore_patterns("portfolios", "portfolio_members")
    )
    result = run("portfolio", "report", "sensex", "--home", home)
    assert result.exit_code == 1
    assert "no portfolio of this book was searched" in result.stderr
    assert "Search: mr portfolio optimize sensex" in result.stderr


# ---------------------------------------------------------------- searches


def test_two_sizes_by_two_algorithms(run: Run, book_home: Path) -> None:
    told = optimize(run, book_home, "--sizes", "5:6", "--algorithms", TWO)
    found = told["portfolios"]
    assert [(row["size"], row["algorithm"]) for row in found] == [
        (5, "hill_climbing"),
        (5, "random_search"),
        (6, "hill_climbing"),
        (6, "random_search"),
    ]
    assert {row["evaluations"] for row in found} == {EVALUATIONS}
    assert (told["faults"], told["checks_failed"]) == ([], [])
    best = max(found, key=lambda row: row["fitness"])
    assert told["best"]["size"] == best["size"]
    assert told["best"]["fitness"] == best["fitness"]
    page = Path(told["report"])
    assert page.is_file()
    assert page.parent == book_home / "portfolio_reports"
    assert page.read_text("utf-8").count("data:image/png") == 5

    words = ["portfolio", "optimize", "sensex", "--sizes", "5", "--algorithms", TWO]
    with plain_pages():
        result = run(*words, "--evaluations", EVALUATIONS, "--home", book_home)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["size", "algorithm", "form", "fitness"]
    best_of_book = told["best"]
    winner = f"{best_of_book['size']} strategies by {best_of_book['algorithm']}"
    assert f"best of sensex: {winner}, fitness {best_of_book['fitness']:.4f}" in lines
    assert told["report_warnings"]
    assert {f"warning: {line}" for line in told["report_warnings"]} < set(lines)
    assert lines[-5:] == [
        f"report: {page}",
        "",
        "next",
        "  mr portfolio report sensex --run-folder FOLDER",
        "  mr portfolio metrics sensex",
    ]
    assert "searching sensex: 1/1 sensex|005: " in result.stderr
    again = [line.split()[:4] for line in lines if line.split()[:1] == ["5"]]
    assert [row[1] for row in again] == ["hill_climbing", "random_search"]
    assert [float(row[3]) for row in again] == pytest.approx(
        [row["fitness"] for row in found[:2]], rel=1e-3
    )


@pytest.mark.usefixtures("plain_page")
def test_parameters_and_balance_reach_the_search(run: Run, book_home: Path) -> None:
    words = ["--sizes", 11, "--algorithms", "genetic", "--parameter", "genetic.population=30",
             "--parameter", "genetic.elite=0.2", "--balance", "weekly results.csv=9",
             "--balance-penalty", 0.25]  # fmt: skip
    (row,) = optimize(run, book_home, *words)["portfolios"]

    parameters = json.loads(row["parameters"])
    asked = [parameters[name] for name in ("population", "elite", "mutation")]
    assert asked == [30, 0.2, 0.03], "the last is the default"
    balance = json.loads(row["balance"])
    assert balance["desired"] == {"weekly results.csv": 9}
    assert balance["penalty_factor"] == 0.25
    assert row["fitness"] == pytest.approx(row["ratio"] - 10 * row["correlation"] - 2 * 0.25)


def test_files_that_the_book_does_not_have_are_told_with_those_it_has(
    run: Run, book_home: Path
) -> None:
    words = ["--sizes", 5, "--balance", "july.csv=9", "--home", book_home]
    result = run("portfolio", "optimize", "sensex", *words)
    assert result.exit_code == 1
    assert "balanced mode names july.csv" in result.stderr
    assert "Its files: weekly results.csv" in result.stderr
    assert "(portfolio.search.balance): --balance off searches without them" in result.stderr


@pytest.mark.usefixtures("plain_page")
def test_only_portfolios_of_the_latest_measure_are_shown(
    run: Run, tmp_path: Path, book_home: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(
        book_home, home, ignore=shutil.ignore_patterns("portfolios", "portfolio_members")
    )
    first = optimize(run, home, "--sizes", 5, "--algorithms", TWO)
    assert (len(first["portfolios"]), first["left_out"]) == (2, 0)

    words = ["--sizes", 5, "--algorithms", "random_search", "--metric", "roi"]
    told = optimize(run, home, *words)

    shown = [(row["algorithm"], row["metric"]) for row in told["portfolios"]]
    assert shown == [("random_search", "roi")], "fitnesses of two metrics have no order"
    assert told["left_out"] == 1
    result = run(
        "portfolio", "optimize", "sensex", *words, "--evaluations", EVALUATIONS, "--home", home
    )
    assert "hill_climbing" not in result.stdout
    assert (
        "1 stored portfolio of this book does not count: searched on other returns, judged by "
        "another measure than the latest search, or stored in part"
    ) in result.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.usefixtures("plain_page")
def test_another_seed_finds_other_portfolios(run: Run, book_home: Path) -> None:
    words = ["portfolio", "optimize", "sensex", "--sizes", 8, "--algorithms", "random_search"]

    def noted(seed: int) -> str:
        # what stays stored is the better one of all seeds
        result = run(*words, "--evaluations", 200, "--seed", seed, "--home", book_home)
        assert result.exit_code == 0, result.output
        (note,) = (line for line in result.stderr.splitlines() if "sensex|008: " in line)
        return note.partition("sensex|008: ")[2].split()[0]

    first, second, third = (noted(seed) for seed in (1, 2, 1))
    assert float(first) > 0
    assert first == third
    assert first != second


@pytest.mark.slow
@pytest.mark.usefixtures("plain_page")
def test_the_legacy_form_takes_the_algorithms_that_have_it(run: Run, book_home: Path) -> None:
    told = optimize(run, book_home, "--sizes", 9, "--form", "legacy")
    assert {row["form"] for row in told["portfolios"]} == {"legacy"}
    assert len(told["portfolios"]) == 7


@pytest.mark.slow
@pytest.mark.usefixtures("plain_page")
def test_a_search_that_is_broken_off_goes_on_and_finds_the_same(
    run: Run, book_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--sizes", 7, "--algorithms", "simulated_annealing,genetic", "--evaluations", 5_000]
    words = ["portfolio", "optimize", "sensex", *asked, "--home", book_home]
    whole = document(run(*words, "--json"))["portfolios"]

    # every step is kept, and the third time that one is kept a person has had enough
    kept: list[str] = []
    write = SearchCheckpoints.write

    def interrupted(self: SearchCheckpoints, name: str, content: bytes) -> None:
        write(self, name, content)
        kept.append(name)
        if len(kept) == 3:
            raise KeyboardInterrupt

    def at_every_step(*arguments: Any, **more: Any) -> Any:
        return run_searches(*arguments, **{**more, "keep_seconds": 0.0})

    run_searches = book_search.run_searches
    monkeypatch.setattr(SearchCheckpoints, "write", interrupted)
    monkeypatch.setattr(book_search, "run_searches", functools.wraps(run_searches)(at_every_step))
    result = run(*words)
    assert result.exit_code == 130
    assert "run again to resume" in result.stderr
    assert set(kept) == set(SearchCheckpoints(book_home / "search_checkpoints").names())
    monkeypatch.undo()

    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "gone on with: simulated_annealing" in result.stderr
    resumed = document(run(*words, "--json"))["portfolios"]
    keys = ("algorithm", "fitness", "roi", "max_drawdown", "evaluations")
    assert [[row[key] for key in keys] for row in resumed] == [
        [row[key] for key in keys] for row in whole
    ]
    assert SearchCheckpoints(book_home / "search_checkpoints").names() == []


# ---------------------------------------------------------------- report


def test_a_report_is_written_again_with_a_legacy_run_folder(
    run: Run, book_home: Path, tmp_path: Path
) -> None:
    with plain_pages("of the search"):
        page = Path(optimize(run, book_home, "--sizes", 10, "--algorithms", TWO)["report"])
    assert page.read_text() == "of the search"
    words = ["portfolio", "report", "sensex", "--home", book_home]
    with plain_pages("written again"):
        told = document(run(*words, "--run-folder", tmp_path, "--json"))
    assert Path(told["page"]) == page
    assert page.read_text() == "written again"
    assert told["fitness"] > 0
    (folder,) = tmp_path.iterdir()
    assert told["run_folder"] == str(folder)
    names = {path.name for path in folder.iterdir()}
    assert "strategy_metrics.csv" in names
    assert any(name.startswith("best_portfolio_size10_") for name in names)
    assert any(name.startswith("optimization_summary_") for name in names)
    with plain_pages():
        text = run(*words)
    assert text.exit_code == 0
    assert "run folder" not in text.stdout
    assert str(told["page"]) in text.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("plain_page")
def test_after_a_further_file_the_old_portfolios_do_not_count(
    run: Run, tmp_path: Path, book_file: Path
) -> None:
    home = tmp_path / "home"
    assert run("portfolio", "load", book_file, "--book", "sensex", "--home", home).exit_code == 0
    optimize(run, home, "--sizes", 5, "--algorithms", "random_search")
    header, first, *_ = book_file.read_text().splitlines()
    later = first.replace(first.split(",")[0], "2025-12-04")
    further = tmp_path / "later.csv"
    further.write_text(f"{header}\n{later}\n")
    assert run("portfolio", "load", further, "--book", "sensex", "--home", home).exit_code == 0
    result = run("portfolio", "report", "sensex", "--home", home)
    assert result.exit_code == 1
    assert "those stored were searched on other returns" in result.stderr
    assert "mr portfolio optimize sensex" in result.stderr
