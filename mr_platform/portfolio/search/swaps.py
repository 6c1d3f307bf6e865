"""Fitness of portfolios after one member has been replaced, many swaps at once.

Running sums and sums of standardised columns are linear in the members: after a swap they are
those of the portfolio less one strategy plus another, O(T) a swap whatever the size. Where only
swaps that reach a given fitness matter, a bound from the few deepest falls of the portfolio tells
most of the others apart before their whole running sum is looked at.

Here: judging swaps, keeping those that are applied, uniform draws of swaps.
Not here: tables that all swaps of a problem read (``swap_tables``), fitness of whole portfolios
(``problem``), which swaps to try (the algorithms).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.fitness import FORGIVEN_SHARE
from mr_platform.portfolio.returns import Matrix, PortfolioError
from mr_platform.portfolio.search.draws import random_entering
from mr_platform.portfolio.search.swap_tables import SwapTables, deepest_falls

WINDOWS: Final = 12
"""Falls of a portfolio from which the bound is taken."""
BOUND_ENTRIES: Final = 4 << 20
"""Most numbers kept for the bound; where it takes more, every swap is looked at as a whole."""
BOUND_MARGIN: Final = 1e-9
"""How far below the wanted fitness a bound must lie, relative: far above its rounding."""

_SCREENED_AT_ONCE = 8192
_WORTH_SCREENING = 64


class SwapView:
    """Swaps of one member in each of some portfolios, which it keeps and changes.

    Figures agree with those of the portfolio judged anew to about 1e-12 of the metric, not to the
    bit: what is kept should be judged by ``SearchProblem.fitness``. They depend on the portfolios
    it was made from, the order of their members and the swaps applied, on nothing else.

    Attributes:
        members: Shape (P, k), the portfolios as they stand; changed by :meth:`apply` alone.
    """

    def __init__(self, tables: SwapTables, members: Members) -> None:
        self.members: Members = np.array(members, dtype=np.int64)
        ordered = np.sort(self.members, axis=1)
        if (ordered[:, 1:] == ordered[:, :-1]).any():
            raise PortfolioError("a strategy stands twice in a portfolio")
        self._tables = tables
        portfolios = self.members.shape[0]
        self._inside = np.zeros((portfolios, tables.strategies), dtype=bool)
        np.put_along_axis(self._inside, self.members, True, axis=1)
        self._sums = _sums_of(tables.rows, self.members)
        self._paired, self._pair_sum = self._pairs()
        self._counts = tables.source_counts(self.members)
        self._bound: _Bound | None = None

    def draw(
        self, rng: np.random.Generator, which: Members, wished: Members | None = None
    ) -> tuple[Members, Members]:
        """Uniform swaps: for each a place of its portfolio and a non-member.

        Args:
            rng: Source of chance.
            which: Shape (S,), the portfolio of each swap.
            wished: Shape (S,), strategies that are to enter; uniform non-members take the place
                of those that are members already.

        Returns:
            Places (S,) and entering strategies (S,), for :meth:`fitness`.

        Raises:
            PortfolioError: Every candidate is a member.
        """
        size, strategies = self._tables.size, self._tables.strategies
        leaving = rng.integers(0, size, size=which.size)
        if 2 * size > strategies:
            spare = random_entering(rng, self.members[which], strategies)
            if wished is None:
                return leaving, spare
            return leaving, np.where(self._inside[which, wished], spare, wished)
        entering = rng.integers(0, strategies, size=which.size) if wished is None else wished.copy()
        again = np.flatnonzero(self._inside[which, entering])
        while again.size:  # few, and fewer each time: members are the smaller part
            entering[again] = rng.integers(0, strategies, size=again.size)
            again = again[self._inside[which[again], entering[again]]]
        return leaving, entering

    def fitness(
        self,
        which: Members,
        leaving: Members,
        entering: Members,
        least: Matrix | float | None = None,
    ) -> Matrix:
        """Fitness of each portfolio after its swap; nothing is changed.

        Args:
            which: Shape (S,), the portfolio of each swap.
            leaving: Shape (S,), the place in its row of the member that goes, 0..k-1.
            entering: Shape (S,), the strategy that comes; no member, on the caller's word.
            least: Fitness from which on the figure matters, one for all or shape (S,); a swap
                that surely stays below may be told as ``-inf``, which is several times faster.

        Returns:
            Shape (S,).

        Raises:
            PortfolioError: Indices outside the portfolios, places or strategies, shapes that
                differ.
        """
        self._refuse(which, leaving, entering)
        result = np.empty(which.size)
        floor = None if least is None else np.broadcast_to(np.asarray(least, float), which.shape)
        if which.size < _WORTH_SCREENING:
            floor = None
        step = self._tables.block if floor is None else _SCREENED_AT_ONCE
        for start in range(0, which.size, step):
            part = slice(start, start + step)
            swaps = which[part], leaving[part], entering[part]
            if floor is None or not self._has_bound():
                result[part] = self._whole(*swaps)
            else:
                result[part] = self._screened(*swaps, floor[part])
        return result

    def apply(self, which: Members, leaving: Members, entering: Members) -> None:
        """Replace members for good, at most one in each portfolio.

        Args:
            which: Shape (S,), distinct portfolios.
            leaving: Shape (S,), as for :meth:`fitness`.
            entering: Shape (S,), as for :meth:`fitness`; no members.

        Raises:
            PortfolioError: As :meth:`fitness`; a portfolio that stands twice, an entering member.
        """
        self._refuse(which, leaving, entering)
        if which.size > 1 and np.bincount(which).max() > 1:
            raise PortfolioError("a portfolio stands twice among swaps to apply")
        if self._inside[which, entering].any():
            raise PortfolioError("a strategy that enters is a member already")
        if self._tables.pairs is not None:
            self._tables.pairs.fill(entering)
        # a few portfolios of long rows: plain rows are quicker than lists of indices
        for row, place, new in zip(
            which.tolist(), leaving.tolist(), entering.tolist(), strict=True
        ):
            self._replace(row, int(self.members[row, place]), new)
            self.members[row, place] = new

    def _replace(self, row: int, old: int, new: int) -> None:
        tables = self._tables
        if tables.pairs is not None:
            products, paired = tables.pairs.table, self._paired[row]
            self._pair_sum[row] += paired[new] - products[old, new] - paired[old]
            self._pair_sum[row] += tables.varies[old]
            paired -= products[old]
            paired += products[new]
        elif tables.z is not None:
            paired, change = self._paired[row], tables.z[new] - tables.z[old]
            self._pair_sum[row] += np.add.reduce((paired - tables.z[old]) * change)
            paired += change
        sums = self._sums[row]
        sums -= tables.rows[old]
        sums += tables.rows[new]
        if self._counts is not None:
            tables.move_source(self._counts[row], old, new)
        if self._bound is not None:
            self._bound.replace(row, old, new)
        self._inside[row, old], self._inside[row, new] = False, True

    def _pairs(self) -> tuple[Matrix, Matrix]:
        """What the members' columns sum to, or their products with all; sum over pairs."""
        tables, portfolios = self._tables, self.members.shape[0]
        if tables.z is None:
            return np.empty((0, 0)), np.zeros(portfolios)
        if tables.pairs is None:
            sums = _sums_of(tables.z, self.members)
            own = tables.varies[self.members].sum(axis=1)
            return sums, (np.add.reduce(sums * sums, axis=1) - own) / 2
        tables.pairs.fill(self.members.ravel())
        paired = _sums_of(tables.pairs.table, self.members)
        each = np.take_along_axis(paired, self.members, axis=1) - tables.varies[self.members]
        return paired, np.add.reduce(each, axis=1) / 2

    def _pair_change(self, which: Members, gone: Members, entering: Members) -> Matrix:
        """By how much a swap changes the sum of correlations over pairs, shape (S,)."""
        tables = self._tables
        if tables.z is None:
            return np.zeros(which.size)
        if tables.pairs is not None:
            width = tables.strategies
            flat = self._paired.ravel()
            change = flat.take(which * width + entering)
            change -= tables.pairs.table.ravel().take(gone * width + entering)
            change -= flat.take(which * width + gone)
        else:
            old, new = tables.z.take(gone, axis=0), tables.z.take(entering, axis=0)
            rest = self._paired.take(which, axis=0)
            rest -= old
            new -= old
            rest *= new
            # (sum - old)(new - old): the new pairs less the old ones
            change = np.add.reduce(rest, axis=1)
            return np.asarray(change)
        change += tables.varies.take(gone)
        return change

    def _penalty(self, which: Members, gone: Members, entering: Members) -> Matrix | None:
        """Mean correlation after each swap; None where it has no price."""
        tables = self._tables
        if tables.z is None:
            return None
        pairs = tables.size * (tables.size - 1) / 2
        if not pairs:
            return np.zeros(which.size)
        mean = self._pair_change(which, gone, entering)
        mean += self._pair_sum.take(which)
        mean /= pairs
        return np.clip(mean, -1.0 / (tables.size - 1), 1.0, out=mean)

    def _whole(self, which: Members, leaving: Members, entering: Members) -> Matrix:
        gone = self.members.ravel().take(which * self._tables.size + leaving)
        correlation = self._penalty(which, gone, entering)
        return self._looked_through(which, gone, entering, correlation)

    def _looked_through(
        self, which: Members, gone: Members, entering: Members, correlation: Matrix | None
    ) -> Matrix:
        tables = self._tables
        result = np.empty(which.size)
        for start in range(0, which.size, tables.block):
            part = slice(start, start + tables.block)
            one = which[part]
            rows = tables.scratch("rows", one.size)
            other = tables.scratch("other", one.size)
            np.take(tables.rows, entering[part], axis=0, out=rows, mode="clip")
            np.take(tables.rows, gone[part], axis=0, out=other, mode="clip")
            rows -= other
            np.take(self._sums, one, axis=0, out=other, mode="clip")
            rows += other
            rho = None if correlation is None else correlation[part]
            imbalance = self._imbalance(one, gone[part], entering[part])
            if not tables.running:
                rows /= tables.size
                judged = tables.evaluator.evaluate_series(rows, rho, imbalance)
                result[part] = judged.fitness
                continue
            roi = rows[:, -1] / tables.size
            deepest = deepest_falls(rows, tables) / tables.size
            result[part] = self._judged(roi, deepest, rho, imbalance)
        return result

    def _judged(
        self, roi: Matrix, deepest: Matrix, rho: Matrix | None, imbalance: Matrix | None
    ) -> Matrix:
        """Fitness from its parts, as ``PortfolioEvaluator`` puts it together."""
        settings = self._tables.evaluator.settings
        if settings.metric == "roi":
            fitness = roi.copy()
        elif settings.metric == "ratio":
            fitness = legacy_metrics.ratio(roi, deepest)
        else:
            fitness = -deepest
        if rho is not None:
            price = settings.correlation_weight * rho
            if settings.drawdown_threshold and settings.metric != "roi":
                price[deepest < settings.drawdown_threshold] *= FORGIVEN_SHARE
            fitness -= price
        if imbalance is not None:
            fitness -= imbalance
        return fitness

    def _screened(
        self, which: Members, leaving: Members, entering: Members, floor: Matrix
    ) -> Matrix:
        """As :meth:`_whole`, without looking through swaps whose bound lies below the floor."""
        bound, tables = self._bound, self._tables
        assert bound is not None
        gone = self.members.ravel().take(which * tables.size + leaving)
        most = bound.base(self._sums, which, gone, entering)
        if (imbalance := self._imbalance(which, gone, entering)) is not None:
            most -= imbalance
        margin = np.abs(floor)
        margin += 1.0
        margin *= -BOUND_MARGIN
        margin += floor
        result = np.full(which.size, -np.inf)
        left: Members | None = None
        if tables.z is not None and tables.pairs is None:
            # the correlation takes as long as all else: first without those that need none
            left = np.flatnonzero(most + bound.most_reward >= margin)
            which, gone, entering = which[left], gone[left], entering[left]
            most, margin = most[left], margin[left]
        rho = self._penalty(which, gone, entering)
        if rho is not None:
            most -= bound.least_price(rho)
        near = np.flatnonzero(most >= margin)
        result[near if left is None else left[near]] = self._looked_through(
            which[near], gone[near], entering[near], None if rho is None else rho[near]
        )
        return result

    def _has_bound(self) -> bool:
        tables = self._tables
        entries = self.members.shape[0] * tables.strategies * WINDOWS
        if not tables.running or tables.metric == "roi" or entries > BOUND_ENTRIES:
            return False
        if self._bound is None:
            self._bound = _Bound(tables, self._sums)
        return True

    def _imbalance(self, which: Members, gone: Members, entering: Members) -> Matrix | None:
        if self._counts is None:
            return None
        return self._tables.imbalance_after(self._counts, which, gone, entering)

    def _refuse(self, which: Members, leaving: Members, entering: Members) -> None:
        if not which.shape == leaving.shape == entering.shape or which.ndim != 1:
            raise PortfolioError("swaps need three lists of the same length")
        if not which.size:
            return
        tables = self._tables
        limits = (self.members.shape[0], tables.size, tables.strategies)
        names = ("portfolios", "places", "strategies")
        for indices, limit, what in zip((which, leaving, entering), limits, names, strict=True):
            if int(indices.min()) < 0 or int(indices.max()) >= limit:
                raise PortfolioError(f"a swap names one outside the {limit} {what}")


