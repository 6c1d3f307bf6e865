"""Types of the tables between the chain and the models, for frames that are still empty.

Here: declared columns as Polars schemas.
Not here: what a column means (``registry/declared``), BigQuery's types (``registry/tables.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from mr_platform.errors import TableError
from mr_platform.registry.loader import load_registry

MINUTE_PANEL = "minute_panel"

_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "String": pl.String,
    "Date": pl.Date,
    "Datetime[us, UTC]": pl.Datetime("us", "UTC"),
    "Float64": pl.Float64,
    "Int64": pl.Int64,
    "Int32": pl.Int32,
    "UInt32": pl.UInt32,
    "Boolean": pl.Boolean,
}
_FEATURE_TYPES = {"FLOAT64": pl.Float64, "INT64": pl.Int64}
_FEATURE_KEYS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "ts_minute": pl.Datetime("us", "UTC"),
    "date": pl.Date,
    "dte": pl.Int64,
    "zone_name": pl.String,
}


@lru_cache(maxsize=32)
def table_schema(table: str) -> pl.Schema:
    """Columns of a table in stored order with their Polars types.

    Args:
        table: ``minute_panel``, a history table, or ``c1_features`` … ``c8_features``.

    Raises:
        TableError: The registry declares no such table.
    """
    registry = load_registry()
    if table == MINUTE_PANEL or table in registry.history:
        columns = registry.panel if table == MINUTE_PANEL else registry.history[table].columns
        return pl.Schema({column.name: _TYPES[column.dtype] for column in columns})
    for component in registry.components.values():
        if component.table == table:
            features = {c.name: _FEATURE_TYPES[c.dtype] for c in component.columns}
            return pl.Schema({**_FEATURE_KEYS, **features, "feature_version": pl.String})
    raise TableError(
        "the registry declares no such table",
        place=table,
        next_step="See `mr features list` for the components",
    )


def empty_table(table: str) -> pl.LazyFrame:
    """A table without rows."""
    return pl.LazyFrame(schema=table_schema(table))
