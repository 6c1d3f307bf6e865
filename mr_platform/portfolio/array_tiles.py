"""Correlations of all pairs on an array module: NumPy, or CuPy on a device.

A tile is a band of strategies against all, one matrix product. As in ``correlation_tiles`` the
product only finds the pairs that matter; what is counted near a bound, listed or ranked is decided
by the processor's own sum of that pair, so that the result has the bits of
:func:`.correlation_tiles.pair_statistics` but for the rounding of the mean of ``|rho|``.

Here: the statistics of :class:`.correlation_tiles.PairStatistics` by bands.
Not here: what they mean (``correlation_tiles``), devices (``gateways/array_engine``).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from mr_platform.portfolio.arrays import Arrays
from mr_platform.portfolio.correlation import (
    Members,
    correlation_of_rows,
    standardised,
    varying,
)
from mr_platform.portfolio.correlation_tiles import (
    PairPass,
    PairSettings,
    PairStatistics,
    Progress,
    mean_of_all,
)
from mr_platform.portfolio.pair_lists import bin_of, pairs_of, ranked
from mr_platform.portfolio.returns import Matrix

_ARRAYS_AT_ONCE: Final = 10
"""Arrays of a band's shape that a step holds together, at most: products, sizes, places, flags."""


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
    bands = _Bands(np.ascontiguousarray(z.T[alive]), asked, arrays)
    bands.run(progress)
    nearest = (bands.neighbour, bands.neighbour_rho)
    return bands.statistics(pnl, alive, mean_of_all(z), nearest)


class _Bands(PairPass):
    """One pass over bands of strategies, all of which vary."""

    def __init__(self, rows: Matrix, asked: PairSettings, arrays: Arrays) -> None:
        super().__init__(rows, asked)
        self._arrays, count = arrays, rows.shape[0]
        self._factors: Any = arrays.xp.asarray(rows.astype(asked.precision))
        self._height = max(1, arrays.most_bytes // (_ARRAYS_AT_ONCE * 8 * max(count, 1)))
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
            self.listed.close_band()
            done += sum(count - 1 - row for row in range(start, stop))
            if progress is not None:
                progress(done, pairs_of(count))

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
        if self.listed.takes_all:
            self.above += self.listed.offer(*self._exact(size > threshold - band, start))
            return
        near = self._exact((size > threshold - band) & (size <= threshold + band), start)[2]
        self.above += int((size > threshold + band).sum())
        self.above += int(np.count_nonzero(np.abs(near) > threshold))
        if self._asked.most_pairs:
            self.listed.offer(*self._exact(size > self.listed.floor - band, start))

    def _exact(self, chosen: Any, start: int) -> tuple[Members, Members, Matrix]:
        """Chosen pairs of a band's upper part, with the processor's own correlations."""
        first, second = (self._arrays.to_host(side) + start for side in chosen.nonzero())
        return first, second, correlation_of_rows(self._rows, first, second)

    def _extremes(self, values: Any, once: Any, start: int) -> None:
        xp = self._arrays.xp
        self.meet(
            float(xp.where(once, values, 2.0).min()),
            float(xp.where(once, values, -2.0).max()),
            lambda most: self._exact(once & (values <= most), start)[2],
            lambda least: self._exact(once & (values >= least), start)[2],
        )

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
        self.histogram += counts[:bins] + np.bincount(bin_of(rho, bins), minlength=bins)

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
        owner, rank, other, exact = ranked(self._rows, owner + start, other, wanted)
        self.neighbour[owner, rank], self.neighbour_rho[owner, rank] = other, exact
