from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from mr_platform.pictures.score_plots import draw_strips, strip_range
from mr_platform.registry.loader import load_registry
from mr_platform_tests.pictures import picture_days as days

ONLINE = load_registry().online
SCORE = next(column for column in ONLINE if column.name == "c1_momentum_score")


def column(low: float | None, high: float | None) -> object:
    return dataclasses.replace(SCORE, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "values", "wanted"),
    [
        (-1, 1, [0.3, -0.2], (-1, 1, 0, True)),
        (1, 7, [2, 3], (1, 7, 1, True)),
        (-10, 10, [0.3, -0.2], (-0.2, 0.3, 0, False)),
        (0, None, [2.0, 4.0], (0, 4, 0, False)),
        (None, None, [-3.0, -1.0], (-3, 0, 0, False)),
        (None, None, [0.0, 0.0], (0, 1, 0, False)),
        (None, None, [], (-1, 1, 0, False)),
    ],
)
def test_a_strip_spans_the_declared_range_or_the_days_own(
    low: float | None, high: float | None, values: list[float], wanted: tuple[float, ...]
) -> None:
    found = strip_range(column(low, high), np.array([*values, np.nan]))  # type: ignore[arg-type]
    assert dataclasses.astuple(found) == wanted


def test_values_are_placed_inside_their_strip() -> None:
    span = strip_range(SCORE, np.array([0.5]))
    np.testing.assert_allclose(span.place(np.array([-1.0, 0.0, 1.0, 9.0])), [0, 0.5, 1, 1])


def test_every_online_feature_has_a_strip_and_says_what_is_missing() -> None:
    axes = Figure().add_subplot()
    nulls = {"c1_momentum_score": 999}
    day = days.symbol_day(components={"c1": days.features("c1", nulls=nulls)})
    draw_strips(axes, day, ONLINE)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [c.name for c in ONLINE]
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("null all day") == 1
    of_c1 = sum(column.component == "c1" for column in ONLINE)
    assert texts.count("table or column missing") == len(ONLINE) - of_c1
