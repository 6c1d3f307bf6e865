"""Tables of strategy portfolios: their columns, types and meanings, as declared.

Here: ``declared/portfolio/tables.yaml`` to typed, checked data; every fault at once.
Not here: writing tables (``gateways/lakehouse``), what columns hold (``portfolio``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import polars as pl

from mr_platform.registry.declaration_file import PORTFOLIO, read_declaration
from mr_platform.registry.faults import Source

PORTFOLIO_TABLES = PORTFOLIO / "tables.yaml"

Part = Literal["all", "month", "size"]

_TYPES: Final[Mapping[str, pl.DataType]] = {
    "String": pl.String(),
    "Int32": pl.Int32(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
    "Boolean": pl.Boolean(),
    "Date": pl.Date(),
}

_PARTS: Final = {
    "all": "always all",
    "month": "month, YYYY-MM",
    "size": "portfolio size, three digits",
}


@dataclass(frozen=True)
class PortfolioColumn:
    """One column of a table.

    Attributes:
        name: Its name.
        dtype: Its type.
        meaning: What it holds, a sentence.
        unit: Its unit, None where it has none or the book's.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    unit: str | None = None


@dataclass(frozen=True)
class PortfolioTable:
    """One table.

    Attributes:
        name: Its name, which its asset shares.
        meaning: What a row is.
        part: What the column ``part`` says.
        columns: The columns in order, ``book`` and ``part`` first.
    """

    name: str
    meaning: str
    part: Part
    columns: tuple[PortfolioColumn, ...]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Type by column, in order."""
        return {column.name: column.dtype for column in self.columns}


def load_portfolio_tables(path: Path | None = None) -> Mapping[str, PortfolioTable]:
    """The tables by name.

    Args:
        path: A YAML file; None reads the package's own, once a process.

    Raises:
        RegistryError: The file is wrong; carries every fault with its line.
    """
    return _load() if path is None else read_declaration(path, _declaration)


@lru_cache(maxsize=1)
def _load() -> Mapping[str, PortfolioTable]:
    return read_declaration(PORTFOLIO_TABLES, _declaration)


def _declaration(source: Source, data: Any) -> dict[str, PortfolioTable]:
    return {
        name: _table(source, name, value)
        for name, value in source.mapping(data, (), "the file").items()
    }


def _table(source: Source, name: str, value: Any) -> PortfolioTable:
    given = source.mapping(value, (name,), name)
    source.fields(given, (name,), ("part", "meaning", "columns"), ())
    part = source.known(given.get("part"), (name, "part"), "part", get_args(Part))
    keys = (
        PortfolioColumn("book", pl.String(), "Book of strategies; partition column."),
        PortfolioColumn("part", pl.String(), f"{_PARTS.get(part, '')}; partition column."),
    )
    declared = source.mapping(given.get("columns"), (name, "columns"), "columns")
    if not declared:
        source.fault((name, "columns"), f"{name} has no column")
    for key in ("book", "part"):
        if key in declared:
            source.fault((name, "columns", key), f"{key} is a column of every table")
    return PortfolioTable(
        name=name,
        meaning=source.text(given.get("meaning"), (name, "meaning"), "meaning"),
        part=cast(Part, part),
        columns=(
            *keys,
            *(
                _column(source, (name, "columns", column), column, told)
                for column, told in declared.items()
            ),
        ),
    )


def _column(source: Source, path: tuple[str, ...], name: str, value: Any) -> PortfolioColumn:
    given = source.mapping(value, path, name)
    source.fields(given, path, ("type", "meaning"), ("unit",))
    kind = source.known(given.get("type"), (*path, "type"), "type", tuple(_TYPES))
    return PortfolioColumn(
        name=name,
        dtype=_TYPES.get(kind, pl.String()),
        meaning=source.text(given.get("meaning"), (*path, "meaning"), "meaning"),
        unit=source.text(given["unit"], (*path, "unit"), "unit") if "unit" in given else None,
    )
