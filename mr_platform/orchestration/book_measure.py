"""What portfolios of a book are judged by: metric, prices, counts of source files.

Here: the measure of a search and of a stored portfolio, the files that balanced mode names.
Not here: the fitness itself (``portfolio/fitness.py``), searching (``book_search.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mr_platform.config.settings import BalanceSettings, SearchSettings
from mr_platform.gateways.landing import STRATEGY_BOOKS
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.array_evaluation import ArrayEvaluator
from mr_platform.portfolio.arrays import Arrays
from mr_platform.portfolio.fitness import Balance, LegacyFitness, PortfolioEvaluator
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.registry.faults import near_names

NO_BALANCE: Final = "{}"
"""What the column ``balance`` says without balanced mode."""

MEASURE_COLUMNS: Final = ("metric", "correlation_weight", "drawdown_threshold", "balance")
"""Columns of ``portfolios`` that must be equal for two fitnesses to be compared."""

_SHOWN = 12

_DIGEST_LENGTH = 16

_WITHOUT = (
    "Where a command names no files, those of the settings are taken (portfolio.search.balance): "
    "--balance off searches without them"
)


@dataclass(frozen=True)
class Measure:
    """What a portfolio is judged by.

    Attributes:
        metric: What is measured.
        correlation_weight: Price of a mean correlation of 1.
        drawdown_threshold: Below this drawdown the price is halved.
        balance: Members wanted of each source file, under its name below the book's folder; None
            where balanced mode is off.
        sources: Digest of which strategies come from these files; empty without balanced mode, and
            where it was stored before this was noted.

    Raises:
        PortfolioError: A metric that is not known, a number that cannot be.
    """

    metric: str
    correlation_weight: float
    drawdown_threshold: float
    balance: BalanceSettings | None = None
    sources: str = ""

    def __post_init__(self) -> None:
        """Refuse what no fitness can be."""
        _ = self.fitness

    @classmethod
    def of(cls, order: SearchSettings, book: StoredBook) -> Measure:
        """The measure that a search of a book asks for.

        Raises:
            PortfolioError: As the class; a file that no strategy of the book comes from.
        """
        balance, sources = order.balance, ""
        if balance is not None:
            balance = BalanceSettings(
                desired=_named(balance.desired, book), penalty_factor=balance.penalty_factor
            )
            sources = _digest(book, balance.desired)
        prices = order.correlation_weight, order.drawdown_threshold
        return cls(order.metric, *prices, balance, sources)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Measure:
        """The measure of a stored portfolio; one stored without ``balance`` was not balanced.

        Args:
            row: The columns :data:`MEASURE_COLUMNS`, others aside.
        """
        told = json.loads(row["balance"] or NO_BALANCE)
        sources = told.pop("sources", "")
        return cls(
            row["metric"],
            row["correlation_weight"],
            row["drawdown_threshold"],
            BalanceSettings.model_validate(told) if told else None,
            sources,
        )

    @property
    def fitness(self) -> LegacyFitness:
        """The fitness that takes it."""
        balance = self.balance
        return LegacyFitness(
            metric=self.metric,
            drawdown_threshold=self.drawdown_threshold,
            correlation_weight=self.correlation_weight,
            balance=None if balance is None else Balance(balance.desired, balance.penalty_factor),
        )

    def columns(self) -> dict[str, Any]:
        """It as columns of ``portfolios``."""
        balance = self.balance
        return {
            "metric": self.metric,
            "correlation_weight": self.correlation_weight,
            "drawdown_threshold": self.drawdown_threshold,
            "balance": NO_BALANCE
            if balance is None
            else json.dumps(
                {**balance.model_dump(mode="json"), "sources": self.sources}, sort_keys=True
            ),
        }

    def over(
        self, book: StoredBook, returns: StrategyReturns, arrays: Arrays | None = None
    ) -> PortfolioEvaluator:
        """Ready to judge portfolios of a book.

        Args:
            book: The book, which knows the files.
            returns: Its returns as they are searched.
            arrays: Where batches are judged; None is the processor.

        Raises:
            PortfolioError: A file that no strategy of the book comes from.
        """
        sources = None if self.balance is None else sources_of(book, returns)
        if arrays is None:
            return self.fitness.over(returns.pnl, sources)
        return ArrayEvaluator(self.fitness, returns.pnl, arrays, sources)

    def is_of(self, book: StoredBook) -> bool:
        """Whether it judges as it did: strategies come from the files that it counts as before.

        Which file a strategy comes from is no part of the book's returns: it may change while all
        values stay.
        """
        return self.balance is None or self.sources == _digest(book, self.balance.desired)

    def lacking(self, book: StoredBook) -> list[str]:
        """Files of balanced mode that no strategy of the book comes from any more, ascending."""
        wanted = set() if self.balance is None else set(self.balance.desired)
        return sorted(wanted - set(_files(book).values()))


def sources_of(book: StoredBook, returns: StrategyReturns) -> tuple[str, ...]:
    """The file of each column of returns; an inverted strategy has that of its original."""
    names = _files(book)
    files = dict(book.strategies.select("strategy_id", "source_file").rows())
    return tuple(names[files[number]] for number in book.numbers(returns))


def _digest(book: StoredBook, desired: Iterable[str]) -> str:
    """Content of some files of a book: which strategies come from each."""
    names, counted = _files(book), set(desired)
    held = sorted(
        (names[file], strategy)
        for strategy, file in book.strategies.select("name", "source_file").rows()
        if names[file] in counted
    )
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:_DIGEST_LENGTH]


def _files(book: StoredBook) -> dict[str, str]:
    """Files that strategies come from first, by their path: names below the book's folder."""
    return {
        path: path.removeprefix(f"{STRATEGY_BOOKS}/").removeprefix(f"{book.book}/")
        for path in sorted(set(book.strategies["source_file"]))
    }


def _named(desired: Mapping[str, int], book: StoredBook) -> dict[str, int]:
    """Counts by the book's own names of files, ascending."""
    found: dict[str, int] = {}
    for given, count in desired.items():
        name = _file(given, book)
        if name in found:
            raise PortfolioError(
                f"balanced mode names the file {name} twice",
                place=book.book,
                next_step="Name each file once",
            )
        found[name] = count
    return dict(sorted(found.items()))


def _file(given: str, book: StoredBook) -> str:
    """The file that is meant: by its path, its path below the book's folder, or its last part."""
    files = _files(book)
    if given in files:
        return files[given]
    known = list(files.values())
    if given in known:
        return given
    alike = [name for name in known if name.rpartition("/")[2] == given]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise PortfolioError(
            f"balanced mode names {given}, and the book has {len(alike)} files of this name",
            place=book.book,
            next_step=f"Name one of {', '.join(alike)}. {_WITHOUT}",
        )
    near = near_names(given, known)
    raise PortfolioError(
        f"balanced mode names {given}, from which no strategy of the book comes",
        place=book.book,
        next_step=(f"Did you mean {near[0]}? " if near else "")
        + f"Its files: {', '.join(known[:_SHOWN])}{' …' * (len(known) > _SHOWN)} (a strategy that "
        f"stands in several comes from the first). {_WITHOUT}",
    )
