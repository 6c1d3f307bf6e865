"""``mr portfolio optimize`` and ``mr portfolio report``.

Here: arguments, progress, texts.
Not here: searches (``portfolio/search``), runs (``orchestration/book_runs.py``).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.arguments import NAMES
from mr_platform.cli.graph import Graph, open_graph
from mr_platform.cli.terminal import Terminal, duration, example, facts, table, with_terminal

if TYPE_CHECKING:
    import polars as pl

    from mr_platform.orchestration.book_runs import BookRun

_COLUMNS = ("size", "algorithm", "form", "fitness", "roi", "max_drawdown", "correlation",
            "evaluations", "stopped")  # fmt: skip


class SizesParameter(click.ParamType[tuple[int, ...]]):
    """``35``, ``35:40`` (both included) or ``35,40,50``."""

    name = "SIZES"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse sizes of portfolios."""
        if isinstance(value, tuple):
            return value
        text = str(value)
        if not re.fullmatch(r"\d+(:\d+)?(,\d+(:\d+)?)*", text):
            self.fail(f"{text!r} is no list of sizes; write 37, 35:40 or 35,40,50", param, ctx)
        sizes: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition(":")
            if int(last or first) < int(first):
                self.fail(f"{part!r} ends before it starts", param, ctx)
            sizes.update(range(int(first), int(last or first) + 1))
        return tuple(sorted(sizes))


@click.command(
    epilog=example(
        "mr portfolio optimize sensex",
        "mr portfolio optimize sensex --sizes 35:60 --evaluations 200000 --workers 2",
        "mr portfolio optimize sensex --algorithms hill_climbing,genetic --metric expectancy",
        "mr portfolio optimize sensex --form legacy",
    )
)
@click.argument("book")
@click.option(
    "--sizes", type=SizesParameter(), default="37", show_default=True,
    help="Members of a portfolio: 37, 35:60 or 35,40,50.",
)  # fmt: skip
@click.option("--algorithms", type=NAMES, help="Only these; without it those of the settings.")
@click.option("--form", type=click.Choice(["improved", "legacy"]), help="Form of the algorithms.")
@click.option("--evaluations", type=click.IntRange(min=1), help="Portfolios each may judge.")
@click.option(
    "--patience", type=click.IntRange(min=0),
    help="Evaluations without a better portfolio before stopping early; 0 never.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Root of all chance.")
@click.option("--metric", help="What the fitness measures.")
@click.option("--inversion/--no-inversion", default=None, help="Invert losing strategies first.")
@click.option(
    "--rules", type=NAMES,
    help='Rules of regimes by which rows are left out or weighted: "confidence filter", '
    '"confidence weight", transition, regime.',
)  # fmt: skip
@click.option(
    "--zones", type=click.Choice(["rows", "collapsed"]),
    help="Take each row as it is, or add the zones of a day up.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Processes that search side by side.")
