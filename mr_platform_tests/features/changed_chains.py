"""Option chains changed on purpose: cut, disturbed, thinned out, without a column.

Here: pure functions from a canonical chain to another one that the door would let through, or
that no real day looks like but no code may stumble over.
Not here: where chains come from (``chain_days.py``), what is asserted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from mr_platform.trading_calendar import SESSION_MINUTES

MINUTE = pl.col("ts_minute").dt.hour().cast(pl.Int32) * 60 + pl.col("ts_minute").dt.minute() - 225
"""Minute of the session, 0 at 09:15 IST."""

LEGS = ("ce", "pe")
FUTURES = tuple(f"future_{name}" for name in ("open", "high", "low", "close", "volume", "oi"))


def minute_of(day: dt.date, j: int) -> dt.datetime:
    """Time stamp of a minute of the session."""
    return dt.datetime.combine(day, dt.time(3, 45), tzinfo=dt.UTC) + dt.timedelta(minutes=j)


def until(chain: pl.DataFrame, j: int) -> pl.DataFrame:
    """Rows up to a minute, it included."""
    return chain.filter(j >= MINUTE)


def disturbed_after(chain: pl.DataFrame, j: int, seed: int) -> pl.DataFrame:
    """The same rows up to a minute, another future after it.

    Later minutes trade places, a tenth of their rows is gone, every number is another one, strikes
    are others, and some values are null.
    """
    rng = np.random.default_rng(seed)
    known, future = until(chain, j), chain.filter(j < MINUTE)
    minutes = future["ts_minute"].unique().sort()
    swapped = pl.DataFrame(
        {"ts_minute": minutes, "_other": minutes.gather(rng.permutation(len(minutes)))}
    )
    numbers = [
        name
        for name in future.columns
        if name.startswith(("ce_", "pe_", "future_", "spot")) and future.schema[name].is_numeric()
    ]
    future = (
        future.join(swapped, on="ts_minute", how="left", maintain_order="left")
        .with_columns(ts_minute="_other")
        .drop("_other")
        .with_columns(pl.col("strike", "atm_strike") + 7 * 50.0)
        .filter(pl.Series(rng.random(future.height) > 0.1))
    )
    other = pl.Series(rng.uniform(0.5, 1.5, future.height))
    hole = pl.Series(rng.random(future.height) < 0.05)
    # what repeats in a minute must repeat there: its factor is the minute's
    shared = pl.col("ts_minute").dt.epoch("s").mod(7) / 10.0 + 0.7
    future = future.with_columns(
        [
            (pl.col(name) * (other if name[:3] in ("ce_", "pe_") else shared))
            .cast(future.schema[name])
            .alias(name)
            for name in numbers
        ]
    ).with_columns([pl.when(~hole).then(pl.col(n)).alias(n) for n in numbers if n[2] == "_"])
    return pl.concat([known, future])


def near_strikes(chain: pl.DataFrame, most: int = 12) -> pl.DataFrame:
    """Strikes up to so many ranks from the money: what most sums over strikes need."""
    rank = pl.col("call_strike_type").str.slice(3).cast(pl.Int32, strict=False).fill_null(0)
    return chain.filter(rank <= most)


def moved(chain: pl.DataFrame, day: dt.date, *, expiries_too: bool = True) -> pl.DataFrame:
    """The chain of one day on another one.

    Args:
        chain: One date, any number of symbols.
        day: The other date.
        expiries_too: True keeps the days to expiry, False the expiries.
    """
    apart = day - chain["date"][0]
    moving = ["date", "ts_minute", *(["expiry_date"] if expiries_too else [])]
    left = (pl.col("expiry_date") - pl.col("date")).dt.total_days()
    return chain.with_columns(pl.col(moving) + apart).with_columns(
        dte=left.cast(chain.schema["dte"])
    )


def rows_shuffled(chain: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same rows in another order."""
    return chain.sample(fraction=1.0, shuffle=True, seed=seed)


# -- irregular days -------------------------------------------------------------------------------


