from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

import pytest

from mr_platform.errors import RegistryError
from mr_platform.features import (
    c1_momentum,
    c3_oi_price_action,
    c4_iv_skew,
    c5_atr_ema_cpr,
    c5_day_context,
    c6_history,
    c8_integration,
)
from mr_platform.features.history import MAX_DEPTH
from mr_platform.features.level_history import WEEK_DEPTH
from mr_platform.features.streams import STREAM_DAYS
from mr_platform.registry.loader import READS, load_registry
from mr_platform.registry.model import COMPONENTS

TOTALS = {"c1": 150, "c2": 98, "c3": 105, "c4": 87, "c5": 94, "c6": 220, "c7": 130, "c8": 48}
ONLINE = {
    "c1": {"momentum_score", "vol_compression", "breakout_probability", "decay_excess"},
    "c2": {"gamma_exposure", "sentiment_level", "pin_risk_score", "gamma_flip_dist"},
    "c3": {
        "institutional_flow_score",
        "divergence_type",
        "range_expansion_score",
        "volume_profile",
    },
    "c4": {"skew_bias_score", "term_structure_signal", "iv_regime_level", "volatility_rank"},
    "c5": {
        "momentum_score",
        "volatility_regime_score",
        "confluence_score",
        "straddle_momentum_score",
    },
    "c6": {"correlation_agreement_score", "breakdown_alert", "system_stability_score"},
    "c7": {
        "level_strength_score",
        "breakout_probability",
        "nearest_support_dist",
        "nearest_resistance_dist",
    },
    "c8": {
        "component_agreement_score",
        "integration_confidence",
        "transition_probability_hint",
        "consensus_direction",
        "data_completeness",
    },
}


def column(name: str):
    return {c.name: c for c in load_registry().features}[name]


def test_totals_are_932_features_by_component():
    registry = load_registry()
    assert {name: len(registry.components[name].columns) for name in COMPONENTS} == TOTALS
    assert len(registry.features) == 932


def test_exactly_the_32_agreed_features_are_online():
    served = {c.name for c in load_registry().online}
    assert served == {f"{c}_{name}" for c, names in ONLINE.items() for name in names}
    assert len(served) == 32


def test_online_enumerations_are_whole_numbers():
    whole = {c.name for c in load_registry().online if c.dtype == "INT64"}
    assert whole == {
        "c2_sentiment_level",
        "c3_divergence_type",
        "c3_volume_profile",
        "c4_term_structure_signal",
        "c4_iv_regime_level",
        "c5_volatility_regime_score",
        "c6_breakdown_alert",
    }


def test_69_columns_of_c5_to_c8_are_whole_numbers():
    late = [c for c in load_registry().features if c.component in ("c5", "c6", "c7", "c8")]
    assert sum(c.dtype == "INT64" for c in late) == 69


def test_names_are_unique_and_prefixed_by_their_component():
    names = Counter(c.name for c in load_registry().features)
    assert [name for name, count in names.items() if count > 1] == []
    assert all(c.name.startswith(f"{c.component}_") for c in load_registry().features)


def test_blocks_of_the_catalogue_hold_their_counts():
    blocks = {
        name: {b.name: b.count for b in load_registry().components[name].blocks}
        for name in COMPONENTS
    }
    assert blocks["c1"] == {"straddle": 120, "momentum": 30}
    assert blocks["c2"] == {
        "first_order": 48,
        "second_order": 9,
        "exposure": 14,
        "pin": 7,
        "sentiment": 10,
        "shape": 10,
    }
    assert list(blocks["c6"].values()) == [40, 50, 30, 30, 23, 24, 3, 20]
    assert list(blocks["c8"].values()) == [12, 12, 12, 12]
    assert blocks["c7"]["momentum_levels"] == 10


def test_columns_expand_in_declared_order():
    names = [c.name for c in load_registry().components["c1"].columns[:8]]
    assert names == [
        "c1_premium_pct_atm",
        "c1_premium_pct_itm1",
        "c1_premium_pct_otm1",
        "c1_premium_pct_ce",
        "c1_straddle_iv",
        "c1_straddle_curvature",
        "c1_open_chg_atm",
        "c1_open_chg_itm1",
    ]
    assert [c.name for c in load_registry().components["c1"].columns if "_ret_ce_" in c.name] == [
        f"c1_ret_ce_{w}m" for w in (3, 5, 10, 15)
    ]


