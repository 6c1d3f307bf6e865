"""Every derived table of some days by any engine, and how far two engines are apart.

Here: the inputs of each table, worked out on the CPU, so that one table at a time can be made by
another engine from the same inputs; the comparison.
Not here: which engines are compared (``test_gpu_plans.py``, ``gpu/``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from mr_platform.gateways.frame_engine import CpuEngine, FrameEngine
from mr_platform.orchestration.derived_tables import build_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.features.whole_graph import history_for, partitions, table_named

RELATIVE = 1e-9
ABSOLUTE = 1e-12
"""Differences that count as none: devices add in another order."""

TABLES: tuple[str, ...] = tuple(table.name for table in derived_tables())


@dataclass(frozen=True)
class EngineDays:
    """Some days with all that their tables read.

    Attributes:
        keys: The partitions.
        frames: Chain, made history and the tables of the days themselves.
        tables: Every derived table, worked out on the CPU.
    """

    keys: tuple[PartitionKey, ...]
    frames: Mapping[str, pl.LazyFrame]
    tables: Mapping[str, pl.DataFrame]

    def made_by(
        self, engine: FrameEngine, name: str, sizes: Mapping[str, int] | None = None
    ) -> pl.DataFrame:
        """A table, made by an engine of what the CPU made of the tables before it."""
        return build_table(table_named(name), self.keys, self.frames, engine, sizes)


def engine_days(chain: pl.DataFrame, seed: int = 1) -> EngineDays:
    """Days of a chain with made history before the first date of each symbol."""
    keys = tuple(partitions(chain))
    first = min(key.date for key in keys)
    history = history_for(chain.filter(pl.col("date") == first), seed)
    frames = {name: table.lazy() for name, table in history.items()}
    frames[OPTION_CHAIN] = chain.lazy()
    tables = {}
    for table in derived_tables():
        tables[table.name] = build_table(table, keys, frames, CpuEngine())
        if table.group != "history":
            frames[table.name] = tables[table.name].lazy()
    return EngineDays(keys, frames, tables)


def differences(found: pl.DataFrame, expected: pl.DataFrame) -> list[str]:
    """Columns that differ, with the number of rows and the first of them.

    Floats may be apart by ``RELATIVE`` of the expected value, or ``ABSOLUTE``; all else, nulls and
    the order of rows among it, is equal.
    """
    if found.schema != expected.schema:
        return [
            f"columns or types differ: {set(found.schema.items()) ^ set(expected.schema.items())}"
        ]
    if found.height != expected.height:
        return [f"{found.height} rows stand for {expected.height}"]
    wrong = []
    for name in expected.columns:
        apart = _apart(found.get_column(name), expected.get_column(name)).arg_true()
        if apart.len():
            row = int(apart[0])
            pair = f"{found.get_column(name)[row]!r}, expected {expected.get_column(name)[row]!r}"
            wrong.append(f"{name}: {apart.len()} of {expected.height} rows, row {row}: {pair}")
    return wrong


def _apart(found: pl.Series, expected: pl.Series) -> pl.Series:
    differ = found.ne_missing(expected)
    if expected.dtype.is_float():
        allowed = pl.max_horizontal(pl.col("b").abs() * RELATIVE, ABSOLUTE)
        near = ((pl.col("a") - pl.col("b")).abs() <= allowed).fill_null(False)
        pair = pl.DataFrame({"a": found, "b": expected, "differ": differ})
        return pair.select((pl.col("differ") & ~near).alias("apart")).to_series()
    return differ
