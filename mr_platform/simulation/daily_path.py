"""Closes and volatility level of every day from a fixed epoch: what connects the days.

Here: the daily path of each symbol, its overnight gap, its volatility level.
Not here: what happens inside a session (``spot_path.py``).

The whole path is drawn from one stream and is cheap (a few thousand numbers), so any single day
finds its previous close without any other day being simulated.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mr_platform.errors import CalendarError
from mr_platform.simulation.market_anchors import (
    MARKET_VOLATILITY,
    interpolated,
    profile_of,
)
from mr_platform.simulation.random_streams import Floats, autoregressive, stream
from mr_platform.trading_calendar import is_trading_day, previous_trading_day, why_closed

EPOCH = dt.date(2017, 6, 1)
_DAYS = 7_500  # calendar days from the epoch, past every date of the trading calendar
_LEVEL_PERSISTENCE = 0.97
_VOLATILITY_PERSISTENCE = 0.96
_VOLATILITY_STEP = 0.030
_LEVERAGE = -0.6
_WEEKEND_VARIANCE = 0.15
# implied volatility is dearer than what follows; share of it that the daily path moves
_REALISED_SHARE = 0.85
_OVERNIGHT_SHARE = 0.36
_TRADING_DAYS_A_YEAR = 252.0
_TICK = 0.05


@dataclass(frozen=True)
class DayFrame:
    """What a session starts from and where it ends.

    Attributes:
        date: Session.
        previous_close: Index close of the trading day before, index points.
        opening: First print of the session.
        close: Close of the session.
        volatility: Implied volatility over thirty days, annual decimal.
        daily_volatility: Expected standard deviation of a day's log return.
    """

    date: dt.date
    previous_close: float
    opening: float
    close: float
    volatility: float
    daily_volatility: float


def to_tick(prices: Floats) -> Floats:
    """Prices rounded to the exchange's tick of 0.05."""
    return np.round(np.round(prices / _TICK) * _TICK, 2)


@lru_cache(maxsize=16)
def _path(seed: int, symbol: str) -> tuple[Floats, Floats]:
    """Close and thirty-day volatility of a symbol for every calendar day from the epoch."""
    profile = profile_of(symbol)
    ordinals = EPOCH.toordinal() + np.arange(_DAYS, dtype=np.int64)
    # ordinal 1 was a Monday: remainders 6 and 0 are Saturday and Sunday
    weight = np.where(np.isin(ordinals % 7, (6, 0)), np.sqrt(_WEEKEND_VARIANCE), 1.0)
    market = stream(seed, "daily market").standard_normal((2, _DAYS))
    own = stream(seed, "daily", symbol).standard_normal((2, _DAYS))
    loading = profile.market_loading
    shock = loading * market[0] + np.sqrt(1.0 - loading**2) * own[0]
    swing = _LEVERAGE * market[0] + np.sqrt(1.0 - _LEVERAGE**2) * (0.9 * market[1] + 0.44 * own[1])
    volatility = (
        interpolated(MARKET_VOLATILITY, ordinals)
        * profile.volatility_ratio
        * np.exp(autoregressive(_VOLATILITY_STEP * weight * swing, _VOLATILITY_PERSISTENCE))
    )
    step = _REALISED_SHARE * volatility / np.sqrt(_TRADING_DAYS_A_YEAR)
    drift = autoregressive(step * weight * shock, _LEVEL_PERSISTENCE)
    closes = to_tick(interpolated(profile.levels, ordinals) * np.exp(drift))
    return closes, volatility


def close_on(seed: int, symbol: str, day: dt.date) -> float:
    """Close of an index on a calendar day, index points."""
    return float(_path(seed, symbol)[0][(day - EPOCH).days])


def volatility_on(seed: int, symbol: str, day: dt.date) -> float:
    """Thirty-day implied volatility of an index at the close of a calendar day, decimal."""
    return float(_path(seed, symbol)[1][(day - EPOCH).days])


def day_frame(seed: int, symbol: str, day: dt.date) -> DayFrame:
    """Previous close, opening and close of one session.

    The overnight part is drawn from the bridge between the two closes.

    Raises:
        CalendarError: The day does not trade, or the day before lies outside the calendar.
        SettingsError: The symbol has no profile.
    """
    if not is_trading_day(day):
        raise CalendarError(
            f"{day} is no trading day ({why_closed(day)})",
            next_step="Simulate a day of the trading calendar",
        )
    before = previous_trading_day(day)
    previous, close = close_on(seed, symbol, before), close_on(seed, symbol, day)
    volatility = volatility_on(seed, symbol, before)
    step = _REALISED_SHARE * volatility / np.sqrt(_TRADING_DAYS_A_YEAR)
    loading = profile_of(symbol).market_loading
    draw = (
        loading * stream(seed, "gap market", day).standard_normal()
        + np.sqrt(1.0 - loading**2) * stream(seed, "gap", symbol, day).standard_normal()
    )
    spread = step * np.sqrt(_OVERNIGHT_SHARE * (1.0 - _OVERNIGHT_SHARE))
    gap = _OVERNIGHT_SHARE * np.log(close / previous) + spread * draw
    opening = float(to_tick(np.asarray(previous * np.exp(gap))))
    return DayFrame(day, previous, opening, close, volatility, float(step))
