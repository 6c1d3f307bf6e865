"""Units are settled from a file's own numbers, and a mix is told rather than guessed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from mr_platform.chain.dialects import LEGACY_CHAIN, LONG_QUOTES, NSE_SNAPSHOT
from mr_platform.chain.units import convert_units, settle_units

LOTS = (75, 25)
MINUTES = 40
STRIKES = [24400.0, 24450.0, 24500.0, 24550.0, 24600.0]


def rows(**columns: object) -> pl.DataFrame:
    """Forty minutes of five strikes in the legacy layout, with columns replaced."""
    times = [
        (dt.datetime(2025, 8, 29, 9, 15) + dt.timedelta(minutes=m)).time() for m in range(MINUTES)
    ]
    frame = pl.DataFrame({"time": times}).join(pl.DataFrame({"strike": STRIKES}), how="cross")
    random = np.random.default_rng(3)
    height = frame.height
    base = {
        "expiry_date": [dt.date(2025, 9, 2)] * height,
        "spot": [24500.0] * height,
        "ce_iv": random.uniform(9, 14, height),
        "pe_iv": random.uniform(9, 14, height),
        "ce_oi": random.integers(1, 4000, height) * 75.0,
        "pe_oi": random.integers(1, 4000, height) * 75.0,
        "ce_volume": random.integers(0, 400, height) * 75.0,
        "pe_volume": random.integers(0, 400, height) * 75.0,
        "ce_open": random.uniform(10, 20, height),
        "pe_open": random.uniform(10, 20, height),
    }
    return frame.with_columns(pl.Series(name, values) for name, values in (base | columns).items())


def settle(frame: pl.DataFrame):
    return settle_units(frame, LEGACY_CHAIN, LOTS)


def test_percent_units_and_bars_are_recognised():
    units = settle(rows())

    assert (units.iv_unit, units.oi_unit, units.volume_unit) == ("percent", "units", "units")
    assert (units.volume_kind, units.bar_label, units.mixed) == ("bar", "start", ())


def test_decimal_volatility_is_left_as_it_is_and_percent_is_divided():
    percent = rows()
    decimal = percent.with_columns(pl.col("ce_iv", "pe_iv") / 100)
    assert settle(decimal).iv_unit == "decimal"

    kept = convert_units(decimal, LEGACY_CHAIN, settle(decimal), 75)
    divided = convert_units(percent, LEGACY_CHAIN, settle(percent), 75)

    assert kept["ce_iv"].to_list() == divided["ce_iv"].to_list()


def test_lots_become_units_and_thirds_of_a_lot_come_back_whole():
    frame = rows().with_columns(pl.col("ce_oi", "pe_oi") / 75)
    frame = frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(163 + 2 / 3).otherwise("ce_oi").alias("ce_oi")
    )

    units = settle(frame)
    converted = convert_units(frame, LEGACY_CHAIN, units, 75)

    assert units.oi_unit == "lots"
    assert converted["ce_oi"][0] == 12275.0
    assert (converted["ce_oi"] % 1 == 0).all()


def test_positions_opened_under_an_older_lot_size_are_still_units():
    frame = rows(ce_oi=np.arange(1, MINUTES * 5 + 1) * 25.0)

    assert settle(frame).oi_unit == "units"


@pytest.mark.parametrize(
    ("column", "factor", "told"),
    [("ce_iv", 0.01, "implied volatility"), ("ce_oi", 1 / 75, "open interest")],
)
def test_half_a_file_in_another_unit_is_a_mix(column, factor, told):
    half = pl.int_range(pl.len()) % 2 == 0
    other = column.replace("ce", "pe")
    frame = rows().with_columns(
        pl.when(half).then(pl.col(name) * factor).otherwise(name).alias(name)
        for name in (column, other)
    )

    assert any(told in mix for mix in settle(frame).mixed)


def test_a_running_total_is_cumulative_and_a_mix_of_contracts_is_told():
    running = pl.col("ce_volume", "pe_volume").cum_sum().over("strike")
    all_running = rows().with_columns(running)
    some = pl.col("strike") > 24500
    half_running = rows().with_columns(
        pl.when(some).then(pl.col(name).cum_sum().over("strike")).otherwise(name).alias(name)
        for name in ("ce_volume", "pe_volume")
    )

    assert settle(all_running).volume_kind == "cumulative"
    assert settle(all_running).mixed == ()
    assert any("cumulative" in mix for mix in settle(half_running).mixed)


def test_a_feed_that_starts_anew_once_still_gives_running_totals():
    # twenty minutes in all totals begin again: one fall in 39 changes of each contract
    half = (pl.int_range(pl.len()) // (len(STRIKES) * MINUTES // 2)).alias("half")
    running = pl.col("ce_volume", "pe_volume").cum_sum()
    restarted = rows().with_columns(half).with_columns(running.over("strike", "half")).drop("half")

    assert settle(restarted).volume_kind == "cumulative"
    assert settle(restarted).mixed == ()


def test_bars_labelled_by_their_end_are_shifted_and_snapshots_never():
    whole_day = [
        (dt.datetime(2025, 8, 29, 9, 16) + dt.timedelta(minutes=m)).time() for m in range(375)
    ]
    bars = pl.DataFrame(
        {
            "time": whole_day,
            "expiry_date": [dt.date(2025, 9, 2)] * 375,
            "strike": [24500.0] * 375,
            "ce_open": [10.0] * 375,
            "pe_open": [10.0] * 375,
        }
    )
    last_prices = bars.with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("ce_open", "pe_open")
    )

    units = settle(bars)
    shifted = convert_units(bars, LEGACY_CHAIN, units, 75)

    assert units.bar_label == "end"
    assert shifted["time"][0] == dt.time(9, 15)
    assert shifted["time"][-1] == dt.time(15, 29)
    assert settle(last_prices).bar_label == "start"
    assert settle_units(bars, NSE_SNAPSHOT, LOTS).bar_label == "start"


def test_a_file_without_values_has_no_units():
    empty = (
        rows()
        .select("time", "strike", "expiry_date")
        .with_columns(
            pl.lit(None, pl.Float64).alias(name) for name in ("iv", "oi", "volume", "spot")
        )
    )

    units = settle_units(empty, LONG_QUOTES, LOTS)

    assert (units.iv_unit, units.oi_unit, units.volume_unit) == ("none", "none", "none")
    assert units.mixed == ()
