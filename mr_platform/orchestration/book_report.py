"""The report of a book's portfolios: gathered from the tables, written as one page.

Here: stored portfolios → facts → page on disk; a legacy run folder of the same.
Not here: facts and texts (``portfolio``), drawing (``pictures``).
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.storage_faults import told_as_storage_error
from mr_platform.gateways.strategy_landing import fingerprint
from mr_platform.orchestration.stored_portfolios import CurrentPortfolios, current_portfolios
from mr_platform.orchestration.strategy_books import (
    STRATEGY_FILES,
    StoredBook,
    read_book,
    read_part,
)
from mr_platform.pictures.equity_plots import Curves
from mr_platform.pictures.portfolio_page import Origin, portfolio_page
from mr_platform.pictures.portfolio_picture import drawdown_png, equity_png
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.portfolio_facts import (
    FactSettings,
    FoundPortfolio,
    ReportFacts,
    ReturnUnit,
    portfolio_facts,
    report_facts,
)
from mr_platform.portfolio.report_warnings import report_warnings
from mr_platform.portfolio.run_folder import LegacyRun, RunPictures, best_portfolio
from mr_platform.portfolio.run_texts import RunParameters
from mr_platform.portfolio.strategy_metrics import strategy_metrics


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


def gather_report(lakehouse: Lakehouse, name: str, kelly_cap: float) -> GatheredReport:
    """Facts of the stored portfolios of a book.

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
    unit: ReturnUnit = "percent" if book.pnl_unit == "percent" else "rupees"
    settings = FactSettings(unit=unit, kelly_cap=kelly_cap)
    return GatheredReport(book, current, report_facts(current.returns, found, settings))


def write_report(
    lakehouse: Lakehouse, name: str, folder: Path, *, kelly_cap: float
) -> WrittenReport:
    """Write the page of a book's portfolios; a kill leaves the old page or the new one.

    Args:
        lakehouse: Where the book is stored.
        name: The book.
        folder: Folder of reports; made where it is missing.
        kelly_cap: Largest Kelly fraction of one strategy.

    Raises:
        InputFileError: As :func:`gather_report`.
        StorageError: The page cannot be written.
    """
    gathered = gather_report(lakehouse, name, kelly_cap)
    files = read_part(lakehouse, STRATEGY_FILES, name)
    digest = files["sha256"][0] if files.height == 1 else _together(files)
    notes = _notes(gathered)
    text = portfolio_page(gathered.facts, Origin(tuple(files["file"]), digest), notes=notes)
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


def legacy_run(lakehouse: Lakehouse, name: str, at: dt.datetime, kelly_cap: float) -> LegacyRun:
    """The stored portfolios of a book as a run of the legacy program.

    Args:
        lakehouse: Where the book is stored.
        name: The book.
        at: When the folder is written; gives it its name.
        kelly_cap: Largest Kelly fraction of one strategy.

    Raises:
        InputFileError: As :func:`gather_report`.
        PortfolioError: Names that do not fit on a line.
    """
    gathered = gather_report(lakehouse, name, kelly_cap)
    facts, returns = gathered.facts, gathered.current.returns
    best: dict[int, FoundPortfolio] = {}
    for found in facts.portfolios:
        if found.size not in best or found.fitness > best[found.size].fitness:
            best[found.size] = found
    pictures = {}
    for size, found in best.items():
        series = portfolio_facts(returns, found, facts.settings).series
        curves = Curves(facts.dates, facts.settings.unit, series)
        title = f"Best portfolio of {size}"
        pictures[size] = RunPictures(
            equity_png(curves, f"{title}: equity"), drawdown_png(curves, f"{title}: drawdown")
        )
    before = replace(gathered.current.preparation, inversion=False).returns(gathered.book)
    turned = inverted(before) if gathered.current.preparation.inversion else None
    return LegacyRun(
        started=at,
        finished=at,
        parameters=RunParameters(
            metric=gathered.current.metric,
            smallest=min(best),
            largest=max(best),
            inverted=turned is not None,
        ),
        strategies=strategy_metrics(returns),
        portfolios=tuple(
            best_portfolio(returns, found.members, found.algorithm, found.fitness)
            for found in best.values()
        ),
        inversions=None if turned is None else turned.report,
        pictures=pictures,
    )


def summary_text(facts: ReportFacts) -> str:
    """The best portfolio in a few lines of Markdown."""
    best = facts.best
    figures = {
        "size": f"{best.found.size}",
        "algorithm": f"{best.found.algorithm} ({best.found.form})",
        "fitness": f"{best.found.fitness:.6g}",
        "mean correlation": f"{best.mean_correlation:.4f}",
        **{name: f"{value:.6g}" for name, value in best.series.legacy.items()},
    }
    lines = [f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()]
    return "\n".join(["| best portfolio | |", "|---|---|", *lines])


def _notes(gathered: GatheredReport) -> tuple[str, ...]:
    steps = json.loads(gathered.current.preparation.text())
    notes = [f"before the search: {json.dumps(steps)}"] if steps else []
    if gathered.current.left_out:
        notes.append(
            f"{gathered.current.left_out} stored portfolios are left out: they were searched on "
            "other returns, by another measure or after other steps than the last, or are not whole"
        )
    return tuple(notes)


def _together(files: pl.DataFrame) -> str:
    return fingerprint(dict(files.select("file", "sha256").rows()))
