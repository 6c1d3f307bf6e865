"""Wide tables for other programs: whole files, replaced only by whole ones."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import InputFileError
from mr_platform.gateways.storage_faults import StorageError
from mr_platform.gateways.wide_export import UNIT_KEY, write_wide

TABLE = pl.DataFrame({"Date": ["2024-01-04"], 'M&M, 50 % "on"': [0.1 + 0.2], "empty": [None]})
NAMES = TABLE.columns


def test_parquet_comes_back_with_names_types_and_bits(tmp_path: Path) -> None:
    target = tmp_path / "new" / "wide.parquet"

    assert write_wide(TABLE, target, "rupees")

    assert_frame_equal(pl.read_parquet(target), TABLE, check_exact=True)
    assert pl.read_parquet_metadata(target)[UNIT_KEY] == "rupees"
    assert [path.name for path in target.parent.iterdir()] == ["wide.parquet"]


def test_csv_keeps_names_and_the_bits_of_numbers(tmp_path: Path) -> None:
    target = tmp_path / "wide.csv"

    assert not write_wide(TABLE, target, "percent"), "CSV has no place for the unit"

    header, row = target.read_text("utf-8").splitlines()
    assert header == 'Date,"M&M, 50 % ""on""",empty'
    assert float(row.split(",")[1]) == 0.1 + 0.2


@pytest.mark.parametrize("name", ["wide.xlsx", "wide", "wide.csv.gz", "wide.PARQUET"])
def test_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"Name it NAME\.parquet or NAME\.csv"):
        write_wide(TABLE, tmp_path / name, "rupees")

    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_by_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "wide.csv"
    write_wide(TABLE, target, "rupees")
    before = target.read_bytes()

    def cut(frame: pl.DataFrame, path: Path) -> None:
        path.write_text("Date,")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pl.DataFrame, "write_csv", cut)
        with pytest.raises(StorageError, match="no room"):
            write_wide(TABLE, target, "rupees")

    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["wide.csv"]
    write_wide(TABLE.head(0), target, "rupees")
    assert target.read_text("utf-8").count("\n") == 1


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError):
        write_wide(TABLE, tmp_path / "file" / "wide.csv", "rupees")
