"""How the books of a home stand: landed, loaded, searched, and whether all of it is of now.

Here: facts of each book, gathered from landing, tables and Dagster's records.
Not here: what is not current and why (``book_freshness.py``), how it is shown (``cli``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import dagster as dg
import polars as pl

from mr_platform.errors import PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.strategy_landing import BookFile, StrategyLanding
from mr_platform.orchestration.book_automation import book_job, stored_fingerprints
from mr_platform.orchestration.book_files import book_fingerprint
from mr_platform.orchestration.book_freshness import PORTFOLIO_REPORT, BookAge
from mr_platform.orchestration.book_partitions import BOOKS
from mr_platform.orchestration.broken_runs import load_fault
from mr_platform.orchestration.materialization_events import latest_records, metadata_of
from mr_platform.orchestration.strategy_books import (
    STRATEGY_RETURNS,
    read_part,
    read_parts,
    stored_books,
)

LOADED = "yes"
NOT_LOADED = "no"
CHANGED = "other files since"
WITHOUT_FILES = "yes, files gone"

BOOK_ITSELF = "book"
"""Under which a fault of reading a book stands among what is not current."""

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class BookState:
    """How one book stands.

    Attributes:
        book: Its name.
        files: Its landed files, bars of regimes among them, its own declaration not.
        loaded: Whether it was loaded from them as they are: ``LOADED``, ``NOT_LOADED``,
            ``CHANGED`` or ``WITHOUT_FILES`` (what is stored stays).
        strategies: Strategies stored.
        months: Months stored, ascending.
        portfolios: Portfolios that count: searched on the returns as they are, by the measure
            and after the steps searched last, and stored whole.
        older_portfolios: Portfolios that were searched on other returns.
        best_fitness: The largest fitness of those that count.
        not_current: What was made of the book and is not of now, by asset, with what to do; faults
            of reading it by the name ``book``.
        other_portfolios: Portfolios of the returns as they are that do not count.
        load_fault: Why its files, as they are, could not be loaded; None where nobody tried.
    """

    book: str
    files: int
    loaded: str
    strategies: int
    months: tuple[str, ...]
    portfolios: int
    older_portfolios: int
    best_fitness: float | None
    not_current: Mapping[str, str]
    other_portfolios: int = 0
    load_fault: str | None = None


@dataclass(frozen=True)
class _Counts:
    """Portfolios of a book: those that count, of other returns, the others; the best fitness."""

    current: int = 0
    older: int = 0
    other: int = 0
    best_fitness: float | None = None


@dataclass
class _Reading:
    """Reads of one book; what cannot be read is told, and the rest is read all the same."""

    faults: dict[str, None] = field(default_factory=dict)

    def of(self, read: Callable[[], _Read], otherwise: _Read) -> _Read:
        """What is read, or what stands for it where it cannot be."""
        try:
            return read()
        except PlatformError as fault:
            self.faults.setdefault(str(fault))
            return otherwise


def book_states(
    lakehouse: Lakehouse, landing: StrategyLanding, instance: dg.DagsterInstance
) -> list[BookState]:
    """How every book stands that is landed or stored, by name.

    Args:
        lakehouse: The home's tables.
        landing: The home's landed books.
        instance: The home's instance: of which files a book was loaded, what a report shows.
    """
    landed = landing.books()
    known = instance.get_dynamic_partitions(str(BOOKS.name))
    fingerprints = stored_fingerprints(instance, {*landed, *known})
    try:
        stored = stored_books(lakehouse)
    except PlatformError:  # each of them tells it; that they were loaded Dagster knows as well
        stored = list(fingerprints)
    names = sorted({*landed, *stored})
    reports = latest_records(instance, dg.AssetKey(PORTFOLIO_REPORT), names)
    states = []
    for name in names:
        files = landed.get(name, [])
        data = sum(not file.declares for file in files)
        if name in stored:
            loaded = _loaded(files, fingerprints.get(name))
            report = reports.get(name)
            state = _stored_state(lakehouse, name, data, loaded, report)
        else:
            state = BookState(name, data, NOT_LOADED, 0, (), 0, 0, None, {})
        if state.loaded in (NOT_LOADED, CHANGED):
            fault = load_fault(instance, str(book_job.name), name, _content(files))
            state = replace(state, load_fault=fault)
        states.append(state)
    return states


def _loaded(files: Sequence[BookFile], fingerprint: str | None) -> str:
    if not files:
        return WITHOUT_FILES
    # a file that cannot be read now is not the one that was loaded
    content = _content(files)
    return LOADED if content is not None and content == fingerprint else CHANGED


def _content(files: Sequence[BookFile]) -> str | None:
    try:
        return book_fingerprint(files)
    except PlatformError:
        return None


def _stored_state(
    lakehouse: Lakehouse, name: str, files: int, loaded: str, report: dg.EventLogRecord | None
) -> BookState:
    reading, age = _Reading(), BookAge(lakehouse, name)
    strategies = reading.of(lambda: read_part(lakehouse, "strategies", name).height, 0)
    months: tuple[str, ...] = ()
    months = reading.of(lambda: _months(lakehouse, name), months)
    told = None if report is None else metadata_of(report)
    not_current: dict[str, str] = {}
    not_current = reading.of(lambda: age.faults(told), not_current)
    counts = reading.of(lambda: _counts(lakehouse, age), _Counts())
    if reading.faults:
        not_current[BOOK_ITSELF] = "; ".join(reading.faults)
    return BookState(
        book=name,
        files=files,
        loaded=loaded,
        strategies=strategies,
        months=months,
        portfolios=counts.current,
        older_portfolios=counts.older,
        best_fitness=counts.best_fitness,
        not_current=not_current,
        other_portfolios=counts.other,
    )


def _months(lakehouse: Lakehouse, name: str) -> tuple[str, ...]:
    if not lakehouse.exists(STRATEGY_RETURNS):
        return ()
    parts = lakehouse.read_partition_counts(STRATEGY_RETURNS).filter(pl.col("book") == name)["part"]
    return tuple(sorted(parts.to_list()))


def _counts(lakehouse: Lakehouse, age: BookAge) -> _Counts:
    found = read_parts(lakehouse, "portfolios", age.name)
    if found.is_empty():
        return _Counts()
    now = found.filter(pl.col("data_key") == age.data_key).height
    current = age.current
    if isinstance(current, PlatformError):
        return _Counts(older=found.height - now, other=now)
    counted = current.rows.height
    return _Counts(counted, found.height - now, now - counted, float(current.rows["fitness"][0]))
