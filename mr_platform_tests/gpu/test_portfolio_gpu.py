"""Fitness of portfolios and correlations of pairs by CuPy are those of the CPU, within 1e-9.

Searches over such batches find the same portfolios.
Skipped where CuPy finds no device; ``make test-gpu`` turns that into a failure.
"""

from __future__ import annotations

import os
from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mr_platform.gateways.array_engine import (
    ArrayEngine,
    ArrayEngineError,
    cupy_answer,
    device_faults,
    open_arrays,
)
from mr_platform.portfolio.array_evaluation import ArrayEvaluator
from mr_platform.portfolio.array_tiles import array_pair_statistics
from mr_platform.portfolio.correlation_tiles import PairSettings, PairStatistics, pair_statistics
from mr_platform.portfolio.fitness import METRICS, LegacyFitness
from mr_platform.portfolio.search.algorithms import ALGORITHMS
from mr_platform.portfolio.search.engine import Budget
from mr_platform.portfolio.search.searches import Search, run_searches

ANSWER = cupy_answer()

pytestmark = pytest.mark.skipif(
    ANSWER.device is None and os.environ.get("MR_REQUIRE_GPU") != "1",
    reason=f"CuPy finds no GPU: {ANSWER.fault}",
)

STRATEGIES = 3_000


@pytest.fixture(scope="module")
def gpu() -> ArrayEngine:
    """CuPy; without a device an error says so."""
    return open_arrays("gpu", most_bytes=256 << 20)


@pytest.fixture(scope="module")
def pnl() -> np.ndarray:
    """Drawn at random, with rows of 0, groups of equal strategies and constant ones."""
    rng = np.random.default_rng(1)
    drawn = rng.normal(20.0, 900.0, (82, STRATEGIES)) + rng.normal(0, 300.0, (82, 1))
    drawn[rng.random(drawn.shape) < 0.01] = 0.0
    drawn[:, 100:120] = drawn[:, [99]]
    drawn[:, 200:203] = 1.0, -4.0, 0.0
    return drawn


def portfolios(count: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(size)
    return np.argsort(rng.random((count, STRATEGIES)), axis=1)[:, :size]


@pytest.mark.parametrize("size", [1, 2, 37, 100])
@pytest.mark.parametrize("metric", METRICS)
def test_fitness_is_that_of_the_cpu(
    metric: str, size: int, gpu: ArrayEngine, pnl: np.ndarray
) -> None:
    settings = LegacyFitness(metric=metric)
    members = portfolios(500, size)
    found = ArrayEvaluator(settings, pnl, gpu).evaluate(members)
    expected = settings.evaluate(pnl, members)
    for name in ("roi", "drawdown", "base", "correlation", "fitness"):
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-6,
                        err_msg=name)  # fmt: skip
    assert_allclose(found.correlation, expected.correlation, rtol=0, atol=1e-12)


def test_pieces_of_a_batch_change_no_bit(pnl: np.ndarray) -> None:
    members = portfolios(300, 37)
    whole = ArrayEvaluator(LegacyFitness(), pnl, open_arrays("gpu")).evaluate(members)
    small = open_arrays("gpu", most_bytes=1 << 18)
    pieces = ArrayEvaluator(LegacyFitness(), pnl, small).evaluate(members)
    assert_array_equal(pieces.fitness, whole.fitness)


@pytest.mark.parametrize(
    "settings",
    [
        PairSettings(),
        PairSettings(threshold=0.05, neighbours=10, most_pairs=1_000),
        PairSettings(precision="float32"),
    ],
    ids=str,
)
def test_statistics_of_pairs_are_those_of_the_cpu(
    settings: PairSettings, gpu: ArrayEngine, pnl: np.ndarray
) -> None:
    found = array_pair_statistics(pnl, gpu, settings)
    expected = pair_statistics(pnl, settings)
    for field in fields(PairStatistics):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "mean_abs":
            assert_allclose(one, other, rtol=1e-6 if settings.precision == "float32" else 1e-9)
        elif isinstance(one, tuple):
            assert one == other, field.name
        else:
            assert_array_equal(one, other, err_msg=field.name)


@pytest.mark.parametrize("workers", [1, 2])
def test_searches_on_the_device_find_the_portfolios_of_the_cpu(
    workers: int, gpu: ArrayEngine
) -> None:
    # without equal or constant strategies: where portfolios tie, either may be taken
    returns = np.random.default_rng(3).normal(20.0, 900.0, (82, 300))
    searches = [Search(name, 12) for name in ALGORITHMS]
    searches += [Search("genetic", 12, "legacy"), Search("particle_swarm", 12, "legacy")]

    found = run_searches(
        ArrayEvaluator(LegacyFitness(), returns, gpu), searches, Budget(2_000), 7, workers=workers
    )

    expected = run_searches(LegacyFitness().over(returns), searches, Budget(2_000), 7)
    for one, other in zip(found, expected, strict=True):
        assert one.members.tolist() == other.members.tolist(), one.algorithm
        assert (one.fitness, one.evaluations) == (other.fitness, other.evaluations), "to the bit"


def test_a_band_beyond_the_memory_is_told(gpu: ArrayEngine) -> None:
    with pytest.raises(ArrayEngineError, match="memory of the GPU"), device_faults(gpu):
        gpu.xp.empty((1 << 44,), dtype=np.float64)


def test_the_engine_says_which_device_it_works_on(gpu: ArrayEngine) -> None:
    assert gpu.describe() == {"engine": "gpu", "device": ANSWER.device}
