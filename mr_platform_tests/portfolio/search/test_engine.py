"""Budget, early stop, progress, checkpoints: what holds of every search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.engine import (
    MOST_POINTS,
    Budget,
    Checkpoint,
    Progress,
    Step,
    run_search,
)
from mr_platform.portfolio.search.random_search import RandomSearch
from mr_platform_tests.portfolio.search.made_problems import made_problem

PROBLEM = made_problem()


@dataclass(frozen=True)
class _Scripted:
    """Does what a function says."""

    told: Callable[[int], tuple[int, float, bool]]
    name: ClassVar[str] = "scripted"
    form: ClassVar[str] = "improved"

    def begin(self, problem, rng, left) -> Step:
        return self.step(problem, {"at": np.asarray(0)}, rng, left)

    def step(self, problem, state, rng, left) -> Step:
        at = int(state["at"])
        evaluated, fitness, finished = self.told(at)
        members = np.arange(problem.size)
        return Step({"at": np.asarray(at + 1)}, evaluated, members, fitness, finished)


def test_the_result_is_exact() -> None:
    result = run_search(RandomSearch(batch=7), PROBLEM, Budget(100), 5)
    assert result.evaluations == 100
    assert result.stopped == "budget"
    assert result.seed == (5,)
    assert (np.diff(result.members) > 0).all()
    assert result.members.dtype == np.int64
    assert result.fitness == PROBLEM.evaluator.evaluate(result.members[np.newaxis]).fitness[0]
    assert result.convergence[-1][1] == pytest.approx(result.fitness)
    assert [point[1] for point in result.convergence] == sorted(
        {point[1] for point in result.convergence}
    )


def test_only_strictly_better_portfolios_replace_the_best() -> None:
    worth = [1.0, 3.0, 3.0, 2.0, 4.0]
    result = run_search(_Scripted(lambda at: (10, worth[at], at == 4)), PROBLEM, Budget(99), 1)
    assert result.stopped == "finished"
    assert result.convergence == ((10, 1.0), (20, 3.0), (50, 4.0))
    assert result.checkpoint.improved_at == 50


def test_patience_and_target_stop_early() -> None:
    flat = _Scripted(lambda at: (10, 1.0, False))
    assert run_search(flat, PROBLEM, Budget(1000, patience=25), 1).evaluations == 40
    assert run_search(flat, PROBLEM, Budget(1000, patience=25), 1).stopped == "patience"
    rising = _Scripted(lambda at: (10, float(at), False))
    result = run_search(rising, PROBLEM, Budget(1000, target=7.0), 1)
    assert (result.stopped, result.evaluations) == ("target", 80)


def test_progress_and_asking_to_stop() -> None:
    told: list[Progress] = []
    result = run_search(
        RandomSearch(batch=10),
        PROBLEM,
        Budget(100),
        1,
        on_progress=told.append,
        should_stop=lambda: len(told) == 3,
    )
    assert (result.stopped, result.evaluations) == ("asked", 30)
    assert [one.evaluations for one in told] == [10, 20, 30]
    assert told[-1].fitness == result.checkpoint.fitness
    assert (told[0].algorithm, told[0].form, told[0].size) == ("random_search", "improved", 6)
    assert told[0].budget == 100


def test_a_larger_budget_goes_on_from_the_end() -> None:
    whole = run_search(RandomSearch(batch=10), PROBLEM, Budget(100), 1)
    part = run_search(RandomSearch(batch=10), PROBLEM, Budget(40), 1)
    rest = run_search(RandomSearch(batch=10), PROBLEM, Budget(100), 1, checkpoint=part.checkpoint)
    assert rest.members.tobytes() == whole.members.tobytes()
    assert rest.convergence == whole.convergence
    again = run_search(RandomSearch(batch=10), PROBLEM, Budget(40), 1, checkpoint=part.checkpoint)
    assert again.evaluations == 40


def test_curves_are_thinned() -> None:
    rising = _Scripted(lambda at: (1, float(at), False))
    curve = run_search(rising, PROBLEM, Budget(5 * MOST_POINTS), 1).convergence
    assert len(curve) <= MOST_POINTS
    assert curve[0] == (1, 0.0)
    assert curve[-1] == (1000, 999.0)


def test_one_portfolio_is_judged_once() -> None:
    problem = made_problem(strategies=5, size=5)
    result = run_search(RandomSearch(), problem, Budget(1000), 1)
    assert (result.evaluations, result.stopped) == (1, "finished")
    assert result.members.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("evaluated", [-1, 0, 101])
def test_an_algorithm_that_breaks_its_contract_is_refused(evaluated: int) -> None:
    with pytest.raises(PortfolioError, match="in a step of at most 100"):
        run_search(_Scripted(lambda at: (evaluated, 1.0, False)), PROBLEM, Budget(100), 1)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"evaluations": 0}, "judges nothing"),
        ({"evaluations": 5, "patience": 0}, "patience is 0"),
        ({"evaluations": 5, "target": float("nan")}, "not a number"),
    ],
)
def test_wrong_budgets_are_refused(wrong: dict, fault: str) -> None:
    with pytest.raises(PortfolioError, match=fault):
        Budget(**wrong)


def test_a_checkpoint_survives_as_bytes() -> None:
    found = run_search(RandomSearch(batch=10), PROBLEM, Budget(50), 1).checkpoint
    read = Checkpoint.from_bytes(found.to_bytes())
    assert read.key == found.key
    assert read.generator == found.generator
    assert read.convergence == found.convergence
    assert read.members.tobytes() == found.members.tobytes()
    assert (read.fitness, read.evaluations, read.improved_at, read.finished) == (
        found.fitness,
        found.evaluations,
        found.improved_at,
        found.finished,
    )


def test_a_checkpoint_of_another_search_is_refused() -> None:
    given = run_search(RandomSearch(batch=10), PROBLEM, Budget(50), 1).checkpoint

    def refused(algorithm, problem, seed) -> str:
        with pytest.raises(PortfolioError, match="belongs to another search") as caught:
            run_search(algorithm, problem, Budget(99), seed, checkpoint=given)
        return str(caught.value)

    assert "parameters" in refused(RandomSearch(batch=11), PROBLEM, 1)
    assert "size" in refused(RandomSearch(batch=10), made_problem(size=5), 1)
    assert "data" in refused(RandomSearch(batch=10), made_problem(rows=29), 1)
    assert "seed" in refused(RandomSearch(batch=10), PROBLEM, 2)
    assert "algorithm" in refused(_Scripted(lambda at: (1, 1.0, True)), PROBLEM, 1)


def test_bytes_that_are_no_checkpoint_are_refused() -> None:
    good = run_search(RandomSearch(batch=10), PROBLEM, Budget(50), 1).checkpoint.to_bytes()
    for bad in (b"", b"something", good[: len(good) // 2], good[:-30]):
        with pytest.raises(PortfolioError, match="not a checkpoint"):
            Checkpoint.from_bytes(bad)
    with pytest.raises(PortfolioError, match="layout 9"):
        Checkpoint.from_bytes(_with_layout(good, 9))


def _with_layout(good: bytes, layout: int) -> bytes:
    import io
    import json

    with np.load(io.BytesIO(good)) as file:
        arrays = dict(file)
    told = json.loads(arrays["told"].tobytes()) | {"layout": layout}
    arrays["told"] = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


def test_entropy_of_a_spawned_seed_is_told() -> None:
    seed = np.random.SeedSequence([3, 4]).spawn(2)[1]
    assert run_search(RandomSearch(), PROBLEM, Budget(5), seed).seed == (3, 4, 1)
