"""Both relative strengths against plain loops, with gaps, warm-up and phases."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.oscillators import RSI_PERIODS, rsi_cutler, rsi_wilder
from mr_platform.features.kernels.windows import change

LENGTH = 120
ticks = st.lists(
    st.one_of(st.none(), st.integers(1, 400)), min_size=2 * LENGTH, max_size=2 * LENGTH
)


def two_groups(values: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"g": [0] * LENGTH + [1] * LENGTH, "j": [*range(LENGTH)] * 2, "x": values},
        schema_overrides={"j": pl.Int32, "x": pl.Float64},
    )


def run(plan: ColumnPlan, frame: pl.DataFrame, column: pl.Expr) -> list[float | None]:
    return plan.run(frame.lazy(), {"y": column}).collect()["y"].to_list()


def moves(values: list[float | None], k: int) -> list[float | None]:
    out: list[float | None] = []
    for place, now in enumerate(values):
        before = values[place - k] if place >= k else None
        out.append(None if now is None or before is None else now - before)
    return out


def strength(up: float, down: float) -> float | None:
    return 100.0 * up / (up + down) if up + down >= 1e-12 else None


def naive_cutler(values: list[float | None], k: int) -> list[float | None]:
    changes = moves(values, k)
    out: list[float | None] = []
    for place in range(len(values)):
        window = [x for x in changes[max(0, place - 14 * k + 1) : place + 1] if x is not None]
        enough = len(window) >= RSI_PERIODS
        up, down = sum(max(x, 0.0) for x in window), sum(max(-x, 0.0) for x in window)
        out.append(strength(up, down) if enough else None)
    return out


def naive_wilder(changes: list[float | None], needed: int) -> list[float | None]:
    out: list[float | None] = []
    up = down = count = 0.0
    for x in changes:
        if x is None:
            out.append(None)
            continue
        count += 1
        up, down = up * 13 / 14 + max(x, 0.0), down * 13 / 14 + max(-x, 0.0)
        weight = (1 - (13 / 14) ** count) * 14
        out.append(strength(up / weight, down / weight) if count >= needed else None)
    return out


def assert_same(ours: list[float | None], theirs: list[float | None]) -> None:
    assert [x is None for x in ours] == [x is None for x in theirs]
    assert [x for x in ours if x is not None] == pytest.approx(
        [x for x in theirs if x is not None], rel=1e-10, abs=1e-10
    )


@settings(max_examples=25, deadline=None)
@given(values=ticks, k=st.sampled_from([1, 3, 5]))
def test_cutler_is_the_plain_mean_of_moves(values: list[float | None], k: int) -> None:
    p = ColumnPlan(length=LENGTH)
    ours = run(p, two_groups(values), rsi_cutler(p, "x", k))
    assert_same(ours, naive_cutler(values[:LENGTH], k) + naive_cutler(values[LENGTH:], k))


@settings(max_examples=25, deadline=None)
@given(values=ticks, needed=st.integers(1, 20))
def test_wilder_is_the_decaying_mean_of_moves(values: list[float | None], needed: int) -> None:
    p = ColumnPlan(length=LENGTH)
    ours = run(p, two_groups(values), rsi_wilder(p, change(p, "x", 1), min_periods=needed))
    expected = [
        x for part in (values[:LENGTH], values[LENGTH:])
        for x in naive_wilder(moves(part, 1), needed)
    ]  # fmt: skip
    assert_same(ours, expected)


def test_wilder_by_phases_equals_each_phase_alone() -> None:
    k = 3
    generator = np.random.default_rng(5)
    values: list[float | None] = list(100.0 + generator.normal(0, 1, 2 * LENGTH).cumsum())
    values[10] = values[44] = None
    frame = two_groups(values).with_columns(phase=pl.col("j") % k)
    p = ColumnPlan(length=LENGTH)
    ours = run(p, frame, rsi_wilder(p, change(p, "x", k), min_periods=14, by=["phase"]))
    for start in range(k):
        sampled = values[start:LENGTH:k]
        assert_same(ours[start:LENGTH:k], naive_wilder(moves(sampled, 1), 14))


def test_one_sided_and_still_prices() -> None:
    rising: list[float | None] = [100.0 + place for place in range(LENGTH)]
    still: list[float | None] = [100.0] * LENGTH
    frame = two_groups(rising + still)
    p = ColumnPlan(length=LENGTH)
    for column in (rsi_cutler(p, "x", 1), rsi_wilder(p, change(p, "x", 1), min_periods=14)):
        result = run(p, frame, column)
        assert result[:14] == [None] * 14
        assert result[14:LENGTH] == [100.0] * (LENGTH - 14)
        assert result[LENGTH:] == [None] * LENGTH
