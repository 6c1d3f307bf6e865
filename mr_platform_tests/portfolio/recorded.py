"""Recorded and golden figures of the legacy program, read for tests (data/strategies/README.md)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from mr_platform.portfolio.returns import StrategyReturns

METADATA = ("Date", "Day")
PRODUCTION_STRATEGIES = 25_544
PRODUCTION_ROWS = 82


@cache
def golden(folder: Path) -> dict:
    """Figures that the legacy program gave on the 2,500 strategies of :func:`small_returns`."""
    with gzip.open(folder / "golden_legacy_code.json.gz") as source:
        return json.load(source)["small_2500"]


@cache
def small_returns(folder: Path) -> StrategyReturns:
    """2,500 strategies over 82 rows, in the order of their file."""
    return _returns(pl.read_csv(folder / "test_data_small_2500.csv", try_parse_dates=True))


@cache
def real_returns(folder: Path) -> StrategyReturns:
    """2,945 strategies over 82 rows, in the order of the production file."""
    return _returns(pl.read_parquet(folder / "pnl_real_82x2945.parquet"))


@cache
def recorded_metrics(folder: Path) -> pl.DataFrame:
    """Five recorded figures of every strategy of the production file but the first."""
    return pl.read_parquet(folder / "legacy_strategy_metrics_25543.parquet")


@cache
def recorded_portfolios(folder: Path) -> list[dict]:
    """The 26 portfolios of the recorded run, sizes 35 to 60."""
    with (folder / "legacy_recorded_portfolios_35_60.json").open("rb") as source:
        return json.load(source)["portfolios"]


@cache
def july_portfolios(folder: Path) -> list[dict]:
    """The 16 portfolios of 29 July 2025, whose returns are sums over members."""
    with (folder / "recorded_2025-07-29_workflow_portfolios.json").open("rb") as source:
        return json.load(source)


@cache
def returns_of_recorded_totals(folder: Path) -> np.ndarray:
    """Shape (82, 25544): the recorded ROI of each production strategy in the first row, else 0.

    The rows themselves are lost; figures that depend on the total alone come out the same. The
    first strategy has no recorded total: its column is 0.
    """
    pnl = np.zeros((PRODUCTION_ROWS, PRODUCTION_STRATEGIES))
    metrics = recorded_metrics(folder)
    pnl[0, metrics["col_index"].to_numpy()] = metrics["ROI"].to_numpy()
    return pnl


def worst_error(ours: np.ndarray, recorded: np.ndarray) -> float:
    """Largest error relative to the recorded figure; absolute where that is 0."""
    ours, recorded = np.asarray(ours, dtype=float), np.asarray(recorded, dtype=float)
    assert ours.shape == recorded.shape
    assert np.isfinite(ours).all()
    scale = np.where(recorded == 0, 1.0, np.abs(recorded))
    return float((np.abs(ours - recorded) / scale).max(initial=0.0))


def told(errors: Mapping[str, float]) -> str:
    """Worst errors in one line, for the message of an assertion."""
    return ", ".join(f"{name} {error:.1e}" for name, error in errors.items())


def _returns(frame: pl.DataFrame) -> StrategyReturns:
    names = tuple(name for name in frame.columns if name not in METADATA)
    return StrategyReturns(frame.select(names).to_numpy(), names, frame["Date"].to_numpy())
