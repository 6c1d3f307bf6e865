"""Minute panel, history and components: one asset for each derived table, made by one factory.

Here: what Dagster is told of a derived table, and its materialisation.
Not here: which tables there are and how they are made (``derived_tables.py``).
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import time
import warnings

import dagster as dg
import polars as pl

from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.orchestration.columns import column_schema
from mr_platform.orchestration.day_pictures import PICTURE, picture_metadata
from mr_platform.orchestration.derived_tables import (
    DerivedTable,
    Reading,
    build_table,
    chunk_sizes,
    chunks_of,
    derived_tables,
)
from mr_platform.orchestration.failures import retries_told_apart
from mr_platform.orchestration.input_versions import input_fingerprints
from mr_platform.orchestration.materialization_events import INPUT_FINGERPRINT
from mr_platform.orchestration.partitions import (
    DATE,
    MAX_PARTITIONS_PER_RUN,
    PARTITIONS,
    SYMBOL,
    dagster_key,
    parse_keys,
)
from mr_platform.orchestration.resources import SETTINGS, SettingsResource
from mr_platform.orchestration.table_facts import partition_facts

OWNERS = ["team:market-data"]

LAST_TABLE = derived_tables()[-1].name
"""The table with which a day is complete, and whose materialisation shows the day's picture."""

PICTURES_A_RUN = 4
"""Partitions of a run, the latest, whose materialisations show a picture: each takes a second."""


def partition_mapping(reading: Reading) -> dg.PartitionMapping:
    """Which partitions of the upstream table a partition reads, as Dagster knows it.

    Offsets count partitions, and only trading days are partitions.
    """
    days = dg.TimeWindowPartitionMapping(
        start_offset=-reading.first_back,
        end_offset=-reading.last_back,
        # the first days of the calendar have fewer days before them
        allow_nonexistent_upstream_partitions=True,
    )
    symbols = dg.AllPartitionMapping() if reading.both_symbols else dg.IdentityPartitionMapping()
    return dg.MultiPartitionMapping(
        {
            DATE: dg.DimensionPartitionMapping(DATE, days),
            SYMBOL: dg.DimensionPartitionMapping(SYMBOL, symbols),
        }
    )


def _asset(table: DerivedTable) -> dg.AssetsDefinition:
    @dg.asset(
        name=table.name,
        ins={
            reading.table: dg.AssetIn(partition_mapping=partition_mapping(reading))
            for reading in table.readings
        },
        partitions_def=PARTITIONS,
        backfill_policy=BATCHES,
        group_name=table.group,
        description=table.description,
        code_version=table.code_version,
        metadata={"dagster/column_schema": column_schema(table.name)},
        owners=OWNERS,
        tags={"layer": table.group},
        kinds={"polars", "deltalake"},
        required_resource_keys={"frame_engine", "lakehouse", SETTINGS},
    )
    def materialize(context: dg.AssetExecutionContext, **frames: pl.LazyFrame) -> pl.DataFrame:
        keys = parse_keys(context.partition_keys)
        resource: SettingsResource = getattr(context.resources, SETTINGS)
        settings = resource.load().features
        sizes = chunk_sizes(settings.chunk_dates)
        chunks = chunks_of(table, keys, sizes)
        chosen: FrameEngine = context.resources.frame_engine
        # before the work: an input that arrives meanwhile must leave this partition stale
        fingerprints = input_fingerprints(context.instance, table, keys)
        started = time.perf_counter()
        with retries_told_apart():
            engine = chosen.suited_to(max(len(chunk) for chunk in chunks))
            rows = build_table(table, keys, frames, engine, sizes)
        seconds = (time.perf_counter() - started) / len(keys)
        shown = keys[-PICTURES_A_RUN:] if settings.pictures and table.name == LAST_TABLE else ()
        for key, facts in partition_facts(rows, keys).items():
            picture = (
                {PICTURE: picture_metadata(context.resources.lakehouse, key, {table.name: rows})}
                if key in shown
                else {}
            )
            context.add_asset_metadata(
                {
                    **facts,
                    **picture,
                    INPUT_FINGERPRINT: fingerprints[key],
                    **engine.describe(),
                    "chunks": len(chunks),
                    "seconds": round(seconds, 4),
                },
                asset_key=table.name,
                partition_key=str(dagster_key(key)),
            )
        return rows

    return materialize


with warnings.catch_warnings():
    # Backfill policies, mappings of one dimension, and look-backs beyond the calendar's beginning
    # are beta in 1.13; without them there is no range run and no history.
    warnings.simplefilter("ignore", dg.BetaWarning)
    BATCHES = dg.BackfillPolicy.multi_run(max_partitions_per_run=MAX_PARTITIONS_PER_RUN)
    DERIVED_ASSETS: list[dg.AssetsDefinition] = [_asset(table) for table in derived_tables()]
