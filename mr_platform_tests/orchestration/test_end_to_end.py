"""Webserver, daemon, queue and code server as a user runs them."""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mr_platform.orchestration.checks.verdicts import RULES
from mr_platform.orchestration.ingestion import TABLES
from mr_platform.trading_calendar import SYMBOLS, PartitionKey, trading_days
from mr_platform_tests.orchestration.running_dagster import RunningDagster, running_dagster
from mr_platform_tests.orchestration.small_days import changed_ago, land

DAYS = trading_days(dt.date(2024, 1, 1), dt.date(2024, 1, 31))
BACKFILLED = [PartitionKey(day, symbol) for day in DAYS[:3] for symbol in SYMBOLS]
LANDING, FEATURES = "landing_sensor", "feature_sensor"
DROPPED = [PartitionKey(day, "NIFTY") for day in DAYS[3:5]]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDagster]:
    home = tmp_path_factory.mktemp("home")
    with running_dagster(home, sensors_off=[LANDING, FEATURES]) as running:
        yield running


def ended_backfill(server: RunningDagster, backfill: str) -> dict[str, Any] | None:
    found: dict[str, Any] = server.ask(
        """query ($id: String!) { partitionBackfillOrError(backfillId: $id) {
        ... on PartitionBackfill { status error { message } runs(limit: 50) { status } } } }""",
        id=backfill,
    )["partitionBackfillOrError"]
    return None if found["status"] in ("REQUESTED", "COMPLETED_REQUESTING") else found


def partition_stats(server: RunningDagster, table: str) -> dict[str, int]:
    stats: dict[str, int] = server.ask(
        """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
        partitionStats { numMaterialized numFailed numMaterializing } } } }""",
        key={"path": [table]},
    )["assetNodeOrError"]["partitionStats"]
    return stats


