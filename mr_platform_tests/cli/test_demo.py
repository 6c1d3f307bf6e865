from __future__ import annotations

from pathlib import Path

import pytest

from mr_platform.cli.demo import find_real_data
from mr_platform.errors import PlatformError
from mr_platform_tests.cli.conftest import Run, document


@pytest.mark.real_data
def test_the_demo_runs_on_real_files_and_their_raw_forms(
    run: Run, tmp_path: Path, real_data: Path
) -> None:
    arguments = ["demo", "--days", 1, "--data", real_data, "--home", tmp_path]
    result = run(*arguments, "--json")
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
    assert raw["home"] == str(tmp_path / "raw-forms")
    assert pages["home"] == str(tmp_path / "snapshot-csvs")


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