class _Bound:
    """Upper bound of fitness after a swap: the deepest of a few falls is no more than the fall.

    The falls are those of the portfolios as they were when it was made; a portfolio that has
    changed since makes the bound looser, never wrong.
    """

    def __init__(self, tables: SwapTables, sums: Matrix) -> None:
        self._tables = tables
        settings = tables.evaluator.settings
        self._weight = settings.correlation_weight
        self._may_halve = settings.drawdown_threshold > 0
        tops, bottoms = _windows(sums)
        width = tables.strategies
        self._falls = np.empty((WINDOWS, sums.shape[0], width))
        self._own = np.empty((WINDOWS, sums.shape[0]))
        for row, (top, bottom) in enumerate(zip(tops, bottoms, strict=True)):
            np.subtract(tables.by_time(top), tables.by_time(bottom), out=self._falls[:, row])
            self._own[:, row] = sums[row, top] - sums[row, bottom]

    def replace(self, row: int, old: int, new: int) -> None:
        """Take a swap of one portfolio over."""
        falls = self._falls[:, row]
        self._own[:, row] += falls[:, new] - falls[:, old]

    def base(self, sums: Matrix, which: Members, gone: Members, entering: Members) -> Matrix:
        """No swap's metric is higher than this, shape (S,)."""
        tables = self._tables
        size, at = tables.size, which * tables.strategies
        flat = self._falls.reshape(WINDOWS, -1)
        falls = flat.take(at + entering, axis=1, mode="clip")
        falls -= flat.take(at + gone, axis=1, mode="clip")
        falls += self._own.take(which, axis=1, mode="clip") if sums.shape[0] > 1 else self._own
        deepest = np.maximum.reduce(falls, axis=0)
        deepest /= size
        if tables.metric != "ratio":
            return np.asarray(-np.maximum(deepest, 0.0))
        roi = tables.total.take(entering)
        roi -= tables.total.take(gone)
        roi += sums[:, -1].take(which)
        roi /= size
        np.maximum(roi, 0.0, out=roi)  # a loss over any fall is at most 0
        # where the bound on the fall is nothing, nothing is known
        most = np.full(which.size, np.inf)
        np.divide(roi, deepest, out=most, where=deepest > 10 * legacy_metrics.NO_DRAWDOWN)
        return most

    def least_price(self, rho: Matrix) -> Matrix:
        """The price on correlation, or its half where that is less and may hold."""
        price: Matrix = self._weight * rho
        return np.minimum(price, price * FORGIVEN_SHARE) if self._may_halve else price

    @property
    def most_reward(self) -> float:
        """No portfolio is rewarded more than this for a negative correlation."""
        return self._weight / max(1, self._tables.size - 1)