def check_rows(server: RunningDagster, check: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = server.ask(
        """query ($key: AssetKeyInput!, $check: String!) {
        assetCheckExecutions(assetKey: $key, checkName: $check, limit: 500) {
            partition status evaluation { success description } } }""",
        key={"path": ["option_chain"]},
        check=check,
    )["assetCheckExecutions"]
    return rows


def runs(server: RunningDagster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.ask(
        """query { runsOrError { ... on Runs { results { runId status
        tags { key value } } } } }"""
    )["runsOrError"]["results"]
    return found


def tag(run: dict[str, Any], key: str) -> str | None:
    return next((item["value"] for item in run["tags"] if item["key"] == key), None)


def test_a_backfill_makes_every_partition_with_one_verdict_a_check(
    server: RunningDagster,
) -> None:
    for key in BACKFILLED:
        land(server.home / "landing", key)
    launched = server.ask(
        """mutation ($params: LaunchBackfillParams!) {
        launchPartitionBackfill(backfillParams: $params) { __typename
            ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        params={
            "assetSelection": [{"path": [table]} for table in TABLES],
            "partitionNames": [str(key) for key in BACKFILLED],
        },
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    ended = server.wait_for(
        "the end of the backfill", lambda: ended_backfill(server, launched["backfillId"])
    )
    assert ended["status"] == "COMPLETED_SUCCESS", (ended, server.logs())
    assert [run["status"] for run in ended["runs"]] == ["SUCCESS"] * len(SYMBOLS), (
        "one range run a symbol"
    )
    for table in TABLES:
        stats = partition_stats(server, table)
        assert stats == {
            "numMaterialized": len(BACKFILLED), "numFailed": 0, "numMaterializing": 0
        }  # fmt: skip
    for rule in RULES:
        rows = check_rows(server, rule.name)
        assert Counter(row["partition"] for row in rows) == Counter(map(str, BACKFILLED))
        passes = rule.name != "session_is_complete"  # twelve minutes are no session
        assert {row["status"] for row in rows} == {"SUCCEEDED" if passes else "FAILED"}


def test_check_pages_show_every_partition_as_current(server: RunningDagster) -> None:
    checks = server.ask(
        """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
        assetChecksOrError { ... on AssetChecks { checks { name partitionStatuses { __typename
            ... on AssetCheckMultiPartitionStatuses { ranges { primaryDimStartKey
                primaryDimEndKey secondaryDim { ... on AssetCheckDefaultPartitionStatuses {
                succeededPartitions failedPartitions } } } } } } } } } } }""",
        key={"path": ["option_chain"]},
    )["assetNodeOrError"]["assetChecksOrError"]["checks"]
    (shown,) = [check for check in checks if check["name"] == "rows_are_conserved"]
    (whole,) = shown["partitionStatuses"]["ranges"]
    assert whole["primaryDimStartKey"] == str(DAYS[0])
    assert whole["primaryDimEndKey"] == str(DAYS[2])
    assert set(whole["secondaryDim"]["succeededPartitions"]) == set(SYMBOLS)
    assert whole["secondaryDim"]["failedPartitions"] == []


def finished_sensor_runs(server: RunningDagster) -> list[dict[str, Any]]:
    return [run for run in runs(server) if tag(run, "dagster/sensor_name") == LANDING]


def ticks_ended(server: RunningDagster) -> int:
    ticks = server.sensor_state(LANDING)["ticks"]
    assert not [tick for tick in ticks if tick["status"] == "FAILURE"], server.logs()
    return len([tick for tick in ticks if tick["status"] in ("SKIPPED", "SUCCESS")])


def wait_for_ticks(server: RunningDagster, more: int) -> None:
    before = ticks_ended(server)
    server.wait_for(
        f"{more} further ticks of the landing sensor",
        lambda: True if ticks_ended(server) >= before + more else None,
    )


def test_dropped_files_make_one_run_for_each_new_partition(server: RunningDagster) -> None:
    landing: Path = server.home / "landing"
    for key in BACKFILLED:
        land(landing, key)
    server.switch_sensor(LANDING, on=True)
    for key in DROPPED:
        land(landing / "dropped", key, age=0)
    wanted = Counter(map(str, DROPPED))
    server.wait_for(
        "the end of a run for each dropped partition",
        lambda: (
            True
            if Counter(
                tag(run, "dagster/partition")
                for run in finished_sensor_runs(server)
                if run["status"] in ("SUCCESS", "FAILURE")
            )
            >= wanted
            else None
        ),
    )
    for key in DROPPED:  # the same content again: dated anew, and under another name
        path = changed_ago(landing / "dropped" / f"NIFTY_{key.date}.csv", 20)
        shutil.copy(path, landing / f"copy_of_{path.name}")
    wait_for_ticks(server, 3)
    made = finished_sensor_runs(server)
    assert Counter(tag(run, "dagster/partition") for run in made) == wanted, (
        "what the backfill stored, and what landed twice, is not run again"
    )
    assert {run["status"] for run in made} == {"SUCCESS"}
    assert partition_stats(server, "option_chain")["numMaterialized"] == len(BACKFILLED) + len(
        DROPPED
    )


def test_a_dropped_strategy_file_becomes_a_book(server: RunningDagster) -> None:
    folder = server.home / "landing" / "strategy_books" / "dropped"
    folder.mkdir(parents=True)
    lines = ["Date,Day,SENSEX 930-1030 SL7%,SENSEX 1000-1100 SL9%"]
    lines += [
        f"{day},{day:%A},{place % 5 - 1.5},{1.5 - place % 3}" for place, day in enumerate(DAYS)
    ]
    (folder / "january.csv").write_text("\n".join(lines) + "\n", "utf-8")
    partitions = server.wait_for(
        "the correlations of a dropped book", lambda: materialized(server, "correlation_summary")
    )
    assert partitions == ["dropped"]
    for table in ("strategy_returns", "strategy_metrics", "inversions"):
        assert materialized(server, table) == ["dropped"]
    asked = [run for run in runs(server) if tag(run, "dagster/sensor_name") == "strategy_sensor"]
    assert [(run["status"], tag(run, "dagster/partition")) for run in asked] == [
        ("SUCCESS", "dropped")
    ], server.logs()


def materialized(server: RunningDagster, table: str) -> list[str] | None:
    """Books whose table was made; None while there is none or its run goes on."""
    asked = [run for run in runs(server) if tag(run, "dagster/sensor_name") == "strategy_sensor"]
    if any(run["status"] not in ("SUCCESS", "FAILURE", "CANCELED") for run in asked):
        return None
    found = server.ask(
        """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
        assetPartitionStatuses {
            ... on DefaultPartitionStatuses { materializedPartitions } } } } }""",
        key={"path": [table]},
    )["assetNodeOrError"]["assetPartitionStatuses"]["materializedPartitions"]
    return found or None


def test_features_follow_the_option_chain_by_themselves(server: RunningDagster) -> None:
    server.switch_sensor(FEATURES, on=True)
    server.wait_for(
        "features of one partition",
        lambda: partition_stats(server, "c8_features")["numMaterialized"] or None,
    )
    server.switch_sensor(FEATURES, on=False)
    asked = [run for run in runs(server) if tag(run, "dagster/sensor_name") == FEATURES]
    assert {tag(run, "dagster/priority") for run in asked} == {"-1"}
    assert "FAILURE" not in {run["status"] for run in asked}, server.logs()
