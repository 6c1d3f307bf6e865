"""Quotes of one leg of every contract: OHLC by minute, implied volatility, Greeks.

Here: noise, ticks, stale prints, what a vendor leaves out.
Not here: the arbitrage-free surface under the noise (``smile.py``), quantities
(``option_flow.py``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mr_platform.chain.pricing import greeks, option_price
from mr_platform.simulation.daily_path import to_tick
from mr_platform.simulation.random_streams import Floats, Integers, keyed_uniforms, stream
from mr_platform.trading_calendar import SESSION_MINUTES

_TICK = 0.05
_TICK_NOISE = 0.24  # index points, on every quote, at a level of 24,000
_REFERENCE_LEVEL = 24_000.0
_THIN_NOISE = 0.0035  # of the premium, where one lot trades a minute
_WIDEST_NOISE = 0.012  # of the premium
_WILD_SHARE, _WILD_FACTOR = 0.03, 5.0  # prints away from the mid
_BUSY_LOTS = 20_000.0  # a minute; above it no print strays
_FEW_LOTS = 2
_LARGEST_IV_ERROR = 0.2  # relative
_IV_RANGE = (0.01, 5.0)  # beyond it vendors show nothing
_BLOCK_MINUTES = 5  # a vendor's solver that fails, fails for some minutes
_ZERO_FOR_MISSING = 0.2
_BLIND_MINUTES = 6
_BLIND_SHARE = 0.5
_PERCENT = 100.0
_IV_DECIMALS = 3
_SIGNIFICANT = 5

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """Fair values of all contracts by minute; arrays of shape (minutes, contracts).

    Attributes:
        forward: Forward of the contract's expiry, index points.
        strike: Strike.
        years: Calendar years to expiry.
        sigma: Implied volatility, annual decimal.
        rate: Risk-free rate, continuous.
        days_ahead: Calendar days to expiry, shape (contracts,).
        opening_ratio: Previous close over opening of the index, for prints of the day before.
    """

    forward: Floats
    strike: Floats
    years: Floats
    sigma: Floats
    rate: float
    days_ahead: Integers
    opening_ratio: float

    def fair(self, forward: Floats, is_call: bool) -> Floats:
        """Black-76 premium at another forward, index points."""
        flags = np.full(forward.shape, is_call)
        return option_price(forward, self.strike, self.years, self.rate, self.sigma, is_call=flags)


@dataclass(frozen=True)
class LegQuotes:
    """One leg as a vendor shows it; float arrays of shape (minutes, contracts), NaN = missing."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    iv_percent: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats
    rho: Floats


def leg_quotes(
    seed: int,
    symbol: str,
    day: dt.date,
    fair: Slice,
    lots: Integers,
    intensity: Floats,
    excursion: tuple[Floats, Floats],
    missing_share: float,
    *,
    is_call: bool,
) -> LegQuotes:
    """Quotes of the calls or of the puts of a day.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        day: Session.
        fair: Fair values.
        lots: Lots traded, shape (minutes, contracts).
        intensity: Lots expected, same shape; thin contracts have wide quotes.
        excursion: Rise and fall of the index within each minute, index points.
        missing_share: Share of implied volatilities a vendor lacks on an ordinary day.
        is_call: Calls or puts.

    Returns:
        Prices on the tick, low ≤ open, close ≤ high; a bar without a trade repeats the last
        print; implied volatility in percent.
    """
    random = stream(seed, "quotes", symbol, day, "CE" if is_call else "PE")
    model = fair.fair(fair.forward, is_call)
    tick_noise = _TICK_NOISE * float(fair.forward[0, 0]) / _REFERENCE_LEVEL
    thin = np.minimum(_THIN_NOISE / np.sqrt(intensity + 0.02), _WIDEST_NOISE)
    spread = np.minimum(tick_noise + thin * model, 0.04 + 0.25 * model)
    wild = random.random(model.shape, dtype=np.float32) < _WILD_SHARE
    noise: Floats = spread * random.standard_normal(model.shape)
    noise *= np.where(wild & (intensity < _BUSY_LOTS), _WILD_FACTOR, 1.0)
    quote = np.maximum(to_tick(model + noise), _TICK)
    before = np.concatenate((model[:1], model[:-1]))
    drift = spread * random.standard_normal(model.shape, dtype=np.float32)
    opened = np.maximum(to_tick(before + drift), _TICK)
    traded = lots > 0
    single = lots <= _FEW_LOTS
    opened = np.where(single, quote, opened)
    reach = _reach(fair, excursion, is_call)
    up = np.where(single, 0.0, reach[0])
    down = np.where(single, 0.0, reach[1])
    high = to_tick(np.maximum(opened, quote) + up)
    low = np.maximum(to_tick(np.minimum(opened, quote) - down), _TICK)
    stale = fair.fair(fair.forward * fair.opening_ratio, is_call)[0]
    yesterday = np.maximum(to_tick(stale + noise[0]), _TICK)
    last = _last_print(quote, traded, yesterday)
    volatility = _quoted_volatility(fair, noise)
    found = greeks(
        fair.forward,
        fair.strike,
        fair.years,
        fair.rate,
        volatility,
        is_call=np.full(volatility.shape, is_call),
    )
    absent, zeroed = _missing(seed, symbol, day, fair, missing_share, is_call=is_call)
    absent |= (volatility < _IV_RANGE[0]) | (volatility > _IV_RANGE[1])

    def shown(values: Floats) -> Floats:
        return np.where(absent, np.where(zeroed, 0.0, np.nan), values)

    return LegQuotes(
        open=np.where(traded, opened, last),
        high=np.where(traded, high, last),
        low=np.where(traded, low, last),
        close=last,
        iv_percent=shown(np.round(_PERCENT * volatility, _IV_DECIMALS)),
        **{name: shown(_significant(values)) for name, values in found.items()},
    )


