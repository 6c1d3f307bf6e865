"""Rows of the declared tables of books, whichever version of the program stored them.

Here: reading and writing with the declared columns, where a stored table may lack newer ones.
Not here: what a book is made of (``strategy_books.py``), the declarations (``registry``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import polars as pl

from mr_platform.gateways.commits import CommitReport
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.partition_layout import BookPart
from mr_platform.registry.portfolio_tables import load_portfolio_tables

BEFORE_THE_COLUMN: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("portfolios", "balance"): "{}"}
)
"""What held of rows that were stored before a column was there; of all others nothing is known."""


def no_rows(table: str) -> pl.DataFrame:
    """The declared columns of a table without a row."""
    return pl.DataFrame(schema=load_portfolio_tables()[table].schema)


def stored_rows(lakehouse: Lakehouse, table: str, keys: Sequence[BookPart]) -> pl.DataFrame:
    """Rows of parts in the declared columns; null where an earlier version stored no such column.

    Raises:
        TableError: There is no such table.
    """
    declared = load_portfolio_tables()[table].schema
    rows = lakehouse.scan(table, keys)
    held = rows.collect_schema()
    return rows.select(
        _column(table, name) if name in held else pl.lit(_before(table, name), kind).alias(name)
        for name, kind in declared.items()
    ).collect()


def store_parts(
    lakehouse: Lakehouse,
    table: str,
    parts: Iterable[tuple[BookPart, pl.DataFrame]],
    *,
    commit_info: Mapping[str, str] | None = None,
) -> CommitReport:
    """Replace parts of a table, each once, with rows in the declared columns.

    A table that an earlier version made gets the columns that it lacks first.

    Raises:
        TableError: As :meth:`Lakehouse.replace_one_by_one`.
        StorageError: Files could not be written; the rows of the table are as they were.
    """
    columns = list(load_portfolio_tables()[table].schema)
    if lakehouse.exists(table):
        lakehouse.add_columns(table, load_portfolio_tables()[table].schema)
        # columns that were added stand behind those that were there first
        columns = [name for name in lakehouse.schema(table) if name in columns]
    ordered = ((key, rows.select(columns)) for key, rows in parts)
    return lakehouse.replace_one_by_one(table, ordered, commit_info=commit_info)


def _column(table: str, name: str) -> pl.Expr:
    before = _before(table, name)
    return pl.col(name) if before is None else pl.col(name).fill_null(before)


def _before(table: str, name: str) -> str | None:
    return BEFORE_THE_COLUMN.get((table, name))
