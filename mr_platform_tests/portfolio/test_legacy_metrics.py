"""Legacy figures of series by hand, and laws that hold of any series."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.legacy_metrics import SeriesFigures, figures
from mr_platform.portfolio.returns import PortfolioError

FIGURES = tuple(field.name for field in fields(SeriesFigures))
# whole numbers: ties and constants are frequent, and no sum is rounded
SERIES = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 20)),
    elements=st.integers(-9, 9).map(float),
)


def of(*rows: float) -> dict[str, float]:
    found = figures(np.array([rows], dtype=float))
    return {name: float(getattr(found, name)[0]) for name in FIGURES}


def by_loops(rows: list[float]) -> dict[str, float]:
    """The record's report of one series, written as a person would work it out."""
    equity, peak, deepest = 0.0, -math.inf, 0.0
    for row in rows:
        equity += row
        peak = max(peak, equity)
        deepest = max(deepest, peak - equity)
    gains = [row for row in rows if row > 0]
    losses = [-row for row in rows if row < 0]
    wins = len(gains) / len(rows)
    annual = equity * 252 / len(rows)
    return {
        "roi": equity,
        "max_drawdown": deepest,
        "win_rate": wins,
        "profit_factor": sum(gains) / sum(losses) if losses else math.inf,
        "expectancy": wins * mean(gains) - (1 - wins) * mean(losses),
        "annual_return": annual,
        "sharpe": over(annual, deviation(rows)) if len(set(rows)) > 1 else 0.0,
        "sortino": over(annual, deviation(losses)) if losses else 0.0,
    }


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def deviation(values: list[float]) -> float:
    if len(set(values)) == 1:
        return 0.0
    return math.sqrt(mean([(value - mean(values)) ** 2 for value in values]))


def over(annual: float, spread: float) -> float:
    if spread:
        return annual / (spread * math.sqrt(252))
    return math.copysign(math.inf, annual) if annual else math.nan


def test_every_figure_by_hand() -> None:
    found = of(10.0, -4.0, 0.0, 6.0, -2.0)
    assert found["roi"] == 10
    assert found["max_drawdown"] == 4
    assert found["win_rate"] == 0.4
    assert found["profit_factor"] == 16 / 6
    # the row of 0 is no win, yet not among the losses: not 10 / 5
    assert found["expectancy"] == pytest.approx(0.4 * 8 - 0.6 * 3, rel=1e-15)
    assert found["annual_return"] == 504
    assert found["sharpe"] == pytest.approx(504 / math.sqrt(27.2 * 252), rel=1e-15)
    assert found["sortino"] == pytest.approx(504 / math.sqrt(1.0 * 252), rel=1e-15)


def test_peak_starts_at_the_first_row() -> None:
    assert of(-5.0, 1.0, -2.0)["max_drawdown"] == 2
    assert of(-5.0)["max_drawdown"] == 0


def test_series_without_losses() -> None:
    found = of(1.0, 2.0)
    assert found["profit_factor"] == math.inf
    assert found["sortino"] == 0
    assert of(0.0, 0.0)["profit_factor"] == math.inf  # so the legacy program reports nothing at all


@pytest.mark.parametrize(
    ("rows", "sortino"), [((5.0, -1.0), math.inf), ((0.5, -1.0, -1.0), -math.inf)]
)
def test_losses_that_are_equal_have_no_deviation(rows: tuple, sortino: float) -> None:
    assert of(*rows)["sortino"] == sortino


def test_equal_losses_and_no_return_have_no_sortino() -> None:
    assert math.isnan(of(1.0, -1.0)["sortino"])


def test_rounding_of_a_mean_is_no_deviation() -> None:
    assert np.std(np.full(82, 0.1)) > 0  # what the legacy program would divide by
    assert of(*[0.1] * 82)["sharpe"] == 0
    assert of(*[0.7] * 41, *[-0.1] * 41)["sortino"] == math.inf


