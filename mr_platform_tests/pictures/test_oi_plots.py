from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.figure import Figure

from mr_platform.pictures.oi_plots import draw_changes, draw_totals, draw_walls
from mr_platform_tests.pictures import picture_days as days


def texts(draw: Callable[..., Any], day: Any) -> list[str]:
    axes = Figure().add_subplot()
    draw(axes, day)
    return [text.get_text() for text in axes.texts]


def test_walls_end_at_the_strike_they_stand_on() -> None:
    assert {"call wall 25,500", "put wall 24,950", "max pain 25,000"} <= set(
        texts(draw_walls, days.symbol_day())
    )


def test_totals_and_changes_are_told_in_millions() -> None:
    assert texts(draw_totals, days.symbol_day()) == ["puts 87.2 m", "calls 92.0 m"]
    assert texts(draw_changes, days.symbol_day()) == ["puts +11.22 m", "calls +14.96 m"]


@pytest.mark.parametrize("draw", [draw_walls, draw_totals, draw_changes])
def test_a_day_without_open_interest_says_so(draw: Callable[..., Any]) -> None:
    assert texts(draw, days.bare_day()) == ["no open interest on this day"]
