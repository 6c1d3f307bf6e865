"""Levels of C7 against hand-worked values and against loops over a made day."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest

from mr_platform.features.c7_level_set import (
    LINE_LEVELS,
    opening_range,
    price_levels,
    round_level,
    session_range,
    swings,
    weighted_price,
)
from mr_platform.features.column_plan import ColumnPlan
from mr_platform_tests.features.c7_panels import (
    DATES,
    MINUTES,
    Values,
    level_inputs,
    level_panel,
    opening,
    so_far,
    swing,
    weighted,
)
from mr_platform_tests.features.stream_panels import NEAR, TARGET, alike, daily_rows

PANEL = level_panel()
INPUTS = level_inputs(PANEL)
SPOT, STRADDLE = price_levels(INPUTS)
NEAR_ROWS = STRADDLE.filter(INPUTS.panel["expiry_date"] == NEAR)
TODAY = INPUTS.panel.filter(pl.col("expiry_date") == NEAR)


def run(build, values: Values, **more: Values) -> dict[str, Values]:
    """Outputs of a plan over one session that starts with the values given."""
    columns = {"x": values, **more}
    filled = {name: v + [None] * (MINUTES - len(v)) for name, v in columns.items()}
    frame = pl.DataFrame(
        {"g": [0] * MINUTES, "j": range(MINUTES), **filled},
        schema={"g": pl.UInt32, "j": pl.Int32, **dict.fromkeys(filled, pl.Float64)},
    )
    plan = ColumnPlan()
    outputs = build(plan)
    found = plan.run(frame.lazy(), outputs).collect()
    return {name: found[name].to_list()[: len(values)] for name in outputs}


def test_opening_range_is_known_from_its_last_minute_on() -> None:
    values: Values = [100.0 + t for t in range(14)] + [50.0, 500.0]
    found = run(lambda p: vars(opening_range(p, "x")), values)
    assert found["high"][12:] == [None, None, 113.0, 113.0]
    assert found["low"][12:] == [None, None, 50.0, 50.0]
    assert found["high_line"] == [113.0] * 16


def test_opening_range_needs_ten_minutes() -> None:
    nine: Values = [1.0] * 9 + [None] * 6 + [2.0]
    ten: Values = [1.0] * 9 + [None] * 5 + [3.0, 2.0]
    assert run(lambda p: vars(opening_range(p, "x")), nine)["high"][-1] is None
    assert run(lambda p: vars(opening_range(p, "x")), ten)["high"][-1] == 3.0


def test_a_swing_stands_five_minutes_later_and_its_age_counts_from_its_bar() -> None:
    values: Values = [1, 2, 3, 4, 5, 9, 5, 4, 3, 2, 1, 2, 3, 4, 5, 6, 7]
    found = run(lambda p: vars(swings(p, "x")), [float(x) for x in values])  # type: ignore[arg-type]
    assert found["high"] == [None] * 10 + [9.0] * 7
    assert found["high_age"] == [None] * 10 + [5, 6, 7, 8, 9, 10, 11]
    # the low at minute 10 is confirmed at minute 15
    assert found["low"] == [None] * 15 + [1.0] * 2
    assert found["low_age"] == [None] * 15 + [5, 6]


def test_equal_bars_later_keep_a_swing_and_equal_bars_before_do_not() -> None:
    later: Values = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 9.0, 4.0, 3.0, 2.0, 1.0, 1.0, 1.0]
    found = run(lambda p: vars(swings(p, "x")), later)
    # minute 5 stands; minute 6 has an equal bar before it
    assert found["high"][10:] == [9.0, 9.0, 9.0]
    assert found["high_age"][10:] == [5, 6, 7]


def test_a_swing_needs_four_valid_minutes_on_each_side() -> None:
    four: Values = [None, 2.0, 3.0, 4.0, 5.0, 9.0, 5.0, None, 3.0, 2.0, 1.0]
    three: Values = [None, 2.0, None, 4.0, 5.0, 9.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert run(lambda p: vars(swings(p, "x")), four)["high"][-1] == 9.0
    assert run(lambda p: vars(swings(p, "x")), three)["high"][-1] is None


def test_an_extreme_that_is_equalled_keeps_its_age() -> None:
    found = run(lambda p: vars(session_range(p, "x")), [5.0, 7.0, 6.0, None, 7.0, 8.0, 1.0])
    assert found["high"] == [5.0, 7.0, 7.0, 7.0, 7.0, 8.0, 8.0]
    assert found["high_age"] == [0, 0, 1, 2, 3, 0, 1]
    assert found["low_age"] == [0, 1, 2, 3, 4, 5, 0]


def test_weighted_price_by_hand() -> None:
    found = run(
        lambda p: vars(weighted_price(p, "x", "v", "x")),
        [10.0, 20.0, None, 30.0, 40.0],
        v=[1.0, 3.0, 5.0, None, 4.0],
    )
    # 10*1 + 20*3 = 70 of 4; with 40*4: 230 of 8, squares 100 + 1200 + 6400 = 7700 of 8
    assert found["mean"] == [10.0, 17.5, None, 17.5, 28.75]
    assert found["count"] == [1, 2, 2, 2, 3]
    assert found["spread"][:2] == pytest.approx([0.0, (1300 / 4 - 17.5**2) ** 0.5])
    assert found["spread"][4] == pytest.approx((7700 / 8 - 28.75**2) ** 0.5)


def test_weighted_price_without_volume_is_null() -> None:
    found = run(lambda p: vars(weighted_price(p, "x", "v", "x")), [1.0, 2.0], v=[0.0, 0.0])
    assert found["mean"] == [None, None] == found["spread"]


@pytest.mark.parametrize(
    ("spot", "step", "major", "minor"),
    [(24750.0, 50.0, 24500.0, 24700.0), (24750.1, 50.0, 25000.0, 24800.0),
     (24010.0, 100.0, 24000.0, 24000.0)],
)  # fmt: skip
def test_round_levels_take_the_lower_on_a_tie(
    spot: float, step: float, major: float, minor: float
) -> None:
    frame = pl.DataFrame({"spot": [spot], "step": [step]})
    found = frame.select(a=round_level("round_major"), b=round_level("round_minor")).row(0)
    assert found == (major, minor)


# -- a made day -----------------------------------------------------------------------------------


def test_levels_of_the_previous_day_and_week() -> None:
    rows = {row["date"]: row for row in daily_rows(PANEL).iter_rows(named=True)}
    back = rows[DATES[-2]]
    high, low, close = back["spot_high"], back["spot_low"], back["spot_close"]
    pivot, middle = (high + low + close) / 3, (high + low) / 2
    week = [day for day in DATES if day.isocalendar().week == TARGET.isocalendar().week - 1]
    assert len(week) == 4  # 27 August was a holiday
    expected = {
        "pdh": high, "pdl": low, "pdc": close, "pp": pivot, "bc": middle, "tc": 2 * pivot - middle,
        "r1": 2 * pivot - low, "s1": 2 * pivot - high, "r2": pivot + high - low,
        "s2": pivot - high + low, "pwh": max(rows[day]["spot_high"] for day in week),
        "pwl": min(rows[day]["spot_low"] for day in week),
    }  # fmt: skip
    for name, value in expected.items():
        assert SPOT[f"l_{name}"].to_list() == pytest.approx([value] * MINUTES)


def test_straddle_levels_keep_their_expiry() -> None:
    daily = daily_rows(PANEL).filter(date=DATES[-2], expiry_date=NEAR).row(0, named=True)
    assert NEAR_ROWS["l_pdh"].unique().to_list() == [daily["strd_high"]]
    assert STRADDLE["l_pdh"].n_unique() == 2
    assert STRADDLE["l_pwh"].null_count() == STRADDLE.height


@pytest.mark.parametrize("asset", ["spot", "strd"])
def test_levels_of_the_session_against_loops(asset: str) -> None:
    rows = SPOT if asset == "spot" else NEAR_ROWS
    prices = TODAY[asset].to_list()
    minutes = range(MINUTES)
    for name, index in (("orh", 0), ("orl", 1)):
        assert rows[f"l_{name}"].to_list() == [opening(prices, t)[index] for t in minutes]
    for name, way in (("swh", 1), ("swl", -1)):
        found = [swing(prices, t, way) for t in minutes]
        assert rows[f"l_{name}"].to_list() == [x and x[0] for x in found]
        assert rows[f"age_{name}"].to_list() == [x and t - x[1] for t, x in enumerate(found)]
    for name, pick in (("session_high", max), ("session_low", min)):
        ages = []
        for t in minutes:
            known = so_far(prices, t)
            ages.append(t - prices.index(pick(known)) if known else None)
        assert rows[f"age_{name}"].to_list() == ages


@pytest.mark.parametrize("asset", ["spot", "strd"])
def test_volume_weighted_price_against_loops(asset: str) -> None:
    prices = TODAY[asset].to_list()
    if asset == "spot":
        rows, weighed = SPOT, ((TODAY["fut_high"] + TODAY["fut_low"] + TODAY["fut"]) / 3).to_list()
        volumes, quoted, basis = (TODAY[x].to_list() for x in ("fut_volume", "fut", "basis"))
    else:
        rows, weighed, quoted, basis = NEAR_ROWS, prices, prices, [0.0] * MINUTES
        volumes = (TODAY["atm_ce_volume"] + TODAY["atm_pe_volume"]).to_list()
    means: Values = []
    for t in range(MINUTES):
        found = weighted(weighed, volumes, t)
        means.append(found[0] if found and quoted[t] is not None else None)
    levels = [None if m is None else m - b for m, b in zip(means, basis, strict=True)]
    alike(rows["l_vwap"], levels)
    upper: Values = []
    scores: Values = []
    for t, level in enumerate(levels):
        found = weighted(weighed, volumes, t)
        upper.append(level + found[1] if level is not None and found else None)
        known = level is not None and found is not None and found[2] >= 10
        scores.append((prices[t] - level) / found[1] if known and found[1] > 0 else None)
    alike(rows["l_vwap_u1"], upper)
    alike(rows["vwap_z"], scores)
    slopes = [
        100 * math.log(means[t] / means[t - 15])
        if t >= 15 and means[t] is not None and means[t - 15] is not None
        else None
        for t in range(MINUTES)
    ]
    alike(rows["vwap_slope"], slopes)


def test_distances_are_in_percent_of_the_price() -> None:
    spot = TODAY["spot"]
    for name in LINE_LEVELS:
        alike(SPOT[f"d_{name}"], (100 * (spot - SPOT[f"l_{name}"]) / spot).to_list())


def test_a_day_is_the_same_alone_and_beside_others() -> None:
    both = level_inputs(PANEL, target=None)
    spot, straddle = price_levels(both)
    mine = both.panel.filter(pl.col("expiry_date") == NEAR)["date"] == TARGET
    assert spot.filter(mine).equals(SPOT)
    assert straddle.filter(both.panel["date"] == TARGET).equals(STRADDLE)


def test_without_history_only_the_levels_of_the_session_stand() -> None:
    spot, _ = price_levels(level_inputs(PANEL, dt.date(2025, 9, 4), with_history=False))
    assert spot["l_pdh"].null_count() == MINUTES == spot["l_pwl"].null_count()
    assert spot["l_orh"].equals(SPOT["l_orh"])
