"""Closing open interest and zone means of a finished day."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.features.history import previous_days
from mr_platform.features.oi_history import (
    oi_close_history,
    oi_zone_history,
    previous_oi_close,
)
from mr_platform.features.table_schemas import table_schema
from mr_platform_tests.features.chain_days import hand_chain
from mr_platform_tests.features.oi_chains import DAY, ENGINE, EXPIRY


def test_the_close_is_the_last_valid_value_of_each_leg():
    rows = [
        {"j": 0, "k": 0, "strike": 24_500.0, "ce_oi": 10, "pe_oi": 20},
        {"j": 9, "k": 0, "strike": 24_500.0, "ce_oi": 11, "pe_oi": None},
        {"j": 9, "k": 1, "strike": 24_550.0, "ce_oi": None, "pe_oi": 7},
        {"j": 3, "k": -1, "strike": 24_450.0},
    ]
    table = oi_close_history(hand_chain(rows).reverse(), ENGINE)
    assert table.schema == table_schema("hist_c3_close")
    assert table.rows() == [
        ("NIFTY", DAY, EXPIRY, 24_500.0, 11, 20),
        ("NIFTY", DAY, EXPIRY, 24_550.0, None, 7),
    ]


def test_only_the_trading_day_before_is_read():
    rows = [{"j": 0, "k": 0, "strike": 24_500.0, "ce_oi": 10, "pe_oi": 20}]
    table = oi_close_history(hand_chain(rows), ENGINE).lazy()
    monday, tuesday = dt.date(2025, 9, 1), dt.date(2025, 9, 2)
    days = previous_days([monday, tuesday], 5).lazy()
    assert previous_oi_close(table, days, ENGINE).rows() == [
        ("NIFTY", monday, EXPIRY, 24_500.0, 10, 20)
    ]


def test_zone_means_pool_minutes_and_expiries_of_a_bucket():
    panel = pl.DataFrame(
        {
            "symbol": "NIFTY", "date": DAY,
            "dte_bucket": ["near", "near", "near", "mid"],
            "zone_name": ["OPEN", "OPEN", "OPEN", "OPEN"],
            "o3_oi_ce": [100, 100, None, 0], "o3_oi_pe": [50, 150, 100, 10],
            "o3_volume_ce_15": [30, None, 5, 5], "o3_volume_pe_15": [15, 5, 5, 5],
        }
    )  # fmt: skip
    table = oi_zone_history(panel, ENGINE)
    assert table.schema == table_schema("hist_c3_zone")
    assert table.rows() == [
        ("NIFTY", DAY, "mid", "OPEN", None, 1.0),
        ("NIFTY", DAY, "near", "OPEN", 1.0, pytest.approx(0.3)),
    ]
