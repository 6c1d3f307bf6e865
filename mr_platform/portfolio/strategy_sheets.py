"""A sheet of strategy results, from cells to the matrix of returns, with an account of it.

Here: the parts of a sheet put together; what is refused, counted and warned of.
Not here: reading files (``gateways/strategy_files``), headers (``strategy_headers``), single cells
(``strategy_cells``), labels of rows (``strategy_rows``), tables to store (``strategy_tables``).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.portfolio.returns import Matrix, StrategyReturns
from mr_platform.portfolio.strategy_cells import (
    CellFault,
    SheetCells,
    SheetColumns,
    read_frame_cells,
    read_text_cells,
)
from mr_platform.portfolio.strategy_headers import (
    StrategyChoice,
    check_names,
    choose_strategies,
    format_of_sheet,
    listed,
)
from mr_platform.portfolio.strategy_names import NAME_ATTRIBUTES, parse_names
from mr_platform.portfolio.strategy_rows import (
    day_mismatches,
    days_without_trading,
    read_rows,
    sort_rows,
)
from mr_platform.registry.strategy_files import (
    Container,
    LevelSigns,
    PnlUnit,
    StrategyFiles,
    StrategyFormat,
    StrategyLimits,
)

SHEET_STRATEGIES_SCHEMA: dict[str, pl.DataType] = {
    "name": pl.String(),
    **NAME_ATTRIBUTES,
    "source_file": pl.String(),
    "col_index": pl.Int32(),
    "missing_cells": pl.Int64(),
    "unreadable_cells": pl.Int64(),
    "zero_cells": pl.Int64(),
    "constant": pl.Boolean(),
    "duplicate_of": pl.String(),
}
"""Columns of a sheet's table of strategies, one row a column of the matrix, in its order.

