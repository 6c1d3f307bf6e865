"""What a day leaves behind: opens, closes, and the last half hour."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.day_history import daily_history
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.day_panels import FRIDAY, NEAR, minutes, panel


def test_daily_history_takes_opens_by_0930_and_closes_where_they_are():
    rows = minutes(FRIDAY, NEAR, 100.0).with_columns(
        strd=pl.when(pl.col("j").is_between(10, 370)).then(pl.col("strd")),
        iv=pl.when(pl.col("j") == 5).then(0.2),
    )
    found = daily_history(panel(rows), CpuEngine()).row(0, named=True)
    assert found["strd_open"] == 110.0
    assert found["strd_high"] == found["strd_close"] == 470.0
    assert found["strd_low"] == 110.0
    assert found["spot_open"] == 100.0
    assert found["iv_close"] == 0.2
    assert found["close30_volume_share"] == pytest.approx(30 / 375)
    assert found["strd_day_return"] == pytest.approx(0.374)
    assert found["close30_strd_return"] == pytest.approx(0.030)
    assert found["fut_vwap"] == pytest.approx(100 + 187)


def test_daily_history_has_no_open_when_the_first_price_comes_after_0930():
    rows = minutes(FRIDAY, NEAR, 100.0).with_columns(
        strd=pl.when(pl.col("j") >= 16).then(pl.col("strd")), r_strd=pl.lit(None, pl.Float64)
    )
    found = daily_history(panel(rows), CpuEngine()).row(0, named=True)
    assert found["strd_open"] is None
    assert found["strd_low"] == 116.0
    assert found["strd_day_return"] is None


def test_a_day_that_ends_early_has_no_last_half_hour():
    rows = minutes(FRIDAY, NEAR, 100.0).with_columns(
        pl.when(pl.col("j") < 300).then(pl.col(name)).alias(name)
        for name in ("chain_volume", "r_strd", "strd")
    )
    found = daily_history(panel(rows), CpuEngine()).row(0, named=True)
    assert found["close30_volume_share"] is None
    assert found["close30_strd_return"] is None
    assert found["strd_close"] == 399.0
