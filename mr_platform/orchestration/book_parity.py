"""A book beside the recorded legacy figures.

Here: the folder of recorded figures and a book's returns → each figure compared.
Not here: what is compared (``portfolio/recorded_figures``), errors (``parity``).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.recorded_portfolios import RecordedPortfolios, read_recorded
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
            the record.
    """
    declared = load_recorded_figures()
    record = read_recorded(folder, declared)
    if not _holds(returns, record):
        raise InputFileError(
            "the book holds no strategy of the record",
            next_step="Load the files that the record was made from",
        )
    return compared(figure_pairs(returns, record, declared), declared.tolerance)


def holds_recorded(returns: StrategyReturns, folder: Path) -> bool:
    """Whether a book holds any strategy of the record.

    Raises:
        InputFileError: The folder lacks files, or one is damaged.
    """
    return _holds(returns, read_recorded(folder, load_recorded_figures()))


def _holds(returns: StrategyReturns, record: RecordedPortfolios) -> bool:
    known = {*record.strategy_metrics["strategy"], *record.golden_strategies}
    return not known.isdisjoint(returns.names)


def parity_account(comparison: pl.DataFrame) -> pl.DataFrame:
    """A row for each group and measure: how many were compared and agree, the worst error."""
    return account(comparison).select(
        "figure", "measure", "compared", "within", "worst", "not_reproducible", "reason"
    )
