"""FROZEN baseline: plain numpy hill climbing over batches of 64 swaps.

What one writes in an hour: the best of 64 random swaps is taken where it is better, every
portfolio judged as a whole. It is the yardstick of ``bench_search``: it is not to be sped up,
tidied or made to share code with the product.
"""

from __future__ import annotations

import numpy as np

BATCH = 64


def standardised(pnl: np.ndarray) -> np.ndarray:
    """Strategies x rows of mean 0 and length 1, constant ones 0."""
    centred = (pnl - pnl.mean(axis=0)).T
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros(centred.shape), where=length > 0)


def fitness(series: np.ndarray, z: np.ndarray | None, members: np.ndarray) -> np.ndarray:
    """Fitness of a batch (P, k) of strategies x rows; without ``z`` without correlation."""
    size = members.shape[1]
    rows = series[members].mean(axis=1)
    equity = np.cumsum(rows, axis=1)
    drawdown = (np.maximum.accumulate(equity, axis=1) - equity).max(axis=1)
    roi = rows.sum(axis=1)
    steady = np.where(roi > 0, 100 * roi, 10 * roi)
    base = np.where(drawdown > 1e-6, roi / np.maximum(drawdown, 1e-6), steady)
    if z is None:
        return base
    total = z[members].sum(axis=1)
    return base - 10 * ((total**2).sum(axis=1) - size) / (size * (size - 1))


def climb(pnl: np.ndarray, size: int, seed: int, evaluations: int) -> tuple[np.ndarray, float]:
    """Members and fitness after a number of evaluations."""
    rng = np.random.default_rng(seed)
    series, z = np.ascontiguousarray(pnl.T), standardised(pnl)
    strategies = pnl.shape[1]
    members = rng.choice(strategies, size, replace=False)
    best = fitness(series, z, members[np.newaxis])[0]
    for _ in range(evaluations // BATCH):
        outside = np.setdiff1d(np.arange(strategies), members)
        batch = np.repeat(members[np.newaxis], BATCH, axis=0)
        batch[np.arange(BATCH), rng.integers(0, size, BATCH)] = rng.choice(outside, BATCH)
        found = fitness(series, z, batch)
        place = int(np.argmax(found))
        if found[place] > best:
            members, best = batch[place], found[place]
    return members, float(best)
