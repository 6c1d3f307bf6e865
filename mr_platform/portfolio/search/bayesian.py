"""Bayesian optimisation over sets: a linear model of fitness says what to judge next.

Here: the form with a model and Thompson draws; the form of the record, which has no model.
Not here: draws without a model (``guided_draws``), fitness itself (``problem``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import Matrix
from mr_platform.portfolio.search.ant_colony import LegacyAntColony
from mr_platform.portfolio.search.engine import Form, State, Step
from mr_platform.portfolio.search.guided_draws import (
    guide_parameter,
    guided_entering,
    guided_portfolios,
    guided_strategies,
    kicked,
    quality_order,
)
from mr_platform.portfolio.search.member_sets import contained
from mr_platform.portfolio.search.parameters import check, declared
from mr_platform.portfolio.search.populations import kick_parameter
from mr_platform.portfolio.search.problem import SearchProblem

_CURVE_POINTS: Final = 96
"""Points of a running sum that the model looks at, evenly over the rows."""
_DEEPEST_LOSS: Final = 2.0
"""Fitness below that of the place, in medians, that counts as no worse than this: the model is
asked where fitness rises, and how far it can fall would drown that."""
_ROWS_AT_ONCE: Final = 16
"""Portfolios multiplied at a time: products so small are not divided among threads, so that their
bits do not depend on the number of cores."""


@dataclass(frozen=True)
class Bayesian:
    """Bayesian linear model of fitness around one portfolio, with Thompson draws.

    The features of a portfolio are points of its running sum and how its members go together with
    those of the place where the search stands; both are sums over members, so the model prices
    every strategy without judging a portfolio. Each portfolio to judge comes from one draw of the
    model's slopes: the member with the lowest price leaves, the strategy with the highest enters,
    sometimes two of each. Only portfolios that are judged count as evaluations. The model knows
    the last ``window`` of them, so a step costs the same at any time and memory is bounded. Where
    nothing better has been found for a while, some members of the best portfolio are drawn anew
    and the search stands there.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    initial: int = declared(10, "portfolios drawn before there is a model", least=1, most=10_000)
    explore: float = declared(
        0.2, "width of the draws of slopes, in their deviations", least=0.0, most=100.0
    )
    batch: int = declared(8, "portfolios judged a step", least=1, most=1_000)
    pool: int = declared(100, "strategies drawn a step that may enter", least=1, most=100_000)
    window: int = declared(300, "judged portfolios that the model knows", least=10, most=5_000)
    ridge: float = declared(1.0, "how narrow slopes are before evidence", least=1e-6, most=1e6)
    double: float = declared(0.2, "chance of two swaps at once", least=0.0, most=1.0)
    patience: int = declared(
        400, "evaluations without a better one before it moves", least=1, most=1_000_000
    )
    kick: int = kick_parameter(3, "it moves")
    guide: float = guide_parameter()

    name: ClassVar[str] = "bayesian"
    form: ClassVar[Form] = "improved"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check(self)

    def begin(self, problem: SearchProblem, rng: np.random.Generator, left: int) -> Step:
        """Draw and judge the initial portfolios."""
        order = quality_order(problem)
        count = min(self.initial, left)
        drawn = guided_portfolios(rng, order, self.guide, problem.size, count)
        fitness = problem.fitness(drawn)
        best = int(np.argmax(fitness))
        state = {
            "order": order,
            "known": drawn[-self.window :],
            "known_fitness": fitness[-self.window :],
            "known_profiles": _profiles(problem, drawn[-self.window :]),
            "place": drawn[best],
            "place_fitness": fitness[best],
            "top": drawn[best],
            "top_fitness": fitness[best],
            "stalled": np.asarray(0),
        }
        return Step(state, count, drawn[best], float(fitness[best]))

    def step(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, left: int
    ) -> Step:
        """Judge what draws of the model propose, or move to another place."""
        place, worth = state["place"], float(state["place_fitness"])
        stalled = int(state["stalled"])
        moves = stalled >= self.patience
        if moves:
            tried = kicked(rng, state["top"], 1, self.kick, state["order"], self.guide)
        else:
            tried = self._proposed(problem, state, rng, min(self.batch, left))
        fitness = problem.fitness(tried)
        best = int(np.argmax(fitness))
        if moves or fitness[best] > worth:
            place, worth, stalled = tried[best], float(fitness[best]), 0
        else:
            stalled += fitness.size
        top, top_fitness = state["top"], float(state["top_fitness"])
        if worth > top_fitness:
            top, top_fitness = place, worth
        after = {
            "order": state["order"],
            "known": self._kept(state["known"], tried),
            "known_fitness": self._kept(state["known_fitness"], fitness),
            "known_profiles": self._kept(state["known_profiles"], _profiles(problem, tried)),
            "place": place,
            "place_fitness": np.asarray(worth),
            "top": top,
            "top_fitness": np.asarray(top_fitness),
            "stalled": np.asarray(stalled),
        }
        return Step(after, fitness.size, tried[best], float(fitness[best]))

    def _kept(self, known: np.ndarray, new: np.ndarray) -> np.ndarray:
        return np.concatenate([known, new])[-self.window :]

    def _proposed(
        self, problem: SearchProblem, state: State, rng: np.random.Generator, count: int
    ) -> Members:
        """Portfolios one or two swaps from the place, shape (count, k), new where possible."""
        place, order = state["place"], state["order"]
        entering = np.unique(guided_strategies(rng, order, self.guide, (self.pool,)))
        entering = entering[~contained(place[np.newaxis], entering[np.newaxis])[0]]
        if not entering.size:
            entering = guided_entering(rng, place[np.newaxis], order, self.guide)
        here = _profiles(problem, place[np.newaxis])[0]
        width = _curve_rows(problem).size

        def features(profiles: Matrix) -> Matrix:
            paired = (profiles[:, width:] * here[width:]).sum(axis=1)
            return np.concatenate([profiles[:, :width], paired[:, np.newaxis]], axis=1)

        away = features(state["known_profiles"] - here)
        scale = np.sqrt((away * away).mean(axis=0))
        scale[:width] = np.sqrt((scale[:width] ** 2).mean())
        scale[scale == 0] = 1.0
        gains = state["known_fitness"] - float(state["place_fitness"])
        slopes = self._slopes(rng, away / scale, gains, count)
        enters = features(_profiles(problem, entering[:, np.newaxis])) / scale @ slopes
        stays = features(_profiles(problem, place[:, np.newaxis])) / scale @ slopes
        highest = np.argsort(-enters, axis=0, kind="stable")
        lowest = np.argsort(stays, axis=0, kind="stable")
        tried = np.tile(place, (count, 1))
        rows = np.arange(count)
        tried[rows, lowest[0]] = entering[highest[0]]
        if min(entering.size, place.size) > 1:
            twice = np.flatnonzero(rng.random(count) < self.double)
            tried[twice, lowest[1, twice]] = entering[highest[1, twice]]
        tried.sort(axis=1)
        return self._made_new(rng, tried, state)

    def _made_new(self, rng: np.random.Generator, tried: Members, state: State) -> Members:
        """The same, with a drawn swap of the place for each that is known already."""
        place = state["place"]
        seen = {row.tobytes() for row in state["known"]}
        again = np.zeros(tried.shape[0], dtype=np.bool_)
        for number, row in enumerate(tried):
            again[number] = row.tobytes() in seen
            seen.add(row.tobytes())
        tried[again] = place
        entering = guided_entering(rng, tried[again], state["order"], self.guide)
        tried[again, rng.integers(0, place.size, size=entering.size)] = entering
        return np.sort(tried, axis=1)

    def _slopes(self, rng: np.random.Generator, away: Matrix, gains: Matrix, count: int) -> Matrix:
        """Draws of the slopes of fitness, shape (features, count).

        Args:
            rng: Source of chance.
            away: Shape (W, features), portfolios less the place.
            gains: Shape (W,), their fitness less that of the place.
            count: Number of draws.
        """
        deepest = _DEEPEST_LOSS * float(np.median(np.abs(gains)))
        told = np.maximum(gains, -deepest)
        told = told / (float(np.sqrt((told * told).mean())) or 1.0)
        evidence = np.diag(np.full(away.shape[1], self.ridge))
        for start in range(0, away.shape[0], _ROWS_AT_ONCE):
            part = away[start : start + _ROWS_AT_ONCE]
            evidence += part.T @ part
        lower = np.linalg.cholesky(evidence)
        seen = (away * told[:, np.newaxis]).sum(axis=0)
        half = np.linalg.solve(lower, seen[:, np.newaxis])
        mean = np.linalg.solve(lower.T, half)[:, 0]
        noise = float(np.sqrt(((told - (away * mean).sum(axis=1)) ** 2).mean()))
        drawn = rng.standard_normal((half.size, count)) * (self.explore * noise)
        return np.asarray(np.linalg.solve(lower.T, half + drawn))


def _curve_rows(problem: SearchProblem) -> Members:
    """Rows at which the model looks at running sums, the last one among them."""
    rows = problem.evaluator.strategies.shape[1]
    points = min(rows, _CURVE_POINTS)
    return np.asarray((np.arange(1, points + 1) * rows) // points - 1)


def _profiles(problem: SearchProblem, portfolios: Members) -> Matrix:
    """What the model's features are made of, added up over members.

    Args:
        problem: What is searched.
        portfolios: Shape (P, k) of any k.

    Returns:
        Shape (P, points + T): points of the running sum, then standardised returns (nothing where
        correlation has no price).
    """
    evaluator = problem.evaluator
    columns = problem.columns(portfolios)
    sums = evaluator.strategies[columns].sum(axis=1)
    parts = [np.cumsum(sums, axis=1)[:, _curve_rows(problem)]]
    if evaluator.z is not None:
        parts.append(evaluator.z.T[columns].sum(axis=1))
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class LegacyBayesian(LegacyAntColony):
    """The Bayesian form of the record: independent random portfolios, as its ant colony.

    The record has the same algorithm under two names; for one seed the results are the same.

    Raises:
        PortfolioError: A parameter out of bounds.
    """

    name: ClassVar[str] = "bayesian"
