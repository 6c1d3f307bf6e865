from __future__ import annotations

import tarfile
from pathlib import Path

import polars as pl
import pytest

from mr_platform.cli import portfolio_demo
from mr_platform.cli.demo import find_real_data
from mr_platform.errors import PlatformError
from mr_platform_tests.cli.conftest import Run, document

CHAIN = Path("options", "chain", "symbol=NIFTY", "NIFTY_2026-08-18.parquet")
RAW = Path("options", "raw", "chiragaibooks_nifty_1min", "option_chain_20260803.parquet")
PAGES = Path("options", "raw", "rohmhatre_2019_15min", "legacy_csv_2019-05-23.tar.gz")
RESULTS = Path("strategies", "test_data_small_2500.csv")


def sample(real: Path, folder: Path) -> Path:
    """One day cut to its two nearest expiries, a short raw day, the pages of one expiry."""
    for name in (CHAIN, RAW, PAGES, RESULTS):
        (folder / name).parent.mkdir(parents=True)
    chain = pl.read_parquet(real / CHAIN)
    near = chain["expiry_date"].unique().sort()[:2].to_list()
    chain.filter(pl.col("expiry_date").is_in(near)).write_parquet(folder / CHAIN)
    for name in (RAW, RESULTS):
        (folder / name).symlink_to(real / name)
    with tarfile.open(real / PAGES) as whole, tarfile.open(folder / PAGES, "w:gz") as cut:
        for member in whole.getmembers():
            if "/NIFTY/13JUN2019/" in f"/{member.name}":
                cut.addfile(member, whole.extractfile(member))
    return folder


@pytest.mark.real_data
@pytest.mark.parametrize("part", ["sampled", pytest.param("whole", marks=pytest.mark.slow)])
@pytest.mark.timeout(900)  # the whole of it, on a busy machine
def test_the_demo_runs_on_real_files_and_their_raw_forms(
    run: Run, tmp_path: Path, real_data: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, home = real_data, tmp_path / "home"
    if part == "sampled":
        data = sample(real_data, tmp_path / "data")
        monkeypatch.setattr(portfolio_demo, "EVALUATIONS", 60)
    result = run("demo", "--days", 1, "--data", data, "--home", home, "--json")
    assert result.exit_code == 0
    chain, raw, pages = document(result)["summaries"]
    for summary in (chain, raw, pages):
        assert summary["partitions"] >= 1
        assert summary["rows_in"] == summary["rows_good"] + summary["rows_quarantined"]
        assert summary["checks"]["failed"] == 0
    assert chain["rows_good"] > 0.9 * chain["rows_in"]
    assert (raw["days"], pages["days"]) == (1, 1)
    # the collector's pages before the open are empty files
    assert {fault.rsplit(": ", 1)[1] for fault in pages["faults"]} == {
        "has a header and no rows. Ask the source to send it again"
    }
    tables = chain["features"]
    assert [one["table"] for one in tables] == [f"c{n}_features" for n in range(1, 9)]
    assert sum(one["columns"] for one in tables) == 932
    assert all(one["rows"] > 0 and one["null_share"] < 1 for one in tables)
    assert Path(chain["page"]).is_file()
    assert raw["features"] == []
    portfolios = document(result)["portfolios"]
    assert (portfolios["strategies"], portfolios["size"]) == (2_500, 37)
    assert len(portfolios["portfolios"]) == 8
    assert (portfolios["faults"], portfolios["checks"]["failed"]) == ([], 0)
    assert Path(portfolios["page"]).is_file()
    assert raw["home"] == str(home / "raw-forms")
    assert pages["home"] == str(home / "snapshot-csvs")


@pytest.mark.slow
@pytest.mark.timeout(900)  # a whole demo, on a busy machine
def test_the_demo_runs_on_simulated_files_where_there_are_no_real_ones(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mr_platform.cli.demo.find_real_data", lambda named: None)
    result = run("demo", "--days", 2, "--home", tmp_path, "--json")
    (summary,) = document(result)["summaries"]
    assert (summary["days"], summary["partitions"]) == (2, 4)
    assert summary["rows_in"] == summary["rows_good"] + summary["rows_quarantined"]
    assert {"out_of_range", "duplicate_row"} <= set(summary["quarantined_by_reason"])
    assert len(summary["faults"]) == 1
    assert "truncated gzip" in summary["faults"][0]
    assert {one["partitions"] for one in summary["features"]} == {4}
    portfolios = document(result)["portfolios"]
    assert (portfolios["strategies"], portfolios["rows"], portfolios["size"]) == (300, 82, 37)
    assert portfolios["title"].startswith("simulated strategy results")
    assert len(portfolios["portfolios"]) == 8
    assert Path(portfolios["page"]).is_file()
    text = run("demo", "--days", 2, "--home", tmp_path).stdout
    assert "simulated_annealing" in text
    assert f"the report of these portfolios: {portfolios['page']}" in text
    assert "mr portfolio metrics demo" in text
    assert "c8_features" in text
    assert "the latest day as a picture" in text
    assert "make ui" in text
    assert "mr quarantine show" in text


def test_a_named_folder_without_chain_files_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="holds no folder options/chain"):
        find_real_data(tmp_path)


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "options" / "chain").mkdir(parents=True)
    monkeypatch.setenv("MR_TEST_DATA", str(tmp_path))
    assert find_real_data(None) == tmp_path
