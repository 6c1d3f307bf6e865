"""Correlations of all pairs of strategies, in tiles: the matrix of all pairs never exists.

A tile is one matrix product of standardised columns (portfolio.md §5); only tiles of the upper
triangle are made. What is counted, listed or ranked is decided by one number a pair, its sum in
float64 in a fixed order (:func:`.pair_correlation`): the product of a tile serves to find the few
pairs for which that number has to be taken, those within the product's own rounding of a bound
included. So results depend neither on the tile nor on the precision of the product; the mean of
``|rho|`` alone does, by rounding (about 1e-13 in float64, 1e-8 in float32).

Here: statistics of all pairs, pairs above a threshold, nearest neighbours, the key of a cache.
Not here: pairs one by one and portfolios (``correlation``), keeping results.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.portfolio.correlation import (
    Flags,
    Members,
    correlation_of_rows,
    duplicate_columns,
    mean_correlation,
    standardised,
    varying,
)
from mr_platform.portfolio.pair_lists import ListedPairs, bin_of, pairs_of, ranked, together
from mr_platform.portfolio.returns import Matrix, PortfolioError

Precision = Literal["float64", "float32"]
Progress = Callable[[int, int], None]
"""Called after each tile with the pairs done and the pairs there are."""

_Values = npt.NDArray[np.floating]
_Locate = Callable[[Members], tuple[Members, Members]]
_Ranked = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]

TILE = 1024
"""Strategies on a side of a tile."""

_STRIP = 1 << 16
"""Pairs looked at together: what is derived from them stays in the cache of a processor."""

_FORMULA = 1  # part of the content key: raise it where the meaning of a result changes


@dataclass(frozen=True)
class PairSettings:
    """What is asked of all pairs.

    Attributes:
        threshold: Pairs with ``|rho|`` above it are counted and listed, in [0, 1].
        neighbours: Strategies of largest ``|rho|`` named for each strategy.
        bins: Bins of the histogram, equally wide over [-1, 1], the lower edge inside.
        most_pairs: The strongest pairs above the threshold that are listed; None lists all, which
            takes 16 bytes a pair (52 million pairs of 100,000 strategies at 0.7).
        precision: Of the matrix product; float32 halves the time of the product alone and
            changes no result but the rounding of the mean of ``|rho|``.

    A setting outside its range raises a PortfolioError.
    """

    threshold: float = 0.7
    neighbours: int = 64
    bins: int = 200
    most_pairs: int | None = None
    precision: Precision = "float64"

    def __post_init__(self) -> None:
        """Refuse what no pair can be asked."""
        if not 0 <= self.threshold <= 1:
            raise PortfolioError(f"threshold {self.threshold} lies outside [0, 1]")
        if self.neighbours < 0 or self.bins < 1 or (self.most_pairs or 0) < 0:
            raise PortfolioError("neighbours, bins and pairs are counts")
        if self.precision not in ("float64", "float32"):
            raise PortfolioError(f"precision {self.precision} is neither float64 nor float32")


@dataclass(frozen=True, eq=False)
class PairStatistics:
    """Correlations of all n(n-1)/2 pairs; a pair with a constant strategy counts as 0.

    Attributes:
        strategies: Number of strategies, n.
        pairs: Number of pairs.
        mean: Mean of the signed correlations; NaN without a pair, as the three that follow.
        mean_abs: Mean of ``|rho|``.
        lowest, highest: Smallest and largest correlation.
        histogram: Shape (bins,), int64, pairs in each bin.
        above: Number of pairs with ``|rho|`` above the threshold.
        first, second, rho: Columns of each listed pair, int32, first < second, and their
            correlation; pairs ascend by first and second.
        neighbour: Shape (n, neighbours), int32: other strategies by falling ``|rho|``, equal ones
            by column; -1 where there are no more. A constant strategy has no neighbours and is
            nobody's: its 0 is a convention.
        neighbour_rho: Shape (n, neighbours), their correlations; NaN beside -1.
        constant: Columns whose values are all equal.
        duplicates: Groups of columns that are equal in every value.
    """

    strategies: int
    pairs: int
    mean: float
    mean_abs: float
    lowest: float
    highest: float
    histogram: Members
    above: int
    first: npt.NDArray[np.int32]
    second: npt.NDArray[np.int32]
    rho: Matrix
    neighbour: npt.NDArray[np.int32]
    neighbour_rho: Matrix
    constant: tuple[int, ...]
    duplicates: tuple[tuple[int, ...], ...]

    def pair_frame(self) -> pl.DataFrame:
        """Listed pairs: first, second, rho."""
        return pl.DataFrame({"first": self.first, "second": self.second, "rho": self.rho})

    def neighbour_frame(self) -> pl.DataFrame:
        """Neighbours that there are: strategy, rank from 1, neighbour, rho."""
        strategy, rank = np.nonzero(self.neighbour >= 0)
        return pl.DataFrame(
            {
                "strategy": strategy.astype(np.int32),
                "rank": (rank + 1).astype(np.int32),
                "neighbour": self.neighbour[strategy, rank],
                "rho": self.neighbour_rho[strategy, rank],
            }
        )


def pair_statistics(
    pnl: Matrix,
    settings: PairSettings | None = None,
    *,
    tile: int = TILE,
    progress: Progress | None = None,
) -> PairStatistics:
    """Statistics of the correlations of all pairs.

    Memory beside ``pnl``: two to four copies of it, one tile, 12 bytes a neighbour, 16 a listed
    pair (twice that at the end).

    Args:
        pnl: Shape (T, n), finite.
        settings: What is asked; None asks the defaults.
        tile: Strategies on a side of a tile; results do not depend on it.
        progress: Called after each tile.

    Raises:
        PortfolioError: Returns that cannot be standardised, a tile without a strategy.
    """
    if tile < 1:
        raise PortfolioError(f"a tile of {tile} strategies holds no pair")
    asked = settings or PairSettings()
    z = standardised(pnl)
    alive = np.flatnonzero(varying(z))
    mean = mean_of_all(z)
    rows = np.ascontiguousarray(z.T) if alive.size == z.shape[1] else z.T[alive]
    del z
    search = _Search(rows, asked, tile)
    search.run(progress)
    return search.statistics(pnl, alive, mean, search.nearest.settled())


def mean_of_all(z: Matrix) -> float:
    """Mean correlation of all strategies, shape (T, n) standardised; NaN without a pair."""
    strategies = int(z.shape[1])
    everybody = np.arange(strategies, dtype=np.int64)
    return float(mean_correlation(z, everybody[np.newaxis])[0]) if strategies > 1 else math.nan


def content_key(pnl: Matrix, names: Sequence[str], settings: PairSettings | None = None) -> str:
    """Key of a result in a cache: changes with any value, name or setting, and with the formula.

    The tile is no part of it, as results do not depend on it.

    Args:
        pnl: Shape (T, n).
        names: The n strategies.
        settings: What is asked; None asks the defaults.
    """
    said = {
        "formula": _FORMULA,
        "shape": pnl.shape,
        "names": list(names),
        "settings": asdict(settings or PairSettings()),
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    digest.update(b"\0")
    digest.update(np.ascontiguousarray(pnl, dtype="<f8").tobytes())
    return digest.hexdigest()


class PairPass:
    """What a pass over all pairs of strategies that vary counts, and how it is told.

    Args:
        rows: Standardised strategies, one a row.
        asked: What is asked.
    """

    def __init__(self, rows: Matrix, asked: PairSettings) -> None:
        self._rows, self._asked = rows, asked
        # twice what a sum of `days` products of two unit vectors can be off (Cauchy-Schwarz)
        self._step = float(np.finfo(asked.precision).eps)
        self._band = (rows.shape[1] + 4) * self._step
        self.sizes: list[float] = []
        self.lowest, self.highest, self.above = math.inf, -math.inf, 0
        self.histogram = np.zeros(asked.bins, dtype=np.int64)
        self.listed = ListedPairs(rows.shape[0], asked.threshold, asked.most_pairs)

    def meet(
        self,
        bottom: float,
        top: float,
        up_to: Callable[[float], Matrix],
        down_to: Callable[[float], Matrix],
    ) -> None:
        """Take the extremes of some pairs, decided by exact correlations.

        Args:
            bottom: Their smallest product.
            top: Their largest product.
            up_to: Exact correlations of those whose product is at most a bound.
            down_to: Exact correlations of those whose product is at least a bound.
        """
        band = self._band
        if self.highest < 1.0 and top > self.highest - band:
            rho = down_to(max(top - band, self.highest) - band)
            self.highest = max(self.highest, float(rho.max(initial=-1.0)))
        if self.lowest > -1.0 and bottom < self.lowest + band:
            rho = up_to(min(bottom + band, self.lowest) + band)
            self.lowest = min(self.lowest, float(rho.min(initial=1.0)))

    def statistics(
        self,
        pnl: Matrix,
        alive: Members,
        mean: float,
        nearest: tuple[npt.NDArray[np.int32], Matrix],
    ) -> PairStatistics:
        """Statistics of all strategies, those that do not vary included.

        Args:
            pnl: Shape (T, n).
            alive: Columns that vary, the rows of the pass.
            mean: Mean correlation of all.
            nearest: Neighbours of each row and their correlations.
        """
        asked, strategies = self._asked, int(pnl.shape[1])
        pairs = pairs_of(strategies)
        zeros = pairs - pairs_of(alive.size)
        first, second, rho = self.listed.sorted()
        neighbour = np.full((strategies, asked.neighbours), -1, dtype=np.int32)
        neighbour_rho = np.full((strategies, asked.neighbours), np.nan)
        neighbour[alive] = np.where(nearest[0] < 0, -1, alive.astype(np.int32)[nearest[0]])
        neighbour_rho[alive] = nearest[1]
        histogram = self.histogram.copy()
        histogram[bin_of(np.zeros(1), asked.bins)] += zeros
        zero = [0.0] * bool(zeros)
        return PairStatistics(
            strategies=strategies,
            pairs=pairs,
            mean=mean,
            mean_abs=math.fsum(self.sizes) / pairs if pairs else math.nan,
            lowest=min([self.lowest, *zero]) if pairs else math.nan,
            highest=max([self.highest, *zero]) if pairs else math.nan,
            histogram=histogram,
            above=self.above,
            first=alive.astype(np.int32)[first],
            second=alive.astype(np.int32)[second],
            rho=rho,
            neighbour=neighbour,
            neighbour_rho=neighbour_rho,
            constant=tuple(np.setdiff1d(np.arange(strategies), alive).tolist()),
            duplicates=duplicate_columns(pnl),
        )


class _Search(PairPass):
    """One pass over the tiles of the upper triangle; all strategies vary."""

    def __init__(self, rows: Matrix, asked: PairSettings, tile: int) -> None:
        super().__init__(rows, asked)
        self._tile = max(1, min(tile, rows.shape[0]))
        self._factors: _Values = rows.astype(asked.precision, copy=False)
        self._space: _Values = np.empty(self._tile**2, dtype=asked.precision)
        # written over by every strip: asking the system for fresh memory costs more than the sums
        most = max(_STRIP, self._tile)
        self._scratch: _Values = np.empty((3, most), dtype=asked.precision)
        self._low, self._places = np.empty(most, np.float32), np.empty(most, np.int64)
        self._flags = np.empty(most, np.bool_)
        self.nearest = _Nearest(rows, asked.neighbours, self._tile, self._band)

    def run(self, progress: Progress | None) -> None:
        count, tile, done = self._rows.shape[0], self._tile, 0
        starts = range(0, count, tile)
        for start in starts:
            self.nearest.expect(start, self._product(start, start))
        for start in starts:
            for other in range(start, count, tile):
                done += self._look(start, other)
                if progress is not None:
                    progress(done, pairs_of(count))
            self.listed.close_band()

    def _product(self, start: int, other: int) -> _Values:
        left = self._factors[start : start + self._tile]
        right = self._factors[other : other + self._tile]
        out = self._space[: len(left) * len(right)].reshape(len(left), len(right))
        return np.matmul(left, right.T, out=out)

    def _look(self, start: int, other: int) -> int:
        """All pairs of a tile, strip by strip; how many they are."""
        values = self._product(start, other)
        height, width = values.shape
        own = self.nearest.floors[start : start + height].copy()
        others = self.nearest.floors[other : other + width].copy()
        if start == other:
            upper = np.triu_indices(height, 1)
            for at in range(0, upper[0].size, _STRIP):
                i, j = (side[at : at + _STRIP] for side in upper)
                whole = (i + start, j + start)
                self._strip(values[i, j], np.minimum(own[i], own[j]), partial(_listed, *whole))
            return int(upper[0].size)
        rows = max(1, _STRIP // width)
        for at in range(0, height, rows):
            strip = values[at : at + rows]
            low = self._low[: strip.size].reshape(strip.shape)
            np.minimum(own[at : at + rows, np.newaxis], others, out=low)
            self._strip(strip.ravel(), low.ravel(), partial(_laid, start + at, other, width))
        return int(height * width)

    def _strip(self, values: _Values, low: _Values, locate: _Locate) -> None:
        """Count, list and rank the pairs of a strip; ``low`` is the least rank of each."""
        band, threshold = self._band, self._asked.threshold
        size = np.abs(values, out=self._scratch[0, : values.size])
        self.sizes.append(float(np.add.reduce(size, dtype=np.float64)))
        self._extremes(values, locate)
        self._bins(values, locate)
        if self.listed.takes_all:
            pairs = self._exact(size > threshold - band, locate)
            self.above += self.listed.offer(*pairs)
        else:
            near = (size > threshold - band) & (size <= threshold + band)
            at_bound = self._exact(near, locate)[2]
            self.above += int(np.count_nonzero(size > threshold + band))
            self.above += int(np.count_nonzero(np.abs(at_bound) > threshold))
            if self._asked.most_pairs:
                self.listed.offer(*self._exact(size > self.listed.floor - band, locate))
        if self._asked.neighbours:
            chosen = np.greater_equal(size, low, out=self._flags[: size.size]).nonzero()[0]
            self.nearest.offer(*locate(chosen), size[chosen])

    def _exact(self, chosen: Flags, locate: _Locate) -> tuple[Members, Members, Matrix]:
        i, j = locate(chosen.nonzero()[0])
        return i, j, correlation_of_rows(self._rows, i, j)

    def _extremes(self, values: _Values, locate: _Locate) -> None:
        self.meet(
            float(values.min()),
            float(values.max()),
            lambda most: self._exact(values <= most, locate)[2],
            lambda least: self._exact(values >= least, locate)[2],
        )

    def _bins(self, values: _Values, locate: _Locate) -> None:
        """Add to the histogram; pairs near an edge once more, by their exact correlation."""
        bins = self._asked.bins
        half = bins / 2
        scaled, whole = (space[: values.size] for space in self._scratch[1:])
        places, flags = self._places[: values.size], self._flags[: values.size]
        np.add(np.multiply(values, half, out=scaled), half, out=scaled)
        np.trunc(scaled, out=whole)
        np.subtract(np.subtract(scaled, whole, out=scaled), 0.5, out=scaled)
        edge = self._band * half + 4 * bins * self._step
        near = np.greater(np.abs(scaled, out=scaled), 0.5 - edge, out=flags).nonzero()[0]
        places[:] = whole
        counts = np.bincount(places, minlength=bins + 1)
        counts -= np.bincount(places[near], minlength=bins + 1)
        rho = correlation_of_rows(self._rows, *locate(near))
        self.histogram += counts[:bins] + np.bincount(bin_of(rho, bins), minlength=bins)


class _Nearest:
    """The strategies of largest ``|rho|`` of each strategy.

    Kept is whoever may belong to them by the product of a tile, in float32 and within its
    rounding; who does is decided at the end, by exact correlations of the few that are left.
    """

    def __init__(self, rows: Matrix, wanted: int, tile: int, band: float) -> None:
        self.floors = np.full(len(rows), -1.0, dtype=np.float32)
        self._rows, self._wanted, self._tile = rows, wanted, tile
        # of two numbers each is off by the band and one rounding to float32
        self._margin = 2 * band + 4 * float(np.finfo(np.float32).eps)
        self._limit = wanted * tile + _STRIP
        self._kept: list[list[_Ranked]] = [[] for _ in range(0, len(rows), tile)]
        self._news = [0] * len(self._kept)

    def expect(self, start: int, product: _Values) -> None:
        """Bound the ranks from below by the neighbours within a tile of the diagonal."""
        width = len(product)
        if not 0 < self._wanted < width:
            return
        size = np.abs(product)
        np.fill_diagonal(size, -1.0)
        least = np.partition(size, -self._wanted, axis=1)[:, -self._wanted]
        self.floors[start : start + width] = least - self._margin

    def offer(self, first: Members, second: Members, size: _Values) -> None:
        """Take some pairs of one tile for the strategies on both sides."""
        rounded = size.astype(np.float32, copy=False)
        for owner, other in ((first, second), (second, first)):
            kept = np.flatnonzero(rounded >= self.floors[owner])
            if kept.size:
                own = owner[kept].astype(np.int32)
                block = int(own[0]) // self._tile
                self._kept[block].append((own, other[kept].astype(np.int32), rounded[kept]))
                self._news[block] += kept.size
                if self._news[block] > self._limit:
                    self._sift(block)

    def settled(self) -> tuple[npt.NDArray[np.int32], Matrix]:
        """Neighbours of each strategy and their correlations; -1 and NaN where there are none."""
        index = np.full((len(self._rows), self._wanted), -1, dtype=np.int32)
        rho = np.full(index.shape, np.nan)
        for block, kept in enumerate(self._kept):
            if kept:
                self._sift(block)
                owner, other, _ = self._kept[block].pop()
                owner, rank, other, exact = ranked(self._rows, owner, other, self._wanted)
                index[owner, rank], rho[owner, rank] = other, exact
        return index, rho

    def _sift(self, block: int) -> None:
        """Raise the floors of a block to what it holds by now, and drop what lies below."""
        owner, other, size = together(self._kept[block])
        base = block * self._tile
        place = (owner - base).astype(np.uint64) << np.uint64(32)
        # floats that are not negative ascend as their bits do
        order = np.argsort(place | (np.uint32(0xFFFFFFFF) - np.abs(size).view(np.uint32)))
        owner, other, size = owner[order], other[order], size[order]
        strategies = np.arange(base, min(base + self._tile, len(self._rows)) + 1)
        starts = np.searchsorted(owner, strategies)
        full = np.flatnonzero(np.diff(starts) >= self._wanted)
        self.floors[base + full] = size[starts[full] + self._wanted - 1] - self._margin
        kept = np.flatnonzero(size >= self.floors[owner])
        self._kept[block] = [(owner[kept], other[kept], size[kept])]
        self._news[block] = 0


def _laid(row: int, column: int, width: int, flat: Members) -> tuple[Members, Members]:
    down, across = np.divmod(flat, width)
    return row + down, column + across


def _listed(first: Members, second: Members, flat: Members) -> tuple[Members, Members]:
    return first[flat], second[flat]
