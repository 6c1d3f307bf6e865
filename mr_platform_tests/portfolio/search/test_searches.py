"""Many searches: one root, any number of workers."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.gateways.array_engine import CpuArrays
from mr_platform.portfolio.array_evaluation import ArrayEvaluator
from mr_platform.portfolio.arrays import Arrays
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search import searches
from mr_platform.portfolio.search.algorithms import ALGORITHMS
from mr_platform.portfolio.search.engine import Budget, SearchResult
from mr_platform.portfolio.search.searches import Search, run_searches, seed_of
from mr_platform_tests.portfolio.held_arrays import HeldArrays
from mr_platform_tests.portfolio.search.made_problems import balanced, made_problem, made_returns

EVALUATOR = LegacyFitness().over(made_returns(30, 40))
SEARCHES = [Search(name, size) for name in ALGORITHMS for size in (4, 5)]
LEGACY = Search("simulated_annealing", 4, "legacy", {"steps": 90})
BUDGET = Budget(300)


def _told(results) -> list:
    return [
        (one.algorithm, one.form, one.size, one.members.tolist(), one.fitness, one.convergence)
        for one in results
    ]


@pytest.fixture(scope="module")
def alone() -> tuple[SearchResult, ...]:
    """What this process alone finds."""
    return run_searches(EVALUATOR, [*SEARCHES, LEGACY], BUDGET, 5)


def test_one_and_several_workers_agree(alone: tuple[SearchResult, ...]) -> None:
    told = []
    wanted = [*SEARCHES, LEGACY]
    shared = run_searches(EVALUATOR, wanted, BUDGET, 5, workers=2, on_result=told.append)
    assert _told(shared) == _told(alone) == _told(told)
    assert alone[-1].evaluations == 91
    states = [
        {key: values.tobytes() for key, values in one.checkpoint.state.items()} for one in alone
    ]
    assert states == [
        {key: values.tobytes() for key, values in one.checkpoint.state.items()} for one in shared
    ]


def test_balanced_mode_and_candidates_reach_the_workers() -> None:
    evaluator = made_problem(settings=balanced()).evaluator
    wanted, candidates = [Search("genetic", 5), Search("hill_climbing", 5)], np.arange(0, 60, 2)
    alone = run_searches(evaluator, wanted, Budget(200), 1, candidates=candidates)
    shared = run_searches(evaluator, wanted, Budget(200), 1, candidates=candidates, workers=2)
    assert _told(shared) == _told(alone)
    assert all((one.members % 2 == 0).all() for one in shared)


@pytest.mark.parametrize("arrays", [CpuArrays(), HeldArrays()], ids=["numpy", "device"])
def test_batches_of_a_device_find_the_same_in_this_process_alone(
    arrays: Arrays, alone: tuple[SearchResult, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "_elsewhere", None)  # another process has no device
    on_device = ArrayEvaluator(LegacyFitness(), made_returns(30, 40), arrays)
    batches = []
    judge = ArrayEvaluator.evaluate
    monkeypatch.setattr(
        ArrayEvaluator, "evaluate", lambda self, members: batches.append(1) or judge(self, members)
    )

    found = run_searches(on_device, SEARCHES, BUDGET, 5, workers=4)

    assert len(batches) > len(SEARCHES), "batches are judged on the device"
    assert [(one.members.tolist(), one.fitness) for one in found] == [
        (one.members.tolist(), one.fitness) for one in alone[:-1]
    ], "to the bit: what is kept is judged by the processor"


def test_a_search_does_not_depend_on_its_neighbours() -> None:
    every = run_searches(EVALUATOR, SEARCHES[:4], Budget(200), 5)
    turned = run_searches(EVALUATOR, SEARCHES[2:4][::-1], Budget(200), 5)
    assert _told(turned) == _told(every[2:4][::-1])
    other = run_searches(EVALUATOR, SEARCHES[:1], Budget(200), 6)
    assert _told(other) != _told(every[:1])


def test_seeds_differ_by_name_alone() -> None:
    names = [
        ("genetic", "improved", 4),
        ("genetic", "improved", 5),
        ("genetic", "legacy", 4),
        ("bayesian", "improved", 4),
    ]
    states = {tuple(seed_of(root, name).generate_state(4)) for name in names for root in (0, 1)}
    assert len(states) == 8
    # a fixed number: a later version must draw the same
    assert seed_of(0, names[0]).generate_state(1).tolist() == [4159622827]


def test_going_on_from_checkpoints() -> None:
    part = run_searches(EVALUATOR, SEARCHES[:2], Budget(100), 5)
    kept = {SEARCHES[0].name: part[0].checkpoint}
    rest = run_searches(EVALUATOR, SEARCHES[:2], Budget(300), 5, checkpoints=kept, workers=2)
    whole = run_searches(EVALUATOR, SEARCHES[:2], Budget(300), 5)
    assert rest[0].evaluations == 300
    assert _told(rest[1:]) == _told(whole[1:])


def test_nothing_to_run() -> None:
    assert run_searches(EVALUATOR, [], Budget(10), 1) == ()


@pytest.mark.parametrize(
    ("searches", "more", "fault"),
    [
        ([Search("genetic", 4), Search("genetic", 4)], {}, "more than once"),
        ([Search("genetic", 41)], {}, "41 members"),
        ([Search("gentic", 4)], {}, "Did you mean 'genetic'"),
        ([Search("genetic", 4, parameters={"elites": 1})], {}, "Did you mean 'elite'"),
        ([Search("genetic", 4)], {"workers": 0}, "0 workers"),
        ([Search("genetic", 4)], {"root": -1}, "root seed is -1"),
    ],
)
def test_what_is_not_possible_is_refused_first(searches, more, fault: str) -> None:
    with pytest.raises(PortfolioError, match=fault):
        run_searches(EVALUATOR, searches, Budget(10), **{"root": 1, **more})


@pytest.mark.parametrize("workers", [1, 2])
def test_states_are_kept_now_and_then(workers: int) -> None:
    searches = [Search("genetic", 4), Search("random_search", 4, parameters={"batch": 20})]
    kept = []
    found = run_searches(
        EVALUATOR,
        searches,
        Budget(200),
        5,
        workers=workers,
        keep=lambda name, checkpoint: kept.append((name, checkpoint)),
        keep_seconds=0.0,
    )
    assert _told(found) == _told(run_searches(EVALUATOR, searches, Budget(200), 5))
    assert {name for name, _ in kept} == {one.name for one in searches}
    again = run_searches(EVALUATOR, searches, Budget(200), 5, checkpoints=dict(kept))
    assert _told(again) == _told(found)


def test_a_checkpoint_of_another_search_is_passed_over() -> None:
    search = Search("genetic", 4)
    other = run_searches(EVALUATOR, [search], Budget(100), 6)[0].checkpoint
    found = run_searches(EVALUATOR, [search], Budget(200), 5, checkpoints={search.name: other})
    assert _told(found) == _told(run_searches(EVALUATOR, [search], Budget(200), 5))
