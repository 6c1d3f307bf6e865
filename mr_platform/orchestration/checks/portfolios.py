"""Checks of what is made of a book: one step a table, one verdict a partition.

Here: verdicts → Dagster's check events.
Not here: what is asked of the rows (``checks/portfolio_verdicts.py``).
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dagster as dg

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_freshness import (
    BEST_PORTFOLIO,
    PORTFOLIO_REPORT,
    ZONE_PORTFOLIOS,
)
from mr_platform.orchestration.book_partitions import BOOK_SIZES, BOOKS, parse_book_size, size_key
from mr_platform.orchestration.checks.option_chain import evaluation_at
from mr_platform.orchestration.checks.portfolio_verdicts import BOOK_RULES, BookFacts, BookRule
from mr_platform.orchestration.failures import retries_told_apart
from mr_platform.orchestration.materialization_events import latest_records, metadata_of
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.orchestration.strategy_books import BOOK_TABLES
from mr_platform.registry.portfolio_tables import load_portfolio_tables

MADE_LATER = (ZONE_PORTFOLIOS, BEST_PORTFOLIO, PORTFOLIO_REPORT)
"""Assets that are asked at each load of their book whether they are still of it."""

_SIZED = frozenset(name for name, told in load_portfolio_tables().items() if told.part == "size")


def _specs(assets: Sequence[str]) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        # Partitions of a check are a preview in 1.13.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                rule.name,
                asset=dg.AssetKey(rule.table),
                description=rule.description,
                partitions_def=BOOK_SIZES if rule.table in _SIZED else BOOKS,
                # where both are made in one run, it waits for the book
                additional_deps=list(BOOK_TABLES) if rule.table in MADE_LATER else None,
            )
            for rule in _rules(assets)
        ]


def _rules(assets: Sequence[str]) -> list[BookRule]:
    return [rule for rule in BOOK_RULES if rule.table in assets]


def _check(name: str, assets: Sequence[str]) -> dg.AssetChecksDefinition:
    specs = _specs(assets)

    @dg.multi_asset_check(
        specs=specs,
        can_subset=True,
        name=name,
        description="Reads the stored rows of the book back and judges them.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        settings: SettingsResource,
        lakehouse: dg.ResourceParam[Lakehouse],
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        run = context.op_execution_context
        selected = run.selected_asset_check_keys
        recorded = settings.load().portfolio.recorded_figures
        for partition in sorted(map(str, run.partition_keys)):
            records = {
                asset: latest_records(run.instance, dg.AssetKey(asset), [partition]).get(partition)
                for asset in assets
            }
            with retries_told_apart():
                facts = _facts(partition, assets, lakehouse, recorded, records)
                for rule in _rules(assets):
                    asset = dg.AssetKey(rule.table)
                    asked = dg.AssetCheckKey(asset, rule.name) in selected
                    judgement = rule.judge(facts) if asked else None
                    if judgement is not None:  # without one the check stays as it was
                        yield evaluation_at(
                            asset, rule.name, partition, judgement, records[rule.table],
                            severity=_severity(rule), blocking=False,
                        )  # fmt: skip
        for spec in specs:
            if spec.key in selected:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    return check


def _severity(rule: BookRule) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if rule.severe else dg.AssetCheckSeverity.WARN


def _facts(
    partition: str,
    assets: Sequence[str],
    lakehouse: Lakehouse,
    recorded: Path | None,
    records: Mapping[str, dg.EventLogRecord | None],
) -> BookFacts:
    if not _SIZED.isdisjoint(assets):
        book, size = parse_book_size(partition)
        return BookFacts(lakehouse, book, size_key(size), recorded)
    told = {asset: metadata_of(record) for asset, record in records.items() if record is not None}
    return BookFacts(lakehouse, partition, recorded=recorded, told=told)


_AT_ONCE = [rule.table for rule in BOOK_RULES if rule.table not in MADE_LATER]

PORTFOLIO_CHECKS: list[dg.AssetChecksDefinition] = [
    *(_check(f"check_{table}", [table]) for table in dict.fromkeys(_AT_ONCE)),
    _check("check_what_was_made_of_the_book", MADE_LATER),
]
