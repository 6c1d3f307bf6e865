"""How the rows of a table are parted: by symbol and date, or by book and part.

Here: the two layouts, keys of a partition ↔ values of its columns, which table has which.
Not here: files and commits (``partition_files.py``, ``lakehouse.py``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import polars as pl

from mr_platform.errors import TableError
from mr_platform.registry.portfolio_tables import load_portfolio_tables
from mr_platform.trading_calendar import PartitionKey

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_NAMED = 8  # partitions that a message names before it says "and n more"


@dataclass(frozen=True, order=True)
class BookPart:
    """A part of what is kept of one book of strategies; written ``sensex|2024-01``.

    Attributes:
        book: Name of the book: letters, digits, _ and -.
        part: A month ``2024-01``, a portfolio size ``037``, or ``all``.
    """

    book: str
    part: str = "all"

    def __str__(self) -> str:
        return f"{self.book}|{self.part}"


TableKey: TypeAlias = PartitionKey | BookPart


@dataclass(frozen=True)
class PartitionLayout:
    """The two columns whose values are the partitions of a table.

    Attributes:
        columns: Names, outer folder first.
        types: Their types.
    """

    columns: tuple[str, str]
    types: tuple[pl.DataType, pl.DataType]

    def key(self, outer: Any, inner: Any) -> TableKey:
        """The key of a pair of values, in the order of ``columns``."""
        if self is SYMBOL_DATE:
            return PartitionKey(inner, outer)
        return BookPart(outer, inner)

    def values(self, key: TableKey) -> tuple[str, dt.date | str]:
        """The pair of values of a key, in the order of ``columns``.

        Raises:
            TableError: The key is of the other layout.
        """
        if isinstance(key, PartitionKey) and self is SYMBOL_DATE:
            return key.symbol, key.date
        if isinstance(key, BookPart) and self is BOOK_PART:
            return key.book, key.part
        raise TableError(
            f"{key} is no partition of a table by {' and '.join(self.columns)}",
            next_step="Name partitions of this table",
        )

    def texts(self, key: TableKey) -> dict[str, str | None]:
        """The values of a key as the Delta log writes them."""
        return self.texts_of(*self.values(key))

    def texts_of(self, outer: str, inner: dt.date | str) -> dict[str, str | None]:
        """A pair of values as the Delta log writes them."""
        return dict(zip(self.columns, (outer, str(inner)), strict=True))

    def folder(self, key: TableKey) -> str:
        """Folder of a partition, relative to its table.

        Raises:
            TableError: A value has characters that a folder name would have to escape.
        """
        texts = self.texts(key)
        for name, text in texts.items():
            if not _PLAIN.fullmatch(str(text)):
                raise TableError(
                    f"{name} was {text!r}",
                    next_step=f"A {name} is made of letters, digits, _ and -",
                )
        return "/".join(f"{name}={text}" for name, text in texts.items())

    def frame(self, keys: Sequence[TableKey]) -> pl.DataFrame:
        """The values of keys, one row each."""
        pairs = [self.values(key) for key in keys]
        return pl.DataFrame(pairs, schema=self.schema, orient="row")

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Type by column, outer folder first."""
        return dict(zip(self.columns, self.types, strict=True))

    def predicate(self, keys: Sequence[TableKey]) -> str:
        """SQL predicate that holds for exactly the rows of these partitions.

        Inner values are grouped by the outer one, so partitions that form no rectangle are still
        met exactly.
        """
        outer, inner = self.columns
        return " OR ".join(
            f"({outer} = '{value}' AND {inner} IN ({', '.join(repr(text) for text in texts)}))"
            for value, texts in self.rectangles(keys)
        )

    def rectangles(self, keys: Sequence[TableKey]) -> list[tuple[str, list[str]]]:
        """Texts of the inner values of each outer one, both ascending."""
        pairs = sorted((outer, str(inner)) for outer, inner in {self.values(key) for key in keys})
        return [
            (outer, [inner for _, inner in group])
            for outer, group in groupby(pairs, key=lambda pair: pair[0])
        ]


SYMBOL_DATE = PartitionLayout(("symbol", "date"), (pl.String(), pl.Date()))
"""Tables of market data and features."""

BOOK_PART = PartitionLayout(("book", "part"), (pl.String(), pl.String()))
"""Tables of strategy portfolios."""


def layout_of(table: str) -> PartitionLayout:
    """The layout of a table, by its name: tables of portfolios are declared in the registry."""
    return BOOK_PART if table in load_portfolio_tables() else SYMBOL_DATE
