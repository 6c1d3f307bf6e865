"""Declared levels and what lies between them."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest

from mr_platform.errors import SettingsError
from mr_platform.simulation.market_anchors import (
    ACTIVITY,
    MARKET_VOLATILITY,
    PROFILES,
    interpolated,
    profile_of,
)
from mr_platform.trading_calendar import SYMBOLS

FIRST = dt.date(2024, 1, 1)
ANCHORS = ((FIRST, 100.0), (FIRST + dt.timedelta(days=10), 400.0))


def values(*days: int) -> list[float]:
    ordinals = np.array([FIRST.toordinal() + day for day in days], dtype=np.int64)
    return interpolated(ANCHORS, ordinals).tolist()


def test_between_two_anchors_the_logarithm_is_linear() -> None:
    assert values(0, 5, 10) == pytest.approx([100.0, 200.0, 400.0])


def test_beyond_the_ends_the_value_stays() -> None:
    assert values(-30, 40) == pytest.approx([100.0, 400.0])


def test_every_symbol_of_the_calendar_has_a_profile() -> None:
    assert set(PROFILES) == set(SYMBOLS)
    for profile in PROFILES.values():
        assert 0 < profile.market_loading < 1


def test_anchors_ascend_by_date_and_are_positive() -> None:
    # np.interp answers nonsense for descending dates and says nothing
    for anchors in (MARKET_VOLATILITY, ACTIVITY, *(found.levels for found in PROFILES.values())):
        assert all(before[0] < after[0] for before, after in pairwise(anchors))
        assert min(value for _, value in anchors) > 0


def test_an_undeclared_symbol_is_told_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"no level for SENSEX.*Use one of NIFTY, BANKNIFTY"):
        profile_of("SENSEX")
