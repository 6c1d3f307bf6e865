"""What is worked out of a whole book: figures of strategies, inversions, correlations.

Here: a stored book → rows of the declared tables.
Not here: the formulas (``portfolio``), storing (``strategy_books.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from mr_platform.gateways.array_engine import device_faults, open_arrays
from mr_platform.gateways.correlation_cache import CachedFrames, CorrelationCache
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.array_tiles import array_pair_statistics
from mr_platform.portfolio.correlation_tiles import (
    PairSettings,
    PairStatistics,
    content_key,
    pair_statistics,
)
from mr_platform.portfolio.inversion import inversion_report
from mr_platform.portfolio.kelly import CAP, kelly_fraction
from mr_platform.portfolio.returns import Days, Matrix, StrategyReturns
from mr_platform.portfolio.risk import risk_profile
from mr_platform.portfolio.series_facts import FactSettings
from mr_platform.portfolio.strategy_metrics import strategy_metrics

BLOCK_BYTES = 64 << 20
"""Bytes of rows whose figures are worked out at a time."""


def standard_figures(rows: Matrix, dates: Days, settings: FactSettings) -> dict[str, pl.Series]:
    """The standard profile of many series as columns of tables.

    Args:
        rows: Shape (P, T), finite, in the unit of the returns.
        dates: Shape (T,), ascending.
        settings: In what and against what it is measured.

    Returns:
        P values of each figure. Money is in the unit of the rows, whatever it was measured in:
        ratios have none; null where a figure is not defined.

    Raises:
        PortfolioError: No row, rows that do not stand for the dates, values that are not finite.
    """
    risk = risk_profile(settings.measured(rows), dates, settings.risk_settings())
    one = settings.measured_as_one
    return {
        "annual_return": _told(risk.annual_return * one),
        "sharpe": _told(risk.sharpe),
        "sortino": _told(risk.sortino),
        "calmar": _told(risk.calmar),
        "var_95": _told(risk.var_95 * one),
        "cvar_95": _told(risk.cvar_95 * one),
        "var_99": _told(risk.var_99 * one),
        "cvar_99": _told(risk.cvar_99 * one),
    }


def metric_rows(
    book: StoredBook,
    kelly_cap: float = CAP,
    *,
    capital: float | None = None,
    risk_free: float = 0.0,
) -> pl.DataFrame:
    """Rows of ``strategy_metrics``: the legacy report and the standard profile of each strategy.

    Args:
        book: The book.
        kelly_cap: Largest Kelly fraction.
        capital: Rupees there are; None divides by none.
        risk_free: Fraction a year, taken from what is a fraction of a capital.
    """
    asked = FactSettings.of_book(book.pnl_unit, kelly_cap, capital=capital, risk_free=risk_free)
    return pl.concat([_metric_rows(block, asked) for block in _blocks(book)])


def _metric_rows(book: StoredBook, asked: FactSettings) -> pl.DataFrame:
    series = legacy_metrics.by_strategy(book.returns.pnl)
    legacy = strategy_metrics(book.returns)
    deepest = legacy_metrics.drawdown(series)
    return legacy.select(
        strategy_id=book.strategies["strategy_id"],
        name="strategy",
        roi="roi",
        max_drawdown="max_drawdown",
        ratio=pl.Series(legacy_metrics.ratio(legacy["roi"].to_numpy(), deepest)),
        win_rate="win_rate",
        profit_factor=_finite("profit_factor"),
        expectancy="expectancy",
        legacy_annual_return="annual_return",
        legacy_sharpe=_finite("sharpe"),
        legacy_sortino=_finite("sortino"),
        **standard_figures(series, book.returns.dates, asked),
        kelly_fraction=_told(kelly_fraction(series, cap=asked.kelly_cap)),
        constant=pl.Series(series.min(axis=1) == series.max(axis=1)),
    )


def inversion_rows(book: StoredBook) -> pl.DataFrame:
    """Rows of ``inversions``: strategies that do better the other way round."""
    report = pl.concat([inversion_report(block.returns) for block in _blocks(book)])
    ids = book.strategies.select("strategy_id", strategy="name")
    return report.join(ids, on="strategy", how="left", maintain_order="left").with_columns(
        _finite(name) for name in ("original_ratio", "inverted_ratio")
    )


def _blocks(book: StoredBook) -> Iterator[StoredBook]:
    """The book a block of strategies at a time, in order: figures take several copies of rows."""
    returns = book.returns
    at_once = max(1, BLOCK_BYTES // (8 * returns.rows))
    for start in range(0, returns.strategies, at_once):
        part = slice(start, start + at_once)
        yield replace(
            book,
            returns=StrategyReturns(
                returns.pnl[:, part], returns.names[part], returns.dates, returns.zones
            ),
            strategies=book.strategies[part],
        )


def correlations(
    book: StoredBook, settings: PairSettings, cache: CorrelationCache, engine: str = "cpu"
) -> CachedFrames:
    """Statistics of all pairs of a book, from the cache where these returns were seen before.

    Args:
        book: The book.
        settings: What is asked.
        cache: Where results are kept.
        engine: ``cpu`` or ``gpu``: where products are taken.

    Returns:
        Frames ``summary``, ``pairs`` and ``neighbours``; strategies by their place in the matrix.
    """
    key = content_key(book.returns.pnl, book.returns.names, settings)

    def make() -> dict[str, pl.DataFrame]:
        if engine == "cpu":
            found = pair_statistics(book.returns.pnl, settings)
        else:
            arrays = open_arrays(engine)
            with device_faults(arrays):
                found = array_pair_statistics(book.returns.pnl, arrays, settings)
        return {
            "summary": _summary(found, settings),
            "pairs": found.pair_frame(),
            "neighbours": found.neighbour_frame(),
        }

    return cache.frames(key, make)


def correlation_rows(
    book: StoredBook, found: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Rows of the three tables of correlations.

    Args:
        book: The book.
        found: What :func:`correlations` gave.

    Returns:
        Rows by table name, strategies by their number.
    """
    ids = book.strategies["strategy_id"]

    def numbered(frame: pl.DataFrame, **columns: str) -> pl.DataFrame:
        return frame.with_columns(
            ids.gather(frame[place]).alias(name) for name, place in columns.items()
        )

    return {
        "correlation_summary": found["summary"],
        "correlated_pairs": numbered(found["pairs"], first_id="first", second_id="second"),
        "strategy_neighbours": numbered(
            found["neighbours"], strategy_id="strategy", neighbour_id="neighbour"
        ),
    }


def _summary(found: PairStatistics, settings: PairSettings) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "strategies": [found.strategies],
            "pairs": [found.pairs],
            "mean": [found.mean],
            "mean_abs": [found.mean_abs],
            "lowest": [found.lowest],
            "highest": [found.highest],
            "threshold": [settings.threshold],
            "above": [found.above],
            "constant": [len(found.constant)],
            "duplicate_groups": [len(found.duplicates)],
            "duplicates": [sum(len(group) - 1 for group in found.duplicates)],
            "histogram": [json.dumps(found.histogram.tolist())],
        }
    ).with_columns(_finite(name) for name in ("mean", "mean_abs", "lowest", "highest"))


def _finite(name: str) -> pl.Expr:
    """A column whose infinities and NaN are null: they stand for a figure that is not defined."""
    return pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name)


def _told(values: Matrix) -> pl.Series:
    return pl.Series(np.asarray(values, dtype=np.float64), nan_to_null=True)
