from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from mr_platform.config.settings import load_settings
from mr_platform.orchestration.home_instance import (
    INSTANCE_FILE,
    open_instance,
    prepare_dagster_home,
)


@pytest.fixture(autouse=True)
def _dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "restored after the test")


def test_a_home_gets_the_projects_instance_file(tmp_path: Path) -> None:
    folder = prepare_dagster_home(load_settings(tmp_path))
    assert folder == tmp_path / "dagster"
    assert "telemetry" in (folder / INSTANCE_FILE).read_text()
    assert os.environ["DAGSTER_HOME"] == str(folder)


def test_an_older_copy_is_replaced(tmp_path: Path) -> None:
    folder = prepare_dagster_home(load_settings(tmp_path))
    whole = (folder / INSTANCE_FILE).read_text()
    (folder / INSTANCE_FILE).write_text("telemetry: {enabled: true}\n")
    prepare_dagster_home(load_settings(tmp_path))
    assert (folder / INSTANCE_FILE).read_text() == whole


def test_the_profile_says_how_many_runs_go_at_once(tmp_path: Path) -> None:
    for profile, limit in (("local", 2), ("prod", 8)):
        with open_instance(load_settings(tmp_path, profile)) as instance:
            config = instance.get_concurrency_config()
            assert config.run_queue_config is not None
            assert config.run_queue_config.max_concurrent_runs == limit
            assert config.pool_config.default_pool_limit == limit


def test_two_homes_have_two_instances(tmp_path: Path) -> None:
    first, second = load_settings(tmp_path / "one"), load_settings(tmp_path / "two")
    with open_instance(first) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("chain", partition="a"))
        assert instance.get_materialized_partitions(dg.AssetKey("chain")) == {"a"}
    with open_instance(second) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("chain")) == set()
    with open_instance(first) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("chain")) == {"a"}


def test_commands_start_no_processes_that_watch_a_step(tmp_path: Path) -> None:
    """Those print tracebacks at Ctrl-C. The UI reads the home's own file and goes on with them."""
    settings = load_settings(tmp_path)
    with open_instance(settings) as instance:
        assert isinstance(instance.compute_log_manager, NoOpComputeLogManager)
    of_the_ui = dg.DagsterInstance.from_config(str(settings.dagster_home))
    assert not isinstance(of_the_ui.compute_log_manager, NoOpComputeLogManager)
    of_the_ui.dispose()


OPENING = """
import sys
from mr_platform.config.settings import load_settings
from mr_platform.orchestration.home_instance import open_instance
with open_instance(load_settings(sys.argv[1])):
    pass
"""


def test_a_new_home_is_opened_by_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "dagster"
    folder.mkdir()
    with (folder / ".opening").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        others = [
            subprocess.Popen([sys.executable, "-c", OPENING, str(tmp_path)]) for _ in range(2)
        ]
        with pytest.raises(subprocess.TimeoutExpired):
            others[0].wait(timeout=6)
        assert not list(folder.rglob("*.db"))
    assert [other.wait(timeout=60) for other in others] == [0, 0]
    with open_instance(load_settings(tmp_path)) as instance:
        assert instance.get_runs_count() == 0
