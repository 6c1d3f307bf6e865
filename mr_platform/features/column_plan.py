"""Columns worked out in stages: what a frame engine is given instead of one deep expression.

Here: naming, sharing and staging of intermediate columns.
Not here: any formula (``kernels/``, component modules), where the stages run (frame engine).

A window function may stand only over plain columns: that is what both engines run, and what
makes windows cheap. So a formula hands each intermediate result to the plan, which gives it a
column, computes equal ones once, puts every column into the earliest stage in which its inputs
exist, and lets go of it after the last stage that reads it. A plan holds no data; built once, it
serves any number of frames.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import accumulate
from operator import or_
from threading import Lock

import polars as pl

from mr_platform.features.prepared_queries import PreparedQuery
from mr_platform.gateways.frame_engine import FrameEngine

GROUP = "g"
"""Number of the run of rows that windows may not leave, one for each block of grid rows."""

INDEX = "j"
"""Place of the row in its group: 0, 1, 2, ... without gaps."""


MAX_REMEMBERED = 8
"""Sets of outputs whose stages a plan remembers, the oldest forgotten first."""

SHORT_ROWS = 20_000
"""Up to so many rows the columns of a plan cost their number, not their length."""

LEAST_DIVIDED = 60
"""Columns of a plan from which dividing it is worth a second thread."""

MOST_OF_A_HALF = 0.75
"""Share of a plan's columns that the larger half may need; above it the whole is as fast."""


@dataclass
class _Run:
    """What a plan selects stage by stage for the outputs it was asked for, and all made of it."""

    outputs: Mapping[str, pl.Expr]
    selections: list[list[pl.Expr]]
    halves: list[Mapping[str, pl.Expr]] = field(default_factory=list)
    prepared: dict[Hashable, list[PreparedQuery]] = field(default_factory=dict)


