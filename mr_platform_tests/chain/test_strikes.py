"""ATM, ranks, labels, buckets and steps, by hand and against the real files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain import sessions, strikes

DAY = dt.date(2025, 8, 29)
EXPIRY = dt.date(2025, 9, 2)


def chain(
    listed: list[float],
    atm: float | None,
    *,
    minute: int = 0,
    expiry: dt.date = EXPIRY,
    symbol: str = "NIFTY",
) -> pl.DataFrame:
    moment = sessions.utc_minute(DAY, dt.time(10, minute))
    return pl.DataFrame(
        {
            "symbol": symbol,
            "date": DAY,
            "ts_minute": pl.Series([moment] * len(listed), dtype=sessions.UTC_MINUTE),
            "expiry_date": expiry,
            "strike": listed,
            "atm_strike": pl.Series([atm] * len(listed), dtype=pl.Float64),
        }
    )


def real_chain(real_data: Path, symbol: str, day: str) -> pl.DataFrame:
    file = real_data / "options" / "chain" / f"symbol={symbol}" / f"{symbol}_{day}.parquet"
    return (
        pl.read_parquet(file)
        .rename({"index_name": "symbol", "trade_date": "date"})
        .with_columns(ts_minute=sessions.ts_minute("date", "trade_time"))
    )


# --- ATM ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spot", "step", "atm"),
    [
        (24_556.8, 50, 24_550),
        (24_575.0, 50, 24_600),
        (24_574.99, 50, 24_550),
        (55_050.0, 100, 55_100),
        (100.0, 50, 100),
    ],
)
def test_atm_is_spot_rounded_half_up(spot: float, step: float, atm: float) -> None:
    assert pl.DataFrame({"spot": [spot]}).select(strikes.nearest_strike("spot", step)).item() == atm


def test_a_missing_atm_is_filled_and_marked_by_symbol() -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["NIFTY", "BANKNIFTY", "NIFTY", "NIFTY"],
            "spot": [24_530.0, 55_049.0, 24_530.0, None],
            "atm_strike": [None, None, 24_600.0, None],
        }
    )
    steps = {"NIFTY": 50.0, "BANKNIFTY": 100.0}
    filled = strikes.add_atm_strike(frame, steps)
    assert filled["atm_strike"].to_list() == [24_550.0, 55_000.0, 24_600.0, None]
    assert filled["atm_computed"].to_list() == [True, True, False, False]
    absent = strikes.add_atm_strike(frame.drop("atm_strike"), steps)
    assert absent["atm_strike"].to_list() == [24_550.0, 55_000.0, 24_550.0, None]
    assert absent["atm_computed"].to_list() == [True, True, True, False]


def test_atm_equals_that_of_the_real_files(real_data: Path) -> None:
    for symbol, day in (("NIFTY", "2026-08-17"), ("BANKNIFTY", "2019-05-23")):
        frame = real_chain(real_data, symbol, day)
        derived = strikes.add_atm_strike(frame.drop("atm_strike"), {"NIFTY": 50, "BANKNIFTY": 100})
        assert derived["atm_strike"].equals(frame["atm_strike"])


# --- ranks and labels -----------------------------------------------------------------------


def test_calls_and_puts_carry_mirrored_labels() -> None:
    labelled = strikes.add_strike_types(chain([200.0, 100.0, 150.0, 250.0, 50.0], 150.0))
    assert labelled.sort("strike").select(
        "strike", "call_strike_type", "put_strike_type"
    ).rows() == [
        (50.0, "ITM2", "OTM2"),
        (100.0, "ITM1", "OTM1"),
        (150.0, "ATM", "ATM"),
        (200.0, "OTM1", "ITM1"),
        (250.0, "OTM2", "ITM2"),
    ]
    assert labelled["strike"].to_list() == [200.0, 100.0, 150.0, 250.0, 50.0]


def test_the_nearest_listed_strike_is_atm_and_ranks_skip_gaps() -> None:
    ranked = strikes.add_strike_rank(chain([100.0, 200.0, 500.0, 1000.0], 240.0))
    assert ranked["strike_rank"].to_list() == [-1, 0, 1, 2]


def test_of_two_equally_near_strikes_the_upper_is_atm() -> None:
    assert strikes.add_strike_rank(chain([100.0, 200.0], 150.0))["strike_rank"].to_list() == [-1, 0]


def test_atm_beyond_the_listed_strikes_takes_the_outermost() -> None:
    assert strikes.add_strike_rank(chain([100.0, 200.0], 900.0))["strike_rank"].to_list() == [-1, 0]
    assert strikes.add_strike_rank(chain([100.0, 200.0], 5.0))["strike_rank"].to_list() == [0, 1]


def test_without_atm_there_is_no_rank_and_no_label() -> None:
    labelled = strikes.add_strike_types(chain([100.0, 200.0], None))
    assert labelled["call_strike_type"].to_list() == [None, None]
    assert labelled["put_strike_type"].to_list() == [None, None]


def test_each_minute_and_expiry_and_symbol_is_ranked_by_itself() -> None:
    other = dt.date(2025, 9, 9)
    frame = pl.concat(
        [
            chain([100.0, 200.0, 300.0], 200.0),
            chain([100.0, 200.0, 300.0], 300.0, minute=1),
            chain([100.0, 300.0], 200.0, expiry=other),
            chain([100.0, 200.0, 300.0], 100.0, symbol="BANKNIFTY"),
        ]
    )
    assert strikes.add_strike_rank(frame)["strike_rank"].to_list() == [
        *(-1, 0, 1),
        *(-2, -1, 0),
        *(-1, 0),
        *(0, 1, 2),
    ]


def test_a_strike_first_quoted_later_does_not_change_an_earlier_label() -> None:
    frame = pl.concat(
        [chain([100.0, 300.0], 100.0), chain([100.0, 200.0, 300.0], 100.0, minute=30)]
    )
    assert strikes.add_strike_rank(frame)["strike_rank"].to_list() == [0, 1, 0, 1, 2]


def test_duplicate_keys_do_not_multiply_rows() -> None:
    frame = chain([100.0, 100.0, 200.0], 100.0)
    assert strikes.add_strike_rank(frame)["strike_rank"].to_list() == [0, 0, 1]


def test_labels_read_back_as_ranks() -> None:
    frame = pl.DataFrame({"k": [-12, -1, 0, 1, 250, None]})
    labels = frame.select("k", call=strikes.call_label("k"), put=strikes.put_label("k"))
    assert labels["call"].to_list() == ["ITM12", "ITM1", "ATM", "OTM1", "OTM250", None]
    assert labels["put"].to_list() == ["OTM12", "OTM1", "ATM", "ITM1", "ITM250", None]
    back = labels.select(strikes.rank_from_call_label("call")).to_series()
    assert back.to_list() == frame["k"].to_list()


def test_unknown_labels_have_no_rank() -> None:
    frame = pl.DataFrame({"label": ["itm1", "OTM", "ATM1", "OTM-1", "", "XTM3", "OTM1 "]})
    assert frame.select(strikes.rank_from_call_label("label")).to_series().is_null().all()


def test_labels_that_are_no_mirror_images_are_found() -> None:
    frame = pl.DataFrame(
        {
            "call": ["ATM", "ITM3", "OTM2", "ITM3", "ATM", "OTM1", None],
            "put": ["ATM", "OTM3", "ITM2", "OTM2", "ITM1", None, "ATM"],
        }
    )
    assert frame.select(strikes.labels_mirror("call", "put")).to_series().to_list() == [
        *(True, True, True),
        *(False, False, False, False),
    ]


@pytest.mark.parametrize(
    ("symbol", "day", "near_at_least", "all_at_least"),
    [
        ("NIFTY", "2026-02-03", 1.0, 1.0),
        ("BANKNIFTY", "2026-02-03", 1.0, 1.0),
        ("NIFTY", "2026-08-18", 1.0, 0.87),
        ("NIFTY", "2025-08-29", 0.92, 0.81),
        ("BANKNIFTY", "2019-05-28", 0.92, 0.68),
    ],
)
def test_labels_agree_with_the_real_files_as_far_as_their_listing_does(
    real_data: Path, symbol: str, day: str, near_at_least: float, all_at_least: float
) -> None:
    # these files rank among the day's strikes, some of which have no row in a minute
    frame = real_chain(real_data, symbol, day).with_columns(given=pl.col("call_strike_type"))
    agree = pl.col("given") == pl.col("call_strike_type")
    near = strikes.rank_from_call_label("given").abs() <= 7
    near_share, share = (
        strikes.add_strike_types(frame)
        .select(near=agree.filter(near).mean(), all=agree.mean())
        .row(0)
    )
    assert near_share >= near_at_least
    assert share >= all_at_least


@pytest.mark.parametrize(
    ("symbol", "day"),
    [("NIFTY", "2025-08-29"), ("BANKNIFTY", "2025-08-29"), ("NIFTY", "2019-05-23")],
)
def test_the_row_at_the_money_is_that_of_the_real_files(
    real_data: Path, symbol: str, day: str
) -> None:
    frame = real_chain(real_data, symbol, day)
    ranked = strikes.add_strike_rank(frame)
    given = ranked.filter(pl.col("call_strike_type") == "ATM")
    assert given.height > 50
    # a strike can be missing in a minute; else both rules point at the same row
    assert (given["strike_rank"] == 0).mean() == 1.0


# --- step, dte, buckets ---------------------------------------------------------------------


def test_the_step_is_the_most_frequent_gap_near_the_money() -> None:
    listed = [*range(1000, 1500, 100), *range(1500, 1800, 50), *range(1800, 2500, 100)]
    ranked = strikes.add_strike_rank(chain([float(strike) for strike in listed], 1650.0))
    assert strikes.modal_step(ranked)["step"].to_list() == [100.0]
    fine = strikes.add_strike_rank(chain([float(s) for s in range(1000, 2000, 50)], 1500.0))
    assert strikes.modal_step(fine).select("expiry_date", "step").rows() == [(EXPIRY, 50.0)]


def test_on_a_tie_the_smaller_step_wins_and_a_lone_strike_has_none() -> None:
    ranked = strikes.add_strike_rank(chain([100.0, 200.0, 250.0], 200.0))
    assert strikes.modal_step(ranked)["step"].to_list() == [50.0]
    lone = strikes.add_strike_rank(chain([100.0], 100.0))
    assert strikes.modal_step(lone).height == 0


def test_dte_and_buckets_equal_those_of_the_real_files(real_data: Path) -> None:
    frame = pl.concat(
        [
            real_chain(real_data, symbol, day).select(
                "symbol", "date", "expiry_date", "dte", "expiry_bucket"
            )
            for symbol, day in (
                ("NIFTY", "2025-08-29"),
                ("BANKNIFTY", "2025-08-29"),
                ("BANKNIFTY", "2019-05-28"),
            )
        ]
    )
    derived = strikes.add_expiry_bucket(frame, name="derived").with_columns(days=strikes.dte())
    assert derived["derived"].equals(frame["expiry_bucket"].alias("derived"))
    assert derived["days"].dtype == pl.Int64
    assert derived["days"].equals(frame["dte"].alias("days"))
