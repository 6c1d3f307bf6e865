"""The landing zone: the folder that input files are dropped into and never changed in.

Here: listing it, placing files into it, and what is known of one landed file.
Not here: reading contents (``raw_files.py``, ``chain/``), remembering what was read
(``landing_catalogue.py``).
"""

from __future__ import annotations

import filecmp
import logging
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mr_platform.errors import InputFileError
from mr_platform.gateways.landing_archives import archive_stem, unpack
from mr_platform.gateways.landing_catalogue import (
    CataloguedFile,
    DuplicateFile,
    FaultyFile,
    LandingCatalogue,
    PartitionInputs,
    RefreshReport,
)
from mr_platform.gateways.storage_faults import told_as_storage_error
from mr_platform.trading_calendar import PartitionKey

__all__ = [
    "CataloguedFile",
    "DuplicateFile",
    "FaultyFile",
    "FileInspection",
    "LandedFile",
    "LandingCatalogue",
    "LandingZone",
    "PartitionInputs",
    "PlacedFile",
    "RefreshReport",
    "snapshot_of",
    "stable_files",
]

STRATEGY_BOOKS = "strategy_books"
"""Folder of strategy results inside the landing folder (``strategy_landing.py``)."""

_LOG = logging.getLogger(__name__)
# Names that say "not finished" or "not data"
_UNFINISHED = (".part", ".tmp", ".crdownload", ".partial", ".swp", "~")
_DATABASES = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal")


@dataclass(frozen=True)
class LandedFile:
    """One file in the landing folder.

    Attributes:
        path: Where it is.
        relative: Path under the landing folder, with ``/``; its name in tables and messages.
        size: Bytes.
        mtime_ns: Time of the last change, nanoseconds since 1970.
    """

    path: Path
    relative: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class FileInspection:
    """What a landed file holds, told by whoever can read its dialect.

    Attributes:
        dialect: Name of the dialect, None when unknown.
        sha256: Digest of the bytes.
        rows: Data rows.
        partitions: Rows by partition.
        unassigned_rows: Rows that belong to no partition.
        fault: Why the file cannot be used, or None.
        name_facts: Facts that only the path tells (symbol, instant, expiry). Two files of the
            same bytes are the same input only when these are equal too: a collector saves a
            stale page under every minute's name.
    """

    dialect: str | None
    sha256: str
    rows: int
    partitions: Mapping[PartitionKey, int]
    unassigned_rows: int = 0
    fault: str | None = None
    name_facts: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedFile:
    """What became of one file handed to the landing zone.

    Attributes:
        source: File as named by the user; inside an archive ``archive!member``.
        relative: Its path under the landing folder; None when it was skipped.
        status: ``placed``; ``already there`` (same path, same content); ``renamed`` (another
            content has the path, this one went into a folder ``again-2``, ``again-3``, … above
            it, so that names that tell symbol or time stay whole); ``skipped``.
        reason: Why it was skipped, else None.
    """

    source: str
    relative: str | None
    status: Literal["placed", "already there", "renamed", "skipped"]
    reason: str | None = None


class LandingZone:
    """The landing folder of one home.

    Args:
        landing_dir: The folder; created by the first placement.
        left_out: Folder inside it that is another's; None where there is none.
    """

    def __init__(self, landing_dir: Path, *, left_out: str | None = STRATEGY_BOOKS) -> None:
        self.landing_dir = Path(landing_dir)
        self._left_out = None if left_out is None else self.landing_dir / left_out

    def list_files(self) -> list[LandedFile]:
        """All landed files below the folder, sorted by relative path.

        Left out: unfinished files (``.part``, ``.tmp`` and the like), names that begin with a
        dot, databases, links that lead outside the folder, books of strategies.
        """
        found = []
        for path in _files_below(self.landing_dir):
            if self._left_out is not None and path.is_relative_to(self._left_out):
                continue
            if not _leads_inside(path, self.landing_dir):
                continue
            try:
                facts = path.stat()
            except OSError:
                continue  # gone since the folder was listed, or a link to nothing
            name = _displayable(path.relative_to(self.landing_dir))
            found.append(LandedFile(path, name, facts.st_size, facts.st_mtime_ns))
        return sorted(found, key=lambda file: file.relative)

    def place(self, sources: Sequence[Path]) -> list[PlacedFile]:
        """Copy files, folders and the content of archives into the landing folder.

        A file appears under its name only when it is whole. Folders keep their name and
        sub-folders; archives become a folder of their name. Files keep their time of change.

        Args:
            sources: Files, folders and archives; a link named here is followed.

        Returns:
            The fate of every file, in the order handed in.

        Raises:
            InputFileError: A source does not exist (nothing is placed then), or archives are
                broken or unsafe (all other files are placed first).
            StorageError: The landing folder cannot be written.
        """
        absent = [str(source) for source in sources if not Path(source).exists()]
        if absent:
            raise InputFileError(
                f"no such file or folder: {', '.join(absent)}", next_step="Check the path"
            )
        placed: list[PlacedFile] = []
        broken: list[InputFileError] = []
        with told_as_storage_error(str(self.landing_dir)):
            self.landing_dir.mkdir(parents=True, exist_ok=True)
            for source in sources:
                named = Path(source)
                if named.is_dir():
                    folder = named.resolve()
                    placed += self._place_folder(folder, Path(folder.name), str(named), broken)
                else:
                    placed += self._place_one(named, Path(named.name), str(named), broken)
        if broken:
            raise _all_broken(broken, placed)
        return placed

    def _place_folder(
        self, folder: Path, under: Path, told: str, broken: list[InputFileError]
    ) -> list[PlacedFile]:
        placed: list[PlacedFile] = []
        for path in sorted(_files_below(folder)):
            inner = path.relative_to(folder)
            source = f"{told}/{_displayable(inner)}"
            if not _leads_inside(path, folder):
                reason = "a link that leads outside the folder"
                placed.append(PlacedFile(source, None, "skipped", reason))
            else:
                placed += self._place_one(path, under / inner, source, broken)
        return placed

    def _place_one(
        self, path: Path, target: Path, told: str, broken: list[InputFileError]
    ) -> list[PlacedFile]:
        if not path.is_file():
            return [PlacedFile(told, None, "skipped", "no regular file")]
        if path.resolve().is_relative_to(self.landing_dir.resolve()):
            inside = path.resolve().relative_to(self.landing_dir.resolve())
            return [PlacedFile(told, _displayable(inside), "already there")]
        stem = archive_stem(path.name)
        if stem is None:
            return [self._copy(path, target, told)]
        staging = self.landing_dir / f".unpacking-{uuid.uuid4().hex}"
        staging.mkdir()
        try:
            unpack(path, staging)
            return [
                self._copy(
                    member,
                    target.parent / stem / member.relative_to(staging),
                    f"{told}!{_displayable(member.relative_to(staging))}",
                )
                for member in sorted(_files_below(staging))
            ]
        except InputFileError as fault:
            broken.append(fault)
            return []
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _copy(self, path: Path, target: Path, told: str) -> PlacedFile:
        """Copy one file to the first free place for it."""
        for candidate in _places(target):
            final = self.landing_dir / candidate
            if not final.exists():
                final.parent.mkdir(parents=True, exist_ok=True)
                if _copy_whole(path, final):
                    status: Literal["placed", "renamed"] = (
                        "placed" if candidate == target else "renamed"
                    )
                    return PlacedFile(told, _displayable(candidate), status)
            if final.is_file() and filecmp.cmp(path, final, shallow=False):
                return PlacedFile(told, _displayable(candidate), "already there")
        raise AssertionError("places never end")


