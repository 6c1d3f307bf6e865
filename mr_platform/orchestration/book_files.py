"""Landed files of a book, read: results of strategies, bars of regimes.

Here: landed file → sheet or bars by what the book declares, their account as rows, what tells one
content from another, what does not fit to what is stored.
Not here: putting sheets together and storing them (``strategy_books.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.book_declarations import read_declaration
from mr_platform.gateways.regime_files import read_regime_columns
from mr_platform.gateways.strategy_files import LandedStrategies
from mr_platform.gateways.strategy_landing import BookFile, fingerprint
from mr_platform.portfolio.book_sheets import BookSheet
from mr_platform.portfolio.regime_bars import RegimeBars, bars_of_rows, read_bars
from mr_platform.portfolio.strategy_headers import StrategyChoice
from mr_platform.portfolio.strategy_sheets import StrategySheet, read_frame_sheet, read_text_sheet
from mr_platform.registry.regimes import load_regimes
from mr_platform.registry.strategy_files import load_strategy_files


@dataclass(frozen=True, eq=False)
class ReadFile:
    """A landed file, read."""

    file: BookFile
    sheet: StrategySheet
    sha256: str
    warnings: tuple[str, ...]

    @property
    def names_left_out(self) -> tuple[str, ...]:
        """Strategies of it that the choice leaves out, named as in the book."""
        start = f"{self.file.prefix}_" if self.file.prefix else ""
        return tuple(f"{start}{name}" for name in self.sheet.left_out)

    @property
    def book_sheet(self) -> BookSheet:
        """It as a sheet of its book."""
        sheet = self.sheet
        return BookSheet(
            place=sheet.account.place,
            pnl_unit=sheet.account.pnl_unit,
            returns=sheet.returns,
            rows=sheet.rows,
            strategies=sheet.strategies.select("name", "missing_cells", "unreadable_cells"),
            prefix=self.file.prefix,
        )


def book_fingerprint(files: Sequence[BookFile]) -> str:
    """Content of a book's landed files, and of what the book declares.

    Raises:
        InputFileError: A file cannot be read.
    """
    return fingerprint({file.file.relative: _landed(file).sha256 for file in files})


def _landed(file: BookFile) -> LandedStrategies:
    return LandedStrategies(file.file.path, file.file.relative, load_strategy_files().delimiter)


def own_choice(files: Sequence[BookFile], otherwise: StrategyChoice) -> StrategyChoice:
    """What a book declares of strategies, limits and format; where it says nothing, otherwise.

    Raises:
        InputFileError: Its declaration is faulty.
    """
    for file in files:
        if file.declares:
            own = read_declaration(file.file.path, file.file.relative)
            return StrategyChoice(
                include=otherwise.include if own.include is None else own.include,
                exclude=otherwise.exclude if own.exclude is None else own.exclude,
                limits=own.limits_of(otherwise.limits or load_strategy_files().limits),
                own=own,
            )
    return otherwise


def read_file(file: BookFile, choice: StrategyChoice) -> ReadFile:
    """Results of strategies of a landed file.

    Raises:
        InputFileError: The file cannot be used.
    """
    landed = _landed(file)
    files = load_strategy_files()
    columns = landed.header.columns
    if {name.lower() for name in load_regimes().bars.columns} <= {name.lower() for name in columns}:
        raise InputFileError(
            "is a file of regime bars, not of results of strategies",
            place=landed.relative,
            next_step="Hand it in beside results: mr portfolio load FILE --book "
            f"{file.book} --regimes {file.file.path.name}",
        )
    if landed.header.container == "csv":
        sheet = read_text_sheet(
            columns, landed.pieces(), place=landed.relative, declared=files, choice=choice
        )
    else:
        sheet = read_frame_sheet(
            columns, landed.frames(), place=landed.relative, declared=files, choice=choice,
            pnl_unit=landed.header.pnl_unit,
        )  # fmt: skip
    warnings = sheet.account.warnings
    if landed.line_ends.mixed:
        warnings = (*warnings, "its lines end in two ways: it was put together from two sources")
    return ReadFile(file, sheet, landed.sha256, warnings)


def names_left_out(read: Sequence[ReadFile]) -> set[str]:
    """Strategies that landed files hold and the choice leaves out of the book."""
    taken = {name for one in read for name in one.book_sheet.names}
    return {name for one in read for name in one.names_left_out} - taken


def require_alike(
    sheet: BookSheet, book: str, stored_files: pl.DataFrame, stored_rows: pl.DataFrame
) -> None:
    """Refuse a file in another unit than what is stored of the book, or zones beside whole days.

    Args:
        sheet: The first of the landed files.
        book: The book.
        stored_files: The stored table of files.
        stored_rows: The stored table of rows.

    Raises:
        InputFileError: It is not like what is stored.
    """
    fault = None
    if any(unit != sheet.pnl_unit for unit in stored_files["pnl_unit"]):
        ours, theirs = sheet.pnl_unit, stored_files["pnl_unit"][0]
        fault = f"its values are in {ours}, those stored of the book {book} in {theirs}"
    by_zone = sheet.returns.zones is not None
    zones = stored_rows["zone"]
    if fault is None and zones.null_count() != (0 if by_zone else zones.len()):
        ours, theirs = ("zone", "day") if by_zone else ("day", "zone")
        fault = f"its rows are by {ours}, those stored of the book {book} by {theirs}"
    if fault is not None:
        raise InputFileError(fault, place=sheet.place, next_step="Load it as a book of its own")


def require_same_dates(
    read: Sequence[ReadFile], stored_files: pl.DataFrame, stored_rows: pl.DataFrame
) -> None:
    """Refuse a file that tells other dates than when the same bytes were stored.

    Rows stored before stay: those of dates misread would stand beside the right ones for good.

    Args:
        read: The landed files.
        stored_files: The stored table of files.
        stored_rows: The stored table of rows.

    Raises:
        InputFileError: A file was read by another form of dates before.
    """
    known = dict(stored_files.select("file", "sha256").rows())
    for one in read:
        place = one.file.file.relative
        if known.get(place) != one.sha256:
            continue
        keys = ["date", "zone"]
        of_file = stored_rows.filter(pl.col("source_file") == place)
        gone = of_file.join(one.sheet.rows.select(keys), on=keys, how="anti", nulls_equal=True)
        if gone.height:
            raise InputFileError(
                f"gave {gone.height:,} rows other dates when it was stored, such as "
                f"{gone['date'][0]}: it was read by another form of dates",
                place=place,
                next_step="Load it as a book of its own, or declare the form that it was read by",
            )


def read_regimes(file: BookFile) -> RegimeBars:
    """Bars of market regimes of a landed file.

    Raises:
        InputFileError: The file cannot be used.
    """
    regimes = load_regimes()
    columns = read_regime_columns(file.file.path, file.file.relative, regimes.bars)
    return read_bars(columns, file.file.relative, regimes)


def with_regimes(rows: pl.DataFrame, files: Sequence[RegimeBars]) -> pl.DataFrame:
    """Labels of rows, what they do not say themselves taken from the bars known at their start."""
    for bars in files:
        known = bars_of_rows(rows, bars)
        rows = rows.with_columns(
            rows[name].fill_null(known[name])
            for name in ("market_regime", "regime_confidence", "transition_threshold")
        )
    return rows


def regimes_taken(before: pl.DataFrame, after: pl.DataFrame) -> int:
    """Rows that say no regime themselves and were given that of a bar."""
    return before["market_regime"].null_count() - after["market_regime"].null_count()


def bars_not_used(rows: pl.DataFrame, files: Sequence[RegimeBars]) -> str:
    """Why no row took a regime from bars that are landed, a sentence."""
    if not rows["market_regime"].null_count():
        return "no row took a regime from the bars: all rows of the files say theirs themselves"
    days = [day for bars in files for day in bars.bars["date"].unique().to_list()]
    silent = rows.filter(pl.col("market_regime").is_null())["date"].to_list()
    shared = sum(day in set(days) for day in silent)
    why = (
        f"{shared} rows are of days with bars, but start before the first bar is known"
        if shared
        else f"bars are of {min(days)} to {max(days)}, rows of {min(silent)} to {max(silent)}"
    )
    return f"no row took a regime from the bars: {why}"


def file_rows(read: Sequence[ReadFile]) -> pl.DataFrame:
    """Rows of ``strategy_files``, one a file of results."""
    rows = []
    for one in read:
        account = one.sheet.account
        rows.append(
            {
                "file": one.file.file.relative,
                "sha256": one.sha256,
                "bytes": one.file.file.size,
                "format": account.format,
                "pnl_unit": account.pnl_unit,
                "rows": account.rows,
                "strategies": account.strategies,
                "excluded": account.excluded,
                "missing_cells": account.missing_cells,
                "unreadable_cells": account.unreadable_cells,
                "first_faults": json.dumps([asdict(fault) for fault in account.first_faults]),
                "rows_moved": account.rows_moved,
                "warnings": json.dumps(list(one.warnings), ensure_ascii=False),
            }
        )
    return pl.DataFrame(rows)
