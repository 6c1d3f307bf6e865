"""Draws are valid, uniform and repeatable."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.draws import random_entering, random_portfolios


@given(st.integers(1, 40), st.data())
def test_portfolios_are_distinct_ascending_candidates(strategies: int, data) -> None:
    size = data.draw(st.integers(1, strategies))
    drawn = random_portfolios(np.random.default_rng(3), strategies, size, 20)
    assert drawn.shape == (20, size)
    assert drawn.dtype == np.int64
    assert (np.diff(drawn, axis=1) > 0).all()
    assert drawn.min() >= 0
    assert drawn.max() < strategies


def test_every_portfolio_is_as_likely() -> None:
    drawn = random_portfolios(np.random.default_rng(1), 6, 3, 40_000)
    counts = Counter(map(tuple, drawn.tolist()))
    assert set(counts) == set(combinations(range(6), 3))
    expected = 40_000 / 20
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 50  # 19 degrees


def test_draws_repeat_with_their_seed() -> None:
    first, second = (random_portfolios(np.random.default_rng(7), 2500, 37, 9) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert random_portfolios(np.random.default_rng(7), 10, 4, 0).shape == (0, 4)


@pytest.mark.parametrize("size", [0, 11, -1])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(PortfolioError, match="cannot be drawn from 10"):
        random_portfolios(np.random.default_rng(1), 10, size, 3)


def test_entering_is_a_uniform_non_member() -> None:
    members = np.tile([9, 0, 4], (30_000, 1))
    entering = random_entering(np.random.default_rng(2), members, 10)
    counts = Counter(entering.tolist())
    assert set(counts) == {1, 2, 3, 5, 6, 7, 8}
    expected = 30_000 / 7
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 25  # 6 degrees


def test_nobody_is_left_to_enter() -> None:
    with pytest.raises(PortfolioError, match="none is left"):
        random_entering(np.random.default_rng(2), np.array([[0, 1]]), 2)
