"""Walls, max pain and chain totals, worked out by hand on chains of 15 strikes."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.oi_walls import wall_series
from mr_platform_tests.features.oi_chains import CENTRE, DAY, EXPIRY, STEP, grid, minute, ranked


def walls(rows, previous=None) -> pl.DataFrame:
    return wall_series(grid(rows), previous)


def one(ce, pe, *, spot=24_512.0, **more):
    """The section's row of a single minute with this open interest."""
    frame = walls(minute(3, {"ce_oi": ce, "pe_oi": pe}, spot=spot, **more))
    assert frame.height == 1
    return frame.row(0, named=True)


def brute_pain(ce, pe):
    strikes = [CENTRE + STEP * k for k in range(-7, 8)]
    return {
        settled: sum(
            (calls or 0) * max(settled - strike, 0) + (puts or 0) * max(strike - settled, 0)
            for strike, calls, puts in zip(strikes, ce, pe, strict=True)
        )
        for settled in strikes
    }


def test_max_pain_is_the_strike_at_which_writers_pay_least():
    ce = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9]
    pe = [9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2]
    row = one(ce, pe)
    pain = brute_pain(ce, pe)
    assert row["max_pain"] == min(pain, key=pain.__getitem__)
    least, at_spot = min(pain.values()), pain[24_500.0]
    assert row["o3_pain_depth"] == pytest.approx(1 - least / at_spot, rel=1e-15)


def test_max_pain_far_from_spot_has_depth():
    # all calls at 24,250: any higher settlement costs writers more
    row = one(ranked(m5=100), ranked(m5=100))
    assert row["max_pain"] == 24_250.0
    assert row["o3_pain_depth"] == 1.0


@pytest.mark.parametrize(
    ("spot", "expected"),
    [(24_512.0, 24_500), (24_525.0, 24_500), (24_526.0, 24_550), (25_000, 24_600)],
)
def test_of_equal_pain_the_strike_nearest_to_spot_counts_then_the_lower(spot, expected):
    # pain is 100 * 200 points for every settlement from 24,400 to 24,600
    row = one(ranked(m2=100), ranked(p2=100), spot=spot)
    assert row["max_pain"] == expected


def test_a_null_open_interest_adds_nothing_to_pain():
    ce, pe = ranked(7, m4=None), ranked(5, p1=None, p6=None)
    pain = brute_pain(ce, pe)
    expected = min(pain, key=lambda strike: (pain[strike], abs(strike - 24_512.0)))
    assert one(ce, pe)["max_pain"] == expected


def test_each_leg_needs_its_own_15_strikes_and_pain_either():
    row = one(ranked(7, m4=None), ranked(5))
    assert row["oi_ce"] is None
    assert row["call_wall"] is None
    assert row["o3_call_above"] is None
    assert row["oi_pe"] == 75
    assert row["max_pain"] is not None
    short = one(ranked(7, m4=None), ranked(5, m4=None))
    assert short["max_pain"] is None
    assert short["o3_pain_depth"] is None


def test_walls_are_the_largest_of_all_and_of_one_side():
    row = one(ranked(1, m6=90, p2=50, p5=50), ranked(2, m3=40, m1=40, p7=99))
    assert (row["call_wall"], row["call_wall_oi"]) == (24_200.0, 90)
    assert (row["put_wall"], row["put_wall_oi"]) == (24_850.0, 99)
    # of equal strikes on a side the one nearest to spot
    assert (row["o3_call_above"], row["o3_put_below"]) == (24_600.0, 24_450.0)
    # strikes at or above 24,512: ranks 1 to 7
    assert row["o3_call_above_share"] == 50 / (50 + 50 + 5 * 1)
    assert row["o3_put_below_share"] == 40 / (40 + 40 + 6 * 2)
    assert (row["call_second_oi"], row["put_second_oi"]) == (50, 40)


def test_a_strike_at_spot_is_on_both_sides():
    row = one(ranked(1, z=90), ranked(1, z=80), spot=24_500.0)
    assert (row["o3_call_above"], row["o3_put_below"]) == (24_500.0, 24_500.0)


