"""C2 sentiment: a build-up of puts against calls since the base bar is bullish."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c2_legs import FIRST_ORDER, GreekDay
from mr_platform_tests.features.reference.plain import changes, ratio, rms, window
from mr_platform_tests.features.reference.strikes import (
    FIRST_BASE_MINUTE,
    MINUTES,
    Columns,
    Series,
    first_valid,
    nothing,
)

SCORE_WEIGHTS = {"delta": 1.0, "gamma": 1.5, "theta": 0.8, "vega": 1.2}
SCALE_BARS = 60
SCALE_MIN = 30


def sentiment(greeks: GreekDay, columns: Columns) -> Columns:
    """The ten columns of the block, from the net imbalances among `columns`."""
    z = {
        (greek, weight): scaled_change(columns[f"c2_{greek}_{weight}_net"])
        for greek in FIRST_ORDER
        for weight in ("oi", "vol")
    }
    out: Columns = {}
    for greek in FIRST_ORDER:
        out[f"c2_sentiment_{greek}"] = [
            None if value is None else -math.tanh(value) for value in z[greek, "oi"]
        ]
    for weight in ("oi", "vol"):
        out[f"c2_sentiment_score_{weight}"] = [
            _score({greek: z[greek, weight][j] for greek in FIRST_ORDER}) for j in range(MINUTES)
        ]
    both = [
        _blend(out["c2_sentiment_score_oi"][j], out["c2_sentiment_score_vol"][j])
        for j in range(MINUTES)
    ]
    out["c2_sentiment_level"] = [None if c is None else level(c) for c in both]
    out["c2_sentiment_dispersion"] = [
        _dispersion([out[f"c2_sentiment_{greek}"][j] for greek in FIRST_ORDER])
        for j in range(MINUTES)
    ]
    out["c2_sentiment_chg_15m"] = changes(both, 15)
    out["c2_sentiment_duration"] = _durations(out["c2_sentiment_level"], greeks.present)
    return out


def scaled_change(net: Series) -> Series:
    """z = D / q of one imbalance, null before its base bar."""
    out = nothing()
    base = first_valid(net, FIRST_BASE_MINUTE)
    if base is None:
        return out
    five = changes(net, 5)
    for j in range(base, MINUTES):
        usual = rms(window(five, j, SCALE_BARS), SCALE_MIN)
        if net[j] is None or usual is None:
            continue
        q = math.sqrt(max(j - base, 60) / 5) * usual
        out[j] = ratio(net[j] - net[base], q)
    return out


def _score(z: dict[str, float | None]) -> float | None:
    """-tanh of the weighted z of all four greeks."""
    if any(value is None for value in z.values()):
        return None
    return -math.tanh(sum(SCORE_WEIGHTS[greek] * z[greek] for greek in FIRST_ORDER) / 4.5)


def _blend(by_interest: float | None, by_volume: float | None) -> float | None:
    """C, the mix of both scores."""
    if by_interest is None or by_volume is None:
        return None
    return 0.6 * by_interest + 0.4 * by_volume


def level(c: float) -> int:
    """Seven levels, 1 strong bearish to 7 strong bullish."""
    for number, bound in ((1, -0.45), (2, -0.25), (3, -0.10)):
        if c <= bound:
            return number
    for number, bound in ((4, 0.10), (5, 0.25), (6, 0.45)):
        if c < bound:
            return number
    return 7


def _dispersion(parts: list[float | None]) -> float | None:
    """Population standard deviation of the four parts."""
    if any(part is None for part in parts):
        return None
    mean = math.fsum(parts) / 4
    return math.sqrt(math.fsum((part - mean) ** 2 for part in parts) / 4)


def _durations(levels: Series, present: list[bool]) -> Series:
    """Present bars in the run of the level; absent minutes are stepped over."""
    out = nothing()
    current, length = None, 0
    for j in range(MINUTES):
        if not present[j]:
            continue
        if levels[j] is None:
            current, length = None, 0
            continue
        length = length + 1 if levels[j] == current else 1
        current = levels[j]
        out[j] = length
    return out
