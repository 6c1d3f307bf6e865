"""The hidden market state of every minute: eight regimes with random dwell times.

Here: what each regime does to returns, volatility and flow; the semi-Markov path of a day.
Not here: the prices themselves (``spot_path.py``, ``smile.py``, ``option_flow.py``).

Regimes are correlated across symbols through one path of the market, from which each symbol
departs in some of its segments. Their effects overlap on purpose: within a regime, volatility is
as spread out as between regimes, so no single series tells the regime.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mr_platform.simulation.random_streams import Floats, Integers, autoregressive, stream
from mr_platform.trading_calendar import SESSION_MINUTES

REGIMES: tuple[str, ...] = ("LVLD", "HVC", "VCPE", "TBVS", "TBVE", "SCGS", "PSED", "CBV")
"""Names in the order of the labels: regime id 0 to 7."""


@dataclass(frozen=True)
class RegimeTraits:
    """Average effect of a regime; every segment scatters around it.

    Attributes:
        volatility: Multiple of the day's minute volatility.
        drift: Mean return of a minute, in minute standard deviations, before its sign.
        direction: +1 up, −1 down, 0 either side at random, −2 against the segment before.
        volatility_shift: Shift of the logarithm of short-dated implied volatility.
        skew_shift: Shift of the smile's correlation; negative makes puts richer.
        volume: Multiple of the usual traded quantity.
        dwell: Mean length of a segment, minutes.
    """

    volatility: float
    drift: float
    direction: int
    volatility_shift: float
    skew_shift: float
    volume: float
    dwell: float


TRAITS: dict[str, RegimeTraits] = {
    "LVLD": RegimeTraits(0.76, 0.00, 0, -0.030, 0.010, 0.85, 34.0),
    "HVC": RegimeTraits(0.92, 0.00, 0, -0.010, 0.000, 0.92, 24.0),
    "VCPE": RegimeTraits(0.84, 0.11, 0, -0.015, 0.005, 0.98, 26.0),
    "TBVS": RegimeTraits(0.82, 0.12, -2, -0.020, 0.000, 0.95, 20.0),
    "TBVE": RegimeTraits(1.18, 0.12, -2, 0.025, -0.005, 1.15, 20.0),
    "SCGS": RegimeTraits(1.14, 0.13, 1, -0.005, 0.015, 1.18, 24.0),
    "PSED": RegimeTraits(1.24, 0.13, -1, 0.045, -0.025, 1.22, 22.0),
    "CBV": RegimeTraits(1.28, 0.00, 0, 0.030, -0.010, 1.12, 26.0),
}

# weights of the next regime, row by row in the order of REGIMES
_TRANSITIONS: Floats = np.array(
    [
        [0.0, 1.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        [3.0, 0.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0],
        [2.0, 1.0, 0.0, 2.0, 2.0, 2.0, 1.5, 1.0],
        [3.0, 1.0, 2.0, 0.0, 2.0, 1.0, 1.0, 1.0],
        [0.5, 2.0, 1.0, 1.0, 0.0, 2.0, 2.0, 2.0],
        [1.0, 2.0, 2.0, 1.0, 2.0, 0.0, 1.0, 2.0],
        [0.5, 2.0, 1.0, 1.0, 2.5, 1.0, 0.0, 2.5],
        [1.0, 3.0, 1.0, 1.0, 2.0, 1.5, 1.5, 0.0],
    ]
)
_DWELL_SHAPE = 1.7
_SHORTEST = 4
_OWN_SEGMENT = 0.20
_BOUNDARY_JITTER = 3
_SEGMENT_SCATTER = 0.26
_MINUTE_SCATTER = 0.34
_MINUTE_PERSISTENCE = 0.90
_SHARED = 0.85  # correlation of that scatter with the market's


@dataclass(frozen=True)
class RegimePath:
    """Regime and its effects by minute, each array of length 375.

    Attributes:
        regime: Regime id.
        volatility: Multiple of the day's minute volatility, mean square 1.
        drift: Signed mean return in minute standard deviations.
        volatility_shift: Shift of the logarithm of short-dated implied volatility.
        skew_shift: Shift of the smile's correlation.
        volume: Multiple of the usual traded quantity.
    """

    regime: Integers
    volatility: Floats
    drift: Floats
    volatility_shift: Floats
    skew_shift: Floats
    volume: Floats


def _next_regime(current: int, draw: float) -> int:
    weights = _TRANSITIONS[current]
    return int(np.searchsorted(np.cumsum(weights) / weights.sum(), draw))


def _market_segments(seed: int, day: dt.date) -> tuple[Integers, Integers]:
    """Regime and first minute of the market's segments of a session."""
    random = stream(seed, "regimes market", day)
    regimes = [int(random.integers(len(REGIMES)))]
    starts = [0]
    while starts[-1] < SESSION_MINUTES:
        mean = TRAITS[REGIMES[regimes[-1]]].dwell
        length = _SHORTEST + int(random.gamma(_DWELL_SHAPE, (mean - _SHORTEST) / _DWELL_SHAPE))
        starts.append(starts[-1] + length)
        regimes.append(_next_regime(regimes[-1], random.random()))
    return np.array(regimes[:-1]), np.array(starts[:-1])


