"""Traded quantity and open interest of every contract.

Here: where volume and open interest sit across strikes, how they move within a day.
Not here: prices.

Open interest at a close is a function of contract and date alone, so the next day starts from it
whether or not this day was simulated.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from mr_platform.simulation.daily_path import close_on, volatility_on
from mr_platform.simulation.market_anchors import profile_of
from mr_platform.simulation.random_streams import Floats, Integers, keyed_normals, stream
from mr_platform.simulation.spot_path import activity_on, refreshed
from mr_platform.trading_calendar import SESSION_MINUTES

_DAYS_A_YEAR = 365.0
_NARROWEST = 0.006  # width of activity across strikes, share of spot
_ROUND_WEIGHTS = ((2, 1.7), (10, 1.9), (20, 1.3))  # multiples of the strike step
_MONTHLY_ROUND_POWER = 1.7  # long-held positions sit on round strikes
_CROWDED = 0.6  # where most open interest sits, in widths out of the money
_CONTRACT_SCATTER = 0.5
_DAILY_SCATTER = 0.12


def _width(volatility: float, years: Floats | float) -> Floats:
    width: Floats = np.maximum(volatility * np.sqrt(np.asarray(years)), _NARROWEST)
    return width


def _round_factor(strikes: Floats, step: float, power: float) -> Floats:
    factor = np.ones(len(strikes))
    for multiple, weight in _ROUND_WEIGHTS:
        on_it = np.isclose(strikes % (multiple * step), 0.0)
        factor *= np.where(on_it, weight**power, 1.0)
    return factor


def front_weight(days_ahead: int, monthly: bool) -> tuple[float, float]:
    """Size of an expiry's daily volume and of its open interest, relative to a front expiry."""
    ahead = float(days_ahead)
    month = 3.0 if monthly else 1.0
    volume = 1.4 * np.exp(-ahead / 2.5) + 0.02 * month * np.exp(-ahead / 20.0) + 0.0015
    held = 1.1 * np.exp(-ahead / 5.0) + (0.25 if monthly else 0.03) * np.exp(-ahead / 40.0)
    return float(volume), float(held)


def closing_open_interest(
    seed: int,
    symbol: str,
    expiry: dt.date,
    monthly: bool,
    strikes: Floats,
    day: dt.date,
    step: float,
    lot: int,
    is_call: bool,
) -> Integers:
    """Open interest of contracts at the close of a day.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        expiry: Their expiry.
        monthly: Whether it ends a month.
        strikes: Strikes, shape (strikes,).
        day: Date of the close.
        step: Strike step near the money.
        lot: Units in a lot on the date that shows the figure.
        is_call: Call or put.

    Returns:
        Units, whole lots, shape (strikes,).
    """
    close = close_on(seed, symbol, day)
    ahead = (expiry - day).days
    width = float(_width(volatility_on(seed, symbol, day), (ahead + 2.0) / _DAYS_A_YEAR))
    leg = "CE" if is_call else "PE"
    power = _MONTHLY_ROUND_POWER if monthly else 1.0
    total = (
        profile_of(symbol).open_interest_units * front_weight(ahead, monthly)[1] * activity_on(day)
    )

    def weights(grid: Floats) -> Floats:
        outward = (grid / close - 1.0) / width * (1.0 if is_call else -1.0)
        # the money side empties fast, the outer side fades slowly
        shape = np.where(
            outward < _CROWDED,
            np.exp((outward - _CROWDED) / 0.8),
            np.exp(-(outward - _CROWDED) / 1.6),
        )
        keys = np.round(grid).astype(np.int64) * 100_000 + expiry.toordinal() % 100_000
        habit = _CONTRACT_SCATTER * keyed_normals(keys, seed, "oi", symbol, leg)
        today = _DAILY_SCATTER * keyed_normals(keys, seed, "oi", symbol, leg, day)
        scatter = np.exp(habit + today)
        crowd: Floats = (shape + 0.004) * _round_factor(grid, step, power) * scatter
        return crowd

    # normalised over a grid that no listing decides, so that every day's listing agrees
    middle = round(close / step)
    reach = round(0.12 * close / step)
    whole = weights(step * np.arange(middle - reach, middle + reach + 1, dtype=np.float64)).sum()
    lots = np.round(total * weights(strikes) / whole / lot)
    units: Integers = lots.astype(np.int64) * lot
    return units


def trade_intensity(
    symbol: str,
    day: dt.date,
    expiry: dt.date,
    monthly: bool,
    strikes: Floats,
    spot: Floats,
    minute_share: Floats,
    volatility: float,
    step: float,
    lot: int,
    is_call: bool,
) -> Floats:
    """Expected lots traded in each minute and contract of one expiry.

    Args:
        symbol: Index.
        day: Session.
        expiry: Expiry.
        monthly: Whether it ends a month.
        strikes: Shape (strikes,).
        spot: Index by minute, shape (minutes,).
        minute_share: Share of the day's activity by minute, sums to 1.
        volatility: Annual decimal, width of activity.
        step: Strike step near the money.
        lot: Units in a lot.
        is_call: Call or put.

    Returns:
        Lots, shape (minutes, strikes).
    """
    ahead = (expiry - day).days
    units = profile_of(symbol).volume_units * front_weight(ahead, monthly)[0] * activity_on(day)
    width = _width(volatility, (ahead + 0.5) / _DAYS_A_YEAR)
    outward = (strikes / spot[:, None] - 1.0) / width * (1.0 if is_call else -1.0)
    crowd = np.where(outward < 0.2, np.exp((outward - 0.2) / 0.35), np.exp(-(outward - 0.2) / 0.75))
    tail = 0.004 * np.exp(-np.abs(outward) / 2.0) + 4e-6
    weight = (crowd + tail) * _round_factor(strikes, step, 0.7)
    weight /= weight.sum(axis=1, keepdims=True)
    intensity: Floats = units / lot * minute_share[:, None] * weight
    return intensity


def traded_lots(intensity: Floats, random: np.random.Generator) -> Integers:
    """Lots traded in each minute and contract: Poisson counts of a scattered intensity."""
    scatter = np.exp(0.7 * random.standard_normal(intensity.shape, dtype=np.float32) - 0.245)
    lots: Integers = random.poisson(intensity * scatter).astype(np.int64)
    return lots


def open_interest_path(
    seed: int, symbol: str, day: dt.date, start: Integers, end: Integers, lot: int, leg: str
) -> Integers:
    """Open interest by minute from the close before to this close, refreshed every few minutes.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        day: Session.
        start: Units at the close before, shape (contracts,).
        end: Units at this close, same shape.
        lot: Units in a lot.
        leg: ``CE`` or ``PE``.

    Returns:
        Units, whole lots, shape (minutes, contracts); the last bar holds ``end``.
    """
    last = refreshed(stream(seed, "oi refresh", symbol, day))
    random = stream(seed, "oi path", symbol, day, leg)
    marks, inverse = np.unique(last, return_inverse=True)
    progress = (marks / (SESSION_MINUTES - 1.0))[:, None]
    steps = random.standard_normal((len(marks), len(start)), dtype=np.float32)
    wander = np.cumsum(steps.astype(np.float64), axis=0) / np.sqrt(len(marks))
    wander -= wander[-1] * progress / progress[-1]
    scale = 0.02 * np.minimum(start, end) + 0.05 * np.abs(end - start)
    level = start + (end - start) * progress + scale * wander
    lots = np.maximum(np.round(level / lot), 0.0)
    path: Integers = lots.astype(np.int64)[inverse] * lot
    path[0], path[-1] = start, end
    return path
