"""What each check of a book finds: sound tables pass, and a wrong figure fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from mr_platform.gateways.correlation_cache import CorrelationCache
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration import book_figures
from mr_platform.orchestration.book_search import search_book
from mr_platform.orchestration.checks.portfolio_verdicts import BOOK_RULES, BookFacts, BookRule
from mr_platform.orchestration.checks.portfolios import MADE_LATER
from mr_platform.orchestration.checks.verdicts import Judgement
from mr_platform.orchestration.strategy_books import read_part, write_part
from mr_platform.portfolio.correlation_tiles import PairSettings
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, names, order, sheet

SIZE = "004"
RULES = {rule.name: rule for rule in BOOK_RULES}
ASKED = {
    name: rule
    for name, rule in RULES.items()
    # what is made later has its proofs in test_book_freshness
    if not name.startswith("recorded_") and rule.table not in MADE_LATER
}
BY_SIZE = ("portfolios", "portfolio_members")

Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def make_all(shelf: Shelf, book_name: str = BOOK, size: int = 4) -> None:
    """Every table of a book, as its assets make them."""
    shelf.load(book_name)
    book = shelf.read(book_name)
    found = book_figures.correlations(
        book, PairSettings(threshold=0.2), CorrelationCache(shelf.home / "cache")
    )
    made = {
        "strategy_metrics": book_figures.metric_rows(book),
        "inversions": book_figures.inversion_rows(book),
        **book_figures.correlation_rows(book, found.frames),
    }
    for table, rows in made.items():
        write_part(shelf.lakehouse, table, rows, book_name)
    if size > book.returns.strategies:
        return
    kept = SearchCheckpoints(shelf.home / "checkpoints")
    outcome = search_book(book, size, order(), kept, len)
    for table, rows in zip(BY_SIZE, outcome.rows(book), strict=True):
        write_part(shelf.lakehouse, table, rows, book_name, f"{size:03}")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A book with all its tables."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    # one strategy without a loss: its profit factor is not defined
    made.land("year.csv", sheet().with_columns(pl.col(names()[6]).abs()))
    make_all(made)
    return made


def judged(shelf: Shelf, rule: BookRule, book: str = BOOK) -> Judgement:
    part = SIZE if rule.table in BY_SIZE else "all"
    judgement = rule.judge(BookFacts(shelf.lakehouse, book, part))
    assert judgement is not None
    return judgement


@contextmanager
def spoilt(shelf: Shelf, table: str, spoil: Spoil) -> Iterator[None]:
    """Change a table and mend it afterwards."""
    part = SIZE if table in BY_SIZE else "all"
    stored = read_part(shelf.lakehouse, table, BOOK, part)
    write_part(shelf.lakehouse, table, spoil(stored), BOOK, part)
    try:
        yield
    finally:
        write_part(shelf.lakehouse, table, stored, BOOK, part)


def first(**values: object) -> Spoil:
    """Set values in the first row."""

    def spoil(rows: pl.DataFrame) -> pl.DataFrame:
        at = pl.int_range(pl.len()) == 0
        return rows.with_columns(
            pl.when(at).then(pl.lit(value)).otherwise(pl.col(name)).cast(rows.schema[name])
            .alias(name)
            for name, value in values.items()
        )  # fmt: skip

    return spoil


def scaled(column: str, factor: float) -> Spoil:
    """Multiply the first value of a column."""

    def spoil(rows: pl.DataFrame) -> pl.DataFrame:
        return first(**{column: rows[column][0] * factor})(rows)

    return spoil


def shifted(rows: pl.DataFrame, by: float) -> pl.DataFrame:
    """Move the mean correlation."""
    return first(mean=rows["mean"][0] + by)(rows)


def counted(rows: pl.DataFrame, more: int) -> pl.DataFrame:
    """Count so many pairs more in the fullest class of the histogram."""
    counts = json.loads(rows["histogram"][0])
    counts[counts.index(max(counts))] += more
    return first(histogram=json.dumps(counts))(rows)


@pytest.mark.parametrize("rule", ASKED.values(), ids=ASKED)
def test_sound_tables_pass(rule: BookRule, shelf: Shelf) -> None:
    found = judged(shelf, rule)

    assert found.passed, found.sentence
    assert found.sentence


@pytest.mark.parametrize("name", sorted(RULES.keys() - ASKED.keys()))
def test_without_recorded_figures_nothing_is_said_of_them(name: str, shelf: Shelf) -> None:
    assert RULES[name].judge(BookFacts(shelf.lakehouse, BOOK)) is None


@pytest.mark.parametrize(
    ("name", "table", "spoil"),
    [
        ("legacy_metrics_agree", "strategy_metrics", scaled("roi", 1 + 2e-5)),
        ("legacy_metrics_agree", "strategy_metrics", scaled("max_drawdown", 1 + 2e-5)),
        ("legacy_metrics_agree", "strategy_metrics", scaled("ratio", 1 + 2e-5)),
        ("legacy_metrics_agree", "strategy_metrics", scaled("win_rate", 1 + 2e-5)),
        ("legacy_metrics_agree", "strategy_metrics", scaled("profit_factor", 1 + 2e-5)),
        ("legacy_metrics_agree", "strategy_metrics", scaled("expectancy", 1 + 2e-5)),
        ("legacy_metrics_agree", "strategy_metrics", first(roi=None)),
        ("legacy_metrics_agree", "strategy_metrics", first(roi=float("nan"))),
        ("legacy_metrics_agree", "strategy_metrics", first(profit_factor=None)),
        (
            "legacy_metrics_agree",
            "strategy_metrics",
            lambda rows: rows.with_columns(pl.col("profit_factor").fill_null(99.0)),
        ),
        ("legacy_metrics_agree", "strategy_metrics", lambda rows: rows.slice(1)),
        ("legacy_metrics_agree", "strategy_metrics", pl.DataFrame.clear),
        ("inversions_agree", "inversions", lambda rows: rows.slice(1)),
        ("inversions_agree", "inversions", first(strategy=names()[6])),
        ("correlations_agree", "correlated_pairs", scaled("rho", 0.99)),
        ("correlations_agree", "correlated_pairs", first(rho=float("nan"))),
        ("correlations_agree", "correlated_pairs", first(second_id=99)),
        ("correlations_agree", "strategy_neighbours", scaled("rho", -1)),
        ("correlations_agree", "strategy_neighbours", first(neighbour_id=99)),
        ("correlations_agree", "correlation_summary", first(pairs=65)),
        ("correlations_agree", "correlation_summary", lambda rows: shifted(rows, 2e-5)),
        ("correlations_agree", "correlation_summary", first(mean=None)),
        ("correlations_agree", "correlation_summary", first(mean=float("nan"))),
        ("correlations_agree", "correlation_summary", lambda rows: counted(rows, 1)),
        ("correlations_agree", "correlation_summary", lambda rows: counted(rows, -1)),
        ("correlations_agree", "correlation_summary", first(histogram="[]")),
        ("correlations_agree", "correlation_summary", pl.DataFrame.clear),
        ("fitness_agrees", "portfolios", scaled("fitness", 1 + 2e-5)),
        ("fitness_agrees", "portfolios", first(fitness=float("nan"))),
        ("fitness_agrees", "portfolios", first(metric="expectancy")),
        ("fitness_agrees", "portfolios", pl.DataFrame.clear),
        ("fitness_agrees", "portfolio_members", first(name="nobody")),
        ("fitness_agrees", "portfolio_members", lambda rows: rows.slice(1)),
        ("fitness_agrees", "portfolio_members", lambda rows: pl.concat([rows, rows.head(1)])),
        ("fitness_agrees", "portfolio_members", pl.DataFrame.clear),
        ("portfolios_are_current", "portfolios", first(data_key="0123456789abcdef")),
        (
            "portfolios_are_current",
            "portfolios",
            first(balance='{"desired": {"a.csv": 1}, "penalty_factor": 1.0, "sources": "moved"}'),
        ),
        (
            "algorithms_beat_chance",
            "portfolios",
            lambda rows: rows.with_columns(
                fitness=pl.when(pl.col("algorithm") == "random_search")
                .then(1e9)
                .otherwise("fitness")
            ),
        ),
        (
            "cells_are_numbers",
            "strategy_files",
            first(
                missing_cells=2,
                first_faults=json.dumps([{"row": 3, "column": "A", "fault": "empty", "text": ""}]),
            ),
        ),
        ("files_raise_no_doubt", "strategy_files", first(warnings='["2 rows have another day"]')),
    ],
)
def test_a_wrong_figure_fails(name: str, table: str, spoil: Spoil, shelf: Shelf) -> None:
    with spoilt(shelf, table, spoil):
        found = judged(shelf, RULES[name])

    assert not found.passed
    assert found.sentence
    assert judged(shelf, RULES[name]).passed


def test_a_difference_within_the_tolerance_passes(shelf: Shelf) -> None:
    with spoilt(shelf, "strategy_metrics", scaled("roi", 1 + 5e-6)):
        found = judged(shelf, RULES["legacy_metrics_agree"])

    assert found.passed
    assert found.numbers["worst"] == pytest.approx(5e-6, rel=1e-3)
    assert found.numbers["worst_at"] == f"{names()[0]}: roi"
    assert found.numbers["compared"] == 6 * 12
    assert found.numbers["tolerance"] == 1e-5


def test_a_wrong_summary_of_correlations_is_named(shelf: Shelf) -> None:
    for spoil, told in (
        (lambda rows: shifted(rows, 0.1), "the summary's mean"),
        (lambda rows: counted(rows, 3), "the summary's pairs of the histogram"),
    ):
        with spoilt(shelf, "correlation_summary", spoil):
            found = judged(shelf, RULES["correlations_agree"])
        assert f"({told}); 1 beyond 1e-05" in found.sentence


def test_a_failure_names_the_worst(shelf: Shelf) -> None:
    with spoilt(shelf, "strategy_metrics", scaled("win_rate", 2)):
        found = judged(shelf, RULES["legacy_metrics_agree"])

    assert f"({names()[0]}: win_rate); 1 beyond 1e-05" in found.sentence


def test_swapped_members_fail(shelf: Shelf) -> None:
    held = read_part(shelf.lakehouse, "portfolio_members", BOOK, SIZE)
    outside = next(name for name in names() if name not in set(held["name"].head(4)))
    with spoilt(shelf, "portfolio_members", first(name=outside)):
        found = judged(shelf, RULES["fitness_agrees"])

    assert not found.passed
    assert "hill_climbing (improved)" in found.sentence


def test_few_rows_are_warned_of(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.land("few.csv", sheet(rows=29))
    shelf.load()

    found = judged(shelf, RULES["enough_rows"])

    assert not found.passed
    assert found.sentence.startswith("29 rows over ")
    assert found.numbers["strategies"] == 12
    assert not RULES["enough_rows"].severe


def test_a_file_with_doubtful_cells_fails_where_its_cells_are(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    frame = sheet().with_columns(
        pl.when(pl.int_range(pl.len()) == 2).then(None).otherwise(pl.col(names()[0])).alias("x")
    )
    shelf.land("year.csv", frame)
    shelf.load()

    found = judged(shelf, RULES["cells_are_numbers"])

    assert not found.passed
    assert found.sentence == "1 empty and 0 unreadable of 520 cells were taken for 0"
    assert '"x"' in str(found.numbers["first_faults"])


@pytest.mark.parametrize("strategies", [1, 2])
def test_a_book_of_few_strategies_passes(strategies: int, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.land("few.csv", sheet(strategies=strategies))
    make_all(shelf)

    for name, rule in ASKED.items():
        if rule.table not in BY_SIZE:
            found = judged(shelf, rule)
            assert found.passed, (name, found.sentence)


def test_portfolios_of_older_returns_are_warned_of_and_not_judged(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.land("year.csv", sheet())
    make_all(shelf)
    shelf.land("year.csv", sheet().with_columns(pl.col(names()[1]).reverse() - 500))
    shelf.load()

    found = judged(shelf, RULES["portfolios_are_current"])

    assert not found.passed
    assert not RULES["portfolios_are_current"].severe
    assert found.sentence == "3 of 3 were searched on other returns than those stored"
    assert judged(shelf, RULES["fitness_agrees"]).passed, "no error of theirs"
    for name in ("legacy_metrics_agree", "correlations_agree"):
        assert not judged(shelf, RULES[name]).passed, "figures of before are not those of now"


def test_chance_alone_is_nothing_to_compare_with(shelf: Shelf) -> None:
    for wanted in ("random_search", "hill_climbing"):
        with spoilt(shelf, "portfolios", lambda rows, only=wanted: rows.filter(algorithm=only)):
            found = judged(shelf, RULES["algorithms_beat_chance"])
        assert found.passed
        assert "nothing to compare" in found.sentence
