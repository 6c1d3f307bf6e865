"""Unpacking archives handed to the landing zone, trusting nothing they say.

Here: tar and zip to plain files in a folder of our own, or one clear error for the whole archive.
Not here: where the files go then (``landing.py``), compressed single files such as ``x.csv.gz``,
which dialects read as they are.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from mr_platform.errors import InputFileError

SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
MAX_MEMBERS = 200_000
MAX_UNPACKED_BYTES = 16 * 2**30
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression method that zipfile lacks
    RuntimeError,  # an encrypted member
    UnicodeError,
)


def archive_stem(name: str) -> str | None:
    """Name of an archive without its suffix; None when the name is no archive's."""
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


def unpack(archive: Path, folder: Path) -> int:
    """Unpack the regular files of an archive into an empty folder.

    Args:
        archive: A tar (any compression Python reads) or zip file.
        folder: Existing empty folder.

    Returns:
        Number of files unpacked.

    Raises:
        InputFileError: The archive is broken, encrypted or too large, or one of its members is a
            link or a device or points outside; nothing of it may be used then.
    """
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                return _store(archive, folder, _zip_members(archive, opened))
        with tarfile.open(archive, "r:*") as tar:
            return _store(archive, folder, _tar_members(archive, tar))
    except _BROKEN as broken:
        told = str(broken).partition("\n")[0].rstrip(":") or type(broken).__name__
        raise InputFileError(
            f"the archive can't be unpacked: {told}",
            place=archive.name,
            next_step="Pack or download it again",
        ) from broken


def _store(archive: Path, folder: Path, members: Iterator[tuple[str, int, IO[bytes]]]) -> int:
    count = total = 0
    for name, size, content in members:
        count += 1
        total += size
        if count > MAX_MEMBERS or total > MAX_UNPACKED_BYTES:
            raise InputFileError(
                f"the archive holds more than {MAX_MEMBERS} files or "
                f"{MAX_UNPACKED_BYTES // 2**30} GiB",
                place=archive.name,
                next_step="Unpack it by hand and land its folders one by one",
            )
        target = folder.joinpath(*_safe_parts(archive, name))
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise InputFileError(f"the archive holds {name} twice", place=archive.name)
        with content, target.open("xb") as out:
            shutil.copyfileobj(content, out)
    return count


def _safe_parts(archive: Path, name: str) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    parts = tuple(part for part in path.parts if part != ".")
    if path.is_absolute() or ".." in parts or not parts or "\0" in name:
        raise _refused(archive, name, "points outside the archive")
    return parts


def _tar_members(archive: Path, tar: tarfile.TarFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for member in tar:
        if member.isdir():
            continue
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise _refused(archive, member.name, "is a link or a device")
        yield member.name, member.size, content


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> Iterator[tuple[str, int, IO[bytes]]]:
    for member in opened.infolist():
        if member.is_dir():
            continue
        kind = (member.external_attr >> 16) & 0o170000
        if kind not in (0, 0o100000):
            raise _refused(archive, member.filename, "is a link or a device")
        yield member.filename, member.file_size, opened.open(member)


def _refused(archive: Path, name: str, why: str) -> InputFileError:
    return InputFileError(
        f"member {name} {why}; nothing of the archive was taken",
        place=archive.name,
        next_step="Unpack it by hand, look at it, and land its folder",
    )
