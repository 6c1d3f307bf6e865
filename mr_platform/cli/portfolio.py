"""``mr portfolio``: books of strategies, their figures, searches for portfolios, reports.

Here: arguments, progress, texts of load, metrics, export and parity.
Not here: how books stand (``portfolio_books.py``), searches and reports (``portfolio_search.py``),
runs (``orchestration/book_runs.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.graph import open_graph
from mr_platform.cli.load_arguments import declaration, declaration_options
from mr_platform.cli.portfolio_algorithms import algorithms
from mr_platform.cli.portfolio_books import books
from mr_platform.cli.portfolio_search import optimize, report
from mr_platform.cli.portfolio_zones import zones
from mr_platform.cli.terminal import (
    Terminal,
    duration,
    example,
    facts,
    listing,
    table,
    with_terminal,
)

if TYPE_CHECKING:
    from mr_platform.gateways.book_declarations import WrittenDeclaration
    from mr_platform.gateways.lakehouse import Lakehouse
    from mr_platform.gateways.landing import PlacedFile
    from mr_platform.gateways.strategy_landing import StrategyLanding
    from mr_platform.orchestration.book_runs import BookRun

_FILE_FAULTS = ("Failure", "InputFileError", "UnknownDialectError", "PortfolioError")
"""Faults of files, told before anything is written."""

_METRICS = (
    "name", "roi", "max_drawdown", "ratio", "win_rate", "profit_factor", "expectancy", "sharpe",
    "sortino", "calmar", "cvar_95", "kelly_fraction",
)  # fmt: skip


@click.group(
    "portfolio",
    epilog=example(
        "mr portfolio load strategies.csv --book sensex",
        "mr portfolio optimize sensex --sizes 35:40",
        "mr portfolio report sensex",
    ),
)
def portfolio() -> None:
    """Books of strategies: results in, figures and optimised portfolios out."""


portfolio.add_command(algorithms)
portfolio.add_command(books)
portfolio.add_command(optimize)
portfolio.add_command(report)
portfolio.add_command(zones)


def _lakehouse(terminal: Terminal) -> Lakehouse:
    from mr_platform.gateways.lakehouse import Lakehouse

    settings = terminal.existing_home
    return Lakehouse(settings.lakehouse_root, settings.parquet)


@portfolio.command(
    epilog=example(
        "mr portfolio load strategies.csv",
        "mr portfolio load july.csv august.csv --book sensex",
        "mr portfolio load nifty.csv banknifty.csv --book both --prefix",
        "mr portfolio load july.csv --book mine --date-format %d-%m-%Y --exclude 'TEST *'",
    )
)
@click.argument(
    "paths", nargs=-1, required=True, metavar="FILE…",
    type=click.Path(path_type=Path, resolve_path=False),
)  # fmt: skip
@click.option("--book", help="Name of the book (default: that of the first file).")
@click.option(
    "--prefix", is_flag=True, help="Put each file's name before the names of its strategies."
)
@click.option(
    "--regimes", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Bars of market regimes that the book's rows are joined with; may be given often.",
)  # fmt: skip
@declaration_options
@with_terminal
def load(
    terminal: Terminal,
    paths: tuple[Path, ...],
    book: str | None,
    prefix: bool,
    regimes: tuple[Path, ...],
    **own: Any,
) -> None:
    """Copy strategy files into a book and make everything of it but portfolios.

    A book is strategies that are judged together: its files may hold further months, further
    strategies, or both. What is stored stays; only months that changed are written. Where the
    files cannot be used nothing is changed, and they do not stay in landing; nor do they where the
    load is broken off before anything was written.

    How its files are read is kept with the book, in book.yaml beside them, and holds for all of
    them; where it says nothing, the header tells the format.
    """
    from mr_platform.gateways.book_declarations import declare, withdraw
    from mr_platform.gateways.strategy_landing import StrategyLanding, plain_name
    from mr_platform.orchestration import book_runs

    asked = declaration(own)
    name = plain_name(paths[0]) if book is None else book
    landing = StrategyLanding(terminal.settings.landing_dir)
    landing.require_present([*paths, *regimes])
    before = _versions(terminal)
    # before the files: whoever sees them land is to read them so
    declared = declare(landing, name, asked) if asked.given else None
    placed: list[PlacedFile] = []
    try:
        placed += landing.place(paths, name, prefixed=prefix)
        placed += landing.place(regimes, name, regimes=True)
    except BaseException:
        withdraw(landing, placed, declared)
        raise
    named = listing([Path(fate.source).name for fate in placed], 3)
    terminal.note(f"loading {named} into the book {name}")
    try:
        with open_graph(terminal) as graph:
            run = book_runs.load(graph.definitions, graph.instance, name)
    except BaseException:  # Ctrl-C as well, and a home that cannot be opened
        _leave(terminal, landing, placed, declared, name, before)
        raise
    # a fault of the disk may come after a part of it was written: then the files stay
    refused = run.fault is not None and run.fault.kind in _FILE_FAULTS
    stored = not refused
    # a file that cannot be used would keep the whole book from loading
    withdrawn = [] if stored else withdraw(landing, placed, declared)
    files = [
        {
            "source": fate.source,
            "landed": None if fate.relative in withdrawn else fate.relative,
            "status": "withdrawn" if fate.relative in withdrawn else fate.status,
        }
        for fate in placed
    ]
    left = None if stored or name not in landing.books() else landing.folder / name
    document = {"book": name, "files": files, "declared": asked.given if stored else {}}
    document |= _run_document(run)
    if run.fault:
        terminal.failure(document, _fault_text(name, run, left))
    terminal.result(document, _load_text(name, run))
    if run.refused:
        terminal.fail()


@portfolio.command(
    epilog=example(
        "mr portfolio metrics sensex", "mr portfolio metrics sensex --by sharpe --top 20"
    )
)
@click.argument("book")
@click.option("--by", default="ratio", show_default=True, help="Figure to rank by.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--worst", is_flag=True, help="The lowest instead of the highest.")
@with_terminal
def metrics(terminal: Terminal, book: str, by: str, top: int, worst: bool) -> None:
    """Figures of the strategies of a book, best first."""
    from mr_platform.errors import PlatformError
    from mr_platform.orchestration.strategy_books import read_part, require_stored
    from mr_platform.registry.faults import hint
    from mr_platform.registry.portfolio_tables import load_portfolio_tables

    columns = load_portfolio_tables()["strategy_metrics"].columns
    ranked = [str(one.name) for one in columns if one.dtype.is_float()]
    if by not in ranked:
        raise PlatformError(
            f"there is no figure {by}{hint(by, ranked)}",
            place="--by",
            next_step=f"Figures: {', '.join(ranked)}",
            misused=True,
        )
    lakehouse = _lakehouse(terminal)
    require_stored(lakehouse, book)
    rows = read_part(lakehouse, "strategy_metrics", book)
    if rows.is_empty():
        raise PlatformError(
            "the figures of its strategies were not made",
            place=book,
            next_step="Load it again: mr portfolio load FILE, with a file of the book",
        )
    shown = rows.sort(by, descending=not worst, nulls_last=True).head(top)
    headers = list(dict.fromkeys(["name", by, *_METRICS]))
    text = table(headers, shown.select(headers).rows(), right=range(1, len(headers)))
    terminal.result(shown.drop("book", "part").to_dicts(), text)


@portfolio.command(epilog=example("mr portfolio export sensex --out sensex.parquet"))
@click.argument("book")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="A .parquet or .csv file, one column a strategy.",
)  # fmt: skip
@with_terminal
def export(terminal: Terminal, book: str, out: Path) -> None:
    """Write a book as one wide table, for programs that want it so."""
    from mr_platform.gateways.wide_export import write_wide
    from mr_platform.orchestration.strategy_books import read_book, wide_rows

    stored = read_book(_lakehouse(terminal), book)
    frame = wide_rows(stored)
    told = write_wide(frame, out, stored.pnl_unit)
    document = {
        "book": book, "file": str(out), "rows": frame.height,
        "strategies": stored.returns.strategies, "unit": stored.pnl_unit, "unit_in_file": told,
    }  # fmt: skip
    text = facts(document)
    if not told and stored.pnl_unit == "percent":
        text += (
            "\nwarning: a CSV file cannot say that its values are per cent; loaded again, they "
            "would be taken for rupees. Export to NAME.parquet to keep the unit, or load it with "
            "--pnl-unit percent"
        )
    terminal.result(document, text)


@portfolio.command(
    epilog=example(
        "mr portfolio parity sensex", "mr portfolio parity sensex --figures ~/legacy/figures"
    )
)
@click.argument("book")
@click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False),
    help="Folder of recorded legacy figures (default: $MR_RECORDED_FIGURES).",
)  # fmt: skip
@click.option("--violations", is_flag=True, help="List every figure that does not agree.")
@with_terminal
def parity(terminal: Terminal, book: str, figures: Path | None, violations: bool) -> None:
    """Compare a book with recorded legacy figures, within 0.001 %."""
    import polars as pl

    from mr_platform.errors import PlatformError
    from mr_platform.orchestration.book_parity import compare_book, parity_account
    from mr_platform.orchestration.strategy_books import read_book

    folder = figures or terminal.settings.portfolio.recorded_figures
    if folder is None:
        raise PlatformError(
            "no folder of recorded figures is named",
            place="--figures",
            next_step="Name it with --figures, or set MR_RECORDED_FIGURES. Without one the checks "
            "of the book still compare with a second implementation",
        )
    compared = compare_book(read_book(_lakehouse(terminal), book).returns, folder)
    account = parity_account(compared)
    shown = account.with_columns(
        # errors span many powers of ten
        pl.col("worst").map_elements(lambda worst: f"{worst:.1e}", return_dtype=pl.String)
    )
    text = table(list(shown.columns), shown.rows(), right=range(2, 6))
    if violations:
        wrong = compared.filter(~compared["within"].fill_null(True))
        text += "\n\n" + table(list(wrong.columns), wrong.rows())
    terminal.result(account.to_dicts(), text)
    if not bool(compared["within"].fill_null(True).all()):
        terminal.fail()


def _versions(terminal: Terminal) -> dict[str, int]:
    """Versions of the tables that a load writes."""
    from mr_platform.gateways.lakehouse import Lakehouse
    from mr_platform.orchestration.strategy_books import BOOK_TABLES

    lakehouse = Lakehouse(terminal.settings.lakehouse_root, terminal.settings.parquet)
    return {table: lakehouse.version(table) for table in BOOK_TABLES if lakehouse.exists(table)}


def _leave(
    terminal: Terminal,
    landing: StrategyLanding,
    placed: Sequence[PlacedFile],
    declared: WrittenDeclaration | None,
    book: str,
    before: Mapping[str, int],
) -> None:
    """Take the files of a load that was broken off out of landing, unless some of it is stored."""
    from mr_platform.errors import TableError
    from mr_platform.gateways.book_declarations import withdraw

    try:
        written = _versions(terminal) != before
    except TableError:
        written = True
    if written:  # only these files make whole what is stored in part
        terminal.note(
            f"a part of the book {book} may be stored: its files stay in landing; load it again: "
            f"mr portfolio load FILE --book {book}, with a file of it"
        )
    elif withdraw(landing, placed, declared):
        terminal.note(
            f"nothing of the book {book} was changed: the files handed in were taken out of "
            "landing again"
        )


def _run_document(run: BookRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "seconds": round(run.seconds, 3),
        "fault": None if run.fault is None else run.fault.message,
        "loaded": run.facts.get("strategy_returns"),
        "correlation": run.facts.get("correlation_summary"),
        "checks": [
            {
                "asset": one.asset,
                "check": one.check,
                "passed": one.passed,
                "severity": "error" if one.severe else "warning",
                "found": one.sentence,
            }
            for one in run.verdicts
        ],
    }


def _fault_text(book: str, run: BookRun, left: Path | None) -> str:
    """Why a load failed, and what became of the book.

    Args:
        book: The book.
        run: The failed run.
        left: Folder of files that were landed before, or None.
    """
    assert run.fault is not None
    lines = [f"error: {run.fault.message}"]
    if "strategy_returns" in run.facts:
        lines.append(f"the results of the book {book} are stored, not all that is made of them")
    elif run.fault.kind in _FILE_FAULTS:
        lines.append(f"nothing of the book {book} was changed")
    else:
        lines.append(f"the book {book} may be stored in part: load it again once this is mended")
    if left is not None and (left.parent.parent / run.fault.message.partition(": ")[0]).is_file():
        lines.append(
            "the files handed in were taken out of landing again; if it is one of those in "
            f"{left}, landed before, that is wrong, mend or remove it"
        )
    elif left is not None:
        lines.append(
            "the files handed in were taken out of landing again; to put one in the place of a "
            f"landed file, remove that from {left} first"
        )
    return "\n".join(lines)


def _load_text(book: str, run: BookRun) -> str:
    from mr_platform.orchestration.assets.portfolios import BARS_NOT_USED

    told, rho = run.facts["strategy_returns"], run.facts["correlation_summary"]
    shown = facts(
        {
            "book": book,
            "strategies": told["strategies"],
            "rows": told["rows"],
            "unit": told["pnl_unit"],
            "months": f"{told['months'][0]} to {told['months'][-1]}",
            "months written": listing(told["months_replaced"]) or "none: nothing changed",
            "cells taken for 0": told["missing_cells"] + told["unreadable_cells"],
            **_regimes(told),
            "inverted if asked": run.facts["inversions"]["dagster/partition_row_count"],
            "mean correlation": rho["mean"] if rho["mean"] != "" else None,
            "time": duration(run.seconds),
        }
    )
    checks = [
        f"{'error' if one.severe else 'warning'}: {one.asset} {one.check}: {one.sentence}"
        for one in (*run.refused, *run.warned)
    ]
    if BARS_NOT_USED in told:
        checks.append(f"warning: {told[BARS_NOT_USED]}")
    passed = sum(one.passed for one in run.verdicts)
    strategies = int(told["strategies"])
    sizes = "35:40" if strategies > 40 else str(max(2, strategies // 2))
    following = [f"mr portfolio metrics {book}", f"mr portfolio optimize {book} --sizes {sizes}"]
    lines = [shown, "", f"{passed} checks passed", *checks, "", "next"]
    return "\n".join([*lines, *(f"  {command}" for command in following)])


def _regimes(told: Mapping[str, Any]) -> dict[str, str]:
    """How many rows took a regime from bars; nothing where no bars are landed."""
    from mr_platform.orchestration.assets.portfolios import REGIMES_TAKEN

    if REGIMES_TAKEN not in told:
        return {}
    return {"regimes from bars": f"{told[REGIMES_TAKEN]:,} of {told['rows']:,} rows"}