def test_placeholders_of_a_definition_are_filled_and_silent_axes_are_named():
    assert column("c1_ret_pe_10m").definition.startswith("Sum of h over the last 10 bars;")
    assert column("c1_ret_pe_10m").definition.endswith("(series = pe)")
    assert column("c4_risk_reversal_25d").definition.count("0.25") == 2
    unfilled = re.compile(r"\{[a-z_]+\}")
    held = [c.name for c in load_registry().features if unfilled.search(c.definition)]
    assert held == []


@pytest.mark.parametrize(
    ("name", "least", "counted"),
    [
        ("c1_ret_atm_10m", 7, "returns"),
        ("c4_iv_pctl_session", 30, "minutes"),
        ("c4_iv_pctl_252d", 126, "days"),
        ("c5_atr_50_und", 50, "minutes"),
        ("c5_atr_daily_14d_strd", 10, "days"),
        ("c5_rv_15m_und", 10, "returns"),
        ("c6_xsym_corr_spot_120m", 80, "pairs"),
        ("c6_matrix_effective_rank_30m", 10, "correlations"),
        ("c6_matrix_mean_30m", 8, "correlations"),
        ("c6_macd_momentum_strength_5min", 174, "minutes"),
        ("c8_consensus_direction", 4, "votes"),
        ("c4_ts_log_ratio_23", 3, "expiries"),
    ],
)
def test_min_periods_are_whole_numbers_with_what_they_count(name, least, counted):
    assert (column(name).min_periods, column(name).min_periods_counts) == (least, counted)


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("c3_divergence_type", (0, 4)),
        ("c3_divergence_age", (0, 375)),
        ("c4_iv_regime_shift_30m", (-6, 6)),
        ("c4_iv_regime_age", (1, 375)),
        ("c6_matrix_effective_rank_60m", (1, 5)),
        ("c6_matrix_mean_abs_60m", (0, 1)),
        ("c4_smile_vertex", (-5, 5)),
        ("c5_ema_cross_age_und", (0, 750)),
    ],
)
def test_a_range_given_jointly_is_declared_by_column(name, bounds):
    assert (column(name).low, column(name).high) == bounds


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("c3_oi_change_fut_5m", "underlying"),
        ("c3_oi_change_net_5m", "expiry"),
        ("c5_atr_14_und", "underlying"),
        ("c5_atr_14_strd", "expiry"),
        ("c7_dist_pdh", "underlying"),
        ("c7_dist_call_wall", "expiry"),
        ("c6_anchor_spot_fut_30m", "underlying"),
        ("c6_anchor_spot_iv_30m", "expiry"),
        ("c4_ts_slope", "underlying"),
    ],
)
def test_scope_is_declared_for_every_column(name, scope):
    assert column(name).scope == scope


def test_lookback_is_structured():
    score = column("c5_volatility_regime_score").lookback
    assert score.session
    assert dict(score.history) == {"hist_zone": 20, "hist_minute": 2}
    assert score.trading_days == 20
    assert score.text() == "session, 20 trading days of hist_zone, 2 trading days of hist_minute"
    assert column("c1_rsi_comb_15m").lookback.history == (("hist_minute", 3),)
    assert column("c3_range_ratio_15m").lookback.minutes == 90
    assert column("c6_matrix_shift_60m").lookback.minutes == 120
    assert column("c1_straddle_iv").lookback.text() == "1 minute"


def test_only_c1_pivots_and_momentum_of_c1_and_c2_read_other_days():
    days = Counter(
        c.lookback.history for c in load_registry().features if c.component in ("c1", "c2")
    )
    assert days[(("hist_daily", 1),)] == 8
    assert days[(("hist_minute", 3),)] == 29
    assert days[()] == 150 + 98 - 37


