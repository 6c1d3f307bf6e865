"""Momentum-based levels of component 7: RSI and MACD at levels, exhaustion."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c7_pool import Columns, prox
from mr_platform_tests.features.reference.plain import clip, ratio, rsi_cutler, sign_of_difference
from mr_platform_tests.features.reference.streams import (
    MINUTES,
    Bars,
    Series,
    Value,
    atr_percent,
    atr_points,
    macd_parts,
    so_far,
    today,
    valid_in,
)


class Momentum:
    """RSI, MACD histograms and the ATR of the underlying, today's minutes."""

    def __init__(self, bars: Bars) -> None:
        self.spot = today(bars.price)
        self.points = today(atr_points(atr_percent(bars, 14), bars.price))
        self.rsi = {k: rsi_cutler(self.spot, k) for k in (3, 5, 10)}
        self.hist: dict[int, Series] = {}
        self.sign: Series = []  # of the histogram over 5-minute spans
        for k in (3, 5, 10, 15):
            line, signal = macd_parts(bars.price, k)
            pairs = list(zip(today(line), today(signal), strict=True))
            self.hist[k] = [None if a is None or b is None else a - b for a, b in pairs]
            if k == 5:
                self.sign = [sign_of_difference(a, b) for a, b in pairs]


def rsi_columns(momentum: Momentum, out: Columns) -> None:
    """RSI extremes near levels, level density in between, agreement of scales."""
    rsi = momentum.rsi[5]
    over: Series = []
    under: Series = []
    neutral: Series = []
    convergence: Series = []
    for j in range(MINUTES):
        r = rsi[j]
        up, down = out["c7_nearest_resistance_dist"][j], out["c7_nearest_support_dist"][j]
        above = out["c7_confluence_resistance_25bp"][j]
        below = out["c7_confluence_support_25bp"][j]
        missing = r is None
        over.append(None if missing or up is None else clip((r - 50) / 50, 0, 1) * prox(up))
        under.append(None if missing or down is None else clip((50 - r) / 50, 0, 1) * prox(down))
        known = not missing and above is not None and below is not None
        neutral.append((1 - abs(r - 50) / 50) * (above + below) if known else None)
        scales = [momentum.rsi[k][j] for k in (3, 5, 10)]
        terms = [(x - 50) / 50 for x in scales if x is not None]
        if len(terms) < 2:
            convergence.append(None)
            continue
        mean = sum(terms) / len(terms)
        side = "resistance" if mean > 0 else "support"
        power = out[f"c7_nearest_{side}_strength"][j]
        convergence.append(None if power is None else abs(mean) * power)
    out["c7_rsi_overbought_resistance_strength"] = over
    out["c7_rsi_oversold_support_strength"] = under
    out["c7_rsi_neutral_zone_level_density"] = neutral
    out["c7_rsi_level_convergence_strength"] = convergence


def minutes_since_turn(signs: Series) -> Series:
    """Session minutes since the sign last differed from its last valid value, else the open."""
    ages: Series = []
    last: Value = None
    since = 0
    for j, sign in enumerate(signs):
        if sign is None:
            ages.append(None)
            continue
        if last is not None and sign != last:
            since = j
        last = sign
        ages.append(j - since)
    return ages


def reversal(momentum: Momentum, strength: Value, j: int) -> Value:
    """Strength times the histogram's move back over five minutes, in ATRs."""
    if j < 5:
        return None
    h = momentum.hist[5]
    parts = (h[j], h[j - 5], momentum.points[j], strength)
    if any(part is None for part in parts):
        return None
    move = ratio(h[j] - h[j - 5], momentum.points[j])
    return None if move is None else strength * math.tanh(-momentum.sign[j - 5] * move)


def scale_mean(momentum: Momentum, j: int) -> Value:
    """Mean of the histograms in ATRs, each squeezed, of at least two of the four scales."""
    terms = [ratio(momentum.hist[k][j], momentum.points[j]) for k in (3, 5, 10, 15)]
    known = [math.tanh(term) for term in terms if term is not None]
    return sum(known) / len(known) if len(known) >= 2 else None


def macd_columns(momentum: Momentum, out: Columns) -> None:
    """Crossover at levels, reversal of the histogram, agreement with the channel."""
    ages = minutes_since_turn(momentum.sign)
    means = [scale_mean(momentum, j) for j in range(MINUTES)]
    crossover: Series = []
    back: Series = []
    consensus: Series = []
    for j in range(MINUTES):
        power = out["c7_level_strength_score"][j]
        position = out["c7_channel_position"][j]
        known = ages[j] is not None and power is not None
        warm = len(so_far(momentum.hist[5], j)) >= 6
        crossover.append(math.exp(-ages[j] / 15) * power if known and warm else None)
        back.append(reversal(momentum, power, j))
        known = means[j] is not None and position is not None
        warm = len(so_far(means, j)) >= 6
        consensus.append(means[j] * (2 * position - 1) if known and warm else None)
    out["c7_macd_crossover_level_strength"] = crossover
    out["c7_macd_histogram_reversal_strength"] = back
    out["c7_macd_momentum_consensus_validation"] = consensus


def divergence(momentum: Momentum, j: int) -> Value:
    """RSI against price over half an hour."""
    if j < 30 or len(so_far(momentum.spot, j)) < 40:
        return None
    sign = sign_of_difference(momentum.spot[j], momentum.spot[j - 30])
    now, before = momentum.rsi[5][j], momentum.rsi[5][j - 30]
    if sign is None or now is None or before is None:
        return None
    return -sign * (now - before) / 100


def exhaustion(hist: Series, j: int) -> Value:
    """One less the histogram's size over its largest of the last hour of the session."""
    sizes = [abs(h) for h in valid_in(hist, j, 60)]
    if hist[j] is None or len(sizes) < 40:
        return None
    share = ratio(abs(hist[j]), max(sizes))
    return None if share is None else 1 - share


def exhaustion_columns(momentum: Momentum) -> Columns:
    """Divergence of RSI and price, MACD exhaustion and its agreement over scales."""
    macd = [exhaustion(momentum.hist[5], j) for j in range(MINUTES)]
    consensus: Series = []
    for j in range(MINUTES):
        terms = []
        for k in (3, 5, 10):
            worn, rsi = exhaustion(momentum.hist[k], j), momentum.rsi[k][j]
            if worn is not None and rsi is not None:
                terms.append(worn * abs(rsi - 50) / 50)
        consensus.append(sum(terms) / len(terms) if len(terms) >= 2 else None)
    return {
        "c7_rsi_price_divergence_exhaustion": [divergence(momentum, j) for j in range(MINUTES)],
        "c7_macd_momentum_exhaustion": macd,
        "c7_multi_timeframe_exhaustion_consensus": consensus,
    }
