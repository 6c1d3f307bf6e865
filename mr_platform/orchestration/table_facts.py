"""What a materialisation of a derived table tells: rows, columns, nulls.

Here: facts of each partition of a computed frame.
Not here: verdicts (``checks/``), pictures (``day_picture``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mr_platform.trading_calendar import PartitionKey

KEY_COLUMNS = frozenset(
    {
        "symbol", "date", "expiry_date", "dte", "dte_bucket", "ts_minute", "j", "zone_id",
        "zone_name", "present", "tau", "feature_version", "strike",
    }
)  # fmt: skip
"""Columns that say which row it is, left out of null shares."""


def partition_facts(
    rows: pl.DataFrame, keys: Sequence[PartitionKey]
) -> dict[PartitionKey, Mapping[str, Any]]:
    """Metadata of each partition, also of those without rows.

    Args:
        rows: Rows of all partitions.
        keys: Partitions that were made.

    Returns:
        Row count, number of value columns, share of null values among them, and how many
        columns hold no value at all.
    """
    values = [name for name in rows.columns if name not in KEY_COLUMNS]
    counted = rows.group_by("symbol", "date").agg(
        pl.len().alias("_rows"), pl.col(values).null_count()
    )
    facts: dict[PartitionKey, Mapping[str, Any]] = {
        key: _facts(0, [0] * len(values)) for key in keys
    }
    for row in counted.iter_rows(named=True):
        key = PartitionKey(row["date"], row["symbol"])
        facts[key] = _facts(row["_rows"], [row[name] for name in values])
    return facts


def _facts(rows: int, nulls: Sequence[int]) -> dict[str, Any]:
    cells = rows * len(nulls)
    return {
        "dagster/partition_row_count": rows,
        "value_columns": len(nulls),
        "null_share": round(sum(nulls) / cells, 6) if cells else 0.0,
        "columns_without_value": sum(1 for count in nulls if rows and count == rows),
    }
