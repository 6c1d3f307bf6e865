"""What each fault does to the bytes of a file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.simulation.day_files import encoded, write_days


def written(day: SimulatedDay, folder: Path, name: str, dialect: str = "legacy_csv") -> Path:
    return write_days([day], folder, dialect, faults=[name]).files[0].path


def test_a_file_fault_does_what_it_says(few_strikes: SimulatedDay, tmp_path: Path) -> None:
    sound = encoded(few_strikes.chain, "csv")
    lines = sound.count(b"\n")
    header = sound.split(b"\n", 1)[0]
    assert written(few_strikes, tmp_path / "1", "bom").read_bytes() == b"\xef\xbb\xbf" + sound
    assert written(few_strikes, tmp_path / "2", "utf16_file").read_text("utf-16").encode() == sound
    assert b"," not in written(few_strikes, tmp_path / "3", "wrong_delimiter").read_bytes()
    twice = written(few_strikes, tmp_path / "4", "duplicate_header").read_bytes()
    assert twice.count(header) == 2
    assert twice.count(b"\n") == lines + 1
    ragged = written(few_strikes, tmp_path / "5", "ragged_rows").read_bytes().splitlines()
    assert {line.count(b",") for line in ragged} == {45, 47, 48}
    cut = written(few_strikes, tmp_path / "6", "cut_off_last_line").read_bytes()
    assert sound.startswith(cut)
    assert cut.count(b"\n") == lines - 1
    assert cut.rsplit(b"\n", 1)[1].count(b",") < 47
    assert written(few_strikes, tmp_path / "7", "empty_file").read_bytes() == b""
    assert b"<html>" in written(few_strikes, tmp_path / "8", "html_instead_of_csv").read_bytes()
    assert (
        written(few_strikes, tmp_path / "9", "foreign_file").read_bytes().startswith(b"employee,")
    )
    assert written(few_strikes, tmp_path / "10", "gzip_named_csv").read_bytes()[:2] == b"\x1f\x8b"
    whole = encoded(few_strikes.chain, "csv.gz")
    short = written(few_strikes, tmp_path / "11", "truncated_gz", "legacy_csv_gz").read_bytes()
    assert whole.startswith(short)
    assert len(short) < len(whole)


@pytest.mark.parametrize("name", ["corrupt_parquet", "truncated_parquet"])
def test_damaged_parquet_cannot_be_read(
    few_strikes: SimulatedDay, tmp_path: Path, name: str
) -> None:
    path = written(few_strikes, tmp_path, name, "legacy_parquet")
    with pytest.raises(pl.exceptions.ComputeError):
        pl.read_parquet(path)
