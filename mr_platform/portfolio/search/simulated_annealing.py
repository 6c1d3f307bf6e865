"""Simulated annealing: neighbours are kept when better, and at first now and then when worse.

Here: the legacy form, which has no temperature; the improved form with a true schedule.
Not here: judging swaps (``swaps``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.guided_draws import (
    guide_parameter,
    guided_portfolios,
    guided_strategies,
)
from mr_platform.portfolio.search.hill_climbing import LegacyHillClimbing
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.problem import SearchProblem, random_portfolios

START_SHARE: Final = 1.0
"""Start temperature as a share of the typical change that a swap makes in a random portfolio, for
a budget of :data:`WHOLE_BUDGET`; it goes with the root of the budget, as a short search has no
time to cool from far above."""
WHOLE_BUDGET: Final = 5
"""Evaluations, in neighbourhoods of one portfolio, that the start temperature is meant for."""
MOST_SHARE: Final = 1.5
"""Largest share that a large budget starts from."""
END_SHARE: Final = 0.1
"""End temperature as a share of the start temperature, where none is given."""
NO_SAMPLE: Final = 0.05
"""Start temperature where the budget is too small to sample, or no swap changes anything."""

_SAMPLED = 16
_SAMPLED_SWAPS = 8
_FEWEST = 16
_BUDGET_OF_ONE = 500
_ROUNDS = 64
_LOWEST = -700.0  # below it sinh leaves the range of float64
_EVALUATED = 1 << 16


@dataclass(frozen=True)
class LegacySimulatedAnnealing(LegacyHillClimbing):
    """Annealing of the record: hill climbing with five times the neighbours, no temperature.

    Only strictly better neighbours are kept (portfolio.md §3).

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    steps: int = declared(1000, "neighbours judged after the start", least=1, most=10_000_000)

    name: ClassVar[str] = "simulated_annealing"