def every(n: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Only every n-th minute is there."""
    return lambda chain: chain.filter(MINUTE % n == 0)


def without_minutes(first: int, last: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Minutes of a stretch are missing, both ends included."""
    return lambda chain: chain.filter(~MINUTE.is_between(first, last))


def nulled(*columns: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Columns hold nothing all day."""
    return lambda chain: chain.with_columns(
        [pl.lit(None, chain.schema[name]).alias(name) for name in columns]
    )


def legs(*columns: str) -> tuple[str, ...]:
    """Column names of both legs."""
    return tuple(f"{leg}_{name}" for leg in LEGS for name in columns)


def without_futures(chain: pl.DataFrame) -> pl.DataFrame:
    """No future quoted all day."""
    return nulled(*FUTURES)(chain)


def nearest_expiry_only(chain: pl.DataFrame) -> pl.DataFrame:
    """One expiry a symbol."""
    return chain.filter(pl.col("expiry_date") == pl.col("expiry_date").min().over("symbol"))


def on_expiry_day(chain: pl.DataFrame) -> pl.DataFrame:
    """The nearest expiry is due today, and its time value shrinks to the close."""
    nearest = pl.col("expiry_date") == pl.col("expiry_date").min().over("symbol")
    left = pl.max_horizontal(SESSION_MINUTES - MINUTE, 5)
    worth = (left / (left + 1440 * pl.col("dte"))).sqrt()
    due = []
    for leg, inner in (("ce", pl.col("spot") - pl.col("strike")),
                       ("pe", pl.col("strike") - pl.col("spot"))):  # fmt: skip
        floor = pl.max_horizontal(inner, 0.0)
        for name in ("open", "high", "low", "close"):
            price = pl.col(f"{leg}_{name}")
            later = floor + pl.max_horizontal(price - floor, 0.0) * worth
            shown = pl.max_horizontal(later.round(2), 0.05)
            due.append(pl.when(nearest & price.is_not_null()).then(shown).otherwise(price)
                       .alias(f"{leg}_{name}"))  # fmt: skip
    expiry = pl.when(nearest).then(pl.col("date")).otherwise(pl.col("expiry_date"))
    days = (expiry - pl.col("date")).dt.total_days()
    return chain.with_columns(due).with_columns(
        expiry_date=expiry, dte=days.cast(chain.schema["dte"])
    )


def without_volatility(chain: pl.DataFrame) -> pl.DataFrame:
    """No implied volatility and no greek could be made."""
    return nulled(*legs("iv", "delta", "gamma", "theta", "vega"))(chain)


def two_money_rows(chain: pl.DataFrame) -> pl.DataFrame:
    """The strike above the money carries the label of the money too."""
    above = pl.col("call_strike_type") == "OTM1"
    return chain.with_columns(
        pl.when(above).then(pl.lit("ATM")).otherwise(pl.col(name)).alias(name)
        for name in ("call_strike_type", "put_strike_type")
    )


def one_strike_minutes(chain: pl.DataFrame) -> pl.DataFrame:
    """Some minutes quote the strike at the money alone, some another one alone."""
    lone = (MINUTE % 50 == 20) & (pl.col("call_strike_type") != "ATM")
    wing = (MINUTE % 50 == 40) & (pl.col("call_strike_type") != "OTM3")
    return chain.filter(~lone & ~wing)


def frozen(chain: pl.DataFrame) -> pl.DataFrame:
    """Every number stays what it was in the first minute that quotes the contract."""
    keys = ["symbol", "expiry_date", "strike"]
    first = until(chain, 0)
    still = [n for n in chain.columns if n.startswith(("ce_", "pe_", "future_", "spot", "atm_"))]
    still += ["call_strike_type", "put_strike_type"]
    return (
        chain.select(pl.exclude(still))
        .join(first.select(*keys, *still), on=keys, how="inner", maintain_order="left")
        .select(chain.columns)
    )


IRREGULAR: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "whole": lambda chain: chain,
    "every fifth minute": every(5),
    "every fifteenth minute": every(15),
    "a missing hour": without_minutes(120, 179),
    "the morning only": without_minutes(188, 374),
    "the afternoon only": without_minutes(0, 187),
    "a single minute": without_minutes(1, 374),
    "one expiry": nearest_expiry_only,
    "no history": lambda chain: chain,
    "expiry day": on_expiry_day,
    "no futures": without_futures,
    "no open interest": nulled(*legs("oi", "coi"), "future_oi", "future_coi"),
    "no volume": nulled(*legs("volume"), "future_volume"),
    "no opens": nulled(*legs("open"), "future_open"),
    "no volatility, no greeks": without_volatility,
    "no spot": nulled("spot"),
    "two rows at the money": two_money_rows,
    "minutes of one strike": one_strike_minutes,
    "constant prices": frozen,
}
"""Irregular days by name."""
