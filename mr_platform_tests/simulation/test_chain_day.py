"""A simulated day: layout, rules of the raw schema, determinism, connection of days."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.config.settings import MarketSettings
from mr_platform.errors import CalendarError, SettingsError
from mr_platform.simulation.chain_day import (
    LEGACY_SCHEMA,
    DaySpec,
    SimulatedDay,
    simulate,
    simulate_day,
)
from mr_platform.simulation.daily_path import day_frame
from mr_platform.simulation.regimes import REGIMES
from mr_platform.trading_calendar import ZONES, expiry_buckets, trading_days

SEED = 20250829
LEGS = ("ce", "pe")


def small(symbol: str, day: dt.date, market: MarketSettings, seed: int = SEED) -> DaySpec:
    return DaySpec(symbol, day, seed, market, expiries=1)


@pytest.mark.real_data
def test_the_layout_is_that_of_the_real_chain_files(
    ordinary_day: SimulatedDay, real_data: Path
) -> None:
    real = pl.read_parquet_schema(real_data / "options/chain/symbol=NIFTY/NIFTY_2025-08-29.parquet")
    assert list(real.items()) == list(ordinary_day.chain.schema.items())
    assert list(LEGACY_SCHEMA) == list(real)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(
    market: MarketSettings,
) -> None:
    spec = small("NIFTY", dt.date(2025, 8, 29), market)
    once, again = simulate_day(spec), simulate_day(spec)
    assert_frame_equal(once.chain, again.chain, check_exact=True)
    assert_frame_equal(once.regimes, again.regimes, check_exact=True)
    other = simulate_day(replace(spec, seed=SEED + 1))
    assert not once.chain["spot"].equals(other.chain["spot"])
    assert not once.regimes["regime"].equals(other.regimes["regime"])


def test_a_day_alone_equals_the_same_day_within_a_range(market: MarketSettings) -> None:
    first, last = dt.date(2024, 11, 11), dt.date(2024, 11, 14)
    within = {
        day.key: day
        for day in simulate(["BANKNIFTY", "NIFTY"], first, last, SEED, market=market, expiries=1)
    }
    assert len(within) == 2 * len(trading_days(first, last))
    for key, day in within.items():
        alone = simulate_day(small(key.symbol, key.date, market))
        assert_frame_equal(alone.chain, day.chain, check_exact=True)
        assert_frame_equal(alone.regimes, day.regimes, check_exact=True)


def test_days_connect_through_the_close_and_open_interest(market: MarketSettings) -> None:
    before, after = (
        simulate_day(DaySpec("NIFTY", day, SEED, market))
        for day in (dt.date(2025, 9, 10), dt.date(2025, 9, 11))
    )
    frame = day_frame(SEED, "NIFTY", dt.date(2025, 9, 11))
    assert before.chain["spot"][-1] == frame.previous_close
    assert after.chain["spot"][-1] == frame.close
    assert frame.opening != frame.previous_close
    key = ["expiry_date", "strike"]
    last = before.chain.filter(pl.col("trade_time") == dt.time(15, 29))
    opening = after.chain.filter(pl.col("trade_time") == dt.time(9, 15))
    both = last.join(opening, on=key, suffix="_next")
    assert both.height > 150
    for leg in LEGS:
        carried = both[f"{leg}_oi_next"] - both[f"{leg}_coi_next"].cast(pl.Int64)
        assert carried.equals(both[f"{leg}_oi"], check_names=False)
    future = opening["future_oi"] - opening["future_coi"].cast(pl.Int64)
    assert future[0] == last["future_oi"][0]


def test_the_future_rolls_after_the_monthly_expiry(market: MarketSettings) -> None:
    before, after = (
        simulate_day(small("NIFTY", day, market)).chain
        for day in (dt.date(2025, 9, 30), dt.date(2025, 10, 1))
    )
    premium = [chain["future_close"][-1] - chain["spot"][-1] for chain in (before, after)]
    # at expiry the future is the index; the next one carries four weeks
    assert abs(premium[0]) < 10
    assert premium[1] > 40
    held = after["future_oi"][0] - int(after["future_coi"][0])
    assert held != before["future_oi"][-1]


def test_every_minute_lists_the_same_contracts_once(any_day: SimulatedDay) -> None:
    chain = any_day.chain
    assert chain["trade_time"].n_unique() == 375
    assert chain["trade_time"].min() == dt.time(9, 15)
    assert chain["trade_time"].max() == dt.time(15, 29)
    assert chain.height == 375 * chain.select("expiry_date", "strike").n_unique()
    assert not chain.select("trade_time", "expiry_date", "strike").is_duplicated().any()
    keys = ["trade_time", "expiry_date", "strike"]
    assert chain.select(keys).equals(chain.select(keys).sort(keys))
    per_expiry = chain.group_by("expiry_date").agg(pl.col("strike").n_unique())["strike"]
    assert per_expiry.min() >= 50
    assert per_expiry.max() <= 130


def test_keys_and_labels_are_never_null_and_nothing_is_nan(any_day: SimulatedDay) -> None:
    keys = [*list(LEGACY_SCHEMA)[:8], "zone_id", "zone_name"]
    labels = ["call_strike_type", "put_strike_type", "ce_symbol", "pe_symbol"]
    quantities = [f"{leg}_{name}" for leg in LEGS for name in ("close", "volume", "oi", "coi")]
    full = any_day.chain.select(*keys, *labels, *quantities, "future_close", "future_oi")
    assert sum(full.null_count().row(0)) == 0
    floats = any_day.chain.select(pl.col(pl.Float64))
    assert floats.select(pl.all().is_finite().all()).row(0) == (True,) * floats.width


def test_bars_hold_the_ranges_of_the_raw_schema(any_day: SimulatedDay) -> None:
    chain = any_day.chain
    bars = [(f"{leg}_", 0.05) for leg in LEGS] + [("future_", 1.0)]
    for prefix, lowest in bars:
        low, high = pl.col(f"{prefix}low"), pl.col(f"{prefix}high")
        for part in ("open", "close"):
            value = pl.col(f"{prefix}{part}")
            assert chain.select(((low <= value) & (value <= high)).all()).item()
        assert chain[f"{prefix}low"].min() >= lowest
        ticks = chain[f"{prefix}close"] / 0.05
        assert (ticks - ticks.round()).abs().max() < 1e-6
        assert chain[f"{prefix}volume"].min() >= 0
        assert chain[f"{prefix}oi"].min() >= 0
        assert (chain[f"{prefix}oi"] % any_day.lot_size == 0).all()
        assert (chain[f"{prefix}volume"] % any_day.lot_size == 0).all()
    assert chain["ce_delta"].drop_nulls().is_between(0, 1).all()
    assert chain["pe_delta"].drop_nulls().is_between(-1, 0).all()
    for leg in LEGS:
        shown = chain.filter(pl.col(f"{leg}_iv") > 0)
        assert shown[f"{leg}_iv"].is_between(1.0, 500.0).all()
        assert (shown[f"{leg}_gamma"] >= 0).all()
        assert (shown[f"{leg}_vega"] >= 0).all()


def test_one_spot_a_minute_and_atm_nearest_to_it(any_day: SimulatedDay) -> None:
    minutes = any_day.chain.group_by("trade_time").agg(
        pl.col("spot").n_unique(), pl.col("atm_strike").n_unique().alias("atm")
    )
    assert minutes["spot"].max() == 1
    assert minutes["atm"].max() == 1
    step = 50 if any_day.key.symbol == "NIFTY" else 100
    assert (any_day.chain["atm_strike"] % step == 0).all()
    assert (any_day.chain["atm_strike"] - any_day.chain["spot"]).abs().max() <= step / 2


def test_labels_mirror_and_count_from_one_atm_row_a_slice(any_day: SimulatedDay) -> None:
    chain = any_day.chain.with_columns(
        side=pl.col("call_strike_type").str.slice(0, 3),
        steps=pl.col("call_strike_type").str.slice(3).cast(pl.Int64, strict=False).fill_null(0),
    )
    mirrored = (
        pl.when(pl.col("side") == "ATM")
        .then(pl.lit("ATM"))
        .when(pl.col("side") == "ITM")
        .then(pl.format("OTM{}", "steps"))
        .otherwise(pl.format("ITM{}", "steps"))
    )
    assert chain.select((pl.col("put_strike_type") == mirrored).all()).item()
    middle = chain.filter(pl.col("side") == "ATM")
    slices = chain.select("trade_time", "expiry_date").n_unique()
    assert middle.height == middle.select("trade_time", "expiry_date").n_unique() == slices
    nearest = chain.with_columns(gap=(pl.col("strike") - pl.col("atm_strike")).abs()).with_columns(
        closest=pl.col("gap").min().over("trade_time", "expiry_date")
    )
    assert (
        nearest.filter(pl.col("side") == "ATM")
        .select((pl.col("gap") == pl.col("closest")).all())
        .item()
    )
    rank = pl.when(pl.col("side") == "ITM").then(-pl.col("steps")).otherwise(pl.col("steps"))
    gaps = chain.select(rank.diff().over("trade_time", "expiry_date").alias("gap"))["gap"]
    assert gaps.drop_nulls().unique().to_list() == [1]


def test_buckets_dte_and_zones_follow_the_calendar(any_day: SimulatedDay) -> None:
    date, symbol = any_day.key.date, any_day.key.symbol
    known = expiry_buckets(symbol, date)
    rows = any_day.chain.select("expiry_date", "expiry_bucket", "dte").unique()
    assert rows.height == 4
    for expiry, bucket, dte in rows.rows():
        assert bucket == known[expiry]
        assert dte == (expiry - date).days
    zones = any_day.chain.select("zone_id", "zone_name", "trade_time").unique()
    for zone in ZONES:
        inside = zones.filter(pl.col("zone_id") == zone.zone_id)
        assert inside["zone_name"].unique().to_list() == [zone.name]
        assert inside["trade_time"].min() == zone.start


def test_banknifty_has_no_weekly_bucket_after_its_weeklies_ended(
    monthlies_only_day: SimulatedDay,
) -> None:
    buckets = monthlies_only_day.chain.unique("expiry_date").sort("expiry_date")["expiry_bucket"]
    assert buckets.to_list() == ["CM", "NM", None, None]


def test_a_far_expiry_lists_wider_steps_and_labels_the_nearest_strike(
    ordinary_day: SimulatedDay,
) -> None:
    last = ordinary_day.chain["expiry_date"].max()
    far = ordinary_day.chain.filter(pl.col("expiry_date") == last)
    assert (
        far.filter(pl.col("call_strike_type") == "ATM")
        .select((pl.col("strike") != pl.col("atm_strike")).any())
        .item()
    )


def test_bars_without_trade_repeat_the_last_print(any_day: SimulatedDay) -> None:
    for leg in LEGS:
        close = pl.col(f"{leg}_close")
        idle = any_day.chain.with_columns(
            last=close.shift(1).over("expiry_date", "strike"),
        ).filter((pl.col(f"{leg}_volume") == 0) & pl.col("last").is_not_null())
        assert idle.height > 1000
        assert idle.select((close == pl.col("last")).all()).item()
        assert (idle[f"{leg}_high"] == idle[f"{leg}_low"]).all()


def test_open_interest_refreshes_about_every_three_minutes(ordinary_day: SimulatedDay) -> None:
    held = ordinary_day.chain.group_by("trade_time", maintain_order=True).agg(pl.col("ce_oi"))
    changes = (held["ce_oi"] != held["ce_oi"].shift(1)).sum()
    assert 375 / 4.5 < changes < 375 / 2.2


def test_ground_truth_names_a_regime_for_each_minute(any_day: SimulatedDay) -> None:
    truth = any_day.regimes
    assert truth.height == 375
    assert sorted(truth["trade_time"]) == sorted(any_day.chain["trade_time"].unique())
    assert [REGIMES[number] for number in truth["regime_id"]] == truth["regime"].to_list()
    assert truth["regime"].n_unique() > 2


def test_a_closed_day_and_an_undeclared_symbol_are_refused(market: MarketSettings) -> None:
    with pytest.raises(SettingsError, match="no strike step is declared for SENSEX"):
        simulate_day(DaySpec("SENSEX", dt.date(2025, 8, 29), SEED, market))
    with pytest.raises(CalendarError):
        simulate_day(DaySpec("NIFTY", dt.date(2018, 1, 1), SEED, market))
    with pytest.raises(CalendarError, match="2025-08-31"):
        simulate_day(DaySpec("NIFTY", dt.date(2025, 8, 31), SEED, market))
