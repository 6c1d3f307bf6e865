"""The normal distribution against ``math.erfc``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.probability import normal_cdf, normal_density, normal_tail

Kernel = Callable[[ColumnPlan, pl.Expr], pl.Expr]

POINTS = [n / 64 for n in range(-640, 641)]


def values(kernel: Kernel, points: Sequence[float | None]) -> list[float]:
    p = ColumnPlan()
    frame = pl.LazyFrame({"x": points}, schema={"x": pl.Float64})
    return p.run(frame, {"y": kernel(p, pl.col("x"))}).collect().to_series().to_list()


def test_cdf_on_a_grid() -> None:
    expected = [0.5 * math.erfc(-x / math.sqrt(2)) for x in POINTS]
    assert values(normal_cdf, POINTS) == pytest.approx(expected, rel=0, abs=2e-15)


def test_the_tail_keeps_its_digits_far_out() -> None:
    points = [x for x in POINTS if x >= 0] + [7.07, 7.0710678118, 7.08, 15.0, 37.0]
    expected = [0.5 * math.erfc(x / math.sqrt(2)) for x in points]
    assert values(normal_tail, points) == pytest.approx(expected, rel=1e-7, abs=0)


def test_density() -> None:
    expected = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in POINTS]
    assert values(lambda _, x: normal_density(x), POINTS) == pytest.approx(expected, rel=1e-13)


def test_ends_and_null() -> None:
    far = values(normal_cdf, [-1e6, -40.0, 0.0, 40.0, 1e6, None])
    assert far == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0, None], abs=1e-16)


@given(st.floats(-12, 12), st.floats(-12, 12))
def test_cdf_lies_between_zero_and_one_is_even_and_rises(a: float, b: float) -> None:
    low, high, other = values(normal_cdf, [min(a, b), max(a, b), -max(a, b)])
    assert 0.0 <= low <= 1.0
    assert low <= high + 1e-15
    assert high + other == pytest.approx(1.0, abs=1e-15)
