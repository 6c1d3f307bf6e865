"""The 48 columns of c8: worked by hand, point in time, and where there is nothing to say."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from itertools import combinations
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c8_history import TABLE
from mr_platform.features.c8_integration import c8_features
from mr_platform.features.c8_votes import break_series
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.table_schemas import table_schema
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.component_tables import (
    COMPONENTS,
    DAY,
    component_tables,
    key_panel,
    random_tables,
)

T = math.tanh(1.0)
"""Vote of a series that has kept its size all session."""

DIRECTION: dict[str, Any] = {
    "c2_sentiment_level": 7,
    "c3_institutional_flow_score": 0.4,
    "c5_momentum_score": 0.1,
    "c6_multi_timeframe_rsi_consensus": -0.2,
}
"""Votes d2 = 1, d3 = T, d5 = T, d6 = -T from minute index 14 on."""


def features(
    panel: pl.DataFrame,
    tables: dict[str, pl.LazyFrame],
    history: pl.LazyFrame | None = None,
) -> pl.DataFrame:
    inputs = FeatureInputs(
        panel=panel,
        history={} if history is None else {"hist_c8_zone": history},
        days=previous_days(panel["date"].unique().to_list(), 20).lazy(),
        components=tables,
    )
    return panel.select("g", "j", "dte").hstack(c8_features(inputs).get_columns())


def of(values: dict[str, Any], dtes: tuple[int, ...] = (6,)) -> pl.DataFrame:
    panel = key_panel(dtes)
    return features(panel, component_tables(panel, values))


def when_flipped(minute: int, value: float) -> pl.Expr:
    return pl.when(pl.col("j") < minute).then(value).otherwise(-value)


# -- shape ----------------------------------------------------------------------------------------


def test_all_declared_columns_come_in_declared_order_inside_their_ranges() -> None:
    panel = key_panel((1, 6, 20), days=(DAY, DAY + dt.timedelta(days=3)))
    found = features(panel, random_tables(panel)).drop("g", "j", "dte")
    declared = load_registry().components["c8"].columns
    assert found.columns == [column.name for column in declared]
    assert found.height == panel.height
    for column in declared:
        values = found[column.name].drop_nulls()
        if column.name.startswith("c8_dte_pctl"):
            assert values.is_empty()
            continue
        assert values.len() > 1000, column.name
        assert values.is_finite().all(), column.name
        low, high = column.low, column.high
        assert low is None or (values >= low).all(), column.name
        assert high is None or (values <= high).all(), column.name


# -- agreement ------------------------------------------------------------------------------------


def test_agreement_of_four_votes_by_hand() -> None:
    row = of(DIRECTION).row(50, named=True)
    votes = [1.0, T, T, -T]
    assert row["c8_consensus_direction"] == pytest.approx(sum(votes) / 4)
    assert row["c8_component_agreement_score"] == pytest.approx((1 + T) / (1 + 3 * T))
    assert row["c8_dispersion_direction"] == pytest.approx(statistics.pstdev(votes))
    assert row["c8_majority_share_direction"] == pytest.approx(0.75)
    assert row["c8_conflict_pairs_direction"] == 3
    products = [a * b for a, b in combinations(votes, 2)]
    against = sum(max(0.0, -product) for product in products)
    assert row["c8_antagonism_ratio"] == pytest.approx(
        against / sum(abs(product) for product in products)
    )
    assert row["c8_consensus_expansion"] is None
    assert row["c8_conflict_pairs_expansion"] is None


def test_small_votes_are_no_conflict_and_a_vote_of_zero_is_no_majority() -> None:
    row = of({**DIRECTION, "c2_sentiment_level": 4}).row(50, named=True)
    assert row["c8_majority_share_direction"] == pytest.approx(0.5)
    assert row["c8_conflict_pairs_direction"] == 2


def test_a_consensus_of_zero_has_no_majority() -> None:
    values = {**DIRECTION, **dict.fromkeys(break_series(), -1)}
    del values["c2_sentiment_level"]
    row = of(values).row(50, named=True)
    assert row["c8_consensus_direction"] == pytest.approx(0.0, abs=1e-15)
    assert row["c8_majority_share_direction"] == 0.0
    assert row["c8_dispersion_direction"] == pytest.approx(T)
    assert row["c8_component_agreement_score"] == pytest.approx(0.0, abs=1e-15)


def test_the_change_of_agreement_needs_both_ends_only() -> None:
    values = {**DIRECTION, "c6_multi_timeframe_rsi_consensus": when_flipped(60, -0.2)}
    found = of(values)["c8_agreement_change_15m_direction"]
    assert found[28] is None  # 09:29 has votes, fifteen minutes before 09:43 there are none
    assert found[29] == pytest.approx(0.0, abs=1e-12)
    assert found[59] == pytest.approx(0.0, abs=1e-12)
    assert found[60] == pytest.approx(1.0 - (1 + T) / (1 + 3 * T))
    assert found[74] == pytest.approx(1.0 - (1 + T) / (1 + 3 * T))
    assert found[75] == pytest.approx(0.0, abs=1e-12)


# -- across expiries ------------------------------------------------------------------------------


def by_dte(levels: dict[int, int | None]) -> dict[str, Any]:
    level = pl.lit(None, dtype=pl.Int64)
    for dte, value in levels.items():
        level = pl.when(pl.col("dte") == dte).then(value).otherwise(level)
    return {**DIRECTION, "c2_sentiment_level": level}


def test_three_expiries_by_hand() -> None:
    found = of(by_dte({1: 7, 4: 4, 9: 1}), dtes=(1, 4, 9)).filter(pl.col("j") == 50)
    x = {1: (1 + T) / 4, 4: T / 4, 9: (-1 + T) / 4}
    assert found["c8_consensus_direction"].to_list() == pytest.approx(list(x.values()))
    assert found["c8_dte_deviation_direction"].to_list() == pytest.approx(
        [x[1] - (x[4] + x[9]) / 2, x[4] - (x[1] + x[9]) / 2, x[9] - (x[1] + x[4]) / 2]
    )
    assert found["c8_dte_sign_agreement_direction"].to_list() == pytest.approx([0.5, 0.5, 0.0])
    # roots of dte 1, 2, 3: the slope is half the difference of the ends
    assert found["c8_dte_term_slope_direction"].to_list() == pytest.approx([(x[9] - x[1]) / 2] * 3)
    assert found["c8_dte_vs_nearest_direction"].to_list() == pytest.approx(
        [x[1] - x[4], x[4] - x[1], x[9] - x[4]]
    )


def test_between_two_expiries_as_near_the_shorter_one_counts() -> None:
    found = of(by_dte({1: 7, 4: 4, 7: 1}), dtes=(1, 4, 7)).filter(pl.col("j") == 50)
    assert found["c8_dte_vs_nearest_direction"][1] == pytest.approx(-1 / 4)


def test_an_expiry_without_consensus_is_no_dte_row() -> None:
    levels: dict[int, int | None] = {1: 7, 4: None, 9: 1, 16: 4, 30: None, 58: 7}
    found = of(by_dte(levels), dtes=tuple(levels)).filter(pl.col("j") == 50)
    x = {1: (1 + T) / 4, 9: (-1 + T) / 4, 16: T / 4, 58: (1 + T) / 4}
    nearest = found["c8_dte_vs_nearest_direction"].to_list()
    assert nearest[1] is None
    assert nearest[4] is None
    assert [nearest[n] for n in (0, 2, 3, 5)] == pytest.approx(
        [x[1] - x[9], x[9] - x[16], x[16] - x[9], x[58] - x[16]]
    )
    agreement = found["c8_dte_sign_agreement_direction"].to_list()
    assert agreement == [pytest.approx(2 / 3), None, 0.0, pytest.approx(2 / 3), None,
                         pytest.approx(2 / 3)]  # fmt: skip
    # the slope belongs to the minute, whoever has a consensus
    assert found["c8_dte_term_slope_direction"].n_unique() == 1
    assert found["c8_dte_deviation_direction"][1] is None


@pytest.mark.parametrize("number", [2, 3, 5, 9, 18])
def test_the_nearest_expiry_is_found_however_many_there_are(number: int) -> None:
    dtes = tuple(7 * place + 1 for place in range(number))
    levels: dict[int, int | None] = dict.fromkeys(dtes)
    levels[dtes[0]], levels[dtes[-1]] = 7, 1
    found = of(by_dte(levels), dtes=dtes).filter(pl.col("j") == 50)
    nearest = found["c8_dte_vs_nearest_direction"]
    assert nearest[0] == pytest.approx(0.5)
    assert nearest[-1] == pytest.approx(-0.5)
    assert nearest.null_count() == number - 2


def test_expiries_of_another_day_are_no_dte_rows() -> None:
    panel = key_panel((6,), days=(DAY, DAY + dt.timedelta(days=3)))
    found = features(panel, component_tables(panel, DIRECTION))
    for name in ("deviation", "sign_agreement", "term_slope", "vs_nearest"):
        column = found[f"c8_dte_{name}_direction"]
        assert column.null_count() == column.len(), name


def test_votes_weigh_by_component_and_nearness() -> None:
    row = of(DIRECTION, dtes=(7,)).row(50, named=True)
    fade = math.exp(-1.0)
    votes = {2: 1.0, 3: T, 5: T, 6: -T}
    weights = {2: 1 + 1.5 * fade, 3: 1 + fade, 5: 1 - 0.5 * fade, 6: 1.0}
    expected = sum(weights[n] * votes[n] for n in votes) / sum(weights.values())
    assert row["c8_dte_weighted_consensus_direction"] == pytest.approx(expected)


def past_consensus(values: list[float | None], bucket: str = "near") -> pl.LazyFrame:
    days = previous_days([DAY], 20)["hist_date"].to_list()
    rows = [
        {"symbol": "NIFTY", "date": day, "dte_bucket": bucket, "zone_name": zone,
         "consensus_direction": value, "consensus_expansion": None}
        for day, value in zip(days, values, strict=False)
        for zone in ("LUNCH", "CLOSE")
    ]  # fmt: skip
    return pl.LazyFrame(rows, schema=table_schema(TABLE))


def test_the_percentile_compares_with_past_days_of_the_same_bucket_and_zone() -> None:
    x = (1 + T) / 4
    panel = key_panel((6, 20))
    tables = component_tables(panel, DIRECTION)
    found = features(panel, tables, past_consensus([0.0, x - 0.1, x + 0.1, 0.9, None, -0.5]))
    found = found.with_columns(zone_name=panel["zone_name"])
    name = "c8_dte_pctl_20d_direction"
    near = found.filter(pl.col("dte") == 6)
    assert near.filter(pl.col("zone_name") == "LUNCH")[name].to_list() == pytest.approx(
        [3 / 5] * near.filter(pl.col("zone_name") == "LUNCH").height
    )
    elsewhere = found.filter((pl.col("dte") == 20) | (pl.col("zone_name") == "MORNING"))
    assert elsewhere[name].null_count() == elsewhere.height


def test_four_past_days_are_too_few() -> None:
    panel = key_panel((6,))
    found = features(panel, component_tables(panel, DIRECTION), past_consensus([0.0] * 4))
    assert found["c8_dte_pctl_20d_direction"].null_count() == panel.height


# -- stability ------------------------------------------------------------------------------------


def test_persistence_and_flips_follow_the_side() -> None:
    flipping = {
        "c2_sentiment_level": pl.when(pl.col("j") < 100).then(7).otherwise(1),
        "c3_institutional_flow_score": when_flipped(100, 0.4),
        "c5_momentum_score": when_flipped(100, 0.1),
        "c6_multi_timeframe_rsi_consensus": when_flipped(100, 0.2),
    }
    found = of(flipping)
    persistence = found["c8_persistence_direction"]
    assert persistence[13] is None
    assert persistence[14:100].to_list() == list(range(86))
    assert persistence[100:].to_list() == list(range(275))
    flips = found["c8_flips_60m_direction"]
    assert flips[52] is None  # 39 minutes with a consensus
    assert flips[53:100].to_list() == [0] * 47
    assert flips[100:160].to_list() == [1] * 60
    assert flips[160:].to_list() == [0] * 215


def test_a_gap_without_a_change_of_side_does_not_start_again() -> None:
    level = pl.when(~pl.col("j").is_between(50, 59)).then(7)
    found = of({**DIRECTION, "c2_sentiment_level": level})
    persistence = found["c8_persistence_direction"]
    assert persistence[49] == 35
    assert persistence[50:60].null_count() == 10
    assert persistence[60] == 46
    assert found["c8_flips_60m_direction"][70] == 0


def test_volatility_of_the_consensus_by_hand() -> None:
    swinging = pl.when(pl.col("j") % 2 == 0).then(7).otherwise(1)
    found = of({**DIRECTION, "c2_sentiment_level": swinging})
    volatility = found["c8_consensus_vol_30m_direction"]
    assert volatility[32] is None  # 19 minutes
    # fifteen of each, half a vote's quarter from their mean
    assert volatility[60] == pytest.approx(0.25 * math.sqrt(30 / 29))
    autocorrelation = found["c8_autocorr5_60m_direction"]
    assert autocorrelation[57] is None  # 39 pairs
    assert autocorrelation[58] == pytest.approx(-1.0)


def test_completeness_counts_every_declared_column() -> None:
    sizes = {name: len(load_registry().components[name].columns) for name in COMPONENTS}
    found = of(DIRECTION)
    shares = [1 / sizes[name] for name in ("c2", "c3", "c5", "c6")]
    assert found["c8_data_completeness"].to_list() == pytest.approx([sum(shares) / 7] * 375)
    assert found["c8_weak_components"].to_list() == [7] * 375


def test_a_component_is_weak_below_four_fifths() -> None:
    columns = load_registry().components["c3"].columns
    assert len(columns) == 105
    full = {column.name: 0 for column in columns[:84]}
    assert of(full)["c8_weak_components"][0] == 6
    del full[columns[0].name]
    assert of(full)["c8_weak_components"][0] == 7


EXPANSION: dict[str, Any] = {
    "c1_momentum_score": 0.4,
    "c4_iv_regime_level": 7,
    "c5_volatility_regime_score": 4,
    "c7_breakout_probability": (pl.col("j") % 2).cast(pl.Float64),
}


def test_confidence_is_the_product_it_says() -> None:
    row = of({**DIRECTION, **EXPANSION}).row(50, named=True)
    agreed = (row["c8_component_agreement_score"] + row["c8_expansion_agreement_score"]) / 2
    youngest = min(row["c8_persistence_direction"], row["c8_persistence_expansion"])
    assert youngest == 36
    assert row["c8_integration_confidence"] == pytest.approx(
        row["c8_data_completeness"] * agreed * (1 - math.exp(-37 / 15))
    )
    alone = of(DIRECTION)["c8_integration_confidence"]
    assert alone.null_count() == alone.len()


def test_the_hint_is_the_logistic_of_its_parts() -> None:
    noisy = {
        "c1_momentum_score": ((pl.col("j") * 37 % 101) / 101 - 0.4).cast(pl.Float64),
        "c4_iv_regime_level": 1 + pl.col("j") * 5 % 7,
        "c5_volatility_regime_score": pl.col("j") * 3 % 5,
        "c7_breakout_probability": ((pl.col("j") * 29 % 97) / 97).cast(pl.Float64),
    }
    quiet, alarmed = of(noisy), of({**noisy, "c6_breakdown_alert": 3, "c3_divergence_type": 2})
    agreeing = of({**noisy, "c6_breakdown_alert": 0, "c3_divergence_type": 0})
    name = "c8_transition_probability_hint"
    assert agreeing[name].equals(quiet[name])

    volatility = quiet["c8_consensus_vol_30m_expansion"].to_list()[:201]
    change = [
        None if value is None else -value
        for value in quiet["c8_agreement_change_15m_expansion"].to_list()[:201]
    ]

    def z(values: list[float | None]) -> float:
        known = [value for value in values if value is not None]
        found = (known[-1] - statistics.fmean(known)) / statistics.stdev(known)
        return max(-3.0, min(3.0, found))

    index = -1 + 0.6 * z(volatility) + 0.6 * z(change)
    assert quiet[name][200] == pytest.approx(1 / (1 + math.exp(-index)))
    assert alarmed[name][200] == pytest.approx(1 / (1 + math.exp(-(index + 0.5 + 0.4))))
    # the 30 minutes of the z on the 20 of the volatility on the 15 of the votes
    assert quiet[name][: 14 + 19 + 29].null_count() == 62
    assert quiet[name][62] is not None


# -- synergy --------------------------------------------------------------------------------------


def test_products_and_triads_by_hand() -> None:
    values = {**DIRECTION, **dict.fromkeys(break_series(), 1), **EXPANSION}
    row = of(values).row(50, named=True)
    assert row["c8_synergy_d2_d3"] == pytest.approx(T)
    assert row["c8_synergy_d3_d5"] == pytest.approx(T * T)
    assert row["c8_synergy_d4_d5"] is None
    assert row["c8_synergy_e1_e5"] == pytest.approx(T)
    assert row["c8_triad_d2_d3_d7"] == pytest.approx((T * T) ** (1 / 3))
    assert row["c8_triad_d3_d5_d7"] == pytest.approx(T)

    mixed = of({**values, "c3_institutional_flow_score": -0.4}).row(50, named=True)
    assert mixed["c8_triad_d3_d5_d7"] == 0.0
    down = dict.fromkeys(break_series(), -1)
    down |= {"c3_institutional_flow_score": -0.4, "c5_momentum_score": -0.1}  # type: ignore[dict-item]
    assert of(down).row(50, named=True)["c8_triad_d3_d5_d7"] == pytest.approx(-T)
    assert of({**values, "c2_sentiment_level": 4})["c8_triad_d2_d3_d7"][50] == 0.0


# -- point in time, batches, nothing there --------------------------------------------------------


def test_no_row_reads_a_later_one() -> None:
    panel = key_panel((1, 6, 20))
    tables = random_tables(panel)
    whole = features(panel, tables)
    for minute in (40, 200):
        until = pl.col("ts_minute") <= panel["ts_minute"][minute]
        cut = {name: table.filter(until) for name, table in tables.items()}
        found = features(panel, cut)
        before = pl.col("j") <= minute
        assert found.filter(before).equals(whole.filter(before))


def test_a_day_alone_has_the_same_bits_as_in_a_batch() -> None:
    days = (DAY, DAY + dt.timedelta(days=3))
    both = key_panel((1, 6, 20), days=days)
    tables = random_tables(both)
    batch = features(both, tables)
    second = both.filter(pl.col("date") == days[1]).with_columns(
        pl.col("g") - 3, pl.col("u") - 1, pl.col("cell") - 3 * 375
    )
    alone = features(second, tables)
    assert alone.drop("g").equals(batch.filter(pl.col("g") >= 3).drop("g"))


def test_without_tables_only_completeness_says_anything() -> None:
    panel = key_panel((6, 13))
    found = features(panel, {}).drop("g", "j", "dte")
    assert found["c8_data_completeness"].unique().to_list() == [0.0]
    assert found["c8_weak_components"].unique().to_list() == [7]
    rest = found.drop("c8_data_completeness", "c8_weak_components")
    assert rest.null_count().row(0) == (panel.height,) * 46


def test_a_missing_hour_is_null_and_does_not_reach_over() -> None:
    panel = key_panel((6, 13)).with_columns(present=~pl.col("j").is_between(120, 179))
    found = features(panel, component_tables(panel, {**DIRECTION, **EXPANSION}))
    gap = found.filter(pl.col("j").is_between(120, 179))
    always = ("c8_data_completeness", "c8_weak_components")
    windows = tuple(name for name in found.columns if "_30m_" in name or "_60m_" in name)
    for name in found.columns[3:]:
        if name not in (*always, *windows):
            assert gap[name].null_count() == gap.height, name
    # the first agreement change after the gap waits for its other end
    first = found.filter(pl.col("g") == 0)["c8_agreement_change_15m_direction"]
    assert first[180:195].null_count() == 15
    assert first[195] is not None


def test_a_single_expiry_has_no_dte_pattern() -> None:
    found = of({**DIRECTION, **EXPANSION})
    for channel in ("direction", "expansion"):
        for name in ("deviation", "sign_agreement", "term_slope", "vs_nearest"):
            assert found[f"c8_dte_{name}_{channel}"].null_count() == 375
        assert found[f"c8_dte_weighted_consensus_{channel}"][50] is not None
