"""The legs of c2: which are valid, their greeks and weights, and the scalars of a minute."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from mr_platform_tests.features.reference.day import Day
from mr_platform_tests.features.reference.plain import phi
from mr_platform_tests.features.reference.strikes import (
    CHAIN_STRIKES,
    MINUTES,
    NEAR_STRIKES,
    Row,
    Series,
    StrikeGrid,
    Value,
)

SIDES = ("ce", "pe")
FIRST_ORDER = ("delta", "gamma", "theta", "vega")
VOLUME_BARS = 15
VOLUME_MIN_BARS = 5


@dataclass
class Leg:
    """One valid leg: its own strike, rank on its own side, greeks and open interest."""

    side: str
    strike: float
    own_rank: int | None  # ATM 0, OTMn +n, ITMn -n of the leg's own label
    iv: float
    delta: float
    gamma: float
    theta: float
    vega: float
    oi: float | None

    def size(self, greek: str) -> float:
        """|g|, as theta of a long leg and delta of a put are negative."""
        return abs(getattr(self, greek))


def valid_leg(row: Row, side: str) -> Leg | None:
    """The leg of a row, or None where a greek or the volatility does not stand."""
    values = [row[f"{side}_{name}"] for name in ("iv", "delta", "gamma", "theta", "vega")]
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    iv, delta, gamma, theta, vega = values
    if not 0.01 <= iv <= 5 or gamma <= 0 or vega <= 0:
        return None
    rank = row["k"]
    own_rank = None if rank is None else (rank if side == "ce" else -rank)
    return Leg(side, row["strike"], own_rank, iv, delta, gamma, theta, vega, row[f"{side}_oi"])


class GreekDay:
    """One expiry's day: grid, scalars of every minute, legs and weights."""

    def __init__(self, day: Day, expiry: datetime.date) -> None:
        self.grid = StrikeGrid(day, expiry)
        self.present = [day.present(expiry, j) for j in range(MINUTES)]
        self.spot: Series = [day.spot(j) for j in range(MINUTES)]
        self.forward = [_positive(day.value("forward", expiry, j)) for j in range(MINUTES)]
        self.tau: Series = [day.value("tau", expiry, j) for j in range(MINUTES)]
        self.step: Series = [day.value("step", expiry, j) for j in range(MINUTES)]
        straddle = [day.value("strd", expiry, j) for j in range(MINUTES)]
        self.deviation = [  # s_exp * sqrt(tau)
            _expected_deviation(straddle[j], self.spot[j], self.tau[j]) for j in range(MINUTES)
        ]
        self.near_rows = [self.grid.near(j) for j in range(MINUTES)]
        self.near_legs = [_legs(rows) for rows in self.near_rows]
        self.chain_legs = [_legs(rows) for rows in self.grid.rows]

    def weighted(self, j: int, side: str, weight: str) -> list[tuple[float, Leg]] | None:
        """(weight, leg) of the valid near legs of a side; None below 10 of them."""
        pairs = []
        for leg in self.near_legs[j]:
            if leg.side != side:
                continue
            w = leg.oi if weight == "oi" else self._volume(leg, j)
            if w is not None:
                pairs.append((w, leg))
        return pairs if len(pairs) >= NEAR_STRIKES else None

    def _volume(self, leg: Leg, j: int) -> Value:
        """Volume of the leg over the last 15 bars, null below 5 of them."""
        volumes = []
        for i in range(j - VOLUME_BARS + 1, j + 1):
            volume = self.grid.cell(leg.strike, i, f"{leg.side}_volume")
            if volume is not None:
                volumes.append(volume)
        return sum(volumes) if len(volumes) >= VOLUME_MIN_BARS else None

    def chain(self, j: int) -> list[tuple[float, Leg]] | None:
        """(oi, leg) of the valid chain legs; None below 15 strikes with both legs valid."""
        pairs = [(leg.oi, leg) for leg in self.chain_legs[j] if leg.oi is not None]
        calls = {leg.strike for _, leg in pairs if leg.side == "ce"}
        puts = {leg.strike for _, leg in pairs if leg.side == "pe"}
        return pairs if len(calls & puts) >= CHAIN_STRIKES else None


def _positive(forward: Value) -> Value:
    return forward if forward is not None and forward > 0 else None


def _expected_deviation(straddle: Value, spot: Value, tau: Value) -> Value:
    """s_exp * sqrt(tau), s_exp = P_atm / (2 * S) * sqrt(2 * pi / tau)."""
    if straddle is None or spot is None or tau is None or abs(2 * spot) < 1e-12:
        return None
    s_exp = straddle / (2 * spot) * math.sqrt(2 * math.pi / tau)
    return s_exp * math.sqrt(tau)


def _legs(rows: list[Row]) -> list[Leg]:
    """Valid legs in order of strike, call before put."""
    found = []
    for row in rows:
        for side in SIDES:
            leg = valid_leg(row, side)
            if leg is not None:
                found.append(leg)
    return found


# ---------------------------------------------------------------- model greeks


def second_order_greek(greek: str, leg: Leg, forward: float, tau: float) -> float:
    """Vanna, charm or volga of a leg, signed, at zero rate."""
    s = leg.iv
    d1 = (math.log(forward / leg.strike) + s * s * tau / 2) / (s * math.sqrt(tau))
    d2 = d1 - s * math.sqrt(tau)
    if greek == "vanna":
        return -phi(d1) * d2 / s
    if greek == "charm":
        return phi(d1) * d2 / (2 * tau) / 365 * min(1.0, 365 * tau)
    return forward * phi(d1) * math.sqrt(tau) * d1 * d2 / s * 1e-4
