from __future__ import annotations

from dataclasses import fields

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from mr_platform.portfolio.correlation_tiles import PairSettings, PairStatistics, pair_statistics
from mr_platform.portfolio.pair_frames import PAIR_FRAMES, frames_of, statistics_of
from mr_platform.portfolio.returns import PortfolioError


def statistics(strategies: int = 12, **settings: object) -> PairStatistics:
    pnl = np.random.default_rng(4).normal(size=(9, 12))
    pnl[:, 5], pnl[:, 7:9] = 1.0, pnl[:, [2]]
    return pair_statistics(pnl[:, :strategies], PairSettings(**settings))


@pytest.mark.parametrize("strategies", [0, 1, 12])
@pytest.mark.parametrize("settings", [{}, {"neighbours": 3, "bins": 4, "threshold": 0.2}])
def test_they_come_back_to_the_bit(strategies: int, settings: dict) -> None:
    before = statistics(strategies, **settings)
    after = statistics_of(frames_of(before))
    for field in fields(PairStatistics):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if isinstance(one, tuple):
            assert one == other
        else:
            assert_array_equal(one, other, err_msg=field.name)
            assert np.asarray(one).dtype == np.asarray(other).dtype, field.name


def test_frames_have_the_declared_columns() -> None:
    frames = frames_of(statistics(bins=4))
    assert {name: dict(frame.schema) for name, frame in frames.items()} == PAIR_FRAMES
    assert frames["histogram"]["low"].to_list() == [-1, -0.5, 0, 0.5]
    assert frames["duplicates"]["strategy"].to_list() == [2, 7, 8]
    assert frames["constant"]["strategy"].to_list() == [5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"pairs": None},
        {"pairs": pl.DataFrame({"first": [1]})},
        {"figures": pl.DataFrame(schema=dict(PAIR_FRAMES["figures"]))},
    ],
    ids=["missing", "columns", "rows"],
)
def test_other_frames_are_refused(wrong: dict) -> None:
    frames = frames_of(statistics()) | wrong
    with pytest.raises(PortfolioError, match="frame"):
        statistics_of({name: frame for name, frame in frames.items() if frame is not None})
