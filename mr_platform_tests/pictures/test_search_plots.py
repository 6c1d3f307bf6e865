from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mr_platform.pictures.search_plots import (
    algorithms_of,
    counted,
    draw_convergence,
    draw_sizes,
    evaluation_axis,
    look_of,
    search_name,
)
from mr_platform.portfolio.portfolio_facts import FoundPortfolio
from mr_platform_tests.portfolio.found_portfolios import found, several

NAMES = algorithms_of(several())


def convergence(*portfolios: FoundPortfolio) -> Axes:
    axes = Figure().add_subplot()
    draw_convergence(axes, portfolios, algorithms_of(portfolios))
    return axes


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_line_steps_to_the_end_of_its_search() -> None:
    axes = convergence(*several()[:2])
    assert axes.get_xscale() == "log"
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [1, 40, 500]
    assert np.asarray(axes.lines[0].get_ydata()).tolist() == [-1, 2, 2]
    assert texts(axes) == ["hill climbing (legacy) 1.5", "genetic 2"]


def test_one_point_of_convergence_is_a_dot() -> None:
    axes = convergence(FoundPortfolio("genetic", "improved", np.array([0]), 1.0, 1, ((1, 1.0),)))
    low, high = axes.get_xlim()
    assert 0 < low < 1 < high
    assert texts(axes) == ["genetic 1"]


def test_searches_that_kept_nothing_are_said() -> None:
    axes = convergence(FoundPortfolio("genetic", "improved", np.array([0]), 1.0, 1))
    assert texts(axes) == ["no search kept how it converged"]


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [
        (1, 100_000, [1, 10, 100, 1_000, 10_000, 100_000]),
        (30, 700, [50, 100, 200, 500]),
        (33, 34, [34]),
    ],
)
def test_evaluations_are_marked_in_whole_numbers(first: int, last: int, ticks: list[int]) -> None:
    axes = Figure().add_subplot()
    evaluation_axis(axes, first, last)
    found_ticks = axes.get_xticks().tolist()
    assert found_ticks == pytest.approx(ticks)
    assert axes.xaxis.get_major_formatter()(100_000, 0) == "100,000"


def test_sizes_make_a_line_a_search_and_a_ring_about_the_best() -> None:
    axes = Figure().add_subplot()
    draw_sizes(axes, several(), NAMES)
    genetic, climbing, ring = axes.lines
    assert np.asarray(genetic.get_ydata()).tolist() == [2, 4]
    assert np.asarray(climbing.get_ydata()).tolist() == [1.5, 3]
    assert ring.get_xydata().tolist() == [[4, 4]]
    assert axes.get_xticks().tolist() == [3, 4]


def test_many_sizes_do_not_crowd_the_axis() -> None:
    axes = Figure().add_subplot()
    many = [found(*range(size), fitness=float(size)) for size in range(10, 101)]
    draw_sizes(axes, many, ("genetic",))
    assert len(axes.get_xticks()) <= 30


def test_one_size_makes_rows_by_fitness() -> None:
    axes = Figure().add_subplot()
    draw_sizes(axes, several()[2:], NAMES)
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["genetic", "hill climbing (legacy)"]
    assert texts(axes) == ["4", "3"]
    assert axes.get_xlabel() == "fitness, 4 members"


def test_an_algorithm_has_one_colour_and_its_legacy_form_is_dashed() -> None:
    legacy, improved = found(1, form="legacy"), found(1)
    assert look_of(legacy, NAMES)["color"] == look_of(improved, NAMES)["color"]
    assert look_of(legacy, NAMES)["linestyle"] != look_of(improved, NAMES)["linestyle"]
    nine = [chr(ord("a") + place) for place in range(9)]
    first, ninth = (look_of(found(1, algorithm=name), nine) for name in ("a", "i"))
    assert first["color"] == ninth["color"]
    assert first["marker"] != ninth["marker"]


def test_names_in_words() -> None:
    assert search_name(found(1, algorithm="ant_colony", form="legacy")) == "ant colony (legacy)"
    assert counted(1) == "1 member"
    assert counted(37) == "37 members"
