"""Momentum at levels against hand-worked values and loops."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features.c7_momentum_levels import (
    MACD_SCALES,
    momentum_features,
    proximity,
    shared_momentum,
)
from mr_platform.features.column_plan import ColumnPlan
from mr_platform_tests.features.c7_panels import MINUTES, Values


def shared(spot: Values, histogram: Values, reach: float | None = 20.0) -> dict[str, Values]:
    filled = histogram + [None] * (MINUTES - len(histogram))
    frame = pl.DataFrame(
        {
            "g": [0] * MINUTES,
            "j": range(MINUTES),
            "spot": spot + [None] * (MINUTES - len(spot)),
            **{f"macd_{k}_hist_und": filled for k in MACD_SCALES},
            "a14_und": [reach] * MINUTES,
        },
        schema_overrides={
            "g": pl.UInt32, "j": pl.Int32, "spot": pl.Float64, "a14_und": pl.Float64,
            **{f"macd_{k}_hist_und": pl.Float64 for k in MACD_SCALES},
        },
    )  # fmt: skip
    plan = ColumnPlan()
    outputs = shared_momentum(plan)
    found = plan.run(frame.lazy(), outputs).collect()
    return {name: found[name].to_list() for name in outputs}


FLAT: Values = [100.0] * MINUTES


def test_age_of_a_crossover_counts_from_the_open_until_the_sign_changes() -> None:
    histogram = [*[1.0] * 5, 2.0, 1.0, 2.0, -1.0, None, -1.0, 1.0, None, None, 1.0]
    found = shared(FLAT, histogram)["m_freshness"]
    ages = [None if x is None else round(-15 * math.log(x), 9) for x in found[:16]]
    # the first five valid minutes are too few
    assert ages == [*[None] * 5, 5, 6, 7, 0, None, 2, 0, None, None, 3, None]


def test_a_sign_that_changes_over_a_gap_changes_at_the_next_valid_minute() -> None:
    found = shared(FLAT, [None, None, *[1.0] * 6, None, -1.0])["m_freshness"]
    assert found[7] == pytest.approx(math.exp(-7 / 15))  # no earlier sign: since the open
    assert found[9] == 1.0


def test_reversal_looks_five_minutes_back() -> None:
    found = shared(FLAT, [4.0, 4.0, 4.0, 4.0, 4.0, -6.0, None, 5.0])["m_reversal"]
    assert found[4] is None
    assert found[5] == pytest.approx(math.tanh(10 / 20))
    assert found[6:8] == [None, pytest.approx(math.tanh(-1 / 20))]
    assert shared(FLAT, [1.0] * 9, reach=None)["m_reversal"][8] is None


def test_exhaustion_needs_forty_minutes_of_the_last_sixty() -> None:
    histogram: Values = [float(t + 1) for t in range(60)] + [None] * 21 + [12.0]
    found = shared(FLAT, histogram)["c7_macd_momentum_exhaustion"]
    assert found[38] is None
    assert found[39] == 0.0
    # at minute 81 the hour holds minutes 22 to 59 and 81 itself: 39
    assert found[81] is None
    assert shared(FLAT, [*histogram[:80], 12.0])["c7_macd_momentum_exhaustion"][80] == (
        pytest.approx(1 - 12 / 60)
    )


def test_rsi_parts_against_loops() -> None:
    spot: Values = [100 + 5 * math.sin(t / 9) + t % 7 for t in range(MINUTES)]
    spot[50] = None
    found = shared(spot, [math.cos(t / 20) for t in range(MINUTES)])

    def rsi(k: int, t: int) -> float | None:
        moves = []
        for s in range(max(t - 14 * k + 1, 0), t + 1):
            now, then = spot[s], spot[s - k] if s >= k else None
            if now is not None and then is not None:
                moves.append(now - then)
        up, down = sum(max(m, 0) for m in moves), sum(max(-m, 0) for m in moves)
        return 100 * up / (up + down) if len(moves) >= 14 else None

    for t in (10, 17, 18, 19, 60, 200, 374):
        five, mean = rsi(5, t), [rsi(k, t) for k in (3, 5, 10)]
        known = [(x - 50) / 50 for x in mean if x is not None]
        wanted = sum(known) / len(known) if len(known) >= 2 else None
        assert found["m_rsi"][t] == (five if five is None else pytest.approx((five - 50) / 50))
        assert found["m_rsi_mean"][t] == (wanted if wanted is None else pytest.approx(wanted))
    for t in (60, 200):
        wanted = -math.copysign(1, spot[t] - spot[t - 30]) * (rsi(5, t) - rsi(5, t - 30)) / 100  # type: ignore[operator]
        assert found["c7_rsi_price_divergence_exhaustion"][t] == pytest.approx(wanted)
    assert found["c7_rsi_price_divergence_exhaustion"][80] is None  # spot 30 minutes ago is missing


def test_features_at_the_nearest_levels() -> None:
    names = ("m_rsi", "m_rsi_mean", "m_freshness", "m_reversal", "m_macd_mean")
    values = {"m_rsi": 0.4, "m_rsi_mean": -0.2, "m_freshness": 0.5, "m_reversal": -0.3}
    frame = pl.DataFrame({name: [values.get(name, 0.6)] for name in names}).with_columns(
        below=pl.lit(0.5), above=pl.lit(0.25), weak=pl.lit(0.1), firm=pl.lit(0.9)
    )
    features = momentum_features(
        distance={"support": pl.col("below"), "resistance": pl.col("above")},
        strength={"support": pl.col("firm"), "resistance": pl.col("weak")},
        score=pl.lit(0.8),
        channel=pl.lit(0.75),
        levels_25bp=pl.lit(5),
    )
    found = frame.select(**features).row(0, named=True)
    assert found == pytest.approx(
        {
            "c7_rsi_overbought_resistance_strength": 0.4 * math.exp(-1),
            "c7_rsi_oversold_support_strength": 0.0,
            "c7_rsi_neutral_zone_level_density": 0.6 * 5,
            "c7_rsi_level_convergence_strength": 0.2 * 0.9,
            "c7_macd_crossover_level_strength": 0.5 * 0.8,
            "c7_macd_histogram_reversal_strength": -0.3 * 0.8,
            "c7_macd_momentum_consensus_validation": 0.6 * 0.5,
        }
    )


def test_proximity() -> None:
    assert pl.select(proximity(pl.lit(0.25))).item() == pytest.approx(math.exp(-1))
