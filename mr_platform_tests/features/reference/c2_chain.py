"""C2 over the whole chain: exposures, gamma flip, concentration and peaks."""

from __future__ import annotations

import math

import numpy as np

from mr_platform_tests.features.reference.c2_legs import GreekDay, Leg, second_order_greek
from mr_platform_tests.features.reference.plain import changes, lag, ratio, sub
from mr_platform_tests.features.reference.strikes import (
    FIRST_BASE_MINUTE,
    MINUTES,
    ZERO,
    Columns,
    Series,
    Value,
    first_valid,
    nothing,
)

CRORE = 1e-7
FLIP_STEPS = 12  # grid points on either side of F
FLIP_STEP = 400  # a grid step is F / 400
Pairs = list[tuple[float, Leg]]


def exposures(greeks: GreekDay) -> Columns:
    """The fourteen columns of the exposure block."""
    gex, gross = nothing(), nothing()
    columns: Columns = {"c2_gamma_exposure": gex}
    for greek in ("delta", "vega", "vanna", "charm"):
        columns[f"c2_{greek}_exposure"] = nothing()
    for name in ("gamma_flip_dist", "gex_concentration", "gex_peak_dist_pos", "gex_peak_dist_neg"):
        columns[f"c2_{name}"] = nothing()
    for j in range(MINUTES):
        pairs = greeks.chain(j)
        if pairs is None:
            continue
        spot, forward, tau = greeks.spot[j], greeks.forward[j], greeks.tau[j]
        gex[j], gross[j] = _gamma_exposure(pairs, spot)
        columns["c2_delta_exposure"][j] = _delta_exposure(pairs, spot)
        columns["c2_vega_exposure"][j] = CRORE * math.fsum(
            _sign(leg) * oi * leg.vega for oi, leg in pairs
        )
        if forward is not None and tau is not None:
            for greek, factor in (("vanna", 0.01), ("charm", 1.0)):
                columns[f"c2_{greek}_exposure"][j] = _second_order_exposure(
                    pairs, greek, factor, spot, forward, tau
                )
            columns["c2_gamma_flip_dist"][j] = gamma_flip(pairs, forward, tau)
        by_strike = _net_gamma(pairs)
        columns["c2_gex_concentration"][j] = _concentration(by_strike)
        columns["c2_gex_peak_dist_pos"][j] = _peak(by_strike, forward, 1)
        columns["c2_gex_peak_dist_neg"][j] = _peak(by_strike, forward, -1)
    for window in (5, 15, 60):
        columns[f"c2_gex_chg_{window}m"] = [
            ratio(sub(gex[j], lag(gex, j, window)), gross[j]) for j in range(MINUTES)
        ]
    columns["c2_gex_chg_open"] = _change_since_base(gex, gross)
    columns["c2_gamma_flip_dist_chg_15m"] = changes(columns["c2_gamma_flip_dist"], 15)
    return columns


def _sign(leg: Leg) -> int:
    """Dealers are taken long calls and short puts."""
    return 1 if leg.side == "ce" else -1


def _gamma_exposure(pairs: Pairs, spot: Value) -> tuple[Value, Value]:
    """GEX and its gross amount G."""
    if spot is None:
        return None, None
    factor = 0.01 * spot**2 * CRORE
    net = math.fsum(_sign(leg) * leg.gamma * oi for oi, leg in pairs)
    gross = math.fsum(leg.gamma * oi for oi, leg in pairs)
    return factor * net, factor * gross


def _delta_exposure(pairs: Pairs, spot: Value) -> Value:
    """Both sides long, the delta of a put being negative."""
    if spot is None:
        return None
    return spot * CRORE * math.fsum(oi * leg.delta for oi, leg in pairs)


def _second_order_exposure(
    pairs: Pairs, greek: str, factor: float, spot: Value, forward: float, tau: float
) -> Value:
    if spot is None:
        return None
    net = math.fsum(
        _sign(leg) * oi * second_order_greek(greek, leg, forward, tau) for oi, leg in pairs
    )
    return factor * spot * CRORE * net


def _change_since_base(gex: Series, gross: Series) -> Series:
    """2 * (GEX(t) - GEX base) / (G(t) + G base), null before the base bar."""
    out = nothing()
    base = first_valid(gex, FIRST_BASE_MINUTE)
    if base is None:
        return out
    for j in range(base, MINUTES):
        if gex[j] is not None:
            out[j] = ratio(2 * (gex[j] - gex[base]), gross[j] + gross[base])
    return out


# ---------------------------------------------------------------- gamma flip


def gamma_flip(pairs: Pairs, forward: float, tau: float) -> float:
    """Distance of the zero of N(f) nearest to F, percent of F; -3 or 3 where there is none."""
    strikes = np.array([leg.strike for _, leg in pairs])
    ivs = np.array([leg.iv for _, leg in pairs])
    weights = np.array([_sign(leg) * oi for oi, leg in pairs])
    points = [forward * (1 + i / FLIP_STEP) for i in range(-FLIP_STEPS, FLIP_STEPS + 1)]
    values = [_net_gamma_at(f, strikes, ivs, weights, tau) for f in points]
    zeros = []
    for i, value in enumerate(values):
        if value == 0:
            zeros.append(points[i])
        elif i > 0 and min(values[i - 1], value) < 0 < max(values[i - 1], value):
            left = abs(values[i - 1])
            share = left / (left + abs(value))
            zeros.append(points[i - 1] + share * (points[i] - points[i - 1]))
    if not zeros:
        return -3.0 if values[FLIP_STEPS] > 0 else 3.0
    nearest = min(zeros, key=lambda zero: (abs(zero - forward), zero))
    return 100 * (nearest - forward) / forward


def _net_gamma_at(
    f: float, strikes: np.ndarray, ivs: np.ndarray, weights: np.ndarray, tau: float
) -> float:
    """N(f): open interest times the Black gamma at a forward f, calls less puts."""
    root = ivs * math.sqrt(tau)
    d1 = (np.log(f / strikes) + ivs * ivs * tau / 2) / root
    gamma = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi) / (f * root)
    return float(np.sum(weights * gamma))


# ---------------------------------------------------------------- where gamma sits


def _net_gamma(pairs: Pairs) -> dict[float, float]:
    """n_K of every strike with a valid leg, ascending by strike."""
    by_strike: dict[float, float] = {}
    for oi, leg in pairs:
        by_strike[leg.strike] = by_strike.get(leg.strike, 0.0) + _sign(leg) * leg.gamma * oi
    return by_strike


def _concentration(by_strike: dict[float, float]) -> Value:
    """Herfindahl index of |n_K|."""
    total = math.fsum(abs(n) for n in by_strike.values())
    if total < ZERO:
        return None
    return math.fsum((abs(n) / total) ** 2 for n in by_strike.values())


def _peak(by_strike: dict[float, float], forward: Value, direction: int) -> Value:
    """Distance of the largest (1) or smallest (-1) n_K, percent of F."""
    if forward is None:
        return None
    best: tuple[float, float, float] | None = None
    for strike, n in by_strike.items():
        if direction * n <= 0:
            continue
        rank = (-direction * n, abs(strike - forward), strike)
        if best is None or rank < best:
            best = rank
    return None if best is None else 100 * (best[2] - forward) / forward
