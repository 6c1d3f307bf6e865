"""Momentum at levels: RSI and MACD weighed by how near and how strong the next level is.

Here: the ten features of C7 made of momentum, in a part that all expiries share and a part that
reads the expiry's nearest levels.
Not here: the levels and their strength (``c7_levels.py``), MACD and ATR along the stream
(``streams.py``), RSI (``kernels/oscillators.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.across import mean_across
from mr_platform.features.kernels.oscillators import rsi_cutler
from mr_platform.features.kernels.windows import (
    change,
    forward_filled,
    lag,
    minutes_since,
    ratio,
    rolling_max,
    session_count,
    sign,
)
from mr_platform.features.streams import MACD_SCALES

MAIN_SCALE = 5
"""Minutes of the RSI and MACD that most features read."""

RSI_SCALES: tuple[int, ...] = (3, 5, 10)

SCALES_NEEDED = 2
"""Scales of three that a mean over RSI scales needs."""

PROXIMITY = 0.25
"""Distance in percent at which a level's weight has fallen to 1/e."""

CROSSOVER_MINUTES = 15.0
"""Age in minutes at which a crossover's weight has fallen to 1/e."""

REVERSAL_MINUTES = 5
DIVERGENCE_MINUTES = 30
MACD_NEEDED = 6
"""Valid minutes of the session that crossover and consensus need."""

PEAK_MINUTES = 60
PEAK_NEEDED = 40

STREAM_NAMES: tuple[str, ...] = (*(f"macd_{k}_hist_und" for k in MACD_SCALES), "a14_und")
"""Stream series that the features read."""


def proximity(distance: pl.Expr) -> pl.Expr:
    """Weight of a level by its distance in percent: 1 at spot, 1/e at 0.25 percent."""
    return (distance * (-1.0 / PROXIMITY)).exp()


def shared_momentum(p: ColumnPlan) -> dict[str, pl.Expr]:
    """What the features read of spot alone, over one row a minute.

    Args:
        p: A plan whose group is the session, over spot and ``STREAM_NAMES``.

    Returns:
        Finished features by name, and parts named ``m_…`` for ``momentum_features``.
    """
    histogram = {k: pl.col(f"macd_{k}_hist_und") for k in MACD_SCALES}
    main, reach = histogram[MAIN_SCALE], pl.col("a14_und")
    strength = {k: p.let((rsi_cutler(p, "spot", k) - 50.0) / 50.0) for k in RSI_SCALES}
    rsi = strength[MAIN_SCALE]
    exhaustion = {k: p.let(_exhaustion(p, histogram[k])) for k in RSI_SCALES}
    exhausted = [p.let(exhaustion[k] * strength[k].abs()) for k in RSI_SCALES]
    direction = sign(p.let(change(p, "spot", DIVERGENCE_MINUTES)), pl.col("spot"))
    before = p.let(lag(p, main, REVERSAL_MINUTES))
    turn = -sign(before, pl.col("spot")) * ratio(main - before, reach)
    fresh = (_crossover_age(p, main) * (-1.0 / CROSSOVER_MINUTES)).exp()
    agreed = mean_across(p, [ratio(histogram[k], reach).tanh() for k in MACD_SCALES], SCALES_NEEDED)
    return {
        "m_rsi": rsi,
        "m_rsi_mean": mean_across(p, [strength[k] for k in RSI_SCALES], SCALES_NEEDED),
        "m_freshness": pl.when(session_count(p, main) >= MACD_NEEDED).then(fresh),
        "m_reversal": turn.tanh(),
        "m_macd_mean": pl.when(session_count(p, agreed) >= MACD_NEEDED).then(agreed),
        # two RSI are at most 100 apart, so half of the unit of ``strength`` is a hundredth
        "c7_rsi_price_divergence_exhaustion": -direction * change(p, rsi, DIVERGENCE_MINUTES) / 2.0,
        "c7_macd_momentum_exhaustion": exhaustion[MAIN_SCALE],
        "c7_multi_timeframe_exhaustion_consensus": mean_across(p, exhausted, SCALES_NEEDED),
    }


def _exhaustion(p: ColumnPlan, histogram: pl.Expr) -> pl.Expr:
    """1 - |h| over its greatest size in the last hour of the session."""
    size = p.let(histogram.abs())
    return 1.0 - ratio(size, rolling_max(p, size, PEAK_MINUTES, PEAK_NEEDED))


def _crossover_age(p: ColumnPlan, histogram: pl.Expr) -> pl.Expr:
    """Minutes since the sign last differed from the last valid one, else since the open."""
    side = p.let(sign(histogram, pl.col("spot")))
    before = p.let(lag(p, forward_filled(p, side), 1))
    changed = p.let(side.is_not_null() & before.is_not_null() & (side != before))
    age = pl.coalesce(minutes_since(p, changed), pl.col(p.index))
    return p.let(pl.when(side.is_not_null()).then(age).cast(pl.Float64))


def momentum_features(
    *,
    distance: Mapping[str, pl.Expr],
    strength: Mapping[str, pl.Expr],
    score: pl.Expr,
    channel: pl.Expr,
    levels_25bp: pl.Expr,
) -> dict[str, pl.Expr]:
    """The seven features that read the expiry's nearest levels.

    Args:
        distance: Distance of the nearest level in percent, by side.
        strength: Its strength, by side.
        score: Level strength score of both sides.
        channel: Place of spot between its nearest levels, 0 .. 1.
        levels_25bp: Levels within 0.25 percent on both sides.

    Returns:
        Expressions over those, and over the columns ``m_…`` of ``shared_momentum``.
    """
    rsi, mean = pl.col("m_rsi"), pl.col("m_rsi_mean")
    ahead = pl.when(mean > 0).then(strength["resistance"]).otherwise(strength["support"])
    return {
        "c7_rsi_overbought_resistance_strength": rsi.clip(0.0, 1.0)
        * proximity(distance["resistance"]),
        "c7_rsi_oversold_support_strength": (-rsi).clip(0.0, 1.0) * proximity(distance["support"]),
        "c7_rsi_neutral_zone_level_density": (1.0 - rsi.abs()) * levels_25bp,
        "c7_rsi_level_convergence_strength": mean.abs() * ahead,
        "c7_macd_crossover_level_strength": pl.col("m_freshness") * score,
        "c7_macd_histogram_reversal_strength": pl.col("m_reversal") * score,
        "c7_macd_momentum_consensus_validation": pl.col("m_macd_mean") * (2.0 * channel - 1.0),
    }
