"""Running the graph in this process and reading back what Dagster stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from mr_platform.orchestration.checks.verdicts import RULES
from mr_platform.orchestration.partitions import dagster_key, range_tags
from mr_platform.trading_calendar import PartitionKey, trading_days

CHAIN = dg.AssetKey("option_chain")
ALL_CHECKS = [rule.name for rule in RULES]
PASSED = AssetCheckExecutionRecordStatus.SUCCEEDED
FAILED = AssetCheckExecutionRecordStatus.FAILED


def days(first: str, count: int, symbol: str = "NIFTY") -> list[PartitionKey]:
    """``count`` partitions of one symbol from a date on."""
    start = dt.date.fromisoformat(first)
    found = trading_days(start, start + dt.timedelta(days=3 * count + 10))
    return [PartitionKey(day, symbol) for day in found[:count]]


def run_range(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    keys: Sequence[PartitionKey],
    *,
    job: str = "ingest_option_chain_job",
) -> dg.ExecuteInProcessResult:
    """One range run over keys without a gap."""
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance, tags=range_tags(keys), raise_on_error=False
    )


def run_single(
    definitions: dg.Definitions, instance: dg.DagsterInstance, key: PartitionKey
) -> dg.ExecuteInProcessResult:
    """One run of one partition."""
    return definitions.resolve_job_def("ingest_option_chain_job").execute_in_process(
        instance=instance, partition_key=dagster_key(key), raise_on_error=False
    )


def materialized(instance: dg.DagsterInstance, table: str) -> set[str]:
    """Partitions of a table that Dagster holds as materialised."""
    return set(instance.get_materialized_partitions(dg.AssetKey(table)))


def texts(keys: Iterable[PartitionKey]) -> set[str]:
    """Keys as Dagster writes them."""
    return {str(key) for key in keys}


def verdicts(
    instance: dg.DagsterInstance, check: str, run_id: str | None = None
) -> dict[str | None, list[AssetCheckExecutionRecord]]:
    """Stored rows of a check by partition, newest first, of one run or of all."""
    records = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(CHAIN, check), limit=1000
    )
    found: dict[str | None, list[AssetCheckExecutionRecord]] = {}
    for record in records:
        if run_id is None or record.run_id == run_id:
            found.setdefault(record.partition, []).append(record)
    return found


def failure_texts(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the failed steps of a run said."""
    told = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            description = data.user_failure_data and data.user_failure_data.description
            told.append(description or (data.error.message if data.error else ""))
    return told
