"""Searches that were broken off: their last state, a file each.

Here: writing, reading and removing such files.
Not here: what they hold (``portfolio/search/engine``).
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

from mr_platform.gateways.storage_faults import told_as_storage_error

_ENDING = ".checkpoint"


class SearchCheckpoints:
    """A folder of checkpoints.

    Args:
        folder: Made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def read(self, name: str) -> bytes | None:
        """The checkpoint of a search, None where it has none.

        Raises:
            StorageError: The file is there and cannot be read.
        """
        with told_as_storage_error(str(self.folder)):
            try:
                return self._path(name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        """Replace the checkpoint of a search: a kill leaves the old one or the new one whole.

        Raises:
            StorageError: The file cannot be written; the old one is as it was.
        """
        with told_as_storage_error(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f".{uuid.uuid4().hex}.part"
            try:
                with partial.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(self._path(name))
            finally:
                partial.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Forget the checkpoint of a search that has ended."""
        with told_as_storage_error(str(self.folder)):
            self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Searches that have a checkpoint, ascending."""
        return sorted(path.stem for path in self.folder.glob(f"*{_ENDING}"))

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"{name!r} is no name of a checkpoint")
        return self.folder / f"{name}{_ENDING}"
