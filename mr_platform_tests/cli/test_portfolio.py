"""Loading books, their figures, export and parity, the way a person calls them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mr_platform.orchestration import failures
from mr_platform.orchestration.assets import portfolios
from mr_platform_tests.cli.conftest import BOOK_ROWS, BOOK_STRATEGIES, Run, document

HEADER = "Date,Day,SENSEX 930-1030 SL38%,SENSEX 1000-1100 SL7%"
LINES = ["2024-01-04,Thursday,10.5,-3", "2024-01-11,Thursday,-4,2.25", "2024-02-01,Thursday,1,1"]
ENHANCED = (
    "Date,start_time,end_time,day,zone,market_regime,Regime_Confidence_%,"
    "Market_regime_transition_threshold,capital,strategy_1\n"
    "02-01-2023,09:15:00,10:45:00,Monday,A,Vol_Crush,80,0.3,100000,1.5\n"
)


def csv(folder: Path, name: str, *lines: str, header: str = HEADER) -> Path:
    file = folder / name
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def landed(home: Path) -> list[str]:
    """Everything below the books' landing folder."""
    folder = home / "landing" / "strategy_books"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def stored_columns(home: Path, book: str, run: Run, folder: Path) -> list[str]:
    out = folder / f"{book}.csv"
    assert run("portfolio", "export", book, "--out", out, "--home", home).exit_code == 0
    return pl.read_csv(out).columns


# ---------------------------------------------------------------- load


def test_load_tells_what_was_read_and_judged(book_home: Path) -> None:
    told = json.loads((book_home / "first.json").read_text())
    assert told["book"] == "sensex"
    (file,) = told["files"]
    assert file["landed"] == "sensex/weekly results.csv"
    assert (file["status"], told["fault"]) == ("placed", None)
    loaded = told["loaded"]
    assert (loaded["strategies"], loaded["rows"]) == (BOOK_STRATEGIES, BOOK_ROWS)
    assert loaded["pnl_unit"] == "rupees"
    assert loaded["months"] == loaded["months_replaced"]
    assert told["correlation"]["pairs"] == BOOK_STRATEGIES * (BOOK_STRATEGIES - 1) // 2
    assert told["checks"]
    assert all(check["passed"] for check in told["checks"])


def test_the_same_file_again_changes_nothing(run: Run, book_home: Path, book_file: Path) -> None:
    before = document(run("table", "list", "--home", book_home, "--json"))
    words = ["portfolio", "load", book_file, "--book", "sensex", "--home", book_home]
    result = run(*words)
    assert result.exit_code == 0
    assert "months written     none: nothing changed" in result.stdout
    assert "loading weekly results.csv into the book sensex" in result.stderr
    assert f"mr portfolio optimize sensex --sizes {BOOK_STRATEGIES // 2}" in result.stdout
    after = document(run("table", "list", "--home", book_home, "--json"))
    returns = [
        [t for t in tables if t["table"] == "strategy_returns"] for tables in (before, after)
    ]
    assert returns[0] == returns[1]


@pytest.mark.slow
def test_under_json_the_same_file_again_is_told_as_there(
    run: Run, book_home: Path, book_file: Path
) -> None:
    words = ["portfolio", "load", book_file, "--book", "sensex", "--home", book_home]
    told = document(run(*words, "--json"))
    assert told["loaded"]["months_replaced"] == []
    assert told["files"][0]["status"] == "already there"


@pytest.mark.slow
def test_bars_of_regimes_are_told_by_the_rows_that_took_one(run: Run, tmp_path: Path) -> None:
    header = "Date,Time,Market Regime,Confidence Score,Transition Threshold Score"
    bar = "09:15:00,Vol_Crush,0.8,0.4"
    file = csv(tmp_path, "weekly.csv", *LINES)
    used = csv(tmp_path, "used.csv", f"2024-01-04,{bar}", header=header)
    unused = csv(tmp_path, "unused.csv", f"2023-01-02,{bar}", header=header)

    words = ["portfolio", "load", file, "--home", tmp_path / "home"]
    one = run(*words, "--book", "one", "--regimes", used)
    none = run(*words, "--book", "none", "--regimes", unused)

    assert re.search(r"^regimes from bars +1 of 3 rows$", one.stdout, re.M), one.output
    assert "no row took" not in one.stdout
    assert re.search(r"^regimes from bars +0 of 3 rows$", none.stdout, re.M), none.output
    assert (
        "warning: no row took a regime from the bars: bars are of 2023-01-02 to 2023-01-02, "
        "rows of 2024-01-04 to 2024-02-01" in none.stdout
    )


