"""C2 pin risk: the strike with the largest open interest near the money, and max pain."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c2_legs import GreekDay
from mr_platform_tests.features.reference.plain import Phi, changes, clip, ln, ratio
from mr_platform_tests.features.reference.strikes import (
    FIRST_BASE_MINUTE,
    MINUTES,
    NEAR_STRIKES,
    ZERO,
    Columns,
    Row,
    Series,
    Value,
    first_valid,
    max_pain_series,
    nothing,
    strikes_with_open_interest,
)

NAMES = ("probability", "distance", "risk_score", "risk_chg_15m")


def pin_risk(greeks: GreekDay) -> Columns:
    """The seven columns of the pin block."""
    columns: Columns = {f"c2_pin_{name}": nothing() for name in NAMES}
    concentration = columns["c2_oi_concentration"] = nothing()
    for j in range(MINUTES):
        rows = greeks.near_rows[j]
        if strikes_with_open_interest(rows) < NEAR_STRIKES:
            continue
        interest = {row["strike"]: _both_legs(row) for row in rows if _quoted(row)}
        total = sum(interest.values())
        if total >= ZERO:
            concentration[j] = math.fsum((oi / total) ** 2 for oi in interest.values())
        forward = greeks.forward[j]
        if forward is None:
            continue
        pin = min(interest, key=lambda k: (-interest[k], abs(k - forward), k))
        deviation = greeks.deviation[j]
        columns["c2_pin_distance"][j] = ratio(ln(pin / forward), deviation)
        probability = _probability(pin, forward, greeks.step[j], deviation)
        columns["c2_pin_probability"][j] = probability
        share = ratio(interest[pin], total)
        if probability is not None and share is not None:
            columns["c2_pin_risk_score"][j] = math.sqrt(probability * share)
    columns["c2_pin_risk_chg_15m"] = changes(columns["c2_pin_risk_score"], 15)
    columns.update(_max_pain(greeks))
    return columns


def _quoted(row: Row) -> bool:
    return row["ce_oi"] is not None or row["pe_oi"] is not None


def _both_legs(row: Row) -> float:
    """ce_oi + pe_oi of a strike; a null leg adds nothing."""
    return (row["ce_oi"] or 0) + (row["pe_oi"] or 0)


def _probability(pin: float, forward: float, step: Value, deviation: Value) -> Value:
    """Chance that the forward settles within half a step of the pin strike."""
    if step is None or deviation is None:
        return None
    variance = deviation**2
    bounds = []
    for edge in (pin + step / 2, pin - step / 2):
        distance = ln(edge / forward)
        z = None if distance is None else ratio(distance + variance / 2, deviation)
        if z is None:
            return None
        bounds.append(Phi(z))
    return clip(bounds[0] - bounds[1], 0.0, 1.0)


def _max_pain(greeks: GreekDay) -> Columns:
    """Distance of the max pain strike from F and its move since the base bar."""
    strikes: Series = max_pain_series(greeks.grid, greeks.spot)
    base = first_valid(strikes, FIRST_BASE_MINUTE)
    distance, moved = nothing(), nothing()
    for j in range(MINUTES):
        forward = greeks.forward[j]
        if strikes[j] is None or forward is None:
            continue
        distance[j] = 100 * (strikes[j] - forward) / forward
        if base is not None and j >= base:
            moved[j] = 100 * (strikes[j] - strikes[base]) / forward
    return {"c2_max_pain_dist": distance, "c2_max_pain_chg_open": moved}
