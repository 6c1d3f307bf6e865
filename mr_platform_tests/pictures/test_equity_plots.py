from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mr_platform.pictures.equity_plots import (
    Curves,
    amount,
    date_axis,
    draw_equity,
    draw_fall,
    row_places,
)
from mr_platform_tests.portfolio.found_portfolios import (
    FIRST_DAY,
    held_out_report,
    lone_report,
    report,
    weekly,
)


def axes_of(curves: Curves) -> tuple[Axes, Axes]:
    figure = Figure()
    above, below = figure.subplots(2)
    for axes, draw in ((above, draw_equity), (below, draw_fall)):
        date_axis(axes, curves.dates, labelled=axes is below)
        draw(axes, curves)
    figure.draw_without_rendering()
    return above, below


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_curves_are_running_sums_and_falls() -> None:
    facts = report()
    above, below = axes_of(Curves.of(facts))
    np.testing.assert_array_equal(above.lines[0].get_ydata(), facts.best.series.equity)
    np.testing.assert_array_equal(above.lines[1].get_ydata(), facts.universe.equity)
    np.testing.assert_array_equal(below.lines[0].get_ydata(), -facts.best.series.fall)
    assert above.get_ylabel() == "running sum, rupees"
    assert texts(above)[0].startswith(("portfolio", "all"))
    series = facts.best.series
    assert f"{facts.dates[series.peak]} to {facts.dates[series.trough]}" in below.get_title("left")


def test_far_deeper_falls_of_all_leave_the_plot_with_an_arrow() -> None:
    pnl = np.array([[5.0, 5.0, 5.0], [-1.0, -90.0, -90.0], [2.0, -9.0, -9.0]])
    facts = lone_report(pnl, 0)
    _, below = axes_of(Curves.of(facts))
    assert below.get_ylim()[0] == pytest.approx(-2.7)
    assert any(text.startswith("↓ all") for text in texts(below))


def test_no_drawdown_is_said() -> None:
    _, below = axes_of(Curves.of(lone_report(np.array([[1.0], [2.0]]))))
    assert below.get_title("left") == "no drawdown"


def test_falls_of_all_alone_set_the_height() -> None:
    facts = lone_report(np.array([[1.0, 1.0], [1.0, -9.0]]), 0)
    _, below = axes_of(Curves.of(facts))
    assert below.get_ylim()[0] == pytest.approx(-1.08 * 4.0)


def test_a_portfolio_alone_and_a_lone_row() -> None:
    facts = lone_report(np.array([[3.0, -1.0]]))
    above, below = axes_of(Curves(facts.dates, "rupees", facts.best.series))
    assert len(above.lines) == 2  # the curve and the line at 0
    assert above.lines[0].get_markersize() == 5
    assert texts(above) == ["portfolio 1"]
    assert texts(below) == ["deepest 0"]


def test_a_lone_date_has_days_around_it_and_the_year_below() -> None:
    _, below = axes_of(Curves.of(lone_report(np.array([[3.0, -1.0]]))))
    assert np.ptp(below.get_xlim()) == 7
    assert below.xaxis.get_offset_text().get_text() == "2024-Jan"


def test_many_rows_bear_no_dots() -> None:
    returns = weekly(np.ones((200, 1)))
    facts = lone_report(returns.pnl)
    above, _ = axes_of(Curves.of(facts))
    assert above.lines[0].get_marker() == "None"


def test_rows_of_one_date_are_spread_over_the_day() -> None:
    days = FIRST_DAY + np.array([0, 0, 0, 0, 1, 3, 3])
    first = int(FIRST_DAY.astype(np.int64))
    expected = np.array([0, 0.25, 0.5, 0.75, 1, 3, 3.5]) + first
    np.testing.assert_array_equal(row_places(days), expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [(13653.4, "13,653"), (-1234567.0, "−1,234,567"), (0.0, "0"), (-0.0, "0"), (-4.561, "−4.56")],
)
def test_amounts_for_people(value: float, text: str) -> None:
    assert amount(value) == text


def test_rows_held_out_follow_those_searched_behind_a_mark() -> None:
    facts = held_out_report()
    later = facts.held_out
    assert later is not None
    curves = Curves.of(facts)
    above, below = axes_of(curves)
    assert curves.searched == 40
    own = np.asarray(above.lines[0].get_ydata())
    np.testing.assert_array_equal(own[:40], facts.best.series.equity)
    np.testing.assert_allclose(own[40:], own[39] + later.best.equity, rtol=1e-9)
    everybody = np.asarray(above.lines[1].get_ydata())
    np.testing.assert_array_equal(everybody[:40], facts.universe.equity)
    split = row_places(curves.dates)[39:41].mean()
    for axes in (above, below):
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert [list(line.get_xdata()) for line in dashed] == [[split, split]]
    assert {"searched", "held out"} <= set(texts(above))
    plain, _ = axes_of(Curves.of(report()))
    assert not {"searched", "held out"} & set(texts(plain))
