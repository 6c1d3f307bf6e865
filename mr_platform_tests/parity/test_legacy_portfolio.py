"""The second implementation: against numbers worked by hand, and against the product's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.parity.legacy_portfolio import (
    TOLERANCE,
    NaiveFigures,
    naive_correlation,
    naive_figures,
    naive_fitness,
    naive_imbalance,
    naive_mean_correlation,
    relative_error,
)
from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.fitness import METRICS, LegacyFitness

CLOSE = 1e-9

# paise up to a lakh of rupees: what a file holds
VALUES = st.integers(-10_000_000, 10_000_000).map(lambda paise: paise / 100)


@st.composite
def matrices(draw, fewest: int = 1, most: int = 5):
    """Shape (T, n) of profit and loss, some strategies constant, equal or without a loss."""
    rows = draw(st.integers(2, 25))
    kinds = draw(
        st.lists(
            st.sampled_from(["any", "any", "any", "constant", "gains", "losses", "zeros"]),
            min_size=fewest,
            max_size=most,
        )
    )
    columns: list[list[float]] = []
    for kind in kinds:
        drawn = draw(st.lists(VALUES, min_size=rows, max_size=rows))
        made = {
            "any": drawn,
            "constant": [drawn[0]] * rows,
            "gains": [abs(value) for value in drawn],
            "losses": [-abs(value) for value in drawn],
            "zeros": [0.0] * rows,
        }[kind]
        columns.append(made)
    if len(columns) > 2 and draw(st.booleans()):
        columns[-1] = [-value for value in columns[0]]
    return np.array(columns).T


def close(ours: float, theirs: float, scale: float) -> bool:
    """Equal, or within 1e-9 of the figure or of the terms it is the rest of."""
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return ours == theirs
    return abs(ours - theirs) <= CLOSE * max(abs(theirs), scale)


def test_figures_by_hand() -> None:
    # runs to 10, 4, 7, -1, 5: the peak is 10, the deepest fall 11
    found = naive_figures([10.0, -6.0, 3.0, -8.0, 6.0])

    assert found == NaiveFigures(
        roi=5.0,
        max_drawdown=11.0,
        ratio=5 / 11,
        win_rate=0.6,
        profit_factor=19 / 14,
        expectancy=pytest.approx(0.6 * 19 / 3 - 0.4 * 7),
    )


def test_a_first_loss_is_no_drawdown() -> None:
    assert naive_figures([-5.0, 2.0]).max_drawdown == 0.0
    assert naive_figures([-5.0, 2.0, -1.0]).max_drawdown == 1.0


@pytest.mark.parametrize(
    ("rows", "ratio", "profit_factor"),
    [
        ([1.0, 2.0], 300.0, math.inf),
        ([-3.0], -30.0, 0.0),
        ([-3.0, 1.0], -20.0, 1 / 3),
        ([0.0, 0.0], 0.0, math.inf),
        ([1.0, -1e-7], 100 * (1 - 1e-7), 1e7),
    ],
    ids=["gains", "a loss", "a loss first", "nothing", "hardly a fall"],
)
def test_branches_without_a_drawdown_by_hand(rows, ratio, profit_factor) -> None:
    found = naive_figures(rows)

    assert found.ratio == pytest.approx(ratio, rel=1e-12)
    assert found.profit_factor == pytest.approx(profit_factor, rel=1e-12)


def test_correlations_by_hand() -> None:
    assert naive_correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    assert naive_correlation([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert naive_correlation([1.0, -1.0, 0.0], [1.0, 1.0, -2.0]) == 0.0
    assert naive_correlation([1.0, 2.0], [5.0, 5.0]) == 0.0, "a constant strategy"
    three = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 4.0, 6.0]]
    assert naive_mean_correlation(three) == pytest.approx(-1 / 3)
    assert naive_mean_correlation(three[:1]) == 0.0


def test_fitness_by_hand() -> None:
    # the mean is 2, -1, 2: ROI 3, drawdown 1, ratio 3
    members = [[4.0, 0.0, 0.0], [0.0, -2.0, 4.0]]
    # three times the distances from the means: 8, -4, -4 and -2, -8, 10
    rho = (-16 + 32 - 40) / math.sqrt((64 + 16 + 16) * (4 + 64 + 100))
    assert naive_correlation(*members) == pytest.approx(rho)

    assert naive_fitness(members, "ratio", 10.0, 0.0) == pytest.approx(3 - 10 * rho)
    assert naive_fitness(members, "ratio", 10.0, 1.5) == pytest.approx(3 - 5 * rho)
    assert naive_fitness(members, "ratio", 10.0, 1.0) == pytest.approx(3 - 10 * rho)
    assert naive_fitness(members, "ratio", 0.0, 0.0) == pytest.approx(3)
    assert naive_fitness(members, "roi", 10.0, 1.5) == pytest.approx(3 - 10 * rho)
    assert naive_fitness(members, "less max dd", 10.0, 1.5) == pytest.approx(-1 - 5 * rho)
    assert naive_fitness(members, "win percentage", 0.0, 0.0) == pytest.approx(2 / 3)
    assert naive_fitness(members, "profit factor", 0.0, 0.0) == pytest.approx(4)
    assert naive_fitness(members, "expectancy", 0.0, 0.0) == pytest.approx(2 / 3 * 2 - 1 / 3)


@pytest.mark.parametrize(("rows", "factor"), [([1.0, 2.0], 1.0), ([0.0, 0.0], 0.0)])
def test_a_profit_factor_without_losses_is_bounded_in_fitness(rows, factor) -> None:
    assert naive_fitness([rows], "profit factor", 10.0, 0.0) == factor


@pytest.mark.parametrize(
    ("ours", "reference", "floor", "error"),
    [
        (1.0, 1.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0),
        (1.01, 1.0, 0.0, 0.01),
        (-1.0, 1.0, 0.0, 2.0),
        (0.5, 0.0, 0.0, math.inf),
        (0.5, 0.0, 1.0, 0.5),
        (1.5, 1.0, 10.0, 0.05),
        (None, math.inf, 0.0, 0.0),
        (None, math.nan, 0.0, 0.0),
        (None, 1.0, 0.0, math.inf),
        (1.0, math.inf, 0.0, math.inf),
        (math.nan, 1.0, 0.0, math.inf),
        (math.inf, 1.0, 0.0, math.inf),
        (-math.inf, 0.0, 1.0, math.inf),
    ],
)
def test_errors_are_shares_of_the_reference(ours, reference, floor, error) -> None:
    assert relative_error(ours, reference, floor) == pytest.approx(error)


def test_imbalance_by_hand() -> None:
    members = ["a", "b", "a", "other"]
    assert naive_imbalance(members, {"a": 2, "b": 1}, 3.0) == 0
    assert naive_imbalance(members, {"a": 1, "b": 4}, 0.5) == 0.5 * (1 + 3)
    assert naive_imbalance(members, {"absent": 2}, 1.0) == 2


def test_the_tolerance_is_a_thousandth_of_a_per_cent() -> None:
    assert TOLERANCE == 0.001 / 100


@given(matrices())
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_the_product(pnl) -> None:
    series = legacy_metrics.by_strategy(pnl)
    figures = legacy_metrics.figures(series)
    ratio = legacy_metrics.ratio(figures.roi, figures.max_drawdown)
    for place, rows in enumerate(series.tolist()):
        found = naive_figures(rows)
        scale = math.fsum(map(abs, rows))
        for name in ("roi", "max_drawdown", "win_rate", "profit_factor", "expectancy"):
            theirs = float(getattr(figures, name)[place])
            assert close(getattr(found, name), theirs, scale), name
        if found.max_drawdown > 1e-3 or found.max_drawdown == 0:
            # between, either side of the border may round to the other branch
            spread = 100 * scale / max(found.max_drawdown, 1.0) * max(1.0, abs(found.ratio))
            assert close(found.ratio, float(ratio[place]), spread)


@given(matrices(fewest=2), st.sampled_from(METRICS), st.sampled_from([0.0, 1.0, 10.0]),
       st.sampled_from([0.0, 500.0]))  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_fitness_is_that_of_the_product(pnl, metric, weight, threshold) -> None:
    members = np.arange(pnl.shape[1])[np.newaxis]
    judged = LegacyFitness(metric, threshold, weight).evaluate(pnl, members)
    drawdown = float(judged.drawdown[0])
    if 0 < drawdown < 1e-3 or (threshold and abs(drawdown - threshold) < 1e-3):
        return  # on a border either branch is right

    found = naive_fitness(pnl.T.tolist(), metric, weight, threshold)

    scale = float(np.abs(pnl).sum()) / max(min(drawdown, 1.0), 1e-3) + weight
    assert close(found, float(judged.fitness[0]), scale)


@given(matrices(fewest=2, most=6))
@settings(max_examples=60, deadline=None)
def test_mean_correlations_are_those_of_the_product(pnl) -> None:
    members = np.arange(pnl.shape[1])[np.newaxis]
    judged = LegacyFitness().evaluate(pnl, members)

    assert judged.correlation is not None
    found = naive_mean_correlation(pnl.T.tolist())
    assert abs(found - float(judged.correlation[0])) <= CLOSE
