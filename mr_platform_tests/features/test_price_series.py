"""Prices of the panel: golden values by hand over a re-strike and over gaps."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest

from mr_platform.features.chain_grid import lay_out
from mr_platform.features.price_series import price_series
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.chain_days import hand_chain


def prices(rows, **day) -> pl.DataFrame:
    return price_series(lay_out(hand_chain(rows, **day), CpuEngine()))


def strip(j, centre, closes, **more):
    """Rows of one minute: strikes centre ± 50 with the given straddle closes (ce, pe)."""
    return [
        {"j": j, "k": k, "strike": centre + 50.0 * k, "ce_close": ce, "pe_close": pe, **more}
        for k, (ce, pe) in zip((-1, 0, 1), closes, strict=True)
    ]


def at(frame: pl.DataFrame, j: int, column: str):
    return frame.filter(pl.col("j") == j)[column].item()


RESTRIKE = [
    *strip(0, 24500.0, [(130, 70), (100, 90), (75, 115)]),
    # the money moves up one step: the old ATM strike is now rank -1
    *strip(1, 24550.0, [(112, 80), (84, 103), (60, 130)]),
    *strip(2, 24550.0, [(110, 84), (80, 100), (58, 133)]),
]


def test_a_held_return_follows_the_strike_that_was_at_the_money_before():
    frame = prices(RESTRIKE)
    assert at(frame, 0, "strd") == 190.0
    assert at(frame, 1, "strd") == 187.0
    assert at(frame, 0, "r_strd") is None
    # strike 24,500 was ATM at minute 0: 190 -> 112 + 80; not ln(187 / 190)
    assert at(frame, 1, "r_strd") == pytest.approx(math.log(192 / 190), rel=1e-15)
    assert at(frame, 2, "r_strd") == pytest.approx(math.log(180 / 187), rel=1e-15)
    assert at(frame, 1, "r_ce") == pytest.approx(math.log(112 / 100), rel=1e-15)
    assert at(frame, 1, "r_strd_min") == 1


def test_the_lagged_straddle_is_that_of_the_strike_at_the_money_now():
    frame = prices(RESTRIKE)
    assert at(frame, 0, "strd_lag") is None
    assert at(frame, 1, "strd_lag") == 75 + 115
    assert at(frame, 2, "strd_lag") == 187.0


def test_the_combined_straddle_and_its_return_hold_three_strikes():
    frame = prices(RESTRIKE)
    before = 0.5 * 190 + 0.3 * 200 + 0.2 * 190
    assert at(frame, 0, "comb") == pytest.approx(before)
    # held: ATM 24,500 -> 192; one below 24,450 is not quoted any more -> no return
    assert at(frame, 1, "r_comb") is None
    assert at(frame, 2, "r_comb") == pytest.approx(
        math.log((0.5 * 180 + 0.3 * 194 + 0.2 * 191) / (0.5 * 187 + 0.3 * 192 + 0.2 * 190))
    )


@pytest.mark.parametrize(("gap", "spans"), [(1, 2), (2, 3), (3, None)])
def test_a_return_bridges_up_to_two_missing_minutes(gap, spans):
    rows = [
        *strip(0, 24500.0, [(130, 70), (100, 90), (75, 115)]),
        *strip(gap + 1, 24500.0, [(131, 71), (104, 91), (76, 116)]),
    ]
    frame = prices(rows)
    assert at(frame, gap + 1, "r_strd_min") == spans
    wanted = None if spans is None else pytest.approx(math.log(195 / 190), rel=1e-15)
    assert at(frame, gap + 1, "r_strd") == wanted
    assert at(frame, 1, "strd") is None
    assert not at(frame, 1, "present")


def test_a_minute_without_its_own_price_has_no_return_so_that_none_is_counted_twice():
    rows = [
        *strip(0, 24500.0, [(130, 70), (100, 90), (75, 115)]),
        # no row carries the ATM label here, though strike 24,500 is quoted
        {"j": 1, "k": 1, "strike": 24500.0, "ce_close": 102, "pe_close": 90},
        *strip(2, 24500.0, [(131, 71), (104, 91), (76, 116)]),
    ]
    frame = prices(rows)
    assert at(frame, 1, "r_strd") is None
    assert at(frame, 2, "r_strd") == pytest.approx(math.log(195 / 190), rel=1e-15)
    assert at(frame, 2, "r_strd_min") == 2


def test_two_rows_with_the_atm_label_select_none():
    rows = [
        {"j": 0, "k": 0, "strike": 24500.0, "ce_close": 100, "pe_close": 90},
        {"j": 0, "k": 0, "strike": 24550.0, "ce_close": 80, "pe_close": 110},
    ]
    frame = prices(rows)
    assert at(frame, 0, "strd") is None
    assert at(frame, 0, "strike_atm") is None


def test_the_lagged_straddle_is_null_where_two_rows_carry_the_atm_label():
    before = [
        {"j": 0, "k": 0, "strike": 24500.0, "ce_close": 100, "pe_close": 90},
        {"j": 0, "k": 1, "strike": 24550.0, "ce_close": 75, "pe_close": 115},
    ]
    twice = [{**row, "j": 1, "k": 0} for row in before]
    frame = prices([*before, *twice])
    assert at(frame, 0, "strd") == 190.0
    assert at(frame, 1, "strd_lag") is None


@pytest.mark.parametrize(
    ("closes", "forward"),
    [
        # K + C - P: 24,510 ; 24,510 ; 24,510
        ([(130, 70), (100, 90), (75, 115)], 24510.0),
        # 24,470 ; 24,530 ; 24,510 -> the middle one
        ([(100, 80), (115, 85), (75, 115)], 24510.0),
        # a zero price leaves its strike out: mean of two
        ([(0, 80), (115, 85), (75, 115)], 24520.0),
        ([(0, 80), (115, 85), (75, 0)], 24530.0),
        ([(0, 80), (115, 0), (75, 0)], None),
    ],
)
def test_the_forward_is_the_median_over_three_strikes_with_both_prices(closes, forward):
    assert at(prices(strip(0, 24500.0, closes)), 0, "forward") == forward


def test_the_step_is_the_most_frequent_gap_and_the_smaller_on_a_tie():
    strikes = [24400.0, 24450.0, 24500.0, 24600.0, 24700.0]
    rows = [{"j": 0, "k": n - 2, "strike": strike} for n, strike in enumerate(strikes)]
    assert at(prices(rows), 0, "step") == 50.0
    wide = [{"j": 0, "k": n - 1, "strike": s} for n, s in enumerate([24400.0, 24500.0, 24600.0])]
    assert at(prices(wide), 0, "step") == 100.0


def test_time_to_expiry_runs_from_the_end_of_the_bar_and_has_a_floor():
    frame = prices(RESTRIKE)
    # four days and 374 minutes left after the first bar
    assert at(frame, 0, "tau") == pytest.approx((4 * 1440 + 374) / 525_600, rel=1e-15)
    expiry_day = prices(RESTRIKE, expiry=dt.date(2025, 8, 29))
    assert at(expiry_day, 369, "tau") == pytest.approx(5 / 525_600, rel=1e-15)
    assert at(expiry_day, 368, "tau") == pytest.approx(6 / 525_600, rel=1e-15)
    assert at(expiry_day, 374, "tau") == pytest.approx(5 / 525_600, rel=1e-15)


def test_the_underlying_is_known_in_every_expiry_if_one_quotes_the_minute():
    far = dt.date(2025, 9, 9)
    rows = [
        *strip(0, 24500.0, [(130, 70), (100, 90), (75, 115)], spot=24500.0, future_close=24520.0),
        *strip(1, 24500.0, [(130, 70), (100, 90), (75, 115)], spot=24510.0, future_close=24533.0),
        {"j": 0, "k": 0, "strike": 24500.0, "expiry_date": far, "future_close": 24520.0},
    ]
    frame = prices(rows).filter(pl.col("expiry_date") == far)
    assert at(frame, 1, "spot") == 24510.0
    assert at(frame, 1, "basis") == 23.0
    assert at(frame, 1, "r_und") == pytest.approx(math.log(24510 / 24500), rel=1e-15)
    assert at(frame, 1, "r_fut") == pytest.approx(math.log(24533 / 24520), rel=1e-15)
    assert at(frame, 1, "present") is False
    assert at(frame, 1, "strd") is None


def test_differences_of_volatility_hold_the_strike_too():
    rows = [
        *[{**row, "ce_iv": 0.12, "pe_iv": 0.14} for row in RESTRIKE[:3]],
        *[
            {**row, "ce_iv": iv, "pe_iv": iv + 0.02}
            for row, iv in zip(RESTRIKE[3:6], (0.15, 0.11, 0.10), strict=True)
        ],
    ]
    frame = prices(rows)
    assert at(frame, 1, "iv") == pytest.approx(0.12)
    # strike 24,500 is the row one below the money at minute 1: 0.16 - 0.13
    assert at(frame, 1, "d_iv") == pytest.approx(0.03)
    assert at(frame, 1, "d_iv_ce") == pytest.approx(0.03)


def test_open_interest_at_the_open_is_that_of_the_strike_selected_now():
    rows = [{**row, "ce_oi": 1000 + n, "pe_oi": 2000 + n} for n, row in enumerate(RESTRIKE)]
    frame = prices(rows)
    assert at(frame, 0, "atm_oi_open") == 3002
    assert at(frame, 1, "atm_oi_open") == 3004  # 24,550 was the strike above at the open
    late = [{**row, "j": row["j"] + 16} for row in rows]
    assert prices(late)["atm_oi_open"].null_count() == 375  # no price by 09:30: null all day


def test_an_empty_chain_gives_an_empty_frame():
    assert prices([]).height == 0
