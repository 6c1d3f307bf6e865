"""Uniform draws of portfolios and of strategies that are no members.

Here: exact draws, many at once.
Not here: what portfolios are worth (``problem``).
"""

from __future__ import annotations

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import PortfolioError


def random_portfolios(rng: np.random.Generator, strategies: int, size: int, count: int) -> Members:
    """Portfolios drawn uniformly from all of their size (Floyd's algorithm, row by row at once).

    Args:
        rng: Source of chance.
        strategies: Number of candidates, n.
        size: Members of each, k, from 1 to n.
        count: Number of portfolios, P.

    Returns:
        Shape (P, k), int64, ascending and distinct in each row.

    Raises:
        PortfolioError: A size outside 1..n.
    """
    if not 1 <= size <= strategies:
        raise PortfolioError(f"{size} members cannot be drawn from {strategies} candidates")
    limits = np.arange(strategies - size, strategies)
    # one place after the other in memory: each round reads the places before it
    drawn = np.ascontiguousarray(rng.integers(0, limits + 1, size=(count, size)).T)
    for place in range(1, size):
        taken = (drawn[:place] == drawn[place]).any(axis=0)
        drawn[place, taken] = limits[place]
    return np.sort(drawn.T, axis=1)


def random_entering(rng: np.random.Generator, members: Members, strategies: int) -> Members:
    """One uniform non-member for each row, exact: the non-members are counted past the members.

    Args:
        rng: Source of chance.
        members: Shape (S, k), distinct in each row, in any order.
        strategies: Number of candidates, n.

    Returns:
        Shape (S,), int64.

    Raises:
        PortfolioError: Every candidate is a member.
    """
    count, size = members.shape
    if size >= strategies:
        raise PortfolioError("every candidate is a member: none is left to enter")
    rank = rng.integers(0, strategies - size, size=count)
    before = np.sort(members, axis=1) - np.arange(size)
    return np.asarray(rank + np.count_nonzero(before <= rank[:, np.newaxis], axis=1))
