"""``mr portfolio zones``: each zone of the day searched alone.

Here: what it is told, its table, what to do next.
Not here: options that other searches have too (``search_arguments.py``), runs
(``orchestration/book_runs.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.graph import open_graph
from mr_platform.cli.search_arguments import (
    SizesParameter,
    by_algorithm,
    correlation_option,
    drawdown_option,
    holdout_option,
    metric_option,
    multiplier_option,
    parameter_option,
    rules_option,
)
from mr_platform.cli.terminal import Terminal, example, listing, table, with_terminal

if TYPE_CHECKING:
    import polars as pl

_COLUMNS = ("zone", "rows", "size", "fitness", "roi", "max_drawdown", "win_rate", "allocation")
_JSON = ("members", "correlation", "preparation")


@click.command(
    epilog=example(
        "mr portfolio zones enhanced",
        "mr portfolio zones enhanced --sizes 5:8",
        "mr portfolio zones enhanced --holdout 0.25 --rules regime --multiplier bull=1.1",
    )
)
@click.argument("book")
@click.option(
    "--sizes", type=SizesParameter(), default="10,11", show_default=True,
    help="Members of a portfolio; the best size of each zone is kept.",
)  # fmt: skip
@click.option("--algorithm", default="hill_climbing", show_default=True)
@parameter_option
@click.option("--evaluations", type=click.IntRange(min=1), help="Portfolios each search may judge.")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), help="Root of all chance.")
@metric_option
@correlation_option
@drawdown_option
@holdout_option
@rules_option
@multiplier_option
@with_terminal
def zones(
    terminal: Terminal,
    book: str,
    sizes: tuple[int, ...],
    algorithm: str,
    parameters: tuple[tuple[str, str, Any], ...],
    rules: tuple[str, ...] | None,
    multipliers: tuple[tuple[str, float], ...],
    **asked: Any,
) -> None:
    """Search each zone of the day alone, and suggest what share of the capital it gets.

    Zones are those that the files name, or windows of the day (settings, portfolio.zones).
    """
    terminal.require_home()
    from mr_platform.errors import PlatformError
    from mr_platform.orchestration import book_runs
    from mr_platform.orchestration.book_zones import ZoneConfig, require_zones
    from mr_platform.orchestration.strategy_books import read_book, read_part, read_parts
    from mr_platform.portfolio.search.asked_parameters import asked_parameters

    given = by_algorithm(parameters)
    asked_parameters({}, given, [algorithm], "improved")
    config = ZoneConfig(
        algorithm=algorithm,
        sizes=list(sizes),
        parameters=given.get(algorithm, {}),
        row_rules=list(rules or ()),
        regime_multipliers=dict(multipliers),
        **asked,
    )
    with open_graph(terminal) as graph:
        chosen = graph.settings.portfolio
        # refused before anything is run
        require_zones(read_book(graph.lakehouse, book), config, chosen.search, chosen.zones)
        run = book_runs.zones(graph.definitions, graph.instance, book, config)
        if run.fault is not None:
            raise PlatformError(run.fault.message)
        rows = read_part(graph.lakehouse, "zone_portfolios", book)
        searched = not read_parts(graph.lakehouse, "portfolios", book).is_empty()
    document = rows.drop("book", "part").to_dicts()
    for row in document:
        row |= {name: json.loads(row[name]) for name in _JSON}
    doubts = [*(one.sentence for one in run.warned), *fitted_zones(rows)]
    terminal.result(document, _text(book, sizes, rows, doubts, searched=searched))


def fitted_zones(rows: pl.DataFrame) -> list[str]:
    """Zones whose figures are too good to be met again, by the bound that reports have."""
    from mr_platform.portfolio.report_warnings import FITTED_RATIO

    fitted = rows.filter(rows["roi"] > FITTED_RATIO * rows["max_drawdown"])["zone"].to_list()
    if not fitted:
        return []
    return [
        f"zone {listing(fitted)}: ROI is more than {FITTED_RATIO:g} times the deepest fall: "
        "members were chosen until their losses on these rows cancelled; other rows will not be so "
        "kind (`mr portfolio optimize --holdout` shows by how much for whole days)"
    ]


def _text(
    book: str, sizes: Sequence[int], rows: pl.DataFrame, doubts: Sequence[str], *, searched: bool
) -> str:
    from mr_platform.orchestration.search_wording import zone_search_text

    asked = rows.row(0, named=True)
    # a report needs portfolios of whole days as well
    report = [f"  mr portfolio report {book}"] * searched
    several = ",".join(map(str, sizes))
    lines = [
        table(_COLUMNS, rows.select(_COLUMNS).rows(), right=range(1, 8)),
        "",
        f"searched with {asked['algorithm']}, sizes {listing(sizes)}, up to "
        f"{asked['evaluations']:,} evaluations for each zone and size, seed {asked['seed']}",
        zone_search_text(rows),
        *(f"warning: {doubt}" for doubt in doubts),
        "",
        "next",
        *report,
        f"  mr portfolio optimize {book} --zones collapsed --correlation-weight 0 "
        f"--sizes {several}",
    ]
    return "\n".join(lines)
