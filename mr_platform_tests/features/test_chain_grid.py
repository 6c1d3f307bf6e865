"""Cells, ranks and contracts of small chains written by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.features.chain_grid import (
    LEG_COLUMNS,
    MINUTE_COLUMNS,
    NEAR,
    RANKED,
    ChainGrid,
    ChainOrderError,
    at_rank,
    dte_bucket,
    lay_out,
    per_cell,
    per_run,
    strike_key,
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


def test_ranks_follow_the_call_s_label_up_to_the_last_one_that_is_read() -> None:
    ranks = (-12, -RANKED, -9, -1, 0, 1, 9, RANKED, RANKED + 1)
    made = grid(strip(0, ranks=ranks))
    assert made.near["k"].to_list() == [-RANKED, -9, -1, 0, 1, 9, RANKED]
    assert made.near["strike"].to_list() == [24_500.0 + 50 * k for k in ranks[1:-1]]
    assert made.near.schema["k"] == pl.Int32
    assert made.rows.height == len(ranks)


def test_what_repeats_on_the_rows_of_a_minute_is_held_once() -> None:
    made = grid([*strip(3, spot=24_510.0), *strip(1, spot=24_490.0)])
    assert made.minutes.select("cell", "spot").sort("cell").rows() == [(1, 24_490.0), (3, 24_510.0)]
    assert set(made.minutes.columns) == {"run", "cell", "g", "j", "u", *MINUTE_COLUMNS}
    expected = {"run", "cell", "g", "j", "strike", "spot", *LEG_COLUMNS}
    assert set(made.rows.columns) == expected


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
    near = lay_out(chain, CpuEngine()).near
    assert [k for k in near["k"].to_list() if k is not None] == [rank] * (rank is not None)


def _moved(chain: pl.DataFrame, how: str) -> pl.DataFrame:
    """The chain's rows in another order."""
    orders = {
        "as they come": chain,
        "shuffled": chain.sample(fraction=1.0, shuffle=True, seed=1),
        "by expiry": chain.sort("expiry_date", "ts_minute", "strike"),
        "backwards": chain.reverse(),
        "minutes backwards": chain.sort(
            "ts_minute", "expiry_date", "strike", descending=[True, False, False]
        ),
        "a minute in two parts": pl.concat([chain.slice(1), chain.slice(0, 1)]),
    }
    return orders[how]


@pytest.mark.parametrize(
    "how",
    ["as they come", "shuffled", "by expiry", "backwards", "minutes backwards",
     "a minute in two parts"],
)  # fmt: skip
def test_rows_stand_cell_by_cell_with_ascending_strikes_however_they_came(how: str) -> None:
    chain = hand_chain([*strip(1), *strip(0), *strip(0, expiry_date=dt.date(2025, 9, 9))])
    made = lay_out(_moved(chain, how).lazy(), CpuEngine())
    assert made.rows["run"].is_sorted()
    by_run = made.rows.group_by("run", maintain_order=True).agg(pl.col("cell").unique(), "strike")
    assert sorted(by_run["cell"].to_list()) == [[0], [1], [375]]
    assert by_run["strike"].to_list() == [[24_450.0, 24_500.0, 24_550.0]] * 3
    assert made.minutes.select("run", "cell").rows() == [
        (run, cell) for run, (cell,) in by_run.select("run", "cell").rows()
    ]


def test_a_strike_that_stands_twice_in_a_minute_is_refused() -> None:
    rows = strip(3)
    with pytest.raises(ChainOrderError, match="a strike stands twice"):
        grid([*rows, rows[1]])


def test_minutes_of_a_group_ascend_in_the_rows() -> None:
    chain = hand_chain([*strip(2), *strip(0), *strip(1)]).reverse()
    assert lay_out(chain, CpuEngine()).rows["j"].is_sorted()


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
    sums = [pl.col("ce_oi").sum(), pl.col("strike").first(), pl.col("strike").last().alias("end")]
    expected = [(1, 21, 24_500.0, 24_550.0), (3, 30, 24_450.0, 24_550.0)]
    assert per_run(made.rows, sums).collect().rows() == expected
    quoted = made.contracts.filter(pl.col("ce_oi").is_not_null())
    assert not quoted["cell"].is_sorted(), "contracts stand one after the other"
    assert per_cell(quoted, sums).collect().sort("cell").rows() == expected


def test_a_rank_is_looked_up_where_one_strike_carries_it() -> None:
    made = grid([*strip(0), *strip(1), {"j": 1, "k": 1, "strike": 24_600.0}, *strip(2, ranks=(0,))])
    found = at_rank(made.contracts.lazy(), 1).select("cell", "strike").collect()
    assert found.rows() == [(0, 24_550.0)]


def test_a_number_and_a_strike_make_one_whole_number() -> None:
    frame = pl.DataFrame({"g": [0, 1, 1], "strike": [24_500.0, 24_500.0, 24_500.05]})
    keys = frame.select(strike_key("g")).to_series()
    assert keys.dtype == pl.Int64
    assert keys.is_unique().all()
    assert keys[2] - keys[1] == 5


def test_a_chain_without_rows_gives_frames_without_rows() -> None:
    made = lay_out(hand_chain(strip(0)).clear(), CpuEngine())
    full = grid(strip(0))
    for name in ("cells", "minutes", "rows", "near", "contracts"):
        assert getattr(made, name).is_empty()
        assert getattr(made, name).schema == getattr(full, name).schema
