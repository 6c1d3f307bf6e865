"""Which trading days should have an option chain by now, and which of them were told already.

Here: the rule and the memory of the overdue sensor; no Dagster, no clock.
Not here: whom it is told to (``gateways/notifications``), the sensor (``automation.py``).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection
from dataclasses import dataclass

from mr_platform.trading_calendar import (
    CALENDAR_LAST,
    IST,
    SESSION_CLOSE,
    SYMBOLS,
    PartitionKey,
    trading_days,
)

LOOK_BACK_DAYS = 30
"""Older days are no longer told: whoever missed a month knows."""


@dataclass(frozen=True)
class OverdueMemory:
    """What the sensor remembers.

    Attributes:
        since: When it was switched on; days that closed before are history to backfill, not late.
        told: Partitions told already, as text.
    """

    since: dt.datetime
    told: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, cursor: str | None, now: dt.datetime) -> OverdueMemory:
        """Read a cursor; without one that can be read the memory starts now."""
        if not cursor:
            return cls(now)
        try:
            document = json.loads(cursor)
            since = dt.datetime.fromisoformat(document["since"])
            if since.tzinfo is None:
                return cls(now)
            return cls(since, frozenset(document["told"]))
        except (ValueError, TypeError, KeyError):
            return cls(now)

    def text(self) -> str:
        """The cursor to store."""
        return json.dumps({"since": self.since.isoformat(), "told": sorted(self.told)})


def deadline(day: dt.date, after_hours: float) -> dt.datetime:
    """When the chain of a trading day is due."""
    return dt.datetime.combine(day, SESSION_CLOSE, IST) + dt.timedelta(hours=after_hours)


def due_partitions(
    memory: OverdueMemory, now: dt.datetime, after_hours: float
) -> list[PartitionKey]:
    """Partitions that should exist by now, whether they do or not, ascending.

    Args:
        memory: What the sensor remembers.
        now: An aware time.
        after_hours: Hours after the close at which a day is due.
    """
    today = now.astimezone(IST).date()
    first = max(today - dt.timedelta(days=LOOK_BACK_DAYS), memory.since.astimezone(IST).date())
    last = min(today, CALENDAR_LAST)
    if first > last:
        return []
    return [
        PartitionKey(day, symbol)
        for day in trading_days(first, last)
        if memory.since < dt.datetime.combine(day, SESSION_CLOSE, IST)
        and deadline(day, after_hours) <= now
        for symbol in sorted(SYMBOLS)
    ]


def remember(
    memory: OverdueMemory, due: Collection[PartitionKey], overdue: Collection[PartitionKey]
) -> OverdueMemory:
    """The memory after telling the overdue ones; days past the look-back are forgotten."""
    still_due = {str(key) for key in due}
    told = (memory.told & still_due) | {str(key) for key in overdue}
    return OverdueMemory(memory.since, frozenset(told))
