"""Particle swarm over sets: velocities are chances of taking a member over from a best.

Here: the set-based form; the form of the record, which has no velocity.
Not here: the start, the climb and the new start of a population (``populations``), membership and
choice (``member_sets``), draws (``guided_draws``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mr_platform.portfolio.correlation import Flags, Members
from mr_platform.portfolio.returns import Matrix
from mr_platform.portfolio.search.draws import random_entering, random_portfolios
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


@dataclass(frozen=True)
class ParticleSwarm:
    """Set-based swarm: members come from the differences to the own and the common best.

    The velocity of a particle is a list of k strategies with the chance of each to enter. It is
    the old one times the inertia, and the members that the particle's own best and the common best
    have beyond it, with ``c1 u`` and ``c2 u`` (uniform u); of each strategy the largest chance
    counts, at most ``vmax``. Strategies that enter push out members that neither best has, then
    others. A few members are drawn anew, the common best climbs by swaps, and a swarm that has
    found nothing better for a while scatters around the best portfolio of all: a swarm that agrees
    has no velocity left. Memory is O(swarm x k).

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    swarm: int = declared(25, "particles", least=1, most=10_000)
    iterations: int = declared(50, "steps in which inertia falls", least=1, most=1_000_000)
    inertia_start: float = declared(0.9, "share of velocity kept at first", least=0.0, most=1.0)
    inertia_end: float = declared(0.4, "share of velocity kept at last", least=0.0, most=1.0)
    c1: float = declared(2.0, "pull of a particle's own best", least=0.0, most=10.0)
    c2: float = declared(2.0, "pull of the common best", least=0.0, most=10.0)
    vmax: float = declared(0.5, "largest chance of a strategy to enter", least=0.0, most=1.0)
    home: float = declared(
        0.8, "chance of a particle to set out from its own best", least=0.0, most=1.0
    )
    mutation: float = declared(0.5, "members drawn anew, mean a particle", least=0.0, most=100.0)
    climb: int = climb_parameter(40)
    patience: int = patience_parameter(16)
    kick: int = kick_parameter(4)
    guide: float = guide_parameter()

    name: ClassVar[str] = "particle_swarm"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the swarm; a small budget makes a small swarm."""
        return _at_rest(drawn(self, problem, rng, min(self.swarm, left)), np.asarray(0))

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Move every particle once, as far as the budget goes, then climb; or scatter."""
        if int(state["stalled"]) >= self.patience:
            count = min(state["swarm"].shape[0], left)
            return _at_rest(scattered(self, problem, rng, state, count), state["iteration"])
        own, own_fitness = state["best"].copy(), state["best_fitness"].copy()
        leader = int(np.argmax(own_fitness))
        before = own_fitness[leader]
        common = np.repeat(own[leader : leader + 1], own.shape[0], axis=0)
        home = rng.random((own.shape[0], 1)) < self.home
        swarm = np.where(home, own, state["swarm"])
        velocity, chance = self._faster(rng, state, swarm, own, common)
        liked = contained(own, swarm) | contained(common, swarm)
        swarm = self._moved(rng, state["order"], swarm, liked, velocity, chance)
        count = min(swarm.shape[0], left)
        fitness = problem.fitness(swarm[:count])
        better = np.flatnonzero(fitness > own_fitness[:count])
        own[better], own_fitness[better] = swarm[better], fitness[better]
        climb, after = climbed_on(self, problem, rng, state, own, own_fitness, before, left - count)
        after |= {
            "iteration": state["iteration"] + 1,
            "swarm": swarm,
            "best": own,
            "best_fitness": own_fitness,
            "velocity": velocity,
            "chance": chance,
        }
        return Step(after, count + climb.evaluated, climb.members, climb.fitness)

    def _faster(
        self,
        rng: np.random.Generator,
        state: State,
        swarm: Members,
        own: Members,
        common: Members,
    ) -> tuple[Members, Matrix]:
        """The new velocity: strategies (P, k) and the chance of each to enter (P, k)."""
        share = min(1.0, int(state["iteration"]) / self.iterations)
        inertia = self.inertia_start + (self.inertia_end - self.inertia_start) * share
        listed = np.concatenate([state["velocity"], own, common, swarm], axis=1)
        chance = np.concatenate(
            [
                inertia * state["chance"],
                self.c1 * rng.random(swarm.shape),
                self.c2 * rng.random(swarm.shape),
                np.zeros(swarm.shape),
            ],
            axis=1,
        )
        # members have nothing to enter for; they fill the list where little else is in it
        chance[contained(swarm, listed)] = 0.0
        return most_wanted(listed, np.minimum(chance, self.vmax), swarm.shape[1])

    def _moved(
        self,
        rng: np.random.Generator,
        order: Members,
        swarm: Members,
        liked: Flags,
        velocity: Members,
        chance: Matrix,
    ) -> Members:
        """New positions, shape (P, k): what enters, then members, first those of the bests."""
        entering = rng.random(chance.shape) < chance
        fresh, price = fresh_members(
            rng, swarm, self.mutation, np.asarray(~entering.any(axis=1)), order, self.guide
        )
        return most_wanted(
            np.concatenate([fresh, velocity, swarm], axis=1),
            np.concatenate(
                [
                    price,
                    np.where(entering, 2.0, -1.0) + rng.random(entering.shape),
                    np.where(liked, 0.5, 0.0) + rng.random(swarm.shape),
                ],
                axis=1,
            ),
            swarm.shape[1],
        )[0]


def _at_rest(begun: Population, iteration: Any) -> Step:
    """The step that ends with particles that have been nowhere else yet and do not move."""
    best, swarm = begun.best, begun.members
    state = begun.kept | {
        "iteration": iteration,
        "swarm": swarm,
        "best": swarm,
        "best_fitness": begun.fitness,
        "velocity": swarm,
        "chance": np.zeros(swarm.shape),
    }
    return Step(state, begun.fitness.size, swarm[best], float(begun.fitness[best]))


@dataclass(frozen=True)
class LegacyParticleSwarm:
    """The swarm of the record: no velocity, every particle is mutated from where it was.

    50 rounds of 30 particles, 1,500 evaluations (portfolio.md §3): a random walk.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    swarm: int = declared(30, "particles", least=1, most=10_000)
    iterations: int = declared(50, "rounds, each of one evaluation a particle", least=1)
    mutation: float = declared(0.05, "chance of a member to be replaced", least=0.0, most=1.0)

    name: ClassVar[str] = "particle_swarm"
    form: ClassVar[Form] = "legacy"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw the swarm and judge it: the first round."""
        swarm = random_portfolios(rng, problem.strategies, problem.size, self.swarm)
        return self._judged(problem, swarm, 1, left)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Mutate every particle and judge it: one round."""
        swarm = state["swarm"].copy()
        for place in range(problem.size):
            # one place after the other, as in the record: a member that left may come back
            hit = np.flatnonzero(rng.random(swarm.shape[0]) < self.mutation)
            if hit.size:
                swarm[hit, place] = random_entering(rng, swarm[hit], problem.strategies)
        return self._judged(problem, swarm, int(state["rounds"]) + 1, left)

    def _judged(self, problem: SearchProblem, swarm: Members, rounds: int, left: int) -> Step:
        count = min(self.swarm, left)
        fitness = problem.fitness(swarm[:count])
        best = int(np.argmax(fitness))
        return Step(
            {"swarm": swarm, "rounds": np.asarray(rounds)},
            count,
            swarm[best],
            float(fitness[best]),
            finished=rounds >= self.iterations,
        )