def _own_segments(
    seed: int, symbol: str, day: dt.date
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A symbol's segments: the market's, some replaced, boundaries moved by a few minutes."""
    regimes, starts = _market_segments(seed, day)
    random = stream(seed, "regimes", symbol, day)
    replaced = random.random(len(regimes)) < _OWN_SEGMENT
    draws = random.random(len(regimes))
    jitter = random.integers(-_BOUNDARY_JITTER, _BOUNDARY_JITTER + 1, len(starts))
    jitter[0] = 0
    chosen = np.array(
        [
            _next_regime(int(regime), draw) if swap else int(regime)
            for regime, swap, draw in zip(regimes, replaced, draws, strict=True)
        ]
    )
    moved = np.maximum.accumulate(np.clip(starts + jitter, 0, SESSION_MINUTES))
    return chosen, moved


def _directions(regimes: Integers, random: np.random.Generator) -> Floats:
    """Sign of each segment's drift; breaks turn against the segment before."""
    declared = [TRAITS[REGIMES[regime]].direction for regime in regimes]
    coins = np.where(random.random(len(regimes)) < 0.5, -1.0, 1.0)
    signs: list[float] = []
    before = float(coins[0])
    for direction, coin in zip(declared, coins, strict=True):
        sign = float(coin) if direction == 0 else float(direction)
        before = -before if direction == -2 else sign
        signs.append(before)
    return np.array(signs)


def regime_path(seed: int, symbol: str, day: dt.date) -> RegimePath:
    """Hidden regime path of one session.

    Args:
        seed: Seed of the simulation.
        symbol: Index.
        day: Session.

    Returns:
        Regime and effects of each of the 375 minutes.
    """
    regimes, starts = _own_segments(seed, symbol, day)
    random = stream(seed, "regime effects", symbol, day)
    traits = [TRAITS[REGIMES[regime]] for regime in regimes]
    segment = np.searchsorted(starts, np.arange(SESSION_MINUTES), side="right") - 1
    scatter = random.standard_normal((4, len(regimes)))
    # a market-wide move goes the same way in every index
    signs = _directions(regimes, stream(seed, "regime directions", day))

    def per_minute(values: Floats) -> Floats:
        return values[segment]

    level = np.log([trait.volatility for trait in traits]) + _SEGMENT_SCATTER * scatter[0]
    wander = autoregressive(
        _MINUTE_SCATTER
        * np.sqrt(1.0 - _MINUTE_PERSISTENCE**2)
        * (
            _SHARED * stream(seed, "wander market", day).standard_normal(SESSION_MINUTES)
            + np.sqrt(1.0 - _SHARED**2) * random.standard_normal(SESSION_MINUTES)
        ),
        _MINUTE_PERSISTENCE,
    )
    volatility = np.exp(per_minute(level) + wander + _contraction(regimes, starts, segment))
    drift = np.array([trait.drift for trait in traits]) * signs * np.exp(0.5 * scatter[1])
    shift = np.array([trait.volatility_shift for trait in traits]) + 0.03 * scatter[2]
    skew = np.array([trait.skew_shift for trait in traits]) + 0.02 * scatter[3]
    volume = np.array([trait.volume for trait in traits])
    return RegimePath(
        regime=regimes[segment].astype(np.int64),
        volatility=volatility / np.sqrt(np.mean(volatility**2)),
        drift=per_minute(drift),
        volatility_shift=autoregressive(0.12 * per_minute(shift), 0.88),
        skew_shift=autoregressive(0.08 * per_minute(skew), 0.92),
        volume=per_minute(volume) * np.sqrt(volatility / volatility.mean()),
    )


def _contraction(regimes: Integers, starts: Integers, segment: Integers) -> Floats:
    """Log volatility falling through a contraction and rising through a squeeze's expansion."""
    ends = np.append(starts[1:], SESSION_MINUTES)
    length = np.maximum(ends - starts, 1)
    progress = (np.arange(SESSION_MINUTES) - starts[segment]) / length[segment]
    slope = np.where(regimes == 1, -0.5, np.where(regimes == 2, 0.35, 0.0))
    tilt: Floats = slope[segment] * (progress - 0.5)
    return tilt
