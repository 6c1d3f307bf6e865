"""Partitions that were not made because their run was broken off, not because it failed.

Here: telling an interrupted or killed run from one that failed by itself.
Not here: which partitions failed (``partition_status.py``), closing runs (``materialization.py``).

Dagster records Ctrl-C and a terminal that was closed as failures of the run, like any fault.
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import RUN_FAILURE_REASON_TAG

from mr_platform.orchestration.materialization import ABANDONED_TAG

INTERRUPTED = "was interrupted; run it again"
KILLED = "its command was killed; run it again"


def interrupted_partitions(
    instance: dg.DagsterInstance, asset: str, failed: Collection[str]
) -> dict[str, str]:
    """Those of an asset's failed partitions whose latest run was broken off.

    Args:
        instance: The home's instance.
        asset: Asset name.
        failed: Partitions whose latest attempt failed (``partition_status.AssetStatus.failed``).

    Returns:
        What to tell of each such partition, sorted by key; others failed by themselves.
    """
    if not failed:
        return {}
    storage = instance.event_log_storage
    attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations(
        dg.AssetKey.from_user_string(asset)
    )
    run_of = {key: attempts[key][0] for key in sorted(failed) if key in attempts}
    if not run_of:
        return {}
    runs = instance.get_runs(dg.RunsFilter(run_ids=sorted(set(run_of.values()))))
    reasons = {run.run_id: _reason(run) for run in runs}
    told = {key: reasons.get(run_id) for key, run_id in run_of.items()}
    return {key: reason for key, reason in told.items() if reason is not None}


def _reason(run: dg.DagsterRun) -> str | None:
    """What to tell of a run that was broken off; None for one that failed by itself."""
    reason = run.tags.get(RUN_FAILURE_REASON_TAG)
    if reason == RunFailureReason.UNEXPECTED_TERMINATION.value:
        return INTERRUPTED
    return KILLED if ABANDONED_TAG in run.tags else None
