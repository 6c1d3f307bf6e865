"""A swap is worth what the swapped portfolio is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.portfolio.fitness import METRICS, LegacyFitness
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search import swap_tables, swaps
from mr_platform.portfolio.search.problem import SearchProblem, random_portfolios
from mr_platform_tests.portfolio.search.made_problems import (
    balanced,
    made_problem,
    made_returns,
    real_problem,
)


def _anew(problem: SearchProblem, view, which, leaving, entering) -> np.ndarray:
    members = view.members[which]
    members[np.arange(which.size), leaving] = entering
    return problem.fitness(members)


def _drawn(view, rng: np.random.Generator, portfolios: int, count: int):
    which = rng.integers(0, portfolios, count)
    return which, *view.draw(rng, which)


def _assert_agrees(problem: SearchProblem, portfolios: int, rng: np.random.Generator) -> None:
    view = problem.swaps(
        random_portfolios(rng, problem.strategies, problem.size, portfolios)[:, ::-1]
    )
    for _ in range(4):
        which, leaving, entering = _drawn(view, rng, portfolios, 70)
        expected = _anew(problem, view, which, leaving, entering)
        found = view.fitness(which, leaving, entering)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-10)
        least = float(np.quantile(expected, 0.7))
        screened = view.fitness(which, leaving, entering, least=least)
        kept = np.isfinite(screened)
        np.testing.assert_array_equal(screened[kept], found[kept])
        assert (found[~kept] < least).all()
        every = np.arange(portfolios)
        view.apply(every, *view.draw(rng, every))
        assert all(len(set(row)) == problem.size for row in view.members.tolist())


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("weight", [10.0, 0.0])
def test_every_metric(metric: str, paired: bool, weight: float, monkeypatch) -> None:
    if not paired:
        monkeypatch.setattr(swap_tables, "MOST_PAIRED", 0)
    problem = made_problem(settings=LegacyFitness(metric, 900.0, weight))
    _assert_agrees(problem, 3, np.random.default_rng(5))


@pytest.mark.parametrize("metric", ["ratio", "roi", "expectancy"])
def test_balanced_mode(metric: str) -> None:
    _assert_agrees(made_problem(settings=balanced(metric)), 3, np.random.default_rng(6))


@given(
    st.integers(1, 12),
    st.integers(2, 14),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=40, deadline=None)
def test_any_shape(size: int, more: int, rows: int, steady: bool, seed: int) -> None:
    pnl = made_returns(rows, size + more, seed)
    if steady:  # no falls: the branches of the record without drawdown
        pnl = np.abs(pnl)
    problem = SearchProblem(LegacyFitness(drawdown_threshold=500.0).over(pnl), size)
    _assert_agrees(problem, 2, np.random.default_rng(seed))


def test_constant_strategies() -> None:
    problem = SearchProblem(LegacyFitness().over(np.full((9, 12), 3.0)), 4)
    _assert_agrees(problem, 2, np.random.default_rng(1))


def test_candidates_are_the_strategies_of_the_evaluator() -> None:
    evaluator = LegacyFitness().over(made_returns(30, 40))
    problem = SearchProblem(evaluator, 4, np.arange(1, 40, 3))
    _assert_agrees(problem, 2, np.random.default_rng(2))


@pytest.mark.real_data
@pytest.mark.parametrize("paired", [True, False])
def test_real_data(real_data, paired: bool, monkeypatch) -> None:
    if not paired:
        monkeypatch.setattr(swap_tables, "MOST_PAIRED", 0)
    problem = SearchProblem(real_problem(real_data / "strategies").evaluator, 37)
    _assert_agrees(problem, 3, np.random.default_rng(3))


def test_many_sums_have_the_bits_of_few() -> None:
    problem = made_problem(strategies=80)
    rng = np.random.default_rng(4)
    view = problem.swaps(random_portfolios(rng, 80, 6, 2))
    swap = _drawn(view, rng, 2, 3000)
    together = view.fitness(*swap)
    apart = np.concatenate([view.fitness(*(part[[i]] for part in swap)) for i in range(40)])
    assert together[:40].tobytes() == apart.tobytes()


def test_a_bound_that_takes_too_much_is_done_without(monkeypatch) -> None:
    monkeypatch.setattr(swaps, "BOUND_ENTRIES", 1)
    problem = made_problem()
    rng = np.random.default_rng(4)
    view = problem.swaps(random_portfolios(rng, 60, 6, 2))
    swap = _drawn(view, rng, 2, 90)
    assert view.fitness(*swap, least=1e9).tobytes() == view.fitness(*swap).tobytes()


def test_the_bound_tells_most_swaps_apart() -> None:
    problem = made_problem(strategies=200, size=20, rows=80)
    rng = np.random.default_rng(4)
    view = problem.swaps(random_portfolios(rng, 200, 20, 1))
    swap = _drawn(view, rng, 1, 2000)
    found = view.fitness(*swap)
    screened = view.fitness(*swap, least=float(np.quantile(found, 0.95)))
    assert np.isinf(screened).mean() > 0.5


def test_draws_are_uniform_for_few_and_for_many_members() -> None:
    for size in (2, 5):
        problem = made_problem(strategies=7, size=size)
        view = problem.swaps(np.arange(size)[np.newaxis])
        which = np.zeros(20_000, dtype=np.int64)
        leaving, entering = view.draw(np.random.default_rng(1), which)
        assert np.bincount(leaving).size == size
        counts = np.bincount(entering, minlength=7)
        assert counts[:size].tolist() == [0] * size
        expected = 20_000 / (7 - size)
        assert (np.abs(counts[size:] - expected) < 5 * expected**0.5).all()


def test_no_swap_where_all_are_members() -> None:
    problem = made_problem(strategies=4, size=4)
    view = problem.swaps(np.arange(4)[np.newaxis])
    with pytest.raises(PortfolioError, match="none is left to enter"):
        view.draw(np.random.default_rng(1), np.zeros(1, dtype=np.int64))


def test_swaps_that_are_none_are_refused() -> None:
    view = made_problem().swaps(np.array([[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]))
    one = np.zeros(1, dtype=np.int64)
    for swap, fault in [
        ((one + 2, one, one + 20), "2 portfolios"),
        ((one, one + 6, one + 20), "6 places"),
        ((one, one, one + 60), "60 strategies"),
        ((one, one, one - 1), "60 strategies"),
        ((np.zeros(2, dtype=np.int64), one, one), "same length"),
    ]:
        with pytest.raises(PortfolioError, match=fault):
            view.fitness(*swap)
    with pytest.raises(PortfolioError, match="member already"):
        view.apply(one, one, one + 3)
    two = np.zeros(2, dtype=np.int64)
    with pytest.raises(PortfolioError, match="twice among"):
        view.apply(two, np.array([0, 1]), np.array([20, 21]))
    assert view.fitness(one[:0], one[:0], one[:0]).shape == (0,)
    with pytest.raises(PortfolioError, match="twice"):
        made_problem().swaps(np.array([[0, 0, 1, 2, 3, 4]]))
