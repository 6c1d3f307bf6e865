from __future__ import annotations

import errno
import os

import pytest

from mr_platform.gateways.storage_faults import (
    StorageError,
    os_error_number,
    storage_error,
    told_as_storage_error,
)


@pytest.mark.parametrize(
    ("error", "told", "permanent"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no room", False),
        (OSError("No space left on device (os error 28)"), "no room", False),
        (
            ValueError("Generic LocalFileSystem error: code: 28, kind: StorageFull"),
            "no room",
            False,
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no room", False),
        (PermissionError(errno.EACCES, "Permission denied"), "may not be written", True),
        (OSError(errno.EROFS, "Read-only file system"), "may not be written", True),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), "a file stands", True),
        (OSError(errno.EIO, "Input/output error"), "storage failed", False),
        (OSError("something without a number"), "something without a number", False),
    ],
)
def test_a_fault_says_what_to_do_and_whether_waiting_helps(
    error: Exception, told: str, permanent: bool
) -> None:
    fault = storage_error(error, "some/table")

    assert isinstance(fault, StorageError)
    assert told in str(fault)
    assert str(fault).startswith("some/table: ")
    assert fault.next_step
    assert fault.permanent is permanent


def test_a_fault_that_is_not_the_systems_is_left_alone() -> None:
    assert os_error_number(ValueError("column x")) is None
    assert storage_error(ValueError("column x"), "t") is None
    with pytest.raises(ValueError, match="column x"), told_as_storage_error("t", ValueError):
        raise ValueError("column x")


def test_library_errors_are_translated_only_where_named() -> None:
    full = ValueError("No space left on device (os error 28)")
    with pytest.raises(StorageError), told_as_storage_error("t", ValueError):
        raise full
    with pytest.raises(ValueError, match="os error 28"), told_as_storage_error("t"):
        raise full
