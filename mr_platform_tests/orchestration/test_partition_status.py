"""Partition status read from an instance, in memory and on disk, over a small graph of its own.

Dagster wants the class itself, not its name, as annotation of a context: no postponed annotations.
"""

import datetime as dt
import warnings
from collections.abc import Iterator

import dagster as dg

from mr_platform.orchestration.materialization import materialize_batch
from mr_platform.orchestration.partition_status import (
    RecordedPartition,
    check_counts,
    materializable_assets,
    read_asset_status,
    recorded_partitions,
    stale_partitions,
)
from mr_platform.orchestration.partitions import PARTITIONS, batches
from mr_platform.trading_calendar import PartitionKey

DAYS = [dt.date(2024, 1, day) for day in (1, 2, 3, 4)]
KEYS = [PartitionKey(day, "NIFTY") for day in DAYS]
FILES = {str(key): f"files of {key}" for key in KEYS}


def graph(code_version: str = "1", *, warn_on: str = "", refuse: str = "") -> dg.Definitions:
    """One asset that refuses a day on demand, with a check that warns on a day on demand."""

    @dg.asset(partitions_def=PARTITIONS, code_version=code_version)
    def first(context: dg.AssetExecutionContext) -> None:
        for key in context.partition_keys:
            if refuse and refuse in key:
                raise dg.Failure(f"cannot make {key}", allow_retries=False)
            context.add_asset_metadata(
                {"input_fingerprint": FILES.get(key, "")}, asset_key="first", partition_key=key
            )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        spec = dg.AssetCheckSpec("is_calm", asset="first", partitions_def=PARTITIONS)

    @dg.multi_asset_check(specs=[spec])
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[object]:
        for key in context.op_execution_context.partition_keys:
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey("first"),
                check_name="is_calm",
                passed=not (warn_on and warn_on in key),
                severity=dg.AssetCheckSeverity.WARN,
                description=f"looked at {key}",
                partition=key,
            )
        yield dg.Output(None, output_name=spec.get_python_identifier())

    @dg.asset(deps=[first], partitions_def=PARTITIONS)
    def second() -> None: ...

    return dg.Definitions(
        assets=[second, first],
        asset_checks=[check],
        executor=dg.in_process_executor,
        resources={"io_manager": dg.mem_io_manager},
    )


def test_assets_are_named_in_data_order() -> None:
    assert materializable_assets(graph()) == ["first", "second"]


def test_status_tells_made_and_waiting_partitions_apart(
    stored_instance: dg.DagsterInstance,
) -> None:
    definitions, instance = graph(), stored_instance
    materialize_batch(definitions, instance, ["first"], KEYS[:2])
    status = read_asset_status(definitions, instance, "first", FILES)
    assert status.materialized == ("2024-01-01|NIFTY", "2024-01-02|NIFTY")
    assert status.missing == ("2024-01-03|NIFTY", "2024-01-04|NIFTY")
    assert status.stale == {}
    assert status.failed == ()


def test_a_changed_definition_makes_exactly_its_partitions_stale(
    instance: dg.DagsterInstance,
) -> None:
    materialize_batch(graph("1"), instance, ["first"], KEYS[:2])
    materialize_batch(graph("2"), instance, ["first"], KEYS[2:3])
    changed = read_asset_status(graph("2"), instance, "first", FILES)
    assert list(changed.stale) == ["2024-01-01|NIFTY", "2024-01-02|NIFTY"]
    assert changed.stale["2024-01-01|NIFTY"] == "definition changed (1 → 2)"


def test_a_file_landed_again_makes_its_partition_stale(instance: dg.DagsterInstance) -> None:
    definitions = graph()
    materialize_batch(definitions, instance, ["first"], KEYS[:2])
    status = read_asset_status(
        definitions, instance, "first", {**FILES, "2024-01-02|NIFTY": "other files"}
    )
    assert status.stale == {"2024-01-02|NIFTY": "inputs changed"}


def test_files_taken_away_leave_what_was_made_of_them() -> None:
    made = RecordedPartition("1", "old", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "run")
    assert stale_partitions({"2024-01-01|NIFTY": made}, "1", {}) == {}


def test_a_failed_partition_is_failed_until_it_is_made(instance: dg.DagsterInstance) -> None:
    materialize_batch(graph(refuse="2024-01-02"), instance, ["first"], KEYS[1:2])
    before = read_asset_status(graph(), instance, "first", FILES)
    assert before.failed == ("2024-01-02|NIFTY",)
    materialize_batch(graph(), instance, ["first"], KEYS[1:2])
    after = read_asset_status(graph(), instance, "first", FILES)
    assert (after.failed, after.materialized) == ((), ("2024-01-02|NIFTY",))


def test_the_latest_materialisation_counts(instance: dg.DagsterInstance) -> None:
    first = materialize_batch(graph("1"), instance, ["first"], KEYS[:1])
    second = materialize_batch(graph("2"), instance, ["first"], KEYS[:1])
    recorded = recorded_partitions(instance, "first")
    assert list(recorded) == ["2024-01-01|NIFTY"]
    made = recorded["2024-01-01|NIFTY"]
    assert (made.code_version, made.run_id) == ("2", second.run_id)
    assert made.run_id != first.run_id
    assert made.fingerprint == "files of 2024-01-01|NIFTY"


def test_check_verdicts_are_counted_by_partition(instance: dg.DagsterInstance) -> None:
    definitions = graph(warn_on="2024-01-03")
    materialize_batch(definitions, instance, ["first"], KEYS)
    key = dg.AssetCheckKey(dg.AssetKey("first"), "is_calm")
    counts = check_counts(instance, [key])["is_calm"]
    assert counts.passed == 3
    assert counts.warned == {"2024-01-03|NIFTY": "looked at 2024-01-03|NIFTY"}
    assert counts.failed == {}
    of_one = check_counts(instance, [key], {"2024-01-01|NIFTY"})["is_calm"]
    assert (of_one.passed, of_one.warned) == (1, {})


def test_status_of_many_partitions_asks_few_queries(instance: dg.DagsterInstance) -> None:
    keys = [
        PartitionKey(dt.date.fromisoformat(text.split("|")[0]), "NIFTY")
        for text in PARTITIONS.get_partition_keys()
        if text.startswith("2023-") and text.endswith("|NIFTY")
    ]
    for key in keys:
        instance.report_runless_asset_event(
            dg.AssetMaterialization("first", partition=str(key), tags={"dagster/code_version": "1"})
        )
    storage = instance.event_log_storage
    asked = []
    original = storage.get_event_records
    storage.get_event_records = lambda *a, **k: (asked.append(1), original(*a, **k))[1]  # type: ignore[method-assign]
    status = read_asset_status(graph("2"), instance, "first", {})
    assert len(status.stale) == len(keys) > 200
    assert len(asked) <= 3
    assert len(batches(keys, 20)) == -(-len(keys) // 20)
