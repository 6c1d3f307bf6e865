from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from mr_platform.pictures.symbol_day import Missing, away, ends, on_grid, weighted_price
from mr_platform_tests.pictures import picture_days as days


def test_series_lie_on_the_grid_with_nan_where_nothing_is() -> None:
    day = days.symbol_day(panel=days.panel(gap=(10, 11)))
    straddle = day.series("strd")
    assert straddle.shape == (375,)
    assert np.flatnonzero(np.isnan(straddle)).tolist() == [10, 11]
    assert not np.isnan(day.series("strd", days.NEXT)).any()
    assert np.flatnonzero(~day.present).tolist() == [10, 11]


def test_a_missing_table_is_told_of_its_day() -> None:
    missing = Missing("hist_daily", "nothing is drawn", "mr ingest PATH", of="the day before")
    assert missing.text == "hist_daily holds no rows of the day before, so nothing is drawn"


def test_rows_in_any_order_find_their_minute() -> None:
    rows = pl.DataFrame({"j": [5, 2], "x": [50, None]})
    values = on_grid(rows, "x")
    assert values[5] == 50
    assert np.isnan(np.delete(values, 5)).all()
    assert np.isnan(on_grid(rows, "no_such_column")).all()


def test_levels_of_spot_hold_for_every_expiry_and_of_the_straddle_for_its_own() -> None:
    levels = {"high": 25_060.0, "low": 24_700.0, "close": 24_990.0}
    assert days.symbol_day().levels("spot") == levels
    assert days.symbol_day(expiry=days.NEXT).levels("spot") == levels
    assert days.symbol_day().levels("strd") == {"high": 240.0, "low": 205.0, "close": 221.0}
    assert days.symbol_day(expiry=days.NEXT).levels("strd") == {}
    assert days.symbol_day(previous=pl.DataFrame()).levels("spot") == {}


def test_feature_rows_of_the_expiry_carry_their_minute() -> None:
    day = days.symbol_day(components={"c1": days.features("c1", gap=(0, 7))})
    rows = day.rows_of("c1")
    assert rows is not None
    assert rows["j"].to_list() == [j for j in range(375) if j not in (0, 7)]
    assert rows["dte"].unique().to_list() == [6]
    assert day.rows_of("c2") is None


def test_facts_are_those_of_the_expiry() -> None:
    facts = days.symbol_day(panel=days.panel(gap=(3,))).facts
    assert facts["minutes quoted"] == "374 of 375"
    assert facts["expiry"] == "Tue 9 Sep 2025, 6 days away"
    assert facts["ATM straddle"] == "220.0 → 201.3 points"
    assert facts["ATM volatility"] == "8.00 % → 11.74 %"
    assert set(days.bare_day().facts) == {"expiry", "minutes quoted"}


@pytest.mark.parametrize(("count", "text"), [(0, "today"), (1, "1 day away"), (9, "9 days away")])
def test_days_to_an_expiry_in_words(count: int, text: str) -> None:
    assert away(count) == text


def test_a_weighted_price_skips_minutes_without_price_or_volume() -> None:
    nan = math.nan
    price = np.array([nan, 10.0, 20.0, nan, 40.0, 40.0])
    volume = np.array([5.0, 0.0, 1.0, 9.0, 3.0, nan])
    found = weighted_price(price, volume)
    np.testing.assert_allclose(found, [nan, nan, 20.0, nan, 35.0, 35.0])


def test_ends_are_the_first_and_last_value_that_is_there() -> None:
    assert ends(np.array([math.nan, 1.0, 2.0, math.nan])) == (1.0, 2.0)
