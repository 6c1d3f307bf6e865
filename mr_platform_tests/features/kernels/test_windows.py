"""Windows over the minute grid against the definitions as loops, with gaps and several groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels import windows as w

LENGTH = 23  # no power of two, so that trees of partial sums have odd rests
Values = list[float | None]
Build = Callable[[ColumnPlan], pl.Expr]

numbers = st.one_of(
    st.none(),
    st.sampled_from([0.0, -0.0, 1.0, 1.0, 2.5, -3.0]),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)),
)
groups = st.lists(numbers, min_size=2 * LENGTH, max_size=2 * LENGTH)
widths = st.sampled_from([1, 2, 3, 5, 7, 8, 15, LENGTH - 1, LENGTH, 4 * LENGTH])
needs = st.sampled_from([1, 2, 3, 7])


def run(values: Sequence[float | None], build: Build, length: int = LENGTH) -> Values:
    count = len(values) // length
    frame = pl.DataFrame(
        {
            "g": [g for g in range(count) for _ in range(length)],
            "j": list(range(length)) * count,
            "x": values,
        },
        schema={"g": pl.UInt32, "j": pl.Int32, "x": pl.Float64},
    )
    plan = ColumnPlan(length=length)
    column = build(plan)
    found = plan.run(frame.lazy(), {"y": column}).collect(optimizations=pl.QueryOptFlags.none())
    return found["y"].to_list()


def by_loop(values: Values, rule: Callable[[Values, int], float | None]) -> Values:
    """A rule over the values of the own group and the place in it."""
    found: Values = []
    for start in range(0, len(values), LENGTH):
        group = values[start : start + LENGTH]
        found += [rule(group, t) for t in range(LENGTH)]
    return found


def valid(group: Values, t: int, width: int) -> list[float]:
    return [x for x in group[max(t - width + 1, 0) : t + 1] if x is not None]


def alike(found: Values, expected: Values, rel: float = 1e-9, absolute: float = 1e-9) -> None:
    assert [x is None for x in found] == [x is None for x in expected]
    for a, b in zip(found, expected, strict=True):
        if a is not None:
            assert a == pytest.approx(b, rel=rel, abs=absolute)


# -- changes --------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(groups, st.sampled_from([0, 1, 3, LENGTH - 1, LENGTH, 3 * LENGTH]))
def test_lag_and_change_stay_in_the_group(values: Values, width: int) -> None:
    def before(group: Values, t: int) -> float | None:
        return group[t - width] if t >= width else None

    def moved(group: Values, t: int) -> float | None:
        then = before(group, t)
        return None if then is None or group[t] is None else group[t] - then  # type: ignore[operator]

    assert run(values, lambda p: w.lag(p, "x", width)) == by_loop(values, before)
    alike(run(values, lambda p: w.change(p, "x", width)), by_loop(values, moved))
    filled = [x or 0.0 for x in values]
    zero = by_loop(filled, lambda group, t: group[t - width] if t >= width else 0)  # type: ignore[arg-type]
    assert run(filled, lambda p: w.lag_or_zero(p, "x", width)) == zero


@settings(max_examples=30, deadline=None)
@given(groups)
def test_bridged_takes_the_last_valid_of_three_minutes(values: Values) -> None:
    def reach(group: Values, t: int) -> int | None:
        return next((b for b in (1, 2, 3) if t >= b and group[t - b] is not None), None)

    def value(group: Values, t: int) -> float | None:
        back = reach(group, t)
        return None if back is None else group[t - back]

    def moved(group: Values, t: int) -> float | None:
        then = value(group, t)
        return None if then is None or group[t] is None else group[t] - then  # type: ignore[operator]

    assert run(values, lambda p: w.bridged(p, "x")[0]) == by_loop(values, value)
    assert run(values, lambda p: w.bridged(p, "x")[1]) == by_loop(values, reach)  # type: ignore[arg-type]
    alike(run(values, lambda p: w.diff1(p, "x")), by_loop(values, moved))


def test_ratio_log_and_sign() -> None:
    frame = pl.DataFrame({"a": [1.0, 1.0, 1.0, -2.0, None], "b": [2.0, 0.0, 1e-13, -1.0, 1.0]})
    a, b = pl.col("a"), pl.col("b")
    assert frame.select(w.ratio(a, b)).to_series().to_list() == [0.5, None, None, 2.0, None]
    assert frame.select(w.log(b)).to_series().to_list() == [
        math.log(2), None, math.log(1e-13), None, 0.0,
    ]  # fmt: skip
    assert frame.select(w.sign(a)).to_series().to_list() == [1.0, 1.0, 1.0, -1.0, None]
    tiny = pl.DataFrame({"x": [3e-9, -3e-9, 3e-8, -3e-8, 0.0, None]})
    scaled = tiny.select(w.sign(pl.col("x"), 20000.0)).to_series().to_list()
    assert scaled == [0.0, 0.0, 1.0, -1.0, 0.0, None]
    by_column = tiny.with_columns(s=pl.lit(-20000.0)).select(w.sign(pl.col("x"), pl.col("s")))
    assert by_column.to_series().to_list() == scaled


# -- windows --------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(groups, widths, needs)
def test_sums_and_means(values: Values, width: int, need: int) -> None:
    def enough(rule: Callable[[list[float]], float]) -> Callable[[Values, int], float | None]:
        return lambda group, t: (
            rule(valid(group, t, width)) if len(valid(group, t, width)) >= need else None
        )

    total = by_loop(values, lambda group, t: math.fsum(valid(group, t, width)))
    count = by_loop(values, lambda group, t: len(valid(group, t, width)))
    positive = by_loop(values, lambda group, t: sum(x > 0 for x in valid(group, t, width)))
    alike(run(values, lambda p: w.window_sum(p, "x", width)), total, absolute=1e-6)
    assert run(values, lambda p: w.window_count(p, "x", width)) == count
    assert run(values, lambda p: w.window_count_where(p, pl.col("x") > 0, width)) == positive
    alike(
        run(values, lambda p: w.rolling_sum(p, "x", width, need)),
        by_loop(values, enough(math.fsum)),
        absolute=1e-6,
    )
    alike(
        run(values, lambda p: w.rolling_mean(p, "x", width, need)),
        by_loop(values, enough(lambda xs: math.fsum(xs) / len(xs))),
        absolute=1e-6,
    )


def test_a_great_value_leaves_no_trace_after_the_window() -> None:
    quiet: Values = [0.1 * n for n in range(LENGTH)]
    loud = list(quiet)
    loud[2] = 1e18
    for build in (
        lambda p: w.window_sum(p, "x", 5),
        lambda p: w.rolling_std(p, "x", 5, 3),
        lambda p: w.rolling_mean(p, "x", 5, 3),
    ):
        assert run(loud, build)[7:] == run(quiet, build)[7:]


# values without cancellation: the deviation of numbers near each other but not near zero
moderate = st.one_of(st.none(), st.floats(-50, 50).map(lambda x: round(x, 2)))


@settings(max_examples=40, deadline=None)
@given(st.lists(moderate, min_size=2 * LENGTH, max_size=2 * LENGTH), widths, needs)
def test_deviation_of_a_window(values: Values, width: int, need: int) -> None:
    def deviation(group: Values, t: int) -> float | None:
        known = valid(group, t, width)
        if len(known) < max(need, 2):
            return None
        return float(np.std(known, ddof=1))

    found = run(values, lambda p: w.rolling_std(p, "x", width, need))
    alike(found, by_loop(values, deviation), absolute=1e-5)


def test_deviation_of_equal_values_is_exactly_zero() -> None:
    for value in (0.1, 24831.35, -7e-5):
        values: Values = [value] * LENGTH
        assert run(values, lambda p: w.rolling_std(p, "x", 7, 2))[1:] == [0.0] * (LENGTH - 1)
        assert run(values, lambda p: w.rolling_var(p, "x", 7, 2))[1:] == [0.0] * (LENGTH - 1)
        assert run(values, lambda p: w.session_std(p, "x", 2))[1:] == [0.0] * (LENGTH - 1)


@settings(max_examples=40, deadline=None)
@given(groups, widths, needs)
def test_extremes(values: Values, width: int, need: int) -> None:
    for build, pick in ((w.rolling_max, max), (w.rolling_min, min)):

        def rule(group: Values, t: int, pick: Callable[..., float] = pick) -> float | None:
            known = valid(group, t, width)
            return pick(known) if len(known) >= need else None

        found = run(values, lambda p, build=build: build(p, "x", width, need))
        assert found == by_loop(values, rule)
    whole = by_loop(values, lambda group, t: max(valid(group, t, LENGTH), default=None))
    assert run(values, lambda p: w.session_max(p, "x")) == whole
    least = by_loop(values, lambda group, t: min(valid(group, t, LENGTH), default=None))
    assert run(values, lambda p: w.session_min(p, "x")) == least


# -- sessions -------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(moderate, min_size=2 * LENGTH, max_size=2 * LENGTH), needs)
def test_session_statistics(values: Values, need: int) -> None:
    def known(rule: Callable[[list[float]], float], least: int) -> Values:
        return by_loop(
            values,
            lambda group, t: (
                rule(valid(group, t, LENGTH)) if len(valid(group, t, LENGTH)) >= least else None
            ),
        )

    alike(run(values, lambda p: w.session_sum(p, "x")), known(math.fsum, 0))
    assert run(values, lambda p: w.session_count(p, "x")) == known(len, 0)
    alike(
        run(values, lambda p: w.session_mean(p, "x", need)),
        known(lambda xs: math.fsum(xs) / len(xs), need),
    )
    alike(
        run(values, lambda p: w.session_std(p, "x", need)),
        known(lambda xs: float(np.std(xs, ddof=1)), max(need, 2)),
        absolute=1e-5,
    )
    alike(
        run(values, lambda p: w.session_rms(p, "x", need)),
        known(lambda xs: math.sqrt(math.fsum(x * x for x in xs) / len(xs)), need),
    )
    above = by_loop(values, lambda group, t: sum(x > 1 for x in valid(group, t, LENGTH)))
    assert run(values, lambda p: w.session_count_where(p, pl.col("x") > 1)) == above


def test_session_deviation_keeps_its_digits_on_a_high_level() -> None:
    values: Values = [24000.0 + 0.05 * (n * 7 % 5) for n in range(LENGTH)]
    expected = [None] + [float(np.std(values[: t + 1], ddof=1)) for t in range(1, LENGTH)]
    alike(run(values, lambda p: w.session_std(p, "x", 2)), expected, rel=1e-10, absolute=0)


@settings(max_examples=40, deadline=None)
@given(groups, st.integers(0, 4), st.integers(4, LENGTH))
def test_first_and_open_values(values: Values, first: int, last: int) -> None:
    def opening(group: Values, t: int) -> float | None:
        start = next(
            (i for i in range(first, min(last, LENGTH - 1) + 1) if group[i] is not None), None
        )
        return None if start is None or t < start else group[start]

    def begin(group: Values, t: int) -> float | None:
        return next((x for x in group[: t + 1] if x is not None), None)

    def latest(group: Values, t: int) -> float | None:
        return next((x for x in group[t::-1] if x is not None), None)

    found = run(values, lambda p: w.open_value(p, "x", first=first, last=last))
    assert found == by_loop(values, opening)
    assert run(values, lambda p: w.first_valid(p, "x")) == by_loop(values, begin)
    assert run(values, lambda p: w.forward_filled(p, "x")) == by_loop(values, latest)
    positive = by_loop(
        values, lambda group, t: next((x for x in group[: t + 1] if x is not None and x > 0), None)
    )
    assert run(values, lambda p: w.value_at_first(p, "x", pl.col("x") > 0)) == positive


codes = st.lists(
    st.sampled_from([None, 0.0, 1.0, 1.0, 2.0]), min_size=2 * LENGTH, max_size=2 * LENGTH
)


@settings(max_examples=40, deadline=None)
@given(codes)
def test_runs(values: Values) -> None:
    def since(group: Values, t: int) -> int | None:
        return next((b for b in range(t + 1) if group[t - b] == 1.0), None)

    def length(group: Values, t: int) -> int | None:
        if group[t] is None:
            return None
        return next((b for b in range(t + 1) if group[t - b] != group[t]), t + 1)

    assert run(values, lambda p: w.minutes_since(p, pl.col("x") == 1.0)) == by_loop(values, since)
    assert run(values, lambda p: w.run_length(p, "x")) == by_loop(values, length)


# -- all of them ----------------------------------------------------------------------------------

KERNELS: dict[str, Build] = {
    "lag": lambda p: w.lag(p, "x", 3),
    "change": lambda p: w.change(p, "x", 3),
    "bridged": lambda p: w.bridged(p, "x")[0],
    "diff1": lambda p: w.diff1(p, "x"),
    "window_sum": lambda p: w.window_sum(p, "x", 7),
    "window_count": lambda p: w.window_count(p, "x", 7),
    "rolling_mean": lambda p: w.rolling_mean(p, "x", 7, 4),
    "rolling_std": lambda p: w.rolling_std(p, "x", 7, 4),
    "session_sum": lambda p: w.session_sum(p, "x"),
    "session_mean": lambda p: w.session_mean(p, "x", 2),
    "session_std": lambda p: w.session_std(p, "x", 2),
    "session_rms": lambda p: w.session_rms(p, "x", 2),
    "forward_filled": lambda p: w.forward_filled(p, "x"),
    "first_valid": lambda p: w.first_valid(p, "x"),
    "open_value": lambda p: w.open_value(p, "x", last=6),
    "rolling_max": lambda p: w.rolling_max(p, "x", 7, 3),
    "session_min": lambda p: w.session_min(p, "x"),
    "minutes_since": lambda p: w.minutes_since(p, pl.col("x") > 0),
    "run_length": lambda p: w.run_length(p, w.sign(pl.col("x"))),
}


def random_values(seed: int, count: int) -> Values:
    source = np.random.default_rng(seed)
    return [
        None if gap else float(x)
        for gap, x in zip(source.random(count) < 0.15, source.normal(0, 3, count), strict=True)
    ]


@pytest.mark.parametrize("name", KERNELS)
def test_bits_do_not_depend_on_the_batch(name: str) -> None:
    days = [random_values(seed, LENGTH) for seed in range(5)]
    alone = [run(day, KERNELS[name]) for day in days]
    assert run([x for day in days for x in day], KERNELS[name]) == [x for y in alone for x in y]


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_looks_ahead(name: str) -> None:
    values = random_values(3, LENGTH)
    whole = run(values, KERNELS[name])
    for t in (0, 4, 8, 15):
        cut = values[: t + 1] + [None] * (LENGTH - t - 1)
        assert run(cut, KERNELS[name])[: t + 1] == whole[: t + 1]


@pytest.mark.parametrize("name", KERNELS)
def test_a_series_that_is_missing_keeps_its_rows(name: str) -> None:
    found = run([None] * LENGTH, KERNELS[name])
    assert set(found) <= {None, 0}
    assert len(found) == LENGTH
