"""Delta tables under one root, opened once and read on from there.

Here: addresses, existence, creation, the newest version of a table, a log that cannot be read.
Not here: what a version holds (``table_state.py``), commits of rows (``lakehouse.py``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import polars as pl

from mr_platform.errors import TableError
from mr_platform.gateways.partition_files import is_local
from mr_platform.gateways.partition_layout import layout_of
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

_OF_A_NEWER_WRITER = "Unsupported"

# letters of what the library says of a log; some of it prints whole structures
_MOST_TOLD = 160


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
            TableError: There is no such table, and those there are; or its log is damaged.
        """
        held = self._opened.get(table)
        read_before: int | None = None
        with self._told_as_damaged(table), told_as_storage_error(self.uri(table), *delta_faults()):
            if held is not None and held[1] == self._trace(table, int(held[0].version())):
                opened = held[0]
                read_before = int(opened.version())
                opened.update_incremental()
            else:
                opened = self._open(table)
        self._require_written(table, read_before, int(opened.version()))
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
                    partition_by=list(layout_of(table).columns),
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

    @contextmanager
    def _told_as_damaged(self, table: str) -> Iterator[None]:
        """Tell what the library says of a log it cannot read, with the table's name."""
        from deltalake.exceptions import DeltaError

        try:
            yield
        except DeltaError as unread:
            self._opened.pop(table, None)
            told = _first_sentence(unread)
            if told.startswith(_OF_A_NEWER_WRITER):
                raise TableError(
                    f"it was written by a newer version of Delta Lake: {told}",
                    place=table,
                    next_step="Update this program, or read the table with the one that wrote it",
                ) from unread
            raise self._damaged(table, told) from unread

    def _require_written(self, table: str, since: int | None, newest: int) -> None:
        """Refuse a log entry without content.

        The library takes it for a commit that changed nothing, and what it had added is lost
        without a word: a machine that lost power leaves such a file.

        Args:
            table: Name of the table.
            since: First version to look at; None for the last checkpoint.
            newest: Last version to look at.
        """
        empty = _empty_entry(self._log(table), since, newest) if self.local else None
        if empty is not None:
            self._opened.pop(table, None)
            raise self._damaged(table, "the entry is empty", empty)

    def _damaged(self, table: str, reason: str, entry: str | None = None) -> TableError:
        """The fault of a log that cannot be read; names the entry where that can be told."""
        if entry is None and self.local:
            entry = _unreadable_entry(self._log(table))
        return TableError(
            f"its log cannot be read{f', entry {entry}' if entry else ''}: {reason}",
            place=table,
            next_step=f"Put {self.uri(table)}/_delta_log back from a copy. Or, where the files "
            f"that feed it are still there, move {self.uri(table)} aside and make its partitions "
            f"again: mr materialize {table} --force",
            # an object store may only have been out of reach
            permanent=self.local,
        )

    def _log(self, table: str) -> Path:
        return Path(self.uri(table), "_delta_log")

    def _trace(self, table: str, version: int) -> object:
        """What tells a log entry from one of the same number in a table made anew.

        A home may be emptied and filled again while this object lives; version 7 of the new table
        is not version 7 of the old one.
        """
        if not self.local:
            return version
        try:
            found = (self._log(table) / _entry_name(version)).stat()
        except OSError:
            return object()  # equal to nothing: the table is opened afresh
        return (version, found.st_ino, found.st_mtime_ns, found.st_size)


def delta_faults() -> tuple[type[Exception], ...]:
    """Library errors that may carry a fault of the operating system in their text."""
    from deltalake.exceptions import DeltaError

    return (DeltaError, pl.exceptions.PolarsError)


def _entry_name(version: int) -> str:
    return f"{version:020}.json"


def _empty_entry(log: Path, since: int | None, newest: int) -> str | None:
    """Name of the first empty entry of a local log among those that a reader goes through."""
    if since is None:
        checkpoints = [path.name[:20] for path in log.glob("*.checkpoint.*parquet")]
        since = int(max(checkpoints, default="0"))
    for name in map(_entry_name, range(since, newest + 1)):
        entry = log / name
        if entry.is_file() and not entry.stat().st_size:
            return name
    return None


def _unreadable_entry(log: Path) -> str | None:
    """Name of the newest entry of a local log that is no JSON, a document a line."""
    for entry in sorted(log.glob("*.json"), reverse=True):
        try:
            lines = [line for line in entry.read_text("utf-8").split("\n") if line.strip()]
            for line in lines:
                json.loads(line)
        except (OSError, ValueError):
            return entry.name
        if not lines:
            return entry.name
    return None


def _first_sentence(error: Exception) -> str:
    """What the library says, without the frames of its own stack that it appends."""
    told = (str(error).splitlines() or [""])[0].removeprefix("Kernel error: ").strip(" .")
    return shorten(told, _MOST_TOLD, placeholder=" …") or "no reason told"
