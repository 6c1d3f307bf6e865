"""What `mr status` shows of failed and waiting partitions."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mr_platform.cli.status import _text
from mr_platform.orchestration.partition_status import AssetStatus, CheckCounts
from mr_platform_tests.cli.conftest import Run, document

REFUSED, WAITING = "2024-01-17|NIFTY", "2024-01-18|NIFTY"


def found(*missing: str) -> list[AssetStatus]:
    """Two assets of one computation: one partition refused, others missing."""
    sentence = f"nothing was stored: {REFUSED}: 42 of 84 rows were bad"
    checks = {"has_rows": CheckCounts(failed={REFUSED: sentence})}
    return [
        AssetStatus("option_chain", (), {}, (REFUSED,), (), missing, checks),
        AssetStatus("quarantined_rows", (), {}, (REFUSED,), (), missing, {}),
    ]


def test_a_refused_partition_is_told_once_with_its_reason() -> None:
    text = _text("/home", found(REFUSED), [], {}, {})
    assert text.count(REFUSED) == 1
    assert "failed partitions of option_chain, quarantined_rows:" in text
    assert f"{REFUSED}  nothing was stored: 42 of 84 rows were bad" in text
    assert "the run failed" not in text


def test_a_refused_partition_is_not_waiting() -> None:
    assert _text("/home", found(REFUSED), [], {}, {}).endswith(
        "next: mend what failed, then mr materialize option_chain"
    )
    assert _text("/home", found(REFUSED, WAITING), [], {}, {}).endswith(
        "next: mr materialize option_chain   (1 are waiting)"
    )


def derived(*missing: str, stale: dict[str, str] | None = None) -> list[AssetStatus]:
    """The raw table is made; of two derived ones the first lacks or is behind."""
    checks = {"has_rows": CheckCounts(passed=2), "inputs_are_current": CheckCounts(passed=2)}
    return [
        AssetStatus("option_chain", (REFUSED, WAITING), {}, (), (), (), checks),
        AssetStatus("minute_panel", (REFUSED,), stale or {}, (), (), missing, {}),
        AssetStatus("c8_features", (REFUSED,), {}, (), (), (), {}),
    ]


def test_what_waits_beyond_the_raw_tables_is_made_with_all_that_follows() -> None:
    text = _text("/home", derived(WAITING), [], {}, {})
    assert text.endswith("next: mr materialize +c8_features   (1 are waiting)")


def test_a_refused_raw_partition_does_not_hide_what_waits_beyond() -> None:
    raw, *beyond = derived(WAITING)
    refused = replace(raw, materialized=(WAITING,), failed=(REFUSED,), missing=(REFUSED,))
    text = _text("/home", [refused, *beyond], [], {}, {})
    assert text.endswith("next: mr materialize +c8_features   (1 are waiting)")


def test_stale_assets_are_named_in_the_next_command() -> None:
    text = _text("/home", derived(stale={REFUSED: "inputs changed"}), [], {}, {})
    assert f"stale partitions of minute_panel:\n  {REFUSED}  inputs changed" in text
    assert text.endswith("next: mr materialize minute_panel --stale")


def test_nothing_to_do_tells_no_next_command() -> None:
    assert "next:" not in _text("/home", derived(), [], {}, {})


def test_verdicts_are_summed_and_only_a_check_that_did_not_pass_everywhere_is_named() -> None:
    checks = {
        "rows_match_the_panel": CheckCounts(passed=3),
        "values_are_in_range": CheckCounts(passed=2, failed={REFUSED: "c1_x = 9"}),
        "inputs_are_current": CheckCounts(passed=1, warned={REFUSED: "a", WAITING: "b"}),
    }
    text = _text("/home", [AssetStatus("c1_features", (), {}, (), (), (), checks)], [], {}, {})
    assert re.search(r"c1_features: 3 checks +6 +2 +1\n", text)
    assert re.search(r"  values_are_in_range +2 +0 +1\n", text)
    assert re.search(r"  inputs_are_current +1 +2 +0\n", text)
    assert "rows_match_the_panel" not in text
    assert f"failed partitions of c1_features:\n  {REFUSED}  c1_x = 9" in text


def test_what_was_interrupted_is_told_apart_and_waits() -> None:
    told = {WAITING: "was interrupted; run it again"}
    stopped = {"option_chain": told, "quarantined_rows": told}
    text = _text("/home", found(REFUSED, WAITING), [], stopped, {})
    assert (
        "interrupted partitions of option_chain, quarantined_rows:\n"
        f"  {WAITING}  was interrupted; run it again"
    ) in text
    assert text.endswith("next: mr materialize option_chain   (1 are waiting)")
    assert "the run failed" not in text


def test_damaged_tables_are_named_with_their_fault() -> None:
    text = _text("/home", derived(), [], {}, {"load_audit": "load_audit: its log cannot be read"})
    assert "damaged tables: 1\n  load_audit: its log cannot be read" in text


def test_status_reads_interrupted_runs_and_damaged_tables(
    run: Run, tmp_path: Path, small_days: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    day = "2023-01-02|NIFTY"
    assert run("ingest", small_days[0], "--home", tmp_path).exit_code == 0
    entry = tmp_path / "lakehouse" / "load_audit" / "_delta_log" / "00000000000000000001.json"
    entry.write_text("garbage")

    def interrupted(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mr_platform.orchestration.io_managers.Lakehouse.scan", interrupted)
    assert run("materialize", "minute_panel", "--home", tmp_path).exit_code == 130
    monkeypatch.undo()

    named = "minute_panel,load_audit"
    result = run("status", "--asset", named, "--home", tmp_path, "--json")
    assert result.exit_code == 0, result.stderr
    told = document(result)
    (panel,) = [asset for asset in told["assets"] if asset["asset"] == "minute_panel"]
    assert (panel["failed"], panel["missing"]) == ([], [day])
    assert panel["interrupted"] == {day: "was interrupted; run it again"}
    assert list(told["damaged_tables"]) == ["load_audit"]
    assert told["damaged_tables"]["load_audit"].startswith("load_audit: its log cannot be read")
