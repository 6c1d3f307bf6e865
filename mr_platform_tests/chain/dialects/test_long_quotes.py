"""Quotes of one contract a row, against a real file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain.dialects import LONG_QUOTES


@pytest.mark.parametrize(
    ("written", "symbol"), [("NIFTY50", "NIFTY"), ("NIFTY BANK", "BANKNIFTY"), ("SENSEX", "SENSEX")]
)
def test_the_vendors_index_names_become_ours_and_others_stay(written, symbol):
    frame = pl.DataFrame(
        {
            "symbol": [written],
            "instant": [dt.datetime(2026, 8, 18, 9, 15, 30)],
            "option_type": ["ce"],
        }
    )

    row = LONG_QUOTES.finish(frame).row(0, named=True)

    assert (row["symbol"], row["option_type"]) == (symbol, "CE")
    assert (row["date"], row["time"]) == (dt.date(2026, 8, 18), dt.time(9, 15, 30))


@pytest.mark.real_data
def test_a_real_file_has_exactly_these_columns(real_data: Path):
    path = real_data / "options/raw/chiragaibooks_nifty_1min/option_chain_20260818.parquet"

    assert set(pl.read_parquet_schema(path)) == LONG_QUOTES.known
