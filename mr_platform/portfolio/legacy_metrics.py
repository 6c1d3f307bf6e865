"""Figures of series of profit and loss, each by the formula of the legacy optimiser.

A series is one row of a matrix (S, T): a strategy, or a portfolio as the mean of its members. All
sums of a series are taken over that row alone, so it has the same bits alone and among others.

Here: rows of portfolios, total, drawdown, ratio, win rate, profit factors, expectancy, legacy
Sharpe and Sortino (portfolio.md §2).
Not here: fitness and its penalties (``fitness``), frames of figures (``strategy_metrics``),
measures beyond the record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import Matrix, PortfolioError

NO_DRAWDOWN = 1e-6
"""A drawdown or a sum of losses up to this counts as none, in the unit of the returns."""
GAIN_WITHOUT_DRAWDOWN = 100.0
LOSS_WITHOUT_DRAWDOWN = 10.0
LEGACY_PERIODS = 252
"""Rows a year in every annual figure of the record, whatever the dates say."""

GATHERED_BYTES = 2 << 20
"""Bytes of members gathered at a time: small enough for the cache of a processor."""
SERIES_BYTES = 4 << 20
"""Bytes of series whose figures are taken at a time."""


def by_strategy(pnl: Matrix) -> Matrix:
    """The same values with the rows of one strategy side by side, shape (n, T), C-contiguous.

    Args:
        pnl: Shape (T, n), finite; not copied where it lies in Fortran order.

    Raises:
        PortfolioError: Not two dimensions, no row, values that are not finite.
    """
    if pnl.ndim != 2 or not pnl.shape[0]:
        raise PortfolioError(f"returns of shape {pnl.shape} have no rows x strategies")
    series = np.ascontiguousarray(pnl.T, dtype=np.float64)
    if not np.isfinite(series).all():
        raise PortfolioError("returns hold values that are not finite")
    return series


def parts(count: int, bytes_each: int, most_bytes: int) -> list[slice]:
    """Slices of ``count`` things, each of at most ``most_bytes``, or of one thing."""
    step = max(1, most_bytes // max(1, bytes_each))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def portfolio_series(strategies: Matrix, ordered: Members) -> Matrix:
    """Rows of portfolios of equal weight: the mean over the members (portfolio.md §2).

    Args:
        strategies: Shape (n, T), from :func:`by_strategy`.
        ordered: Shape (P, k), from ``correlation.sorted_members``: ascending, so that members are
            added in one order however they were listed.

    Returns:
        Shape (P, T), in the unit of the returns.
    """
    portfolios, size = ordered.shape
    rows = strategies.shape[1]
    series = np.empty((portfolios, rows))
    pieces = parts(portfolios, size * rows * 8, GATHERED_BYTES)
    gathered = np.empty((pieces[0].stop if pieces else 0, size, rows))
    for part in pieces:
        members = gathered[: part.stop - part.start]
        # the members are checked, so nothing is clipped: the other modes copy once more
        np.take(strategies, ordered[part], axis=0, out=members, mode="clip")
        np.add.reduce(members, axis=1, out=series[part])
    series /= size
    return series


def total(series: Matrix) -> Matrix:
    """ROI of the record: the sum of each series, shape (S,), in the unit of the returns."""
    sums: Matrix = np.add.reduce(np.ascontiguousarray(series), axis=1)
    return sums


def drawdown(series: Matrix) -> Matrix:
    """Largest fall of the running sum below its peak, shape (S,), not negative.

    The peak starts at the first value of the running sum, not at 0: a loss in the first row is no
    drawdown.
    """
    equity = np.cumsum(series, axis=1)
    fall = np.maximum.accumulate(equity, axis=1)
    fall -= equity
    deepest: Matrix = fall.max(axis=1)
    return deepest


def ratio(roi: Matrix, deepest: Matrix) -> Matrix:
    """ROI over drawdown; without drawdown 100 times a gain, 10 times a loss, 0 for nothing.

    Args:
        roi: Shape (S,), from :func:`total`.
        deepest: Shape (S,), from :func:`drawdown`.
    """
    fell = deepest > NO_DRAWDOWN
    steady = np.where(roi > 0, GAIN_WITHOUT_DRAWDOWN, LOSS_WITHOUT_DRAWDOWN) * roi
    return np.where(fell, roi / np.where(fell, deepest, 1.0), steady)


def win_rate(series: Matrix) -> Matrix:
    """Share of rows above 0, shape (S,), from 0 to 1 (the record calls it a percentage)."""
    rate: Matrix = np.count_nonzero(series > 0, axis=1) / series.shape[1]
    return rate


def gains_and_losses(series: Matrix) -> tuple[Matrix, Matrix]:
    """Sum of the rows above 0 and sum of the amounts below 0, each shape (S,), not negative."""
    return total(np.maximum(series, 0.0)), total(np.maximum(-series, 0.0))


def bounded_profit_factor(gains: Matrix, losses: Matrix) -> Matrix:
    """Profit factor as fitness takes it: without losses 1 where there are gains, else 0."""
    lost = losses > NO_DRAWDOWN
    return np.where(lost, gains / np.where(lost, losses, 1.0), np.where(gains > 0, 1.0, 0.0))


def profit_factor(gains: Matrix, losses: Matrix) -> Matrix:
    """Profit factor as reports tell it: infinite without losses, even without gains."""
    lost = losses != 0
    return np.where(lost, gains / np.where(lost, losses, 1.0), np.inf)


def expectancy(series: Matrix) -> Matrix:
    """``w * mean win - (1 - w) * mean loss``, shape (S,), w the win rate.

    Rows of exactly 0 count as no win, yet not into the mean loss: only without them is this the
    mean of the series.
    """
    gains, losses = gains_and_losses(series)
    won = np.count_nonzero(series > 0, axis=1)
    lost = np.count_nonzero(series < 0, axis=1)
    wins = won / series.shape[1]
    result: Matrix = wins * (gains / np.maximum(won, 1)) - (1 - wins) * (
        losses / np.maximum(lost, 1)
    )
    return result


def annual_return(roi: Matrix, rows: int) -> Matrix:
    """``roi * 252 / rows``: the record's annual return, which takes every row for a day."""
    return roi * (LEGACY_PERIODS / rows)


