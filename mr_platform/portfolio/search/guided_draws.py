"""Draws that favour strategies which are good alone.

Good portfolios are made mostly, not only, of strategies that are good alone. So strategies are put
in order once, best first, and a place in that order is drawn as ``n * u ** guide`` with uniform
``u``: guide 1 is uniform, a larger one favours the front, and every strategy can be drawn.

Here: the order, drawing strategies, portfolios and non-members by it.
Not here: uniform draws (``problem``).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mr_platform.portfolio.correlation import Flags, Members
from mr_platform.portfolio.returns import Matrix
from mr_platform.portfolio.search.draws import random_entering, random_portfolios
from mr_platform.portfolio.search.member_sets import first_distinct
from mr_platform.portfolio.search.parameters import declared
from mr_platform.portfolio.search.problem import SearchProblem

GUIDE: Final = 4.0
"""Half of the draws fall into the best 6 % of the strategies (0.5 ** 4)."""


def guide_parameter() -> float:
    """The parameter that says how strongly draws favour strategies that are good alone."""
    parameter: float = declared(
        GUIDE,
        "how much draws favour strategies that are good alone; 1 is uniform",
        least=1.0,
        most=20.0,
    )
    return parameter


def quality_order(problem: SearchProblem) -> Members:
    """Candidates by the fitness that each has alone, best first, shape (n,).

    These are figures of single strategies, not portfolios of the search: they are not counted as
    evaluations.
    """
    alone = problem.evaluator.evaluate(problem.candidates[:, np.newaxis]).fitness
    return np.argsort(-alone, kind="stable")


def guided_strategies(
    rng: np.random.Generator, order: Members, guide: float, shape: tuple[int, ...]
) -> Members:
    """Strategies drawn by their place in the order, with repetition.

    Args:
        rng: Source of chance.
        order: Shape (n,), best first.
        guide: 1 is uniform, larger favours the front.
        shape: Shape of the result.
    """
    place = (order.size * rng.random(shape) ** guide).astype(np.int64)
    return np.asarray(order[np.minimum(place, order.size - 1)])


def guided_portfolios(
    rng: np.random.Generator, order: Members, guide: float, size: int, count: int
) -> Members:
    """Portfolios of strategies drawn one after the other, repetitions left out.

    Twice as many draws as members are made; where they hold too few distinct strategies, uniform
    ones fill up.

    Returns:
        Shape (P, k), ascending and distinct in each row.
    """
    drawn = guided_strategies(rng, order, guide, (count, 2 * size))
    reserve = random_portfolios(rng, order.size, size, count)
    listed = np.concatenate([drawn, rng.permuted(reserve, axis=1)], axis=1)
    return first_distinct(listed, size)


def guided_entering(
    rng: np.random.Generator, members: Members, order: Members, guide: float
) -> Members:
    """One non-member for each row; a draw that is a member is replaced by a uniform non-member.

    Args:
        rng: Source of chance.
        members: Shape (S, k), in any order.
        order: Shape (n,), best first.
        guide: 1 is uniform, larger favours the front.

    Returns:
        Shape (S,).

    Raises:
        PortfolioError: Every candidate is a member.
    """
    entering = guided_strategies(rng, order, guide, (members.shape[0],))
    spare = random_entering(rng, members, order.size)
    return np.where((members == entering[:, np.newaxis]).any(axis=1), spare, entering)


def kicked(
    rng: np.random.Generator,
    members: Members,
    count: int,
    replaced: int,
    order: Members,
    guide: float,
) -> Members:
    """Portfolios around one: in each some members are replaced by drawn strategies.

    Args:
        rng: Source of chance.
        members: Shape (k,).
        count: Number of portfolios, P.
        replaced: Members replaced in each; at most all, and as many as there are non-members.
        order: Shape (n,), best first.
        guide: 1 is uniform, larger favours the front.

    Returns:
        Shape (P, k), ascending and distinct in each row.
    """
    changed = rng.permuted(np.tile(members, (count, 1)), axis=1)
    for place in range(min(replaced, members.size)):
        changed[:, place] = guided_entering(rng, changed, order, guide)
    return np.sort(changed, axis=1)


def fresh_members(
    rng: np.random.Generator,
    members: Members,
    mean: float,
    needed: Flags,
    order: Members,
    guide: float,
) -> tuple[Members, Matrix]:
    """Non-members that some portfolios are to take, with a price list for ``most_wanted``.

    Args:
        rng: Source of chance.
        members: Shape (P, k).
        mean: Mean number for each portfolio (Poisson, at most k).
        needed: Shape (P,), portfolios that take at least one, as nothing else changes them.
        order: Shape (n,), best first.
        guide: 1 is uniform, larger favours the front.

    Returns:
        Strategies (P, m) with m the largest number, and how much each is wanted (P, m): from 4 up
        where it is to be taken, below 0 where it only fills the list.
    """
    count, size = members.shape
    numbers = np.clip(rng.poisson(mean, count), needed.astype(np.int64), size)
    widest = int(numbers.max())
    drawn = guided_entering(rng, np.repeat(members, widest, axis=0), order, guide)
    taken = np.arange(widest) < numbers[:, np.newaxis]
    price = np.where(taken, 4.0, -2.0) + rng.random((count, widest))
    return drawn.reshape(count, widest), price
