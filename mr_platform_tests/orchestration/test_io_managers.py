"""Assets downstream read lazily and write whole ranges."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mr_platform.errors import TableError
from mr_platform.features.table_schemas import table_schema
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.io_managers import LakehouseIOManager
from mr_platform.orchestration.partitions import PARTITIONS, dagster_key
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.orchestration.graph_runs import (
    days,
    failure_texts,
    materialized,
    run_range,
    texts,
)
from mr_platform_tests.orchestration.small_days import MINUTES, land


@dg.asset(partitions_def=PARTITIONS)
def spot_minutes(option_chain: pl.LazyFrame) -> pl.LazyFrame:
    """One row a minute of whatever partitions the run has."""
    return option_chain.group_by("symbol", "date", "ts_minute").agg(pl.col("spot").first())


@pytest.fixture
def with_downstream(definitions: dg.Definitions) -> dg.Definitions:
    job = dg.define_asset_job("spot_job", selection=["spot_minutes"])
    return dg.Definitions.merge(definitions, dg.Definitions(assets=[spot_minutes], jobs=[job]))


def test_a_range_is_loaded_as_one_scan_and_stored_in_one_commit(
    with_downstream: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    lakehouse: Lakehouse,
) -> None:
    keys = days("2024-01-02", 4)
    for key in keys:
        land(landing, key)
    run_range(with_downstream, instance, keys)
    result = run_range(with_downstream, instance, keys[1:3], job="spot_job")
    assert result.success, failure_texts(result)
    stored = lakehouse.scan("spot_minutes").collect()
    assert set(stored["date"]) == {key.date for key in keys[1:3]}, "other days were not read"
    assert stored.height == 2 * MINUTES
    assert lakehouse.version("spot_minutes") == 1
    assert materialized(instance, "spot_minutes") == texts(keys[1:3])


def test_an_asset_without_partitions_is_told_what_it_lacks(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    @dg.asset
    def unpartitioned() -> pl.DataFrame:
        return pl.DataFrame({"a": [1]})

    whole = dg.Definitions.merge(definitions, dg.Definitions(assets=[unpartitioned]))
    result = whole.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("unpartitioned")], raise_on_error=False
    )
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    assert "unpartitioned: asset has no partitions" in error.cause.message


HISTORY_KEYS = days("2024-01-02", 3)


def history(keys: list[PartitionKey]) -> pl.DataFrame:
    """A row of closing open interest for each partition."""
    return pl.DataFrame(
        {
            "symbol": [key.symbol for key in keys],
            "date": [key.date for key in keys],
            "expiry_date": [key.date for key in keys],
            "strike": 20_000.0,
            "ce_oi": 1,
            "pe_oi": 2,
        },
        schema=table_schema("hist_c3_close"),
    )


def load(lakehouse: Lakehouse, table: str, keys: list[PartitionKey]) -> pl.DataFrame:
    """What an asset that reads a table is handed."""
    context = dg.build_input_context(
        asset_key=dg.AssetKey(table),
        partition_key=None,
        asset_partitions_def=PARTITIONS,
        asset_partition_key_range=dg.PartitionKeyRange(
            str(dagster_key(keys[0])), str(dagster_key(keys[-1]))
        ),
    )
    return LakehouseIOManager(lakehouse).load_input(context).collect()


@pytest.mark.parametrize("table", ["hist_c3_close", "hist_daily", "hist_c8_zone"])
def test_history_that_was_never_made_is_an_empty_table(table: str, lakehouse: Lakehouse) -> None:
    found = load(lakehouse, table, HISTORY_KEYS)
    assert found.is_empty()
    assert found.schema == table_schema(table)


def test_history_that_lacks_days_gives_those_that_are_there(lakehouse: Lakehouse) -> None:
    lakehouse.replace_partitions("hist_c3_close", history(HISTORY_KEYS[1:2]), HISTORY_KEYS[1:2])
    assert load(lakehouse, "hist_c3_close", HISTORY_KEYS)["date"].to_list() == [
        HISTORY_KEYS[1].date
    ]
    assert load(lakehouse, "hist_c3_close", HISTORY_KEYS[:1]).is_empty()


def test_a_table_that_is_no_history_must_exist(lakehouse: Lakehouse) -> None:
    for table in ("option_chain", "minute_panel", "c1_features"):
        with pytest.raises(TableError, match=table):
            load(lakehouse, table, HISTORY_KEYS)
