"""What portfolios of a book are judged by, and the files that balanced mode names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.orchestration.book_measure import MEASURE_COLUMNS, Measure, sources_of
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.array_evaluation import ArrayEvaluator
from mr_platform.portfolio.returns import PortfolioError
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, come_from, names, order, sheet
from mr_platform_tests.portfolio.held_arrays import HeldArrays


def halves() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two sheets of the same rows, seven strategies in the first and five in the second."""
    both = sheet()
    days = ["Date", "Day"]
    return both.select(*days, *names()[:7]), both.select(*days, *names()[7:])


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> StoredBook:
    """A book of two files, whose strategies have names of their own."""
    shelf = Shelf(tmp_path_factory.mktemp("home"))
    for name, frame in zip(("july.csv", "august.csv"), halves(), strict=True):
        shelf.land(name, frame)
    shelf.load()
    return shelf.read()


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> StoredBook:
    """A book of three files: one name twice, in folders that go before names of strategies."""
    shelf = Shelf(tmp_path_factory.mktemp("home"))
    shelf.land("atm/july.csv", halves()[0])
    shelf.land("otm/july.csv", halves()[0])
    shelf.land("otm/weeks, all=.csv", halves()[1])
    shelf.load()
    return shelf.read()


def balanced(**desired: int) -> dict[str, object]:
    return {"desired": {name.replace("_", "."): count for name, count in desired.items()}}


def test_without_balanced_mode_no_file_is_asked_for(book: StoredBook) -> None:
    measure = Measure.of(order(metric="roi", correlation_weight=3), book)

    assert measure == Measure("roi", 3.0, 0.0)
    assert measure.columns()["balance"] == "{}"
    assert tuple(measure.columns()) == MEASURE_COLUMNS
    assert measure.over(book, book.returns).source_numbers is None
    assert measure.lacking(book) == []


def test_a_measure_comes_back_from_its_columns(book: StoredBook) -> None:
    for asked in ({}, {"balance": {**balanced(july_csv=3), "penalty_factor": 2.5}}):
        measure = Measure.of(order(**asked), book)
        assert Measure.of_row({**measure.columns(), "size": 4}) == measure
    older = {**Measure.of(order(), book).columns(), "balance": None}
    assert Measure.of_row(older) == Measure.of(order(), book), "stored before there was the column"


def test_the_order_in_which_files_are_named_is_of_no_account(book: StoredBook) -> None:
    one = Measure.of(order(balance=balanced(july_csv=3, august_csv=1)), book)
    other = Measure.of(order(balance=balanced(august_csv=1, july_csv=3)), book)

    assert one.columns() == other.columns()
    assert json.loads(one.columns()["balance"]) == {
        "desired": {"august.csv": 1, "july.csv": 3}, "penalty_factor": 1.0, "sources": one.sources,
    }  # fmt: skip


