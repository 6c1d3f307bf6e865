"""Count, sum and mean of columns beside each other, and how many conditions hold."""

from __future__ import annotations

import numpy as np
import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.across import (
    count_across,
    count_where_across,
    mean_across,
    sum_across,
)

NAMES = ("a", "b", "c")
FRAME = pl.DataFrame(
    {"a": [1.0, None, None, 2.0], "b": [2.0, 3.0, None, 0.5], "c": [6.0, 4.0, None, None]}
)
COLUMNS = [pl.col(name) for name in NAMES]


def test_nulls_are_left_out():
    found = FRAME.select(count=count_across(COLUMNS), total=sum_across(COLUMNS))
    assert found["count"].to_list() == [3, 2, 0, 2]
    assert found["total"].to_list() == [9.0, 7.0, 0.0, 2.5]


def test_conditions_are_counted_and_null_is_no():
    found = FRAME.select(high=count_where_across([column >= 2.0 for column in COLUMNS]))
    assert found["high"].to_list() == [2, 2, 0, 1]
    assert found.schema["high"] == FRAME.select(count_across(COLUMNS)).to_series().dtype == pl.Int32


def test_a_mean_needs_its_number_of_values():
    p = ColumnPlan()
    outputs = {"two": mean_across(p, COLUMNS, 2), "any": mean_across(p, COLUMNS, 0)}
    found = p.run(FRAME.lazy(), outputs).collect()
    assert found["two"].to_list() == [3.0, 3.5, None, 1.25]
    assert found["any"].to_list() == [3.0, 3.5, None, 1.25]
    assert p.run(FRAME.lazy(), {"all": mean_across(p, COLUMNS, 3)}).collect()["all"].to_list() == [
        3.0, None, None, None,
    ]  # fmt: skip


def test_the_sum_adds_in_the_order_given():
    values = np.random.default_rng(1).normal(size=(16, 500))
    frame = pl.DataFrame({f"x{i}": row for i, row in enumerate(values)})
    found = frame.select(sum_across([pl.col(name) for name in frame.columns])).to_series()
    expected = values[0].copy()
    for row in values[1:]:
        expected = expected + row
    assert (found.to_numpy() == expected).all()
