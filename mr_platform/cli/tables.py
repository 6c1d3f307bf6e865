"""``mr table``: what a Delta table went through, how to keep it tidy, how to take it back.

Here: arguments, confirmation, texts.
Not here: Delta itself (``gateways/lakehouse.py``).
"""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.arguments import NAMES
from mr_platform.cli.terminal import Terminal, example, facts, table, with_terminal

if TYPE_CHECKING:
    from mr_platform.gateways.lakehouse import Lakehouse

_HEADERS = ("table", "version", "partitions", "rows", "first", "last", "where")


@click.group("table", epilog=example("mr table list", "mr table history option_chain"))
def table_group() -> None:
    """History, restore, compaction and vacuum of the lakehouse tables."""


def _lakehouse(terminal: Terminal) -> Lakehouse:
    from mr_platform.gateways.lakehouse import Lakehouse

    settings = terminal.existing_home
    return Lakehouse(settings.lakehouse_root, settings.parquet)


@table_group.command("list", epilog=example("mr table list", "mr table list --json"))
@with_terminal
def list_tables(terminal: Terminal) -> None:
    """Tables with their version, partitions and rows.

    A table that cannot be read is told with its fault, and the others are listed all the same.
    """
    lakehouse = _lakehouse(terminal)
    document = [_entry(lakehouse, name) for name in lakehouse.tables()]
    rows = [[entry[header] for header in _HEADERS] for entry in document]
    empty = f"no tables yet in {terminal.settings.lakehouse_root}; land files with `mr ingest PATH`"
    parts = [table(_HEADERS, rows, right=(1, 2, 3)) if rows else empty]
    faults = [entry["fault"] for entry in document if entry["fault"]]
    parts += ["\n".join(f"error: {fault}" for fault in faults)] if faults else []
    terminal.result(document, "\n\n".join(parts))
    if faults:
        terminal.fail()


def _entry(lakehouse: Lakehouse, name: str) -> dict[str, Any]:
    """What is listed of one table; ``fault`` is None where it can be read."""
    from mr_platform.errors import PlatformError

    entry: dict[str, Any] = {"table": name, **dict.fromkeys(_HEADERS[1:]), "fault": None}
    entry["where"] = lakehouse.uri(name)
    try:
        counts = lakehouse.read_partition_counts(name)
        entry["version"] = lakehouse.version(name)
    except PlatformError as fault:
        entry["fault"] = str(fault)
        return entry
    # of a table by symbol and date its days, of one by book its months or sizes
    inner = counts[counts.columns[1]]
    return entry | {
        "partitions": counts.height,
        "rows": int(counts["rows"].sum()),
        "first": inner.min(),
        "last": inner.max(),
    }


@table_group.command(epilog=example("mr table history option_chain --limit 5"))
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@with_terminal
def history(terminal: Terminal, name: str, limit: int) -> None:
    """Versions of a table, newest first."""
    versions = [dataclasses.asdict(entry) for entry in _lakehouse(terminal).history(name, limit)]
    headers = [key for key in (versions[0] if versions else {}) if key != "info"]
    rows = [[_short(entry[header]) for header in headers] for entry in versions]
    terminal.result(versions, table(headers, rows, right=(0,)))


@table_group.command(epilog=example("mr table restore option_chain 12 --yes"))
@click.argument("name")
@click.argument("version", type=click.IntRange(min=0))
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_terminal
def restore(terminal: Terminal, name: str, version: int, yes: bool) -> None:
    """Make an earlier version the newest one; a commit of its own, so it can be undone.

    Only this table goes back: `mr status` and the UI tell what runs made, not what a table holds.
    """
    lakehouse = _lakehouse(terminal)
    newest = lakehouse.version(name)
    if not yes:
        question = f"Make version {version} of {name} the newest one (now {newest})?"
        _confirm(terminal, question)
    report = lakehouse.restore(name, version, commit_info={"restored_by": "mr table restore"})
    _tell(
        terminal,
        {"table": name, "was_version": newest, **dataclasses.asdict(report)},
        f"{name} is again as it was in version {version}; undo: mr table restore {name} {newest}\n"
        "runs and checks are as before: `mr status` still tells the latest runs, and "
        "`mr materialize … --force` makes partitions anew",
    )


@table_group.command(
    epilog=example(
        "mr table optimize option_chain", "mr table optimize option_chain --zorder strike"
    )
)
@click.argument("name")
@click.option(
    "--zorder", type=NAMES, default=None, help="Columns to lay out along a z-order curve."
)
@with_terminal
def optimize(terminal: Terminal, name: str, zorder: tuple[str, ...] | None) -> None:
    """Join the small files of each partition; rows stay the same."""
    report = _lakehouse(terminal).optimize(name, zorder or ())
    _tell(terminal, {"table": name, **dataclasses.asdict(report)}, f"{name} is compacted")


@table_group.command(
    epilog=example("mr table vacuum option_chain", "mr table vacuum option_chain --delete")
)
@click.argument("name")
@click.option(
    "--retention-hours",
    type=click.IntRange(min=0),
    default=168,
    show_default=True,
    help="Keep files that a version of the last hours names.",
)
@click.option("--delete", is_flag=True, help="Delete; without it the files are only listed.")
@click.option(
    "--force", is_flag=True, help="Allow less than 168 hours, when nobody else uses the table."
)
@with_terminal
def vacuum(terminal: Terminal, name: str, retention_hours: int, delete: bool, force: bool) -> None:
    """Find files that no recent version names, and delete them with --delete."""
    report = _lakehouse(terminal).vacuum(name, retention_hours, dry_run=not delete, force=force)
    hint = "deleted" if delete else "to be deleted; nothing was touched, add --delete to do it"
    _tell(terminal, {"table": name, **dataclasses.asdict(report)}, f"files of {name}: {hint}")


def _confirm(terminal: Terminal, question: str) -> None:
    if terminal.as_json or not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody can be asked here; add --yes.")
    click.confirm(question, abort=True, err=True)


def _tell(terminal: Terminal, document: dict[str, Any], headline: str) -> None:
    shown = {key: _short(value) for key, value in document.items()}
    terminal.result(document, f"{headline}\n\n{facts(shown)}")


def _short(value: Any) -> Any:
    """Lists by their length, mappings as pairs: a table line stays a line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={entry}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return len(value)
    return value
