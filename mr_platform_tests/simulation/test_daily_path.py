"""Closes from day to day, and the opening between two of them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mr_platform.errors import CalendarError
from mr_platform.simulation.daily_path import (
    EPOCH,
    close_on,
    day_frame,
    to_tick,
    volatility_on,
)
from mr_platform.trading_calendar import CALENDAR_LAST, trading_days

SEED = 3


def test_prices_are_rounded_to_the_tick_without_a_binary_rest() -> None:
    assert to_tick(np.array([100.02, 100.03, 0.074, 24_499.99])).tolist() == [
        100.0,
        100.05,
        0.05,
        24_500.0,
    ]


def test_a_day_starts_from_the_close_of_the_trading_day_before() -> None:
    # Friday 2025-08-29 and Monday 2025-09-01
    monday = day_frame(SEED, "NIFTY", dt.date(2025, 9, 1))
    friday = day_frame(SEED, "NIFTY", dt.date(2025, 8, 29))
    assert monday.previous_close == friday.close == close_on(SEED, "NIFTY", dt.date(2025, 8, 29))
    assert monday.volatility == volatility_on(SEED, "NIFTY", dt.date(2025, 8, 29))
    assert monday.daily_volatility == pytest.approx(0.85 * monday.volatility / np.sqrt(252))


def test_openings_lie_around_the_way_from_close_to_close() -> None:
    frames = [
        day_frame(SEED, "NIFTY", day)
        for day in trading_days(dt.date(2024, 1, 1), dt.date(2025, 1, 1))
    ]
    gap = np.log([frame.opening / frame.previous_close for frame in frames])
    whole = np.log([frame.close / frame.previous_close for frame in frames])
    # the bridge: over a third of the day's move is done at the opening, with a spread of its own
    assert np.polyfit(whole, gap, 1)[0] == pytest.approx(0.36, abs=0.1)
    assert 0.3 < np.corrcoef(whole, gap)[0, 1] < 0.9


def test_indices_move_together_but_not_as_one() -> None:
    days = trading_days(dt.date(2024, 1, 1), dt.date(2025, 1, 1))
    moves = [
        np.diff(np.log([close_on(SEED, symbol, day) for day in days]))
        for symbol in ("NIFTY", "BANKNIFTY")
    ]
    assert 0.8 < np.corrcoef(*moves)[0, 1] < 0.99


def test_the_path_reaches_over_the_whole_calendar() -> None:
    for day in (EPOCH, CALENDAR_LAST):
        assert close_on(SEED, "BANKNIFTY", day) > 0
        assert volatility_on(SEED, "BANKNIFTY", day) > 0


def test_a_closed_day_is_refused_with_the_reason() -> None:
    with pytest.raises(CalendarError, match=r"2025-08-31 is no trading day \(.+\)"):
        day_frame(SEED, "NIFTY", dt.date(2025, 8, 31))
