"""Gap, opening range, decay and the other index, by loops over one expiry's rows."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from functools import lru_cache
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c6_correlation import c6_features
from mr_platform.features.c6_series import c6_series
from mr_platform.features.inputs import FeatureInputs
from mr_platform_tests.features.c6_panels import MINUTES, made_inputs

INPUTS = made_inputs()
PANEL = INPUTS.panel
SERIES = c6_series(INPUTS)
FEATURES = c6_features(INPUTS)
BEFORE = (
    INPUTS.history["hist_daily"]
    .join(INPUTS.days.filter(pl.col("back") == 1), left_on="date", right_on="hist_date")
    .filter(pl.col("symbol") == "NIFTY")
    .sort("expiry_date")
    .collect()
    .row(0, named=True)
)
Values = list[Any]


def of(name: str, frame: pl.DataFrame = FEATURES) -> Values:
    return frame[name].to_list()[:MINUTES]


def first(name: str) -> tuple[int, float]:
    """Row and value of the first valid price."""
    return next((row, x) for row, x in enumerate(of(name, PANEL)) if x is not None)


def same(found: Values, expected: Values) -> None:
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        if other is None:
            assert one is None, row
        else:
            assert one == pytest.approx(other, rel=1e-9, abs=1e-12), row


def from_row(start: int, value: float | None) -> Values:
    return [None] * start + [value] * (MINUTES - start)


def test_gaps_stand_from_the_first_bar():
    start, spot = first("spot")
    close = BEFORE["spot_close"]
    gap = 100 * math.log(spot / close)
    same(of("c6_gap_spot"), from_row(start, gap))
    at, strd = first("strd")
    same(of("c6_gap_strd"), from_row(at, 100 * math.log(strd / BEFORE["strd_close"])))
    at, iv = first("iv")
    same(of("c6_gap_iv"), from_row(at, iv - BEFORE["iv_close"]))
    at, basis = first("basis")
    expected = 100 * (basis / spot - BEFORE["basis_close"] / close)
    same(of("c6_gap_basis"), from_row(max(at, start), expected))
    ranges = of("c5_atr_daily_14d_und", SERIES)
    same(of("c6_gap_atr"), [None if x is None else gap / x for x in ranges])


def moved(panel: pl.DataFrame, spot: dict[int, float]) -> FeatureInputs:
    """The inputs with another path of spot: 25000 except in the rows given."""
    rows = pl.col("j").replace_strict(spot, default=25000.0, return_dtype=pl.Float64)
    return replace(INPUTS, panel=panel.with_columns(rows.alias("spot")), partner=None)


@pytest.mark.parametrize(("close", "far"), [(24900.0, 24930.0), (25100.0, 25070.0)])
def test_a_gap_is_filled_as_far_as_price_came_back(close: float, far: float):
    history = INPUTS.history["hist_daily"].with_columns(spot_close=pl.lit(close))
    inputs = moved(PANEL, {50: far, 60: close, 70: close - 900, 80: close + 900})
    features = c6_features(replace(inputs, history={**INPUTS.history, "hist_daily": history}))
    share = of("c6_gap_fill_share", features)
    assert share[:50] == [0.0] * 50
    assert share[50:60] == pytest.approx([0.7] * 10)
    assert share[60:] == pytest.approx([1.0] * (MINUTES - 60))
    flag = of("c6_gap_filled_flag", features)
    assert flag == [0] * 60 + [1] * (MINUTES - 60)


def test_a_gap_too_small_to_fill_has_no_share():
    history = INPUTS.history["hist_daily"].with_columns(spot_close=pl.lit(25004.0))
    features = c6_features(
        replace(moved(PANEL, {}), history={**INPUTS.history, "hist_daily": history})
    )
    assert features["c6_gap_fill_share"].null_count() == features.height
    assert features["c6_gap_filled_flag"].null_count() == features.height
    assert features["c6_gap_spot"].null_count() == 0


@pytest.mark.parametrize(("w", "needed"), [(5, 4), (15, 10), (30, 20)])
def test_opening_ranges_stand_from_their_last_minute(w: int, needed: int):
    prices = [x for x in of("spot", PANEL)[:w] if x is not None]
    moves = [x for x in of("r_strd", PANEL)[:w] if x is not None]
    assert min(len(prices), len(moves)) >= needed
    width = 100 * (max(prices) - min(prices)) / first("spot")[1]
    same(of(f"c6_or_width_{w}m"), from_row(w - 1, width))
    same(of(f"c6_or_strd_change_{w}m"), from_row(w - 1, 100 * sum(moves)))
    # below the minutes it needs there is none all day
    gone = PANEL.with_columns(
        pl.when(pl.col("j").is_between(1, w - needed + 1, closed="both")).then(None)
        .otherwise(pl.col(name)).alias(name) for name in ("spot", "r_strd")
    )  # fmt: skip
    features = c6_features(replace(INPUTS, panel=gone))
    if w - (w - needed + 1) < needed:
        assert features[f"c6_or_width_{w}m"].null_count() == features.height
    assert features[f"c6_or_strd_change_{w}m"].null_count() == features.height


def test_decay_adds_the_zones_returns_and_stays_after_the_zone():
    moves, zones = of("r_strd", PANEL), of("zone_name", PANEL)
    for zone in ("open", "mid_morn", "lunch", "afternoon", "close"):
        total, begun, expected = 0.0, False, []
        for move, name in zip(moves, zones, strict=True):
            if name == zone.upper() and move is not None:
                total, begun = total + move, True
            expected.append(100 * total if begun else None)
        same(of(f"c6_decay_{zone}"), expected)


@lru_cache(maxsize=1)
def rates() -> tuple[float | None, ...]:
    moves, zones = of("r_strd", PANEL), of("zone_name", PANEL)
    expected: Values = []
    for row, zone in enumerate(zones):
        inside = [
            move for move, name in zip(moves[: row + 1], zones, strict=False)
            if name == zone and move is not None
        ]  # fmt: skip
        expected.append(100 * sum(inside) / len(inside) if len(inside) >= 5 else None)
    return tuple(expected)


def test_the_rate_of_decay_is_set_against_the_same_zone_of_the_last_days():
    same(of("c6_decay_rate_zone"), list(rates()))
    past = (
        INPUTS.history["hist_zone"]
        .join(INPUTS.days.filter(pl.col("back") <= 20), left_on="date", right_on="hist_date")
        .filter((pl.col("symbol") == "NIFTY") & (pl.col("dte_bucket") == "near"))
        .collect()
    )
    expected: Values = []
    for rate, zone in zip(rates(), of("zone_name", PANEL), strict=True):
        known = past.filter(pl.col("zone_name") == zone)["decay_rate"].to_list()
        assert len(known) == 20
        spread = statistics.stdev(known)
        expected.append(None if rate is None else (rate - statistics.mean(known)) / spread)
    same(of("c6_decay_rate_z_20d"), expected)


def test_previous_day_features():
    first_close = {"atm": "strd", "itm1": "itm1", "otm1": "otm1"}
    for leg, name in first_close.items():
        expected = [
            None if x is None else math.log(x / BEFORE[f"{name}_close"]) for x in of(name, PANEL)
        ]
        same(of(f"c6_prev_close_ratio_{leg}"), expected)
    constants = {
        "c6_prev_itm1_otm1_ratio": math.log(BEFORE["itm1_close"] / BEFORE["otm1_close"]),
        "c6_prev_ce_pe_ratio": math.log(BEFORE["ce_close"] / BEFORE["pe_close"]),
        "c6_prev_close30_volume_share": BEFORE["close30_volume_share"],
        "c6_prev_close30_strd_return": BEFORE["close30_strd_return"],
        "c6_prev_day_decay": BEFORE["strd_day_return"],
    }
    for name, value in constants.items():
        same(of(name), [value] * MINUTES)


def test_moves_and_spreads_of_the_row():
    start, spot = first("spot")
    at, strd = first("strd")
    expected = [
        None if x is None or row < max(start, at) else abs(x - spot) / strd
        for row, x in enumerate(of("spot", PANEL))
    ]
    same(of("c6_move_vs_straddle"), expected)
    for w in (30, 60):
        pairs = zip(of("iv", SERIES), of(f"c5_rv_{w}m_und", SERIES), strict=True)
        expected = [None if a is None or b is None else a - b for a, b in pairs]
        same(of(f"c6_iv_rv_spread_{w}m"), expected)
    pairs = zip(of("iv", SERIES), of("partner_iv", SERIES), strict=True)
    same(of("c6_xsym_iv_spread"), [None if a is None or b is None else a - b for a, b in pairs])


def test_the_session_change_counts_from_the_first_return():
    total, expected = None, []
    for move in of("r_strd", PANEL):
        total = total if move is None else (total or 0.0) + move
        expected.append(None if total is None else 100 * total)
    same(of("c6_strd_session_change"), expected)


def window(name: str, row: int, w: int) -> list[float]:
    return [x for x in of(name, SERIES)[max(row - w + 1, 0) : row + 1] if x is not None]


def test_relative_strength_adds_each_index_by_itself():
    for w, needed in ((15, 10), (30, 20), (60, 40)):
        expected: Values = []
        for row in range(MINUTES):
            own, other = window("r_und", row, w), window("partner_r_und", row, w)
            enough = min(len(own), len(other)) >= needed
            expected.append(100 * (sum(own) - sum(other)) if enough else None)
        same(of(f"c6_xsym_relative_strength_{w}m"), expected)


def test_the_spread_of_volatility_is_scored_against_its_last_hour():
    found = of("c6_xsym_iv_spread_z_60m")
    spread = of("iv_spread", SERIES)
    for row in range(0, MINUTES, 5):
        known = window("iv_spread", row, 60)
        if spread[row] is None or len(known) < 40:
            assert found[row] is None
        else:
            expected = (spread[row] - statistics.mean(known)) / statistics.stdev(known)
            assert found[row] == pytest.approx(expected, rel=1e-7)


def test_trend_and_variance_ratio_of_a_window():
    row, w = 200, 60
    ratio = statistics.variance(window("r5_strd", row, w)) / (
        5 * statistics.variance(window("r_strd", row, w))
    )
    assert of("c6_variance_ratio5_strd_60m")[row] == pytest.approx(ratio, rel=1e-9)
    path = of("path_strd", SERIES)[row - w + 1 : row + 1]
    points = [(float(j), y) for j, y in enumerate(path) if y is not None]
    fit = statistics.linear_regression(*zip(*points, strict=True))
    share = statistics.correlation(*zip(*points, strict=True)) ** 2
    assert of("c6_strd_trend_slope_60m")[row] == pytest.approx(100 * fit.slope, rel=1e-9)
    assert of("c6_strd_trend_r2_60m")[row] == pytest.approx(share, rel=1e-9)


def test_realised_less_model_decay_is_a_sum_in_percent():
    known = window("theta_gap", 90, 15)
    assert of("c6_decay_vs_theta_15m")[90] == pytest.approx(100 * sum(known), rel=1e-10)
