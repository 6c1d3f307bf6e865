"""Landed files of a book, read: results of strategies, bars of regimes.

Here: landed file → sheet or bars, their account as rows, what tells one content from another.
Not here: putting sheets together and storing them (``strategy_books.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import polars as pl

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
    """Content of a book's landed files.

    Raises:
        InputFileError: A file cannot be read.
    """
    return fingerprint({file.file.relative: _landed(file).sha256 for file in files})


def _landed(file: BookFile) -> LandedStrategies:
    return LandedStrategies(file.file.path, file.file.relative, load_strategy_files().delimiter)


def read_file(file: BookFile, choice: StrategyChoice) -> ReadFile:
    """Results of strategies of a landed file.

    Raises:
        InputFileError: The file cannot be used.
    """
    landed = _landed(file)
    files = load_strategy_files()
    columns = landed.header.columns
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
