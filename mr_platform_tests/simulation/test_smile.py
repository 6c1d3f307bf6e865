"""The surface under the quotes: no butterfly, no calendar arbitrage, moves with spot and regime."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from mr_platform.chain.pricing import option_price
from mr_platform.config.settings import MarketSettings
from mr_platform.simulation.chain_day import DaySpec, DayState, day_state
from mr_platform.simulation.smile import business_years, calendar_years, surface

MINUTES = np.array([0, 1, 44, 100, 187, 250, 331, 369, 373, 374])
CASES = [
    ("NIFTY", dt.date(2025, 8, 29)),
    ("NIFTY", dt.date(2026, 8, 18)),
    ("BANKNIFTY", dt.date(2024, 10, 30)),
    ("NIFTY", dt.date(2020, 3, 24)),
    ("BANKNIFTY", dt.date(2019, 6, 10)),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]} {case[1]}")
def state(request: pytest.FixtureRequest, market: MarketSettings) -> DayState:
    symbol, date = request.param
    return day_state(DaySpec(symbol, date, 5, market, expiries=6))


def test_calls_fall_and_bend_upwards_in_strike(state: DayState) -> None:
    for number, strikes in enumerate(state.listing.strikes):
        grid = np.linspace(strikes[0], strikes[-1], 400)
        forward = np.broadcast_to(state.forwards[MINUTES, number, None], (len(MINUTES), 400))
        years = np.broadcast_to(state.surface.years[MINUTES, number, None], forward.shape)
        moneyness = np.log(grid / state.forwards[:, number, None])
        variance = state.surface.total_variance(number, moneyness)[MINUTES]
        calls = option_price(
            np.ascontiguousarray(forward),
            np.ascontiguousarray(np.broadcast_to(grid, forward.shape)),
            np.ascontiguousarray(years),
            0.0,
            np.sqrt(variance / years),
            is_call=np.full(forward.shape, True),
        )
        slopes = np.diff(calls, axis=1) / np.diff(grid)
        tolerance = 1e-9 * state.forwards.max()
        assert slopes.max() <= tolerance
        assert slopes.min() >= -1.0 - tolerance
        assert np.diff(slopes, axis=1).min() >= -tolerance


def test_total_variance_rises_with_expiry_at_every_moneyness(state: DayState) -> None:
    moneyness = np.broadcast_to(np.linspace(-0.4, 0.4, 161), (375, 161))
    count = len(state.listing.expiries)
    stacked = np.stack([state.surface.total_variance(e, moneyness) for e in range(count)])
    assert count >= 4
    assert np.diff(stacked, axis=0).min() >= -1e-12


def test_the_parameters_keep_the_published_conditions(state: DayState) -> None:
    found = state.surface
    slack = 1.0 + np.abs(found.correlation)
    assert (found.curvature * slack).max() < 4.0
    assert (found.curvature**2 / found.theta * slack).max() <= 4.0
    assert np.diff(found.theta, axis=1).min() > 0.0
    assert np.diff(found.curvature / found.theta, axis=1).max() <= 1e-9


def test_volatility_rises_when_spot_falls(market: MarketSettings) -> None:
    spec = DaySpec("NIFTY", dt.date(2025, 8, 29), 5, market)
    state = day_state(spec)
    fallen = replace(state.path, close=state.path.close * 0.98)
    expiries = state.listing.expiries
    again = surface(5, "NIFTY", state.frame, state.path, state.regimes, expiries)
    lower = surface(5, "NIFTY", state.frame, fallen, state.regimes, expiries)
    assert np.array_equal(again.theta, state.surface.theta)
    assert (lower.theta[:, 0] > 1.1 * again.theta[:, 0]).all()


def test_regimes_shift_short_volatility_more_than_long(market: MarketSettings) -> None:
    state = day_state(DaySpec("NIFTY", dt.date(2025, 8, 29), 5, market))
    shifted = replace(state.regimes, volatility_shift=state.regimes.volatility_shift + 0.1)
    moved = surface(5, "NIFTY", state.frame, state.path, shifted, state.listing.expiries)
    ratio = np.sqrt(moved.theta / state.surface.theta)
    assert (ratio[:, 0] > ratio[:, -1]).all()
    assert (ratio[:, -1] > 1.0).all()


def test_time_runs_to_half_past_three_and_never_out() -> None:
    day = dt.date(2026, 8, 18)
    years = calendar_years(day, (day, dt.date(2026, 8, 25)))
    assert years[0, 0] == 374 / 525_600
    assert years[-1, 0] == 5 / 525_600
    assert years[0, 1] == (374 + 7 * 1440) / 525_600
    beyond = business_years(dt.date(2026, 12, 30), (dt.date(2027, 1, 5),))
    # Thursday 31st, Friday 1st, Monday 4th, Tuesday 5th
    assert beyond[-1, 0] == pytest.approx((4 + 0.72 * 5 / 375) / 252)
