"""What one version of a Delta table holds: its columns, its data files.

Here: reading an opened table's log state into Polars.
Not here: opening and committing (``lakehouse.py``), reading data files (``partition_files.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from mr_platform.errors import TableError
from mr_platform.gateways.partition_files import is_local
from mr_platform.gateways.partition_layout import PartitionLayout, TableKey

if TYPE_CHECKING:
    from deltalake import DeltaTable

_FILE_COLUMNS: dict[str, pl.DataType] = {
    "path": pl.String(),
    "bytes": pl.Int64(),
    "rows": pl.Int64(),
}


def schema_of(opened: DeltaTable) -> dict[str, pl.DataType]:
    """Columns and types of a table, in order, partition columns included."""
    return dict(pl.Schema(opened.schema()))


def files_of(opened: DeltaTable, layout: PartitionLayout) -> pl.DataFrame:
    """Data files of a version.

    Returns:
        One row per file: path (relative), bytes, rows (null where the writer kept no count),
        and the partition columns.
    """
    actions = pl.DataFrame(opened.get_add_actions(flatten=True))
    if "num_records" not in actions.columns:
        actions = actions.with_columns(num_records=pl.lit(None, pl.Int64))
    return actions.select(
        "path",
        bytes="size_bytes",
        rows="num_records",
        **{name: f"partition.{name}" for name in layout.columns},
    ).cast(pl.Schema(_FILE_COLUMNS | layout.schema))


def of_keys(files: pl.DataFrame, layout: PartitionLayout, keys: Sequence[TableKey]) -> pl.DataFrame:
    """Those files that belong to exactly these partitions."""
    return files.join(layout.frame(keys).unique(), on=layout.columns, how="semi")


def at_version(
    uri: str, version: int, newest: int, storage_options: Mapping[str, str] | None
) -> DeltaTable:
    """The table as it was at a version.

    Raises:
        TableError: The version does not exist, or the log no longer reaches back to it.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    require_version(uri, version, newest)
    try:
        return DeltaTable(uri, version=version, storage_options=storage_options)
    except DeltaError as gone:
        raise TableError(
            f"version {version} is no longer in the log",
            place=uri,
            next_step="mr table history shows the versions that can be read",
        ) from gone


def require_version(uri: str, version: int, newest: int) -> None:
    """Refuse a version number that no commit made.

    Raises:
        TableError: Names the versions there are.
    """
    if not 0 <= version <= newest:
        raise TableError(
            f"there is no version {version}; the newest is {newest}",
            place=uri,
            next_step="mr table history shows the versions",
        )


def require_files(uri: str, version: int, paths: Sequence[str]) -> None:
    """Refuse a version whose data files are gone (local tables only; a bucket is not asked).

    Raises:
        TableError: Vacuum, or somebody, has removed files of this version.
    """
    if not is_local(uri):
        return
    absent = sum(not Path(uri, path).exists() for path in paths)
    if absent:
        raise TableError(
            f"version {version} can't be read: {absent} of its {len(paths)} files were removed "
            "by vacuum",
            place=uri,
            next_step="Choose a newer version; mr table history shows them",
        )


def with_counts(
    uri: str, files: pl.DataFrame, storage_options: Mapping[str, str] | None
) -> pl.DataFrame:
    """Files with the row counts that another writer left out of the log."""
    options = dict(storage_options) if storage_options else None
    counts = [
        rows
        if rows is not None
        else pl.scan_parquet(
            f"{uri}/{path}", glob=False, hive_partitioning=False, storage_options=options
        )
        .select(pl.len())
        .collect()
        .item()
        for path, rows in files.select("path", "rows").rows()
    ]
    return files.with_columns(rows=pl.Series(counts, dtype=pl.Int64))
