"""Runs that failed for a reason that may pass, as Dagster records them, and the sensor's answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mr_platform.definitions import build_definitions
from mr_platform.orchestration import failures
from mr_platform.orchestration.assets import portfolios
from mr_platform.orchestration.book_automation import book_job
from mr_platform.orchestration.broken_runs import FINGERPRINT_TAG, broken_runs
from mr_platform.orchestration.strategy_watch import TRY_AGAIN_SECONDS
from mr_platform_tests.orchestration.conftest import QuickSettings
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, sheet
from mr_platform_tests.orchestration.test_book_automation import Sensor

JOB = str(book_job.name)
SMALL = sheet(rows=5, strategies=4)


@pytest.fixture
def sensor(home: Path) -> Iterator[Sensor]:
    """The sensor over a landed book, with an instance of its own."""
    settings = QuickSettings(home=str(home))
    with dg.DagsterInstance.ephemeral() as instance:
        looking = Sensor(instance, settings, Shelf(home))
        looking.shelf.land("year.csv", SMALL)
        yield looking


def asked(sensor: Sensor) -> list[dg.RunRequest]:
    """Runs that the next tick asks for, their partitions made."""
    sensor.instance.add_dynamic_partitions("strategy_books", [BOOK])
    return list(sensor.look().run_requests or [])


def execute(sensor: Sensor, request: dg.RunRequest) -> bool:
    """Run what was asked for; whether it succeeded."""
    job = build_definitions(sensor.settings).resolve_job_def(JOB)
    return job.execute_in_process(
        instance=sensor.instance,
        partition_key=request.partition_key,
        tags=dict(request.tags),
        raise_on_error=False,
    ).success


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the sensor's clock be so much ahead."""
    from mr_platform.orchestration import book_automation

    now = book_automation.time.time
    monkeypatch.setattr(book_automation.time, "time", lambda: now() + seconds)


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every load meet a full disk, tried again at once."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failures, "RETRY_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(portfolios, "load_book", refuse)


def test_a_full_disk_is_tried_again_after_a_pause_and_only_so_often(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = asked(sensor)
    keys = {request.run_key}
    with monkeypatch.context() as patched:
        full_disk(patched)
        for _ in TRY_AGAIN_SECONDS:
            assert not execute(sensor, request)
            assert asked(sensor) == [], "the pause is not over"
            with monkeypatch.context() as ahead:
                later(ahead, max(TRY_AGAIN_SECONDS) + 1)
                (request,) = asked(sensor)
            keys.add(request.run_key)
        assert not execute(sensor, request)
        later(patched, 1e6)
        assert asked(sensor) == [], "it is not tried for ever"
    assert len(keys) == 1 + len(TRY_AGAIN_SECONDS)


def test_a_disk_that_has_room_again_loads_the_book_and_is_left_alone(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = asked(sensor)
    with monkeypatch.context() as patched:
        full_disk(patched)
        assert not execute(sensor, request)
    later(monkeypatch, 1e4)
    (again,) = asked(sensor)
    assert again.tags[FINGERPRINT_TAG] == request.tags[FINGERPRINT_TAG]
    assert execute(sensor, again)
    assert asked(sensor) == []


def test_a_killed_run_is_asked_for_again_unless_the_book_was_run_since(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = asked(sensor)
    job = build_definitions(sensor.settings).resolve_job_def(JOB)
    tags = {**request.tags, "dagster/partition": BOOK}
    run = sensor.instance.create_run_for_job(job_def=job, tags=tags)
    sensor.instance.report_run_failed(run, "its process is gone")
    content = {BOOK: request.tags[FINGERPRINT_TAG]}

    assert set(broken_runs(sensor.instance, JOB, content)) == {BOOK}
    assert broken_runs(sensor.instance, JOB, {BOOK: "another content"}) == {}
    assert broken_runs(sensor.instance, JOB, {"other": content[BOOK]}) == {}
    assert broken_runs(sensor.instance, "another_job", content) == {}
    sensor.instance.create_run_for_job(job_def=job, tags={"dagster/partition": BOOK})
    assert broken_runs(sensor.instance, JOB, content) == {}, "a run of it is under way"
    later(monkeypatch, 1e6)
    assert asked(sensor) == []


def test_a_bad_file_is_not_asked_for_again(sensor: Sensor, monkeypatch: pytest.MonkeyPatch) -> None:
    sensor.shelf.land("year.csv", SMALL.drop("Date"))
    (request,) = asked(sensor)
    assert not execute(sensor, request)

    assert broken_runs(sensor.instance, JOB, {BOOK: request.tags[FINGERPRINT_TAG]}) == {}
    later(monkeypatch, 1e6)
    assert asked(sensor) == []
