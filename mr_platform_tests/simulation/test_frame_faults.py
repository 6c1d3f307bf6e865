"""What each fault does to the rows of a file, and that it leaves the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import polars as pl
import pytest

from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.trading_calendar import is_trading_day
from mr_platform_tests.simulation.damage import damaged, source


def changed(table: pl.DataFrame, before: pl.DataFrame) -> set[str]:
    return {
        name
        for name in before.columns
        if not table[name].cast(pl.String).equals(before[name].cast(pl.String))
    }


def test_rows_keep_all_but_the_columns_a_fault_names(few_strikes: SimulatedDay) -> None:
    before = source(few_strikes, "legacy_csv").table
    expected = {
        "day_first_dates": {"trade_date", "expiry_date"},
        "mixed_iv_units": {"ce_iv", "pe_iv"},
        "mixed_oi_units": {"ce_oi", "pe_oi"},
        "nan_values": {"ce_close", "pe_close", "ce_iv", "pe_iv"},
        "inf_values": {"ce_close", "ce_iv", "pe_iv"},
        "negative_prices": {"ce_close", "pe_close"},
        "negative_volume": {"ce_volume", "pe_volume"},
        "holiday_file": {"trade_date"},
        "swapped_expiries": {"expiry_date"},
        "expiry_before_date": {"expiry_date"},
        "unknown_symbol": {"index_name"},
        "null_strikes": {"strike"},
        "low_above_high": {"ce_low", "ce_high"},
        "two_spots_in_a_minute": {"spot"},
        "text_in_numbers": {"ce_close", "pe_close"},
        "fractional_oi": {"ce_oi", "pe_oi"},
        "wrong_dte": {"dte"},
        "unmirrored_labels": {"put_strike_type"},
    }
    for name, columns in expected.items():
        after = damaged(few_strikes, name)
        assert after.height == before.height, name
        assert changed(after, before) == columns, name


FrameCheck = Callable[[pl.DataFrame, pl.DataFrame], bool]


CHECKS: dict[str, FrameCheck] = {
    "nan_values": lambda after, _: after["ce_close"].is_nan().any(),
    "inf_values": lambda after, _: after["ce_iv"].is_infinite().any(),
    "negative_prices": lambda after, _: (after["pe_close"] < 0).any(),
    "negative_volume": lambda after, _: (after["ce_volume"] < 0).any(),
    "extra_column": lambda after, before: after.columns == [*before.columns, "vendor_score"],
    "missing_column": lambda after, before: set(before.columns) - set(after.columns) == {"strike"},
    "outside_session": lambda after, _: (
        (after["trade_time"].min(), after["trade_time"].max()) == (dt.time(8, 59), dt.time(15, 45))
    ),
    "holiday_file": lambda after, _: not is_trading_day(after["trade_date"][0]),
    "swapped_expiries": lambda after, before: (
        after["expiry_date"][0] == before["expiry_date"].unique().sort()[1]
    ),
    "expiry_before_date": lambda after, _: (after["expiry_date"] < after["trade_date"]).any(),
    "unknown_symbol": lambda after, _: "SENSEX" in after["index_name"],
    "null_strikes": lambda after, _: after["strike"].null_count() > 0,
    "header_only": lambda after, before: after.height == 0 and after.columns == before.columns,
    "low_above_high": lambda after, _: (after["ce_low"] > after["ce_high"]).any(),
    "two_spots_in_a_minute": lambda after, _: (
        after.group_by("trade_time").agg(pl.col("spot").n_unique())["spot"].max() == 2
    ),
    "text_in_numbers": lambda after, _: (
        "n/a" in after["ce_close"] and "1,234.50" in after["pe_close"]
    ),
    "fractional_oi": lambda after, _: ((after["ce_oi"] % 1) == 0.5).any(),
    "wrong_dte": lambda after, before: (after["dte"] - before["dte"]).max() == 3,
    "unmirrored_labels": lambda after, _: "OTM99" in after["put_strike_type"],
    "missing_minutes": lambda after, _: after["trade_time"].n_unique() == 355,
    "day_first_dates": lambda after, _: after["trade_date"][0] == "29-08-2025",
    "mixed_iv_units": lambda after, _: after["ce_iv"][-500:].max() < 1 < after["ce_iv"][0],
    "mixed_oi_units": lambda after, before: (
        after["ce_oi"][-1] * 75 == before["ce_oi"][-1] and after["ce_oi"][0] == before["ce_oi"][0]
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_frame_fault_does_what_it_says(few_strikes: SimulatedDay, name: str) -> None:
    assert CHECKS[name](damaged(few_strikes, name), source(few_strikes, "legacy_csv").table)


def test_duplicates_repeat_keys_with_equal_or_other_prices(few_strikes: SimulatedDay) -> None:
    keys = ["trade_time", "expiry_date", "strike"]
    same = damaged(few_strikes, "duplicate_rows")
    assert same.select(keys).is_duplicated().any()
    assert same.unique().height == few_strikes.chain.height
    other = damaged(few_strikes, "conflicting_duplicates")
    assert other.select(keys).is_duplicated().any()
    assert other.unique().height == other.height > few_strikes.chain.height
    for leg in ("ce", "pe"):
        assert (other[f"{leg}_low"] <= other[f"{leg}_close"]).all()
        assert (other[f"{leg}_close"] <= other[f"{leg}_high"]).all()


def test_nested_parquet_holds_structs_and_lists(few_strikes: SimulatedDay) -> None:
    table = damaged(few_strikes, "nested_parquet", "legacy_parquet")
    assert isinstance(table.schema["strike"], pl.Struct)
    assert isinstance(table.schema["ce_close"], pl.List)


def test_other_dialects_shift_their_own_columns(few_strikes: SimulatedDay) -> None:
    collected = damaged(few_strikes, "outside_session", "nse_collected")
    assert collected["Fetch_Time"][0] == "29-Aug-2025 08:59:45"
    assert collected["Fetch_Time"][-1] == "29-Aug-2025 15:45:45"
    long = damaged(few_strikes, "holiday_file", "long_quotes")
    assert long["timestamp"][0] == "202508300915"
    past = damaged(few_strikes, "expiry_before_date", "long_quotes")
    assert past["expiry"].str.to_date("%d-%b-%Y").min() < dt.date(2025, 8, 29)
