"""A book's own declaration in landing: read, written whole, taken back.

Here: the file ``book.yaml`` of a book.
Not here: what it may say (``registry/book_declaration``), files of results (``strategy_landing``).
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mr_platform.errors import InputFileError
from mr_platform.gateways.landing import STRATEGY_BOOKS, PlacedFile
from mr_platform.gateways.storage_faults import told_as_storage_error
from mr_platform.gateways.strategy_landing import DECLARATION, StrategyLanding
from mr_platform.registry.book_declaration import BookDeclaration, parse_book_declaration


@dataclass(frozen=True)
class WrittenDeclaration:
    """A declaration that was written, and what stood there before.

    Attributes:
        book: The book.
        content: Bytes written.
        before: Bytes that stood there; None where there was no declaration.
    """

    book: str
    content: bytes
    before: bytes | None


def read_declaration(path: Path, place: str) -> BookDeclaration:
    """What the file of a book declares.

    Args:
        path: The file.
        place: Its path below the landing folder, for messages.

    Raises:
        InputFileError: It cannot be read, or says what cannot be.
    """
    try:
        content = path.read_bytes()
    except OSError as refused:
        raise InputFileError(
            f"cannot be read ({refused.strerror or refused})",
            place=place,
            next_step="Check the file and its permissions",
        ) from refused
    return parse_book_declaration(content, place)


def declare(
    landing: StrategyLanding, book: str, given: BookDeclaration
) -> WrittenDeclaration | None:
    """Put settings into the declaration of a book; those that are not given stay.

    The file appears whole, while no load of the book is under way.

    Args:
        landing: The landing folder.
        book: The book.
        given: The settings.

    Returns:
        What was written; None where the declaration says all of it already.

    Raises:
        InputFileError: The book's name cannot be one, or its declaration is faulty.
        StorageError: The landing folder cannot be written.
    """
    with landing.alone(book):
        path = _path(landing, book)
        before = None
        known = BookDeclaration()
        if path.exists():
            known = read_declaration(path, _place(book))
            before = path.read_bytes()
        wanted = known.updated(given)
        if wanted == known:
            return None
        content = wanted.text().encode()
        with told_as_storage_error(str(path)):
            _write(path, content)
        return WrittenDeclaration(book, content, before)


def take_back(landing: StrategyLanding, written: WrittenDeclaration) -> bool:
    """Put back what stood there before a declaration was written.

    Args:
        landing: The landing folder.
        written: What :func:`declare` returned.

    Returns:
        Whether it was put back: what somebody has written since stays.

    Raises:
        StorageError: The landing folder cannot be written.
    """
    path = _path(landing, written.book)
    with landing.alone(written.book), told_as_storage_error(str(path)):
        if not path.exists() or path.read_bytes() != written.content:
            return False
        if written.before is not None:
            _write(path, written.before)
            return True
        path.unlink()
        with contextlib.suppress(OSError):  # files lie beside it
            path.parent.rmdir()
        return True


def withdraw(
    landing: StrategyLanding, placed: Sequence[PlacedFile], written: WrittenDeclaration | None
) -> list[str]:
    """Take out of landing what was handed in for a book: its files, and what was declared.

    Returns:
        Paths below the books' folder of what was taken out or put back.

    Raises:
        StorageError: The landing folder cannot be written.
    """
    gone = landing.withdraw(placed)
    if written is not None and take_back(landing, written):
        gone.append(f"{written.book}/{DECLARATION}")
    return gone


def _path(landing: StrategyLanding, book: str) -> Path:
    return landing.folder / book / DECLARATION


def _place(book: str) -> str:
    return f"{STRATEGY_BOOKS}/{book}/{DECLARATION}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # a name that nobody takes for a landed file until it is whole
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
