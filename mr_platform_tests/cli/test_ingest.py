"""Ingest, materialize, status, quarantine and table on one home, the way a person uses them."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mr_platform.cli.graph import INGESTED_ASSETS
from mr_platform.trading_calendar import IST, next_trading_day
from mr_platform_tests.cli.conftest import Run, document

KEYS = ["2023-01-02|NIFTY", "2023-01-09|NIFTY", "2023-01-16|NIFTY"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_days: list[Path]) -> Path:
    """A home into which two of the three days were ingested, in a process of its own."""
    folder = tmp_path_factory.mktemp("home")
    files = [*small_days[:2], folder / "absent.csv"]
    command = [sys.executable, "-m", "mr_platform.cli", "ingest", *map(str, files), "--json"]
    process = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "MR_HOME": str(folder)}
    )
    (folder / "first.json").write_text(process.stdout)
    (folder / "first.err").write_text(process.stderr)
    assert process.returncode == 1, process.stderr
    return folder


def first(home: Path) -> dict[str, Any]:
    return json.loads((home / "first.json").read_text())  # type: ignore[no-any-return]


def of(status: Any, asset: str) -> dict[str, Any]:
    """What ``mr status --json`` tells of one asset."""
    (told,) = [found for found in status["assets"] if found["asset"] == asset]
    return told  # type: ignore[no-any-return]


def test_ingest_tells_the_fate_of_every_file_and_goes_on_past_a_bad_one(home: Path) -> None:
    told = first(home)
    assert told["made"] == KEYS[:2]
    fates = {Path(file["source"]).name: file for file in told["files"]}
    good = fates["NIFTY_2023-01-02.csv"]
    assert (good["status"], good["fault"], good["partitions"]) == ("placed", None, KEYS[:1])
    assert good["rows_in"] == good["rows_good"] + good["rows_quarantined"] == 30 * 13
    absent = fates["absent.csv"]
    assert absent["status"] == "unusable"
    assert absent["fault"].startswith("no such file or folder")


def test_ingest_shows_progress_by_partition_on_stderr(home: Path) -> None:
    lines = (home / "first.err").read_text()
    assert "materialising: 2/2" in lines
    assert "Traceback" not in lines
    assert "DEBUG" not in lines


def test_the_same_file_again_makes_nothing_again(
    run: Run, home: Path, small_days: list[Path]
) -> None:
    result = run("ingest", small_days[0], "--home", home, "--json")
    assert result.exit_code == 0
    told = document(result)
    assert told["made"] == []
    assert told["current"] == KEYS[:1]
    assert told["files"][0]["status"] == "already there"
    assert told["files"][0]["rows_in"] == 30 * 13


def test_status_counts_partitions_and_verdicts(run: Run, home: Path) -> None:
    told = document(run("status", "--home", home, "--json"))
    chain = next(asset for asset in told["assets"] if asset["asset"] == "option_chain")
    assert chain["materialized"] == KEYS[:2]
    assert (chain["stale"], chain["failed"], chain["missing"]) == ({}, [], [])
    assert chain["checks"]["rows_are_conserved"]["passed"] == 2
    assert chain["checks"]["rows_are_conserved"]["failed"] == {}
    text = run("status", "--home", home, "--asset", "option_chain").stdout
    # eleven verdicts a partition; the check that did not pass everywhere is told by name
    assert re.search(r"option_chain: 11 checks +20 +2 +0\n +session_is_complete +0 +2 +0\n", text)
    assert "landed_files" not in text


def test_after_an_ingest_the_features_wait_and_the_next_command_is_told(
    run: Run, home: Path
) -> None:
    told = document(run("status", "--home", home, "--json"))
    assert of(told, "minute_panel")["missing"] == KEYS[:2]
    assert of(told, "c1_features")["missing"] == [], "nothing to make it of yet"
    text = run("status", "--home", home).stdout
    assert text.endswith("next: mr materialize +c8_features   (2 are waiting)\n")


def test_status_takes_a_selection_and_shows_what_it_names(run: Run, home: Path) -> None:
    told = document(run("status", "--home", home, "--asset", "group:panel", "--json"))
    assert [asset["asset"] for asset in told["assets"]] == ["minute_panel"]


def test_a_file_dropped_into_landing_waits_until_it_is_materialised(
    run: Run, home: Path, small_days: list[Path]
) -> None:
    target = home / "landing" / "dropped" / small_days[2].name
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(small_days[2].read_bytes())
    (home / "landing" / "notes.csv").write_text("who,what\nme,that\n")
    before = document(run("status", "--home", home, "--json"))
    assert of(before, "option_chain")["missing"] == KEYS[2:]
    assert [file["relative"] for file in before["faulty_files"]] == ["notes.csv"]
    planned = document(run("materialize", "option_chain", "--home", home, "--dry-run", "--json"))
    assert planned["to_make"] == KEYS[2:]
    assert planned["current"] == KEYS[:2]
    assert planned["timed_partitions"] == 2
    made = run("materialize", "option_chain", "--home", home, "--json")
    assert made.exit_code == 0
    assert document(made)["made"] == KEYS[2:]
    after = document(run("status", "--home", home, "--json"))
    assert of(after, "option_chain")["missing"] == []
    (home / "landing" / "notes.csv").unlink()


def test_a_dry_run_makes_nothing_and_tells_missing_input(run: Run, home: Path) -> None:
    arguments = ["materialize", "option_chain", "--dates", "2023-01-09:2023-01-10", "--dry-run"]
    text = run(*arguments, "--symbols", "NIFTY", "--home", home).stdout
    assert "no landed file: 2023-01-10|NIFTY" in text
    assert "dry run: nothing was made" in text


def test_a_rewritten_file_makes_exactly_its_partition_stale(
    run: Run, home: Path, small_days: list[Path]
) -> None:
    landed = home / "landing" / small_days[1].name
    lines = landed.read_text().splitlines(keepends=True)
    landed.write_text("".join(lines[:-1]))
    status = document(run("status", "--home", home, "--json"))
    for name in INGESTED_ASSETS:
        assert of(status, name)["stale"] == {KEYS[1]: "inputs changed"}
    assert f"{KEYS[1]}  inputs changed" in run("status", "--home", home).stdout
    made = run("materialize", "option_chain", "--stale", "--home", home, "--json")
    assert document(made)["made"] == [KEYS[1]]
    again = run("materialize", "option_chain", "--stale", "--home", home, "--json")
    assert document(again)["made"] == []


def test_two_homes_never_touch_each_other(
    run: Run, home: Path, tmp_path: Path, small_days: list[Path]
) -> None:
    before = document(run("table", "list", "--home", home, "--json"))
    other = tmp_path / "other"
    assert run("ingest", small_days[2], "--home", other, "--json").exit_code == 0
    there = document(run("status", "--home", other, "--json"))
    assert of(there, "option_chain")["materialized"] == KEYS[2:]
    assert document(run("table", "list", "--home", home, "--json")) == before
    assert sorted(path.name for path in (other / "landing").iterdir()) == [small_days[2].name]


def test_a_full_disk_is_told_as_such_and_the_tables_stay_whole(
    run: Run, home: Path, small_days: list[Path]
) -> None:
    """No file may grow beyond 20 kB: the table's data file cannot be written."""
    script = (
        "import resource, signal, sys\n"
        "from mr_platform.cli import main\n"
        "from mr_platform.gateways import partition_files\n"
        "from mr_platform.orchestration import failures\n"
        "failures.RETRY_WAIT_SECONDS = 0.0\n"
        "real = partition_files.write_partition\n"
        "def limited(*arguments, **more):\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    limits = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))\n"
        "    try:\n        return real(*arguments, **more)\n"
        "    finally:\n        resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
        "partition_files.write_partition = limited\n"
        f"sys.argv = ['mr', 'materialize', 'option_chain', '--dates', '2023-01-02',\n"
        f"            '--symbols', 'NIFTY', '--force', '--home', {str(home)!r}]\n"
        "main()\n"
    )
    before = document(run("table", "list", "--home", home, "--json"))
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 1
    assert "no room was left to write" in process.stdout
    assert "Free disk space" in process.stdout
    assert "Traceback" not in process.stdout + process.stderr
    after = document(run("table", "list", "--home", home, "--json"))
    assert [(t["table"], t["rows"]) for t in after] == [(t["table"], t["rows"]) for t in before]


