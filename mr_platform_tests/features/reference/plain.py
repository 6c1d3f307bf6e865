"""Naive kernels of the reference: plain loops over lists in which a missing value is None.

Here: means, deviations, correlations, exponential means, RSI, MACD, percentiles, windows.
Not here: anything that knows a series of the chain (day.py) or a feature (c1.py to c8.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ZERO = 1e-12
"""A divisor below this is zero; the variance rule uses it relative to the raw squares."""
ANN = 94500
"""Minutes of a year: 252 days of 375."""

Values = Sequence[float | None]


# ---- null-safe arithmetic ----
def ratio(a: float | None, b: float | None) -> float | None:
    """A / b, null where b is zero or either is null."""
    if a is None or b is None or abs(b) < ZERO:
        return None
    return a / b


def ln(x: float | None) -> float | None:
    """Natural logarithm, null of anything not above zero."""
    return None if x is None or x <= 0 else math.log(x)


def log_ratio(a: float | None, b: float | None) -> float | None:
    """ln(a / b)."""
    return ln(ratio(a, b))


def add(*terms: float | None) -> float | None:
    """The sum, null if a term is."""
    return None if any(x is None for x in terms) else math.fsum(terms)


def sub(a: float | None, b: float | None) -> float | None:
    """A - b, null if one is."""
    return None if a is None or b is None else a - b


def mul(*factors: float | None) -> float | None:
    """The product, null if a factor is."""
    return None if any(x is None for x in factors) else math.prod(factors)


def sqrt(x: float | None) -> float | None:
    """Square root, null below zero."""
    return None if x is None or x < 0 else math.sqrt(x)


def tanh(x: float | None) -> float | None:
    """Hyperbolic tangent."""
    return None if x is None else math.tanh(x)


def clip(x: float | None, low: float, high: float) -> float | None:
    """The value held inside [low, high]."""
    return None if x is None else min(max(x, low), high)


def sign(x: float | None, scale: float = 1.0) -> int | None:
    """-1, 0 or 1; 0 where |x| is within rounding of the compared numbers' scale."""
    if x is None:
        return None
    if abs(x) <= ZERO * scale:
        return 0
    return 1 if x > 0 else -1


def sign_of_difference(a: float | None, b: float | None) -> int | None:
    """Sign of a - b, 0 where they are equal up to rounding."""
    if a is None or b is None:
        return None
    return sign(a - b, max(abs(a), abs(b)))


