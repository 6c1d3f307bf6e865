"""Raw group: landed files become the option chain, its quarantine and its audit.

Here: four assets of one computation. Not here: reading, rules, storing (``ingestion.py``).

``landed_files`` is part of the computation, not an asset before it: units, good and quarantined
rows of a file are known only once its rows went through the rules.

A batch in which partitions are refused must still store and record the others, say what was
refused in one error, and end as a failed run. Dagster makes the events of an output for *all*
partitions of a range, and a step that fails yields no outputs. So for such a batch the step
records an event for each stored partition, adds their verdicts (the check step does not run
after a failure), and then fails without retries. A backfill subtracts what was materialised from
the range of a failed run, so exactly the refused partitions count as failed.
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import datetime as dt
import warnings
from collections.abc import Iterator

import dagster as dg

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import LandingCatalogue
from mr_platform.orchestration.checks.option_chain import evaluations, refusal_evaluations
from mr_platform.orchestration.columns import column_schema
from mr_platform.orchestration.failures import permanent_failure, retries_told_apart
from mr_platform.orchestration.ingestion import (
    CODE_VERSION,
    LANDED_FILES,
    LOAD_AUDIT,
    OPTION_CHAIN,
    QUARANTINED_ROWS,
    TABLES,
    BatchReport,
    ingest_and_store,
)
from mr_platform.orchestration.materialization_events import explicit_events, partition_metadata
from mr_platform.orchestration.partitions import (
    MAX_PARTITIONS_PER_RUN,
    PARTITIONS,
    dagster_key,
    parse_keys,
)
from mr_platform.orchestration.resources import SettingsResource

GROUP = "raw"
OWNERS = ["team:market-data"]

# NSE is closed for at most four days in a row, so a healthy chain is never older than five.
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=dt.timedelta(days=6), warn_window=dt.timedelta(days=5, hours=6)
)


def _spec(
    table: str,
    description: str,
    *,
    kinds: set[str],
    deps: tuple[str, ...] = (),
    freshness_policy: dg.FreshnessPolicy | None = None,
) -> dg.AssetSpec:
    return dg.AssetSpec(
        table,
        deps=list(deps),
        description=description,
        metadata={"dagster/column_schema": column_schema(table)},
        group_name=GROUP,
        code_version=CODE_VERSION,
        owners=OWNERS,
        tags={"layer": GROUP, "grain": "minute" if table == OPTION_CHAIN else "partition"},
        kinds=kinds,
        freshness_policy=freshness_policy,
    )


SPECS = [
    _spec(
        LANDED_FILES,
        "One row a landed file and partition: digest, dialect, settled units, and how many of "
        "its rows are good and quarantined.",
        kinds={"file", "deltalake"},
    ),
    _spec(
        QUARANTINED_ROWS,
        "Rows that were set apart, each with file, row number, reason and the row as it was read.",
        kinds={"polars", "deltalake"},
        deps=(LANDED_FILES,),
    ),
    _spec(
        LOAD_AUDIT,
        "One row a rule and partition: rows checked and failed, share, verdict.",
        kinds={"polars", "deltalake"},
        deps=(LANDED_FILES,),
    ),
    _spec(
        OPTION_CHAIN,
        "The clean option chain: one row a minute, expiry and strike, in canonical units, with "
        "missing implied volatilities and Greeks computed and marked.",
        kinds={"polars", "deltalake"},
        deps=(LANDED_FILES,),
        freshness_policy=FRESHNESS,
    ),
]

with warnings.catch_warnings():
    # Backfill policies are beta in 1.13; without one each partition is a run of its own.
    warnings.simplefilter("ignore", dg.BetaWarning)
    BATCHES = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_PARTITIONS_PER_RUN)


@dg.multi_asset(
    name="ingest_option_chain",
    specs=SPECS,
    partitions_def=PARTITIONS,
    backfill_policy=BATCHES,
    pool="ingestion",
)
def ingest_option_chain(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
    catalogue: dg.ResourceParam[LandingCatalogue],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Ingest every partition of the run and store it in one commit a table."""
    with retries_told_apart():
        report = ingest_and_store(
            parse_keys(context.partition_keys),
            lakehouse=lakehouse,
            catalogue=catalogue,
            settings=settings.load(),
            now=dt.datetime.now(dt.UTC),
            commit_info={"run_id": context.run.run_id},
        )
    if not report.refused:
        yield from _outputs(context, report)
        return
    yield from explicit_events(report.stored, report.versions)
    stored = [partition.key for partition in report.stored]
    yield from evaluations(
        context.instance, stored, settings=settings, lakehouse=lakehouse, catalogue=catalogue
    )
    yield from refusal_evaluations(report.refused)
    raise permanent_failure(report.refusal_text())


def _outputs(
    context: dg.AssetExecutionContext, report: BatchReport
) -> Iterator[dg.MaterializeResult[None]]:
    """Outputs of a batch stored whole, with metadata for each partition."""
    for table in TABLES:
        for partition in report.stored:
            context.add_asset_metadata(
                partition_metadata(table, partition, report.versions[table]),
                asset_key=table,
                partition_key=str(dagster_key(partition.key)),
            )
        yield dg.MaterializeResult(asset_key=table)
