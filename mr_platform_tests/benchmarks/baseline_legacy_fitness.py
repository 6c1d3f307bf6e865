"""FROZEN baseline: fitness and greedy annealing as the legacy program took them.

One portfolio at a time, the rows of its members gathered twice, a loop over all pairs of members
in a matrix of correlations that is made once (portfolio.md §2, §3). It is the yardstick of
``bench_search``: it is not to be sped up, tidied or made to share code with the product.
"""

from __future__ import annotations

import random

import numpy as np


def correlations(pnl: np.ndarray) -> np.ndarray:
    """The matrix of all pairs, what is not a number as 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.corrcoef(pnl.T))


def base_fitness(pnl: np.ndarray, members: list[int]) -> float:
    """ROI over drawdown of the mean of the members."""
    rows = pnl[:, members].mean(axis=1)
    equity = np.cumsum(rows)
    drawdown = np.max(np.maximum.accumulate(equity) - equity)
    roi = np.sum(rows)
    if drawdown > 1e-6:
        return float(roi / drawdown)
    return float(roi * 100 if roi > 0 else roi * 10)


def fitness(pnl: np.ndarray, matrix: np.ndarray, members: list[int]) -> float:
    """The same less ten times the mean correlation of pairs."""
    base = base_fitness(pnl, members)
    pairs = []
    for i in range(len(members)):
        for j in range(i + 1, len(members)):
            pairs.append(matrix[members[i], members[j]])  # noqa: PERF401
    # the program asks for the drawdown again, to know whether to halve the price
    rows = pnl[:, members].mean(axis=1)
    equity = np.cumsum(rows)
    np.max(np.maximum.accumulate(equity) - equity)
    return base - 10 * float(np.mean(pairs)) if pairs else base


def greedy_annealing(
    pnl: np.ndarray, matrix: np.ndarray, size: int, seed: int, steps: int = 1000
) -> tuple[list[int], float, int]:
    """Members, fitness and evaluations of the record's annealing, which takes no step down."""
    draws = random.Random(seed)
    strategies = pnl.shape[1]
    members = draws.sample(range(strategies), size)
    best = fitness(pnl, matrix, members)
    for _ in range(steps):
        neighbour = list(members)
        place = draws.randrange(size)
        entering = draws.randrange(strategies)
        while entering in members:
            entering = draws.randrange(strategies)
        neighbour[place] = entering
        found = fitness(pnl, matrix, neighbour)
        if found > best:
            members, best = neighbour, found
    return members, best, 1 + steps
