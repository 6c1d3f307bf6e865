"""Runs that failed for a reason that may pass, as Dagster records them, and the sensor's answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mr_platform.definitions import build_definitions
from mr_platform.orchestration import book_runs, failures
from mr_platform.orchestration import broken_runs as watched
from mr_platform.orchestration.assets import portfolios
from mr_platform.orchestration.book_automation import book_job
from mr_platform.orchestration.broken_runs import (
    FINGERPRINT_TAG,
    BrokenRuns,
    broken_runs,
    load_fault,
)
from mr_platform.orchestration.strategy_watch import TRY_AGAIN_SECONDS, StrategyMemory
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

    assert set(broken_runs(sensor.instance, JOB, content).ended) == {BOOK}
    nothing = BrokenRuns()
    assert broken_runs(sensor.instance, JOB, {BOOK: "another content"}) == nothing
    assert broken_runs(sensor.instance, JOB, {"other": content[BOOK]}) == nothing
    assert broken_runs(sensor.instance, "another_job", content) == nothing
    sensor.instance.create_run_for_job(job_def=job, tags={"dagster/partition": BOOK})
    assert broken_runs(sensor.instance, JOB, content) == nothing, "a run of it is under way"
    later(monkeypatch, 1e6)
    assert asked(sensor) == []


def test_a_bad_file_is_not_asked_for_again_and_looked_up_once(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor.shelf.land("year.csv", SMALL.drop("Date"))
    (request,) = asked(sensor)
    assert not execute(sensor, request)

    found = broken_runs(sensor.instance, JOB, {BOOK: request.tags[FINGERPRINT_TAG]})
    assert found == BrokenRuns(settled={BOOK})
    later(monkeypatch, 1e6)
    assert asked(sensor) == []
    assert StrategyMemory.parse(sensor.cursor).books[BOOK].settled
    monkeypatch.setattr(watched, "_may_pass", None)
    monkeypatch.setattr(watched, "_loads", None)
    assert asked(sensor) == [], "what is settled is not read again"


def test_why_a_load_failed_is_told_while_its_files_are_there(sensor: Sensor) -> None:
    sensor.shelf.land("year.csv", SMALL.drop("Date"))
    (request,) = asked(sensor)
    content = request.tags[FINGERPRINT_TAG]
    assert load_fault(sensor.instance, JOB, BOOK, content) is None, "nobody tried"
    assert not execute(sensor, request)

    assert "year.csv" in str(load_fault(sensor.instance, JOB, BOOK, content))
    assert load_fault(sensor.instance, JOB, BOOK, "other files") is None
    assert load_fault(sensor.instance, JOB, BOOK, None) is None
    sensor.shelf.land("year.csv", SMALL)
    (mended,) = asked(sensor)
    assert execute(sensor, mended)
    assert load_fault(sensor.instance, JOB, BOOK, mended.tags[FINGERPRINT_TAG]) is None


def test_a_command_that_meets_the_disk_too_does_not_end_the_tries(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = asked(sensor)
    with monkeypatch.context() as patched:
        full_disk(patched)
        assert not execute(sensor, request)
        definitions = build_definitions(sensor.settings)
        assert book_runs.load(definitions, sensor.instance, BOOK).fault is not None
    later(monkeypatch, 1e4)
    (again,) = asked(sensor)
    assert again.tags[FINGERPRINT_TAG] == request.tags[FINGERPRINT_TAG]


def test_a_command_with_a_bad_file_does_not_end_the_tries(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is taken out of landing again: it says nothing of what lies there."""
    (request,) = asked(sensor)
    with monkeypatch.context() as patched:
        full_disk(patched)
        assert not execute(sensor, request)
    bad = sensor.shelf.land("bad.csv", SMALL.drop("Date"))
    assert book_runs.load(build_definitions(sensor.settings), sensor.instance, BOOK).fault
    bad.unlink()
    later(monkeypatch, 1e4)
    assert len(asked(sensor)) == 1


def test_a_figure_that_met_the_disk_is_made_again_though_the_results_are_stored(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    (request,) = asked(sensor)
    with monkeypatch.context() as patched:
        patched.setattr(failures, "RETRY_WAIT_SECONDS", 0.0)
        patched.setattr(portfolios.book_figures, "inversion_rows", refuse)
        assert not execute(sensor, request)
    later(monkeypatch, 1e4)
    (again,) = asked(sensor)
    assert execute(sensor, again)
    assert asked(sensor) == []
    assert StrategyMemory.parse(sensor.cursor).books[BOOK].settled


def recorded(number: int, status: dg.DagsterRunStatus, **told: Any) -> dg.DagsterRun:
    """A run as Dagster keeps it."""
    return dg.DagsterRun(
        **{
            "job_name": JOB,
            "run_id": f"{number:08d}-1111-1111-1111-111111111111",
            "status": status,
            "tags": {"dagster/partition": BOOK, FINGERPRINT_TAG: "content"},
            **told,
        }
    )


FAILURE, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
BY_HAND = {"job_name": "__ASSET_JOB", "tags": {"dagster/partition": BOOK}}


@pytest.mark.parametrize(
    ("since", "tried_again"),
    [
        ({"job_name": "__ASSET_JOB"}, False),
        ({**BY_HAND, "asset_selection": {dg.AssetKey("strategy_returns")}}, False),
        ({**BY_HAND, "asset_selection": {dg.AssetKey("inversions")}}, True),
        ({"job_name": "portfolio_report_job"}, True),
    ],
    ids=["everything by hand", "its load by hand", "figures by hand", "a report"],
)
def test_what_was_run_since_counts_where_it_loads_the_book(
    since: dict[str, Any], tried_again: bool
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(recorded(1, FAILURE))
        for number in range(2, 30):  # more of them than are looked up at once
            instance.add_run(
                recorded(number, SUCCESS, **{"tags": {"dagster/partition": BOOK}, **since})
            )
        found = broken_runs(instance, JOB, {BOOK: "content"})

    assert (set(found.ended), found.settled) == ({BOOK} if tried_again else set(), set())


def test_a_run_that_a_person_canceled_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(recorded(1, FAILURE))
        instance.add_run(recorded(2, dg.DagsterRunStatus.CANCELED))
        assert broken_runs(instance, JOB, {BOOK: "content"}) == BrokenRuns()


def test_every_broken_book_is_found_however_many_there_are() -> None:
    books = {f"book{number}": "content" for number in range(60)}
    with dg.DagsterInstance.ephemeral() as instance:
        for number, book in enumerate(books):
            tags = {"dagster/partition": book, FINGERPRINT_TAG: "content"}
            instance.add_run(recorded(number, FAILURE, tags=tags))
        assert set(broken_runs(instance, JOB, books).ended) == set(books)
