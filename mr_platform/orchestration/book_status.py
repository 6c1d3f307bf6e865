"""How the books of a home stand: landed, loaded, searched, and whether all of it is of now.

Here: facts of each book, gathered from landing, tables and Dagster's records.
Not here: what is not current and why (``book_freshness.py``), how it is shown (``cli``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import polars as pl

from mr_platform.errors import PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.strategy_landing import BookFile, StrategyLanding
from mr_platform.orchestration.book_automation import stored_fingerprints
from mr_platform.orchestration.book_files import book_fingerprint
from mr_platform.orchestration.book_freshness import PORTFOLIO_REPORT, BookAge
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


@dataclass(frozen=True)
class BookState:
    """How one book stands.

    Attributes:
        book: Its name.
        files: Its landed files, bars of regimes among them.
        loaded: Whether it was loaded from them as they are: ``LOADED``, ``NOT_LOADED``,
            ``CHANGED`` or ``WITHOUT_FILES`` (what is stored stays).
        strategies: Strategies stored.
        months: Months stored, ascending.
        portfolios: Portfolios that were searched on the returns as they are.
        older_portfolios: Portfolios that were searched on other returns.
        best_fitness: The largest fitness of the former.
        not_current: What was made of the book and is not of now, by asset, with what to do; a
            fault of reading it by the name ``book``.
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
    stored = stored_books(lakehouse)
    names = sorted({*landed, *stored})
    fingerprints = stored_fingerprints(instance, names)
    reports = latest_records(instance, dg.AssetKey(PORTFOLIO_REPORT), names)
    states = []
    for name in names:
        files = landed.get(name, [])
        if name in stored:
            loaded = _loaded(files, fingerprints.get(name))
            report = reports.get(name)
            states.append(_stored_state(lakehouse, name, len(files), loaded, report))
        else:
            states.append(BookState(name, len(files), NOT_LOADED, 0, (), 0, 0, None, {}))
    return states


def _loaded(files: Sequence[BookFile], fingerprint: str | None) -> str:
    if not files:
        return WITHOUT_FILES
    try:
        return LOADED if book_fingerprint(files) == fingerprint else CHANGED
    except PlatformError:  # a file that cannot be read now is not the one that was loaded
        return CHANGED


def _stored_state(
    lakehouse: Lakehouse, name: str, files: int, loaded: str, report: dg.EventLogRecord | None
) -> BookState:
    parts = lakehouse.read_partition_counts(STRATEGY_RETURNS).filter(pl.col("book") == name)["part"]
    found = read_parts(lakehouse, "portfolios", name)
    age = BookAge(lakehouse, name)
    current, not_current = found.clear(), {}
    try:
        not_current = age.faults(None if report is None else metadata_of(report))
        if found.height:
            current = found.filter(pl.col("data_key") == age.data_key)
    except PlatformError as fault:  # the other books are told all the same
        not_current = {"book": str(fault)}
    best = current["fitness"].max()
    return BookState(
        book=name,
        files=files,
        loaded=loaded,
        strategies=read_part(lakehouse, "strategies", name).height,
        months=tuple(sorted(parts.to_list())),
        portfolios=current.height,
        older_portfolios=found.height - current.height,
        best_fitness=best if isinstance(best, float) else None,
        not_current=not_current,
    )
