"""Percentiles and ranks against counting by hand, with ties, gaps, signed zeros and groups."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.ranks import (
    past_extremes,
    past_percentiles,
    percentile,
    session_percentile,
    session_rank,
    trailing_percentiles,
)

LENGTH = 21  # no power of two, so that the last digit of a rank is not full
Values = list[float | None]

# few values, so that ties are common; both zeros, which are equal
numbers = st.sampled_from([None, -0.0, 0.0, 0.1, 0.1 + 1e-16, 0.2, 0.3, -1.5, 7.0, 1e-300])
sessions = st.lists(numbers, min_size=2 * LENGTH, max_size=2 * LENGTH)


def pctl(x: float | None, h: Values, needed: int) -> float | None:
    known = [value for value in h if value is not None]
    if x is None or len(known) < max(needed, 1):
        return None
    return (sum(v < x for v in known) + 0.5 * sum(v == x for v in known)) / len(known)


def irank(x: float | None, h: Values, needed: int) -> float | None:
    known = [value for value in h if value is not None]
    if x is None or len(known) < max(needed, 1) or max(known) - min(known) < 1e-12:
        return None
    return min(max((x - min(known)) / (max(known) - min(known)), 0.0), 1.0)


def before(values: Values, place: int, w: int) -> Values:
    start = place - place % LENGTH
    return values[max(start, place - w) : place]


def run(values: Values, build) -> list[float | None]:
    plan = ColumnPlan(length=LENGTH)
    column = build(plan)
    frame = pl.DataFrame(
        {"g": [3] * LENGTH + [4] * LENGTH, "j": [*range(LENGTH)] * 2, "x": values},
        schema={"g": pl.UInt32, "j": pl.Int32, "x": pl.Float64},
    )
    return plan.run(frame.lazy(), {"y": column}).collect()["y"].to_list()


@settings(max_examples=40, deadline=None)
@given(
    sessions,
    st.dictionaries(
        st.sampled_from([1, 2, 5, LENGTH - 2, LENGTH - 1, 3 * LENGTH]),
        st.integers(0, 4),
        min_size=1,
    ),
)
def test_trailing_percentiles_count_the_values_before(
    values: Values, windows: dict[int, int]
) -> None:
    for w, needed in windows.items():
        expected = [pctl(values[i], before(values, i, w), needed) for i in range(len(values))]
        assert run(values, lambda p, w=w: trailing_percentiles(p, "x", windows)[w]) == expected


@settings(max_examples=40, deadline=None)
@given(sessions, st.integers(0, 6))
def test_session_percentile_counts_the_session_before(values: Values, needed: int) -> None:
    expected = [pctl(values[i], before(values, i, LENGTH), needed) for i in range(len(values))]
    assert run(values, lambda p: session_percentile(p, "x", needed)) == expected


@settings(max_examples=40, deadline=None)
@given(sessions)
def test_session_rank_takes_the_extremes_of_the_session_before(values: Values) -> None:
    expected = [irank(values[i], before(values, i, LENGTH), 2) for i in range(len(values))]
    assert run(values, lambda p: session_rank(p, "x", 2)) == expected


def test_session_percentile_by_hand() -> None:
    values: Values = [0.3, 0.1, None, 0.2, 0.2, 0.3, 0.0, *[None] * (LENGTH - 7), *[None] * LENGTH]
    got = run(values, lambda p: session_percentile(p, "x", 2))
    # at the fourth: 0.1 below, 0.3 above; at the fifth 0.2 itself was there once
    assert got[:7] == [None, None, None, 0.5, 0.5, 3.5 / 4, 0.0]
    assert got[7:] == [None] * (2 * LENGTH - 7)


def test_what_follows_changes_no_percentile() -> None:
    values: Values = [((7 * i) % 11) / 10 for i in range(2 * LENGTH)]
    cut = 9
    truncated = [v if i % LENGTH <= cut else None for i, v in enumerate(values)]
    whole, part = (
        run(series, lambda p: session_percentile(p, "x", 1)) for series in (values, truncated)
    )
    assert whole[: cut + 1] == part[: cut + 1]


@settings(max_examples=40, deadline=None)
@given(numbers, st.lists(numbers, min_size=1, max_size=8), st.integers(1, 4))
def test_ranks_beside_the_row(x: float | None, h: Values, needed: int) -> None:
    frame = pl.DataFrame(
        {"x": [x], **{f"h{i}": [value] for i, value in enumerate(h)}},
        schema_overrides=dict.fromkeys(["x", *[f"h{i}" for i in range(len(h))]], pl.Float64),
    )
    columns = [pl.col(f"h{i}") for i in range(len(h))]
    p = ColumnPlan()
    got = p.run(frame.lazy(), {"p": percentile(p, pl.col("x"), columns, needed)}).collect()
    assert got["p"].item() == pctl(x, h, needed)


DEPTHS = {2: 1, 5: 3}

pasts = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 7), numbers), max_size=25, unique_by=lambda t: t[:2]
)
asks = st.lists(st.tuples(st.integers(0, 3), numbers), min_size=1, max_size=12)


def past_frame(past: list[tuple[int, int, float | None]]) -> pl.LazyFrame:
    schema = {"key": pl.Int64, "back": pl.Int32, "h": pl.Float64}
    return pl.LazyFrame(past, schema=schema, orient="row")


@settings(max_examples=60, deadline=None)
@given(asks, pasts)
def test_past_percentiles_count_by_key_and_depth(
    asked: list[tuple[int, float | None]], past: list[tuple[int, int, float | None]]
) -> None:
    rows = pl.LazyFrame(
        [(key, place, x) for place, (key, x) in enumerate(asked)],
        schema={"key": pl.Int64, "row": pl.UInt32, "x": pl.Float64},
        orient="row",
    )
    found = past_percentiles(rows, past_frame(past), DEPTHS).collect()
    assert found["row"].is_unique().all()
    by_row = {row[0]: row[1:] for row in found.iter_rows()}
    for place, (key, x) in enumerate(asked):
        expected = tuple(
            pctl(x, [h for k, back, h in past if k == key and back <= depth], needed)
            for depth, needed in DEPTHS.items()
        )
        assert by_row.get(place, (None, None)) == expected


@settings(max_examples=40, deadline=None)
@given(pasts)
def test_past_extremes_by_key_and_depth(past: list[tuple[int, int, float | None]]) -> None:
    found = past_extremes(past_frame(past), DEPTHS).collect()
    assert set(found["key"]) == {key for key, _, _ in past}
    for row in found.iter_rows(named=True):
        for depth, needed in DEPTHS.items():
            known = [
                h for k, back, h in past if k == row["key"] and back <= depth and h is not None
            ]
            enough = len(known) >= needed
            assert row[f"least_{depth}"] == (min(known) if enough else None)
            assert row[f"greatest_{depth}"] == (max(known) if enough else None)


def test_percentile_of_a_value_among_equals_is_a_half() -> None:
    rows = pl.LazyFrame({"key": [1], "row": [0], "x": [0.5]})
    past = past_frame([(1, back, 0.5) for back in range(1, 4)])
    assert past_percentiles(rows, past, {5: 3}).collect()["pctl_5"].item() == pytest.approx(0.5)