def test_a_named_pipe_is_told_and_not_waited_for(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "feed.csv"
    os.mkfifo(pipe)
    result = run("ingest", pipe, "--home", tmp_path / "home")
    assert result.exit_code == 1
    assert f"error: {pipe}: no regular file. Land a regular file" in result.stdout


def test_a_file_of_a_day_to_come_is_told_and_nothing_is_made_of_it(
    run: Run, tmp_path: Path, small_days: list[Path]
) -> None:
    ahead = next_trading_day(dt.datetime.now(IST).date(), 10)
    early = tmp_path / "early.csv"
    early.write_text(small_days[0].read_text().replace("2023-01-02", str(ahead)))
    result = run("ingest", early, "--home", tmp_path / "home", "--json")
    assert result.exit_code == 1
    told = document(result)
    assert told["made"] == []
    assert f"holds rows of {ahead}, a day to come" in told["files"][0]["fault"]
    status = document(run("status", "--home", tmp_path / "home", "--json"))
    assert [file["relative"] for file in status["faulty_files"]] == ["early.csv"]
    assert {len(asset["missing"]) for asset in status["assets"]} == {0}
    result = run("materialize", "option_chain", "--home", tmp_path / "home")
    assert result.exit_code == 1
    assert f"error: {ahead}|NIFTY: a day to come" in result.stdout
