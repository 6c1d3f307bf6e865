"""Simulated days shared by the tests of the simulator."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.config.settings import MarketSettings, load_settings
from mr_platform.simulation.chain_day import DaySpec, SimulatedDay, simulate_day

SEED = 20250829


@pytest.fixture(scope="session")
def market() -> MarketSettings:
    return load_settings(home="unused", profile="local", environment={}).market


@pytest.fixture(scope="session")
def ordinary_day(market: MarketSettings) -> SimulatedDay:
    """NIFTY four days before an expiry."""
    return simulate_day(DaySpec("NIFTY", dt.date(2025, 8, 29), SEED, market))


@pytest.fixture(scope="session")
def expiry_day(market: MarketSettings) -> SimulatedDay:
    """NIFTY on the day of a weekly expiry."""
    return simulate_day(DaySpec("NIFTY", dt.date(2026, 8, 18), SEED, market))


@pytest.fixture(scope="session")
def monthlies_only_day(market: MarketSettings) -> SimulatedDay:
    """BANKNIFTY after its weekly contracts ended."""
    return simulate_day(DaySpec("BANKNIFTY", dt.date(2025, 8, 29), SEED, market))


@pytest.fixture(scope="session", params=["ordinary_day", "expiry_day", "monthlies_only_day"])
def any_day(request: pytest.FixtureRequest) -> SimulatedDay:
    day: SimulatedDay = request.getfixturevalue(request.param)
    return day


@pytest.fixture(scope="session")
def few_strikes(ordinary_day: SimulatedDay) -> SimulatedDay:
    """A few strikes of two expiries."""
    chain = ordinary_day.chain.filter(
        ((pl.col("strike") / 24500 - 1).abs() < 0.01) & (pl.col("dte") < 20)
    )
    return SimulatedDay(ordinary_day.key, chain, ordinary_day.regimes, ordinary_day.lot_size)
