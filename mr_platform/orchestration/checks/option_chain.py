"""Checks of ``option_chain``: one verdict a partition, in single and in range runs.

Here: verdicts → Dagster's check events.
Not here: what is asked of the rows (``checks/verdicts.py``).

A range run that returns ``AssetCheckResult`` stores one verdict without a partition and leaves
every day "planned". The step therefore yields one ``AssetCheckEvaluation`` a partition itself;
Dagster stores it in the row planned for that run and partition, and a blocking one that failed
stops what is downstream, exactly as a check result would.
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import warnings
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

# The only way to say which materialization a verdict is about; without it the partition pages
# call the verdict outdated. Public neither in 1.13.27 nor under another name.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as TargetMaterialization,
)

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import LandingCatalogue
from mr_platform.orchestration.checks.verdicts import RULES, CheckRule, Judgement, read_facts
from mr_platform.orchestration.failures import retries_told_apart
from mr_platform.orchestration.ingestion import (
    LANDED_FILES,
    LOAD_AUDIT,
    OPTION_CHAIN,
    QUARANTINED_ROWS,
)
from mr_platform.orchestration.materialization_events import latest_records
from mr_platform.orchestration.partitions import PARTITIONS, dagster_key, parse_keys
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.trading_calendar import PartitionKey

CHAIN_KEY = dg.AssetKey(OPTION_CHAIN)

with warnings.catch_warnings():
    # Partitions of a check are a preview in 1.13; the end-to-end test shows that they hold.
    warnings.simplefilter("ignore", dg.PreviewWarning)
    CHECK_SPECS = [
        dg.AssetCheckSpec(
            rule.name,
            asset=CHAIN_KEY,
            description=rule.description,
            blocking=rule.blocks,
            partitions_def=PARTITIONS,
            additional_deps=[LANDED_FILES, QUARANTINED_ROWS, LOAD_AUDIT],
        )
        for rule in RULES
    ]


@dg.multi_asset_check(
    specs=CHECK_SPECS,
    can_subset=True,
    name="check_option_chain",
    description="Reads the stored partitions back and judges each of them.",
)
def check_option_chain(
    context: dg.AssetCheckExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
    catalogue: dg.ResourceParam[LandingCatalogue],
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Judge every partition of the run by every selected check."""
    run = context.op_execution_context
    selected = {key.name for key in run.selected_asset_check_keys}
    with retries_told_apart():
        events = evaluations(
            run.instance,
            parse_keys(run.partition_keys),
            settings=settings,
            lakehouse=lakehouse,
            catalogue=catalogue,
        )
    yield from (event for event in events if event.check_name in selected)
    for spec in CHECK_SPECS:
        if spec.name in selected:
            yield dg.Output(None, output_name=spec.get_python_identifier())


def evaluations(
    instance: dg.DagsterInstance,
    keys: Sequence[PartitionKey],
    *,
    settings: SettingsResource,
    lakehouse: Lakehouse,
    catalogue: LandingCatalogue,
) -> list[dg.AssetCheckEvaluation]:
    """Verdicts of every check on every partition, about their latest materialization."""
    if not keys:
        return []
    landed = {key: frozenset(file.sha256 for file in catalogue.files_for(key)) for key in keys}
    records = latest_records(instance, CHAIN_KEY, [str(dagster_key(key)) for key in keys])
    return [
        _evaluation(rule, facts.key, rule.judge(facts), records)
        for facts in read_facts(lakehouse, keys, landed, settings.load())
        for rule in RULES
    ]


def refusal_evaluations(refused: Mapping[PartitionKey, Exception]) -> list[dg.AssetCheckEvaluation]:
    """A failed verdict of every check on partitions of which nothing was stored."""
    return [
        _evaluation(rule, key, Judgement(False, f"nothing was stored: {fault}"), {})
        for key, fault in sorted(refused.items())
        for rule in RULES
    ]


def _evaluation(
    rule: CheckRule,
    key: PartitionKey,
    judgement: Judgement,
    records: Mapping[str, dg.EventLogRecord],
) -> dg.AssetCheckEvaluation:
    severity = dg.AssetCheckSeverity.ERROR if rule.blocks else dg.AssetCheckSeverity.WARN
    return evaluation_of(
        CHAIN_KEY, rule.name, key, judgement, records, severity=severity, blocking=rule.blocks
    )


def evaluation_of(
    asset: dg.AssetKey,
    name: str,
    key: PartitionKey,
    judgement: Judgement,
    records: Mapping[str, dg.EventLogRecord],
    *,
    severity: dg.AssetCheckSeverity,
    blocking: bool,
) -> dg.AssetCheckEvaluation:
    """A verdict as Dagster stores it, about the partition's latest materialization.

    Args:
        asset: The asset judged.
        name: Name of the check.
        key: The partition judged.
        judgement: The verdict.
        records: Latest materializations by partition.
        severity: What a failure counts as.
        blocking: Whether a failure stops what is downstream.
    """
    partition = str(dagster_key(key))
    return evaluation_at(
        asset, name, partition, judgement, records.get(partition),
        severity=severity, blocking=blocking,
    )  # fmt: skip


def evaluation_at(
    asset: dg.AssetKey,
    name: str,
    partition: str,
    judgement: Judgement,
    record: dg.EventLogRecord | None,
    *,
    severity: dg.AssetCheckSeverity,
    blocking: bool,
) -> dg.AssetCheckEvaluation:
    """As :func:`evaluation_of`, for a partition by Dagster's own key and its latest record."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=name,
        passed=judgement.passed,
        description=judgement.sentence,
        metadata=dict(judgement.numbers),
        severity=severity,
        blocking=blocking,
        partition=partition,
        target_materialization_data=record
        and TargetMaterialization(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        ),
    )
