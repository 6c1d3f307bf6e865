"""A batch of partitions from landed files to tables, without Dagster."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from mr_platform.config.settings import Settings
from mr_platform.errors import MissingInputError, PartitionRejectedError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import LandingCatalogue, LandingZone
from mr_platform.orchestration.ingestion import (
    TABLES,
    BatchReport,
    days_to_come,
    ingest_and_store,
    refresh_catalogue,
    refresh_settled,
)
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.orchestration.graph_runs import days
from mr_platform_tests.orchestration.small_days import ROWS, land, land_broken

NOW = dt.datetime(2024, 1, 10, tzinfo=dt.UTC)
FIRST, BROKEN, ABSENT = days("2024-01-02", 3)


@pytest.fixture
def catalogue(settings: Settings) -> LandingCatalogue:
    return LandingCatalogue(settings.landing_catalogue, LandingZone(settings.landing_dir))


def test_each_partition_of_a_batch_meets_its_own_fate(
    settings: Settings, landing: Path, lakehouse: Lakehouse, catalogue: LandingCatalogue
) -> None:
    land(landing, FIRST)
    land_broken(landing, BROKEN)
    report = ingest_and_store(
        [ABSENT, BROKEN, FIRST],
        lakehouse=lakehouse,
        catalogue=catalogue,
        settings=settings,
        now=NOW,
        commit_info={"reason": "test"},
    )
    (stored,) = report.stored
    assert stored.key == FIRST
    assert stored.rows["option_chain"] == stored.rows_in == ROWS
    assert stored.files == (f"NIFTY_{FIRST.date}.csv",)
    assert stored.input_fingerprint == catalogue.partitions()[FIRST].fingerprint
    assert isinstance(report.refused[BROKEN], PartitionRejectedError)
    assert isinstance(report.refused[ABSENT], MissingInputError)
    for table in TABLES:
        assert report.versions[table] == lakehouse.version(table)
    held = lakehouse.read_partition_counts("option_chain")
    assert held.rows() == [("NIFTY", FIRST.date, ROWS)]


def test_a_batch_of_which_nothing_is_stored_makes_no_commit(
    settings: Settings, landing: Path, lakehouse: Lakehouse, catalogue: LandingCatalogue
) -> None:
    report = ingest_and_store(
        [ABSENT], lakehouse=lakehouse, catalogue=catalogue, settings=settings, now=NOW
    )
    assert (report.stored, report.versions) == ((), {})
    assert lakehouse.tables() == []


def test_a_file_that_may_still_be_written_is_left_alone_unless_a_person_asks(
    settings: Settings, landing: Path, catalogue: LandingCatalogue
) -> None:
    land(landing, FIRST, age=60)
    land(landing, BROKEN, age=0)
    refresh_settled(catalogue, settings)
    assert set(catalogue.partitions()) == {FIRST}
    refresh_catalogue(catalogue)
    assert set(catalogue.partitions()) == {FIRST, BROKEN}


def test_days_to_come_are_told_by_file(landing: Path, catalogue: LandingCatalogue) -> None:
    land(landing, FIRST)
    land(landing, ABSENT)
    refresh_catalogue(catalogue)
    assert days_to_come(catalogue, []) == {}
    name = f"NIFTY_{ABSENT.date}.csv"
    assert days_to_come(catalogue, [ABSENT]) == {
        name: f"{name}: holds rows of {ABSENT.date}, a day to come. Check its dates; these rows "
        "wait until then"
    }


def test_refused_partitions_are_told_in_order_one_a_line() -> None:
    later = PartitionKey(ABSENT.date, "BANKNIFTY")
    fault = MissingInputError("nothing landed", next_step="Land it")
    report = BatchReport(refused={ABSENT: fault, later: fault, FIRST: fault})
    assert report.refusal_text() == (
        "3 of 3 partitions were not stored\n"
        f"  {FIRST}: nothing landed. Land it\n"
        f"  {later}: nothing landed. Land it\n"
        f"  {ABSENT}: nothing landed. Land it"
    )
