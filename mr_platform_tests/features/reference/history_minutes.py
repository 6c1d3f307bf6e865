"""Reference of what a finished day keeps of its prices: ``hist_minute`` and ``hist_daily``.

Here: both tables in plain loops, from their declaration (``history.yaml``) and the base series.
Not here: tables by zone or bucket (``history_zones.py``), the chain's series (``day.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from mr_platform_tests.features.reference.c6_series import chain_volume
from mr_platform_tests.features.reference.day import MINUTES, Day
from mr_platform_tests.features.reference.plain import Values, add, ratio, total, valid
from mr_platform_tests.features.reference.streams import open_value

CLOSING = 30
"""Minutes of the last half hour."""

Key = tuple[Any, ...]
Table = dict[Key, dict[str, Any]]
"""Values of a table by what identifies a row, symbol and date aside."""

DAILY_PRICES = ("spot", "strd", "comb", "ce", "pe")


def price_of(day: Day, name: str, e: dt.date) -> list[float | None]:
    """A series of an expiry, of the underlying if so named."""
    shared: dict[str, Callable[[int], float | None]] = {
        "spot": day.spot,
        "fut": day.fut,
        "fut_open": day.fut_open,
        "fut_high": day.fut_high,
        "fut_low": day.fut_low,
    }
    if name in shared:
        return [shared[name](j) for j in range(MINUTES)]
    return [day.value(name, e, j) for j in range(MINUTES)]


# ---------------------------------------------------------------- hist_minute


def hist_minute(day: Day) -> Table:
    """Every minute of every expiry, quoted or not."""
    names = ("spot", "fut", "fut_open", "fut_high", "fut_low", "strd", "strd_open", "strd_lag",
             "comb", "ce", "pe")  # fmt: skip
    table: Table = {}
    for e in day.expiries:
        series = {name: price_of(day, name, e) for name in names}
        for j in range(MINUTES):
            table[e, j] = {name: values[j] for name, values in series.items()}
    return table


# ---------------------------------------------------------------- hist_daily


def last_valid(values: Values) -> float | None:
    """The last value that is not null."""
    found = valid(values)
    return found[-1] if found else None


def straddle_volume(day: Day, e: dt.date, j: int) -> int | None:
    """Volume of the row that the straddle is on, null unless both legs have it."""
    row = day.row(e, j, 0)
    if row is None or row["ce_volume"] is None or row["pe_volume"] is None:
        return None
    return int(row["ce_volume"] + row["pe_volume"])


def weighted(prices: Values, weights: Values) -> float | None:
    """Mean of the prices by weight, over the minutes that have both."""
    turnover, traded = 0.0, 0.0
    for price, weight in zip(prices, weights, strict=True):
        if price is not None and weight is not None:
            turnover += price * weight
            traded += weight
    return ratio(turnover, traded)


def future_prices(day: Day) -> list[float | None]:
    """Typical price of each minute of the future."""
    prices: list[float | None] = []
    for j in range(MINUTES):
        high, low, close = day.fut_high(j), day.fut_low(j), day.fut(j)
        three = add(high, low, close)
        prices.append(None if three is None else three / 3)
    return prices


def hist_daily(day: Day) -> Table:
    """One row an expiry."""
    return {(e,): _daily_row(day, e) for e in day.expiries}


def _daily_row(day: Day, e: dt.date) -> dict[str, Any]:
    row: dict[str, Any] = {"dte": day.dte[e], "dte_bucket": day.bucket(e)}
    for name in DAILY_PRICES:
        values = price_of(day, name, e)
        found = valid(values)
        row[f"{name}_open"] = open_value(values)
        row[f"{name}_high"] = max(found) if found else None
        row[f"{name}_low"] = min(found) if found else None
        row[f"{name}_close"] = last_valid(values)
    for name in ("itm1", "otm1", "iv", "basis"):
        row[f"{name}_close"] = last_valid(price_of(day, name, e))
    # a sum over the chain needs 15 strikes with a volume, or the minute has none
    volumes = [chain_volume(day.rows.get((e, j), [])) for j in range(MINUTES)]
    returns = [day.held("strd", e, j)[0] for j in range(MINUTES)]
    row["close30_volume_share"] = ratio(total(volumes[-CLOSING:]), total(volumes))
    row["close30_strd_return"] = total(returns[-CLOSING:])
    row["strd_day_return"] = total(returns)
    row["fut_vwap"] = weighted(future_prices(day), [day.fut_volume(j) for j in range(MINUTES)])
    row["strd_vwap"] = weighted(
        price_of(day, "strd", e), [straddle_volume(day, e, j) for j in range(MINUTES)]
    )
    return row
