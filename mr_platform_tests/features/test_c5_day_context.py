"""What C5 knows before the open, against plain loops over the days of the same made panel."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c5_atr_ema_cpr import c5_features
from mr_platform_tests.features.c5_days import (
    DATES,
    MIDDLE,
    PANEL,
    ROWS,
    by_loop,
    daily,
    day,
    of_expiry,
    pivot_lines,
    values,
)
from mr_platform_tests.features.stream_panels import (
    FAR,
    NEAR,
    TARGET,
    alike,
    made_inputs,
)


def test_daily_ranges_run_along_the_bucket() -> None:
    prices = daily("strd")
    for expiry, bucket in ((NEAR, "near"), (MIDDLE, "mid"), (FAR, "far")):
        by_day = []
        for back in range(1, 15):
            inside = []
            for other in (NEAR, MIDDLE, FAR):
                high, low, _, its_bucket = prices[day(back), other]
                last = prices[day(back + 1), other][2]
                if its_bucket == bucket:
                    inside.append(100 * (max(high, last) - min(low, last)) / last)
            by_day.append(sum(inside) / len(inside) if inside else None)
        row = of_expiry(expiry).row(200, named=True)
        for days, needed in ((5, 4), (14, 10)):
            known = [x for x in by_day[:days] if x is not None]
            expected = sum(known) / len(known) if len(known) >= needed else None
            found = row[f"c5_atr_daily_{days}d_strd"]
            assert found == (None if expected is None else pytest.approx(expected))
    assert of_expiry(MIDDLE)["c5_atr_daily_5d_strd"][0] is not None
    assert of_expiry(NEAR)["c5_atr_daily_5d_strd"][0] is None  # near only since 2 September


def test_the_range_used_starts_with_the_open() -> None:
    prices = daily("spot")
    reaches = []
    for back in range(1, 15):
        high, low, _, _ = prices[day(back), NEAR]
        last = prices[day(back + 1), NEAR][2]
        reaches.append(100 * (max(high, last) - min(low, last)) / last)
    average = sum(reaches) / 14
    spot = values("spot")
    opened = next(x for x in spot if x is not None)

    def used(i: int) -> Any:
        seen = [x for x in spot[: i + 1] if x is not None]
        return 100 * (max(seen) - min(seen)) / opened / average if seen else None

    alike(ROWS["c5_range_used_und"], by_loop(used))
    assert ROWS["c5_atr_daily_14d_und"][0] == pytest.approx(average)


def test_no_open_by_half_past_nine_no_range_used() -> None:
    late = (pl.col("date") == TARGET) & (pl.col("j") <= 15)
    silent = PANEL.with_columns(spot=pl.when(~late).then(pl.col("spot")))
    found = c5_features(made_inputs(silent))
    assert found["c5_range_used_und"].null_count() == found.height
    assert found["c5_range_used_strd"].null_count() < found.height


def test_daily_averages_weigh_the_closes_of_twenty_days() -> None:
    closes = [daily("spot")[day(back), NEAR][2] for back in range(1, 21)]
    for span in (5, 20):
        weights = [(1 - 2 / (span + 1)) ** k for k in range(20)]
        mean = sum(w * c for w, c in zip(weights, closes, strict=True)) / sum(weights)
        expected = [None if x is None else 100 * (x / mean - 1) for x in values("spot")]
        alike(ROWS[f"c5_ema_daily_dist_{span}d_und"], expected)


def test_a_daily_average_needs_its_span_and_skips_a_day_that_is_missing() -> None:
    holes = made_inputs(PANEL.filter(pl.col("date") != day(2)))
    found = c5_features(holes)
    assert found["c5_ema_daily_dist_20d_und"].null_count() == found.height
    closes = [daily("spot")[day(back), NEAR][2] for back in range(1, 21) if back != 2]
    weights = [(1 - 2 / 6) ** k for k in range(19)]
    mean = sum(w * c for w, c in zip(weights, closes, strict=True)) / sum(weights)
    spot = values("spot")
    i = next(i for i, x in enumerate(spot) if x is not None)
    assert found["c5_ema_daily_dist_5d_und"][i] == pytest.approx(100 * (spot[i] / mean - 1))


def test_the_pivot_range_of_the_day_before() -> None:
    high, low, close, _ = daily("strd")[day(1), NEAR]
    eve_high, eve_low, eve_close, _ = daily("strd")[day(2), NEAR]
    pivot, middle, mirror = pivot_lines(high, low, close)
    before = pivot_lines(eve_high, eve_low, eve_close)[0]
    price = values("strd")
    side = [
        None if x is None else (x > max(mirror, middle)) - (x < min(mirror, middle)) for x in price
    ]
    assert ROWS["c5_cpr_width_daily_strd"][3] == pytest.approx(100 * abs(mirror - middle) / pivot)
    assert ROWS["c5_cpr_shift_strd"][3] == pytest.approx((pivot - before) / (high - low))
    assert values("c5_cpr_zone_daily_strd") == side
    alike(
        ROWS["c5_cpr_pos_daily_strd"],
        [None if x is None else (x - pivot) / (high - low) for x in price],
    )

    def inside(i: int) -> Any:
        known = [x for x in side[: i + 1] if x is not None]
        return known.count(0) / len(known) if len(known) >= 5 else None

    alike(ROWS["c5_cpr_inside_share_strd"], by_loop(inside))


def test_the_pivot_range_of_the_week_before() -> None:
    week = [x for x in DATES if dt.date(2025, 8, 25) <= x <= dt.date(2025, 8, 29)]
    rows = [daily("strd")[x, NEAR] for x in week]
    high, low = max(row[0] for row in rows), min(row[1] for row in rows)
    pivot, middle, mirror = pivot_lines(high, low, rows[-1][2])
    assert ROWS["c5_cpr_width_weekly_strd"][3] == pytest.approx(100 * abs(mirror - middle) / pivot)
    one = PANEL.filter(~pl.col("date").is_in(week[:-1]))
    found = c5_features(made_inputs(one))
    for name in ("width", "pos", "zone"):
        assert found[f"c5_cpr_{name}_weekly_strd"].null_count() == found.height
        assert found[f"c5_cpr_{name}_weekly_und"].null_count() == found.height
        assert found[f"c5_cpr_{name}_daily_und"].null_count() < found.height


def test_the_width_is_compared_with_the_widths_of_its_bucket() -> None:
    prices = daily("strd")

    def width(back: int, expiry: dt.date) -> float:
        pivot, middle, mirror = pivot_lines(*prices[day(back + 1), expiry][:3])
        return 100 * abs(mirror - middle) / pivot

    past = []
    for back in range(1, 21):
        inside = [
            width(back, other)
            for other in (NEAR, MIDDLE, FAR)
            if prices[day(back), other][3] == "mid"
        ]
        if inside:
            past.append(sum(inside) / len(inside))
    now = width(0, MIDDLE)
    expected = sum(x < now for x in past) / len(past)
    found = of_expiry(MIDDLE)["c5_cpr_width_pctl_20d_strd"]
    assert found.to_list() == pytest.approx([expected] * 375)
    assert len(past) >= 5
    # near only on two earlier days
    assert ROWS["c5_cpr_width_pctl_20d_strd"].null_count() == 375
