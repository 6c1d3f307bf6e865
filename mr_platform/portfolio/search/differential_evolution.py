"""Differential evolution over sets: differences of two portfolios, added to a third.

Here: the set-based form with greedy selection; the form of the record, a coin flip a member.
Not here: the start, the climb and the new start of a population (``populations``), membership and
choice (``member_sets``), draws (``guided_draws``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.search.draws import random_portfolios
from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.guided_draws import fresh_members, guide_parameter
from mr_platform.portfolio.search.member_sets import contained, most_wanted
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.populations import (
    Population,
    climb_parameter,
    climbed_on,
    drawn,
    kick_parameter,
    patience_parameter,
    scattered,
)
from mr_platform.portfolio.search.problem import SearchProblem

_SHARED: Final = 0.9
"""How much more a target's member stays where the mutant has it too. Below 1 one of them leaves now
and then all the same, which keeps populations from agreeing."""


@dataclass(frozen=True)
class DifferentialEvolution:
    """Set-based differential evolution, ``best/1/bin`` or ``rand/1/bin``.

    Mutant: the base (the best, or a random portfolio) takes each member of the first of two other
    portfolios that the second lacks with chance F, and loses those that only the second has with
    chance F. Trial: of what the mutant has beyond its target each comes with chance CR, at least
    one. A trial that is not worse replaces its target. A few members are drawn anew, the best
    climbs by swaps, and a population that has found nothing better for a while scatters around the
    best portfolio of all: portfolios that agree have no differences left.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    population: int = declared(30, "portfolios", least=4, most=10_000)
    f: float = declared(0.8, "chance of a difference to be added", least=0.0, most=1.0)
    cr: float = declared(0.7, "chance of a mutant's member to cross over", least=0.0, most=1.0)
    strategy: str = declared(
        "best/1/bin", "base of the mutants", choices=("best/1/bin", "rand/1/bin")
    )
    mutation: float = declared(0.3, "members drawn anew, mean a trial", least=0.0, most=100.0)
    climb: int = climb_parameter(16)
    patience: int = patience_parameter(12)
    kick: int = kick_parameter(4)
    guide: float = guide_parameter()

    name: ClassVar[str] = "differential_evolution"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the population; a small budget makes a small one."""
        return _at_rest(drawn(self, problem, rng, min(self.population, left)))

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """One generation, as far as the budget goes, then a climb; or scatter."""
        if int(state["stalled"]) >= self.patience:
            count = min(state["population"].shape[0], left)
            return _at_rest(scattered(self, problem, rng, state, count))
        population, fitness = state["population"].copy(), state["fitness"].copy()
        best = int(np.argmax(fitness))
        before = fitness[best]
        mutants = self._mutants(rng, population, best)
        trials = self._crossed(rng, population, mutants, state["order"])
        count = min(population.shape[0], left)
        judged = problem.fitness(trials[:count])
        kept = np.flatnonzero(judged >= fitness[:count])
        population[kept], fitness[kept] = trials[kept], judged[kept]
        climb, after = climbed_on(
            self, problem, rng, state, population, fitness, before, left - count
        )
        after |= {"population": population, "fitness": fitness}
        return Step(after, count + climb.evaluated, climb.members, climb.fitness)

    def _mutants(self, rng: np.random.Generator, population: Members, best: int) -> Members:
        """Base plus F times the difference of two portfolios, one for each, shape (P, k)."""
        count, size = population.shape
        first, second, third = _others(rng, count)
        base = population[first if self.strategy == "rand/1/bin" else np.full(count, best)]
        plus, minus = population[second], population[third]
        goes = contained(minus, base) & ~contained(plus, base)
        goes &= rng.random(base.shape) < self.f
        comes = ~contained(minus, plus) & (rng.random(plus.shape) < self.f)
        return most_wanted(
            np.concatenate([base, plus], axis=1),
            np.concatenate(
                [
                    np.where(goes, 0.0, 1.0) + rng.random(base.shape),
                    np.where(comes, 2.0, -1.0) + rng.random(plus.shape),
                ],
                axis=1,
            ),
            size,
        )[0]

    def _crossed(
        self, rng: np.random.Generator, population: Members, mutants: Members, order: Members
    ) -> Members:
        """Trials, shape (P, k): targets with a part of what their mutants have beyond them."""
        count, size = population.shape
        new = ~contained(population, mutants)
        crosses = rng.random(mutants.shape)
        # at least one crosses over, as in the binomial crossover of vectors
        first = np.where(new, crosses, 2.0).argmin(axis=1)
        crosses[np.arange(count), first] = -1.0
        comes = new & (crosses < self.cr)
        shared = contained(mutants, population)
        fresh, price = fresh_members(
            rng, population, self.mutation, np.asarray(~comes.any(axis=1)), order, self.guide
        )
        return most_wanted(
            np.concatenate([fresh, mutants, population], axis=1),
            np.concatenate(
                [
                    price,
                    np.where(comes, 2.0, -1.0) + rng.random(mutants.shape),
                    np.where(shared, _SHARED, 0.0) + rng.random(population.shape),
                ],
                axis=1,
            ),
            size,
        )[0]


def _at_rest(begun: Population) -> Step:
    """The step that ends with a population just drawn."""
    best = begun.best
    state = begun.kept | {"population": begun.members, "fitness": begun.fitness}
    return Step(state, begun.fitness.size, begun.members[best], float(begun.fitness[best]))


def _others(rng: np.random.Generator, count: int) -> tuple[Members, Members, Members]:
    """Three portfolios for each, distinct and none of them itself where there are four or more."""
    steps = rng.permuted(np.tile(np.arange(1, max(count, 4)), (count, 1)), axis=1)
    chosen = (steps[:, :3] + np.arange(count)[:, np.newaxis]) % count
    return chosen[:, 0], chosen[:, 1], chosen[:, 2]


@dataclass(frozen=True)
class LegacyDifferentialEvolution:
    """Differential evolution of the record: no difference, no selection.

    Each member of a child comes from its parent or, by the flip of a coin, from the same place of
    a random partner; what stands twice is left out and filled up at random; children always
    replace parents. The first portfolio and 50 rounds of 30 children, 1,501 evaluations
    (portfolio.md §3).

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    population: int = declared(30, "portfolios", least=1, most=10_000)
    iterations: int = declared(50, "rounds, each of one evaluation a child", least=1)

    name: ClassVar[str] = "differential_evolution"
    form: ClassVar[Form] = "legacy"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw the population and judge its first portfolio, as the record does."""
        drawn = random_portfolios(rng, problem.strategies, problem.size, self.population)
        population = rng.permuted(drawn, axis=1)
        fitness = problem.fitness(population[:1])
        state = {"population": population, "rounds": np.asarray(0)}
        return Step(state, 1, population[0], float(fitness[0]))

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """One round of children."""
        parents = state["population"]
        partners = parents[rng.integers(0, self.population, size=self.population)]
        mixed = np.where(rng.random(parents.shape) < 0.5, parents, partners)
        spare = random_portfolios(rng, problem.strategies, problem.size, self.population)
        children = most_wanted(
            np.concatenate([mixed, spare], axis=1),
            np.concatenate([np.ones(mixed.shape), rng.random(mixed.shape)], axis=1),
            problem.size,
        )[0]
        count = min(self.population, left)
        fitness = problem.fitness(children[:count])
        best = int(np.argmax(fitness))
        rounds = int(state["rounds"]) + 1
        return Step(
            {"population": children, "rounds": np.asarray(rounds)},
            count,
            children[best],
            float(fitness[best]),
            finished=rounds >= self.iterations,
        )
