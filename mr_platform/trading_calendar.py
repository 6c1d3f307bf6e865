"""When NSE trades, and which option contracts of NIFTY and BANKNIFTY it lists on a date.

Here: trading days, the 375-minute session and its zones, expiries, days to expiry, expiry
buckets, the name of a partition. Pure and cached; the calendar library is imported on first use
because it pulls in pandas.
Not here: the same rules as Polars expressions (``chain/sessions.py``), dated lot sizes
(``config/``), declared facts (``trading_calendar_declared.py``).
"""

from __future__ import annotations

import bisect
import calendar
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from mr_platform.errors import CalendarError
from mr_platform.trading_calendar_declared import (
    CALENDAR_FIRST,
    CALENDAR_LAST,
    CONTRACT_RULES,
    DECLARED_HOLIDAYS,
    EVENING_SESSIONS,
    FIXED_HOLIDAYS,
    HOLIDAYS_PUBLISHED,
    LIBRARY_LAST,
    SPECIAL_SESSIONS,
    ContractRule,
)

__all__ = [
    "CALENDAR_FIRST",
    "CALENDAR_LAST",
    "IST",
    "SESSION_CLOSE",
    "SESSION_MINUTES",
    "SESSION_OPEN",
    "SYMBOLS",
    "ZONES",
    "PartitionKey",
    "Zone",
    "contract_rule",
    "dte",
    "expiries",
    "expiry_bucket",
    "expiry_buckets",
    "is_monthly_expiry",
    "is_trading_day",
    "monthly_expiries",
    "next_trading_day",
    "non_trading_weekdays",
    "partition_keys",
    "previous_trading_day",
    "special_sessions",
    "trading_days",
    "why_closed",
]

SYMBOLS: tuple[str, ...] = ("NIFTY", "BANKNIFTY")
IST = ZoneInfo("Asia/Kolkata")
SESSION_OPEN = dt.time(9, 15)
SESSION_CLOSE = dt.time(15, 30)
SESSION_MINUTES = 375

_SATURDAY = 5
_DAY = dt.timedelta(days=1)
_SERIAL_MONTHS = 3
_QUARTER_MONTHS = (3, 6, 9, 12)
_HALF_YEAR_MONTHS = (6, 12)
_YEARS_LISTED = 6


@dataclass(frozen=True, order=True)
class Zone:
    """A part of the session, half-open: ``start`` belongs to it, ``end`` does not."""

    zone_id: int
    name: str
    start: dt.time
    end: dt.time


ZONES: tuple[Zone, ...] = (
    Zone(1, "OPEN", dt.time(9, 15), dt.time(10, 0)),
    Zone(2, "MID_MORN", dt.time(10, 0), dt.time(11, 30)),
    Zone(3, "LUNCH", dt.time(11, 30), dt.time(13, 0)),
    Zone(4, "AFTERNOON", dt.time(13, 0), dt.time(15, 0)),
    Zone(5, "CLOSE", dt.time(15, 0), dt.time(15, 30)),
)


@dataclass(frozen=True, order=True)
class PartitionKey:
    """One trading day of one index; written ``2025-08-29|NIFTY``."""

    date: dt.date
    symbol: str

    def __str__(self) -> str:
        return f"{self.date.isoformat()}|{self.symbol}"

    @classmethod
    def parse(cls, text: str) -> PartitionKey:
        """Read a key back from its text.

        Raises:
            CalendarError: The text is no date and known symbol joined by ``|``.
        """
        day, bar, symbol = text.partition("|")
        try:
            date = dt.date.fromisoformat(day)
        except ValueError:
            date = None
        if not bar or date is None:
            raise CalendarError(
                f"a partition key was {text!r}",
                next_step="Write it as YYYY-MM-DD|SYMBOL, for example 2025-08-29|NIFTY",
            )
        return cls(date, _known_symbol(symbol))


def is_trading_day(day: dt.date) -> bool:
    """Whether the session 09:15 to 15:29 holds trading on this day.

    Raises:
        CalendarError: The day lies outside ``CALENDAR_FIRST`` to ``CALENDAR_LAST``.
    """
    return _within(day) in _trading_set()


