"""Simulated days shared by the tests of the simulator."""

from __future__ import annotations

import datetime as dt

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
