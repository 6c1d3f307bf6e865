"""A run that was broken off is told apart from one that failed by itself."""

import datetime as dt
import socket
from collections.abc import Callable

import dagster as dg
import pytest

from mr_platform.orchestration.interrupted_runs import (
    INTERRUPTED,
    KILLED,
    interrupted_partitions,
)
from mr_platform.orchestration.materialization import (
    LAUNCHED_BY_TAG,
    PROCESS_TAG,
    close_abandoned_runs,
    materialize_batch,
)
from mr_platform.orchestration.partition_status import read_asset_status
from mr_platform.orchestration.partitions import PARTITIONS, range_tags
from mr_platform.trading_calendar import PartitionKey

KEYS = [PartitionKey(dt.date(2024, 1, day), "NIFTY") for day in (1, 2, 3)]
TEXTS = [str(key) for key in KEYS]


def graph(body: Callable[[], None] = lambda: None) -> dg.Definitions:
    """One asset, whose body may break the run off."""

    @dg.asset(partitions_def=PARTITIONS)
    def chain() -> None:
        body()

    return dg.Definitions(
        assets=[chain],
        executor=dg.in_process_executor,
        resources={"io_manager": dg.mem_io_manager},
    )


def interrupt() -> None:
    raise KeyboardInterrupt


def refuse() -> None:
    raise dg.Failure("cannot be made", allow_retries=False)


def make(instance: dg.DagsterInstance, keys: list[PartitionKey], body: Callable[[], None]) -> None:
    materialize_batch(graph(body), instance, ["chain"], keys)


def told(instance: dg.DagsterInstance) -> dict[str, str]:
    failed = read_asset_status(graph(), instance, "chain", {}).failed
    return interrupted_partitions(instance, "chain", failed)


def test_an_interrupted_partition_is_to_be_run_again(stored_instance: dg.DagsterInstance) -> None:
    with pytest.raises((KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
        make(stored_instance, KEYS[:2], interrupt)
    assert told(stored_instance) == dict.fromkeys(TEXTS[:2], INTERRUPTED)


def test_a_partition_that_failed_by_itself_is_not(instance: dg.DagsterInstance) -> None:
    make(instance, KEYS[:1], refuse)
    with pytest.raises((KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
        make(instance, KEYS[1:2], interrupt)
    assert read_asset_status(graph(), instance, "chain", {}).failed == tuple(TEXTS[:2])
    assert told(instance) == {TEXTS[1]: INTERRUPTED}


def test_the_latest_run_counts(instance: dg.DagsterInstance) -> None:
    with pytest.raises((KeyboardInterrupt, dg.DagsterExecutionInterruptedError)):
        make(instance, KEYS, interrupt)
    make(instance, KEYS[:1], refuse)
    make(instance, KEYS[1:2], lambda: None)
    assert told(instance) == {TEXTS[2]: INTERRUPTED}


def test_a_killed_command_is_told_as_such(instance: dg.DagsterInstance) -> None:
    instance.create_run_for_job(
        graph().resolve_implicit_global_asset_job_def(),
        asset_selection=frozenset({dg.AssetKey("chain")}),
        status=dg.DagsterRunStatus.STARTED,
        tags={
            **range_tags(KEYS[:1]),
            LAUNCHED_BY_TAG: "mr",
            # no process has this number: it is above what Linux and macOS give
            PROCESS_TAG: f"{socket.gethostname()}:99999999",
        },
    )
    assert close_abandoned_runs(instance) == 1
    assert told(instance) == {TEXTS[0]: KILLED}


def test_a_run_that_a_person_marked_failed_was_not_killed(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(
        graph().resolve_implicit_global_asset_job_def(),
        asset_selection=frozenset({dg.AssetKey("chain")}),
        status=dg.DagsterRunStatus.STARTED,
        tags={**range_tags(KEYS[:1]), LAUNCHED_BY_TAG: "mr"},
    )
    instance.report_run_failed(run, "marked failed by a person")
    assert told(instance) == {}


def test_nothing_failed_and_an_unknown_partition_are_told_nothing(
    instance: dg.DagsterInstance,
) -> None:
    assert interrupted_partitions(instance, "chain", ()) == {}
    assert interrupted_partitions(instance, "chain", TEXTS[:1]) == {}
