"""Reading one landed file of regime bars: bytes to its declared columns as text.

Here: the file as a whole, its header against the declared columns, rows of uneven length.
Not here: what cells mean (``portfolio/regime_bars``), strategy sheets (``strategy_files``).
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.gateways.strategy_files import LandedStrategies
from mr_platform.registry.regimes import BAR_FIELDS, RegimeBarFiles

_SHOWN = 5


def read_regime_columns(
    path: Path, relative: str, declared: RegimeBarFiles
) -> dict[str, pl.Series]:
    """Text columns of a file of regime bars, by the field they mean.

    Plain, gzip and zstd text are read; blank lines at the end are left out.

    Args:
        path: Where the file lies.
        relative: Its path relative to the landing folder, for messages.
        declared: Columns and delimiter.

    Raises:
        InputFileError: The file is missing, damaged, empty or no UTF-8 text, or a row has another
            number of fields than the header.
        UnknownDialectError: The header lacks a declared column, or repeats one.
    """
    landed = LandedStrategies(path, relative, declared.delimiter)
    header = landed.header
    if header.container != "csv":
        raise InputFileError(
            "is a Parquet file; regime bars are read from CSV",
            place=relative,
            next_step="Export it as CSV",
        )
    fields = _fields(header.columns, declared, relative)
    cells: list[list[str]] = [[] for _ in header.columns]
    for number, line in enumerate(_lines(landed), start=1):
        for column, cell in zip(
            cells, _split(line, number, len(cells), declared, relative), strict=True
        ):
            column.append(cell)
    return {
        field: pl.Series(field, cells[place], dtype=pl.String) for field, place in fields.items()
    }


def _lines(landed: LandedStrategies) -> Iterator[str]:
    for piece in landed.pieces():
        yield from piece.decode("utf-8").split("\n")[:-1]


def _fields(columns: tuple[str, ...], declared: RegimeBarFiles, place: str) -> dict[str, int]:
    """Place of each field's column; other columns are left out."""
    known = {name.lower(): field for name, field in declared.columns.items()}
    found: dict[str, int] = {}
    for number, name in enumerate(columns):
        field = known.get(name.lower())
        if field in found:
            raise UnknownDialectError(
                f"names the column {name} more than once", place=place, next_step="Keep one"
            )
        if field is not None:
            found[field] = number
    missing = [name for name, field in declared.columns.items() if field not in found]
    if missing:
        near = {name: difflib.get_close_matches(name, columns, n=1) for name in missing}
        told = [f"{other[0]!r} may be meant for {name!r}" for name, other in near.items() if other]
        shown = ", ".join(columns[:_SHOWN]) + " …" * (len(columns) > _SHOWN)
        raise UnknownDialectError(
            "; ".join([f"lacks {', '.join(missing)} of regime bars; it has {shown}", *told]),
            place=place,
            next_step="Rename the columns, or declare them in regimes.yaml",
        )
    return {field: found[field] for field in BAR_FIELDS}


def _split(line: str, number: int, width: int, declared: RegimeBarFiles, place: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=declared.delimiter, strict=True), [""])
    except csv.Error as damaged:
        raise InputFileError(
            f"has a quote in row {number} that does not close on its line ({damaged})",
            place=place,
            next_step="Correct the row and land the file again",
        ) from damaged
    if len(cells) != width:
        raise InputFileError(
            f"has {len(cells)} fields in row {number}, the header {width}",
            place=place,
            next_step="It was cut off or joined badly: ask the source to send it again",
        )
    return cells
