"""C6 as a whole: matrix, anchors, point in time, batches, missing inputs."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.features.c6_correlation import c6_features
from mr_platform.features.c6_pairs import ANCHORS, COMPONENT_PAIRS
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.minute_panel import numbered
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.c6_panels import (
    ALL_SERIES,
    DAY,
    MINUTES,
    made_inputs,
    without,
)

INPUTS = made_inputs()
FEATURES = c6_features(INPUTS)
DECLARED = load_registry().components["c6"].columns
Values = list[Any]


def of(name: str, frame: pl.DataFrame = FEATURES) -> Values:
    return frame[name].to_list()[:MINUTES]


def same(found: Values, expected: Values) -> None:
    assert any(x is not None for x in expected)
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        if other is None:
            assert one is None, row
        else:
            assert one == pytest.approx(other, rel=1e-8, abs=1e-10), row


def rows_of(names: list[str]) -> list[Values]:
    """Non-null values beside each other, row by row."""
    return [[x for x in row if x is not None] for row in zip(*map(of, names), strict=True)]


# -- the declared columns -------------------------------------------------------------------------


def test_exactly_the_declared_columns_within_their_ranges():
    assert sorted(FEATURES.columns) == sorted(column.name for column in DECLARED)
    assert FEATURES.height == INPUTS.panel.height
    for column in DECLARED:
        values = FEATURES[column.name].drop_nulls()
        assert not values.is_empty(), column.name
        assert values.is_finite().all() or not values.dtype.is_float(), column.name
        if column.low is not None:
            assert values.min() >= column.low - 1e-12, column.name
        if column.high is not None:
            assert values.max() <= column.high + 1e-12, column.name


# -- matrix, anchors, system ----------------------------------------------------------------------


@pytest.mark.parametrize("w", [30, 60])
def test_statistics_of_the_component_matrix(w: int):
    names = [f"c6_corr_{pair}_{w}m" for pair in COMPONENT_PAIRS]
    rows = rows_of(names)
    enough = [row if len(row) >= 8 else None for row in rows]
    same(of(f"c6_matrix_mean_{w}m"), [r and statistics.mean(r) for r in enough])
    same(of(f"c6_matrix_mean_abs_{w}m"), [r and statistics.mean(map(abs, r)) for r in enough])
    same(of(f"c6_matrix_dispersion_{w}m"), [r and statistics.stdev(r) for r in enough])
    ranks = [25 / (5 + 2 * sum(x * x for x in r)) if len(r) == 10 else None for r in rows]
    same(of(f"c6_matrix_effective_rank_{w}m"), ranks)
    shifts: Values = []
    columns = [of(name) for name in names]
    for row in range(MINUTES):
        ends = [(c[row], c[row - w]) for c in columns] if row >= w else []
        steps = [(a - b) ** 2 for a, b in ends if a is not None and b is not None]
        shifts.append(math.sqrt(statistics.mean(steps)) if len(steps) >= 8 else None)
    same(of(f"c6_matrix_shift_{w}m"), shifts)


@pytest.mark.parametrize("pair", ["strd_spot", "spot_fut", "strd_optvol"])
def test_anchors_are_measured_against_the_two_hours_before(pair: str):
    fisher = [
        None if x is None else math.atanh(min(max(x, -0.999), 0.999))
        for x in of(f"c6_anchor_{pair}_30m")
    ]
    scores: Values = []
    spreads: Values = []
    for row, now in enumerate(fisher):
        before = [x for x in fisher[max(row - 120, 0) : row] if x is not None]
        hour = [x for x in fisher[max(row - 59, 0) : row + 1] if x is not None]
        usable = now is not None and len(before) >= 45
        scores.append(
            (now - statistics.mean(before)) / statistics.stdev(before) if usable else None
        )
        spreads.append(statistics.stdev(hour) if len(hour) >= 30 else None)
    same(of(f"c6_anchor_z_{pair}"), scores)
    same(of(f"c6_anchor_vol_{pair}"), spreads)


def test_breakdown_stability_and_agreement_of_windows():
    scores = rows_of([f"c6_anchor_z_{pair}" for pair in ANCHORS])
    alerts: Values = []
    for row in scores:
        broken = sum(abs(x) >= 2 for x in row)
        level = 3 if broken >= 4 else 2 if broken >= 2 else broken
        alerts.append(level if len(row) >= 4 else None)
    assert of("c6_breakdown_alert") == alerts
    assert {0, 1, 2} <= set(alerts)
    spreads = rows_of([f"c6_anchor_vol_{pair}" for pair in ANCHORS])
    stable = [math.exp(-2 * statistics.mean(r)) if len(r) >= 4 else None for r in spreads]
    same(of("c6_system_stability_score"), stable)

    heads = [f"c6_anchor_{p}" for p in ANCHORS] + [f"c6_corr_{p}" for p in COMPONENT_PAIRS]
    pairs = [zip(of(f"{head}_30m"), of(f"{head}_60m"), strict=True) for head in heads]
    agreement: Values = []
    for row in zip(*pairs, strict=True):
        apart = [abs(a - b) / 2 for a, b in row if a is not None and b is not None]
        agreement.append(1 - statistics.mean(apart) if len(apart) >= 8 else None)
    same(of("c6_correlation_agreement_score"), agreement)


# -- point in time, batches -----------------------------------------------------------------------


def truncated(inputs: FeatureInputs, row: int) -> FeatureInputs:
    """The inputs as they were after minute ``row``: nothing is known of later minutes."""
    later = pl.col("j") > row

    def cut(panel: pl.DataFrame) -> pl.DataFrame:
        return panel.with_columns(
            *(pl.when(~later).then(pl.col(name)).alias(name) for name in ALL_SERIES),
            (pl.col("present") & ~later).alias("present"),
        )

    assert inputs.partner is not None
    until = inputs.panel.filter(pl.col("j") == row)["ts_minute"][0]
    tables = {k: t.filter(pl.col("ts_minute") <= until) for k, t in inputs.components.items()}
    return replace(inputs, panel=cut(inputs.panel), partner=cut(inputs.partner), components=tables)


@pytest.mark.parametrize("row", [3, 29, 99, 180, 300])
def test_no_row_reads_a_later_minute(row: int):
    known = INPUTS.panel["j"] <= row
    found = c6_features(truncated(INPUTS, row))
    assert_frame_equal(found.filter(known), FEATURES.filter(known), check_exact=True)


def test_the_bits_do_not_depend_on_the_batch():
    days = [DAY - dt.timedelta(days=1), DAY]
    batch = made_inputs(days, ("NIFTY", "BANKNIFTY"))
    together = batch.panel.select("symbol", "date").hstack(c6_features(batch).get_columns())
    for day in days:
        for symbol in ("NIFTY", "BANKNIFTY"):
            mine = (pl.col("symbol") == symbol) & (pl.col("date") == day)
            assert batch.partner is not None
            alone = replace(
                batch,
                panel=numbered(batch.panel.filter(mine).drop("cell", "g", "u")),
                partner=numbered(
                    batch.partner.filter(pl.col("date") == day).drop("cell", "g", "u")
                ),
                days=batch.days.filter(pl.col("date") == day),
            )
            expected = together.filter(mine).drop("symbol", "date")
            assert_frame_equal(
                c6_features(alone), expected, check_exact=True, check_column_order=False
            )


# -- missing inputs -------------------------------------------------------------------------------


def nulls(features: pl.DataFrame) -> set[str]:
    return {name for name in features.columns if features[name].null_count() == features.height}


def test_without_futures_only_what_needs_them_is_null():
    found = nulls(c6_features(without(INPUTS, "fut", "fut_open", "fut_high", "fut_low",
                                      "fut_volume", "fut_oi", "basis", "r_fut")))  # fmt: skip
    assert {
        "c6_anchor_spot_fut_30m", "c6_anchor_z_spot_fut", "c6_corr_flow_futoi_spot_60m",
        "c6_gap_basis", "c6_xsym_corr_fvol_120m",
    } <= found  # fmt: skip
    assert not found & {
        "c6_anchor_strd_spot_30m", "c6_gap_spot", "c6_breakdown_alert",
        "c6_multi_timeframe_rsi_consensus", "c6_xsym_corr_spot_60m",
    }  # fmt: skip


def test_without_open_interest_only_flows_are_null():
    found = nulls(c6_features(without(INPUTS, "oi_ce", "oi_pe")))
    flows = {
        f"c6_corr_flow_{pair}_{w}m"
        for pair in ("ceoi_peoi", "optvol_absoi", "pcr_spot")
        for w in (30, 60)
    }
    assert found == flows | {f"c6_xsym_corr_pcr_{w}m" for w in (30, 60, 120)}


def test_without_partner_only_the_other_indexs_columns_are_null():
    found = nulls(c6_features(replace(INPUTS, partner=None)))
    assert found == {column.name for column in DECLARED if column.name.startswith("c6_xsym_")}
    assert len(found) == 30


def test_a_first_day_without_history_and_components_has_its_session_columns():
    found = nulls(c6_features(replace(INPUTS, history={}, components={})))
    assert {"c6_gap_spot", "c6_prev_close_ratio_atm", "c6_decay_rate_z_20d"} <= found
    assert {name for name in found if name.startswith("c6_matrix")} == {
        column.name for column in DECLARED if column.name.startswith("c6_matrix")
    }
    assert not found & {
        "c6_anchor_strd_spot_15m", "c6_decay_lunch", "c6_or_width_5m", "c6_strd_session_change",
        "c6_xsym_iv_spread", "c6_rsi_divergence_3min_5min",
    }  # fmt: skip


def test_a_missing_hour_leaves_windows_empty_until_they_fill_again():
    hour = pl.col("j").is_between(180, 239)
    gone = INPUTS.panel.with_columns(
        pl.when(~hour).then(pl.col(name)).alias(name) for name in ALL_SERIES
    ).with_columns(present=pl.col("present") & ~hour)
    features = c6_features(replace(INPUTS, panel=gone))
    rho = of("c6_anchor_strd_spot_15m", features)
    assert rho[179] is not None
    assert rho[190:249] == [None] * 59
    assert rho[260] is not None
    # sums of the session go on over the hole
    assert of("c6_strd_session_change", features)[245] is not None


def test_an_empty_panel_gives_no_rows():
    empty = replace(INPUTS, panel=INPUTS.panel.clear())
    assert c6_features(empty).height == 0


def test_an_expiry_alone_has_the_bits_it_has_beside_others():
    near = pl.col("dte") == 4
    alone = replace(INPUTS, panel=numbered(INPUTS.panel.filter(near).drop("cell", "g", "u")))
    expected = FEATURES.filter(INPUTS.panel["dte"] == 4)
    assert_frame_equal(c6_features(alone), expected, check_exact=True)
