"""What the strategy sensor decides: which book has new files, which is asked for once more.

Here: the sensor's memory (its cursor) and pure decisions over it.
Not here: listing and reading files (``gateways``), run requests (``book_automation.py``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mr_platform.gateways.landing import LandedFile

TRY_AGAIN_SECONDS = (60.0, 300.0, 1800.0)
"""Pauses after a run that failed for a reason that may pass; after the last there is no other."""

_SHORT = 12


@dataclass(frozen=True)
class BookMemory:
    """What is remembered of one book.

    Attributes:
        stamp: Names, sizes and times of change of its files when they were last read.
        asked: Fingerprint that a run was last asked for, or found unneeded.
        number: How many runs were asked for.
        tries: How many of them only because one before, of the same content, failed.
        settled: Whether what was asked for was loaded, or failed for good.
    """

    stamp: str
    asked: str
    number: int
    tries: int = 0
    settled: bool = False

    @property
    def open(self) -> bool:
        """Whether it may be asked for once more without another content."""
        return not self.settled and self.tries < len(TRY_AGAIN_SECONDS)


@dataclass(frozen=True)
class StrategyMemory:
    """What the sensor remembers between ticks.

    Attributes:
        books: By book.
        moving: Size and time of change of files that were still being written, by path.
        told: Faults that were told.
    """

    books: Mapping[str, BookMemory] = field(default_factory=dict)
    moving: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    told: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, cursor: str | None) -> StrategyMemory:
        """Read a cursor; without one, or with one that cannot be read, nothing is remembered."""
        try:
            document = json.loads(cursor or "{}")
            return cls(
                {
                    # a cursor of an earlier version tells less
                    book: BookMemory(str(stamp), str(asked), int(number), *_rest(*rest))
                    for book, (stamp, asked, number, *rest) in document.get("books", {}).items()
                },
                {path: (int(size), int(at)) for path, (size, at) in document["moving"].items()}
                if "moving" in document
                else {},
                frozenset(map(str, document.get("told", ()))),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def text(self) -> str:
        """The cursor to store."""
        return json.dumps(
            {
                "books": {
                    book: [one.stamp, one.asked, one.number, one.tries, int(one.settled)]
                    for book, one in sorted(self.books.items())
                },
                "moving": dict(sorted(self.moving.items())),
                "told": sorted(self.told),
            },
            separators=(",", ":"),
        )


def _rest(tries: int = 0, settled: int = 0) -> tuple[int, bool]:
    return int(tries), bool(settled)


def stamp_of(files: Sequence[LandedFile]) -> str:
    """What changes when a file of a book comes, goes or changes, without reading any."""
    return ";".join(f"{file.relative}:{file.size}:{file.mtime_ns}" for file in files)


def changed_books(
    books: Mapping[str, Sequence[LandedFile]],
    settled: Collection[str],
    memory: StrategyMemory,
) -> list[str]:
    """Books whose files are all settled and not those that were last read, ascending.

    Args:
        books: Landed files by book.
        settled: Paths of files that nobody is still writing.
        memory: What is remembered.
    """
    return [
        book
        for book, files in sorted(books.items())
        if all(file.relative in settled for file in files)
        and (book not in memory.books or memory.books[book].stamp != stamp_of(files))
    ]


def run_key(memory: StrategyMemory, book: str, fingerprint: str) -> str:
    """Names the run of a book's content; a content that comes back is run again."""
    number = memory.books[book].number if book in memory.books else 0
    return f"{book}:{fingerprint[:_SHORT]}.{number + 1}"


def wants_run(memory: StrategyMemory, book: str, fingerprint: str, stored: str | None) -> bool:
    """Whether a content of a book was neither stored nor asked for last."""
    last = memory.books[book].asked if book in memory.books else None
    return fingerprint not in (stored, last)


def remember_book(
    memory: StrategyMemory, book: str, stamp: str, fingerprint: str, *, asked: bool
) -> StrategyMemory:
    """The memory once a book's files were read."""
    number = memory.books[book].number if book in memory.books else 0
    told = BookMemory(stamp, fingerprint, number + asked)
    return replace(memory, books={**memory.books, book: told})


def due_again(memory: StrategyMemory, ended: Mapping[str, float], now: float) -> list[str]:
    """Books whose run failed for a reason that may pass, and whose pause is over, ascending.

    Args:
        memory: What is remembered.
        ended: When the latest run of each such book ended, in seconds.
        now: The time, in seconds.
    """
    return [
        book
        for book, at in sorted(ended.items())
        if memory.books[book].open and now >= at + TRY_AGAIN_SECONDS[memory.books[book].tries]
    ]


def remember_try(memory: StrategyMemory, book: str) -> StrategyMemory:
    """The memory once a book's content was asked for once more."""
    one = memory.books[book]
    again = replace(one, number=one.number + 1, tries=one.tries + 1)
    return replace(memory, books={**memory.books, book: again})


def remember_settled(memory: StrategyMemory, books: Collection[str]) -> StrategyMemory:
    """The memory once these books' contents were seen to be loaded, or to fail for good."""
    told = {book: replace(memory.books[book], settled=True) for book in books}
    return replace(memory, books={**memory.books, **told})
