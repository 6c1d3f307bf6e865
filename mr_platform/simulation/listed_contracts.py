"""Which contracts a simulated day lists, and what each strike is called in each minute.

Here: expiries, strike grids, contract symbols, strike types.
Not here: prices and quantities.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.simulation.random_streams import Floats, Integers
from mr_platform.trading_calendar import expiries as listed_expiries
from mr_platform.trading_calendar import expiry_buckets

_CORE_SHARE = 0.083  # of the index level on each side, one step apart
_FEWEST_CORE, _MOST_CORE = 24, 44
_WING_STRIKES = 12  # beyond them, wider
_WING_STEPS = 2
_FAR_WING_STRIKES = 6
_FAR_WING_STEPS = 10
_WIDEST = 0.25  # of the index level
_FAR_DAYS = 40  # later expiries list every second strike


@dataclass(frozen=True)
class Listing:
    """Contracts of one symbol and day.

    Attributes:
        expiries: Ascending.
        buckets: CW, NW, CM, NM or None, per expiry.
        strikes: Strikes of each expiry, ascending, index points.
    """

    expiries: tuple[dt.date, ...]
    buckets: tuple[str | None, ...]
    strikes: tuple[Floats, ...]

    @property
    def counts(self) -> Integers:
        """Number of strikes of each expiry."""
        return np.array([len(strikes) for strikes in self.strikes], dtype=np.int64)


def chosen_expiries(
    symbol: str, day: dt.date, count: int
) -> tuple[tuple[dt.date, ...], tuple[str | None, ...]]:
    """Expiries a day quotes: those with a bucket first, then the nearest others.

    Args:
        symbol: Index.
        day: Session.
        count: How many; fewer where fewer are listed.

    Returns:
        Expiries in ascending order and their buckets.
    """
    listed = listed_expiries(symbol, day)
    buckets = expiry_buckets(symbol, day)
    ranked = sorted(listed, key=lambda expiry: (buckets.get(expiry) is None, expiry))
    chosen = tuple(sorted(ranked[:count]))
    return chosen, tuple(buckets.get(expiry) for expiry in chosen)


def strike_grid(centre: float, step: float, days_ahead: int) -> Floats:
    """Strikes of one expiry: dense near the money, wider far out.

    Args:
        centre: Index level the listing is built around.
        step: Strike step near the money.
        days_ahead: Calendar days to expiry; far expiries list wider steps.

    Returns:
        Strikes in ascending order, all positive.
    """
    inner = step * (2 if days_ahead > _FAR_DAYS else 1)
    wing = inner * (_FAR_WING_STEPS // 2 if days_ahead > _FAR_DAYS else _WING_STEPS)
    middle = round(centre / inner) * inner
    reach = min(max(round(_CORE_SHARE * centre / inner), _FEWEST_CORE), _MOST_CORE)
    core = middle + inner * np.arange(-reach, reach + 1)
    far = step * _FAR_WING_STEPS
    below = np.floor((core[0] - inner) / wing) * wing - wing * np.arange(_WING_STRIKES)
    above = np.ceil((core[-1] + inner) / wing) * wing + wing * np.arange(_WING_STRIKES)
    lowest = np.floor((below[-1] - wing) / far) * far - far * np.arange(_FAR_WING_STRIKES)
    highest = np.ceil((above[-1] + wing) / far) * far + far * np.arange(_FAR_WING_STRIKES)
    strikes = np.unique(np.concatenate((lowest, below, core, above, highest)))
    listed: Floats = strikes[np.abs(strikes / centre - 1.0) <= _WIDEST]
    return listed


def listing(symbol: str, day: dt.date, centre: float, step: float, count: int) -> Listing:
    """Contracts of a day around the previous close.

    Raises:
        CalendarError: The day or the symbol is unknown to the trading calendar.
    """
    expiries, buckets = chosen_expiries(symbol, day, count)
    strikes = tuple(strike_grid(centre, step, (expiry - day).days) for expiry in expiries)
    return Listing(expiries, buckets, strikes)


def contract_names(symbol: str, contracts: Listing, suffix: str) -> pl.Series:
    """Contract symbols in the order of the listing, for example NIFTY02SEP2524500CE."""
    names = [
        f"{symbol}{expiry:%d%b%y}".upper() + f"{strike:.0f}{suffix}"
        for expiry, strikes in zip(contracts.expiries, contracts.strikes, strict=True)
        for strike in strikes
    ]
    return pl.Series(names, dtype=pl.String)


def atm_strikes(spot: Floats, step: float) -> Floats:
    """Multiple of the step nearest spot by minute; halves go up."""
    nearest: Floats = np.floor(spot / step + 0.5) * step
    return nearest


def strike_ranks(strikes: Floats, atm: Floats) -> Integers:
    """Rank of each strike relative to the listed strike nearest ATM.

    Args:
        strikes: Ascending, shape (strikes,).
        atm: ATM strike by minute, shape (minutes,).

    Returns:
        Rank, 0 at the money, shape (minutes, strikes); of two strikes equally near the upper is
        at the money.
    """
    upper = np.clip(np.searchsorted(strikes, atm), 1, len(strikes) - 1)
    nearer_below = atm - strikes[upper - 1] < strikes[upper] - atm
    middle = np.where(nearer_below, upper - 1, upper)
    ranks: Integers = np.arange(len(strikes)) - middle[:, None]
    return ranks


def strike_types(ranks: Integers) -> tuple[pl.Series, pl.Series]:
    """Labels of calls and puts, flattened: mirror images of each other."""
    reach = int(np.abs(ranks).max())
    outward = [f"OTM{rank}" for rank in range(reach, 0, -1)]
    inward = [f"ITM{rank}" for rank in range(1, reach + 1)]
    # position reach + rank of the call: ITM below the money, OTM above
    call = pl.Series([*(f"ITM{rank}" for rank in range(reach, 0, -1)), "ATM"], dtype=pl.String)
    call = pl.concat([call, pl.Series([f"OTM{rank}" for rank in range(1, reach + 1)])])
    put = pl.Series([*outward, "ATM", *inward], dtype=pl.String)
    positions = pl.Series((ranks + reach).ravel(), dtype=pl.UInt32)
    return call.gather(positions), put.gather(positions)
