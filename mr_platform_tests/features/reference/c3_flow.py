"""C3 flows: changes of open interest, quadrants with price, and what is built on them."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c3_future import Future
from mr_platform_tests.features.reference.c3_legs import LEGS, OpenInterestDay
from mr_platform_tests.features.reference.plain import (
    clip,
    no_variance,
    pearson,
    ratio,
    rms,
    std,
    sub,
    valid,
    window,
    zscore,
)
from mr_platform_tests.features.reference.strikes import (
    MINUTES,
    NEAR_STRIKES,
    Columns,
    Series,
    Value,
    nothing,
)

MTF_WEIGHTS = {3: 0.15, 5: 0.35, 10: 0.30, 15: 0.20}
MTF_BARS, MTF_MIN = 60, 30
Z_BARS, Z_MIN, Z_LIMIT = 60, 30, 10.0
RMS_MIN = 15
DEADBAND = 0.25
DIRECTION = {0: 0.0, 1: 1.0, 2: -1.0, 3: 0.5, 4: -0.5}
FLOW_WEIGHTS = {"ce": 0.35, "pe": 0.35, "fut": 0.30}


# ---------------------------------------------------------------- scaling


def z60(series: Series) -> Series:
    """Against mean and deviation of the 60 minutes before, clipped."""
    return [
        clip(zscore(series[j], series[max(0, j - Z_BARS) : j], Z_MIN), -Z_LIMIT, Z_LIMIT)
        for j in range(MINUTES)
    ]


def by_srms(series: Series) -> Series:
    """Over the root mean square of the session so far, the value included."""
    return [ratio(series[j], rms(series[: j + 1], RMS_MIN)) for j in range(MINUTES)]


def percent(series: Series) -> Series:
    """The series times 100."""
    return [None if x is None else 100 * x for x in series]


def difference(left: Series, right: Series) -> Series:
    """Left less right, minute by minute."""
    return [sub(a, b) for a, b in zip(left, right, strict=True)]


def quotient(top: Series, bottom: Series) -> Series:
    """Top over bottom, minute by minute."""
    return [ratio(a, b) for a, b in zip(top, bottom, strict=True)]


def log_one_plus(series: Series) -> Series:
    """ln(1 + x)."""
    return [None if x is None else math.log(1 + x) for x in series]


def run_lengths(series: Series) -> Series:
    """Minutes in the run of the present value; a null or missing minute ends it."""
    out = nothing()
    for j in range(MINUTES):
        if series[j] is not None:
            goes_on = j > 0 and series[j - 1] == series[j]
            out[j] = out[j - 1] + 1 if goes_on else 1
    return out


# ---------------------------------------------------------------- open interest and volume


def interest_columns(legs: OpenInterestDay, future: Future) -> Columns:
    """Levels, changes, velocity, acceleration, the rollup, shocks and absorption."""
    columns: Columns = {}
    for leg in LEGS:
        columns[f"c3_cum_oi_{leg}"] = legs.oi(leg)
        for minutes in (5, 15):
            columns[f"c3_cum_volume_{leg}_{minutes}m"] = legs.volume(leg, minutes)
        for minutes in (3, 5, 15):
            columns[f"c3_oi_velocity_{leg}_{minutes}m"] = legs.velocity(leg, minutes)
            columns[f"c3_oi_accel_{leg}_{minutes}m"] = legs.acceleration(leg, minutes)
    for minutes in (3, 5, 15):
        for series in ("ce", "pe", "net"):
            changed = legs.interest_change(series, minutes)
            columns[f"c3_oi_change_{series}_{minutes}m"] = percent(changed)
        columns[f"c3_oi_change_fut_{minutes}m"] = percent(future.interest_change(minutes))
    for series in ("ce", "pe", "net"):
        columns[f"c3_oi_mtf_{series}"] = _rollup(legs, series)
    for leg in LEGS:
        columns[f"c3_oi_shock_z_{leg}"] = z60(legs.interest_change(leg, 5))
        columns[f"c3_absorption_{leg}_15m"] = quotient(legs.gross(leg, 15), legs.volume(leg, 15))
    columns["c3_oi_shock_z_fut"] = z60(future.interest_change(5))
    columns["c3_absorption_fut_15m"] = quotient(future.gross_change(15), future.volume_sum(15))
    return columns


def _rollup(legs: OpenInterestDay, series: str) -> Series:
    """Changes over four windows, scaled by root time and weighted."""
    changed = {minutes: legs.interest_change(series, minutes) for minutes in MTF_WEIGHTS}
    out = nothing()
    for j in range(MINUTES):
        recent = valid(window(changed[3], j, MTF_BARS))
        if len(recent) < MTF_MIN or no_variance(recent):
            continue
        s1 = std(recent) / math.sqrt(3)
        terms = [ratio(changed[minutes][j], s1 * math.sqrt(minutes)) for minutes in MTF_WEIGHTS]
        if None in terms:
            continue
        weights = MTF_WEIGHTS.values()
        out[j] = clip(sum(g * x for g, x in zip(weights, terms, strict=True)), -10.0, 10.0)
    return out


# ---------------------------------------------------------------- quadrants


def quadrant(p: Value, o: Value) -> int | None:
    """Class of a scaled price change and a scaled change of open interest."""
    if p is None or o is None:
        return None
    if abs(p) < DEADBAND or abs(o) < DEADBAND:
        return 0
    if o > 0:
        return 1 if p > 0 else 2
    return 3 if p > 0 else 4


def quadrants(legs: OpenInterestDay, future: Future) -> Columns:
    """Codes, shares by strike, ages and the three-way alignment."""
    columns: Columns = {}
    for minutes in (5, 15):
        price = {leg: legs.price_change(leg, minutes) for leg in LEGS}
        interest = {leg: legs.interest_change(leg, minutes) for leg in LEGS}
        price["fut"] = future.price_change(minutes)
        interest["fut"] = future.interest_change(minutes)
        for series in price:
            pairs = zip(by_srms(price[series]), by_srms(interest[series]), strict=True)
            columns[f"c3_quadrant_{series}_{minutes}m"] = [quadrant(p, o) for p, o in pairs]
        columns[f"c3_threeway_alignment_{minutes}m"] = [
            _alignment([columns[f"c3_quadrant_{series}_{minutes}m"][j] for series in price])
            for j in range(MINUTES)
        ]
    for series in ("ce", "pe", "fut"):
        columns[f"c3_quadrant_age_{series}"] = run_lengths(columns[f"c3_quadrant_{series}_15m"])
    for leg in LEGS:
        columns.update(_shares(legs, leg))
    return columns


def _alignment(codes: list[int | None]) -> Value:
    """Calls less puts plus the future, a third of each direction."""
    if None in codes:
        return None
    call, put, future = (DIRECTION[code] for code in codes)
    return (call - put + future) / 3


def _sign(now: float, then: float) -> int:
    """Sign of a change, 0 where it is rounding only."""
    if abs(now - then) <= 1e-12 * max(abs(now), abs(then)):
        return 0
    return 1 if now > then else -1


def _shares(legs: OpenInterestDay, leg: str) -> Columns:
    """Share of the strikes' gross change in each class, by each strike's own signs."""
    kinds = {(1, 1): "long_buildup", (-1, 1): "short_buildup", (1, -1): "short_covering"}
    columns: Columns = {f"c3_quadrant_share_{kind}_{leg}": nothing() for kind in kinds.values()}
    for j in range(MINUTES):
        prices = {
            row["strike"]: _sign(now, then) for row, now, then in legs.ends(leg, "close", j, 15)
        }
        found = [
            (prices[row["strike"]], now, then)
            for row, now, then in legs.ends(leg, "oi", j, 15)
            if row["strike"] in prices
        ]
        if len(found) < NEAR_STRIKES:
            continue
        total = sum(abs(now - then) for _, now, then in found)
        for (price_sign, oi_sign), kind in kinds.items():
            part = sum(
                abs(now - then)
                for price, now, then in found
                if price == price_sign and _sign(now, then) == oi_sign
            )
            columns[f"c3_quadrant_share_{kind}_{leg}"][j] = ratio(part, total)
    return columns


# ---------------------------------------------------------------- price against open interest


def price_and_interest(legs: OpenInterestDay, future: Future) -> Columns:
    """Price absorption, volume against interest, their correlation and the divergence."""
    columns: Columns = {}
    for minutes in (5, 15):
        changed = quotient(legs.both("change", minutes), legs.both("base", minutes))
        built = z60([None if x is None else abs(x) for x in changed])
        columns[f"c3_price_absorption_{minutes}m"] = difference(
            built, z60(future.log_change(minutes))
        )
    for leg in LEGS:
        churn = z60(log_one_plus(legs.volume(leg, 15)))
        moved = z60(quotient(legs.gross(leg, 15), legs.base(leg, 15)))
        columns[f"c3_volume_oi_divergence_{leg}_15m"] = difference(churn, moved)
        price, interest = legs.price_change(leg, 3), legs.interest_change(leg, 3)
        columns[f"c3_price_oi_corr_{leg}_30m"] = [
            clip(pearson(window(price, j, 30), window(interest, j, 30), 20), -1.0, 1.0)
            for j in range(MINUTES)
        ]
    columns.update(_divergence(legs, future))
    return columns


def _divergence(legs: OpenInterestDay, future: Future) -> Columns:
    """Type, age and strength of the divergence of price, positioning and volume."""
    zp = by_srms(future.price_change(15))
    zn = by_srms(legs.interest_change("net", 15))
    zv = z60(log_one_plus(legs.both("volume", 15)))
    zo = z60(quotient(legs.both("gross", 15), legs.both("base", 15)))
    types = [divergence_type(zp[j], zn[j], zv[j], zo[j]) for j in range(MINUTES)]
    runs = run_lengths(types)
    ages, strength = nothing(), nothing()
    for j in range(MINUTES):
        if types[j] is None:
            continue
        ages[j] = runs[j] if types[j] != 0 else 0
        strength[j] = min(5.0, math.sqrt(max(0.0, -zp[j] * zn[j])))
    return {
        "c3_divergence_type": types,
        "c3_divergence_age": ages,
        "c3_divergence_strength": strength,
    }


def divergence_type(zp: Value, zn: Value, zv: Value, zo: Value) -> int | None:
    """First match: bullish, bearish, churn, quiet build-up, else none."""
    if zp is None or zn is None:
        return None
    if zp <= -0.5 and zn >= 0.5:
        return 1
    if zp >= 0.5 and zn <= -0.5:
        return 2
    if zv is None or zo is None:
        return 0
    if zv >= 1 and zo <= 0:
        return 3
    return 4 if zo >= 1 and zv <= 0 else 0


# ---------------------------------------------------------------- composites


def composites(columns: Columns) -> Columns:
    """The institutional flow score and the range expansion score."""
    spread = by_srms(columns["c3_oi_dispersion_change_15m"])
    expansion = nothing()
    for j in range(MINUTES):
        fast, slow = columns["c3_range_ratio_5m"][j], columns["c3_range_ratio_15m"][j]
        if fast is not None and slow is not None:
            term = 0.0 if spread[j] is None else spread[j]
            expansion[j] = math.tanh(0.6 * slow + 0.2 * fast + 0.2 * term)
    flow = [institutional_flow(columns, j) for j in range(MINUTES)]
    return {"c3_range_expansion_score": expansion, "c3_institutional_flow_score": flow}


def institutional_flow(columns: Columns, j: int) -> Value:
    """Surprise times direction times absorption, over the terms that exist."""
    top = bottom = 0.0
    terms = 0
    for series, weight in FLOW_WEIGHTS.items():
        code = columns[f"c3_quadrant_{series}_5m"][j]
        z = columns[f"c3_oi_shock_z_{series}"][j]
        a = columns[f"c3_absorption_{series}_15m"][j]
        if code is None or z is None or a is None:
            continue
        direction = -DIRECTION[code] if series == "pe" else DIRECTION[code]
        top += weight * direction * min(abs(z), 4) * (0.5 + 0.5 * min(a / 0.2, 1))
        bottom += weight
        terms += 1
    return math.tanh(0.5 * top / bottom) if terms >= 2 else None
