"""C1: momentum on samples k minutes apart, over the session and the three trading days before.

Here: RSI, MACD, divergence of price and RSI, and how far the four timeframes agree.
Not here: momentum inside the session (``c1_triple_straddle.py``).

For a timeframe k the samples of minute s of the stream are s, s - k, s - 2k, … So the stream
falls into k series of samples, one a phase s mod k; laid one after the other they are groups in
which a lag of one sample is a lag of one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from mr_platform.features.column_plan import GROUP, ColumnPlan
from mr_platform.features.history import STREAM_INDEX, stream
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.kernels.moving_averages import macd
from mr_platform.features.kernels.oscillators import RSI_PERIODS, rsi_wilder
from mr_platform.features.kernels.windows import (
    change,
    ratio,
    rolling_std,
    session_count,
    sign,
    window_count,
    window_sum,
)
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES

TIMEFRAMES = (3, 5, 10, 15)
"""Minutes between samples; each divides the minutes of a stream."""

DEPTH = 3
"""Trading days before the session: 35 samples of 15 minutes do not fit into one session."""

SERIES = ("comb", "ce", "pe")

MACD_SPANS = (12, 26, 9)
"""Samples of the fast and the slow mean, and of the signal (Appel 1979)."""

CHANGES = 26
"""Samples whose changes scale the histogram."""

CHANGES_NEEDED = 18

DIVERGENCE_CHANGES = 14
DIVERGENCE_NEEDED = 10
DIVERGENCE_HISTORY = 28
"""Price changes in the stream before the divergence is given: 14 for an RSI, 14 of its changes."""

DIVERGENCE_TIMEFRAMES = (5, 10, 15)

UPPER, LOWER = 55.0, 45.0
"""RSI above and below which a timeframe votes."""

GROUPS_AT_ONCE = 40
"""Streams laid out together: enough to be quick, and 100 MB at most."""

_TIMEFRAME = "k"
_SAMPLED = "gk"
_PLACE = "i"
_SAMPLED_STRIDE = sum(TIMEFRAMES)
"""Series of samples of one stream, all timeframes together."""

_FIRST_SERIES = {k: sum(TIMEFRAMES[:number]) for number, k in enumerate(TIMEFRAMES)}
_STREAM_MINUTES = (DEPTH + 1) * SESSION_MINUTES


def momentum_features(inputs: FeatureInputs) -> pl.DataFrame:
    """The 29 columns of momentum that are read from samples.

    Args:
        inputs: Panel, ``hist_minute`` (3 days back), calendar.

    Returns:
        One row a panel row, in its order.
    """
    minutes = inputs.engine.collect(_minutes(inputs))
    rows = GROUPS_AT_ONCE * _STREAM_MINUTES
    parts = [
        _sampled_features(inputs.engine, minutes.slice(start, rows))
        for start in range(0, max(minutes.height, 1), rows)
    ]
    columns = pl.concat(parts)
    return inputs.engine.collect(columns.lazy().with_columns(**_consensus()))


def _sampled_features(engine: FrameEngine, minutes: pl.DataFrame) -> pl.DataFrame:
    """Columns of single timeframes, for the last day of some streams."""
    plan, outputs = _plan()
    sampled = engine.collect(_sampled(minutes))
    kept = [_TIMEFRAME, GROUP, STREAM_INDEX]
    samples = plan.compute(sampled, outputs, engine, keep=kept).lazy()
    today = samples.filter(pl.col(STREAM_INDEX) >= DEPTH * SESSION_MINUTES)
    stacked = engine.collect(today.sort(_TIMEFRAME, GROUP, STREAM_INDEX))
    rows = stacked.height // len(TIMEFRAMES)
    parts = [
        stacked.slice(number * rows, rows).select(
            pl.col(source).alias(name) for source, name in _names(k).items()
        )
        for number, k in enumerate(TIMEFRAMES)
    ]
    return pl.concat(parts, how="horizontal", strict=True)


def _minutes(inputs: FeatureInputs) -> pl.LazyFrame:
    return stream(inputs.panel, inputs.past_table("hist_minute"), inputs.days, DEPTH, list(SERIES))


def _sampled(minutes: pl.DataFrame) -> pl.LazyFrame:
    """The streams as series of samples, one after the other, for all timeframes."""
    place = pl.col(STREAM_INDEX)
    parts = [
        minutes.lazy().with_columns(
            pl.lit(k, pl.Int32).alias(_TIMEFRAME),
            (pl.col(GROUP).cast(pl.Int32) * _SAMPLED_STRIDE + _FIRST_SERIES[k] + place % k)
            .alias(_SAMPLED),
            (place // k).alias(_PLACE),
        )
        for k in TIMEFRAMES
    ]  # fmt: skip
    return pl.concat(parts).sort(_SAMPLED, _PLACE)


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """One plan for all timeframes; the longest series of samples bounds its windows."""
    p = ColumnPlan(group=_SAMPLED, index=_PLACE, length=_STREAM_MINUTES // min(TIMEFRAMES))
    outputs = {}
    moves = {series: p.let(change(p, series, 1)) for series in SERIES}
    for series, move in moves.items():
        outputs[f"rsi_{series}"] = rsi_wilder(p, move, min_periods=RSI_PERIODS)
    price, move = pl.col("comb"), moves["comb"]
    fast, slow, smooth = MACD_SPANS
    lines = macd(p, price, fast=fast, slow=slow, smooth=smooth)
    outputs["macd_line"] = 100.0 * ratio(lines.line, price)
    outputs["macd_signal"] = 100.0 * ratio(lines.signal, price)
    outputs["macd_hist"] = ratio(lines.histogram, rolling_std(p, move, CHANGES, CHANGES_NEEDED))
    rsi_move = p.let(change(p, outputs["rsi_comb"], 1))
    apart = _drift(p, move) - _drift(p, rsi_move)
    outputs["rsi_divergence"] = pl.when(session_count(p, move) >= DIVERGENCE_HISTORY).then(apart)
    return p, outputs


def _drift(p: ColumnPlan, move: pl.Expr) -> pl.Expr:
    """Sum of the last changes over its standard deviation, were they independent of sign."""
    window = DIVERGENCE_CHANGES
    # sqrt(n) · rms = root of the sum of squares
    size = p.let(window_sum(p, move * move, window).sqrt())
    enough = window_count(p, move, window) >= DIVERGENCE_NEEDED
    return p.let(pl.when(enough).then(ratio(window_sum(p, move, window), size)))


def _names(k: int) -> Mapping[str, str]:
    """Feature of each output at a timeframe."""
    names = {f"rsi_{series}": f"c1_rsi_{series}_{k}m" for series in SERIES}
    names |= {f"macd_{part}": f"c1_macd_{part}_{k}m" for part in ("line", "signal", "hist")}
    if k in DIVERGENCE_TIMEFRAMES:
        names["rsi_divergence"] = f"c1_rsi_divergence_{k}m"
    return names


def _consensus() -> dict[str, pl.Expr]:
    """Votes of the four timeframes, null if one has none."""
    rsi = pl.lit(0.0)
    trend = pl.lit(0.0)
    for k in TIMEFRAMES:
        strength = pl.col(f"c1_rsi_comb_{k}m")
        rsi = rsi + (strength > UPPER).cast(pl.Float64) - (strength < LOWER).cast(pl.Float64)
        trend = trend + sign(pl.col(f"c1_macd_hist_{k}m"))
    return {
        "c1_rsi_consensus": rsi / len(TIMEFRAMES),
        "c1_macd_consensus": trend / len(TIMEFRAMES),
    }
