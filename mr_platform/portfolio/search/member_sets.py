"""Portfolios as sets, many at once: who is a member, which members a new portfolio takes.

Everything is O(P k log(P k)) and holds no array over all strategies.

Here: membership, the most wanted distinct strategies of a list.
Not here: what makes a strategy wanted (the algorithms), draws (``guided_draws``).
"""

from __future__ import annotations

import numpy as np

from mr_platform.portfolio.correlation import Flags, Members
from mr_platform.portfolio.returns import Matrix


def contained(portfolios: Members, strategies: Members) -> Flags:
    """Which strategies are members of the portfolio in their row.

    Args:
        portfolios: Shape (P, k), ascending in each row, not negative.
        strategies: Shape (P, m), not negative.

    Returns:
        Shape (P, m).
    """
    if not portfolios.size or not strategies.size:
        return np.zeros(strategies.shape, dtype=np.bool_)
    # one number for portfolio and strategy: all rows are looked up in a single ascending list
    width = max(int(portfolios.max()), int(strategies.max())) + 1
    rows = np.arange(portfolios.shape[0])[:, np.newaxis] * width
    known = (portfolios + rows).ravel()
    asked = strategies + rows
    places = np.minimum(np.searchsorted(known, asked), known.size - 1)
    return np.asarray(known[places] == asked)


def most_wanted(strategies: Members, wanted: Matrix, size: int) -> tuple[Members, Matrix]:
    """The most wanted strategies of each row, each once; the sum of two sets with a price list.

    A strategy that stands more than once in a row counts with the most that it is wanted; where
    strategies are wanted equally, the smaller number goes first.

    Args:
        strategies: Shape (P, m), at least ``size`` distinct ones in each row.
        wanted: Shape (P, m), finite.
        size: How many to take, k.

    Returns:
        Strategies (P, k), distinct, ascending in each row, and how much each is wanted (P, k).
    """
    order = np.lexsort((-wanted, strategies), axis=1)
    listed = np.take_along_axis(strategies, order, axis=1)
    price = np.take_along_axis(wanted, order, axis=1)
    price[:, 1:][listed[:, 1:] == listed[:, :-1]] = -np.inf
    chosen = np.sort(np.argsort(-price, axis=1, kind="stable")[:, :size], axis=1)
    return np.take_along_axis(listed, chosen, axis=1), np.take_along_axis(price, chosen, axis=1)


def first_distinct(strategies: Members, size: int) -> Members:
    """The strategies that come first in each row, repetitions left out.

    Args:
        strategies: Shape (P, m), at least ``size`` distinct ones in each row.
        size: How many to take, k.

    Returns:
        Shape (P, k), ascending and distinct in each row.
    """
    turn = np.broadcast_to(-np.arange(strategies.shape[1], dtype=np.float64), strategies.shape)
    return most_wanted(strategies, turn, size)[0]
