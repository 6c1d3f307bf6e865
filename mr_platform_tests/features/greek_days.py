"""A small chain with holes everywhere, and the Greek sums of a minute added up one by one."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Mapping

import polars as pl

from mr_platform.features.chain_grid import lay_out
from mr_platform.features.greek_series import greek_series
from mr_platform.features.price_series import price_series
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.chain_days import hand_chain

GREEKS = ("delta", "gamma", "theta", "vega")
NEAR_EXPIRY, FAR_EXPIRY = dt.date(2025, 9, 2), dt.date(2025, 9, 9)


def ragged_chain(
    *, minutes: int = 40, seed: int = 3, missing: tuple[int, ...] = (7, 8, 20, 21, 22, 23),
    holes: float = 0.04,
) -> pl.DataFrame:  # fmt: skip
    """Two expiries of 25 strikes; legs, Greeks, open interest and minutes are missing at random."""
    draw = random.Random(seed)
    rows = []
    for j in range(minutes):
        if j in missing:
            continue
        centre = 24_500 + 50 * draw.choice((-1, 0, 0, 1))
        for expiry in (NEAR_EXPIRY, FAR_EXPIRY):
            for k in range(-12, 13):
                row = {
                    "j": j, "k": k, "strike": centre + 50.0 * k, "expiry_date": expiry,
                    "spot": 24_480.0 + j,
                }  # fmt: skip
                for side, outward in (("ce", k), ("pe", -k)):
                    row |= _leg(draw, side, outward, holes)
                if abs(k) <= 1 or draw.random() > holes:
                    rows.append(row)
    return hand_chain(rows)


def _leg(draw: random.Random, side: str, outward: int, holes: float) -> dict[str, object]:
    sign = 1 if side == "ce" else -1
    leg: dict[str, object] = {
        f"{side}_close": max(120 - 40.0 * outward + draw.uniform(0, 3), 2.0),
        f"{side}_oi": draw.choice((0, 75 * draw.randint(1, 900))),
        f"{side}_volume": 75 * draw.randint(0, 90),
        f"{side}_iv": draw.uniform(0.09, 0.2),
        f"{side}_delta": sign * draw.uniform(0.05, 0.95),
        f"{side}_gamma": draw.uniform(1e-4, 1e-3),
        f"{side}_theta": -draw.uniform(1.0, 12.0),
        f"{side}_vega": draw.uniform(2.0, 15.0),
    }
    for name in list(leg):
        if name != f"{side}_close" and draw.random() < holes:
            leg[name] = None
    if draw.random() < holes:
        leg[f"{side}_gamma"] = 0.0
    if draw.random() < holes:
        leg[f"{side}_iv"] = 5.5
    return leg


def sections(chain: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Price columns and Greek columns of a chain."""
    grid = lay_out(chain, CpuEngine())
    base = price_series(grid)
    return base, greek_series(grid, base)


def panel_of(chain: pl.DataFrame, **more: pl.Expr) -> pl.DataFrame:
    """The part of the minute panel that C2 reads; max pain is null unless given."""
    base, greeks = sections(chain)
    joined = base.join(greeks, on="cell", how="left", maintain_order="left")
    return joined.with_columns(**{"max_pain": pl.lit(None, dtype=pl.Float64), **more})


# -- one minute, leg by leg -----------------------------------------------------------------------


def whole(row: Mapping[str, object], side: str) -> bool:
    """Four Greeks and a volatility in range."""
    iv = row[f"{side}_iv"]
    return all(row[f"{side}_{g}"] is not None for g in GREEKS) and iv and 0.01 <= iv <= 5  # type: ignore[operator, return-value]


def sound(row: Mapping[str, object], side: str) -> bool:
    """A leg that may enter a sum of Greeks."""
    return whole(row, side) and row[f"{side}_gamma"] > 0 and row[f"{side}_vega"] > 0  # type: ignore[operator]


