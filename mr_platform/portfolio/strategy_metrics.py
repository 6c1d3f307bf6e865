"""Reported figures of strategies and of portfolios, as frames: the legacy program's reports.

Here: one row of figures for each strategy or portfolio, the columns' names in legacy files.
Not here: the formulas (``legacy_metrics``), fitness (``fitness``), writing files.
"""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import Final

import polars as pl

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.correlation import Members, sorted_members
from mr_platform.portfolio.returns import StrategyReturns

STRATEGY_FILE_COLUMNS: Final = MappingProxyType(
    {
        "roi": "ROI",
        "max_drawdown": "Max Drawdown",
        "win_rate": "Win Percentage",
        "profit_factor": "Profit Factor",
        "expectancy": "Expectancy",
    }
)
"""Our columns under their names in the legacy ``strategy_metrics.csv``."""

PORTFOLIO_FILE_LINES: Final = MappingProxyType(
    {
        "roi": "total_roi",
        "max_drawdown": "max_drawdown",
        "win_rate": "win_percentage",
        "profit_factor": "profit_factor",
        "expectancy": "expectancy",
        "sharpe": "sharpe_ratio",
        "sortino": "sortino_ratio",
        "annual_return": "annualized_return",
    }
)
"""Our columns under their names in the legacy ``best_portfolio_size<k>`` files."""


def strategy_metrics(returns: StrategyReturns) -> pl.DataFrame:
    """Figures of every strategy (portfolio.md §2, reporting).

    Args:
        returns: At least one row.

    Returns:
        ``strategy`` and one column for each field of ``legacy_metrics.SeriesFigures``, a row a
        strategy in the order of the returns. Rates are shares, not per cent; ``profit_factor`` is
        infinite without losses, ``sortino`` with equal ones, null where the return is 0 as well.

    Raises:
        PortfolioError: Returns without rows.
    """
    series = legacy_metrics.by_strategy(returns.pnl)
    return pl.DataFrame(
        {"strategy": pl.Series(returns.names, dtype=pl.String)}
        | asdict(legacy_metrics.figures(series))
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def portfolio_metrics(returns: StrategyReturns, members: Members) -> pl.DataFrame:
    """Figures of portfolios of equal weight (portfolio.md §2, reporting).

    Args:
        returns: At least one row.
        members: Shape (P, k), distinct strategies in each row.

    Returns:
        ``portfolio`` (row of ``members``), ``size`` and the figures of :func:`strategy_metrics`.

    Raises:
        PortfolioError: Returns without rows, members that are not strategies or stand twice.
    """
    ordered = sorted_members(members, returns.strategies)
    series = legacy_metrics.portfolio_series(legacy_metrics.by_strategy(returns.pnl), ordered)
    portfolios, size = ordered.shape
    return pl.DataFrame(
        {
            "portfolio": pl.int_range(portfolios, dtype=pl.Int64, eager=True),
            "size": pl.repeat(size, portfolios, dtype=pl.Int64, eager=True),
        }
        | asdict(legacy_metrics.figures(series))
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
