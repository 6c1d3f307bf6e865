"""Small problems for tests of searches, and the real one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from mr_platform.portfolio.fitness import Balance, LegacyFitness
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform_tests.portfolio.recorded import small_returns

RECORDED_SIZE = 37


def made_returns(rows: int, strategies: int, seed: int = 1) -> np.ndarray:
    """Returns with a shared movement, two constant strategies and one that stands twice."""
    rng = np.random.default_rng(seed)
    pnl = rng.normal(20, 400, (rows, strategies)) + rng.normal(0, 200, (rows, 1))
    if strategies >= 8:
        pnl[:, 3], pnl[:, 5] = 0.0, -2.5
        pnl[:, 7] = pnl[:, 6]
    return pnl


def made_problem(
    strategies: int = 60, size: int = 6, rows: int = 30, settings: LegacyFitness | None = None
) -> SearchProblem:
    """A problem over :func:`made_returns`, in balanced mode where the settings are."""
    settings = settings or LegacyFitness()
    sources = [f"file {place % 3}" for place in range(strategies)]
    evaluator = settings.over(made_returns(rows, strategies), sources)
    return SearchProblem(evaluator, size)


def balanced(metric: str = "ratio") -> LegacyFitness:
    """Settings in balanced mode, with a threshold that some drawdowns pass."""
    return LegacyFitness(metric, 900.0, 10.0, Balance({"file 0": 2, "file 2": 3}, 0.7))


@cache
def real_problem(folder: Path, size: int = RECORDED_SIZE) -> SearchProblem:
    """Portfolios of the 2,500 strategies under the fitness of the record."""
    return SearchProblem(LegacyFitness().over(small_returns(folder).pnl), size)
