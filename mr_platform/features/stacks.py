"""One plan for many columns at once: the columns set one above the other.

Here: stacking columns of a frame, running a plan over the stack, taking it apart again.
Not here: plans themselves (``column_plan.py``), which columns a component stacks.

A column costs about the same whatever it holds as long as it is short, and a day is short. So a
formula that is wanted for thirty pairs of columns is cheaper over one stack of thirty days' height
than thirty times over one day. Every block keeps its groups whole, so no window notices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.gateways.frame_engine import FrameEngine

STACK_ROWS = 200_000
"""Rows of a stack at most, so that a batch of many days stays light in memory."""

Block = Mapping[str, str]
"""Column of the frame for each input column of the plan."""


def run_stacked(
    frame: pl.DataFrame,
    blocks: Mapping[str, Block],
    plan: ColumnPlan,
    outputs: Mapping[str, pl.Expr],
    engine: FrameEngine,
) -> list[pl.Series]:
    """Run one plan for several choices of its input columns.

    Args:
        frame: Rows as ``ColumnPlan`` describes, with the plan's index column; it holds the
            columns that the blocks name, all of one type for each input. Windows that need the
            group's number (``ColumnPlan.over``) cannot be stacked.
        blocks: Inputs of the plan by the name of the block.
        plan: The plan.
        outputs: Its outputs; each name holds ``{}`` for the name of the block.
        engine: Where to work it out.

    Returns:
        Every output of every block, named, with the frame's rows; views into the stacks.
    """
    height = frame.height
    at_once = max(1, STACK_ROWS // max(height, 1))
    names = list(blocks)
    index = frame.get_column(plan.index)
    found: list[pl.Series] = []
    for start in range(0, len(names), at_once):
        part = names[start : start + at_once]
        stack = _stack(frame, index, [blocks[name] for name in part])
        result = engine.collect(plan.run(stack.lazy(), outputs))
        for place, name in enumerate(part):
            rows = result.slice(place * height, height)
            found += [rows.get_column(output).alias(output.format(name)) for output in outputs]
    return found


def _stack(frame: pl.DataFrame, index: pl.Series, blocks: Sequence[Block]) -> pl.DataFrame:
    columns = [pl.concat([index] * len(blocks), rechunk=True)]
    for role in blocks[0]:
        pieces = [frame.get_column(block[role]).alias(role) for block in blocks]
        columns.append(pl.concat(pieces, rechunk=True))
    return pl.DataFrame(columns)
