"""The texts of a legacy run: what each file says, written and read back with the same figures.

Numbers are written in full, so that they come back with the same bits; the legacy program's own
files, in the same form, are read as well (portfolio.md §4).

Here: the five kinds of text, one writer and one reader each; every fault with its line.
Not here: which files a run has and whether they agree (``run_folder``), files themselves.
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

_TITLE = "Multi-Strategy Portfolio Optimization Results"
_INVERSIONS = (
    "# Inversion Report\n\nThe following strategies had their returns inverted based on ULTA logic:"
)
_LOGGED = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) - ([A-Z]+) - (.*)", re.DOTALL | re.ASCII
)


@dataclass(frozen=True)
class RunParameters:
    """Settings of a run, as its summary tells them; the defaults are those of the record.

    The legacy program tells population, mutation and generations of every run, whatever found the
    best portfolio. A run of ours tells them where what found it has them, and its form,
    evaluations and seed, which the legacy program does not know.

    Attributes:
        metric: What portfolios were judged by.
        smallest: Members of the smallest portfolio.
        largest: Members of the largest.
        population: Of the search that found the best; None where it has none.
        mutation_rate: Likewise.
        generations: Likewise.
        inverted: Whether losing strategies were inverted.
        balanced: Whether balanced mode was on.
        penalty_factor: Price of balanced mode; None where it was off.
        form: Form of the search that found the best; None in a run of the legacy program.
        evaluations: Portfolios that it judged; likewise.
        seed: Root of all chance; likewise.

    Raises:
        PortfolioError: Only some of form, evaluations and seed, or none of them and not all that
            the legacy program tells.
    """

    metric: str = "ratio"
    smallest: int = 35
    largest: int = 60
    population: int | None = 30
    mutation_rate: float | None = 0.1
    generations: int | None = 50
    inverted: bool = False
    balanced: bool = False
    penalty_factor: float | None = 1.0
    form: str | None = None
    evaluations: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Check that the text can be told from the other program's."""
        told = [value is not None for value in (self.form, self.evaluations, self.seed)]
        if any(told) and not all(told):
            raise PortfolioError("a run tells form, evaluations and seed, or none of them")
        legacy = (self.population, self.mutation_rate, self.generations, self.penalty_factor)
        if not any(told) and None in legacy:
            raise PortfolioError(
                "a run of the legacy program tells population, mutation, generations and penalty"
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
class RunSummary:
    """What the summary of a run says.

    Attributes:
        run_id: ``YYYYmmdd_HHMMSS``.
        finished: When it was written, to the second.
        parameters: Settings.
        method: Search that found the best portfolio.
        fitness: Its fitness.
        members: Its members.
    """

    run_id: str
    finished: dt.datetime
    parameters: RunParameters
    method: str
    fitness: float
    members: tuple[str, ...]


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
            *_listed(portfolio.members),
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


# ---------------------------------------------------------------------- summary


def summary_text(summary: RunSummary) -> str:
    """``optimization_summary_<id>.txt``."""
    given = summary.parameters
    return "\n".join(
        [
            _TITLE,
            "=" * 43,
            "",
            f"Run ID: {summary.run_id}",
            f"Date: {summary.finished.strftime(TIME)}",
            "",
            "Optimization Parameters:",
            f"- Metric: {given.metric}",
            f"- Min Portfolio Size: {given.smallest}",
            f"- Max Portfolio Size: {given.largest}",
            *_told("Population Size", given.population),
            *_told("Mutation Rate", given.mutation_rate),
            *_told("GA Generations", given.generations),
            *_told("Algorithm Form", given.form),
            *_told("Evaluations", given.evaluations),
            *_told("Seed", given.seed),
            f"- Apply ULTA Logic: {given.inverted}",
            f"- Balanced Mode: {given.balanced}",
            *_told("Penalty Factor", given.penalty_factor),
            "",
            "Best Overall Portfolio:",
            f"- Size: {len(summary.members)}",
            f"- Method: {summary.method}",
            f"- Fitness: {in_full(summary.fitness)}",
            "",
            *_listed(summary.members),
        ]
    )


def read_summary(text: str, place: str) -> RunSummary:
    """Read back :func:`summary_text`.

    Raises:
        InputFileError: Lines that are missing or say something else.
    """
    lines = Lines(text, place)
    lines.take(_TITLE, exactly=True)
    lines.take("=" * 43, exactly=True)
    lines.take("", exactly=True)
    run_id = lines.take("Run ID: ")
    finished = lines.instant("Date: ")
    lines.take("", exactly=True)
    lines.take("Optimization Parameters:", exactly=True)
    parameters = _read_parameters(lines)
    lines.take("", exactly=True)
    lines.take("Best Overall Portfolio:", exactly=True)
    size = lines.whole(lines.take("- Size: "))
    method = lines.take("- Method: ")
    fitness = lines.number("- Fitness: ")
    lines.take("", exactly=True)
    return RunSummary(run_id, finished, parameters, method, fitness, lines.members(size))


def _told(name: str, value: float | str | None) -> list[str]:
    """The line of a parameter; none where there is no value."""
    if value is None:
        return []
    return [f"- {name}: {in_full(value) if isinstance(value, float) else value}"]


def _read_parameters(lines: Lines) -> RunParameters:
    ours = lines.holds("- Algorithm Form: ")

    def optional(name: str) -> str | None:
        """The value of a line that a run of ours need not have."""
        start = f"- {name}: "
        return lines.take(start) if not ours or lines.next_is(start) else None

    def whole(text: str | None) -> int | None:
        return None if text is None else lines.whole(text)

    def number(text: str | None) -> float | None:
        return None if text is None else lines.value(text)

    return RunParameters(
        metric=lines.take("- Metric: "),
        smallest=lines.whole(lines.take("- Min Portfolio Size: ")),
        largest=lines.whole(lines.take("- Max Portfolio Size: ")),
        population=whole(optional("Population Size")),
        mutation_rate=number(optional("Mutation Rate")),
        generations=whole(optional("GA Generations")),
        form=lines.take("- Algorithm Form: ") if ours else None,
        evaluations=lines.whole(lines.take("- Evaluations: ")) if ours else None,
        seed=lines.whole(lines.take("- Seed: ")) if ours else None,
        inverted=lines.truth("- Apply ULTA Logic: "),
        balanced=lines.truth("- Balanced Mode: "),
        penalty_factor=number(optional("Penalty Factor")),
    )


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


def _listed(members: Sequence[str]) -> list[str]:
    numbered = [f"{place}. {name}" for place, name in enumerate(members, start=1)]
    return ["Selected Strategies:", *numbered, ""]


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
