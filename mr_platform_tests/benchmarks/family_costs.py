"""Which families of a component cost most: every planned column timed, and charged to its readers.

Plans share columns between families, and components run several plans one after the other, so
no clock can be put around a family. Here each column of each plan is timed by itself, its cost is
divided among the outputs that need it, and outputs that are no features hand theirs on to the
later plans that read them. What no later plan reads by name stays untold.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.gateways.frame_engine import CpuEngine, FrameEngine
from mr_platform.registry.loader import load_registry

COPIES = 6
"""Times an expression stands in the timed selection, so that the selection itself hardly counts."""

_ENGINE = CpuEngine()


@dataclass(frozen=True)
class PlanRun:
    """One run of a plan.

    Attributes:
        seconds: Of every output: its own expression and its share of the columns it needs.
        sources: Columns of the frame that each output needs.
    """

    seconds: Mapping[str, float]
    sources: Mapping[str, frozenset[str]]


def family_seconds(component: str, compute: Callable[[], object]) -> dict[str, float]:
    """Seconds of each family of a component, dearest first; what stays untold under ``""``.

    Args:
        component: ``c1`` … ``c8``.
        compute: Computes the component once.
    """
    with _recorded() as runs:
        compute()
    readers = _readers(runs)
    carried: dict[str, float] = {}
    families: dict[str, float] = {}
    for number, run in enumerate(runs):
        for output, own in run.seconds.items():
            handed = [
                carried[name] / len(readers[name])
                for name in carried
                if (number, output) in readers[name]
            ]
            seconds = own + sum(handed)
            charged = _families(component, output)
            for family in charged:
                families[family] = families.get(family, 0.0) + seconds / len(charged)
            if not charged and readers[f"{number} {output}"]:
                carried[f"{number} {output}"] = seconds
            elif not charged:
                families[""] = families.get("", 0.0) + seconds
    return dict(sorted(families.items(), key=lambda item: -item[1]))


def _readers(runs: Sequence[PlanRun]) -> dict[str, set[tuple[int, str]]]:
    """Outputs of later runs that need an output, by the run's number and the output's name."""
    found: dict[str, set[tuple[int, str]]] = {}
    for number, run in enumerate(runs):
        for output in run.seconds:
            name = _pattern(output)
            found[f"{number} {output}"] = {
                (later, reader)
                for later in range(number + 1, len(runs))
                for reader, sources in runs[later].sources.items()
                if any(name.fullmatch(source) for source in sources)
            }
    return found


def _pattern(output: str) -> re.Pattern[str]:
    """Names that an output has for its readers: a stacked one holds ``{}`` for its block."""
    return re.compile(".*".join(map(re.escape, output.split("{}"))))


def _families(component: str, output: str) -> list[str]:
    """Families of the declared columns that carry an output's name, once a column."""
    told = ".*".join(map(re.escape, output.split("{}")))
    name = re.compile(rf"(?:{component}_)?{told}(?:_strd|_und|_\d+m)?")
    declared = load_registry().components[component].columns
    return [column.family for column in declared if name.fullmatch(column.name)]


@contextmanager
def _recorded() -> Iterator[list[PlanRun]]:
    runs: list[PlanRun] = []
    run = ColumnPlan.run

    def timed(
        plan: ColumnPlan,
        frame: pl.LazyFrame,
        outputs: Mapping[str, pl.Expr],
        keep: Sequence[str] = (),
    ) -> pl.LazyFrame:
        rows = _ENGINE.collect(frame)
        runs.append(_timed(plan, rows, outputs))
        return run(plan, rows.lazy(), outputs, keep)

    def whole(
        plan: ColumnPlan,
        frame: pl.DataFrame,
        outputs: Mapping[str, pl.Expr],
        engine: FrameEngine,
        keep: Sequence[str] = (),
    ) -> pl.DataFrame:
        return engine.collect(plan.run(frame.lazy(), outputs, keep))

    compute = ColumnPlan.compute
    ColumnPlan.run = timed  # type: ignore[method-assign]
    ColumnPlan.compute = whole  # type: ignore[method-assign]
    try:
        yield runs
    finally:
        ColumnPlan.run = run  # type: ignore[method-assign]
        ColumnPlan.compute = compute  # type: ignore[method-assign]


def _timed(plan: ColumnPlan, rows: pl.DataFrame, outputs: Mapping[str, pl.Expr]) -> PlanRun:
    """Seconds of every output of one run."""
    planned = dict(plan.expressions())
    needs: dict[str, set[str]] = {}  # planned columns that a planned column needs, itself too
    for name, expression in planned.items():
        needs[name] = {name}.union(*(needs.get(root, {root}) for root in _roots(expression)))
    wanted = {
        output: set[str]().union(*(needs.get(root, {root}) for root in _roots(expression)))
        for output, expression in outputs.items()
    }
    users: dict[str, int] = {}
    for columns in wanted.values():
        for name in columns:
            users[name] = users.get(name, 0) + 1
    cost: dict[str, float] = {}
    for name, expression in planned.items():
        if name in users:
            read = rows.select(_roots(expression))
            cost[name] = _seconds(read, expression)
            rows = rows.with_columns(read.select(expression.alias(name)).to_series())
    seconds = {
        output: _seconds(rows.select(_roots(expression)), expression)
        + sum(cost[name] / users[name] for name in wanted[output] if name in cost)
        for output, expression in outputs.items()
    }
    sources = {
        output: frozenset(name for name in columns if name not in planned)
        for output, columns in wanted.items()
    }
    return PlanRun(seconds, sources)


def _roots(expression: pl.Expr) -> list[str]:
    return list(dict.fromkeys(expression.meta.root_names()))


def _seconds(rows: pl.DataFrame, expression: pl.Expr) -> float:
    """Seconds of one expression, the better of two tries."""
    copies = rows.lazy().select([expression.alias(f"{copy}") for copy in range(COPIES)])
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        _ENGINE.collect(copies)
        taken.append(time.perf_counter() - start)
    return min(taken) / COPIES
