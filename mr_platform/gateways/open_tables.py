"""Delta tables under one root, opened once and read on from there.

Here: addresses, existence, creation, the newest version of a table.
Not here: what a version holds (``table_state.py``), commits of rows (``lakehouse.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from mr_platform.errors import TableError
from mr_platform.gateways.partition_files import PARTITION_COLUMNS, is_local
from mr_platform.gateways.storage_faults import told_as_storage_error

if TYPE_CHECKING:
    from deltalake import DeltaTable

_TABLE_OPTIONS = {
    # Opening reads one checkpoint and the entries since.
    "delta.checkpointInterval": "50",
    # Every partition is one file, so column statistics in the log skip nothing that the partition
    # values don't; without them opening 6,500 partitions takes 30 ms instead of 50.
    "delta.dataSkippingNumIndexedCols": "0",
    # Versions stay readable as long as vacuum has not taken their files.
    "delta.logRetentionDuration": "interval 365 days",
    "delta.deletedFileRetentionDuration": "interval 168 hours",
}


class OpenTables:
    """The tables of one root; not safe for several threads, its owner holds the lock.

    Args:
        root: Folder of the tables, or an address such as ``gs://bucket/lakehouse``.
        storage_options: Options of the object store; None on local disk.
    """

    def __init__(self, root: Path | str, storage_options: Mapping[str, str] | None) -> None:
        text = str(root)
        self.local = is_local(text)
        self.root = str(Path(text).absolute()) if self.local else text.rstrip("/")
        self.storage_options = dict(storage_options) if storage_options else None
        self._opened: dict[str, tuple[DeltaTable, object]] = {}

    def uri(self, table: str) -> str:
        """Folder or address of a table.

        Raises:
            TableError: The name is not a plain word.
        """
        if not table.isidentifier():
            raise TableError(
                f"table name was {table!r}",
                next_step="A table name is made of letters, digits and _",
            )
        return f"{self.root}/{table}"

    def exists(self, table: str) -> bool:
        """Whether the table has been created."""
        from deltalake import DeltaTable

        return bool(DeltaTable.is_deltatable(self.uri(table), self.storage_options))

    def names(self) -> list[str]:
        """Names of all tables on a local root, sorted.

        Raises:
            TableError: The root is an object store, where names are known from the assets only.
        """
        if not self.local:
            raise TableError("tables are listed on a local root only", place=self.root)
        found = [log.parent.name for log in Path(self.root).glob("*/_delta_log")]
        return sorted(name for name in found if name.isidentifier() and self.exists(name))

    def newest(self, table: str) -> DeltaTable:
        """A table at its newest version; the log is read on from where it was last read.

        Raises:
            TableError: There is no such table; names those there are.
        """
        held = self._opened.get(table)
        with told_as_storage_error(self.uri(table), *delta_faults()):
            if held is not None and held[1] == self._trace(table, int(held[0].version())):
                opened = held[0]
                opened.update_incremental()
            else:
                opened = self._open(table)
        self._opened[table] = (opened, self._trace(table, int(opened.version())))
        return opened

    def create(self, table: str, columns: pl.DataFrame) -> None:
        """Create a table with the columns of a frame; no rows. Another creator may be first."""
        from deltalake import CommitProperties, DeltaTable, Schema
        from deltalake.exceptions import DeltaError

        with told_as_storage_error(self.uri(table), *delta_faults()):
            try:
                DeltaTable.create(
                    self.uri(table),
                    Schema.from_arrow(columns.clear().to_arrow().schema),
                    mode="error",
                    partition_by=list(PARTITION_COLUMNS),
                    name=table,
                    configuration=_TABLE_OPTIONS,
                    storage_options=self.storage_options,
                    # a creator that lost the race would try again as version 1, and its columns
                    # would take the place of the first one's
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
            except DeltaError:
                if not self.exists(table):
                    raise

    def _open(self, table: str) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.uri(table), storage_options=self.storage_options)
        except TableNotFoundError as absent:
            self._opened.pop(table, None)
            here = ", ".join(self.names()) if self.local else ""
            raise TableError(
                "there is no such table",
                place=table,
                next_step=f"Tables in {self.root}: {here or 'none yet'}",
            ) from absent

    def _trace(self, table: str, version: int) -> object:
        """What tells a log entry from one of the same number in a table made anew.

        A home may be emptied and filled again while this object lives; version 7 of the new table
        is not version 7 of the old one.
        """
        if not self.local:
            return version
        try:
            found = Path(self.uri(table), "_delta_log", f"{version:020}.json").stat()
        except OSError:
            return object()  # equal to nothing: the table is opened afresh
        return (version, found.st_ino, found.st_mtime_ns, found.st_size)


def delta_faults() -> tuple[type[Exception], ...]:
    """Library errors that may carry a fault of the operating system in their text."""
    from deltalake.exceptions import DeltaError

    return (DeltaError, pl.exceptions.PolarsError)