``col_index`` counts the strategy columns of the file from 0, excluded ones too; ``zero_cells``
counts zeros after filling; ``duplicate_of`` names the first strategy with the same values.
"""

_AT_ONCE = 1024
_SHOWN = 5


@dataclass(frozen=True)
class SheetAccount:
    """What was found in a sheet, counted.

    Attributes:
        place: File.
        format: Name of its format.
        pnl_unit: Unit of the values, as the file says or its format declares.
        rows: Rows, T.
        strategies: Strategies read, n.
        excluded: Strategy columns left out by the choice.
        missing_cells: Empty cells, taken for 0.
        unreadable_cells: Cells with something else than a number, taken for 0.
        first_faults: The first of both.
        day_mismatches: File rows whose weekday is not that of their date.
        rows_moved: Rows that stood out of the order of date and zone.
        rows_without_confidence: Rows of a sheet with confidences that lack one.
        constant: Strategies of one value throughout.
        duplicates: Strategies whose values are those of an earlier one.
        names_unparsed: Strategies whose name has no known form.
        like_levels: Strategies whose values look like levels (an account value, a price).
        days_without_trading: Dates on which the exchange did not trade.
        warnings: What a person should look at, a sentence each.
    """

    place: str
    format: str
    pnl_unit: str
    rows: int
    strategies: int
    excluded: int
    missing_cells: int
    unreadable_cells: int
    first_faults: tuple[CellFault, ...]
    day_mismatches: tuple[int, ...]
    rows_moved: int
    rows_without_confidence: int
    constant: int
    duplicates: int
    names_unparsed: int
    like_levels: int
    days_without_trading: tuple[dt.date, ...]
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class StrategySheet:
    """One file of strategy results, read.

    Attributes:
        returns: The matrix, rows in order of date and zone.
        rows: What the rows say of themselves (``ROWS_SCHEMA``), in the same order.
        strategies: What is known of the strategies (``SHEET_STRATEGIES_SCHEMA``).
        account: What was found, counted.
        left_out: Names of its strategies that the choice left out.
    """

    returns: StrategyReturns
    rows: pl.DataFrame
    strategies: pl.DataFrame
    account: SheetAccount
    left_out: tuple[str, ...] = ()


def read_text_sheet(
    columns: Sequence[str],
    pieces: Iterable[bytes],
    *,
    place: str,
    declared: StrategyFiles,
    choice: StrategyChoice | None = None,
) -> StrategySheet:
    r"""Read a CSV sheet.

    Args:
        columns: Names of the header, in order.
        pieces: Data rows as UTF-8 text of whole lines ended by ``\n``; read one at a time.
        place: File, for messages and for ``source_file``.
        declared: Formats and limits.
        choice: Strategies wanted; None takes all.

    Raises:
        InputFileError: Names the place, what is wrong and what to do.
    """

    def cells(layout: SheetColumns) -> SheetCells:
        return read_text_cells(layout, pieces, declared)

    return _read(columns, "csv", cells, place, declared, choice or StrategyChoice())


def read_frame_sheet(
    columns: Sequence[str],
    frames: Iterable[pl.DataFrame],
    *,
    place: str,
    declared: StrategyFiles,
    choice: StrategyChoice | None = None,
    pnl_unit: str | None = None,
) -> StrategySheet:
    """Read a typed sheet, as Parquet gives it.

    Args:
        columns: Names of all columns, in order.
        frames: Groups of columns, each with all rows.
        place: File, for messages and for ``source_file``.
        declared: Formats and limits.
        choice: Strategies wanted; None takes all.
        pnl_unit: Unit that the file itself says its values have; None takes that of its format.

    Raises:
        InputFileError: Names the place, what is wrong and what to do.
    """

    def cells(layout: SheetColumns) -> SheetCells:
        return read_frame_cells(layout, frames, declared)

    if pnl_unit is not None and pnl_unit not in get_args(PnlUnit):
        raise InputFileError(
            f"says that its values are in {pnl_unit!r}",
            place=place,
            next_step=f"Units: {', '.join(get_args(PnlUnit))}; export it again",
        )
    choice = choice or StrategyChoice()
    if pnl_unit is not None and choice.own.pnl_unit not in (None, pnl_unit):
        raise InputFileError(
            f"says that its values are in {pnl_unit}, its book declares {choice.own.pnl_unit}",
            place=place,
            next_step=f"Load it as a book of its own, or declare --pnl-unit {pnl_unit}",
        )
    sheet = _read(columns, "parquet", cells, place, declared, choice)
    if pnl_unit is None:
        return sheet
    return replace(sheet, account=replace(sheet.account, pnl_unit=pnl_unit))


def _read(
    columns: Sequence[str],
    container: Container,
    read_cells: Callable[[SheetColumns], SheetCells],
    place: str,
    declared: StrategyFiles,
    choice: StrategyChoice,
) -> StrategySheet:
    check_names(columns, declared, place)
    form = format_of_sheet(columns, container, declared, place, choice.own)
    labels = [i for i, name in enumerate(columns) if name.lower() in declared.metadata]
    strategies = [i for i, name in enumerate(columns) if name.lower() not in declared.metadata]
    if not strategies:
        raise InputFileError(
            f"has no strategy column, only {listed(columns)}",
            place=place,
            next_step="Each strategy needs a column of its own beside the metadata",
        )
    chosen = choose_strategies([columns[i] for i in strategies], choice, place)
    layout = SheetColumns(
        place, tuple(columns), tuple(strategies[i] for i in chosen), tuple(labels)
    )
    cells = read_cells(layout)
    if not cells.pnl.shape[0]:
        raise InputFileError(
            "has a header and no data row", place=place, next_step="Ask the source to send it again"
        )
    fields = {columns[i]: declared.metadata[columns[i].lower()] for i in labels}
    names = tuple(columns[i] for i in layout.strategies)
    rows = read_rows(place, cells.labels, fields, form, declared)
    _check_limits(cells, names, choice.limits or declared.limits, place)
    ordered = sort_rows(place, rows)
    order = ordered["file_row"].to_numpy() - 1
    moved = int(np.count_nonzero(order != np.arange(order.size)))
    pnl = cells.pnl[order] if moved else cells.pnl
    shapes = _shapes(pnl, names, declared.level)
    returns = StrategyReturns(
        pnl=pnl,
        names=names,
        dates=ordered["date"].to_numpy().astype("datetime64[D]"),
        zones=tuple(ordered["zone"].to_list()) if "zone" in fields.values() else None,
    )
    table = parse_names(names).with_columns(
        source_file=pl.lit(place),
        col_index=pl.Series(chosen, dtype=pl.Int32),
        missing_cells=pl.Series(cells.missing),
        unreadable_cells=pl.Series(cells.unreadable),
        zero_cells=pl.Series(shapes.zeros),
        constant=pl.Series(shapes.constant),
        duplicate_of=pl.Series(shapes.duplicate_of, dtype=pl.String),
    )
    account = SheetAccount(
        place=place,
        format=form.name,
        pnl_unit=form.pnl_unit,
        rows=returns.rows,
        strategies=returns.strategies,
        excluded=len(strategies) - len(chosen),
        missing_cells=int(cells.missing.sum()),
        unreadable_cells=int(cells.unreadable.sum()),
        first_faults=cells.first_faults,
        day_mismatches=tuple(day_mismatches(rows)),
        rows_moved=moved,
        rows_without_confidence=(
            rows["regime_confidence"].null_count() if "regime_confidence" in fields.values() else 0
        ),
        constant=int(shapes.constant.sum()),
        duplicates=sum(name is not None for name in shapes.duplicate_of),
        names_unparsed=int((~table["name_parsed"]).sum()),
        like_levels=shapes.like_levels,
        days_without_trading=tuple(days_without_trading(ordered)),
    )
    warnings = _warnings(account, ordered, form, declared)
    return StrategySheet(
        returns=returns,
        rows=ordered,
        strategies=table.select(SHEET_STRATEGIES_SCHEMA.keys()),
        account=replace(account, warnings=tuple(warnings)),
        left_out=tuple(columns[i] for i in sorted({*strategies} - {*layout.strategies})),
    )


# ---------------------------------------------------------------------- judgement


def _check_limits(
    cells: SheetCells, names: Sequence[str], limits: StrategyLimits, place: str
) -> None:
    rows, strategies = cells.pnl.shape
    lacking = cells.missing + cells.unreadable
    over = np.flatnonzero(lacking > limits.missing_in_strategy * rows)
    first = f"; the first are {_told(cells.first_faults)}" if cells.first_faults else ""
    if over.size:
        whole = np.flatnonzero(lacking == rows)
        shown = [f"{names[i]!r} {lacking[i]:,}" for i in over[:_SHOWN]]
        raise InputFileError(
            f"has {over.size:,} of {strategies:,} strategies that lack a number in more than "
            f"{limits.missing_in_strategy:.0%} of {rows:,} rows: {', '.join(shown)}"
            + " …" * (over.size > _SHOWN)
            + first,
            place=place,
            next_step="Columns without any number are no strategies: --exclude "
            f"{names[whole[0]]!r} leaves such out"
            if whole.size
            else "Complete them at the source, leave them out (--exclude PATTERN), or raise the "
            "limit: --missing-in-strategy SHARE",
        )
    total = int(lacking.sum())
    if total > limits.missing_in_all * cells.pnl.size:
        raise InputFileError(
            f"lacks a number in {total:,} of {cells.pnl.size:,} cells, more than "
            f"{limits.missing_in_all:.1%}{first}",
            place=place,
            next_step="Complete them at the source, leave strategies out (--exclude PATTERN), or "
            "raise the limit: --missing-in-all SHARE",
        )


@dataclass(frozen=True, eq=False)
class _Shapes:
    zeros: npt.NDArray[np.int64]
    constant: npt.NDArray[np.bool_]
    duplicate_of: list[str | None]
    like_levels: int


def _shapes(pnl: Matrix, names: Sequence[str], level: LevelSigns) -> _Shapes:
    """What the values of each column look like, some columns at once."""
    count = pnl.shape[1]
    zeros = np.zeros(count, dtype=np.int64)
    constant = np.zeros(count, dtype=np.bool_)
    duplicate_of: list[str | None] = []
    first: dict[bytes, str] = {}
    like_levels = 0
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        # adding 0 makes -0 the 0 that it equals
        block = np.ascontiguousarray(pnl[:, part].T) + 0.0
        zeros[part] = np.count_nonzero(block == 0, axis=1)
        constant[part] = (block == block[:, :1]).all(axis=1)
        one_sign = (block > 0).all(axis=1) | (block < 0).all(axis=1)
        far = np.abs(block.mean(axis=1)) > level.mean_over_deviation * block.std(axis=1)
        like_levels += int(np.count_nonzero(one_sign & far & ~constant[part]))
        for name, values in zip(names[part], block, strict=True):
            digest = hashlib.blake2b(values, digest_size=16).digest()
            earlier = first.setdefault(digest, name)
            duplicate_of.append(None if earlier is name else earlier)
    return _Shapes(zeros, constant, duplicate_of, like_levels)


def _warnings(
    account: SheetAccount, rows: pl.DataFrame, form: StrategyFormat, declared: StrategyFiles
) -> list[str]:
    lacking = account.missing_cells + account.unreadable_cells
    highest = rows["regime_confidence"].max()
    told: Mapping[str, object] = {
        f"{lacking:,} cells lack a number and count as 0: {_told(account.first_faults)}": lacking,
        f"{account.like_levels:,} of {account.strategies:,} strategies look like levels (an account"
        " value or a price), not like profit and loss": account.like_levels
        >= declared.level.share_of_strategies * account.strategies,
        f"{len(account.day_mismatches):,} of {account.rows:,} rows name another weekday than that "
        f"of their date, first row {listed(account.day_mismatches[:1])}": account.day_mismatches,
        f"no trading day by the calendar: {len(account.days_without_trading):,} dates, first "
        f"{''.join(str(day) for day in account.days_without_trading[:1])}":
        account.days_without_trading,
        f"{account.rows_without_confidence:,} of {account.rows:,} rows have no regime confidence":
        account.rows_without_confidence,
        # taken as declared; that no row reaches 1 per cent is still worth a look
        f"no regime confidence is above 1 per cent: is {form.declarer('confidence_unit')} right to "
        "declare percent? Else --confidence-unit fraction":
        form.confidence_unit == "percent"
        and isinstance(highest, float)
        and highest <= 1 / 100,
    }  # fmt: skip
    return [text for text, found in told.items() if found]


def _told(faults: Sequence[CellFault]) -> str:
    shown = [
        f"row {found.row} of {found.column!r} ({found.fault}"
        + (f", {found.text[:40]!r})" if found.text is not None else ")")
        for found in faults[:3]
    ]
    return ", ".join(shown)
