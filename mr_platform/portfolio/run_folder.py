"""A run in the legacy form: which files its folder has, and that they agree with each other.

A folder ``run_<YYYYmmdd_HHMMSS>`` holds the figures of all strategies, the best portfolio of each
size as text and two pictures, a summary, a log of errors and, where strategies were inverted, a
report of that (portfolio.md §4).

Here: a run to its files and back, faults of files that are missing or contradict each other.
Not here: the texts (``run_texts``, ``run_summary``), drawing pictures, writing and reading folders
(``gateways/run_folders``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.portfolio import run_summary, run_texts
from mr_platform.portfolio.correlation import Members
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.run_summary import RunParameters, RunSummary
from mr_platform.portfolio.run_texts import (
    INVERSION_LINES,
    BestPortfolio,
    LoggedError,
)
from mr_platform.portfolio.strategy_metrics import (
    PORTFOLIO_FILE_LINES,
    STRATEGY_FILE_COLUMNS,
    portfolio_metrics,
)

STRATEGIES_FILE = "strategy_metrics.csv"
INVERSIONS_FILE = "inversion_report.md"
ERRORS_FILE = "error_log.txt"

_RUN_ID = "%Y%m%d_%H%M%S"
_ID = r"(\d{8}_\d{6})"
_SUMMARY = re.compile(rf"optimization_summary_{_ID}\.txt")
_PORTFOLIO = re.compile(rf"best_portfolio_size(\d+)_{_ID}\.txt")
_PICTURES = {
    "equity": re.compile(rf"equity_curve_Best_Portfolio_Size(\d+)_{_ID}\.png"),
    "drawdown": re.compile(rf"drawdowns_Best_Portfolio_Size(\d+)_{_ID}\.png"),
}
_PNG = b"\x89PNG\r\n\x1a\n"
_UNLISTED = 1
"""Members that the figures of strategies may lack: the legacy program leaves the first strategy
out of them, but not out of portfolios."""


@dataclass(frozen=True)
class RunPictures:
    """Pictures of one portfolio, as PNG.

    Attributes:
        equity: Running sum of its rows.
        drawdown: Fall below the peak.

    Raises:
        PortfolioError: Bytes that are no PNG.
    """

    equity: bytes
    drawdown: bytes

    def __post_init__(self) -> None:
        """Check the first bytes."""
        if not all(picture.startswith(_PNG) for picture in (self.equity, self.drawdown)):
            raise PortfolioError("a picture is no PNG")


@dataclass(frozen=True, eq=False)
class LegacyRun:
    """One run, as its folder tells it.

    Attributes:
        started: When it began, to the second and without time zone; gives the run its name.
        finished: When it ended, likewise.
        parameters: Settings.
        strategies: ``strategy`` and the columns of ``STRATEGY_FILE_COLUMNS``, a row each.
        portfolios: The best of each size, sizes ascending.
        inversions: Report of inverted strategies; None where inversion was off.
        errors: Log of errors.
        pictures: Pictures by size: of every portfolio, or of none.

    Raises:
        PortfolioError: No portfolio, sizes that repeat or lie outside the parameters, pictures of
            other sizes, tables that lack columns.
    """

    started: dt.datetime
    finished: dt.datetime
    parameters: RunParameters
    strategies: pl.DataFrame
    portfolios: tuple[BestPortfolio, ...]
    inversions: pl.DataFrame | None = None
    errors: tuple[LoggedError, ...] = ()
    pictures: Mapping[int, RunPictures] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Put the run into the form that its folder can hold, and check it."""
        for name in ("started", "finished"):
            instant = getattr(self, name).replace(microsecond=0, tzinfo=None)
            object.__setattr__(self, name, instant)
        ordered = tuple(sorted(self.portfolios, key=lambda portfolio: portfolio.size))
        sizes = [portfolio.size for portfolio in ordered]
        given = self.parameters
        if not sizes or len(set(sizes)) < len(sizes):
            raise PortfolioError("a run has one portfolio of each size, one at least")
        if sizes[0] < given.smallest or sizes[-1] > given.largest:
            raise PortfolioError(
                f"portfolios of {sizes[0]} to {sizes[-1]} members lie outside the sizes "
                f"{given.smallest} to {given.largest} of the run"
            )
        if self.pictures and sorted(self.pictures) != sizes:
            raise PortfolioError("pictures are those of every portfolio, or there are none")
        tables = [(self.strategies, ("strategy", *STRATEGY_FILE_COLUMNS))]
        if self.inversions is not None:
            tables.append((self.inversions, ("strategy", "inverted_strategy", *INVERSION_LINES)))
        for table, columns in tables:
            lacking = [name for name in columns if name not in table.columns]
            if lacking:
                raise PortfolioError(f"a table of the run lacks {', '.join(lacking)}")
        object.__setattr__(self, "portfolios", ordered)
        object.__setattr__(self, "pictures", MappingProxyType(dict(self.pictures)))

    @property
    def run_id(self) -> str:
        """``YYYYmmdd_HHMMSS`` of its beginning."""
        return self.started.strftime(_RUN_ID)

    @property
    def folder_name(self) -> str:
        """Name of its folder."""
        return f"run_{self.run_id}"

    @property
    def best(self) -> BestPortfolio:
        """The portfolio of the highest fitness, of equal ones the smallest."""
        return max(self.portfolios, key=lambda portfolio: portfolio.fitness)


