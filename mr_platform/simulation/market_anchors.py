"""Declared levels the simulated market lives near: index, volatility, activity by date.

Here: anchor tables and their interpolation, per symbol.
Not here: random movement around them (``daily_path.py``), lot sizes and strike steps (settings).

The tables give a simulated date the look of its year (NIFTY near 11,800 in mid 2019 and 24,500 in
August 2025); they are rounded month-end levels, not quotes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mr_platform.errors import SettingsError
from mr_platform.simulation.random_streams import Floats, Integers

Anchors = Sequence[tuple[dt.date, float]]


@dataclass(frozen=True)
class SymbolProfile:
    """What tells one index from another.

    Attributes:
        levels: Index level by date.
        volatility_ratio: Its volatility over the market's.
        market_loading: Correlation of its returns with the market factor.
        volume_units: Units a day traded in each leg of a front expiry, at activity 1.
        open_interest_units: Units of open interest of each leg of a front expiry, at activity 1.
    """

    levels: Anchors
    volatility_ratio: float
    market_loading: float
    volume_units: float
    open_interest_units: float


PROFILES: dict[str, SymbolProfile] = {
    "NIFTY": SymbolProfile(
        levels=(
            (dt.date(2018, 1, 1), 10_500.0),
            (dt.date(2018, 8, 28), 11_700.0),
            (dt.date(2018, 10, 26), 10_100.0),
            (dt.date(2019, 6, 15), 11_850.0),
            (dt.date(2019, 8, 27), 11_050.0),
            (dt.date(2020, 1, 15), 12_300.0),
            (dt.date(2020, 3, 24), 7_900.0),
            (dt.date(2020, 11, 10), 12_600.0),
            (dt.date(2021, 10, 18), 18_400.0),
            (dt.date(2022, 6, 17), 15_300.0),
            (dt.date(2022, 12, 1), 18_800.0),
            (dt.date(2023, 3, 20), 17_000.0),
            (dt.date(2023, 9, 15), 20_150.0),
            (dt.date(2024, 9, 26), 26_100.0),
            (dt.date(2025, 3, 4), 22_100.0),
            (dt.date(2025, 8, 29), 24_500.0),
            (dt.date(2026, 2, 3), 25_700.0),
            (dt.date(2026, 8, 17), 24_300.0),
        ),
        volatility_ratio=1.0,
        market_loading=0.965,
        volume_units=4.0e9,
        open_interest_units=2.6e8,
    ),
    "BANKNIFTY": SymbolProfile(
        levels=(
            (dt.date(2018, 1, 1), 25_400.0),
            (dt.date(2018, 8, 28), 28_300.0),
            (dt.date(2018, 10, 26), 24_500.0),
            (dt.date(2019, 6, 15), 31_000.0),
            (dt.date(2019, 8, 27), 28_000.0),
            (dt.date(2020, 1, 15), 32_000.0),
            (dt.date(2020, 3, 24), 17_100.0),
            (dt.date(2020, 11, 10), 28_500.0),
            (dt.date(2021, 10, 18), 40_000.0),
            (dt.date(2022, 6, 17), 32_800.0),
            (dt.date(2022, 12, 1), 43_200.0),
            (dt.date(2023, 3, 20), 39_400.0),
            (dt.date(2023, 9, 15), 46_000.0),
            (dt.date(2024, 9, 26), 54_200.0),
            (dt.date(2025, 3, 4), 48_300.0),
            (dt.date(2025, 8, 29), 53_900.0),
            (dt.date(2026, 2, 3), 60_100.0),
            (dt.date(2026, 8, 17), 57_500.0),
        ),
        volatility_ratio=1.17,
        market_loading=0.95,
        volume_units=2.5e9,
        open_interest_units=1.0e8,
    ),
}

# implied volatility of the market over thirty days, decimal
MARKET_VOLATILITY: Anchors = (
    (dt.date(2018, 1, 1), 0.125),
    (dt.date(2018, 10, 26), 0.185),
    (dt.date(2019, 4, 15), 0.165),
    (dt.date(2019, 6, 15), 0.135),
    (dt.date(2019, 8, 27), 0.155),
    (dt.date(2020, 1, 31), 0.135),
    (dt.date(2020, 3, 24), 0.620),
    (dt.date(2020, 6, 15), 0.300),
    (dt.date(2020, 12, 1), 0.195),
    (dt.date(2021, 9, 1), 0.140),
    (dt.date(2022, 3, 1), 0.230),
    (dt.date(2022, 9, 1), 0.180),
    (dt.date(2023, 9, 1), 0.110),
    (dt.date(2024, 2, 1), 0.140),
    (dt.date(2024, 6, 4), 0.185),
    (dt.date(2024, 9, 1), 0.130),
    (dt.date(2025, 4, 7), 0.165),
    (dt.date(2025, 8, 29), 0.108),
    (dt.date(2026, 2, 3), 0.122),
    (dt.date(2026, 8, 17), 0.103),
)

# traded and open quantity relative to August 2025
ACTIVITY: Anchors = (
    (dt.date(2018, 1, 1), 0.04),
    (dt.date(2019, 6, 15), 0.08),
    (dt.date(2021, 1, 1), 0.25),
    (dt.date(2023, 1, 1), 0.70),
    (dt.date(2024, 9, 1), 1.20),
    (dt.date(2025, 8, 29), 1.00),
)


def profile_of(symbol: str) -> SymbolProfile:
    """Profile of a symbol.

    Raises:
        SettingsError: No profile is declared for it.
    """
    if symbol not in PROFILES:
        raise SettingsError(
            f"the simulator has no level for {symbol}",
            place="simulation/market_anchors.py",
            next_step=f"Use one of {', '.join(PROFILES)}",
        )
    return PROFILES[symbol]


def interpolated(anchors: Anchors, ordinals: Integers) -> Floats:
    """Anchor values at days, linear in the logarithm, flat beyond the ends.

    Args:
        anchors: (date, positive value), ascending by date.
        ordinals: Proleptic Gregorian ordinals of the days.

    Returns:
        Value per day.
    """
    known = [day.toordinal() for day, _ in anchors]
    logs = np.log([value for _, value in anchors])
    values: Floats = np.exp(np.interp(ordinals, known, logs))
    return values
