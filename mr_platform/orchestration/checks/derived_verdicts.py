"""Verdicts on stored partitions of panel, history and components, read back from the tables.

Here: what each check asks of the stored rows, one answer a partition.
Not here: Dagster's events (``checks/derived.py``), how rows are made (``features/``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from mr_platform.chain.sessions import ist_time
from mr_platform.features.table_schemas import MINUTE_PANEL
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.checks.verdicts import Judgement
from mr_platform.orchestration.derived_tables import DerivedTable
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import FeatureColumn
from mr_platform.trading_calendar import PartitionKey

MAX_NAMED = 5
"""Columns out of range that one sentence names."""


@dataclass(frozen=True)
class TableFacts:
    """What the tables hold of one partition of a derived table.

    Attributes:
        key: The partition.
        table: The derived table.
        rows: Its stored rows.
        spine: Distinct (ts_minute, dte) that the minute panel has rows for; None where the
            table has no such grain.
        made_from: Fingerprint of the inputs that it was made from; None if unknown.
        inputs_now: Fingerprint of the inputs as they stand now.
    """

    key: PartitionKey
    table: DerivedTable
    rows: pl.DataFrame
    spine: pl.DataFrame | None
    made_from: str | None
    inputs_now: str


@dataclass(frozen=True)
class DerivedRule:
    """One check of derived tables.

    Attributes:
        name: Name in the asset graph.
        description: What must hold.
        blocks: True where what fails it must not flow on.
        severe: True for severity ERROR, False for WARN.
        judge: From the facts of a partition to the verdict.
        applies: Which tables have it.
    """

    name: str
    description: str
    blocks: bool
    severe: bool
    judge: Callable[[TableFacts], Judgement]
    applies: Callable[[DerivedTable], bool]


def _rows(facts: TableFacts) -> Judgement:
    """Each key once; for panel and components rows there are; components exactly the panel's."""
    grain = [name for name in facts.table.grain if name in facts.rows.columns]
    rows = facts.rows.height
    repeated = rows - facts.rows.select(grain).unique().height
    numbers = {"rows": rows, "rows_repeated": repeated}
    # a day without open interest leaves nothing to keep of it, and that is no fault
    told = [] if rows or facts.table.group == "history" else ["no rows"]
    if repeated:
        told.append(f"{repeated:,} rows repeat the key {', '.join(grain)}")
    if facts.spine is not None:
        keys = ["ts_minute", "dte"]
        lacking = facts.spine.join(facts.rows, on=keys, how="anti").height
        extra = facts.rows.join(facts.spine, on=keys, how="anti").height
        numbers |= {"rows_lacking": lacking, "rows_extra": extra}
        if lacking or extra:
            told.append(
                f"{lacking:,} minutes of the panel have no row, {extra:,} rows no minute there"
            )
    return Judgement(not told, "; ".join(told) or f"{rows:,} rows, each key once", numbers)


def _ranges(facts: TableFacts) -> Judgement:
    """Values outside their declared range, each with its minute and the inputs it was made of."""
    columns = _bounded(facts.table.name)
    broken = {column.name: _outside(column) for column in columns}
    if not facts.rows.height:
        return Judgement(True, "no rows, nothing to judge")
    counts = facts.rows.select(
        [condition.sum().alias(name) for name, condition in broken.items()]
    ).row(0, named=True)
    guilty = [column for column in columns if counts[column.name]]
    total = sum(counts.values())
    numbers: dict[str, Any] = {"values_outside": total, "columns_checked": len(columns)}
    if not guilty:
        return Judgement(True, f"all values of {len(columns)} columns are in range", numbers)
    told = [_first_outside(facts.rows, column, broken[column.name]) for column in guilty]
    more = f"; and {len(guilty) - MAX_NAMED} more columns" if len(guilty) > MAX_NAMED else ""
    numbers["outside_by_column"] = {c.name: int(counts[c.name]) for c in guilty}
    return Judgement(
        False,
        f"{total:,} values of {len(guilty)} columns are outside their range: "
        + "; ".join(told[:MAX_NAMED])
        + more,
        numbers,
    )


def _bounded(table: str) -> list[FeatureColumn]:
    for component in load_registry().components.values():
        if component.table == table:
            return list(component.columns)
    return []


def _outside(column: FeatureColumn) -> pl.Expr:
    value = pl.col(column.name)
    broken = [~value.is_finite()] if column.dtype == "FLOAT64" else []
    if isinstance(column.low, int | float):
        broken.append(value < column.low)
    if isinstance(column.high, int | float):
        broken.append(value > column.high)
    return pl.any_horizontal(broken) if broken else pl.lit(False)


def _first_outside(rows: pl.DataFrame, column: FeatureColumn, broken: pl.Expr) -> str:
    reads = [name for name in column.reads if name in rows.columns]
    first = (
        rows.filter(broken)
        .sort("ts_minute", "dte")
        .select(ist_time("ts_minute").alias("time"), "dte", column.name, *reads)
        .row(0, named=True)
    )
    inputs = ", ".join(f"{name} {first[name]}" for name in reads) or column.definition
    return (
        f"{column.name} = {first[column.name]} at {first['time']:%H:%M} dte {first['dte']}, "
        f"range {column.range_text()}, from {inputs}"
    )


def _inputs_current(facts: TableFacts) -> Judgement:
    current = facts.made_from == facts.inputs_now
    return Judgement(
        current,
        "made from its inputs as they stand now"
        if current
        else "an input arrived or changed since it was made; materialise it again",
    )


def _is_component(table: DerivedTable) -> bool:
    return table.group == "features"


def _is_no_component(table: DerivedTable) -> bool:
    return not _is_component(table)


# Each verdict is an event of a few milliseconds for every partition, so one check asks all that
# can be asked of the rows as a whole.
RULES: tuple[DerivedRule, ...] = (
    DerivedRule("rows_are_sound", "One row for each key.", True, True, _rows, _is_no_component),
    DerivedRule(
        "rows_match_the_panel",
        "One row for each minute and expiry that the chain quotes, and no other.",
        True,
        True,
        _rows,
        _is_component,
    ),
    DerivedRule(
        "values_are_in_range",
        "Every value is null or a finite number in its declared range.",
        False,
        True,
        _ranges,
        _is_component,
    ),
    DerivedRule(
        "inputs_are_current",
        "It was made from its inputs as they stand now.",
        False,
        False,
        _inputs_current,
        _is_component,
    ),
)


def rules_of(table: DerivedTable) -> list[DerivedRule]:
    """Checks that a derived table has."""
    return [rule for rule in RULES if rule.applies(table)]


def read_table_facts(
    lakehouse: Lakehouse,
    table: DerivedTable,
    keys: Sequence[PartitionKey],
    made_from: Mapping[PartitionKey, str | None],
    inputs_now: Mapping[PartitionKey, str],
) -> list[TableFacts]:
    """Facts of several partitions.

    Args:
        lakehouse: The tables.
        table: The derived table.
        keys: Partitions asked about.
        made_from: Fingerprint of the inputs each was made from.
        inputs_now: Fingerprint of the inputs as they stand now.
    """
    facts = []
    for key in sorted(keys):
        rows = lakehouse.scan(table.name, [key]).collect()
        spine = None
        if _is_component(table):
            spine = (
                lakehouse.scan(MINUTE_PANEL, [key])
                .filter("present")
                .select("ts_minute", "dte")
                .collect()
            )
        facts.append(TableFacts(key, table, rows, spine, made_from.get(key), inputs_now[key]))
    return facts
