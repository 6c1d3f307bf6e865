"""What the Dagster instance knows of each partition: made, stale, failed, checked.

Here: bulk reads of the event log; staleness against today's definitions and landed files.
Not here: running anything (``materialization.py``), texts for people (``cli/``).

Thousands of partitions are read with a handful of queries for each asset, never one for each
partition.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.event_api import EventRecordsFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from mr_platform.orchestration.materialization_events import CODE_VERSION_TAG, INPUT_FINGERPRINT
from mr_platform.orchestration.partitions import PARTITIONS

# SQLite takes 32,766 variables in one statement; smaller chunks keep the query planner quick
_IDS_PER_QUERY = 2_000


@dataclass(frozen=True)
class RecordedPartition:
    """The latest materialisation of one partition.

    Attributes:
        code_version: Code version of the definition that made it, or None when unversioned.
        fingerprint: Fingerprint of the inputs it was made from, or None.
        made_at: When it was recorded, UTC.
        run_id: The run that made it.
    """

    code_version: str | None
    fingerprint: str | None
    made_at: dt.datetime
    run_id: str


@dataclass
class CheckCounts:
    """Partitions by verdict of one check.

    Attributes:
        passed: Number of partitions that passed.
        warned: Partitions that failed it as a warning, with what the check said.
        failed: Partitions that failed it as an error, with what the check said.
    """

    passed: int = 0
    warned: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AssetStatus:
    """Partitions of one asset by state.

    Attributes:
        asset: Asset name.
        materialized: Partitions made at least once.
        stale: Partitions made from another definition or other files, with the reason.
        failed: Partitions whose latest attempt failed.
        running: Partitions being made now.
        missing: Partitions with input that were never made.
        checks: Verdicts by check name.
    """

    asset: str
    materialized: tuple[str, ...]
    stale: Mapping[str, str]
    failed: tuple[str, ...]
    running: tuple[str, ...]
    missing: tuple[str, ...]
    checks: Mapping[str, CheckCounts]


def materializable_assets(definitions: dg.Definitions) -> list[str]:
    """Names of the assets made by date and symbol, in data order."""
    graph = definitions.resolve_asset_graph()
    return [
        key.to_user_string()
        for level in graph.toposorted_asset_keys_by_level
        for key in sorted(level)
        if key in graph.materializable_asset_keys and graph.get(key).partitions_def == PARTITIONS
    ]


def read_asset_status(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    asset: str,
    fingerprints: Mapping[str, str],
) -> AssetStatus:
    """Partitions of one asset by state.

    Args:
        definitions: The project's definitions.
        instance: The home's instance.
        asset: Asset name.
        fingerprints: Fingerprint of the inputs by partition key, for partitions with input
            (``input_versions.InputVersions.of``).

    Returns:
        The asset's status; partition keys are sorted.
    """
    key = dg.AssetKey.from_user_string(asset)
    node = definitions.resolve_asset_graph().get(key)
    recorded = recorded_partitions(instance, asset)
    failed, running = _unfinished(instance, key, node.partitions_def)
    return AssetStatus(
        asset=asset,
        materialized=tuple(sorted(recorded)),
        stale=stale_partitions(recorded, node.code_version, fingerprints),
        failed=failed,
        running=running,
        missing=tuple(sorted(set(fingerprints) - set(recorded))),
        checks=check_counts(instance, node.check_keys),
    )


def stale_partitions(
    recorded: Mapping[str, RecordedPartition],
    code_version: str | None,
    fingerprints: Mapping[str, str],
) -> dict[str, str]:
    """Made partitions that a rebuild would change, with the reason, sorted by key.

    A partition is stale when the code version of its definition differs from the one recorded,
    or when the inputs it is fed by (landed files, partitions of other tables) differ from those
    recorded. Files that were taken away leave what was made of them as it is: deleting input must
    not delete output.
    """
    reasons: dict[str, str] = {}
    for key in sorted(recorded):
        made = recorded[key]
        if made.code_version != code_version:
            reasons[key] = f"definition changed ({made.code_version} → {code_version})"
        elif made.fingerprint and fingerprints.get(key, made.fingerprint) != made.fingerprint:
            reasons[key] = "inputs changed"
    return reasons


def recorded_partitions(instance: dg.DagsterInstance, asset: str) -> dict[str, RecordedPartition]:
    """The latest materialisation of every partition of an asset."""
    latest = instance.event_log_storage.get_latest_storage_id_by_partition(
        dg.AssetKey.from_user_string(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    recorded: dict[str, RecordedPartition] = {}
    for record in _records(instance, dg.DagsterEventType.ASSET_MATERIALIZATION, latest.values()):
        materialization = record.asset_materialization
        if materialization is None or materialization.partition is None:
            continue
        fingerprint = materialization.metadata.get(INPUT_FINGERPRINT)
        recorded[materialization.partition] = RecordedPartition(
            code_version=(materialization.tags or {}).get(CODE_VERSION_TAG),
            fingerprint=None if fingerprint is None else str(fingerprint.value),
            made_at=dt.datetime.fromtimestamp(record.timestamp, dt.UTC),
            run_id=record.run_id,
        )
    return recorded


def check_counts(
    instance: dg.DagsterInstance,
    check_keys: Iterable[dg.AssetCheckKey],
    partitions: Collection[str] | None = None,
) -> dict[str, CheckCounts]:
    """Latest verdict of every partition, counted for each check.

    Args:
        instance: The home's instance.
        check_keys: Checks to read.
        partitions: Count only these partitions; None counts all.

    Returns:
        Counts by check name; a failed check of severity WARN counts as warned.
    """
    keys = sorted(check_keys, key=lambda key: (key.asset_key, key.name))
    counts = {key.name: CheckCounts() for key in keys}
    refused: dict[dg.AssetCheckKey, set[str]] = {}
    for info in instance.event_log_storage.get_asset_check_partition_info(keys):
        if info.partition_key is None:
            continue
        if partitions is not None and info.partition_key not in partitions:
            continue
        if info.latest_execution_status == AssetCheckExecutionRecordStatus.SUCCEEDED:
            counts[info.check_key.name].passed += 1
        elif info.latest_execution_status == AssetCheckExecutionRecordStatus.FAILED:
            refused.setdefault(info.check_key, set()).add(info.partition_key)
    for key, failing in refused.items():
        verdicts = counts[key.name]
        for partition, evaluation in sorted(_latest_refusals(instance, key, failing).items()):
            warned = evaluation.severity == dg.AssetCheckSeverity.WARN
            told = verdicts.warned if warned else verdicts.failed
            told[partition] = evaluation.description or ""
    return counts


def _latest_refusals(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, failing: Collection[str]
) -> dict[str, dg.AssetCheckEvaluation]:
    """Latest failed evaluation of a check for each of these partitions."""
    latest: dict[str, dg.AssetCheckEvaluation] = {}
    cursor = None
    while len(latest) < len(failing):
        records = instance.event_log_storage.get_asset_check_execution_history(
            key,
            limit=_IDS_PER_QUERY,
            cursor=cursor,
            status={AssetCheckExecutionRecordStatus.FAILED},
        )
        if not records:
            break
        for record in records:  # newest first
            if record.partition in failing and record.evaluation is not None:
                latest.setdefault(str(record.partition), record.evaluation)
        cursor = records[-1].id
    return latest


def _unfinished(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Partitions whose latest attempt failed, and those being made now."""
    if partitions_def is None:
        return (), ()
    cached = get_and_update_asset_status_cache_value(instance, key, partitions_def)
    if cached is None:
        return (), ()
    failed = cached.deserialize_failed_partition_subsets(partitions_def)
    running = cached.deserialize_in_progress_partition_subsets(partitions_def)
    return (
        tuple(sorted(map(str, failed.get_partition_keys()))),
        tuple(sorted(map(str, running.get_partition_keys()))),
    )


def _records(
    instance: dg.DagsterInstance, event_type: dg.DagsterEventType, storage_ids: Iterable[int]
) -> list[dg.EventLogRecord]:
    """Event records by storage id, in chunks."""
    records: list[dg.EventLogRecord] = []
    for chunk in _chunks(sorted(storage_ids)):
        records += instance.event_log_storage.get_event_records(
            EventRecordsFilter(event_type, storage_ids=chunk), limit=len(chunk)
        )
    return records


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return [ids[at : at + _IDS_PER_QUERY] for at in range(0, len(ids), _IDS_PER_QUERY)]
