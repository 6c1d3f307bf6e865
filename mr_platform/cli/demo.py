"""``mr demo``: files in, graph over them, a summary that a person can read.

Here: which files the demo takes, the summary.
Not here: strategy portfolios (``cli/portfolio_demo.py``), landing and runs (``cli/ingest.py``), how
simulated days are made (``simulation/``).
"""

from __future__ import annotations

import datetime as dt
import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.day import write_day
from mr_platform.cli.feature_summary import (
    FeatureSummary,
    component_tables,
    feature_summaries,
    feature_table,
)
from mr_platform.cli.graph import open_graph
from mr_platform.cli.ingest import fault_lines, ingest_paths
from mr_platform.cli.materialize import fault_lines as partition_fault_lines
from mr_platform.cli.materialize import run_with_progress
from mr_platform.cli.portfolio_demo import (
    PortfolioSummary,
    next_commands,
    portfolio_document,
    portfolio_summary,
    portfolio_text,
)
from mr_platform.cli.terminal import Terminal, duration, example, facts, table, with_terminal

if TYPE_CHECKING:
    from mr_platform.cli.graph import Graph
    from mr_platform.trading_calendar import PartitionKey

RAW_FORMS_HOME = "raw-forms"
ARCHIVES_HOME = "snapshot-csvs"
"""Further homes of the demo: one partition is fed by one dialect, so the same days in the
sources' own forms, and again as the snapshot pages they were made of, need tables of their own."""

FEATURE_DAYS = 6
"""Latest days whose features the demo computes; the days before are a command away."""

