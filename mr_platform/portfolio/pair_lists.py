"""Pairs of strategies that a pass over all of them keeps: those listed, those ranked.

Here: pairs above a threshold, neighbours in order, bins and numbers of pairs.
Not here: passes (``correlation_tiles``, ``array_tiles``), one correlation (``correlation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from mr_platform.portfolio.correlation import Members, correlation_of_rows
from mr_platform.portfolio.returns import Matrix

Pairs = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Matrix]
"""First and second strategy of each pair, and their correlation."""

_A = TypeVar("_A", bound=np.generic)
_B = TypeVar("_B", bound=np.generic)
_I = TypeVar("_I", bound=np.integer)

_SPARE: Final = 1 << 16
"""Pairs that may wait beyond twice those wanted before weak ones are dropped."""


class ListedPairs:
    """Pairs above a threshold; where only so many are wanted, the strongest.

    Attributes:
        floor: Weaker pairs need not be offered any more.

    Args:
        strategies: Number of strategies.
        threshold: Pairs with ``|rho|`` above it are listed.
        most: The strongest that are listed; None lists all.
    """

    def __init__(self, strategies: int, threshold: float, most: int | None) -> None:
        self.floor = threshold
        self._threshold, self._most, self._strategies = threshold, most, strategies
        self._waiting: list[tuple[Members, Members, Matrix]] = []
        self._count, self._done = 0, list[Pairs]()

    @property
    def takes_all(self) -> bool:
        """Whether every pair above the threshold is taken, so that taking them counts them."""
        return self.floor == self._threshold and self._most != 0

    def offer(self, first: Members, second: Members, rho: Matrix) -> int:
        """Take those of some pairs that are above the threshold, and strong enough."""
        size = np.abs(rho)
        kept = np.flatnonzero((size > self._threshold) & (size >= self.floor))
        if kept.size:
            self._waiting.append((first[kept], second[kept], rho[kept]))
            self._count += kept.size
        if self._most is not None and self._count > 2 * self._most + _SPARE:
            self._prune(self._most)
        return kept.size

    def close_band(self) -> None:
        """Say that every later pair comes after those offered so far."""
        if self._most is None and self._waiting:
            self._done.append(self._in_order(*self._joined()))
            self._waiting = []

    def sorted(self) -> Pairs:
        """All pairs that are left, ascending by (first, second)."""
        if self._most is not None:
            self._prune(self._most)
            return self._in_order(*self._joined())
        empty = np.empty(0, dtype=np.int32)
        return together([(empty, empty, np.empty(0)), *self._done])

    def _joined(self) -> tuple[Members, Members, Matrix]:
        empty = np.empty(0, dtype=np.int64)
        return together([(empty, empty, np.empty(0)), *self._waiting])

    def _in_order(self, first: Members, second: Members, rho: Matrix) -> Pairs:
        order = np.argsort(first * self._strategies + second)
        return first[order].astype(np.int32), second[order].astype(np.int32), rho[order]

    def _prune(self, most: int) -> None:
        first, second, rho = self._joined()
        order = np.lexsort((second, first, -np.abs(rho)))[:most]
        self._waiting = [(first[order], second[order], rho[order])]
        self._count = order.size
        if order.size == most and most:
            self.floor = max(self.floor, float(np.abs(rho[order[-1]])))


def ranked(
    rows: Matrix, owner: npt.NDArray[_I], other: npt.NDArray[_I], wanted: int
) -> tuple[npt.NDArray[_I], Members, npt.NDArray[_I], Matrix]:
    """Neighbours of strategies by falling ``|rho|``, equal ones by column.

    Args:
        rows: Standardised strategies, one a row.
        owner: Whose neighbour each is.
        other: The neighbours.
        wanted: Neighbours that each strategy keeps.

    Returns:
        Owner, rank from 0, neighbour and correlation of those that are kept.
    """
    exact = correlation_of_rows(rows, owner, other)
    order = np.lexsort((other, -np.abs(exact), owner))
    owner, other, exact = owner[order], other[order], exact[order]
    rank = np.arange(owner.size) - np.searchsorted(owner, owner)
    best = np.flatnonzero(rank < wanted)
    return owner[best], rank[best], other[best], exact[best]


def together(
    parts: Sequence[tuple[npt.NDArray[_A], npt.NDArray[_A], npt.NDArray[_B]]],
) -> tuple[npt.NDArray[_A], npt.NDArray[_A], npt.NDArray[_B]]:
    """Parts put one after the other."""
    first, second, third = zip(*parts, strict=True)
    return np.concatenate(first), np.concatenate(second), np.concatenate(third)


def bin_of(rho: Matrix, bins: int) -> Members:
    """Bin of each correlation, equally wide over [-1, 1], the lower edge inside."""
    places = np.floor((rho + 1.0) * (bins / 2)).astype(np.int64)
    return np.minimum(places, bins - 1)


def pairs_of(strategies: int) -> int:
    """Number of pairs of so many strategies."""
    return strategies * (strategies - 1) // 2
