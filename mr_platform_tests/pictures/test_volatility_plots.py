from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from mr_platform.pictures.volatility_plots import (
    draw_skew,
    draw_term_structure,
    draw_volatility,
    front_expiries,
)
from mr_platform_tests.pictures import picture_days as days


def test_front_expiries_hold_the_one_the_day_is_seen_from() -> None:
    assert front_expiries(days.symbol_day()) == (days.FRONT, days.NEXT)


def test_volatility_is_drawn_in_percent_for_every_expiry() -> None:
    axes = Figure().add_subplot()
    draw_volatility(axes, days.symbol_day())
    assert axes.get_legend_handles_labels()[1] == ["9 Sep (6 d)", "30 Sep (27 d)"]
    own, other = axes.lines
    assert own.get_linewidth() > other.get_linewidth()
    assert float(own.get_ydata()[0]) == pytest.approx(8.0)  # type: ignore[index, arg-type]


def test_term_structure_takes_the_last_value_up_to_ten_minutes_before() -> None:
    axes = Figure().add_subplot()
    # 09:30 is minute 15; 09:21 is the first of the ten minutes up to it
    draw_term_structure(axes, days.symbol_day(panel=days.panel(gap=range(7, 30))))
    first = axes.lines[0]
    assert first.get_label() == "09:30"
    assert np.asarray(first.get_xdata()).tolist() == [6, 27]
    draw_gap = Figure().add_subplot()
    draw_term_structure(draw_gap, days.symbol_day(panel=days.panel(gap=range(30))))
    assert np.asarray(draw_gap.lines[0].get_xdata()).tolist() == [27]


def test_volatility_that_leaves_the_plot_is_told() -> None:
    last = pl.when(j=374, expiry_date=days.FRONT).then(1.1199).otherwise("iv_atm")
    axes = Figure().add_subplot()
    draw_volatility(axes, days.symbol_day(panel=days.panel().with_columns(iv_atm=last)))
    assert axes.get_ylim()[1] < 20
    assert "↑ 9 Sep 111.99 % at 15:29" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("draw", [draw_volatility, draw_skew, draw_term_structure])
def test_a_day_without_volatilities_says_so(draw: Callable[..., Any]) -> None:
    axes = Figure().add_subplot()
    draw(axes, days.bare_day())
    assert axes.texts[0].get_text().startswith("no ")
