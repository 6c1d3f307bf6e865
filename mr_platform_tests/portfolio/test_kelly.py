"""Kelly fractions: worked figures, special cases, and what scale and order leave alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mr_platform.portfolio.kelly import CAP, kelly_allocation, kelly_fraction, scaled_to_one
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.risk import capital_utilisation
from mr_platform_tests.portfolio.recorded import small_returns

ROWS = arrays(np.float64, (3, 12), elements=st.integers(-50, 50).map(float))


def test_worked_by_hand() -> None:
    rows = np.array(
        [
            [2.0, 4.0, 3.0, -1.0, -5.0],  # p 3/5, W 3, Lo 3: 3/5 - 2/5
            [2.0, 4.0, 0.0, 0.0, -4.5],  # p 2/5, q 1/5, Lo / W 3/2: 2/5 - 3/10
        ]
    )
    assert kelly_fraction(rows) == pytest.approx([0.2, 0.1], abs=1e-15)
    assert kelly_fraction(rows, cap=0.15) == pytest.approx([0.15, 0.1], abs=1e-15)
    # zeros among the losses: q 3/5, so 2/5 - 9/10 is below 0
    assert kelly_fraction(rows, zero_rows_lose=True) == pytest.approx([0.2, 0.0], abs=1e-15)


def test_special_cases() -> None:
    rows = np.array(
        [
            [1.0, 2.0, 3.0, 4.0],  # no loss
            [0.0, 0.0, 0.0, 4.0],  # no loss, though few wins
            [-1.0, -2.0, 0.0, -1.0],  # no win
            [0.0, 0.0, 0.0, 0.0],
            [1.0, -9.0, 1.0, -9.0],  # an expectancy below 0
            [9.0, 9.0, 9.0, -1.0],  # above the cap
        ]
    )
    assert kelly_fraction(rows).tolist() == [CAP, CAP, 0.0, 0.0, 0.0, CAP]
    assert kelly_fraction(rows, zero_rows_lose=True).tolist() == [CAP, CAP, 0.0, 0.0, 0.0, CAP]


@given(rows=ROWS, factor=st.floats(1e-200, 1e200))
def test_scale_leaves_fractions_alone(rows: np.ndarray, factor: float) -> None:
    assert kelly_fraction(rows * factor) == pytest.approx(kelly_fraction(rows), abs=1e-13)


@given(rows=ROWS, order=st.permutations(range(12)))
def test_order_leaves_fractions_alone(rows: np.ndarray, order: list[int]) -> None:
    assert kelly_fraction(rows[:, order]) == pytest.approx(kelly_fraction(rows), abs=1e-15)


@given(rows=ROWS, zero_rows_lose=st.booleans())
def test_a_fraction_is_positive_only_for_a_gain(rows: np.ndarray, zero_rows_lose: bool) -> None:
    found = kelly_fraction(rows, zero_rows_lose=zero_rows_lose)
    assert ((found >= 0) & (found <= CAP)).all()
    # p W > q Lo is a positive sum of the rows
    sums = rows.sum(axis=1)
    assert (sums[found > 1e-12] > 0).all()
    if not zero_rows_lose:
        assert (found[sums > 0] > 0).all()
    alone = [kelly_fraction(row[np.newaxis], zero_rows_lose=zero_rows_lose)[0] for row in rows]
    assert found.tolist() == alone


def test_equals_the_formula_as_required() -> None:
    rows = np.random.default_rng(4).normal(0.5, 3, (50, 60))
    for row, found in zip(rows, kelly_fraction(rows, cap=1.0), strict=True):
        p = np.mean(row > 0)
        loss_to_win = -row[row < 0].mean() / row[row > 0].mean()
        assert found == pytest.approx(np.clip(p - (1 - p) * loss_to_win, 0, 1), abs=1e-14)


def test_fractions_are_scaled_only_where_they_exceed_the_capital() -> None:
    assert scaled_to_one(np.array([0.25, 0.25])).tolist() == [0.25, 0.25]
    assert scaled_to_one(np.full(5, 0.25)) == pytest.approx(np.full(5, 0.2))
    assert scaled_to_one(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert scaled_to_one(np.empty(0)).size == 0
    with pytest.raises(PortfolioError, match="not negative"):
        scaled_to_one(np.array([0.2, -0.1]))
    with pytest.raises(PortfolioError, match="finite"):
        scaled_to_one(np.array([0.2, math.nan]))


def test_capital_goes_to_those_that_gain() -> None:
    rows = np.array([[9.0, 9.0, 9.0, -1.0]] * 5 + [[-1.0, 1.0, -2.0, 0.0]])
    found = kelly_allocation(rows, 1_000_000.0)
    assert found.fractions.tolist() == [0.25] * 5 + [0.0]
    assert found.shares == pytest.approx([0.2] * 5 + [0.0])
    assert found.rupees == pytest.approx([200_000.0] * 5 + [0.0])
    few = kelly_allocation(rows[4:], 1_000_000.0)
    assert few.rupees.tolist() == [250_000.0, 0.0]
    assert capital_utilisation(few.rupees, 1_000_000.0) == 0.25


@pytest.mark.parametrize("capital", [0.0, -5.0, math.inf, math.nan])
def test_a_capital_that_is_none_is_refused(capital: float) -> None:
    with pytest.raises(PortfolioError, match="no positive amount"):
        kelly_allocation(np.ones((2, 3)), capital)


@pytest.mark.parametrize("rows", [np.ones(3), np.ones((2, 0)), np.array([[1.0, np.inf]])])
def test_rows_that_are_none_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(PortfolioError, match="finite values"):
        kelly_fraction(rows)


@pytest.mark.parametrize("cap", [-0.1, 1.1, math.nan])
def test_a_cap_outside_its_range_is_refused(cap: float) -> None:
    with pytest.raises(PortfolioError, match="outside"):
        kelly_fraction(np.ones((2, 3)), cap=cap)


@pytest.mark.real_data
def test_real_strategies_fit_into_the_capital(real_data: Path) -> None:
    pnl = small_returns(real_data / "strategies").pnl
    found = kelly_allocation(pnl.T, 1e7)
    gains = pnl.sum(axis=0) > 0
    assert (found.fractions[gains] > 0).all()
    assert (found.fractions[~gains] == 0).all()
    assert found.rupees.sum() == pytest.approx(1e7, rel=1e-12)
    assert not (found.fractions > CAP).any()
