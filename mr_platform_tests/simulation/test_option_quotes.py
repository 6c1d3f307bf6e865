"""Quotes of one leg over three contracts whose fair values are set by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from mr_platform.simulation.option_quotes import LegQuotes, Slice, leg_quotes

SHAPE = (375, 3)
STRIKES = (24_000.0, 24_500.0, 25_000.0)
FAIR = Slice(
    forward=np.full(SHAPE, 24_500.0),
    strike=np.broadcast_to(np.array(STRIKES), SHAPE),
    years=np.full(SHAPE, 10 / 365),
    sigma=np.full(SHAPE, 0.12),
    rate=0.06,
    days_ahead=np.full(3, 10),
    opening_ratio=0.99,
)


def quotes(
    lots: int | np.ndarray = 100, *, is_call: bool = True, missing: float = 0.0, fair: Slice = FAIR
) -> LegQuotes:
    traded = np.broadcast_to(np.asarray(lots, dtype=np.int64), SHAPE)
    reach = (np.full(375, 5.0), np.full(375, 4.0))
    expected = np.full(SHAPE, 100.0)
    day = dt.date(2025, 8, 29)
    return leg_quotes(3, "NIFTY", day, fair, traded, expected, reach, missing, is_call=is_call)


def test_fair_values_keep_put_call_parity() -> None:
    parity = FAIR.fair(FAIR.forward, True) - FAIR.fair(FAIR.forward, False)
    discount = np.exp(-0.06 * 10 / 365)
    assert parity[0] == pytest.approx(discount * (24_500 - np.array(STRIKES)), abs=1e-6)


@pytest.mark.parametrize("is_call", [True, False])
def test_bars_hold_their_order_and_stay_near_fair_value(is_call: bool) -> None:
    found = quotes(is_call=is_call)
    assert (found.low <= np.minimum(found.open, found.close)).all()
    assert (found.high >= np.maximum(found.open, found.close)).all()
    fair = FAIR.fair(FAIR.forward, is_call)
    assert np.median(found.close, axis=0) == pytest.approx(fair[0], rel=0.02)
    ticks = found.close / 0.05
    assert np.abs(ticks - ticks.round()).max() < 1e-6


def test_a_call_reaches_up_with_the_index_and_a_put_down() -> None:
    # five points up and four down in each minute; half of it at the money
    call, put = quotes(), quotes(is_call=False)
    up = [(leg.high - np.maximum(leg.open, leg.close))[:, 1].mean() for leg in (call, put)]
    assert up == pytest.approx([0.5 * 5.0, 0.5 * 4.0], rel=0.1)


def test_a_bar_without_a_trade_repeats_the_last_print() -> None:
    lots = np.full(SHAPE, 100)
    lots[:3], lots[10:20] = 0, 0
    found = quotes(lots)
    assert (found.close[10:20] == found.close[9]).all()
    assert (found.high[10:20] == found.low[10:20]).all()
    # before the first trade it is yesterday's, when the index stood one in a hundred lower
    yesterday = FAIR.fair(FAIR.forward * 0.99, True)[0]
    assert found.close[0] == pytest.approx(yesterday, rel=0.05)
    assert (found.close[:3] == found.close[0]).all()


def test_volatility_is_in_percent_and_greeks_have_their_signs() -> None:
    call, put = quotes(), quotes(is_call=False)
    assert np.median(call.iv_percent, axis=0) == pytest.approx([12.0] * 3, rel=0.05)
    assert (call.delta > 0).all()
    assert (put.delta < 0).all()
    for leg in (call, put):
        assert (leg.gamma > 0).all()
        assert (leg.vega > 0).all()


def test_missing_volatility_takes_the_greeks_along_as_null_or_zero() -> None:
    many = quotes(missing=0.6)
    absent = np.isnan(many.iv_percent) | (many.iv_percent == 0)
    assert 0.05 < absent.mean() < 0.95
    for greek in (many.delta, many.gamma, many.theta, many.vega, many.rho):
        shown = np.isnan(many.iv_percent) & np.isnan(greek) | (many.iv_percent == 0) & (greek == 0)
        assert shown[absent].all()
        assert np.isfinite(greek[~absent]).all()
    assert np.isfinite(many.close).all(), "prices are shown all the same"


def test_on_its_last_day_an_expiry_goes_blind_at_the_end() -> None:
    today = quotes(fair=replace(FAIR, days_ahead=np.zeros(3, dtype=np.int64)))
    gone = np.isnan(today.iv_percent) | (today.iv_percent == 0)
    assert gone[-6:].any()
    assert not gone[:-10, 1].any()
