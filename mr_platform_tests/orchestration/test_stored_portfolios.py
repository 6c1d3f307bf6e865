"""Stored portfolios of a book: which count, which are left out, and the best of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.orchestration.book_search import SearchOutcome, search_book
from mr_platform.orchestration.stored_portfolios import (
    best_rows,
    counting,
    current_portfolios,
    with_stored,
)
from mr_platform.orchestration.strategy_books import StoredBook, declared, read_part, write_part
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    Shelf,
    come_from,
    names,
    of_month,
    order,
    sheet,
)

AT = dt.datetime(2026, 7, 26, 16, 32, 51, tzinfo=dt.UTC)
LATER = AT + dt.timedelta(microseconds=1)
LATEST = AT + dt.timedelta(days=1)
CAP = 0.25
ALGORITHMS = 3
"""Of one search of these tests."""

Spoil = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """One loaded book."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    made.land("year.csv", sheet())
    made.load()
    return made


@pytest.fixture
def own_shelf(shelf: Shelf, tmp_path: Path) -> Shelf:
    return shelf.copied(tmp_path / "home")


@pytest.fixture(scope="module")
def searched(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The book, of which size 4 was searched."""
    made = shelf.copied(tmp_path_factory.mktemp("searched") / "home")
    search(made, 4)
    return made


@pytest.fixture
def own_searched(searched: Shelf, tmp_path: Path) -> Shelf:
    return searched.copied(tmp_path / "home")


def loaded(folder: Path, frame: pl.DataFrame) -> Shelf:
    """A book of one sheet."""
    made = Shelf(folder)
    made.land("year.csv", frame)
    made.load()
    return made


def search(
    shelf: Shelf, size: int, at: dt.datetime = AT, *, stored: bool = True, **asked: object
) -> SearchOutcome:
    """Search one size and store what was found."""
    kept, book = SearchCheckpoints(shelf.home / "checkpoints"), shelf.read()
    outcome = search_book(book, size, order(**{"evaluations": 60, **asked}), kept, len, at=at)
    for name in outcome.checkpoints:
        kept.remove(name)
    if stored:
        portfolios, members = outcome.rows(book)
        write_part(shelf.lakehouse, "portfolios", portfolios, BOOK, f"{size:03}")
        write_part(shelf.lakehouse, "portfolio_members", members, BOOK, f"{size:03}")
    return outcome


def spoil_part(shelf: Shelf, table: str, size: int, spoil: Spoil) -> None:
    """Change one stored part."""
    part = f"{size:03}"
    rows = read_part(shelf.lakehouse, table, BOOK, part)
    write_part(shelf.lakehouse, table, spoil(rows), BOOK, part)


def sizes(shelf: Shelf) -> tuple[set[int], int]:
    """Sizes of the portfolios that count, and how many do not."""
    current = current_portfolios(shelf.lakehouse, shelf.read())
    return set(current.rows["size"]), current.left_out


def kelly(rows: np.ndarray) -> float:
    """Kelly fraction as portfolio.md writes it, a loop in the place of arrays."""
    wins = [value for value in rows.tolist() if value > 0]
    losses = [-value for value in rows.tolist() if value < 0]
    if not wins:
        return 0.0
    if not losses:
        return 1.0
    odds = (sum(losses) / len(losses)) / (sum(wins) / len(wins))
    return min(max(len(wins) / rows.size - len(losses) / rows.size * odds, 0.0), 1.0)


# ---------------------------------------------------------------- which count


def test_all_of_one_measure_count_the_best_first(own_shelf: Shelf) -> None:
    found = [search(own_shelf, size) for size in (3, 5)]

    current = current_portfolios(own_shelf.lakehouse, own_shelf.read())

    assert current.left_out == 0
    assert current.metric == "ratio"
    assert current.preparation == Preparation()
    assert current.returns.names == own_shelf.read().returns.names
    fitness = current.rows["fitness"].to_list()
    assert fitness == sorted(fitness, reverse=True)
    results = {
        (one.size, one.algorithm, one.form): one.members.tolist()
        for outcome in found
        for one in outcome.results
    }
    assert {key: members.tolist() for key, members in current.members.items()} == results
    assert set(current.rows.select("size", "algorithm", "form").rows()) == results.keys()


@pytest.mark.parametrize(
    "other",
    [
        {"metric": "roi"},
        {"correlation_weight": 3},
        {"drawdown_threshold": 1e9},
        {"balance": {"desired": {"year.csv": 2}}},
        {"inversion": True},
        {"inversion": True, "metric": "expectancy"},
    ],
    ids=["metric", "weight", "threshold", "balance", "preparation", "several"],
)
def test_the_measure_searched_last_is_the_one_that_counts(other: dict, own_shelf: Shelf) -> None:
    search(own_shelf, 5, AT)
    search(own_shelf, 4, LATER, **other)

    assert sizes(own_shelf) == ({4}, ALGORITHMS), "whatever fitness the others have"
    assert set(best_rows(own_shelf.lakehouse, own_shelf.read(), CAP)["size"]) == {4}
    current = current_portfolios(own_shelf.lakehouse, own_shelf.read())
    assert current.metric == order(**other).metric
    assert current.preparation.inversion == order(**other).inversion

    search(own_shelf, 3, LATEST)
    assert sizes(own_shelf) == ({3, 5}, ALGORITHMS), "those of that measure are alike again"


def test_a_balanced_portfolio_is_worth_what_its_files_say(own_shelf: Shelf) -> None:
    balance = {"desired": {"year.csv": 2}, "penalty_factor": 4}
    outcome = search(own_shelf, 5, balance=balance)

    current = current_portfolios(own_shelf.lakehouse, own_shelf.read())

    assert current.left_out == 0
    assert current.rows["fitness"][0] == max(one.fitness for one in outcome.results)
    free = current.rows["ratio"][0] - 10 * current.rows["correlation"][0]
    assert current.rows["fitness"][0] == pytest.approx(free - 3 * 4), "three members too many"


def test_portfolios_balanced_by_files_of_other_names_do_not_count(own_shelf: Shelf) -> None:
    search(own_shelf, 5, balance={"desired": {"year.csv": 2}})
    landed = own_shelf.landing.folder / BOOK / "year.csv"
    landed.rename(landed.with_name("renamed.csv"))
    own_shelf.load()

    with pytest.raises(InputFileError, match=r"strategies of year\.csv come from other files"):
        best_rows(own_shelf.lakehouse, own_shelf.read(), CAP)
    search(own_shelf, 4, LATER, balance={"desired": {"renamed.csv": 2}})
    assert sizes(own_shelf) == ({4}, ALGORITHMS)


def test_portfolios_balanced_by_files_that_strategies_left_do_not_count(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "home")
    shelf.land("july.csv", sheet().select("Date", "Day", *names()[:7]))
    shelf.land("august.csv", sheet().select("Date", "Day", *names()[7:]))
    shelf.load()
    asked = {
        "balance": {"desired": {"july.csv": 3, "august.csv": 2}, "penalty_factor": 1e3},
        "algorithms": ["hill_climbing"],
    }
    for size, at in ((4, AT), (5, LATER)):
        search(shelf, size, at, **asked)
    assert sizes(shelf) == ({4, 5}, 0)
    members = read_part(shelf.lakehouse, "portfolio_members", BOOK, "005")["name"].to_list()
    come_from(shelf, members, "august.csv")

    with pytest.raises(
        InputFileError, match=r"strategies that come from august\.csv, july\.csv now"
    ):
        current_portfolios(shelf.lakehouse, shelf.read())
    assert counting(shelf.lakehouse, shelf.read())[1] == 2

    outcome = search(shelf, 5, LATEST, stored=False, **asked)
    for table, rows in zip(
        ("portfolios", "portfolio_members"),
        with_stored(shelf.lakehouse, shelf.read(), outcome),
        strict=True,
    ):
        write_part(shelf.lakehouse, table, rows, BOOK, "005")

    assert sizes(shelf) == ({5}, 1), "the new one takes the place of what looked better"
    best = best_rows(shelf.lakehouse, shelf.read(), CAP)
    assert best["fitness"][0] == outcome.results[0].fitness


def test_portfolios_from_before_balanced_mode_count_as_not_balanced(own_shelf: Shelf) -> None:
    search(own_shelf, 5)
    nothing = pl.lit(None, dtype=pl.String)
    spoil_part(
        own_shelf, "portfolios", 5,
        lambda rows: rows.with_columns(balance=nothing, parameters=nothing),
    )  # fmt: skip
    search(own_shelf, 4, LATER)

    assert sizes(own_shelf) == ({4, 5}, 0)


def test_what_does_not_measure_makes_no_other_portfolios(own_shelf: Shelf) -> None:
    search(own_shelf, 3, AT)
    search(own_shelf, 4, LATER, seed=9, evaluations=20, form="legacy",
           algorithms=["hill_climbing", "genetic", "simulated_annealing"],
           parameters={"genetic": {"population": 5}})  # fmt: skip

    assert sizes(own_shelf) == ({3, 4}, 0)


def test_portfolios_of_older_returns_are_left_out(own_shelf: Shelf) -> None:
    search(own_shelf, 3, LATEST, metric="roi")
    search(own_shelf, 4, LATEST, metric="roi")
    own_shelf.land("year.csv", sheet().with_columns(pl.col(names()[1]) - 500))
    own_shelf.load()

    with pytest.raises(InputFileError, match="those stored were searched on other returns"):
        best_rows(own_shelf.lakehouse, own_shelf.read(), CAP)
    search(own_shelf, 4, AT)

    assert sizes(own_shelf) == ({4}, ALGORITHMS), "the measure is that of the returns of now"
    assert set(best_rows(own_shelf.lakehouse, own_shelf.read(), CAP)["size"]) == {4}


def test_a_further_month_makes_portfolios_older(own_searched: Shelf) -> None:
    own_searched.land("march.csv", of_month(sheet(60), "2024-03"))
    own_searched.load()

    with pytest.raises(InputFileError, match="other returns"):
        current_portfolios(own_searched.lakehouse, own_searched.read())


# ---------------------------------------------------------------- stored whole


def of_hill_climbing(spoil: Spoil) -> Spoil:
    """Change the members of one portfolio, and leave those of the others."""

    def both(rows: pl.DataFrame) -> pl.DataFrame:
        mine = pl.col("algorithm") == "hill_climbing"
        return pl.concat([spoil(rows.filter(mine)), rows.filter(~mine)])

    return both


def instead_of_the_first(rows: pl.DataFrame) -> pl.DataFrame:
    """Another strategy of the book in the place of the first member."""
    outside = next(name for name in names() if name not in set(rows["name"]))
    first = pl.int_range(pl.len()) == 0
    return rows.with_columns(pl.when(first).then(pl.lit(outside)).otherwise("name").alias("name"))


@pytest.mark.parametrize(
    "spoil",
    [
        instead_of_the_first,
        lambda rows: rows.slice(1),
        lambda rows: pl.concat([rows, rows.head(1)]),
        lambda rows: pl.concat([rows.slice(1), rows.tail(1)]),
        lambda rows: rows.with_columns(name=pl.lit("nobody")),
        lambda rows: rows.with_columns(pl.col("name") + "_inv"),
        pl.DataFrame.clear,
    ],
    ids=["another", "one less", "one more", "one twice", "foreign", "of other returns", "none"],
)
def test_a_portfolio_whose_members_do_not_fit_is_left_out(
    spoil: Spoil, own_searched: Shelf
) -> None:
    spoil_part(own_searched, "portfolio_members", 4, of_hill_climbing(spoil))

    current = current_portfolios(own_searched.lakehouse, own_searched.read())

    assert set(current.rows["algorithm"]) == {"simulated_annealing", "random_search"}
    assert current.left_out == 1
    best = best_rows(own_searched.lakehouse, own_searched.read(), CAP)
    assert set(best["algorithm"]) == {current.rows["algorithm"][0]}


@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-6, -1])
def test_a_fitness_that_the_members_do_not_have_is_left_out(
    factor: float, own_searched: Shelf
) -> None:
    spoil_part(
        own_searched,
        "portfolios",
        4,
        lambda rows: rows.with_columns(
            fitness=pl.when(pl.col("algorithm") == "random_search")
            .then(pl.col("fitness") * factor)
            .otherwise("fitness")
        ),
    )

    current = current_portfolios(own_searched.lakehouse, own_searched.read())

    assert "random_search" not in set(current.rows["algorithm"])
    assert current.left_out == 1


def test_a_search_killed_between_its_tables_is_left_out_until_it_is_searched_again(
    own_shelf: Shelf,
) -> None:
    asked = {"algorithms": ["random_search"], "evaluations": 3}
    search(own_shelf, 3, AT, **asked)
    search(own_shelf, 5, AT, **asked, seed=1)
    again = search(own_shelf, 5, LATER, **asked, seed=2, stored=False)
    portfolios, members = again.rows(own_shelf.read())
    write_part(own_shelf.lakehouse, "portfolios", portfolios, BOOK, "005")

    assert sizes(own_shelf) == ({3}, 1)

    write_part(own_shelf.lakehouse, "portfolio_members", members, BOOK, "005")
    assert sizes(own_shelf) == ({3, 5}, 0)


def test_where_none_was_stored_whole_the_search_is_named(own_searched: Shelf) -> None:
    spoil_part(own_searched, "portfolio_members", 4, pl.DataFrame.clear)

    for asked in (current_portfolios, lambda *given: best_rows(*given, CAP)):
        with pytest.raises(InputFileError, match="those stored were not stored whole") as refused:
            asked(own_searched.lakehouse, own_searched.read())
        assert str(refused.value).startswith(BOOK)
        assert "mr portfolio optimize sensex" in str(refused.value.next_step)


def test_a_book_without_portfolios_says_how_to_search(own_shelf: Shelf) -> None:
    with pytest.raises(InputFileError, match="mr portfolio optimize sensex") as refused:
        best_rows(own_shelf.lakehouse, own_shelf.read(), CAP)
    assert "those stored" not in str(refused.value)


# ---------------------------------------------------------------- the best of them


def test_the_best_portfolio_is_the_one_of_the_highest_fitness(own_shelf: Shelf) -> None:
    outcomes = [search(own_shelf, size) for size in (3, 5)]
    book = own_shelf.read()
    best = max((one for outcome in outcomes for one in outcome.results), key=lambda r: r.fitness)

    rows = best_rows(own_shelf.lakehouse, book, CAP)

    assert rows["name"].to_list() == [book.returns.names[column] for column in best.members]
    assert rows["strategy_id"].to_list() == [book.ids[name] for name in rows["name"]]
    assert set(rows["size"]) == {best.size}
    assert set(rows["fitness"]) == {best.fitness}
    assert rows["place"].to_list() == list(range(1, best.size + 1))
    assert rows["kelly_share"].is_between(0, CAP).all()
    assert best_rows(own_shelf.lakehouse, book, 0.01)["kelly_share"].max() <= 0.01
    declared("best_portfolio", rows, BOOK, "all")


def test_of_equal_portfolios_the_smallest_is_the_best(tmp_path: Path) -> None:
    # strategies that are the same in whole rupees: every portfolio of them is worth the same
    whole = pl.col(names()[0]).round(0)
    shelf = loaded(tmp_path, sheet().with_columns(whole.alias(name) for name in names()))
    for size in (5, 2, 3):
        search(shelf, size, evaluations=10, correlation_weight=0)

    current = current_portfolios(shelf.lakehouse, shelf.read())

    assert current.rows["fitness"].n_unique() == 1
    assert current.rows["size"].to_list() == [2] * 3 + [3] * 3 + [5] * 3
    in_order = ["hill_climbing", "random_search", "simulated_annealing"]
    assert current.rows["algorithm"].to_list() == in_order * 3
    assert set(best_rows(shelf.lakehouse, shelf.read(), CAP)["size"]) == {2}


@pytest.mark.parametrize("asked", [{}, {"inversion": True}], ids=["as it is", "inverted"])
def test_kelly_shares_are_at_most_the_whole_and_those_of_the_members(
    asked: dict, tmp_path: Path
) -> None:
    # gains of unlike size: the fractions differ and ask together for more than there is
    gains = {name: 150 + 60 * place for place, name in enumerate(names())}
    signs = {name: -1 if asked and place % 2 else 1 for place, name in enumerate(names())}
    shelf = loaded(
        tmp_path,
        sheet().with_columns((pl.col(name) + gains[name]) * signs[name] for name in names()),
    )
    search(shelf, 6, **asked)
    book: StoredBook = shelf.read()

    rows = best_rows(shelf.lakehouse, book, 1.0)

    mirrored = [name.endswith("_inv") for name in rows["name"]]
    assert any(mirrored) == bool(asked)
    columns = [book.returns.names.index(name.removesuffix("_inv")) for name in rows["name"]]
    assert rows["strategy_id"].to_list() == book.strategies["strategy_id"][columns].to_list()
    fractions = [
        kelly(book.returns.pnl[:, column] * (-1 if inverse else 1))
        for column, inverse in zip(columns, mirrored, strict=True)
    ]
    assert sum(fractions) > 1
    assert len(set(fractions)) > 1
    assert rows["kelly_share"].sum() == pytest.approx(1)
    assert rows["kelly_share"].to_list() == pytest.approx(
        [fraction / sum(fractions) for fraction in fractions]
    )


def test_a_strategy_named_like_an_inverted_one_keeps_its_number(tmp_path: Path) -> None:
    # both lose, and x_inv stands for x as soon as both are inverted
    x, same = names()[1], f"{names()[1]}_inv"
    losing = sheet().with_columns(pl.col(x) - 900, (pl.col(x) - 700).alias(same))
    shelf = loaded(tmp_path, losing)
    search(shelf, 13, inversion=True, algorithms=["random_search"], evaluations=1)
    book = shelf.read()

    stored = read_part(shelf.lakehouse, "portfolio_members", BOOK, "013")
    for rows in (stored, best_rows(shelf.lakehouse, book, CAP)):
        numbers = dict(rows.select("name", "strategy_id").rows())
        assert numbers[same] == book.ids[x]
        assert numbers[f"{same}_inv"] == book.ids[same]
        assert sorted(numbers.values()) == list(range(13)), "each strategy once"


# ---------------------------------------------------------------- beside what is stored


def found_beside(shelf: Shelf, **asked: object) -> dict[tuple[str, str], float]:
    """Fitness by algorithm and metric of what would be stored after a further search."""
    outcome = search(shelf, 4, stored=False, **asked)
    portfolios, members = with_stored(shelf.lakehouse, shelf.read(), outcome)
    assert members.group_by("algorithm").len()["len"].unique().to_list() == [4]
    assert set(members["algorithm"]) == set(portfolios["algorithm"])
    return {
        (algorithm, metric): fitness
        for algorithm, metric, fitness in portfolios.select("algorithm", "metric", "fitness").rows()
    }


def test_other_algorithms_and_better_portfolios_stay(own_shelf: Shelf) -> None:
    both = ["hill_climbing", "random_search"]
    first = search(own_shelf, 4, algorithms=both, evaluations=200)
    best = {result.algorithm: result.fitness for result in first.results}
    key = {name: (name, "ratio") for name in both}

    smaller = found_beside(own_shelf, algorithms=["random_search"], evaluations=2)
    assert smaller == {key[name]: best[name] for name in both}, "two draws beat nothing"
    larger = found_beside(own_shelf, algorithms=["random_search"], evaluations=3_000)
    assert larger[key["random_search"]] >= best["random_search"]
    assert larger[key["hill_climbing"]] == best["hill_climbing"]


def test_a_better_portfolio_from_before_balanced_mode_stays(own_shelf: Shelf) -> None:
    first = search(own_shelf, 4, algorithms=["random_search"], evaluations=300)
    nothing = pl.lit(None, dtype=pl.String)
    spoil_part(own_shelf, "portfolios", 4, lambda rows: rows.with_columns(balance=nothing))

    smaller = found_beside(own_shelf, algorithms=["random_search"], evaluations=2)

    assert smaller == {("random_search", "ratio"): first.results[0].fitness}


@pytest.mark.parametrize("table", ["portfolios", "portfolio_members"])
def test_a_better_portfolio_that_its_members_do_not_make_does_not_stay(
    table: str, own_shelf: Shelf
) -> None:
    asked = {"algorithms": ["random_search"]}
    search(own_shelf, 4, **asked, evaluations=300)
    better = pl.col("fitness") + 1e6
    spoil_part(
        own_shelf, table, 4,
        instead_of_the_first
        if table == "portfolio_members"
        else lambda rows: rows.with_columns(better),
    )  # fmt: skip

    smaller = search(own_shelf, 4, LATER, stored=False, **asked, evaluations=2)
    portfolios, members = with_stored(own_shelf.lakehouse, own_shelf.read(), smaller)

    assert portfolios["fitness"].to_list() == [smaller.results[0].fitness]
    names_found = [smaller.returns.names[column] for column in smaller.results[0].members]
    assert members["name"].to_list() == names_found


def test_another_measure_takes_the_place_of_the_algorithm_searched(own_shelf: Shelf) -> None:
    search(own_shelf, 4, algorithms=["hill_climbing", "random_search"])
    found = found_beside(own_shelf, algorithms=["random_search"], metric="expectancy")
    assert set(found) == {("hill_climbing", "ratio"), ("random_search", "expectancy")}
