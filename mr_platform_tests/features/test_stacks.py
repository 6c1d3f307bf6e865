"""Stacked runs against the same plan run column by column."""

from __future__ import annotations

import numpy as np
import polars as pl
from polars.testing import assert_series_equal

from mr_platform.features import stacks
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import rolling_mean, session_sum
from mr_platform.gateways.frame_engine import CpuEngine

LENGTH = 20
NAMES = ("a", "b", "c", "d", "e")


def made_frame() -> pl.DataFrame:
    random = np.random.default_rng(3)
    rows = 3 * LENGTH
    frame = pl.DataFrame({name: random.normal(size=rows) for name in NAMES})
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 7 > 0).then(pl.col("b")).alias("b"),
        (pl.int_range(pl.len(), dtype=pl.Int32) % LENGTH).alias("j"),
    )


def test_every_block_is_what_the_plan_gives_for_it_alone(monkeypatch):
    frame = made_frame()
    p = ColumnPlan(length=LENGTH)
    outputs = {"mean_{}": rolling_mean(p, "x", 6, 3), "twice_{}": pl.col("x") * 2.0}
    blocks = {name: {"x": name} for name in NAMES}
    whole = stacks.run_stacked(frame, blocks, p, outputs, CpuEngine())
    assert [s.name for s in whole] == [f"{w}_{n}" for n in NAMES for w in ("mean", "twice")]
    for name in NAMES:
        alone = p.run(frame.select("j", pl.col(name).alias("x")).lazy(), outputs).collect()
        for output in outputs:
            found = next(s for s in whole if s.name == output.format(name))
            assert_series_equal(found, alone[output].alias(found.name), check_exact=True)
    # a limit of rows changes nothing but the memory that is needed
    monkeypatch.setattr(stacks, "STACK_ROWS", 2 * frame.height)
    in_parts = stacks.run_stacked(frame, blocks, p, outputs, CpuEngine())
    monkeypatch.setattr(stacks, "STACK_ROWS", 1)
    one_by_one = stacks.run_stacked(frame, blocks, p, outputs, CpuEngine())
    for one, other, third in zip(whole, in_parts, one_by_one, strict=True):
        assert_series_equal(one, other, check_exact=True)
        assert_series_equal(one, third, check_exact=True)


def test_blocks_may_differ_in_height_and_hold_a_number(monkeypatch):
    frame = made_frame()
    p = ColumnPlan(length=LENGTH)
    outputs = {"{}_total": session_sum(p, pl.col("x") * pl.col("factor"))}
    blocks = {
        name: {"x": frame[name].head(groups * LENGTH), "factor": factor}
        for name, groups, factor in (("a", 3, 2.0), ("b", 1, 0.5), ("c", 2, -1.0))
    }
    whole = stacks.run_blocks(blocks, p, outputs, CpuEngine())
    for found, (name, block) in zip(whole, blocks.items(), strict=True):
        assert found.name == f"{name}_total"
        values = block["x"].fill_null(0.0) * block["factor"]
        parts = [values.slice(at, LENGTH).cum_sum() for at in range(0, len(values), LENGTH)]
        assert_series_equal(found, pl.concat(parts).alias(found.name))
    for limit in (1, 4 * LENGTH):
        monkeypatch.setattr(stacks, "STACK_ROWS", limit)
        in_parts = stacks.run_blocks(blocks, p, outputs, CpuEngine())
        for one, other in zip(whole, in_parts, strict=True):
            assert_series_equal(one, other, check_exact=True)


def test_no_blocks_give_nothing():
    p = ColumnPlan(length=LENGTH)
    assert stacks.run_blocks({}, p, {"{}": pl.col("x") * 2.0}, CpuEngine()) == []