def test_days_before_are_declared_as_deep_as_the_features_read_them():
    # an asset loads as many earlier partitions as its columns declare, not more
    def declared(component, table):
        found = [dict(c.lookback.history).get(table, 0) for c in load_registry().features
                 if c.component == component]  # fmt: skip
        return max(found)

    read = {
        ("c1", "hist_minute"): c1_momentum.DEPTH,
        ("c3", "hist_c3_zone"): c3_oi_price_action.ZONE_DAYS,
        ("c4", "hist_daily"): c4_iv_skew.DAILY_RETURNS + 1,
        ("c4", "hist_c4_day"): MAX_DEPTH,
        ("c4", "hist_c4_zone"): MAX_DEPTH,
        ("c5", "hist_minute"): STREAM_DAYS,
        ("c5", "hist_zone"): c5_atr_ema_cpr.ZONE_DAYS,
        ("c5", "hist_daily"): max(c5_day_context.DEPTH, WEEK_DEPTH),
        ("c6", "hist_minute"): STREAM_DAYS,
        ("c6", "hist_zone"): c6_history.ZONE_DAYS,
        ("c6", "hist_daily"): 1 + max(c6_history.GAP_DAYS, c6_history.SHAPE_DAYS),
        ("c7", "hist_minute"): STREAM_DAYS,
        ("c7", "hist_daily"): WEEK_DEPTH,
        ("c8", "hist_c8_zone"): c8_integration.HISTORY_DAYS,
    }
    assert {place: declared(*place) for place in read} == read


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("c5_cpr_width_weekly_und", WEEK_DEPTH),
        ("c5_cpr_zone_weekly_strd", WEEK_DEPTH),
        ("c5_confluence_count_und", WEEK_DEPTH),
        ("c7_dist_pwh", WEEK_DEPTH),
        ("c7_break_pwl", WEEK_DEPTH),
        ("c7_nearest_support_dist", WEEK_DEPTH),
        ("c7_hit_prob_support_15m", WEEK_DEPTH),
        ("c6_gap_z_20d", c6_history.GAP_DAYS + 1),
        ("c6_prev_strd_pctl_20d", c6_history.SHAPE_DAYS + 1),
        ("c5_cpr_width_pctl_20d_und", c5_day_context.DEPTH),
        ("c5_cpr_width_daily_und", 1),
    ],
)
def test_a_column_declares_the_days_that_it_reads_itself(name, days):
    assert dict(column(name).lookback.history)["hist_daily"] == days


def test_reads_name_columns_of_earlier_components_only():
    hit = column("c7_hit_prob_support_15m")
    assert hit.reads == ("c7_nearest_support_dist",)
    assert column("c8_integration_confidence").reads == (
        "c8_data_completeness",
        "c8_component_agreement_score",
        "c8_expansion_agreement_score",
        "c8_persistence_direction",
        "c8_persistence_expansion",
    )
    for feature in load_registry().features:
        allowed = (feature.component, *READS[feature.component])
        assert all(name[:2] in allowed for name in feature.reads), feature.name


def test_votes_of_c8_name_declared_series():
    extra = load_registry().components["c8"].extra
    votes = {**extra["votes"]["direction"], **extra["votes"]["expansion"]}
    assert len(votes) == 13
    names = {c.name for c in load_registry().features}
    assert {v for v in votes.values() if v not in names} == {"c7_break_mean"}
    assert set(votes.values()) <= set(extra["key_series"])
    channels = extra["votes"]
    for channel in ("direction", "expansion"):
        for series in channels[channel].values():
            assert extra["key_series"][series]["channel"] == channel


def test_labels_are_four_classes_and_the_end_of_their_horizon():
    labels = load_registry().labels
    assert [(c.name, c.dtype) for c in labels.columns] == [
        ("regime_label", "INT64"),
        ("transition_label_15m", "INT64"),
        ("transition_label_30m", "INT64"),
        ("transition_label_60m", "INT64"),
        ("label_end_ts", "TIMESTAMP"),
    ]
    assert list(labels.extra["classes"].values()) == [
        "LVLD",
        "HVC",
        "VCPE",
        "TBVS",
        "TBVE",
        "SCGS",
        "PSED",
        "CBV",
    ]
    assert set(labels.extra["label_end"]) == {
        c.name for c in labels.columns if c.name != "label_end_ts"
    }


def test_every_component_carries_its_null_default_unless_it_says_more():
    assert column("c1_premium_pct_atm").null_policy.startswith("warm-up null;")
    assert column("c4_iv_regime_level").null_policy.startswith(
        "null with fewer than 10 days of history, never a default level; warm-up null;"
    )
    assert column("c8_weak_components").null_policy == "never null"


def test_a_loaded_registry_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        column("c1_straddle_iv").unit = "percent"  # type: ignore[misc]


def test_the_package_registry_is_read_once_and_a_folder_afresh(declared_copy):
    assert load_registry() is load_registry()
    folder = declared_copy()
    first, second = load_registry(folder), load_registry(folder)
    assert first is not second
    assert first == load_registry()


