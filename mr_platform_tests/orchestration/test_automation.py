"""Sensors and the schedule over a real landing folder, ticked by hand."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mr_platform.gateways.landing import LandingCatalogue, LandingZone
from mr_platform.gateways.notifications import Delivery, Notification
from mr_platform.orchestration import automation, landing_watch
from mr_platform.orchestration.automation import (
    after_close_schedule,
    feature_sensor,
    landing_sensor,
    overdue_data_notifications,
    run_failure_notifications,
)
from mr_platform.orchestration.derived_tables import derived_table, derived_tables
from mr_platform.orchestration.feature_watch import PARTNER_ASSETS
from mr_platform.orchestration.input_versions import input_fingerprints
from mr_platform.orchestration.partitions import TRADING_DATES
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.trading_calendar import IST, PartitionKey, next_trading_day
from mr_platform_tests.orchestration.derived_days import record
from mr_platform_tests.orchestration.graph_runs import days, run_range, run_single, texts
from mr_platform_tests.orchestration.small_days import (
    changed_ago,
    land,
    land_broken,
    small_day,
    write,
)

KEYS = days("2024-01-02", 2)
KEY = KEYS[0]


@dataclass
class Told:
    """Keeps what it is told."""

    notifications: list[Notification] = field(default_factory=list)

    def notify(self, notification: Notification) -> list[Delivery]:
        self.notifications.append(notification)
        return [Delivery("test", True)]


@dataclass
class Folder:
    """The landing sensor with its cursor, over one home."""

    instance: dg.DagsterInstance
    settings: SettingsResource
    told: Told = field(default_factory=Told)
    cursor: str | None = None

    def tick(self) -> list[dg.RunRequest]:
        """Run requests of the next tick."""
        found = self.settings.load()
        zone = LandingZone(found.landing_dir)
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = landing_sensor(
            context,
            settings=self.settings,
            landing=zone,
            catalogue=LandingCatalogue(found.landing_catalogue, zone),
            notifier=self.told,
        )
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def partitions(self) -> list[str]:
        """Partitions that the next tick asks for."""
        return [str(request.partition_key) for request in self.tick()]


@pytest.fixture
def folder(instance: dg.DagsterInstance, settings_resource: SettingsResource) -> Folder:
    return Folder(instance, settings_resource)


def test_an_empty_folder_asks_for_nothing(folder: Folder) -> None:
    assert folder.tick() == []


def test_a_new_partition_is_asked_for_once(folder: Folder, landing: Path) -> None:
    for key in KEYS:
        land(landing, key)
    assert set(folder.partitions()) == texts(KEYS)
    assert folder.partitions() == []


def test_a_lost_cursor_asks_for_the_same_run_keys(folder: Folder, landing: Path) -> None:
    land(landing, KEY)
    (first,) = folder.tick()
    folder.cursor = None
    (again,) = folder.tick()
    assert first.run_key == again.run_key, "Dagster starts no second run of the same key"


def test_the_same_content_under_another_name_is_nothing_new(folder: Folder, landing: Path) -> None:
    path = land(landing, KEY)
    folder.tick()
    changed_ago(path, 30)
    (landing / "again").mkdir()
    copy = landing / "again" / "copy.csv"
    copy.write_bytes(path.read_bytes())
    changed_ago(copy, 30)
    assert folder.partitions() == []


def test_a_rewritten_file_asks_for_a_new_run_also_when_it_is_changed_back(
    folder: Folder, landing: Path
) -> None:
    keys = set()
    for shift, age in ((0.0, 90), (1.0, 60), (0.0, 30)):
        land(landing, KEY, shift=shift, age=age)
        (request,) = folder.tick()
        keys.add(request.run_key)
    assert len(keys) == 3


def test_a_file_still_being_written_waits_until_it_rests(folder: Folder, landing: Path) -> None:
    path = land(landing, KEY, age=0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert folder.partitions() == []
    path.write_bytes(whole)
    assert folder.partitions() == []
    assert folder.told.notifications == [], "half a file is not a faulty file"
    changed_ago(path, 30)
    assert folder.partitions() == [str(KEY)]


def test_a_file_in_a_sub_folder_is_found_and_unfinished_names_are_not(
    folder: Folder, landing: Path
) -> None:
    land(landing / "2024" / "january", KEY)
    write(landing / f"NIFTY_{KEYS[1].date}.csv.part", small_day(KEYS[1]))
    assert folder.partitions() == [str(KEY)]


def test_a_foreign_file_is_told_once_and_asks_for_nothing(folder: Folder, landing: Path) -> None:
    foreign = landing / "notes.txt"
    foreign.write_text("call the broker\n")
    changed_ago(foreign, 60)
    assert folder.partitions() == []
    assert folder.partitions() == []
    (told,) = folder.told.notifications
    assert told.severity == "warning"
    assert "notes.txt" in told.title
    foreign.unlink()
    land(landing, KEY)
    assert folder.partitions() == [str(KEY)]
    assert len(folder.told.notifications) == 1


def test_a_file_of_a_day_to_come_is_told_and_holds_up_no_other(
    folder: Folder, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(TRADING_DATES), "get_last_partition_key", lambda *_: KEY.date.isoformat()
    )
    for key in KEYS:
        land(landing, key)
    assert folder.partitions() == [str(KEY)]
    assert folder.partitions() == []
    (told,) = folder.told.notifications
    assert f"holds rows of {KEYS[1].date}, a day to come" in told.body
    monkeypatch.undo()
    assert folder.partitions() == [str(KEYS[1])], "the day has come"


def test_every_partition_asked_for_is_one_that_dagster_knows(
    folder: Folder, landing: Path, definitions: dg.Definitions
) -> None:
    """A request for an unknown partition would fail the tick, and every tick after it."""
    ahead = PartitionKey(next_trading_day(dt.datetime.now(IST).date(), 10), "NIFTY")
    for key in (KEY, ahead):
        land(landing, key)
    requests = folder.tick()
    known = definitions.resolve_job_def("ingest_option_chain_job").partitions_def
    assert known is not None
    assert [known.has_partition_key(str(request.partition_key)) for request in requests] == [True]


@pytest.mark.parametrize("cursor", ["by hand", "[]", '{"requested": {"a": 1}}', "null"])
def test_a_cursor_that_cannot_be_read_is_begun_anew(
    cursor: str, folder: Folder, landing: Path
) -> None:
    land(landing, KEY)
    folder.cursor = cursor
    assert folder.partitions() == [str(KEY)]


def test_many_faulty_files_are_one_notification(folder: Folder, landing: Path) -> None:
    landing.mkdir(exist_ok=True)
    for number in range(30):
        changed_ago(write_text(landing / f"notes {number:02}.txt", f"call {number}\n"), 60)
    folder.tick()
    folder.tick()
    (told,) = folder.told.notifications
    assert told.title == "30 landed files cannot be used"
    assert "notes 00.txt" in told.body
    assert told.body.endswith("and 10 more; `mr status` lists them")


def test_a_file_that_was_mended_after_it_was_told_is_ingested(
    folder: Folder, landing: Path
) -> None:
    path = landing / f"NIFTY_{KEY.date}.csv"
    path.write_text("")
    changed_ago(path, 60)
    assert folder.partitions() == []
    assert len(folder.told.notifications) == 1
    land(landing, KEY, age=30)
    assert folder.partitions() == [str(KEY)]


def test_what_is_stored_already_from_the_same_files_is_not_asked_for(
    folder: Folder, landing: Path, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    for key in KEYS:
        land(landing, key)
    assert run_range(definitions, instance, KEYS).success
    assert folder.partitions() == []
    land(landing, KEY, shift=1.0, age=30)
    assert folder.partitions() == [str(KEY)]


def test_a_vanished_file_asks_for_nothing(folder: Folder, landing: Path) -> None:
    path = land(landing, KEY)
    folder.tick()
    path.unlink()
    assert folder.partitions() == []


def test_a_flood_is_spread_over_ticks(
    folder: Folder, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_watch, "MAX_REQUESTS_PER_TICK", 2)
    keys = days("2024-01-02", 5)
    for key in keys:
        land(landing, key)
    asked = [folder.partitions() for _ in range(4)]
    assert [len(tick) for tick in asked] == [2, 2, 1, 0]
    assert {text for tick in asked for text in tick} == texts(keys)


def write_text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def evaluate_schedule(
    instance: dg.DagsterInstance, settings: SettingsResource, moment: dt.datetime
) -> list[dg.RunRequest] | dg.SkipReason:
    found = settings.load()
    catalogue = LandingCatalogue(found.landing_catalogue, LandingZone(found.landing_dir))
    # closed here: a context that is left open holds Dagster's current storage beyond the test
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=moment) as context:
        result = after_close_schedule(context, settings=settings, catalogue=catalogue)
    assert isinstance(result, list | dg.SkipReason)
    return result


def after_close(key: PartitionKey) -> dt.datetime:
    return dt.datetime.combine(key.date, dt.time(16, 15), IST)


def test_the_schedule_asks_for_what_landed_today(
    stored_instance: dg.DagsterInstance, settings_resource: SettingsResource, landing: Path
) -> None:
    other = PartitionKey(KEY.date, "BANKNIFTY")
    for key in (*KEYS, other):
        land(landing, key)
    result = evaluate_schedule(stored_instance, settings_resource, after_close(KEY))
    assert isinstance(result, list)
    assert {str(request.partition_key) for request in result} == texts([KEY, other])


def test_the_schedule_skips_what_is_stored(
    definitions: dg.Definitions,
    stored_instance: dg.DagsterInstance,
    settings_resource: SettingsResource,
    landing: Path,
) -> None:
    land(landing, KEY)
    assert run_single(definitions, stored_instance, KEY).success
    result = evaluate_schedule(stored_instance, settings_resource, after_close(KEY))
    assert isinstance(result, dg.SkipReason)


@pytest.mark.parametrize("day", ["2024-01-06", "2024-01-26", "2099-01-01"])
def test_the_schedule_skips_days_without_trading(
    day: str, instance: dg.DagsterInstance, settings_resource: SettingsResource
) -> None:
    moment = dt.datetime.fromisoformat(f"{day}T16:15").replace(tzinfo=IST)
    result = evaluate_schedule(instance, settings_resource, moment)
    assert isinstance(result, dg.SkipReason)
    assert "no trading day" in str(result.skip_message)


def test_the_schedule_runs_on_saturdays_too_because_some_of_them_trade() -> None:
    assert after_close_schedule.cron_schedule == "15 16 * * *"
    assert after_close_schedule.execution_timezone == "Asia/Kolkata"


def test_a_failed_run_is_told_in_the_words_of_its_fault(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landing: Path
) -> None:
    land_broken(landing, KEY)
    result = run_single(definitions, instance, KEY)
    assert not result.success
    told = Told()
    (event,) = [event for event in result.all_events if event.is_run_failure]
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_notifications",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    run_failure_notifications(context, notifier=told)
    (notification,) = told.notifications
    assert notification.severity == "error"
    assert "1 of 1 partitions were not stored" in notification.body
    assert "Traceback" not in notification.body
    assert notification.context["partitions"] == str(KEY)
    assert notification.context["run_id"] == result.run_id


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the clock of the overdue sensor."""

    def set_clock(text: str) -> None:
        moment = dt.datetime.fromisoformat(text).replace(tzinfo=IST)
        monkeypatch.setattr(automation, "_now", lambda: moment.astimezone(dt.UTC))

    return set_clock


