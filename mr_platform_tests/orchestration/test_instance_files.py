"""dagster.yaml and workspace.yaml as Dagster reads them."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mr_platform.config.settings import load_settings
from mr_platform.orchestration.assets.option_chain import FRESHNESS, ingest_option_chain
from mr_platform.orchestration.partitions import MAX_PARTITIONS_PER_RUN
from mr_platform.trading_calendar import CALENDAR_FIRST, CALENDAR_LAST, SYMBOLS, trading_days

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def dagster_home(tmp_path: Path) -> Path:
    """A Dagster home with the project's file and nothing else, and no environment."""
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path / "dagster.yaml")
    return tmp_path


def test_storage_is_sqlite_inside_the_home(dagster_home: Path) -> None:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert instance.get_runs() == []
    assert list(dagster_home.rglob("runs.db"))
    assert list(dagster_home.rglob("schedules.db"))


def test_only_lost_runs_start_again_and_failed_steps_do_not(dagster_home: Path) -> None:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 2
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_enabled


def test_first_starts_are_quiet(dagster_home: Path) -> None:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled


def test_limits_that_dagster_fixes_at_start_agree_with_the_settings(dagster_home: Path) -> None:
    limits = load_settings(dagster_home, environment={}).orchestration
    assert limits.max_partitions_per_run == MAX_PARTITIONS_PER_RUN
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == limits.max_concurrent_runs


def test_a_batch_never_mixes_ranges_of_symbols() -> None:
    assert MAX_PARTITIONS_PER_RUN % len(SYMBOLS) == 0, (
        "a range is the product of its dates and symbols: a batch must end with the last symbol"
    )
    policy = ingest_option_chain.backfill_policy
    assert policy is not None
    assert policy.max_partitions_per_run == MAX_PARTITIONS_PER_RUN


def test_no_closure_of_the_exchange_makes_the_chain_look_stale() -> None:
    days = trading_days(CALENDAR_FIRST, CALENDAR_LAST)
    longest = max(following - day for day, following in itertools.pairwise(days))
    assert FRESHNESS.warn_window is not None
    assert longest < FRESHNESS.warn_window.to_timedelta()
    assert FRESHNESS.warn_window.to_timedelta() < FRESHNESS.fail_window.to_timedelta()


def test_the_workspace_loads_the_definitions_by_module() -> None:
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())
    (entry,) = workspace["load_from"]
    assert entry["python_module"]["module_name"] == "mr_platform.definitions"
    assert entry["python_module"]["location_name"] == "mr_platform"
