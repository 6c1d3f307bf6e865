"""The lakehouse: Delta tables whose partitions are replaced whole, one commit for one run.

Here: the commit that replaces partitions, and the one class through which tables are used.
Not here: how one file is written (``partition_files.py``), restore, compaction and vacuum
(``table_maintenance.py``), what a column means (``registry/``).

How a commit stays right: data files are written first, under names nobody else knows. Then one
log entry adds them and removes every file that the table's *newest* version holds for the run's
partitions. The entry is taken only if no other entry came in between (no conflict resolution by
the library: ``max_commit_retries=0``); otherwise the newest version is read again and the entry
made anew, which costs milliseconds because no data is written twice. So writers of disjoint
partitions lose nothing, the last writer of a partition replaces all of it, and a killed process
leaves files that no version names.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from mr_platform.config.settings import ParquetSettings
from mr_platform.errors import PlatformError, TableConflictError, TableError
from mr_platform.gateways import partition_files, partition_frames, table_maintenance
from mr_platform.gateways.commits import CommitReport, checked_info
from mr_platform.gateways.open_tables import OpenTables, delta_faults
from mr_platform.gateways.partition_files import PartitionFile
from mr_platform.gateways.partition_layout import TableKey, layout_of
from mr_platform.gateways.storage_faults import told_as_storage_error
from mr_platform.gateways.table_maintenance import (
    OptimizeReport,
    RestoreReport,
    TableVersion,
    VacuumReport,
)
from mr_platform.gateways.table_state import (
    at_version,
    files_of,
    of_keys,
    require_files,
    schema_of,
    with_counts,
)  # fmt: skip

Result = TypeVar("Result")

_MAX_PAUSE_SECONDS = 1.0


class Lakehouse:
    """Delta tables under one root, each partitioned as its layout says.

    Args:
        root: Folder of the tables, or an address such as ``gs://bucket/lakehouse``.
        parquet: Compression and row-group size of data files.
        storage_options: Options of the object store; None on local disk.
        commit_attempts: How often a commit is tried when other writers come in between.
        backoff_seconds: Longest pause before the second attempt; it doubles, up to one second,
            and each pause is drawn at random below it so that writers don't march in step.
    """

    def __init__(
        self,
        root: Path | str,
        parquet: ParquetSettings,
        *,
        storage_options: Mapping[str, str] | None = None,
        commit_attempts: int = 30,
        backoff_seconds: float = 0.02,
    ) -> None:
        self.parquet = parquet
        self._tables = OpenTables(root, storage_options)
        self.root = self._tables.root
        self.storage_options = self._tables.storage_options
        self._attempts = commit_attempts
        self._backoff = backoff_seconds
        self._lock = threading.RLock()

    # -- looking ---------------------------------------------------------------------------------

    def exists(self, table: str) -> bool:
        """Whether the table has been created."""
        return self._tables.exists(table)

    def tables(self) -> list[str]:
        """Names of all tables on a local root, sorted; empty before the first write.

        Raises:
            TableError: The root is an object store, where names are known from the assets only.
        """
        return self._tables.names()

    def uri(self, table: str) -> str:
        """Folder or address of a table.

        Raises:
            TableError: The name is not a plain word.
        """
        return self._tables.uri(table)

    def version(self, table: str) -> int:
        """Newest version of a table."""
        with self._lock:
            return int(self._tables.newest(table).version())

    def schema(self, table: str) -> dict[str, pl.DataType]:
        """Columns and types of a table, in order."""
        with self._lock:
            return schema_of(self._tables.newest(table))

    def read_partition_counts(self, table: str) -> pl.DataFrame:
        """Rows of every partition that has any, from the log alone.

        Returns:
            The partition columns (symbol and date, or book and part) and rows (Int64), sorted.
        """
        files = self._files(table)
        unknown = files.filter(pl.col("rows").is_null())
        if not unknown.is_empty():
            files = with_counts(self.uri(table), files, self.storage_options)
        columns = layout_of(table).columns
        return files.group_by(columns).agg(pl.col("rows").sum()).sort(columns)

    def scan(
        self,
        table: str,
        keys: Sequence[TableKey] | None = None,
        *,
        version: int | None = None,
    ) -> pl.LazyFrame:
        """Rows of partitions, lazily; only the files of these partitions are ever opened.

        Args:
            table: Name of the table.
            keys: Partitions; None reads the whole table. A partition without rows yields none.
            version: Version to read; None reads the newest.

        Returns:
            The rows in the table's column order and exact types; partitions ascend by their
            columns, rows in a partition as they were written.

        Raises:
            TableError: No such table or version, or vacuum has removed files of that version.
        """
        with self._lock:
            opened = self._tables.newest(table)
            if version is not None:
                opened = at_version(
                    self.uri(table), version, int(opened.version()), self.storage_options
                )
            schema = schema_of(opened)
            layout = layout_of(table)
            files = files_of(opened, layout)
        if keys is not None:
            files = of_keys(files, layout, keys)
        if version is not None:
            require_files(self.uri(table), version, files["path"].to_list())
        return partition_files.scan_files(
            self.uri(table), files, schema, layout, self.storage_options
        )

    # -- writing ---------------------------------------------------------------------------------

    def replace_partitions(
        self,
        table: str,
        frame: pl.DataFrame,
        keys: Sequence[TableKey],
        *,
        commit_info: Mapping[str, str] | None = None,
    ) -> CommitReport:
        """Replace exactly these partitions by the rows of a frame, in one commit.

        The first write creates the table and declares its schema. Partitions not named keep
        their rows; a named partition without rows in the frame becomes empty.

        Args:
            table: Name of the table.
            frame: Rows of the named partitions only, with the partition columns.
            keys: The partitions to replace, at least one, in any order.
            commit_info: Facts kept in the table's history, such as the run id.

        Returns:
            What was written.

        Raises:
            TableError: Rows outside the keys, or columns that differ from the table's: nothing
                was written.
            TableConflictError: Other writers came in between at every attempt.
            StorageError: Files could not be written; the table is as it was.
        """
        info = checked_info(table, commit_info)
        groups = partition_frames.rows_by_key(table, frame, keys)
        return self._replace(table, frame, groups.items(), keys, info)

    def replace_one_by_one(
        self,
        table: str,
        parts: Iterable[tuple[TableKey, pl.DataFrame]],
        *,
        commit_info: Mapping[str, str] | None = None,
    ) -> CommitReport:
        """As :meth:`replace_partitions`, with one partition in memory at a time.

        Args:
            table: Name of the table.
            parts: Partitions, each once, with their rows; read one after the other.
            commit_info: Facts kept in the table's history, such as the run id.

        Raises:
            TableError: No partition or one that comes twice, rows outside their partition, or
                columns that differ from the table's: nothing was written.
            TableConflictError: Other writers came in between at every attempt.
            StorageError: Files could not be written; the table is as it was.
        """
        info = checked_info(table, commit_info)
        remaining = iter(parts)
        first = next(remaining, None)
        if first is None:
            raise TableError(
                "no partitions were named", place=table, next_step="Name the partitions to replace"
            )
        keys: list[TableKey] = []

        def checked() -> Iterator[tuple[TableKey, pl.DataFrame]]:
            for key, rows in chain([first], remaining):
                if key in keys:
                    raise TableError(f"{key} was named twice", place=table)
                keys.append(key)
                partition_frames.require_same_schema(table, rows.schema, first[1].schema)
                yield from partition_frames.rows_by_key(table, rows, [key]).items()

        return self._replace(table, first[1], checked(), keys, info)

    # -- keeping tables in shape -----------------------------------------------------------------

    def history(self, table: str, limit: int | None = 20) -> list[TableVersion]:
        """Versions of a table, newest first; None for ``limit`` gives all that the log holds."""
        with self._lock:
            return table_maintenance.history(self._tables.newest(table), limit)

    def restore(
        self, table: str, version: int, *, commit_info: Mapping[str, str] | None = None
    ) -> RestoreReport:
        """Make an earlier version the newest one; itself a commit, so it can be undone.

        Raises:
            TableError: No such version, or vacuum has removed files of it.
            TableConflictError: Other writers came in between at every attempt.
        """
        info = checked_info(table, commit_info)

        def attempt() -> RestoreReport:
            with self._lock:
                return table_maintenance.restore(
                    self._tables.newest(table),
                    self.uri(table),
                    version,
                    info,
                    layout_of(table),
                    self.storage_options,
                )

        report, _ = self._with_retries(table, attempt)
        return report

    def add_columns(self, table: str, columns: Mapping[str, pl.DataType]) -> bool:
        """Give a table those columns that it lacks, behind its own; null in rows stored before.

        Raises:
            TableError: No such table, or a type that tables do not store.
            TableConflictError: Other writers came in between at every attempt.
        """
        partition_frames.require_storable(table, columns)

        def attempt() -> bool:
            with self._lock:
                return table_maintenance.add_columns(self._tables.newest(table), columns)

        return self._with_retries(table, attempt)[0]

    def optimize(
        self,
        table: str,
        zorder_by: Sequence[str] = (),
        *,
        keys: Sequence[TableKey] | None = None,
    ) -> OptimizeReport:
        """Compact the files of partitions; rows stay the same.

        Args:
            table: Name of the table.
            zorder_by: Columns to lay out along a z-order curve inside each partition. Empty only
                joins small files and keeps the order of rows.
            keys: Partitions to compact; None takes all.

        Raises:
            TableError: No such table, or an unknown or partition column in ``zorder_by``.
            TableConflictError: Other writers replaced the same partitions at every attempt.
        """

        def attempt() -> OptimizeReport:
            with self._lock:
                opened = self._tables.newest(table)
                layout = layout_of(table)
                table_maintenance.require_columns(table, zorder_by, schema_of(opened), layout)
                return table_maintenance.optimize(opened, zorder_by, layout, keys, self.parquet)

        report, _ = self._with_retries(table, attempt)
        return report

    def vacuum(
        self,
        table: str,
        retention_hours: int = 168,
        *,
        dry_run: bool = True,
        force: bool = False,
    ) -> VacuumReport:
        """Delete files that no version of the last ``retention_hours`` names.

        Args:
            table: Name of the table.
            retention_hours: Age that a file must have.
            dry_run: Only list them.
            force: Allow less than 168 hours. Versions go, and a writer that is at work loses
                files not yet committed: for tables that nobody else uses.

        Raises:
            TableError: No such table, or a short retention without ``force``.
        """
        with self._lock:
            opened = self._tables.newest(table)
            with told_as_storage_error(self.uri(table), *delta_faults()):
                return table_maintenance.vacuum(
                    opened, self.uri(table), retention_hours, dry_run=dry_run, force=force
                )

    # -- inside ----------------------------------------------------------------------------------

    def _replace(
        self,
        table: str,
        like: pl.DataFrame,
        parts: Iterable[tuple[TableKey, pl.DataFrame]],
        keys: Sequence[TableKey],
        info: Mapping[str, str],
    ) -> CommitReport:
        """Write parts, then commit them in the place of ``keys`` (complete once parts are read)."""
        started = time.perf_counter()
        uri, layout = self.uri(table), layout_of(table)
        self._ensure(table, like)
        written: list[PartitionFile] = []
        try:
            for key, rows in parts:
                written.append(
                    partition_files.write_partition(
                        uri, layout, key, rows, self.parquet, self.storage_options
                    )
                )
            (version, removed), attempts = self._with_retries(
                table, lambda: self._commit(table, like, written, keys, info)
            )
        except BaseException:
            self._discard_uncommitted(table, written)
            raise
        return CommitReport(
            table=table,
            version=version,
            partitions=len(set(keys)),
            rows=sum(file.rows for file in written),
            files=len(written),
            files_removed=removed,
            bytes_written=sum(file.size for file in written),
            attempts=attempts,
            seconds=time.perf_counter() - started,
        )

    def _ensure(self, table: str, frame: pl.DataFrame) -> None:
        """Create the table if it is absent; its schema must be the frame's in any case."""
        with self._lock:
            if not self.exists(table):
                partition_frames.require_storable(table, frame.schema)
                self._tables.create(table, frame)
            declared = schema_of(self._tables.newest(table))
        partition_frames.require_same_schema(table, frame.schema, declared)

    def _commit(
        self,
        table: str,
        frame: pl.DataFrame,
        written: Sequence[PartitionFile],
        keys: Sequence[TableKey],
        info: Mapping[str, str],
    ) -> tuple[int, int]:
        """Try one log entry on the newest version; its number, and the files it replaced."""
        from deltalake import CommitProperties
        from deltalake.transaction import AddAction, RemoveAction

        with self._lock:
            opened = self._tables.newest(table)
            partition_frames.require_same_schema(table, frame.schema, schema_of(opened))
            layout = layout_of(table)
            held = files_of(opened, layout)
            if written and _names_any(held, written):
                # The entry was taken, and what the library does after it (a checkpoint) failed.
                return int(opened.version()), 0
            replaced = of_keys(held, layout, keys)
            now = time.time_ns() // 1_000_000
            actions: list[Any] = [
                AddAction(
                    path=file.path,
                    size=file.size,
                    partition_values=dict(file.partition_values),
                    modification_time=file.written_ms,
                    data_change=True,
                    stats=json.dumps({"numRecords": file.rows}),
                )
                for file in written
            ]
            actions += [
                RemoveAction(path, True, now, size, layout.texts_of(outer, inner))
                for path, size, outer, inner in replaced.select(
                    "path", "bytes", *layout.columns
                ).rows()
            ]
            version = int(opened.version())
            opened.create_write_transaction(
                actions,
                "append",  # the only mode that takes a list of removals
                opened.schema(),
                list(layout.columns),
                commit_properties=CommitProperties(
                    custom_metadata={
                        **info,
                        "operationName": "replace_partitions",
                        "operationParameters": {"predicate": layout.predicate(keys)},
                    },
                    max_commit_retries=0,
                ),
            )
            return version + 1, replaced.height

    def _discard_uncommitted(self, table: str, written: Sequence[PartitionFile]) -> None:
        """Remove files of a run that failed, unless its log entry was taken all the same.

        A signal that arrives while the entry is written, or a disk that fills up after it, fails
        the call although the newest version names the files. What can't be asked stays, for vacuum.
        """
        if not written:
            return
        unanswered: tuple[type[Exception], ...] = (PlatformError, OSError, *delta_faults())
        try:
            committed = _names_any(self._files(table), written)
        except unanswered:
            return
        if not committed:
            partition_files.discard(self.uri(table), [file.path for file in written])

    def _with_retries(self, table: str, attempt: Callable[[], Result]) -> tuple[Result, int]:
        """Result of an attempt and how many it took; only lost races are tried again."""
        from deltalake.exceptions import CommitFailedError

        for number in range(1, self._attempts + 1):
            try:
                with told_as_storage_error(self.uri(table), *delta_faults()):
                    return attempt(), number
            except CommitFailedError as lost:
                if number == self._attempts:
                    raise TableConflictError(
                        f"other writers came in between at each of {number} attempts",
                        place=table,
                        next_step="Nothing of this run was written; run it again when fewer "
                        "runs write this table",
                    ) from lost
                limit = min(self._backoff * 2 ** (number - 1), _MAX_PAUSE_SECONDS)
                time.sleep(random.uniform(0, limit))  # no data depends on it
        raise AssertionError("at least one attempt is made")

    def _files(self, table: str) -> pl.DataFrame:
        with self._lock:
            return files_of(self._tables.newest(table), layout_of(table))


def _names_any(files: pl.DataFrame, written: Sequence[PartitionFile]) -> bool:
    """Whether a version names a file just written (one entry adds all of them or none)."""
    return bool(files["path"].is_in([file.path for file in written]).any())
