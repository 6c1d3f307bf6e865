"""Volume profile against growing the value area bin by bin, with ties, gaps and empty bins."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.c7_volume_profile import volume_profile
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.c7_panels import MINUTES, Values, profile

ENGINE = CpuEngine()
OPEN = 20000.0  # a bin is 10 points wide


def frame(spot: Values, volume: Values, u: int = 0) -> pl.DataFrame:
    filled = spot + [None] * (MINUTES - len(spot))
    amounts = [None if v is None else int(v) for v in volume] + [None] * (MINUTES - len(volume))
    return pl.DataFrame(
        {"u": [u] * MINUTES, "j": range(MINUTES), "spot": filled, "fut_volume": amounts},
        schema={"u": pl.UInt32, "j": pl.Int32, "spot": pl.Float64, "fut_volume": pl.Int64},
    )


def levels(spot: Values, volume: Values) -> list[tuple[float | None, ...]]:
    return volume_profile(frame(spot, volume), ENGINE).rows()[: len(spot)]


def test_the_area_takes_the_fuller_neighbour_until_it_holds_seventy_percent() -> None:
    # volumes of bins -1, 0, 1, 2: 10, 50, 20, 20 -> 50 + 20 (bin 1) = 70 of 100
    spot = [OPEN + 5] + [OPEN] * 4 + [OPEN - 5, OPEN + 15, OPEN + 15, OPEN + 25, OPEN + 25]
    spot[0] = OPEN
    volume: Values = [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]
    found = levels(spot, volume)
    assert found[8] == (None, None, None)  # nine minutes
    assert found[9] == pytest.approx((OPEN + 5, OPEN + 20, OPEN))


def test_of_equal_neighbours_the_lower_one_comes_first() -> None:
    spot: Values = [OPEN] * 6 + [OPEN - 5] * 2 + [OPEN + 15] * 2
    volume: Values = [10] * 6 + [10, 10] * 2
    assert levels(spot, volume)[9] == pytest.approx((OPEN + 5, OPEN + 10, OPEN - 10))


def test_of_equal_bins_the_one_nearest_to_spot_is_the_point_of_control() -> None:
    spot: Values = [OPEN] * 5 + [OPEN + 15] * 5
    volume: Values = [10] * 10
    assert levels(spot, volume)[9][0] == pytest.approx(OPEN + 15)
    assert levels([*spot[:9], OPEN + 15, OPEN], [*volume, 0])[10][0] == pytest.approx(OPEN + 5)
    # spot in the middle of both: the lower
    assert levels([*spot, OPEN + 10], [*volume, 0])[10][0] == pytest.approx(OPEN + 5)


def test_no_volume_and_no_open_give_nothing() -> None:
    assert set(levels([OPEN] * 20, [0] * 20)) == {(None, None, None)}
    assert set(levels([OPEN] * 20, [None] * 20)) == {(None, None, None)}
    assert set(levels([None] * 16 + [OPEN] * 20, [5] * 36)) == {(None, None, None)}
    assert levels([None] * 15 + [OPEN] * 20, [5] * 35)[-1][0] == pytest.approx(OPEN + 5)


prices = st.sampled_from(
    [None, *[OPEN + 5.0 * n for n in range(-12, 13)], OPEN + 401.0, OPEN - 333.0, OPEN + 1999.0]
)
amounts = st.sampled_from([None, 0, 1, 1, 2, 3, 5, 1000])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(prices, amounts), min_size=30, max_size=60))
def test_equals_growing_bin_by_bin(minutes: list[tuple[float | None, int | None]]) -> None:
    spot: Values = [OPEN, *[price for price, _ in minutes]]
    volume: Values = [7, *[amount for _, amount in minutes]]
    expected = profile(spot, volume)
    for found, wanted in zip(levels(spot, volume), expected, strict=True):
        assert found == (wanted if wanted[0] is None else pytest.approx(wanted, rel=1e-12))


def test_one_day_alone_and_among_others_agree_and_nothing_looks_ahead() -> None:
    spot: Values = [OPEN + (37 * t % 101) * 3.0 for t in range(MINUTES)]
    volume: Values = [float(t * 7919 % 900) for t in range(MINUTES)]
    wild: Values = [OPEN + 40.0 * (t % 60) for t in range(MINUTES)]
    alone = volume_profile(frame(spot, volume), ENGINE)
    both = volume_profile(pl.concat([frame(wild, volume, 0), frame(spot, volume, 1)]), ENGINE)
    assert both.slice(MINUTES).equals(alone)
    cut = volume_profile(frame(spot[:200], volume[:200]), ENGINE)
    assert cut.head(200).equals(alone.head(200))
