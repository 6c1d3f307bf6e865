"""Hill climbing: greedy in the record's form; optima, kicks and restarts in the improved one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.hill_climbing import HillClimbing, LegacyHillClimbing, above
from mr_platform.portfolio.search.problem import random_entering, random_portfolios
from mr_platform_tests.portfolio.search.made_problems import made_problem, real_problem


def test_the_legacy_form_step_by_step() -> None:
    problem = made_problem()
    result = run_search(LegacyHillClimbing(steps=150), problem, Budget(1000), 4)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(4)))
    members = random_portfolios(rng, 60, 6, 1)[0]
    best = problem.fitness(members[np.newaxis])[0]
    for _ in range(150):
        neighbour = members.copy()
        neighbour[rng.integers(6)] = random_entering(rng, members[np.newaxis], 60)[0]
        found = problem.fitness(neighbour[np.newaxis])[0]
        if found > best:
            members, best = neighbour, found
    assert result.fitness == best
    assert (result.evaluations, result.stopped) == (151, "finished")


def test_it_ends_in_a_local_optimum() -> None:
    problem = made_problem(strategies=20, size=3)
    result = run_search(HillClimbing(restarts=3, kick=1), problem, Budget(20_000), 4)
    members = result.members
    view = problem.swaps(members[np.newaxis])
    swaps = [(place, new) for place, new in product(range(3), range(20)) if new not in members]
    leaving, entering = np.array(swaps).T
    found = view.fitness(np.zeros(len(swaps), dtype=np.int64), leaving, entering)
    assert found.max() <= above(result.fitness)


def test_restarts_leave_the_best_optimum_behind() -> None:
    problem = made_problem(strategies=20, size=3)
    seen = []
    result = run_search(
        HillClimbing(restarts=1, kick=1),
        problem,
        Budget(5000),
        1,
        on_progress=lambda progress: seen.append(progress.fitness),
    )
    assert seen == sorted(seen)
    assert result.fitness == max(seen)
    assert int(result.checkpoint.state["kicks"]) <= 1


def test_a_small_kick_of_a_small_portfolio() -> None:
    problem = made_problem(strategies=4, size=1)
    best = problem.fitness(np.arange(4)[:, np.newaxis]).max()
    assert run_search(HillClimbing(kick=5), problem, Budget(200), 1).fitness == best


@pytest.mark.real_data
def test_real_quality(real_data) -> None:
    result = run_search(
        HillClimbing(), real_problem(real_data / "strategies"), Budget(3_000_000, target=130.0), 1
    )
    assert result.fitness >= 130.0
