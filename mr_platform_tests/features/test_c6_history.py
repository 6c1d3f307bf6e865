"""What the days before leave behind, worked out by hand."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c6_history import previous_days, zone_decay
from mr_platform_tests.features.c6_panels import made_inputs

INPUTS = made_inputs()
DAYS = dict(INPUTS.days.collect().select("back", "hist_date").iter_rows())
NEAR, MID = INPUTS.panel["expiry_date"].unique().sort().to_list()


def daily(rows: list[dict[str, Any]]) -> pl.LazyFrame:
    """``hist_daily`` of NIFTY; what a row leaves out is null."""
    empty = INPUTS.history["hist_daily"].collect().clear()
    made = pl.DataFrame(
        [{"symbol": "NIFTY", "dte_bucket": "near", "expiry_date": NEAR, **row} for row in rows],
        schema=empty.schema,
    )
    return made.lazy()


def found(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return previous_days(replace(INPUTS, history={"hist_daily": daily(rows)}))


def test_closes_are_those_of_the_trading_day_before_of_the_same_expiry():
    closes = found([
        {"date": DAYS[1], "strd_close": 310.0, "spot_close": 25000.0, "basis_close": 30.0},
        {"date": DAYS[2], "strd_close": 333.0, "spot_close": 24000.0},
        {"date": DAYS[2], "expiry_date": MID, "strd_close": 500.0, "spot_close": 24000.0},
    ])  # fmt: skip
    assert closes["g"].to_list() == [0, 1]
    assert closes["prev_strd_close"].to_list() == [310.0, None]
    # the index is the same whichever expiry speaks, so a new expiry knows it too
    assert closes["prev_spot_close"].to_list() == [25000.0, 25000.0]
    assert closes["prev_basis_close"].to_list() == [30.0, 30.0]


def test_gaps_need_both_days_and_ten_of_them():
    opens = [25000.0 + 13.0 * (back * back % 17) for back in range(1, 23)]
    rows = [
        {"date": DAYS[back], "spot_open": opens[back - 1], "spot_close": opens[back - 1] - 20.0}
        for back in range(1, 22)
        if back != 6
    ]
    gaps = {
        back: 100.0 * math.log(opens[back - 1] / (opens[back] - 20.0))
        for back in range(1, 21)
        if 6 not in (back, back + 1)
    }
    expected = statistics.stdev(gaps.values())
    assert found(rows)["gap_std"].to_list() == pytest.approx([expected] * 2, rel=1e-10)
    # eleven days make ten gaps, ten make nine
    row_of = [{"date": DAYS[b], "spot_open": opens[b], "spot_close": 25000.0} for b in range(1, 12)]
    assert found(row_of)["gap_std"].null_count() == 0
    assert found(row_of[:-1])["gap_std"].null_count() == 2


def test_gaps_all_alike_have_no_spread():
    rows = [
        {"date": DAYS[back], "spot_open": 25000.0 * 1.01**back, "spot_close": 25000.0 * 1.01**back}
        for back in range(1, 22)
    ]
    assert found(rows)["gap_std"].to_list() == [0.0, 0.0]


def test_the_closing_straddle_is_ranked_among_bucket_means_before_it():
    shapes = {1: 0.012, 2: 0.010, 3: 0.012, 4: 0.015, 5: 0.011, 6: 0.013}
    rows = [
        {"date": DAYS[back], "strd_close": 25000.0 * shape, "spot_close": 25000.0}
        for back, shape in shapes.items()
    ]
    # on D-2 a second expiry of the bucket lifts the mean from 0.010 to 0.0125
    rows.append({"date": DAYS[2], "expiry_date": MID, "strd_close": 375.0, "spot_close": 25000.0})
    # of 0.0125, 0.012, 0.015, 0.011, 0.013 one is below 0.012 and one equal
    assert found(rows)["prev_strd_below"].to_list() == [1.5, None]
    assert found(rows)["prev_strd_days"].to_list() == [5.0, None]
    assert found(rows[:5])["prev_strd_days"].null_count() == 2


def test_no_history_leaves_one_empty_row_a_group():
    nothing = previous_days(replace(INPUTS, history={}))
    assert nothing.height == 2
    assert all(nothing[name].null_count() == 2 for name in nothing.columns if name != "g")


def test_zone_decay_needs_five_days_of_the_last_twenty():
    def row(back: int, rate: float | None, zone: str = "LUNCH") -> dict[str, Any]:
        return {
            "symbol": "NIFTY", "date": DAYS[back], "dte_bucket": "near", "zone_name": zone,
            "decay_rate": rate,
        }  # fmt: skip

    rates = {1: -0.01, 2: -0.02, 5: -0.04, 9: 0.01, 20: -0.03, 21: 5.0}
    rows = [row(back, rate) for back, rate in rates.items()] + [row(3, None)]
    rows += [row(back, -0.01, "OPEN") for back in (1, 2, 3, 4)]
    table = pl.DataFrame(rows, schema=INPUTS.history["hist_zone"].collect_schema()).lazy()
    made = zone_decay(replace(INPUTS, history={"hist_zone": table})).collect()
    lunch = made.filter(pl.col("zone_name") == "LUNCH").row(0, named=True)
    values = [rates[back] for back in (1, 2, 5, 9, 20)]
    assert lunch["date"] == dt.date(2025, 9, 5)
    assert lunch["zone_mean"] == pytest.approx(statistics.mean(values))
    assert lunch["zone_std"] == pytest.approx(statistics.stdev(values))
    assert made.filter(pl.col("zone_name") == "OPEN")["zone_mean"].to_list() == [None]
