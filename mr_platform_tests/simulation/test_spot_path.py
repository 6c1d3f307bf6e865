"""The index and its future inside one session."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mr_platform.simulation.daily_path import DayFrame, day_frame
from mr_platform.simulation.random_streams import Floats, stream
from mr_platform.simulation.regimes import regime_path
from mr_platform.simulation.spot_path import (
    DIVIDEND_YIELD,
    FuturePath,
    SpotPath,
    forwards,
    future_open_interest,
    future_path,
    intraday_shape,
    refreshed,
    spot_path,
)

SEED, SYMBOL, DAY = 3, "NIFTY", dt.date(2025, 8, 29)


@pytest.fixture(scope="module")
def frame() -> DayFrame:
    return day_frame(SEED, SYMBOL, DAY)


@pytest.fixture(scope="module")
def path(frame: DayFrame) -> SpotPath:
    return spot_path(SEED, SYMBOL, frame, regime_path(SEED, SYMBOL, DAY))


@pytest.fixture(scope="module")
def future(frame: DayFrame, path: SpotPath) -> FuturePath:
    fair: Floats = path.close + 80.0
    regimes = regime_path(SEED, SYMBOL, DAY)
    return future_path(SEED, SYMBOL, frame, path, regimes, fair, (15_000_000, 15_300_000), 75)


def test_the_session_runs_from_its_opening_to_its_close_without_a_break(
    frame: DayFrame, path: SpotPath
) -> None:
    assert len(path.close) == 375
    assert (path.open[0], path.close[-1]) == (frame.opening, frame.close)
    assert np.array_equal(path.open[1:], path.close[:-1])
    assert path.rise.min() >= 0
    assert path.fall.min() >= 0
    assert np.unique(path.close).size > 300


def test_minutes_are_busiest_at_the_open_and_scaled_to_one() -> None:
    shape = intraday_shape()
    assert shape.argmax() == 0
    assert np.mean(shape**2) == pytest.approx(1)
    assert shape[:15].mean() > shape[150:165].mean()


def test_a_forward_is_carry_plus_a_premium_that_fades_to_the_expiry() -> None:
    spot, basis = np.array([100.0, 110.0]), np.array([0.01, 0.0])
    years = np.array([[0.0, 1.0], [0.0, 1.0]])
    found = forwards(spot, basis, years, 0.06)
    carry = np.exp(0.06 - DIVIDEND_YIELD)
    assert found[:, 0] == pytest.approx(spot)
    assert found[:, 1] == pytest.approx([100.0 * (carry + 0.01), 110.0 * carry])


def test_open_interest_is_refreshed_at_gaps_of_two_to_four_minutes() -> None:
    last = refreshed(stream(1, "test"))
    minutes = np.arange(375)
    assert last[0] == 0
    assert (last <= minutes).all()
    marks = np.unique(last)
    assert set(np.diff(marks)) == {2, 3, 4}
    assert np.array_equal(last[marks], marks)


def test_bars_of_the_future_hold_their_order_and_follow_fair_value(
    future: FuturePath, path: SpotPath
) -> None:
    assert (future.low <= np.minimum(future.open, future.close)).all()
    assert (future.high >= np.maximum(future.open, future.close)).all()
    assert np.abs(future.close - path.close - 80.0).max() < 10


def test_quantities_of_the_future_are_whole_lots_from_one_close_to_the_next(
    future: FuturePath,
) -> None:
    assert (future.volume % 75 == 0).all()
    assert (future.open_interest % 75 == 0).all()
    assert (future.open_interest[0], future.open_interest[-1]) == (15_000_000, 15_300_000)
    assert np.array_equal(future.change_in_open_interest, future.open_interest - 15_000_000)


def test_the_future_is_built_up_before_its_month_and_given_up_at_its_end() -> None:
    expiry = dt.date(2025, 9, 30)
    held = {
        ahead: future_open_interest(SEED, SYMBOL, expiry, expiry - dt.timedelta(days=ahead), 75)
        for ahead in (60, 20, 0)
    }
    assert held[60] < held[20] > held[0]
    assert all(units % 75 == 0 for units in held.values())
