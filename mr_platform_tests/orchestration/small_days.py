"""Small landed files in the legacy layout: few minutes, few strikes, real shape."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import polars as pl

from mr_platform.trading_calendar import PartitionKey, expiries

MINUTES = 12
STRIKES = 7
SPOT = {"NIFTY": 20_000.0, "BANKNIFTY": 45_000.0}
STEP = {"NIFTY": 50.0, "BANKNIFTY": 100.0}
ROWS = MINUTES * STRIKES


def small_day(key: PartitionKey, *, shift: float = 0.0) -> pl.DataFrame:
    """Rows of one day in the 48-column layout; ``shift`` moves the premiums."""
    spot, step = SPOT[key.symbol], STEP[key.symbol]
    expiry = expiries(key.symbol, key.date)[1]
    rows = []
    for minute in range(MINUTES):
        for place in range(-(STRIKES // 2), STRIKES // 2 + 1):
            strike = spot + place * step
            ce = max(spot - strike, 0.0) + 90 - 3 * abs(place) + shift
            pe = max(strike - spot, 0.0) + 90 - 3 * abs(place) + shift
            rows.append(_row(key, minute, expiry, strike, place, ce, pe))
    return pl.DataFrame(rows)


def _row(
    key: PartitionKey,
    minute: int,
    expiry: dt.date,
    strike: float,
    place: int,
    ce: float,
    pe: float,
) -> dict[str, object]:
    spot = SPOT[key.symbol]
    call = "ATM" if place == 0 else f"ITM{-place}" if place < 0 else f"OTM{place}"
    put = "ATM" if place == 0 else f"OTM{-place}" if place < 0 else f"ITM{place}"
    row: dict[str, object] = {
        "trade_date": key.date.isoformat(),
        "trade_time": f"09:{15 + minute}:00",
        "expiry_date": expiry.isoformat(),
        "index_name": key.symbol,
        "spot": spot,
        "atm_strike": spot,
        "strike": strike,
        "dte": (expiry - key.date).days,
        "expiry_bucket": "NW",
        "zone_id": 1,
        "zone_name": "OPEN",
        "call_strike_type": call,
        "put_strike_type": put,
    }
    for side, price, delta in (("ce", ce, 0.5), ("pe", pe, -0.5)):
        row |= {
            f"{side}_symbol": f"{key.symbol}{expiry:%y%b%d}{strike:.0f}{side.upper()}".upper(),
            f"{side}_open": price,
            f"{side}_high": price + 1,
            f"{side}_low": price - 1,
            f"{side}_close": price,
            f"{side}_volume": 75 * (5 + minute % 3),
            f"{side}_oi": 7_500 + 75 * minute,
            f"{side}_coi": 0,
            f"{side}_iv": 0.15,
            f"{side}_delta": delta,
            f"{side}_gamma": 0.0005,
            f"{side}_theta": -4.0,
            f"{side}_vega": 8.0,
            f"{side}_rho": 1.0,
        }
    row |= {f"future_{part}": spot + 20 for part in ("open", "high", "low", "close")}
    row |= {"future_volume": 750, "future_oi": 75_000, "future_coi": 0}
    return row


def land(folder: Path, key: PartitionKey, *, shift: float = 0.0, age: float = 60) -> Path:
    """Write one day into a landing folder, last changed ``age`` seconds ago."""
    return write(folder / f"{key.symbol}_{key.date}.csv", small_day(key, shift=shift), age=age)


def land_broken(folder: Path, key: PartitionKey, *, age: float = 60) -> Path:
    """Write one day of which every second row has a negative price: too many bad rows."""
    frame = (
        small_day(key)
        .with_row_index()
        .with_columns(
            ce_close=pl.when(pl.col("index") % 2 == 0).then(-5.0).otherwise(pl.col("ce_close"))
        )
    )
    return write(folder / f"{key.symbol}_{key.date}.csv", frame.drop("index"), age=age)


def write(path: Path, frame: pl.DataFrame, *, age: float = 60) -> Path:
    """Write a CSV, last changed ``age`` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_csv(path)
    return changed_ago(path, age)


def changed_ago(path: Path, seconds: float) -> Path:
    """Date a file back."""
    moment = time.time() - seconds
    os.utime(path, (moment, moment))
    return path
