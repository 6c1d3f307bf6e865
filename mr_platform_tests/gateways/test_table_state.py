from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.gateways.partition_layout import SYMBOL_DATE
from mr_platform.gateways.table_state import of_keys
from mr_platform_tests.gateways.lakehouse_writers import BANKNIFTY, MONDAY_NIFTY, NIFTY

FILES = pl.DataFrame(
    {
        "path": ["a", "b", "c", "d"],
        "symbol": ["NIFTY", "NIFTY", "BANKNIFTY", "BANKNIFTY"],
        "date": [dt.date(2025, 8, 29), dt.date(2025, 9, 1)] * 2,
    }
)


def test_files_of_pairs_are_not_the_rectangle_around_them() -> None:
    assert of_keys(FILES, SYMBOL_DATE, [BANKNIFTY, MONDAY_NIFTY])["path"].to_list() == ["b", "c"]


def test_a_key_named_twice_yields_its_files_once() -> None:
    assert of_keys(FILES, SYMBOL_DATE, [NIFTY, NIFTY])["path"].to_list() == ["a"]


def test_no_keys_yield_no_files() -> None:
    assert of_keys(FILES, SYMBOL_DATE, []).is_empty()
