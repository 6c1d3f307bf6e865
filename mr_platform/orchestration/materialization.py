"""Partition ranges materialised in this process, by the same definitions as the UI.

Here: what is to be made and what is current, batches, runs, faults of a run as plain facts.
Not here: what an asset does (``assets/``), progress on a screen (``cli/``).

Every run is recorded in the home's instance, so the UI shows it, and a stopped command resumes:
what was made with today's definition from today's files is current and is not made again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from mr_platform.orchestration.derived_tables import derived_table
from mr_platform.orchestration.input_versions import InputVersions
from mr_platform.orchestration.partition_status import (
    check_counts,
    stale_partitions,
)
from mr_platform.orchestration.partitions import batches, parse_keys, range_tags, split_by_opening
from mr_platform.trading_calendar import SYMBOLS, PartitionKey, trading_days

LANDED_FILE = "landed file"
"""What an asset lacks that files feed."""

LAUNCHED_BY_TAG = "mr/launched_by"
PROCESS_TAG = "mr/process"
"""Host and process id of the command that executes the run."""

ABANDONED_TAG = "mr/abandoned"
"""Of a run whose command was killed before it could say how the run ended."""

UNMEASURED_SECONDS = 3.0
"""Seconds a partition is expected to take before any run has been timed."""

_TIMED_RUNS = 50
_INTERRUPTIONS = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}
# loggers write each event to the console by default; the CLI shows progress of its own
SILENT_RUN = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class RunTiming:
    """Seconds a partition took in past runs of the same assets.

    Attributes:
        seconds: Seconds for each partition; the stated default where nothing was timed.
        partitions: Partitions the figure was measured on; 0 for the default.
    """

    seconds: float
    partitions: int


@dataclass(frozen=True)
class Plan:
    """What a materialisation would do.

    Attributes:
        assets: Assets to make, in data order.
        to_make: Partitions to make.
        current: Partitions asked for that are already made from today's definition and files.
        without_input: Partitions asked for of which none of the assets can be made.
        lacking: What those partitions lack, for people: a landed file, or tables.
        to_come: Partitions asked for of days to come, which files feed nevertheless.
        batches: ``to_make`` cut into runs.
        timing: What a partition is expected to take.
    """

    assets: tuple[str, ...]
    to_make: tuple[PartitionKey, ...]
    current: tuple[PartitionKey, ...]
    without_input: tuple[PartitionKey, ...]
    lacking: str
    to_come: tuple[PartitionKey, ...]
    batches: tuple[tuple[PartitionKey, ...], ...]
    timing: RunTiming

    @property
    def expected_seconds(self) -> float:
        """Seconds the whole plan is expected to take."""
        return self.timing.seconds * len(self.to_make)


@dataclass(frozen=True)
class RunFault:
    """Why a partition was not made.

    Attributes:
        kind: Name of the error's type.
        message: Fault, place and next step in one line.
        step: The step (asset or check) that failed, or None.
    """

    kind: str
    message: str
    step: str | None


@dataclass(frozen=True)
class BatchOutcome:
    """What one run made.

    Attributes:
        run_id: Dagster's id of the run.
        made: Partitions of which every asset was materialised and no check stopped the run.
        faults: Partitions not made, with the reason.
        seconds: Wall time of the run.
    """

    run_id: str
    made: tuple[PartitionKey, ...]
    faults: Mapping[PartitionKey, RunFault]
    seconds: float


def plan_materialization(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Sequence[str],
    versions: InputVersions,
    *,
    asked: Collection[PartitionKey] | None = None,
    stale_only: bool = False,
    force: bool = False,
    limit: int,
) -> Plan:
    """Which partitions to make, and what it is expected to cost.

    Args:
        definitions: The project's definitions.
        instance: The home's instance.
        assets: Asset names.
        versions: Fingerprints of all inputs (``input_versions``).
        asked: Partitions asked for; None means every partition with input: landed files, or for
            a derived asset the table it is made of.
        stale_only: Only partitions made before from another definition or other files.
        force: Also partitions that are current.
        limit: Greatest number of partitions in one run.

    Returns:
        The plan; nothing was run.
    """
    graph = definitions.resolve_asset_graph()
    inputs = {asset: versions.of(asset) for asset in assets}
    available = set(parse_keys({key for found in inputs.values() for key in found}))
    wanted = sorted(available if asked is None else asked)
    fed, to_come = split_by_opening(key for key in wanted if key in available)
    incomplete: set[str] = set()
    stale: set[str] = set()
    for asset in assets:
        recorded = versions.recorded(asset)
        incomplete |= {str(key) for key in fed if str(key) in inputs[asset]} - set(recorded)
        code_version = graph.get(dg.AssetKey.from_user_string(asset)).code_version
        stale |= set(stale_partitions(recorded, code_version, inputs[asset]))
    due = stale if stale_only else stale | incomplete
    to_make = [key for key in fed if (force and not stale_only) or str(key) in due]
    chosen = set(to_make)
    return Plan(
        assets=tuple(assets),
        to_make=tuple(to_make),
        current=tuple(
            key
            for key in fed
            if key not in chosen and str(key) not in stale and str(key) not in incomplete
        ),
        without_input=tuple(key for key in wanted if key not in available),
        lacking=_lacking(assets),
        to_come=tuple(to_come),
        batches=tuple(tuple(batch) for batch in batches(to_make, limit)),
        timing=run_timing(instance, assets),
    )


def with_input(versions: InputVersions, assets: Sequence[str]) -> list[PartitionKey]:
    """Partitions that have what at least one of the assets is made of, ascending."""
    return parse_keys({key for asset in assets for key in versions.of(asset)})


def input_versions(
    instance: dg.DagsterInstance, fingerprints: Mapping[PartitionKey, str]
) -> InputVersions:
    """Fingerprints of all inputs as they stand now.

    Args:
        instance: The home's instance.
        fingerprints: Fingerprint of the landed files of each partition that has any.
    """
    return InputVersions(instance, {str(key): text for key, text in fingerprints.items()})


def assume_made(definitions: dg.Definitions, versions: InputVersions, plan: Plan) -> None:
    """Let what a plan would make count as made, for the plans of the stages after it."""
    graph = definitions.resolve_asset_graph()
    for asset in plan.assets:
        code_version = graph.get(dg.AssetKey.from_user_string(asset)).code_version
        versions.assume(asset, plan.to_make, code_version)


def _lacking(assets: Sequence[str]) -> str:
    """What a partition lacks of which none of the assets can be made."""
    tables = [derived_table(asset) for asset in assets]
    needed = dict.fromkeys(LANDED_FILE if table is None else table.required for table in tables)
    # what the assets make of each other is not what is lacking
    outside = [name for name in needed if name not in assets]
    return f"no {' or '.join(outside)}" if outside else "no input"


def run_plan(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    plan: Plan,
    told: Callable[[BatchOutcome], None],
) -> list[BatchOutcome]:
    """Run every batch of a plan; a failed batch does not stop the next.

    Args:
        definitions: The project's definitions.
        instance: The home's instance.
        plan: What to make.
        told: Called after each batch.

    Returns:
        The outcome of each batch, in order.
    """
    outcomes = []
    for batch in plan.batches:
        outcome = materialize_batch(definitions, instance, plan.assets, batch)
        told(outcome)
        outcomes.append(outcome)
    return outcomes


def materialize_batch(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    assets: Sequence[str],
    batch: Sequence[PartitionKey],
) -> BatchOutcome:
    """Make one gapless range of partitions in this process.

    Args:
        definitions: The project's definitions.
        instance: The home's instance; the run and its events are stored there.
        assets: Asset names.
        batch: One of ``partitions.batches``.

    Returns:
        What was made and what was not.

    Raises:
        KeyboardInterrupt: The run was interrupted; it is recorded as failed.
    """
    started = time.monotonic()
    keys = [dg.AssetKey.from_user_string(asset) for asset in assets]
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=keys,
        tags={**range_tags(batch), **command_tags()},
        run_config=SILENT_RUN,
        raise_on_error=False,
    )
    failures = [event for event in result.all_events if event.is_step_failure]
    raise_if_interrupted(failures)
    made: dict[dg.AssetKey, set[PartitionKey]] = {key: set() for key in keys}
    for event in result.get_asset_materialization_events():
        if event.asset_key in made and event.partition is not None:
            made[event.asset_key].update(parse_keys([event.partition]))
    whole = set.intersection(*made.values()) if made else set()
    faults = {}
    if not result.success:
        graph = definitions.resolve_asset_graph()
        checks = [check for key in keys for check in graph.get(key).check_keys]
        faults = _faults(failures, batch, whole, _stopped_by_checks(instance, checks, batch))
    return BatchOutcome(
        run_id=result.run_id,
        made=tuple(key for key in batch if key in whole and key not in faults),
        faults=faults,
        seconds=time.monotonic() - started,
    )


def close_abandoned_runs(instance: dg.DagsterInstance) -> int:
    """Mark runs failed whose command was killed before it could say so.

    Such a run would stay "started" for ever and hold one of the queue's places, since no launcher
    watches it.

    Args:
        instance: The home's instance.

    Returns:
        How many runs were marked.
    """
    unfinished = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED],
        tags={LAUNCHED_BY_TAG: "mr"},
    )
    abandoned = [
        run for run in instance.get_runs(unfinished) if not _may_live(run.tags.get(PROCESS_TAG))
    ]
    for run in abandoned:
        instance.add_run_tags(run.run_id, {ABANDONED_TAG: "killed"})
        instance.report_run_failed(run, "the command that executed this run was killed")
    return len(abandoned)


def command_tags() -> dict[str, str]:
    """Tags of a run that this command executes itself."""
    return {LAUNCHED_BY_TAG: "mr", PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}"}


def raise_if_interrupted(failures: Sequence[dg.DagsterEvent]) -> None:
    """Raise KeyboardInterrupt where Dagster recorded one as a failed step, and would go on."""
    if any(error_kinds(event.step_failure_data.error) & _INTERRUPTIONS for event in failures):
        raise KeyboardInterrupt


def _may_live(process: str | None) -> bool:
    """Whether the process still runs, as far as this host can tell."""
    host, _, pid = (process or "").rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def run_timing(instance: dg.DagsterInstance, assets: Sequence[str]) -> RunTiming:
    """Seconds a partition took in the latest successful runs that made all these assets."""
    keys = {dg.AssetKey.from_user_string(asset) for asset in assets}
    seconds, partitions = 0.0, 0
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=_TIMED_RUNS
    ):
        run = record.dagster_run
        count = _partitions_of(run.tags)
        if (
            count
            and record.start_time
            and record.end_time
            and keys <= (run.asset_selection or set())
        ):
            seconds += record.end_time - record.start_time
            partitions += count
    if not partitions:
        return RunTiming(UNMEASURED_SECONDS, 0)
    return RunTiming(seconds / partitions, partitions)


def _partitions_of(tags: Mapping[str, str]) -> int:
    """Number of partitions a run's tags name."""
    if "dagster/partition" in tags:
        return 1
    if "dagster/asset_partition_range_start" not in tags:
        return 0
    first = PartitionKey.parse(tags["dagster/asset_partition_range_start"])
    last = PartitionKey.parse(tags["dagster/asset_partition_range_end"])
    symbols = abs(SYMBOLS.index(last.symbol) - SYMBOLS.index(first.symbol)) + 1
    return len(trading_days(first.date, last.date)) * symbols


