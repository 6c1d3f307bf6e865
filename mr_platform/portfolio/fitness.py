"""Fitness of portfolios as the legacy optimiser took it: a measure less a price on correlation.

``fitness = base - 10 * mean correlation``, the price halved where drawdown is below a threshold,
less a price on counts of source files in balanced mode (portfolio.md §2). A negative mean
correlation is rewarded.

Here: settings of the legacy fitness, evaluation of batches of portfolios, of rows after swaps.
Not here: the measures themselves (``legacy_metrics``), correlation (``correlation``), search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.correlation import (
    Members,
    mean_correlation,
    sorted_members,
    standardised,
    varying,
)
from mr_platform.portfolio.returns import Matrix, PortfolioError

METRICS: Final = (
    "ratio",
    "roi",
    "less max dd",
    "win percentage",
    "profit factor",
    "expectancy",
)
"""Measures a portfolio can be judged by, under the names of the record."""

CORRELATION_WEIGHT: Final = 10.0
"""Price of a mean correlation of 1, in the unit of the metric whatever that is."""

_FORGIVEN_METRICS = frozenset({"ratio", "less max dd"})
FORGIVEN_SHARE: Final = 0.5
"""What is left of the price where drawdown is below the threshold."""
_DRAWDOWN_BYTES = 1 << 20


@dataclass(frozen=True)
class Balance:
    """Balanced mode: how many members each source file should give.

    Attributes:
        desired: Members wanted of each named file; files that are not named are free.
        penalty_factor: Price of one member too many or too few, not negative.

    Raises:
        PortfolioError: A count or the price is negative or not a number, or no file is named.
    """

    desired: Mapping[str, int]
    penalty_factor: float = 1.0

    def __post_init__(self) -> None:
        """Check the counts and keep a copy that nobody can write."""
        if not self.desired:
            raise PortfolioError("balanced mode names no source file")
        wrong = [name for name, count in self.desired.items() if count < 0]
        if wrong:
            raise PortfolioError(f"a desired count is negative: {', '.join(wrong)}")
        _refuse_negative("penalty_factor", self.penalty_factor)
        object.__setattr__(self, "desired", MappingProxyType(dict(self.desired)))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What P portfolios are worth, each of shape (P,), in the unit of the returns unless said.

    Attributes:
        roi: Sum of the portfolio's rows.
        drawdown: Largest fall, peak from the first row on.
        base: The metric, in its own unit.
        correlation: Mean over all pairs of members; None where the price on it is 0.
        penalty: Price on correlation, in the metric's unit; negative where it is a reward.
        imbalance: Price on counts of source files; None outside balanced mode.
        fitness: ``base - penalty - imbalance``; higher is better.
    """

    roi: Matrix
    drawdown: Matrix
    base: Matrix
    correlation: Matrix | None
    penalty: Matrix
    imbalance: Matrix | None
    fitness: Matrix


@dataclass(frozen=True)
class LegacyFitness:
    """Settings of the legacy fitness; the defaults are those of the recorded run.

    Attributes:
        metric: One of :data:`METRICS`.
        drawdown_threshold: Below this drawdown the price on correlation is halved, for the metrics
            ``ratio`` and ``less max dd``; 0 halves it never. In the unit of the returns.
        correlation_weight: Price of a mean correlation of 1; 0 switches it off.
        balance: Balanced mode; None is off.

    Raises:
        PortfolioError: A metric that is not known, a setting that is negative or not a number.
    """

    metric: str = "ratio"
    drawdown_threshold: float = 0.0
    correlation_weight: float = CORRELATION_WEIGHT
    balance: Balance | None = None

    def __post_init__(self) -> None:
        """Check the settings; the legacy program took ROI for a metric it did not know."""
        if self.metric not in METRICS:
            raise PortfolioError(
                f"metric {self.metric!r} is not known",
                next_step=f"Choose one of {', '.join(METRICS)}",
                misused=True,
            )
        _refuse_negative("drawdown_threshold", self.drawdown_threshold)
        _refuse_negative("correlation_weight", self.correlation_weight)

    def over(self, pnl: Matrix, sources: Sequence[str] | None = None) -> PortfolioEvaluator:
        """Make ready to evaluate portfolios of these strategies, as often as wanted.

        Args:
            pnl: Shape (T, n), finite, T at least 1.
            sources: The file each of the n strategies came from; needed in balanced mode only.

        Raises:
            PortfolioError: Returns without rows or not finite, sources that are missing, do not
                stand for the strategies, or lack a file that balanced mode names.
        """
        return PortfolioEvaluator(self, pnl, sources)

    def evaluate(
        self, pnl: Matrix, members: Members, sources: Sequence[str] | None = None
    ) -> Evaluation:
        """Evaluate one batch; :meth:`over` saves the preparation where many follow.

        Args:
            pnl: Shape (T, n), finite, T at least 1.
            members: Shape (P, k), distinct strategies in each row.
            sources: As for :meth:`over`.

        Raises:
            PortfolioError: As :meth:`over` and :meth:`PortfolioEvaluator.evaluate`.
        """
        return self.over(pnl, sources).evaluate(members)


