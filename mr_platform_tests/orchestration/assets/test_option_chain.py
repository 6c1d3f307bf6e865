"""The raw assets as the graph runs them, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.assets.option_chain import SPECS
from mr_platform.orchestration.ingestion import CODE_VERSION, TABLES
from mr_platform.orchestration.materialization_events import CODE_VERSION_TAG, latest_records
from mr_platform_tests.orchestration.graph_runs import (
    ALL_CHECKS,
    FAILED,
    PASSED,
    days,
    failure_texts,
    materialized,
    run_range,
    run_single,
    texts,
    verdicts,
)
from mr_platform_tests.orchestration.small_days import ROWS, land, land_broken


def rows_of(lakehouse: Lakehouse, table: str) -> dict[str, int]:
    """Rows by partition, from the log of the table."""
    counts = lakehouse.read_partition_counts(table).rows(named=True)
    return {f"{row['date']}|{row['symbol']}": row["rows"] for row in counts}


def test_a_range_run_stores_and_records_every_partition_of_every_table(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    lakehouse: Lakehouse,
) -> None:
    keys = days("2024-01-02", 4)
    for key in keys:
        land(landing, key)
    result = run_range(definitions, instance, keys)
    assert result.success, failure_texts(result)
    for table in TABLES:
        assert materialized(instance, table) == texts(keys)
        assert lakehouse.version(table) == 1, "creation and one commit for the whole range"
    assert rows_of(lakehouse, "option_chain") == dict.fromkeys(texts(keys), ROWS)


def test_metadata_tells_the_load_of_each_partition(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landing: Path
) -> None:
    keys = days("2024-01-02", 2)
    for key in keys:
        land(landing, key)
    run_range(definitions, instance, keys)
    records = latest_records(instance, dg.AssetKey("option_chain"), texts(keys))
    fingerprints = set()
    for key in keys:
        event = records[str(key)].asset_materialization
        assert event is not None
        told: dict[str, Any] = {name: value.value for name, value in event.metadata.items()}
        assert told["rows_in"] == told["rows_good"] == ROWS
        assert told["rows_quarantined"] == 0
        assert told["dagster/partition_row_count"] == ROWS
        assert told["files"] == [f"NIFTY_{key.date}.csv"]
        assert told["dialects"] == "legacy_chain"
        assert set(told["units"]) >= {"iv_unit", "oi_unit", "volume_kind"}
        assert all(seconds >= 0 for seconds in told["seconds"].values())
        fingerprints.add(told["input_fingerprint"])
    assert len(fingerprints) == 2


@pytest.mark.parametrize("run", ["range", "single"])
def test_each_check_gives_one_verdict_for_each_partition(
    run: str, definitions: dg.Definitions, instance: dg.DagsterInstance, landing: Path
) -> None:
    keys = days("2024-01-02", 3 if run == "range" else 1)
    for key in keys:
        land(landing, key)
    if run == "range":
        result = run_range(definitions, instance, keys)
    else:
        result = run_single(definitions, instance, keys[0])
    assert result.success, failure_texts(result)
    newest = latest_records(instance, dg.AssetKey("option_chain"), texts(keys))
    for check in ALL_CHECKS:
        found = verdicts(instance, check)
        assert set(found) == texts(keys)
        for partition, records in found.items():
            assert len(records) == 1, "the planned row became the verdict"
            assert records[0].status in (PASSED, FAILED)
            evaluation = records[0].evaluation
            assert evaluation is not None
            assert evaluation.target_materialization_data is not None
            assert (
                evaluation.target_materialization_data.storage_id
                == newest[str(partition)].storage_id
            )


def test_refused_partitions_stop_neither_the_rest_nor_hide(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    lakehouse: Lakehouse,
) -> None:
    good, broken, also_good, absent = days("2024-01-02", 4)
    land(landing, good)
    land_broken(landing, broken)
    land(landing, also_good)
    result = run_range(definitions, instance, [good, broken, also_good, absent])
    assert not result.success
    (told,) = failure_texts(result)
    assert "2 of 4 partitions were not stored; the other 2 are stored" in told
    assert f"{broken}: " in told
    assert f"{absent}: " in told
    assert "no landed file" in told
    assert str(good) not in told
    for table in TABLES:
        assert materialized(instance, table) == texts([good, also_good])
    assert set(rows_of(lakehouse, "option_chain")) == texts([good, also_good])
    for check in ALL_CHECKS:
        found = verdicts(instance, check, result.run_id)
        assert set(found) == texts([good, broken, also_good, absent])
        for refused in (broken, absent):
            (record,) = found[str(refused)]
            assert record.status is FAILED
            assert record.evaluation is not None
            assert "nothing was stored" in str(record.evaluation.description)
    (record,) = verdicts(instance, "rows_are_conserved")[str(good)]
    assert record.status is PASSED


def test_a_refused_partition_keeps_what_it_held(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    lakehouse: Lakehouse,
) -> None:
    (key,) = days("2024-01-02", 1)
    land(landing, key)
    assert run_single(definitions, instance, key).success
    land_broken(landing, key)
    result = run_single(definitions, instance, key)
    assert not result.success
    assert len(instance.fetch_materializations(dg.AssetKey("option_chain"), limit=9).records) == 1
    assert rows_of(lakehouse, "option_chain") == {str(key): ROWS}


def test_events_of_a_partly_refused_batch_look_like_those_of_a_whole_one(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landing: Path
) -> None:
    first, second = days("2024-01-02", 2)
    land(landing, first)
    run_range(definitions, instance, [first, second])
    (partly,) = latest_records(instance, dg.AssetKey("option_chain"), [str(first)]).values()
    land(landing, second)
    run_range(definitions, instance, [first, second])
    (whole,) = latest_records(instance, dg.AssetKey("option_chain"), [str(first)]).values()
    seen = []
    for record in (partly, whole):
        event = record.asset_materialization
        assert event is not None
        assert event.tags is not None
        assert event.tags[CODE_VERSION_TAG] == CODE_VERSION
        assert event.tags["dagster/partition/date"] == str(first.date)
        assert event.tags["dagster/data_version"]
        metadata = {
            name: value.value
            for name, value in event.metadata.items()
            if name not in ("seconds", "table_version")
        }
        seen.append((metadata, sorted(event.metadata)))
    assert seen[0] == seen[1]


def test_running_again_changes_nothing(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    lakehouse: Lakehouse,
) -> None:
    keys = days("2024-01-02", 2)
    for key in keys:
        land(landing, key)
    run_range(definitions, instance, keys)
    before = lakehouse.scan("option_chain").collect()
    run_range(definitions, instance, keys)
    assert lakehouse.scan("option_chain").collect().equals(before)


def test_every_asset_says_who_owns_it_what_it_is_and_which_columns_it_has() -> None:
    for spec in SPECS:
        assert spec.owners
        assert spec.description
        assert spec.kinds
        assert spec.tags["layer"] == "raw"
        assert spec.code_version == CODE_VERSION
        columns = spec.metadata["dagster/column_schema"].columns
        assert {"symbol", "date"} <= {column.name for column in columns}
        assert all(column.description for column in columns)


def test_the_declared_columns_are_the_stored_ones(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    lakehouse: Lakehouse,
) -> None:
    (key,) = days("2024-01-02", 1)
    land(landing, key)
    run_single(definitions, instance, key)
    for spec in SPECS:
        declared = [column.name for column in spec.metadata["dagster/column_schema"].columns]
        assert declared == list(lakehouse.schema(spec.key.path[-1]))