def _faults(
    failures: Sequence[dg.DagsterEvent],
    batch: Sequence[PartitionKey],
    made: set[PartitionKey],
    stopped: Mapping[PartitionKey, RunFault],
) -> dict[PartitionKey, RunFault]:
    """Faults of a failed run by partition.

    A batch in which some partitions were refused names each of them on a line of its own
    (``BatchReport.refusal_text``); a blocking check names its partitions by its verdicts. Any
    other failure concerns every partition that was not made.
    """
    if not failures:
        return dict.fromkeys(batch, RunFault("RunFailure", "the run failed", None))
    told = [fault_of_step(event) for event in failures]
    faults: dict[PartitionKey, RunFault] = {}
    for fault in told:
        for key in batch:
            reason = _line_about(key, fault.message)
            if reason is not None:
                faults.setdefault(key, replace(fault, message=reason))
    faults = {**stopped, **faults}
    general = replace(told[0], message=" ".join(told[0].message.split()))
    for key in batch:
        if key not in made:
            faults.setdefault(key, general)
    return faults or dict.fromkeys(batch, general)


def _stopped_by_checks(
    instance: dg.DagsterInstance,
    checks: Sequence[dg.AssetCheckKey],
    batch: Sequence[PartitionKey],
) -> dict[PartitionKey, RunFault]:
    """Partitions whose latest verdict of some check is a failure of severity ERROR."""
    by_text = {str(key): key for key in batch}
    return {
        by_text[partition]: RunFault("CheckFailed", f"check {name} failed: {sentence}", name)
        for name, verdicts in check_counts(instance, checks, by_text.keys()).items()
        for partition, sentence in verdicts.failed.items()
    }


