"""The account of a partition's files: which rows each holds, and where every one of them went.

Here: the rows of ``landed_files``, the rows lost before any rule could judge them.
Not here: the rules (``chain/quality``), the order of steps (``chain/ingest``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from mr_platform.chain.sieve import FILE, ROW
from mr_platform.chain.source_rows import KEY_FAULT, SourceRows
from mr_platform.chain.units import Units
from mr_platform.trading_calendar import PartitionKey

_NO_UNITS = Units("none", "none", "none", "none", "start")

LANDED_FILES_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "date": pl.Date(),
    "file": pl.String(),
    "file_sha256": pl.String(),
    "bytes": pl.Int64(),
    "modified_at": pl.Datetime("us", "UTC"),
    "dialect": pl.String(),
    "rows_in": pl.Int64(),
    "rows_good": pl.Int64(),
    "rows_quarantined": pl.Int64(),
    "iv_unit": pl.String(),
    "oi_unit": pl.String(),
    "volume_kind": pl.String(),
    "volume_unit": pl.String(),
    "bar_label": pl.String(),
}


@dataclass
class FileAccount:
    """What is known of one file of the partition on the way."""

    rows: SourceRows
    number: int
    rows_in: int
    units: Units = field(default=_NO_UNITS)


def open_account(key: PartitionKey, number: int, rows: SourceRows) -> FileAccount:
    """Account of one file for one partition.

    Rows that belong to no partition (unknown symbol, malformed line) are counted in, and
    quarantined with, the first partition of their file.

    Args:
        key: The partition.
        number: ``_file`` number of the file within the partition.
        rows: The parsed file.
    """
    homeless = rows.height - sum(rows.partitions.values()) if rows.home == key else 0
    return FileAccount(rows, number, rows.partitions.get(key, 0) + homeless)


def readable_rows(key: PartitionKey, item: FileAccount) -> pl.DataFrame:
    """Rows of the file that belong to the partition and could be read, with ``_file``."""
    unreadable = item.rows.faults.select(ROW)
    frame = item.rows.frame
    if len(item.rows.partitions) > 1 or frame[KEY_FAULT].null_count() < frame.height:
        frame = frame.filter(
            pl.col(KEY_FAULT).is_null()
            & (pl.col("date") == key.date)
            & (pl.col("symbol") == key.symbol)
        )
    if unreadable.height:
        frame = frame.join(unreadable, on=ROW, how="anti", maintain_order="left")
    return frame.drop(KEY_FAULT).with_columns(pl.lit(item.number, pl.Int64).alias(FILE))


def all_rejections(
    key: PartitionKey,
    feeding: Sequence[FileAccount],
    superseded: Sequence[FileAccount],
    by_rule: pl.DataFrame,
) -> pl.DataFrame:
    """Every row of the partition that left, once, with ``_file`` and ``_row``."""
    parts = [by_rule]
    for item in feeding:
        parts += _lost_before_rules(key, item)
    for item in superseded:
        lost = _lost_before_rules(key, item)
        gone = pl.concat([part.select(ROW) for part in lost]) if lost else None
        parts += lost
        parts.append(
            _set_aside_whole(key, item, gone, f"files of {feeding[0].rows.dialect.name} feed {key}")
        )
    return pl.concat(parts)


def _lost_before_rules(key: PartitionKey, item: FileAccount) -> list[pl.DataFrame]:
    """Rows of one file that never reached the rules: unreadable, malformed, of no partition."""
    rows = item.rows
    own = pl.lit(item.number, pl.Int64).alias(FILE)
    lost = rows.faults.select(own, ROW, "reason", "column", "detail")
    faulty_keys = rows.frame[KEY_FAULT].null_count() < rows.frame.height
    if lost.is_empty() and not faulty_keys:
        return []
    mine = (pl.col("date") == key.date) & (pl.col("symbol") == key.symbol)
    if rows.home != key:
        readable = rows.frame.filter(pl.col(KEY_FAULT).is_null() & mine).select(ROW)
        return [lost.join(readable, on=ROW, how="semi")]
    homeless = rows.frame.filter(pl.col(KEY_FAULT).is_not_null())
    told = homeless.select(
        own,
        ROW,
        pl.col(KEY_FAULT).alias("reason"),
        pl.lit("symbol").alias("column"),
        pl.format(
            "symbol was {}, date {}",
            pl.col("symbol").fill_null("missing"),
            pl.col("date").cast(pl.String).fill_null("missing or unreadable"),
        ).alias("detail"),
    )
    # a homeless row is told once, whatever else of it was unreadable
    elsewhere = rows.frame.filter(pl.col(KEY_FAULT).is_null() & ~mine)
    known = pl.concat([homeless.select(ROW), elsewhere.select(ROW)])
    return [told, lost.join(known, on=ROW, how="anti")]


def _set_aside_whole(
    key: PartitionKey, item: FileAccount, gone: pl.DataFrame | None, why: str
) -> pl.DataFrame:
    """Rows of a file whose dialect does not feed the partition."""
    rest = item.rows.frame.filter(
        pl.col(KEY_FAULT).is_null()
        & (pl.col("date") == key.date)
        & (pl.col("symbol") == key.symbol)
    )
    if gone is not None:
        rest = rest.join(gone, on=ROW, how="anti")
    return rest.select(
        pl.lit(item.number, pl.Int64).alias(FILE),
        ROW,
        pl.lit("superseded_source").alias("reason"),
        pl.lit(None, pl.String).alias("column"),
        pl.lit(why).alias("detail"),
    )


def files_frame(
    key: PartitionKey, accounts: Sequence[FileAccount], quarantine: pl.DataFrame
) -> pl.DataFrame:
    """Rows of ``landed_files``: one a file, with its verdicts and the fate of its rows."""
    lost = quarantine.group_by("file").agg(pl.len().cast(pl.Int64).alias("rows_quarantined"))
    frame = pl.DataFrame(
        [
            {
                "symbol": key.symbol,
                "date": key.date,
                "file": item.rows.source.relative,
                "file_sha256": item.rows.source.sha256,
                "bytes": item.rows.source.path.stat().st_size,
                "modified_at": dt.datetime.fromtimestamp(
                    item.rows.source.path.stat().st_mtime, tz=dt.UTC
                ),
                "dialect": item.rows.dialect.name,
                "rows_in": item.rows_in,
                "iv_unit": item.units.iv_unit,
                "oi_unit": item.units.oi_unit,
                "volume_kind": item.units.volume_kind,
                "volume_unit": item.units.volume_unit,
                "bar_label": item.units.bar_label,
            }
            for item in accounts
        ],
        schema_overrides={"modified_at": pl.Datetime("us", "UTC"), "rows_in": pl.Int64},
    )
    counted = frame.join(lost, on="file", how="left").with_columns(
        pl.col("rows_quarantined").fill_null(0)
    )
    return counted.with_columns(rows_good=pl.col("rows_in") - pl.col("rows_quarantined")).select(
        LANDED_FILES_SCHEMA.keys()
    )
