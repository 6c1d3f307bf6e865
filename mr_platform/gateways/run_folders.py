"""Folders of runs in the legacy form: written as a whole or not at all, and read back.

Here: bytes by file name to a folder ``run_<YYYYmmdd_HHMMSS>`` and back, the runs of a folder.
Not here: what the files say (``portfolio/run_folder``).
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from mr_platform.errors import InputFileError, PlatformError
from mr_platform.gateways.storage_faults import told_as_storage_error

_RUN = re.compile(r"run_\d{8}_\d{6}")
_FILE = re.compile(r"[A-Za-z0-9_]+\.(?:txt|csv|md|png)")
MOST_BYTES = 256 << 20
"""Bytes of one file that are read; no text or picture of a run is near it."""


class RunFolderError(PlatformError):
    """A folder of a run that cannot be written."""


def write_run_folder(parent: Path, name: str, files: Mapping[str, bytes]) -> Path:
    """Write the folder of a run; until all of it is on disk nothing bears its name.

    Args:
        parent: Folder of runs; made where it is missing.
        name: ``run_<YYYYmmdd_HHMMSS>``.
        files: Contents by file name.

    Returns:
        The folder.

    Raises:
        RunFolderError: A name of another form, no file, or a folder that is there already.
        StorageError: The disk is full, or may not be written.
    """
    if not _RUN.fullmatch(name):
        raise RunFolderError(
            f"{name!r} is no name of a run", next_step="Name it run_<YYYYmmdd_HHMMSS>"
        )
    wrong = [file for file in files if not _FILE.fullmatch(file)]
    if wrong or not files:
        raise RunFolderError(f"a run has no file {wrong[0]!r}" if wrong else "a run has files")
    folder = parent / name
    if os.path.lexists(folder):
        raise _there_already(folder)
    # a name that no reader takes for a run
    partial = parent / f".{name}.{uuid.uuid4().hex}.part"
    with told_as_storage_error(str(folder)):
        try:
            partial.mkdir(parents=True)
            for file, content in sorted(files.items()):
                _write(partial / file, content)
            _to_disk(partial)
            try:
                partial.rename(folder)
            except OSError:
                if os.path.lexists(folder):  # another writer was quicker
                    raise _there_already(folder) from None
                raise
            _to_disk(parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return folder


def read_run_folder(folder: Path) -> dict[str, bytes]:
    """Contents of a run's texts and pictures by file name; other files are left aside.

    Raises:
        InputFileError: No folder, or a file that is larger than any of a run.
        StorageError: The folder or a file cannot be read.
    """
    if not folder.is_dir():
        told = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise InputFileError(told, place=str(folder), next_step="Name the folder of a run")
    files: dict[str, bytes] = {}
    with told_as_storage_error(str(folder)):
        for path in sorted(folder.iterdir()):
            if not _FILE.fullmatch(path.name) or not path.is_file():
                continue
            if path.stat().st_size > MOST_BYTES:
                raise InputFileError(
                    f"is larger than {MOST_BYTES >> 20} MB", place=str(path),
                    next_step="Remove it: no file of a run is so large",
                )  # fmt: skip
            files[path.name] = path.read_bytes()
    return files


def run_folders(parent: Path) -> list[Path]:
    """Folders of runs, oldest first; none where the parent is missing.

    Raises:
        StorageError: The parent cannot be read.
    """
    if not parent.is_dir():
        return []
    with told_as_storage_error(str(parent)):
        found = [path for path in parent.iterdir() if _RUN.fullmatch(path.name) and path.is_dir()]
    return sorted(found)


def _there_already(folder: Path) -> RunFolderError:
    return RunFolderError(
        "is there already; a run is never written over",
        place=str(folder),
        next_step="Move it away, or write the run under another time",
    )


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