SIMULATED_DAYS = 5
SIMULATED_FROM = dt.date(2024, 1, 15)
SIMULATED_SEED = 20_240_115
# one file a symbol of the last day has bad rows; a further file is cut off
_BAD_ROWS = ("negative_prices", "duplicate_rows")
_BAD_FILE = "truncated_gz"
# index spot bars are no option chain
_NOT_CHAINS = ("index_1min",)
_ARCHIVES = (".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True)
class Summary:
    """What one home of the demo holds in the end.

    Attributes:
        title: Which files these are.
        home: The home folder.
        days: Trading days stored.
        symbols: Symbols stored.
        partitions: Partitions stored.
        rows_in: Input rows of the stored partitions.
        rows_good: Those merged into the option chain.
        quarantined: Quarantined rows by reason, most frequent first.
        checks: Verdicts: passed, warned, failed.
        faults: One line for each file or partition that failed.
        seconds: Wall time.
        features: What the feature tables hold; empty where the demo stops at the chain.
        page: Page with the picture of the latest day; None where there are no features.
    """

    title: str
    home: Path
    days: int
    symbols: tuple[str, ...]
    partitions: int
    rows_in: int
    rows_good: int
    quarantined: dict[str, int]
    checks: dict[str, int]
    faults: list[str]
    seconds: float
    features: tuple[FeatureSummary, ...] = ()
    page: Path | None = None


@click.command(epilog=example("mr demo", "mr demo --days 3", "mr demo --data /data/nse --json"))
@click.option("--days", type=click.IntRange(min=1), help="Only the latest N days of the files.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with options/chain and strategies (default: $MR_TEST_DATA, else ../shared/data).",
)
@with_terminal
def demo(terminal: Terminal, days: int | None, data: Path | None) -> None:
    """Land several days of files, run the graph up to the features, tell what came out.

    Then load a file of strategy results and search portfolios of one size. Real files are taken
    where a data folder exists, simulated ones otherwise.
    """
    folder = find_real_data(data)
    if folder is None:
        summaries = [_simulated(terminal, days or SIMULATED_DAYS)]
    else:
        summaries = [_real_chain(terminal, folder, days)]
        home = terminal.settings.home
        for title, name, paths in (
            ("the sources' own forms of the same days", RAW_FORMS_HOME, _raw_forms(folder, days)),
            ("untouched snapshot pages of one day", ARCHIVES_HOME, _archives(folder)),
        ):
            if paths:
                summaries.append(_ingested(terminal.at(home / name), title, paths))
    portfolios = portfolio_summary(terminal, folder)
    document = {
        "summaries": [_summary_document(summary) for summary in summaries],
        "portfolios": portfolio_document(portfolios),
    }
    terminal.result(document, _text(summaries, portfolios))
    if portfolios.faults or not any(summary.partitions for summary in summaries):
        terminal.fail()


def find_real_data(named: Path | None) -> Path | None:
    """Folder of real files, or None where there is none.

    Raises:
        PlatformError: A folder was named, and it holds no option chain.
    """
    from mr_platform.errors import PlatformError

    told = named or (Path(os.environ["MR_TEST_DATA"]) if os.environ.get("MR_TEST_DATA") else None)
    if told is not None:
        if not (told / "options" / "chain").is_dir():
            raise PlatformError(
                "holds no folder options/chain",
                place=str(told),
                next_step="Name the folder above options/chain, or leave it to simulated files",
            )
        return told
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return beside if (beside / "options" / "chain").is_dir() else None


def _real_chain(terminal: Terminal, folder: Path, days: int | None) -> Summary:
    chain = folder / "options" / "chain"
    paths = [chain] if days is None else _latest(sorted(chain.rglob("*.parquet")), days)
    return _ingested(terminal, f"real option-chain files of {chain}", paths, features=True)


def _raw_forms(folder: Path, days: int | None) -> list[Path]:
    """Folders and files of the sources' own forms, without archives of pages."""
    raw = folder / "options" / "raw"
    if not raw.is_dir():
        return []
    parts = [
        part
        for form in sorted(raw.iterdir())
        if form.is_dir() and form.name not in _NOT_CHAINS
        for part in sorted(form.iterdir())
        if not part.name.endswith(_ARCHIVES)
    ]
    if days is None:
        return parts
    files = [part for part in parts if part.is_file()]
    files += [file for part in parts for file in sorted(part.rglob("*")) if file.is_file()]
    return _latest(files, days)


def _archives(folder: Path) -> list[Path]:
    raw = folder / "options" / "raw"
    return sorted(path for path in raw.rglob("*") if path.name.endswith(_ARCHIVES))


def _simulated(terminal: Terminal, days: int) -> Summary:
    """Days of both symbols; the last day with bad rows, and one file that is cut off."""
    from mr_platform.simulation.chain_day import simulate
    from mr_platform.simulation.day_files import WriteProgress, write_days
    from mr_platform.trading_calendar import SYMBOLS, next_trading_day

    settings = terminal.settings
    out = settings.home / "simulated"
    calendar = [SIMULATED_FROM]
    while len(calendar) <= days:
        calendar.append(next_trading_day(calendar[-1]))
    written = [
        (calendar[:-2], SYMBOLS, "legacy_parquet", ()),
        (calendar[-2:-1], SYMBOLS, "legacy_csv", _BAD_ROWS),
        (calendar[-1:], SYMBOLS[:1], "legacy_csv_gz", (_BAD_FILE,)),
    ]
    files: list[Path] = []
    terminal.note(f"no real files were found: simulating {days} days of {' and '.join(SYMBOLS)}")
    total = sum(len(dates) * len(symbols) for dates, symbols, _, _ in written)
    with terminal.progress("simulating", total) as advance:

        def on_day(state: WriteProgress) -> None:
            advance(1, str(state.key))

        for dates, symbols, dialect, faults in written:
            if not dates:
                continue
            made = simulate(symbols, dates[0], dates[-1], SIMULATED_SEED, market=settings.market)
            report = write_days(
                made, out, dialect, faults=faults, seed=SIMULATED_SEED, on_day=on_day
            )
            files += [file.path for file in report.files]
    return _ingested(terminal, f"simulated files of {out}", files, features=True)


def _latest(files: Sequence[Path], days: int) -> list[Path]:
    """Files of the latest days that their names tell."""
    told = {
        file: "".join(found.groups())
        for file in files
        if (found := re.search(r"(20\d\d)-?(\d\d)-?(\d\d)", file.name))
    }
    latest = set(sorted(set(told.values()))[-days:])
    return [file for file in files if told.get(file) in latest]


def _ingested(
    terminal: Terminal, title: str, paths: Sequence[Path], *, features: bool = False
) -> Summary:
    started = time.monotonic()
    terminal.note(f"{title} → {terminal.settings.home}")
    with open_graph(terminal) as graph:
        report = ingest_paths(terminal, graph, paths)
        made = [key for outcome in report.outcomes for key in outcome.made]
        keys = sorted({*made, *report.plan.current})
        faults = fault_lines(report)
        told: tuple[FeatureSummary, ...] = ()
        page = None
        if features and keys:
            told, more = _features(terminal, graph, keys)
            faults += more
            page = _page(graph, keys)
        return _summary(terminal, graph, faults, keys, title, started, told, page)


def _features(
    terminal: Terminal, graph: Graph, keys: Sequence[PartitionKey]
) -> tuple[tuple[FeatureSummary, ...], list[str]]:
    """Panel, history and components of the latest days, made through the graph.

    Returns:
        What each component's table holds, and one line for each partition that failed.
    """
    from mr_platform.orchestration.asset_selection import require_assets, stages
    from mr_platform.orchestration.materialization import input_versions, plan_materialization

    latest = set(sorted({key.date for key in keys})[-FEATURE_DAYS:])
    chosen = [key for key in keys if key.date in latest]
    terminal.note(f"features of {len(chosen):,} partitions: panel and history, then c1 to c8")
    faults: list[str] = []
    # the first stage is the raw tables, which are made
    for stage in stages(require_assets(graph.definitions, ["+c8_features"]))[1:]:
        plan = plan_materialization(
            graph.definitions,
            graph.instance,
            stage,
            input_versions(graph.instance, graph.fingerprints()),
            asked=chosen,
            limit=graph.settings.orchestration.max_partitions_per_run,
        )
        faults += partition_fault_lines(run_with_progress(terminal, graph, plan))
    return feature_summaries(graph, component_tables(), chosen), faults


def _page(graph: Graph, keys: Sequence[PartitionKey]) -> Path | None:
    """The page of the latest day whose panel was made."""
    from mr_platform.orchestration.day_tables import read_day
    from mr_platform.orchestration.materialization_events import partition_facts_told

    made = partition_facts_told(graph.instance, "minute_panel", keys)
    with_rows = [key for key, told in made.items() if told["dagster/partition_row_count"]]
    if not with_rows:
        return None
    read = read_day(graph.lakehouse, max(with_rows))
    return write_day(read, graph.settings.pictures_dir)[0]


def _summary(
    terminal: Terminal,
    graph: Graph,
    faults: list[str],
    keys: Sequence[PartitionKey],
    title: str,
    started: float,
    features: tuple[FeatureSummary, ...],
    page: Path | None,
) -> Summary:
    rows_in, rows_good, quarantined = _rows(graph, keys)
    return Summary(
        title=title,
        home=terminal.settings.home,
        days=len({key.date for key in keys}),
        symbols=tuple(sorted({key.symbol for key in keys})),
        partitions=len(keys),
        rows_in=rows_in,
        rows_good=rows_good,
        quarantined=quarantined,
        checks=_checks(graph, keys),
        faults=faults,
        seconds=time.monotonic() - started,
        features=features,
        page=page,
    )


def _rows(graph: Graph, keys: Sequence[PartitionKey]) -> tuple[int, int, dict[str, int]]:
    import polars as pl

    if not keys:
        return 0, 0, {}
    files = graph.lakehouse.scan("landed_files", keys)
    counted = files.select(pl.col("rows_in", "rows_good").sum()).collect().row(0)
    reasons = (
        graph.lakehouse.scan("quarantined_rows", keys)
        .group_by("reason")
        .agg(rows=pl.len().cast(pl.Int64))
        .sort(["rows", "reason"], descending=[True, False])
        .collect()
    )
    return counted[0], counted[1], dict(reasons.rows())


def _checks(graph: Graph, keys: Sequence[PartitionKey]) -> dict[str, int]:
    from mr_platform.orchestration.partition_status import check_counts

    wanted = {str(key) for key in keys}
    check_keys = graph.definitions.resolve_asset_graph().asset_check_keys
    counts = check_counts(graph.instance, check_keys, wanted).values()
    return {
        "passed": sum(count.passed for count in counts),
        "warned": sum(len(count.warned) for count in counts),
        "failed": sum(len(count.failed) for count in counts),
    }


def _summary_document(summary: Summary) -> dict[str, Any]:
    return {
        "title": summary.title,
        "home": str(summary.home),
        "days": summary.days,
        "symbols": list(summary.symbols),
        "partitions": summary.partitions,
        "rows_in": summary.rows_in,
        "rows_good": summary.rows_good,
        "rows_quarantined": sum(summary.quarantined.values()),
        "quarantined_by_reason": summary.quarantined,
        "checks": summary.checks,
        "faults": summary.faults,
        "seconds": round(summary.seconds, 1),
        "features": [asdict(table) for table in summary.features],
        "page": None if summary.page is None else str(summary.page),
    }


def _text(summaries: Sequence[Summary], portfolios: PortfolioSummary) -> str:
    parts = [*(_one(summary) for summary in summaries), portfolio_text(portfolios)]
    first = summaries[0]
    home = f" --home {first.home}"
    parts.append(
        "next\n"
        "  make ui                      the asset graph, partitions and checks in the browser\n"
        f"  mr status{home}\n"
        f"  mr quarantine show{home}\n"
        f"  mr materialize +c8_features{home}    the features of every other day\n"
        f"  mr table history option_chain{home}\n"
        f"  mr ingest YOUR_FILES{home}"
        + "".join(f"\n  {command}" for command in next_commands(portfolios))
    )
    return "\n\n".join(parts)


def _one(summary: Summary) -> str:
    quarantined = sum(summary.quarantined.values())
    shown = facts(
        {
            "materialised": f"{summary.partitions:,} partitions: {summary.days:,} days, "
            f"{' and '.join(summary.symbols) or 'no symbol'}",
            "rows in": summary.rows_in,
            "rows good": summary.rows_good,
            "rows quarantined": quarantined,
            "checks": ", ".join(f"{n:,} {verdict}" for verdict, n in summary.checks.items()),
            "time": duration(summary.seconds),
            "tables": str(summary.home / "lakehouse"),
        }
    )
    lines = [summary.title, "", shown]
    if summary.quarantined:
        rows = list(summary.quarantined.items())
        lines += ["", table(["quarantined because", "rows"], rows, right=(1,))]
    if summary.features:
        lines += ["", feature_table(summary.features)]
    if summary.page is not None:
        lines += ["", f"the latest day as a picture: {summary.page}"]
    if summary.faults:
        lines += ["", f"refused, as it should be ({len(summary.faults):,}):"]
        lines += [f"  {line.removeprefix('error: ')}" for line in summary.faults[:8]]
        if len(summary.faults) > 8:
            lines.append(f"  … and {len(summary.faults) - 8:,} more (--json lists all)")
    return "\n".join(lines)
