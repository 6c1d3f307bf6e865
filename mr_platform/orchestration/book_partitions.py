"""Partitions of strategy portfolios: books, and sizes of portfolios.

Here: the definitions, and keys of one book and of one size ↔ Dagster's.
Not here: partitions of market data (``partitions.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from mr_platform.errors import PlatformError
from mr_platform.gateways.strategy_landing import require_book

BOOK = "book"
SIZE = "size"

SMALLEST_SIZE, LARGEST_SIZE = 2, 100
"""Sizes that portfolios may have; those of the record are 35 to 60."""

BOOKS = dg.DynamicPartitionsDefinition(name="strategy_books")
"""A partition for each book; the sensor and ``mr portfolio load`` add them."""

SIZES = dg.StaticPartitionsDefinition(
    [f"{size:03}" for size in range(SMALLEST_SIZE, LARGEST_SIZE + 1)]
)

BOOK_SIZES = dg.MultiPartitionsDefinition({BOOK: BOOKS, SIZE: SIZES})


def size_key(size: int) -> str:
    """Text of a size: three digits, so that texts stand in the order of numbers.

    Raises:
        PlatformError: No size that portfolios may have.
    """
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise PlatformError(
            f"{size} is no size of a portfolio",
            next_step=f"Give a number from {SMALLEST_SIZE} to {LARGEST_SIZE}",
            misused=True,
        )
    return f"{size:03}"


def book_size_key(book: str, size: int) -> dg.MultiPartitionKey:
    """Dagster's key of a book and size, ``sensex|037``."""
    return dg.MultiPartitionKey({BOOK: book, SIZE: size_key(size)})


def parse_book_size(text: str) -> tuple[str, int]:
    """Book and size of Dagster's key."""
    book, _, size = str(text).rpartition("|")
    return book, int(size)


def add_books(instance: dg.DagsterInstance, books: Iterable[str]) -> None:
    """Make partitions of books that have none yet.

    Raises:
        InputFileError: A name that cannot be a book's.
    """
    wanted = list(books)
    for book in wanted:
        require_book(book)
    instance.add_dynamic_partitions(str(BOOKS.name), wanted)
