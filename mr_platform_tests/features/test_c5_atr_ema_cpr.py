"""C5 against plain loops over the same made days, and what must hold of every column."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c5_atr_ema_cpr import c5_features
from mr_platform.features.inputs import FeatureInputs
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.c5_days import (
    DATES,
    FEATURES,
    INPUTS,
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
    made_panel,
    trading_dates,
)

FUTURES = ("fut", "fut_open", "fut_high", "fut_low")


# -- all columns ----------------------------------------------------------------------------------


def test_the_columns_are_the_declared_ones_and_lie_in_their_ranges() -> None:
    declared = load_registry().components["c5"].columns
    assert set(FEATURES.columns) == {column.name for column in declared}
    assert FEATURES.height == INPUTS.panel.height
    for column in declared:
        found = FEATURES[column.name].drop_nulls().cast(pl.Float64)
        assert found.len() > 100, column.name
        assert found.is_finite().all(), column.name
        if column.low is not None:
            assert (found >= column.low).all(), column.name
        if column.high is not None:
            assert (found <= column.high).all(), column.name
        if column.dtype == "INT64":
            assert FEATURES.schema[column.name].is_integer(), column.name


def test_a_day_alone_is_the_day_in_a_batch() -> None:
    both = made_panel(trading_dates(8), symbols=("BANKNIFTY", "NIFTY"), expiries=(NEAR, FAR))
    batch = c5_features(made_inputs(both, None))
    for expiries in ((NEAR, FAR), (FAR,)):
        kept = both.filter(pl.col("expiry_date").is_in(expiries))
        alone = c5_features(made_inputs(kept, symbol="NIFTY"))
        place = both.with_row_index("i").filter(
            (pl.col("symbol") == "NIFTY")
            & (pl.col("date") == TARGET)
            & pl.col("expiry_date").is_in(expiries)
        )["i"]
        rows = batch[place]
        if len(expiries) == 1:  # daily values of a bucket are means over its expiries
            names = [name for name in rows.columns if "daily" not in name or "cpr" in name]
            names = [name for name in names if "pctl" not in name and "range_used" not in name
                     and "regime" not in name]  # fmt: skip
            rows, alone = rows.select(names), alone.select(names)
        assert alone.equals(rows)


def test_no_row_reads_a_later_one() -> None:
    later = (pl.col("date") == TARGET) & (pl.col("j") > 180)
    keys = {"symbol", "date", "expiry_date", "j", "cell", "g", "u", "dte", "ts_minute", "present",
            "zone_name", "dte_bucket"}  # fmt: skip
    cut = PANEL.with_columns(
        pl.when(~later).then(pl.col(name)).alias(name) for name in PANEL.columns if name not in keys
    )
    early = INPUTS.panel.with_row_index("i").filter(pl.col("j") <= 180)["i"]
    inputs = made_inputs(cut)
    truncated = c5_features(
        FeatureInputs(panel=inputs.panel, history=INPUTS.history, days=INPUTS.days)
    )
    assert truncated[early].equals(FEATURES[early])


# -- ranges ---------------------------------------------------------------------------------------


def test_change_and_spread_of_the_range_stay_in_the_session() -> None:
    atr = values("atrp_14_strd")

    def changed(i: int) -> Any:
        if i < 15 or atr[i] is None or atr[i - 15] is None:
            return None
        return math.log(atr[i] / atr[i - 15])

    def spread(i: int) -> Any:
        window = [x for x in atr[max(0, i - 59) : i + 1] if x is not None]
        if len(window) < 40:
            return None
        mean = sum(window) / len(window)
        return math.sqrt(sum((x - mean) ** 2 for x in window) / (len(window) - 1)) / mean

    alike(ROWS["c5_atr_change_15m_strd"], by_loop(changed))
    alike(ROWS["c5_atr_cv_60m_strd"], by_loop(spread))


def test_percentile_regime_and_age_compare_with_the_zone_and_the_bucket() -> None:
    zones = INPUTS.history["hist_zone"].collect()
    past = {
        (row["date"], row["dte_bucket"], row["zone_name"]): row["atrp_14_strd"]
        for row in zones.iter_rows(named=True)
    }
    rows = of_expiry(FAR)
    atr, names = rows["atrp_14_strd"].to_list(), rows["zone_name"].to_list()

    def rank(i: int) -> Any:
        known = [past.get((day(back), "far", names[i])) for back in range(1, 21)]
        known = [x for x in known if x is not None]
        if atr[i] is None or len(known) < 5:
            return None
        return (sum(x < atr[i] for x in known) + 0.5 * sum(x == atr[i] for x in known)) / len(known)

    ranks = by_loop(rank)
    alike(rows["c5_atr_14_strd_pctl_20d"], ranks)
    levels = [None if x is None else min(4, math.floor(5 * x + 1e-9)) for x in ranks]
    assert rows["c5_vol_regime_strd"].to_list() == levels
    ages: list[int | None] = []
    current, since = None, 0
    for i, level in enumerate(levels):
        if level is not None and level != current:
            current, since = level, i
        ages.append(None if level is None else i - since)
    assert rows["c5_vol_regime_age_strd"].to_list() == ages
    both = rows.select(
        x=(
            3 * pl.col("c5_atr_14_strd_pctl_20d") + 2 * pl.col("c5_atr_14_und_pctl_20d") + 1e-9
        ).floor().clip(0, 4)
    )["x"]  # fmt: skip
    alike(rows["c5_volatility_regime_score"].cast(pl.Float64), both.to_list())
    gap = rows["c5_vol_regime_strd"] - rows["c5_vol_regime_und"]
    assert rows["c5_dual_vol_regime_gap"].to_list() == gap.to_list()


# -- averages -------------------------------------------------------------------------------------


def test_distance_slope_order_and_width_of_the_averages() -> None:
    price, unit = values("strd"), values("a14_strd")
    lines = [values(f"ema_{span}_strd") for span in (20, 50, 100, 200)]

    def slope(i: int) -> Any:
        if i < 5 or lines[1][i] is None or lines[1][i - 5] is None or unit[i] is None:
            return None
        return (lines[1][i] - lines[1][i - 5]) / unit[i]

    def order(i: int) -> Any:
        now = [line[i] for line in lines]
        if any(x is None for x in now):
            return None
        return float(sum((a > b) - (a < b) for a, b in itertools.pairwise(now)))

    def width(i: int) -> Any:
        now = [line[i] for line in lines]
        if unit[i] is None or any(x is None for x in now):
            return None
        return (max(now) - min(now)) / unit[i]

    alike(ROWS["c5_ema_slope_50_strd"], by_loop(slope))
    alike(ROWS["c5_ema_alignment_strd"].cast(pl.Float64), by_loop(order))
    alike(ROWS["c5_ema_ribbon_width_strd"], by_loop(width))
    alike(
        ROWS["c5_ema_dist_100_strd"],
        [None if p is None or e is None else 100 * (p / e - 1)
         for p, e in zip(price, lines[2], strict=True)],
    )  # fmt: skip


# -- returns --------------------------------------------------------------------------------------


def test_volatility_is_a_minute_covered() -> None:
    moves, minutes = values("r_strd"), values("r_strd_min")

    def volatility(w: int, needed: int) -> Callable[[int], Any]:
        def at(i: int) -> Any:
            window = [k for k in range(max(0, i - w + 1), i + 1) if moves[k] is not None]
            if len(window) < needed:
                return None
            squares = sum(moves[k] ** 2 for k in window)
            return math.sqrt(squares / sum(minutes[k] for k in window) * 94500)

        return at

    short, long = by_loop(volatility(15, 10)), by_loop(volatility(60, 40))
    alike(ROWS["c5_rv_15m_strd"], short)
    alike(ROWS["c5_rv_60m_strd"], long)
    alike(
        ROWS["c5_rv_ratio_15_60_strd"],
        [None if a is None or b is None else a / b for a, b in zip(short, long, strict=True)],
    )


def test_efficiency_and_gearing() -> None:
    moves, other = values("r_strd"), values("r_und")

    def efficiency(i: int) -> Any:
        window = [x for x in moves[max(0, i - 29) : i + 1] if x is not None]
        return abs(sum(window)) / sum(map(abs, window)) if len(window) >= 20 else None

    def gearing(i: int) -> Any:
        pairs = [
            (x, y)
            for x, y in zip(moves[max(0, i - 29) : i + 1], other[max(0, i - 29) : i + 1],
                            strict=True)
            if x is not None and y is not None
        ]  # fmt: skip
        if len(pairs) < 20:
            return None
        a, b = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
        return sum((x - a) * (y - b) for x, y in pairs) / sum((y - b) ** 2 for _, y in pairs)

    alike(ROWS["c5_trend_efficiency_30m_strd"], by_loop(efficiency))
    alike(ROWS["c5_dual_beta_30m"], by_loop(gearing))


def test_a_straight_way_has_efficiency_one() -> None:
    steady = PANEL.with_columns(
        r_strd=pl.when(pl.col("j") > 0).then(pl.lit(0.1)), r_und=pl.lit(0.0)
    )
    found = c5_features(made_inputs(steady))
    assert found["c5_trend_efficiency_30m_strd"][374] == 1.0
    assert found["c5_trend_efficiency_30m_und"].null_count() == found.height  # no way at all
    assert found["c5_dual_beta_30m"].null_count() == found.height


# -- scores ---------------------------------------------------------------------------------------


def test_lines_near_the_price_are_counted() -> None:
    levels: list[float] = [*pivot_lines(*daily("strd")[day(1), NEAR][:3])]
    week = [daily("strd")[x, NEAR] for x in DATES if dt.date(2025, 8, 25) <= x <= day(4)]
    levels += pivot_lines(max(r[0] for r in week), min(r[1] for r in week), week[-1][2])
    price, unit = values("strd"), values("a14_strd")
    lines = [values(f"ema_{span}_strd") for span in (20, 50, 100, 200)]

    def near(i: int) -> Any:
        if price[i] is None or unit[i] is None:
            return None
        drawn = [line[i] for line in lines if line[i] is not None] + levels
        return float(sum(abs(price[i] - line) <= 2 * unit[i] for line in drawn))

    assert day(4) == dt.date(2025, 8, 29)
    alike(ROWS["c5_confluence_count_strd"].cast(pl.Float64), by_loop(near))


def test_momentum_scores() -> None:
    complete = ROWS.filter(pl.all_horizontal(pl.col("^c5_momentum.*|c5_straddle.*$").is_not_null()))
    row = complete.row(200, named=True)
    for name, asset, price in (
        ("c5_momentum_score", "und", "spot"), ("c5_straddle_momentum_score", "strd", "strd"),
    ):  # fmt: skip
        total = (
            0.5 * row[f"c5_ema_slope_20_{asset}"]
            + 0.3 * row[f"c5_ema_slope_50_{asset}"]
            + 0.2 * (row[price] - row[f"ema_50_{asset}"]) / (5 * row[f"a14_{asset}"])
        )
        assert row[name] == pytest.approx(math.tanh(total))
    assert row["c5_dual_momentum_spread"] == pytest.approx(
        row["c5_ema_slope_20_und"] - row["c5_ema_slope_20_strd"]
    )
    assert row["c5_dual_atr_gearing"] == pytest.approx(row["atrp_14_strd"] / row["atrp_14_und"])
    assert row["c5_atr_ratio_14_50_und"] == pytest.approx(row["atrp_14_und"] / row["atrp_50_und"])


def test_the_confluence_score_is_the_agreement_of_three_votes() -> None:
    def agreement(i: int, asset: str) -> Any:
        now, before = values(f"ema_50_{asset}")[i], values(f"ema_50_{asset}")[i - 5]
        order = values(f"c5_ema_alignment_{asset}")[i]
        zone = values(f"c5_cpr_zone_daily_{asset}")[i]
        if i < 5 or None in (now, before, order, zone):
            return None
        return abs(order / 3 + zone + (now > before) - (now < before)) / 3

    def score(i: int) -> Any:
        one, other = agreement(i, "strd"), agreement(i, "und")
        return None if one is None or other is None else 0.6 * one + 0.4 * other

    alike(ROWS["c5_confluence_score"], by_loop(score))
    orders = ROWS.select(
        pl.col("c5_ema_alignment_und").sign() * pl.col("c5_ema_alignment_strd").sign()
    )
    assert values("c5_dual_trend_agreement") == orders.to_series().to_list()


# -- missing data ---------------------------------------------------------------------------------


def test_without_futures_the_underlying_has_levels_and_averages_but_no_range() -> None:
    blind = PANEL.with_columns(pl.lit(None, pl.Float64).alias(name) for name in FUTURES)
    found = c5_features(made_inputs(blind))
    empty = ("c5_atr_14_und", "c5_atr_14_und_pctl_20d", "c5_ema_slope_20_und", "c5_adx_14_und",
             "c5_momentum_score", "c5_volatility_regime_score", "c5_confluence_count_und",
             "c5_dual_atr_gearing")  # fmt: skip
    for name in empty:
        assert found[name].null_count() == found.height, name
    same = ("c5_atr_14_strd", "c5_ema_dist_20_und", "c5_cpr_pos_daily_und", "c5_confluence_score",
            "c5_rv_30m_und", "c5_straddle_momentum_score", "c5_range_used_und")  # fmt: skip
    for name in same:
        assert found[name].equals(FEATURES[name]), name


def test_a_first_day_has_only_what_the_session_gives() -> None:
    inputs = made_inputs(PANEL, without=["hist_minute", "hist_daily", "hist_zone"])
    found = c5_features(inputs)
    assert found.columns == FEATURES.columns
    for name in found.columns:
        if "cpr" in name or "daily" in name or "pctl" in name or "regime" in name:
            assert found[name].null_count() == found.height, name
    assert found["c5_confluence_score"].null_count() == found.height
    assert found["c5_rv_30m_strd"].equals(FEATURES["c5_rv_30m_strd"])
    # four averages are four lines, from the 200th bar on
    counted = found["c5_confluence_count_strd"].head(375)
    assert counted.head(199).null_count() == 199
    assert counted.tail(100).null_count() < 40


def test_a_missing_hour_leaves_no_values_at_its_minutes_and_few_after() -> None:
    hole = (pl.col("date") == TARGET) & pl.col("j").is_between(100, 159)
    names = ("spot", *FUTURES, "r_und", "r_und_min", "strd", "strd_open", "strd_lag", "r_strd",
             "r_strd_min")  # fmt: skip
    gone = PANEL.with_columns(pl.when(~hole).then(pl.col(name)).alias(name) for name in names)
    found = c5_features(made_inputs(gone)).with_columns(INPUTS.panel["j"])
    inside, after = found.filter(pl.col("j").is_between(100, 159)), found.filter(pl.col("j") == 160)
    for name in ("c5_atr_14_strd", "c5_ema_dist_20_und", "c5_cpr_zone_daily_strd",
                 "c5_confluence_score", "c5_adx_14_und"):  # fmt: skip
        assert inside[name].null_count() == inside.height, name
    assert after["c5_rv_60m_und"].null_count() == after.height
    assert found.filter(pl.col("j") < 100).equals(
        FEATURES.with_columns(INPUTS.panel["j"]).filter(pl.col("j") < 100)
    )
