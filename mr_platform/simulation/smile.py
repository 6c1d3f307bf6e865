"""Implied-volatility surface of a minute, free of arbitrage by construction.

Here: total variance by strike and expiry (extended SSVI), its term structure in business time,
and the conditions that exclude butterfly and calendar arbitrage.
Not here: noise of quotes (``option_quotes.py``).

Slices are w(k) = θ/2 · (1 + ρφk + √((φk + ρ)² + 1 − ρ²)), φ = ψ/θ, with a correlation ρ per expiry
(Hendriks and Martini, The extended SSVI volatility surface, 2019). Sufficient against butterflies:
ψ(1+|ρ|) < 4 and ψφ(1+|ρ|) ≤ 4 (Gatheral and Jacquier, 2014). Sufficient against calendar spreads:
θ and ψ(1±ρ) not falling and φ not rising with maturity.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mr_platform.simulation.daily_path import DayFrame
from mr_platform.simulation.random_streams import Floats, autoregressive, stream
from mr_platform.simulation.regimes import RegimePath
from mr_platform.simulation.spot_path import SpotPath
from mr_platform.trading_calendar import CALENDAR_LAST, SESSION_MINUTES, trading_days

MINUTES_A_YEAR = 525_600.0
_DAY_MINUTES = 1_440.0
_SHORTEST_MINUTES = 5.0
_BUSINESS_DAYS_A_YEAR = 252.0
_SESSION_VARIANCE = 0.72  # of a business day; the rest passes overnight
_REVERSION_DAYS = 15.0  # short variance returns to the long one
_LONG_PREMIUM = 1.08  # long-dated volatility over that of thirty days
_LEVERAGE = 5.0  # fall of log volatility for a unit of log return
_BUTTERFLY_LIMIT = 3.9
_CURVATURE = 0.0126
_CURVATURE_DAYS = 10.0
_CURVATURE_POWER = 0.45
_REFERENCE_VOLATILITY = 0.105
_NEAR_SKEW, _FAR_SKEW, _SKEW_DAYS = -0.18, -0.15, 20.0


@dataclass(frozen=True)
class Surface:
    """Parameters of the surface; every array has shape (minutes, expiries).

    Attributes:
        theta: Total variance at the forward.
        correlation: ρ, negative where puts are richer.
        curvature: ψ = θφ.
        years: Calendar time to expiry from the end of the bar, years of 365 days.
    """

    theta: Floats
    correlation: Floats
    curvature: Floats
    years: Floats

    def total_variance(self, expiry: int, log_moneyness: Floats) -> Floats:
        """Total variance of one expiry.

        Args:
            expiry: Index of the expiry.
            log_moneyness: ln(strike / forward), shape (minutes, strikes).

        Returns:
            w = σ²T, same shape.
        """
        theta = self.theta[:, expiry, None]
        rho = self.correlation[:, expiry, None]
        scaled = self.curvature[:, expiry, None] / theta * log_moneyness
        root = np.sqrt((scaled + rho) ** 2 + 1.0 - rho**2)
        variance: Floats = 0.5 * theta * (1.0 + rho * scaled + root)
        return variance


def calendar_years(day: dt.date, expiries: tuple[dt.date, ...]) -> Floats:
    """Calendar years from the end of each bar to 15:30 on each expiry, at least five minutes."""
    left = (SESSION_MINUTES - 1.0) - np.arange(SESSION_MINUTES)
    whole = np.array([(expiry - day).days * _DAY_MINUTES for expiry in expiries])
    years: Floats = np.maximum(left[:, None] + whole, _SHORTEST_MINUTES) / MINUTES_A_YEAR
    return years


@lru_cache(maxsize=4096)
def _sessions_after(day: dt.date, expiry: dt.date) -> int:
    """Trading days after a day up to an expiry; weekdays beyond the calendar's end."""
    known = min(expiry, CALENDAR_LAST)
    count = len(trading_days(day, known)) - 1 if known > day else 0
    if expiry > CALENDAR_LAST:
        beyond = CALENDAR_LAST + dt.timedelta(days=1)
        count += int(np.busday_count(beyond, expiry + dt.timedelta(days=1)))
    return count


