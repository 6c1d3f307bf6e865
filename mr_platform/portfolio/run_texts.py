"""The texts of a legacy run: what each file says, written and read back with the same figures.

Numbers are written in full, so that they come back with the same bits; the legacy program's own
files, in the same form, are read as well (portfolio.md §4).

Here: every kind of text but the summary, one writer and one reader each; every fault with its line.
Not here: the summary (``run_summary``), which files a run has and whether they agree
(``run_folder``), files themselves.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from mr_platform.portfolio.inversion import SUFFIX
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.run_lines import (
    TIME,
    Lines,
    in_full,
    numbered_members,
    plain,
    read_number,
    refuse_line_breaks,
    text_fault,
)
from mr_platform.portfolio.strategy_metrics import PORTFOLIO_FILE_LINES, STRATEGY_FILE_COLUMNS

INVERSION_LINES: Mapping[str, str] = MappingProxyType(
    {
        "original_roi": "Original ROI",
        "inverted_roi": "Inverted ROI",
        "original_drawdown": "Original Drawdown",
        "inverted_drawdown": "Inverted Drawdown",
        "original_ratio": "Original Ratio",
        "inverted_ratio": "Inverted Ratio",
    }
)
"""Columns of an inversion report under their names in ``inversion_report.md``."""

_INVERSIONS = (
    "# Inversion Report\n\nThe following strategies had their returns inverted based on ULTA logic:"
)
_LOGGED = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) - ([A-Z]+) - (.*)", re.DOTALL | re.ASCII
)


@dataclass(frozen=True)
class BestPortfolio:
    """The best portfolio of one size.

    Attributes:
        method: Search that found it.
        fitness: Its fitness.
        figures: Its reported figures, by the names of ``PORTFOLIO_FILE_LINES``; None where one
            is not defined.
        members: Names, in the order to be listed.

    Raises:
        PortfolioError: No member, one that stands twice, no fitness, figures other than the
            reported ones, names or a method that do not fit on a line.
    """

    method: str
    fitness: float
    figures: Mapping[str, float | None]
    members: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that the text can say it, and keep a copy of the figures."""
        if not self.members or len(set(self.members)) < len(self.members):
            raise PortfolioError("a portfolio has members, each once")
        if math.isnan(self.fitness):
            raise PortfolioError("a portfolio has a fitness")
        if tuple(self.figures) != tuple(PORTFOLIO_FILE_LINES):
            raise PortfolioError(f"figures of a portfolio are {', '.join(PORTFOLIO_FILE_LINES)}")
        refuse_line_breaks((self.method, *self.members))
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.members)


@dataclass(frozen=True)
class LoggedError:
    """One entry of the error log.

    Attributes:
        at: When, without time zone; kept to the millisecond.
        level: ``ERROR`` or another level, in capitals.
        message: One line or several.

    Raises:
        PortfolioError: A level that is no word in capitals.
    """

    at: dt.datetime
    level: str
    message: str

    def __post_init__(self) -> None:
        """Bring the entry to what its text can hold."""
        if not re.fullmatch("[A-Z]+", self.level):
            raise PortfolioError(f"level {self.level!r} is no word in capitals")
        whole = self.at.microsecond // 1000 * 1000
        object.__setattr__(self, "at", self.at.replace(microsecond=whole, tzinfo=None))
        object.__setattr__(self, "message", self.message.replace("\r\n", "\n"))


# ---------------------------------------------------------------------- strategies


def strategies_text(metrics: pl.DataFrame) -> str:
    """``strategy_metrics.csv``: a row for each strategy, its name first under an empty header.

    Args:
        metrics: ``strategy`` and the columns of ``STRATEGY_FILE_COLUMNS``, others aside.

    Raises:
        PortfolioError: Names that do not fit on a line.
    """
    refuse_line_breaks(metrics["strategy"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *STRATEGY_FILE_COLUMNS.values()])
    for name, *figures in metrics.select("strategy", *STRATEGY_FILE_COLUMNS).iter_rows():
        writer.writerow([name, *("" if value is None else in_full(value) for value in figures)])
    return text.getvalue()


def read_strategies(text: str, place: str) -> pl.DataFrame:
    """Read back :func:`strategies_text`.

    Returns:
        ``strategy`` and the columns of ``STRATEGY_FILE_COLUMNS``.

    Raises:
        InputFileError: Another header, rows that are cut off, cells that are no numbers, names
            that stand twice.
    """
    names: list[str] = []
    figures: list[list[float | None]] = [[] for _ in STRATEGY_FILE_COLUMNS]
    reader = csv.reader(io.StringIO(plain(text), newline=""), strict=True)
    try:
        for row in reader:
            if reader.line_num == 1:
                if row[1:] != list(STRATEGY_FILE_COLUMNS.values()):
                    raise text_fault(place, 1, f"the header is {','.join(row)!r}")
                continue
            if len(row) != len(figures) + 1:
                raise text_fault(place, reader.line_num, f"has {len(row)} fields")
            names.append(row[0])
            for column, cell in zip(figures, row[1:], strict=True):
                column.append(read_number(cell, place, reader.line_num) if cell else None)
    except csv.Error as damaged:
        raise text_fault(place, reader.line_num, f"is no CSV ({damaged})") from damaged
    if not text.endswith("\n"):
        raise text_fault(place, reader.line_num, "the file was cut off: the last line does not end")
    if len(set(names)) < len(names):
        raise text_fault(place, 1, f"{len(names) - len(set(names))} strategies stand twice")
    return pl.DataFrame(
        {"strategy": names, **dict(zip(STRATEGY_FILE_COLUMNS, figures, strict=True))},
        schema={"strategy": pl.String, **dict.fromkeys(STRATEGY_FILE_COLUMNS, pl.Float64)},
    )


