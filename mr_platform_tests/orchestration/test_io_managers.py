"""Assets downstream read lazily and write whole ranges."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.partitions import PARTITIONS
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