def trading_days(first: dt.date, last: dt.date) -> list[dt.date]:
    """Trading days from ``first`` to ``last``, both included, ascending.

    Raises:
        CalendarError: A bound lies outside the calendar, or ``last`` is before ``first``.
    """
    _ordered(first, last)
    days = _trading_tuple()
    return list(days[bisect.bisect_left(days, first) : bisect.bisect_right(days, last)])


def previous_trading_day(day: dt.date, n: int = 1) -> dt.date:
    """The n-th trading day before ``day`` (which need not trade itself).

    Raises:
        CalendarError: ``n`` is below 1, or the answer lies before ``CALENDAR_FIRST``.
    """
    days = _trading_tuple()
    return _counted(days, bisect.bisect_left(days, _within(day)) - _positive(n), day)


def next_trading_day(day: dt.date, n: int = 1) -> dt.date:
    """The n-th trading day after ``day`` (which need not trade itself).

    Raises:
        CalendarError: ``n`` is below 1, or the answer lies after ``CALENDAR_LAST``.
    """
    days = _trading_tuple()
    return _counted(days, bisect.bisect_right(days, _within(day)) + _positive(n) - 1, day)


def non_trading_weekdays(first: dt.date, last: dt.date) -> list[dt.date]:
    """Mondays to Fridays without trading, ascending: the exclusions of daily partitions.

    Raises:
        CalendarError: A bound lies outside the calendar, or ``last`` is before ``first``.
    """
    _ordered(first, last)
    trading = _trading_set()
    return [
        day for day in _each_day(first, last) if day.weekday() < _SATURDAY and day not in trading
    ]


def special_sessions(first: dt.date, last: dt.date) -> list[dt.date]:
    """Weekends and holidays that trade inside the session, ascending.

    Raises:
        CalendarError: A bound lies outside the calendar, or ``last`` is before ``first``.
    """
    _ordered(first, last)
    return sorted(day for day in SPECIAL_SESSIONS if first <= day <= last)


def why_closed(day: dt.date) -> str | None:
    """A sentence part saying why a day does not trade, None where it does.

    Raises:
        CalendarError: The day lies outside the calendar.
    """
    if is_trading_day(day):
        return None
    if day in EVENING_SESSIONS:
        return f"{EVENING_SESSIONS[day]} evening session only, outside 09:15 to 15:29"
    if day.weekday() >= _SATURDAY:
        return "weekend"
    return DECLARED_HOLIDAYS.get(day, "exchange holiday")


def partition_keys(
    first: dt.date, last: dt.date, symbols: Iterable[str] = SYMBOLS
) -> list[PartitionKey]:
    """Every trading day of the range for each symbol, by date, then in the symbols' order.

    Raises:
        CalendarError: A bound lies outside the calendar, or a symbol is not known.
    """
    names = [_known_symbol(symbol) for symbol in symbols]
    return [PartitionKey(day, name) for day in trading_days(first, last) for name in names]


def dte(as_of: dt.date, expiry: dt.date) -> int:
    """Calendar days from a date to an expiry; 0 on expiry day, negative after it."""
    return (expiry - as_of).days


def contract_rule(symbol: str, as_of: dt.date) -> ContractRule:
    """The listing rule in force for quotes of a date.

    Raises:
        CalendarError: Unknown symbol, or a date before ``CALENDAR_FIRST``.
    """
    rules = CONTRACT_RULES[_known_symbol(symbol)]
    position = bisect.bisect_right([rule.quoted_from for rule in rules], as_of) - 1
    if position < 0:
        raise _outside(as_of)
    return rules[position]


