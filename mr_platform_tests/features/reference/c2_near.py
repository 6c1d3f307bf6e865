"""C2 over the strikes near the money: first and second order greeks, and their shape."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c2_legs import (
    FIRST_ORDER,
    SIDES,
    GreekDay,
    Leg,
    second_order_greek,
    valid_leg,
)
from mr_platform_tests.features.reference.plain import lag, ln, ratio
from mr_platform_tests.features.reference.strikes import (
    FIRST_BASE_MINUTE,
    MINUTES,
    Columns,
    Series,
    Value,
    first_valid,
    nothing,
)

WEIGHTS = ("oi", "vol")
SECOND_ORDER = ("vanna", "charm", "volga")
Pairs = list[tuple[float, Leg]]


def first_order(greeks: GreekDay) -> Columns:
    """side_mean, net_imbalance, net_chg_open, gross_chg and atm_straddle_greeks."""
    columns: Columns = {}
    for greek in FIRST_ORDER:
        for weight in WEIGHTS:
            for part in ("ce", "pe", "net"):
                columns[f"c2_{greek}_{weight}_{part}"] = nothing()
    gross: Columns = {greek: nothing() for greek in FIRST_ORDER}
    for j in range(MINUTES):
        for weight in WEIGHTS:
            calls = greeks.weighted(j, "ce", weight)
            puts = greeks.weighted(j, "pe", weight)
            for greek in FIRST_ORDER:
                name = f"c2_{greek}_{weight}"
                columns[f"{name}_ce"][j] = _mean(calls, greek)
                columns[f"{name}_pe"][j] = _mean(puts, greek)
                if calls is None or puts is None:
                    continue
                a_ce = _amount(calls, greek)
                a_pe = _amount(puts, greek)
                columns[f"{name}_net"][j] = ratio(a_ce - a_pe, a_ce + a_pe)
                if weight == "oi":
                    gross[greek][j] = a_ce + a_pe
    _first_order_changes(columns, gross)
    columns.update(_atm_greeks(greeks))
    return columns


def _first_order_changes(columns: Columns, gross: Columns) -> None:
    """net_chg_open and gross_chg, added to the columns."""
    for greek in FIRST_ORDER:
        for weight in WEIGHTS:
            name = f"c2_{greek}_{weight}_net"
            columns[f"{name}_chg_open"] = change_since_base(columns[name])
        for window in (5, 15, 60):
            columns[f"c2_{greek}_gross_chg_{window}m"] = [
                ln(ratio(gross[greek][j], lag(gross[greek], j, window))) for j in range(MINUTES)
            ]


def _amount(pairs: Pairs, greek: str) -> float:
    return math.fsum(w * leg.size(greek) for w, leg in pairs)


def _mean(pairs: Pairs | None, greek: str) -> Value:
    if pairs is None:
        return None
    return ratio(_amount(pairs, greek), math.fsum(w for w, _ in pairs))


def change_since_base(series: Series) -> Series:
    """Value less the first value from 09:19 to 09:30, null before that bar."""
    base = first_valid(series, FIRST_BASE_MINUTE)
    out = nothing()
    if base is None:
        return out
    for j in range(base, MINUTES):
        if series[j] is not None:
            out[j] = series[j] - series[base]
    return out


def _atm_greeks(greeks: GreekDay) -> Columns:
    """Straddle greeks of the ATM row, both legs valid."""
    day, expiry = greeks.grid.day, greeks.grid.expiry
    columns = {f"c2_atm_{greek}": nothing() for greek in FIRST_ORDER}
    for j in range(MINUTES):
        row = day.row(expiry, j, 0)
        if row is None:
            continue
        call = valid_leg(row, "ce")
        put = valid_leg(row, "pe")
        if call is None or put is None:
            continue
        columns["c2_atm_delta"][j] = call.delta + put.delta
        spot = greeks.spot[j]
        if spot is not None:
            columns["c2_atm_gamma"][j] = 0.01 * spot * (call.gamma + put.gamma)
        if row["ce_close"] is None or row["pe_close"] is None:
            continue
        premium = row["ce_close"] + row["pe_close"]
        columns["c2_atm_theta"][j] = ratio(abs(call.theta) + abs(put.theta), premium)
        columns["c2_atm_vega"][j] = ratio(call.vega + put.vega, premium)
    return columns


def second_order(greeks: GreekDay) -> Columns:
    """Weighted mean of a side, and net of both sides, of vanna, charm and volga."""
    columns: Columns = {}
    for greek in SECOND_ORDER:
        for part in ("ce", "pe", "net"):
            columns[f"c2_{greek}_oi_{part}"] = nothing()
    for j in range(MINUTES):
        forward, tau = greeks.forward[j], greeks.tau[j]
        if forward is None or tau is None:
            continue
        for greek in SECOND_ORDER:
            signed: dict[str, float] = {}
            gross: dict[str, float] = {}
            for side in SIDES:
                pairs = greeks.weighted(j, side, "oi")
                if pairs is None:
                    continue
                terms = [w * second_order_greek(greek, leg, forward, tau) for w, leg in pairs]
                signed[side] = math.fsum(terms)
                gross[side] = math.fsum(abs(term) for term in terms)
                weight = math.fsum(w for w, _ in pairs)
                columns[f"c2_{greek}_oi_{side}"][j] = ratio(signed[side], weight)
            if len(signed) == 2:
                columns[f"c2_{greek}_oi_net"][j] = ratio(
                    signed["ce"] - signed["pe"], gross["ce"] + gross["pe"]
                )
    return columns


def shape(greeks: GreekDay) -> Columns:
    """bucket_share and gamma_centroid."""
    columns: Columns = {}
    for side in SIDES:
        columns[f"c2_gamma_centroid_{side}"] = nothing()
        for greek in ("delta", "gamma"):
            for bucket in ("atm", "otm"):
                columns[f"c2_{greek}_share_{bucket}_{side}"] = nothing()
    for j in range(MINUTES):
        for side in SIDES:
            pairs = greeks.weighted(j, side, "oi")
            if pairs is None:
                continue
            for greek in ("delta", "gamma"):
                total = _amount(pairs, greek)
                atm = [(w, leg) for w, leg in pairs if leg.own_rank == 0]
                otm = [(w, leg) for w, leg in pairs if 1 <= leg.own_rank <= 7]
                name = f"c2_{greek}_share"
                columns[f"{name}_atm_{side}"][j] = ratio(_amount(atm, greek), total)
                columns[f"{name}_otm_{side}"][j] = ratio(_amount(otm, greek), total)
            columns[f"c2_gamma_centroid_{side}"][j] = _centroid(
                pairs, greeks.forward[j], greeks.deviation[j]
            )
    return columns


def _centroid(pairs: Pairs, forward: Value, deviation: Value) -> Value:
    """Where the gamma of a side lies, in standard deviations to expiry."""
    if forward is None:
        return None
    moment = math.fsum(w * leg.gamma * math.log(leg.strike / forward) for w, leg in pairs)
    mean = ratio(moment, _amount(pairs, "gamma"))
    return ratio(mean, deviation)
