from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.config.settings import ParquetSettings
from mr_platform.gateways.partition_files import (
    discard,
    in_order,
    polars_options,
    scan_files,
    write_partition,
)
from mr_platform.gateways.partition_layout import SYMBOL_DATE
from mr_platform_tests.gateways.lakehouse_writers import NIFTY, rows_of


def test_a_file_carries_no_partition_columns_and_its_folder_names_them(tmp_path: Path) -> None:
    file = write_partition(str(tmp_path), SYMBOL_DATE, NIFTY, rows_of([NIFTY]), ParquetSettings())

    assert file.path.startswith("symbol=NIFTY/date=2025-08-29/part-")
    assert file.partition_values == {"symbol": "NIFTY", "date": "2025-08-29"}
    assert (file.rows, file.size) == (6, (tmp_path / file.path).stat().st_size)
    assert pl.read_parquet_schema(tmp_path / file.path).keys().isdisjoint({"symbol", "date"})


@pytest.mark.parametrize(
    ("compression", "level", "given"),
    [
        ("zstd", 22, 22),
        ("gzip", 22, 9),
        ("snappy", 3, None),
        ("lz4", 3, None),
        ("zstd", None, None),
    ],
)
def test_a_level_is_given_only_to_codecs_that_know_it(
    compression, level: int | None, given: int | None
) -> None:
    settings = ParquetSettings(compression=compression, compression_level=level)
    assert polars_options(settings)["compression_level"] == given


def test_rows_in_order_are_not_copied() -> None:
    frame = rows_of([NIFTY])
    assert in_order(frame) is frame


@pytest.mark.parametrize("column", ["ts_minute", "strike"])
def test_one_row_out_of_order_is_found_in_each_sort_column(column: str) -> None:
    frame = rows_of([NIFTY])
    swapped = frame.select(
        pl.exclude(column),
        pl.col(column).gather([0, 1, 2, 3, 5, 4] if column == "strike" else [2, 1, 0, 3, 4, 5]),
    ).select(frame.columns)

    assert_frame_equal(in_order(swapped), swapped.sort("ts_minute", "strike", maintain_order=True))
    assert not in_order(swapped).equals(swapped)


def test_rows_without_sort_columns_keep_their_order() -> None:
    frame = pl.DataFrame({"rule": ["b", "a"]})
    assert in_order(frame) is frame


def test_null_sort_values_come_first() -> None:
    frame = pl.DataFrame({"strike": [2.0, None, 1.0]})
    assert in_order(frame)["strike"].to_list() == [None, 1.0, 2.0]


def test_discarding_forgives_files_that_are_gone(tmp_path: Path) -> None:
    file = write_partition(str(tmp_path), SYMBOL_DATE, NIFTY, rows_of([NIFTY]), ParquetSettings())

    discard(str(tmp_path), [file.path, "symbol=X/date=2025-08-29/part-gone.parquet"])

    assert not (tmp_path / file.path).exists()


def test_a_scan_of_no_files_is_an_empty_frame_of_the_schema() -> None:
    schema = dict(rows_of([NIFTY]).schema)
    files = pl.DataFrame(schema={"path": pl.String, "symbol": pl.String, "date": pl.Date})

    scanned = scan_files("/nowhere", files, schema, SYMBOL_DATE)

    assert_frame_equal(scanned.collect(), rows_of([NIFTY]).clear())
