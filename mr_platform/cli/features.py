"""``mr features``: the declared columns, listed, described, searched.

Here: how a declaration is shown.
Not here: declarations and their rules (``registry/``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.terminal import Terminal, example, facts, table, with_terminal

if TYPE_CHECKING:
    from mr_platform.registry.model import FeatureColumn, RawColumn, Registry


@click.group(epilog=example("mr features list --component c2", "mr features search skew"))
def features() -> None:
    """List, describe and search the declared columns of c1 to c8, labels and the raw chain."""


@features.command("list", epilog=example("mr features list", "mr features list --online"))
@click.option("--component", metavar="NAME", help="Only this component: c1 … c8 or labels.")
@click.option("--online", is_flag=True, help="Only the features served online.")
@with_terminal
def list_features(terminal: Terminal, component: str | None, online: bool) -> None:
    """Columns by component; every name with --component, --online or --json."""
    from mr_platform.registry.loader import load_registry

    terminal.require_named_home()
    registry = load_registry()
    columns = [
        column
        for column in _feature_columns(registry)
        if (component is None or column.component == component) and (column.online or not online)
    ]
    if component is not None and not any(
        column.component == component for column in _feature_columns(registry)
    ):
        raise click.BadParameter(
            f"{component!r} is no component; declared: {', '.join(registry.components)}, labels",
            param_hint="--component",
        )
    document = {"count": len(columns), "columns": [column.to_dict() for column in columns]}
    if component is None and not online:
        terminal.result(document, _totals(registry))
        return
    terminal.result(document, f"{_rows(columns)}\n\n{len(columns):,} columns")


@features.command(epilog=example("mr features describe c1_momentum_score"))
@click.argument("name")
@with_terminal
def describe(terminal: Terminal, name: str) -> None:
    """Everything declared about one column."""
    from mr_platform.errors import PlatformError
    from mr_platform.registry.loader import load_registry

    terminal.require_named_home()
    registry = load_registry()
    for column in _feature_columns(registry):
        if column.name == name:
            terminal.result(column.to_dict(), _described(column))
            return
    for raw in registry.raw_chain.canonical:
        if name in (raw.name, raw.source):
            fields = dataclasses.asdict(raw)
            terminal.result(fields, _listed({"name": raw.name, **fields}))
            return
    from difflib import get_close_matches

    known = [column.name for column in _feature_columns(registry)]
    known += [raw.name for raw in registry.raw_chain.canonical]
    near = get_close_matches(name, known, n=3)
    raise PlatformError(
        "no such column is declared",
        place=name,
        next_step=f"Near: {', '.join(near)}" if near else "Try `mr features search WORD`",
        misused=True,
    )


@features.command(epilog=example("mr features search skew", "mr features search vwap slope"))
@click.argument("words", nargs=-1, required=True, metavar="WORD…")
@with_terminal
def search(terminal: Terminal, words: tuple[str, ...]) -> None:
    """Columns whose name, definition, block or unit holds every WORD."""
    from mr_platform.registry.loader import load_registry

    terminal.require_named_home()
    registry = load_registry()
    wanted = [word.lower() for word in words]
    found = [
        column
        for column in _feature_columns(registry)
        if all(
            word in f"{column.name} {column.definition} {column.block} {column.unit}".lower()
            for word in wanted
        )
    ]
    raw = [
        column
        for column in registry.raw_chain.canonical
        if all(word in f"{column.name} {column.meaning}".lower() for word in wanted)
    ]
    document = {
        "features": [column.to_dict() for column in found],
        "raw_chain": [dataclasses.asdict(column) for column in raw],
    }
    parts = [part for part in (_rows(found), _raw_rows(raw)) if part]
    count = f"{len(found):,} features, {len(raw):,} columns of the option chain"
    terminal.result(document, "\n\n".join([*parts, count]))
    if not found and not raw:
        terminal.fail()


def _feature_columns(registry: Registry) -> list[FeatureColumn]:
    return [*registry.features, *registry.labels.columns]


def _totals(registry: Registry) -> str:
    components = [*registry.components.values(), registry.labels]
    rows = [
        (
            component.name,
            component.title,
            len(component.columns),
            sum(column.online for column in component.columns),
            component.table,
        )
        for component in components
    ]
    text = table(["component", "title", "columns", "online", "table"], rows, right=(2, 3))
    return (
        f"{text}\n\n{len(registry.features):,} features, {len(registry.online):,} online; "
        f"{len(registry.raw_chain.columns)} columns in the raw chain"
    )


def _rows(columns: Sequence[FeatureColumn]) -> str:
    if not columns:
        return ""
    return table(
        ["name", "type", "unit", "range", "look-back", "online"],
        [
            (
                column.name,
                column.dtype,
                column.unit,
                column.range_text(),
                column.lookback.text(),
                "online" if column.online else "",
            )
            for column in columns
        ],
    )


def _raw_rows(columns: Sequence[RawColumn]) -> str:
    if not columns:
        return ""
    rows = [(column.name, column.dtype, column.unit, column.meaning) for column in columns]
    return table(["option chain column", "type", "unit", "meaning"], rows)


def _described(column: FeatureColumn) -> str:
    return _listed(
        {
            "name": column.name,
            "component": f"{column.component}, block {column.block}, family {column.family}",
            "type": f"{column.dtype}, {column.unit}",
            "range": column.range_text(),
            "definition": column.definition,
            "look-back": column.lookback.text(),
            "minimum": f"{column.min_periods} {column.min_periods_counts}"
            + (f", {column.min_strikes} strikes" if column.min_strikes else ""),
            "scope": column.scope,
            "null when": column.null_policy,
            "online": column.online,
            "reads": ", ".join(column.reads),
            "reference": column.reference,
            "decision": column.decision,
        }
    )


def _listed(fields: dict[str, Any]) -> str:
    return facts({name: value for name, value in fields.items() if value not in ("", None, ())})
