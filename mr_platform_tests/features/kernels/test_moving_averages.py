"""Exponential means against Polars' and pandas' own, with gaps, warm-up, groups and phases."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.moving_averages import (
    ema,
    ema_span,
    macd,
    span_alpha,
    wilder_mean,
)

LENGTH = 60

prices = st.lists(
    st.one_of(st.none(), st.floats(min_value=0.05, max_value=30_000.0)),
    min_size=2 * LENGTH,
    max_size=2 * LENGTH,
)


def two_groups(values: list[float | None], length: int = LENGTH) -> pl.DataFrame:
    return pl.DataFrame(
        {"g": [0] * length + [1] * length, "j": [*range(length)] * 2, "x": values},
        schema_overrides={"j": pl.Int32, "x": pl.Float64},
    )


def run(plan: ColumnPlan, frame: pl.DataFrame, column: pl.Expr) -> pl.Series:
    return plan.run(frame.lazy(), {"y": column}).collect()["y"]


def assert_same(ours: pl.Series, theirs: pl.Series, rel: float = 1e-12) -> None:
    assert ours.is_null().to_list() == theirs.is_null().to_list()
    assert ours.drop_nulls().to_list() == pytest.approx(theirs.drop_nulls().to_list(), rel=rel)


def polars_mean(x: pl.Expr, alpha: float, min_periods: int) -> pl.Expr:
    mean = x.ewm_mean(alpha=alpha, adjust=True, ignore_nulls=True, min_samples=min_periods)
    return pl.when(x.is_not_null()).then(mean)


def sample() -> list[float | None]:
    generator = np.random.default_rng(7)
    values: list[float | None] = list(
        100.0 * np.exp(generator.normal(0, 0.01, 2 * LENGTH).cumsum())
    )
    for place in (0, 1, 7, 8, 9, 30, LENGTH + 2, LENGTH + 40):
        values[place] = None
    return values


@settings(max_examples=40, deadline=None)
@given(values=prices, alpha=st.floats(0.005, 0.6), needed=st.integers(1, 12))
def test_ema_is_the_normalised_mean_of_each_group(
    values: list[float | None], alpha: float, needed: int
) -> None:
    frame = two_groups(values)
    p = ColumnPlan(length=LENGTH)
    ours = run(p, frame, ema(p, "x", alpha=alpha, min_periods=needed))
    theirs = frame.select(polars_mean(pl.col("x"), alpha, needed).over("g"))["x"]
    assert_same(ours, theirs, rel=1e-11)


def test_ema_agrees_with_pandas() -> None:
    frame = two_groups(sample())
    p = ColumnPlan(length=LENGTH)
    ours = run(p, frame, ema_span(p, "x", 9, min_periods=4))
    series = pd.Series(sample(), dtype=float)
    theirs = pd.concat(
        part.ewm(span=9, adjust=True, ignore_na=True, min_periods=4).mean().where(part.notna())
        for part in (series[:LENGTH], series[LENGTH:])
    )
    assert_same(ours, pl.Series(theirs.to_numpy(), nan_to_null=True))


def test_ema_by_hand() -> None:
    # alpha 1/2: weights 1, 2, 4 for the valid values, the gap does not count
    frame = two_groups([10.0, None, 20.0, 40.0, *[None] * 4], length=4)
    p = ColumnPlan(length=4)
    assert run(p, frame, ema(p, "x", alpha=0.5, min_periods=2)).to_list()[:4] == [
        None, None, pytest.approx(50.0 / 3.0), pytest.approx(210.0 / 7.0),
    ]  # fmt: skip


def test_mean_of_equal_values_is_that_value_up_to_rounding() -> None:
    frame = two_groups([1234.55] * 750, length=375)
    p = ColumnPlan()
    for span in (20, 100, 200):
        mean = run(p, frame, ema_span(p, "x", span, min_periods=1))
        assert ((mean - 1234.55).abs() <= 1e-12 * 1234.55).all()


def test_phases_are_separate_streams() -> None:
    frame = two_groups(sample()).with_columns(phase=pl.col("j") % 5)
    p = ColumnPlan(length=LENGTH)
    ours = run(p, frame, ema_span(p, "x", 12, min_periods=3, by=["phase"]))
    theirs = frame.select(polars_mean(pl.col("x"), span_alpha(12), 3).over("g", "phase"))["x"]
    assert_same(ours, theirs)


def test_counted_shares_the_count_and_changes_nothing() -> None:
    frame = two_groups(sample())
    p = ColumnPlan(length=LENGTH)
    square = p.let(pl.col("x") * pl.col("x"))
    apart = run(p, frame, wilder_mean(p, square, 14, min_periods=14))
    shared = run(p, frame, wilder_mean(p, square, 14, min_periods=14, counted="x"))
    assert apart.to_list() == shared.to_list()


def test_a_group_does_not_see_the_one_before() -> None:
    values = sample()
    p = ColumnPlan(length=LENGTH)
    column = ema_span(p, "x", 20, min_periods=1)
    both = run(p, two_groups(values), column)[LENGTH:].to_list()
    alone = run(p, two_groups([1e9] * LENGTH + values[LENGTH:]), column)[LENGTH:].to_list()
    assert both == alone


def test_macd_starts_when_its_means_do() -> None:
    generator = np.random.default_rng(3)
    values = list(200.0 + generator.normal(0, 1, 2 * LENGTH).cumsum())
    values[5] = None
    frame = two_groups(values)
    p = ColumnPlan(length=LENGTH)
    lines = macd(p, "x", fast=12, slow=26, smooth=9)
    result = p.run(
        frame.lazy(), {"line": lines.line, "signal": lines.signal, "histogram": lines.histogram}
    ).collect()
    first = result.head(LENGTH)
    # one gap: the 26th and the 34th valid value are at places 26 and 34
    assert first["line"].is_null().to_list() == [place < 26 for place in range(LENGTH)]
    assert first["signal"].is_null().to_list() == [place < 34 for place in range(LENGTH)]
    x = pl.col("x")
    line = (polars_mean(x, span_alpha(12), 12) - polars_mean(x, span_alpha(26), 26)).over("g")
    theirs = frame.with_columns(line=line).with_columns(
        signal=polars_mean(pl.col("line"), span_alpha(9), 9).over("g")
    )
    assert_same(result["line"], theirs["line"], rel=1e-9)
    assert_same(result["signal"], theirs["signal"], rel=1e-9)
    assert_same(result["histogram"], theirs["line"] - theirs["signal"], rel=1e-8)


def test_a_weight_beyond_floats_is_refused() -> None:
    p = ColumnPlan(length=1500)
    with pytest.raises(ValueError, match="too large"):
        ema(p, "x", alpha=0.5, min_periods=1)
    assert span_alpha(3) == 0.5
    assert math.isclose(span_alpha(26), 2 / 27)
