"""Hands assets their upstream tables as lazy frames and stores what they return.

Here: asset key → table name, partitions of a run → one scan or one commit.
Not here: how Delta is read and written (``gateways/lakehouse``).
"""

from __future__ import annotations

import dagster as dg
import polars as pl

from mr_platform.errors import TableError
from mr_platform.features.table_schemas import empty_table
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.partitions import parse_keys
from mr_platform.registry.loader import load_registry


class LakehouseIOManager(dg.IOManager):
    """Tables of the lakehouse, a single partition or a whole range at a time."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        self.lakehouse = lakehouse

    def load_input(self, context: dg.InputContext) -> pl.LazyFrame:
        """One lazy scan over all partitions of the run.

        A dict of frames, Dagster's habit for many partitions, would load them all at once.
        History that was never made is an empty table, not a fault.
        """
        keys = parse_keys(context.asset_partition_keys) if context.has_asset_partitions else None
        table = table_name(context.asset_key)
        if table in load_registry().history and not self.lakehouse.exists(table):
            return empty_table(table)
        return self.lakehouse.scan(table, keys)

    def handle_output(self, context: dg.OutputContext, obj: pl.DataFrame | pl.LazyFrame) -> None:
        """Replace all partitions of the run in one commit."""
        table = table_name(context.asset_key)
        if not context.has_asset_partitions:
            raise TableError(
                "asset has no partitions, and a table is stored by symbol and date",
                place=table,
                next_step="Give the asset partitions_def=PARTITIONS",
            )
        frame = obj.collect() if isinstance(obj, pl.LazyFrame) else obj
        report = self.lakehouse.replace_partitions(
            table,
            frame,
            parse_keys(context.asset_partition_keys),
            commit_info={"run_id": context.run_id},
        )
        context.add_output_metadata({"table_version": report.version})


@dg.io_manager(
    required_resource_keys={"lakehouse"}, description="Tables of the lakehouse as lazy frames."
)
def lakehouse_io_manager(context: dg.InitResourceContext) -> LakehouseIOManager:
    """The I/O manager over the home's lakehouse."""
    return LakehouseIOManager(context.resources.lakehouse)


def table_name(asset_key: dg.AssetKey) -> str:
    """The table of an asset: they share one name."""
    return asset_key.path[-1]
