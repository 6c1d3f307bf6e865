"""Searches of a book: same seed same portfolios, broken off and gone on, refused."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.errors import PlatformError
from mr_platform.gateways import array_engine
from mr_platform.gateways.array_engine import ArrayEngineError
from mr_platform.gateways.frame_engine import GpuAnswer
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration import book_search
from mr_platform.orchestration.book_search import (
    SearchConfig,
    SearchOutcome,
    data_key,
    require_search,
    search_book,
)
from mr_platform.orchestration.strategy_books import StoredBook, declared
from mr_platform.parity.legacy_portfolio import naive_fitness
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, come_from, names, order, sheet
from mr_platform_tests.portfolio.held_arrays import HeldArrays

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


INF = math.inf
REGIME = {"row_rules": ["regime"]}


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


def test_parameters_are_searched_with_and_told(book: StoredBook, kept: SearchCheckpoints) -> None:
    asked = {"algorithms": ["genetic", "random_search"], "evaluations": 90}
    given = {"parameters": {"genetic": {"population": 7, "mutation": 0.5}}}
    before = found(book, kept, **asked)
    outcome = found(book, kept, **asked, **given)

    told = [json.loads(text) for text in outcome.rows(book)[0]["parameters"]]

    assert told == [
        {"population": 7, "crossover": 0.8, "mutation": 0.5, "elite": 0.1, "tournament": 3,
         "guide": 4.0},
        {"batch": 500},
    ]  # fmt: skip
    assert bits(outcome)[0] != bits(before)[0]
    assert bits(outcome)[1] == bits(before)[1], "parameters of another algorithm are of no account"
    assert bits(found(book, kept, **asked, **given, workers=2)) == bits(outcome)
    assert outcome.metadata()["search"].value["parameters"] == given["parameters"]


def test_balanced_mode_is_searched_judged_and_told(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "home")
    shelf.land("july.csv", sheet().select("Date", "Day", *names()[:7]))
    shelf.land("august.csv", sheet().select("Date", "Day", *names()[7:]))
    shelf.load()
    halved, kept = shelf.read(), SearchCheckpoints(tmp_path / "kept")
    asked = {"balance": {"desired": {"july.csv": 1, "august.csv": 3}, "penalty_factor": 1e6}}

    for inversion in (False, True):
        outcome = found(halved, kept, **asked, inversion=inversion)
        portfolios, members = outcome.rows(halved)
        assert bits(found(halved, kept, **asked, inversion=inversion, workers=2)) == bits(outcome)

        (balance,) = map(json.loads, set(portfolios["balance"]))
        assert balance.pop("sources") == outcome.measure.sources != ""
        assert balance == {"desired": {"august.csv": 3, "july.csv": 1}, "penalty_factor": 1e6}
        for row in portfolios.to_dicts():
            chosen = members.filter(algorithm=row["algorithm"])["name"]
            in_july = sum(name.removesuffix("_inv") in names()[:7] for name in chosen)
            assert in_july == 1, "any other count costs a million"
            assert row["fitness"] < 1e6
            assert row["fitness"] == pytest.approx(row["ratio"] - 10 * row["correlation"])


def test_a_checkpoint_balanced_by_other_strategies_is_passed_over(tmp_path: Path) -> None:
    shelf, kept = Shelf(tmp_path / "home"), SearchCheckpoints(tmp_path / "kept")
    shelf.land("july.csv", sheet().select("Date", "Day", *names()[:7]))
    shelf.land("august.csv", sheet().select("Date", "Day", *names()[7:]))
    shelf.load()
    asked = order(evaluations=60, balance={"desired": {"july.csv": 1}, "penalty_factor": 1e6})
    before = search_book(shelf.read(), 4, asked, kept, quiet)
    come_from(shelf, names()[:5], "august.csv")

    again = search_book(shelf.read(), 4, asked, kept, quiet)

    assert again.data_key == before.data_key, "no return has changed"
    assert again.resumed == ()
    assert set(again.checkpoints).isdisjoint(before.checkpoints)


class _Device(HeldArrays):
    """Arrays that stand for those of a device, as an engine that was opened."""

    name = "gpu"

    def describe(self) -> dict[str, str]:
        return {"engine": "gpu", "device": "stand-in"}


def test_batches_judged_on_a_device_find_the_same_portfolios(
    book: StoredBook, kept: SearchCheckpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_device(name: str) -> _Device:
        opened.append(name)
        return _Device()

    asked = {"algorithms": ALL, "evaluations": 150, "workers": 2}
    on_processor = found(book, kept, **asked)
    monkeypatch.setattr(book_search, "open_arrays", open_device)
    on_device = found(book, kept, **asked, engine="gpu")

    assert opened == ["gpu"]
    assert bits(on_device) == bits(on_processor), "kept figures are those of the processor"
    told = on_device.metadata()
    assert (told["engine"], told["device"]) == ("gpu", "stand-in")
    assert on_processor.metadata()["engine"] == "cpu"
    assert set(on_device.checkpoints).isdisjoint(on_processor.checkpoints)


def test_a_device_that_fails_in_a_search_is_told(
    book: StoredBook, kept: SearchCheckpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(_Device):
        def to_host(self, array: Any, /) -> np.ndarray:
            raise MemoryError("out of memory allocating 9 bytes")

    class Small(_Device):
        @property
        def xp(self) -> Any:
            raise MemoryError("out of memory allocating 9 bytes")

        @xp.setter
        def xp(self, module: Any) -> None:
            """There is no room for anything."""

    for device in (Full(), Small()):
        monkeypatch.setattr(book_search, "open_arrays", lambda name, opened=device: opened)
        with pytest.raises(ArrayEngineError, match="memory of the GPU does not hold the work"):
            found(book, kept, engine="gpu")


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
    "changed",
    [
        {"metric": "roi"},
        {"seed": 9},
        {"evaluations": 100},
        {"patience": 50},
        {"parameters": {"hill_climbing": {"kick": 2}}},
        {"balance": {"desired": {"year.csv": 1}}},
    ],
    ids=str,
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
        ({"parameters": {"hill_climbing": {"kick": 0}}}, 4, "kick is 0; it must be at least 1"),
        ({"parameters": {"hill_climbing": {"kick": 0.5}}}, 4, "it must be a whole number"),
        ({"parameters": {"hill_climbing": {"cick": 3}}}, 4, "Did you mean 'kick'"),
        ({"balance": {"desired": {"yaer.csv": 3}}}, 4, "Did you mean year.csv"),
        ({"engine": "gpu"}, 4, "no GPU answers .*choose the engine cpu"),
        ({}, 13, "the book has 12 strategies, too few for portfolios of 13"),
    ],
    ids=["algorithm", "form", "metric", "parameter", "kind", "name", "file", "engine", "size"],
)
def test_a_search_that_cannot_be_is_refused_before_any_has_run(
    asked: dict,
    size: int,
    told: str,
    book: StoredBook,
    kept: SearchCheckpoints,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(array_engine, "cupy_answer", lambda: GpuAnswer(None, "no driver"))
    with pytest.raises(PlatformError, match=told):
        require_search(book, [3, size], order(**asked), ZoneSettings())
    lines: list[str] = []
    with pytest.raises(PlatformError):
        found(book, kept, size=size, told=lines.append, **asked)
    assert lines == []


def test_a_size_that_can_be_is_proposed(book: StoredBook, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="up to 12, such as --sizes 6"):
        require_search(book, [37], order(), ZoneSettings())
    lone = Shelf(tmp_path)
    lone.land("year.csv", sheet(strategies=1))
    lone.load()
    with pytest.raises(PlatformError, match="the book has 1 strategy, and a portfolio 2") as one:
        require_search(lone.read(), [2], order(), ZoneSettings())
    assert "mr portfolio load FILE --book sensex" in str(one.value)


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


def test_a_run_asks_parameters_over_those_of_the_settings() -> None:
    settings = order(
        algorithms=["genetic", "hill_climbing"],
        parameters={"genetic": {"population": 40, "mutation": 0.2}, "bayesian": {"batch": 3}},
    )

    plain = SearchConfig().over(settings).parameters
    assert plain == {"genetic": {"population": 40, "mutation": 0.2}}
    asked = {"genetic": {"population": 9}, "hill_climbing": {"kick": 2}}
    assert SearchConfig(parameters=asked).over(settings).parameters == {
        "genetic": {"population": 9, "mutation": 0.2}, "hill_climbing": {"kick": 2},
    }  # fmt: skip
    with pytest.raises(PlatformError, match="not among those that are searched with"):
        SearchConfig(parameters={"bayesian": {"batch": 3}}).over(settings)
    named = SearchConfig(algorithms=["bayesian"]).over(settings)
    assert named.parameters == {"bayesian": {"batch": 3}}, "the settings serve other runs"


def test_multipliers_need_the_rule_that_uses_them() -> None:
    settings = SearchSettings(algorithms=("genetic",), regime_multipliers={"bull": 2.0})
    assert SearchConfig().over(settings).regime_multipliers == {"bull": 2.0}
    with pytest.raises(PlatformError, match="the rule that uses them"):
        SearchConfig(regime_multipliers={"bull": 1.1}).over(settings)
    asked = SearchConfig(regime_multipliers={"bull": 1.1}, row_rules=["regime"]).over(settings)
    assert asked.regime_multipliers == {"bull": 1.1}


def test_a_run_asks_multipliers_over_those_of_the_settings() -> None:
    settings = order(row_rules=["regime"], regime_multipliers={"bull": 2.0, "bear": 0.0})

    asked = SearchConfig(regime_multipliers={"bull": 1.1}).over(settings)

    assert asked.regime_multipliers == {"bull": 1.1, "bear": 0.0}


def test_a_run_switches_rules_of_the_settings_off() -> None:
    settings = order(row_rules=["transition", "regime"], regime_multipliers={"bull": 2.0})

    assert SearchConfig().over(settings).row_rules == ("transition", "regime")
    assert SearchConfig(row_rules=["none"]).over(settings).row_rules == ()
    for wrong, told in (
        ({"row_rules": ["none", "regime"]}, "none is asked for beside rules: regime"),
        ({"row_rules": ["none"], "regime_multipliers": {"bull": 1.1}}, "the rule that uses them"),
    ):
        with pytest.raises(PlatformError, match=told) as refused:
            SearchConfig(**wrong).over(settings)
        assert refused.value.misused
        assert refused.value.next_step


def test_a_run_asks_balance_over_that_of_the_settings() -> None:
    settings = order(balance={"desired": {"a.csv": 2}, "penalty_factor": 3})

    def balance(**asked: object) -> object:
        found = SearchConfig(balance=asked or None).over(settings).balance
        return None if found is None else (found.desired, found.penalty_factor)

    assert balance() == ({"a.csv": 2}, 3)
    assert balance(desired={"b.csv": 1}) == ({"b.csv": 1}, 3)
    assert balance(penalty_factor=0.5) == ({"a.csv": 2}, 0.5)
    assert balance(desired={}) is None, "switched off"
    with pytest.raises(PlatformError, match="but no counts of files"):
        SearchConfig(balance={"penalty_factor": 2}).over(order())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"evaluations": 0}, "evaluations: Input should be greater than"),
        ({"seed": -1}, "seed: "),
        ({"form": "new"}, "form: Input should be 'legacy' or 'improved'"),
        ({"patience": -1, "workers": -1}, "patience: .*; workers: "),
        ({"holdout": 0.6}, "holdout: Input should be less than or equal to 0.5"),
        ({"engine": "tpu"}, "engine: Input should be 'cpu' or 'gpu'"),
        ({"balance": {"desired": {"a.csv": "many"}}}, "balance.desired.a.csv: "),
        ({"balance": {"desired": {"a.csv": -1}}}, "balance.desired.a.csv: .* than or equal to 0"),
        ({"balance": {"desired": {"a.csv": 1}, "penalty_factor": INF}}, "penalty_factor: .*finite"),
        ({"correlation_weight": INF}, "correlation_weight: Input should be a finite number"),
        ({"drawdown_threshold": math.nan}, "drawdown_threshold: .*a finite number"),
        ({**REGIME, "regime_multipliers": {"bull": INF}}, "regime_multipliers.bull: .*finite"),
        ({**REGIME, "regime_multipliers": {"bull": -1}}, "regime_multipliers.bull: .*equal to 0"),
    ],
    ids=[
        "evaluations",
        "seed",
        "form",
        "two",
        "holdout",
        "engine",
        "balance",
        "count",
        "penalty",
        "weight",
        "threshold",
        "multiplier",
        "negative",
    ],
)
def test_a_setting_that_cannot_be_is_named(asked: dict, told: str) -> None:
    with pytest.raises(PlatformError, match=told) as refused:
        SearchConfig(**asked).over(order())

    assert str(refused.value).startswith("search: ")
    assert refused.value.misused
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
