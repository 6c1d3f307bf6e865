"""Fixed-strike sums near the money, worked out by hand."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features.oi_flows import flow_series
from mr_platform_tests.features.oi_chains import CENTRE, STEP, grid, minute, ranked

ONES = ranked(1000)


def at(rows, j: int) -> dict[str, object]:
    return flow_series(grid(rows)).filter(pl.col("cell") == j).row(0, named=True)


def test_changes_compare_the_strikes_that_are_near_now():
    # the money moves up four steps: ranks -7 .. -4 leave, four strikes enter from above
    before = [
        {"j": 0, "k": k, "strike": CENTRE + STEP * k, "ce_oi": 1000 + k, "pe_oi": 500}
        for k in range(-7, 12)
    ]
    after = [
        {"j": 3, "k": k - 4, "strike": CENTRE + STEP * k, "ce_oi": 1010 + k, "pe_oi": 500}
        for k in range(-7, 12)
    ]
    row = at([*before, *after], 3)
    assert row["o3_change_ce_3"] == 15 * 10
    assert row["o3_base_ce_3"] == sum(1000 + k for k in range(-3, 12))
    assert row["o3_change_pe_3"] == 0
    assert row["o3_oi_ce"] == sum(1010 + k for k in range(-3, 12))
    assert row["o3_change_ce_5"] is None


def test_a_strike_without_one_end_is_left_out_of_both_sums():
    rows = [
        *minute(0, {"ce_oi": ranked(1000, m1=None, p2=5000), "pe_oi": ONES}),
        *minute(5, {"ce_oi": ranked(1100, m1=9000, p2=None), "pe_oi": ONES}),
    ]
    row = at(rows, 5)
    assert (row["o3_change_ce_5"], row["o3_base_ce_5"]) == (13 * 100, 13 * 1000)


def test_legs_count_their_own_strikes():
    few = ranked(None, m3=1, m2=1, m1=1, z=1, p1=1, p2=1, p3=1, p4=1, p5=1)
    row = at(minute(0, {"ce_oi": few, "pe_oi": ONES}), 0)
    assert row["o3_oi_ce"] is None
    assert row["oi_centroid_ce"] is None
    assert row["o3_hhi_oi_ce"] is None
    assert row["o3_oi_pe"] == 15_000
    # what takes both legs of a strike has nine
    assert row["o3_spread"] is None
    ten = at(minute(0, {"ce_oi": [*few[:-1], 1], "pe_oi": ONES}), 0)
    assert ten["o3_oi_ce"] == 10


def test_strikes_beyond_rank_seven_do_not_count():
    rows = minute(0, {"ce_oi": ONES, "pe_oi": ONES})
    far = {"j": 0, "k": 8, "strike": CENTRE + 8 * STEP, "ce_oi": 10**6, "pe_oi": 10**6}
    assert at([*rows, far], 0)["o3_oi_ce"] == 15_000


def test_levels_over_strikes():
    ce = ranked(0, m2=300, p1=100)
    row = at(minute(0, {"ce_oi": ce, "pe_oi": ranked(0)}), 0)
    assert row["oi_centroid_ce"] == (300 * 24_400 + 100 * 24_550) / 400
    assert row["o3_hhi_oi_ce"] == (300**2 + 100**2) / 400**2
    assert row["o3_otm_share_ce"] == 0.25
    assert row["o3_otm_share_pe"] is None
    assert row["oi_centroid_pe"] is None
    mean = 24_437.5
    spread = math.sqrt((300 * (24_400 - mean) ** 2 + 100 * (24_550 - mean) ** 2) / 400)
    assert row["o3_spread"] == pytest.approx(spread, rel=1e-14)


def test_puts_out_of_the_money_lie_below():
    row = at(minute(0, {"ce_oi": ONES, "pe_oi": ranked(0, m2=300, p1=100)}), 0)
    assert row["o3_otm_share_pe"] == 0.75


def test_volume_needs_its_minutes_on_each_strike():
    rows = []
    for j in range(5):
        # rank 3 misses two minutes of five, rank -2 one
        volumes = ranked(10, p3=None if j in (1, 2) else 10, m2=None if j == 4 else 10)
        rows += minute(j, {"ce_volume": volumes, "pe_volume": ranked(10)})
    row = at(rows, 4)
    assert row["o3_volume_ce_5"] == 13 * 50 + 40
    assert row["o3_volume_pe_5"] == 15 * 50
    assert row["o3_volume_pe_15"] is None
    assert at(rows, 3)["o3_volume_pe_5"] == 15 * 40
    assert at(rows, 2)["o3_volume_pe_5"] is None


def test_velocity_is_the_slope_on_the_minute_of_valid_values():
    series = {0: 100, 1: 110, 3: 160}
    rows = []
    for j in range(4):
        oi = ranked(200, z=series.get(j))
        rows += minute(j, {"ce_oi": oi, "pe_oi": ONES})
    # least squares through (0, 100), (1, 110), (3, 160): slope 145/7, mean 370/3
    row = at(rows, 3)
    expected = (145 / 7) / (14 * 200 + 370 / 3)
    assert row["o3_velocity_ce_3"] == pytest.approx(expected, rel=1e-14)
    assert row["o3_velocity_ce_5"] is not None  # 14 strikes have four minutes, rank 0 has three
    assert row["o3_velocity_ce_5"] == 0.0
    assert at(rows, 1)["o3_velocity_ce_3"] is None


def test_acceleration_takes_three_points_of_the_same_strikes():
    rows = [
        *minute(0, {"ce_oi": ranked(1000, p1=None), "pe_oi": ONES}),
        *minute(3, {"ce_oi": ranked(1100), "pe_oi": ONES}),
        *minute(6, {"ce_oi": ranked(1250), "pe_oi": ranked(1000, m1=None)}),
    ]
    row = at(rows, 6)
    assert row["o3_accel_ce_3"] == (14 * 50) / (14 * 1000)
    assert row["o3_accel_pe_3"] == 0.0
    assert row["o3_accel_ce_5"] is None


def test_premium_changes_on_fixed_strikes():
    rows = [
        *minute(0, {"ce_close": ranked(100.0, p1=None), "pe_close": ranked(50.0)}),
        *minute(3, {"ce_close": ranked(110.0), "pe_close": ranked(40.0)}),
    ]
    row = at(rows, 3)
    assert row["o3_price_ce_3"] == pytest.approx(0.1, rel=1e-15)
    assert row["o3_price_pe_3"] == pytest.approx(-0.2, rel=1e-15)


def test_breadth_of_flow_over_strikes():
    then = {"ce_oi": ONES, "pe_oi": ONES, "ce_close": ranked(100.0), "pe_close": ranked(100.0)}
    oi = ranked(1000, m6=1050, m1=1010, z=1040, p2=970, p3=1002, p5=880, p7=None)
    closes = ranked(100.0, m1=101.0, z=99.0, p2=102.0, p3=None, p5=98.0)
    now = {"ce_oi": oi, "pe_oi": ONES, "ce_close": closes, "pe_close": ranked(101.0)}
    row = at([*minute(0, then), *minute(15, now)], 15)
    # rank -6: premium unchanged; -1 long build-up; 0 short build-up; 2 covering; 5 unwinding
    classed = 50 + 10 + 40 + 30 + 120
    assert row["o3_share_long_buildup_ce"] == 10 / classed
    assert row["o3_share_short_buildup_ce"] == 40 / classed
    assert row["o3_share_short_covering_ce"] == 30 / classed
    assert row["o3_share_long_buildup_pe"] is None  # nothing changed
    gross = classed + 2
    assert row["o3_gross_ce"] == gross
    squares = 50**2 + 10**2 + 40**2 + 30**2 + 120**2 + 2**2
    assert row["o3_hhi_flow_ce"] == squares / gross**2
    assert row["o3_hhi_flow_pe"] is None
    assert row["o3_bucket_atm_ce"] == 50 / 14_000
    assert row["o3_bucket_otm_near_ce"] == -28 / 14_000
    assert row["o3_bucket_otm_far_ce"] == -120 / 14_000


def test_a_bucket_needs_a_strike_and_its_leg_ten():
    hole = ranked(1000, p5=None, p6=None, p7=None)
    rows = [*minute(0, {"ce_oi": ONES, "pe_oi": ONES}), *minute(15, {"ce_oi": hole, "pe_oi": hole})]
    row = at(rows, 15)
    assert row["o3_bucket_otm_far_ce"] is None
    assert row["o3_bucket_otm_near_ce"] == 0.0
    # for puts the far bucket lies below the money
    assert row["o3_bucket_otm_far_pe"] == 0.0


def test_put_call_ratio_change_needs_both_legs_at_both_ends():
    rows = [
        *minute(0, {"ce_oi": ranked(100, m1=None), "pe_oi": ranked(100)}),
        *minute(30, {"ce_oi": ranked(100), "pe_oi": ranked(150, p1=None, m1=900)}),
    ]
    row = at(rows, 30)
    assert row["o3_pcr_change_30"] == pytest.approx(math.log(1.5), rel=1e-15)
    assert row["o3_pcr_change_60"] is None


def test_spread_growth_holds_the_strikes_of_now():
    rows = [
        *minute(0, {"ce_oi": ranked(0, m2=5, p2=5), "pe_oi": ranked(0)}),
        *minute(15, {"ce_oi": ranked(0, m4=5, p4=5), "pe_oi": ranked(0)}),
    ]
    row = at(rows, 15)
    assert row["o3_spread"] == 200.0
    assert row["o3_spread_growth"] == pytest.approx(math.log(2), rel=1e-15)
    none = [
        *minute(0, {"ce_oi": ranked(0), "pe_oi": ranked(0)}),
        *minute(15, {"ce_oi": ranked(0, z=5), "pe_oi": ranked(0)}),
    ]
    assert at(none, 15)["o3_spread"] == 0.0
    assert at(none, 15)["o3_spread_growth"] is None
