"""A short climb by swaps: the local part of the searches that move whole portfolios.

Swaps of one portfolio are judged at once; those that help, at most one for each place, are then
made together, best first, and the best of these sums is kept. Every swap and every sum counts as
an evaluation.

Here: one climb.
Not here: which portfolio climbs, and how often (the algorithms).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import Matrix
from mr_platform.portfolio.search.guided_draws import guided_entering
from mr_platform.portfolio.search.problem import SearchProblem

_SUMS_SHARE: Final = 8
_MOST_SUMS: Final = 8


@dataclass(frozen=True, eq=False)
class Climb:
    """Where a climb ended.

    Attributes:
        members: Shape (k,), ascending: the start, or something better.
        fitness: Its fitness, from ``SearchProblem.fitness``.
        evaluated: Portfolios judged.
    """

    members: Members
    fitness: float
    evaluated: int


def climbed(
    problem: SearchProblem,
    rng: np.random.Generator,
    members: Members,
    fitness: float,
    tries: int,
    order: Members,
    guide: float,
) -> Climb:
    """Try swaps of one portfolio.

    Args:
        problem: What is searched; at least one candidate is no member.
        rng: Source of chance.
        members: Shape (k,), where the climb starts.
        fitness: Its fitness.
        tries: Most portfolios judged; below 2 nothing is tried.
        order: Shape (n,), candidates, best alone first.
        guide: How strongly entering strategies favour the front of the order.
    """
    if tries < 2:
        return Climb(members, fitness, 0)
    sums = int(np.clip(tries // _SUMS_SHARE, 1, _MOST_SUMS))
    count = tries - sums
    start = members[np.newaxis]
    leaving = rng.integers(0, problem.size, size=count)
    entering = guided_entering(rng, np.broadcast_to(start, (count, problem.size)), order, guide)
    judged = problem.swaps(start).fitness(
        np.zeros(count, dtype=np.int64), leaving, entering, least=fitness
    )
    helpful = _apart(judged, fitness, leaving, entering, sums)
    if not helpful.size:
        return Climb(members, fitness, count)
    together = np.tile(members, (helpful.size, 1))
    for number, swap in enumerate(helpful):
        together[number:, leaving[swap]] = entering[swap]
    together.sort(axis=1)
    exact = problem.fitness(together)
    best = int(np.argmax(exact))
    evaluated = count + helpful.size
    if exact[best] > fitness:
        return Climb(together[best], float(exact[best]), evaluated)
    return Climb(members, fitness, evaluated)


def _apart(
    judged: Matrix, fitness: float, leaving: Members, entering: Members, most: int
) -> Members:
    """The best swaps that help, best first, of which no two share a place or a strategy."""
    order = np.argsort(-judged, kind="stable")
    chosen: list[int] = []
    places: set[int] = set()
    strategies: set[int] = set()
    for swap in order[judged[order] > fitness].tolist():
        place, strategy = int(leaving[swap]), int(entering[swap])
        if place in places or strategy in strategies:
            continue
        chosen.append(swap)
        places.add(place)
        strategies.add(strategy)
        if len(chosen) == most:
            break
    return np.array(chosen, dtype=np.int64)