def business_years(day: dt.date, expiries: tuple[dt.date, ...]) -> Floats:
    """Time to expiry in which variance accrues: sessions weigh more than nights and weekends."""
    left = np.maximum((SESSION_MINUTES - 1.0) - np.arange(SESSION_MINUTES), _SHORTEST_MINUTES)
    today = _SESSION_VARIANCE * left / SESSION_MINUTES
    later = np.array([float(_sessions_after(day, expiry)) for expiry in expiries])
    years: Floats = (today[:, None] + later) / _BUSINESS_DAYS_A_YEAR
    return years


def surface(
    seed: int,
    symbol: str,
    frame: DayFrame,
    path: SpotPath,
    regimes: RegimePath,
    expiries: tuple[dt.date, ...],
) -> Surface:
    """Surface of every minute of a session.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        frame: The day.
        path: Its index path, which moves volatility (leverage).
        regimes: Its regime path, which shifts volatility and skew.
        expiries: Expiries in ascending order, none before the day.

    Returns:
        Parameters that satisfy the conditions above at every minute.
    """
    random = stream(seed, "surface", symbol, frame.date)
    term, skew_day, bend = (
        random.standard_normal(3) + stream(seed, "surface market", frame.date).standard_normal(3)
    ) / np.sqrt(2.0)
    ahead = np.array([(expiry - frame.date).days for expiry in expiries], dtype=np.float64)
    moved = np.log(path.close / frame.previous_close)
    shift = (
        0.09 * term
        + regimes.volatility_shift
        - _LEVERAGE * moved
        + autoregressive(0.004 * random.standard_normal(SESSION_MINUTES), 0.97)
    )
    short = (frame.volatility * np.exp(np.clip(shift, -0.5, 0.7))) ** 2
    long = (frame.volatility * _LONG_PREMIUM) ** 2
    time = business_years(frame.date, expiries)
    speed = _BUSINESS_DAYS_A_YEAR / _REVERSION_DAYS
    theta = long * time + (short[:, None] - long) * (1.0 - np.exp(-speed * time)) / speed
    level = _NEAR_SKEW + _FAR_SKEW * (1.0 - np.exp(-ahead / _SKEW_DAYS))
    skew = 0.03 * skew_day + regimes.skew_shift
    correlation = np.clip(level + skew[:, None], -0.7, 0.2)
    curvature = (
        _CURVATURE
        * (1.0 + ahead / _CURVATURE_DAYS) ** _CURVATURE_POWER
        * (frame.volatility / _REFERENCE_VOLATILITY)
        * np.exp(0.06 * bend)
    )
    years = calendar_years(frame.date, expiries)
    return _without_arbitrage(
        theta, correlation, np.broadcast_to(curvature, theta.shape).copy(), years
    )


def _without_arbitrage(
    theta: Floats, correlation: Floats, curvature: Floats, years: Floats
) -> Surface:
    """Raise later slices where a condition fails; a loop over the few expiries."""
    slack = 1.0 + np.abs(correlation)
    curvature = np.minimum(curvature, np.sqrt(_BUTTERFLY_LIMIT * theta / slack))
    for later in range(1, theta.shape[1]):
        before = later - 1
        wings = np.maximum(
            (1.0 + correlation[:, before]) / (1.0 + correlation[:, later]),
            (1.0 - correlation[:, before]) / (1.0 - correlation[:, later]),
        )
        curvature[:, later] = np.maximum(
            curvature[:, later], curvature[:, before] * np.maximum(wings, 1.0)
        )
        theta[:, later] = np.maximum.reduce(
            [
                theta[:, later],
                theta[:, before] * 1.0001,
                theta[:, before] * curvature[:, later] / curvature[:, before],
                curvature[:, later] ** 2 * slack[:, later] / _BUTTERFLY_LIMIT,
            ]
        )
    return Surface(theta, correlation, curvature, years)
