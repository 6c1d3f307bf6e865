"""Keeping a Delta table in shape: history, restore, added columns, compaction, vacuum.

Here: these five on an opened table, told in plain results and errors.
Not here: opening, retries (``lakehouse.py``), writing rows (``partition_files.py``).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mr_platform.config.settings import ParquetSettings
from mr_platform.errors import TableError
from mr_platform.gateways.partition_files import is_local, polars_options
from mr_platform.gateways.partition_layout import PartitionLayout, TableKey
from mr_platform.gateways.table_state import at_version, files_of, require_files, schema_of

if TYPE_CHECKING:
    from deltalake import DeltaTable, WriterProperties

MIN_RETENTION_HOURS = 168
_NOT_DETAILS = frozenset({"timestamp", "operation", "version", "operationName"})
_CODECS = {
    "zstd": "ZSTD",
    "snappy": "SNAPPY",
    "lz4": "LZ4_RAW",
    "gzip": "GZIP",
    "uncompressed": "UNCOMPRESSED",
}


@dataclass(frozen=True)
class TableVersion:
    """One entry of a table's history.

    Attributes:
        version: Number of the version.
        committed_at: Time of the commit, UTC.
        operation: What was done: ``replace_partitions``, ``RESTORE``, ``OPTIMIZE``, …
        predicate: Partitions replaced, as SQL; None for other operations.
        info: All other facts kept with the commit, such as the run id.
    """

    version: int
    committed_at: dt.datetime
    operation: str
    predicate: str | None
    info: dict[str, str]


@dataclass(frozen=True)
class RestoreReport:
    """A restore: the version brought back and the new version that equals it."""

    restored: int
    version: int
    files_removed: int
    files_brought_back: int


@dataclass(frozen=True)
class OptimizeReport:
    """A compaction: files and bytes before and after, of the partitions rewritten."""

    version: int
    partitions: int
    files_removed: int
    files_added: int
    bytes_removed: int
    bytes_added: int


@dataclass(frozen=True)
class VacuumReport:
    """A vacuum: the files deleted, or that would be (``dry_run``), and their size."""

    files: tuple[str, ...]
    bytes: int
    dry_run: bool


def history(opened: DeltaTable, limit: int | None) -> list[TableVersion]:
    """Versions, newest first."""
    return [_version_of(entry) for entry in opened.history(limit)]


def restore(
    opened: DeltaTable,
    uri: str,
    version: int,
    info: Mapping[str, str],
    layout: PartitionLayout,
    storage_options: Mapping[str, str] | None,
) -> RestoreReport:
    """Commit an earlier version as the newest.

    Raises:
        TableError: No such version, or files of it are gone.
        CommitFailedError: Another writer came in between.
    """
    from deltalake import CommitProperties

    newest = int(opened.version())
    past = at_version(uri, version, newest, storage_options)
    require_files(uri, version, files_of(past, layout)["path"].to_list())
    metrics = opened.restore(
        version,
        commit_properties=CommitProperties(custom_metadata=dict(info), max_commit_retries=0),
    )
    return RestoreReport(
        restored=version,
        version=newest + 1,
        files_removed=int(metrics["numRemovedFile"]),
        files_brought_back=int(metrics["numRestoredFile"]),
    )


def add_columns(opened: DeltaTable, columns: Mapping[str, pl.DataType]) -> bool:
    """Commit columns that a table lacks, behind those it has; False where it lacks none.

    Raises:
        CommitFailedError: Another writer came in between.
    """
    from deltalake import CommitProperties, Schema

    held = schema_of(opened)
    lacking = {name: kind for name, kind in columns.items() if name not in held}
    if lacking:
        fields = Schema.from_arrow(pl.DataFrame(schema=lacking).to_arrow().schema).fields
        opened.alter.add_columns(fields, commit_properties=CommitProperties(max_commit_retries=0))
    return bool(lacking)


def require_columns(
    table: str,
    columns: Sequence[str],
    schema: Mapping[str, pl.DataType],
    layout: PartitionLayout,
) -> None:
    """Refuse z-order columns that the data files don't have.

    Raises:
        TableError: Names them.
    """
    unknown = [name for name in columns if name not in schema]
    if unknown:
        raise TableError(
            f"no such columns: {', '.join(unknown)}",
            place=table,
            next_step=f"Columns: {', '.join(schema)}",
        )
    partition = [name for name in columns if name in layout.columns]
    if partition:
        raise TableError(
            f"{', '.join(partition)} can't be z-ordered: rows are parted by it already",
            place=table,
        )


def optimize(
    opened: DeltaTable,
    zorder_by: Sequence[str],
    layout: PartitionLayout,
    keys: Sequence[TableKey] | None,
    parquet: ParquetSettings,
) -> OptimizeReport:
    """Compact partitions, along a z-order curve where columns are named.

    Raises:
        CommitFailedError: Another writer replaced the same partitions meanwhile.
    """
    filters = _rectangles(layout, keys)
    properties = _writer_properties(parquet)
    reports = []
    for part in filters:
        if zorder_by:
            metrics = opened.optimize.z_order(
                list(zorder_by), partition_filters=part, writer_properties=properties
            )
        else:
            metrics = opened.optimize.compact(partition_filters=part, writer_properties=properties)
        reports.append(metrics)
    return OptimizeReport(
        version=int(opened.version()),
        partitions=sum(int(found["partitionsOptimized"]) for found in reports),
        files_removed=sum(int(found["numFilesRemoved"]) for found in reports),
        files_added=sum(int(found["numFilesAdded"]) for found in reports),
        bytes_removed=sum(_total_size(found["filesRemoved"]) for found in reports),
        bytes_added=sum(_total_size(found["filesAdded"]) for found in reports),
    )


def vacuum(
    opened: DeltaTable, uri: str, retention_hours: int, *, dry_run: bool, force: bool
) -> VacuumReport:
    """Delete files older than the retention that no kept version names.

    Files that a killed writer left behind are named by no version and go as well.

    Raises:
        TableError: A retention below 168 hours without ``force``.
    """
    if retention_hours < MIN_RETENTION_HOURS and not force:
        raise TableError(
            f"retention was {retention_hours} h, the least is {MIN_RETENTION_HOURS} h",
            place=uri,
            next_step="Earlier versions and writers at work lose files below it; force it only "
            "when nobody uses the table",
        )
    listed = opened.vacuum(
        retention_hours=retention_hours,
        dry_run=True,
        enforce_retention_duration=False,
        full=True,
    )
    files = tuple(sorted(set(listed)))
    size = 0
    if is_local(uri):
        size = sum(path.stat().st_size for name in files if (path := Path(uri, name)).exists())
    if files and not dry_run:
        opened.vacuum(
            retention_hours=retention_hours,
            dry_run=False,
            enforce_retention_duration=False,
            full=True,
        )
    return VacuumReport(files=files, bytes=size, dry_run=dry_run)


def _version_of(entry: Mapping[str, Any]) -> TableVersion:
    parameters = entry.get("operationParameters") or {}
    info = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in entry.items()
        if name not in _NOT_DETAILS and value is not None and name != "operationParameters"
    }
    ours = entry.get("operationName")
    return TableVersion(
        version=int(entry["version"]),
        committed_at=dt.datetime.fromtimestamp(entry["timestamp"] / 1000, dt.UTC),
        operation=str(ours or entry.get("operation", "unknown")),
        predicate=str(parameters["predicate"]) if ours and "predicate" in parameters else None,
        info=info,
    )


def _rectangles(
    layout: PartitionLayout,
    keys: Sequence[TableKey] | None,
) -> list[list[tuple[str, str, Any]] | None]:
    """Partition filters that together meet exactly the keys: one per outer value; None is all."""
    if keys is None:
        return [None]
    outer, inner = layout.columns
    return [[(outer, "=", value), (inner, "in", texts)] for value, texts in layout.rectangles(keys)]


def _writer_properties(parquet: ParquetSettings) -> WriterProperties:
    from deltalake import WriterProperties

    options = polars_options(parquet)
    return WriterProperties(
        compression=_CODECS[parquet.compression],
        compression_level=options["compression_level"],
        max_row_group_size=options["row_group_size"],
    )


def _total_size(metrics: str | Mapping[str, Any]) -> int:
    found = json.loads(metrics) if isinstance(metrics, str) else metrics
    return int(found["totalSize"])