def best_portfolio(
    returns: StrategyReturns, members: Members, method: str, fitness: float
) -> BestPortfolio:
    """A portfolio with its reported figures.

    Args:
        returns: At least one row.
        members: Shape (k,), distinct strategies, in the order to be listed.
        method: Search that found it.
        fitness: Its fitness.

    Raises:
        PortfolioError: Returns without rows, members that are no strategies or stand twice, names
            that do not fit on a line.
    """
    frame = portfolio_metrics(returns, members[None, :])
    figures = frame.select(*PORTFOLIO_FILE_LINES).row(0, named=True)
    return BestPortfolio(method, fitness, figures, tuple(returns.names[place] for place in members))


def run_files(run: LegacyRun) -> dict[str, bytes]:
    """Contents of the run's files by their names.

    Raises:
        PortfolioError: Names that do not fit on a line.
    """
    best = run.best
    summary = RunSummary(
        run.run_id, run.finished, run.parameters, best.method, best.fitness, best.members
    )
    texts = {
        STRATEGIES_FILE: run_texts.strategies_text(run.strategies),
        ERRORS_FILE: run_texts.errors_text(run.errors),
        f"optimization_summary_{run.run_id}.txt": run_summary.summary_text(summary),
    }
    texts |= {
        f"best_portfolio_size{portfolio.size}_{run.run_id}.txt": run_texts.portfolio_text(portfolio)
        for portfolio in run.portfolios
    }
    if run.inversions is not None:
        texts[INVERSIONS_FILE] = run_texts.inversions_text(run.inversions)
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    drawn = run.finished.strftime(_RUN_ID)
    for size, pictures in run.pictures.items():
        files[f"equity_curve_Best_Portfolio_Size{size}_{drawn}.png"] = pictures.equity
        files[f"drawdowns_Best_Portfolio_Size{size}_{drawn}.png"] = pictures.drawdown
    return files


def read_run(files: Mapping[str, bytes], place: str) -> LegacyRun:
    """The run of a folder's files; files of other names are left aside.

    Args:
        files: Contents by name.
        place: The folder, for messages.

    Raises:
        InputFileError: Files that are missing, damaged or contradict each other.
    """
    reader = _Reader(files, place)
    summary = reader.summary()
    portfolios = reader.portfolios(summary)
    strategies = run_texts.read_strategies(
        reader.text(STRATEGIES_FILE), reader.place(STRATEGIES_FILE)
    )
    reader.check_members(portfolios, strategies)
    report = (
        run_texts.read_inversions(reader.text(INVERSIONS_FILE), reader.place(INVERSIONS_FILE))
        if INVERSIONS_FILE in files
        else None
    )
    try:
        run = LegacyRun(
            started=dt.datetime.strptime(summary.run_id, _RUN_ID),
            finished=summary.finished,
            parameters=summary.parameters,
            strategies=strategies,
            portfolios=portfolios,
            inversions=report,
            errors=run_texts.read_errors(reader.text(ERRORS_FILE), reader.place(ERRORS_FILE)),
            pictures=reader.pictures([portfolio.size for portfolio in portfolios]),
        )
    except (PortfolioError, ValueError) as wrong:
        raise reader.fault(f"is no run: {wrong}") from wrong
    told = (len(summary.members), summary.method, summary.fitness, summary.members)
    best = run.best
    if told != (best.size, best.method, best.fitness, best.members):
        raise reader.fault(
            f"contradicts itself: the summary's best portfolio has {told[0]} members and fitness "
            f"{told[2]!r}, the best of the texts {best.size} and {best.fitness!r}"
        )
    return run