def test_an_overdue_partition_is_told_once_and_a_stored_one_never(
    at: Callable[[str], None],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    settings_resource: SettingsResource,
    landing: Path,
) -> None:
    land(landing, KEY)
    assert run_single(definitions, instance, KEY).success
    told, cursor = Told(), None
    for moment in ("2024-01-01T20:00", "2024-01-02T20:00", "2024-01-02T20:10"):
        at(moment)
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        result = overdue_data_notifications(context, settings=settings_resource, notifier=told)
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
    assert [notification.title for notification in told.notifications] == [
        "overdue: 2024-01-02|BANKNIFTY"
    ]
    assert json.loads(str(cursor))["told"] == ["2024-01-02|BANKNIFTY"]


def test_sensors_and_the_schedule_run_without_being_switched_on() -> None:
    for sensor in (
        landing_sensor,
        feature_sensor,
        run_failure_notifications,
        overdue_data_notifications,
    ):
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert after_close_schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_a_file_of_two_days_feeds_two_partitions(folder: Folder, landing: Path) -> None:
    write(landing / "both.csv", pl.concat([small_day(key) for key in KEYS]))
    assert set(folder.partitions()) == texts(KEYS)


# -- the sensor of features -----------------------------------------------------------------------

PARTNER = PartitionKey(KEY.date, "BANKNIFTY")


