"""Sheets of one book put together: more months, more strategies, or both.

A book is strategies that are judged together. Its files may each hold other months of the same
strategies, other strategies of the same months, or repeat cells; what a strategy does not have in
a row of the book is 0, and counted.

Here: sheets → one matrix with labels and counts, cut into months to store.
Not here: reading sheets (``strategy_sheets``), tables of a month (``strategy_tables``), files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.portfolio.returns import Matrix, StrategyReturns
from mr_platform.portfolio.strategy_names import parse_names
from mr_platform.portfolio.strategy_rows import ROWS_SCHEMA
from mr_platform.portfolio.strategy_tables import month_frames, number_strategies

Flags = npt.NDArray[np.bool_]

LABELS_SCHEMA: dict[str, pl.DataType] = {
    **{name: dtype for name, dtype in ROWS_SCHEMA.items() if name != "file_row"},
    "source_file": pl.String(),
}
"""What the rows of a book say of themselves, and the file that each stands in first."""

_COUNTS = ("missing_cells", "unreadable_cells")


@dataclass(frozen=True, eq=False)
class BookSheet:
    """One sheet of a book.

    Attributes:
        place: File, for messages and as the source of its rows.
        pnl_unit: Unit of its values.
        returns: The matrix.
        rows: Labels of its rows (``ROWS_SCHEMA``), in the order of the matrix.
        strategies: ``name``, ``missing_cells`` and ``unreadable_cells`` of its strategies, in the
            order of the matrix.
        prefix: Put before its strategies' names with ``_`` between; empty for none.
    """

    place: str
    pnl_unit: str
    returns: StrategyReturns
    rows: pl.DataFrame
    strategies: pl.DataFrame
    prefix: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The strategies' names in the book."""
        if not self.prefix:
            return self.returns.names
        return tuple(f"{self.prefix}_{name}" for name in self.returns.names)


@dataclass(frozen=True, eq=False)
class Book:
    """Sheets put together.

    Attributes:
        returns: The matrix over all rows and strategies of the book.
        rows: Labels of the rows (``LABELS_SCHEMA``), in the order of the matrix.
        strategies: ``strategy_id``, ``name``, attributes of the name, ``source_file`` and counts,
            in the order of the matrix.
        pnl_unit: Unit of the values.
        filled: Shape (T, n), which cells a sheet holds; None where all are.
        repeated_cells: Cells that several sheets hold with the same value.
        kept_cells: Cells that no sheet holds and that were stored before.
    """

    returns: StrategyReturns
    rows: pl.DataFrame
    strategies: pl.DataFrame
    pnl_unit: str
    filled: Flags | None = None
    repeated_cells: int = 0
    kept_cells: int = 0

    def months(self) -> Iterator[BookMonth]:
        """The book month by month; a strategy without any row in a month is not in it."""
        months = self.returns.dates.astype("datetime64[M]")
        for month in np.unique(months):
            rows = np.flatnonzero(months == month)
            part, strategies = self.returns, self.strategies.select("strategy_id", "name")
            columns: npt.NDArray[np.intp] | slice = slice(None)
            if self.filled is not None:
                columns = np.flatnonzero(self.filled[rows].any(axis=0))
                strategies = strategies[columns]
            whole = StrategyReturns(
                pnl=part.pnl[rows][:, columns],
                names=tuple(strategies["name"].to_list()),
                dates=part.dates[rows],
                zones=None if part.zones is None else tuple(part.zones[row] for row in rows),
            )
            ((name, frame),) = month_frames(whole, strategies)
            yield BookMonth(name, frame, self.rows[rows])


@dataclass(frozen=True, eq=False)
class BookMonth:
    """One month of a book: its name, rows of ``PNL_SCHEMA``, labels of ``LABELS_SCHEMA``."""

    month: str
    returns: pl.DataFrame
    rows: pl.DataFrame


@dataclass
class _Merged:
    """Where the cells of sheets come together."""

    pnl: Matrix
    filled: Flags
    owner: npt.NDArray[np.int32] = field(init=False)
    repeated: int = 0
    kept: int = 0

    def __post_init__(self) -> None:
        # the sheet a row was last filled by, to name the file of a conflict
        self.owner = np.full(self.pnl.shape[0], -1, dtype=np.int32)


def merge_sheets(
    sheets: Sequence[BookSheet],
    known: Mapping[str, int] | None = None,
    stored: Sequence[BookSheet] = (),
    first_free: int = 0,
) -> Book:
    """Put the sheets of a book together.

    Args:
        sheets: At least one, in the order in which strategies are numbered and rows are owned.
        known: Numbers of strategies given before, by name.
        stored: What is stored of these months; fills cells that no sheet holds, so that a file
            that is gone from landing takes nothing with it.
        first_free: No new number lies below it.

    Raises:
        InputFileError: No sheet; sheets in different units, or some by zone and some by day; two
            sheets with different values of one cell: names both files and the cell.
    """
    if not sheets:
        raise InputFileError(
            "the book has no file of strategy results", next_step="Land a file of this book"
        )
    every = [*sheets, *stored]
    _require_alike(every)
    names = tuple(dict.fromkeys(name for sheet in every for name in sheet.names))
    labels = _labels(every)
    if len(every) == 1:
        sheet = sheets[0]
        returns = StrategyReturns(
            sheet.returns.pnl, names, sheet.returns.dates, sheet.returns.zones
        )
        return Book(
            returns, labels, _strategies(every, names, known, None, first_free), sheet.pnl_unit
        )
    keys = labels.select("date", "zone")
    places = {name: place for place, name in enumerate(names)}
    merged = _Merged(
        np.zeros((keys.height, len(names))), np.zeros((keys.height, len(names)), dtype=np.bool_)
    )
    for number, sheet in enumerate(every):
        rows = _row_places(keys, sheet.rows)
        columns = np.array([places[name] for name in sheet.names], dtype=np.intp)
        if number < len(sheets):
            _enter(merged, sheets, number, rows, columns, names)
        else:
            _fill(merged, sheet.returns.pnl, rows, columns)
    returns = StrategyReturns(
        merged.pnl,
        names,
        keys["date"].to_numpy().astype("datetime64[D]"),
        None if keys["zone"].null_count() else tuple(keys["zone"].to_list()),
    )
    filled = None if merged.filled.all() else merged.filled
    return Book(
        returns,
        labels,
        _strategies(every, names, known, filled, first_free),
        sheets[0].pnl_unit,
        filled,
        merged.repeated,
        merged.kept,
    )


