"""Collectors' tables of whole chains, against real files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain.dialects import NSE_COLLECTED, WIDE_QUOTES


@pytest.mark.parametrize("dialect", [NSE_COLLECTED, WIDE_QUOTES], ids=lambda item: item.name)
def test_an_instant_is_split_into_date_and_time(dialect):
    frame = pl.DataFrame({"instant": [dt.datetime(2025, 8, 29, 14, 22, 55)]})

    row = dialect.finish(frame).row(0, named=True)

    assert (row["date"], row["time"]) == (dt.date(2025, 8, 29), dt.time(14, 22, 55))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("dialect", "relative"),
    [
        (NSE_COLLECTED, "sanjot_20250829_1min/NIFTY_20250829.parquet"),
        (WIDE_QUOTES, "nileshipad4_20260203_5min/index_OC_20260203.parquet"),
    ],
    ids=["nse_collected", "wide_quotes"],
)
def test_a_real_file_has_exactly_these_columns(real_data: Path, dialect, relative):
    assert set(pl.read_parquet_schema(real_data / "options" / "raw" / relative)) == dialect.known
