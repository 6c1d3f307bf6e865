"""One home, opened for a command."""

from __future__ import annotations

import datetime as dt
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg

from mr_platform.cli.graph import INGESTED_ASSETS, open_graph
from mr_platform.cli.terminal import Terminal
from mr_platform.orchestration.materialization import LAUNCHED_BY_TAG, PROCESS_TAG
from mr_platform.trading_calendar import IST, PartitionKey, next_trading_day
from mr_platform_tests.orchestration.small_days import land

DAY = PartitionKey(dt.date(2024, 1, 3), "NIFTY")


def terminal(home: Path) -> Terminal:
    return Terminal(str(home), as_json=True)


def test_opening_a_new_home_makes_what_files_are_dropped_into_and_no_table(tmp_path: Path) -> None:
    home = tmp_path / "new"
    with open_graph(terminal(home)) as graph:
        assert (home / "landing").is_dir()
        assert graph.settings.home == home
        assert graph.lakehouse.tables() == []
        assert graph.fingerprints() == {}
        assert graph.faulty_files() == []
    assert not (home / "lakehouse").exists()


def test_the_definitions_of_a_home_hold_what_landed_files_become(tmp_path: Path) -> None:
    with open_graph(terminal(tmp_path)) as graph:
        keys = graph.definitions.resolve_asset_graph().materializable_asset_keys
    assert {key.to_user_string() for key in keys} >= set(INGESTED_ASSETS)


def test_landed_files_count_once_the_catalogue_is_refreshed(tmp_path: Path) -> None:
    land(tmp_path / "landing", DAY)
    with open_graph(terminal(tmp_path)) as graph:
        assert graph.fingerprints() == {}
        graph.refresh()
        before = graph.fingerprints()
        assert set(before) == {DAY}
        land(tmp_path / "landing", DAY, shift=1.0, age=30)
        graph.refresh()
        assert graph.fingerprints()[DAY] != before[DAY]


def test_files_of_days_to_come_are_told_beside_those_that_cannot_be_read(tmp_path: Path) -> None:
    ahead = next_trading_day(dt.datetime.now(IST).date(), 10)
    early = land(tmp_path / "landing", PartitionKey(ahead, "NIFTY"))
    land(tmp_path / "landing", DAY)
    (tmp_path / "landing/notes.csv").write_text("who,what\nme,that\n")
    with open_graph(terminal(tmp_path)) as graph:
        graph.refresh()
        faults = {file.relative: file.fault for file in graph.faulty_files()}
    assert set(faults) == {"notes.csv", early.name}
    assert f"{ahead}, a day to come" in faults[early.name]


def test_a_run_left_by_a_killed_command_is_closed_when_the_home_is_opened(tmp_path: Path) -> None:
    with open_graph(terminal(tmp_path)) as graph:
        left = graph.instance.create_run_for_job(
            graph.definitions.resolve_job_def("ingest_option_chain_job"),
            status=dg.DagsterRunStatus.STARTED,
            tags=dead_process(),
        )
    with open_graph(terminal(tmp_path)) as graph:
        found = graph.instance.get_run_by_id(left.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.FAILURE


def dead_process() -> dict[str, str]:
    """Tags of a run whose command has ended."""
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    return {LAUNCHED_BY_TAG: "mr", PROCESS_TAG: f"{socket.gethostname()}:{ended.pid}"}
