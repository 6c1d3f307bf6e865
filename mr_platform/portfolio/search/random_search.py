"""Random search: portfolios drawn uniformly, the best kept; what every other search must beat.

Here: the improved form; the record has no such algorithm.
Not here: the draws themselves (``problem``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.problem import SearchProblem, random_portfolios


@dataclass(frozen=True)
class RandomSearch:
    """Uniform portfolios, each drawn alone.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    batch: int = declared(500, "portfolios drawn at a time", least=1, most=1_000_000)

    name: ClassVar[str] = "random_search"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the first batch."""
        return self.step(problem, {}, rng, left)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Draw and judge one batch."""
        count = min(self.batch, left)
        drawn = random_portfolios(rng, problem.strategies, problem.size, count)
        fitness = problem.fitness(drawn)
        best = int(np.argmax(fitness))
        return Step({}, count, drawn[best], float(fitness[best]))