def _reach(fair: Slice, excursion: tuple[Floats, Floats], is_call: bool) -> tuple[Floats, Floats]:
    """How far a leg trades above and below its open and close: delta times the index's reach."""
    deviation = fair.sigma * np.sqrt(fair.years)
    moneyness = np.log(fair.forward / fair.strike) / deviation
    # the logistic curve is near enough to the normal distribution's for a share of the reach
    share = 1.0 / (1.0 + np.exp(-1.702 * (moneyness if is_call else -moneyness)))
    rise, fall = excursion if is_call else (excursion[1], excursion[0])
    return share * rise[:, None], share * fall[:, None]


def _last_print(quote: Floats, traded: Bools, yesterday: Floats) -> Floats:
    """Price of the last trade up to each minute, the day before's where none was yet."""
    minutes = np.arange(SESSION_MINUTES)[:, None]
    latest = np.maximum.accumulate(np.where(traded, minutes, -1), axis=0)
    found = np.take_along_axis(quote, np.maximum(latest, 0), axis=0)
    return np.where(latest >= 0, found, yesterday)


def _quoted_volatility(fair: Slice, noise: Floats) -> Floats:
    """Volatility of the noisy quote, to first order in the noise (noise over vega)."""
    root = np.sqrt(fair.years)
    d1 = np.log(fair.forward / fair.strike) / (fair.sigma * root) + 0.5 * fair.sigma * root
    density = np.exp(-0.5 * d1**2 - fair.rate * fair.years) / np.sqrt(2.0 * np.pi)
    vega = fair.forward * density * root
    relative = noise / np.maximum(vega * fair.sigma, 1e-9)
    error = np.clip(relative, -_LARGEST_IV_ERROR, _LARGEST_IV_ERROR)
    volatility: Floats = fair.sigma * (1.0 + error)
    return volatility


def _missing(
    seed: int, symbol: str, day: dt.date, fair: Slice, share: float, *, is_call: bool
) -> tuple[Bools, Bools]:
    """Where a vendor shows no volatility, and where it shows zero instead of nothing."""
    leg = "CE" if is_call else "PE"
    contracts = fair.strike.shape[1]
    random = stream(seed, "missing", symbol, day, leg)
    blocks = random.random((SESSION_MINUTES // _BLOCK_MINUTES, contracts), dtype=np.float32)
    draws = np.repeat(blocks, _BLOCK_MINUTES, axis=0)
    distance = np.abs(np.log(fair.strike[0] / fair.forward[0])) / (
        fair.sigma[0] * np.sqrt(fair.years[0])
    )
    today = fair.days_ahead == 0
    inside = fair.strike[0] < fair.forward[0] if is_call else fair.strike[0] > fair.forward[0]
    odds = 1.0 / (1.0 + np.exp(-(distance - 2.5) / 0.4)) * np.where(inside, 1.6, 0.6)
    odds = odds / max(float(odds[~today].mean()) if (~today).any() else 1.0, 1e-9) * share
    odds = np.where(today & inside, np.maximum(odds, 0.4 * (distance > 3.0)), odds)
    absent = draws < np.minimum(odds, 0.9)
    # vendors' solvers give up in the last minutes of an expiry
    absent[-_BLIND_MINUTES:] |= today & (draws[-_BLIND_MINUTES:] < _BLIND_SHARE)
    keys = np.arange(contracts, dtype=np.int64)
    zeroes = keyed_uniforms(keys, seed, "zero for missing", symbol, day, leg) < _ZERO_FOR_MISSING
    return absent, np.broadcast_to(zeroes, absent.shape)


def _significant(values: Floats) -> Floats:
    """Values rounded to five significant digits, the precision vendors print."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.where(size > 0.0, size, 1.0)))
    scale = 10.0 ** (_SIGNIFICANT - 1 - exponent)
    rounded: Floats = np.round(values * scale) / scale
    return rounded
