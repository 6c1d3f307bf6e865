"""Loads of books that failed for a reason that may pass: a disk, a kill; not a bad file.

Here: telling them by what Dagster recorded of a book's runs, whoever started them; why the latest
load of a book failed.
Not here: whether and when a book is asked for again (``strategy_watch.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import dagster as dg

from mr_platform.orchestration.materialization import error_kinds, fault_of_step
from mr_platform.orchestration.materialization_events import INPUT_FINGERPRINT, latest_records
from mr_platform.orchestration.strategy_books import STRATEGY_RETURNS

FINGERPRINT_TAG = "mr/input_fingerprint"
"""Of a run that the strategy sensor asked for: the content of the book's files."""

_PARTITION_TAG = "dagster/partition"
_UI_JOB = "__ASSET_JOB"
"""Dagster's name of the job by which the UI materialises assets that a person chose."""

_PAGE = 10
_MAY_PASS = frozenset({"RetryRequested", "DagsterExecutionInterruptedError", "KeyboardInterrupt"})
"""Kinds of faults: retries that were used up (``failures.py``), and runs that were broken off."""


@dataclass(frozen=True)
class BrokenRuns:
    """What became of contents of books that were asked for.

    Attributes:
        ended: When the latest load of a book ended that failed for a reason that may pass, in
            seconds.
        settled: Books whose content was loaded, or failed for good: nothing of it is to be tried
            again.
    """

    ended: dict[str, float] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class StoredLoad:
    """The content that a book was last loaded from.

    Attributes:
        content: Fingerprint of its files.
        at: When, in seconds.
    """

    content: str
    at: float


def stored_loads(instance: dg.DagsterInstance, books: Iterable[str]) -> dict[str, StoredLoad]:
    """Of which content each book was last loaded, and when, by book."""
    found = {}
    for book, record in latest_records(instance, dg.AssetKey(STRATEGY_RETURNS), books).items():
        event = record.asset_materialization
        value = event.metadata.get(INPUT_FINGERPRINT) if event else None
        if value is not None:
            found[book] = StoredLoad(str(value.value), record.timestamp)
    return found


def broken_runs(instance: dg.DagsterInstance, job: str, asked: Mapping[str, str]) -> BrokenRuns:
    """Which contents are to be tried again, and which are settled.

    What counts is the latest load of each book: of the sensor, a command or the UI. Other runs
    over a book, as a report, say nothing of its load. A load that is under way, that a person
    canceled or that was of another content leaves the book as it is.

    Args:
        instance: The home's instance.
        job: Job that loads books.
        asked: Content that each book was last asked for. Of each the runs are looked up: leave
            out those that are settled.
    """
    found = BrokenRuns()
    loaded = stored_loads(instance, asked)
    for book, content in asked.items():
        verdicts = (
            _verdict(instance, record, content, loaded.get(book))
            for record in _loads(instance, job, book)
        )
        verdict = next((one for one in verdicts if one is not None), _LEFT_ALONE)
        if verdict.settled:
            found.settled.add(book)
        elif verdict.ended is not None:
            found.ended[book] = verdict.ended
    return found


def load_fault(
    instance: dg.DagsterInstance, job: str, book: str, content: str | None
) -> str | None:
    """Why the latest load of a book failed; None where it did not, or was of other files.

    Args:
        instance: The home's instance.
        job: Job that loads books.
        book: The book.
        content: Content of its files as they are; None where they cannot be read.
    """
    record = next(_loads(instance, job, book), None)
    if record is None or record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    run = record.dagster_run
    told = run.tags.get(FINGERPRINT_TAG)
    # a command's files were taken out of landing again: what is there now is not what failed
    same = run.job_name == _UI_JOB if told is None else told == content
    if content is None or not same:
        return None
    failures = _failures(instance, run.run_id)
    return fault_of_step(failures[0]).message if failures else "its run was broken off"


@dataclass(frozen=True)
class _Verdict:
    settled: bool = False
    ended: float | None = None


_LEFT_ALONE = _Verdict()


def _verdict(
    instance: dg.DagsterInstance, record: dg.RunRecord, content: str, stored: StoredLoad | None
) -> _Verdict | None:
    """What a load says of a content; None where it says nothing and the load before it does."""
    run = record.dagster_run
    told = run.tags.get(FINGERPRINT_TAG)
    at = stored.at if stored is not None and stored.content == content else None
    if told not in (None, content):
        return _LEFT_ALONE
    if run.status is dg.DagsterRunStatus.SUCCESS:
        return _Verdict(settled=at is not None)
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return _LEFT_ALONE
    ended = record.end_time or record.update_timestamp.timestamp()
    if at is not None and at > ended:
        return _Verdict(settled=True)
    if _may_pass(instance, run.run_id):
        return _Verdict(ended=ended)
    # a command that failed for good took its files out of landing again: they were no part of it
    return None if told is None else _Verdict(settled=True)


def _loads(instance: dg.DagsterInstance, job: str, book: str) -> Iterator[dg.RunRecord]:
    """Runs that load a book, the latest first."""
    of_book = dg.RunsFilter(tags={_PARTITION_TAG: book})
    cursor = None
    while records := instance.get_run_records(of_book, limit=_PAGE, cursor=cursor):
        for record in records:
            run = record.dagster_run
            chosen = run.asset_selection
            by_hand = run.job_name == _UI_JOB
            if run.job_name == job or (
                by_hand and (chosen is None or dg.AssetKey(STRATEGY_RETURNS) in chosen)
            ):
                yield record
        cursor = records[-1].dagster_run.run_id


def _may_pass(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether no step failed for good; a run without a failed step lost its process."""
    errors = [event.step_failure_data.error for event in _failures(instance, run_id)]
    return all(_MAY_PASS & error_kinds(error) for error in errors)


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[dg.DagsterEvent]:
    """Failures of a run's steps."""
    logged = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return [entry.dagster_event for entry in logged if entry.dagster_event is not None]
