"""The Parquet files of one table: how a partition is written, named and read back.

Here: one file a partition, Parquet options, the scan over given files.
Not here: folders of partitions (``partition_layout.py``), which files belong to a version
(``lakehouse.py``), old files (``table_maintenance.py``).

Files are written by Polars and only then committed to the Delta log. On the 170,000-row NIFTY day
of 2025-08-29 that takes about a third of what deltalake's own writer takes
(``python -m mr_platform_tests.benchmarks.bench_lakehouse_layout``).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mr_platform.config.settings import ParquetSettings
from mr_platform.gateways.partition_layout import PartitionLayout, TableKey
from mr_platform.gateways.storage_faults import told_as_storage_error

# Present in every minute table; readers of one minute or strike skip row groups because of it.
SORT_COLUMNS = ("ts_minute", "expiry_date", "strike")
# gzip knows levels up to 9, the others up to 22
_LEVELLED = {"gzip": 9, "zstd": 22}


@dataclass(frozen=True)
class PartitionFile:
    """One data file written but not yet committed.

    Attributes:
        path: Path relative to the table, as the Delta log names it.
        partition_values: Values of the partition columns as the Delta log writes them.
        rows: Number of rows.
        size: Bytes.
        written_ms: Time of writing, milliseconds since 1970.
    """

    path: str
    partition_values: Mapping[str, str | None]
    rows: int
    size: int
    written_ms: int


def polars_options(parquet: ParquetSettings) -> dict[str, Any]:
    """Options of ``DataFrame.write_parquet`` for the settings."""
    top = _LEVELLED.get(parquet.compression)
    level = parquet.compression_level
    return {
        "compression": parquet.compression,
        "compression_level": min(level, top) if level is not None and top is not None else None,
        "row_group_size": parquet.row_group_rows,
        "statistics": True,
    }


def write_partition(
    table_uri: str,
    layout: PartitionLayout,
    key: TableKey,
    rows: pl.DataFrame,
    parquet: ParquetSettings,
    storage_options: Mapping[str, str] | None = None,
) -> PartitionFile:
    """Write the rows of one partition as one sorted Parquet file.

    The partition columns are left out of the file: the log and the folder name carry them, as
    the Delta protocol wants it.

    Args:
        table_uri: Folder or ``gs://`` address of the table.
        layout: How the table is parted.
        key: Partition of all rows.
        rows: Rows with the partition columns; written sorted by minute, expiry and strike where
            the table has these columns, else in the order given.
        parquet: Compression and row-group size.
        storage_options: Options of the object store, None on local disk.

    Returns:
        The file, to be committed.

    Raises:
        TableError: The key does not fit the layout, or a folder name.
        StorageError: The file could not be written.
    """
    path = f"{layout.folder(key)}/part-{uuid.uuid4()}.parquet"
    content = in_order(rows.drop(layout.columns))
    store = _store_local if is_local(table_uri) else _store_remote
    try:
        with told_as_storage_error(table_uri, pl.exceptions.PolarsError):
            size = store(content, table_uri, path, polars_options(parquet), storage_options)
    except BaseException:
        discard(table_uri, [path])  # a full disk leaves half a file
        raise
    return PartitionFile(path, layout.texts(key), content.height, size, time.time_ns() // 1_000_000)


def is_local(uri: str) -> bool:
    """Whether an address is a plain path."""
    return "://" not in uri


def _store_local(
    content: pl.DataFrame, table_uri: str, path: str, options: dict[str, Any], _: object
) -> int:
    target = Path(table_uri, path)
    content.write_parquet(target, mkdir=True, **options)
    return target.stat().st_size


def _store_remote(
    content: pl.DataFrame,
    table_uri: str,
    path: str,
    options: dict[str, Any],
    storage_options: Mapping[str, str] | None,
) -> int:
    from deltalake.fs import DeltaStorageHandler

    access = dict(storage_options) if storage_options else None
    # folders mean something below file:// only; a bucket has none
    content.write_parquet(
        f"{table_uri}/{path}",
        mkdir=table_uri.startswith("file://"),
        storage_options=access,
        **options,
    )
    [stored] = DeltaStorageHandler(table_uri, access).get_file_info([path])
    return int(stored.size)


def discard(table_uri: str, paths: Sequence[str]) -> None:
    """Remove files that will never be committed; what can't be removed is left to vacuum."""
    if not is_local(table_uri):
        return
    for path in paths:
        try:
            Path(table_uri, path).unlink(missing_ok=True)
        except OSError:
            continue


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows sorted by the sort columns present; untouched when they are in order already."""
    columns = [name for name in SORT_COLUMNS if name in rows.columns]
    if not columns or rows.height < 2:
        return rows
    # Telling that 170,000 rows are in order costs 1 ms, sorting them again 20 ms and a copy.
    if rows.select(_ascending(columns)).item():
        return rows
    return rows.sort(columns, nulls_last=False, maintain_order=True)


def _ascending(columns: Sequence[str]) -> pl.Expr:
    not_before = pl.lit(True)
    for name in reversed(columns):
        value, earlier = pl.col(name), pl.col(name).shift(1)
        not_before = (value > earlier) | ((value == earlier) & not_before)
    return not_before.slice(1).fill_null(False).all()


def scan_files(
    table_uri: str,
    files: pl.DataFrame,
    schema: Mapping[str, pl.DataType],
    layout: PartitionLayout,
    storage_options: Mapping[str, str] | None = None,
) -> pl.LazyFrame:
    """Lazy frame over given data files, in the column order of the table.

    Args:
        table_uri: Folder or address of the table.
        files: One row per file: ``path`` (relative) and the partition columns.
        schema: Columns of the table with the partition columns.
        layout: How the table is parted.
        storage_options: Options of the object store, None on local disk.

    Returns:
        The rows of the files; an empty frame of the schema when there is none.
    """
    if files.is_empty():
        return pl.LazyFrame(schema=dict(schema))
    stored = {name: kind for name, kind in schema.items() if name not in layout.columns}
    options: dict[str, Any] = {
        "glob": False,  # a home folder may be called "data [new]"
        "schema": stored,
        # files written before a column was added to the table hold none of it
        "missing_columns": "insert",
        "storage_options": dict(storage_options) if storage_options else None,
    }
    ordered = files.sort(*layout.columns, "path")
    if "=" not in table_uri:
        paths = [f"{table_uri}/{path}" for path in ordered["path"]]
        rows = pl.scan_parquet(paths, hive_partitioning=True, hive_schema=layout.schema, **options)
        return rows.select(list(schema))
    # A parent folder named like "env=prod" would be read as a partition column: name them here.
    scans = [
        pl.scan_parquet(f"{table_uri}/{path}", hive_partitioning=False, **options).with_columns(
            pl.lit(value, kind).alias(name)
            for (name, kind), value in zip(layout.schema.items(), values, strict=True)
        )
        for path, *values in ordered.select("path", *layout.columns).rows()
    ]
    return pl.concat(scans).select(list(schema))
