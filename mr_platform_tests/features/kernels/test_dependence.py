"""Correlation, slope and trend against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.dependence import moments, pearson, slope, trend

LENGTH = 12
Series = list[float | None]

_values = st.one_of(st.none(), st.integers(-3, 3).map(float))
_two_groups = st.lists(_values, min_size=2 * LENGTH, max_size=2 * LENGTH)


def frame(x: Series, y: Series) -> pl.DataFrame:
    groups = len(x) // LENGTH
    return pl.DataFrame(
        {
            "g": [g for g in range(groups) for _ in range(LENGTH)],
            "j": list(range(LENGTH)) * groups,
            "x": x,
            "y": y,
        },
        schema={"g": pl.UInt32, "j": pl.Int32, "x": pl.Float64, "y": pl.Float64},
    )


def pairs(x: Series, y: Series, row: int, w: int) -> list[tuple[Fraction, Fraction]]:
    """Valid pairs of the window that ends at a row and stays in its group."""
    first = max(row - w + 1, row // LENGTH * LENGTH)
    return [
        (Fraction(a), Fraction(b))
        for a, b in zip(x[first : row + 1], y[first : row + 1], strict=True)
        if a is not None and b is not None
    ]


def exact(found: list[tuple[Fraction, Fraction]], needed: int) -> tuple[float | None, float | None]:
    """Correlation and slope of y on x, in fractions."""
    n = len(found)
    if n < needed:
        return None, None
    sx, sy = sum(a for a, _ in found), sum(b for _, b in found)
    xx = n * sum(a * a for a, _ in found) - sx * sx
    yy = n * sum(b * b for _, b in found) - sy * sy
    xy = n * sum(a * b for a, b in found) - sx * sy
    rho = float(xy) / math.sqrt(xx * yy) if xx and yy else None
    return rho, float(xy / xx) if xx else None


def agree(found: list[float | None], expected: list[float | None]) -> None:
    assert [value is None for value in found] == [value is None for value in expected]
    for one, other in zip(found, expected, strict=True):
        if one is not None:
            assert one == pytest.approx(other, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(_two_groups, _two_groups, st.integers(1, LENGTH + 3), st.integers(2, 6))
def test_correlation_and_slope_are_the_exact_ones(x: Series, y: Series, w: int, needed: int):
    p = ColumnPlan(length=LENGTH)
    outputs = {"rho": pearson(p, "x", "y", w, needed), "slope": slope(p, "y", "x", w, needed)}
    found = p.run(frame(x, y).lazy(), outputs).collect()
    expected = [exact(pairs(x, y, row, w), needed) for row in range(len(x))]
    agree(found["rho"].to_list(), [rho for rho, _ in expected])
    agree(found["slope"].to_list(), [slope for _, slope in expected])


@settings(max_examples=30, deadline=None)
@given(_two_groups, st.integers(2, LENGTH))
def test_trend_is_the_exact_one_on_the_minute_index(y: Series, w: int):
    p = ColumnPlan(length=LENGTH)
    steepness, share = trend(p, "y", w, 2)
    found = p.run(frame(y, y).lazy(), {"slope": steepness, "r2": share}).collect()
    index: Series = [float(row % LENGTH) for row in range(len(y))]
    expected = [exact(pairs(index, y, row, w), 2) for row in range(len(y))]
    agree(found["slope"].to_list(), [slope for _, slope in expected])
    agree(found["r2"].to_list(), [None if rho is None else rho**2 for rho, _ in expected])


@settings(max_examples=30, deadline=None)
@given(_two_groups, _two_groups, st.lists(st.integers(1, LENGTH), min_size=1, max_size=4))
def test_several_windows_at_once_are_each_window_by_itself(x: Series, y: Series, many: list[int]):
    p = ColumnPlan(length=LENGTH)
    found = moments(p, "x", "y", many)
    together = p.run(frame(x, y).lazy(), {f"{w}": found[w].correlation(2) for w in many}).collect()
    for w in set(many):
        expected = [exact(pairs(x, y, row, w), 2)[0] for row in range(len(x))]
        agree(together[f"{w}"].to_list(), expected)


def test_a_hand_worked_window():
    # x = 1, 2, 4 and y = 2, 3, 3: n² cov = 3·20 - 7·8 = 4, n² var = 14 and 2
    x: Series = [1.0, 2.0, None, 4.0, 5.0, *[None] * 7]
    y: Series = [2.0, 3.0, 9.0, 3.0, None, *[None] * 7]
    p = ColumnPlan(length=LENGTH)
    outputs = {"rho": pearson(p, "x", "y", 4, 3), "slope": slope(p, "y", "x", 4, 3)}
    found = p.run(frame(x, y).lazy(), outputs).collect()
    assert found["rho"][3] == pytest.approx(4 / math.sqrt(28))
    assert found["slope"][3] == pytest.approx(4 / 14)
    # the window 2 .. 5 holds two pairs only, three are needed
    assert found["rho"].to_list()[:3] == [None] * 3
    assert found["rho"].to_list()[4:] == [None] * 8


def test_a_constant_series_has_no_correlation_but_a_flat_slope():
    x: Series = [float(row) for row in range(LENGTH)]
    y: Series = [0.1] * LENGTH
    p = ColumnPlan(length=LENGTH)
    steepness, share = trend(p, "y", 5, 3)
    outputs = {"rho": pearson(p, "x", "y", 5, 3), "slope": steepness, "r2": share}
    found = p.run(frame(x, y).lazy(), outputs).collect()
    assert found["rho"].null_count() == LENGTH
    assert found["r2"].null_count() == LENGTH
    assert found["slope"].to_list()[2:] == pytest.approx([0.0] * (LENGTH - 2), abs=1e-14)


def test_a_huge_value_leaves_no_trace_once_it_is_outside_the_window():
    x: Series = [1e9, 1.0, 2.0, 3.0, 5.0, 4.0, 2.0, 2.0, 3.0, 1.0, 0.0, 2.0]
    y: Series = [1e9, 2.0, 1.0, 3.0, 4.0, 4.0, 1.0, 2.0, 2.0, 0.0, 0.0, 1.0]
    p = ColumnPlan(length=LENGTH)
    found = p.run(frame(x, y).lazy(), {"rho": pearson(p, "x", "y", 4, 3)}).collect()
    expected = [exact(pairs(x, y, row, 4), 3)[0] for row in range(4, LENGTH)]
    agree(found["rho"].to_list()[4:], expected)