@dataclass(frozen=True)
class SimulatedAnnealing:
    """Metropolis chains over swaps, cooling while the budget is spent.

    Differences are taken on ``asinh(fitness)``, which is the fitness itself near 0 and its
    logarithm far from it: a ratio grows without bound, and a step of 1 is much at 5 and nothing
    at 300. The temperature therefore has no unit. Each chain judges several neighbours of the
    portfolio it stands at and goes to the first that it accepts: the moves of judging them one by
    one, the others are lost. How many it judges follows how often one is accepted.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    start_temperature: float | None = declared(
        None,
        "temperature at first, on asinh(fitness); none takes it from sampled swaps",
        least=1e-12,
        optional=True,
    )
    end_temperature: float | None = declared(
        None, "temperature at last; none is a tenth of the first", least=1e-12, optional=True
    )
    cooling: str = declared(
        "geometric", "course of the temperature over the budget", choices=("geometric", "linear")
    )
    chains: int = declared(1, "chains side by side", least=1, most=1000)
    neighbours: int = declared(1024, "most swaps of a chain judged at a time", least=1, most=65536)
    guide: float = guide_parameter()

    name: ClassVar[str] = "simulated_annealing"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the starts; sample swaps for the temperature."""
        chains = min(self.chains, left)
        members = guided_portfolios(rng, problem.order, self.guide, problem.size, chains)
        fitness = problem.fitness(members)
        temperature, sampled = self._calibrated(problem, rng, left - chains)
        best = int(np.argmax(fitness))
        state = {
            "members": members,
            "fitness": fitness,
            "temperature": np.asarray(temperature),
            "used": np.asarray(chains + sampled),
            "batch": np.asarray(1),
        }
        return Step(state, chains + sampled, members[best], float(fitness[best]))

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Let the chains move for some rounds at falling temperature."""
        view = problem.swaps(state["members"])
        level = np.arcsinh(state["fitness"])
        used, batch = int(state["used"]), int(state["batch"])
        best, best_level = state["members"], level.copy()
        evaluated, chains = 0, level.size
        for _ in range(_ROUNDS):
            if evaluated >= min(left, _EVALUATED):
                break
            moving = min(chains, left - evaluated)
            count = min(batch, (left - evaluated) // moving)
            share = (used + evaluated) / (used + left)
            temperature = self.temperature(float(state["temperature"]), share)
            which = np.repeat(np.arange(moving), count)
            wished = guided_strategies(rng, problem.order, self.guide, which.shape)
            leaving, entering = view.draw(rng, which, wished)
            wanted = level[which] + temperature * np.log1p(-rng.random(which.size))
            least = np.sinh(np.maximum(wanted, _LOWEST))
            found = view.fitness(which, leaving, entering, least=least)
            evaluated += which.size
            accepted = (found >= least).reshape(moving, count)
            moved = np.flatnonzero(accepted.any(axis=1))
            first = accepted.argmax(axis=1)[moved]
            batch = self._next_batch(batch, moving, first, used + left)
            if not moved.size:
                continue
            taken = moved * count + first
            view.apply(moved, leaving[taken], entering[taken])
            level[moved] = np.arcsinh(found[taken])
            better = np.flatnonzero(level > best_level)
            if better.size:
                best = best.copy() if best is state["members"] else best
                best[better], best_level[better] = view.members[better], level[better]
        return self._told(problem, state, view.members, best, evaluated, batch)

    def temperature(self, first: float, share: float) -> float:
        """Temperature after a share of the budget, from 0 to 1."""
        last = min(first, self.end_temperature or first * END_SHARE)
        if self.cooling == "linear":
            return first + (last - first) * share
        return first * math.exp(share * math.log(last / first))

    def _next_batch(self, batch: int, moving: int, first: Members, budget: int) -> int:
        """Half where moves come early, double where most chains found none.

        What is judged beyond the first accepted neighbour is lost: a small budget cannot spare it.
        """
        if 2 * first.size < moving:
            return min(2 * batch, self.neighbours, max(1, budget // _BUDGET_OF_ONE))
        if 4 * int(first.sum()) < batch * first.size:
            fewest = min(_FEWEST, max(1, budget // (4 * _BUDGET_OF_ONE)), self.neighbours)
            return max(batch // 2, fewest)
        return batch

    def _told(
        self,
        problem: SearchProblem,
        state: State,
        members: Members,
        best: Members,
        evaluated: int,
        batch: int,
    ) -> Step:
        judged = problem.fitness(np.concatenate([members, best]))
        fitness, reached = np.split(judged, 2)
        place = int(np.argmax(reached))
        after = {
            "members": members,
            "fitness": fitness,
            "temperature": state["temperature"],
            "used": state["used"] + evaluated,
            "batch": np.asarray(batch),
        }
        return Step(after, evaluated, best[place], float(reached[place]))

    def _calibrated(
        self,
        problem: SearchProblem,
        rng: np.random.Generator,
        left: int,
    ) -> tuple[float, int]:
        """Start temperature, portfolios judged for it: some random ones and swaps of each."""
        if self.start_temperature is not None:
            return self.start_temperature, 0
        count = min(_SAMPLED, left // 400)
        if count < 1:
            return NO_SAMPLE, 0
        members = random_portfolios(rng, problem.strategies, problem.size, count)
        which = np.repeat(np.arange(count), _SAMPLED_SWAPS)
        view = problem.swaps(members)
        found = view.fitness(which, *view.draw(rng, which))
        change = np.abs(np.arcsinh(problem.fitness(members))[which] - np.arcsinh(found))
        typical = float(np.median(change))
        whole = problem.size * (problem.strategies - problem.size)
        share = min(MOST_SHARE, START_SHARE * math.sqrt(left / (WHOLE_BUDGET * whole)))
        return share * typical if typical > 0 else NO_SAMPLE, count * (1 + _SAMPLED_SWAPS)
