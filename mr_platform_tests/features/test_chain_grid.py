"""Cells, ranks and contracts of small chains written by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.features.chain_grid import (
    LEG_COLUMNS,
    MINUTE_COLUMNS,
    NEAR,
    ChainGrid,
    dte_bucket,
    lay_out,
    per_cell,
)
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.chain_days import hand_chain

DAY = dt.date(2025, 8, 29)
EXPIRY = dt.date(2025, 9, 2)
YEAR = 365 * 24 * 60


def grid(rows, **day) -> ChainGrid:
    return lay_out(hand_chain(rows, **day), CpuEngine())


def strip(j: int, ranks=(-1, 0, 1), centre: float = 24_500.0, **more):
    return [{"j": j, "k": k, "strike": centre + 50 * k, "ce_oi": 10 + k, **more} for k in ranks]


def test_a_group_has_all_minutes_and_a_cell_is_375_times_the_group_plus_the_minute() -> None:
    made = grid([*strip(2), *strip(374, expiry_date=dt.date(2025, 9, 9))])
    cells = made.cells
    assert cells.height == 2 * 375
    assert cells["cell"].to_list() == list(range(750))
    assert (cells["cell"] == cells["g"] * 375 + cells["j"]).all()
    assert cells.filter("present").select("g", "j").rows() == [(0, 2), (1, 374)]
    assert cells["u"].unique().to_list() == [0], "expiries of a day share their underlying"


def test_minutes_carry_their_time_zone_and_time_to_expiry() -> None:
    cells = grid(strip(0)).cells
    first, last = cells.row(0, named=True), cells.row(374, named=True)
    assert first["ts_minute"] == dt.datetime(2025, 8, 29, 3, 45, tzinfo=dt.UTC)
    assert last["ts_minute"] == dt.datetime(2025, 8, 29, 9, 59, tzinfo=dt.UTC)
    assert (first["zone_name"], last["zone_name"]) == ("OPEN", "CLOSE")
    # from the end of the minute to 15:30 of the expiry
    assert first["tau"] == pytest.approx((4 * 1440 + 374) / YEAR, rel=1e-12)
    assert last["tau"] == pytest.approx(4 * 1440 / YEAR, rel=1e-12)


def test_on_the_day_of_expiry_five_minutes_are_left_at_least() -> None:
    cells = grid(strip(0, expiry_date=DAY)).cells
    assert cells["tau"][374] == cells["tau"][369] == pytest.approx(5 / YEAR, rel=1e-12)
    assert cells["tau"][368] == pytest.approx(6 / YEAR, rel=1e-12)


@pytest.mark.parametrize(
    ("dte", "bucket"), [(0, "near"), (7, "near"), (8, "mid"), (30, "mid"), (31, "far")]
)
def test_buckets_of_days_to_expiry(dte: int, bucket: str) -> None:
    assert pl.select(dte_bucket(pl.lit(dte))).item() == bucket


def test_days_and_symbols_are_numbered_in_order() -> None:
    days = [
        hand_chain(strip(0), symbol=symbol, day=day)
        for symbol in ("NIFTY", "BANKNIFTY")
        for day in (dt.date(2025, 9, 1), DAY)
    ]
    cells = lay_out(pl.concat(days), CpuEngine()).cells.filter(pl.col("j") == 0)
    assert cells.select("symbol", "date", "g", "u").rows() == [
        ("BANKNIFTY", DAY, 0, 0),
        ("BANKNIFTY", dt.date(2025, 9, 1), 1, 1),
        ("NIFTY", DAY, 2, 2),
        ("NIFTY", dt.date(2025, 9, 1), 3, 3),
    ]


def test_ranks_follow_the_call_s_label() -> None:
    rows = grid(strip(0, ranks=(-12, -1, 0, 1, 12))).rows
    assert rows["k"].to_list() == [-12, -1, 0, 1, 12]
    assert rows.schema["k"] == pl.Int32
    assert set(rows.columns) == {"cell", "g", "j", "strike", "k", *MINUTE_COLUMNS, *LEG_COLUMNS}


@pytest.mark.parametrize(
    ("call", "put", "rank"),
    [("ATM", "ATM", 0), ("ATM", "OTM1", None), (None, "ATM", None), ("OTM3", "ITM3", 3)],
)
def test_only_a_row_at_the_money_for_both_sides_has_rank_zero(
    call: str | None, put: str | None, rank: int | None
) -> None:
    chain = hand_chain(strip(0, ranks=(0,))).with_columns(
        call_strike_type=pl.lit(call, pl.String), put_strike_type=pl.lit(put, pl.String)
    )
    assert lay_out(chain, CpuEngine()).rows["k"].to_list() == [rank]


def test_rows_ascend_by_cell_and_strike_in_whatever_order_they_came() -> None:
    chain = hand_chain([*strip(1), *strip(0), *strip(0, expiry_date=dt.date(2025, 9, 9))])
    mixed = chain.sample(fraction=1.0, shuffle=True, seed=1)
    for rows in (lay_out(chain, CpuEngine()).rows, lay_out(mixed.lazy(), CpuEngine()).rows):
        assert rows.select("cell", "strike").rows() == [
            (cell, strike) for cell in (0, 1, 375) for strike in (24_450.0, 24_500.0, 24_550.0)
        ]


def test_a_contract_is_a_strike_near_the_money_at_some_minute_on_all_minutes() -> None:
    far = NEAR + 1
    made = grid([*strip(0, ranks=(0, NEAR, far)), *strip(9, ranks=(0, far), centre=24_450.0)])
    contracts = made.contracts
    # near at either minute: 24,450, 24,500 and rank 7; rank 8 of 24,450 is the strike of rank 7
    assert contracts["strike"].unique().sort().to_list() == [24_450.0, 24_500.0, 24_850.0]
    assert contracts.height == 3 * 375
    assert contracts["c"].to_list() == [c for c in range(3) for _ in range(375)]
    middle = contracts.filter(pl.col("strike") == 24_850.0)
    assert middle["j"].to_list() == list(range(375))
    assert {j: middle["k"][j] for j in (0, 5, 9)} == {0: NEAR, 5: None, 9: far}
    assert middle["ce_oi"][9] == 10 + far, "its values are there beyond rank seven too"
    assert middle["ce_oi"].null_count() == 373


def test_sums_of_strikes_stand_on_their_cell_in_order() -> None:
    made = grid([*strip(3), *strip(1, ranks=(0, 1))])
    sums = [pl.col("ce_oi").sum(), pl.col("strike").first()]
    expected = [(1, 21, 24_500.0), (3, 30, 24_450.0)]
    assert per_cell(made.rows, sums, in_order=True).collect().rows() == expected
    mixed = made.rows.sample(fraction=1.0, shuffle=True, seed=2)
    assert per_cell(mixed, sums).collect().rows() == expected


def test_a_chain_without_rows_gives_frames_without_rows() -> None:
    made = lay_out(hand_chain(strip(0)).clear(), CpuEngine())
    full = grid(strip(0))
    for name in ("cells", "rows", "contracts"):
        assert getattr(made, name).is_empty()
        assert getattr(made, name).schema == getattr(full, name).schema
