"""One shape for every dialect: volumes per bar, legs side by side, gaps derived and marked."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.chain.canonical import canonical_schema, to_canonical
from mr_platform.chain.dialects import LEGACY_CHAIN, LONG_QUOTES
from mr_platform.chain.ingest import ingest_partition
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.chain.days import KEY, NOW, land, legacy_day, settings

FINANCE_KEY = PartitionKey(dt.date(2026, 8, 18), "NIFTY")


def long_rows() -> pl.DataFrame:
    """Four minutes of one strike: running volume, a put without its call at the end."""
    rows = []
    for number, (minute, side, volume, close) in enumerate(
        [
            (555, "CE", 10.0, 5.0),
            (555, "PE", 20.0, 6.0),
            (556, "CE", 15.0, 5.5),
            (556, "PE", 20.0, 6.5),
            (557, "CE", 12.0, 5.25),
            (558, "PE", 26.0, 6.25),
        ],
        start=1,
    ):
        rows.append(
            {
                "_file": 0,
                "_row": number,
                "minute": minute,
                "time": dt.time(minute // 60, minute % 60),
                "expiry_date": dt.date(2026, 9, 1),
                "strike": 24200.0,
                "option_type": side,
                "spot": 24200.0,
                "close": close,
                "volume": volume,
                "oi": 100.0,
            }
        )
    return pl.DataFrame(rows)


def canonical(rows: pl.DataFrame, cumulative: bool) -> pl.DataFrame:
    return to_canonical(
        rows, LONG_QUOTES, FINANCE_KEY, settings(), cumulative={0: cumulative}
    ).chain


def test_call_and_put_stand_side_by_side_and_count_their_input_rows():
    chain = canonical(long_rows(), cumulative=False)

    assert chain["ce_close"].to_list() == [5.0, 5.5, 5.25, None]
    assert chain["pe_close"].to_list() == [6.0, 6.5, None, 6.25]
    assert chain["source_rows"].to_list() == [2, 2, 1, 1]
    assert dict(chain.schema) == canonical_schema()


def test_a_running_total_becomes_volume_per_bar_and_a_fall_is_null():
    chain = canonical(long_rows(), cumulative=True)

    # 09:15 keeps its total, a rise is the difference, a fall is no volume
    assert chain["ce_volume"].to_list() == [10, 5, None, None]
    assert chain["pe_volume"].to_list() == [20, 0, None, 6]


def test_a_first_total_after_the_open_is_unknown():
    chain = canonical(long_rows().filter(pl.col("minute") > 555), cumulative=True)

    assert chain["ce_volume"].to_list() == [None, None, None]
    assert chain["pe_volume"].to_list() == [None, None, 6]


def test_ranks_buckets_zones_and_dte_are_derived():
    row = canonical(long_rows(), cumulative=False).row(0, named=True)

    assert (row["call_strike_type"], row["put_strike_type"]) == ("ATM", "ATM")
    assert (row["atm_strike"], row["atm_computed"], row["dte"]) == (24200.0, True, 14)
    assert (row["zone_id"], row["zone_name"], row["expiry_bucket"]) == (1, "OPEN", "CW")
    assert row["ts_minute"] == dt.datetime(2026, 8, 18, 3, 45, tzinfo=dt.UTC)


def test_an_impossible_volatility_is_nulled_with_its_greeks_and_computed_again(tmp_path):
    bent = legacy_day().with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(900.0).otherwise("ce_iv").alias("ce_iv"),
        pl.when(pl.int_range(pl.len()) == 0).then(0.99).otherwise("ce_delta").alias("ce_delta"),
    )
    clean = ingest(land(legacy_day(), tmp_path, "clean.csv")).chain

    partition = ingest(land(bent, tmp_path))
    row = partition.chain.row(0, named=True)
    note = partition.audit.filter(pl.col("rule") == "iv_out_of_range_nulled")

    assert note["rows_failed"].to_list() == [1]
    assert row["ce_iv_computed"]
    assert row["ce_greeks_computed"]
    assert row["ce_iv"] == pytest.approx(0.12, abs=2e-4)
    assert row["ce_delta"] == pytest.approx(clean["ce_delta"][0], abs=1e-3)


def test_minutes_without_a_spot_that_nothing_implies_are_named():
    lonely = long_rows().with_columns(pl.lit(None, pl.Float64).alias("spot"))

    derived = to_canonical(lonely, LONG_QUOTES, FINANCE_KEY, settings(), cumulative={0: False})

    assert derived.chain.is_empty()
    assert derived.underivable["_row"].sort().to_list() == [1, 2, 3, 4, 5, 6]


def ingest(source: RawFile):
    return ingest_partition(KEY, [source], settings(), now=NOW, code_version="v1")


def test_the_canonical_names_are_the_reference_layout_with_its_three_keys_renamed():
    renamed = {"index_name": "symbol", "trade_date": "date", "trade_time": "ts_minute"}
    expected = {renamed.get(name, name) for name in LEGACY_CHAIN.required}

    assert expected <= set(canonical_schema())
    assert set(canonical_schema()) - expected == {
        "spot_computed",
        "atm_computed",
        "ce_iv_computed",
        "pe_iv_computed",
        "ce_greeks_computed",
        "pe_greeks_computed",
        "source_rows",
    }
