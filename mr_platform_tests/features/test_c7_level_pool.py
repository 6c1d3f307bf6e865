"""Counts and choices among levels, hand-worked; against loops in ``test_c7_levels.py``."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features.c7_level_pool import (
    DAY_LEVELS,
    EXPIRY_LEVELS,
    GROUPS,
    confluence_counts,
    distance_to_other_source,
    nearest,
    reach_of,
    sources_near,
    strength,
    touches_near,
)
from mr_platform.features.column_plan import ColumnPlan


def one(expression: pl.Expr, **columns: float | None) -> object:
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))
    return frame.select(expression).item()


def levels(**known: float) -> dict[str, pl.Expr]:
    """All levels of the pool, null but for those given."""
    return {
        name: pl.lit(known.get(name), pl.Float64) for names in GROUPS.values() for name in names
    }


def test_the_pool_has_21_levels_from_8_sources() -> None:
    assert len({*DAY_LEVELS, *EXPIRY_LEVELS}) == 21
    assert len(GROUPS) == 8
    assert not {"vwap_u1", "vwap_l1", "round_minor"} & {*DAY_LEVELS, *EXPIRY_LEVELS}


def test_confluence_takes_a_level_at_the_price_as_support_and_both_edges_in() -> None:
    away = {"a": 0.0, "b": 0.001, "c": 0.0011, "d": -0.001, "e": -0.0011, "f": None, "g": -1e-9}
    plan = ColumnPlan()
    counts = confluence_counts(plan, [pl.col(name) for name in away], [0.001])
    row = {name: pl.Series([value], dtype=pl.Float64) for name, value in away.items()}
    found = plan.run(
        pl.DataFrame(row).lazy(), {f"{side}": count for (side, _), count in counts.items()}
    ).collect()
    assert found.row(0, named=True) == {"support": 2, "resistance": 2}


def test_nearest_level_on_each_side() -> None:
    columns = {"spot": 100.0, "a": 99.0, "b": 100.0, "c": 101.0, "d": None, "e": 103.0}
    lines = [pl.col(name) for name in "abcde"]
    assert one(nearest(lines, "support"), **columns) == 100.0
    assert one(nearest(lines, "resistance"), **columns) == 101.0
    assert one(nearest(lines[:2], "resistance"), **columns) is None
    assert one(nearest(lines, "support"), **{**columns, "spot": None}) is None


def test_nearest_of_levels_that_are_nowhere_known_keeps_its_rows() -> None:
    frame = pl.DataFrame({"spot": [1.0] * 5, "a": [None] * 5, "b": [None] * 5},
                         schema_overrides={"a": pl.Float64, "b": pl.Float64})  # fmt: skip
    for side in ("support", "resistance"):
        found = frame.with_columns(x=nearest([pl.col("a"), pl.col("b")], side))
        assert found["x"].to_list() == [None] * 5


def test_neighbours_are_counted_by_source_and_within_a_tenth_of_a_percent() -> None:
    known = levels(pdh=1000.0, pdl=1000.5, pp=1001.0, r1=1001.1, orh=999.0, vwap=998.9, swh=1000.0)
    level = pl.lit(1000.0)
    # prev_day, pivot, or, swing
    assert pl.select(sources_near(level, reach_of(level), known)).item() == 4
    counts = {"pdh": pl.lit(3), "pp": pl.lit(2), "r1": pl.lit(50), "orh": pl.lit(None, pl.Int32)}
    assert pl.select(touches_near(level, reach_of(level), known, counts)).item() == 5


def test_distance_to_another_source_leaves_the_own_out() -> None:
    known = levels(pdh=1000.0, pdl=1000.5, pp=1003.0)
    assert pl.select(distance_to_other_source("pdh", known, list(known))).item() == 3.0
    assert pl.select(distance_to_other_source("pp", known, list(known))).item() == 2.5
    alone = levels(pdh=1000.0, pdl=1000.5)
    assert pl.select(distance_to_other_source("pdh", alone, list(alone))).item() is None


def test_strength() -> None:
    assert pl.select(strength(pl.lit(1), pl.lit(0))).item() == 0.0
    assert pl.select(strength(pl.lit(3), pl.lit(2))).item() == pytest.approx(1 - math.exp(-1))
