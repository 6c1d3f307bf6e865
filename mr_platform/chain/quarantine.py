"""Rows of ``quarantined_rows``: what was wrong with each row, and the row as it was read.

Here: the table's schema and its frame. Not here: deciding what is bad (``chain/quality``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from mr_platform.chain.sieve import FILE, ROW
from mr_platform.chain.source_rows import SourceRows
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import PartitionKey

QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "file": pl.String(),
    "file_sha256": pl.String(),
    "row_number": pl.Int64(),
    "reason": pl.String(),
    "column": pl.String(),
    "detail": pl.String(),
    "raw_row": pl.String(),
    "counts_as_bad": pl.Boolean(),
    "quarantined_at": pl.Datetime("us", "UTC"),
}


def quarantine_frame(
    key: PartitionKey,
    sources: Sequence[tuple[SourceRows, int]],
    rejected: pl.DataFrame,
    now: dt.datetime,
) -> pl.DataFrame:
    """Rows of the quarantine table for one partition.

    Args:
        key: The partition.
        sources: Files of the partition with their ``_file`` numbers.
        rejected: ``_file``, ``_row``, ``reason``, ``column``, ``detail`` of every row that left.
        now: Time to write (UTC).

    Returns:
        A frame of ``QUARANTINE_SCHEMA``, ordered by file and row; ``raw_row`` is the row as
        read, as JSON (a line with a wrong number of fields: its text).
    """
    if rejected.is_empty():
        return pl.DataFrame(schema=QUARANTINE_SCHEMA)
    parts = []
    for rows, number in sources:
        mine = rejected.filter(pl.col(FILE) == number)
        if mine.is_empty():
            continue
        shown = _raw_rows(rows, mine)
        parts.append(
            mine.join(shown, on=ROW, how="left").with_columns(
                file=pl.lit(rows.source.relative), file_sha256=pl.lit(rows.source.sha256)
            )
        )
    bad = [rule.name for rule in load_registry().raw_chain.rules if rule.severity == "quarantine"]
    return (
        pl.concat(parts)
        .with_columns(
            symbol=pl.lit(key.symbol),
            date=pl.lit(key.date),
            row_number=pl.col(ROW),
            counts_as_bad=pl.col("reason").is_in(bad),
            quarantined_at=pl.lit(now).cast(pl.Datetime("us", "UTC")),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in QUARANTINE_SCHEMA.items())
        .sort("file", "row_number")
    )


def _raw_rows(rows: SourceRows, wanted: pl.DataFrame) -> pl.DataFrame:
    """``_row`` and ``raw_row`` of the wanted rows."""
    numbers = wanted.select(ROW).unique()
    cells = [name for name in rows.raw.columns if name != ROW]
    readable = rows.raw.join(numbers, on=ROW, how="semi").select(
        ROW,
        pl.struct(
            # JSON has no infinity or time: text shows what was there
            pl.col(name).cast(pl.String) if _needs_text(rows.raw.schema[name]) else pl.col(name)
            for name in cells
        )
        .struct.json_encode()
        .alias("raw_row"),
    )
    lines = rows.faults.filter(pl.col("text").is_not_null()).join(numbers, on=ROW, how="semi")
    return pl.concat([readable, lines.select(ROW, pl.col("text").alias("raw_row"))])


def _needs_text(dtype: pl.DataType) -> bool:
    return dtype.is_temporal() or dtype.is_float() or dtype == pl.Categorical
