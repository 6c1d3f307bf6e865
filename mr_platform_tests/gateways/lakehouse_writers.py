"""Frames and whole processes that write tables, for the tests of this folder.

The functions that processes run are at the top level of a module of their own, because a spawned
process imports them by name.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import polars as pl

from mr_platform.config.settings import ParquetSettings
from mr_platform.errors import PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.trading_calendar import PartitionKey

TABLE = "option_chain"
FRIDAY = dt.date(2025, 8, 29)
NIFTY = PartitionKey(FRIDAY, "NIFTY")
BANKNIFTY = PartitionKey(FRIDAY, "BANKNIFTY")
MONDAY_NIFTY = PartitionKey(dt.date(2025, 9, 1), "NIFTY")
MONDAY_BANKNIFTY = PartitionKey(dt.date(2025, 9, 1), "BANKNIFTY")


def rows_of(keys: Sequence[PartitionKey], generation: int = 0, rows: int = 6) -> pl.DataFrame:
    """Rows of partitions, each stamped with a generation; every storable type with nulls."""
    parts = [
        pl.DataFrame(
            {
                "symbol": [key.symbol] * rows,
                "date": [key.date] * rows,
                "ts_minute": [
                    dt.datetime.combine(key.date, dt.time(3, 45)) + dt.timedelta(minutes=n // 2)
                    for n in range(rows)
                ],
                "strike": [24_000.0 + 50 * (n % 2) for n in range(rows)],
                "generation": [generation] * rows,
                "expiry_bucket": ["CW" if n % 3 else None for n in range(rows)],
                "source_rows": [n if n % 4 else None for n in range(rows)],
                "spot_computed": [n % 2 == 0 if n % 5 else None for n in range(rows)],
                "close": [n * 0.05 if n % 3 else None for n in range(rows)],
            },
            schema_overrides={
                "ts_minute": pl.Datetime("us"),
                "generation": pl.Int64,
                "source_rows": pl.Int32,
            },
        ).with_columns(pl.col("ts_minute").dt.replace_time_zone("UTC"))
        for key in keys
    ]
    return pl.concat(parts)


def open_lakehouse(root: Path | str) -> Lakehouse:
    return Lakehouse(root, ParquetSettings())


def write_often(
    root: str, table: str, key: PartitionKey, writer: int, times: int, start: Barrier
) -> None:
    """Replace one partition again and again; the generation is ``writer * 1000 + turn``."""
    lakehouse = open_lakehouse(root)
    start.wait()
    for turn in range(times):
        lakehouse.replace_partitions(
            table,
            rows_of([key], writer * 1000 + turn, rows=6 + writer),
            [key],
            commit_info={"writer": str(writer), "turn": str(turn)},
        )


def create_tables(root: str, tables: Sequence[str], key: PartitionKey, start: Barrier) -> None:
    """Write one partition into each of several tables that do not exist yet."""
    lakehouse = open_lakehouse(root)
    for table in tables:
        start.wait()
        lakehouse.replace_partitions(table, rows_of([key]), [key])


def compact_often(root: str, table: str, times: int, start: Barrier) -> None:
    lakehouse = open_lakehouse(root)
    start.wait()
    for _ in range(times):
        lakehouse.optimize(table, ["strike"])


def write_until_killed(
    root: str, keys: Sequence[PartitionKey], generation: int, rows: int, told: Connection
) -> None:
    """Replace all partitions in one commit, forever; tells each generation once committed."""
    lakehouse = open_lakehouse(root)
    while True:
        generation += 1
        lakehouse.replace_partitions(TABLE, rows_of(keys, generation, rows), keys)
        told.send(generation)


def write_with_little_room(root: str, largest_file: int, told: Connection) -> None:
    """Write a partition where no file may grow past a limit; tells the fault."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    lakehouse = open_lakehouse(root)
    try:
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 2, rows=200_000), [NIFTY])
    except PlatformError as fault:
        told.send((type(fault).__name__, str(fault), fault.permanent))
    else:
        told.send(("none", "", False))


def write_as_nobody(root: str, told: Connection) -> None:
    """Write a partition as a user who owns nothing; tells the fault."""
    os.setgid(65534)
    os.setuid(65534)
    lakehouse = open_lakehouse(root)
    try:
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 2), [NIFTY])
    except PlatformError as fault:
        told.send((type(fault).__name__, str(fault), fault.permanent))
    else:
        told.send(("none", "", False))
