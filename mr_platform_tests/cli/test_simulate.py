from __future__ import annotations

from pathlib import Path

import polars as pl

from mr_platform_tests.cli.conftest import Run, document

DAY = ["simulate", "--symbols", "NIFTY", "--dates", "2024-01-13:2024-01-15", "--seed", 3]


def test_simulated_days_are_files_with_their_ground_truth(run: Run, tmp_path: Path) -> None:
    told = document(run(*DAY, "--out", tmp_path, "--json"))
    assert told["days"] == 1
    (file,) = told["files"]
    assert file["partition"] == "2024-01-15|NIFTY"
    assert pl.read_parquet(file["path"]).height == file["rows"] > 0
    truth = list(Path(told["ground_truth"]).glob("*.parquet"))
    assert [path.name for path in truth] == ["NIFTY_2024-01-15_regimes.parquet"]


def test_the_same_seed_writes_the_same_bytes(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(*DAY, "--out", tmp_path / name).exit_code == 0
    one, two = (next((tmp_path / name).glob("NIFTY*.parquet")) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_fault_is_injected_by_name(run: Run, tmp_path: Path) -> None:
    faulty = [*DAY, "--dialect", "legacy_csv_gz", "--faults", "truncated_gz", "--out", tmp_path]
    told = document(run(*faulty, "--json"))
    assert [file["fault"] for file in told["files"]] == ["truncated_gz"]


def test_an_unknown_dialect_names_the_known_ones(run: Run, tmp_path: Path) -> None:
    result = run(*DAY, "--dialect", "excel", "--out", tmp_path)
    assert result.exit_code == 2
    assert "legacy_parquet" in result.stderr


def test_a_range_without_trading_is_told(run: Run, tmp_path: Path) -> None:
    result = run("simulate", "--dates", "2024-01-13:2024-01-14", "--out", tmp_path)
    assert result.exit_code == 1
    assert "no day of that range trades" in result.stderr


def test_dates_and_folder_are_needed(run: Run) -> None:
    assert run("simulate", "--dates", "2024-01-15").exit_code == 2


def test_the_list_tells_dialects_and_faults(run: Run) -> None:
    told = document(run("simulate", "--list", "--json"))
    assert "legacy_csv" in told["dialects"]
    assert len(told["faults"]) >= 25
    assert "truncated_gz" in run("simulate", "--list").stdout
