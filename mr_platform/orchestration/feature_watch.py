"""Which partitions the features sensor asks for: new chains, and partners that arrived late.

Here: the sensor's memory and its decisions as plain functions over the event log.
Not here: run requests (``automation.py``).

c6 of one symbol reads the panel of the other. Whoever comes first is computed without its
partner; when the partner's panel arrives or changes, c6 of the first, and what reads it, are
stale and asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dagster as dg

from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.orchestration.derived_tables import DerivedTable, derived_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.orchestration.input_versions import input_fingerprints
from mr_platform.orchestration.materialization_events import (
    CODE_VERSION_TAG,
    INPUT_FINGERPRINT,
    latest_records,
)
from mr_platform.orchestration.partitions import dagster_key, parse_keys
from mr_platform.trading_calendar import SYMBOLS, PartitionKey

MAX_EVENTS_PER_TICK = 50
"""Events read in one tick of each table; more wait for the next tick."""

PARTNER_READER = "c6_features"
PARTNER_ASSETS: tuple[str, ...] = (PARTNER_READER, "hist_c8_zone", "c8_features")
"""What is made again when the other symbol arrives."""


@dataclass(frozen=True)
class FeatureMemory:
    """What the sensor has seen.

    Attributes:
        chain_event: Storage id of the newest event of the option chain that was looked at.
        panel_event: The same of the minute panel.
        waiting: Partitions whose partner arrived before their own c6 was made.
    """

    chain_event: int = 0
    panel_event: int = 0
    waiting: tuple[str, ...] = ()

    @classmethod
    def parse(cls, cursor: str | None) -> FeatureMemory:
        """The memory of a cursor; a fresh one where there is none."""
        if not cursor:
            return cls()
        told = json.loads(cursor)
        return cls(told["chain_event"], told["panel_event"], tuple(told["waiting"]))

    def text(self) -> str:
        """The cursor."""
        return json.dumps(
            {
                "chain_event": self.chain_event,
                "panel_event": self.panel_event,
                "waiting": list(self.waiting),
            }
        )


@dataclass(frozen=True)
class Wanted:
    """What a tick asks for.

    Attributes:
        features: Partitions whose features are missing or stale, with the run key.
        partners: Partitions whose c6 saw another state of its partner, with the run key.
    """

    features: tuple[tuple[PartitionKey, str], ...]
    partners: tuple[tuple[PartitionKey, str], ...]


def look(instance: dg.DagsterInstance, memory: FeatureMemory) -> tuple[Wanted, FeatureMemory]:
    """One look at the event log.

    Args:
        instance: The home's instance.
        memory: What was seen before.

    Returns:
        What to ask for, and the memory for the next look.
    """
    chains, chain_event = _new_events(instance, OPTION_CHAIN, memory.chain_event)
    panels, panel_event = _new_events(instance, MINUTE_PANEL, memory.panel_event)
    due = [(key, f"{key}:features:{event}") for key, event in chains.items()
           if _is_due(instance, key)]  # fmt: skip
    asked = {key for key, _ in due}
    waiting = {*parse_keys(memory.waiting), *(_partner(key) for key in panels)} - asked
    partners, still = _judge_waiting(instance, sorted(waiting))
    wanted = Wanted(tuple(due), tuple((key, f"{key}:partner:{panel_event}") for key in partners))
    return wanted, replace(
        memory,
        chain_event=chain_event,
        panel_event=panel_event,
        waiting=tuple(str(key) for key in still),
    )


def _new_events(
    instance: dg.DagsterInstance, asset: str, after: int
) -> tuple[dict[PartitionKey, int], int]:
    """Partitions materialised since an event, with the newest event of each."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), after_storage_id=after),
        limit=MAX_EVENTS_PER_TICK,
        ascending=True,
    ).records
    found = {}
    for record in records:
        if record.partition_key is not None:
            (key,) = parse_keys([record.partition_key])
            found[key] = record.storage_id
    return found, max((record.storage_id for record in records), default=after)


def _is_due(instance: dg.DagsterInstance, key: PartitionKey) -> bool:
    """Whether the panel, or what ends the graph, is missing or made from something else."""
    first, last = derived_table(MINUTE_PANEL), derived_tables()[-1]
    assert first is not None
    return any(_state(instance, table, [key])[key] != "current" for table in (first, last))


def _judge_waiting(
    instance: dg.DagsterInstance, keys: Sequence[PartitionKey]
) -> tuple[list[PartitionKey], list[PartitionKey]]:
    """Of partitions whose partner arrived: those whose c6 is stale, and those not yet made.

    A partition whose own panel does not exist has nothing to wait for: its own run will read
    the partner.
    """
    if not keys:
        return [], []
    table = derived_table(PARTNER_READER)
    assert table is not None
    panels = latest_records(
        instance, dg.AssetKey(MINUTE_PANEL), [str(dagster_key(key)) for key in keys]
    )
    own = [key for key in keys if str(dagster_key(key)) in panels]
    states = _state(instance, table, own)
    stale = [key for key in own if states[key] == "stale"]
    return stale, [key for key in own if states[key] == "missing"]


def _state(
    instance: dg.DagsterInstance, table: DerivedTable, keys: Sequence[PartitionKey]
) -> dict[PartitionKey, str]:
    """``current``, ``stale`` or ``missing`` for each partition of a table."""
    names = {key: str(dagster_key(key)) for key in keys}
    records = latest_records(instance, dg.AssetKey(table.name), names.values())
    now = input_fingerprints(instance, table, keys) if keys else {}
    states = {}
    for key, name in names.items():
        event = records[name].asset_materialization if name in records else None
        if event is None:
            states[key] = "missing"
            continue
        made_from = event.metadata.get(INPUT_FINGERPRINT)
        same = (
            made_from is not None
            and made_from.value == now[key]
            and (event.tags or {}).get(CODE_VERSION_TAG) == table.code_version
        )
        states[key] = "current" if same else "stale"
    return states


def _partner(key: PartitionKey) -> PartitionKey:
    """The other symbol's partition of the same date."""
    return PartitionKey(key.date, next(symbol for symbol in SYMBOLS if symbol != key.symbol))
