"""Checks of the tables of a book: one step a table, one verdict a partition.

Here: verdicts → Dagster's check events.
Not here: what is asked of the rows (``checks/portfolio_verdicts.py``).
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.book_partitions import BOOK_SIZES, BOOKS, parse_book_size, size_key
from mr_platform.orchestration.checks.option_chain import evaluation_at
from mr_platform.orchestration.checks.portfolio_verdicts import BOOK_RULES, BookFacts, BookRule
from mr_platform.orchestration.failures import retries_told_apart
from mr_platform.orchestration.materialization_events import latest_records
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.registry.portfolio_tables import load_portfolio_tables


def _specs(table: str) -> list[dg.AssetCheckSpec]:
    by_size = load_portfolio_tables()[table].part == "size"
    with warnings.catch_warnings():
        # Partitions of a check are a preview in 1.13.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                rule.name,
                asset=dg.AssetKey(table),
                description=rule.description,
                partitions_def=BOOK_SIZES if by_size else BOOKS,
            )
            for rule in _rules(table)
        ]


def _rules(table: str) -> list[BookRule]:
    return [rule for rule in BOOK_RULES if rule.table == table]


def _check(table: str) -> dg.AssetChecksDefinition:
    specs = _specs(table)

    @dg.multi_asset_check(
        specs=specs,
        can_subset=True,
        name=f"check_{table}",
        description="Reads the stored rows of the book back and judges them.",
    )
    def check(
        context: dg.AssetCheckExecutionContext,
        settings: SettingsResource,
        lakehouse: dg.ResourceParam[Lakehouse],
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        run = context.op_execution_context
        selected = {key.name for key in run.selected_asset_check_keys}
        asset = dg.AssetKey(table)
        recorded = settings.load().portfolio.recorded_figures
        for partition in sorted(map(str, run.partition_keys)):
            records = latest_records(run.instance, asset, [partition])
            with retries_told_apart():
                facts = _facts(table, partition, lakehouse, recorded)
                for rule in _rules(table):
                    judgement = rule.judge(facts) if rule.name in selected else None
                    if judgement is not None:  # without one the check stays as it was
                        yield evaluation_at(
                            asset, rule.name, partition, judgement, records.get(partition),
                            severity=_severity(rule), blocking=False,
                        )  # fmt: skip
        for spec in specs:
            if spec.name in selected:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    return check


def _severity(rule: BookRule) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if rule.severe else dg.AssetCheckSeverity.WARN


def _facts(table: str, partition: str, lakehouse: Lakehouse, recorded: Path | None) -> BookFacts:
    if load_portfolio_tables()[table].part != "size":
        return BookFacts(lakehouse, partition, recorded=recorded)
    book, size = parse_book_size(partition)
    return BookFacts(lakehouse, book, size_key(size), recorded)


PORTFOLIO_CHECKS: list[dg.AssetChecksDefinition] = [
    _check(table) for table in dict.fromkeys(rule.table for rule in BOOK_RULES)
]