class PortfolioEvaluator:
    """Evaluates batches of portfolios over one matrix of returns; nothing in it changes.

    Attributes:
        settings: The fitness.
        strategies: Shape (n, T), the returns with one strategy after the other, read-only.
        z: Shape (T, n), standardised returns; None where correlation has no price.
        source_numbers: Shape (n,), the place of each strategy's file among those that balanced
            mode names, -1 for other files; None outside balanced mode.
    """

    def __init__(
        self, settings: LegacyFitness, pnl: Matrix, sources: Sequence[str] | None = None
    ) -> None:
        self.settings = settings
        self.strategies: Matrix = legacy_metrics.by_strategy(pnl).view()
        self.strategies.flags.writeable = False
        self.z: Matrix | None = standardised(pnl) if settings.correlation_weight else None
        self._varies = None if self.z is None else varying(self.z)
        self.source_numbers = _source_numbers(settings.balance, sources, self.strategies.shape[0])

    def evaluate(self, members: Members) -> Evaluation:
        """Fitness of each portfolio and the parts it is made of.

        A portfolio has the same bits alone, in a batch and in any order of its members.

        Args:
            members: Shape (P, k), distinct strategies in each row; P may be 0.

        Raises:
            PortfolioError: Members that are not strategies or stand twice in a portfolio.
        """
        ordered = sorted_members(members, self.strategies.shape[0])
        portfolios = ordered.shape[0]
        roi, deepest, base = np.empty(portfolios), np.empty(portfolios), np.empty(portfolios)
        for part in legacy_metrics.parts(portfolios, self.strategies.shape[1] * 8, _DRAWDOWN_BYTES):
            series = legacy_metrics.portfolio_series(self.strategies, ordered[part])
            roi[part], deepest[part], base[part] = self._measured(series)
        correlation = None if self.z is None else mean_correlation(self.z, ordered, self._varies)
        return self._judged(roi, deepest, base, correlation, self._imbalance(ordered))

    def evaluate_on_host(self, members: Members) -> Evaluation:
        """As :meth:`evaluate` by the processor, with its bits: for figures that are kept.

        Args:
            members: Shape (P, k), distinct strategies in each row; P may be 0.

        Raises:
            PortfolioError: As :meth:`evaluate`.
        """
        return PortfolioEvaluator.evaluate(self, members)

    def evaluate_series(
        self,
        series: Matrix,
        correlation: Matrix | None = None,
        imbalance: Matrix | None = None,
    ) -> Evaluation:
        """The same from rows of portfolios that the caller keeps, as a search does over swaps.

        The mean with one member replaced is rounded otherwise than the mean taken anew: the
        figures agree to about 1e-13, so those that are kept should come from :meth:`evaluate`.

        Args:
            series: Shape (P, T), mean over the members of each portfolio.
            correlation: Shape (P,), mean over pairs; needed where it has a price.
            imbalance: Shape (P,), from :meth:`imbalance`; needed in balanced mode.

        Raises:
            PortfolioError: Rows of another number than the returns have, or a needed part that is
                missing or of another number than the portfolios.
        """
        if series.ndim != 2 or series.shape[1] != self.strategies.shape[1]:
            raise PortfolioError(
                f"series of shape {series.shape} are not portfolios x "
                f"{self.strategies.shape[1]} rows"
            )
        needed = {
            "correlation": (correlation, self.z is not None),
            "imbalance": (imbalance, self.settings.balance is not None),
        }
        for name, (part, wanted) in needed.items():
            if wanted != (part is not None):
                fault = "missing" if wanted else "given, but has no price"
                raise PortfolioError(f"{name} is {fault}")
            if part is not None and part.shape != series.shape[:1]:
                raise PortfolioError(f"{name} does not stand for {series.shape[0]} portfolios")
        roi, deepest, base = self._measured(np.ascontiguousarray(series))
        return self._judged(roi, deepest, base, correlation, imbalance)

    def imbalance(self, members: Members) -> Matrix:
        """Price on counts of source files, shape (P,): factor * sum of |count - desired|.

        Args:
            members: Shape (P, k), distinct strategies in each row.

        Raises:
            PortfolioError: Balanced mode is off, members as :meth:`evaluate`.
        """
        penalty = self._imbalance(sorted_members(members, self.strategies.shape[0]))
        if penalty is None:
            raise PortfolioError("balanced mode is off: there is no imbalance")
        return penalty

    def _imbalance(self, ordered: Members) -> Matrix | None:
        balance = self.settings.balance
        if balance is None or self.source_numbers is None:
            return None
        source = self.source_numbers[ordered]
        penalty = np.zeros(ordered.shape[0])
        for number, desired in enumerate(balance.desired.values()):
            counts = np.count_nonzero(source == number, axis=1)
            penalty += np.abs(counts - desired) * balance.penalty_factor
        return penalty

    def _measured(self, series: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        roi = legacy_metrics.total(series)
        deepest = legacy_metrics.drawdown(series)
        return roi, deepest, _base(self.settings.metric, series, roi, deepest)

    def _judged(
        self,
        roi: Matrix,
        deepest: Matrix,
        base: Matrix,
        correlation: Matrix | None,
        imbalance: Matrix | None,
    ) -> Evaluation:
        if correlation is None:
            penalty = np.zeros(base.shape)
        else:
            penalty = self.settings.correlation_weight * correlation
            if self.settings.metric in _FORGIVEN_METRICS:
                penalty[deepest < self.settings.drawdown_threshold] *= FORGIVEN_SHARE
        fitness = base - penalty
        if imbalance is not None:
            fitness -= imbalance
        return Evaluation(roi, deepest, base, correlation, penalty, imbalance, fitness)


def _base(metric: str, series: Matrix, roi: Matrix, deepest: Matrix) -> Matrix:
    match metric:
        case "ratio":
            return legacy_metrics.ratio(roi, deepest)
        case "roi":
            return roi.copy()
        case "less max dd":
            return -deepest
        case "win percentage":
            return legacy_metrics.win_rate(series)
        case "profit factor":
            return legacy_metrics.bounded_profit_factor(*legacy_metrics.gains_and_losses(series))
        case _:
            return legacy_metrics.expectancy(series)


def _source_numbers(
    balance: Balance | None, sources: Sequence[str] | None, strategies: int
) -> Members | None:
    """The place of each strategy's file among those that balanced mode names, else -1."""
    if balance is None:
        return None
    if sources is None or len(sources) != strategies:
        given = "none" if sources is None else str(len(sources))
        raise PortfolioError(
            f"balanced mode needs the source file of {strategies} strategies; {given} given"
        )
    lacking = sorted(set(balance.desired) - set(sources))
    if lacking:
        raise PortfolioError(
            f"balanced mode names files that no strategy came from: {', '.join(lacking)}",
            next_step=f"Name some of {', '.join(sorted(set(sources)))}",
        )
    places = {name: place for place, name in enumerate(balance.desired)}
    return np.array([places.get(source, -1) for source in sources], dtype=np.int64)


def _refuse_negative(name: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise PortfolioError(f"{name} is {value}; it must be a number from 0 up")
