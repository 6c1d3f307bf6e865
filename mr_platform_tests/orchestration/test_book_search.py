"""Searches of a book: same seed same portfolios, broken off and gone on, refused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.errors import PlatformError
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration.book_search import (
    SearchConfig,
    SearchOutcome,
    data_key,
    require_search,
    search_book,
)
from mr_platform.orchestration.strategy_books import StoredBook, declared
from mr_platform.parity.legacy_portfolio import naive_fitness
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, names, order, sheet

ALL = (
    "genetic",
    "simulated_annealing",
    "particle_swarm",
    "differential_evolution",
    "ant_colony",
    "hill_climbing",
    "bayesian",
    "random_search",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """One loaded book."""
    made = Shelf(tmp_path_factory.mktemp("home"))
    made.land("year.csv", sheet())
    made.load()
    return made


@pytest.fixture(scope="module")
def book(shelf: Shelf) -> StoredBook:
    return shelf.read()


@pytest.fixture
def kept(tmp_path: Path) -> SearchCheckpoints:
    return SearchCheckpoints(tmp_path / "checkpoints")


def quiet(line: str) -> None:
    """Hear nothing."""


def found(
    book: StoredBook,
    kept: SearchCheckpoints,
    size: int = 4,
    told: Callable[[str], object] = quiet,
    **asked: object,
) -> SearchOutcome:
    """Search, and drop the checkpoints as who has stored the results does."""
    outcome = search_book(book, size, order(**asked), kept, told)
    for name in outcome.checkpoints:
        kept.remove(name)
    return outcome


def bits(outcome: SearchOutcome) -> list[tuple[str, str, list[int], float, int]]:
    return [
        (one.algorithm, one.form, one.members.tolist(), one.fitness, one.evaluations)
        for one in outcome.results
    ]


def test_every_algorithm_finds_a_portfolio_that_is_worth_what_it_says(
    book: StoredBook, kept: SearchCheckpoints
) -> None:
    lines: list[str] = []
    outcome = found(book, kept, told=lines.append, algorithms=ALL, evaluations=150)

    portfolios, members = outcome.rows(book)

    assert portfolios["algorithm"].to_list() == list(ALL)
    for row in portfolios.to_dicts():
        chosen = members.filter(pl.col("algorithm") == row["algorithm"])
        assert chosen["place"].to_list() == [1, 2, 3, 4]
        columns = [book.returns.names.index(name) for name in chosen["name"]]
        assert chosen["strategy_id"].to_list() == [book.ids[name] for name in chosen["name"]]
        series = [book.returns.pnl[:, column].tolist() for column in columns]
        assert row["fitness"] == pytest.approx(naive_fitness(series, "ratio", 10.0, 0.0))
        mean = book.returns.pnl[:, columns].mean(axis=1)
        assert row["roi"] == pytest.approx(mean.sum())
        assert row["evaluations"] <= row["budget"] == 150
        assert json.loads(row["convergence"])[-1][1] == pytest.approx(row["fitness"])
        assert row["data_key"] == data_key(book)
    assert len(lines) == len(ALL)
    assert lines[0].startswith("genetic, 4 members: fitness ")
    assert outcome.metadata()["best_fitness"] == portfolios["fitness"].max()
    assert outcome.resumed == ()
    declared("portfolios", portfolios, BOOK, "004")
    declared("portfolio_members", members, BOOK, "004")


def test_the_same_seed_finds_the_same_portfolios_and_another_others(
    book: StoredBook, kept: SearchCheckpoints
) -> None:
    first = found(book, kept, evaluations=20)

    assert bits(found(book, kept, evaluations=20)) == bits(first)
    assert bits(found(book, kept, evaluations=20, seed=8)) != bits(first)


def test_two_workers_find_what_one_finds(book: StoredBook, kept: SearchCheckpoints) -> None:
    one = found(book, kept, evaluations=60, workers=1)

    assert bits(found(book, kept, evaluations=60, workers=2)) == bits(one)
    alone = found(book, kept, evaluations=60, algorithms=["random_search"])
    assert bits(alone) == bits(one)[2:], "what else is searched is of no account"


def test_an_inverted_search_lists_mirror_images_under_the_number_of_the_strategy(
    book: StoredBook, kept: SearchCheckpoints
) -> None:
    outcome = found(book, kept, size=10, inversion=True, algorithms=["hill_climbing"])

    portfolios, members = outcome.rows(book)

    mirrored = members.filter(pl.col("name").str.ends_with("_inv"))
    assert mirrored.height > 0
    for number, name in mirrored.select("strategy_id", "name").rows():
        assert number == book.ids[name.removesuffix("_inv")]
    columns = {name: place for place, name in enumerate(book.returns.names)}
    series = [
        (-book.returns.pnl[:, columns[name.removesuffix("_inv")]] + 0.0).tolist()
        if name.endswith("_inv")
        else book.returns.pnl[:, columns[name]].tolist()
        for name in members["name"]
    ]
    assert portfolios["fitness"][0] == pytest.approx(naive_fitness(series, "ratio", 10.0, 0.0))


@pytest.mark.parametrize(
    "asked",
    [{"form": "legacy", "algorithms": ALL[:-1], "evaluations": 300}, {"metric": "roi"},
     {"correlation_weight": 0}, {"drawdown_threshold": 1e9}],
    ids=["legacy form", "metric", "no price", "threshold"],
)  # fmt: skip
def test_what_is_asked_is_what_is_searched_and_told(
    asked: dict, book: StoredBook, kept: SearchCheckpoints
) -> None:
    outcome = found(book, kept, **asked)
    wanted = order(**asked)

    portfolios, members = outcome.rows(book)

    assert set(portfolios["form"]) == {wanted.form}
    assert set(portfolios["metric"]) == {wanted.metric}
    first = members.filter(pl.col("algorithm") == portfolios["algorithm"][0])["name"]
    series = [book.returns.pnl[:, book.returns.names.index(name)].tolist() for name in first]
    assert portfolios["fitness"][0] == pytest.approx(
        naive_fitness(series, wanted.metric, wanted.correlation_weight, wanted.drawdown_threshold)
    )
    assert (portfolios["correlation"].null_count() > 0) == (wanted.correlation_weight == 0)


def test_a_search_broken_off_goes_on_to_the_same_bits(
    book: StoredBook, kept: SearchCheckpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = found(book, SearchCheckpoints(kept.folder / "other"))
    write = SearchCheckpoints.write
    count = []

    def write_and_stop(self, name: str, content: bytes) -> None:
        write(self, name, content)
        count.append(name)
        if len(count) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SearchCheckpoints, "write", write_and_stop)
        with pytest.raises(KeyboardInterrupt):
            found(book, kept, checkpoint_seconds=0)
    assert kept.names(), "the state at the interruption is on disk"

    again = found(book, kept)

    assert again.resumed == ("hill_climbing",)
    assert again.metadata()["resumed"] == "hill_climbing"
    assert bits(again) == bits(whole)
    assert kept.names() == [], "searches that have ended leave nothing"


def test_a_search_whose_results_were_not_stored_is_not_made_again(
    book: StoredBook, kept: SearchCheckpoints
) -> None:
    whole = search_book(book, 4, order(), kept, quiet)
    assert sorted(kept.names()) == sorted(whole.checkpoints)

    again = search_book(book, 4, order(), kept, quiet)

    assert bits(again) == bits(whole)
    assert again.resumed == ("hill_climbing", "simulated_annealing", "random_search")
    assert again.checkpoints == whole.checkpoints


def test_searches_that_ended_before_the_interruption_are_found_again(
    book: StoredBook, kept: SearchCheckpoints
) -> None:
    whole = found(book, SearchCheckpoints(kept.folder / "other"))
    ended = []

    def stop(line: str) -> None:
        ended.append(line)
        if len(ended) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found(book, kept, told=stop, checkpoint_seconds=0)

    again = found(book, kept)

    assert again.resumed == ("hill_climbing", "simulated_annealing")
    assert bits(again) == bits(whole)
    assert kept.names() == []


@pytest.mark.parametrize(
    "changed", [{"metric": "roi"}, {"seed": 9}, {"evaluations": 100}, {"patience": 50}]
)
def test_a_checkpoint_of_another_search_is_passed_over(
    changed: dict, book: StoredBook, kept: SearchCheckpoints
) -> None:
    whole = found(book, SearchCheckpoints(kept.folder / "other"), **changed)
    with pytest.raises(KeyboardInterrupt):
        found(book, kept, told=_interrupt, checkpoint_seconds=0)

    again = found(book, kept, **changed)

    assert bits(again) == bits(whole)
    assert again.resumed == (), "a search begun anew is not told as resumed"


def test_a_checkpoint_that_cannot_be_read_is_as_good_as_none(
    book: StoredBook, kept: SearchCheckpoints
) -> None:
    whole = found(book, kept)
    with pytest.raises(KeyboardInterrupt):
        found(book, kept, told=_interrupt, checkpoint_seconds=0)
    for name in kept.names():
        kept.write(name, b"PK\x03\x04 cut off")

    again = found(book, kept)

    assert bits(again) == bits(whole)
    assert again.resumed == ()


def _interrupt(line: str) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("asked", "size", "told"),
    [
        ({"algorithms": ["genetics"]}, 4, "genetic"),
        ({"algorithms": ["random_search"], "form": "legacy"}, 4, "random_search"),
        ({"metric": "sharpe"}, 4, "'sharpe' is not known"),
        ({}, 13, "the book has 12 strategies, too few for portfolios of 13"),
    ],
    ids=["algorithm", "form", "metric", "size"],
)
def test_a_search_that_cannot_be_is_refused_before_any_has_run(
    asked: dict, size: int, told: str, book: StoredBook, kept: SearchCheckpoints
) -> None:
    with pytest.raises(PlatformError, match=told):
        require_search(book, [3, size], order(**asked), ZoneSettings())
    lines: list[str] = []
    with pytest.raises(PlatformError):
        found(book, kept, size=size, told=lines.append, **asked)
    assert lines == []


def test_a_search_that_can_be_is_not_refused(book: StoredBook) -> None:
    require_search(book, [2, 12], order(algorithms=ALL), ZoneSettings())


def test_a_run_asks_over_the_settings() -> None:
    settings = order(patience=50)

    assert SearchConfig().over(settings) == settings
    asked = SearchConfig(algorithms=["genetic"], seed=0, patience=0, inversion=False, workers=2)
    over = asked.over(settings)
    assert (over.algorithms, over.seed, over.patience, over.workers) == (("genetic",), 0, None, 2)
    assert (over.evaluations, over.inversion) == (settings.evaluations, False)
    legacy = SearchConfig(form="legacy").over(settings)
    assert legacy.algorithms == ("hill_climbing", "simulated_annealing")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"evaluations": 0}, "evaluations: Input should be greater than"),
        ({"seed": -1}, "seed: "),
        ({"form": "new"}, "form: Input should be 'legacy' or 'improved'"),
        ({"patience": -1, "workers": -1}, "patience: .*; workers: "),
    ],
    ids=["evaluations", "seed", "form", "two"],
)
def test_a_setting_that_cannot_be_is_named(asked: dict, told: str) -> None:
    with pytest.raises(PlatformError, match=told) as refused:
        SearchConfig(**asked).over(order())

    assert str(refused.value).startswith("search: ")
    assert refused.value.next_step


def test_rows_tell_when_it_was_searched(book: StoredBook, kept: SearchCheckpoints) -> None:
    at = dt.datetime(2026, 7, 26, 16, 32, 51, tzinfo=dt.UTC)
    asked = order(evaluations=5)

    for given, stored in ((at, "2026-07-26T16:32:51+00:00"), (None, "")):
        portfolios, _ = search_book(book, 4, asked, kept, quiet, at=given).rows(book)
        assert set(portfolios["searched_at"]) == {stored}


def test_the_key_of_the_data_is_that_of_values_and_names(shelf: Shelf, tmp_path: Path) -> None:
    key = data_key(shelf.read())
    other = Shelf(tmp_path)
    other.land("renamed.csv", sheet())
    other.load()
    assert data_key(other.read()) == key, "files of other names are the same data"
    other.land("renamed.csv", sheet().with_columns(pl.col(names()[0]) + 0.01))
    other.load()
    assert data_key(other.read()) != key
    third = Shelf(tmp_path / "third")
    third.land("year.csv", sheet().rename({names()[0]: "another"}))
    third.load()
    assert data_key(third.read()) != key


def test_the_settings_refuse_what_no_search_can_be() -> None:
    for wrong in ({"evaluations": 0}, {"seed": -1}, {"algorithms": []}, {"form": "new"}):
        with pytest.raises(ValueError):
            order(**wrong)
    assert isinstance(order(), SearchSettings)
