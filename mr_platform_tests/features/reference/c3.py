"""Reference of the 105 columns of c3, written from the catalogue with plain loops."""

from __future__ import annotations

import datetime

from mr_platform_tests.features.reference.c3_context import (
    max_pain_columns,
    put_call,
    since_previous_close,
)
from mr_platform_tests.features.reference.c3_flow import (
    composites,
    interest_columns,
    price_and_interest,
    quadrants,
)
from mr_platform_tests.features.reference.c3_future import Future
from mr_platform_tests.features.reference.c3_legs import OpenInterestDay
from mr_platform_tests.features.reference.c3_structure import dispersion, structure, walls
from mr_platform_tests.features.reference.day import Day, History, Result
from mr_platform_tests.features.reference.strikes import Columns


def c3(day: Day, history: History) -> Result:
    """Every column of c3 for every expiry and minute."""
    future = Future(day)
    result: Result = {}
    for expiry in day.expiries:
        for name, column in one_expiry(day, history, future, expiry).items():
            result.setdefault(name, {})[expiry] = column
    return result


def one_expiry(day: Day, history: History, future: Future, expiry: datetime.date) -> Columns:
    """All columns of one expiry."""
    legs = OpenInterestDay(day, expiry)
    columns: Columns = {}
    columns.update(interest_columns(legs, future))
    columns.update(since_previous_close(legs, history))
    columns.update(put_call(legs, history))
    columns.update(max_pain_columns(legs))
    columns.update(structure(legs))
    columns.update(walls(legs))
    columns.update(quadrants(legs, future))
    columns.update(price_and_interest(legs, future))
    columns.update(dispersion(legs))
    columns.update(future.columns)
    columns.update(composites(columns))
    return columns