@with_terminal
def optimize(
    terminal: Terminal,
    book: str,
    sizes: tuple[int, ...],
    algorithms: tuple[str, ...] | None,
    form: str | None,
    evaluations: int | None,
    patience: int | None,
    seed: int | None,
    metric: str | None,
    inversion: bool | None,
    rules: tuple[str, ...] | None,
    zones: str | None,
    workers: int | None,
) -> None:
    """Search a book for the best portfolios of some sizes, and write its report.

    The same seed finds the same portfolios. A command that is broken off goes on where it was
    when it is run again.
    """
    terminal.require_home()
    from mr_platform.orchestration import book_runs
    from mr_platform.orchestration.book_partitions import size_key
    from mr_platform.orchestration.book_search import SearchConfig, require_search
    from mr_platform.orchestration.strategy_books import read_book, read_parts

    for size in sizes:
        size_key(size)
    config = SearchConfig(
        algorithms=list(algorithms or ()),
        form=form,
        evaluations=evaluations,
        patience=patience,
        seed=seed,
        metric=metric,
        inversion=inversion,
        row_rules=list(rules or ()),
        zone_mode=zones,
        workers=workers,
    )
    runs: list[BookRun] = []
    with open_graph(terminal) as graph:
        chosen = graph.settings.portfolio
        order = config.over(chosen.search)
        require_search(read_book(graph.lakehouse, book), sizes, order, chosen.zones)
        with terminal.progress(f"searching {book}", len(sizes)) as advance:
            for size in sizes:
                run = book_runs.search(graph.definitions, graph.instance, book, size, config)
                runs.append(run)
                advance(1, _progress_note(run))
        reported = None
        if any(run.fault is None for run in runs):
            reported = book_runs.report(graph.definitions, graph.instance, book)
        found = read_parts(graph.lakehouse, "portfolios", book)
    _tell(terminal, book, sizes, runs, reported, found)


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
) -> None:
    shown = found.filter(found["size"].is_in(sizes)).sort(
        ["size", "fitness"], descending=[False, True]
    )
    page = _page(reported)
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
        "best": None if reported is None else reported.facts.get("best_portfolio"),
        "report": page,
        "faults": faults,
        "checks_failed": refused,
        "checks_warned": warned,
        "seconds": round(sum(run.seconds for run in runs), 3),
    }
    text = [table(_COLUMNS, shown.select(_COLUMNS).rows(), right=(0, 3, 4, 5, 6, 7))]
    text += [f"error: {line}" for line in (*faults, *refused)]
    text += [f"warning: {line}" for line in warned]
    if page is not None:
        text += ["", f"report: {page}"]
    terminal.result(document, "\n".join(text))
    if faults or refused:
        terminal.fail()


def _page(reported: BookRun | None) -> str | None:
    if reported is None or reported.fault is not None:
        return None
    return str(reported.facts["portfolio_report"]["page"])


@click.command(
    epilog=example("mr portfolio zones enhanced", "mr portfolio zones enhanced --sizes 5:8")
)
@click.argument("book")
@click.option(
    "--sizes", type=SizesParameter(), default="10,11", show_default=True,
    help="Members of a portfolio; the best size of each zone is kept.",
)  # fmt: skip
@click.option("--algorithm", default="hill_climbing", show_default=True)
@click.option("--evaluations", type=click.IntRange(min=1), help="Portfolios each search may judge.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Root of all chance.")
@with_terminal
def zones(
    terminal: Terminal,
    book: str,
    sizes: tuple[int, ...],
    algorithm: str,
    evaluations: int | None,
    seed: int | None,
) -> None:
    """Search each zone of the day alone, and suggest what share of the capital it gets.

    Zones are those that the files name, or windows of the day (settings, portfolio.zones).
    """
    terminal.require_home()
    from mr_platform.errors import PlatformError
    from mr_platform.orchestration import book_runs
    from mr_platform.orchestration.book_zones import ZoneConfig
    from mr_platform.orchestration.strategy_books import read_part, require_stored

    config = ZoneConfig(algorithm=algorithm, sizes=list(sizes), evaluations=evaluations, seed=seed)
    with open_graph(terminal) as graph:
        require_stored(graph.lakehouse, book)
        run = book_runs.zones(graph.definitions, graph.instance, book, config)
        if run.fault is not None:
            raise PlatformError(run.fault.message)
        rows = read_part(graph.lakehouse, "zone_portfolios", book)
    headers = ("zone", "rows", "size", "fitness", "roi", "max_drawdown", "win_rate", "allocation")
    document = rows.drop("book", "part").to_dicts()
    for row in document:
        row["members"] = json.loads(row["members"])
        row["correlation"] = json.loads(row["correlation"])
    terminal.result(document, table(headers, rows.select(headers).rows(), right=range(1, 8)))


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
    from mr_platform.orchestration.book_report import legacy_run
    from mr_platform.portfolio.run_folder import run_files

    run = legacy_run(graph.lakehouse, book, dt.datetime.now(), graph.settings.portfolio.kelly_cap)
    return write_run_folder(parent, run.folder_name, run_files(run))
