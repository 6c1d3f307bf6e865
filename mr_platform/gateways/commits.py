"""What a commit of rows is told and what it tells.

Here: facts that may be kept with a commit, the account of one.
Not here: committing (``lakehouse.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mr_platform.errors import TableError

_RESERVED_INFO = frozenset(
    {
        "timestamp", "operation", "engineInfo", "operationParameters", "readVersion",
        "isolationLevel", "isBlindAppend", "userId", "userName", "userMetadata",
    }
)  # fmt: skip


@dataclass(frozen=True)
class CommitReport:
    """What one ``replace_partitions`` did.

    Attributes:
        table: Name of the table.
        version: Version of the table that this commit made.
        partitions: Number of partitions replaced.
        rows: Rows written.
        files: Data files written.
        files_removed: Data files of earlier generations that this commit replaced.
        bytes_written: Size of the data files.
        attempts: 1, plus one for every other writer that came in between.
        seconds: Wall time, data files and commit.
    """

    table: str
    version: int
    partitions: int
    rows: int
    files: int
    files_removed: int
    bytes_written: int
    attempts: int
    seconds: float


def checked_info(table: str, info: Mapping[str, str] | None) -> dict[str, str]:
    """Facts to keep with a commit.

    Raises:
        TableError: A fact has a name that the log writes itself.
    """
    facts = dict(info or {})
    taken = sorted(_RESERVED_INFO & facts.keys())
    if taken:
        raise TableError(
            f"commit facts can't be named {', '.join(taken)}: the log writes these itself",
            place=table,
        )
    return facts
