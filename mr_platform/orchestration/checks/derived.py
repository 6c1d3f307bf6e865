"""Checks of panel, history and components: one verdict a partition, in single and range runs.

Here: verdicts → Dagster's check events, one check step a table.
Not here: what is asked of the rows (``checks/derived_verdicts.py``); why a step yields
evaluations itself (``checks/option_chain.py``).
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import warnings
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.checks.derived_verdicts import (
    DerivedRule,
    read_table_facts,
    rules_of,
)
from mr_platform.orchestration.checks.option_chain import evaluation_of
from mr_platform.orchestration.derived_tables import DerivedTable, derived_tables
from mr_platform.orchestration.failures import retries_told_apart
from mr_platform.orchestration.input_versions import input_fingerprints
from mr_platform.orchestration.materialization_events import INPUT_FINGERPRINT, latest_records
from mr_platform.orchestration.partitions import PARTITIONS, dagster_key, parse_keys
from mr_platform.trading_calendar import PartitionKey


def _specs(table: DerivedTable) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        # Partitions of a check are a preview in 1.13.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                rule.name,
                asset=dg.AssetKey(table.name),
                description=rule.description,
                blocking=rule.blocks,
                partitions_def=PARTITIONS,
            )
            for rule in rules_of(table)
        ]


def _check(table: DerivedTable) -> dg.AssetChecksDefinition:
    specs = _specs(table)

    @dg.multi_asset_check(
        specs=specs,
        can_subset=True,
        name=f"check_{table.name}",
        description="Reads the stored partitions back and judges each of them.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, lakehouse: dg.ResourceParam[Lakehouse]
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        run = context.op_execution_context
        selected = {key.name for key in run.selected_asset_check_keys}
        with retries_told_apart():
            events = evaluations(run.instance, table, parse_keys(run.partition_keys), lakehouse)
        yield from (event for event in events if event.check_name in selected)
        for spec in specs:
            if spec.name in selected:
                yield dg.Output(None, output_name=spec.get_python_identifier())

    return check


def evaluations(
    instance: dg.DagsterInstance,
    table: DerivedTable,
    keys: Sequence[PartitionKey],
    lakehouse: Lakehouse,
) -> list[dg.AssetCheckEvaluation]:
    """Verdicts of every check of a table on every partition."""
    if not keys:
        return []
    asset = dg.AssetKey(table.name)
    records = latest_records(instance, asset, [str(dagster_key(key)) for key in keys])
    facts = read_table_facts(
        lakehouse,
        table,
        keys,
        made_from={key: _made_from(records, key) for key in keys},
        inputs_now=input_fingerprints(instance, table, keys),
    )
    return [
        evaluation_of(asset, rule.name, one.key, rule.judge(one), records,
                      severity=_severity(rule), blocking=rule.blocks)
        for one in facts
        for rule in rules_of(table)
    ]  # fmt: skip


def _made_from(records: Mapping[str, dg.EventLogRecord], key: PartitionKey) -> str | None:
    record = records.get(str(dagster_key(key)))
    event = record.asset_materialization if record else None
    value = event.metadata.get(INPUT_FINGERPRINT) if event else None
    return None if value is None else str(value.value)


def _severity(rule: DerivedRule) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if rule.severe else dg.AssetCheckSeverity.WARN


DERIVED_CHECKS: list[dg.AssetChecksDefinition] = [_check(table) for table in derived_tables()]
