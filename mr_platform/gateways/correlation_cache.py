"""Results of the correlations of all pairs, kept under the key of what they were made from.

An entry is a folder of Parquet files, named by its key, with the digest of each file beside them.
It is written under another name and renamed when it is whole, so that a reader finds all of it or
nothing; what was damaged later does not match its digest and is taken for absent.

Here: entries on disk, whole or absent; what is removed when there are too many.
Not here: keys and what the frames mean (``portfolio``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import polars as pl

from mr_platform.errors import PlatformError

MOST_BYTES: Final = 4 << 30
"""Bytes that all entries may take together."""

Source = Literal["kept", "made", "made anew"]
"""Read from the cache; made, as there was no entry; made because the entry was damaged."""

_DIGESTS = "digests.json"
_KEY = re.compile(r"[0-9a-f]{16,128}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_UNFINISHED = ".unfinished-"
_ABANDONED_AFTER = 24 * 60 * 60.0
"""Seconds after which an entry that was begun and never finished is removed."""


@dataclass(frozen=True)
class CachedFrames:
    """Frames of a key, and where they come from.

    Attributes:
        frames: The frames by their names.
        source: Whether they were kept or made.
        fault: Why a kept entry was not used, or why the new one was not kept; empty where all
            went well.
    """

    frames: Mapping[str, pl.DataFrame]
    source: Source
    fault: str = ""


class _DamagedError(Exception):
    """An entry that is not what was written."""


@dataclass(frozen=True)
class CorrelationCache:
    """Entries in one folder; several processes may use it at once.

    Attributes:
        folder: Made when it is first needed.
        most_bytes: When an entry has been written, those not used for longest are removed until
            the rest takes no more; the new one stays.
    """

    folder: Path
    most_bytes: int = MOST_BYTES

    def frames(self, key: str, make: Callable[[], Mapping[str, pl.DataFrame]]) -> CachedFrames:
        """The frames of a key, kept ones where they are whole, else made and kept.

        A folder that cannot be written costs the keeping, not the result.

        Args:
            key: Hex digest of everything that the frames depend on.
            make: Makes them; names of frames are words in lower case.

        Raises:
            PlatformError: A key that is no digest, a frame's name that is no word.
        """
        if not _KEY.fullmatch(key):
            raise PlatformError(f"the key {key!r} is no hex digest")
        entry, fault = self.folder / key, ""
        source: Source = "made"
        try:
            kept = _read(entry)
            if kept is not None:
                return CachedFrames(kept, "kept")
        except _DamagedError as damaged:
            fault = f"entry {key} was damaged and is made anew: {damaged}"
            source = "made anew"
            _remove(entry)
        made = dict(make())
        wrong = [name for name in made if not _NAME.fullmatch(name)]
        if wrong:
            raise PlatformError(f"a frame's name is no word: {', '.join(wrong)}")
        try:
            self._write(entry, made)
            self._make_room(entry)
        except OSError as refused:
            told = f"entry {key} could not be kept: {refused.strerror or refused}"
            fault = f"{fault}; {told}" if fault else told
        return CachedFrames(made, source, fault)

    def _write(self, entry: Path, frames: Mapping[str, pl.DataFrame]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        try:
            digests = {}
            for name, frame in frames.items():
                path = unfinished / f"{name}.parquet"
                frame.write_parquet(path, compression="zstd", statistics=False)
                digests[name] = _digest(path)
            (unfinished / _DIGESTS).write_text(json.dumps(digests, sort_keys=True), "utf-8")
            if not entry.exists():  # another process may have been first: its entry is the same
                unfinished.rename(entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _make_room(self, newest: Path) -> None:
        """Remove what was abandoned, then entries not used for longest beyond the bound."""
        entries, now = [], time.time()
        for path in self.folder.iterdir():
            if path.name.startswith(_UNFINISHED):
                if now - _used(path) > _ABANDONED_AFTER:
                    shutil.rmtree(path, ignore_errors=True)
            elif _KEY.fullmatch(path.name):
                entries.append((_used(path / _DIGESTS), path.name, path))
        taken = {path: _bytes(path) for _, _, path in entries}
        total = sum(taken.values())
        for _, _, path in sorted(entries):
            if total <= self.most_bytes:
                return
            if path != newest:
                _remove(path)
                total -= taken[path]


def _read(entry: Path) -> dict[str, pl.DataFrame] | None:
    """The frames of an entry; None where there is none."""
    if not entry.exists():
        return None
    try:
        digests = json.loads((entry / _DIGESTS).read_text("utf-8"))
        frames = {}
        for name, digest in digests.items():
            path = entry / f"{name}.parquet"
            if _digest(path) != digest:
                raise _DamagedError(f"{path.name} is not what was written")
            frames[name] = pl.read_parquet(path, glob=False)
        os.utime(entry / _DIGESTS)  # used now: others are removed first
    except (OSError, ValueError, AttributeError, pl.exceptions.PolarsError) as fault:
        if not entry.exists():  # removed by another process meanwhile
            return None
        told = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise _DamagedError(told) from fault
    return frames


def _remove(entry: Path) -> None:
    """Take an entry away at once, then delete it: a reader never finds half of it."""
    gone = entry.with_name(f"{_UNFINISHED}{entry.name}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        entry.rename(gone)
    except OSError:  # gone already, or the folder cannot be written
        return
    if gone.is_dir():
        shutil.rmtree(gone, ignore_errors=True)
    else:
        gone.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _bytes(entry: Path) -> int:
    try:
        return sum(path.stat().st_size for path in entry.iterdir())
    except OSError:
        return 0