@lru_cache(maxsize=16384)
def _monthly_expiries(symbol: str, as_of: dt.date) -> tuple[dt.date, ...]:
    """All month-end expiries from ``as_of`` on, ``_YEARS_LISTED`` years ahead."""
    weekday = contract_rule(symbol, as_of).monthly_weekday
    months = (
        (as_of.year + (as_of.month - 1 + ahead) // 12, (as_of.month - 1 + ahead) % 12 + 1)
        for ahead in range(12 * _YEARS_LISTED)
    )
    ends = (
        _regular_on_or_before(_last_weekday(year, month, weekday), as_of) for year, month in months
    )
    return tuple(day for day in ends if day >= as_of)


def monthly_expiries(symbol: str, as_of: dt.date, count: int) -> list[dt.date]:
    """The first ``count`` month-end expiries from ``as_of`` on, as dated on that day.

    Raises:
        CalendarError: Unknown symbol, or a date before ``CALENDAR_FIRST``.
    """
    return list(_monthly_expiries(symbol, as_of)[:count])


def expiries(symbol: str, as_of: dt.date) -> list[dt.date]:
    """Expiries listed on a date, as dated on that day, ascending.

    Weeklies, three serial months, quarterlies and (NIFTY) half-yearlies by the rule in force
    on ``as_of``; a holiday moves an expiry to the regular trading day before it. Of a year whose
    holidays NSE has not published by then (``HOLIDAYS_PUBLISHED``), only those fixed by date
    count. Holidays declared at short notice are applied to the past as they turned out.

    Raises:
        CalendarError: Unknown symbol, or a date before ``CALENDAR_FIRST``.
    """
    return list(_expiries(symbol, as_of))


@lru_cache(maxsize=16384)
def _expiries(symbol: str, as_of: dt.date) -> tuple[dt.date, ...]:
    rule = contract_rule(symbol, as_of)
    monthlies = _monthly_expiries(symbol, as_of)
    serial = monthlies[:_SERIAL_MONTHS]
    quarterly = [day for day in monthlies[_SERIAL_MONTHS:] if day.month in _QUARTER_MONTHS][
        : rule.quarterlies
    ]
    half_yearly = [day for day in monthlies if day.month in _HALF_YEAR_MONTHS][: rule.half_yearlies]
    listed = {*serial, *quarterly, *half_yearly, *_weeklies(rule, as_of)}
    return tuple(sorted(listed))


def is_monthly_expiry(symbol: str, day: dt.date, as_of: dt.date | None = None) -> bool:
    """Whether a contract expiring on ``day`` is a month-end contract.

    Args:
        symbol: ``NIFTY`` or ``BANKNIFTY``.
        day: Expiry date.
        as_of: Date of the quote, which decides the weekday a later expiry is dated on;
            by default the expiry itself.

    Raises:
        CalendarError: Unknown symbol, or a date before ``CALENDAR_FIRST``.
    """
    quoted = day if as_of is None else as_of
    weekday = contract_rule(symbol, quoted).monthly_weekday
    return day == _regular_on_or_before(_last_weekday(day.year, day.month, weekday), quoted)


def expiry_buckets(
    symbol: str, as_of: dt.date, present: Iterable[dt.date] | None = None
) -> dict[dt.date, str | None]:
    """Bucket of every expiry: CW, NW, CM, NM or None.

    CW and NW are the first and second expiry present. CM and NM are this and the next month-end
    expiry where they are not CW or NW already. While an index has no weekly contracts its
    nearest month-end expiry is CM and the second NM.

    Args:
        symbol: ``NIFTY`` or ``BANKNIFTY``.
        as_of: Date of the quotes.
        present: Expiries quoted that day; by default those listed. A file that lacks the
            nearest expiry shifts CW, hence prefer the whole day's expiries to one minute's.

    Raises:
        CalendarError: Unknown symbol, or a date before ``CALENDAR_FIRST``.
    """
    given = _expiries(symbol, as_of) if present is None else present
    ascending = sorted({day for day in given if day >= as_of})
    buckets: dict[dt.date, str | None] = dict.fromkeys(ascending)
    months = _monthly_expiries(symbol, as_of)[:2]
    for name, day in zip(("CM", "NM"), months, strict=True):
        if day in buckets:
            buckets[day] = name
    if contract_rule(symbol, as_of).weekly_weekday is not None:
        buckets.update(zip(ascending, ("CW", "NW"), strict=False))
    return buckets


def expiry_bucket(
    symbol: str, as_of: dt.date, expiry: dt.date, present: Iterable[dt.date] | None = None
) -> str | None:
    """Bucket of one expiry; see ``expiry_buckets``."""
    return expiry_buckets(symbol, as_of, present).get(expiry)


def _weeklies(rule: ContractRule, as_of: dt.date) -> list[dt.date]:
    """Weekly expiries a rule lists on a date, ascending."""
    if rule.weekly_weekday is None:
        return []
    monday = as_of - dt.timedelta(days=as_of.weekday())
    found: list[dt.date] = []
    # at most every fourth week belongs to a monthly contract, and the first may have expired
    for week in range(2 * rule.weeklies + 2):
        start = monday + dt.timedelta(weeks=week)
        if _holds_monthly(start, rule.monthly_weekday):
            continue
        expiry = _regular_on_or_before(start + dt.timedelta(days=rule.weekly_weekday), as_of)
        if expiry >= as_of and (rule.last_weekly is None or expiry <= rule.last_weekly):
            found.append(expiry)
    return found[: rule.weeklies]


def _holds_monthly(monday: dt.date, weekday: int) -> bool:
    day = monday + dt.timedelta(days=weekday)
    return day == _last_weekday(day.year, day.month, weekday)


def _last_weekday(year: int, month: int, weekday: int) -> dt.date:
    last = dt.date(year, month, calendar.monthrange(year, month)[1])
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


def _regular_on_or_before(day: dt.date, as_of: dt.date) -> dt.date:
    """Latest day up to ``day`` with a regular session, as known on ``as_of``."""
    while not _is_regular(day, as_of):
        day -= _DAY
    return day


def _is_regular(day: dt.date, as_of: dt.date) -> bool:
    """Whether a day takes an expiry: special sessions never do."""
    if day.weekday() >= _SATURDAY:
        return False
    month, day_of_month = HOLIDAYS_PUBLISHED
    published = as_of >= dt.date(day.year - 1, month, day_of_month)
    if published and CALENDAR_FIRST <= day <= CALENDAR_LAST:
        return day in _trading_set() and day not in SPECIAL_SESSIONS
    return (day.month, day.day) not in FIXED_HOLIDAYS


@lru_cache(maxsize=1)
def _trading_tuple() -> tuple[dt.date, ...]:
    import exchange_calendars

    library = exchange_calendars.get_calendar(
        "XBOM", start=CALENDAR_FIRST.isoformat(), end=LIBRARY_LAST.isoformat()
    )
    regular = {stamp.date() for stamp in library.sessions}
    regular |= {
        day
        for day in _each_day(LIBRARY_LAST + _DAY, CALENDAR_LAST)
        if day.weekday() < _SATURDAY and (day.month, day.day) not in FIXED_HOLIDAYS
    }
    return tuple(sorted((regular - set(DECLARED_HOLIDAYS)) | set(SPECIAL_SESSIONS)))


@lru_cache(maxsize=1)
def _trading_set() -> frozenset[dt.date]:
    return frozenset(_trading_tuple())


def _each_day(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    return (first + dt.timedelta(days=offset) for offset in range((last - first).days + 1))


def _known_symbol(symbol: str) -> str:
    if symbol not in SYMBOLS:
        raise CalendarError(
            f"a symbol was {symbol!r}", next_step=f"Use one of {', '.join(SYMBOLS)}"
        )
    return symbol


def _positive(n: int) -> int:
    if n < 1:
        raise CalendarError(f"a count of trading days was {n}", next_step="Count from 1")
    return n


def _within(day: dt.date) -> dt.date:
    if not CALENDAR_FIRST <= day <= CALENDAR_LAST:
        raise _outside(day)
    return day


def _ordered(first: dt.date, last: dt.date) -> None:
    _within(first)
    _within(last)
    if last < first:
        raise CalendarError(
            f"a date range was {first} to {last}", next_step="Give the earlier date first"
        )


def _counted(days: tuple[dt.date, ...], position: int, day: dt.date) -> dt.date:
    if not 0 <= position < len(days):
        raise CalendarError(
            f"counting trading days from {day} leaves the trading calendar",
            next_step=f"Stay between {CALENDAR_FIRST} and {CALENDAR_LAST}",
        )
    return days[position]


def _outside(day: dt.date) -> CalendarError:
    return CalendarError(
        f"{day} lies outside the trading calendar, {CALENDAR_FIRST} to {CALENDAR_LAST}",
        next_step="Use a date inside it; for a new year upgrade exchange-calendars or declare its "
        "holidays in trading_calendar_declared.py, then move LIBRARY_LAST and CALENDAR_LAST",
    )
