"""Hill climbing: ever better neighbours, a neighbour being one member replaced.

Here: the legacy form (one neighbour after the other), the improved form (batches of neighbours,
kicks out of local optima, restarts).
Not here: judging swaps (``swaps``); annealing, which also goes downhill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.guided_draws import (
    guide_parameter,
    guided_entering,
    guided_portfolios,
    guided_strategies,
)
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.problem import (
    SearchProblem,
    random_entering,
    random_portfolios,
)
from mr_platform.portfolio.search.swaps import SwapView

BETTER: Final = 1e-10
"""By how much a swap must be better, relative: above the rounding of figures of swaps."""

_LEGACY_AT_ONCE = 100
_FEWEST = 64
_BATCHES = 1000
_SHORTLIST = 64
_ROUNDS = 32


@dataclass(frozen=True)
class LegacyHillClimbing:
    """Hill climbing of the record: from a random start, one uniform neighbour at a time.

    Only strictly better neighbours are kept (portfolio.md §3). Each is judged as a whole, so its
    fitness has the bits of the evaluator.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    steps: int = declared(200, "neighbours judged after the start", least=1, most=10_000_000)

    name: ClassVar[str] = "hill_climbing"
    form: ClassVar[Form] = "legacy"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the start."""
        members = random_portfolios(rng, problem.strategies, problem.size, 1)[0]
        fitness = float(problem.fitness(members[np.newaxis])[0])
        return _counted(members, fitness, done=0, evaluated=1, steps=self.steps)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Judge up to 100 neighbours, one after the other."""
        members, fitness = state["members"].copy(), float(state["fitness"])
        done = int(state["done"])
        count = min(_LEGACY_AT_ONCE, left, self.steps - done)
        for _ in range(count):
            neighbour = members.copy()
            neighbour[rng.integers(problem.size)] = random_entering(
                rng, members[np.newaxis], problem.strategies
            )[0]
            found = float(problem.fitness(neighbour[np.newaxis])[0])
            if found > fitness:
                members, fitness = neighbour, found
        return _counted(members, fitness, done + count, count, self.steps)


def _counted(members: Members, fitness: float, done: int, evaluated: int, steps: int) -> Step:
    """The step of a search that keeps one portfolio and counts its neighbours."""
    state = {
        "members": members,
        "fitness": np.asarray(fitness),
        "done": np.asarray(done),
    }
    return Step(state, evaluated, members, fitness, finished=done >= steps)


