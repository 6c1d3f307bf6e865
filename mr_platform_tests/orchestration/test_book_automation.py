"""The strategy sensor over a real landing folder, ticked by hand, and the jobs of books."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from mr_platform.definitions import build_definitions
from mr_platform.gateways.notifications import Delivery, Notification
from mr_platform.orchestration import book_runs
from mr_platform.orchestration.book_automation import (
    LOADED_ASSETS,
    book_job,
    report_job,
    search_job,
    stored_fingerprints,
    strategy_sensor,
)
from mr_platform.orchestration.book_files import book_fingerprint
from mr_platform.orchestration.book_partitions import BOOKS
from mr_platform.orchestration.resources import SettingsResource
from mr_platform_tests.orchestration.conftest import QuickSettings
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    Shelf,
    of_month,
    sheet,
    write_sheet,
)

SHEET = sheet()
SMALL = SHEET.head(5).select(SHEET.columns[:5])


@dataclass
class Told:
    """Keeps what it is told."""

    notifications: list[Notification] = field(default_factory=list)

    def notify(self, notification: Notification) -> list[Delivery]:
        self.notifications.append(notification)
        return [Delivery("test", True)]


@dataclass
class Sensor:
    """The strategy sensor with its cursor, over one home."""

    instance: dg.DagsterInstance
    settings: SettingsResource
    shelf: Shelf
    told: Told = field(default_factory=Told)
    cursor: str | None = None

    def look(self) -> dg.SensorResult:
        """One tick."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = strategy_sensor(
            context,
            settings=self.settings,
            strategy_landing=self.shelf.landing,
            notifier=self.told,
        )
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def books(self) -> list[str]:
        """Books that the next tick asks for; their partitions are made as the daemon makes them."""
        result = self.look()
        for request in result.dynamic_partitions_requests or []:
            assert isinstance(request, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(
                request.partitions_def_name, list(request.partition_keys)
            )
        known = self.instance.get_dynamic_partitions(str(BOOKS.name))
        asked = [str(request.partition_key) for request in result.run_requests or []]
        assert set(asked) <= set(known), "a run of an unknown partition would fail the tick"
        return asked


@pytest.fixture(scope="module")
def memory() -> Iterator[dg.DagsterInstance]:
    """One instance for ticks that run nothing: books of its own keep tests apart."""
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def sensor(
    memory: dg.DagsterInstance, settings_resource: SettingsResource, home: Path
) -> Iterator[Sensor]:
    yield Sensor(memory, settings_resource, Shelf(home))
    for book in memory.get_dynamic_partitions(str(BOOKS.name)):
        memory.delete_dynamic_partition(str(BOOKS.name), book)


def test_an_empty_folder_asks_for_nothing_and_says_why(sensor: Sensor) -> None:
    result = sensor.look()

    assert not result.run_requests
    assert result.skip_reason is not None


def test_a_new_file_asks_for_one_run_and_the_partition_it_needs(sensor: Sensor) -> None:
    sensor.shelf.land("year.csv", SMALL)
    sensor.shelf.land("more.csv", SMALL.with_columns(SHEET["Day"].head(5)))

    result = sensor.look()

    (request,) = result.run_requests or []
    (added,) = result.dynamic_partitions_requests or []
    assert isinstance(added, dg.AddDynamicPartitionsRequest)
    assert (added.partitions_def_name, list(added.partition_keys)) == ("strategy_books", [BOOK])
    assert request.partition_key == BOOK
    content = book_fingerprint(sensor.shelf.landing.files_of(BOOK))
    assert request.run_key == f"{BOOK}:{content[:12]}.1"
    assert request.tags["mr/input_fingerprint"] == content


def test_the_same_content_is_asked_for_once_whatever_its_time_of_change(sensor: Sensor) -> None:
    path = sensor.shelf.land("year.csv", SMALL)
    assert sensor.books() == [BOOK]
    assert sensor.books() == []
    at = time.time() - 30
    os.utime(path, (at, at))
    assert sensor.books() == []


def test_another_content_is_asked_for_again_also_when_it_is_changed_back(sensor: Sensor) -> None:
    keys = set()
    for rows, age in ((5, 90), (4, 60), (5, 30)):
        write_sheet(sensor.shelf.landing.folder / BOOK / "year.csv", SMALL.head(rows), age=age)
        (request,) = sensor.look().run_requests or []
        keys.add(request.run_key)
    assert len(keys) == 3


def test_a_file_that_goes_is_a_change_and_a_book_that_goes_is_none(sensor: Sensor) -> None:
    path = sensor.shelf.land("a.csv", SMALL)
    other = sensor.shelf.land("b.csv", SMALL)
    assert sensor.books() == [BOOK]
    other.unlink()
    assert sensor.books() == [BOOK]
    path.unlink()
    assert sensor.books() == []


def test_what_a_book_declares_is_a_change_and_is_no_stray_file(sensor: Sensor) -> None:
    declaration = sensor.shelf.landing.folder / BOOK / "book.yaml"
    declaration.parent.mkdir(parents=True)
    keys = set()
    for text in ("exclude: [a]", "exclude: [b]", None):
        if text is None:
            declaration.unlink()
        else:
            declaration.write_text(text)
            os.utime(declaration, (time.time() - 60,) * 2)
        if not keys:
            assert sensor.books() == [], "a declaration alone is no book"
            sensor.shelf.land("year.csv", SMALL)
        (request,) = sensor.look().run_requests or []
        keys.add(request.run_key)
        assert sensor.books() == []
    assert len(keys) == 3
    assert sensor.told.notifications == []


def test_a_lost_cursor_asks_for_the_same_run_key(sensor: Sensor) -> None:
    sensor.shelf.land("year.csv", SMALL)
    (first,) = sensor.look().run_requests or []
    sensor.cursor = None
    (again,) = sensor.look().run_requests or []
    assert first.run_key == again.run_key, "Dagster starts no second run of the same key"


def test_a_file_still_being_written_waits_and_holds_up_no_other_book(sensor: Sensor) -> None:
    path = sensor.shelf.landing.folder / BOOK / "year.csv"
    write_sheet(path, SMALL.head(2), age=0)
    sensor.shelf.land("year.csv", SMALL, book="ready")
    assert sensor.books() == ["ready"]
    write_sheet(path, SMALL, age=0)
    assert sensor.books() == []
    assert sensor.told.notifications == []
    at = time.time() - 30
    os.utime(path, (at, at))
    assert sensor.books() == [BOOK]


def test_a_file_that_rests_between_two_looks_is_taken(sensor: Sensor) -> None:
    path = sensor.shelf.landing.folder / BOOK / "year.csv"
    write_sheet(path, SMALL, age=-3600)
    assert sensor.books() == []
    assert sensor.books() == [BOOK], "its clock is wrong, but nobody writes it"


def test_several_books_are_asked_for_together(sensor: Sensor) -> None:
    for book in ("b", "a"):
        sensor.shelf.land("year.csv", SMALL, book=book)
    sensor.instance.add_dynamic_partitions(str(BOOKS.name), ["a"])

    result = sensor.look()

    assert [request.partition_key for request in result.run_requests or []] == ["a", "b"]
    (added,) = result.dynamic_partitions_requests or []
    assert isinstance(added, dg.AddDynamicPartitionsRequest)
    assert list(added.partition_keys) == ["b"], "that which is there is not asked for"


def test_a_stray_file_is_told_once_and_asks_for_nothing(sensor: Sensor) -> None:
    folder = sensor.shelf.landing.folder
    (folder / BOOK).mkdir(parents=True)
    stray = folder / BOOK / "notes.txt"
    stray.write_text("call the broker\n")
    write_sheet(folder / "my book" / "year.csv", SMALL)
    assert sensor.books() == []
    assert sensor.books() == []
    (told,) = sensor.told.notifications
    assert told.severity == "warning"
    assert told.title.startswith("2 landed strategy files")
    assert "notes.txt: is neither CSV nor Parquet" in told.body
    assert "'my book' cannot name a book" in told.body
    stray.unlink()
    sensor.shelf.land("year.csv", SMALL)
    assert sensor.books() == [BOOK]
    assert len(sensor.told.notifications) == 1


def test_a_new_stray_file_is_told_without_the_one_told_before(sensor: Sensor) -> None:
    for name in ("one.txt", "two.txt"):
        (sensor.shelf.landing.folder / BOOK).mkdir(parents=True, exist_ok=True)
        (sensor.shelf.landing.folder / BOOK / name).write_text("x")
        assert sensor.books() == []
    assert [told.body.count("\n") for told in sensor.told.notifications] == [0, 0]
    assert "two.txt" in sensor.told.notifications[1].body


def test_a_file_that_cannot_be_opened_is_told_and_looked_at_again(sensor: Sensor) -> None:
    path = sensor.shelf.land("year.csv", SMALL)
    whole = path.read_bytes()
    path.write_bytes(b"")
    at = time.time() - 60
    os.utime(path, (at, at))
    asked = sensor.books()
    assert sensor.books() == []
    assert len(sensor.told.notifications) + len(asked) == 1, "told, or asked for and refused there"
    path.write_bytes(whole)
    os.utime(path, (at, at))
    assert sensor.books() == [BOOK]


@pytest.mark.parametrize("cursor", ["by hand", "[]", "null"])
def test_a_cursor_that_cannot_be_read_is_begun_anew(cursor: str, sensor: Sensor) -> None:
    sensor.shelf.land("year.csv", SMALL)
    sensor.cursor = cursor
    assert sensor.books() == [BOOK]


def test_a_book_loaded_by_command_is_not_asked_for_until_it_changes(home: Path) -> None:
    settings = QuickSettings(home=str(home))
    with dg.DagsterInstance.ephemeral() as instance:
        sensor = Sensor(instance, settings, Shelf(home))
        sensor.shelf.land("january.csv", of_month(SHEET, "2024-01"))
        run = book_runs.load(build_definitions(settings), instance, BOOK)
        assert run.fault is None
        content = book_fingerprint(sensor.shelf.landing.files_of(BOOK))
        assert stored_fingerprints(instance, [BOOK, "other"]) == {BOOK: content}

        assert sensor.books() == []
        sensor.shelf.land("february.csv", of_month(SHEET, "2024-02"))
        assert sensor.books() == [BOOK]


def test_jobs_make_what_their_names_say(definitions: dg.Definitions) -> None:
    def made(job: str) -> set[str]:
        found = definitions.resolve_job_def(job).asset_layer.executable_asset_keys
        return {key.to_user_string() for key in found}

    assert made(str(book_job.name)) == set(LOADED_ASSETS)
    assert made(str(search_job.name)) == {"portfolios", "portfolio_members"}
    assert made(str(report_job.name)) == {"best_portfolio", "portfolio_report"}
