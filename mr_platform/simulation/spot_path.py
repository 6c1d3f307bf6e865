"""Index and near-month future inside one session, minute by minute.

Here: intraday volatility shape, regime-driven returns, jumps, the bridge to the day's close,
basis and activity of the future.
Not here: levels between days (``daily_path.py``), options.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from mr_platform.simulation.daily_path import DayFrame, to_tick
from mr_platform.simulation.market_anchors import ACTIVITY, interpolated, profile_of
from mr_platform.simulation.random_streams import (
    Floats,
    Integers,
    autoregressive,
    keyed_normals,
    stream,
)
from mr_platform.simulation.regimes import RegimePath
from mr_platform.trading_calendar import SESSION_MINUTES

# standard deviation of a minute return by quarter of an hour over that of the day,
# as one-minute NIFTY and BANKNIFTY of 2022 show it
_SHAPE: Floats = np.fromstring(
    """1.60 1.26 1.10 1.02 0.93 0.85 0.79 0.77 0.76 0.76 0.75 0.75 0.78
    0.86 0.82 0.93 0.88 0.92 0.95 1.04 1.02 1.04 0.99 1.23 0.84""",
    sep=" ",
)
_FIRST_MINUTE = 3.2
_SESSION_SHARE = 0.72  # session volatility from minute returns over that of a whole day
_JUMPS_A_DAY = 0.45
_JUMP_SIZE = 5.0  # standard deviation of a jump, in minute standard deviations
_REVERSION = 0.06  # pull of spot to its short mean in minute standard deviations
DIVIDEND_YIELD = 0.010
_DAYS_A_YEAR = 365.0
_BASIS_SPREAD = 0.00035  # of spot, between days
_BASIS_WANDER = 0.00005  # of spot, within a day
_FUTURE_VOLUME_SHARE = 0.0018  # of a front expiry's leg
_FUTURE_OI_SHARE = 0.055
_FUTURE_GROWTH = 0.15  # power of the options' activity that futures follow
_REFRESH_MINUTES = 3


@dataclass(frozen=True)
class SpotPath:
    """Index by minute; every array has length 375, prices in index points.

    Attributes:
        open: Index at the start of the minute.
        close: Index at its end.
        rise: Highest print above the larger of open and close.
        fall: Lowest print below the smaller of them.
        basis: Fair premium of a distant forward beyond carry, as a share of spot.
        shape: Usual share of the minute in the day's activity, mean 1.
    """

    open: Floats
    close: Floats
    rise: Floats
    fall: Floats
    basis: Floats
    shape: Floats


@dataclass(frozen=True)
class FuturePath:
    """Near-month future by minute, arrays of length 375; quantities in index units."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Integers
    open_interest: Integers
    change_in_open_interest: Integers


