"""Runs over a book of strategies in this process, by the same definitions as the UI.

Here: one job on one partition, and what came of it as plain facts.
Not here: what the jobs do (``assets/portfolios.py``), progress on a screen (``cli/``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg
import polars as pl

from mr_platform.config.settings import Settings
from mr_platform.errors import TableError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.orchestration.book_automation import book_job, report_job, search_job, zone_job
from mr_platform.orchestration.book_partitions import BOOKS, add_books, book_size_key
from mr_platform.orchestration.book_search import SearchConfig
from mr_platform.orchestration.book_zones import ZoneConfig
from mr_platform.orchestration.materialization import (
    SILENT_RUN,
    RunFault,
    command_tags,
    fault_of_step,
    raise_if_interrupted,
)
from mr_platform.orchestration.resources import SETTINGS, SettingsResource
from mr_platform.orchestration.strategy_books import BOOK_TABLES, stored_books

_PARTITION_TAG: Final = "dagster/partition"
_UNFINISHED: Final = [
    status
    for status in dg.DagsterRunStatus
    if status
    not in (
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
    )
]


@dataclass(frozen=True)
class Verdict:
    """Outcome of one check.

    Attributes:
        asset: The asset judged.
        check: The check.
        passed: Whether it holds.
        severe: Whether a failure is an error; else it warns.
        sentence: What was found.
    """

    asset: str
    check: str
    passed: bool
    severe: bool
    sentence: str


@dataclass(frozen=True)
class BookRun:
    """What one run did.

    Attributes:
        run_id: Dagster's id of the run.
        partition: The book, or book and size.
        fault: Why it failed; None where it did not.
        facts: Metadata of each materialised asset, as plain values.
        verdicts: Outcomes of the checks.
        seconds: Wall time.
    """

    run_id: str
    partition: str
    fault: RunFault | None
    facts: Mapping[str, Mapping[str, Any]]
    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def refused(self) -> tuple[Verdict, ...]:
        """Checks that failed as errors."""
        return tuple(one for one in self.verdicts if not one.passed and one.severe)

    @property
    def warned(self) -> tuple[Verdict, ...]:
        """Checks that failed as warnings."""
        return tuple(one for one in self.verdicts if not one.passed and not one.severe)


def load(definitions: dg.Definitions, instance: dg.DagsterInstance, book: str) -> BookRun:
    """Load the landed files of a book, and make everything of it but portfolios.

    Where nothing of a new book could be stored and nobody else loads it, Dagster keeps no partition
    of its name either.

    Raises:
        InputFileError: A name that cannot be a book's.
        KeyboardInterrupt: The run was interrupted; it is recorded as failed.
    """
    known = book in instance.get_dynamic_partitions(str(BOOKS.name))
    add_books(instance, [book])
    try:
        return _run(definitions, instance, str(book_job.name), book)
    finally:
        if not known:
            _drop_unused(definitions, instance, book)


def _drop_unused(definitions: dg.Definitions, instance: dg.DagsterInstance, book: str) -> None:
    """Take the partition of a book back that nothing is stored of and nobody else loads."""
    settings = _settings(definitions)
    with StrategyLanding(settings.landing_dir).alone(book, wait=False) as held:
        # whoever holds the book just now is loading it; others may be about to
        if not held or _unfinished(instance, book):
            return
        if not _anything_stored(Lakehouse(settings.lakehouse_root, settings.parquet), book):
            instance.delete_dynamic_partition(str(BOOKS.name), book)


def _unfinished(instance: dg.DagsterInstance, book: str) -> int:
    of_book = dg.RunsFilter(tags={_PARTITION_TAG: book}, statuses=_UNFINISHED)
    return instance.get_runs_count(of_book)


def _anything_stored(lakehouse: Lakehouse, book: str) -> bool:
    """Whether a table that a load makes has rows of a book, of a load that was cut off too."""
    try:
        return any(
            not lakehouse.read_partition_counts(table).filter(pl.col("book") == book).is_empty()
            for table in BOOK_TABLES
            if lakehouse.exists(table)
        )
    except TableError:  # a table that cannot be read may hold some
        return True


def _add_stored(definitions: dg.Definitions, instance: dg.DagsterInstance, book: str) -> None:
    """Make the partition of a stored book that has none: of a home whose records were lost."""
    settings = _settings(definitions)
    if book in stored_books(Lakehouse(settings.lakehouse_root, settings.parquet)):
        add_books(instance, [book])


def _settings(definitions: dg.Definitions) -> Settings:
    resource = (definitions.resources or {})[SETTINGS]
    assert isinstance(resource, SettingsResource)
    return resource.load()


def search(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    book: str,
    size: int,
    config: SearchConfig,
) -> BookRun:
    """Search one size of a book.

    Raises:
        PlatformError: No size that portfolios may have.
        KeyboardInterrupt: The run was interrupted; run again, it goes on where it was.
    """
    given = {
        name: value for name, value in config.model_dump().items() if value not in (None, [], {})
    }
    ops = {"ops": {"search_portfolios": {"config": given}}}
    key = book_size_key(book, size)
    _add_stored(definitions, instance, book)
    return _run(definitions, instance, str(search_job.name), key, ops)


def zones(
    definitions: dg.Definitions, instance: dg.DagsterInstance, book: str, config: ZoneConfig
) -> BookRun:
    """Search each zone of a book alone.

    Raises:
        KeyboardInterrupt: The run was interrupted; it is recorded as failed.
    """
    given = {name: value for name, value in config.model_dump().items() if value is not None}
    ops = {"ops": {"zone_portfolios": {"config": given}}}
    _add_stored(definitions, instance, book)
    return _run(definitions, instance, str(zone_job.name), book, ops)


def report(definitions: dg.Definitions, instance: dg.DagsterInstance, book: str) -> BookRun:
    """Choose the best portfolio of a book and write its report.

    Raises:
        KeyboardInterrupt: The run was interrupted; it is recorded as failed.
    """
    _add_stored(definitions, instance, book)
    return _run(definitions, instance, str(report_job.name), book)


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    partition: str,
    config: Mapping[str, Any] | None = None,
) -> BookRun:
    started = time.monotonic()
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition,
        run_config={**SILENT_RUN, **(config or {})},
        tags=command_tags(),
        raise_on_error=False,
    )
    failures = [event for event in result.all_events if event.is_step_failure]
    raise_if_interrupted(failures)
    fault = None
    if not result.success:
        fault = fault_of_step(failures[0]) if failures else RunFault("Run", "it failed", None)
    facts = {}
    for event in result.get_asset_materialization_events():
        made = event.step_materialization_data.materialization
        facts[made.asset_key.to_user_string()] = {
            name: _plain(value) for name, value in made.metadata.items()
        }
    return BookRun(
        run_id=result.run_id,
        partition=str(partition),
        fault=fault,
        facts=facts,
        verdicts=tuple(
            Verdict(
                asset=one.asset_key.to_user_string(),
                check=one.check_name,
                passed=one.passed,
                severe=one.severity == dg.AssetCheckSeverity.ERROR,
                sentence=one.description or "",
            )
            for one in result.get_asset_check_evaluations()
        ),
        seconds=time.monotonic() - started,
    )


def _plain(value: dg.MetadataValue[Any]) -> Any:
    """A metadata value as what JSON has: a table as its rows."""
    if isinstance(value, dg.TableMetadataValue):
        return [dict(record.data) for record in value.records]
    return value.value
