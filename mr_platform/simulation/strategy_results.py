"""Results of strategies that sell straddles for part of a day: names, rows and their chances.

Each row is one expiry day. A strategy sells at its entry, buys back at its exit, and loses its stop
loss where the index moved too far in between. Entries near each other see the same move, so their
results go up and down together; about half of the strategies lose in the end, and some take
profits are never reached, so that two names have the same results.

Here: a frame of the legacy layout (Date, Day, one column a strategy), the same for the same seed.
Not here: writing it (``gateways/wide_export.py``), judging it (``portfolio/``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.simulation.random_streams import Floats, stream
from mr_platform.trading_calendar import is_trading_day, previous_trading_day

FIRST_DAY = dt.date(2024, 1, 4)
ROWS = 82
STRATEGIES = 300
"""As many rows as the record has, and few strategies, so that a search takes seconds."""

SLOT_MINUTES = 15
"""Entries lie on slots of the session, the first at 09:16."""

# rupees of premium that a straddle of one hour earns when nothing moves
_PREMIUM = 3_000.0
_COST = 60.0
_FIRST_ENTRY = 9 * 60 + 16
_LAST_ENTRY = 14 * 60 + 30
_CLOSE = 15 * 60 + 25
_DURATIONS = (30, 60, 90, 120, 240)
_STOPS = (7, 18, 28, 33, 38, 47, 63, 71, 83, 99, 139)
_TARGETS = (27, 42, 57, 62, 76)
# beyond the whole premium: never reached
_FAR_TARGET = 139
# how alike the moves of two neighbouring slots are
_NEAR = 0.8
# names with a take profit that is never reached, beside the one without
_TWINS = 0.03


@dataclass(frozen=True)
class Plan:
    """What one strategy does.

    Attributes:
        entry: Minute of the day of its entry.
        exit: Minute of the day of its exit.
        stop: Stop loss, percent of the premium.
        target: Take profit, percent of the premium; None where there is none.
    """

    entry: int
    exit: int
    stop: int
    target: int | None

    @property
    def name(self) -> str:
        """Its name, as the record writes such names."""
        goal = "" if self.target is None else f"TP{self.target}%"
        return f"SENSEX {_clock(self.entry)}-{_clock(self.exit)} SL{self.stop}%{goal}"


def strategy_results(
    seed: int, strategies: int = STRATEGIES, rows: int = ROWS, first: dt.date = FIRST_DAY
) -> pl.DataFrame:
    """Simulated results in the legacy layout.

    Args:
        seed: Seed of all chance.
        strategies: Number of strategies, at most a few thousand.
        rows: Number of days, a week apart.
        first: The first day.

    Returns:
        ``Date``, ``Day`` and one column a strategy, rupees.

    Raises:
        ValueError: More strategies than there are names.
    """
    plans = _plans(seed, strategies)
    dates = _days(rows, first)
    moves = _moves(seed, rows)
    columns = {
        "Date": pl.Series(dates),
        "Day": pl.Series([f"{date:%A}" for date in dates]),
        **{plan.name: pl.Series(_results(seed, plan, moves)) for plan in plans},
    }
    return pl.DataFrame(columns)


def _plans(seed: int, strategies: int) -> list[Plan]:
    """Distinct plans; a few of them twins that only a take profit out of reach tells apart."""
    rng = stream(seed, "strategy plans")
    every = [
        Plan(entry, entry + duration, stop, target)
        for entry in range(_FIRST_ENTRY, _LAST_ENTRY + 1, SLOT_MINUTES)
        for duration in _DURATIONS
        if entry + duration <= _CLOSE
        for stop in _STOPS
        for target in (None, *_TARGETS)
    ]
    twins = int(strategies * _TWINS)
    if not 0 < strategies - twins <= len(every):
        raise ValueError(f"{strategies} strategies; from 1 to {len(every)} have names")
    chosen = [every[place] for place in rng.choice(len(every), strategies - twins, replace=False)]
    plain = [plan for plan in chosen if plan.target is None][:twins]
    chosen += [Plan(plan.entry, plan.exit, plan.stop, _FAR_TARGET) for plan in plain]
    # few strategies may have too few plans without a take profit: others fill the number up
    rest = (plan for plan in every if plan not in set(chosen))
    return chosen + [next(rest) for _ in range(strategies - len(chosen))]


def _days(rows: int, first: dt.date) -> list[dt.date]:
    weekly = [first + dt.timedelta(weeks=week) for week in range(rows)]
    return [date if is_trading_day(date) else previous_trading_day(date) for date in weekly]


def _moves(seed: int, rows: int) -> Floats:
    """Standardised moves by day and slot: neighbouring slots alike, some days wild.

    Returns:
        Shape (rows, slots).
    """
    rng = stream(seed, "strategy moves")
    slots = (_LAST_ENTRY - _FIRST_ENTRY) // SLOT_MINUTES + 1
    fresh = rng.standard_normal((rows, slots))
    moves = np.empty_like(fresh)
    moves[:, 0] = fresh[:, 0]
    for slot in range(1, slots):
        moves[:, slot] = _NEAR * moves[:, slot - 1] + np.sqrt(1 - _NEAR**2) * fresh[:, slot]
    wildness = np.exp(0.35 * rng.standard_normal((rows, 1)) - 0.06)
    return np.asarray(moves * wildness)


def _results(seed: int, plan: Plan, moves: Floats) -> Floats:
    """Rupees of one strategy on each day, shape (rows,)."""
    # a take profit decides what is kept of a day, not what happens on it
    rng = stream(seed, "strategy", plan.entry, plan.exit, plan.stop)
    rows = len(moves)
    premium = _PREMIUM * np.sqrt((plan.exit - plan.entry) / 60)
    edge = 0.785 + 0.05 * rng.standard_normal()
    move = moves[:, (plan.entry - _FIRST_ENTRY) // SLOT_MINUTES] + 0.25 * rng.standard_normal(rows)
    gained = edge - np.abs(move)
    # the worst and the best on the way lie beyond the end
    worst = gained - 0.35 * np.abs(rng.standard_normal(rows))
    best = np.minimum(gained + 0.2 * np.abs(rng.standard_normal(rows)), 1.0)
    stop = plan.stop / 100
    kept = np.where(worst < -stop, -stop, gained)
    if plan.target is not None:
        target = plan.target / 100
        kept = np.where((best >= target) & (worst >= -stop), target, kept)
    return np.asarray(np.round(premium * kept - _COST, 2))


def _clock(minute: int) -> str:
    """Minute of the day as the names write it: ``930``, ``1456``."""
    return f"{minute // 60}{minute % 60:02}"
