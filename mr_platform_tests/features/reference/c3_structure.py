"""C3 structure: concentration, walls, strike-type buckets and the spread over strikes."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c3_legs import LEGS, OpenInterestDay, own_rank
from mr_platform_tests.features.reference.plain import ln, ratio
from mr_platform_tests.features.reference.strikes import (
    MINUTES,
    NEAR_STRIKES,
    ZERO,
    Columns,
    Row,
    Value,
    nothing,
)

BUCKETS = {"atm": (-1, 1), "otm_near": (2, 4), "otm_far": (5, 7)}
OTM = (1, 7)
FLOW_WINDOW = 15
SIDES = {"call_above": "ce", "put_below": "pe"}


def _herfindahl(parts: list[float]) -> Value:
    """Sum of squared shares, null where there is nothing to share."""
    total = sum(parts)
    if abs(total) < ZERO:
        return None
    return math.fsum((part / total) ** 2 for part in parts)


def structure(legs: OpenInterestDay) -> Columns:
    """c3_*_hhi, c3_bucket_flow and c3_otm_oi_share of both legs."""
    columns: Columns = {}
    for leg in LEGS:
        for what in ("oi", "flow"):
            columns[f"c3_{what}_hhi_{leg}"] = nothing()
        columns[f"c3_otm_oi_share_{leg}"] = nothing()
        for bucket in BUCKETS:
            columns[f"c3_bucket_flow_{leg}_{bucket}_15m"] = nothing()
    for j in range(MINUTES):
        for leg in LEGS:
            _level_at(columns, legs, leg, j)
            _flow_at(columns, legs, leg, j)
    return columns


def _level_at(columns: Columns, legs: OpenInterestDay, leg: str, j: int) -> None:
    """Concentration of open interest and its share out of the money."""
    found = legs.near_oi(leg, j)
    if found is None:
        return
    columns[f"c3_oi_hhi_{leg}"][j] = _herfindahl([oi for _, oi in found])
    outside = [oi for row, oi in found if OTM[0] <= own_rank(row, leg) <= OTM[1]]
    if outside:
        share = ratio(sum(outside), sum(oi for _, oi in found))
        columns[f"c3_otm_oi_share_{leg}"][j] = share


def _flow_at(columns: Columns, legs: OpenInterestDay, leg: str, j: int) -> None:
    """Concentration of the 15-minute changes and their sum by strike-type bucket."""
    found = legs.ends(leg, "oi", j, FLOW_WINDOW)
    if len(found) < NEAR_STRIKES:
        return
    columns[f"c3_flow_hhi_{leg}"][j] = _herfindahl([abs(now - then) for _, now, then in found])
    base = sum(then for _, _, then in found)
    for bucket, (low, high) in BUCKETS.items():
        part = [now - then for row, now, then in found if low <= own_rank(row, leg) <= high]
        if part:
            columns[f"c3_bucket_flow_{leg}_{bucket}_15m"][j] = ratio(100 * sum(part), base)


# ---------------------------------------------------------------- walls


def _wall(found: list[tuple[Row, float]], spot: float, side: str) -> tuple[Value, float, float]:
    """Wall strike, its open interest and that of its side of spot; no strike if there is none."""
    best = None
    on_side = 0
    for row, oi in found:
        strike = row["strike"]
        if strike < spot if side == "call_above" else strike > spot:
            continue
        on_side += oi
        rank = (-oi, abs(strike - spot))
        if best is None or rank < best[0]:
            best = (rank, strike, oi)
    if best is None or best[2] == 0:
        return None, 0, on_side
    return best[1], best[2], on_side


def walls(legs: OpenInterestDay) -> Columns:
    """c3_oi_wall_* and the position of spot between the walls."""
    columns: Columns = {"c3_oi_wall_position": nothing()}
    for side in SIDES:
        for stat in ("distance", "share", "change_15m"):
            columns[f"c3_oi_wall_{stat}_{side}"] = nothing()
    for j in range(MINUTES):
        spot = legs.spot[j]
        if spot is None:
            continue
        strikes = {side: _wall_at(columns, legs, side, j, spot) for side in SIDES}
        call, put = strikes["call_above"], strikes["put_below"]
        if call is not None and put is not None:
            columns["c3_oi_wall_position"][j] = ratio(spot - put, call - put)
    return columns


def _wall_at(columns: Columns, legs: OpenInterestDay, side: str, j: int, spot: float) -> Value:
    """Fill the columns of one wall at j; its strike."""
    leg = SIDES[side]
    found = legs.chain_oi(leg, j)
    if found is None:
        return None
    strike, oi, on_side = _wall(found, spot, side)
    if strike is None:
        return None
    columns[f"c3_oi_wall_distance_{side}"][j] = ratio(100 * abs(strike - spot), spot)
    columns[f"c3_oi_wall_share_{side}"][j] = ratio(oi, on_side)
    grown = ratio(oi, legs.grid.cell(strike, j - 15, f"{leg}_oi"))
    if grown is not None:
        columns[f"c3_oi_wall_change_15m_{side}"][j] = 100 * (grown - 1)
    return strike


# ---------------------------------------------------------------- spread over strikes


def dispersion(legs: OpenInterestDay) -> Columns:
    """c3_oi_dispersion and its 15-minute log change on the strikes of t."""
    level, change = nothing(), nothing()
    for j in range(MINUTES):
        now = [
            (row["strike"], row["ce_oi"] + row["pe_oi"])
            for row in legs.near[j]
            if row["ce_oi"] is not None and row["pe_oi"] is not None
        ]
        spread = _spread(now)
        if spread is not None and legs.spot[j] is not None:
            level[j] = ratio(100 * spread, legs.spot[j])
        both_now, both_then = [], []
        for strike, oi in now:
            call = legs.grid.cell(strike, j - 15, "ce_oi")
            put = legs.grid.cell(strike, j - 15, "pe_oi")
            if call is not None and put is not None:
                both_now.append((strike, oi))
                both_then.append((strike, call + put))
        grown = ln(ratio(_spread(both_now), _spread(both_then)))
        change[j] = None if grown is None else 100 * grown
    return {"c3_oi_dispersion": level, "c3_oi_dispersion_change_15m": change}


def _spread(interest: list[tuple[float, float]]) -> Value:
    """Standard deviation of the strikes, weighted by open interest."""
    total = sum(oi for _, oi in interest)
    if len(interest) < NEAR_STRIKES or abs(total) < ZERO:
        return None
    centre = math.fsum(oi / total * strike for strike, oi in interest)
    return math.sqrt(math.fsum(oi / total * (strike - centre) ** 2 for strike, oi in interest))
