"""The stored portfolios of a book as a run of the legacy program.

Here: stored portfolios → figures, texts and pictures of a run folder.
Not here: its files (``portfolio/run_folder.py``), writing them (``gateways/run_folders.py``).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_report import GatheredReport, gather_report
from mr_platform.pictures.equity_plots import Curves
from mr_platform.pictures.portfolio_picture import drawdown_png, equity_png
from mr_platform.portfolio.inversion import inverted
from mr_platform.portfolio.portfolio_facts import FoundPortfolio, portfolio_facts
from mr_platform.portfolio.returns import Days
from mr_platform.portfolio.run_folder import LegacyRun, RunPictures, best_portfolio
from mr_platform.portfolio.run_summary import RunParameters, Span
from mr_platform.portfolio.strategy_metrics import strategy_metrics

NOTHING_DONE = "none"
"""What a run folder says of rows that were searched as they are."""


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
    facts, current = gathered.facts, gathered.current
    best: dict[int, FoundPortfolio] = {}
    for found in facts.portfolios:
        if found.size not in best or found.fitness > best[found.size].fitness:
            best[found.size] = found
    pictures = {}
    for size, found in best.items():
        series = portfolio_facts(current.returns, found, facts.settings).series
        curves = Curves(facts.dates, facts.settings.unit, series)
        title = f"Best portfolio of {size}"
        pictures[size] = RunPictures(
            equity_png(curves, f"{title}: equity"), drawdown_png(curves, f"{title}: drawdown")
        )
    before = replace(current.preparation, inversion=False).returns(gathered.book)
    turned = inverted(before) if current.preparation.inversion else None
    return LegacyRun(
        started=at,
        finished=at,
        parameters=_parameters(gathered, min(best), max(best)),
        strategies=strategy_metrics(current.returns),
        portfolios=tuple(
            best_portfolio(current.returns, found.members, found.algorithm, found.fitness)
            for found in best.values()
        ),
        inversions=None if turned is None else turned.report,
        pictures=pictures,
    )


def _parameters(gathered: GatheredReport, smallest: int, largest: int) -> RunParameters:
    """Settings of the search that found the best portfolio, and of what judged it."""
    current, later = gathered.current, gathered.facts.held_out
    best = current.rows.row(0, named=True)
    # portfolios stored before their parameters were tell none
    values = json.loads(best["parameters"] or "{}")
    balance = gathered.measure.balance
    return RunParameters(
        metric=best["metric"],
        smallest=smallest,
        largest=largest,
        population=values.get("population"),
        mutation_rate=values.get("mutation"),
        generations=values.get("generations"),
        inverted=current.preparation.inversion,
        balanced=balance is not None,
        penalty_factor=None if balance is None else balance.penalty_factor,
        form=best["form"],
        evaluations=best["evaluations"],
        seed=best["seed"],
        preparation="; ".join(current.preparation.steps()) or NOTHING_DONE,
        searched=_span(current.returns.dates),
        held_out=None if later is None else _span(later.dates),
    )


def _span(dates: Days) -> Span:
    return dates[0].item(), dates[-1].item()