def legacy_sharpe(series: Matrix) -> Matrix:
    """Annual return over population deviation times sqrt(252); 0 for a constant series.

    Constant means that all values are the same number; the legacy program can take the rounding of
    a mean for a deviation there and divide by it.
    """
    spread = np.where(series.min(axis=1) == series.max(axis=1), 0.0, np.std(series, axis=1))
    yearly = spread * math.sqrt(LEGACY_PERIODS)
    annual = annual_return(total(series), series.shape[1])
    return np.where(yearly > 0, annual / np.where(yearly > 0, yearly, 1.0), 0.0)


def legacy_sortino(series: Matrix) -> Matrix:
    """Annual return over the population deviation of the losing rows alone times sqrt(252).

    0 without a losing row. Where all losing rows are the same number, as with a single one, the
    deviation is 0 and the figure infinite with the sign of the return, NaN for a return of 0: so
    the legacy program writes it.
    """
    losing = series < 0
    count = np.count_nonzero(losing, axis=1)
    divisor = np.maximum(count, 1)
    mean = total(np.where(losing, series, 0.0)) / divisor
    off = np.where(losing, series - mean[:, np.newaxis], 0.0)
    spread = np.sqrt(total(off * off) / divisor)
    smallest = np.where(losing, series, -np.inf).max(axis=1)
    yearly = np.where(series.min(axis=1) == smallest, 0.0, spread) * math.sqrt(LEGACY_PERIODS)
    annual = annual_return(total(series), series.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, annual / yearly, 0.0)


@dataclass(frozen=True, eq=False)
class SeriesFigures:
    """The reported figures of S series, each of shape (S,) (portfolio.md §2, reporting).

    Attributes:
        roi: Sum, in the unit of the returns.
        max_drawdown: From the first value of the running sum on, not negative.
        win_rate: Share of rows above 0.
        profit_factor: Infinite without losses.
        expectancy: In the unit of the returns, a row.
        annual_return: ``roi * 252 / T``.
        sharpe: Legacy form, 0 for a constant series.
        sortino: Legacy form, 0 without losses, infinite or NaN where all losses are equal.
    """

    roi: Matrix
    max_drawdown: Matrix
    win_rate: Matrix
    profit_factor: Matrix
    expectancy: Matrix
    annual_return: Matrix
    sharpe: Matrix
    sortino: Matrix


def figures(series: Matrix) -> SeriesFigures:
    """All reported figures of each series, worked out in pieces of bounded size.

    Args:
        series: Shape (S, T), finite, T at least 1.

    Raises:
        PortfolioError: Not two dimensions, or no row in the series.
    """
    if series.ndim != 2 or not series.shape[1]:
        raise PortfolioError(f"series of shape {series.shape} hold no rows")
    count, rows = series.shape
    result = SeriesFigures(*(np.empty(count) for _ in fields(SeriesFigures)))
    for part in parts(count, rows * 8, SERIES_BYTES):
        piece = np.ascontiguousarray(series[part])
        result.roi[part] = total(piece)
        result.max_drawdown[part] = drawdown(piece)
        result.win_rate[part] = win_rate(piece)
        result.profit_factor[part] = profit_factor(*gains_and_losses(piece))
        result.expectancy[part] = expectancy(piece)
        result.annual_return[part] = annual_return(result.roi[part], rows)
        result.sharpe[part] = legacy_sharpe(piece)
        result.sortino[part] = legacy_sortino(piece)
    return result
