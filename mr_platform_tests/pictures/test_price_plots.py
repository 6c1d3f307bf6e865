from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from mr_platform.pictures.price_plots import draw_spot, draw_straddle, future_vwap, limits
from mr_platform_tests.pictures import picture_days as days


def test_vwap_of_the_future_is_told_in_terms_of_spot() -> None:
    day = days.symbol_day()
    spot = day.series("spot")
    volume = np.arange(375) + 100.0
    wanted = np.cumsum(spot * volume) / np.cumsum(volume)
    np.testing.assert_allclose(future_vwap(day), wanted, rtol=1e-12)


def test_without_futures_there_is_no_vwap() -> None:
    assert np.isnan(future_vwap(days.symbol_day(panel=days.panel(futures=False)))).all()


def test_the_axis_holds_near_levels_and_leaves_far_ones_out() -> None:
    low, high = limits([np.array([100.0, 110.0, np.nan])], [114.0, 200.0, 50.0])
    assert low == pytest.approx(100 - 0.06 * 14)
    assert high == pytest.approx(114 + 0.06 * 14)


def test_a_day_that_does_not_move_still_has_an_axis() -> None:
    low, high = limits([np.array([100.0, 100.0])], [])
    assert low < 100 < high


def test_spot_is_drawn_with_levels_walls_and_vwap() -> None:
    axes = Figure().add_subplot()
    draw_spot(axes, days.symbol_day())
    names = axes.get_legend_handles_labels()[1]
    assert {"spot", "VWAP (future − basis)", "call wall", "put wall", "max pain"} == set(names)
    texts = " | ".join(text.get_text() for text in axes.texts)
    assert "prev. high 25,060" in texts
    assert "↓ prev. low 24,700" in texts
    assert "↑ call wall 25,500" in texts


def test_a_wall_that_comes_back_into_the_plot_is_told_where_it_was_outside() -> None:
    wall = pl.when(pl.col("j") < 300).then(26_000.0).otherwise(25_050.0)
    axes = Figure().add_subplot()
    draw_spot(axes, days.symbol_day(panel=days.panel().with_columns(call_wall=wall)))
    assert "↑ call wall 26,000 at 09:15" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("draw", [draw_spot, draw_straddle])
def test_quotes_far_apart_are_dots(draw: object) -> None:
    axes = Figure().add_subplot()
    sparse = days.panel(gap=[minute for minute in range(375) if minute % 15])
    gone = pl.when(pl.col("j") % 15 == 0).then("spot")
    draw(axes, days.symbol_day(panel=sparse.with_columns(spot=gone)))  # type: ignore[operator]
    # drawn last: spot, or the straddle
    assert axes.lines[-1].get_marker() == "o"


def test_the_straddle_is_drawn_with_its_own_levels() -> None:
    axes = Figure().add_subplot()
    draw_straddle(axes, days.symbol_day())
    texts = [text.get_text() for text in axes.texts]
    assert "prev. close 221.0" in texts
    assert any(text.startswith("straddle 201.3") for text in texts)


@pytest.mark.parametrize("draw", [draw_spot, draw_straddle])
def test_a_day_without_values_says_so(draw: object) -> None:
    axes = Figure().add_subplot()
    draw(axes, days.bare_day())  # type: ignore[operator]
    assert axes.texts[0].get_text().startswith("no ")