# ---------------------------------------------------------------------- portfolios


def portfolio_text(portfolio: BestPortfolio) -> str:
    """``best_portfolio_size<k>_<id>.txt``."""
    figures = [
        f"{PORTFOLIO_FILE_LINES[name]}: {in_full(value)}"
        for name, value in portfolio.figures.items()
    ]
    return "\n".join(
        [
            f"Best Portfolio (Size {portfolio.size}) - Method: {portfolio.method}",
            f"Fitness: {in_full(portfolio.fitness)}",
            "",
            "Performance Metrics:",
            *figures,
            "",
            *numbered_members(portfolio.members),
        ]
    )


def read_portfolio(text: str, place: str) -> BestPortfolio:
    """Read back :func:`portfolio_text`.

    Raises:
        InputFileError: Lines that are missing or say something else, another number of members
            than the size.
    """
    lines = Lines(text, place)
    size_told, split, method = lines.take("Best Portfolio (Size ").partition(") - Method: ")
    if not split:
        raise lines.fault("names no method")
    size = lines.whole(size_told)
    fitness = lines.number("Fitness: ")
    lines.take("", exactly=True)
    lines.take("Performance Metrics:", exactly=True)
    figures = {
        name: _defined(lines.number(f"{told}: ")) for name, told in PORTFOLIO_FILE_LINES.items()
    }
    lines.take("", exactly=True)
    members = lines.members(size)
    try:
        return BestPortfolio(method, fitness, figures, members)
    except PortfolioError as wrong:
        raise lines.fault(wrong.fault) from wrong


# ---------------------------------------------------------------------- inversions, errors


def inversions_text(report: pl.DataFrame) -> str:
    """``inversion_report.md``, with all digits where the legacy program left two.

    Args:
        report: ``strategy`` and the columns of ``INVERSION_LINES``, as ``inversion.inverted``
            reports them.

    Raises:
        PortfolioError: Names that do not fit on a line.
    """
    refuse_line_breaks(report["strategy"])
    lines = [_INVERSIONS]
    for name, *figures in report.select("strategy", *INVERSION_LINES).iter_rows():
        lines.append(f"## {name}")
        lines += [
            f"- **{told}:** {in_full(value)}"
            for told, value in zip(INVERSION_LINES.values(), figures, strict=True)
        ]
        lines.append("")
    return "\n".join(lines)


def read_inversions(text: str, place: str) -> pl.DataFrame:
    """Read back :func:`inversions_text`.

    Returns:
        ``strategy``, ``inverted_strategy`` and the columns of ``INVERSION_LINES``.

    Raises:
        InputFileError: Lines that are missing or say something else.
    """
    lines = Lines(text, place)
    for line in _INVERSIONS.split("\n"):
        lines.take(line, exactly=True)
    names: list[str] = []
    figures: list[list[float]] = []
    while lines.left:
        names.append(lines.take("## "))
        figures.append([lines.number(f"- **{told}:** ") for told in INVERSION_LINES.values()])
        lines.take("", exactly=True)
    columns = zip(*figures, strict=True) if figures else [[] for _ in INVERSION_LINES]
    return pl.DataFrame(
        {
            "strategy": names,
            "inverted_strategy": [name + SUFFIX for name in names],
            **dict(zip(INVERSION_LINES, map(list, columns), strict=True)),
        },
        schema={
            "strategy": pl.String,
            "inverted_strategy": pl.String,
            **dict.fromkeys(INVERSION_LINES, pl.Float64),
        },
    )


def errors_text(errors: Sequence[LoggedError]) -> str:
    """``error_log.txt``; lines of a message after its first begin with a tab."""
    return "".join(
        f"{error.at.strftime(TIME)},{error.at.microsecond // 1000:03d} - {error.level} - "
        + error.message.replace("\n", "\n\t")
        + "\n"
        for error in errors
    )


def read_errors(text: str, place: str) -> tuple[LoggedError, ...]:
    """Read back :func:`errors_text`; lines of no entry of their own belong to the one before.

    Raises:
        InputFileError: A first line that is no entry, an instant that is none.
    """
    found: list[tuple[int, re.Match[str], list[str]]] = []
    for number, line in enumerate(plain(text).removesuffix("\n").split("\n"), start=1):
        if entry := _LOGGED.fullmatch(line):
            found.append((number, entry, [entry[4]]))
        elif found:
            found[-1][2].append(line.removeprefix("\t"))
        elif line:
            raise text_fault(place, number, f"{line[:40]!r} is no entry")
    return tuple(
        LoggedError(_instant(entry, number, place), entry[3], "\n".join(message))
        for number, entry, message in found
    )


def _instant(entry: re.Match[str], number: int, place: str) -> dt.datetime:
    try:
        instant = dt.datetime.strptime(entry[1], TIME)
    except ValueError as wrong:
        raise text_fault(place, number, f"{entry[1]!r} is no instant") from wrong
    return instant.replace(microsecond=int(entry[2]) * 1000)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