@dataclass
class Features:
    """The sensor of features with its cursor; runs are played by what they would record."""

    instance: dg.DagsterInstance
    cursor: str | None = None
    skipped: str | None = None

    def tick(self) -> list[tuple[str, str]]:
        """Job and partition of each request of the next tick."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = feature_sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        self.skipped = result.skip_reason and result.skip_reason.skip_message
        requests = result.run_requests or []
        assert len({request.run_key for request in requests}) == len(requests)
        return [(str(request.job_name), str(request.partition_key)) for request in requests]

    def chain(self, key: PartitionKey, files: str = "files") -> None:
        record(self.instance, "option_chain", key, fingerprint=files)

    def ran(self, key: PartitionKey, *names: str) -> None:
        for name in names or tuple(table.name for table in derived_tables()):
            table = derived_table(name)
            assert table is not None
            fingerprint = input_fingerprints(self.instance, table, [key])[key]
            record(self.instance, name, key, fingerprint=fingerprint, version=table.code_version)


@pytest.fixture
def features(instance: dg.DagsterInstance) -> Features:
    return Features(instance)


def test_features_of_a_new_chain_are_asked_for_once(features: Features) -> None:
    assert features.tick() == []
    assert features.skipped == "every option chain has its features"
    features.chain(KEY)
    assert features.tick() == [("features_job", str(KEY))]
    assert features.skipped is None
    assert features.tick() == []
    features.ran(KEY)
    features.ran(KEY, *PARTNER_ASSETS)
    assert features.tick() == []


def test_a_changed_chain_asks_for_its_features_again(features: Features) -> None:
    features.chain(KEY)
    features.tick()
    features.ran(KEY)
    features.chain(KEY, "rewritten")
    assert features.tick() == [("features_job", str(KEY))]


@pytest.mark.parametrize("first", [KEY, PARTNER], ids=["NIFTY", "BANKNIFTY"])
def test_the_first_symbol_is_asked_for_again_once_the_second_is_there(
    first: PartitionKey, features: Features
) -> None:
    second = PARTNER if first == KEY else KEY
    features.chain(first)
    features.tick()
    features.ran(first, "hist_c3_close", "minute_panel", *PARTNER_ASSETS)
    features.chain(second)
    assert features.tick() == [("features_job", str(second))]
    features.ran(second, "hist_c3_close", "minute_panel", *PARTNER_ASSETS)
    assert features.tick() == [("partner_features_job", str(first))]
    features.ran(first, *PARTNER_ASSETS)
    assert features.tick() == []


def test_jobs_make_what_the_sensor_asks_for_and_judge_it(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for job, names in (
        ("features_job", [table.name for table in derived_tables()]),
        ("partner_features_job", list(PARTNER_ASSETS)),
    ):
        layer = definitions.resolve_job_def(job).asset_layer
        keys = {dg.AssetKey(name) for name in names}
        assert layer.selected_asset_keys == keys
        assert set(layer.asset_graph.asset_check_keys) == {
            check for key in keys for check in graph.get(key).check_keys
        }


def test_what_reads_c6_is_made_with_it_when_the_partner_arrives() -> None:
    made = {"c6_features"}
    for table in derived_tables():
        if made & {reading.table for reading in table.readings if reading.same_day}:
            made.add(table.name)
    assert made == set(PARTNER_ASSETS)
