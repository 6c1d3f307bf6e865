"""Landed files of strategy results: a folder a book inside the landing folder.

``strategy_books/sensex/july.csv`` is a file of the book ``sensex``;
``strategy_books/sensex/atm/july.csv`` too, with ``atm_`` before the names of its strategies; a file
right below ``strategy_books`` is a book of its own, named like the file. Files in the sub-folder
``regimes`` of a book are bars of market regimes that its rows are joined with; ``book.yaml`` in the
folder of a book says how its files are read.

Here: which files there are, of which book; placing files; a book's fingerprint.
Not here: reading their content (``strategy_files``), what a book declares of its own
(``book_declarations``), landed option chains (``landing``).
"""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mr_platform.errors import InputFileError
from mr_platform.gateways.landing import (
    STRATEGY_BOOKS,
    LandedFile,
    LandingZone,
    PlacedFile,
)
from mr_platform.gateways.landing_archives import archive_stem
from mr_platform.gateways.storage_faults import told_as_storage_error

_BOOK = re.compile(r"[A-Za-z0-9_-]{1,64}")
REGIMES = "regimes"
"""Sub-folder of a book that holds bars of market regimes."""

DECLARATION = "book.yaml"
"""File in a book's own folder that says how the book's files are read."""

_ENDINGS = (".csv", ".parquet", ".csv.gz", ".csv.zst", ".csv.zstd")


@dataclass(frozen=True)
class BookFile:
    """One landed file of a book.

    Attributes:
        book: Its book.
        prefix: Put before its strategies' names; empty where it lies in the book's own folder.
            Of bars of regimes it is ``regimes``.
        file: The file; ``relative`` counts from the landing folder.
    """

    book: str
    prefix: str
    file: LandedFile

    @property
    def holds_regimes(self) -> bool:
        """Whether it holds bars of regimes, no strategies."""
        return self.prefix == REGIMES

    @property
    def declares(self) -> bool:
        """Whether it says how the book's files are read, and holds no data."""
        return self.file.relative == f"{STRATEGY_BOOKS}/{self.book}/{DECLARATION}"

    @property
    def holds_results(self) -> bool:
        """Whether it holds results of strategies."""
        return not (self.holds_regimes or self.declares)


