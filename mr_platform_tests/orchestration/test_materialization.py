"""Partition ranges materialised in process, over a small graph of its own.

Dagster wants the class itself, not its name, as annotation of a context: no postponed annotations.
"""

import datetime as dt
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from mr_platform.errors import MissingInputError, TableConflictError
from mr_platform.orchestration.materialization import (
    LAUNCHED_BY_TAG,
    PROCESS_TAG,
    UNMEASURED_SECONDS,
    BatchOutcome,
    Plan,
    close_abandoned_runs,
    input_versions,
    materialize_batch,
    plan_materialization,
    run_plan,
    run_timing,
)
from mr_platform.orchestration.partitions import PARTITIONS
from mr_platform.trading_calendar import PartitionKey

# 2024-01-06 and -07 are a weekend; 2024-01-08 follows 2024-01-05 without a gap
DAYS = [dt.date(2024, 1, day) for day in (3, 4, 5, 8)]
NIFTY = [PartitionKey(day, "NIFTY") for day in DAYS]
BANKNIFTY = [PartitionKey(day, "BANKNIFTY") for day in DAYS]
FILES = {key: f"files of {key}" for key in (*NIFTY, *BANKNIFTY)}

Body = Callable[[list[str]], None]


def graph(body: Body = lambda keys: None, code_version: str = "1") -> dg.Definitions:
    """Two assets of one computation; ``body`` may refuse the run."""

    @dg.multi_asset(
        specs=[dg.AssetSpec(name, code_version=code_version) for name in ("account", "chain")],
        partitions_def=PARTITIONS,
    )
    def ingest(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        body(list(context.partition_keys))
        for name in ("account", "chain"):
            for key in context.partition_keys:
                context.add_asset_metadata(
                    {"input_fingerprint": FILES[PartitionKey.parse(key)]},
                    asset_key=name,
                    partition_key=key,
                )
            yield dg.MaterializeResult(asset_key=name)

    return dg.Definitions(assets=[ingest], executor=dg.in_process_executor)


ASSETS = ("account", "chain")


def plan(instance: dg.DagsterInstance, definitions: dg.Definitions, **more: object) -> Plan:
    settings: dict[str, object] = {"limit": 20, **more}
    versions = input_versions(instance, settings.pop("files", FILES))  # type: ignore[arg-type]
    return plan_materialization(definitions, instance, ASSETS, versions, **settings)  # type: ignore[arg-type]


def run(
    instance: dg.DagsterInstance, definitions: dg.Definitions, planned: Plan
) -> list[BatchOutcome]:
    return run_plan(definitions, instance, planned, lambda outcome: None)


def test_every_partition_with_files_is_planned_one_symbol_a_run(
    instance: dg.DagsterInstance,
) -> None:
    planned = plan(instance, graph())
    assert set(planned.to_make) == set(FILES)
    assert planned.batches == (tuple(BANKNIFTY), tuple(NIFTY))


def test_batches_are_no_larger_than_the_limit(instance: dg.DagsterInstance) -> None:
    planned = plan(instance, graph(), asked=NIFTY, limit=3)
    assert [len(batch) for batch in planned.batches] == [3, 1]


def test_partitions_without_files_are_told_and_not_planned(instance: dg.DagsterInstance) -> None:
    planned = plan(instance, graph(), asked=NIFTY, files={NIFTY[0]: "files"})
    assert planned.to_make == (NIFTY[0],)
    assert planned.without_input == tuple(NIFTY[1:])


def test_a_range_run_makes_every_partition_of_every_asset(
    stored_instance: dg.DagsterInstance,
) -> None:
    instance = stored_instance
    outcome = materialize_batch(graph(), instance, ASSETS, NIFTY)
    assert outcome.made == tuple(NIFTY)
    assert outcome.faults == {}
    for asset in ASSETS:
        made = instance.get_materialized_partitions(dg.AssetKey(asset))
        assert made == {str(key) for key in NIFTY}
    assert instance.get_run_by_id(outcome.run_id).status == dg.DagsterRunStatus.SUCCESS


def test_a_second_command_skips_what_is_current(instance: dg.DagsterInstance) -> None:
    run(instance, graph(), plan(instance, graph(), asked=NIFTY[:2]))
    resumed = plan(instance, graph(), asked=NIFTY)
    assert resumed.to_make == tuple(NIFTY[2:])
    assert resumed.current == tuple(NIFTY[:2])
    assert plan(instance, graph(), asked=NIFTY, force=True).to_make == tuple(NIFTY)


def test_a_stopped_plan_resumes_where_it_stopped(instance: dg.DagsterInstance) -> None:
    calls: list[list[str]] = []

    def stopped(keys: list[str]) -> None:
        calls.append(keys)
        if len(calls) == 3:
            raise KeyboardInterrupt

    definitions = graph(stopped)
    with pytest.raises((KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
        run(instance, definitions, plan(instance, definitions, limit=2))
    resumed = plan(instance, graph(), limit=2)
    assert len(resumed.current) == 4
    assert len(resumed.to_make) == 4
    outcomes = run(instance, graph(), resumed)
    assert sum(len(outcome.made) for outcome in outcomes) == 4
    assert plan(instance, graph()).to_make == ()


def test_stale_takes_only_partitions_made_before_from_something_else(
    instance: dg.DagsterInstance,
) -> None:
    run(instance, graph(), plan(instance, graph(), asked=NIFTY[:3]))
    rewritten = {**FILES, NIFTY[1]: "the file was written again"}
    assert plan(instance, graph(), files=rewritten, stale_only=True).to_make == (NIFTY[1],)
    redefined = plan(instance, graph(code_version="2"), stale_only=True)
    assert redefined.to_make == tuple(NIFTY[:3])
    assert redefined.current == ()


def test_a_refused_partition_is_told_with_its_own_reason(instance: dg.DagsterInstance) -> None:
    text = f"2 of 4 partitions were not stored\n  {NIFTY[1]}: a.csv: is empty\n  {NIFTY[2]}: no"

    def refuse(keys: list[str]) -> None:
        raise dg.Failure(text, allow_retries=False)

    outcome = materialize_batch(graph(refuse), instance, ASSETS, NIFTY)
    assert outcome.made == ()
    assert outcome.faults[NIFTY[1]].message == "a.csv: is empty"
    assert outcome.faults[NIFTY[2]].message == "no"
    assert "2 of 4 partitions were not stored" in outcome.faults[NIFTY[0]].message


def test_the_message_of_a_platform_error_reaches_the_person(instance: dg.DagsterInstance) -> None:
    def refuse(keys: list[str]) -> None:
        raise TableConflictError("other writers won", place="chain", next_step="Run it again")

    outcome = materialize_batch(graph(refuse), instance, ASSETS, NIFTY[:1])
    fault = outcome.faults[NIFTY[0]]
    assert (fault.kind, fault.step) == ("TableConflictError", "ingest")
    assert fault.message == "chain: other writers won. Run it again"


def test_a_failed_batch_does_not_stop_the_next(instance: dg.DagsterInstance) -> None:
    def refuse(keys: list[str]) -> None:
        if "BANKNIFTY" in keys[0]:
            raise MissingInputError("nothing landed")

    told: list[BatchOutcome] = []
    definitions = graph(refuse)
    outcomes = run_plan(definitions, instance, plan(instance, definitions), told.append)
    assert told == outcomes
    assert set(outcomes[0].faults) == set(BANKNIFTY)
    assert outcomes[1].made == tuple(NIFTY)


def test_expected_time_is_measured_once_a_run_was_timed(instance: dg.DagsterInstance) -> None:
    before = plan(instance, graph(), asked=NIFTY)
    assert before.timing.partitions == 0
    assert before.expected_seconds == UNMEASURED_SECONDS * 4
    materialize_batch(graph(), instance, ASSETS, NIFTY)
    measured = run_timing(instance, ASSETS)
    assert measured.partitions == 4
    assert 0 < measured.seconds < 60
    assert run_timing(instance, ["other"]).partitions == 0


def test_a_run_whose_command_was_killed_is_marked_failed_and_a_living_one_is_left(
    instance: dg.DagsterInstance,
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    host = socket.gethostname()
    runs = {
        name: instance.create_run_for_job(
            graph().resolve_implicit_global_asset_job_def(),
            status=dg.DagsterRunStatus.STARTED,
            tags={LAUNCHED_BY_TAG: "mr", PROCESS_TAG: process},
        )
        for name, process in {
            "killed": f"{host}:{killed.pid}",
            "living": f"{host}:{os.getpid()}",
            "elsewhere": f"another-host:{killed.pid}",
        }.items()
    }

    closed = close_abandoned_runs(instance)

    statuses = {name: instance.get_run_by_id(run.run_id).status for name, run in runs.items()}
    assert closed == 1
    assert statuses == {
        "killed": dg.DagsterRunStatus.FAILURE,
        "living": dg.DagsterRunStatus.STARTED,
        "elsewhere": dg.DagsterRunStatus.STARTED,
    }