# one edit for each kind of fault: (file, text, wrong text, what must be said)
FAULTS = [
    (
        "c1_triple_straddle",
        "    dtype: FLOAT64\n",
        "    dtyp: FLOAT64\n",
        "unknown field dtyp. Near: dtype",
    ),
    (
        "c1_triple_straddle",
        "count: 150\n",
        "count: 151\n",
        "count is 151, but ",
    ),
    (
        "c2_greeks_sentiment",
        "    count: 16\n",
        "    count: 17\n",
        "count is 17, but 16 names expand",
    ),
    (
        "c2_greeks_sentiment",
        "dtype: INT64",
        "dtype: INT46",
        "unknown dtype 'INT46'. Near: INT64",
    ),
    (
        "c2_greeks_sentiment",
        "names: c2_{greek}_{weight}_net\n",
        "names: c2_{greek}_{weigth}_net\n",
        "names uses the axis weigth, which is not declared. Near: weight",
    ),
    (
        "c2_greeks_sentiment",
        "online: [c2_gamma_exposure]",
        "online: [c2_gamma_exposures]",
        "the online name c2_gamma_exposures is no column of this family. Near: c2_gamma_exposure",
    ),
    (
        "c3_oi_price_action",
        "axes: {series: [pcr_oi, turnover]}",
        "axes: {series: [pcr_io, turnover]}",
        "unknown series pcr_io. Near: pcr_oi",
    ),
    (
        "c3_oi_price_action",
        "history: {hist_c3_close: 1}",
        "history: {hist_c3_closes: 1}",
        "unknown history table hist_c3_closes. Near: hist_c3_close",
    ),
    (
        "c4_iv_skew",
        "{hist_c4_zone: 252}",
        "{hist_c4_zone: 300}",
        "a look-back of 300 trading days is outside 1 to 252, the depth",
    ),
    (
        "c3_oi_price_action",
        "block: flow",
        "block: flows",
        "unknown block 'flows'. Near: flow",
    ),
    (
        "c4_iv_skew",
        "min_periods: {horizon: {20d: 10, 60d: 30, 252d: 126}}",
        "min_periods: {horizn: {20d: 10, 60d: 30, 252d: 126}}",
        "min_periods varies over the unknown axis horizn. Near: horizon",
    ),
    (
        "c4_iv_skew",
        "min_periods: {window: {30: 20, 60: 40}}",
        "min_periods: ceil(2*window/3)",
        "min_periods must be an integer of at least 0, was 'ceil(2*window/3)'",
    ),
    (
        "c4_iv_skew",
        "range: [-100, 100]",
        "range: [100, -100]",
        "the range [100, -100] is upside down",
    ),
    (
        "c4_iv_skew",
        "c4_skew_mom_{series}_{window}m",
        "c5_skew_mom_{series}_{window}m",
        "the name c5_skew_mom_rr25_5m must start with c4_",
    ),
    (
        "c4_iv_skew",
        "scope: underlying",
        "scope: index",
        "unknown scope 'index'. Known: expiry, underlying",
    ),
    (
        "c5_atr_ema_cpr",
        "names: c5_rv_ratio_15_60_{asset}",
        "names: c5_atr_ratio_14_50_{asset}",
        "the column c5_atr_ratio_14_50_und is declared twice, first in c5_atr_ema_cpr.yaml",
    ),
    (
        "c5_atr_ema_cpr",
        "c5_rv_15m_{asset}/c5_rv_60m_{asset}",
        "c5_rv_15m_{asset}/c5_rw_60m_{asset}",
        "the definition names c5_rw_60m_strd, which is not declared. Near: c5_rv_60m_strd",
    ),
    (
        "c5_atr_ema_cpr",
        "definition: c5_vol_regime_strd - c5_vol_regime_und",
        "definition: c5_vol_regime_strd - c6_breakdown_alert",
        "the definition names c6_breakdown_alert: c5 may read no other component",
    ),
    (
        "c6_correlation",
        "shared: [",
        "shared: [strdd, ",
        "unknown shared entry strdd. Near: strd",
    ),
    (
        "c6_correlation",
        "- id: c6_vr\n",
        "- id: c6_vrp\n",
        "the family c6_vrp is declared twice",
    ),
    (
        "c7_levels",
        "min_periods_counts: events",
        "min_periods_counts: event",
        "unknown min_periods_counts 'event'. Near: events",
    ),
    (
        "c7_levels",
        "range: [0, 187]",
        "range: [0, 187.5]",
        "an INT64 range has whole bounds",
    ),
    (
        "c8_integration",
        "online_count: 5",
        "online_count: 4",
        "online_count is 4, but 5 are online",
    ),
    (
        "c8_integration",
        "agreement: {count: 12",
        "agreement: {count: 13",
        "the block agreement counts 13, but 12 columns are declared in it",
    ),
    (
        "c8_integration",
        "    reference: majority vote\n",
        "",
        "the field reference is missing",
    ),
    (
        "c8_integration",
        "    reference: coherence ratio\n",
        "    reference: coherence ratio\n    reference: again\n",
        "the key reference is declared twice, first on line",
    ),
    (
        "history",
        "depth_trading_days: 60",
        "depth_trading_day: 60",
        "unknown field depth_trading_day. Near: depth_trading_days",
    ),
    (
        "labels",
        "definition: >-\n      1 if regime_label(t+{h})",
        "definition: >-\n      1 if regime_label(t+{hh})",
        "the definition uses the axis hh, which is not declared. Near: h",
    ),
    (
        "raw_chain",
        "role: greek",
        "role: greeks",
        "unknown role 'greeks'. Near: greek",
    ),
    (
        "raw_chain",
        "position: 20",
        "position: 21",
        "position must be 20, was 21",
    ),
    (
        "raw_chain",
        "columns: [date, expiry_date, dte]",
        "columns: [date, expiry_dates, dte]",
        "unknown column expiry_dates. Near: expiry_date",
    ),
    (
        "raw_chain",
        "severity: warn",
        "severity: warning",
        "unknown severity 'warning'. Near: warn",
    ),
    (
        "shared",
        "series:\n",
        "series:\n  unused_series: nothing uses this\n",
        "no component uses unused_series",
    ),
]


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(RegistryError) as caught:
        load_registry(folder)
    return caught.value.faults


