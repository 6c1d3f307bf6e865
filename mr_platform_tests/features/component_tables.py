"""Tables of c1 … c7 and a panel's keys, made up: what C8 reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mr_platform.chain import sessions
from mr_platform.features.chain_grid import dte_bucket
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import FeatureColumn

COMPONENTS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")
DAY = dt.date(2025, 8, 29)
MINUTES = 375

Values = Mapping[str, Any]


def key_panel(
    dtes: Sequence[int] = (6,), days: Sequence[dt.date] = (DAY,), symbol: str = "NIFTY"
) -> pl.DataFrame:
    """The keys of a minute panel: every minute of each expiry of each day."""
    groups = [
        {"symbol": symbol, "date": day, "dte": dte, "g": number, "u": number // len(dtes)}
        for number, (day, dte) in enumerate((day, dte) for day in days for dte in dtes)
    ]
    minutes = pl.DataFrame({"j": range(MINUTES)}, schema={"j": pl.Int32})
    start = sessions.ts_minute("date", pl.time(9, 15))
    clock = sessions.ist_time("ts_minute")
    return (
        pl.DataFrame(groups, schema_overrides={"g": pl.UInt32, "u": pl.UInt32})
        .join(minutes, how="cross")
        .with_columns(
            (pl.col("g") * MINUTES + pl.col("j").cast(pl.UInt32)).alias("cell"),
            (start + pl.duration(minutes="j")).alias("ts_minute"),
            dte_bucket(pl.col("dte")).alias("dte_bucket"),
            pl.lit(True).alias("present"),
        )
        .with_columns(zone_name=sessions.zone_name(clock))
    )


def component_tables(panel: pl.DataFrame, values: Values | None = None) -> dict[str, pl.LazyFrame]:
    """All seven tables on the panel's rows: the values given, null in every other column.

    Args:
        panel: Keys; rows that are not present get none.
        values: A constant or an expression over the panel's columns, by feature name.
    """
    given = values or {}
    tables = {}
    for name in COMPONENTS:
        columns = [
            pl.lit(given.get(column.name), dtype=_dtype(column)).alias(column.name)
            if not isinstance(given.get(column.name), pl.Expr)
            else given[column.name].cast(_dtype(column)).alias(column.name)
            for column in load_registry().components[name].columns
        ]
        rows = panel.filter("present")
        tables[name] = rows.select("symbol", "ts_minute", "date", "dte", *columns).lazy()
    return tables


def random_tables(panel: pl.DataFrame, seed: int = 7) -> dict[str, pl.LazyFrame]:
    """Tables of random values inside the declared ranges, one in twenty null."""
    source = np.random.default_rng(seed)
    tables = {}
    for name in COMPONENTS:
        columns = {
            column.name: _random(column, panel.height, source)
            for column in load_registry().components[name].columns
        }
        keys = panel.select("symbol", "ts_minute", "date", "dte", "present")
        tables[name] = keys.with_columns(**columns).filter("present").drop("present").lazy()
    return tables


def _dtype(column: FeatureColumn) -> type[pl.DataType]:
    return pl.Int64 if column.dtype == "INT64" else pl.Float64


def _random(column: FeatureColumn, height: int, source: np.random.Generator) -> pl.Series:
    low = -1 if column.low is None else column.low
    high = 1 if column.high is None else column.high
    if column.dtype == "INT64":
        values = pl.Series(source.integers(int(low), int(high) + 1, height))
    else:
        values = pl.Series(source.uniform(low, high, height))
    kept = pl.Series(source.random(height) >= 0.05)
    return values.to_frame("x").select(pl.when(kept).then("x")).to_series()
