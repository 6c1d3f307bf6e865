"""``mr ingest``: files into landing, and what they hold into the tables.

Here: the fate of each file, from the path a person named to rows in the option chain.
Not here: copying (``gateways/landing.py``), reading (``chain/``), runs (``orchestration/``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.graph import INGESTED_ASSETS, Graph, open_graph
from mr_platform.cli.materialize import outcome_document, run_with_progress
from mr_platform.cli.terminal import (
    Terminal,
    duration,
    example,
    listing,
    table,
    with_terminal,
)

if TYPE_CHECKING:
    from mr_platform.orchestration.materialization import BatchOutcome, Plan
    from mr_platform.trading_calendar import PartitionKey

_LISTED_FILES = 60


@dataclass
class FileOutcome:
    """What became of one file.

    Attributes:
        source: File as the person named it.
        file: Its path under the landing folder, or None when it was not placed.
        status: ``placed``, ``already there``, ``renamed``, ``skipped`` or ``unusable``.
        fault: Why the file feeds no partition, or None.
        partitions: Partitions it holds rows of.
        rows_in: Its rows, in partitions that are stored.
        rows_good: Those of them in the option chain.
        rows_quarantined: Those of them set apart.
    """

    source: str
    file: str | None
    status: str
    fault: str | None = None
    partitions: list[str] = field(default_factory=list)
    rows_in: int = 0
    rows_good: int = 0
    rows_quarantined: int = 0


@dataclass
class IngestReport:
    """What an ingest did.

    Attributes:
        files: Fate of every file.
        plan: What was to be made of them.
        outcomes: What the runs made.
    """

    files: list[FileOutcome]
    plan: Plan
    outcomes: list[BatchOutcome]

    @property
    def failed(self) -> bool:
        """True when any file or partition failed."""
        return any(file.fault for file in self.files) or any(run.faults for run in self.outcomes)


@click.command(
    epilog=example(
        "mr ingest NIFTY_2025-08-29.parquet",
        "mr ingest ~/downloads/chain archive_2019.tar.gz --json",
    )
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@with_terminal
def ingest(terminal: Terminal, paths: tuple[Path, ...]) -> None:
    """Copy files into landing and materialise the partitions they hold.

    Files, folders and archives (.tar.gz, .zip) may be named. A file that cannot be used is told
    with its fault; the rest goes on.
    """
    with open_graph(terminal) as graph:
        report = ingest_paths(terminal, graph, paths)
    terminal.result(_document(report), _text(report))
    if report.failed:
        terminal.fail()


def ingest_paths(terminal: Terminal, graph: Graph, paths: Iterable[Path]) -> IngestReport:
    """Place files, look into them, and materialise what they hold."""
    from mr_platform.orchestration.asset_selection import require_assets
    from mr_platform.orchestration.materialization import input_versions, plan_materialization

    files = _placed(graph, paths)
    landed = {file.file for file in files if file.file}
    if landed:
        terminal.note(f"looking into {len(landed):,} landed files")
    graph.refresh()
    _tell_faults(graph, files)
    fingerprints = graph.fingerprints()
    held = _partitions_by_file(graph, fingerprints, landed)
    for file in files:
        file.partitions = [str(key) for key in held.get(file.file or "", ())]
    plan = plan_materialization(
        graph.definitions,
        graph.instance,
        require_assets(graph.definitions, INGESTED_ASSETS),
        input_versions(graph.instance, fingerprints),
        asked={key for keys in held.values() for key in keys},
        limit=graph.settings.orchestration.max_partitions_per_run,
    )
    outcomes = run_with_progress(terminal, graph, plan)
    made = [key for outcome in outcomes for key in outcome.made]
    _count_rows(graph, files, [*made, *plan.current])
    return IngestReport(files, plan, outcomes)


def _placed(graph: Graph, paths: Iterable[Path]) -> list[FileOutcome]:
    """Copy every path by itself, so that one that cannot be copied does not stop the others."""
    from mr_platform.errors import PlatformError

    files: list[FileOutcome] = []
    for path in paths:
        before = {file.relative for file in graph.zone.list_files()}
        try:
            placed = graph.zone.place([path])
        except PlatformError as fault:
            step = f". {fault.next_step}" if fault.next_step else ""
            files.append(FileOutcome(str(path), None, "unusable", f"{fault.fault}{step}"))
            after = {file.relative for file in graph.zone.list_files()}
            files += [FileOutcome(str(path), name, "placed") for name in sorted(after - before)]
            continue
        for file in placed:
            told = f"{file.reason}. Land a regular file" if file.reason else None
            files.append(FileOutcome(file.source, file.relative, file.status, told))
        if not placed:
            files.append(
                FileOutcome(
                    str(path), None, "unusable", "holds no file. Name a folder with data files"
                )
            )
    return files


def _tell_faults(graph: Graph, files: Sequence[FileOutcome]) -> None:
    faults = {faulty.relative: faulty.fault for faulty in graph.faulty_files()}
    for file in files:
        if file.file in faults:
            file.status = "unusable"
            file.fault = faults[file.file].removeprefix(f"{file.file}: ")


def _partitions_by_file(
    graph: Graph, fingerprints: Mapping[PartitionKey, str], landed: set[str]
) -> dict[str, list[PartitionKey]]:
    held: dict[str, list[PartitionKey]] = {}
    for key in fingerprints:
        for file in graph.catalogue.files_for(key):
            if file.relative in landed:
                held.setdefault(file.relative, []).append(key)
    for duplicate in graph.catalogue.duplicate_files():
        if duplicate.relative in landed:
            held[duplicate.relative] = held.get(duplicate.same_as, [])
    return held


def _count_rows(graph: Graph, files: Sequence[FileOutcome], keys: Sequence[PartitionKey]) -> None:
    """Rows of each file, as the table of landed files accounts for them."""
    import polars as pl

    if not keys or not graph.lakehouse.exists("landed_files"):
        return
    counted = (
        graph.lakehouse.scan("landed_files", keys)
        .group_by("file")
        .agg(pl.col("rows_in", "rows_good", "rows_quarantined").sum())
        .collect()
    )
    by_file = {row["file"]: row for row in counted.to_dicts()}
    for file in files:
        row = by_file.get(file.file)
        if row is not None:
            file.rows_in = row["rows_in"]
            file.rows_good = row["rows_good"]
            file.rows_quarantined = row["rows_quarantined"]


def _document(report: IngestReport) -> dict[str, Any]:
    return {
        "files": [asdict(file) for file in report.files],
        "current": [str(key) for key in report.plan.current],
        **outcome_document(report.outcomes),
    }


def fault_lines(report: IngestReport) -> list[str]:
    """One line for each file and partition that failed."""
    lines = [f"error: {file.source}: {file.fault}" for file in report.files if file.fault]
    for outcome in report.outcomes:
        for key, fault in sorted(outcome.faults.items()):
            feeding = [file.source for file in report.files if str(key) in file.partitions]
            named = "" if any(name in fault.message for name in feeding) else listing(feeding, 2)
            origin = f" (from {named})" if named else ""
            lines.append(f"error: {key}{origin}: {fault.message}")
    return lines


def _text(report: IngestReport) -> str:
    lines = fault_lines(report)
    usable = [file for file in report.files if not file.fault]
    if usable:
        rows = [
            (
                file.source,
                file.status,
                listing(file.partitions, 2),
                file.rows_in,
                file.rows_good,
                file.rows_quarantined,
            )
            for file in usable[:_LISTED_FILES]
        ]
        headers = ["file", "landing", "partitions", "rows in", "good", "quarantined"]
        lines += ["", table(headers, rows, right=(3, 4, 5))]
        if len(usable) > _LISTED_FILES:
            lines.append(f"… and {len(usable) - _LISTED_FILES:,} more files (--json lists all)")
    made = sum(len(outcome.made) for outcome in report.outcomes)
    failed = sum(len(outcome.faults) for outcome in report.outcomes)
    seconds = sum(outcome.seconds for outcome in report.outcomes)
    faulty = len(report.files) - len(usable)
    lines += [
        "",
        f"{len(usable):,} files usable, {faulty:,} not; {made:,} partitions made in "
        f"{duration(seconds)}, {failed:,} failed, {len(report.plan.current):,} current already",
    ]
    return "\n".join(lines).strip()
