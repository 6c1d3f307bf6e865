from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.config.settings import load_settings
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.cli.conftest import Run, document

DAY = dt.date(2024, 1, 1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    rows = [
        ("NIFTY", DAY, "a.csv", 7, "out_of_range", True),
        ("NIFTY", DAY, "a.csv", 3, "out_of_range", True),
        ("NIFTY", DAY, "b.csv", 1, "outside_session", False),
        ("BANKNIFTY", DAY, "c.csv", 2, "out_of_range", True),
        ("NIFTY", dt.date(2024, 1, 2), "a.csv", 9, "duplicate_row", True),
    ]
    columns = ["symbol", "date", "file", "row_number", "reason", "counts_as_bad"]
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        detail=pl.lit("what was wrong")
    )
    keys = [
        PartitionKey(day, symbol) for symbol, day in frame.select("symbol", "date").unique().rows()
    ]
    settings = load_settings(tmp_path)
    Lakehouse(settings.lakehouse_root, settings.parquet).replace_partitions(
        "quarantined_rows", frame, keys
    )
    return tmp_path


def test_rows_are_counted_by_reason_most_frequent_first(run: Run, home: Path) -> None:
    told = document(run("quarantine", "show", "--home", home, "--json"))
    assert told["total"] == 5
    assert told["by_reason"][0] == {
        "reason": "out_of_range",
        "counts_as_bad": True,
        "rows": 3,
        "partitions": 2,
        "files": 2,
    }
    assert [entry["reason"] for entry in told["by_reason"][1:]] == [
        "duplicate_row",
        "outside_session",
    ]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--symbol", "BANKNIFTY"], [2]),
        (["--dates", "2024-01-02"], [9]),
        (["--reason", "outside_session"], [1]),
        (["--file", "b.c"], [1]),
        (["--symbol", "NIFTY", "--reason", "out_of_range"], [3, 7]),
        (["--reason", "nothing"], []),
    ],
)
def test_filters_leave_the_rows_asked_for(
    run: Run, home: Path, options: list[str], rows: list[int]
) -> None:
    told = document(run("quarantine", "show", *options, "--home", home, "--json"))
    assert [row["row_number"] for row in told["rows"]] == rows
    assert told["total"] == len(rows)


def test_the_limit_cuts_the_rows_and_not_the_counts(run: Run, home: Path) -> None:
    told = document(run("quarantine", "show", "--limit", 1, "--home", home, "--json"))
    assert (len(told["rows"]), told["total"]) == (1, 5)


def test_the_text_shows_reason_and_detail(run: Run, home: Path) -> None:
    text = run("quarantine", "show", "--home", home).stdout
    assert text.startswith("5 quarantined rows")
    assert "what was wrong" in text
    assert run("quarantine", "show", "--file", "zzz", "--home", home).stdout == (
        "no quarantined row matches\n"
    )
