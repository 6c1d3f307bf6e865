"""What runs books of strategies without a person: jobs and the strategy sensor.

Here: sensor and jobs as Dagster wants them.
Not here: what the sensor decides (``strategy_watch.py``), how files are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import dagster as dg

from mr_platform.errors import PlatformError
from mr_platform.gateways.landing import LandedFile, snapshot_of, stable_files
from mr_platform.gateways.notifications import Notification, Notifier
from mr_platform.gateways.strategy_landing import BookFile, StrategyLanding
from mr_platform.orchestration import strategy_watch
from mr_platform.orchestration.assets.portfolios import (
    CORRELATION_TABLES,
    PORTFOLIO_TABLES,
)
from mr_platform.orchestration.book_files import book_fingerprint
from mr_platform.orchestration.book_freshness import (
    BEST_PORTFOLIO,
    PORTFOLIO_REPORT,
    ZONE_PORTFOLIOS,
)
from mr_platform.orchestration.book_partitions import BOOKS
from mr_platform.orchestration.broken_runs import FINGERPRINT_TAG, broken_runs, stored_loads
from mr_platform.orchestration.checks.portfolios import MADE_LATER
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.orchestration.strategy_books import BOOK_TABLES
from mr_platform.orchestration.strategy_watch import StrategyMemory

STRATEGY_INTERVAL_SECONDS = 15
LOADED_ASSETS = (*BOOK_TABLES, "strategy_metrics", "inversions", *CORRELATION_TABLES)
"""What a landed book becomes without being asked: everything but searches."""

REPORTED_ASSETS = (BEST_PORTFOLIO, PORTFOLIO_REPORT)


def _with_checks(names: Iterable[str]) -> dg.AssetSelection:
    assets = dg.AssetSelection.assets(*names)
    return assets | dg.AssetSelection.checks_for_assets(*names)


book_job = dg.define_asset_job(
    "strategy_book_job",
    # what was made of the book before is asked whether it is still of it
    selection=_with_checks(LOADED_ASSETS) | dg.AssetSelection.checks_for_assets(*MADE_LATER),
    description="Landed files of a book become returns, figures, inversions and correlations; "
    "what was made of the book before is asked whether it is still current.",
)

search_job = dg.define_asset_job(
    "portfolio_search_job",
    selection=_with_checks(PORTFOLIO_TABLES),
    description="Portfolios of one size of a book are searched; algorithms, evaluations and seed "
    "are its configuration.",
)

zone_job = dg.define_asset_job(
    "zone_portfolio_job",
    selection=_with_checks([ZONE_PORTFOLIOS]),
    description="The best portfolio of each zone of a book, each zone searched alone.",
)

report_job = dg.define_asset_job(
    "portfolio_report_job",
    selection=_with_checks(REPORTED_ASSETS),
    description="The best portfolio of a book over all sizes that were searched, and its report.",
)


@dg.sensor(
    job=book_job,
    minimum_interval_seconds=STRATEGY_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for one run for each book whose landed files are new or changed.",
)
def strategy_sensor(
    context: dg.SensorEvaluationContext,
    settings: SettingsResource,
    strategy_landing: dg.ResourceParam[StrategyLanding],
    notifier: dg.ResourceParam[Notifier],
) -> dg.SensorResult:
    """One look at the landed books.

    A book is read once all its files are settled. It is asked for once for each content; where it
    was loaded from the same content already (by the command line), not at all. Where its latest
    load failed for a reason that may pass, whoever started it, it is asked for a few times more,
    after longer and longer pauses.
    """
    limits = settings.load().orchestration
    memory = StrategyMemory.parse(context.cursor)
    books = strategy_landing.books()
    files = {book: [one.file for one in found] for book, found in books.items()}
    every = [file for found in files.values() for file in found]
    settled = stable_files(every, memory.moving, limits.landing_settle_seconds, time.time())
    names = {file.relative for file in settled}
    faults = dict(strategy_landing.stray_files())
    requests: list[dg.RunRequest] = []
    for book in strategy_watch.changed_books(files, names, memory):
        asked, memory, fault = _look(context.instance, book, books[book], files[book], memory)
        requests += asked
        faults |= fault
    just_asked = {str(request.partition_key) for request in requests}
    unchanged = {
        book: memory.books[book].asked
        for book, found in files.items()
        if book in memory.books
        and book not in just_asked
        and memory.books[book].open
        and memory.books[book].stamp == strategy_watch.stamp_of(found)
    }
    broken = broken_runs(context.instance, str(book_job.name), unchanged)
    memory = strategy_watch.remember_settled(memory, broken.settled)
    for book in strategy_watch.due_again(memory, broken.ended, time.time()):
        requests.append(_request(memory, book, unchanged[book]))
        memory = strategy_watch.remember_try(memory, book)
    memory = _tell(memory, faults, notifier)
    moving = snapshot_of([file for file in every if file.relative not in names])
    memory = replace(memory, moving=moving)
    new = [str(request.partition_key) for request in requests]
    known = set(context.instance.get_dynamic_partitions(str(BOOKS.name)))
    absent = [book for book in new if book not in known]
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[BOOKS.build_add_request(absent)] if absent else [],
        skip_reason=None if requests else f"nothing new in {len(books)} books",
        cursor=memory.text(),
    )


def _look(
    instance: dg.DagsterInstance,
    book: str,
    found: Sequence[BookFile],
    files: Sequence[LandedFile],
    memory: StrategyMemory,
) -> tuple[list[dg.RunRequest], StrategyMemory, dict[str, str]]:
    """A run for a book whose content is new; the memory after; the fault of a file unread."""
    try:
        content = book_fingerprint(found)
    except PlatformError as unread:
        return [], memory, {str(unread.place): str(unread.fault)}
    stored = stored_fingerprints(instance, [book]).get(book)
    wanted = strategy_watch.wants_run(memory, book, content, stored)
    requests = [_request(memory, book, content)] * wanted
    stamp = strategy_watch.stamp_of(files)
    memory = strategy_watch.remember_book(memory, book, stamp, content, asked=wanted)
    return requests, memory, {}


def _request(memory: StrategyMemory, book: str, content: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=strategy_watch.run_key(memory, book, content),
        partition_key=book,
        tags={FINGERPRINT_TAG: content},
    )


def stored_fingerprints(instance: dg.DagsterInstance, books: Iterable[str]) -> dict[str, str]:
    """Content that each book was last loaded from, by book."""
    return {book: load.content for book, load in stored_loads(instance, books).items()}


def _tell(memory: StrategyMemory, faults: Mapping[str, str], notifier: Notifier) -> StrategyMemory:
    """Tell each fault of a landed file once, all that are new in one notification."""
    lines = {f"{path}: {fault}" for path, fault in faults.items()}
    new = sorted(lines - memory.told)
    if new:
        notifier.notify(
            Notification(
                severity="warning",
                title=f"{len(new)} landed strategy files cannot be used",
                body="\n".join(new[:20]),
                context={"files": ", ".join(sorted(faults)[:20])},
            )
        )
    return replace(memory, told=frozenset(lines))
