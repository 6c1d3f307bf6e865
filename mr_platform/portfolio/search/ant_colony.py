"""Ant colony over sets: a trail on each strategy, never on pairs of them.

Here: the MAX-MIN colony with a trail of O(n); the form of the record, which has no trail.
Not here: draws by quality alone (``guided_draws``), climbs (``swap_climb``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import Matrix, PortfolioError
from mr_platform.portfolio.search.draws import random_portfolios
from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.guided_draws import guide_parameter, kicked, quality_order
from mr_platform.portfolio.search.member_sets import first_distinct, most_wanted
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.populations import (
    climb_parameter,
    kick_parameter,
    patience_parameter,
)
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform.portfolio.search.swap_climb import climbed

_DRAWS_PER_MEMBER: Final = 3


@dataclass(frozen=True)
class AntColony:
    """MAX-MIN colony: ants draw members in proportion to ``trail^alpha * quality^beta``.

    The quality of a strategy is its place in the order of those that are good alone,
    ``1 / sqrt(1 + place)``. An ant keeps a share of the leading portfolio and draws the others, one
    after the other without repetition. The leader climbs by swaps. After each step trails fade,
    and those of the leader and of the best ant of the step, by turns, gain; trails stay between
    two bounds. A colony that has found nothing better for a while starts over with even trails
    near the best portfolio of all.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    ants: int = declared(20, "portfolios a step", least=1, most=10_000)
    alpha: float = declared(1.0, "power of the trail", least=0.0, most=10.0)
    beta: float = declared(2.0, "power of quality alone", least=0.0, most=10.0)
    evaporation: float = declared(0.5, "share of a trail lost in a step", least=0.0, most=1.0)
    deposit: float = declared(1.0, "what the best adds to its trails", least=0.0, most=1_000.0)
    lowest: float = declared(0.01, "smallest trail", least=1e-12, most=1_000.0)
    highest: float = declared(10.0, "largest trail", least=1e-12, most=1_000.0)
    start: float = declared(0.1, "trail at first", least=1e-12, most=1_000.0)
    keep: float = declared(0.8, "share of the leader that an ant keeps", least=0.0, most=1.0)
    climb: int = climb_parameter(40, "the leader")
    patience: int = patience_parameter(16, "it starts over")
    kick: int = kick_parameter(4, "it starts over")
    guide: float = guide_parameter()

    name: ClassVar[str] = "ant_colony"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)
        if self.lowest > self.highest:
            raise PortfolioError(
                f"the smallest trail, {self.lowest}, is above the largest, {self.highest}",
                place=type(self).__name__,
            )

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Put the same trail on every strategy and send the first ants."""
        order = quality_order(problem)
        trail = self._even(problem.strategies)
        count = min(self.ants, left)
        walked = drawn_in_turn(rng, self._weights(order, trail), problem.size, count)
        fitness = problem.fitness(walked)
        best = int(np.argmax(fitness))
        return self._told(
            count,
            {"order": order, "trail": trail, "steps": np.asarray(0), "stalled": np.asarray(0)},
            walked[best],
            fitness[best],
            walked[best],
            fitness[best],
        )

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Send the ants, climb from the leader, renew the trails; or start over."""
        if int(state["stalled"]) >= self.patience:
            return self._started_over(problem, state, rng, left)
        order, before = state["order"], float(state["leader_fitness"])
        count = min(self.ants, left)
        walked = self._walked(rng, state, count)
        fitness = problem.fitness(walked)
        found = int(np.argmax(fitness))
        leader, worth = state["leader"], before
        if fitness[found] > worth:
            leader, worth = walked[found], float(fitness[found])
        climb = climbed(
            problem, rng, leader, worth, min(self.climb, left - count), order, self.guide
        )
        steps = int(state["steps"]) + 1
        trail = (1.0 - self.evaporation) * state["trail"]
        trail[climb.members if steps % 2 else walked[found]] += self.deposit
        np.clip(trail, self.lowest, self.highest, out=trail)
        after = {
            "order": order,
            "trail": trail,
            "steps": np.asarray(steps),
            "stalled": np.asarray(0 if climb.fitness > before else int(state["stalled"]) + 1),
        }
        return self._told(
            count + climb.evaluated,
            after,
            climb.members,
            climb.fitness,
            state["top"],
            float(state["top_fitness"]),
        )

    def _started_over(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Even trails, and a leader near the best portfolio of all."""
        count = min(self.ants, left)
        near = kicked(rng, state["top"], count, self.kick, state["order"], self.guide)
        fitness = problem.fitness(near)
        best = int(np.argmax(fitness))
        after = {
            "order": state["order"],
            "trail": self._even(problem.strategies),
            "steps": state["steps"],
            "stalled": np.asarray(0),
        }
        return self._told(
            count, after, near[best], fitness[best], state["top"], float(state["top_fitness"])
        )

    def _told(
        self,
        evaluated: int,
        state: dict[str, np.ndarray],
        leader: Members,
        worth: float,
        top: Members,
        top_fitness: float,
    ) -> Step:
        if worth > top_fitness:
            top, top_fitness = leader, worth
        state |= {
            "leader": leader,
            "leader_fitness": np.asarray(worth),
            "top": top,
            "top_fitness": np.asarray(top_fitness),
        }
        return Step(state, evaluated, leader, float(worth))

    def _even(self, strategies: int) -> Matrix:
        return np.full(strategies, np.clip(self.start, self.lowest, self.highest))

    def _weights(self, order: Members, trail: Matrix) -> Matrix:
        weights = trail**self.alpha
        weights[order] *= (1.0 + np.arange(order.size)) ** (-0.5 * self.beta)
        return weights

    def _walked(self, rng: np.random.Generator, state: State, count: int) -> Members:
        """Portfolios of the ants, shape (count, k): what they keep, then what they draw."""
        leader = np.broadcast_to(state["leader"], (count, state["leader"].size))
        drawn = drawn_in_turn(
            rng, self._weights(state["order"], state["trail"]), leader.shape[1], count
        )
        kept = rng.random(leader.shape) < self.keep
        return most_wanted(
            np.concatenate([leader, drawn], axis=1),
            np.concatenate(
                [
                    np.where(kept, 2.0, 0.0) + rng.random(leader.shape),
                    1.0 + rng.random(drawn.shape),
                ],
                axis=1,
            ),
            leader.shape[1],
        )[0]


def drawn_in_turn(rng: np.random.Generator, weights: Matrix, size: int, count: int) -> Members:
    """Portfolios drawn one member after the other in proportion to weights, none twice.

    Draws with repetition from the running sum of the weights, of which repetitions are left out,
    are draws in turn from what is left; O(n + P k log n). Where few strategies hold nearly all
    of the weight and ``3 k`` draws do not reach k of them, uniform ones fill up.

    Args:
        rng: Source of chance.
        weights: Shape (n,), above 0.
        size: Members of each portfolio, k.
        count: Number of portfolios, P.

    Returns:
        Shape (P, k), ascending and distinct in each row.
    """
    total = np.cumsum(weights)
    draws = np.searchsorted(
        total, rng.random((count, _DRAWS_PER_MEMBER * size)) * total[-1], side="right"
    )
    reserve = rng.permuted(random_portfolios(rng, weights.size, size, count), axis=1)
    return first_distinct(
        np.concatenate([np.minimum(draws, weights.size - 1), reserve], axis=1), size
    )


@dataclass(frozen=True)
class LegacyAntColony:
    """The colony of the record: independent random portfolios, no ants and no trail.

    One portfolio and 50 more, 51 evaluations (portfolio.md §3); the Bayesian form of the record
    is the same algorithm.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    iterations: int = declared(50, "portfolios drawn after the first", least=1, most=1_000_000)

    name: ClassVar[str] = "ant_colony"
    form: ClassVar[Form] = "legacy"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the first portfolio."""
        return self._sampled(problem, rng, 1, -1)

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Draw and judge the others, as far as the budget goes."""
        drawn = int(state["drawn"])
        return self._sampled(problem, rng, min(self.iterations - drawn, left, 500), drawn)

    def _sampled(
        self, problem: SearchProblem, rng: np.random.Generator, count: int, before: int
    ) -> Step:
        sample = random_portfolios(rng, problem.strategies, problem.size, count)
        fitness = problem.fitness(sample)
        best = int(np.argmax(fitness))
        drawn = before + count
        return Step(
            {"drawn": np.asarray(drawn)},
            count,
            sample[best],
            float(fitness[best]),
            finished=drawn >= self.iterations,
        )
