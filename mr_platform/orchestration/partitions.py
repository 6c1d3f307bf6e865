"""Partitions of every asset: trading date × symbol, and how keys and ranges translate.

Here: the definition, and conversions between ``PartitionKey`` and Dagster's keys.
Not here: which days trade (``trading_calendar``), which partitions have input (landing catalogue).
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property

import dagster as dg

from mr_platform.trading_calendar import (
    CALENDAR_FIRST,
    CALENDAR_LAST,
    SYMBOLS,
    PartitionKey,
    trading_days,
)

DATE = "date"
SYMBOL = "symbol"

MAX_PARTITIONS_PER_RUN = 20
"""Partitions of one range run: a failed batch repeats 20 days, and 20 days fit in 3.7 GB."""


DISTANT_PAST = dt.date.min.isoformat()


def _closed_days(first: dt.date, last: dt.date) -> list[dt.date]:
    """Every date of the span without a session; weekend sessions are left in."""
    open_days = set(trading_days(first, last))
    span = (first + dt.timedelta(days=offset) for offset in range((last - first).days + 1))
    return [day for day in span if day not in open_days]


class _CalendarDates(dg.DailyPartitionsDefinition):
    """Daily partitions whose text and hash are worked out once.

    Dagster hashes a definition at each look-up of a window, from a text that names every
    exclusion: 2 ms each time with the thousand closed days of the calendar, a tenth of a run.
    """

    @cached_property
    def _text(self) -> str:
        return str(super().__repr__())  # type: ignore[no-untyped-call]

    @cached_property
    def _hash(self) -> int:
        return int(super().__hash__())  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return self._text

    def __hash__(self) -> int:
        return self._hash


# Exclusions rather than a weekday cron: a cron cannot keep the special Saturdays and Sundays.
# One offset, so that today's partition exists while the session runs. On a closed day the offset
# reaches the next trading day, which then exists early; nothing feeds it before it trades.
TRADING_DATES = _CalendarDates(
    start_date=CALENDAR_FIRST.isoformat(),
    end_date=(CALENDAR_LAST + dt.timedelta(days=1)).isoformat(),
    timezone="Asia/Kolkata",
    end_offset=1,
    exclusions=[
        dt.datetime.combine(day, dt.time()) for day in _closed_days(CALENDAR_FIRST, CALENDAR_LAST)
    ],
)

PARTITIONS = dg.MultiPartitionsDefinition(
    {DATE: TRADING_DATES, SYMBOL: dg.StaticPartitionsDefinition(list(SYMBOLS))}
)


def dagster_key(key: PartitionKey) -> dg.MultiPartitionKey:
    """Dagster's key of a partition, ``2025-08-29|NIFTY``."""
    return dg.MultiPartitionKey({DATE: key.date.isoformat(), SYMBOL: key.symbol})


def split_by_opening(
    keys: Iterable[PartitionKey],
) -> tuple[list[PartitionKey], list[PartitionKey]]:
    """Partitions that exist by now, and those of days to come, each ascending.

    Dagster knows no partition of a day to come: a request for one would fail the whole tick of a
    sensor, and one run outside the daemon would leave rows that no page shows.
    """
    last = dt.date.fromisoformat(TRADING_DATES.get_last_partition_key() or DISTANT_PAST)
    ascending = sorted(keys)
    exist = [key for key in ascending if key.date <= last]
    return exist, ascending[len(exist) :]


def parse_keys(texts: Iterable[str]) -> list[PartitionKey]:
    """Keys of a run in date, then symbol order.

    Args:
        texts: Dagster's keys, in any order (a range run hands them unordered).

    Returns:
        The same keys, sorted, each once.
    """
    return sorted({PartitionKey.parse(str(text)) for text in texts})


def batches(
    keys: Iterable[PartitionKey], limit: int = MAX_PARTITIONS_PER_RUN
) -> list[list[PartitionKey]]:
    """Keys cut into ranges that one run can take.

    Dagster reads a range of two dimensions as the product of the ranges of each, so a batch
    holds one symbol and days without a gap; otherwise the run would touch partitions nobody
    asked for.

    Args:
        keys: Partitions wanted, in any order.
        limit: Greatest number of partitions in one batch.

    Returns:
        Batches ordered by symbol, then date; a batch's first and last key are its range.
    """
    wanted: dict[str, set[dt.date]] = {}
    for key in keys:
        wanted.setdefault(key.symbol, set()).add(key.date)
    result: list[list[PartitionKey]] = []
    for symbol, days in sorted(wanted.items()):
        calendar = trading_days(min(days), max(days))
        for present, run in itertools.groupby(calendar, key=days.__contains__):
            if present:
                gapless = [PartitionKey(day, symbol) for day in run]
                result += [gapless[at : at + limit] for at in range(0, len(gapless), limit)]
    return result


def range_tags(batch: Sequence[PartitionKey]) -> dict[str, str]:
    """Run tags by which Dagster knows a range run."""
    return {
        "dagster/asset_partition_range_start": str(dagster_key(batch[0])),
        "dagster/asset_partition_range_end": str(dagster_key(batch[-1])),
    }
