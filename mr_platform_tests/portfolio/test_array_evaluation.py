from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mr_platform.gateways.array_engine import CpuArrays
from mr_platform.portfolio.array_evaluation import ArrayEvaluator
from mr_platform.portfolio.arrays import Arrays
from mr_platform.portfolio.fitness import METRICS, Balance, Evaluation, LegacyFitness
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform_tests.portfolio.held_arrays import HeldArrays
from mr_platform_tests.portfolio.recorded import small_returns

PARTS = ("roi", "drawdown", "base", "correlation", "penalty", "imbalance", "fitness")


def returns(rows: int = 60, strategies: int = 40) -> np.ndarray:
    """Drawn at random, with zero rows, constant strategies and equal ones."""
    rng = np.random.default_rng(11)
    pnl = rng.normal(1.0, 50.0, (rows, strategies))
    pnl[rng.random(pnl.shape) < 0.1] = 0.0
    pnl[:, 3], pnl[:, 4], pnl[:, 5], pnl[:, 7] = 2.5, -1.0, 0.0, pnl[:, 6]
    return pnl


def portfolios(count: int, size: int, strategies: int = 40) -> np.ndarray:
    rng = np.random.default_rng(size)
    return np.array([rng.choice(strategies, size, replace=False) for _ in range(count)])


def same(found: Evaluation, expected: Evaluation, scale: float) -> None:
    for name in PARTS:
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert type(one) is np.ndarray
            assert_allclose(one, other, rtol=1e-9, atol=1e-9 * scale, err_msg=name)


@pytest.mark.parametrize("arrays", [CpuArrays(), HeldArrays()], ids=["numpy", "device"])
@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_that_of_the_processor(metric: str, arrays: Arrays) -> None:
    settings = LegacyFitness(metric=metric, drawdown_threshold=150.0)
    pnl = returns()
    evaluator = ArrayEvaluator(settings, pnl, arrays)
    for size in (1, 2, 9):
        members = portfolios(70, size)
        same(evaluator.evaluate(members), settings.evaluate(pnl, members), 10.0)


def test_portfolios_without_drawdown_or_variation() -> None:
    pnl = returns()
    settings = LegacyFitness()
    members = np.array([[3, 5], [4, 5], [3, 4]])
    same(
        ArrayEvaluator(settings, pnl, HeldArrays()).evaluate(members),
        settings.evaluate(pnl, members),
        1.0,
    )


def test_without_a_price_correlation_is_not_taken() -> None:
    settings = LegacyFitness(correlation_weight=0.0)
    evaluator = ArrayEvaluator(settings, returns(), HeldArrays())
    found = evaluator.evaluate(portfolios(5, 4))
    assert found.correlation is None
    same(found, settings.evaluate(returns(), portfolios(5, 4)), 10.0)


def test_balanced_mode() -> None:
    settings = LegacyFitness(balance=Balance({"a": 2, "b": 1}, 3.0))
    sources = ["a", "b", "c", "d"] * 10
    members = portfolios(20, 6)
    found = ArrayEvaluator(settings, returns(), HeldArrays(), sources).evaluate(members)
    same(found, settings.evaluate(returns(), members, sources), 10.0)


@pytest.mark.parametrize("most_bytes", [1, 6 * 60 * 8 * 7, 1 << 30])
def test_pieces_of_a_batch_change_no_bit(most_bytes: int) -> None:
    members = portfolios(50, 8)
    whole = ArrayEvaluator(LegacyFitness(), returns(), HeldArrays()).evaluate(members)
    pieces = ArrayEvaluator(LegacyFitness(), returns(), HeldArrays(most_bytes)).evaluate(members)
    assert_array_equal(pieces.fitness, whole.fitness)
    shuffled = np.random.default_rng(0).permuted(members, axis=1)
    again = ArrayEvaluator(LegacyFitness(), returns(), HeldArrays()).evaluate(shuffled)
    assert_array_equal(again.fitness, whole.fitness)


def test_no_portfolio_and_no_strategy() -> None:
    evaluator = ArrayEvaluator(LegacyFitness(), returns(), HeldArrays())
    assert evaluator.evaluate(np.empty((0, 3), dtype=np.int64)).fitness.shape == (0,)
    with pytest.raises(PortfolioError):
        evaluator.evaluate(np.array([[1, 40]]))


def test_figures_that_are_kept_come_from_the_host() -> None:
    evaluator = ArrayEvaluator(LegacyFitness(), returns(), HeldArrays())
    members = portfolios(9, 5)
    assert_array_equal(
        evaluator.evaluate_on_host(members).fitness,
        LegacyFitness().evaluate(returns(), members).fitness,
    )


def test_a_search_takes_it_for_an_evaluator() -> None:
    evaluator = ArrayEvaluator(LegacyFitness(), returns(), HeldArrays())
    problem = SearchProblem(evaluator, 5)
    members = portfolios(6, 5)
    assert_array_equal(problem.fitness(members), evaluator.evaluate(members).fitness)


@pytest.mark.real_data
@pytest.mark.parametrize("metric", METRICS)
def test_real_strategies(metric: str, real_data: Path) -> None:
    pnl = small_returns(real_data / "strategies").pnl
    settings = LegacyFitness(metric=metric)
    members = portfolios(300, 37, pnl.shape[1])
    same(
        ArrayEvaluator(settings, pnl, HeldArrays()).evaluate(members),
        settings.evaluate(pnl, members),
        1e3,
    )
