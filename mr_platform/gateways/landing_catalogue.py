"""What each landed file holds, remembered so that no unchanged file is opened twice.

Here: one SQLite file beside the landing folder, safe for several processes at once.
Not here: how a file is read: ``refresh`` is handed a function that inspects one.

The catalogue is a cache: whatever is wrong with its file (another schema, damage), it is made
anew from the landing folder.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mr_platform.errors import PlatformError
from mr_platform.gateways.storage_faults import StorageError, told_as_storage_error
from mr_platform.trading_calendar import PartitionKey

if TYPE_CHECKING:
    from mr_platform.gateways.landing import FileInspection, LandedFile, LandingZone

_SCHEMA_VERSION = 1
_SCHEMA = (
    "DROP TABLE IF EXISTS file_partitions",
    "DROP TABLE IF EXISTS files",
    # raw_path is the path as the file system has it, whatever its encoding; name_facts is JSON
    # with sorted keys; inspector is the version of the code that looked into the file.
    """
    CREATE TABLE files (
        relative TEXT PRIMARY KEY,
        raw_path BLOB NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inspector TEXT NOT NULL,
        dialect TEXT,
        sha256 TEXT NOT NULL,
        name_facts TEXT NOT NULL,
        rows INTEGER NOT NULL,
        unassigned_rows INTEGER NOT NULL,
        fault TEXT,
        seen_at TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE file_partitions (
        relative TEXT NOT NULL REFERENCES files (relative) ON DELETE CASCADE,
        date TEXT NOT NULL,
        symbol TEXT NOT NULL,
        rows INTEGER NOT NULL,
        PRIMARY KEY (relative, date, symbol)
    )
    """,
    "CREATE INDEX file_partitions_key ON file_partitions (date, symbol)",
)
_BUSY_SECONDS = 30.0


@dataclass(frozen=True)
class CataloguedFile:
    """One landed file as seen from one of its partitions.

    Attributes:
        path: Where it is.
        relative: Path under the landing folder.
        size: Bytes.
        mtime_ns: Time of the last change.
        sha256: Digest of the bytes.
        dialect: Name of its dialect.
        rows: Rows that belong to the partition asked for.
        content_id: ``sha256`` and, where the path tells facts, these too: equal for files that
            are the same input.
    """

    path: Path
    relative: str
    size: int
    mtime_ns: int
    sha256: str
    dialect: str | None
    rows: int
    content_id: str


@dataclass(frozen=True)
class PartitionInputs:
    """The input of one partition.

    Attributes:
        fingerprint: Digest of the contents of its files, whatever their names, times and order.
        files: Number of different files.
        rows: Rows of these files that belong to the partition.
    """

    fingerprint: str
    files: int
    rows: int


@dataclass(frozen=True)
class FaultyFile:
    """A landed file that feeds no partition, and why."""

    relative: str
    fault: str
    seen_at: dt.datetime


@dataclass(frozen=True)
class DuplicateFile:
    """A landed file left aside because another holds the same input."""

    relative: str
    same_as: str


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh saw; every name is a relative path.

    Attributes:
        new: Files inspected for the first time.
        changed: Files inspected again because size or time of change differ.
        vanished: Files forgotten because they are gone.
        faulty: Those of ``new`` and ``changed`` that cannot be used.
        remaining: Files to inspect that time, or a writer still at work, left for the next time.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    faulty: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()


@dataclass
class _Progress:
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    faulty: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)


class LandingCatalogue:
    """The catalogue of one landing folder.

    Args:
        path: SQLite file; its folder is created by the first use.
        zone: The landing folder.
    """

    def __init__(self, path: Path, zone: LandingZone) -> None:
        self.path = Path(path)
        self.zone = zone

    def refresh(
        self,
        inspect: Callable[[LandedFile], FileInspection],
        *,
        budget_s: float | None = None,
        only: Collection[str] | None = None,
        inspector: str = "",
    ) -> RefreshReport:
        """Bring the catalogue up to the landing folder.

        Each file is stored as soon as it is inspected, so a stopped refresh goes on where it was.

        Args:
            inspect: Reads one file; a ``PlatformError`` it raises is stored as the file's fault.
            budget_s: Seconds after which no further file is opened (one always is); None is no
                limit.
            only: Relative paths that may be opened now; None allows all.
            inspector: Version of the code behind ``inspect``; files seen by another version are
                inspected again.

        Returns:
            What was new, changed, vanished, faulty, and what remains.

        Raises:
            StorageError: The disk failed in a way that waiting may cure; nothing false is kept.
        """
        end = None if budget_s is None else time.monotonic() + budget_s
        landed = {file.relative: file for file in self.zone.list_files()}
        with self._connected() as database:
            known = {
                relative: (size, mtime_ns, seen_by)
                for relative, size, mtime_ns, seen_by in database.execute(
                    "SELECT relative, size, mtime_ns, inspector FROM files"
                )
            }
            vanished = tuple(sorted(known.keys() - landed.keys()))
            with database:
                database.executemany(
                    "DELETE FROM files WHERE relative = ?", [(name,) for name in vanished]
                )
            progress = _Progress()
            opened = 0
            for relative, file in landed.items():
                if known.get(relative) == (file.size, file.mtime_ns, inspector):
                    continue
                late = end is not None and opened > 0 and time.monotonic() >= end
                if late or (only is not None and relative not in only):
                    progress.remaining.append(relative)
                    continue
                opened += 1
                self._inspect(database, file, inspect, inspector, relative in known, progress)
        return RefreshReport(
            tuple(progress.new),
            tuple(progress.changed),
            vanished,
            tuple(progress.faulty),
            tuple(progress.remaining),
        )

    def files_for(self, key: PartitionKey) -> list[CataloguedFile]:
        """Usable files that hold rows of a partition, by relative path; the same input once."""
        with self._connected() as database:
            found = database.execute(
                "SELECT f.relative, raw_path, size, mtime_ns, sha256, dialect, p.rows, name_facts"
                " FROM file_partitions p JOIN files f USING (relative)"
                " WHERE p.date = ? AND p.symbol = ? AND fault IS NULL ORDER BY f.relative",
                (key.date.isoformat(), key.symbol),
            ).fetchall()
        files = [
            CataloguedFile(
                path=self.zone.landing_dir / os.fsdecode(raw),
                relative=relative,
                size=size,
                mtime_ns=mtime_ns,
                sha256=sha256,
                dialect=dialect,
                rows=rows,
                content_id=_content_id(sha256, facts),
            )
            for relative, raw, size, mtime_ns, sha256, dialect, rows, facts in found
        ]
        first: dict[str, CataloguedFile] = {}
        for file in files:
            first.setdefault(file.content_id, file)
        return list(first.values())

    def partitions(self) -> dict[PartitionKey, PartitionInputs]:
        """Input of every partition that any usable file feeds, ascending."""
        with self._connected() as database:
            found = database.execute(
                "SELECT p.date, p.symbol, sha256, name_facts, p.rows"
                " FROM file_partitions p JOIN files f USING (relative)"
                " WHERE fault IS NULL ORDER BY p.date, p.symbol"
            ).fetchall()
        inputs: dict[PartitionKey, dict[str, int]] = {}
        for date, symbol, sha256, facts, rows in found:
            key = PartitionKey(dt.date.fromisoformat(date), symbol)
            inputs.setdefault(key, {})[_content_id(sha256, facts)] = rows
        return {
            key: PartitionInputs(inputs_fingerprint(rows), len(rows), sum(rows.values()))
            for key, rows in inputs.items()
        }

    def faulty_files(self) -> list[FaultyFile]:
        """Files that cannot be used, by relative path."""
        with self._connected() as database:
            found = database.execute(
                "SELECT relative, fault, seen_at FROM files WHERE fault IS NOT NULL"
                " ORDER BY relative"
            ).fetchall()
        return [
            FaultyFile(relative, fault, dt.datetime.fromisoformat(seen_at))
            for relative, fault, seen_at in found
        ]

    def duplicate_files(self) -> list[DuplicateFile]:
        """Files left aside because an earlier one (by path) is the same input."""
        with self._connected() as database:
            found = database.execute(
                "SELECT relative, sha256, name_facts FROM files WHERE fault IS NULL"
                " ORDER BY relative"
            ).fetchall()
        first: dict[str, str] = {}
        duplicates = []
        for relative, sha256, facts in found:
            kept = first.setdefault(_content_id(sha256, facts), relative)
            if kept != relative:
                duplicates.append(DuplicateFile(relative, kept))
        return duplicates

    def _inspect(
        self,
        database: sqlite3.Connection,
        file: LandedFile,
        inspect: Callable[[LandedFile], FileInspection],
        inspector: str,
        known: bool,
        progress: _Progress,
    ) -> None:
        seen: FileInspection | str
        try:
            seen = inspect(file)
        except StorageError as failed:
            if not failed.permanent:
                raise
            seen = str(failed)
        except PlatformError as unusable:
            seen = str(unusable)
        if not _unchanged(file):
            progress.remaining.append(file.relative)
            return
        fault = seen if isinstance(seen, str) else seen.fault
        self._store(database, file, seen, fault, inspector)
        (progress.changed if known else progress.new).append(file.relative)
        if fault is not None:
            progress.faulty.append(file.relative)

    def _store(
        self,
        database: sqlite3.Connection,
        file: LandedFile,
        seen: FileInspection | str,
        fault: str | None,
        inspector: str,
    ) -> None:
        raw = os.fsencode(file.path.relative_to(self.zone.landing_dir))
        dialect, sha256, facts, rows, unassigned = None, "", "{}", 0, 0
        partitions: Mapping[PartitionKey, int] = {}
        if not isinstance(seen, str):
            dialect, sha256, rows, unassigned, partitions = (
                seen.dialect, seen.sha256, seen.rows, seen.unassigned_rows, seen.partitions,
            )  # fmt: skip
            facts = json.dumps(dict(seen.name_facts), sort_keys=True)
        with database:
            database.execute("DELETE FROM files WHERE relative = ?", (file.relative,))
            database.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    file.relative, raw, file.size, file.mtime_ns, inspector, dialect, sha256,
                    facts, rows, unassigned, fault, dt.datetime.now(dt.UTC).isoformat(),
                ),
            )  # fmt: skip
            database.executemany(
                "INSERT INTO file_partitions VALUES (?, ?, ?, ?)",
                [
                    (file.relative, key.date.isoformat(), key.symbol, count)
                    for key, count in partitions.items()
                ],
            )

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with told_as_storage_error(str(self.path)):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(self._opened()) as database:
                yield database
        except sqlite3.Error as failed:
            raise StorageError(
                f"the catalogue of landed files can't be used: {failed}",
                place=str(self.path),
                next_step="Run again; if it stays so, delete the file: it is made anew from the "
                "landing folder",
                permanent=False,
            ) from failed

    def _opened(self) -> sqlite3.Connection:
        end = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return self._open()
            except sqlite3.OperationalError as failed:
                # SQLite's own waiting does not cover two processes that switch a new file to WAL
                if failed.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                    raise
                time.sleep(0.02)
            except sqlite3.DatabaseError:  # not a database, or a damaged one
                for suffix in ("", "-wal", "-shm"):
                    Path(f"{self.path}{suffix}").unlink(missing_ok=True)
                return self._open()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA foreign_keys = ON")
            if _schema_version(database) != _SCHEMA_VERSION:
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    # another process may have made the tables while this one waited
                    if _schema_version(database) != _SCHEMA_VERSION:
                        for statement in _SCHEMA:
                            database.execute(statement)
                        database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        except BaseException:
            database.close()
            raise
        return database


def _schema_version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def inputs_fingerprint(content_ids: Collection[str]) -> str:
    """Digest of a partition's input; order and repetition do not matter."""
    return hashlib.sha256("\n".join(sorted(set(content_ids))).encode()).hexdigest()


def _content_id(sha256: str, name_facts: str) -> str:
    return sha256 if name_facts == "{}" else f"{sha256} {name_facts}"


def _unchanged(file: LandedFile) -> bool:
    try:
        facts = file.path.stat()
    except OSError:
        return False
    return (facts.st_size, facts.st_mtime_ns) == (file.size, file.mtime_ns)
