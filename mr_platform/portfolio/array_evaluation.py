"""Fitness of batches of portfolios on an array module: NumPy, or CuPy on a device.

Here: an evaluator whose batches are worked out where its arrays live.
Not here: the fitness itself (``fitness``), swaps (``search/swaps``), devices
(``gateways/array_engine``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.arrays import Arrays, deepest_fall
from mr_platform.portfolio.correlation import Members, sorted_members, varying
from mr_platform.portfolio.fitness import Evaluation, LegacyFitness, PortfolioEvaluator
from mr_platform.portfolio.returns import Matrix

_ARRAYS_AT_ONCE: Final = 6
"""Arrays of (portfolios, rows) that a step holds together, at most."""

_COUNTING = frozenset({"win percentage", "profit factor", "expectancy"})


class ArrayEvaluator(PortfolioEvaluator):
    """Evaluates batches of portfolios over one matrix of returns that lies with its arrays.

    Figures agree with those of a :class:`.PortfolioEvaluator` to about 1e-12 of the sums they are
    taken from, as totals are added in another order; a figure that is kept should come from
    :meth:`evaluate_on_host`. Members are added one after the other in the order of their columns,
    so that the order in which they are listed does not matter here either. Rows that a caller
    keeps (``evaluate_series``) are evaluated by the processor.

    Attributes:
        arrays: Where the matrix lies, beside the copy that every evaluator has.
    """

    def __init__(
        self,
        settings: LegacyFitness,
        pnl: Matrix,
        arrays: Arrays,
        sources: Sequence[str] | None = None,
    ) -> None:
        super().__init__(settings, pnl, sources)
        self.arrays = arrays
        self._rows: Any = arrays.xp.asarray(self.strategies)
        self._z_rows: Any = None
        if self.z is not None:
            self._z_rows = arrays.xp.asarray(np.ascontiguousarray(self.z.T))
            self._alive = varying(self.z)

    def evaluate(self, members: Members) -> Evaluation:
        """Fitness of each portfolio and the parts it is made of, as arrays of NumPy.

        Args:
            members: Shape (P, k), distinct strategies in each row; P may be 0.

        Raises:
            PortfolioError: Members that are not strategies or stand twice in a portfolio.
        """
        ordered = sorted_members(members, self.strategies.shape[0])
        portfolios = ordered.shape[0]
        days = self.strategies.shape[1]
        roi, deepest, base = np.empty(portfolios), np.empty(portfolios), np.empty(portfolios)
        correlation = None if self.z is None else np.empty(portfolios)
        most = self.arrays.most_bytes // _ARRAYS_AT_ONCE
        for part in legacy_metrics.parts(portfolios, (days + ordered.shape[1]) * 8, most):
            placed = self.arrays.xp.asarray(ordered[part])
            roi[part], deepest[part], base[part] = self._measured_of(placed)
            if correlation is not None:
                correlation[part] = self._correlation_of(placed, ordered[part])
        return self._judged(roi, deepest, base, correlation, self._imbalance(ordered))

    def _measured_of(self, placed: Any) -> tuple[Matrix, Matrix, Matrix]:
        """ROI, drawdown and the metric of portfolios given by members that lie with the arrays."""
        xp, days = self.arrays.xp, self.strategies.shape[1]
        series = _summed(xp, self._rows, placed)
        series /= placed.shape[1]
        wanted = [xp.sum(series, axis=1), deepest_fall(xp, xp.ascontiguousarray(series.T))]
        metric = self.settings.metric
        if metric in _COUNTING:
            gains, losses = xp.maximum(series, 0.0), xp.maximum(-series, 0.0)
            wanted += [xp.sum(gains, axis=1), xp.sum(losses, axis=1)]
            wanted += [xp.sum(side > 0, axis=1).astype(xp.float64) for side in (gains, losses)]
        roi, deepest, *counted = self.arrays.to_host(xp.stack(wanted))
        return roi, deepest, _base(metric, days, roi, deepest, counted)

    def _correlation_of(self, placed: Any, ordered: Members) -> Matrix:
        """Mean correlation as ``correlation.mean_correlation`` takes it."""
        xp, size = self.arrays.xp, ordered.shape[1]
        pairs = size * (size - 1)
        if not pairs:
            return np.zeros(ordered.shape[0])
        total = _summed(xp, self._z_rows, placed)
        squares = self.arrays.to_host(xp.sum(total * total, axis=1))
        counts = np.count_nonzero(self._alive[ordered], axis=1)
        means = np.where(counts > 1, (squares - counts) / pairs, 0.0)
        return np.clip(means, -1.0 / (size - 1), 1.0)


def _summed(xp: Any, rows: Any, placed: Any) -> Any:
    """Rows of the members added up, one member after the other, shape (P, T)."""
    total = rows[placed[:, 0]]  # an index array copies
    for place in range(1, placed.shape[1]):
        xp.add(total, rows[placed[:, place]], out=total)
    return total


def _base(
    metric: str, days: int, roi: Matrix, deepest: Matrix, counted: Sequence[Matrix]
) -> Matrix:
    """The metric from sums and counts of each portfolio (portfolio.md §2)."""
    match metric:
        case "ratio":
            return legacy_metrics.ratio(roi, deepest)
        case "roi":
            return roi.copy()
        case "less max dd":
            return -deepest
    gains, losses, won, lost = counted
    wins = won / days
    match metric:
        case "win percentage":
            return wins
        case "profit factor":
            return legacy_metrics.bounded_profit_factor(gains, losses)
        case _:
            return wins * (gains / np.maximum(won, 1)) - (1 - wins) * (losses / np.maximum(lost, 1))