def _line_about(key: PartitionKey, text: str) -> str | None:
    """What a text of several lines says of one partition, or None."""
    start = f"{key}: "
    for line in text.splitlines()[1:]:
        if line.strip().startswith(start):
            return line.strip().removeprefix(start).removeprefix(start)
    return None


def fault_of_step(event: dg.DagsterEvent) -> RunFault:
    """The user's part of a step's failure: Dagster wraps it in errors of its own."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return RunFault("Failure", data.user_failure_data.description, event.step_key)
    error = data.error
    while error is not None and error.cause is not None and _is_dagsters(error):
        error = error.cause
    if error is None:
        return RunFault("StepFailure", f"{event.step_key} failed", event.step_key)
    kind = (error.cls_name or "Error").rsplit(".", 1)[-1]
    text = error.message.strip()
    head, _, rest = text.partition(": ")
    message = rest if rest and head.rsplit(".", 1)[-1] == kind else text
    return RunFault(kind, message, event.step_key)


def error_kinds(error: SerializableErrorInfo | None) -> set[str]:
    """Type names of an error and of what it was raised from."""
    kinds = set()
    while error is not None:
        kinds.add((error.cls_name or "").rsplit(".", 1)[-1])
        error = error.cause
    return kinds


def _is_dagsters(error: SerializableErrorInfo) -> bool:
    name = (error.cls_name or "").rsplit(".", 1)[-1]
    return name.startswith("Dagster") or name == "RetryRequested"
