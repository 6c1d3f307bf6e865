"""The report of a book's portfolios: gathered from the tables, written as one page.

Here: stored portfolios → facts → page on disk.
Not here: facts and texts (``portfolio``), drawing (``pictures``), legacy run folders
(``legacy_runs.py``).
"""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.storage_faults import told_as_storage_error
from mr_platform.gateways.strategy_landing import fingerprint
from mr_platform.orchestration.book_measure import Measure
from mr_platform.orchestration.book_preparation import Preparation
from mr_platform.orchestration.book_search import data_key
from mr_platform.orchestration.search_wording import (
    measure_text,
    zone_command,
    zone_differences,
    zone_search_text,
)
from mr_platform.orchestration.stored_portfolios import CurrentPortfolios, current_portfolios
from mr_platform.orchestration.strategy_books import (
    STRATEGY_FILES,
    StoredBook,
    read_book,
    read_part,
)
from mr_platform.pictures.portfolio_page import Origin, ZonesShown, portfolio_page
from mr_platform.portfolio.portfolio_facts import (
    FoundPortfolio,
    ReportFacts,
    report_facts,
)
from mr_platform.portfolio.report_warnings import report_warnings
from mr_platform.portfolio.series_facts import FactSettings

_HELD_OUT = ("roi", "max_drawdown", "ratio", "win_rate")


@dataclass(frozen=True)
class WrittenReport:
    """A page that was written.

    Attributes:
        page: The file.
        summary: The best portfolio in Markdown.
        warnings: What a reader should know, a sentence each.
    """

    page: Path
    summary: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class GatheredReport:
    """What a report is made of.

    Attributes:
        book: The book.
        current: Its portfolios.
        facts: Facts of all of them.
    """

    book: StoredBook
    current: CurrentPortfolios
    facts: ReportFacts

    @property
    def measure(self) -> Measure:
        """What all of them were searched for."""
        return Measure.of_row(self.current.rows.row(0, named=True))


def gather_report(
    lakehouse: Lakehouse,
    name: str,
    kelly_cap: float,
    *,
    capital: float | None = None,
    risk_free: float = 0.0,
) -> GatheredReport:
    """Facts of the stored portfolios of a book.

    Args:
        lakehouse: Where the book is stored.
        name: The book.
        kelly_cap: Largest Kelly fraction of one strategy.
        capital: Rupees there are; None divides by none.
        risk_free: Fraction a year, taken from what is a fraction of a capital.

    Raises:
        InputFileError: Nothing of the book is stored, or no portfolio was searched on it.
    """
    book = read_book(lakehouse, name)
    current = current_portfolios(lakehouse, book)
    found = [
        FoundPortfolio(
            algorithm=row["algorithm"],
            form=row["form"],
            members=current.members[row["size"], row["algorithm"], row["form"]],
            fitness=row["fitness"],
            evaluations=row["evaluations"],
            convergence=tuple(
                (int(at), float(best)) for at, best in json.loads(row["convergence"])
            ),
        )
        for row in current.rows.to_dicts()
    ]
    settings = FactSettings.of_book(book.pnl_unit, kelly_cap, capital=capital, risk_free=risk_free)
    steps = current.preparation
    facts = report_facts(
        current.returns,
        found,
        settings,
        held_out=steps.held_out(book),
        by_rules=steps.raw_and_weighted(book),
        exposure=steps.exposure(book),
        row_capital=_row_capital(steps, book),
    )
    return GatheredReport(book, current, facts)


