"""``mr status``: partitions by asset, checks, staleness, faulty files, damaged tables, books.

Here: what is shown of it.
Not here: reading the event log (``orchestration/partition_status.py``), how books stand
(``orchestration/book_status.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.arguments import NAMES
from mr_platform.cli.graph import INGESTED_ASSETS, open_graph
from mr_platform.cli.portfolio_books import (
    books_document,
    books_text,
    states_of,
    stray_files,
    stray_lines,
)
from mr_platform.cli.terminal import Terminal, cell, example, table, with_terminal

if TYPE_CHECKING:
    from mr_platform.gateways.lakehouse import Lakehouse
    from mr_platform.gateways.landing import FaultyFile
    from mr_platform.orchestration.book_status import BookState
    from mr_platform.orchestration.partition_status import AssetStatus

_SHOWN = 10


@click.command(epilog=example("mr status", "mr status --asset option_chain --json"))
@click.option("--asset", "assets", type=NAMES, help="Only these assets.")
@with_terminal
def status(terminal: Terminal, assets: tuple[str, ...] | None) -> None:
    """Partitions by asset: made, stale, failed, waiting; checks; faulty files, tables; books.

    A partition is stale when its definition changed since it was made, or when other files feed
    it now. `mr materialize ASSET --stale` makes exactly the stale ones again.
    """
    home = str(terminal.existing_home.home)
    from mr_platform.orchestration.asset_selection import named_assets
    from mr_platform.orchestration.input_versions import InputVersions
    from mr_platform.orchestration.interrupted_runs import interrupted_partitions
    from mr_platform.orchestration.partition_status import (
        materializable_assets,
        read_asset_status,
    )
    from mr_platform.orchestration.partitions import split_by_opening
    from mr_platform.registry.portfolio_tables import load_portfolio_tables

    with open_graph(terminal) as graph:
        chosen = (
            named_assets(graph.definitions, assets)
            if assets
            else materializable_assets(graph.definitions)
        )
        graph.refresh()
        landed = graph.fingerprints()
        fingerprints = {str(key): landed[key] for key in split_by_opening(landed)[0]}
        versions = InputVersions(graph.instance, fingerprints)
        found = [
            read_asset_status(graph.definitions, graph.instance, name, versions.of(name))
            for name in chosen
        ]
        stopped = {
            asset.asset: interrupted_partitions(graph.instance, asset.asset, asset.failed)
            for asset in found
        }
        faulty = graph.faulty_files()
        damaged = _damaged_tables(graph.lakehouse, chosen)
        states: list[BookState] = []
        stray: list[str] = []
        if not assets:  # who names assets of dates and symbols does not ask for books
            damaged |= _damaged_tables(graph.lakehouse, list(load_portfolio_tables()))
            states = states_of(graph.settings, graph.instance)
            stray = stray_files(graph.settings)
    # what was interrupted has not failed: it is made when it is asked for again
    found = [
        dataclasses.replace(
            asset, failed=tuple(key for key in asset.failed if key not in stopped[asset.asset])
        )
        for asset in found
    ]
    document = {
        "home": home,
        "partitions_with_input": len(fingerprints),
        "assets": [
            {**dataclasses.asdict(asset), "interrupted": stopped[asset.asset]} for asset in found
        ],
        "faulty_files": [dataclasses.asdict(file) for file in faulty],
        "damaged_tables": damaged,
        "books": books_document(states),
        "stray_files": stray,
    }
    text = _text(home, found, faulty, stopped, damaged, states, stray)
    terminal.result(document, text)


def _damaged_tables(lakehouse: Lakehouse, names: Sequence[str]) -> dict[str, str]:
    """Tables of these names that cannot be read, each with its fault."""
    from mr_platform.errors import TableError

    damaged = {}
    for name in names:
        try:
            if lakehouse.exists(name):
                lakehouse.version(name)
        except TableError as fault:
            damaged[name] = str(fault)
    return damaged


def _text(
    home: str,
    found: Sequence[AssetStatus],
    faulty: Sequence[FaultyFile],
    interrupted: Mapping[str, Mapping[str, str]],
    damaged: Mapping[str, str],
    states: Sequence[BookState] = (),
    stray: Sequence[str] = (),
) -> str:
    parts = [f"home {home}", _assets(found)]
    checks = _checks(found)
    if checks:
        parts.append(checks)
    parts += [*_stale(found), *_failed(found), *_interrupted(interrupted)]
    if damaged:
        lines = [f"  {fault}" for fault in damaged.values()]
        parts.append("\n".join([f"damaged tables: {len(damaged):,}", *lines]))
    if faulty:
        lines = [f"  {file.fault}  (seen {cell(file.seen_at)})" for file in faulty[:_SHOWN]]
        parts.append(_cut([f"faulty files in landing: {len(faulty):,}", *lines], len(faulty)))
    if states:
        parts.append(books_text(states))
    if stray:
        parts.append("\n".join(stray_lines(stray)))
    # what was refused is not waiting: made again from the same files it fails again
    lacking = {asset.asset: set(asset.missing) - set(asset.failed) for asset in found}
    waiting = {key for keys in lacking.values() for key in keys}
    stale = [asset.asset for asset in found if asset.stale]
    failed = [asset for asset in found if asset.failed]
    if waiting:
        asked = _to_make([asset for asset in found if lacking[asset.asset]], found)
        parts.append(f"next: mr materialize {asked}   ({len(waiting):,} are waiting)")
    elif stale:
        parts.append(f"next: mr materialize {','.join(stale)} --stale")
    elif failed:
        parts.append(f"next: mend what failed, then mr materialize {_to_make(failed, found)}")
    return "\n\n".join(parts)


def _to_make(chosen: Sequence[AssetStatus], found: Sequence[AssetStatus]) -> str:
    """What to name so that these are made: the judged raw table, or all up to the last asset.

    Beyond the raw tables each table made lets others follow; one command names them all.
    """
    judged = max(chosen, key=lambda asset: len(asset.checks)).asset
    return judged if judged in INGESTED_ASSETS else f"+{found[-1].asset}"


def _assets(found: Sequence[AssetStatus]) -> str:
    rows = [
        (
            asset.asset,
            len(asset.materialized),
            len(asset.stale),
            len(asset.failed),
            len(asset.running),
            len(asset.missing),
        )
        for asset in found
    ]
    headers = ["asset", "made", "stale", "failed", "running", "with input, not made"]
    return table(headers, rows, right=(1, 2, 3, 4, 5))


def _checks(found: Sequence[AssetStatus]) -> str:
    """Verdicts by asset; each check that is not passed everywhere on a line of its own."""
    rows: list[tuple[Any, ...]] = []
    for asset in found:
        if not asset.checks:
            continue
        counts = asset.checks.values()
        rows.append(
            (
                f"{asset.asset}: {len(asset.checks)} checks",
                sum(count.passed for count in counts),
                sum(len(count.warned) for count in counts),
                sum(len(count.failed) for count in counts),
            )
        )
        rows += [
            (f"  {name}", count.passed, len(count.warned), len(count.failed))
            for name, count in asset.checks.items()
            if count.warned or count.failed
        ]
    headers = ["verdicts", "passed", "warned", "failed"]
    return table(headers, rows, right=(1, 2, 3)) if rows else ""


def _stale(found: Sequence[AssetStatus]) -> list[str]:
    """Stale partitions with the reason."""
    return _by_reasons("stale", {asset.asset: asset.stale for asset in found})


def _interrupted(reasons: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Partitions whose run was broken off."""
    return _by_reasons("interrupted", reasons)


