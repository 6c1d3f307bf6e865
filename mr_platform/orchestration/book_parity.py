"""A book beside the recorded legacy figures.

Here: the folder of recorded figures and a book's returns → each figure compared.
Not here: what is compared (``portfolio/recorded_figures``), errors (``parity``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.recorded_portfolios import (
    RecordedPortfolios,
    read_recorded,
    recorded_days,
)
from mr_platform.parity.portfolio_figures import account, compared
from mr_platform.portfolio.recorded_figures import figure_pairs
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.registry.recorded_figures import load_recorded_figures


def compare_book(returns: StrategyReturns, folder: Path) -> pl.DataFrame:
    """Every recorded figure with ours, the error, or the reason why there is none.

    Figures of strategies that the book does not hold are not compared.

    Args:
        returns: The book.
        folder: Folder of recorded figures.

    Raises:
        InputFileError: The folder lacks files, or one is damaged; the book holds no strategy of
            the record, or not all of its days.
    """
    declared = load_recorded_figures()
    record = read_recorded(folder, declared)
    held = _of_record(returns, record, folder)
    if held is None:
        raise InputFileError(
            "the book holds no strategy of the record, or not all of its days",
            next_step="Load the files that the record was made from",
        )
    return compared(figure_pairs(held, record, declared), declared.tolerance)


def holds_recorded(returns: StrategyReturns, folder: Path) -> bool:
    """Whether a book holds any strategy of the record on all of its days.

    Raises:
        InputFileError: The folder lacks files, or one is damaged.
    """
    record = read_recorded(folder, load_recorded_figures())
    return _of_record(returns, record, folder) is not None


def _of_record(
    returns: StrategyReturns, record: RecordedPortfolios, folder: Path
) -> StrategyReturns | None:
    """The book on the days of the record: months that were added since are not compared."""
    known = {*record.strategy_metrics["strategy"], *record.golden_strategies}
    if returns.zones is not None or known.isdisjoint(returns.names):
        return None
    days = recorded_days(folder, load_recorded_figures())
    rows = np.flatnonzero(np.isin(returns.dates, days))
    if rows.size != days.size:
        return None
    if rows.size == returns.rows:
        return returns
    return StrategyReturns(returns.pnl[rows], returns.names, returns.dates[rows])


def parity_account(comparison: pl.DataFrame) -> pl.DataFrame:
    """A row for each group and measure: how many were compared and agree, the worst error."""
    return account(comparison).select(
        "figure", "measure", "compared", "within", "worst", "not_reproducible", "reason"
    )