def density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def black(row, side: str, forward: float, tau: float) -> tuple[float, float, float]:  # type: ignore[no-untyped-def]
    """Volatility, d1 and d2."""
    s = row[f"{side}_iv"]
    width = s * math.sqrt(tau)
    d1 = (math.log(forward / row["strike"]) + s * s * tau / 2) / width
    return s, d1, d1 - width


def curve_greeks(row, side: str, forward: float, tau: float) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Vanna, charm, volga by the catalogue's formulas."""
    s, d1, d2 = black(row, side, forward, tau)
    return {
        "vanna": -density(d1) * d2 / s,
        "charm": density(d1) * d2 / (2 * tau) / 365 * min(1.0, 365 * tau),
        "volga": forward * density(d1) * math.sqrt(tau) * d1 * d2 / s * 1e-4,
    }


def flip_on_the_whole_grid(strikes, forward: float, tau: float) -> float:  # type: ignore[no-untyped-def]
    """Distance of the nearest zero of N from all 25 grid points, percent."""

    def exposure(i: int) -> float:
        f = forward * (1 + i / 400)
        total = 0.0
        for row in strikes:
            for side, sign in (("ce", 1), ("pe", -1)):
                if sound(row, side) and row[f"{side}_oi"] is not None:
                    s, d1, _ = black(row, side, f, tau)
                    gamma = density(d1) / (f * s * math.sqrt(tau))
                    total += sign * row[f"{side}_oi"] * gamma
        return total

    values = {i: exposure(i) for i in range(-12, 13)}
    zeros = [float(i) for i, value in values.items() if value == 0]
    zeros += [
        i + values[i] / (values[i] - values[i + 1])
        for i in range(-12, 12)
        if values[i] * values[i + 1] < 0
    ]
    if not zeros:
        return -3.0 if values[0] > 0 else 3.0
    return min(zeros, key=abs) / 4


def near_side(strikes, side: str, weights, forward, tau) -> dict[str, float | None]:  # type: ignore[no-untyped-def]
    """Sums over the near legs of a side with given weights (by strike), names without the side."""
    legs = [
        (row, weights[row["strike"]])
        for row in strikes
        if abs(row["k"]) <= 7 and sound(row, side) and weights[row["strike"]] is not None
    ]
    if len(legs) < 10:
        return {}
    sums = {"w": float(sum(w for _, w in legs))}
    for greek in GREEKS:
        sums[greek] = sum(w * abs(row[f"{side}_{greek}"]) for row, w in legs)
    for greek in ("vanna", "charm", "volga"):
        values = [(w, curve_greeks(row, side, forward, tau)[greek]) for row, w in legs]
        sums[f"{greek}_sum"] = sum(w * x for w, x in values)
        sums[f"{greek}_gross"] = sum(w * abs(x) for w, x in values)
    for greek in ("delta", "gamma"):
        held = [
            (row["k"] if side == "ce" else -row["k"], w * abs(row[f"{side}_{greek}"]))
            for row, w in legs
        ]
        sums[f"{greek}_atm"] = sum(x for k, x in held if k == 0)
        sums[f"{greek}_otm"] = sum(x for k, x in held if k > 0)
    sums["log_gamma"] = sum(
        w * row[f"{side}_gamma"] * math.log(row["strike"] / forward) for row, w in legs
    )
    return sums


def net_greeks(strikes) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Net Greeks over the given rows; empty with fewer than ten strikes."""
    legs = [
        (row, side)
        for row in strikes
        for side in ("ce", "pe")
        if whole(row, side) and row[f"{side}_oi"] is not None
    ]
    if len({row["strike"] for row, _ in legs}) < 10:
        return {}
    weight = sum(row[f"{side}_oi"] for row, side in legs)
    return {
        greek: sum(row[f"{side}_{greek}"] * row[f"{side}_oi"] for row, side in legs) / weight
        for greek in GREEKS
    }
