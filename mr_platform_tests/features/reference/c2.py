"""Reference of the 98 columns of c2, written from the catalogue with plain loops."""

from __future__ import annotations

import datetime

from mr_platform_tests.features.reference.c2_chain import exposures
from mr_platform_tests.features.reference.c2_legs import GreekDay
from mr_platform_tests.features.reference.c2_near import first_order, second_order, shape
from mr_platform_tests.features.reference.c2_pin import pin_risk
from mr_platform_tests.features.reference.c2_sentiment import sentiment
from mr_platform_tests.features.reference.day import Day, History, Result
from mr_platform_tests.features.reference.strikes import Columns


def c2(day: Day, history: History) -> Result:
    """Every column of c2 for every expiry and minute; the session alone is read."""
    result: Result = {}
    for expiry in day.expiries:
        for name, column in one_expiry(day, expiry).items():
            result.setdefault(name, {})[expiry] = column
    return result


def one_expiry(day: Day, expiry: datetime.date) -> Columns:
    """All columns of one expiry."""
    greeks = GreekDay(day, expiry)
    columns: Columns = {}
    columns.update(first_order(greeks))
    columns.update(second_order(greeks))
    columns.update(exposures(greeks))
    columns.update(pin_risk(greeks))
    columns.update(sentiment(greeks, columns))
    columns.update(shape(greeks))
    return columns
