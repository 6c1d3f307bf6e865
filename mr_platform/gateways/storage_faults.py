"""What the operating system says when storage fails, told to a person.

Here: one translation from the errors of Python, Polars and deltalake to :class:`PlatformError`.
Not here: retries (``lakehouse.py``), faults of a file's content (``raw_files.py``).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from mr_platform.errors import PlatformError

# Rust libraries carry the number in the text only: "No space left on device (os error 28)"
_OS_ERROR = re.compile(r"os error (\d+)|\bcode: (\d+), kind:")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_RIGHTS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_WRONG_KIND = frozenset(
    {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
)


class StorageError(PlatformError):
    """Files could not be read or written; ``permanent`` says whether waiting can help."""


def os_error_number(error: BaseException) -> int | None:
    """Number of the operating-system error behind an exception, or None if there is none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _OS_ERROR.search(str(error))
    return int(found.group(1) or found.group(2)) if found else None


def storage_error(error: BaseException, place: str) -> StorageError | None:
    """The error a person meets for a failed file operation.

    Args:
        error: What the library raised.
        place: File, folder or table concerned.

    Returns:
        The translated error, or None when no operating-system fault is behind ``error``.
    """
    number = os_error_number(error)
    if number is None and not isinstance(error, OSError):
        return None
    if number in _NO_ROOM:
        return StorageError(
            "no room was left to write",
            place=place,
            next_step="Free disk space or raise the quota, then run again; "
            "what was there before is unharmed",
            permanent=False,
        )
    if number in _NO_RIGHTS:
        return StorageError(
            "the folder or file may not be written or read by this user",
            place=place,
            next_step="Give this user the right to read and write it, or choose another MR_HOME",
        )
    if number in _WRONG_KIND:
        return StorageError(
            "a file stands where a folder should be, or the path cannot be used",
            place=place,
            next_step="Move that file away, or choose another MR_HOME",
        )
    return StorageError(
        f"storage failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
        place=place,
        next_step="Check that the disk is present and healthy, then run again",
        permanent=False,
    )


@contextmanager
def told_as_storage_error(place: str, *kinds: type[Exception]) -> Iterator[None]:
    """Translate operating-system faults raised inside the block.

    Args:
        place: File, folder or table concerned.
        kinds: Library exceptions that may carry such a fault, besides ``OSError``.

    Raises:
        StorageError: For an operating-system fault; other exceptions pass unchanged.
    """
    faults: tuple[type[Exception], ...] = (OSError, *kinds)
    try:
        yield
    except faults as error:
        translated = storage_error(error, place)
        if translated is None:
            raise
        raise translated from error