class StrategyLanding:
    """The folder of books in one landing folder.

    Args:
        landing_dir: The home's landing folder.
    """

    def __init__(self, landing_dir: Path) -> None:
        self.folder = Path(landing_dir) / STRATEGY_BOOKS
        self._zone = LandingZone(self.folder, left_out=None)

    def books(self) -> dict[str, list[BookFile]]:
        """Files of every book, books and files ascending, what a book declares among them.

        A folder that holds nothing but a declaration is no book.
        """
        return self._sorted()[0]

    def stray_files(self) -> dict[str, str]:
        """Files that belong to no book, with the reason, by path below the landing folder."""
        return self._sorted()[1]

    def files_of(self, book: str) -> list[BookFile]:
        """Files of one book.

        Raises:
            InputFileError: No file of such a book is landed.
        """
        found = self.books()
        if book not in found:
            near = f"Books: {', '.join(found)}" if found else "No book is landed yet"
            raise InputFileError(
                "no file of this book is landed",
                place=book,
                next_step=f"{near}; mr portfolio load FILE --book {book}",
            )
        return found[book]

    def place(
        self,
        sources: Sequence[Path],
        book: str,
        *,
        prefixed: bool = False,
        regimes: bool = False,
    ) -> list[PlacedFile]:
        """Copy files into the folder of a book.

        Args:
            sources: Files, archives, and folders, whose files are taken without them.
            book: Name of the book.
            prefixed: Each file into a sub-folder of its own name, so that its strategies' names
                begin with it.
            regimes: The files hold bars of market regimes.

        Raises:
            InputFileError: The book's name cannot be one, or as :meth:`LandingZone.place`.
            StorageError: The landing folder cannot be written.
        """
        require_book(book)
        placed: list[PlacedFile] = []
        self.require_present(sources)
        try:
            self._place_each(placed, sources, book, prefixed, regimes)
        except BaseException:
            self.withdraw(placed)  # all of them or none
            raise
        return placed

    def _place_each(
        self,
        placed: list[PlacedFile],
        sources: Sequence[Path],
        book: str,
        prefixed: bool,
        regimes: bool,
    ) -> None:
        for source in _data_files(sources):
            folder = REGIMES if regimes else plain_name(source) if prefixed else ""
            if folder == REGIMES and not regimes:
                folder = f"{REGIMES}_file"  # that folder's name is taken
            below = Path(book, folder)
            zone = LandingZone(self.folder / below)
            for fate in zone.place([source]):
                relative = None if fate.relative is None else f"{below}/{fate.relative}"
                placed.append(PlacedFile(fate.source, relative, fate.status, fate.reason))

    def require_present(self, sources: Sequence[Path]) -> None:
        """Refuse sources that are not there, before any is copied.

        Raises:
            InputFileError: Names all that are absent, or says that no data file is among them.
        """
        files = _data_files(sources)
        absent = [str(source) for source in (*sources, *files) if not source.exists()]
        if absent:
            raise InputFileError(
                f"no such file or folder: {', '.join(dict.fromkeys(absent))}",
                next_step="Check the path",
            )
        foreign = [
            str(file)
            for file in files
            if not file.name.lower().endswith(_ENDINGS) and archive_stem(file.name) is None
        ]
        if foreign:
            raise InputFileError(
                "is neither CSV nor Parquet nor an archive of them",
                place=", ".join(foreign),
                next_step="Hand in the files of results",
            )
        if sources and not _data_files(sources):
            raise InputFileError(
                "no CSV or Parquet file lies there",
                place=", ".join(map(str, sources)),
                next_step="Name the files, or the folder that holds them",
            )

    @contextmanager
    def alone(self, book: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold a book so that one process at a time loads it.

        Args:
            book: The book.
            wait: Whether to wait where another process holds it.

        Yields:
            Whether it is held; without waiting it may not be.

        Raises:
            InputFileError: The book's name cannot be one.
            StorageError: The landing folder cannot be written.
        """
        require_book(book)
        with told_as_storage_error(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            # beside the books' folder, not in it: there only files of books lie
            lock = (self.folder.parent / f".{book}.lock").open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = False
            else:
                held = True
            yield held

    def withdraw(self, placed: Sequence[PlacedFile]) -> list[str]:
        """Take files out of landing again that :meth:`place` has just copied there.

        Args:
            placed: What it returned; files that were there before stay.

        Returns:
            Paths below the books' folder of the files taken out.
        """
        gone = []
        for fate in placed:
            if fate.relative is None or fate.status not in ("placed", "renamed"):
                continue
            path = self.folder / fate.relative
            path.unlink(missing_ok=True)
            gone.append(fate.relative)
            for parent in path.parents:
                if parent == self.folder or not parent.is_dir() or any(parent.iterdir()):
                    break
                parent.rmdir()
        return gone

    def _sorted(self) -> tuple[dict[str, list[BookFile]], dict[str, str]]:
        books: dict[str, list[BookFile]] = {}
        stray: dict[str, str] = {}
        for file in self._zone.list_files():
            relative = f"{STRATEGY_BOOKS}/{file.relative}"
            told = LandedFile(file.path, relative, file.size, file.mtime_ns)
            *folders, name = file.relative.split("/")
            book = folders[0] if folders else plain_name(Path(name))
            prefix = "_".join(part for part in folders[1:] if not part.startswith("again-"))
            declares = name == DECLARATION and len(folders) == 1
            if not name.lower().endswith(_ENDINGS) and not declares:
                stray[relative] = (
                    "declares a book only in the book's own folder"
                    if name == DECLARATION
                    else "is neither CSV nor Parquet"
                )
            elif not _BOOK.fullmatch(book):
                stray[relative] = f"its folder {book!r} cannot name a book"
            else:
                books.setdefault(book, []).append(BookFile(book, prefix, told))
        held = {
            book: files
            for book, files in sorted(books.items())
            if not all(file.declares for file in files)
        }
        return held, stray


def _data_files(sources: Sequence[Path]) -> list[Path]:
    """Sources with folders replaced by the CSV and Parquet files below them."""
    return [
        path
        for source in sources
        for path in (
            sorted(found for found in source.rglob("*") if found.name.lower().endswith(_ENDINGS))
            if source.is_dir()
            else [source]
        )
    ]


def require_book(book: str) -> None:
    """Refuse what cannot name a book.

    Raises:
        InputFileError: Other characters than letters, digits, _ and -, or more than 64.
    """
    if not _BOOK.fullmatch(book):
        raise InputFileError(
            f"{book!r} cannot name a book",
            next_step="A book's name has up to 64 letters, digits, _ and -",
            misused=True,
        )


def plain_name(path: Path) -> str:
    """A file's name without its endings, other characters than those of a book's name as _."""
    name = path.name
    for ending in sorted(_ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
            break
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or "book"


def fingerprint(digests: Mapping[str, str]) -> str:
    """What tells one content of a book from another: of its files' paths and digests.

    Args:
        digests: SHA-256 of each file by its path below the landing folder.
    """
    text = "\n".join(f"{path}\t{digest}" for path, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()
