"""Canonical chain days for feature tests: simulated, real, and small ones worked out by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import polars as pl

from mr_platform.chain.ingest import ingest_partition
from mr_platform.config.settings import load_settings
from mr_platform.features.chain_grid import LEG_COLUMNS, MINUTE_COLUMNS
from mr_platform.gateways.raw_files import RawFile
from mr_platform.simulation.chain_day import DaySpec, simulate_day
from mr_platform.trading_calendar import PartitionKey

SEED = 7
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

REAL_DAYS: tuple[tuple[str, dt.date], ...] = (
    ("NIFTY", dt.date(2026, 8, 18)),
    ("NIFTY", dt.date(2025, 8, 29)),
    ("BANKNIFTY", dt.date(2025, 8, 29)),
)
"""Real days that every column is compared on."""


def settings():
    """Settings of a throw-away home, Great Expectations off."""
    base = load_settings("unused-home", environment={})
    quality = base.quality.model_copy(update={"run_great_expectations": False})
    return base.model_copy(update={"quality": quality})


@lru_cache(maxsize=24)
def simulated_chain(symbol: str, day: dt.date, folder: Path) -> pl.DataFrame:
    """A simulated day as the lakehouse holds it, through the real ingestion.

    Args:
        symbol: Index.
        day: Trading day.
        folder: Where the landed file is written.
    """
    chosen = settings()
    made = simulate_day(DaySpec(symbol, day, SEED, chosen.market))
    path = folder / f"{symbol}_{day}.parquet"
    made.chain.write_parquet(path)
    return ingested(PartitionKey(day, symbol), path)


def real_chain(symbol: str, day: dt.date, data: Path) -> pl.DataFrame:
    """A real day as the lakehouse holds it."""
    path = data / "options" / "chain" / f"symbol={symbol}" / f"{symbol}_{day}.parquet"
    return ingested(PartitionKey(day, symbol), path)


def ingested(key: PartitionKey, path: Path) -> pl.DataFrame:
    """The canonical chain of one landed file."""
    made = ingest_partition(
        key, [RawFile(path, path.name)], settings(), now=NOW, code_version="test"
    )
    assert made.rejection is None, made.rejection
    return made.chain


def hand_chain(
    rows: Iterable[Mapping[str, object]],
    *,
    symbol: str = "NIFTY",
    day: dt.date = dt.date(2025, 8, 29),
    expiry: dt.date = dt.date(2025, 9, 2),
) -> pl.DataFrame:
    """A canonical chain from rows that name minute ``j``, strike, rank ``k`` and what matters.

    Columns that a row leaves out are null; ``spot`` defaults to 24,500.
    """
    schema = {
        "symbol": pl.String, "date": pl.Date, "expiry_date": pl.Date, "dte": pl.Int64,
        "ts_minute": pl.Datetime("us", "UTC"), "strike": pl.Float64,
        "call_strike_type": pl.String, "put_strike_type": pl.String,
        **{name: _type(name) for name in (*MINUTE_COLUMNS, *LEG_COLUMNS)},
    }  # fmt: skip
    start = dt.datetime.combine(day, dt.time(3, 45), tzinfo=dt.UTC)
    table = []
    for row in rows:
        k, minute, expires = int(row["k"]), int(row["j"]), row.get("expiry_date", expiry)  # type: ignore[call-overload]
        call = "ATM" if k == 0 else f"OTM{k}" if k > 0 else f"ITM{-k}"
        put = "ATM" if k == 0 else f"ITM{k}" if k > 0 else f"OTM{-k}"
        table.append(
            {
                "symbol": symbol, "date": day, "expiry_date": expires,
                "dte": (expires - day).days,  # type: ignore[operator]
                "ts_minute": start + dt.timedelta(minutes=minute),
                "call_strike_type": call, "put_strike_type": put, "spot": 24_500.0,
                **{name: value for name, value in row.items() if name in schema},
            }
        )  # fmt: skip
    return pl.DataFrame(table, schema=schema, orient="row").sort(
        "ts_minute", "expiry_date", "strike"
    )


def _type(name: str) -> type[pl.DataType]:
    whole = name.endswith(("volume", "oi"))
    return pl.Int64 if whole else pl.Float64
