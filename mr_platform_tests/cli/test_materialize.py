"""What is asked for, what would be made, what came out."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from mr_platform.cli.arguments import DateRange
from mr_platform.cli.materialize import asked_partitions, fault_lines, outcome_document
from mr_platform.orchestration.materialization import BatchOutcome, RunFault
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.cli.conftest import Run, document
from mr_platform_tests.orchestration.small_days import land

KEYS = [
    PartitionKey(dt.date(2024, 1, day), symbol)
    for day in (3, 4, 5)
    for symbol in ("BANKNIFTY", "NIFTY")
]
# a weekend lies between
ACROSS = DateRange(dt.date(2024, 1, 5), dt.date(2024, 1, 8))


@pytest.fixture
def outcomes() -> list[BatchOutcome]:
    """Two runs: one made its day, one refused two."""
    fault = RunFault("MissingInputError", "no landed file", None)
    return [
        BatchOutcome("run-1", (KEYS[1],), {}, 1.25),
        BatchOutcome("run-2", (), {KEYS[5]: fault, KEYS[3]: fault}, 0.5),
    ]


def test_without_dates_every_partition_with_files_is_asked_for() -> None:
    assert asked_partitions(KEYS[::-1], None, None, None) == KEYS
    assert asked_partitions(KEYS, None, ("NIFTY",), None) == KEYS[1::2]


def test_with_dates_every_trading_day_is_asked_for_whether_it_has_files_or_not() -> None:
    assert [str(key) for key in asked_partitions([], ACROSS, ("NIFTY",), None)] == [
        "2024-01-05|NIFTY",
        "2024-01-08|NIFTY",
    ]
    assert len(asked_partitions([], ACROSS, None, None)) == 4


def test_the_latest_days_are_counted_in_days_and_not_in_partitions() -> None:
    assert asked_partitions(KEYS, None, None, 2) == KEYS[2:]
    assert asked_partitions(KEYS, None, None, 9) == KEYS
    assert asked_partitions([], None, None, 2) == []


def test_programs_are_told_what_every_run_made_and_refused(outcomes: list[BatchOutcome]) -> None:
    assert outcome_document(outcomes) == {
        "made": ["2024-01-03|NIFTY"],
        "failed": [
            {"partition": text, "kind": "MissingInputError", "fault": "no landed file"}
            for text in ("2024-01-05|NIFTY", "2024-01-04|NIFTY")
        ],
        "runs": ["run-1", "run-2"],
        "seconds": 1.75,
    }


def test_people_are_told_one_line_for_each_refused_partition(outcomes: list[BatchOutcome]) -> None:
    assert fault_lines(outcomes) == [
        "error: 2024-01-04|NIFTY: no landed file",
        "error: 2024-01-05|NIFTY: no landed file",
    ]


def test_a_dry_run_plans_what_is_landed_and_makes_nothing(run: Run, tmp_path: Path) -> None:
    for key in KEYS[1::2]:
        land(tmp_path / "landing", key)
    asked = ["materialize", "option_chain", "--dry-run", "--home", tmp_path]
    planned = document(run(*asked, "--days", 2, "--json"))
    assert planned["to_make"] == ["2024-01-04|NIFTY", "2024-01-05|NIFTY"]
    assert planned["runs_planned"] == 1
    assert "not measured yet" in run(*asked).stdout
    assert not (tmp_path / "lakehouse").exists()


def test_a_dry_run_of_stages_counts_what_the_stages_before_will_make(
    run: Run, tmp_path: Path
) -> None:
    for key in KEYS[1::2]:
        land(tmp_path / "landing", key)
    asked = ["materialize", "+c8_features", "--dry-run", "--home", tmp_path, "--days", 2]
    stages = document(run(*asked, "--json"))["stages"]
    assert [stage["to_make"] for stage in stages] == [["2024-01-04|NIFTY", "2024-01-05|NIFTY"]] * 3
    assert stages[0]["assets"][-1] != stages[1]["assets"][-1] != stages[2]["assets"][-1]
    text = run(*asked).stdout
    assert text.startswith("stage 1 of 3\n")
    assert text.count("dry run: nothing was made") == 1
    assert not (tmp_path / "lakehouse").exists()


def test_what_a_derived_table_lacks_is_told_by_name(run: Run, tmp_path: Path) -> None:
    dates = ["--dates", "2022-12-01", "--home", tmp_path]
    assert "no minute_panel for 2 partitions" in run("materialize", "c2_features", *dates).stdout
    both = run("materialize", "minute_panel,hist_daily", *dates).stdout
    assert "no option_chain for 2 partitions" in both


def test_stale_and_force_exclude_each_other(run: Run, tmp_path: Path) -> None:
    result = run("materialize", "option_chain", "--stale", "--force", "--home", tmp_path)
    assert result.exit_code == 2
    assert "--stale and --force exclude each other" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_days_without_any_landed_file_fail_with_a_reason(run: Run, tmp_path: Path) -> None:
    result = run("materialize", "option_chain", "--dates", "2022-12-01", "--home", tmp_path)
    assert result.exit_code == 1
    assert "no landed file for 2 partitions: 2022-12-01|" in result.stdout
    assert "Bring files: mr ingest FILE" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["option_chain"], "error: nothing to make: no landed file of any day. Bring files"),
        (["c8_features"], "error: nothing to make: no minute_panel of any day"),
        (["c8_features", "--dates", "2024-01-06:2024-01-07"],
         "error: 2024-01-06 to 2024-01-07: no trading day, but weekend or holiday"),
        (["option_chain", "--dates", "2024-01-26"], "error: 2024-01-26: no trading day"),
    ],
)  # fmt: skip
def test_nothing_to_make_is_told_with_the_next_step(
    run: Run, tmp_path: Path, arguments: list[str], told: str
) -> None:
    result = run("materialize", *arguments, "--home", tmp_path)
    assert result.exit_code == 1
    assert told in result.stderr
    if arguments == ["c8_features"]:
        assert "mr materialize +c8_features" in result.stderr
    as_json = run("materialize", *arguments, "--home", tmp_path, "--json")
    assert told.removeprefix("error: ") in document(as_json)["fault"]
    stale = run("materialize", *arguments, "--home", tmp_path, "--stale")
    assert stale.exit_code == 0
    assert "nothing is stale" in stale.stdout
    assert "error" not in stale.stdout + stale.stderr


def test_an_unknown_asset_names_the_near_one(run: Run, tmp_path: Path) -> None:
    result = run("materialize", "option_chian", "--home", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: option_chian: no such asset. Near: option_chain; `mr ")
