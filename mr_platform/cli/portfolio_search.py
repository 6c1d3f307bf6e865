"""``mr portfolio optimize`` and ``mr portfolio report``.

Here: progress, texts, what to do next.
Not here: zones alone (``portfolio_zones.py``), options of a search (``search_arguments.py``), runs
(``orchestration/book_runs.py``).
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.graph import Graph, open_graph
from mr_platform.cli.search_arguments import (
    SizesParameter,
    search_config,
    search_options,
)
from mr_platform.cli.terminal import (
    Terminal,
    duration,
    example,
    facts,
    table,
    with_terminal,
)

if TYPE_CHECKING:
    import polars as pl

    from mr_platform.orchestration.book_runs import BookRun

_COLUMNS = ("size", "algorithm", "form", "fitness", "roi", "max_drawdown", "correlation",
            "evaluations", "stopped")  # fmt: skip


@click.command(
    epilog=example(
        "mr portfolio optimize sensex",
        "mr portfolio optimize sensex --sizes 35:60 --evaluations 200000 --workers 2",
        "mr portfolio optimize sensex --algorithms hill_climbing,genetic --metric expectancy",
        "mr portfolio optimize sensex --algorithms genetic --parameter genetic.population=100",
        "mr portfolio optimize sensex --balance july.csv=20,august.csv=17 --holdout 0.25",
        "mr portfolio optimize sensex --form legacy",
    )
)
@click.argument("book")
@click.option(
    "--sizes", type=SizesParameter(), default="37", show_default=True,
    help="Members of a portfolio: 37, 35:60 or 35,40,50.",
)  # fmt: skip
@search_options
@with_terminal
def optimize(terminal: Terminal, book: str, sizes: tuple[int, ...], **asked: Any) -> None:
    """Search a book for the best portfolios of some sizes, and write its report.

    The same seed finds the same portfolios. A command that is broken off goes on where it was
    when it is run again.
    """
    terminal.require_home()
    from mr_platform.orchestration import book_runs
    from mr_platform.orchestration.book_partitions import size_key
    from mr_platform.orchestration.book_search import require_search
    from mr_platform.orchestration.stored_portfolios import counting
    from mr_platform.orchestration.strategy_books import read_book

    for size in sizes:
        size_key(size)
    config = search_config(asked)
    runs: list[BookRun] = []
    with open_graph(terminal) as graph:
        chosen = graph.settings.portfolio
        order = config.over(chosen.search)
        stored = read_book(graph.lakehouse, book)
        require_search(stored, sizes, order, chosen.zones)
        with terminal.progress(f"searching {book}", len(sizes)) as advance:
            for size in sizes:
                run = book_runs.search(graph.definitions, graph.instance, book, size, config)
                runs.append(run)
                advance(1, _progress_note(run))
        reported = None
        if any(run.fault is None for run in runs):
            reported = book_runs.report(graph.definitions, graph.instance, book)
        found, left_out = counting(graph.lakehouse, stored)
    zoned = stored.returns.zones is not None
    _tell(terminal, book, sizes, runs, reported, found, left_out, zoned)


def _progress_note(run: BookRun) -> str:
    if run.fault is not None:
        return f"{run.partition}: {run.fault.message}"
    told = run.facts["portfolios"]
    return (
        f"{run.partition}: {told['best_fitness']:.4f} by {told['best_algorithm']}, "
        f"{told['evaluations']:,} evaluations in {duration(told['seconds'])}"
        + ("" if told["resumed"] == "none" else f", gone on with: {told['resumed']}")
    )


def _tell(
    terminal: Terminal,
    book: str,
    sizes: tuple[int, ...],
    runs: list[BookRun],
    reported: BookRun | None,
    found: pl.DataFrame,
    left_out: int,
    zoned: bool,
) -> None:
    shown = found.filter(found["size"].is_in(sizes)).sort(
        ["size", "fitness"], descending=[False, True]
    )
    best, page, doubts = _reported(reported)
    faults = [
        f"{run.partition}: {run.fault.message}"
        for run in (*runs, *([reported] if reported else []))
        if run.fault is not None
    ]
    refused = [
        f"{run.partition}: {one.check}: {one.sentence}" for run in runs for one in run.refused
    ]
    warned = [f"{run.partition}: {one.check}: {one.sentence}" for run in runs for one in run.warned]
    document = {
        "book": book,
        "sizes": list(sizes),
        "portfolios": shown.drop("book", "part", "convergence").to_dicts(),
        "left_out": left_out,
        "best": best,
        "report": page,
        "report_warnings": doubts,
        "faults": faults,
        "checks_failed": refused,
        "checks_warned": warned,
        "seconds": round(sum(run.seconds for run in runs), 3),
    }
    text = [table(_COLUMNS, shown.select(_COLUMNS).rows(), right=(0, 3, 4, 5, 6, 7))]
    if left_out:
        text += ["", _left_out(left_out)]
    if best is not None:
        winner = f"{best['size']} strategies by {best['algorithm']}, fitness {best['fitness']:.4f}"
        text += ["", f"best of {book}: {winner}"]
    text += [f"error: {line}" for line in (*faults, *refused)]
    text += [f"warning: {line}" for line in (*warned, *doubts)]
    if page is not None:
        following = [f"mr portfolio report {book} --run-folder FOLDER"]
        following += [f"mr portfolio zones {book}"] * zoned
        text += ["", f"report: {page}", "", *_next(*following, f"mr portfolio metrics {book}")]
    terminal.result(document, "\n".join(text))
    if faults or refused:
        terminal.fail()


def _left_out(count: int) -> str:
    told = (
        "1 stored portfolio of this book does"
        if count == 1
        else f"{count} stored portfolios of this book do"
    )
    return (
        f"{told} not count: searched on other returns, judged by another measure than the latest "
        "search, or stored in part"
    )


def _reported(run: BookRun | None) -> tuple[dict[str, Any] | None, str | None, list[str]]:
    """The best portfolio, the page of the report, and what it warns of."""
    if run is None:
        return None, None, []
    best, told = run.facts.get("best_portfolio"), run.facts.get("portfolio_report")
    return (
        None if best is None else dict(best),
        None if told is None else str(told["page"]),
        [] if told is None else list(told["warnings"]),
    )


def _next(*commands: str) -> list[str]:
    return ["next", *(f"  {command}" for command in commands)]


@click.command(
    epilog=example("mr portfolio report sensex", "mr portfolio report sensex --run-folder ~/runs")
)
@click.argument("book")
@click.option(
    "--run-folder", type=click.Path(path_type=Path, file_okay=False),
    help="Also write a legacy run folder (run_YYYYmmdd_HHMMSS) below this folder.",
)  # fmt: skip
@with_terminal
def report(terminal: Terminal, book: str, run_folder: Path | None) -> None:
    """Choose the best portfolio of a book and write its page."""
    terminal.require_home()
    from mr_platform.orchestration import book_runs
    from mr_platform.orchestration.strategy_books import require_stored

    with open_graph(terminal) as graph:
        require_stored(graph.lakehouse, book)
        run = book_runs.report(graph.definitions, graph.instance, book)
        folder = None
        if run.fault is None and run_folder is not None:
            folder = _run_folder(graph, book, run_folder)
    if run.fault is not None:
        from mr_platform.errors import PlatformError

        raise PlatformError(run.fault.message)
    best, told = run.facts["best_portfolio"], run.facts["portfolio_report"]
    document: dict[str, Any] = {
        "book": book,
        "size": best["size"],
        "algorithm": best["algorithm"],
        "fitness": best["fitness"],
        "page": told["page"],
        "run_folder": None if folder is None else str(folder),
        "warnings": told["warnings"],
    }
    shown = {name: value for name, value in document.items() if name != "warnings" and value}
    lines = [facts(shown), *(f"warning: {line}" for line in told["warnings"])]
    terminal.result(document, "\n".join(lines))


def _run_folder(graph: Graph, book: str, parent: Path) -> Path:
    from mr_platform.gateways.run_folders import write_run_folder
    from mr_platform.orchestration.legacy_runs import legacy_run
    from mr_platform.portfolio.run_folder import run_files

    run = legacy_run(graph.lakehouse, book, dt.datetime.now(), graph.settings.portfolio.kelly_cap)
    return write_run_folder(parent, run.folder_name, run_files(run))
