"""Component C7 on made days: against loops, without what may be missing, and in time."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c7_level_set import price_levels
from mr_platform.features.c7_levels import (
    BREAK_LEVELS,
    STRADDLE_LEVELS,
    TOUCH_LEVELS,
    WALLS,
    c7_features,
)
from mr_platform.features.gpu_operations import refusals_of_frame
from mr_platform.features.inputs import FeatureInputs
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.c7_days import (
    FEATURES,
    HERE,
    INPUTS,
    PANEL,
    POOL,
    ROWS,
    SPOT,
    check,
    known,
)
from mr_platform_tests.features.c7_panels import (
    DATES,
    MINUTES,
    Values,
    level_inputs,
    level_panel,
    profile,
    so_far,
)
from mr_platform_tests.features.stream_panels import NEAR, TARGET, alike

DECLARED = load_registry().components["c7"].columns
NAMES = [column.name for column in DECLARED]


# -- shape ----------------------------------------------------------------------------------------


def test_all_declared_columns_and_no_others_one_row_a_panel_row() -> None:
    assert sorted(FEATURES.columns) == sorted(NAMES)
    assert len(NAMES) == 130
    assert FEATURES.height == INPUTS.panel.height


@pytest.mark.parametrize("column", DECLARED, ids=lambda column: column.name)
def test_values_are_finite_within_range_and_not_all_null(column: Any) -> None:
    values = FEATURES[column.name].drop_nulls().cast(pl.Float64)
    assert len(values) > 0
    assert values.is_finite().all()
    assert column.low is None or values.min() >= column.low
    assert column.high is None or values.max() <= column.high
    if column.dtype == "INT64":
        assert (values == values.round()).all()


# -- against loops --------------------------------------------------------------------------------


def test_hold_ratios_count_the_walls_too() -> None:
    lines = {name: POOL[name] for name in (*TOUCH_LEVELS, *WALLS)}

    def place(t: int, level: float | None) -> int | None:
        if SPOT[t] is None or level is None:
            return None
        band = 0.0005 * SPOT[t]
        return 1 if SPOT[t] - level > band else -1 if SPOT[t] - level < -band else 0

    for side, way in (("support", 1), ("resistance", -1)):
        judged = held = 0
        expected: Values = []
        for t in range(MINUTES):
            u = t - 10
            for line in lines.values():
                entered = u >= 1 and place(u, line[u]) == 0 and place(u - 1, line[u - 1]) == way
                if entered and SPOT[t] is not None:
                    judged += 1
                    held += place(t, line[u]) == way
            expected.append(held / judged if judged else None)
        alike(ROWS[f"c7_hold_ratio_{side}"], expected)


def test_profile_distances() -> None:
    found = profile(SPOT, ROWS["fut_volume"].to_list())
    for index, name in enumerate(("poc", "vah", "val")):
        check(
            f"c7_profile_{name}_dist",
            lambda t, i=index: (
                None if found[t][i] is None else 100 * (SPOT[t] - found[t][i]) / SPOT[t]
            ),
        )


def test_rejections() -> None:
    bars = ROWS.select("fut_open", "fut_high", "fut_low", "fut").rows()

    def share(t: int, upper: bool) -> float | None:
        window = [
            bar for bar in bars[max(t - 14, 0) : t + 1] if None not in bar and bar[1] > bar[2]
        ]
        if len(window) < 10:
            return None
        wicks = [h - max(o, c) if upper else min(o, c) - low for o, h, low, c in window]
        long = [w >= 0.5 * (bar[1] - bar[2]) for w, bar in zip(wicks, window, strict=True)]
        return sum(long) / len(window)

    check("c7_rejection_share_15m_upper", lambda t: share(t, True))
    check("c7_rejection_share_15m_lower", lambda t: share(t, False))


def test_previous_range_and_session_range() -> None:
    high, low = POOL["pdh"][0], POOL["pdl"][0]

    def outside(t: int) -> float | None:
        valid = so_far(SPOT, t)
        return sum(x > high or x < low for x in valid) / len(valid) if valid else None

    def position(t: int) -> float | None:
        valid = so_far(SPOT, t)
        if SPOT[t] is None or len(valid) < 5:
            return None
        return (SPOT[t] - min(valid)) / (max(valid) - min(valid))

    check("c7_outside_prev_range_share", outside)
    check(
        "c7_prev_range_pos", lambda t: None if SPOT[t] is None else (SPOT[t] - low) / (high - low)
    )
    check("c7_session_pos_und", position)


def test_straddle_confluence_and_dual_flag() -> None:
    _, straddle = price_levels(INPUTS)
    lines = {x: straddle.filter(HERE)[f"l_{x}"].to_list() for x in STRADDLE_LEVELS}
    price = ROWS["strd"].to_list()

    def levels(t: int) -> list[float]:
        return [v[t] for v in lines.values() if v[t] is not None]

    def count(t: int, below: bool) -> int | None:
        x = price[t]
        if x is None or len(levels(t)) < 4:
            return None
        return sum((v <= x) == below and abs(x - v) / x <= 0.01 for v in levels(t))

    def dual(t: int) -> int | None:
        und = [POOL[name][t] for name in BREAK_LEVELS if POOL[name][t] is not None]
        if SPOT[t] is None or price[t] is None or not und or not levels(t):
            return None
        first = any(abs(SPOT[t] - v) <= 0.0005 * SPOT[t] for v in und)
        return int(first and any(abs(price[t] - v) <= 0.005 * price[t] for v in levels(t)))

    check("c7_strd_confluence_support", lambda t: count(t, True))
    check("c7_strd_confluence_resistance", lambda t: count(t, False))
    check("c7_dual_level_flag", dual)


def test_volume_at_levels() -> None:
    volume = ROWS["fut_volume"].to_list()

    def near(t: int) -> bool:
        return SPOT[t] is not None and any(
            abs(SPOT[t] - x) <= 0.0005 * SPOT[t] for x in known(t).values()
        )

    def share(t: int) -> float | None:
        window = [v for v in range(max(t - 59, 0), t + 1) if volume[v] is not None]
        there = [v for v in window if near(v)]
        if len(window) < 40 or len(there) < 3:
            return None
        mean = sum(volume[v] for v in window) / len(window)
        return math.log(sum(volume[v] for v in there) / len(there) / mean)

    check("c7_level_volume_ratio_60m", share)


def test_walls_and_open_interest() -> None:
    row = ROWS.row(300, named=True)
    spot = row["spot"]
    assert row["c7_call_wall_oi_share"] == pytest.approx(1200 / 9300)
    assert row["c7_call_wall_oi_build"] == pytest.approx(math.log(1200 / 880))
    assert row["c7_put_wall_dominance"] == pytest.approx(math.log(1400 / 650))
    assert row["c7_wall_width"] == pytest.approx(100 * (row["call_wall"] - row["put_wall"]) / spot)
    assert row["c7_oi_centroid_dist_ce"] == pytest.approx(-9000 / spot)
    start = next(x for x in ROWS["max_pain"] if x is not None)
    assert row["c7_max_pain_shift"] == round((row["max_pain"] - start) / 50.0)
    wall = ROWS["call_wall"].to_list()
    ages: Values = []
    for t in range(MINUTES):
        valid = [v for v in range(t + 1) if wall[v] is not None]
        changes = [b for a, b in zip([None, *valid], valid, strict=False)
                   if a is None or wall[a] != wall[b]]  # fmt: skip
        ages.append(t - changes[-1] if wall[t] is not None else None)
    alike(ROWS["c7_age_call_wall"], ages)


# -- what may be missing --------------------------------------------------------------------------


def without(*names: str) -> FeatureInputs:
    nothing = [pl.lit(None, INPUTS.panel.schema[name]).alias(name) for name in names]
    return dataclasses.replace(INPUTS, panel=INPUTS.panel.with_columns(nothing))


def all_null(found: pl.DataFrame) -> set[str]:
    return {name for name in found.columns if found[name].null_count() == found.height}


def test_without_a_future_only_its_columns_are_null() -> None:
    names = ("fut", "fut_open", "fut_high", "fut_low", "fut_volume", "basis")
    history = {
        "hist_daily": INPUTS.history["hist_daily"],
        "hist_minute": INPUTS.history["hist_minute"].with_columns(
            pl.lit(None, pl.Float64).alias(name) for name in names[:4]
        ),
    }
    found = c7_features(dataclasses.replace(without(*names), history=history))
    assert all_null(found) == {
        "c7_dist_vwap", "c7_dist_vwap_u1", "c7_dist_vwap_l1", "c7_vwap_z_und",
        "c7_vwap_slope_15m_und", "c7_profile_poc_dist", "c7_profile_vah_dist",
        "c7_profile_val_dist", "c7_rejection_share_15m_upper", "c7_rejection_share_15m_lower",
        "c7_level_volume_ratio_60m", "c7_macd_histogram_reversal_strength",
        "c7_macd_momentum_consensus_validation",
    }  # fmt: skip


def test_without_open_interest_the_other_levels_stand() -> None:
    oi = [name for name in INPUTS.panel.columns if "wall" in name or name.startswith("oi_")]
    found = c7_features(without(*oi, "max_pain"))
    assert all_null(found) == {
        name for name in NAMES if "wall" in name or "max_pain" in name or "oi_centroid" in name
    }


def test_without_history_the_session_alone_speaks() -> None:
    found = c7_features(level_inputs(PANEL, with_history=False))
    silent = all_null(found)
    assert {"c7_dist_pdh", "c7_break_pwl", "c7_prev_range_pos", "c7_strd_dist_tc"} <= silent
    for name in ("c7_dist_orh", "c7_dist_swl", "c7_dist_vwap", "c7_hold_ratio_support"):
        assert found[name].equals(FEATURES[name]) or name == "c7_hold_ratio_support"
        assert name not in silent


def test_without_anything_everything_is_null() -> None:
    keys = ("cell", "g", "j", "u", "symbol", "date", "expiry_date", "dte", "dte_bucket")
    names = [x for x in INPUTS.panel.columns if x not in keys]
    empty = dataclasses.replace(without(*names), history={})
    found = c7_features(empty)
    assert all_null(found) | {"c7_false_breaks_up"} >= set(NAMES)


def test_one_expiry_alone() -> None:
    alone = level_inputs(PANEL.filter(pl.col("expiry_date") == NEAR))
    assert c7_features(alone).select(NAMES).equals(FEATURES.filter(HERE).select(NAMES))


def test_an_hour_without_minutes() -> None:
    gap = pl.col("j").is_between(120, 179) & (pl.col("date") == TARGET)
    series = [
        name for name, dtype in PANEL.schema.items()
        if name not in ("g", "j", "u", "cell", "dte") and dtype.is_numeric()
    ]  # fmt: skip
    holed = PANEL.with_columns(pl.when(~gap).then(pl.col(name)).alias(name) for name in series)
    found = c7_features(level_inputs(holed)).filter(HERE)
    before = FEATURES.filter(HERE)
    assert found.head(120).select(NAMES).equals(before.head(120).select(NAMES))
    # five minutes and a touch's ten must not reach over the gap
    assert found["c7_break_pdh"][180:184].null_count() == 4
    assert found["c7_dist_pdh"][150] is None
    assert found["c7_touches_pdh"][179] == found["c7_touches_pdh"][119]


# -- in time, in any batch, on any engine ---------------------------------------------------------


@pytest.mark.parametrize("minute", [0, 13, 14, 60, 200, 373])
def test_nothing_looks_ahead(minute: int) -> None:
    later = (pl.col("date") == TARGET) & (pl.col("j") > minute)
    keys = ("cell", "g", "j", "u", "symbol", "date", "expiry_date", "dte", "dte_bucket")
    cut = INPUTS.panel.with_columns(
        pl.when(~later).then(pl.col(name)).alias(name)
        for name in INPUTS.panel.columns
        if name not in (*keys, "ts_minute", "zone_name", "present")
    )
    found = c7_features(dataclasses.replace(INPUTS, panel=cut))
    kept = INPUTS.panel["j"] <= minute
    assert found.filter(kept).select(NAMES).equals(FEATURES.filter(kept).select(NAMES))


def test_a_day_is_the_same_alone_and_in_a_batch() -> None:
    panel = level_panel(symbols=("NIFTY", "BANKNIFTY"))
    batch = level_inputs(panel, target=None)
    together = c7_features(batch)
    for symbol in ("NIFTY", "BANKNIFTY"):
        for day in (DATES[0], DATES[-1]):
            one = dataclasses.replace(
                batch,
                panel=level_inputs(panel.filter(pl.col("symbol") == symbol), day).panel,
            )
            mine = (batch.panel["symbol"] == symbol) & (batch.panel["date"] == day)
            assert c7_features(one).select(NAMES).equals(together.filter(mine).select(NAMES))


def test_every_frame_runs_on_the_gpu_engine_too() -> None:
    refused: list[str] = []

    class Reader(CpuEngine):
        prepares = False

        def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
            refused.extend(refusals_of_frame(frame))
            return super().collect(frame)

    c7_features(dataclasses.replace(INPUTS, engine=Reader()))
    assert sorted(set(refused)) == []


def test_the_optimizer_changes_nothing() -> None:
    class Optimised(CpuEngine):
        def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
            return frame.collect()

    found = c7_features(dataclasses.replace(INPUTS, engine=Optimised()))
    assert found.select(NAMES).equals(FEATURES.select(NAMES))