@pytest.mark.slow
def test_further_months_and_prefixed_files(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = csv(tmp_path, "first.csv", *LINES[:2])
    second = csv(tmp_path, "second.csv", LINES[2])
    words = ["--book", "weekly", "--home", home, "--json"]
    assert document(run("portfolio", "load", first, *words))["loaded"]["months"] == ["2024-01"]
    told = document(run("portfolio", "load", second, *words))
    assert told["loaded"]["months_replaced"] == ["2024-02"]
    assert (told["loaded"]["rows"], told["loaded"]["strategies"]) == (3, 2)

    other = csv(tmp_path, "other.csv", *LINES)
    again = csv(tmp_path, "third.csv", *LINES)
    words = ["--book", "both", "--prefix", "--home", home, "--json"]
    told = document(run("portfolio", "load", other, again, *words))
    assert told["loaded"]["strategies"] == 4
    assert [file["landed"] for file in told["files"]] == [
        "both/other/other.csv",
        "both/third/third.csv",
    ]
    columns = stored_columns(home, "both", run, tmp_path)
    assert "other_SENSEX 930-1030 SL38%" in columns
    assert "third_SENSEX 930-1030 SL38%" in columns


@pytest.mark.slow
def test_a_file_without_book_is_one_of_its_own_name(run: Run, tmp_path: Path) -> None:
    file = csv(tmp_path, "july results (new).csv", *LINES)
    told = document(run("portfolio", "load", file, "--home", tmp_path / "home", "--json"))
    assert told["book"] == "july_results_new"


def bad_files(folder: Path) -> dict[str, tuple[list[Path], str]]:
    """Files by what is wrong with them, and what a person is told."""
    (folder / "empty.csv").touch()
    (folder / "binary.csv").write_bytes(bytes(range(256)) * 20)
    (folder / "picture.png").write_bytes(b"\x89PNG")
    enhanced = folder / "enhanced.csv"
    enhanced.write_text(ENHANCED)
    good = csv(folder, "good.csv", *LINES)
    other = csv(folder, "other.csv", "2024-01-04,Thursday,11,-3")
    return {
        "wrong header": (
            [csv(folder, "wrong.csv", "1,2", header="who,what")],
            "no declared format fits; nearest is legacy_csv",
        ),
        "no strategies": ([csv(folder, "none.csv", header="Date,Day")], "strategy column"),
        "mixed units": ([enhanced, good], "Keep results of different units in books of their own"),
        "empty": ([folder / "empty.csv"], "is empty (0 bytes)"),
        "binary": ([folder / "binary.csv"], "is binary data, not text"),
        "contradicting": ([good, other], "good.csv"),
        "twice a day": (
            [csv(folder, "twice.csv", LINES[0], LINES[0])],
            "2024-01-04",
        ),
        "no number": (
            [csv(folder, "letters.csv", "2024-01-04,Thursday,x,1")],
            "the first are row 1 of 'SENSEX 930-1030 SL38%' (no number, 'x')",
        ),
        "day first": (
            [csv(folder, "days.csv", "04-01-2024,Thursday,1,1")],
            "04-01-2024",
        ),
    }


@pytest.mark.parametrize(
    "faults",
    [
        ("wrong header", "mixed units", "contradicting"),
        pytest.param(
            ("no strategies", "empty", "binary", "twice a day", "no number", "day first"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["some", "others"],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_does_not_stay(
    run: Run, tmp_path: Path, book_home: Path, faults: tuple[str, ...]
) -> None:
    before = landed(book_home)
    tables = document(run("table", "list", "--home", book_home, "--json"))
    every = bad_files(tmp_path)
    for number, fault in enumerate(faults):
        files, told = every[fault]
        book = "sensex" if fault == "wrong header" else f"bad{number}"
        result = run("portfolio", "load", *files, "--book", book, "--home", book_home)
        assert result.exit_code == 1, fault
        assert told in result.stderr, fault
        assert f"nothing of the book {book} was changed" in result.stderr, fault
        assert "Traceback" not in result.output
        assert landed(book_home) == before, fault
    assert document(run("table", "list", "--home", book_home, "--json")) == tables


def test_under_json_a_bad_file_is_told_as_withdrawn(run: Run, tmp_path: Path) -> None:
    file = csv(tmp_path, "wrong.csv", "1,2", header="who,what")
    result = run("portfolio", "load", file, "--home", tmp_path / "home", "--json")
    assert result.exit_code == 1
    told = document(result)
    assert told["files"] == [{"source": str(file), "landed": None, "status": "withdrawn"}]
    assert "no declared format fits" in told["fault"]
    assert (told["loaded"], told["checks"]) == (None, [])


def test_a_bad_file_that_was_dropped_into_landing_is_told_and_stays(
    run: Run, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    folder = home / "landing" / "strategy_books" / "mine"
    folder.mkdir(parents=True)
    csv(folder, "wrong.csv", "1,2", header="who,what")
    file = csv(tmp_path, "good.csv", *LINES)
    result = run("portfolio", "load", file, "--book", "mine", "--home", home)
    assert result.exit_code == 1
    assert "the files handed in were taken out of landing again" in result.stderr
    assert f"{folder}, landed before, that is wrong, mend or remove it" in result.stderr
    assert landed(home) == ["mine", "mine/wrong.csv"]


@pytest.mark.parametrize("written", [False, True], ids=["before writing", "after writing"])
def test_a_load_that_is_broken_off_keeps_its_files_only_where_a_part_is_stored(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    load = portfolios.load_book

    def break_off(*given: Any, **told: Any) -> None:
        if written:
            load(*given, **told)
        raise KeyboardInterrupt

    monkeypatch.setattr(portfolios, "load_book", break_off)
    file, home = csv(tmp_path, "july.csv", *LINES), tmp_path / "home"
    result = run("portfolio", "load", file, "--book", "mine", "--home", home)
    assert result.exit_code == 130
    if written:
        assert landed(home) == ["mine", "mine/july.csv"]
        assert "a part of the book mine may be stored: its files stay in landing" in result.stderr
    else:
        assert landed(home) == []
        assert "the files handed in were taken out of landing again" in result.stderr


def test_a_load_that_meets_a_full_disk_keeps_its_files_for_another_try(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failures, "RETRY_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(portfolios, "load_book", refuse)
    file, home = csv(tmp_path, "july.csv", *LINES), tmp_path / "home"
    result = run("portfolio", "load", file, "--book", "mine", "--home", home)
    assert result.exit_code == 1
    assert "load it again once this is mended" in result.stderr
    assert landed(home) == ["mine", "mine/july.csv"]


def test_a_missing_file_is_told_before_anything_is_made(run: Run, tmp_path: Path) -> None:
    result = run("portfolio", "load", tmp_path / "absent.csv", "--home", tmp_path / "home")
    assert result.exit_code == 1
    assert "no such file or folder" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("book", ["", "a b", "../up", "x" * 65, "naïve"])
def test_a_name_that_cannot_be_a_books_is_refused(run: Run, tmp_path: Path, book: str) -> None:
    file = csv(tmp_path, "good.csv", *LINES)
    result = run("portfolio", "load", file, "--book", book, "--home", tmp_path / "home")
    assert result.exit_code == 2
    assert f"error: {book!r} cannot name a book" in result.stderr
    assert "64 letters, digits, _ and -" in result.stderr


def test_load_without_files_is_wrong_usage(run: Run) -> None:
    assert run("portfolio", "load").exit_code == 2


# ---------------------------------------------------------------- metrics, export


def test_metrics_are_ranked_by_the_figure_asked_for(run: Run, book_home: Path) -> None:
    words = ["portfolio", "metrics", "sensex", "--home", book_home]
    rows: list[dict[str, Any]] = document(run(*words, "--by", "roi", "--top", 5, "--json"))
    found = [row["roi"] for row in rows]
    assert len(found) == 5
    assert found == sorted(found, reverse=True)
    worst = document(run(*words, "--by", "roi", "--top", 5, "--worst", "--json"))
    assert worst[0]["roi"] < found[-1]
    text = run(*words, "--by", "var_95", "--top", 2).stdout.splitlines()
    assert text[0].split()[:2] == ["name", "var_95"]
    assert len(text) == 4


def test_a_misspelt_figure_names_the_near_one(run: Run, book_home: Path) -> None:
    result = run("portfolio", "metrics", "sensex", "--by", "sharp", "--home", book_home)
    assert result.exit_code == 2
    assert "--by: there is no figure sharp. Near: sharpe. Figures: roi, " in result.stderr


def test_names_that_nothing_has_are_wrong_usage_and_what_is_not_here_is_not(
    run: Run, book_home: Path
) -> None:
    """One rule for all commands: 2 is a call that no home could serve."""
    wrong_anywhere = [
        ["portfolio", "metrics", "sensex", "--by", "beauty"],
        ["portfolio", "optimize", "sensex", "--algorithms", "magic"],
        ["portfolio", "optimize", "sensex", "--metric", "beauty"],
        ["portfolio", "optimize", "sensex", "--rules", "beauty"],
        ["portfolio", "optimize", "sensex", "--sizes", "1"],
        ["portfolio", "optimize", "sensex", "--form", "odd"],
        ["portfolio", "zones", "sensex", "--algorithm", "magic"],
        ["materialize", "option_chian"],
        ["materialize", "group:features_of_old"],
        ["status", "--asset", "option_chian"],
        ["features", "describe", "c1_beauty"],
    ]
    not_in_this_home = [
        ["portfolio", "metrics", "sense"],
        ["portfolio", "optimize", "sense"],
        ["portfolio", "optimize", "sensex", "--sizes", str(BOOK_STRATEGIES + 1)],
        ["portfolio", "report", "sense"],
        ["portfolio", "load", "absent.csv"],
        ["table", "history", "nombers"],
        ["materialize", "option_chain", "--dates", "2022-12-01"],
    ]
    for code, calls in ((2, wrong_anywhere), (1, not_in_this_home)):
        for words in calls:
            result = run(*words, "--home", book_home)
            assert (words, result.exit_code) == (words, code), result.output
            assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "words",
    [
        ["metrics", "sensx"],
        ["export", "sensx", "--out", "sensx.csv"],
        ["optimize", "sensx", "--sizes", "5"],
        ["report", "sensx"],
        ["zones", "sensx"],
        ["parity", "sensx", "--figures", "."],
    ],
    ids=" ".join,
)
def test_a_book_that_is_not_stored_names_the_near_one(
    run: Run, book_home: Path, words: list[str]
) -> None:
    result = run("portfolio", *words, "--home", book_home)
    assert result.exit_code == 1
    assert result.stderr == (
        "error: sensx: nothing of this book is stored. Near: sensex. "
        "Load its files: mr portfolio load FILE --book sensx\n"
    )
    assert not Path("sensx.csv").exists()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_holds_one_column_a_strategy(
    run: Run, book_home: Path, book_file: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / "made" / f"sensex.{ending}"
    result = run("portfolio", "export", "sensex", "--out", out, "--home", book_home, "--json")
    assert document(result) == {
        "book": "sensex",
        "file": str(out),
        "rows": BOOK_ROWS,
        "strategies": BOOK_STRATEGIES,
        "unit": "rupees",
        "unit_in_file": ending == "parquet",
    }
    source = pl.read_csv(book_file, try_parse_dates=True)
    read = pl.read_csv(out, try_parse_dates=True) if ending == "csv" else pl.read_parquet(out)
    names = source.columns[2:]
    assert set(names) <= set(read.columns)
    assert read.sort("Date").select(names).equals(source.sort("Date").select(names))


@pytest.mark.slow
def test_per_cent_stays_per_cent_in_parquet_and_is_warned_of_in_csv(
    run: Run, tmp_path: Path
) -> None:
    home = ["--home", tmp_path / "home"]
    (tmp_path / "zones.csv").write_text(ENHANCED)
    assert run("portfolio", "load", tmp_path / "zones.csv", *home).exit_code == 0
    out = tmp_path / "again.parquet"
    told = run("portfolio", "export", "zones", "--out", out, *home)
    assert "warning" not in told.output
    loaded = document(run("portfolio", "load", out, *home, "--json"))["loaded"]
    assert loaded["pnl_unit"] == "percent"
    told = run("portfolio", "export", "zones", "--out", tmp_path / "again.csv", *home)
    assert told.exit_code == 0
    assert "cannot say that its values are per cent" in told.stdout
    assert "Export to NAME.parquet" in told.stdout


def test_another_ending_is_refused(run: Run, book_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "sensex.xlsx"
    result = run("portfolio", "export", "sensex", "--out", out, "--home", book_home)
    assert result.exit_code == 2
    assert "neither .parquet nor .csv. Name it NAME.parquet or NAME.csv" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["books"],
        ["metrics", "sensex"],
        ["export", "sensex", "--out", "x.csv"],
        ["optimize", "sensex"],
        ["report", "sensex"],
        ["zones", "sensex"],
        ["parity", "sensex", "--figures", "."],
    ],
    ids=" ".join,
)
def test_a_command_that_reads_books_makes_no_home(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    result = run("portfolio", *words, "--home", tmp_path / "typo")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: --home: there is no home at {tmp_path / 'typo'}. ")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- parity


def test_parity_without_recorded_figures_tells_where_to_name_them(
    run: Run, book_home: Path
) -> None:
    result = run("portfolio", "parity", "sensex", "--home", book_home)
    assert result.exit_code == 1
    assert "Name it with --figures, or set MR_RECORDED_FIGURES" in result.stderr


def test_parity_with_a_folder_that_lacks_figures_names_the_files(
    run: Run, book_home: Path, tmp_path: Path
) -> None:
    environment = {"MR_RECORDED_FIGURES": str(tmp_path)}
    result = run("portfolio", "parity", "sensex", "--home", book_home, env=environment)
    assert result.exit_code == 1
    assert f"error: {tmp_path}: lacks 7 files of recorded figures" in result.stderr


@pytest.mark.real_data
def test_parity_with_the_record(run: Run, tmp_path: Path, real_data: Path) -> None:
    figures = real_data / "strategies"
    home = tmp_path / "home"
    file = figures / "test_data_micro_500.csv"
    assert run("portfolio", "load", file, "--book", "micro", "--home", home).exit_code == 0
    words = ["portfolio", "parity", "micro", "--figures", figures, "--home", home]
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    rows = document(result)
    compared = {(row["figure"], row["measure"]): row for row in rows}
    for measure in ("ROI", "Max Drawdown", "Win Percentage", "Profit Factor", "Expectancy"):
        row = compared["strategy_metrics", measure]
        assert row["compared"] == row["within"] >= 499
        assert row["worst"] <= 1e-11
    assert compared["portfolios", "total_roi"]["within"] == 26
    assert all(row["within"] == row["compared"] for row in rows)
    lines = run(*words).stdout.splitlines()
    (line,) = [one for one in lines if one.startswith("portfolios           fitness")]
    assert "are held" in line


# ---------------------------------------------------------------- beside other commands


def test_other_commands_work_on_a_home_that_holds_books(run: Run, book_home: Path) -> None:
    tables = {
        row["table"]: row for row in document(run("table", "list", "--home", book_home, "--json"))
    }
    assert tables["strategies"]["rows"] == BOOK_STRATEGIES
    assert tables["strategy_returns"]["rows"] == BOOK_STRATEGIES * BOOK_ROWS
    assert all(row["fault"] is None for row in tables.values())
    history = run("table", "history", "strategy_returns", "--home", book_home)
    assert history.exit_code == 0, history.output


@pytest.mark.parametrize("table", ["strategy_metrics", "portfolios", "strategy_returns"])
def test_materialize_says_that_books_have_commands_of_their_own(
    run: Run, book_home: Path, table: str
) -> None:
    result = run("materialize", table, "--home", book_home)
    assert result.exit_code == 2
    assert f"{table}: is made for a book of strategies" in result.stderr
    assert "mr portfolio load, optimize or report" in result.stderr


def test_ingest_of_a_strategy_file_names_the_right_command(
    run: Run, tmp_path: Path, book_file: Path
) -> None:
    result = run("ingest", book_file, "--home", tmp_path, "--json")
    assert result.exit_code == 1
    (file,) = document(result)["files"]
    assert file["status"] == "unusable"
    assert "remove it from landing and call mr portfolio load FILE" in file["fault"]


CALM = """
import sys, time
from mr_platform.cli import main
from mr_platform.orchestration.assets import portfolios
def wait(*_, **__):
    print("under way", flush=True)
    time.sleep(60)
portfolios.load_book = wait
sys.argv = ["mr", "portfolio", "load", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
def test_ctrl_c_reaches_all_processes_of_a_command_and_prints_one_line(
    tmp_path: Path, book_file: Path
) -> None:
    """The terminal interrupts the whole group: what a step started beside it as well."""
    words = [sys.executable, "-c", CALM, book_file, "--book", "b", "--home", tmp_path / "home"]
    with subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as command:  # fmt: skip
        assert command.stdout is not None
        assert command.stdout.readline() == "under way\n"
        os.killpg(command.pid, signal.SIGINT)
        out, err = command.communicate(timeout=50)
    assert command.returncode == 130
    assert out == ""
    assert landed(tmp_path / "home") == []
    assert [line for line in err.splitlines() if line] == [
        "loading weekly results.csv into the book b",
        "nothing of the book b was changed: the files handed in were taken out of landing again",
        "interrupted; what is materialised stays, run again to resume",
    ]