class _Reader:
    def __init__(self, files: Mapping[str, bytes], place: str) -> None:
        self._files = files
        self._folder = place

    def place(self, name: str) -> str:
        """A file, for messages."""
        return f"{self._folder}/{name}"

    def fault(self, told: str, name: str | None = None) -> InputFileError:
        """A fault of the folder, or of a file in it."""
        return InputFileError(
            told,
            place=self._folder if name is None else self.place(name),
            next_step="Copy the run's folder again, or write it again from its figures",
        )

    def text(self, name: str) -> str:
        """One file as text."""
        if name not in self._files:
            raise self.fault(f"lacks {name}")
        try:
            return self._files[name].decode("utf-8")
        except UnicodeDecodeError as damaged:
            raise self.fault(f"is not UTF-8 text (byte {damaged.start})", name) from damaged

    def summary(self) -> RunSummary:
        """The one summary, of the run that its name tells."""
        found = self._named(_SUMMARY)
        if len(found) != 1:
            raise self.fault(f"has {len(found)} files optimization_summary_<id>.txt, not 1")
        ((name, (run_id,)),) = found.items()
        summary = run_summary.read_summary(self.text(name), self.place(name))
        if summary.run_id != run_id:
            raise self.fault(f"is the summary of run {summary.run_id}", name)
        return summary

    def portfolios(self, summary: RunSummary) -> tuple[BestPortfolio, ...]:
        """A portfolio of each size that has pictures; without any, of each size of the run.

        A run tells its smallest and its largest size alone: one that left sizes out is told from
        one that lost files by its pictures.
        """
        found: dict[int, BestPortfolio] = {}
        for name, (size, run_id) in self._named(_PORTFOLIO).items():
            if run_id != summary.run_id:
                raise self.fault(f"belongs to run {run_id}, not {summary.run_id}", name)
            portfolio = run_texts.read_portfolio(self.text(name), self.place(name))
            if portfolio.size != int(size):
                raise self.fault(f"holds a portfolio of {portfolio.size} members", name)
            found[portfolio.size] = portfolio
        given = summary.parameters
        drawn = {int(size) for form in _PICTURES.values() for size, _ in self._named(form).values()}
        self._refuse_missing(
            f"best_portfolio_size{size}_{summary.run_id}.txt"
            for size in sorted(drawn or range(given.smallest, given.largest + 1))
            if size not in found and size <= self._strategies()
        )
        return tuple(found[size] for size in sorted(found))

    def check_members(self, portfolios: Sequence[BestPortfolio], strategies: pl.DataFrame) -> None:
        """Members have figures of their own."""
        known = set(strategies["strategy"])
        foreign = sorted({name for one in portfolios for name in one.members} - known)
        if len(foreign) > _UNLISTED:
            raise self.fault(
                f"lacks {len(foreign)} members of portfolios, first {foreign[0]!r}",
                STRATEGIES_FILE,
            )

    def pictures(self, sizes: Sequence[int]) -> dict[int, RunPictures]:
        """Both pictures of every portfolio, or none at all."""
        found = {
            kind: {int(size): name for name, (size, _) in self._named(form).items()}
            for kind, form in _PICTURES.items()
        }
        if not any(found.values()):
            return {}
        self._refuse_missing(
            f"{_PICTURES[kind].pattern.partition('(')[0]}{size}_<id>.png"
            for kind, names in found.items()
            for size in sizes
            if size not in names
        )
        for name in (name for names in found.values() for name in names.values()):
            if not self._files[name].startswith(_PNG):
                raise self.fault("is no PNG picture", name)
        return {
            size: RunPictures(
                *(self._files[names[size]] for names in (found["equity"], found["drawdown"]))
            )
            for size in sizes
        }

    def _named(self, form: re.Pattern[str]) -> dict[str, tuple[str, ...]]:
        matches = {name: form.fullmatch(name) for name in sorted(self._files)}
        return {name: match.groups() for name, match in matches.items() if match}

    def _strategies(self) -> int:
        """Lines of the figures of strategies, the header aside."""
        return self._files.get(STRATEGIES_FILE, b"").count(b"\n") - 1

    def _refuse_missing(self, names: Iterable[str]) -> None:
        missing = list(names)
        if missing:
            raise self.fault(
                f"lacks {len(missing)} files: {', '.join(missing[:5])}" + " …" * (len(missing) > 5)
            )
