"""Metadata of a stored partition, and the latest event of each partition."""

from __future__ import annotations

import json

import dagster as dg

from mr_platform.orchestration.ingestion import CODE_VERSION, TABLES, StoredPartition
from mr_platform.orchestration.materialization_events import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    explicit_events,
    latest_fingerprints,
    latest_records,
    partition_metadata,
)
from mr_platform.trading_calendar import PartitionKey

VERSIONS = {table: place for place, table in enumerate(TABLES)}


def stored(date: str = "2024-01-02", fingerprint: str = "files") -> StoredPartition:
    return StoredPartition(
        key=PartitionKey.parse(f"{date}|NIFTY"),
        rows={"option_chain": 84, "quarantined_rows": 6, "landed_files": 1, "load_audit": 9},
        rows_in=90,
        quarantined={"out_of_range": 4, "duplicate_key": 2},
        files=("a.csv",),
        dialects=("legacy_chain",),
        units={"iv_unit": "decimal"},
        timings={"read": 0.123456},
        input_fingerprint=fingerprint,
    )


def test_the_chain_tells_the_whole_load_and_the_others_their_rows() -> None:
    chain = partition_metadata("option_chain", stored(), 7)
    assert chain["dagster/partition_row_count"] == 84
    assert (chain["rows_in"], chain["rows_good"], chain["rows_quarantined"]) == (90, 84, 6)
    assert chain["quarantined_by_reason"].data == {"out_of_range": 4, "duplicate_key": 2}
    assert chain["seconds"].data == {"read": 0.1235}
    assert chain["table_version"] == 7
    assert partition_metadata("load_audit", stored()) == {
        "dagster/partition_row_count": 9,
        "input_fingerprint": "files",
    }


def test_every_table_and_partition_gets_an_event_with_its_version_and_tags() -> None:
    events = list(explicit_events([stored(), stored("2024-01-03")], VERSIONS))
    assert [(event.asset_key.path[-1], event.partition) for event in events] == [
        (table, f"{date}|NIFTY") for date in ("2024-01-02", "2024-01-03") for table in TABLES
    ]
    event = events[3]
    assert event.metadata["table_version"].value == VERSIONS["option_chain"]
    assert event.tags["dagster/partition/date"] == "2024-01-02"
    assert event.tags["dagster/partition/symbol"] == "NIFTY"
    assert event.tags[CODE_VERSION_TAG] == CODE_VERSION


def test_other_files_are_another_data_version() -> None:
    versions = [
        next(explicit_events([partition], VERSIONS)).tags[DATA_VERSION_TAG]
        for partition in (stored(), stored("2024-01-03"), stored(fingerprint="other files"))
    ]
    assert versions[0] == versions[1] != versions[2]


def test_the_latest_event_of_each_partition_is_read_back(instance: dg.DagsterInstance) -> None:
    told = [stored(), stored("2024-01-03"), stored(fingerprint="files again")]
    for event in explicit_events(told, VERSIONS):
        instance.report_runless_asset_event(event)
    asked = ["2024-01-02|NIFTY", "2024-01-03|NIFTY", "2024-01-04|NIFTY"]
    assert latest_fingerprints(instance, asked) == {
        "2024-01-02|NIFTY": "files again",
        "2024-01-03|NIFTY": "files",
    }
    assert set(latest_records(instance, dg.AssetKey("load_audit"), asked[1:])) == {asked[1]}
    assert latest_records(instance, dg.AssetKey("load_audit"), []) == {}


def test_metadata_can_be_written_as_json() -> None:
    event = list(explicit_events([stored()], VERSIONS))[3]
    units = event.metadata["units"].value
    assert json.loads(json.dumps(units)) == {"iv_unit": "decimal"}
