"""C1: Hurst exponent, permutation entropy and re-strikes, loops over the window.

Here: path_columns. Not here: the other columns of C1 (c1.py, c1_momentum.py).
"""

from __future__ import annotations

import math
from collections import Counter

from mr_platform_tests.features.reference.day import MINUTES
from mr_platform_tests.features.reference.plain import ZERO, valid, window

NO_MOVE = 1e-24
"""A mean of squared differences up to this is zero."""


def path_columns(x) -> dict[str, list]:
    """Path structure of the held series of atm and fut, and counts of re-strikes."""
    out: dict[str, list] = {}
    for s in ("atm", "fut"):
        level = log_value(x.price[s], x.ret[s])
        out[f"c1_hurst_{s}_120m"] = [hurst(window(level, j, 120)) for j in range(MINUTES)]
        out[f"c1_entropy_{s}_60m"] = [entropy(window(level, j, 60)) for j in range(MINUTES)]
    strikes = [x.day.value("atm_strike", x.e, j) for j in range(MINUTES)]
    moved = restruck(strikes)
    out["c1_restrike_30m"] = [count(window(moved, j, 30), 20) for j in range(MINUTES)]
    out["c1_restrike_session"] = [count(moved[: j + 1], 2) for j in range(MINUTES)]
    return out


def log_value(price: list, returns: list) -> list:
    """L: running sum of h, a null h counting 0, null where P is null."""
    out, total = [], 0.0
    for p, h in zip(price, returns, strict=True):
        total += 0.0 if h is None else h
        out.append(None if p is None else total)
    return out


def hurst(level: list) -> float | None:
    """Least-squares slope of the log structure function on the log lag."""
    if len(valid(level)) < 80:
        return None
    slope = 0.0
    for power in range(5):
        q = 2**power
        squares = [
            (level[i] - level[i - q]) ** 2
            for i in range(q, len(level))
            if level[i] is not None and level[i - q] is not None
        ]
        if not squares:
            return None
        mean = math.fsum(squares) / len(squares)
        if mean <= NO_MOVE:
            return None
        slope += (power - 2) * 0.5 * math.log(mean)
    return slope / (10 * math.log(2))


def entropy(level: list) -> float | None:
    """Entropy of the rank orders of three successive values, over ln 6."""
    found = valid(level)
    if len(found) < 40:
        return None
    orders = Counter(order(*found[i - 2 : i + 1]) for i in range(2, len(found)))
    n = sum(orders.values())
    return -math.fsum(c / n * math.log(c / n) for c in orders.values()) / math.log(6)


def order(a: float, b: float, c: float) -> tuple[bool, bool, bool]:
    """Rank order of three values; values within rounding are ranked by time."""
    return (a <= b + ZERO, a <= c + ZERO, b <= c + ZERO)


def restruck(strikes: list) -> list:
    """1 where atm_strike differs from that of the last bar present, 0 elsewhere, null if absent."""
    out, last = [], None
    for strike in strikes:
        if strike is None:
            out.append(None)
            continue
        out.append(1 if last is not None and strike != last else 0)
        last = strike
    return out


def count(moved: list, n: int) -> int | None:
    """Number of re-strikes over at least n bars present."""
    found = valid(moved)
    return sum(found) if len(found) >= n else None