def test_a_measure_is_of_the_strategies_that_come_from_its_files(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    first, second = halves()
    shelf.land("july.csv", first)
    shelf.land("august.csv", second.drop(names()[11]))
    shelf.land("june.csv", second.select("Date", "Day", names()[11]))
    shelf.load()
    measure = Measure.of(order(balance=balanced(july_csv=3)), shelf.read())
    free = Measure.of(order(), shelf.read())
    assert measure.is_of(shelf.read())

    come_from(shelf, [names()[11]], "august.csv")
    assert measure.is_of(shelf.read()), "files that are not named are of no account"
    come_from(shelf, [names()[0]], "august.csv")
    moved = shelf.read()

    assert not measure.is_of(moved)
    assert measure.lacking(moved) == []
    assert free.is_of(moved)
    assert Measure.of(order(balance=balanced(july_csv=3)), moved).columns() != measure.columns()
    older = json.dumps({"desired": {"july.csv": 3}, "penalty_factor": 1.0})
    unknown = Measure.of_row({**measure.columns(), "balance": older})
    assert not unknown.is_of(moved), "stored before the files of strategies were noted"


def test_each_member_too_many_or_too_few_of_a_file_costs_the_penalty(book: StoredBook) -> None:
    measure = Measure.of(
        order(balance={**balanced(july_csv=3, august_csv=1), "penalty_factor": 2.5}), book
    )
    free = Measure.of(order(), book)
    # the first seven names are those of July
    listed = [[0, 1, 2, 7], [0, 1, 7, 8], [7, 8, 9, 10]]
    members = np.array([[book.returns.names.index(names()[n]) for n in row] for row in listed])

    found = measure.over(book, book.returns).evaluate(members)

    assert found.imbalance is not None
    assert found.imbalance.tolist() == [0.0, 5.0, 15.0]
    plain = free.over(book, book.returns).evaluate(members).fitness
    assert found.fitness == pytest.approx(plain - found.imbalance)


def test_an_inverted_strategy_comes_from_the_file_of_its_original(book: StoredBook) -> None:
    returns = Preparation(inversion=True).returns(book)
    assert returns.names != book.returns.names

    found = dict(zip(returns.names, sources_of(book, returns), strict=True))

    in_first = set(halves()[0].columns)
    assert any(name.endswith("_inv") for name in found)
    for name, file in found.items():
        assert file == ("july.csv" if name.removesuffix("_inv") in in_first else "august.csv")


def test_files_below_folders_are_named_by_their_path_or_their_last_part(
    prefixed: StoredBook,
) -> None:
    asked = {"atm/july.csv": 1, f"strategy_books/{BOOK}/otm/july.csv": 2, "weeks, all=.csv": 3}

    measure = Measure.of(order(balance={"desired": asked}), prefixed)

    assert measure.balance is not None
    assert measure.balance.desired == {
        "atm/july.csv": 1, "otm/july.csv": 2, "otm/weeks, all=.csv": 3,
    }  # fmt: skip
    sources = sources_of(prefixed, prefixed.returns)
    assert {name: sources.count(name) for name in measure.balance.desired} == {
        "atm/july.csv": 7, "otm/july.csv": 7, "otm/weeks, all=.csv": 5,
    }  # fmt: skip
    for name, file in zip(prefixed.returns.names, sources, strict=True):
        assert name.startswith(f"{file.partition('/')[0]}_")


def test_a_file_in_the_folder_of_all_books_has_its_own_name(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.land(f"../{BOOK}.csv", sheet())
    shelf.load()
    book = shelf.read()

    assert set(sources_of(book, book.returns)) == {f"{BOOK}.csv"}


def test_a_name_of_several_files_is_refused_with_them(prefixed: StoredBook) -> None:
    with pytest.raises(PortfolioError, match=r"july\.csv, and the book has 2 files") as refused:
        Measure.of(order(balance=balanced(july_csv=3)), prefixed)
    assert "Name one of atm/july.csv, otm/july.csv" in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"jly.csv": 3}, "Did you mean july.csv?"),
        ({"x": 3}, "Its files: august.csv, july.csv"),
        ({"x": 3}, "(portfolio.search.balance): --balance off searches without them"),
        ({"july.csv": 3, "strategy_books/sensex/july.csv": 1}, "names the file july.csv twice"),
    ],
    ids=["near", "unknown", "off", "twice"],
)
def test_files_that_cannot_be_are_refused(
    asked: dict[str, int], told: str, book: StoredBook
) -> None:
    with pytest.raises(PortfolioError) as refused:
        Measure.of(order(balance={"desired": asked}), book)
    assert told in str(refused.value)


def test_files_that_no_strategy_comes_from_any_more_are_told(
    book: StoredBook, prefixed: StoredBook
) -> None:
    measure = Measure.of(order(balance=balanced(july_csv=3, august_csv=1)), book)

    assert measure.lacking(book) == []
    assert measure.lacking(prefixed) == ["august.csv", "july.csv"]


def test_batches_are_judged_where_the_arrays_are(book: StoredBook) -> None:
    measure = Measure.of(order(balance=balanced(july_csv=3)), book)
    members = np.array([[0, 1, 2, 7], [3, 4, 8, 9]])

    evaluator = measure.over(book, book.returns, HeldArrays())

    assert isinstance(evaluator, ArrayEvaluator)
    assert evaluator.evaluate(members).fitness == pytest.approx(
        measure.over(book, book.returns).evaluate(members).fitness
    )
