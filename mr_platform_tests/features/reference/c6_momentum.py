"""Reference of component 6: RSI and MACD of underlying and straddle, and their consensus."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c6_series import (
    MINUTES,
    Columns,
    Sight,
    diff1,
    five_minute_sum,
    rolling_pearson,
)
from mr_platform_tests.features.reference.plain import (
    lag,
    mean,
    ratio,
    rms,
    rsi_cutler,
    sign,
    sign_of_difference,
    sub,
    tanh,
    valid,
    window,
)
from mr_platform_tests.features.reference.streams import (
    Past,
    Series,
    Value,
    atr_percent,
    atr_points,
    macd_parts,
    straddle_bars,
    today,
    underlying_bars,
)

SCALES = (3, 5, 10, 15)
PAIRED = (3, 5)
EXPANDING_LEAST = 15


def minus(a: Series, b: Series) -> Series:
    """Difference of two series."""
    return [sub(x, y) for x, y in zip(a, b, strict=True)]


def product(a: int | None, b: int | None) -> int | None:
    """Product of two signs."""
    return None if a is None or b is None else a * b


def agree(a: int | None, b: int | None) -> float | None:
    """1 where both signs are equal and not zero, else 0."""
    return None if a is None or b is None else float(a == b and a != 0)


def underlying_series(sight: Sight, past: Past) -> Columns:
    """RSI, MACD and ATR of the underlying, the same for every expiry."""
    bars = underlying_bars(sight.day, past)
    found: Columns = {"a14": today(atr_points(atr_percent(bars, 14), bars.price))}
    for k in SCALES:
        found[f"rsi_{k}"] = rsi_cutler(today(bars.price), k)
        line, signal = macd_parts(bars.price, k)
        found[f"line_{k}"] = today(line)
        found[f"signal_{k}"] = today(signal)
        found[f"hist_{k}"] = today(minus(line, signal))
    return found


def straddle_series(sight: Sight, past: Past) -> Columns:
    """RSI and MACD of the straddle."""
    bars = straddle_bars(sight.day, past, sight.expiry)
    found: Columns = {}
    for k in PAIRED:
        found[f"rsi_{k}"] = rsi_cutler(today(bars.price), k)
        line, signal = macd_parts(bars.price, k)
        found[f"line_{k}"] = today(line)
        found[f"signal_{k}"] = today(signal)
    return found


def rsi_columns(sight: Sight, und: Columns, strd: Columns) -> None:
    """RSI against RSI, against price, and between scales."""
    out, spot = sight.columns, sight.series.get("spot")
    for k in PAIRED:
        own, other = und[f"rsi_{k}"], strd[f"rsi_{k}"]
        out[f"c6_rsi_cross_correlation_{k}min"] = rolling_pearson(diff1(other), diff1(own), 30)
        side = [sign_of_difference(x, 50) for x in own]
        other_side = [sign_of_difference(x, 50) for x in other]
        moved = [sign_of_difference(spot[j], lag(spot, j, k)) for j in range(MINUTES)]
        agreed = [agree(a, b) for a, b in zip(side, moved, strict=True)]
        joint = [product(a, b) for a, b in zip(side, other_side, strict=True)]
        out[f"c6_rsi_price_agreement_{k}min"] = [
            mean(window(agreed, j, 30), 20) for j in range(MINUTES)
        ]
        out[f"c6_rsi_regime_coherence_{k}min"] = [
            mean(window(joint, j, 30), 20) for j in range(MINUTES)
        ]
    for short, long in ((3, 5), (5, 10)):
        gaps = minus(und[f"rsi_{short}"], und[f"rsi_{long}"])
        out[f"c6_rsi_divergence_{short}min_{long}min"] = [
            None if gap is None else gap / 100 for gap in gaps
        ]


def macd_columns(sight: Sight, und: Columns, strd: Columns) -> None:
    """MACD of underlying and straddle."""
    out, a14 = sight.columns, und["a14"]
    for k in PAIRED:
        out[f"c6_macd_signal_correlation_{k}min"] = rolling_pearson(
            diff1(strd[f"signal_{k}"]), diff1(und[f"signal_{k}"]), 30
        )
        size = [None if x is None else abs(x) for x in und[f"hist_{k}"]]
        out[f"c6_macd_histogram_convergence_{k}min"] = [
            ratio(sub(lag(size, j, 5), size[j]), a14[j]) for j in range(MINUTES)
        ]
        out[f"c6_macd_momentum_strength_{k}min"] = [ratio(size[j], a14[j]) for j in range(MINUTES)]
        joint = [
            product(
                sign_of_difference(und[f"line_{k}"][j], und[f"signal_{k}"][j]),
                sign_of_difference(strd[f"line_{k}"][j], strd[f"signal_{k}"][j]),
            )
            for j in range(MINUTES)
        ]
        out[f"c6_macd_trend_agreement_{k}min"] = [
            mean(window(joint, j, 30), 20) for j in range(MINUTES)
        ]


def pair_agreement(signs: list[int | None]) -> Value:
    """Mean product over the pairs of signs, at least three signs."""
    found = [s for s in signs if s is not None]
    if len(found) < 3:
        return None
    products = [found[i] * found[n] for i in range(len(found)) for n in range(i + 1, len(found))]
    return sum(products) / len(products)


def coherence(terms: list[Value]) -> Value:
    """|sum| over sum of sizes, at least three terms."""
    found = valid(terms)
    if len(found) < 3:
        return None
    return ratio(abs(math.fsum(found)), math.fsum(abs(x) for x in found))


def consensus_columns(sight: Sight, und: Columns) -> None:
    """Consensus over scales and agreement over components."""
    out, a14 = sight.columns, und["a14"]
    flow, momentum = sight.score("c3_institutional_flow_score"), sight.score("c5_momentum_score")
    spot_moves = five_minute_sum(sight.series.get("r_und"))
    names = (
        "c6_multi_timeframe_rsi_consensus",
        "c6_multi_timeframe_macd_consensus",
        "c6_cross_component_momentum_agreement",
        "c6_overall_momentum_system_coherence",
    )
    for name in names:
        out[name] = []
    for j in range(MINUTES):
        scaled = [sub(und[f"rsi_{k}"][j], 50) for k in SCALES]
        rsi = mean([None if x is None else x / 50 for x in scaled], 2)
        macd = mean([tanh(ratio(und[f"hist_{k}"][j], a14[j])) for k in SCALES], 2)
        signs = [sign(x) for x in (flow[j], momentum[j], spot_moves[j], rsi)]
        typical = rms(flow[: j + 1], EXPANDING_LEAST)
        terms = [rsi, macd, momentum[j], tanh(ratio(flow[j], typical))]
        out[names[0]].append(rsi)
        out[names[1]].append(macd)
        out[names[2]].append(pair_agreement(signs))
        out[names[3]].append(coherence(terms))
