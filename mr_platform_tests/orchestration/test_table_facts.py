"""Facts of a materialisation, worked out by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.orchestration.table_facts import KEY_COLUMNS, partition_facts
from mr_platform.trading_calendar import PartitionKey

DAY = dt.date(2025, 8, 28)
NIFTY = PartitionKey(DAY, "NIFTY")
BANKNIFTY = PartitionKey(DAY, "BANKNIFTY")


def rows() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": ["NIFTY", "NIFTY", "BANKNIFTY", "BANKNIFTY"],
            "date": [DAY] * 4,
            "dte": [1, None, 1, 1],
            "one": [1.0, None, 2.0, 3.0],
            "two": [None, None, 4.0, None],
        },
        schema_overrides={"two": pl.Float64},
    )


def test_rows_columns_and_nulls_are_counted_for_each_partition() -> None:
    assert partition_facts(rows(), [NIFTY, BANKNIFTY]) == {
        NIFTY: {
            "dagster/partition_row_count": 2,
            "value_columns": 2,
            "null_share": 0.75,
            "columns_without_value": 1,
        },
        BANKNIFTY: {
            "dagster/partition_row_count": 2,
            "value_columns": 2,
            "null_share": 0.25,
            "columns_without_value": 0,
        },
    }


def test_a_partition_without_rows_is_told_too() -> None:
    other = PartitionKey(dt.date(2025, 8, 29), "NIFTY")
    facts = partition_facts(rows(), [NIFTY, BANKNIFTY, other])[other]
    assert facts == {
        "dagster/partition_row_count": 0,
        "value_columns": 2,
        "null_share": 0.0,
        "columns_without_value": 0,
    }


def test_a_table_of_keys_alone_has_no_null_share() -> None:
    keys = rows().select("symbol", "date", "dte")
    assert set(keys.columns) <= KEY_COLUMNS
    assert partition_facts(keys, [NIFTY])[NIFTY]["null_share"] == 0.0
    assert partition_facts(keys, [NIFTY])[NIFTY]["value_columns"] == 0
