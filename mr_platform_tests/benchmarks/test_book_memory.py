"""What books of many strategies take of memory: each work in a process of its own, at its peak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import ParquetSettings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.portfolio.correlation_tiles import PairSettings, pair_statistics
from mr_platform_tests.benchmarks.made_strategies import ROWS, made_returns, write_made_sheet
from mr_platform_tests.benchmarks.measured_work import BOOK, measured
from mr_platform_tests.portfolio.recorded import PRODUCTION_STRATEGIES, small_returns

GIGA = 1e9
STORED = (
    "strategy_returns",
    "strategy_metrics",
    "inversions",
    "strategy_neighbours",
    "correlated_pairs",
)
QUICK = 8_000
LARGE = 100_000
MOST_PAIRS = 1_000_000
"""Pairs that a book lists by its settings."""


def _assert_whole(found: dict, strategies: int) -> None:
    """Nothing of what is asked was left out to save memory."""
    assert found["pairs"] == found["counted"] == strategies * (strategies - 1) // 2
    assert 0.005 < found["above"] / found["pairs"] < 0.02, "as alike as the real ones"
    assert found["listed"] == min(found["above"], MOST_PAIRS)
    assert found["neighbours"] == 64 * strategies


def test_all_pairs_take_a_fraction_of_their_matrix() -> None:
    found = measured("pairs", QUICK, seconds=120)
    _assert_whole(found, QUICK)
    matrix = 8 * QUICK**2
    # about 70 MB beside a matrix of 512 MB that is never made
    assert found["peak"] - found["before"] < matrix / 4


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_all_pairs_of_100_000_strategies_stay_below_4_gb() -> None:
    found = measured("pairs", LARGE, seconds=2300)
    _assert_whole(found, LARGE)
    assert found["peak"] < 4 * GIGA, f"{found['peak'] / GIGA:.2f} GB in {found['seconds']:.0f} s"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_load_of_the_production_size_stays_below_2_gb(tmp_path: Path) -> None:
    path = tmp_path / "production.csv"
    write_made_sheet(path, PRODUCTION_STRATEGIES)
    found = measured("load", path, tmp_path / "home", seconds=1400)
    assert found["peak"] < 2 * GIGA, f"{found['peak'] / GIGA:.2f} GB in {found['seconds']:.0f} s"
    told = found["told"]
    assert (told["book"], told["fault"]) == (BOOK, None)
    assert all(check["passed"] for check in told["checks"]), told["checks"]
    pairs = PRODUCTION_STRATEGIES * (PRODUCTION_STRATEGIES - 1) // 2
    assert told["correlation"]["pairs"] == pairs
    assert 0.005 < told["correlation"]["above"] / pairs < 0.02
    lakehouse = Lakehouse(tmp_path / "home" / "lakehouse", ParquetSettings())
    stored = {table: lakehouse.scan(table).select(pl.len()).collect().item() for table in STORED}
    assert stored["strategy_returns"] == PRODUCTION_STRATEGIES * ROWS
    assert stored["strategy_metrics"] == PRODUCTION_STRATEGIES
    assert stored["inversions"] > PRODUCTION_STRATEGIES / 4
    assert stored["strategy_neighbours"] == 64 * PRODUCTION_STRATEGIES
    assert stored["correlated_pairs"] == MOST_PAIRS


@pytest.mark.real_data
def test_made_strategies_are_as_alike_as_the_real_ones(real_data: Path) -> None:
    asked = PairSettings(neighbours=0, most_pairs=0)
    real = pair_statistics(small_returns(real_data / "strategies").pnl, asked)
    made = pair_statistics(made_returns(2_500), asked)
    assert real.above / real.pairs == pytest.approx(0.0104, abs=1e-4)
    assert made.above / made.pairs == pytest.approx(real.above / real.pairs, rel=0.1)
    assert made.mean == pytest.approx(real.mean, abs=0.03)
    assert made.mean_abs == pytest.approx(real.mean_abs, abs=0.02)
    more = pair_statistics(made_returns(4_000), asked)
    assert more.above / more.pairs == pytest.approx(made.above / made.pairs, rel=0.1)
    # neither is made of a few groups that hold everything
    share = np.abs(made.histogram - real.histogram).sum() / 2 / real.pairs
    assert share < 0.1