def phi(x: float) -> float:
    """Density of the standard normal."""
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def Phi(x: float) -> float:  # noqa: N802 - the symbol of the definitions
    """Distribution function of the standard normal."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


# ---- windows ----
def valid(values: Values) -> list[float]:
    """The values that are not null."""
    return [x for x in values if x is not None]


def window(values: Sequence, j: int, w: int) -> list:
    """The values of the minutes j-w+1..j, clipped to the session."""
    return list(values[max(0, j - w + 1) : j + 1])


def lag(values: Sequence, j: int, w: int):
    """The value w minutes before j, null before the session."""
    return values[j - w] if 0 <= j - w < len(values) else None


def total(values: Values, n_min: int = 1) -> float | None:
    """Sum of the valid values, null below n_min of them."""
    found = valid(values)
    return math.fsum(found) if len(found) >= n_min else None


def mean(values: Values, n_min: int = 1) -> float | None:
    """Mean of the valid values, null below n_min of them."""
    found = valid(values)
    return math.fsum(found) / len(found) if found and len(found) >= n_min else None


def rms(values: Values, n_min: int = 1) -> float | None:
    """Root of the mean square of the valid values, null below n_min of them."""
    return sqrt(mean([None if x is None else x * x for x in values], n_min))


def std(values: Values, ddof: int = 1, n_min: int = 2) -> float | None:
    """Standard deviation of the valid values, null below n_min of them."""
    found = valid(values)
    if len(found) < n_min or len(found) <= ddof:
        return None
    centre = math.fsum(found) / len(found)
    return math.sqrt(math.fsum((x - centre) ** 2 for x in found) / (len(found) - ddof))


def no_variance(found: Sequence[float]) -> bool:
    """Whether the raw values count as constant: n*Sxx - Sx^2 <= 1e-12*n*Sxx."""
    n, squares = len(found), math.fsum(x * x for x in found)
    return n * squares - math.fsum(found) ** 2 <= ZERO * n * squares


def zscore(x: float | None, values: Values, n_min: int, ddof: int = 1) -> float | None:
    """(x - mean) / std of the valid values, null where they do not vary."""
    found = valid(values)
    if x is None or len(found) < n_min or len(found) <= ddof or no_variance(found):
        return None
    return (x - math.fsum(found) / len(found)) / std(found, ddof)


def pairs(xs: Values, ys: Values) -> tuple[list[float], list[float]]:
    """The places where both are valid."""
    kept = [(x, y) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None]
    return [x for x, _ in kept], [y for _, y in kept]


def pearson(xs: Values, ys: Values, n_min: int = 2) -> float | None:
    """Correlation over the places where both are valid, null where either is constant."""
    a, b = pairs(xs, ys)
    if len(a) < max(n_min, 2) or no_variance(a) or no_variance(b):
        return None
    ma, mb = math.fsum(a) / len(a), math.fsum(b) / len(b)
    saa = math.fsum((x - ma) ** 2 for x in a)
    sbb = math.fsum((y - mb) ** 2 for y in b)
    sab = math.fsum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
    if saa <= 0 or sbb <= 0:
        return None
    return clip(sab / math.sqrt(saa * sbb), -1.0, 1.0)


def ols(xs: Values, ys: Values, n_min: int = 2) -> tuple[float, float, float | None] | None:
    """Slope, intercept and r2 of y on x; null where x is constant, r2 null where y is."""
    a, b = pairs(xs, ys)
    if len(a) < max(n_min, 2) or no_variance(a):
        return None
    ma, mb = math.fsum(a) / len(a), math.fsum(b) / len(b)
    saa = math.fsum((x - ma) ** 2 for x in a)
    sab = math.fsum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
    if saa <= 0:
        return None
    r = pearson(a, b)
    slope = sab / saa
    return slope, mb - slope * ma, None if r is None else r * r


def msr(returns: Sequence[tuple[float | None, int | None]], n_min: int = 1) -> float | None:
    """Mean squared return per minute covered; n_min counts returns.

    Args:
        returns: Pairs of a return and the minutes it spans.
        n_min: Least number of returns.
    """
    found = [(h, span) for h, span in returns if h is not None]
    if not found or len(found) < n_min:
        return None
    return math.fsum(h * h for h, _ in found) / sum(span for _, span in found)


# ---- streams ----
def ema_series(values: Values, alpha: float, min_periods: int = 1) -> list[float | None]:
    """Exponential means with normalised weights; the exponent counts valid values."""
    out: list[float | None] = []
    top = bottom = 0.0
    n = 0
    for x in values:
        if x is None:
            out.append(None)
            continue
        top = top * (1 - alpha) + x
        bottom = bottom * (1 - alpha) + 1
        n += 1
        out.append(top / bottom if n >= min_periods else None)
    return out


def ema_span(values: Values, n: float, min_periods: int = 1) -> list[float | None]:
    """ema_series with alpha = 2/(n+1)."""
    return ema_series(values, 2 / (n + 1), min_periods)


def changes(values: Values, k: int) -> list[float | None]:
    """x(t) - x(t-k), null where either end is."""
    return [sub(x, values[i - k]) if i >= k else None for i, x in enumerate(values)]


def rsi_cutler(values: Values, k: int, n: int = 14, n_min: int = 14) -> list[float | None]:
    """Cutler RSI: simple means of the ups and downs over k minutes in the last n*k minutes."""
    steps = changes(values, k)
    out: list[float | None] = []
    for j in range(len(values)):
        found = valid(window(steps, j, n * k))
        if len(found) < n_min:
            out.append(None)
            continue
        up = math.fsum(max(x, 0.0) for x in found) / len(found)
        down = math.fsum(max(-x, 0.0) for x in found) / len(found)
        rate = ratio(up, up + down)
        out.append(None if rate is None else 100 * rate)
    return out


def macd(values: Values, fast: int, slow: int, signal: int) -> tuple[list, list, list]:
    """Line, signal and histogram; every mean is null below its span in valid values."""
    short, long = ema_span(values, fast, fast), ema_span(values, slow, slow)
    line = [sub(a, b) for a, b in zip(short, long, strict=True)]
    smooth = ema_span(line, signal, signal)
    return line, smooth, [sub(a, b) for a, b in zip(line, smooth, strict=True)]


# ---- ranks ----
def percentile(x: float | None, h: Values, n_min: int = 1) -> float | None:
    """Mid-rank of x among the valid values of h, null below n_min of them."""
    found = valid(h)
    if x is None or not found or len(found) < n_min:
        return None
    below = sum(1 for y in found if y < x)
    same = sum(1 for y in found if y == x)
    return (below + 0.5 * same) / len(found)


def irank(x: float | None, h: Values, n_min: int = 1) -> float | None:
    """(x - min h) / (max h - min h), clipped to [0, 1]."""
    found = valid(h)
    if x is None or not found or len(found) < n_min:
        return None
    return clip(ratio(x - min(found), max(found) - min(found)), 0.0, 1.0)
