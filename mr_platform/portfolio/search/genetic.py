"""Genetic search: portfolios that are bred from two parents and mutated.

Here: the legacy form, the improved form with crossover of sets and elites.
Not here: fitness (``problem``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import Matrix
from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.guided_draws import (
    guide_parameter,
    guided_entering,
    guided_portfolios,
)
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.problem import (
    SearchProblem,
    random_entering,
    random_portfolios,
)

_TRIES = 4


@dataclass(frozen=True)
class LegacyGenetic:
    """Genetic search of the record: no elite, the best only remembered (portfolio.md §3).

    A parent is the best of three distinct members of the population, a child a random part of
    its parents' union, in which each member is replaced with a small probability. A generation is
    judged and then bred, so that 50 generations of 30 judge 1,500 portfolios.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    population: int = declared(30, "portfolios in a generation", least=1, most=100_000)
    generations: int = declared(50, "generations", least=1, most=1_000_000)
    mutation: float = declared(0.1, "probability that a member is replaced", least=0, most=1)

    name: ClassVar[str] = "genetic"
    form: ClassVar[Form] = "legacy"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the first generation."""
        count = self.population
        members = random_portfolios(rng, problem.strategies, problem.size, count)
        return self._judged(problem, members, 1, left)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Breed and judge the next generation."""
        members, fitness = state["members"], state["fitness"]
        parents = [tournament(rng, fitness, self.population, 3) for _ in range(2)]
        children = crossed(rng, members[parents[0]], members[parents[1]], keep_shared=False)
        children = mutated(rng, children, self.mutation, np.arange(problem.strategies))
        return self._judged(problem, children, int(state["generation"]) + 1, left)

    def _judged(self, problem: SearchProblem, members: Members, generation: int, left: int) -> Step:
        return _told(problem, members, generation, min(self.population, left), self.generations)


@dataclass(frozen=True)
class Genetic:
    """Genetic search on sets: what both parents hold stays, the rest is drawn from either.

    Elites live on; a child that its generation holds already is mutated again.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    population: int = declared(60, "portfolios in a generation", least=2, most=100_000)
    crossover: float = declared(
        0.8, "probability of two parents; else a child is a copy", least=0, most=1
    )
    mutation: float = declared(
        0.03, "probability that a member of a child is replaced", least=0, most=1
    )
    elite: float = declared(0.1, "share of a generation that lives on", least=0, most=0.9)
    tournament: int = declared(3, "portfolios of which the best is a parent", least=1, most=1000)
    guide: float = guide_parameter()

    name: ClassVar[str] = "genetic"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the first generation."""
        count = min(self.population, left)
        members = guided_portfolios(rng, problem.order, self.guide, problem.size, count)
        fitness = problem.fitness(members)
        return _ranked(members, fitness, count, self.population)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Breed and judge the children of one generation."""
        members, fitness = state["members"], state["fitness"]
        elites = min(int(self.elite * self.population), fitness.size)
        count = min(self.population - elites, left)
        first = members[tournament(rng, fitness, count, self.tournament)]
        second = members[tournament(rng, fitness, count, self.tournament)]
        children = crossed(rng, first, second, keep_shared=True)
        alone = rng.random(count) >= self.crossover
        children[alone] = first[alone]
        children = mutated(rng, children, self.mutation, problem.order, self.guide)
        children = _made_new(rng, np.concatenate([members[:elites], children]), problem)[elites:]
        found = problem.fitness(children)
        step = _ranked(
            np.concatenate([members[:elites], children]),
            np.concatenate([fitness[:elites], found]),
            count,
            self.population,
        )
        best = int(np.argmax(found))
        return Step(step.state, count, children[best], float(found[best]))


def tournament(rng: np.random.Generator, fitness: Matrix, count: int, among: int) -> Members:
    """Places of parents, shape (count,): each the best of some distinct portfolios.

    Args:
        rng: Source of chance.
        fitness: Shape (P,).
        count: Parents.
        among: Portfolios in each tournament; all where there are fewer.
    """
    drawn = random_portfolios(rng, fitness.size, min(among, fitness.size), count)
    return np.asarray(drawn[np.arange(count), np.argmax(fitness[drawn], axis=1)])


def crossed(
    rng: np.random.Generator,
    first: Members,
    second: Members,
    *,
    keep_shared: bool,
) -> Members:
    """Children that are parts of their parents' unions, shape (C, k), ascending.

    Args:
        rng: Source of chance.
        first: Shape (C, k), one parent of each.
        second: Shape (C, k), the other.
        keep_shared: Whether what both hold is in the child for sure; else it is a uniform part
            of the union.
    """
    union = np.sort(np.concatenate([first, second], axis=1), axis=1)
    size = first.shape[1]
    shared = np.zeros(union.shape, dtype=bool)
    shared[:, 1:] = union[:, 1:] == union[:, :-1]
    wish = rng.random(union.shape)
    if keep_shared:
        wish[:, :-1][shared[:, 1:]] += 1.0
    wish[shared] = -1.0  # the second of two that are the same
    chosen = np.argpartition(-wish, size - 1, axis=1)[:, :size]
    return np.sort(np.take_along_axis(union, chosen, axis=1), axis=1)


def mutated(
    rng: np.random.Generator,
    members: Members,
    probability: float,
    order: Members,
    guide: float = 1.0,
) -> Members:
    """Portfolios with each member replaced by a non-member with some probability.

    Args:
        rng: Source of chance.
        members: Shape (P, k); not written to.
        probability: That one member is replaced.
        order: Shape (n,), candidates by their quality, best first.
        guide: 1 draws non-members uniformly, larger favours the front of the order.
    """
    changed = members.copy()
    chosen = rng.random(members.shape) < probability
    for place in range(members.shape[1]):
        rows = np.flatnonzero(chosen[:, place])
        if rows.size:
            changed[rows, place] = guided_entering(rng, changed[rows], order, guide)
    return np.sort(changed, axis=1)


def _made_new(rng: np.random.Generator, members: Members, problem: SearchProblem) -> Members:
    """The same portfolios, those that stand above already with a member replaced.

    In small problems some may stay twice: there are only so many portfolios.
    """
    for _ in range(_TRIES):
        _, first = np.unique(members, axis=0, return_index=True)
        again = np.ones(members.shape[0], dtype=bool)
        again[first] = False
        rows = np.flatnonzero(again)
        if not rows.size:
            break
        place = rng.integers(0, problem.size, rows.size)
        members[rows, place] = random_entering(rng, members[rows], problem.strategies)
        members[rows] = np.sort(members[rows], axis=1)
    return members


def _ranked(members: Members, fitness: Matrix, evaluated: int, population: int) -> Step:
    order = np.argsort(-fitness, kind="stable")[:population]
    members, fitness = members[order], fitness[order]
    return Step({"members": members, "fitness": fitness}, evaluated, members[0], float(fitness[0]))


def _told(
    problem: SearchProblem, members: Members, generation: int, judged: int, generations: int
) -> Step:
    """A generation of the record; where the budget ends within it, the rest is not judged."""
    fitness = problem.fitness(members[:judged])
    best = int(np.argmax(fitness))
    state = {
        "members": members[:judged],
        "fitness": fitness,
        "generation": np.asarray(generation),
    }
    return Step(
        state, judged, members[best], float(fitness[best]), finished=generation >= generations
    )
