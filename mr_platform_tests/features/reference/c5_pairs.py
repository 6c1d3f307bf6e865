"""Parts of component 5 that stand alone: directional index, beta, columns of two assets."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.plain import ZERO, ratio
from mr_platform_tests.features.reference.streams import MINUTES, Bars, Series, Value, wilder


def directional_index(bars: Bars) -> Series:
    """Wilder's ADX(14) of the future along the stream."""
    plus: Series = []
    minus: Series = []
    for i in range(len(bars.high)):
        high, low = bars.high[i], bars.low[i]
        first = i % MINUTES == 0
        before = (0.0, 0.0) if first else (bars.high[i - 1], bars.low[i - 1])
        if high is None or low is None or before[0] is None or before[1] is None:
            plus.append(None)
            minus.append(None)
            continue
        up = 0.0 if first else high - before[0]
        down = 0.0 if first else before[1] - low
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    smooth_range = wilder(bars.true_range, 14)
    smooth_plus, smooth_minus = wilder(plus, 14), wilder(minus, 14)
    index: Series = []
    for up, down, scale in zip(smooth_plus, smooth_minus, smooth_range, strict=True):
        rise, fall = ratio(up, scale), ratio(down, scale)
        if rise is None or fall is None:
            index.append(None)
            continue
        share = ratio(abs(100 * rise - 100 * fall), 100 * rise + 100 * fall)
        index.append(None if share is None else 100 * share)
    smooth = wilder(index, 14)
    result: Series = []
    valid = 0
    for i, value in enumerate(smooth):
        valid += bars.true_range[i] is not None
        result.append(value if valid >= 28 else None)
    return result


def beta(x: list[Value], y: list[Value], j: int, w: int) -> Value:
    """Slope of y on x over the pairs of a window."""
    span = range(max(0, j - w + 1), j + 1)
    pairs = [(x[i], y[i]) for i in span if x[i] is not None and y[i] is not None]
    n = len(pairs)
    if n < math.ceil(2 * w / 3):
        return None
    total_x, total_y = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    squares = sum(a * a for a, _ in pairs)
    spread = n * squares - total_x * total_x
    if spread <= ZERO * n * squares:
        return None
    mean_x, mean_y = total_x / n, total_y / n
    above = sum((a - mean_x) * (b - mean_y) for a, b in pairs)
    return above / sum((a - mean_x) ** 2 for a, _ in pairs)


def combine(a: Series, b: Series, rule: str) -> Series:
    """Product of signs, product or difference of two columns."""
    result: Series = []
    for x, y in zip(a, b, strict=True):
        if x is None or y is None:
            result.append(None)
        elif rule == "difference":
            result.append(x - y)
        elif rule == "product":
            result.append(x * y)
        else:
            result.append(((x > 0) - (x < 0)) * ((y > 0) - (y < 0)))
    return result
