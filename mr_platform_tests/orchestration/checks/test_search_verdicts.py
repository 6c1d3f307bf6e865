"""Verdicts on what searches found: fitness in balanced mode, chance by the same measure."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mr_platform.orchestration.checks.search_verdicts import beats_chance, fitness_errors
from mr_platform.orchestration.checks.verdicts import Judgement
from mr_platform.orchestration.strategy_books import read_part
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    Shelf,
    come_from,
    names,
    search,
    sheet,
)

Tables = tuple[pl.DataFrame, pl.DataFrame]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A book of two files, one searched size in balanced mode."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    both = sheet()
    made.land("july.csv", both.select("Date", "Day", *names()[:7]))
    made.land("august.csv", both.select("Date", "Day", *names()[7:]))
    made.load()
    balance = {"desired": {"july.csv": 1, "august.csv": 2}, "penalty_factor": 7.0}
    search(made, 4, balance=balance, inversion=True)
    return made


def tables(shelf: Shelf) -> Tables:
    return (
        read_part(shelf.lakehouse, "portfolios", BOOK, "004"),
        read_part(shelf.lakehouse, "portfolio_members", BOOK, "004"),
    )


def test_balanced_fitness_agrees_with_the_second_implementation(shelf: Shelf) -> None:
    errors = fitness_errors(shelf.read(), *tables(shelf))

    assert isinstance(errors, list)
    assert [told for _, told in errors] == ["hill_climbing (improved)", "random_search (improved)"]
    assert max(error for error, _ in errors) < 1e-9


@pytest.mark.parametrize(
    ("old", "new"), [('"july.csv": 1', '"july.csv": 2'), ("7.0", "7.1"), ('{"d', None)],
    ids=["count", "price", "not balanced"],
)  # fmt: skip
def test_another_balance_is_another_fitness(old: str, new: str | None, shelf: Shelf) -> None:
    stored, members = tables(shelf)
    other = pl.lit(None, dtype=pl.String) if new is None else pl.col("balance").str.replace(
        old, new, literal=True
    )  # fmt: skip
    spoilt = stored.with_columns(balance=other)
    assert not spoilt.equals(stored)

    errors = fitness_errors(shelf.read(), spoilt, members)

    assert isinstance(errors, list)
    assert max(error for error, _ in errors) > 1e-5


def test_files_that_are_gone_leave_nothing_to_compare(shelf: Shelf) -> None:
    stored, members = tables(shelf)
    renamed = stored.with_columns(pl.col("balance").str.replace("july", "june"))

    found = fitness_errors(shelf.read(), renamed, members)
    assert found == Judgement(True, "all were balanced by other files: nothing to compare")

    both = pl.concat([renamed.filter(algorithm="random_search"), stored.head(1)])
    errors = fitness_errors(shelf.read(), both, members)
    assert isinstance(errors, list)
    assert [told for _, told in errors] == ["hill_climbing (improved)"]


def test_files_that_strategies_have_left_leave_nothing_to_compare(
    shelf: Shelf, tmp_path: Path
) -> None:
    moved = shelf.copied(tmp_path / "home")
    come_from(moved, names()[:2], "august.csv")

    found = fitness_errors(moved.read(), *tables(moved))

    assert found == Judgement(True, "all were balanced by other files: nothing to compare")


def of_chance(stored: pl.DataFrame, **values: object) -> pl.DataFrame:
    """Set values in the row of random search."""
    drawn = pl.col("algorithm") == "random_search"
    return stored.with_columns(
        pl.when(drawn).then(pl.lit(value)).otherwise(name).cast(stored.schema[name]).alias(name)
        for name, value in values.items()
    )


def test_chance_is_compared_by_the_same_measure_alone(shelf: Shelf) -> None:
    better = of_chance(tables(shelf)[0], fitness=1e9)
    assert beats_chance(better).sentence == "below random search: hill_climbing"
    assert not beats_chance(better).passed

    for column, value in {
        "metric": "roi", "correlation_weight": 0.0, "drawdown_threshold": 5.0, "balance": None,
        "preparation": "{}", "data_key": "other", "budget": 61,
    }.items():  # fmt: skip
        found = beats_chance(of_chance(better, **{column: value}))
        assert found.passed, column
        assert found.sentence == (
            "random search judged by another measure, on other returns or with another number of "
            "evaluations: nothing to compare"
        )


def test_algorithms_that_are_not_compared_with_chance_are_named(shelf: Shelf) -> None:
    stored = tables(shelf)[0]
    climbed = stored.filter(algorithm="hill_climbing")
    further = climbed.with_columns(
        algorithm=pl.lit("genetic"), budget=pl.lit(9_000, dtype=stored.schema["budget"])
    )

    for fitness, told in (
        (-1e9, "1 algorithms are not below random search"),
        (1e9, "below random search: hill_climbing"),
    ):
        found = beats_chance(of_chance(pl.concat([stored, further]), fitness=fitness))
        assert found.passed == (fitness < 0)
        assert found.sentence == (
            f"{told}; not compared, being of another measure, other returns or another number of "
            "evaluations: genetic"
        )


def test_portfolios_from_before_balanced_mode_are_compared_with_those_without(
    shelf: Shelf,
) -> None:
    free = tables(shelf)[0].with_columns(balance=pl.lit("{}"))
    older = of_chance(free, balance=None, fitness=1e9)
    assert beats_chance(older).sentence == "below random search: hill_climbing"
