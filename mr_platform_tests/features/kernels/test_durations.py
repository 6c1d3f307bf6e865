"""Minutes since a value last changed."""

from __future__ import annotations

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.durations import minutes_unchanged


def test_minutes_count_through_gaps_and_start_again_in_each_group() -> None:
    p = ColumnPlan(length=8)
    frame = pl.DataFrame(
        {
            "g": [0] * 8 + [1] * 8,
            "j": [*range(8), *range(8)],
            "x": [None, 1, 1, None, 1, 2, None, 1, 1, 1, 1, 1, 1, 1, 1, 0],
        }
    )
    age = minutes_unchanged(p, "x")
    found = p.run(frame.lazy(), {"age": age}).collect()["age"].to_list()
    assert found[:8] == [None, 0, 1, None, 3, 0, None, 0]
    assert found[8:] == [0, 1, 2, 3, 4, 5, 6, 0]
