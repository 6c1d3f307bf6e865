"""Frames of figures against the recorded strategies and portfolios, and by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_metrics import (
    PORTFOLIO_FILE_LINES,
    STRATEGY_FILE_COLUMNS,
    portfolio_metrics,
    strategy_metrics,
)
from mr_platform_tests.portfolio import recorded

FIGURES = [
    "roi",
    "max_drawdown",
    "win_rate",
    "profit_factor",
    "expectancy",
    "annual_return",
    "sharpe",
    "sortino",
]


def returns(*columns: list[float]) -> StrategyReturns:
    pnl = np.array(columns).T
    first = np.datetime64("2024-01-01")
    return StrategyReturns(pnl, tuple("abcdefgh"[: len(columns)]), first + np.arange(pnl.shape[0]))


@pytest.mark.real_data
def test_recorded_strategies_have_the_recorded_figures(real_data) -> None:
    folder = real_data / "strategies"
    ours = strategy_metrics(recorded.real_returns(folder))
    both = ours.join(recorded.recorded_metrics(folder), on="strategy", maintain_order="left")
    # the first strategy has no recorded figures: the legacy program took it for metadata
    assert both.height == ours.height - 1 == 2_944
    errors = {
        theirs: recorded.worst_error(both[name].to_numpy(), both[theirs].to_numpy())
        for name, theirs in STRATEGY_FILE_COLUMNS.items()
    }
    for name in ("ROI", "Max Drawdown", "Win Percentage"):
        assert errors[name] == 0, recorded.told(errors)
    assert max(errors.values()) < 2e-12, recorded.told(errors)


@pytest.mark.real_data
def test_recorded_portfolios_have_the_recorded_totals(real_data) -> None:
    folder = real_data / "strategies"
    pnl = recorded.returns_of_recorded_totals(folder)
    rows = np.datetime64("2024-01-01") + np.arange(len(pnl))
    over = StrategyReturns(pnl, tuple(map(str, range(pnl.shape[1]))), rows)
    errors = dict.fromkeys(("roi", "annual_return", "expectancy"), 0.0)
    portfolios = recorded.recorded_portfolios(folder)
    assert [portfolio["size"] for portfolio in portfolios] == list(range(35, 61))
    for portfolio in portfolios:
        assert len(portfolio["col_index"]) == portfolio["size"]
        frame = portfolio_metrics(over, np.array([portfolio["col_index"]]))
        for name, worst in errors.items():
            wanted = np.array([portfolio[PORTFOLIO_FILE_LINES[name]]])
            errors[name] = max(worst, recorded.worst_error(frame[name].to_numpy(), wanted))
    assert max(errors.values()) < 1e-14, recorded.told(errors)


def test_a_row_for_every_strategy_in_their_order() -> None:
    frame = strategy_metrics(returns([1.0, 3.0, -2.0], [2.0, 2.0, 2.0]))
    assert frame.columns == ["strategy", *FIGURES]
    assert frame["strategy"].to_list() == ["a", "b"]
    assert frame["roi"].to_list() == [2.0, 6.0]
    assert frame["max_drawdown"].to_list() == [2.0, 0.0]
    assert frame["profit_factor"].to_list() == [2.0, math.inf]


def test_a_figure_that_is_not_defined_is_null() -> None:
    frame = strategy_metrics(returns([1.0, -1.0]))
    assert frame["sortino"].to_list() == [None]
    assert frame.select(pl.exclude("sortino")).null_count().sum_horizontal().item() == 0


def test_a_row_for_every_portfolio() -> None:
    frame = portfolio_metrics(
        returns([1.0, 3.0, -2.0], [2.0, 2.0, 2.0], [0.0, -2.0, 3.0]), np.array([[2, 0], [0, 1]])
    )
    assert frame.columns == ["portfolio", "size", *FIGURES]
    assert frame["portfolio"].to_list() == [0, 1]
    assert frame["size"].to_list() == [2, 2]
    # rows 0.5, 0.5, 0.5 and 1.5, 2.5, 0
    assert frame["roi"].to_list() == [1.5, 4.0]
    assert frame["win_rate"].to_list() == [1.0, 2 / 3]
    assert frame["annual_return"].to_list() == [126.0, 336.0]


def test_a_portfolio_of_one_has_the_figures_of_its_strategy() -> None:
    over = returns([1.1, 3.3, -2.2, 0.4], [-0.1, -0.2, 0.7, 0.0])
    portfolios = portfolio_metrics(over, np.array([[0], [1]]))
    assert portfolios.select(FIGURES).equals(strategy_metrics(over).select(FIGURES))


def test_no_portfolio_is_an_empty_frame() -> None:
    frame = portfolio_metrics(returns([1.0]), np.empty((0, 1), dtype=np.int64))
    assert (frame.height, frame.schema["size"], frame.schema["roi"]) == (0, pl.Int64, pl.Float64)


def test_members_that_are_no_portfolio() -> None:
    with pytest.raises(PortfolioError):
        portfolio_metrics(returns([1.0], [2.0]), np.array([[0, 0]]))


def test_returns_without_rows() -> None:
    empty = StrategyReturns(np.empty((0, 1)), ("a",), np.empty(0, dtype="datetime64[D]"))
    with pytest.raises(PortfolioError, match="rows"):
        strategy_metrics(empty)
