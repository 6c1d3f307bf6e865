"""One plan for many columns at once: the columns set one above the other.

Here: stacking columns, running a plan over the stack, taking it apart again.
Not here: plans themselves (``column_plan.py``), which columns a component stacks.

A column costs about the same whatever it holds as long as it is short, and a day is short. So a
formula that is wanted for thirty pairs of columns is cheaper over one stack of thirty days' height
than thirty times over one day. Every block keeps its groups whole, so no window notices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.gateways.frame_engine import FrameEngine

STACK_ROWS = 200_000
"""Rows of a stack at most, so that a batch of many days stays light in memory."""

Block = Mapping[str, pl.Series | float]
"""What stands for each input column of the plan: a series, or one number for all its rows."""


def run_stacked(
    frame: pl.DataFrame,
    blocks: Mapping[str, Mapping[str, str]],
    plan: ColumnPlan,
    outputs: Mapping[str, pl.Expr],
    engine: FrameEngine,
) -> list[pl.Series]:
    """Run one plan for several choices of its input columns from one frame.

    Args:
        frame: Rows as ``ColumnPlan`` describes; it holds the columns that the blocks name, all of
            one type for each input.
        blocks: Column of the frame for each input of the plan, by the name of the block.
        plan: The plan.
        outputs: Its outputs; each name holds ``{}`` for the name of the block.
        engine: Where to work it out.

    Returns:
        Every output of every block, named, with the frame's rows; views into the stacks.
    """
    columns = {
        name: {role: frame.get_column(column) for role, column in block.items()}
        for name, block in blocks.items()
    }
    return run_blocks(columns, plan, outputs, engine)


def run_blocks(
    blocks: Mapping[str, Block],
    plan: ColumnPlan,
    outputs: Mapping[str, pl.Expr],
    engine: FrameEngine,
) -> list[pl.Series]:
    """Run one plan for blocks of rows that need not come from one frame.

    Args:
        blocks: Inputs of the plan by the name of the block, one of them a series at least. A block
            is one group after the other, each of the plan's length; blocks may differ in height.
        plan: The plan; its group and index are filled in here.
        outputs: Its outputs; each name holds ``{}`` for the name of the block.
        engine: Where to work it out.

    Returns:
        Every output of every block, named, with the block's rows; views into the stacks.
    """
    found: list[pl.Series] = []
    for part in _parts(blocks):
        stack = _stack([block for _, block, _ in part], [height for _, _, height in part], plan)
        result = plan.compute(stack, outputs, engine)
        start = 0
        for name, _, height in part:
            rows = result.slice(start, height)
            found += [rows.get_column(output).alias(output.format(name)) for output in outputs]
            start += height
    return found


def _parts(blocks: Mapping[str, Block]) -> Iterator[list[tuple[str, Block, int]]]:
    """Blocks that are stacked together: as many as the limit allows, one at least."""
    part: list[tuple[str, Block, int]] = []
    rows = 0
    for name, block in blocks.items():
        height = len(next(value for value in block.values() if isinstance(value, pl.Series)))
        if part and rows + height > STACK_ROWS:
            yield part
            part, rows = [], 0
        part.append((name, block, height))
        rows += height
    if part:
        yield part


def _stack(blocks: Sequence[Block], heights: Sequence[int], plan: ColumnPlan) -> pl.DataFrame:
    row = pl.int_range(sum(heights), dtype=pl.UInt32, eager=True)
    columns = {
        plan.group: row // plan.length,
        plan.index: (row % plan.length).cast(pl.Int32),
    }
    for role in blocks[0]:
        pieces = [
            value if isinstance(value, pl.Series) else pl.Series([value]).new_from_index(0, height)
            for value, height in zip((block[role] for block in blocks), heights, strict=True)
        ]
        columns[role] = pl.concat(pieces, rechunk=True)
    return pl.DataFrame(columns)
