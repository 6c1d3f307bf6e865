"""The two ways in which tables are parted."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.config.settings import ParquetSettings
from mr_platform.errors import TableError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.partition_layout import (
    BOOK_PART,
    SYMBOL_DATE,
    BookPart,
    layout_of,
)
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.gateways.lakehouse_writers import BANKNIFTY, MONDAY_NIFTY, NIFTY

JANUARY, FEBRUARY = BookPart("sensex", "2024-01"), BookPart("sensex", "2024-02")
OTHER = BookPart("zones", "2024-01")


def returns_of(keys: list[BookPart], value: float = 1.0) -> pl.DataFrame:
    """A row a partition, in the declared columns."""
    return pl.DataFrame(
        {
            "book": [key.book for key in keys],
            "part": [key.part for key in keys],
            "strategy_id": pl.Series([0] * len(keys), dtype=pl.Int32),
            "date": [dt.date.fromisoformat(f"{key.part}-05") for key in keys],
            "zone": pl.Series([None] * len(keys), dtype=pl.String),
            "pnl": [value] * len(keys),
        }
    )


def test_tables_of_portfolios_are_parted_by_book_and_all_others_by_symbol() -> None:
    assert layout_of("strategy_returns") is BOOK_PART
    assert layout_of("option_chain") is SYMBOL_DATE


@pytest.mark.parametrize(("layout", "key"), [(SYMBOL_DATE, NIFTY), (BOOK_PART, JANUARY)])
def test_a_key_is_the_key_of_its_values(layout, key) -> None:
    assert layout.key(*layout.values(key)) == key


def test_a_key_of_the_other_layout_is_refused() -> None:
    with pytest.raises(TableError, match="no partition of a table by book and part"):
        BOOK_PART.values(NIFTY)
    with pytest.raises(TableError, match="no partition of a table by symbol and date"):
        SYMBOL_DATE.folder(JANUARY)


@pytest.mark.parametrize("symbol", ["M&M", "../x", "", "a/b", "x%20"])
def test_a_symbol_that_a_folder_cannot_carry_is_refused(symbol: str) -> None:
    with pytest.raises(TableError, match="symbol was"):
        SYMBOL_DATE.folder(PartitionKey(dt.date(2025, 8, 29), symbol))


@pytest.mark.parametrize("book", ["my book", "../x", "", "a/b", "50%"])
def test_a_book_that_a_folder_cannot_carry_is_refused(book: str) -> None:
    with pytest.raises(TableError, match="book was"):
        BOOK_PART.folder(BookPart(book))


def test_a_predicate_groups_dates_by_symbol_and_drops_repeats() -> None:
    assert SYMBOL_DATE.predicate([MONDAY_NIFTY, NIFTY, NIFTY, BANKNIFTY]) == (
        "(symbol = 'BANKNIFTY' AND date IN ('2025-08-29'))"
        " OR (symbol = 'NIFTY' AND date IN ('2025-08-29', '2025-09-01'))"
    )


def test_a_book_is_replaced_month_by_month(tmp_path: Path) -> None:
    lakehouse = Lakehouse(tmp_path, ParquetSettings())
    keys = [JANUARY, FEBRUARY, OTHER]
    lakehouse.replace_partitions("strategy_returns", returns_of(keys), keys)
    report = lakehouse.replace_partitions(
        "strategy_returns", returns_of([FEBRUARY], 2.0), [FEBRUARY]
    )

    assert (report.files, report.files_removed) == (1, 1), "one month, one file"
    stored = lakehouse.scan("strategy_returns").collect()
    assert stored.select("book", "part", "pnl").rows() == [
        ("sensex", "2024-01", 1.0),
        ("sensex", "2024-02", 2.0),
        ("zones", "2024-01", 1.0),
    ]
    assert lakehouse.scan("strategy_returns", [FEBRUARY]).collect()["pnl"].to_list() == [2.0]
    assert lakehouse.read_partition_counts("strategy_returns")["rows"].to_list() == [1, 1, 1]
    assert lakehouse.history("strategy_returns", 1)[0].predicate == (
        "(book = 'sensex' AND part IN ('2024-02'))"
    )
    lakehouse.restore("strategy_returns", 1)
    assert lakehouse.scan("strategy_returns", [FEBRUARY]).collect()["pnl"].to_list() == [1.0]
    lakehouse.optimize("strategy_returns", keys=[JANUARY, FEBRUARY])
    assert lakehouse.scan("strategy_returns").collect().height == 3


def parts(value: float, *keys: BookPart) -> list[tuple[BookPart, pl.DataFrame]]:
    return [(key, returns_of([key], value)) for key in keys]


def test_partitions_that_come_one_by_one_are_one_commit(tmp_path: Path) -> None:
    lakehouse = Lakehouse(tmp_path, ParquetSettings())
    lakehouse.replace_one_by_one("strategy_returns", parts(1.0, JANUARY, FEBRUARY, OTHER))
    held = []

    def coming():
        for key, rows in parts(2.0, FEBRUARY, JANUARY):
            held.append(key)
            yield key, rows

    report = lakehouse.replace_one_by_one(
        "strategy_returns", coming(), commit_info={"run_id": "second"}
    )

    assert held == [FEBRUARY, JANUARY], "read once, in order"
    assert (report.version, report.partitions, report.rows) == (2, 2, 2)
    assert (report.files, report.files_removed, report.attempts) == (2, 2, 1)
    stored = lakehouse.scan("strategy_returns").collect()
    assert stored.select("book", "part", "pnl").rows() == [
        ("sensex", "2024-01", 2.0),
        ("sensex", "2024-02", 2.0),
        ("zones", "2024-01", 1.0),
    ]
    newest = lakehouse.history("strategy_returns", 1)[0]
    assert newest.predicate == "(book = 'sensex' AND part IN ('2024-01', '2024-02'))"
    assert newest.info["run_id"] == "second"


def test_a_partition_that_comes_without_rows_becomes_empty(tmp_path: Path) -> None:
    lakehouse = Lakehouse(tmp_path, ParquetSettings())
    lakehouse.replace_one_by_one("strategy_returns", parts(1.0, JANUARY, FEBRUARY))

    report = lakehouse.replace_one_by_one(
        "strategy_returns", [(JANUARY, returns_of([JANUARY]).clear())]
    )

    assert (report.rows, report.files, report.files_removed) == (0, 0, 1)
    assert lakehouse.read_partition_counts("strategy_returns")["part"].to_list() == ["2024-02"]


def without_pnl(key: BookPart) -> pl.DataFrame:
    return returns_of([key]).drop("pnl")


def interrupted():
    yield JANUARY, returns_of([JANUARY], 2.0)
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("coming", "fault", "told"),
    [
        (lambda: [], TableError, "no partitions were named"),
        (lambda: [*parts(2.0, JANUARY), (FEBRUARY, returns_of([OTHER]))], TableError, "zones"),
        (lambda: [*parts(2.0, JANUARY), (FEBRUARY, without_pnl(FEBRUARY))], TableError, "pnl"),
        (lambda: [(JANUARY, without_pnl(JANUARY))], TableError, "pnl"),
        (lambda: parts(2.0, JANUARY, JANUARY), TableError, "named twice"),
        (interrupted, KeyboardInterrupt, None),
    ],
    ids=["none", "foreign rows", "later columns", "columns", "twice", "interrupted"],
)
def test_a_fault_among_partitions_leaves_table_and_folder_as_they_were(
    coming, fault, told, tmp_path: Path
) -> None:
    lakehouse = Lakehouse(tmp_path, ParquetSettings())
    lakehouse.replace_one_by_one("strategy_returns", parts(1.0, JANUARY, FEBRUARY))
    files = sorted(tmp_path.rglob("*.parquet"))

    with pytest.raises(fault, match=told):
        lakehouse.replace_one_by_one("strategy_returns", coming())

    assert lakehouse.version("strategy_returns") == 1
    assert sorted(tmp_path.rglob("*.parquet")) == files
    assert lakehouse.scan("strategy_returns").collect()["pnl"].to_list() == [1.0, 1.0]
