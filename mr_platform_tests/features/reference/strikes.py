"""Strikes of one expiry over the day, and the small rules that c2 and c3 share."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from mr_platform_tests.features.reference.day import Day

MINUTES = 375
FIRST_BASE_MINUTE = 4  # the bar labelled 09:19
LAST_OPEN_MINUTE = 15  # the bar labelled 09:30
NEAR_RANK = 7
NEAR_STRIKES = 10  # of the 15 near the money
CHAIN_STRIKES = 15
ZERO = 1e-12

Value = float | None
Series = list[Any]
Row = dict[str, Any]
Columns = dict[str, Series]


# ---------------------------------------------------------------- small rules


def nothing() -> Series:
    """A column that is null all day."""
    return [None] * MINUTES


def first_valid(series: Series, first: int) -> int | None:
    """First minute from `first` to 09:30 where the series has a value."""
    for j in range(first, LAST_OPEN_MINUTE + 1):
        if series[j] is not None:
            return j
    return None


# ---------------------------------------------------------------- strikes


class StrikeGrid:
    """The rows of one expiry, found by strike and minute."""

    def __init__(self, day: Day, expiry: datetime.date) -> None:
        self.day = day
        self.expiry = expiry
        self.rows: list[list[Row]] = [day.rows.get((expiry, j), []) for j in range(MINUTES)]
        self.by_strike: dict[float, list[Row | None]] = {}
        for j, rows in enumerate(self.rows):
            for row in rows:
                bars = self.by_strike.setdefault(row["strike"], nothing())
                bars[j] = row

    def near(self, j: int) -> list[Row]:
        """Rows of the 15 strikes around the money at j."""
        return [row for row in self.rows[j] if row["k"] is not None and abs(row["k"]) <= NEAR_RANK]

    def cell(self, strike: float, j: int, column: str) -> Any:
        """Value of a column at a strike and minute; null where there is no row."""
        if j < 0:
            return None
        row = self.by_strike[strike][j]
        return None if row is None else row[column]


def distance_then_lower(strike: float, point: float) -> tuple[float, float]:
    """Order that puts the strike nearest to a point first, the lower one on a tie."""
    return (abs(strike - point), strike)


def strikes_with_open_interest(rows: list[Row]) -> int:
    """Number of strikes where either leg has open interest."""
    return sum(1 for row in rows if row["ce_oi"] is not None or row["pe_oi"] is not None)


def pains(rows: list[Row]) -> list[float]:
    """What all writers pay if the expiry settles at each strike; a null leg adds nothing."""
    strikes = np.array([row["strike"] for row in rows])
    calls = np.array([float(row["ce_oi"] or 0) for row in rows])
    puts = np.array([float(row["pe_oi"] or 0) for row in rows])
    found = []
    for level in strikes:
        paid = calls * np.maximum(level - strikes, 0) + puts * np.maximum(strikes - level, 0)
        found.append(float(paid.sum()))
    return found


def max_pain(rows: list[Row], spot: Value) -> float | None:
    """The strike with the least pain; on a tie the nearest to spot, then the lower."""
    if spot is None or strikes_with_open_interest(rows) < CHAIN_STRIKES:
        return None
    best = None
    for row, paid in zip(rows, pains(rows), strict=True):
        rank = (paid, *distance_then_lower(row["strike"], spot))
        if best is None or rank < best:
            best = rank
    return best[-1]


def max_pain_series(grid: StrikeGrid, spot: Series) -> Series:
    """The max pain strike of every minute."""
    return [max_pain(grid.rows[j], spot[j]) for j in range(MINUTES)]
