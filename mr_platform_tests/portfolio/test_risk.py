"""The standard profile against worked figures, numpy and scipy, and what is not defined in it."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.risk import (
    LEGACY_PERIODS,
    RiskProfile,
    RiskSettings,
    capital_utilisation,
    periods_a_year,
    risk_profile,
)
from mr_platform_tests.portfolio.recorded import small_returns

HAND = np.array([[3.0, -1.0, 2.0, -2.0, 0.0, 4.0]])
FRACTION = RiskSettings(unit="fraction", periods_a_year=50.0)
IN_ROWS = ("mean", "deviation", "roi", "annual_return", "max_drawdown")
TAILS = ("var_95", "var_99", "cvar_95", "cvar_99", "normal_var_95", "normal_var_99")


def _dates(rows: int, step: int = 7) -> np.ndarray:
    return np.datetime64("2024-01-04") + step * np.arange(rows)


def _figures(profile: RiskProfile, place: int = 0) -> dict[str, float]:
    return {field.name: getattr(profile, field.name)[place] for field in fields(profile)}


def test_worked_by_hand() -> None:
    found = _figures(risk_profile(HAND, _dates(6), RiskSettings(periods_a_year=54.0)))
    deviation = math.sqrt((4 + 4 + 1 + 9 + 1 + 9) / 5)  # around a mean of 1
    expected = {
        "mean": 1.0,
        "deviation": deviation,
        "roi": 6.0,
        "annual_return": 54.0,
        "max_drawdown": 2.0,  # sums 3 2 4 2 2 6
        "sharpe": 1 / deviation * math.sqrt(54),
        "sortino": 1 / math.sqrt(5 / 6) * math.sqrt(54),  # over all six rows
        "calmar": 27.0,
        "var_95": -1.75,  # a quarter of the way from -2 to -1
        "var_99": -1.95,
        "cvar_95": -2.0,
        "cvar_99": -2.0,
        "normal_var_95": 1 - 1.6448536269514722 * deviation,
        "normal_var_99": 1 - 2.3263478740408408 * deviation,
        "periods_a_year": 54.0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-13)
    assert found["cvar_95_rests_on_one_row"]
    assert found["cvar_99_rests_on_one_row"]


def test_a_risk_free_rate_and_a_least_return_are_taken_off() -> None:
    rows = HAND / 100
    asked = RiskSettings(
        unit="fraction", periods_a_year=50.0, risk_free=0.02, minimum_acceptable=0.005
    )
    found = _figures(risk_profile(rows, _dates(6), asked))
    deviation = rows.std(ddof=1)
    assert found["sharpe"] == pytest.approx((0.01 - 0.02 / 50) / deviation * math.sqrt(50))
    downside = math.sqrt((0.015**2 + 0.025**2 + 0.005**2) / 6)
    assert found["sortino"] == pytest.approx((0.01 - 0.005) / downside * math.sqrt(50))


def test_rupees_with_capital_are_fractions() -> None:
    by_capital = RiskSettings(capital=200.0, risk_free=0.02, periods_a_year=50.0)
    by_hand = RiskSettings(unit="fraction", risk_free=0.02, periods_a_year=50.0)
    left = _figures(risk_profile(HAND, _dates(6), by_capital))
    right = _figures(risk_profile(HAND / 200, _dates(6), by_hand))
    assert left == pytest.approx(right, rel=1e-15)


def test_years_come_from_the_dates() -> None:
    dates = _dates(82)
    assert periods_a_year(dates) == pytest.approx(82 / (81 * 7 / 365.25))
    found = risk_profile(np.ones((3, 82)), dates)
    assert found.periods_a_year.tolist() == [periods_a_year(dates)] * 3
    legacy = risk_profile(HAND, _dates(6), RiskSettings(periods_a_year=LEGACY_PERIODS))
    assert legacy.annual_return.tolist() == [252.0]


def test_one_date_makes_no_year() -> None:
    zones = np.array(["2024-01-04"] * 6, dtype="datetime64[D]")
    assert math.isnan(periods_a_year(zones))
    assert math.isnan(periods_a_year(zones[:0]))
    found = _figures(risk_profile(HAND, zones))
    assert all(math.isnan(found[name]) for name in ("annual_return", "sharpe", "sortino", "calmar"))
    assert found["max_drawdown"] == 2.0


def test_what_is_not_defined_is_null_and_never_infinite() -> None:
    rows = np.array(
        [
            [1.0, 2.0, 3.0],  # no row below 0, no drawdown
            [-1.0, -2.0, -3.0],  # all losses
            [0.1, 0.1, 0.1],  # still, though its mean is rounded
            [0.0, 0.0, 0.0],
        ]
    )
    found = risk_profile(rows, _dates(3))
    assert np.isnan(found.sharpe).tolist() == [False, False, True, True]
    assert np.isnan(found.sortino).tolist() == [True, False, True, True]
    assert np.isnan(found.calmar).tolist() == [True, False, True, True]
    assert found.deviation[2:].tolist() == [0.0, 0.0]
    # the peak is the first sum: -1, not 0
    assert found.max_drawdown.tolist() == [0.0, 5.0, 0.0, 0.0]
    frame = found.frame()
    assert frame.columns == [field.name for field in fields(found)]
    assert frame["sortino"].null_count() == 3
    floats = frame.select(name for name in frame.columns if "rests" not in name)
    assert not any(series.is_nan().any() or series.is_infinite().any() for series in floats)


def test_a_single_row_has_no_deviation() -> None:
    found = risk_profile(np.array([[5.0], [-5.0]]), _dates(1))
    assert np.isnan(found.deviation).all()
    assert np.isnan(found.sharpe).all()
    assert np.isnan(found.normal_var_95).all()
    assert found.cvar_99.tolist() == found.var_99.tolist() == [5.0, -5.0]
    assert found.frame()["deviation"].null_count() == 2


@pytest.mark.parametrize("rows", [2, 20, 21, 41, 82, 100, 101, 201, 701, 1001])
def test_quantiles_are_those_of_numpy(rows: int) -> None:
    r = np.random.default_rng(rows).normal(1, 30, (4, rows))
    found = risk_profile(r, _dates(rows))
    assert found.var_95 == pytest.approx(np.quantile(r, 0.05, axis=1), rel=1e-12)
    assert found.var_99 == pytest.approx(np.quantile(r, 0.01, axis=1), rel=1e-12)
    for quantile, mean, single, share in (
        (found.var_95, found.cvar_95, found.cvar_95_rests_on_one_row, 20),
        (found.var_99, found.cvar_99, found.cvar_99_rests_on_one_row, 100),
    ):
        tail = (rows - 1) // share + 1  # a quantile that falls on a row takes that row in
        assert mean == pytest.approx(np.sort(r, axis=1)[:, :tail].mean(axis=1), rel=1e-12)
        assert single.tolist() == [tail == 1] * 4
        assert (mean <= quantile).all()


def test_rows_tied_with_the_quantile_all_count() -> None:
    rows = np.array([[-7.0, 1.0, -7.0, 2.0, -7.0, 3.0, 4.0, 5.0]])
    found = risk_profile(rows, _dates(8))
    assert found.var_95.tolist() == found.cvar_95.tolist() == [-7.0]
    assert not found.cvar_95_rests_on_one_row[0]


def test_equals_scipy_and_numpy() -> None:
    # scipy.stats takes seconds to import, and its quantile is that of numpy
    r = np.random.default_rng(3).normal(1, 30, (5, 82))
    found = risk_profile(r, _dates(82))
    expected = r.mean(axis=1) + ndtri(0.05) * r.std(axis=1, ddof=1)
    assert found.normal_var_95 == pytest.approx(expected, rel=1e-12)
    assert found.var_99 == pytest.approx(np.quantile(r, 0.01, axis=1), rel=1e-12)


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 50))
def test_scale_leaves_ratios_alone(factor: float, seed: int) -> None:
    r = np.random.default_rng(seed).normal(0.5, 2, (2, 30))
    plain = _figures(risk_profile(r, _dates(30)))
    scaled = _figures(risk_profile(r * factor, _dates(30)))
    for name in ("sharpe", "sortino", "calmar"):
        assert scaled[name] == pytest.approx(plain[name], rel=1e-9, abs=1e-12)
    for name in (*IN_ROWS, *TAILS):
        assert scaled[name] == pytest.approx(plain[name] * factor, rel=1e-9, abs=1e-9 * factor)


@given(order=st.permutations(range(20)))
def test_order_matters_to_drawdown_alone(order: list[int]) -> None:
    r = np.random.default_rng(1).normal(0.5, 2, (1, 20))
    plain = _figures(risk_profile(r, _dates(20)))
    mixed = _figures(risk_profile(r[:, order], _dates(20)))
    for name in set(plain) - {"max_drawdown", "calmar"}:
        assert mixed[name] == pytest.approx(plain[name], rel=1e-12), name


def test_a_portfolio_has_the_same_bits_alone_and_among_others() -> None:
    r = np.random.default_rng(2).normal(0.5, 2, (40, 83))
    together = risk_profile(r, _dates(83))
    for place in (0, 13, 39):
        alone = risk_profile(r[[place]], _dates(83))
        assert _figures(alone) == _figures(together, place)
    assert _figures(risk_profile(np.asfortranarray(r), _dates(83)), 7) == _figures(together, 7)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"risk_free": 0.02}, "cannot be taken from rupees"),
        ({"unit": "fraction", "capital": 1e6}, "fractions of the capital already"),
        ({"unit": "percent"}, "neither rupees nor fraction"),
        ({"capital": 0.0}, "positive"),
        ({"periods_a_year": -1.0}, "positive"),
        ({"minimum_acceptable": math.nan}, "finite"),
        ({"capital": math.inf}, "finite"),
    ],
)
def test_settings_that_measure_nothing_are_refused(wrong: dict, said: str) -> None:
    with pytest.raises(PortfolioError, match=said):
        RiskSettings(**wrong)


@pytest.mark.parametrize(
    ("rows", "dates"),
    [
        (HAND, _dates(5)),
        (HAND[0], _dates(6)),
        (HAND[:, :0], _dates(0)),
        (HAND * np.nan, _dates(6)),
        (HAND * 1e200, _dates(6)),
    ],
)
def test_rows_that_cannot_be_measured_are_refused(rows: np.ndarray, dates: np.ndarray) -> None:
    with pytest.raises(PortfolioError):
        risk_profile(rows, dates)


def test_utilisation_is_what_is_given_times_what_is_exposed() -> None:
    given_out = np.array([200.0, 300.0, 0.0])
    assert capital_utilisation(given_out, 1000.0) == 0.5
    # one row taken out by a filter, one halved in a transition, two whole
    exposure = np.array([1.0, 0.0, 0.5, 1.0])
    assert capital_utilisation(given_out, 1000.0, exposure) == 0.3125
    assert capital_utilisation(np.full(3, 1 / 3), 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("allocated", "capital", "exposure", "said"),
    [
        ([600.0, 500.0], 1000.0, None, "exceed the capital"),
        ([-1.0, 500.0], 1000.0, None, "not negative"),
        ([math.nan], 1000.0, None, "finite"),
        ([1.0], 0.0, None, "no positive amount"),
        ([1.0], 10.0, [1.0, 1.5], "in \\[0, 1\\]"),
        ([1.0], 10.0, [math.nan], "in \\[0, 1\\]"),
        ([1.0], 10.0, [], "one a row"),
    ],
)
def test_allocations_that_are_none_are_refused(
    allocated: list, capital: float, exposure: list | None, said: str
) -> None:
    rows = None if exposure is None else np.array(exposure)
    with pytest.raises(PortfolioError, match=said):
        capital_utilisation(np.array(allocated), capital, rows)


@pytest.mark.real_data
def test_real_strategies(real_data: Path) -> None:
    returns = small_returns(real_data / "strategies")
    found = risk_profile(returns.pnl.T, returns.dates)
    assert found.periods_a_year[0] == pytest.approx(53.1, abs=0.05)
    assert found.cvar_99_rests_on_one_row.sum() > 2400  # others tie at their worst row
    single = found.cvar_99_rests_on_one_row
    assert found.cvar_99[single].tolist() == returns.pnl.min(axis=0)[single].tolist()
    assert (found.cvar_99 <= found.var_99).all()
    assert (found.var_99 <= found.var_95).all()
    assert np.isfinite(found.sharpe).all()
    frame = found.frame()
    assert frame.height == 2500