def test_reports_and_fitness_differ_in_profit_factors() -> None:
    gains, losses = np.array([4.0, 4.0, 4.0, 0.0]), np.array([2.0, 1e-7, 0.0, 0.0])
    assert legacy_metrics.profit_factor(gains, losses).tolist() == [2.0, 4e7, math.inf, math.inf]
    assert legacy_metrics.bounded_profit_factor(gains, losses).tolist() == [2.0, 1.0, 1.0, 0.0]


def test_ratio_by_hand() -> None:
    roi = np.array([6.0, 6.0, -6.0, 0.0, 6.0, -6.0])
    deepest = np.array([2.0, 0.0, 0.0, 0.0, 1e-6, 3.0])
    assert legacy_metrics.ratio(roi, deepest).tolist() == [3.0, 600.0, -60.0, 0.0, 600.0, -2.0]


def test_rows_of_a_portfolio_are_means_of_its_members() -> None:
    pnl = np.array([[1.0, 2.0, 6.0], [4.0, 0.0, 2.0]])
    series = legacy_metrics.portfolio_series(
        legacy_metrics.by_strategy(pnl), np.array([[0, 1, 2], [0, 1, 1]])
    )
    assert series.tolist() == [[3.0, 2.0], [5 / 3, 4 / 3]]


def test_parts_cover_everything_once() -> None:
    assert legacy_metrics.parts(5, 10, 20) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert legacy_metrics.parts(2, 100, 20) == [slice(0, 1), slice(1, 2)]
    assert legacy_metrics.parts(0, 100, 20) == []


def test_more_series_than_one_part_holds() -> None:
    rng = np.random.default_rng(3)
    series = rng.normal(size=(3_000, 400))
    assert series.nbytes > 2 * legacy_metrics.SERIES_BYTES
    whole = figures(series)
    for place in (0, 1_309, 1_310, 1_311, 2_999):
        alone = figures(series[place : place + 1])
        for name in FIGURES:
            assert getattr(alone, name)[0] == getattr(whole, name)[place], (name, place)


@pytest.mark.parametrize("shape", [(3,), (2, 0)])
def test_series_without_rows(shape: tuple) -> None:
    with pytest.raises(PortfolioError, match="hold no rows"):
        figures(np.zeros(shape))


@pytest.mark.parametrize(
    "pnl", [np.zeros(3), np.zeros((0, 2)), np.array([[np.inf]]), np.array([[np.nan]])], ids=str
)
def test_returns_that_have_no_figures(pnl: np.ndarray) -> None:
    with pytest.raises(PortfolioError, match="returns"):
        legacy_metrics.by_strategy(pnl)


@given(SERIES)
@settings(max_examples=60, deadline=None)
def test_figures_are_those_worked_out_by_loops(series: np.ndarray) -> None:
    assert_worked_out(series)


@pytest.mark.slow
@given(SERIES)
@settings(max_examples=500, deadline=None)
def test_figures_of_many_series_are_those_worked_out_by_loops(series: np.ndarray) -> None:
    assert_worked_out(series)


def assert_worked_out(series: np.ndarray) -> None:
    found = figures(series)
    for place, rows in enumerate(series.tolist()):
        for name, wanted in by_loops(rows).items():
            value = getattr(found, name)[place]
            assert value == pytest.approx(wanted, rel=1e-12, abs=1e-12, nan_ok=True), (name, rows)


@given(SERIES, st.sampled_from([0.125, 8.0]))
@settings(max_examples=60, deadline=None)
def test_scaling_scales_money_and_leaves_rates_alone(series: np.ndarray, scale: float) -> None:
    plain, scaled = figures(series), figures(series * scale)
    money = {"roi", "max_drawdown", "expectancy", "annual_return"}
    for name in FIGURES:
        factor = scale if name in money else 1.0
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name) * factor, nan_ok=True)


@given(SERIES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_matters_to_drawdown_alone(series: np.ndarray, random) -> None:
    order = list(range(series.shape[1]))
    random.shuffle(order)
    plain, shuffled = figures(series), figures(series[:, order])
    for name in set(FIGURES) - {"max_drawdown"}:
        assert getattr(shuffled, name) == pytest.approx(getattr(plain, name), nan_ok=True), name
