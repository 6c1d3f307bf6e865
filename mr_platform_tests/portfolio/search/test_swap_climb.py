"""A climb by swaps: never worse, counted to the last evaluation, sums of swaps."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.search.guided_draws import quality_order
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform.portfolio.search.swap_climb import climbed
from mr_platform_tests.portfolio.search.made_problems import made_problem


class Counted(SearchProblem):
    """A problem that counts what is judged."""

    judged = 0

    def fitness(self, members: np.ndarray) -> np.ndarray:
        self.judged += members.shape[0]
        return super().fitness(members)


@pytest.mark.parametrize("tries", [0, 1, 2, 3, 8, 9, 40, 200])
def test_a_climb_is_never_worse_and_within_its_tries(tries: int) -> None:
    made = made_problem()
    problem = Counted(made.evaluator, made.size)
    order = quality_order(problem)
    members = np.arange(problem.size)
    start = float(problem.fitness(members[np.newaxis])[0])
    for seed in range(5):
        rng = np.random.default_rng(seed)
        problem.judged = 0
        climb = climbed(problem, rng, members, start, tries, order, 4.0)
        swaps = tries - max(1, min(8, tries // 8)) if tries > 1 else 0
        assert climb.evaluated == swaps + problem.judged <= tries
        assert climb.fitness == problem.fitness(climb.members[np.newaxis])[0] >= start
        assert (np.diff(climb.members) > 0).all()
        if tries >= 40:
            assert climb.fitness > start


def test_several_swaps_can_be_made_at_once() -> None:
    problem = made_problem(strategies=60, size=20)
    order = quality_order(problem)
    members = np.sort(order[-20:])
    start = float(problem.fitness(members[np.newaxis])[0])
    climb = climbed(problem, np.random.default_rng(1), members, start, 200, order, 4.0)
    assert np.isin(climb.members, members).sum() < 19


def test_an_optimum_is_left_as_it_is() -> None:
    problem = made_problem(strategies=9, size=8)
    all_of_them = np.array([np.delete(np.arange(9), out) for out in range(9)])
    fitness = problem.fitness(all_of_them)
    best = int(np.argmax(fitness))
    climb = climbed(
        problem,
        np.random.default_rng(1),
        all_of_them[best],
        float(fitness[best]),
        50,
        quality_order(problem),
        4.0,
    )
    assert climb.members.tolist() == all_of_them[best].tolist()
    assert climb.evaluated == 50 - 6