def intraday_shape() -> Floats:
    """Relative volatility of each minute of the session, mean square 1."""
    shape = np.repeat(_SHAPE, SESSION_MINUTES // len(_SHAPE))
    shape[0] = _FIRST_MINUTE
    scaled: Floats = shape / np.sqrt(np.mean(shape**2))
    return scaled


def _jumps(seed: int, symbol: str, day: dt.date) -> Floats:
    """Jumps of a session in minute standard deviations: the market's and the symbol's own."""
    total = np.zeros(SESSION_MINUTES)
    for share, names in ((0.8, ("jumps market",)), (0.2, ("jumps", symbol))):
        random = stream(seed, *names, day)
        count = int(random.poisson(_JUMPS_A_DAY * share))
        minutes = random.integers(0, SESSION_MINUTES, count)
        np.add.at(total, minutes, _JUMP_SIZE * random.standard_normal(count))
    return total


def spot_path(seed: int, symbol: str, frame: DayFrame, regimes: RegimePath) -> SpotPath:
    """Index of one session from its opening to its close.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        frame: Opening, close and volatility of the day.
        regimes: Regime path of the same symbol and day.

    Returns:
        The index by minute; the last close is ``frame.close``.
    """
    loading = profile_of(symbol).market_loading
    market = stream(seed, "spot market", frame.date).standard_normal(SESSION_MINUTES)
    random = stream(seed, "spot", symbol, frame.date)
    noise = loading * market + np.sqrt(1.0 - loading**2) * random.standard_normal(SESSION_MINUTES)
    shape = intraday_shape()
    deviation = (
        frame.daily_volatility
        * _SESSION_SHARE
        / np.sqrt(SESSION_MINUTES)
        * shape
        * regimes.volatility
    )
    # regimes without direction revert: returns get a small share of the opposite of the last ones
    calm = regimes.drift == 0.0
    recent = autoregressive(noise, 0.8)
    pull = np.where(calm, -_REVERSION * np.concatenate(([0.0], recent[:-1])), 0.0)
    returns = deviation * (noise + regimes.drift + pull + _jumps(seed, symbol, frame.date))
    missing = np.log(frame.close / frame.opening) - returns.sum()
    returns = returns + missing * deviation**2 / np.sum(deviation**2)
    closes = to_tick(frame.opening * np.exp(np.cumsum(returns)))
    opens = np.concatenate(([frame.opening], closes[:-1]))
    points = deviation * opens
    return SpotPath(
        open=opens,
        close=closes,
        rise=_bridge_excess(opens, closes, points, random.random(SESSION_MINUTES)),
        fall=_bridge_excess(-opens, -closes, points, random.random(SESSION_MINUTES)),
        basis=_basis(seed, symbol, frame.date),
        shape=shape,
    )


def _bridge_excess(start: Floats, end: Floats, deviation: Floats, draws: Floats) -> Floats:
    """Height of a Brownian bridge's maximum above both its ends (reflection principle)."""
    span = np.sqrt((end - start) ** 2 - 2.0 * deviation**2 * np.log(draws))
    return 0.5 * (start + end + span) - np.maximum(start, end)


def _basis(seed: int, symbol: str, day: dt.date) -> Floats:
    level = _BASIS_SPREAD * stream(seed, "basis market", day).standard_normal()
    wander = stream(seed, "basis", symbol, day).standard_normal(SESSION_MINUTES)
    return level + autoregressive(_BASIS_WANDER * 0.2 * wander, 0.98)


def forwards(spot: Floats, basis: Floats, years: Floats, rate: float) -> Floats:
    """Forward of each maturity: carry, and a premium that fades over the last days.

    Args:
        spot: Index by minute, shape (minutes,).
        basis: Premium by minute, share of spot, shape (minutes,).
        years: Calendar years to expiry, shape (minutes, expiries).
        rate: Risk-free rate, continuous, decimal.

    Returns:
        Forward prices in index points, shape (minutes, expiries).
    """
    fading = 1.0 - np.exp(-years * _DAYS_A_YEAR / 4.0)
    carry = np.exp((rate - DIVIDEND_YIELD) * years)
    return spot[:, None] * (carry + basis[:, None] * fading)


def refreshed(random: np.random.Generator) -> Integers:
    """Minute of the last open-interest refresh at each minute, about every three minutes."""
    gaps = random.integers(_REFRESH_MINUTES - 1, _REFRESH_MINUTES + 2, SESSION_MINUTES)
    marks = np.cumsum(gaps)
    marks = np.concatenate(([0], marks[marks < SESSION_MINUTES]))
    minutes = np.arange(SESSION_MINUTES)
    last: Integers = marks[np.searchsorted(marks, minutes, side="right") - 1]
    return last


def activity_on(day: dt.date) -> float:
    """Traded and open quantity of a date relative to August 2025."""
    return float(interpolated(ACTIVITY, np.array([day.toordinal()]))[0])


def future_open_interest(seed: int, symbol: str, expiry: dt.date, day: dt.date, lot: int) -> int:
    """Open interest of a future at the close of a day, index units, whole lots."""
    ahead = (expiry - day).days
    build = min(1.0, 0.35 + 0.65 * np.exp(-max(ahead - 25, 0) / 12.0)) * (
        1.0 - 0.35 * np.exp(-ahead / 2.0)
    )
    key = np.array([expiry.toordinal() * 10_000 + day.toordinal() % 10_000], dtype=np.int64)
    noise = float(np.exp(0.05 * keyed_normals(key, seed, "future oi", symbol)[0]))
    # futures grew far less than options
    size = (
        profile_of(symbol).open_interest_units
        * _FUTURE_OI_SHARE
        * activity_on(day) ** _FUTURE_GROWTH
    )
    return round(float(size * build * noise) / lot) * lot


def future_path(
    seed: int,
    symbol: str,
    frame: DayFrame,
    path: SpotPath,
    regimes: RegimePath,
    forward: Floats,
    open_interest: tuple[int, int],
    lot: int,
) -> FuturePath:
    """Near-month future of one session.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        frame: The day.
        path: Index of the session.
        regimes: Its regime path.
        forward: Fair value of the future's expiry by minute, index points.
        open_interest: Open interest at the previous close and at this close, index units.
        lot: Units in a lot.

    Returns:
        Prices with low ≤ open, close ≤ high; volume and open interest in units.
    """
    random = stream(seed, "future", symbol, frame.date)
    noise = 0.00003 * frame.opening * random.standard_normal((2, SESSION_MINUTES))
    closes = to_tick(forward + noise[0])
    carried = forward / path.close * path.open
    opens = to_tick(np.concatenate((carried[:1], closes[:-1])) + noise[1])
    stretch = np.abs(noise).sum(axis=0) * 0.5
    highs = to_tick(np.maximum(opens, closes) + path.rise + stretch)
    lows = to_tick(np.minimum(opens, closes) - path.fall - stretch)
    usual = (
        profile_of(symbol).volume_units
        * _FUTURE_VOLUME_SHARE
        * activity_on(frame.date) ** _FUTURE_GROWTH
    )
    share = path.shape * regimes.volume
    lots = usual / lot * share / share.sum()
    volume = random.poisson(lots * np.exp(0.4 * random.standard_normal(SESSION_MINUTES))) * lot
    start, end = open_interest
    progress = np.cumsum(volume) / max(int(volume.sum()), 1)
    wander = np.cumsum(random.standard_normal(SESSION_MINUTES)) / np.sqrt(SESSION_MINUTES)
    wander = 0.004 * start * (wander - wander[-1] * progress)
    path_lots = np.round((start + (end - start) * progress + wander) / lot)
    path_lots[0], path_lots[-1] = start // lot, end // lot
    held = np.maximum(path_lots[refreshed(random)], 0.0).astype(np.int64) * lot
    held[-1] = end
    return FuturePath(opens, highs, lows, closes, volume.astype(np.int64), held, held - start)