def with_strategies(returns: StrategyReturns, names: Collection[str]) -> StrategyReturns:
    """The columns of some strategies, in the order in which they stand; not copied if it is all."""
    wanted = set(names)
    columns = [place for place, name in enumerate(returns.names) if name in wanted]
    if len(columns) == returns.strategies:
        return returns
    kept = tuple(returns.names[column] for column in columns)
    return StrategyReturns(returns.pnl[:, columns], kept, returns.dates, returns.zones)


def _require_alike(sheets: Sequence[BookSheet]) -> None:
    first = sheets[0]
    for sheet in sheets[1:]:
        if sheet.pnl_unit != first.pnl_unit:
            raise InputFileError(
                f"its values are in {sheet.pnl_unit}, those of {first.place} in {first.pnl_unit}",
                place=sheet.place,
                next_step="Keep results of different units in books of their own",
            )
        if (sheet.returns.zones is None) != (first.returns.zones is None):
            raise InputFileError(
                f"one of it and {first.place} has rows by zone, the other by day",
                place=sheet.place,
                next_step="Keep results by zone and by day in books of their own",
            )


def _labels(sheets: Sequence[BookSheet]) -> pl.DataFrame:
    """Labels of all rows by date and zone; a row that stands in several files is the first's."""
    every = pl.concat(
        [
            (
                sheet.rows
                if "source_file" in sheet.rows.columns
                else sheet.rows.with_columns(source_file=pl.lit(sheet.place))
            ).select(*LABELS_SCHEMA)
            for sheet in sheets
        ]
    )
    once = every.unique(["date", "zone"], keep="first", maintain_order=True)
    return once.sort("date", "zone", maintain_order=True)


def _row_places(keys: pl.DataFrame, rows: pl.DataFrame) -> npt.NDArray[np.intp]:
    found = rows.select("date", "zone").join(
        keys.with_row_index("place"), on=["date", "zone"], how="left", nulls_equal=True,
        maintain_order="left",
    )  # fmt: skip
    return found["place"].to_numpy().astype(np.intp)


def _enter(
    merged: _Merged,
    sheets: Sequence[BookSheet],
    number: int,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    names: Sequence[str],
) -> None:
    cells = np.ix_(rows, columns)
    held = merged.filled[cells]
    given = sheets[number].returns.pnl
    if held.any():
        other = held & (merged.pnl[cells] != given)
        if other.any():
            row, column = np.argwhere(other)[0]
            earlier = sheets[int(merged.owner[rows[row]])].place
            ours, theirs = float(given[row, column]), float(merged.pnl[rows[row], columns[column]])
            raise InputFileError(
                f"{names[columns[column]]} has {ours!r} on {sheets[number].returns.dates[row]}, "
                f"and {theirs!r} in {earlier}; {int(other.sum()):,} cells differ",
                place=sheets[number].place,
                next_step="Remove the wrong file from landing, or put one into a sub-folder of the "
                "book: its name then stands before the names of its strategies",
            )
        merged.repeated += int(held.sum())
    merged.pnl[cells] = given
    merged.filled[cells] = True
    merged.owner[rows] = number


def _fill(
    merged: _Merged,
    pnl: Matrix,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
) -> None:
    """Stored values in the cells that no sheet holds."""
    cells = np.ix_(rows, columns)
    free = ~merged.filled[cells]
    if free.any():
        merged.pnl[cells] = np.where(free, pnl, merged.pnl[cells])
        merged.filled[cells] = True
        merged.kept += int(free.sum())


def _strategies(
    sheets: Sequence[BookSheet],
    names: Sequence[str],
    known: Mapping[str, int] | None,
    filled: Flags | None,
    first_free: int,
) -> pl.DataFrame:
    """Number, attributes, first file and counts of each strategy."""
    told = pl.concat(
        [
            sheet.strategies.select(
                pl.Series("name", sheet.names, dtype=pl.String),
                *(pl.col(count).cast(pl.Int64) for count in _COUNTS),
                source_file=pl.lit(sheet.place),
            )
            for sheet in sheets
        ]
    )
    counts = told.group_by("name", maintain_order=True).agg(
        pl.col("source_file").first(), *(pl.col(count).sum() for count in _COUNTS)
    )
    numbered = number_strategies(names, known, first_free)
    # absent: rows of the book in which no file has the strategy
    absent = (
        pl.repeat(0, len(names), dtype=pl.Int64, eager=True)
        if filled is None
        else pl.Series(np.count_nonzero(~filled, axis=0)).cast(pl.Int64)
    )
    return (
        numbered.with_columns(absent.alias("absent"))
        .join(parse_names(names), on="name", how="left", maintain_order="left")
        .join(counts, on="name", how="left", maintain_order="left")
        .with_columns(pl.col("missing_cells") + pl.col("absent"))
        .drop("absent")
    )
