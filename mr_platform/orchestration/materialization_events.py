"""What Dagster remembers of a stored partition, and how it is read back.

Here: metadata and tags of materialization events; the latest event of each partition.
Not here: storing tables (``ingestion.py``), which partitions are stale (``partition_status.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster import DagsterEventType

from mr_platform.orchestration.ingestion import (
    CODE_VERSION,
    OPTION_CHAIN,
    TABLES,
    StoredPartition,
)
from mr_platform.orchestration.partitions import DATE, SYMBOL, dagster_key
from mr_platform.trading_calendar import PartitionKey

INPUT_FINGERPRINT = "input_fingerprint"

CODE_VERSION_TAG = "dagster/code_version"
DATA_VERSION_TAG = "dagster/data_version"


def partition_metadata(
    table: str, partition: StoredPartition, table_version: int | None = None
) -> dict[str, Any]:
    """Metadata of one table's materialization.

    Every table tells its own rows; the chain also tells the whole story of the load. The column
    schema is not here but on the definition: repeated in each event it would be most of the log.
    """
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": partition.rows[table],
        INPUT_FINGERPRINT: partition.input_fingerprint,
    }
    if table_version is not None:
        metadata["table_version"] = table_version
    if table == OPTION_CHAIN:
        metadata |= {
            "rows_in": partition.rows_in,
            "rows_good": partition.rows_in - sum(partition.quarantined.values()),
            "rows_quarantined": sum(partition.quarantined.values()),
            "quarantined_by_reason": dg.MetadataValue.json(dict(partition.quarantined)),
            "files": dg.MetadataValue.json(list(partition.files)),
            "dialects": ", ".join(partition.dialects),
            "units": dg.MetadataValue.json(dict(partition.units)),
            "seconds": dg.MetadataValue.json(
                {step: round(seconds, 4) for step, seconds in partition.timings.items()}
            ),
        }
    return metadata


def explicit_events(
    stored: Iterable[StoredPartition], versions: Mapping[str, int]
) -> Iterator[dg.AssetMaterialization]:
    """One event for each table and partition, for a step that cannot yield its outputs.

    They carry the tags that Dagster gives to events it makes from outputs, so that staleness and
    the partition pages treat both alike.
    """
    for partition in stored:
        for table in TABLES:
            yield dg.AssetMaterialization(
                asset_key=table,
                partition=str(dagster_key(partition.key)),
                metadata=partition_metadata(table, partition, versions[table]),
                tags={
                    CODE_VERSION_TAG: CODE_VERSION,
                    DATA_VERSION_TAG: _data_version(partition.input_fingerprint),
                    f"dagster/partition/{DATE}": partition.key.date.isoformat(),
                    f"dagster/partition/{SYMBOL}": partition.key.symbol,
                },
            )


def _data_version(input_fingerprint: str) -> str:
    return hashlib.sha256(f"{CODE_VERSION}\n{input_fingerprint}".encode()).hexdigest()


def latest_records(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, partitions: Iterable[str]
) -> dict[str, dg.EventLogRecord]:
    """The latest materialization of each partition that has one, in two queries."""
    wanted = set(partitions)
    if not wanted:
        return {}
    newest = instance.get_latest_storage_id_by_partition(
        asset_key, DagsterEventType.ASSET_MATERIALIZATION, wanted
    )
    if not newest:
        return {}
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset_key, storage_ids=list(newest.values())),
        limit=len(newest),
    ).records
    return {str(record.partition_key): record for record in records}


def metadata_of(record: dg.EventLogRecord) -> dict[str, Any]:
    """Plain metadata values of a materialization."""
    event = record.asset_materialization
    return {} if event is None else {name: value.value for name, value in event.metadata.items()}


def latest_fingerprints(instance: dg.DagsterInstance, partitions: Iterable[str]) -> dict[str, str]:
    """Fingerprint of the input of each partition of ``option_chain`` as last materialised."""
    found = {}
    records = latest_records(instance, dg.AssetKey(OPTION_CHAIN), partitions)
    for partition, record in records.items():
        event = record.asset_materialization
        value = event.metadata.get(INPUT_FINGERPRINT) if event else None
        if value is not None:
            found[partition] = str(value.value)
    return found


def partition_facts_told(
    instance: dg.DagsterInstance, table: str, keys: Iterable[PartitionKey]
) -> dict[PartitionKey, dict[str, Any]]:
    """Metadata values of the latest materialization of each partition that was made."""
    names = {str(dagster_key(key)): key for key in keys}
    told = {}
    for partition, record in latest_records(instance, dg.AssetKey(table), names).items():
        if record.asset_materialization is not None:
            told[names[partition]] = metadata_of(record)
    return told
