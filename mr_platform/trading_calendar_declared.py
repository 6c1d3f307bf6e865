"""What the exchange-calendar library does not know about NSE, declared with reasons.

Here: sessions the library lacks, evening sessions that leave no bars, contract rules by date.
Not here: any computation (``trading_calendar.py``), lot sizes and strike steps (``config/``).

Next year's holidays come with a new release of the library. Where NSE publishes them first,
add them to ``DECLARED_HOLIDAYS``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

CALENDAR_FIRST = dt.date(2018, 1, 1)
"""First day the platform knows."""

LIBRARY_LAST = dt.date(2026, 12, 31)
"""Last day whose holidays are known, not guessed (end of XBOM in exchange-calendars 4.13)."""

CALENDAR_LAST = dt.date(2027, 12, 31)
"""Last day the platform takes files of.

After ``LIBRARY_LAST`` the calendar is provisional: every weekday that is no fixed holiday trades.
A movable holiday is then a partition for which no file ever comes, which costs nothing; a
calendar that ended would refuse a real day's files.
"""

SPECIAL_SESSIONS: Mapping[dt.date, str] = {
    dt.date(2020, 2, 1): "Saturday, Union Budget, full session",
    dt.date(2024, 1, 20): "Saturday, full session in place of Monday 2024-01-22",
    dt.date(2024, 3, 2): "Saturday, disaster-recovery test, two short live sessions",
    dt.date(2024, 5, 18): "Saturday, disaster-recovery test, two short live sessions",
    dt.date(2025, 2, 1): "Saturday, Union Budget, full session",
    dt.date(2025, 10, 21): "Muhurat held in the afternoon, 13:45 to 14:45, inside our session",
    dt.date(2026, 2, 1): "Sunday, Union Budget, full session",
}
"""Days that trade inside 09:15 to 15:29 although they are weekends or holidays."""

EVENING_SESSIONS: Mapping[dt.date, str] = {
    dt.date(2018, 11, 7): "Muhurat",
    dt.date(2019, 10, 27): "Muhurat",
    dt.date(2020, 11, 14): "Muhurat",
    dt.date(2021, 11, 4): "Muhurat",
    dt.date(2022, 10, 24): "Muhurat",
    dt.date(2023, 11, 12): "Muhurat",
    dt.date(2024, 11, 1): "Muhurat",
}
"""Hours after 15:30 on a holiday. No bar falls in the session, so they are no trading days."""

DECLARED_HOLIDAYS: Mapping[dt.date, str] = {}
"""NSE holidays missing in the library. None is known up to ``LIBRARY_LAST``."""

FIXED_HOLIDAYS: Mapping[tuple[int, int], str] = {
    (1, 26): "Republic Day",
    (5, 1): "Maharashtra Day",
    (8, 15): "Independence Day",
    (10, 2): "Gandhi Jayanti",
    (12, 25): "Christmas",
}
"""Month and day closed every year: all that is sure of a year before NSE publishes its list."""

HOLIDAYS_PUBLISHED = (12, 10)
"""Month and day from which the next year's movable holidays are known (NSE: early December).

Contracts of later years carry dates that ignore them: on 2025-08-29 NSE quoted 2026-03-31,
later a holiday, but 2029-12-24 because Christmas is fixed. When the list is out, the contract is
renamed to the trading day before.
"""

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = 0, 1, 2, 3


@dataclass(frozen=True)
class ContractRule:
    """Which option contracts of one index are listed, for quotes from one date on.

    NSE renames contracts that already trade on the evening before a rule takes effect, so the
    rule depends on the quote's date alone: on 2025-08-28 the contract of the week after next
    is 2025-09-11, on 2025-08-29 the same contract is 2025-09-16.

    Attributes:
        quoted_from: First trade date of the rule.
        monthly_weekday: Monthly, quarterly and half-yearly contracts expire on the last such
            weekday of their month.
        weekly_weekday: Weekday of the weekly contracts, None where there are none. The week of
            the monthly expiry has no weekly contract.
        weeklies: Weekly contracts listed at a time.
        quarterlies: Quarterly contracts listed after the three serial months.
        half_yearlies: Contracts of June and December listed, counted from the first unexpired.
        last_weekly: Last weekly expiry ever, None while they go on.
        source: Exchange notice or event.
    """

    quoted_from: dt.date
    monthly_weekday: int
    weekly_weekday: int | None
    weeklies: int
    quarterlies: int
    half_yearlies: int
    source: str
    last_weekly: dt.date | None = None


# Seven weeklies is the number at the introduction of the NIFTY weeklies; the circular of July
# 2023 speaks of "continuing" four. When it fell is not known here: seven covers both.
CONTRACT_RULES: Mapping[str, tuple[ContractRule, ...]] = {
    "NIFTY": (
        ContractRule(CALENDAR_FIRST, THURSDAY, None, 0, 3, 10, "monthly contracts only"),
        ContractRule(dt.date(2019, 2, 11), THURSDAY, THURSDAY, 7, 3, 10, "weeklies introduced"),
        ContractRule(dt.date(2023, 7, 12), THURSDAY, THURSDAY, 4, 3, 10, "four weeklies"),
        ContractRule(
            dt.date(2025, 8, 29),
            TUESDAY,
            TUESDAY,
            4,
            3,
            10,
            "NSE circular of 2025-06-23: Tuesday, contracts renamed after 2025-08-28",
        ),
    ),
    "BANKNIFTY": (
        ContractRule(CALENDAR_FIRST, THURSDAY, THURSDAY, 7, 3, 0, "weeklies since May 2016"),
        ContractRule(dt.date(2023, 7, 12), THURSDAY, THURSDAY, 4, 3, 0, "four weeklies"),
        ContractRule(
            dt.date(2023, 9, 4),
            THURSDAY,
            WEDNESDAY,
            4,
            3,
            0,
            "NSE circular of 2023-07-12: weeklies on Wednesday, renamed after 2023-09-01",
        ),
        ContractRule(
            dt.date(2024, 3, 1),
            WEDNESDAY,
            WEDNESDAY,
            4,
            3,
            0,
            "NSE circular of 2023-12-28: monthlies on Wednesday, renamed after 2024-02-29",
            last_weekly=dt.date(2024, 11, 13),
        ),
        ContractRule(
            dt.date(2024, 11, 14), WEDNESDAY, None, 0, 3, 0, "weeklies ended with 2024-11-13"
        ),
        ContractRule(dt.date(2025, 1, 1), THURSDAY, None, 0, 3, 0, "monthlies on Thursday"),
        ContractRule(
            dt.date(2025, 8, 29),
            TUESDAY,
            None,
            0,
            3,
            0,
            "NSE circular of 2025-06-23: Tuesday, contracts renamed after 2025-08-28",
        ),
    ),
}