class ColumnPlan:
    """Intermediate and output columns over a frame of equally long groups.

    The frame's rows ascend by group and, inside it, by index; every group has all indices from
    0 to ``length`` - 1. So a lag is a plain shift of the whole column, masked at the start of
    each group.

    Args:
        group: Column with the number of the group.
        index: Column with the place in the group.
        length: Rows of a group.
    """

    def __init__(self, *, group: str = GROUP, index: str = INDEX, length: int = 375) -> None:
        self.group = group
        self.index = index
        self.length = length
        self._names: dict[bytes, str] = {}
        self._stage_of: dict[str, int] = {}
        self._stages: list[list[tuple[str, pl.Expr]]] = []
        self._runs: dict[tuple[int, int, tuple[str, ...]], _Run] = {}
        self._lock = Lock()

    # -- building --------------------------------------------------------------------------------

    def let(self, expression: str | pl.Expr) -> pl.Expr:
        """The expression as a column of its own, computed once however often it is asked for.

        Args:
            expression: A column name, or any expression over columns of the frame or the plan.

        Returns:
            A plain column.
        """
        if isinstance(expression, str):
            return pl.col(expression)
        if expression.meta.is_column():
            return expression
        key = expression.meta.serialize()
        name = self._names.get(key)
        if name is None:
            name = f"_{len(self._names):05d}"
            self._names[key] = name
            stage = 1 + max(
                (self._stage_of.get(root, 0) for root in expression.meta.root_names()), default=0
            )
            self._stage_of[name] = stage
            while len(self._stages) < stage:
                self._stages.append([])
            self._stages[stage - 1].append((name, expression))
        return pl.col(name)

    def over(self, window: pl.Expr, by: Sequence[str] = ()) -> pl.Expr:
        """A window function restarted in every group, as a column.

        Args:
            window: One window function whose argument is pointwise over columns.
            by: Columns that divide a group further (phases of a sampling).
        """
        return self.let(window.over([self.group, *by]))

    def reaches(self, w: int) -> pl.Expr:
        """Whether the row w places before is in the group; a column."""
        return self.let(pl.col(self.index) >= w)

    def weight(self, w: int, dtype: type[pl.DataType] = pl.Float64) -> pl.Expr:
        """1 where the row w places before is in the group, else 0; a column.

        A product with it costs half of a condition.
        """
        return self.let(self.reaches(w).cast(dtype))

    # -- running ---------------------------------------------------------------------------------

    def expressions(self) -> Iterable[tuple[str, pl.Expr]]:
        """Every intermediate column with its expression, by stage."""
        for stage in self._stages:
            yield from stage

    def compute(
        self,
        frame: pl.DataFrame,
        outputs: Mapping[str, pl.Expr],
        engine: FrameEngine,
        keep: Sequence[str] = (),
    ) -> pl.DataFrame:
        """The kept columns and the outputs, worked out; ``run`` says what they are.

        The bits do not depend on how the work is divided: each output is worked out from the same
        columns by the same expressions.

        Args:
            frame: Rows as the class describes.
            outputs: As of ``run``, each as long as the frame; pass the same mapping again and what
                is asked is resolved once.
            engine: Where to work it out.
            keep: As of ``run``.
        """
        if not engine.prepares:
            return engine.collect(self.run(frame.lazy(), outputs, keep))
        asked = self._asked(outputs, tuple(keep))
        with self._lock:
            parts = self._parts(asked, frame.height)
            known = (len(parts), *frame.schema.items())
            queries = asked.prepared.get(known)
            if queries is None:
                columns = [tuple(keep), *[()] * (len(parts) - 1)]
                queries = asked.prepared[known] = [
                    PreparedQuery(partial(self.run, outputs=part, keep=kept), frame.schema)
                    for part, kept in zip(parts, columns, strict=True)
                ]
        with ExitStack() as borrowed:
            first, *others = engine.collect_all(
                [borrowed.enter_context(query.over(frame)) for query in queries]
            )
        return first.hstack([column for part in others for column in part.get_columns()])

    def run(
        self,
        frame: pl.LazyFrame,
        outputs: Mapping[str, pl.Expr],
        keep: Sequence[str] = (),
    ) -> pl.LazyFrame:
        """The frame's kept columns and the outputs.

        Args:
            frame: Rows as the class describes.
            outputs: Expressions over columns of the frame or the plan, by output name.
            keep: Columns of the frame handed through.

        Returns:
            A lazy frame with the columns ``keep``, then ``outputs``, rows as in ``frame``.
        """
        for selection in self._asked(outputs, tuple(keep)).selections:
            frame = frame.select(selection)
        return frame

    def _asked(self, outputs: Mapping[str, pl.Expr], keep: tuple[str, ...]) -> _Run:
        """What each stage selects; worked out once for the same outputs.

        A plan grows while it is built, so the number of its columns is part of the question.
        """
        asked = (id(outputs), len(self._names), keep)
        with self._lock:  # chunks of a batch run the same plan side by side
            known = self._runs.get(asked)
            if known is None or known.outputs is not outputs:
                if len(self._runs) >= MAX_REMEMBERED:
                    self._runs.pop(next(iter(self._runs)))
                known = self._runs[asked] = _Run(outputs, self._worked_out(outputs, keep))
            return known

    def _parts(self, asked: _Run, rows: int) -> list[Mapping[str, pl.Expr]]:
        """The outputs, in two parts where each column costs more than its rows."""
        if rows > SHORT_ROWS:
            return [asked.outputs]
        if not asked.halves:
            asked.halves = self._halves(asked.outputs)
        return asked.halves

    def _halves(self, outputs: Mapping[str, pl.Expr]) -> list[Mapping[str, pl.Expr]]:
        """The outputs in two parts that need about as many columns and have few in common.

        Families stand together, so a cut in their order finds such parts. A plan that is small,
        or most of whose columns both parts would need, stays whole.
        """
        needs: dict[str, int] = {}  # a bit for each column of the plan
        for number, (name, expression) in enumerate(self.expressions()):
            needs[name] = _united(needs, expression) | 1 << number
        each = [_united(needs, expression) for expression in outputs.values()]
        first = [columns.bit_count() for columns in accumulate(each, or_)]
        second = [columns.bit_count() for columns in accumulate(reversed(each), or_)][::-1]
        if len(each) < 2 or first[-1] < LEAST_DIVIDED:
            return [outputs]
        larger = [max(pair) for pair in zip(first, second[1:], strict=False)]
        cut = larger.index(min(larger)) + 1
        if larger[cut - 1] > MOST_OF_A_HALF * first[-1]:
            return [outputs]
        items = list(outputs.items())
        return [dict(items[:cut]), dict(items[cut:])]

    def _worked_out(
        self, outputs: Mapping[str, pl.Expr], keep: tuple[str, ...]
    ) -> list[list[pl.Expr]]:
        alive = self._alive(outputs, keep)
        selections: list[list[pl.Expr]] = []
        for number, stage in enumerate(self._stages):
            wanted = alive[number]
            held = (
                [name for name in alive[number - 1] if name in wanted]
                if number
                else sorted(name for name in wanted if name not in self._stage_of)
            )
            fresh = [x.alias(name) for name, x in stage if name in wanted]
            selections.append([*_as_they_are(held), *fresh])
        finished = [expression.alias(name) for name, expression in outputs.items()]
        return [*selections, [*_as_they_are(keep), *finished]]

    def _alive(self, outputs: Mapping[str, pl.Expr], keep: Sequence[str]) -> list[dict[str, None]]:
        """Columns that must exist after each stage, in a fixed order."""
        needed: set[str] = set(keep)
        for expression in outputs.values():
            needed.update(expression.meta.root_names())
        after: list[dict[str, None]] = []
        for number in range(len(self._stages) - 1, -1, -1):
            fresh = {name: expr for name, expr in self._stages[number] if name in needed}
            after.append(dict.fromkeys(sorted(needed)))
            needed -= fresh.keys()
            for expression in fresh.values():
                needed.update(expression.meta.root_names())
        return after[::-1]


def _united(needs: Mapping[str, int], expression: pl.Expr) -> int:
    """The columns of a plan that an expression needs, as bits."""
    return reduce(or_, (needs.get(root, 0) for root in expression.meta.root_names()), 0)


def _as_they_are(names: Sequence[str]) -> list[pl.Expr]:
    """Columns handed on, as one expression: Polars reads a list of names faster than names."""
    return [pl.col(list(names))] if names else []
