"""A small, exactly priced option-chain day in the legacy layout, for tests to bend.

Flat volatility of 12 %, calls and puts in parity, one bar a minute.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from mr_platform.chain.dialects import LEGACY_CHAIN
from mr_platform.chain.pricing import greeks, option_price
from mr_platform.config.settings import load_settings
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey

DAY = dt.date(2025, 8, 29)
KEY = PartitionKey(DAY, "NIFTY")
EXPIRIES = (dt.date(2025, 9, 2), dt.date(2025, 9, 9))
NOW = dt.datetime(2025, 8, 29, 12, tzinfo=dt.UTC)
IV = 0.12
LOT = 75


def settings(**quality: object):
    """Settings of a throw-away home, Great Expectations off unless asked for."""
    base = load_settings("unused-home", environment={})
    changes = {"run_great_expectations": False} | quality
    return base.model_copy(update={"quality": base.quality.model_copy(update=changes)})


def legacy_day(minutes: int = 20, day: dt.date = DAY, symbol: str = "NIFTY") -> pl.DataFrame:
    """Rows of ``minutes`` one-minute bars × 2 expiries × 11 strikes, IV in percent."""
    times = [
        (dt.datetime.combine(day, dt.time(9, 15)) + dt.timedelta(minutes=m)).time()
        for m in range(minutes)
    ]
    rows = (
        pl.DataFrame({"trade_time": times, "spot": [24500.0 + m % 3 for m in range(minutes)]})
        .join(pl.DataFrame({"expiry_date": list(EXPIRIES)}), how="cross")
        .join(pl.DataFrame({"k": range(-5, 6)}), how="cross")
        .with_columns(strike=24500.0 + 50 * pl.col("k"))
    )
    minute = rows["trade_time"].dt.hour().cast(pl.Int64) * 60 + rows["trade_time"].dt.minute()
    days = (rows["expiry_date"] - day).dt.total_days()
    years = ((days * 1440 + 930 - minute - 1) / 525_600).to_numpy()
    rate = settings().market.rate_on(day)
    forward = rows["spot"].to_numpy() * np.exp(rate * years)
    strike = rows["strike"].to_numpy()
    volatility = np.full(rows.height, IV)
    columns: dict[str, object] = {}
    for side, is_call in (("ce", True), ("pe", False)):
        which = np.full(rows.height, is_call)
        price = option_price(forward, strike, years, rate, volatility, is_call=which)
        close = np.round(price, 6)
        columns |= {
            f"{side}_open": close,
            f"{side}_high": close + 1,
            f"{side}_low": np.maximum(close - 1, 0.05),
            f"{side}_close": close,
            f"{side}_iv": volatility * 100,
            **{
                f"{side}_{name}": value
                for name, value in greeks(
                    forward, strike, years, rate, volatility, is_call=which
                ).items()
            },
        }
    spread = np.arange(rows.height)
    label = (
        pl.when(pl.col("k") == 0)
        .then(pl.lit("ATM"))
        .when(pl.col("k") > 0)
        .then(pl.format("OTM{}", pl.col("k")))
        .otherwise(pl.format("ITM{}", -pl.col("k")))
    )
    other = label.str.replace_many(["ITM", "OTM"], ["OTM", "ITM"])
    frame = rows.with_columns(
        *[pl.Series(name, values) for name, values in columns.items()],
        *[pl.Series(f"{side}_volume", (spread * 7 % 40) * LOT) for side in ("ce", "pe")],
        *[pl.Series(f"{side}_oi", (spread % 90 + 1) * LOT) for side in ("ce", "pe")],
        *[pl.lit(0).alias(f"{side}_coi") for side in ("ce", "pe")],
        *[
            pl.format("{}{}", pl.lit(side.upper()), "strike").alias(f"{side}_symbol")
            for side in ("ce", "pe")
        ],
        trade_date=pl.lit(day),
        index_name=pl.lit(symbol),
        atm_strike=pl.lit(24500.0),
        dte=days,
        expiry_bucket=pl.when(pl.col("expiry_date") == EXPIRIES[0])
        .then(pl.lit("CW"))
        .otherwise(pl.lit("NW")),
        zone_id=pl.lit(1),
        zone_name=pl.lit("OPEN"),
        call_strike_type=label,
        put_strike_type=other,
        future_open=pl.col("spot") + 20,
        future_high=pl.col("spot") + 25,
        future_low=pl.col("spot") + 15,
        future_close=pl.col("spot") + 21,
        future_volume=pl.lit(750),
        future_oi=pl.lit(75_000),
        future_coi=pl.lit(0),
    )
    return frame.select(LEGACY_CHAIN.required)


def land(frame: pl.DataFrame, folder: Path, name: str = "day.csv") -> RawFile:
    """Write a frame as a landed file (CSV or Parquet by its name)."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, time_format="%H:%M:%S")
    return RawFile(path, name)
