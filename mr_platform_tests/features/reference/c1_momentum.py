"""C1: the 30 momentum columns, on samples k minutes apart over the day and three days before it.

Here: momentum_columns. Not here: the straddle columns (c1.py, c1_path.py).
"""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.day import MINUTES, History
from mr_platform_tests.features.reference.plain import (
    ema_series,
    ema_span,
    msr,
    ratio,
    sign,
    std,
    sub,
    tanh,
    valid,
    window,
)

FRAMES = (3, 5, 10, 15)
DEPTH = 3
PAST = DEPTH * MINUTES


def momentum_columns(x, columns: dict[str, list], history: History) -> dict[str, list]:
    """RSI, MACD, their divergence and consensus, and the momentum score."""
    out: dict[str, list] = {}
    streams = {s: stream(x, s, history) for s in ("comb", "ce", "pe")}
    for k in FRAMES:
        for s, prices in streams.items():
            rsi = by_phase(prices, k, rsi_of_samples)
            out[f"c1_rsi_{s}_{k}m"] = rsi[PAST:]
            if s == "comb" and k != FRAMES[0]:
                out[f"c1_rsi_divergence_{k}m"] = divergence(prices, rsi, k)
        for name, part in (("line", 0), ("signal", 1)):
            values = by_phase(streams["comb"], k, macd_of_samples(part))
            out[f"c1_macd_{name}_{k}m"] = values[PAST:]
        out[f"c1_macd_hist_{k}m"] = by_phase(streams["comb"], k, macd_of_samples(2))[PAST:]
    js = range(MINUTES)
    out["c1_rsi_consensus"] = [
        rsi_consensus([out[f"c1_rsi_comb_{k}m"][j] for k in FRAMES]) for j in js
    ]
    out["c1_macd_consensus"] = [
        macd_consensus([out[f"c1_macd_hist_{k}m"][j] for k in FRAMES]) for j in js
    ]
    out["c1_momentum_score"] = [momentum_score(x, columns, j) for j in js]
    return out


def stream(x, s: str, history: History) -> list:
    """Prices of D-3, D-2, D-1, D; a missing day keeps its 375 null places."""
    dates, table = history.dates(DEPTH), history.tables.get("hist_minute")
    found: dict = {}
    if table is not None:
        for row in table.select("symbol", "date", "expiry_date", "j", s).iter_rows():
            if row[0] == x.day.symbol and row[2] == x.e:
                found[row[1], row[3]] = row[4]
    past = [found.get((dates.get(back), j)) for back in range(DEPTH, 0, -1) for j in range(MINUTES)]
    return past + x.price[s]


def by_phase(prices: list, k: int, function) -> list:
    """A function of the samples g, g-k, g-2k, …, put back at every g."""
    out: list = [None] * len(prices)
    for phase in range(k):
        out[phase::k] = function(prices[phase::k])
    return out


def sample_changes(samples: list) -> list:
    """P(g) - P(g-k), null at the first sample or where either end is null."""
    return [sub(p, samples[i - 1]) if i else None for i, p in enumerate(samples)]


def rsi_of_samples(samples: list) -> list:
    """Wilder's RSI of one phase."""
    steps = sample_changes(samples)
    ups = ema_series([None if x is None else max(x, 0.0) for x in steps], 1 / 14, 14)
    downs = ema_series([None if x is None else max(-x, 0.0) for x in steps], 1 / 14, 14)
    out = []
    for up, down in zip(ups, downs, strict=True):
        share = None if up is None or down is None else ratio(up, up + down)
        out.append(None if share is None else 100 * share)
    return out


def macd_of_samples(part: int):
    """The function of one phase that gives the line (0), the signal (1) or the histogram (2)."""

    def function(samples: list) -> list:
        fast, slow = ema_span(samples, 12, 26), ema_span(samples, 26, 26)
        m = [sub(a, b) for a, b in zip(fast, slow, strict=True)]
        smooth = ema_span(m, 9, 9)
        if part == 2:
            steps = sample_changes(samples)
            return [
                ratio(sub(m[i], smooth[i]), std(window(steps, i, 26), 1, 18))
                for i in range(len(samples))
            ]
        chosen = (m, smooth)[part]
        shares = [ratio(c, p) for c, p in zip(chosen, samples, strict=True)]
        return [None if share is None else 100 * share for share in shares]

    return function


def divergence(prices: list, rsi: list, k: int) -> list:
    """ZP - zR over the last 14 changes of the prices and of their RSI."""
    out = []
    for g in range(PAST, len(prices)):
        places = range(g % k, g + 1, k)
        price_steps = sample_changes([prices[i] for i in places])
        rsi_steps = sample_changes([rsi[i] for i in places])
        enough = len(valid(price_steps)) >= 28
        z_price, z_rsi = drift(price_steps[-14:]), drift(rsi_steps[-14:])
        out.append(sub(z_price, z_rsi) if enough else None)
    return out


def drift(steps: list) -> float | None:
    """sum(x) / (sqrt(n) * rms(x)) over at least 10 changes."""
    found = valid(steps)
    if len(found) < 10:
        return None
    size = math.sqrt(math.fsum(x * x for x in found) / len(found))
    return ratio(math.fsum(found), math.sqrt(len(found)) * size)


def rsi_consensus(values: list) -> float | None:
    """Timeframes above 55 less those below 45, over four."""
    if None in values:
        return None
    return (sum(1 for x in values if x > 55) - sum(1 for x in values if x < 45)) / 4


def macd_consensus(values: list) -> float | None:
    """Mean sign of the four histograms."""
    return None if None in values else sum(sign(x) for x in values) / 4


def momentum_score(x, columns: dict[str, list], j: int) -> float | None:
    """Mean of the four returns in their standard deviations, squashed."""
    square = msr(window(x.held["comb"], j, 60), 30)
    if square is None:
        return None
    s = math.sqrt(square)
    terms = [ratio(columns[f"c1_ret_comb_{k}m"][j], s * math.sqrt(k)) for k in FRAMES]
    return None if None in terms else tanh(sum(terms) / 4)