def test_every_fault_of_every_file_is_told_at_once_with_its_line(declared_copy):
    folder = declared_copy(*[(stem, old, new) for stem, old, new, _ in FAULTS])
    faults = faults_of(folder)
    for stem, _, _, said in FAULTS:
        found = [fault for fault in faults if said in fault]
        assert found, said
        file, line, _ = found[0].split(":", 2)
        assert file == f"{stem}.yaml", found
        lines = (folder / file).read_text(encoding="utf-8").splitlines()
        assert 1 <= int(line) <= len(lines)
    assert len(FAULTS) >= 15


def test_the_line_of_a_fault_is_the_line_of_the_value(declared_copy):
    folder = declared_copy(("c4_iv_skew", "range: [-100, 100]", "range: [100, -100]"))
    lines = (folder / "c4_iv_skew.yaml").read_text(encoding="utf-8").splitlines()
    place = next(i for i, line in enumerate(lines, 1) if "range: [100, -100]" in line)
    assert faults_of(folder) == [f"c4_iv_skew.yaml:{place}: the range [100, -100] is upside down"]


def test_missing_unknown_and_unreadable_files_are_faults_of_one_load(declared_copy):
    folder = declared_copy()
    (folder / "c5_atr_ema_cpr.yaml").rename(folder / "c5_atr_ema_crp.yaml")
    (folder / "c6_correlation.yaml").write_text("families: [", encoding="utf-8")
    (folder / "c7_levels.yaml").write_text("", encoding="utf-8")
    (folder / "c8_integration.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "labels.yaml").write_text("- a list\n", encoding="utf-8")
    text = "\n".join(faults_of(folder))
    assert "c5_atr_ema_crp.yaml:1: unknown file. Near: c5_atr_ema_cpr" in text
    assert "c5_atr_ema_cpr.yaml:1: the file is missing in declared. Near: c5_atr_ema_crp" in text
    assert "c6_correlation.yaml:2: not readable as YAML" in text or (
        "c6_correlation.yaml:1: not readable as YAML" in text
    )
    assert "c7_levels.yaml:1: the file is empty" in text
    assert "c8_integration.yaml:1: the file cannot be read" in text
    assert "labels.yaml:1: the file must be a mapping" in text


def test_a_wrong_registry_says_how_many_faults_and_what_to_do(declared_copy):
    folder = declared_copy(
        ("c8_integration", "online_count: 5", "online_count: 4"),
        ("c1_triple_straddle", "count: 150\n", "count: 151\n"),
    )
    with pytest.raises(RegistryError, match=r"2 faults in the declared registry") as caught:
        load_registry(folder)
    assert "Correct the lines named above" in str(caught.value)
