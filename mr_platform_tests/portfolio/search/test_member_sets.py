"""Portfolios as sets: against Python's own sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.portfolio.search.draws import random_portfolios
from mr_platform.portfolio.search.member_sets import contained, first_distinct, most_wanted


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 8), size=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_membership_is_that_of_sets(seed: int, rows: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    portfolios = random_portfolios(rng, 12, size, rows)
    asked = rng.integers(0, 15, size=(rows, 20))
    told = contained(portfolios, asked)
    for row in range(rows):
        assert told[row].tolist() == [one in portfolios[row] for one in asked[row]]


def test_nothing_is_contained_in_or_asked_of_no_portfolio() -> None:
    empty = np.zeros((0, 3), dtype=np.int64)
    assert contained(empty, empty).shape == (0, 3)
    assert contained(np.array([[1, 2]]), np.zeros((1, 0), dtype=np.int64)).shape == (1, 0)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 6), size=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_most_wanted_are_the_dearest_distinct_ones(seed: int, rows: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    listed = np.concatenate(
        [rng.integers(0, 14, (rows, 10)), random_portfolios(rng, 14, size, rows)], axis=1
    )
    wanted = rng.permuted(np.tile(np.arange(float(listed.shape[1])), (rows, 1)), axis=1)
    chosen, price = most_wanted(listed, wanted, size)
    for row in range(rows):
        dearest: dict[int, float] = {}
        for one, much in zip(listed[row].tolist(), wanted[row].tolist(), strict=True):
            dearest[one] = max(much, dearest.get(one, -np.inf))
        best = sorted(sorted(dearest, key=lambda one: -dearest[one])[:size])
        assert chosen[row].tolist() == best
        assert price[row].tolist() == [dearest[one] for one in best]


def test_of_equally_wanted_ones_the_smaller_number_goes_first() -> None:
    chosen, _ = most_wanted(np.array([[9, 4, 7, 4]]), np.ones((1, 4)), 2)
    assert chosen.tolist() == [[4, 7]]


def test_first_distinct_keeps_the_order_of_the_list() -> None:
    listed = np.array([[5, 5, 2, 9, 1], [3, 3, 3, 0, 8]])
    assert first_distinct(listed, 3).tolist() == [[2, 5, 9], [0, 3, 8]]
