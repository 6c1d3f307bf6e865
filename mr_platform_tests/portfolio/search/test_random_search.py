"""Random search keeps the best of what it draws."""

from __future__ import annotations

import numpy as np

from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.problem import random_portfolios
from mr_platform.portfolio.search.random_search import RandomSearch
from mr_platform_tests.portfolio.search.made_problems import made_problem


def test_the_best_of_the_draws() -> None:
    problem = made_problem()
    result = run_search(RandomSearch(batch=40), problem, Budget(100), 9)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(9)))
    drawn = np.concatenate([random_portfolios(rng, 60, 6, count) for count in (40, 40, 20)])
    fitness = problem.fitness(drawn)
    assert result.fitness == fitness.max()
    assert result.members.tolist() == drawn[np.argmax(fitness)].tolist()
