"""One simulated day as a frame in the layout of the 48-column legacy table.

Here: assembly of spot, future, surface, flow and quotes; single days and ranges.
Not here: files (``day_files.py``), faults (``frame_faults.py``, ``file_faults.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.config.settings import MarketSettings
from mr_platform.errors import SettingsError
from mr_platform.simulation.daily_path import DayFrame, day_frame
from mr_platform.simulation.listed_contracts import (
    Listing,
    atm_strikes,
    contract_names,
    listing,
    strike_ranks,
    strike_types,
)
from mr_platform.simulation.option_flow import (
    closing_open_interest,
    open_interest_path,
    trade_intensity,
    traded_lots,
)
from mr_platform.simulation.option_quotes import LegQuotes, Slice, leg_quotes
from mr_platform.simulation.random_streams import Floats, Integers, stream
from mr_platform.simulation.regimes import REGIMES, RegimePath, regime_path
from mr_platform.simulation.smile import Surface, calendar_years, surface
from mr_platform.simulation.spot_path import (
    FuturePath,
    SpotPath,
    forwards,
    future_open_interest,
    future_path,
    spot_path,
)
from mr_platform.trading_calendar import (
    SESSION_MINUTES,
    SESSION_OPEN,
    ZONES,
    PartitionKey,
    is_monthly_expiry,
    monthly_expiries,
    previous_trading_day,
    trading_days,
)

_LEG_TYPES: dict[str, pl.DataType] = {
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Int64(),
    "oi": pl.Int64(),
    "coi": pl.Float64(),
    "iv": pl.Float64(),
    "delta": pl.Float64(),
    "gamma": pl.Float64(),
    "theta": pl.Float64(),
    "vega": pl.Float64(),
    "rho": pl.Float64(),
}
LEGACY_SCHEMA: dict[str, pl.DataType] = {
    "trade_date": pl.Date(),
    "trade_time": pl.Time(),
    "expiry_date": pl.Date(),
    "index_name": pl.String(),
    "spot": pl.Float64(),
    "atm_strike": pl.Float64(),
    "strike": pl.Float64(),
    "dte": pl.Int64(),
    "expiry_bucket": pl.String(),
    "zone_id": pl.Int64(),
    "zone_name": pl.String(),
    "call_strike_type": pl.String(),
    "put_strike_type": pl.String(),
    "ce_symbol": pl.String(),
    **{f"ce_{name}": dtype for name, dtype in _LEG_TYPES.items()},
    "pe_symbol": pl.String(),
    **{f"pe_{name}": dtype for name, dtype in _LEG_TYPES.items()},
    "future_open": pl.Float64(),
    "future_high": pl.Float64(),
    "future_low": pl.Float64(),
    "future_close": pl.Float64(),
    "future_volume": pl.Int64(),
    "future_oi": pl.Int64(),
    "future_coi": pl.Float64(),
}
"""Columns and types of a simulated day, in file order; implied volatility in percent."""

DEFAULT_EXPIRIES = 4
DEFAULT_MISSING_IV = 0.038


@dataclass(frozen=True)
class DaySpec:
    """What to simulate.

    Attributes:
        symbol: ``NIFTY`` or ``BANKNIFTY``.
        date: A trading day.
        seed: Seed; the same seed, symbol and date give the same bits.
        market: Dated lot sizes and rates, strike steps.
        expiries: Expiries quoted, fewer where fewer are listed.
        missing_iv: Share of implied volatilities missing on an ordinary day.
    """

    symbol: str
    date: dt.date
    seed: int
    market: MarketSettings
    expiries: int = DEFAULT_EXPIRIES
    missing_iv: float = DEFAULT_MISSING_IV


@dataclass(frozen=True)
class SimulatedDay:
    """One day of one symbol.

    Attributes:
        key: Date and symbol.
        chain: Rows of ``LEGACY_SCHEMA``, by minute, expiry, strike.
        regimes: Ground truth, one row per minute: index_name, trade_date, trade_time, regime_id,
            regime.
        lot_size: Units in a lot that day.
    """

    key: PartitionKey
    chain: pl.DataFrame
    regimes: pl.DataFrame
    lot_size: int


@dataclass(frozen=True)
class DayState:
    """Everything fair about a day, before noise, quantities and gaps.

    Attributes:
        frame: Its levels.
        regimes: Hidden regime path.
        path: Index by minute.
        listing: Contracts.
        surface: Arbitrage-free surface.
        forwards: Forward by minute and expiry, index points.
        rate: Risk-free rate, continuous.
    """

    frame: DayFrame
    regimes: RegimePath
    path: SpotPath
    listing: Listing
    surface: Surface
    forwards: Floats
    rate: float


def day_state(spec: DaySpec) -> DayState:
    """Levels, regimes, index, contracts and surface of a day.

    Raises:
        CalendarError: The date does not trade or lies outside the trading calendar.
        SettingsError: The symbol has no strike step or level.
    """
    step = _step(spec)
    frame = day_frame(spec.seed, spec.symbol, spec.date)
    regimes = regime_path(spec.seed, spec.symbol, spec.date)
    path = spot_path(spec.seed, spec.symbol, frame, regimes)
    contracts = listing(spec.symbol, spec.date, frame.previous_close, step, spec.expiries)
    fair = surface(spec.seed, spec.symbol, frame, path, regimes, contracts.expiries)
    rate = spec.market.rate_on(spec.date)
    ahead = forwards(path.close, path.basis, fair.years, rate)
    return DayState(frame, regimes, path, contracts, fair, ahead, rate)


def simulate_day(spec: DaySpec) -> SimulatedDay:
    """One day of one symbol: 375 minutes of every listed contract.

    Args:
        spec: What to simulate.

    Returns:
        The chain in the legacy layout and the hidden regimes.

    Raises:
        CalendarError: The date does not trade or lies outside the trading calendar.
        SettingsError: The symbol has no strike step, lot size or level.
    """
    state = day_state(spec)
    lot = spec.market.lot_size_on(spec.symbol, spec.date)
    fair = _fair_slice(state)
    columns: dict[str, pl.Series | pl.Expr] = _row_keys(spec, state)
    for leg, is_call in (("ce", True), ("pe", False)):
        columns |= _leg_columns(spec, state, fair, lot, leg, is_call=is_call)
    future = _future(spec, state, lot)
    contracts = int(state.listing.counts.sum())
    for name, values in vars(future).items():
        column = {"open_interest": "oi", "change_in_open_interest": "coi"}.get(name, name)
        columns[f"future_{column}"] = pl.Series(np.repeat(values, contracts))
    chain = pl.DataFrame(
        [columns[name].alias(name).cast(dtype) for name, dtype in LEGACY_SCHEMA.items()]
    )
    return SimulatedDay(
        PartitionKey(spec.date, spec.symbol), chain, _ground_truth(spec, state.regimes), lot
    )


def simulate(
    symbols: Sequence[str],
    first: dt.date,
    last: dt.date,
    seed: int,
    *,
    market: MarketSettings,
    expiries: int = DEFAULT_EXPIRIES,
    missing_iv: float = DEFAULT_MISSING_IV,
) -> Iterator[SimulatedDay]:
    """Simulated days of a range, one at a time, by date and then by symbol.

    Args:
        symbols: Indices.
        first: First date of the range.
        last: Last date, included.
        seed: Seed of the simulation.
        market: Dated lot sizes and rates, strike steps.
        expiries: Expiries quoted a day.
        missing_iv: Share of implied volatilities missing on an ordinary day.

    Yields:
        Each day; equal to ``simulate_day`` of the same symbol, date and seed.
    """
    for day in trading_days(first, last):
        for symbol in symbols:
            yield simulate_day(DaySpec(symbol, day, seed, market, expiries, missing_iv))


def _step(spec: DaySpec) -> float:
    if spec.symbol not in spec.market.strike_steps:
        raise SettingsError(
            f"no strike step is declared for {spec.symbol}",
            place="settings.yaml: market.strike_steps",
            next_step=f"Declared: {', '.join(sorted(spec.market.strike_steps))}",
        )
    return spec.market.strike_steps[spec.symbol]


def _spread(values: Floats, counts: Integers) -> Floats:
    """Values per expiry repeated for its contracts along the second axis."""
    repeated: Floats = np.repeat(values, counts, axis=1)
    return repeated


def _fair_slice(state: DayState) -> Slice:
    counts = state.listing.counts
    variance = np.concatenate(
        [
            state.surface.total_variance(number, np.log(strikes / state.forwards[:, number, None]))
            for number, strikes in enumerate(state.listing.strikes)
        ],
        axis=1,
    )
    years = _spread(state.surface.years, counts)
    ahead = [(expiry - state.frame.date).days for expiry in state.listing.expiries]
    return Slice(
        forward=_spread(state.forwards, counts),
        strike=np.tile(np.concatenate(state.listing.strikes), (SESSION_MINUTES, 1)),
        years=years,
        sigma=np.sqrt(variance / years),
        rate=state.rate,
        days_ahead=np.repeat(np.array(ahead, dtype=np.int64), counts),
        opening_ratio=state.frame.previous_close / state.frame.opening,
    )


def session_times() -> pl.Series:
    """Start of each of the 375 bars."""
    opening = SESSION_OPEN.hour * 60 + SESSION_OPEN.minute
    nanoseconds = (opening + np.arange(SESSION_MINUTES, dtype=np.int64)) * 60_000_000_000
    return pl.Series("trade_time", nanoseconds).cast(pl.Time)


def _zone_ids() -> Integers:
    starts = [zone.start.hour * 60 + zone.start.minute for zone in ZONES]
    minutes = SESSION_OPEN.hour * 60 + SESSION_OPEN.minute + np.arange(SESSION_MINUTES)
    positions = np.searchsorted(starts, minutes, side="right") - 1
    return np.array([zone.zone_id for zone in ZONES], dtype=np.int64)[positions]


def _row_keys(spec: DaySpec, state: DayState) -> dict[str, pl.Series | pl.Expr]:
    """Columns 1 to 14 and pe_symbol: what names a row."""
    contracts = state.listing
    counts = contracts.counts
    width = int(counts.sum())
    rows = width * SESSION_MINUTES
    minute = pl.Series(np.repeat(np.arange(SESSION_MINUTES, dtype=np.uint32), width))
    of_contract = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    expiry = pl.Series(np.tile(of_contract, SESSION_MINUTES))
    contract = pl.Series(np.tile(np.arange(width, dtype=np.uint32), SESSION_MINUTES))
    atm = atm_strikes(state.path.close, _step(spec))
    ranks = np.concatenate([strike_ranks(strikes, atm) for strikes in contracts.strikes], axis=1)
    calls, puts = strike_types(ranks)
    zones = _zone_ids()
    names = pl.Series([zone.name for zone in ZONES])
    ahead = [(day - spec.date).days for day in contracts.expiries]
    return {
        "trade_date": pl.repeat(spec.date, rows, dtype=pl.Date, eager=True),
        "trade_time": session_times().gather(minute),
        "expiry_date": pl.Series(contracts.expiries, dtype=pl.Date).gather(expiry),
        "index_name": pl.repeat(spec.symbol, rows, dtype=pl.String, eager=True),
        "spot": pl.Series(state.path.close).gather(minute),
        "atm_strike": pl.Series(atm).gather(minute),
        "strike": pl.Series(np.concatenate(contracts.strikes)).gather(contract),
        "dte": pl.Series(ahead, dtype=pl.Int64).gather(expiry),
        "expiry_bucket": pl.Series(contracts.buckets, dtype=pl.String).gather(expiry),
        "zone_id": pl.Series(zones).gather(minute),
        "zone_name": names.gather(zones - 1).gather(minute),
        "call_strike_type": calls,
        "put_strike_type": puts,
        "ce_symbol": contract_names(spec.symbol, contracts, "CE").gather(contract),
        "pe_symbol": contract_names(spec.symbol, contracts, "PE").gather(contract),
    }


def _leg_columns(
    spec: DaySpec, state: DayState, fair: Slice, lot: int, leg: str, *, is_call: bool
) -> dict[str, pl.Series | pl.Expr]:
    """The thirteen columns of one leg after its contract symbol."""
    intensity, start, end = _flow(spec, state, lot, is_call=is_call)
    lots = traded_lots(intensity, stream(spec.seed, "volume", spec.symbol, spec.date, leg))
    quotes: LegQuotes = leg_quotes(
        spec.seed,
        spec.symbol,
        spec.date,
        fair,
        lots,
        intensity,
        (state.path.rise, state.path.fall),
        spec.missing_iv,
        is_call=is_call,
    )
    held = open_interest_path(spec.seed, spec.symbol, spec.date, start, end, lot, leg)
    columns: dict[str, pl.Series | pl.Expr] = {
        f"{leg}_volume": pl.Series((lots * lot).ravel()),
        f"{leg}_oi": pl.Series(held.ravel()),
        f"{leg}_coi": pl.Series((held - start).ravel()),
    }
    for name, values in vars(quotes).items():
        column = "iv" if name == "iv_percent" else name
        columns[f"{leg}_{column}"] = pl.Series(values.ravel(), nan_to_null=True)
    return columns


def _flow(
    spec: DaySpec, state: DayState, lot: int, *, is_call: bool
) -> tuple[Floats, Integers, Integers]:
    """Expected lots by minute and contract; open interest at the close before and at this one."""
    step = _step(spec)
    share = state.path.shape * state.regimes.volume
    share = share / share.sum()
    before = previous_trading_day(spec.date)
    intensities: list[Floats] = []
    starts: list[Integers] = []
    ends: list[Integers] = []
    for expiry, strikes in zip(state.listing.expiries, state.listing.strikes, strict=True):
        monthly = is_monthly_expiry(spec.symbol, expiry, spec.date)
        intensities.append(
            trade_intensity(
                spec.symbol,
                spec.date,
                expiry,
                monthly,
                strikes,
                state.path.close,
                share,
                state.frame.volatility,
                step,
                lot,
                is_call,
            )
        )
        for day, found in ((before, starts), (spec.date, ends)):
            found.append(
                closing_open_interest(
                    spec.seed, spec.symbol, expiry, monthly, strikes, day, step, lot, is_call
                )
            )
    return np.concatenate(intensities, axis=1), np.concatenate(starts), np.concatenate(ends)


def _future(spec: DaySpec, state: DayState, lot: int) -> FuturePath:
    expiry = monthly_expiries(spec.symbol, spec.date, 1)[0]
    years = calendar_years(spec.date, (expiry,))
    fair = forwards(state.path.close, state.path.basis, years, state.rate)[:, 0]
    before = previous_trading_day(spec.date)
    held = (
        future_open_interest(spec.seed, spec.symbol, expiry, before, lot),
        future_open_interest(spec.seed, spec.symbol, expiry, spec.date, lot),
    )
    return future_path(
        spec.seed, spec.symbol, state.frame, state.path, state.regimes, fair, held, lot
    )


def _ground_truth(spec: DaySpec, regimes: RegimePath) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "index_name": pl.repeat(spec.symbol, SESSION_MINUTES, dtype=pl.String, eager=True),
            "trade_date": pl.repeat(spec.date, SESSION_MINUTES, dtype=pl.Date, eager=True),
            "trade_time": session_times(),
            "regime_id": pl.Series(regimes.regime),
            "regime": pl.Series(REGIMES).gather(pl.Series(regimes.regime)),
        }
    )
