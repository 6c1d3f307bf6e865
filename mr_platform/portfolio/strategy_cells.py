"""Cells of a strategy sheet: text or typed columns → one matrix, every cell without a number named.

Here: pieces of text or groups of columns to float64, faults of single cells, ragged rows.
Not here: which columns are strategies, what their rows say, limits (``strategy_sheets``).

A sheet of 100,000 columns and 1,000 rows has 100 million cells. They are never held as texts: of
each piece every cell is set on a line of its own, so that Polars reads one column of a million
numbers instead of 100,000 columns of ten (twenty times faster), and text is looked at again only
for cells that gave no number.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.portfolio.returns import Matrix
from mr_platform.registry.strategy_files import StrategyFiles

Counts = npt.NDArray[np.int64]

FAULTS_SHOWN = 20
"""Cells without a number that are told one by one; all of them are counted."""

_TEXTUAL = (pl.String, pl.Categorical, pl.Enum)
_NEWLINE = ord("\n")


@dataclass(frozen=True)
class CellFault:
    """One cell without a number, taken for 0.

    Attributes:
        row: Data row of the file, from 1; the header is not counted.
        column: Name of the column.
        fault: ``missing``, ``no number``, ``infinite`` or ``too large``.
        text: The cell as written, None where it is empty.
    """

    row: int
    column: str
    fault: str
    text: str | None


@dataclass(frozen=True, eq=False)
class SheetCells:
    """What the cells of a sheet hold, rows in the order of the file.

    Attributes:
        pnl: Shape (T, n), float64, finite; 0 where a cell has no number.
        labels: The label columns asked for, as text or in the type of the file.
        missing: Empty cells of each strategy, shape (n,).
        unreadable: Cells of each strategy that hold something else than a number, shape (n,).
        first_faults: The first cells without a number, by row and column.
    """

    pnl: Matrix
    labels: Mapping[str, pl.Series]
    missing: Counts
    unreadable: Counts
    first_faults: tuple[CellFault, ...]


@dataclass(frozen=True)
class SheetColumns:
    """The columns of one sheet, told apart.

    Attributes:
        place: File, for messages.
        names: All names in the order of the file.
        strategies: Positions of the strategies to read.
        labels: Positions of the label columns to read.
    """

    place: str
    names: tuple[str, ...]
    strategies: tuple[int, ...]
    labels: tuple[int, ...]


def read_text_cells(
    columns: SheetColumns, pieces: Iterable[bytes], declared: StrategyFiles
) -> SheetCells:
    r"""Cells of a CSV.

    Args:
        columns: What to read.
        pieces: UTF-8 text of whole lines ended by ``\n``, without the header, in order.
        declared: Delimiter, texts that mean missing, largest amount.

    Raises:
        InputFileError: A row has another number of fields than the header.
    """
    width, delimiter = len(columns.names), declared.delimiter.encode()
    tally = _Tally(columns, declared)
    take = _positions(columns.strategies)
    blocks: list[Matrix] = []
    labels: dict[int, list[pl.Series]] = {position: [] for position in columns.labels}
    row = 1
    for piece in pieces:
        split = _split_quoted if b'"' in piece else _split_plain
        texts = split(piece, delimiter, width, columns.place, row)
        numbers = texts.cast(pl.Float64, strict=False).to_numpy().reshape(-1, width)
        block = np.ascontiguousarray(numbers[:, take])

        def texts_at(rows: Counts, places: Counts, texts: pl.Series = texts) -> pl.Series:
            return texts.gather(rows * width + np.asarray(columns.strategies)[places])

        tally.settle(block, texts_at, row, 0)
        for position, parts in labels.items():
            # a gathered string still holds the whole piece: rebuild the few that are kept
            parts.append(pl.Series(texts.gather_every(width, position).to_list(), dtype=pl.String))
        blocks.append(block)
        row += block.shape[0]
    return tally.cells(
        _stacked(blocks, len(columns.strategies)),
        {
            columns.names[position]: pl.concat(parts) if parts else pl.Series(dtype=pl.String)
            for position, parts in labels.items()
        },
    )


def read_frame_cells(
    columns: SheetColumns, frames: Iterable[pl.DataFrame], declared: StrategyFiles
) -> SheetCells:
    """Cells of a typed table.

    Args:
        columns: What to read; no name twice.
        frames: Groups of columns, each with all rows.
        declared: Texts that mean missing, largest amount.

    Raises:
        InputFileError: A strategy is stored as a date, a truth value or another type that is
            neither number nor text, or the groups differ in their rows.
    """
    tally = _Tally(columns, declared)
    place_of = {columns.names[position]: i for i, position in enumerate(columns.strategies)}
    wanted = {columns.names[position] for position in columns.labels}
    pnl: Matrix | None = None
    labels: dict[str, pl.Series] = {}
    for frame in frames:
        if pnl is None:
            pnl = np.empty((frame.height, len(columns.strategies)))
        if frame.height != pnl.shape[0]:
            raise InputFileError(
                f"has columns of {pnl.shape[0]} and of {frame.height} rows", place=columns.place
            )
        labels |= {name: frame[name] for name in frame.columns if name in wanted}
        strategies = [name for name in frame.columns if name in place_of]
        _refuse_types(frame.select(strategies).schema, columns.place)
        for names, first in _runs(strategies, place_of):
            part = frame.select(names)
            block = _numbers(part)

            def texts_at(rows: Counts, places: Counts, part: pl.DataFrame = part) -> pl.Series:
                found = np.full(rows.size, None, dtype=object)
                for place in np.unique(places):
                    here = places == place
                    column = part.to_series(int(place)).gather(rows[here]).cast(pl.String)
                    found[here] = column.to_list()
                return pl.Series(found.tolist(), dtype=pl.String)

            tally.settle(block, texts_at, 1, first)
            pnl[:, first : first + len(names)] = block
    none = np.empty((0, len(columns.strategies)))
    return tally.cells(none if pnl is None else pnl, labels)


class _Tally:
    """Counts cells without a number, keeps the first of them, and puts 0 in their place."""

    def __init__(self, columns: SheetColumns, declared: StrategyFiles) -> None:
        self._names = [columns.names[position] for position in columns.strategies]
        self._missing_texts = list(declared.missing)
        self._largest = declared.limits.largest_amount
        self._missing = np.zeros(len(self._names), dtype=np.int64)
        self._unreadable = np.zeros(len(self._names), dtype=np.int64)
        self._faults: list[tuple[int, int, str, str | None]] = []

    def settle(
        self,
        block: Matrix,
        texts_at: Callable[[Counts, Counts], pl.Series],
        first_row: int,
        first_strategy: int,
    ) -> None:
        """Look again at what is no number in a block, and write 0 where it stays none.

        Args:
            block: Shape (rows, strategies), changed in place.
            texts_at: Texts of cells by their rows and columns in the block.
            first_row: Number of the block's first row.
            first_strategy: Number of the block's first strategy.
        """
        # NaN compares false as well
        rows, places = np.nonzero(~(np.abs(block) <= self._largest))
        if not rows.size:
            return
        texts = texts_at(rows, places)
        stripped = texts.str.strip_chars()
        again = stripped.str.strip_prefix("+").cast(pl.Float64, strict=False).to_numpy()
        good = np.abs(again) <= self._largest
        block[rows, places] = np.where(good, again, 0.0)
        lower = stripped.str.to_lowercase()
        missing = (lower.is_null() | lower.is_in(self._missing_texts)).fill_null(True).to_numpy()
        missing &= ~good
        unreadable = ~good & ~missing
        places = places + first_strategy
        count = len(self._names)
        self._missing += np.bincount(places[missing], minlength=count)
        self._unreadable += np.bincount(places[unreadable], minlength=count)
        for i in np.flatnonzero(~good)[:FAULTS_SHOWN]:
            fault = "missing" if missing[i] else _fault_of(float(again[i]), str(lower[int(i)]))
            self._faults.append(
                (first_row + int(rows[i]), int(places[i]), fault, texts[int(i)] or None)
            )
        self._faults = sorted(self._faults, key=lambda found: found[:2])[:FAULTS_SHOWN]

    def cells(self, pnl: Matrix, labels: Mapping[str, pl.Series]) -> SheetCells:
        """What was read, with its counts."""
        return SheetCells(
            pnl=pnl,
            labels=labels,
            missing=self._missing,
            unreadable=self._unreadable,
            first_faults=tuple(
                CellFault(row, self._names[place], fault, text)
                for row, place, fault, text in self._faults
            ),
        )


def _fault_of(number: float, text: str) -> str:
    if np.isnan(number):
        return "no number"
    return "infinite" if "inf" in text else "too large"


# ---------------------------------------------------------------------- text


def _split_plain(piece: bytes, delimiter: bytes, width: int, place: str, row: int) -> pl.Series:
    """All cells of a piece, row by row; nothing in it is quoted."""
    signs = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(signs == _NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    delimits = signs == ord(delimiter)
    # line by line: several times faster on wide rows than np.add.reduceat, which widens every byte
    fields = np.array(
        [np.count_nonzero(delimits[a:b]) for a, b in zip(starts, ends, strict=True)]
    ) + 1  # fmt: skip
    uneven = np.flatnonzero(fields != width)
    if uneven.size:
        raise _ragged(place, row + int(uneven[0]), int(fields[uneven[0]]), width)
    return pl.read_csv(
        piece.replace(delimiter, b"\n"),
        has_header=False,
        schema={"cell": pl.String},
        # neither stands in the text any more
        separator=delimiter.decode(),
        quote_char=None,
        empty_string_is_null=True,
        raise_if_empty=False,
    )["cell"]


def _split_quoted(piece: bytes, delimiter: bytes, width: int, place: str, row: int) -> pl.Series:
    """All cells of a piece in which some are quoted."""
    cells: list[str] = []
    lines = piece.decode("utf-8").split("\n")[:-1]
    for number, fields in enumerate(_rows(lines, delimiter, place, row), start=row):
        if len(fields) != width:
            raise _ragged(place, number, len(fields), width)
        cells += fields
    return pl.Series(cells, dtype=pl.String)


def _rows(lines: Sequence[str], delimiter: bytes, place: str, row: int) -> Iterator[list[str]]:
    for number, line in enumerate(lines, start=row):
        try:
            # line by line: a quote left open must not swallow the rows after it
            yield next(csv.reader([line], delimiter=delimiter.decode(), strict=True), [""])
        except csv.Error as damaged:
            raise InputFileError(
                f"has a quote in row {number} that does not close on its line ({damaged})",
                place=place,
                next_step="Correct the row and land the file again",
            ) from damaged


def _ragged(place: str, row: int, fields: int, width: int) -> InputFileError:
    return InputFileError(
        f"has {fields:,} fields in row {row}, the header {width:,}",
        place=place,
        next_step="It was cut off or joined badly: ask the source to send it again",
    )


def _stacked(blocks: list[Matrix], strategies: int) -> Matrix:
    """The blocks as one matrix; each is let go once it is copied, so that memory is not doubled."""
    if len(blocks) == 1:
        return blocks[0]
    pnl = np.empty((sum(block.shape[0] for block in blocks), strategies))
    end = pnl.shape[0]
    while blocks:
        block = blocks.pop()
        pnl[end - block.shape[0] : end] = block
        end -= block.shape[0]
    return pnl


def _positions(positions: Sequence[int]) -> Any:
    """A slice where the positions are consecutive: it copies in one go."""
    first = positions[0] if positions else 0
    consecutive = tuple(range(first, first + len(positions)))
    return slice(first, first + len(positions)) if positions == consecutive else list(positions)


# ---------------------------------------------------------------------- typed columns


def _refuse_types(schema: Mapping[str, pl.DataType], place: str) -> None:
    wrong = [
        f"{name!r} ({dtype})"
        for name, dtype in schema.items()
        if not dtype.is_numeric() and dtype != pl.Null and not isinstance(dtype, _TEXTUAL)
    ]
    if wrong:
        raise InputFileError(
            f"has strategy columns that hold no numbers: {', '.join(wrong[:5])}",
            place=place,
            next_step="Remove them, or leave them out: --exclude PATTERN",
        )


def _runs(names: Sequence[str], place_of: Mapping[str, int]) -> Iterator[tuple[list[str], int]]:
    """Names whose places in the matrix follow each other, with the first place."""
    run: list[str] = []
    for name in names:
        if run and place_of[name] != place_of[run[-1]] + 1:
            yield run, place_of[run[0]]
            run = []
        run.append(name)
    if run:
        yield run, place_of[run[0]]


def _numbers(part: pl.DataFrame) -> Matrix:
    casts = [
        # dictionaries are read as the text they stand for
        pl.col(name).cast(pl.String).cast(pl.Float64, strict=False)
        if isinstance(dtype, _TEXTUAL)
        else pl.col(name).cast(pl.Float64)
        for name, dtype in part.schema.items()
        if dtype != pl.Float64
    ]
    block: Matrix = part.with_columns(casts).to_numpy()
    # a view of the frame is read-only, and zeros are written into the block
    return np.array(block, dtype=np.float64, order="C")
