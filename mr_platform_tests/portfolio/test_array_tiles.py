from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mr_platform.gateways.array_engine import CpuArrays
from mr_platform.portfolio.array_tiles import array_pair_statistics
from mr_platform.portfolio.arrays import Arrays
from mr_platform.portfolio.correlation_tiles import PairSettings, PairStatistics, pair_statistics
from mr_platform_tests.portfolio.held_arrays import HeldArrays
from mr_platform_tests.portfolio.recorded import small_returns


def returns(rows: int = 30, strategies: int = 60) -> np.ndarray:
    """Drawn at random, with groups of equal, mirrored, near and constant strategies."""
    rng = np.random.default_rng(7)
    pnl = rng.normal(size=(rows, strategies)) + rng.normal(size=(rows, 1))
    pnl[:, 10:18] = pnl[:, [2]]
    pnl[:, 20:23] = -pnl[:, [2]]
    pnl[:, 25:30] = pnl[:, [4]] + 1e-9 * rng.normal(size=(rows, 5))
    pnl[:, [6, 7]] = 3.0, 0.0
    return pnl


def same(found: PairStatistics, expected: PairStatistics, tolerance: float = 1e-12) -> None:
    for field in fields(PairStatistics):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "mean_abs":
            assert_allclose(one, other, rtol=tolerance)
        elif isinstance(one, tuple):
            assert one == other, field.name
        else:
            assert_array_equal(one, other, err_msg=field.name)


@pytest.mark.parametrize("arrays", [CpuArrays(), HeldArrays()], ids=["numpy", "device"])
@pytest.mark.parametrize(
    "settings",
    [
        PairSettings(),
        PairSettings(threshold=0.0, neighbours=5, bins=1),
        PairSettings(threshold=0.3, neighbours=0, bins=7, most_pairs=20),
        PairSettings(threshold=0.3, neighbours=1000, most_pairs=0),
        PairSettings(threshold=1.0, neighbours=3),
        PairSettings(threshold=0.5, neighbours=4, precision="float32"),
    ],
    ids=str,
)
def test_results_have_the_bits_of_the_processor(settings: PairSettings, arrays: Arrays) -> None:
    tolerance = 1e-6 if settings.precision == "float32" else 1e-12
    same(
        array_pair_statistics(returns(), arrays, settings),
        pair_statistics(returns(), settings),
        tolerance,
    )


@pytest.mark.parametrize("most_bytes", [1, 10 * 8 * 58 * 7, 1 << 30])
def test_bands_change_nothing(most_bytes: int) -> None:
    settings = PairSettings(threshold=0.2, neighbours=6)
    seen: list[tuple[int, int]] = []
    found = array_pair_statistics(
        returns(), HeldArrays(most_bytes), settings, progress=lambda *at: seen.append(at)
    )
    same(found, pair_statistics(returns(), settings))
    pairs = 58 * 57 // 2
    assert seen[-1] == (pairs, pairs)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_many_strong_pairs_are_pruned_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mr_platform.portfolio.pair_lists._SPARE", 10)
    settings = PairSettings(threshold=0.1, most_pairs=15, neighbours=0)
    same(
        array_pair_statistics(returns(), HeldArrays(1), settings),
        pair_statistics(returns(), settings),
    )


@pytest.mark.parametrize("strategies", [0, 1, 2])
def test_hardly_any_strategies(strategies: int) -> None:
    pnl = returns()[:, :strategies]
    same(array_pair_statistics(pnl, HeldArrays()), pair_statistics(pnl))


def test_nothing_but_constant_strategies() -> None:
    pnl = np.tile([1.0, 2.0, 2.0], (5, 1))
    same(array_pair_statistics(pnl, HeldArrays()), pair_statistics(pnl))


@pytest.mark.real_data
def test_real_strategies(real_data: Path) -> None:
    pnl = small_returns(real_data / "strategies").pnl[:, :800]
    same(array_pair_statistics(pnl, HeldArrays(1 << 24)), pair_statistics(pnl))