def snapshot_of(files: Sequence[LandedFile]) -> dict[str, tuple[int, int]]:
    """Size and time of change by relative path: what the next look compares with."""
    return {file.relative: (file.size, file.mtime_ns) for file in files}


def stable_files(
    files: Sequence[LandedFile],
    previous: Mapping[str, Sequence[int]],
    settle_seconds: float,
    now: float,
) -> list[LandedFile]:
    """Files that nobody is still writing, as far as one can tell.

    A file is taken when its size and time of change are those of the previous look, or when it
    was last changed at least ``settle_seconds`` ago. A file copied slowly with its old time of
    change grows between looks but looks settled; it is read again once it has changed.

    Args:
        files: The folder as it is now.
        previous: :func:`snapshot_of` the previous look (lists from JSON are fine); empty at
            first.
        settle_seconds: Age at which a file counts as complete.
        now: Time of this look, seconds since 1970.

    Returns:
        The complete files, in the order given.
    """
    return [
        file
        for file in files
        if tuple(previous.get(file.relative, ())) == (file.size, file.mtime_ns)
        or now - file.mtime_ns / 1e9 >= settle_seconds
    ]


def _files_below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that is not a folder and has a data file's name."""

    def refused(error: OSError) -> None:
        _LOG.warning("folder %s can't be listed: %s", error.filename, error.strerror)

    if not folder.is_dir():
        return
    for parent, folders, names in os.walk(folder, onerror=refused):
        # "_" marks what is kept beside the data, such as a simulator's ground truth
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in names:
            if not name.startswith(".") and not name.lower().endswith(_UNFINISHED + _DATABASES):
                yield Path(parent, name)


def _leads_inside(path: Path, folder: Path) -> bool:
    """Whether a path is no link, or a link to something under the folder."""
    return not path.is_symlink() or path.resolve().is_relative_to(folder.resolve())


def _displayable(relative: Path) -> str:
    """Relative path as text that any database and terminal takes, whatever bytes it is made of."""
    return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")


def _places(target: Path) -> Iterator[Path]:
    yield target
    number = 2
    while True:
        yield Path(f"again-{number}") / target
        number += 1


def _copy_whole(path: Path, final: Path) -> bool:
    """Copy under a hidden name, then give the real one; False when that name was taken first."""
    partial = final.with_name(f".{uuid.uuid4().hex}.part")
    try:
        shutil.copyfile(path, partial)
        facts = path.stat()
        os.utime(partial, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        try:
            os.link(partial, final)  # unlike rename it never replaces another's file
        except FileExistsError:
            return False
        except OSError:
            partial.rename(final)  # a file system without hard links
        return True
    finally:
        partial.unlink(missing_ok=True)


def _all_broken(broken: Sequence[InputFileError], placed: Collection[PlacedFile]) -> InputFileError:
    first = broken[0]
    rest = "" if len(broken) == 1 else f" (and {len(broken) - 1} more archives)"
    others = sum(file.status in ("placed", "renamed") for file in placed)
    return InputFileError(
        f"{first.fault}{rest}; {others} other files were placed",
        place=first.place,
        next_step=first.next_step,
    )
