"""Populations of portfolios: drawn well, climbing from their best, scattered when they stall.

Their state keeps, beside the portfolios: ``order`` (candidates, best alone first), ``stalled``
(steps without a better portfolio), ``top`` and ``top_fitness`` (the best portfolio of all, which
outlives the population that found it).

Here: that part of a step, and its parameters.
Not here: how a population moves (``particle_swarm``, ``differential_evolution``), single climbs
(``swap_climb``), draws (``guided_draws``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import Matrix
from mr_platform.portfolio.search.engine import State
from mr_platform.portfolio.search.guided_draws import guided_portfolios, kicked, quality_order
from mr_platform.portfolio.search.parameters import declared
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform.portfolio.search.swap_climb import Climb, climbed


def climb_parameter(default: int, whose: str = "the best") -> int:
    """The parameter that says how long the best portfolio climbs after each step."""
    meaning = f"evaluations a step for swaps of {whose}"
    parameter: int = declared(default, meaning, least=0, most=10_000)
    return parameter


def patience_parameter(default: int, then: str = "it scatters") -> int:
    """The parameter that says how many steps without a better portfolio are borne."""
    meaning = f"steps without a better one before {then}"
    parameter: int = declared(default, meaning, least=1, most=1_000_000)
    return parameter


def kick_parameter(default: int, when: str = "it scatters") -> int:
    """The parameter that says how far from the best portfolio a new start lies."""
    parameter: int = declared(default, f"members drawn anew when {when}", least=1, most=1_000)
    return parameter


class Restless(Protocol):
    """Parameters of a search whose population climbs and scatters."""

    @property
    def climb(self) -> int:
        """Evaluations a step for swaps of the best."""

    @property
    def kick(self) -> int:
        """Members drawn anew when it scatters."""

    @property
    def guide(self) -> float:
        """How strongly draws favour strategies that are good alone."""


@dataclass(frozen=True, eq=False)
class Population:
    """Portfolios that have just been drawn and judged.

    Attributes:
        members: Shape (P, k), ascending in each row.
        fitness: Shape (P,).
        kept: What the state keeps beside them.
        best: Row of the best of them.
    """

    members: Members
    fitness: Matrix
    kept: dict[str, Any]
    best: int


def drawn(
    search: Restless, problem: SearchProblem, rng: np.random.Generator, count: int
) -> Population:
    """The first population: guided draws."""
    order = quality_order(problem)
    members = guided_portfolios(rng, order, search.guide, problem.size, count)
    return _judged(problem, members, order, -np.inf, members[0])


def scattered(
    search: Restless, problem: SearchProblem, rng: np.random.Generator, state: State, count: int
) -> Population:
    """A population around the best portfolio of all."""
    order, top = state["order"], state["top"]
    members = kicked(rng, top, count, search.kick, order, search.guide)
    return _judged(problem, members, order, float(state["top_fitness"]), top)


def climbed_on(
    search: Restless,
    problem: SearchProblem,
    rng: np.random.Generator,
    state: State,
    members: Members,
    fitness: Matrix,
    before: float,
    tries: int,
) -> tuple[Climb, dict[str, Any]]:
    """Let the best of a population climb by swaps, in its place.

    Args:
        search: Parameters.
        problem: What is searched.
        rng: Source of chance.
        state: The state before the step.
        members: Shape (P, k); the best row becomes where the climb ended.
        fitness: Shape (P,), likewise.
        before: Fitness of the best before the step.
        tries: Evaluations that are left; the parameter may allow fewer.

    Returns:
        The climb, and what the state keeps beside the portfolios.
    """
    best = int(np.argmax(fitness))
    climb = climbed(
        problem,
        rng,
        members[best],
        float(fitness[best]),
        min(search.climb, tries),
        state["order"],
        search.guide,
    )
    members[best], fitness[best] = climb.members, climb.fitness
    higher = climb.fitness > float(state["top_fitness"])
    return climb, {
        "order": state["order"],
        "stalled": np.asarray(0 if climb.fitness > before else int(state["stalled"]) + 1),
        "top": climb.members if higher else state["top"],
        "top_fitness": np.asarray(climb.fitness) if higher else state["top_fitness"],
    }


def _judged(
    problem: SearchProblem, members: Members, order: Members, top_fitness: float, top: Members
) -> Population:
    fitness = problem.fitness(members)
    best = int(np.argmax(fitness))
    if fitness[best] > top_fitness:
        top, top_fitness = members[best], float(fitness[best])
    kept = {
        "order": order,
        "stalled": np.asarray(0),
        "top": top,
        "top_fitness": np.asarray(top_fitness),
    }
    return Population(members, fitness, kept, best)
