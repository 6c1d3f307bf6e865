"""Guided draws: the order, its weight, exactness of what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search import guided_draws
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform_tests.portfolio.search.made_problems import made_problem

ORDER = np.array([4, 1, 0, 3, 2, 5, 7, 6])


def test_the_order_is_by_fitness_alone_and_ties_by_number() -> None:
    problem = made_problem(strategies=30, size=4)
    order = guided_draws.quality_order(problem)
    alone = problem.evaluator.evaluate(np.arange(30)[:, np.newaxis]).fitness
    assert sorted(order.tolist()) == list(range(30))
    assert (np.diff(alone[order]) <= 0).all()
    # strategies 6 and 7 of the made returns are the same
    assert order.tolist().index(7) == order.tolist().index(6) + 1


def test_the_order_is_one_of_candidates_not_of_columns() -> None:
    whole = made_problem(strategies=30, size=4)
    part = SearchProblem(whole.evaluator, 4, np.array([20, 3, 11, 25, 8]))
    order = guided_draws.quality_order(part)
    alone = whole.evaluator.evaluate(part.columns(order)[:, np.newaxis]).fitness
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    assert (np.diff(alone) <= 0).all()


@pytest.mark.parametrize("guide", [1.0, 4.0])
def test_places_are_drawn_by_the_law(guide: float) -> None:
    rng = np.random.default_rng(1)
    drawn = guided_draws.guided_strategies(rng, ORDER, guide, (40_000,))
    share = np.bincount(drawn, minlength=8)[ORDER] / drawn.size
    law = np.diff((np.arange(9) / 8) ** (1 / guide))
    assert np.abs(share - law).max() < 0.01


@pytest.mark.parametrize("size", [1, 3, 7])
def test_portfolios_are_distinct_and_favour_the_front(size: int) -> None:
    rng = np.random.default_rng(2)
    portfolios = guided_draws.guided_portfolios(rng, ORDER, 6.0, size, 2_000)
    assert portfolios.shape == (2_000, size)
    assert (np.diff(portfolios, axis=1) > 0).all()
    counts = np.bincount(portfolios.ravel(), minlength=8)[ORDER]
    assert counts[0] == counts.max()
    assert counts[0] > counts[-1] > 0


def test_those_that_enter_are_no_members() -> None:
    rng = np.random.default_rng(3)
    members = np.tile(np.array([4, 1, 0]), (5_000, 1))
    entering = guided_draws.guided_entering(rng, members, ORDER, 3.0)
    assert set(entering.tolist()) == {2, 3, 5, 6, 7}
    with pytest.raises(PortfolioError):
        guided_draws.guided_entering(rng, np.arange(8)[np.newaxis], ORDER, 3.0)


@pytest.mark.parametrize("replaced", [1, 2, 9])
def test_a_kick_replaces_at_most_as_many_as_said(replaced: int) -> None:
    rng = np.random.default_rng(4)
    members = np.array([0, 1, 4])
    near = guided_draws.kicked(rng, members, 500, replaced, ORDER, 2.0)
    assert (np.diff(near, axis=1) > 0).all()
    gone = 3 - np.isin(near, members).sum(axis=1)
    assert gone.min() >= (1 if replaced == 1 else 0)
    assert gone.max() == min(replaced, 3)


def test_fresh_members_are_as_many_as_said_and_never_members() -> None:
    rng = np.random.default_rng(5)
    members = np.tile(np.array([0, 1, 4]), (4_000, 1))
    needed = np.arange(4_000) % 2 == 0
    drawn, price = guided_draws.fresh_members(rng, members, 0.7, needed, ORDER, 2.0)
    taken = (price >= 4.0).sum(axis=1)
    assert taken[needed].min() == 1
    assert taken[~needed].min() == 0
    assert taken.max() <= 3
    assert abs(taken[~needed].mean() - 0.7) < 0.05
    assert not np.isin(drawn, [0, 1, 4]).any()
    assert (price[price < 4.0] < 0).all()


def test_no_fresh_members_at_all() -> None:
    rng = np.random.default_rng(6)
    none = np.zeros(5, dtype=np.bool_)
    drawn, price = guided_draws.fresh_members(
        rng, np.tile(np.array([0, 1]), (5, 1)), 0.0, none, ORDER, 2.0
    )
    assert drawn.shape == price.shape == (5, 0)
