"""The part of ``mr demo`` about portfolios: one book loaded, one size searched, its report.

Here: which strategy file the demo takes, what came of it.
Not here: option chains (``demo.py``), loads and searches (``orchestration/book_runs.py``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mr_platform.cli.graph import open_graph
from mr_platform.cli.terminal import Terminal, duration, facts, table

if TYPE_CHECKING:
    from mr_platform.cli.graph import Graph
    from mr_platform.orchestration.book_runs import BookRun

BOOK = "demo"
SIZE = 37
"""Members of the best portfolio of record."""

EVALUATIONS = 3_000
SIMULATED_SEED = 20_240_104

_REAL = Path("strategies", "test_data_small_2500.csv")
_SIMULATED = Path("simulated", "strategy_results.csv")
_SHOWN = ("algorithm", "fitness", "roi", "max_drawdown", "correlation", "evaluations")


@dataclass
class PortfolioSummary:
    """What became of the demo's book.

    Attributes:
        title: Which file it is.
        home: The home folder.
        book: Its name.
        strategies: Strategies of the book.
        rows: Rows of the book.
        size: Members of a portfolio.
        portfolios: What each algorithm found, best first.
        page: The report; None where none was written.
        checks: Verdicts: passed, warned, failed.
        faults: One line for each run that failed.
        seconds: Wall time.
    """

    title: str
    home: Path
    book: str = BOOK
    strategies: int = 0
    rows: int = 0
    size: int = SIZE
    portfolios: list[dict[str, Any]] = field(default_factory=list)
    page: Path | None = None
    checks: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def portfolio_summary(terminal: Terminal, data: Path | None) -> PortfolioSummary:
    """Load a strategy file, search one size with every algorithm, write the report.

    Args:
        terminal: Terminal of the demo's home.
        data: Folder of real files; None, or one without strategies, takes simulated results.
    """
    from mr_platform.gateways.strategy_landing import StrategyLanding

    started = time.monotonic()
    file, title = _strategy_file(terminal, data)
    summary = PortfolioSummary(title, terminal.settings.home)
    terminal.note(f"{title} → {terminal.settings.home}")
    StrategyLanding(terminal.settings.landing_dir).place([file], BOOK)
    with open_graph(terminal) as graph:
        _run(terminal, graph, summary)
    summary.seconds = time.monotonic() - started
    return summary


def _strategy_file(terminal: Terminal, data: Path | None) -> tuple[Path, str]:
    """The file to load, and what it is."""
    if data is not None and (data / _REAL).is_file():
        return data / _REAL, f"real strategy results of {data / _REAL}"
    from mr_platform.gateways.wide_export import write_wide
    from mr_platform.simulation.strategy_results import strategy_results

    file = terminal.settings.home / _SIMULATED
    write_wide(strategy_results(SIMULATED_SEED), file, "rupees")
    return file, f"simulated strategy results of {file}"


def _run(terminal: Terminal, graph: Graph, summary: PortfolioSummary) -> None:
    """Load, search and report; the first that fails ends it."""
    from mr_platform.orchestration import book_runs
    from mr_platform.orchestration.book_search import SearchConfig
    from mr_platform.orchestration.strategy_books import read_parts

    loaded = book_runs.load(graph.definitions, graph.instance, BOOK)
    if not _taken(summary, loaded):
        return
    told = loaded.facts["strategy_returns"]
    summary.strategies, summary.rows = int(told["strategies"]), int(told["rows"])
    summary.size = min(SIZE, max(2, summary.strategies // 2))
    terminal.note(f"searching portfolios of {summary.size} strategies with every algorithm")
    config = SearchConfig(evaluations=EVALUATIONS)
    searched = book_runs.search(graph.definitions, graph.instance, BOOK, summary.size, config)
    if not _taken(summary, searched):
        return
    found = read_parts(graph.lakehouse, "portfolios", BOOK)
    summary.portfolios = (
        found.filter(found["size"] == summary.size)
        .sort("fitness", descending=True)
        .select(_SHOWN)
        .to_dicts()
    )
    reported = book_runs.report(graph.definitions, graph.instance, BOOK)
    if _taken(summary, reported):
        summary.page = Path(str(reported.facts["portfolio_report"]["page"]))


def _taken(summary: PortfolioSummary, run: BookRun) -> bool:
    """Count a run's verdicts; whether it did what was asked."""
    counts = {
        "passed": sum(one.passed for one in run.verdicts),
        "warned": len(run.warned),
        "failed": len(run.refused),
    }
    summary.checks = {name: summary.checks.get(name, 0) + n for name, n in counts.items()}
    summary.faults += [f"{one.asset} {one.check}: {one.sentence}" for one in run.refused]
    if run.fault is not None:
        summary.faults.append(f"{run.partition}: {run.fault.message}")
    return run.fault is None


def portfolio_document(summary: PortfolioSummary) -> dict[str, Any]:
    """The summary as JSON fields."""
    return {
        **vars(summary),
        "home": str(summary.home),
        "page": None if summary.page is None else str(summary.page),
        "seconds": round(summary.seconds, 1),
    }


def portfolio_text(summary: PortfolioSummary) -> str:
    """The summary for a person."""
    shown = facts(
        {
            "book": summary.book,
            "strategies": summary.strategies,
            "rows": summary.rows,
            "size": summary.size,
            "checks": ", ".join(f"{n:,} {verdict}" for verdict, n in summary.checks.items()),
            "time": duration(summary.seconds),
        }
    )
    lines = [summary.title, "", shown]
    if summary.portfolios:
        rows = [list(found.values()) for found in summary.portfolios]
        lines += ["", table(_SHOWN, rows, right=range(1, len(_SHOWN)))]
    if summary.page is not None:
        lines += [
            "",
            "figures of the rows that were searched, no promise for the days to come",
            f"the report of these portfolios: {summary.page}",
        ]
    lines += [f"error: {fault}" for fault in summary.faults]
    return "\n".join(lines)


def next_commands(summary: PortfolioSummary) -> list[str]:
    """Commands that go on from here."""
    home = f" --home {summary.home}"
    return [
        f"mr portfolio metrics {summary.book}{home}",
        f"mr portfolio optimize {summary.book} --sizes 35:40{home}",
        f"mr portfolio load YOUR_RESULTS.csv --book YOURS{home}",
    ]
