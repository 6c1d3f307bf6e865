"""RSI and MACD families and the agreement of components, by loops."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from mr_platform.features.c6_correlation import c6_features
from mr_platform.features.c6_series import c6_series
from mr_platform_tests.features.c6_panels import MINUTES, made_inputs

INPUTS = made_inputs()
SERIES = c6_series(INPUTS)
FEATURES = c6_features(INPUTS)
Values = list[Any]


def of(name: str, frame: pl.DataFrame = SERIES) -> Values:
    return frame[name].to_list()[:MINUTES]


def same(found: Values, expected: Values) -> None:
    assert any(x is not None for x in expected)
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        if other is None:
            assert one is None, row
        else:
            assert one == pytest.approx(other, rel=1e-9, abs=1e-12), row


def sign(x: float | None) -> int | None:
    return None if x is None else (x > 0) - (x < 0)


def mean_of_last(values: Values, w: int, needed: int) -> Values:
    known = [
        [x for x in values[max(r - w + 1, 0) : r + 1] if x is not None] for r in range(MINUTES)
    ]
    return [sum(k) / len(k) if len(k) >= needed else None for k in known]


@pytest.mark.parametrize("k", [3, 5])
def test_shares_and_coherence_of_the_last_half_hour(k: int):
    side = {
        asset: [None if x is None else sign(x - 50) for x in of(f"rsi_{k}_{asset}")]
        for asset in ("und", "strd")
    }
    spot = of("spot")
    agree: Values = []
    for row in range(MINUTES):
        ends = (spot[row], spot[row - k]) if row >= k else (None, None)
        if side["und"][row] is None or None in ends:
            agree.append(None)
        else:
            move = sign(ends[0] - ends[1])
            # equal, but not both zero
            agree.append(float(side["und"][row] == move and move != 0))
    same(of(f"c6_rsi_price_agreement_{k}min", FEATURES), mean_of_last(agree, 30, 20))
    both = [
        None if a is None or b is None else a * b
        for a, b in zip(side["und"], side["strd"], strict=True)
    ]
    same(of(f"c6_rsi_regime_coherence_{k}min", FEATURES), mean_of_last(both, 30, 20))
    push = [
        None if a is None or b is None else sign(a) * sign(b)
        for a, b in zip(of(f"macd_{k}_hist_und"), of(f"macd_{k}_hist_strd"), strict=True)
    ]
    same(of(f"c6_macd_trend_agreement_{k}min", FEATURES), mean_of_last(push, 30, 20))


@pytest.mark.parametrize("k", [3, 5])
def test_histogram_in_units_of_the_range_and_its_convergence(k: int):
    size = [None if x is None else abs(x) for x in of(f"macd_{k}_hist_und")]
    reach = of("a14_und")
    strength = [None if a is None or b is None else a / b for a, b in zip(size, reach, strict=True)]
    same(of(f"c6_macd_momentum_strength_{k}min", FEATURES), strength)
    nearer: Values = []
    for row in range(MINUTES):
        then = size[row - 5] if row >= 5 else None
        known = None not in (then, size[row], reach[row])
        nearer.append((then - size[row]) / reach[row] if known else None)
    same(of(f"c6_macd_histogram_convergence_{k}min", FEATURES), nearer)


def test_divergence_of_two_scales():
    for short, long in ((3, 5), (5, 10)):
        pairs = zip(of(f"rsi_{short}_und"), of(f"rsi_{long}_und"), strict=True)
        expected = [None if a is None or b is None else (a - b) / 100 for a, b in pairs]
        same(of(f"c6_rsi_divergence_{short}min_{long}min", FEATURES), expected)


def consensus(values: list[Values], needed: int) -> Values:
    known = [[x for x in row if x is not None] for row in zip(*values, strict=True)]
    return [sum(k) / len(k) if len(k) >= needed else None for k in known]


def test_consensus_agreement_and_coherence():
    scales = (3, 5, 10, 15)
    rsi = consensus(
        [[None if x is None else (x - 50) / 50 for x in of(f"rsi_{k}_und")] for k in scales], 2
    )
    same(of("c6_multi_timeframe_rsi_consensus", FEATURES), rsi)
    reach = of("a14_und")
    macd = consensus(
        [
            [
                None if None in (x, a) else math.tanh(x / a)
                for x, a in zip(of(f"macd_{k}_hist_und"), reach, strict=True)
            ]
            for k in scales
        ],
        2,
    )
    same(of("c6_multi_timeframe_macd_consensus", FEATURES), macd)

    flow, trend, move = of("c3_flow"), of("c5_momentum"), of("r5_und")
    agreement: Values = []
    for row in range(MINUTES):
        v = [s for s in map(sign, (flow[row], trend[row], move[row], rsi[row])) if s is not None]
        pairs = [v[i] * v[j] for i in range(len(v)) for j in range(i + 1, len(v))]
        agreement.append(sum(pairs) / len(pairs) if len(v) >= 3 else None)
    same(of("c6_cross_component_momentum_agreement", FEATURES), agreement)

    coherence: Values = []
    for row in range(MINUTES):
        known = [x for x in flow[: row + 1] if x is not None]
        norm = None
        if flow[row] is not None and len(known) >= 15:
            norm = math.tanh(flow[row] / math.sqrt(sum(x * x for x in known) / len(known)))
        terms = [x for x in (rsi[row], macd[row], trend[row], norm) if x is not None]
        value = abs(sum(terms)) / sum(abs(x) for x in terms) if len(terms) >= 3 else None
        coherence.append(value)
    same(of("c6_overall_momentum_system_coherence", FEATURES), coherence)


def test_two_votes_are_too_few_and_a_silent_market_has_no_coherence():
    table = INPUTS.components["c3"].with_columns(
        c3_institutional_flow_score=pl.lit(None, pl.Float64)
    )
    gone = {**INPUTS.components, "c3": table}
    features = c6_features(
        replace(
            INPUTS,
            components={**gone, "c5": gone["c5"].with_columns(c5_momentum_score=pl.lit(0.0))},
        )
    )
    # three votes: a zero agrees with nobody
    found = of("c6_cross_component_momentum_agreement", features)
    assert {x for x in found if x is not None} <= {-1 / 3, 0.0, 1 / 3}
    features = c6_features(replace(INPUTS, components={}))
    assert features["c6_cross_component_momentum_agreement"].null_count() == features.height
    assert features["c6_overall_momentum_system_coherence"].null_count() == features.height