def _by_reasons(state: str, reasons: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Partitions with reasons; assets of one computation share them, and are told once."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for asset, told in reasons.items():
        if told:
            groups.setdefault(tuple(told.items()), []).append(asset)
    parts = []
    for pairs, names in groups.items():
        lines = [f"{state} partitions of {', '.join(names)}:"]
        lines += [f"  {key}  {reason}" for key, reason in pairs[:_SHOWN]]
        parts.append(_cut(lines, len(pairs)))
    return parts


def _failed(found: Sequence[AssetStatus]) -> list[str]:
    """Failed partitions with the reason; assets made together fail together, and are told once."""
    reasons: dict[str, str] = {}
    groups: dict[tuple[str, ...], list[str]] = {}
    for asset in found:
        refused = {
            key: text for counts in asset.checks.values() for key, text in counts.failed.items()
        }
        reasons |= refused
        if keys := tuple(sorted({*asset.failed, *refused})):
            groups.setdefault(keys, []).append(asset.asset)
    parts = []
    for keys, names in groups.items():
        lines = [f"failed partitions of {', '.join(names)}:"]
        lines += [
            f"  {key}  {reasons.get(key, 'the run failed')}".replace(f"{key}: ", "")
            for key in keys[:_SHOWN]
        ]
        parts.append(_cut(lines, len(keys)))
    return parts


def _cut(lines: list[str], total: int) -> str:
    more = f"\n  … and {total - _SHOWN:,} more (--json lists all)" if total > _SHOWN else ""
    return "\n".join(lines) + more
