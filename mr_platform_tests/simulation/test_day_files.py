"""Simulated days on disk: same bytes each time, whole files, ground truth beside them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mr_platform.errors import SettingsError
from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.simulation.day_files import write_days
from mr_platform.simulation.dialect_tables import OUTPUT_DIALECTS


@pytest.mark.parametrize("dialect", OUTPUT_DIALECTS)
def test_writing_twice_gives_the_same_bytes_and_leaves_no_part_behind(
    few_strikes: SimulatedDay, tmp_path: Path, dialect: str
) -> None:
    seen = []
    reports = [
        write_days([few_strikes], tmp_path / name, dialect, on_day=seen.append)
        for name in ("once", "again")
    ]
    once, again = (
        {file.path.relative_to(tmp_path / name): file.path.read_bytes() for file in report.files}
        for name, report in zip(("once", "again"), reports, strict=True)
    )
    assert once == again
    assert len(once) == len(reports[0].files) > 0
    assert not list(tmp_path.rglob("*.part"))
    assert [(step.days, step.files) for step in seen] == [(1, len(once))] * 2
    truth = pl.read_parquet(tmp_path / "once/_ground_truth/NIFTY_2025-08-29_regimes.parquet")
    assert truth.equals(few_strikes.regimes)
    beside = {file.path.parent.name for file in reports[0].files}
    assert "_ground_truth" not in beside


def test_an_unknown_dialect_names_those_there_are(
    few_strikes: SimulatedDay, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"no dialect xlsx.*legacy_csv"):
        write_days([few_strikes], tmp_path, "xlsx")


def test_files_take_several_faults_in_turn_and_the_list_is_kept(
    few_strikes: SimulatedDay, tmp_path: Path
) -> None:
    names = ["bom", "empty_file", "nan_values"]
    report = write_days([few_strikes] * 4, tmp_path, "legacy_csv", faults=names)
    assert [file.fault for file in report.files] == [*names, "bom"]
    listed = pl.read_csv(tmp_path / "_ground_truth/faults.csv")
    assert listed["fault"].to_list() == [*names, "bom"]
    write_days([few_strikes], tmp_path / "sound", "legacy_csv")
    assert not (tmp_path / "sound/_ground_truth/faults.csv").exists()