def write_report(
    lakehouse: Lakehouse,
    name: str,
    folder: Path,
    *,
    kelly_cap: float,
    capital: float | None = None,
    risk_free: float = 0.0,
) -> WrittenReport:
    """Write the page of a book's portfolios; a kill leaves the old page or the new one.

    Args:
        lakehouse: Where the book is stored.
        name: The book.
        folder: Folder of reports; made where it is missing.
        kelly_cap: Largest Kelly fraction of one strategy.
        capital: Rupees there are; None divides by none.
        risk_free: Fraction a year, taken from what is a fraction of a capital.

    Raises:
        InputFileError: As :func:`gather_report`.
        StorageError: The page cannot be written.
    """
    gathered = gather_report(lakehouse, name, kelly_cap, capital=capital, risk_free=risk_free)
    zones = read_part(lakehouse, "zone_portfolios", name)
    notes = (*_notes(gathered), *_zone_notes(gathered, zones))
    text = portfolio_page(
        gathered.facts,
        _origin(lakehouse, gathered),
        notes=notes,
        zones=None if zones.is_empty() else ZonesShown(zones, zone_search_text(zones)),
        zones_added_up=gathered.current.preparation.zone_mode == "collapsed",
    )
    page = folder / f"{name}.html"
    with told_as_storage_error(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{uuid.uuid4().hex}.part"
        try:
            partial.write_text(text, "utf-8")
            partial.replace(page)
        finally:
            partial.unlink(missing_ok=True)
    return WrittenReport(
        page, summary_text(gathered.facts), (*report_warnings(gathered.facts), *notes)
    )


def summary_text(facts: ReportFacts) -> str:
    """The best portfolio in a few lines of Markdown."""
    best = facts.best
    figures = {
        "size": f"{best.found.size}",
        "algorithm": f"{best.found.algorithm} ({best.found.form})",
        "fitness": f"{best.found.fitness:.6g}",
        "mean correlation": f"{best.mean_correlation:.4f}",
        **{name: _figure(value) for name, value in best.series.legacy.items()},
    }
    if facts.held_out is not None:
        later = facts.held_out.best.legacy
        figures |= {f"{name} on dates held out": _figure(later[name]) for name in _HELD_OUT}
    lines = [f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()]
    return "\n".join(["| best portfolio | |", "|---|---|", *lines])


def _figure(value: float) -> str:
    """A figure that may be infinite, as a profit factor without losses, or not defined."""
    if math.isnan(value):
        return "not defined"
    return "∞" if value == math.inf else "−∞" if value == -math.inf else f"{value:.6g}"


def _row_capital(steps: Preparation, book: StoredBook) -> float | None:
    """Mean capital that the rows searched tell of themselves; None where none tells it."""
    told = steps.rows(book).labels["capital"].to_numpy()
    known = told[np.isfinite(told)]
    return float(known.mean()) if known.size else None


def _origin(lakehouse: Lakehouse, gathered: GatheredReport) -> Origin:
    rows = gathered.current.rows
    files = read_part(lakehouse, STRATEGY_FILES, gathered.book.book)
    return Origin(
        files=tuple(files["file"]),
        content_hash=files["sha256"][0] if files.height == 1 else _together(files),
        book=gathered.book.book,
        metric=gathered.current.metric,
        measure=measure_text(gathered.measure),
        seeds=tuple(sorted(set(rows["seed"]))),
    )


def _notes(gathered: GatheredReport) -> tuple[str, ...]:
    steps = gathered.current.preparation
    notes = [steps.sentence(), *steps.notes(gathered.book)] if steps.sentence() else []
    if gathered.current.left_out:
        notes.append(
            f"{gathered.current.left_out} stored portfolios are left out: they were searched on "
            "other returns, by another measure or after other steps than the last, or are not whole"
        )
    return tuple(notes)


def _zone_notes(gathered: GatheredReport, zones: pl.DataFrame) -> tuple[str, ...]:
    """Whether the portfolios of the zones are of the book as it is, and searched as the others."""
    if zones.is_empty():
        return ()
    steps, measure, book = gathered.current.preparation, gathered.measure, gathered.book.book
    again = f"search them again: {zone_command(steps, measure, book)}"
    match zones["data_key"][0]:
        case None:
            told = "it was not noted on which returns the portfolios of the zones were searched"
        case key if key != data_key(gathered.book):
            told = "the portfolios of the zones were searched on other returns than those stored"
        case _:
            unlike = zone_differences(zones, steps, measure, book)
            return (unlike,) if unlike else ()
    return (f"{told}; {again}",)


def _together(files: pl.DataFrame) -> str:
    return fingerprint(dict(files.select("file", "sha256").rows()))
