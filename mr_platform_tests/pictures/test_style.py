from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from matplotlib.figure import Figure

from mr_platform.pictures import style
from mr_platform.pictures.style import SideLabel, spread
from mr_platform.trading_calendar import ZONES


@pytest.mark.parametrize(("clock", "minute"), [("09:15", 0), ("10:00", 45), ("15:29", 374)])
def test_minutes_and_clock_times_are_told_in_ist(clock: str, minute: int) -> None:
    assert style.minute_of(dt.time.fromisoformat(clock)) == minute
    assert style.clock_of(minute) == clock


@pytest.mark.parametrize(
    ("places", "gap", "wanted"),
    [
        ([], 0.1, []),
        ([0.5], 0.1, [0.5]),
        ([0.2, 0.6], 0.1, [0.2, 0.6]),
        ([0.5, 0.5], 0.1, [0.45, 0.55]),
        ([0.4, 0.5, 0.5], 0.1, [0.366667, 0.466667, 0.566667]),
        ([0.0, 0.0], 0.1, [0.0, 0.1]),
        ([1.0, 1.0, 1.0], 0.1, [0.8, 0.9, 1.0]),
        ([0.5] * 5, 0.5, [0.0, 0.25, 0.5, 0.75, 1.0]),
    ],
)
def test_labels_move_as_little_as_possible(
    places: list[float], gap: float, wanted: list[float]
) -> None:
    np.testing.assert_allclose(spread(places, gap), wanted, atol=1e-6)


def test_a_label_outside_the_plot_points_to_where_it_is() -> None:
    axes = Figure().add_subplot()
    axes.set_ylim(0, 10)
    style.side_labels(axes, [SideLabel(v, f"at {v}") for v in (-5, 5, 20)])
    assert [text.get_text() for text in axes.texts] == ["↓ at -5", "at 5", "↑ at 20"]


def test_zones_are_named_above_the_plot_and_every_second_one_is_shaded() -> None:
    axes = Figure().add_subplot()
    style.shade_zones(axes, named=True)
    names = [zone.name.replace("_", " ").lower() for zone in ZONES]
    assert [text.get_text() for text in axes.texts] == names
    assert len(axes.patches) == 3


def test_the_time_axis_spans_the_session() -> None:
    axes = Figure().add_subplot()
    style.time_axis(axes, labelled=True)
    assert axes.get_xlim() == (-0.5, 375)
    assert axes.get_xticklabels()[0].get_text() == "09:15"
    assert "IST" in axes.get_xlabel()


def test_the_palette_holds_256_colours_and_the_exact_ones_of_the_plots() -> None:
    flat = style.palette()
    colours = {tuple(flat[at : at + 3]) for at in range(0, len(flat), 3)}
    assert len(flat) == 768
    for name in (style.PAPER, style.INK, style.CALL, style.PUT, style.NO_ROW, *style.NULL_SHADES):
        assert tuple(int(name[at : at + 2], 16) for at in (1, 3, 5)) in colours, name


NAN = float("nan")


def grid(**values: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found = np.full(375, NAN)
    for name, value in values.items():
        found[int(name.removeprefix("at"))] = value
    return found


def test_a_lone_minute_has_no_value_beside_it() -> None:
    values = grid(at0=1.0, at5=1.0, at6=2.0, at8=3.0, at374=4.0)
    assert style.lone_minutes(values).tolist() == [0, 8, 374]
    assert style.lone_minutes(np.zeros(375)).size == 0
    assert style.lone_minutes(np.full(375, NAN)).size == 0


@pytest.mark.parametrize("stepped", [False, True])
def test_lone_minutes_are_dots_of_the_line_and_a_dense_line_has_none(stepped: bool) -> None:
    axes = Figure().add_subplot()
    style.draw_line(axes, grid(at3=1.0, at9=2.0, at10=2.0), colour=style.CALL, stepped=stepped)
    style.draw_line(axes, np.zeros(375), colour=style.CALL, stepped=stepped)
    sparse, dense = axes.lines
    assert (sparse.get_marker(), sparse.get_markevery()) == ("o", [3])
    assert sparse.get_markerfacecolor() == style.CALL
    assert dense.get_marker() == "None"


def test_levels_drawn_without_a_line_have_dots_too() -> None:
    axes = Figure().add_subplot()
    style.mark_lone(axes, grid(at3=1.0, at9=2.0, at10=2.0), style.PUT)
    style.mark_lone(axes, np.zeros(375), style.PUT)
    (dots,) = axes.lines
    assert np.asarray(dots.get_xdata()).tolist() == [3]


def test_a_line_that_leaves_its_plot_is_marked_where_it_does_and_told_how_far() -> None:
    axes = Figure().add_subplot()
    axes.set_ylim(0, 10)
    values = grid(at1=5.0, at2=20.0, at4=30.0, at6=5.0, at7=11.0, at370=-3.0)
    assert style.mark_leaving(axes, values, style.CALL, "{value:.0f} at {at}") == 2
    above, below = axes.lines
    assert np.asarray(above.get_xdata()).tolist() == [2, 7]
    assert np.asarray(below.get_xdata()).tolist() == [370]
    assert [text.get_text() for text in axes.texts] == ["↑ 30 at 09:19", "↓ -3 at 15:25"]
    assert style.mark_leaving(axes, np.full(375, 5.0), style.CALL, "{value}", 2) == 2
