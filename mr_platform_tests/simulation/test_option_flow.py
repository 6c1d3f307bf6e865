"""Where quantity sits across strikes and how it moves within a day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mr_platform.simulation.daily_path import close_on
from mr_platform.simulation.option_flow import (
    closing_open_interest,
    front_weight,
    open_interest_path,
    trade_intensity,
    traded_lots,
)
from mr_platform.simulation.random_streams import Integers, stream

SEED, LOT, STEP = 3, 75, 50.0
DAY, EXPIRY = dt.date(2025, 8, 29), dt.date(2025, 9, 2)
SHARE = np.full(375, 1 / 375)


def held(strikes: np.ndarray, *, is_call: bool) -> Integers:
    return closing_open_interest(SEED, "NIFTY", EXPIRY, False, strikes, DAY, STEP, LOT, is_call)


def around_the_money() -> np.ndarray:
    middle = round(close_on(SEED, "NIFTY", DAY) / STEP) * STEP
    return middle + STEP * np.arange(-20, 21)


def test_near_expiries_trade_most_and_monthly_ones_are_held_longer() -> None:
    near, far = front_weight(1, False), front_weight(30, False)
    assert near[0] > far[0]
    assert near[1] > far[1]
    assert front_weight(30, True)[0] > far[0]
    assert front_weight(30, True)[1] > far[1]


def test_a_contract_holds_the_same_whatever_else_is_listed() -> None:
    strikes = around_the_money()
    whole = held(strikes, is_call=True)
    assert np.array_equal(held(strikes[5:9], is_call=True), whole[5:9])
    assert (whole % LOT == 0).all()
    assert whole.min() >= 0


def test_open_interest_sits_out_of_the_money_on_round_strikes() -> None:
    strikes = around_the_money()
    calls, puts = held(strikes, is_call=True), held(strikes, is_call=False)
    assert calls[26:].sum() > 2 * calls[:15].sum()
    assert puts[:15].sum() > 2 * puts[26:].sum()
    round_ones = np.isclose(strikes % 500, 0)
    assert calls[round_ones].mean() > 1.5 * calls[~round_ones].mean()


def test_expected_trades_of_a_minute_share_the_days_volume() -> None:
    strikes = around_the_money()
    spot = np.full(375, close_on(SEED, "NIFTY", DAY))
    arguments = ("NIFTY", DAY, EXPIRY, False, strikes, spot, SHARE, 0.11, STEP)
    lots = trade_intensity(*arguments, LOT, True)
    assert lots.shape == (375, 41)
    assert lots.min() > 0
    # activity is 1 on this day: 4.0e9 units of a front expiry's leg, four days ahead
    assert lots.sum() * LOT == pytest.approx(4.0e9 * front_weight(4, False)[0], rel=1e-3)
    assert 18 <= lots[0].argmax() <= 28, "near the money"


def test_traded_lots_scatter_around_what_is_expected() -> None:
    lots = traded_lots(np.full((375, 100), 20.0), stream(1, "test"))
    assert lots.dtype == np.int64
    assert lots.mean() == pytest.approx(20.0, rel=0.03)
    assert lots.var() > 5 * 20.0, "wider than a plain Poisson count"
    assert traded_lots(np.zeros((2, 2)), stream(1, "test")).sum() == 0


def test_open_interest_goes_from_one_close_to_the_next_in_whole_lots() -> None:
    start, end = np.array([0, 75_000, 750_000]), np.array([7_500, 0, 750_000])
    path = open_interest_path(SEED, "NIFTY", DAY, start, end, LOT, "CE")
    assert path.shape == (375, 3)
    assert np.array_equal(path[0], start)
    assert np.array_equal(path[-1], end)
    assert (path % LOT == 0).all()
    assert path.min() >= 0
    moved = (np.diff(path, axis=0) != 0).any(axis=1).sum()
    assert moved < 375 / 2, "refreshed every few minutes"
