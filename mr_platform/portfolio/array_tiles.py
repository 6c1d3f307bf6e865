"""Correlations of all pairs on an array module: NumPy, or CuPy on a device.

A tile is a band of strategies against all, one matrix product. As in ``correlation_tiles`` the
product only finds the pairs that matter; what is counted near a bound, listed or ranked is decided
by the processor's own sum of that pair, so that the result has the bits of
:func:`.correlation_tiles.pair_statistics` but for the rounding of the mean of ``|rho|``.

Here: the statistics of :class:`.correlation_tiles.PairStatistics` by bands.
Not here: what they mean (``correlation_tiles``), devices (``gateways/array_engine``).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mr_platform.portfolio.arrays import Arrays
from mr_platform.portfolio.correlation import (
    Members,
    correlation_of_rows,
    duplicate_columns,
    mean_correlation,
    standardised,
    varying,
)
from mr_platform.portfolio.correlation_tiles import PairSettings, PairStatistics, Progress
from mr_platform.portfolio.returns import Matrix

_ARRAYS_AT_ONCE: Final = 10
"""Arrays of a band's shape that a step holds together, at most: products, sizes, places, flags."""

_SPARE_PAIRS = 1 << 16


def array_pair_statistics(
    pnl: Matrix,
    arrays: Arrays,
    settings: PairSettings | None = None,
    *,
    progress: Progress | None = None,
) -> PairStatistics:
    """Statistics of the correlations of all pairs, products taken where the arrays live.

    Memory there: the standardised returns and one band, which ``arrays.most_bytes`` bounds (a band
    is one strategy at least). Pairs that are listed lie in the processor's memory. Products in
    float32 must be those of float32: TF32, which CuPy takes where ``CUPY_TF32`` asks for it, is off
    by more than the bounds that are kept here.

    Args:
        pnl: Shape (T, n), finite.
        arrays: Where products are taken.
        settings: What is asked; None asks the defaults.
        progress: Called after each band.

    Raises:
        PortfolioError: Returns that cannot be standardised.
    """
    asked = settings or PairSettings()
    z = standardised(pnl)
    alive = np.flatnonzero(varying(z))
    strategies, count = int(z.shape[1]), alive.size
    everybody = np.arange(strategies, dtype=np.int64)
    mean = float(mean_correlation(z, everybody[np.newaxis])[0]) if strategies > 1 else math.nan
    bands = _Bands(np.ascontiguousarray(z.T[alive]), asked, arrays)
    bands.run(progress)
    pairs, zeros = _pairs(strategies), _pairs(strategies) - _pairs(count)
    first, second, rho = bands.pool.sorted()
    neighbour = np.full((strategies, asked.neighbours), -1, dtype=np.int32)
    neighbour_rho = np.full((strategies, asked.neighbours), np.nan)
    found = bands.neighbour
    neighbour[alive] = np.where(found < 0, -1, alive.astype(np.int32)[found])
    neighbour_rho[alive] = bands.neighbour_rho
    bands.histogram[_bin_of(np.zeros(1), asked.bins)] += zeros
    zero = [0.0] * bool(zeros)
    return PairStatistics(
        strategies=strategies,
        pairs=pairs,
        mean=mean,
        mean_abs=math.fsum(bands.sizes) / pairs if pairs else math.nan,
        lowest=min([bands.lowest, *zero]) if pairs else math.nan,
        highest=max([bands.highest, *zero]) if pairs else math.nan,
        histogram=bands.histogram,
        above=bands.above,
        first=alive.astype(np.int32)[first],
        second=alive.astype(np.int32)[second],
        rho=rho,
        neighbour=neighbour,
        neighbour_rho=neighbour_rho,
        constant=tuple(np.setdiff1d(everybody, alive).tolist()),
        duplicates=duplicate_columns(pnl),
    )


