"""Table and quarantine commands over a lakehouse written by the gateway itself."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.config.settings import load_settings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.cli.conftest import Run, document

KEYS = [PartitionKey(dt.date(2024, 1, day), "NIFTY") for day in (1, 2)]


def frame(value: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": [key.symbol for key in KEYS],
            "date": [key.date for key in KEYS],
            "value": [value, value + 1],
        }
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = load_settings(tmp_path)
    lakehouse = Lakehouse(settings.lakehouse_root, settings.parquet)
    lakehouse.replace_partitions("numbers", frame(1), KEYS)
    lakehouse.replace_partitions("numbers", frame(10), KEYS)
    return tmp_path


def values(home: Path) -> list[int]:
    settings = load_settings(home)
    rows = Lakehouse(settings.lakehouse_root, settings.parquet).scan("numbers").collect()
    return sorted(rows["value"].to_list())


def test_list_tells_version_partitions_and_rows(run: Run, home: Path) -> None:
    (told,) = document(run("table", "list", "--home", home, "--json"))
    assert (told["table"], told["version"], told["partitions"], told["rows"]) == (
        "numbers", 2, 2, 2,
    )  # fmt: skip
    assert "numbers" in run("table", "list", "--home", home).stdout


def test_an_empty_home_says_how_to_begin(run: Run, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    result = run("table", "list", "--home", tmp_path)
    assert result.exit_code == 0
    assert "no tables yet" in result.stdout
    assert "mr ingest" in result.stdout


def test_history_is_newest_first(run: Run, home: Path) -> None:
    told = document(run("table", "history", "numbers", "--home", home, "--json"))
    assert [entry["version"] for entry in told] == [2, 1, 0]
    assert (
        len(document(run("table", "history", "numbers", "--limit", 1, "--home", home, "--json")))
        == 1
    )


def test_restore_brings_an_earlier_version_back_and_can_be_undone(run: Run, home: Path) -> None:
    assert values(home) == [10, 11]
    result = run("table", "restore", "numbers", 1, "--yes", "--home", home)
    assert result.exit_code == 0
    assert "undo: mr table restore numbers 2" in result.stdout
    assert values(home) == [1, 2]
    run("table", "restore", "numbers", 2, "--yes", "--home", home)
    assert values(home) == [10, 11]


def test_restore_is_not_done_unasked(run: Run, home: Path) -> None:
    result = run("table", "restore", "numbers", 1, "--home", home)
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert values(home) == [10, 11]


def test_a_version_that_never_was_is_told(run: Run, home: Path) -> None:
    result = run("table", "restore", "numbers", 9, "--yes", "--home", home)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert values(home) == [10, 11]


def test_optimize_keeps_the_rows(run: Run, home: Path) -> None:
    result = run("table", "optimize", "numbers", "--zorder", "value", "--home", home, "--json")
    assert result.exit_code == 0
    assert values(home) == [10, 11]


def test_vacuum_only_lists_unless_told_to_delete(run: Run, home: Path) -> None:
    files = set((home / "lakehouse" / "numbers").rglob("*.parquet"))
    short = ["table", "vacuum", "numbers", "--retention-hours", 0, "--force", "--home", home]
    listed = document(run(*short, "--json"))
    assert len(listed["files"]) == 2
    assert set((home / "lakehouse" / "numbers").rglob("*.parquet")) == files
    assert run(*short, "--delete").exit_code == 0
    assert len(set((home / "lakehouse" / "numbers").rglob("*.parquet"))) == 2
    assert values(home) == [10, 11]


def test_a_short_retention_needs_force(run: Run, home: Path) -> None:
    result = run("table", "vacuum", "numbers", "--retention-hours", 1, "--delete", "--home", home)
    assert result.exit_code == 1
    assert "168" in result.stderr


def test_an_unknown_table_names_the_tables_there_are(run: Run, home: Path) -> None:
    result = run("table", "history", "nombers", "--home", home)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: nombers: there is no such table")
    assert "numbers" in result.stderr


@pytest.fixture
def damaged(home: Path) -> Path:
    """The home with a second table, the log of which is cut off."""
    settings = load_settings(home)
    Lakehouse(settings.lakehouse_root, settings.parquet).replace_partitions("bad", frame(1), KEYS)
    entry = settings.lakehouse_root / "bad" / "_delta_log" / "00000000000000000001.json"
    entry.write_bytes(entry.read_bytes()[:300])
    return home


def test_a_damaged_table_is_named_and_the_others_are_listed(run: Run, damaged: Path) -> None:
    result = run("table", "list", "--home", damaged)
    assert result.exit_code == 1
    assert "numbers" in result.stdout
    (told,) = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert told.startswith("error: bad: its log cannot be read, entry 00000000000000000001.json: ")
    assert "mr materialize bad --force" in told
    bad, numbers = document(run("table", "list", "--home", damaged, "--json"))
    assert (bad["table"], bad["version"], bad["rows"]) == ("bad", None, None)
    assert bad["fault"].startswith("bad: its log cannot be read")
    assert (numbers["table"], numbers["rows"], numbers["fault"]) == ("numbers", 2, None)


def test_a_damaged_table_read_alone_is_named(run: Run, damaged: Path) -> None:
    result = run("table", "history", "bad", "--home", damaged)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: bad: its log cannot be read, entry ")
    assert run("table", "history", "numbers", "--home", damaged).exit_code == 0


def test_an_empty_quarantine_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    result = run("quarantine", "show", "--home", tmp_path)
    assert result.exit_code == 0
    assert "nothing was quarantined" in result.stdout
