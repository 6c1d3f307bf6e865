"""Inversion of losing strategies: sold instead of bought, as the legacy program's ULTA logic.

A strategy is inverted where its ratio of ROI to worst row is negative and that of its mirror image
is higher. The mirror image of a negative ROI is a positive one, so this says: where ROI is
negative (portfolio.md §2).

Here: the rule, the returns with inverted strategies, the report of what was inverted, the strategy
that an inverted name stands for.
Not here: costs of trading the other way round, which the record does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.portfolio.legacy_metrics import by_strategy, total
from mr_platform.portfolio.returns import Matrix, PortfolioError, StrategyReturns

SUFFIX: Final = "_inv"
"""What an inverted strategy's name ends with."""


@dataclass(frozen=True, eq=False)
class Inversion:
    """Returns after inversion, and what was done.

    Attributes:
        returns: First the strategies that stay, then the inverted ones, each group in its old
            order; an inverted strategy is named ``<name>_inv``.
        report: A row for each inverted strategy in the old order: ``strategy``,
            ``inverted_strategy`` and, both ``original_`` and ``inverted_``, ``roi``, ``drawdown``
            (the worst single row, with its sign: not a fall from a peak) and ``ratio`` (ROI over
            the amount of the worst row, infinite where that is 0).
        considered: Strategies that the rule was asked about.
    """

    returns: StrategyReturns
    report: pl.DataFrame
    considered: int

    def alike(self, rows: StrategyReturns) -> StrategyReturns:
        """Other rows of the same strategies, inverted and ordered as these were.

        Args:
            rows: Returns of the strategies that were given, under the names they had then.

        Raises:
            PortfolioError: A strategy is missing.
        """
        originals = dict(self.report.select("inverted_strategy", "strategy").rows())
        places = {name: place for place, name in enumerate(rows.names)}
        wanted = [originals.get(name, name) for name in self.returns.names]
        missing = [name for name in wanted if name not in places]
        if missing:
            raise PortfolioError(
                f"{len(missing)} strategies are not among these rows, first {missing[0]!r}",
                next_step="Give rows of the strategies that were inverted",
            )
        pnl = rows.pnl[:, [places[name] for name in wanted]]
        turned = [place for place, name in enumerate(self.returns.names) if name in originals]
        pnl[:, turned] = 0.0 - pnl[:, turned]
        return StrategyReturns(pnl, self.returns.names, rows.dates, rows.zones)


def inverted(returns: StrategyReturns, *, skip_first: bool = False) -> Inversion:
    """Replace each strategy that does better the other way round by its mirror image.

    Args:
        returns: At least one row.
        skip_first: Leave the first strategy as it is, as the legacy program does with files of two
            columns of metadata: it takes the first strategy for a third.

    Raises:
        PortfolioError: Returns without rows, or an inverted name that another strategy has.
    """
    series = by_strategy(returns.pnl)
    chosen, report = _decided(series, returns.names, skip_first=skip_first)
    kept = np.setdiff1d(np.arange(returns.strategies), chosen)
    new = report["inverted_strategy"].to_list()
    staying = [returns.names[place] for place in kept]
    taken = sorted(set(new) & set(staying))
    if taken:
        raise PortfolioError(
            f"{len(taken)} strategies have the name of an inverted one, first {taken[0]!r}",
            next_step="Rename them, or search without inversion",
        )
    # 0 - x, not -x: a row without profit or loss stays 0 and does not become -0
    pnl = np.concatenate([series[kept], 0.0 - series[chosen]]).T
    names = (*staying, *new)
    return Inversion(
        returns=StrategyReturns(pnl, names, returns.dates, returns.zones),
        report=report,
        considered=max(returns.strategies - skip_first, 0),
    )


def originals(names: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The strategy that each column stands for, where some may be inverted.

    A name alone does not tell: ``x_inv`` is ``x`` inverted, or a strategy of that name. It is the
    inverted one where ``x`` is a strategy of the book and has no column of its own any more.

    Args:
        names: Names of all columns of the returns, inverted or not.
        known: Names of the book's strategies.

    Returns:
        A name of the book for each column; one that neither the book nor an inversion knows is
        what is left of it.
    """
    columns = set(names)

    def itself(name: str) -> bool:
        before = name.removesuffix(SUFFIX)
        if name not in known:
            return False
        return before == name or before not in known or (before in columns and itself(before))

    return tuple(name if itself(name) else name.removesuffix(SUFFIX) for name in names)


def inversion_report(returns: StrategyReturns) -> pl.DataFrame:
    """What :func:`inverted` would do, without doing it: the report of :class:`Inversion`."""
    return _decided(by_strategy(returns.pnl), returns.names, skip_first=False)[1]


def _decided(
    series: Matrix, names: Sequence[str], *, skip_first: bool
) -> tuple[npt.NDArray[np.intp], pl.DataFrame]:
    """Places of the strategies to invert, and the report."""
    roi, worst = total(series), series.min(axis=1)
    best = series.max(axis=1)
    ratio, mirrored = _ratio(roi, worst), _ratio(-roi, -best)
    turned = (ratio < 0) & (mirrored > ratio)
    if skip_first:
        turned[:1] = False
    chosen = np.flatnonzero(turned)
    old = [names[place] for place in chosen.tolist()]
    new = [name + SUFFIX for name in old]
    report = pl.DataFrame(
        {
            "strategy": pl.Series(old, dtype=pl.String),
            "inverted_strategy": pl.Series(new, dtype=pl.String),
            "original_roi": roi[chosen],
            "inverted_roi": -roi[chosen],
            "original_drawdown": worst[chosen],
            "inverted_drawdown": -best[chosen],
            "original_ratio": ratio[chosen],
            "inverted_ratio": mirrored[chosen],
        }
    )
    return chosen, report


def _ratio(roi: Matrix, worst: Matrix) -> Matrix:
    amount = np.abs(worst)
    return np.where(amount != 0, roi / np.where(amount != 0, amount, 1.0), np.inf)
