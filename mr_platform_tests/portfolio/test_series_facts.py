"""Curves and figures of one series, and in what they are measured."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.series_facts import FactSettings, series_facts, universe_facts
from mr_platform_tests.portfolio.found_portfolios import drawn, lone_report, weekly


@pytest.mark.parametrize(
    "settings",
    [
        {"unit": "dollars"},
        {"capital": 0.0},
        {"capital": float("inf")},
        {"kelly_cap": 1.5},
        {"risk_free": 0.02},
        {"periods_a_year": -1.0},
    ],
)
def test_settings_that_nothing_can_be_measured_in_are_refused(settings: dict) -> None:
    with pytest.raises(PortfolioError):
        FactSettings(**settings)


def test_curves_and_figures_of_a_series_by_hand() -> None:
    returns = weekly(np.array([[10.0], [-4.0], [-3.0], [9.0], [-1.0]]))
    facts = series_facts(returns.pnl[:, 0], returns.dates, FactSettings())
    assert facts.equity.tolist() == [10, 6, 3, 12, 11]
    assert facts.fall.tolist() == [0, 4, 7, 0, 1]
    assert (facts.peak, facts.trough) == (0, 2)
    assert facts.legacy["roi"] == 11
    assert facts.legacy["max_drawdown"] == 7
    assert facts.legacy["ratio"] == 11 / 7
    assert facts.legacy["win_rate"] == 0.4
    assert facts.standard["max_drawdown"] == 7
    assert facts.standard["periods_a_year"] == pytest.approx(5 / (28 / 365.25))


def test_without_a_fall_peak_and_trough_are_one_row() -> None:
    facts = lone_report(np.array([[1.0], [2.0]])).best.series
    assert (facts.peak, facts.trough) == (0, 0)
    assert facts.legacy["ratio"] == 300


@pytest.mark.parametrize(
    ("settings", "unit"),
    [({}, "rupees"), ({"capital": 10.0}, "fraction"), ({"unit": "percent"}, "fraction")],
)
def test_the_unit_of_risk(settings: dict, unit: str) -> None:
    assert FactSettings(**settings).risk_unit == unit


@pytest.mark.parametrize(
    ("pnl_unit", "capital", "free", "one"),
    [
        ("rupees", None, 0.0, 1.0),
        ("rupees", 2e5, 0.065, 2e5),
        ("percent", None, 0.065, 100.0),
        ("percent", 2e5, 0.065, 100.0),
    ],
)
def test_a_risk_free_rate_is_taken_from_fractions_of_a_capital_alone(
    pnl_unit: str, capital: float | None, free: float, one: float
) -> None:
    settings = FactSettings.of_book(pnl_unit, 0.1, capital=capital, risk_free=0.065)

    assert settings == FactSettings(pnl_unit, capital, free, 0.1)
    assert settings.measured_as_one == one


def test_the_universe_is_the_mean_of_all() -> None:
    returns = drawn()
    np.testing.assert_allclose(
        universe_facts(returns).rows, returns.pnl.mean(axis=1), rtol=1e-12, atol=1e-12
    )


def test_returns_without_rows_or_strategies_have_no_mean() -> None:
    for shape in ((0, 3), (3, 0)):
        empty = StrategyReturns(
            np.empty(shape),
            ("a", "b", "c")[: shape[1]],
            np.datetime64("2024-01-01") + np.arange(shape[0]),
        )
        with pytest.raises(PortfolioError):
            universe_facts(empty)