@dataclass(frozen=True)
class HillClimbing:
    """Climbs by the best of a batch of neighbours, is kicked out of optima, starts anew.

    Batches grow while none of their neighbours is better and shrink again when one is. Good
    neighbours of a batch are judged again after the best of them has been taken. A portfolio
    counts as optimal after as many neighbours without a better one as it has; then some members
    of the best so far are replaced at random, and the climb starts over. After too many kicks
    without a better optimum a new random portfolio is the start.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    neighbours: int = declared(8192, "most swaps judged at a time", least=1, most=1_000_000)
    kick: int = declared(3, "members replaced to leave an optimum", least=1, most=1000)
    restarts: int = declared(
        500, "kicks without a better optimum before a new start", least=1, most=1_000_000
    )
    guide: float = guide_parameter()

    name: ClassVar[str] = "hill_climbing"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the start."""
        members = guided_portfolios(rng, problem.order, self.guide, problem.size, 1)[0]
        fitness = float(problem.fitness(members[np.newaxis])[0])
        batch = self._fewest(left)
        return _step(1, members, fitness, members, fitness, batch, unchanged=0, kicks=0)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Climb for a while, or leave an optimum."""
        members, optimum = state["members"], state["optimum"]
        fitness, best = float(state["fitness"]), float(state["best"])
        batch, unchanged = int(state["batch"]), int(state["unchanged"])
        kicks = int(state["kicks"])
        if unchanged < problem.size * (problem.strategies - problem.size):
            view = problem.swaps(members[np.newaxis])
            evaluated, batch, unchanged = self._climbed(
                problem, view, rng, fitness, (left, batch, unchanged)
            )
            members = view.members[0]
            fitness = float(problem.fitness(view.members)[0])
            return _step(evaluated, members, fitness, optimum, best, batch, unchanged, kicks)
        if fitness > best:
            optimum, best, kicks = members, fitness, 0
        if kicks >= self.restarts:
            members = guided_portfolios(rng, problem.order, self.guide, problem.size, 1)[0]
            optimum, best, kicks = members, -np.inf, 0
        else:
            members, kicks = self._kicked(problem, optimum, rng), kicks + 1
        fitness = float(problem.fitness(members[np.newaxis])[0])
        return _step(1, members, fitness, optimum, best, self._fewest(left), 0, kicks)

    def _kicked(
        self, problem: SearchProblem, members: Members, rng: np.random.Generator
    ) -> Members:
        """The portfolio with up to ``kick`` members replaced, one after the other."""
        kicked = members[np.newaxis].copy()
        for _ in range(min(self.kick, problem.size)):
            entering = guided_entering(rng, kicked, problem.order, self.guide)[0]
            kicked[0, rng.integers(problem.size)] = entering
        return np.asarray(kicked[0])

    def _fewest(self, left: int) -> int:
        """Smallest batch: what a processor is quick with, less where the budget is small."""
        return min(self.neighbours, _FEWEST, max(1, left // _BATCHES))

    def _climbed(
        self,
        problem: SearchProblem,
        view: SwapView,
        rng: np.random.Generator,
        fitness: float,
        counts: tuple[int, int, int],
    ) -> tuple[int, int, int]:
        """Swaps judged, size of the next batch, neighbours since the last better one."""
        left, batch, unchanged = counts
        evaluated = 0
        whole = problem.size * (problem.strategies - problem.size)
        for _ in range(_ROUNDS):
            count = min(batch, left - evaluated)
            if count < 1 or unchanged >= whole:
                break
            which = np.zeros(count, dtype=np.int64)
            wished = guided_strategies(rng, problem.order, self.guide, which.shape)
            leaving, entering = view.draw(rng, which, wished)
            found = view.fitness(which, leaving, entering, least=fitness)
            evaluated += count
            if not found.max() > above(fitness):
                unchanged += count
                batch = min(2 * batch, self.neighbours, max(1, left // 100))
                continue
            unchanged, batch = 0, max(batch // 2, self._fewest(left))
            again, fitness = _taken(view, leaving, entering, found, fitness, left - evaluated)
            evaluated += again
        return evaluated, batch, unchanged


def above(fitness: float) -> float:
    """What the figure of a swap must exceed to be better than a portfolio, past rounding."""
    return fitness + BETTER * (1.0 + abs(fitness))


def _taken(
    view: SwapView,
    leaving: Members,
    entering: Members,
    found: np.ndarray,
    fitness: float,
    left: int,
) -> tuple[int, float]:
    """Apply the best swap, then others that were better too, as long as one still is."""
    order = np.argsort(-found, kind="stable")[: _SHORTLIST + 1]
    order = order[found[order] > above(fitness)]
    evaluated, figures = 0, found[order]
    while True:
        best = int(np.argmax(figures))
        if not figures[best] > above(fitness):
            return evaluated, fitness
        taken = order[best : best + 1]
        view.apply(np.zeros(1, dtype=np.int64), leaving[taken], entering[taken])
        fitness = float(figures[best])
        # a place is taken once in a batch, and so is a strategy
        order = order[(leaving[order] != leaving[taken]) & (entering[order] != entering[taken])]
        if not order.size or order.size > left - evaluated:
            return evaluated, fitness
        which = np.zeros(order.size, dtype=np.int64)
        figures = view.fitness(which, leaving[order], entering[order], least=fitness)
        evaluated += order.size


def _step(
    evaluated: int,
    members: Members,
    fitness: float,
    optimum: Members,
    best: float,
    batch: int,
    unchanged: int,
    kicks: int,
) -> Step:
    state = {
        "members": members,
        "fitness": np.asarray(fitness),
        "optimum": optimum,
        "best": np.asarray(best),
        "batch": np.asarray(batch),
        "unchanged": np.asarray(unchanged),
        "kicks": np.asarray(kicks),
    }
    return Step(state, evaluated, members, fitness)
