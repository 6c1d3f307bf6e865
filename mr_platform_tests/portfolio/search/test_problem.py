"""What portfolios of a problem are worth, and which problems there are."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.problem import SearchProblem, random_portfolios
from mr_platform_tests.portfolio.search.made_problems import made_problem, made_returns

EVALUATOR = LegacyFitness().over(made_returns(30, 40))


def test_fitness_is_that_of_the_evaluator() -> None:
    candidates = np.array([30, 2, 5, 17, 8, 11])
    problem = SearchProblem(EVALUATOR, 3, candidates)
    assert problem.strategies == 6
    assert problem.candidates.tolist() == [2, 5, 8, 11, 17, 30]
    members = random_portfolios(np.random.default_rng(1), 6, 3, 8)
    expected = EVALUATOR.evaluate(problem.columns(members)).fitness
    assert problem.fitness(members).tobytes() == expected.tobytes()
    assert problem.fitness(members[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("size", "candidates", "fault"),
    [
        (0, None, "size from 1 to 40"),
        (41, None, "41 members"),
        (3, [1, 2], "size from 1 to 2"),
        (1, [], "0 candidates"),
        (1, [1, 1], "stands twice"),
        (1, [-1, 3], "outside"),
        (1, [3, 40], "outside"),
        (1, [0.5, 1.5], "whole numbers"),
        (1, [[1, 2]], "whole numbers"),
    ],
)
def test_impossible_problems_are_refused(size: int, candidates, fault: str) -> None:
    given = None if candidates is None else np.array(candidates, dtype=None if candidates else int)
    with pytest.raises(PortfolioError, match=fault):
        SearchProblem(EVALUATOR, size, given)


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([[0, 1]], "not portfolios of 3"),
        ([0, 1, 2], "not portfolios of 3"),
        ([[0, 1, 40]], "outside the 40"),
        ([[-1, 1, 2]], "outside the 40"),
        ([[1, 1, 2]], "twice"),
    ],
)
def test_wrong_members_are_refused(members, fault: str) -> None:
    problem = SearchProblem(EVALUATOR, 3)
    with pytest.raises(PortfolioError, match=fault):
        problem.fitness(np.array(members))
    with pytest.raises(PortfolioError, match=fault):
        problem.swaps(np.array(members))


def test_the_key_tells_problems_apart() -> None:
    same = SearchProblem(LegacyFitness().over(made_returns(30, 40)), 3)
    assert SearchProblem(EVALUATOR, 3).key == same.key
    others = [
        SearchProblem(EVALUATOR, 4),
        SearchProblem(EVALUATOR, 3, np.arange(39)),
        SearchProblem(LegacyFitness("roi").over(made_returns(30, 40)), 3),
        SearchProblem(LegacyFitness().over(made_returns(30, 40, seed=2)), 3),
        made_problem(),
    ]
    keys = {problem.key for problem in (same, *others)}
    assert len(keys) == 1 + len(others)