def test_equal_walls_share_the_second_largest_and_the_nearest_wins():
    row = one(ranked(1, m3=60, p4=60), ranked(1, m1=60, p1=60), spot=24_500.0)
    assert row["call_wall"] == 24_350.0
    assert row["call_second_oi"] == 60
    assert row["put_wall"] == 24_450.0


def test_no_open_interest_makes_no_wall():
    row = one(ranked(0), ranked(0, p3=8))
    assert row["call_wall"] is None
    assert row["call_wall_oi"] is None
    assert row["o3_call_above"] is None
    assert row["put_wall"] == 24_650.0
    assert row["o3_put_below"] is None
    assert row["oi_ce"] == 0


def test_a_side_without_strikes_has_no_wall():
    row = one(ranked(5), ranked(5), spot=25_000.0)
    assert row["o3_call_above"] is None
    assert row["o3_call_above_share"] is None
    assert row["o3_put_below"] is not None


def test_a_walls_past_is_that_of_the_strike_that_is_the_wall_now():
    flat = ranked(10)
    frame = walls(
        [
            *minute(2, {"ce_oi": ranked(10, p3=None), "pe_oi": flat}),
            *minute(5, {"ce_oi": ranked(10, p3=40, p1=90), "pe_oi": flat}),
            *minute(20, {"ce_oi": ranked(10, p3=100), "pe_oi": flat}),
        ]
    )
    # minute 2 has 14 strikes
    assert frame["call_wall"].to_list() == [None, 24_550.0, 24_650.0]
    # at minute 20 the wall is rank 3, whose first valid minute is 5, which is 15 back as well
    assert frame["call_wall_oi_open"].to_list() == [None, 10, 40]
    assert frame["o3_call_above_growth"].to_list() == [None, None, 2.5]


def test_an_open_value_comes_at_0930_at_the_latest():
    flat = ranked(10)
    early = [*minute(15, {"ce_oi": ranked(10, p1=50), "pe_oi": flat})]
    late = [*minute(16, {"ce_oi": ranked(10, p1=60), "pe_oi": flat})]
    assert walls([*early, *late])["call_wall_oi_open"].to_list() == [50, 50]
    assert walls(late)["call_wall_oi_open"].to_list() == [None]


def previous(ce, pe) -> pl.DataFrame:
    strikes = [CENTRE + STEP * k for k in range(-7, 8)]
    return pl.DataFrame(
        {
            "symbol": "NIFTY", "date": DAY, "expiry_date": EXPIRY, "strike": strikes,
            "ce_oi": ce, "pe_oi": pe,
        }
    )  # fmt: skip


def test_change_since_yesterday_counts_strikes_of_both_days():
    rows = minute(0, {"ce_oi": ranked(20), "pe_oi": ranked(20, p7=None)})
    frame = walls(rows, previous(ranked(10), ranked(10)))
    assert frame["o3_since_close_ce"].to_list() == [2.0]
    assert frame["o3_since_close_pe"].to_list() == [None]
    unknown = walls(rows, previous(ranked(10, m7=None), ranked(10)))
    assert unknown["o3_since_close_ce"].to_list() == [None]
    assert walls(rows)["o3_since_close_ce"].to_list() == [None]
    other = previous(ranked(10), ranked(10)).with_columns(expiry_date=pl.lit(DAY))
    assert walls(rows, other)["o3_since_close_ce"].to_list() == [None]


def test_chain_volume_needs_15_strikes_with_either_leg():
    rows = minute(0, {"ce_volume": ranked(3, m1=None), "pe_volume": ranked(4, m2=None)})
    frame = walls(rows).row(0, named=True)
    assert frame["chain_volume"] == 14 * 7
    assert (frame["o3_volume_ce"], frame["o3_volume_strikes_ce"]) == (42, 14)
    short = minute(0, {"ce_volume": ranked(3, m1=None), "pe_volume": ranked(4, m1=None)})
    assert walls(short)["chain_volume"].to_list() == [None]
