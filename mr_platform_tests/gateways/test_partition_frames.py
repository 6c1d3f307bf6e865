from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import TableError
from mr_platform.gateways.partition_frames import (
    require_same_schema,
    require_storable,
    rows_by_key,
)
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.gateways.lakehouse_writers import BANKNIFTY, MONDAY_NIFTY, NIFTY, rows_of


def test_rows_are_split_by_partition_in_ascending_order() -> None:
    frame = rows_of([MONDAY_NIFTY, NIFTY])

    split = rows_by_key("t", frame, [NIFTY, BANKNIFTY, MONDAY_NIFTY])

    assert list(split) == [NIFTY, MONDAY_NIFTY]
    assert_frame_equal(split[NIFTY], rows_of([NIFTY]))
    assert_frame_equal(split[MONDAY_NIFTY], rows_of([MONDAY_NIFTY]))


def test_interleaved_rows_are_split_with_their_order_kept() -> None:
    frame = rows_of([NIFTY, BANKNIFTY]).sort("ts_minute", "strike", maintain_order=True)

    split = rows_by_key("t", frame, [NIFTY, BANKNIFTY])

    assert_frame_equal(split[NIFTY], rows_of([NIFTY]))
    assert_frame_equal(split[BANKNIFTY], rows_of([BANKNIFTY]))


def test_rows_without_a_partition_lie_outside_every_key() -> None:
    frame = rows_of([NIFTY]).with_columns(
        symbol=pl.when(pl.int_range(pl.len()) < 2).then(None).otherwise("symbol")
    )
    with pytest.raises(TableError, match=r"rows lie outside"):
        rows_by_key("t", frame, [NIFTY])


def test_many_foreign_partitions_are_told_shortly() -> None:
    days = [dt.date(2025, 8, 1) + dt.timedelta(days=n) for n in range(10)]
    frame = rows_of([PartitionKey(day, "NIFTY") for day in days], rows=1)
    with pytest.raises(TableError, match=r"9 rows .* 2025-08-09\|NIFTY and 1 more\. Name these"):
        rows_by_key("t", frame, [PartitionKey(days[0], "NIFTY")])


def test_no_keys_at_all_are_refused() -> None:
    with pytest.raises(TableError, match="no partitions were named"):
        rows_by_key("t", rows_of([NIFTY]).clear(), [])


def test_partition_columns_of_other_types_are_refused() -> None:
    frame = rows_of([NIFTY]).with_columns(pl.col("date").cast(pl.String)).drop("symbol")
    with pytest.raises(
        TableError, match="symbol was absent, must be String; date was String, must be Date"
    ):
        rows_by_key("t", frame, [NIFTY])


def test_all_differences_of_columns_are_told_at_once() -> None:
    declared = {"a": pl.Int64(), "b": pl.String(), "c": pl.Date()}
    with pytest.raises(TableError) as told:
        require_same_schema("t", {"b": pl.Float64(), "c": pl.Date(), "d": pl.Int8()}, declared)
    text = str(told.value)
    assert "missing a" in text
    assert "not in the table d" in text
    assert "b was Float64, is String in the table" in text


def test_equal_columns_pass() -> None:
    schema = dict(rows_of([NIFTY]).schema)
    require_same_schema("t", schema, dict(schema))
    require_storable("t", schema)


@pytest.mark.parametrize(
    "kind",
    [pl.Time(), pl.UInt32(), pl.Datetime("ns", "UTC"), pl.List(pl.Int64()), pl.Object(), pl.Null()],
)
def test_types_that_delta_would_change_are_refused(kind: pl.DataType) -> None:
    with pytest.raises(TableError, match=r"x \("):
        require_storable("t", {"x": kind})
