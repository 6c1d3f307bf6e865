"""The asset graph in the diff: keys, groups, dependencies, checks, jobs, sensors, schedules.

A change of the graph shows in ``asset_graph.json``; ``make snapshot`` records a wanted one.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

import dagster as dg

from mr_platform.definitions import defs

SNAPSHOT = Path(__file__).with_name("asset_graph.json")


def graph_as_data(definitions: dg.Definitions) -> dict[str, Any]:
    """What the snapshot freezes, in plain types and a fixed order."""
    graph = definitions.resolve_asset_graph()
    assets = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "kind": "materialised" if node.is_materializable else "external",
            "depends_on": sorted(parent.to_user_string() for parent in node.parent_keys),
            "checks": {
                check.name: "blocking" if _blocks(graph, check) else "warning"
                for check in sorted(node.check_keys)
            },
            "dimensions": _dimensions(node.partitions_def),
            "partitions_per_run": getattr(node.backfill_policy, "max_partitions_per_run", None),
            "owners": sorted(node.owners),
            "kinds": sorted(node.kinds or ()),
        }
    return {
        "assets": assets,
        "jobs": sorted(job.name for job in definitions.jobs or ()),
        "sensors": sorted(sensor.name for sensor in definitions.sensors or ()),
        "schedules": {
            schedule.name: f"{schedule.cron_schedule} {schedule.execution_timezone or 'UTC'}"
            for schedule in definitions.schedules or ()
        },
    }


def test_the_asset_graph_is_the_recorded_one() -> None:
    current = json.dumps(graph_as_data(defs), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("MR_UPDATE_SNAPSHOT") == "1":
        SNAPSHOT.write_text(current, "utf-8")
    recorded = SNAPSHOT.read_text("utf-8")
    changes = "".join(
        difflib.unified_diff(
            recorded.splitlines(keepends=True),
            current.splitlines(keepends=True),
            "recorded",
            "current",
        )
    )
    assert not changes, f"the asset graph changed; if that is wanted: make snapshot\n{changes}"


def test_every_asset_names_its_group_owner_and_partitions() -> None:
    wanted = [["date", "symbol"]]
    of_books = [["strategy_books"], ["book", "size"]]
    bare = [
        key
        for key, asset in graph_as_data(defs)["assets"].items()
        if not (asset["group"] and asset["owners"])
        or asset["dimensions"] not in (of_books if asset["group"] == "portfolio" else wanted)
    ]
    assert not bare, f"without group, owner or its partitions: {', '.join(bare)}"


def test_the_definitions_validate() -> None:
    dg.Definitions.validate_loadable(defs)


def _blocks(graph: Any, check: dg.AssetCheckKey) -> bool:
    return bool(graph.get(check).blocking)


def _dimensions(partitions: Any) -> list[str]:
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return [dimension.name for dimension in partitions.partitions_defs]
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return [str(partitions.name)]
    return [] if partitions is None else [type(partitions).__name__]
