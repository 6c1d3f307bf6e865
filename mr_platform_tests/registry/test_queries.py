from __future__ import annotations

import json

import pytest

from mr_platform.errors import PlatformError
from mr_platform.registry.queries import describe_feature, list_features, search_features


def test_lists_by_component_block_and_online_mark():
    assert len(list_features()) == 932
    assert len(list_features("c6")) == 220
    assert len(list_features("labels")) == 5
    assert len(list_features(online=True)) == 32
    assert [c.name for c in list_features("c2", online=True, block="pin")] == ["c2_pin_risk_score"]
    assert len(list_features("c1", block="momentum")) == 30


def test_an_unknown_component_or_block_is_told_with_the_known_ones():
    with pytest.raises(PlatformError, match=r"no component c9 is declared\. Known: c1, c2,"):
        list_features("c9")
    with pytest.raises(PlatformError, match=r"no block momentums is declared\. Near: momentum"):
        list_features("c1", block="momentums")


def test_one_feature_is_described_with_everything_declared():
    feature = describe_feature("c4_iv_pctl_60d")
    assert feature.family == "c4_iv_pctl"
    assert feature.lookback.history == (("hist_c4_day", 60),)
    plain = feature.to_dict()
    assert plain["lookback"]["history"] == {"hist_c4_day": 60}
    assert plain["axes"] == {"horizon": "60d"}
    assert json.loads(json.dumps(plain))["name"] == "c4_iv_pctl_60d"
    assert describe_feature("regime_label").component == "labels"


def test_an_unknown_name_is_told_with_its_file_near_names_and_next_step():
    with pytest.raises(PlatformError) as caught:
        describe_feature("c4_iv_pctl_61d")
    assert caught.value.place == "c4_iv_skew.yaml"
    assert "c4_iv_pctl_61d is not declared. Near: c4_iv_pctl_60d" in str(caught.value)
    assert "mr features search" in str(caught.value)


def test_search_finds_names_first_then_texts_in_any_case():
    found = [c.name for c in search_features("Wilder")]
    assert "c5_adx_14_und" in found
    assert "c1_rsi_comb_3m" in found
    pins = [c.name for c in search_features("PIN risk")]
    assert pins[:2] == ["c2_pin_risk_score", "c2_pin_risk_chg_15m"]
    assert "c6_corr_c2_pin_spot_60m" in pins[2:]
    assert search_features("no such word anywhere") == ()
    assert search_features("  ") == ()
