"""The project's graph over one home with landed books, and what Dagster stored of its runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from mr_platform.definitions import build_definitions
from mr_platform.orchestration import book_runs
from mr_platform.orchestration.book_runs import BookRun
from mr_platform.orchestration.book_search import SearchConfig
from mr_platform.orchestration.materialization_events import latest_records
from mr_platform_tests.orchestration.conftest import QuickSettings
from mr_platform_tests.orchestration.small_books import BOOK, Shelf

QUICK: dict[str, Any] = {
    "algorithms": ["hill_climbing", "random_search"],
    "evaluations": 60,
    "seed": 7,
}


@dataclass(frozen=True)
class BookGraph:
    """Definitions and an instance over the books of one home."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    shelf: Shelf

    def load(self, book: str = BOOK) -> BookRun:
        """Load the landed files of a book."""
        return book_runs.load(self.definitions, self.instance, book)

    def search(self, size: int, book: str = BOOK, **asked: Any) -> BookRun:
        """Search one size with few evaluations."""
        config = SearchConfig(**{**QUICK, **asked})
        return book_runs.search(self.definitions, self.instance, book, size, config)

    def report(self, book: str = BOOK) -> BookRun:
        """Choose the best portfolio and write the page."""
        return book_runs.report(self.definitions, self.instance, book)

    def metadata(self, asset: str, partition: str) -> dict[str, Any]:
        """What the newest materialisation of a partition tells."""
        record = latest_records(self.instance, dg.AssetKey(asset), [partition])[partition]
        event = record.asset_materialization
        assert event is not None
        return {name: value.value for name, value in event.metadata.items()}

    def materialised(self, asset: str) -> set[str]:
        """Partitions of an asset that Dagster holds as materialised."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(asset)))

    def verdicts(
        self, asset: str, check: str, run_id: str | None = None
    ) -> dict[str | None, AssetCheckExecutionRecord]:
        """The newest verdict on each partition, of one run or of all."""
        records = self.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(asset), check), limit=1000
        )
        found: dict[str | None, AssetCheckExecutionRecord] = {}
        for record in records:
            if run_id is None or record.run_id == run_id:
                found.setdefault(record.partition, record)
        return found


@contextmanager
def open_books(home: Path) -> Iterator[BookGraph]:
    """The graph over a new home, its instance in memory."""
    (home / "landing").mkdir(parents=True)
    settings = QuickSettings(home=str(home))
    with dg.DagsterInstance.ephemeral() as instance:
        yield BookGraph(build_definitions(settings), instance, Shelf(home))
