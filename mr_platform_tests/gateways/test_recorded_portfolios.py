"""The folder of recorded figures: what is read, and every kind of damage."""

from __future__ import annotations

import gzip
import json
import shutil

import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.recorded_portfolios import read_recorded
from mr_platform.registry.recorded_figures import load_recorded_figures

DECLARED = load_recorded_figures()


@pytest.fixture
def folder(real_data, tmp_path):
    """A copy of the recorded files that may be damaged."""
    for name in DECLARED.files.values():
        shutil.copyfile(real_data / "strategies" / name, tmp_path / name)
    return tmp_path


@pytest.mark.real_data
def test_what_is_read(real_data):
    found = read_recorded(real_data / "strategies", DECLARED)

    assert found.strategy_metrics.height == 25_543
    assert [entry["size"] for entry in found.portfolios] == list(range(35, 61))
    assert len(found.later_portfolios) == 16
    assert len(found.golden["golden"]) == 104
    assert len(found.golden_strategies) == 2_500
    assert found.golden_strategies[0].startswith("SENSEX ")
    assert (found.universe.height, found.universe_days.height) == (25_544, 10)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("kind", "content", "fault"),
    [
        ("portfolios", b"{", "is damaged"),
        ("portfolios", b"\xff\xfe\x00", "is damaged"),
        ("portfolios", b"[]", "holds list where names should stand"),
        ("portfolios", b'{"portfolios": []}', "holds no list of portfolios"),
        ("portfolios", b'{"portfolios": [1]}', "holds int where names should stand"),
        ("portfolios", b'{"portfolios": [{"size": 3}]}', "lacks method, fitness"),
        ("portfolios", b"{}", "lacks portfolios"),
        ("later_portfolios", b"{}", "holds no list of portfolios"),
        ("later_portfolios", b'[{"run": 1}]', "lacks algorithm"),
        ("golden", b"no gzip", "is damaged"),
        ("golden", gzip.compress(b"{}", mtime=0)[:-6], "is damaged"),
        ("golden", gzip.compress(b"{}", mtime=0), "lacks small_2500"),
        ("golden", gzip.compress(b'{"small_2500": {"golden": []}}', mtime=0), "lacks corr, ulta"),
        ("golden_strategies", b"", "is damaged"),
        ("golden_strategies", b"\xff,\xfe\n", "is damaged"),
        ("strategy_metrics", b"PAR1", "is damaged"),
        ("universe", b"", "is damaged"),
        ("universe_days", b"", "is damaged"),
        ("universe_days", b"a,b\n1,2\n", "lacks source, Date, portfolio_drawdown"),
    ],
)
def test_damaged_files_end_in_clear_errors(folder, kind, content, fault):
    name = DECLARED.files[kind]
    (folder / name).write_bytes(content)

    with pytest.raises(InputFileError) as refused:
        read_recorded(folder, DECLARED)

    assert fault in refused.value.fault
    assert refused.value.place == str(folder / name)
    assert refused.value.next_step


@pytest.mark.real_data
def test_columns_that_are_missing(folder):
    path = folder / DECLARED.files["strategy_metrics"]
    pl.read_parquet(path).drop("ROI").write_parquet(path)
    with pytest.raises(InputFileError, match="lacks ROI"):
        read_recorded(folder, DECLARED)


@pytest.mark.real_data
def test_days_that_the_universe_lacks(folder):
    path = folder / DECLARED.files["universe"]
    pl.read_parquet(path).drop("2025-01-01").write_parquet(path)
    with pytest.raises(InputFileError, match="lacks 2025-01-01"):
        read_recorded(folder, DECLARED)


def test_every_missing_file_is_named(tmp_path):
    name = DECLARED.files["portfolios"]
    (tmp_path / name).write_text(json.dumps({}))
    with pytest.raises(InputFileError, match="lacks 6 files") as refused:
        read_recorded(tmp_path, DECLARED)
    assert name not in refused.value.fault
    with pytest.raises(InputFileError, match="lacks 7 files"):
        read_recorded(tmp_path / "none", DECLARED)
