"""Runs over books that failed for a reason that may pass: a disk, a kill; not a bad file.

Here: telling them by what Dagster recorded of them.
Not here: whether and when a book is asked for again (``strategy_watch.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from mr_platform.orchestration.materialization import error_kinds

FINGERPRINT_TAG = "mr/input_fingerprint"
"""Of a run that the strategy sensor asked for: the content of the book's files."""

_PARTITION_TAG = "dagster/partition"
_LATEST = 50
_MAY_PASS = frozenset({"RetryRequested", "DagsterExecutionInterruptedError", "KeyboardInterrupt"})
"""Kinds of faults: retries that were used up (``failures.py``), and runs that were broken off."""


def broken_runs(
    instance: dg.DagsterInstance, job: str, asked: Mapping[str, str]
) -> dict[str, float]:
    """Books whose latest run failed for a reason that may pass.

    Args:
        instance: The home's instance.
        job: Job that loads books.
        asked: Content that each book was last asked for.

    Returns:
        When the run of each such book ended, in seconds. Books that were run since, by whomever,
        are not among them, nor those whose run was of another content.
    """
    if not asked:
        return {}
    failed = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.FAILURE])
    ended: dict[str, float] = {}
    for record in instance.get_run_records(failed, limit=_LATEST):
        tags = record.dagster_run.tags
        book = tags.get(_PARTITION_TAG, "")
        wanted = asked.get(book)
        if wanted is None or book in ended or tags.get(FINGERPRINT_TAG) != wanted:
            continue
        run_id = record.dagster_run.run_id
        if _latest_run(instance, job, book) == run_id and _may_pass(instance, run_id):
            ended[book] = record.end_time or record.update_timestamp.timestamp()
    return ended


def _latest_run(instance: dg.DagsterInstance, job: str, book: str) -> str | None:
    of_book = dg.RunsFilter(job_name=job, tags={_PARTITION_TAG: book})
    latest = instance.get_run_records(of_book, limit=1)
    return latest[0].dagster_run.run_id if latest else None


def _may_pass(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether no step failed for good; a run without a failed step lost its process."""
    failures = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    errors = [
        event.dagster_event.step_failure_data.error
        for event in failures
        if event.dagster_event is not None
    ]
    return all(_MAY_PASS & error_kinds(error) for error in errors)