class _Bands:
    """One pass over bands of strategies, all of which vary."""

    def __init__(self, rows: Matrix, asked: PairSettings, arrays: Arrays) -> None:
        count, days = rows.shape
        self._rows, self._asked, self._arrays = rows, asked, arrays
        self._factors: Any = arrays.xp.asarray(rows.astype(asked.precision))
        # twice what a sum of `days` products of two unit vectors can be off (Cauchy-Schwarz)
        self._step = float(np.finfo(asked.precision).eps)
        self._band = (days + 4) * self._step
        self._height = max(1, arrays.most_bytes // (_ARRAYS_AT_ONCE * 8 * max(count, 1)))
        self.sizes: list[float] = []
        self.lowest, self.highest, self.above = math.inf, -math.inf, 0
        self.histogram = np.zeros(asked.bins, dtype=np.int64)
        self.pool = _Pool(count, asked)
        self.neighbour = np.full((count, asked.neighbours), -1, dtype=np.int32)
        self.neighbour_rho = np.full((count, asked.neighbours), np.nan)

    def run(self, progress: Progress | None) -> None:
        """Look at every pair once, and rank every strategy's neighbours."""
        count, done = self._rows.shape[0], 0
        for start in range(0, count, self._height):
            stop = min(start + self._height, count)
            values = self._arrays.xp.matmul(self._factors[start:stop], self._factors.T)
            self._rank(values, start)
            self._look(values[:, start:], start)
            done += sum(count - 1 - row for row in range(start, stop))
            if progress is not None:
                progress(done, _pairs(count))

    def _look(self, values: Any, start: int) -> None:
        """Count and list the pairs of a band with itself and with all strategies after it."""
        xp, threshold, band = self._arrays.xp, self._asked.threshold, self._band
        height, width = values.shape
        once = xp.arange(width)[np.newaxis, :] > xp.arange(height)[:, np.newaxis]
        if not int(once.sum()):
            return
        size = xp.where(once, xp.abs(values), -1.0)
        self.sizes.append(float(xp.sum(xp.where(once, size, 0.0), dtype=np.float64)))
        self._extremes(values, once, start)
        self._bins(values, once, start)
        if self.pool.takes_all:
            self.above += self.pool.offer(*self._exact(size > threshold - band, start))
            return
        near = self._exact((size > threshold - band) & (size <= threshold + band), start)[2]
        self.above += int((size > threshold + band).sum())
        self.above += int(np.count_nonzero(np.abs(near) > threshold))
        if self._asked.most_pairs:
            self.pool.offer(*self._exact(size > self.pool.floor - band, start))

    def _exact(self, chosen: Any, start: int) -> tuple[Members, Members, Matrix]:
        """Chosen pairs of a band's upper part, with the processor's own correlations."""
        first, second = (self._arrays.to_host(side) + start for side in chosen.nonzero())
        return first, second, correlation_of_rows(self._rows, first, second)

    def _extremes(self, values: Any, once: Any, start: int) -> None:
        xp, band = self._arrays.xp, self._band
        top = float(xp.where(once, values, -2.0).max())
        bottom = float(xp.where(once, values, 2.0).min())
        if self.highest < 1.0 and top > self.highest - band:
            least = max(top - band, self.highest) - band
            rho = self._exact(once & (values >= least), start)[2]
            self.highest = max(self.highest, float(rho.max(initial=-1.0)))
        if self.lowest > -1.0 and bottom < self.lowest + band:
            most = min(bottom + band, self.lowest) + band
            rho = self._exact(once & (values <= most), start)[2]
            self.lowest = min(self.lowest, float(rho.min(initial=1.0)))

    def _bins(self, values: Any, once: Any, start: int) -> None:
        """Add to the histogram; pairs near an edge by their exact correlation."""
        xp, bins = self._arrays.xp, self._asked.bins
        half = bins / 2
        scaled = values * half + half
        whole = xp.trunc(scaled)
        edge = self._band * half + 4 * bins * self._step
        near = once & (xp.abs(scaled - whole - 0.5) > 0.5 - edge)
        # a place of its own for what is not counted here
        places = xp.where(once & ~near, whole, float(bins)).astype(np.int64)
        counts = self._arrays.to_host(xp.bincount(places.ravel(), minlength=bins + 1))
        rho = self._exact(near, start)[2]
        self.histogram += counts[:bins] + np.bincount(_bin_of(rho, bins), minlength=bins)

    def _rank(self, values: Any, start: int) -> None:
        """Neighbours of each strategy of a band: whoever may belong to them, ranked exactly."""
        xp = self._arrays.xp
        height, count = values.shape
        wanted = min(self._asked.neighbours, count - 1)
        if wanted < 1:
            return
        own = xp.arange(count)[np.newaxis, :] == xp.arange(start, start + height)[:, np.newaxis]
        size = xp.where(own, -1.0, xp.abs(values))
        least = xp.partition(size, count - wanted, axis=1)[:, count - wanted]
        kept = size >= (least - 2 * self._band)[:, np.newaxis]
        owner, other = (self._arrays.to_host(side) for side in kept.nonzero())
        exact = correlation_of_rows(self._rows, owner + start, other)
        order = np.lexsort((other, -np.abs(exact), owner))
        owner, other, exact = owner[order], other[order], exact[order]
        rank = np.arange(owner.size) - np.searchsorted(owner, owner)
        best = np.flatnonzero(rank < wanted)
        self.neighbour[owner[best] + start, rank[best]] = other[best]
        self.neighbour_rho[owner[best] + start, rank[best]] = exact[best]


class _Pool:
    """Pairs above the threshold; where only so many are wanted, the strongest."""

    def __init__(self, strategies: int, asked: PairSettings) -> None:
        self.floor = asked.threshold
        self._threshold, self._most = asked.threshold, asked.most_pairs
        self._strategies = strategies
        empty = np.empty(0, dtype=np.int64)
        self._parts: list[tuple[Members, Members, Matrix]] = [(empty, empty, np.empty(0))]
        self._count = 0

    @property
    def takes_all(self) -> bool:
        """Whether every pair above the threshold is taken, so that taking them counts them."""
        return self.floor == self._threshold and self._most != 0

    def offer(self, first: Members, second: Members, rho: Matrix) -> int:
        """Take those of some pairs that are above the threshold, and strong enough."""
        size = np.abs(rho)
        kept = np.flatnonzero((size > self._threshold) & (size >= self.floor))
        self._parts.append((first[kept], second[kept], rho[kept]))
        self._count += kept.size
        if self._most is not None and self._count > 2 * self._most + _SPARE_PAIRS:
            self._prune(self._most)
        return kept.size

    def sorted(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Matrix]:
        """All pairs that are left, ascending by (first, second)."""
        if self._most is not None:
            self._prune(self._most)
        first, second, rho = self._joined()
        order = np.argsort(first * self._strategies + second)
        return first[order].astype(np.int32), second[order].astype(np.int32), rho[order]

    def _joined(self) -> tuple[Members, Members, Matrix]:
        first, second, rho = zip(*self._parts, strict=True)
        return np.concatenate(first), np.concatenate(second), np.concatenate(rho)

    def _prune(self, most: int) -> None:
        first, second, rho = self._joined()
        order = np.lexsort((second, first, -np.abs(rho)))[:most]
        self._parts = [(first[order], second[order], rho[order])]
        self._count = order.size
        if order.size == most and most:
            self.floor = max(self.floor, float(np.abs(rho[order[-1]])))


def _bin_of(rho: Matrix, bins: int) -> Members:
    places = np.floor((rho + 1.0) * (bins / 2)).astype(np.int64)
    return np.minimum(places, bins - 1)


def _pairs(strategies: int) -> int:
    return strategies * (strategies - 1) // 2
