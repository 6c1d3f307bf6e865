"""Reference of component 4, one minute of one expiry: ATM volatility, skew, smile, wings."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.plain import ZERO, ln, ratio
from mr_platform_tests.features.reference.streams import Value

Row = dict[str, Any]
Point = tuple[float, float, Row]  # m, iv_otm / iv_atm, row

LEAST_IV = 0.01
LARGEST_IV = 5.0
WIDEST_M = 2.5
SMILE_STRIKES = 7
WING_STRIKES = 4
SIDE_STRIKES = 2
LEAST_CURVATURE = 1e-6
RANKS = (1, 2, 3, 5, 7)
LEVELS = (
    "c4_atm_iv_ce",
    "c4_atm_iv_pe",
    "c4_atm_iv_mean",
    *(f"c4_skew_k{k}" for k in RANKS),
    "c4_risk_reversal_25d",
    "c4_risk_reversal_10d",
    "c4_butterfly_25d",
    "c4_butterfly_10d",
    "c4_smile_slope",
    "c4_smile_curvature",
    "c4_smile_vertex",
    "c4_smile_rmse",
    "c4_wing_slope_put",
    "c4_wing_slope_call",
    "c4_wing_asymmetry",
    "c4_iv_oi_weighted_premium",
    "c4_iv_vega_weighted_premium",
)


def valid_iv(row: Row | None, leg: str) -> Value:
    """Implied volatility of a leg; null outside [0.01, 5]."""
    if row is None:
        return None
    iv = row[f"{leg}_iv"]
    if iv is None or not LEAST_IV <= iv <= LARGEST_IV:
        return None
    return iv


def mean_iv(row: Row) -> Value:
    """iv_k: mean of both legs, or the one that is present."""
    legs = [iv for iv in (valid_iv(row, "ce"), valid_iv(row, "pe")) if iv is not None]
    return sum(legs) / len(legs) if legs else None


def otm_leg(row: Row, forward: float) -> str:
    """The out-of-the-money leg: puts below the forward, calls at or above it."""
    return "pe" if row["strike"] < forward else "ce"


def iv_at_forward(rows: list[Row], forward: Value) -> Value:
    """iv_atm: iv_k linear in strike at the forward, null if the forward is not bracketed."""
    if forward is None:
        return None
    below: tuple[float, float] | None = None
    above: tuple[float, float] | None = None
    for row in rows:
        iv = mean_iv(row)
        if iv is None:
            continue
        strike = row["strike"]
        if strike <= forward and (below is None or strike > below[0]):
            below = (strike, iv)
        if strike > forward and (above is None or strike < above[0]):
            above = (strike, iv)
    if below is not None and below[0] == forward:
        return below[1]
    if below is None or above is None:
        return None
    share = (forward - below[0]) / (above[0] - below[0])
    return below[1] + share * (above[1] - below[1])


def iv_at_delta(rows: list[Row], forward: float, leg: str, target: float) -> Value:
    """iv_delta: implied volatility linear in |delta| between the neighbours of the target."""
    upper: tuple[float, float, float] | None = None  # |delta|, distance to F, iv
    lower: tuple[float, float, float] | None = None
    for row in rows:
        if otm_leg(row, forward) != leg:
            continue
        iv, delta = valid_iv(row, leg), row[f"{leg}_delta"]
        if iv is None or delta is None:
            continue
        size, distance = abs(delta), abs(row["strike"] - forward)
        if size >= target and (upper is None or (size, distance) < upper[:2]):
            upper = (size, distance, iv)
        if size < target and (lower is None or (-size, distance) < (-lower[0], lower[1])):
            lower = (size, distance, iv)
    if upper is None or lower is None:
        return None
    share = ratio(target - lower[0], upper[0] - lower[0])
    return None if share is None else lower[2] + share * (upper[2] - lower[2])


def straight_slope(points: list[tuple[float, float]], least: int) -> Value:
    """Least-squares slope of y on x; null where x does not vary."""
    n = len(points)
    if n < least:
        return None
    sx = sum(x for x, _ in points)
    sxx = sum(x * x for x, _ in points)
    if n * sxx - sx * sx <= ZERO * n * sxx:
        return None
    x_mean = sx / n
    y_mean = sum(y for _, y in points) / n
    above = sum((x - x_mean) * (y - y_mean) for x, y in points)
    return above / sum((x - x_mean) ** 2 for x, _ in points)


def parabola(points: list[tuple[float, float]]) -> tuple[float, float, float] | None:
    """Coefficients of 1, m, m^2; null where the determinant counts as zero."""
    n = float(len(points))
    s1, s2, s3, s4 = (sum(m**power for m, _ in points) for power in (1, 2, 3, 4))
    parts = (n * s2 * s4, 2 * s1 * s2 * s3, -s2 * s2 * s2, -n * s3 * s3, -s1 * s1 * s4)
    if abs(sum(parts)) <= ZERO * n * s2 * s4:
        return None
    design = np.array([[1.0, m, m * m] for m, _ in points])
    solution = np.linalg.lstsq(design, np.array([y for _, y in points]), rcond=None)[0]
    return float(solution[0]), float(solution[1]), float(solution[2])


def smile_columns(points: list[Point], forward: float) -> dict[str, Value]:
    """Parabola through the out-of-the-money smile."""
    out: dict[str, Value] = dict.fromkeys(
        f"c4_smile_{name}" for name in ("slope", "curvature", "vertex", "rmse")
    )
    puts = sum(1 for _, _, row in points if row["strike"] < forward)
    calls = len(points) - puts
    if len(points) < SMILE_STRIKES or puts < SIDE_STRIKES or calls < SIDE_STRIKES:
        return out
    fit = parabola([(m, y) for m, y, _ in points])
    if fit is None:
        return out
    a, b, c = fit
    residuals = [y - (a + b * m + c * m * m) for m, y, _ in points]
    out["c4_smile_slope"] = b
    out["c4_smile_curvature"] = c
    if c > LEAST_CURVATURE:
        out["c4_smile_vertex"] = min(5.0, max(-5.0, -b / (2 * c)))
    out["c4_smile_rmse"] = math.sqrt(sum(r * r for r in residuals) / len(residuals))
    return out


def wing_columns(points: list[Point]) -> dict[str, Value]:
    """One-sided slopes and the difference of the tail means."""
    put_tail = [y for m, y, _ in points if -WIDEST_M <= m <= -1]
    call_tail = [y for m, y, _ in points if 1 <= m <= WIDEST_M]
    asymmetry: Value = None
    if len(put_tail) >= SIDE_STRIKES and len(call_tail) >= SIDE_STRIKES:
        asymmetry = sum(put_tail) / len(put_tail) - sum(call_tail) / len(call_tail)
    return {
        "c4_wing_slope_put": straight_slope([(m, y) for m, y, _ in points if m <= 0], WING_STRIKES),
        "c4_wing_slope_call": straight_slope(
            [(m, y) for m, y, _ in points if m >= 0], WING_STRIKES
        ),
        "c4_wing_asymmetry": asymmetry,
    }


def weighted_premium(points: list[Point], forward: float, iv_atm: float, weight: str) -> Value:
    """ln of the weighted out-of-the-money volatility over iv_atm; a zero weight is a weight."""
    total = 0.0
    weights = 0.0
    count = 0
    for _, _, row in points:
        leg = otm_leg(row, forward)
        size, iv = row[f"{leg}_{weight}"], valid_iv(row, leg)
        if size is None or iv is None:
            continue
        total += size * iv
        weights += size
        count += 1
    if count < SMILE_STRIKES:
        return None
    return ln(ratio(ratio(total, weights), iv_atm))


def minute_columns(day: Day, expiry: datetime.date, j: int) -> dict[str, Value]:
    """Every column of the minute that needs the strikes of this minute and expiry only."""
    rows = day.rows.get((expiry, j), [])
    forward = day.value("forward", expiry, j)
    iv_atm = iv_at_forward(rows, forward)
    out: dict[str, Value] = dict.fromkeys(LEVELS)
    atm = day.row(expiry, j, 0)
    out["c4_atm_iv_ce"] = valid_iv(atm, "ce")
    out["c4_atm_iv_pe"] = valid_iv(atm, "pe")
    out["c4_atm_iv_mean"] = iv_atm
    if forward is None or iv_atm is None:
        return out
    for k in RANKS:
        put = valid_iv(day.row(expiry, j, -k), "pe")
        call = valid_iv(day.row(expiry, j, k), "ce")
        out[f"c4_skew_k{k}"] = None if put is None or call is None else ratio(put - call, iv_atm)
    for delta in (25, 10):
        put = iv_at_delta(rows, forward, "pe", delta / 100)
        call = iv_at_delta(rows, forward, "ce", delta / 100)
        if put is not None and call is not None:
            out[f"c4_risk_reversal_{delta}d"] = (call - put) / iv_atm
            out[f"c4_butterfly_{delta}d"] = (0.5 * (call + put) - iv_atm) / iv_atm
    tau = day.value("tau", expiry, j)
    if tau is None:
        return out
    points: list[Point] = []
    for row in rows:
        iv = valid_iv(row, otm_leg(row, forward))
        if iv is None:
            continue
        m = math.log(row["strike"] / forward) / (iv_atm * math.sqrt(tau))
        if abs(m) <= WIDEST_M:
            points.append((m, iv / iv_atm, row))
    out.update(smile_columns(points, forward))
    out.update(wing_columns(points))
    out["c4_iv_oi_weighted_premium"] = weighted_premium(points, forward, iv_atm, "oi")
    out["c4_iv_vega_weighted_premium"] = weighted_premium(points, forward, iv_atm, "vega")
    return out
