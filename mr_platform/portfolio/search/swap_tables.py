"""What swaps of every portfolio of one problem read: running sums, products of pairs, sources.

Here: tables of the candidates, buffers, the deepest fall of running sums.
Not here: portfolios and their swaps (``swaps``).
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np

from mr_platform.portfolio.correlation import Flags, Members
from mr_platform.portfolio.fitness import PortfolioEvaluator
from mr_platform.portfolio.returns import Matrix

MOST_PAIRED: Final = 4096
"""Candidates up to which products of all pairs are kept: 128 MiB at most."""

_RUNNING_METRICS = frozenset({"ratio", "roi", "less max dd"})
_BLOCK_BYTES = 1 << 20
_FEWEST_AT_ONCE = 64
_MANY_SUMS = 512


class SwapTables:
    """Tables of the candidates of one problem; what is in them never changes.

    Attributes:
        evaluator: Takes the fitness.
        size: Members of a portfolio, k.
        strategies: Number of candidates, n.
        metric: That of the fitness.
        running: Whether the metric follows from running sums alone.
        rows: Shape (n, T): running sums of each candidate where ``running``, else its rows.
        total: Shape (n,), the last of ``rows``.
        z: Shape (n, T), standardised rows; None where correlation has no price.
        varies: Shape (n,), 1 where a candidate is not constant.
        pairs: Products of pairs; None for more than :data:`MOST_PAIRED` candidates.
        block: Swaps looked through at a time.
    """

    def __init__(self, evaluator: PortfolioEvaluator, candidates: Members, size: int) -> None:
        every = candidates.size == evaluator.strategies.shape[0]
        chosen = evaluator.strategies if every else evaluator.strategies[candidates]
        self.evaluator = evaluator
        self.size = size
        self.strategies = int(candidates.size)
        self.metric = evaluator.settings.metric
        self.running = self.metric in _RUNNING_METRICS
        self.rows: Matrix = chosen
        if self.running:
            self.rows = np.empty(chosen.shape)
            np.cumsum(chosen, axis=1, out=self.rows)
        self.total: Matrix = np.ascontiguousarray(self.rows[:, -1])
        self.z: Matrix | None = None
        self.varies: Matrix = np.zeros(self.strategies)
        self.pairs: PairProducts | None = None
        if evaluator.z is not None:
            self.z = evaluator.z.T if every else evaluator.z.T[candidates]
            self.varies = np.asarray(self.z.any(axis=1), dtype=np.float64)
            if self.strategies <= MOST_PAIRED:
                self.pairs = PairProducts(self.z)
        self.block = max(_FEWEST_AT_ONCE, _BLOCK_BYTES // (8 * chosen.shape[1]))
        self._balance = evaluator.settings.balance
        source = evaluator.source_numbers
        self._source = None if source is None else source[candidates]
        self._own = threading.local()

    def by_time(self, rows: Members) -> Matrix:
        """Running sums at some rows of time, shape (len(rows), n)."""
        return np.ascontiguousarray(self.rows[:, rows].T)

    def scratch(self, name: str, swaps: int) -> Matrix:
        """A buffer of (swaps, T), swaps at most :attr:`block`; each thread has its own."""
        buffers: dict[str, Matrix] = self._own.__dict__
        if name not in buffers:
            buffers[name] = np.empty(self.block * self.rows.shape[1])
        width = self.rows.shape[1]
        return buffers[name][: swaps * width].reshape(swaps, width)

    def source_counts(self, members: Members) -> Members | None:
        """Members from each named file, shape (P, files + 1), the last from no named one."""
        if self._balance is None or self._source is None:
            return None
        source = self._source[members]
        files = len(self._balance.desired)
        return np.stack([(source == number).sum(axis=1) for number in (*range(files), -1)], axis=1)

    def move_source(self, counts: Members, old: int, new: int) -> None:
        """Write a swap into one portfolio's counts of :meth:`source_counts`."""
        if self._source is not None:
            counts[self._source[old]] -= 1
            counts[self._source[new]] += 1

    def imbalance_after(
        self, counts: Members, which: Members, gone: Members, entering: Members
    ) -> Matrix:
        """Price on counts of source files after each swap, shape (S,)."""
        balance = self._balance
        assert balance is not None
        assert self._source is not None
        after = counts[which]
        places = np.arange(which.size)
        after[places, self._source[gone]] -= 1
        after[places, self._source[entering]] += 1
        off = np.abs(after[:, :-1] - np.array(list(balance.desired.values())))
        return np.asarray(off.sum(axis=1) * balance.penalty_factor)


class PairProducts:
    """Correlations of a candidate with all, worked out when first asked for.

    Each is the sum of one pair's products in a fixed order: it does not matter when it is asked.

    Attributes:
        table: Shape (n, n); only the rows that were filled are to be read.
    """

    def __init__(self, z: Matrix) -> None:
        count = z.shape[0]
        self._z = z
        self._filled: Flags = np.zeros(count, dtype=bool)
        self.table: Matrix = np.empty((count, count))

    def fill(self, strategies: Members) -> None:
        """Make the rows of these candidates ready."""
        missing = strategies[~self._filled[strategies]]
        if not missing.size:
            return
        step = max(1, _BLOCK_BYTES // (8 * self._z.shape[1]))
        buffer = np.empty((min(step, self._z.shape[0]), self._z.shape[1]))
        for one in np.unique(missing):
            for start in range(0, self._z.shape[0], step):
                rows = self._z[start : start + step]
                product = np.multiply(rows, self._z[one], out=buffer[: rows.shape[0]])
                np.add.reduce(product, axis=1, out=self.table[one, start : start + step])
            self._filled[one] = True


def deepest_falls(sums: Matrix, tables: SwapTables) -> Matrix:
    """Largest fall of each running sum below its peak so far, shape (S,), not negative.

    Many sums are looked through row after row of time, all at once, which the processor does in
    wide steps; few of them one sum after the other. Either way the bits are those of
    ``legacy_metrics.drawdown`` from the same running sums.

    Args:
        sums: Shape (S, T), S at most the block of the tables; may be written to.
        tables: Give the buffers.
    """
    swaps, rows = sums.shape
    by_time = tables.scratch("by_time", swaps)
    if swaps < _MANY_SUMS:
        np.maximum.accumulate(sums, axis=1, out=by_time)
        by_time -= sums
        return np.asarray(np.maximum.reduce(by_time, axis=1))
    by_time = by_time.reshape(rows, swaps)
    np.copyto(by_time, sums.T)
    peak, deepest, fall = by_time[0].copy(), np.zeros(swaps), np.empty(swaps)
    for row in by_time[1:]:
        np.maximum(peak, row, out=peak)
        np.subtract(peak, row, out=fall)
        np.maximum(deepest, fall, out=deepest)
    return deepest