def _windows(sums: Matrix) -> tuple[Members, Members]:
    """Rows between which each running sum falls deepest, of falls that do not share a peak.

    Args:
        sums: Shape (P, T), running sums.

    Returns:
        Rows of the peaks and of the bottoms, each (P, WINDOWS); where there are fewer falls, the
        others are no fall.
    """
    portfolios, rows = sums.shape
    peaks = np.maximum.accumulate(sums, axis=1)
    falls = peaks - sums
    tops = np.zeros((portfolios, WINDOWS), dtype=np.int64)
    bottoms = np.zeros((portfolios, WINDOWS), dtype=np.int64)
    for row in range(portfolios):
        new_peak = np.flatnonzero(falls[row] == 0.0)
        ends = np.append(new_peak[1:], rows)
        depth = np.maximum.reduceat(falls[row], new_peak)
        for place, one in enumerate(np.argsort(-depth, kind="stable")[:WINDOWS]):
            start, end = int(new_peak[one]), int(ends[one])
            tops[row, place] = start
            bottoms[row, place] = start + int(np.argmax(falls[row, start:end]))
    return tops, bottoms


def _sums_of(rows: Matrix, members: Members) -> Matrix:
    """Sum of the rows of each portfolio's members, shape (P, width), members one by one."""
    sums = np.zeros((members.shape[0], rows.shape[1]))
    for row in range(members.shape[0]):
        np.add.reduce(rows.take(members[row], axis=0), axis=0, out=sums[row])
    return sums
