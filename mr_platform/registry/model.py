"""What a declaration is once it is read: immutable columns, rules, tables and components.

Here: plain frozen dataclasses, shared by the loader, the renderers and the queries.
Not here: reading YAML (``marked_yaml.py``, ``families.py``), texts for people (``render_*.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Scope = Literal["expiry", "underlying"]
Severity = Literal["quarantine", "set_aside", "warn", "error"]
AxisValue = str | int
Bound = float | int | None

COMPONENTS: tuple[str, ...] = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")


@dataclass(frozen=True)
class Lookback:
    """How far back a column reads, inputs of its own component included.

    What comes from an earlier component's table is not repeated: c6 and c8 read it there.

    Attributes:
        minutes: Nominal window or lag in grid minutes inside the session; 1 is the minute
            itself, 0 says that no minute window is declared. A held return may reach up to two
            minutes further over a gap.
        session: True when the column reads from the session's first bar.
        history: ``(history table, previous trading days)`` read from it, deepest first.
    """

    minutes: int = 0
    session: bool = False
    history: tuple[tuple[str, int], ...] = ()

    @property
    def trading_days(self) -> int:
        """Previous trading days read, the deepest table's; 0 for none."""
        return max((days for _, days in self.history), default=0)

    @property
    def history_tables(self) -> tuple[str, ...]:
        """The compact tables those days are read from."""
        return tuple(table for table, _ in self.history)

    def text(self) -> str:
        """The look-back in words, e.g. ``session, 2 trading days of hist_minute``."""
        parts = []
        if self.minutes:
            parts.append("1 minute" if self.minutes == 1 else f"{self.minutes} minutes")
        if self.session:
            parts.append("session")
        for table, days in self.history:
            parts.append(f"{days} trading {'day' if days == 1 else 'days'} of {table}")
        return ", ".join(parts) or "none"


@dataclass(frozen=True)
class FeatureColumn:
    """One expanded column of a component or of the labels.

    Attributes:
        name: Column name, prefixed by its component.
        dtype: ``FLOAT64``, ``INT64`` or ``TIMESTAMP``.
        low: Least allowed non-null value, None for open.
        high: Greatest allowed non-null value, None for open.
        definition: Formula with the axis placeholders filled in.
        min_periods: Least number of valid observations; what is counted says
            ``min_periods_counts``.
        min_strikes: Least number of strikes a sum over strikes needs; 0 where none is summed.
        scope: ``expiry`` when the value differs by dte, ``underlying`` when all rows of a
            minute share it.
        reads: Declared columns that the definition names, in order of mention.
        axes: The axis values this column stands for.
    """

    name: str
    dtype: str
    unit: str
    low: Bound
    high: Bound
    definition: str
    lookback: Lookback
    min_periods: int
    min_periods_counts: str
    min_strikes: int
    scope: Scope
    null_policy: str
    online: bool
    reference: str
    decision: str
    family: str
    component: str
    block: str
    reads: tuple[str, ...]
    axes: tuple[tuple[str, AxisValue], ...]

    def range_text(self) -> str:
        """The closed interval in words, ``any`` where both ends are open."""
        return interval_text(self.low, self.high)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON output."""
        plain = dataclasses.asdict(self)
        plain["axes"] = dict(self.axes)
        plain["lookback"]["history"] = dict(self.lookback.history)
        return plain


def interval_text(low: object, high: object) -> str:
    """``[low, high]`` with ``..`` for an open end, ``any`` where both are open."""
    if low is None and high is None:
        return "any"
    return f"[{'..' if low is None else low}, {'..' if high is None else high}]"


@dataclass(frozen=True)
class Family:
    """Columns declared together by one template.

    Attributes:
        template: Names as declared, with axis placeholders.
        definition: Definition as declared, with axis placeholders.
        line: Line of its declaration.
    """

    name: str
    component: str
    block: str
    columns: tuple[FeatureColumn, ...]
    template: str
    definition: str
    line: int


@dataclass(frozen=True)
class Block:
    """A named part of a component with its number of columns."""

    name: str
    count: int
    about: str


@dataclass(frozen=True)
class Component:
    """One component (or the labels) with its columns in declared order.

    Attributes:
        name: ``c1`` … ``c8`` or ``labels``.
        stem: Name shared by the YAML file and the feature module.
        conventions: Conventions that hold in this component, by name.
        series: Series that its definitions use, by name (own and shared).
        extra: Further declared mappings (votes of c8, rule of the labels), by name.
    """

    name: str
    stem: str
    title: str
    grain: tuple[str, ...]
    null_default: str
    blocks: tuple[Block, ...]
    conventions: Mapping[str, str]
    series: Mapping[str, str]
    extra: Mapping[str, Any]
    families: tuple[Family, ...]

    @property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """Every column, in declared order."""
        return tuple(column for family in self.families for column in family.columns)

    @property
    def table(self) -> str:
        """Name of the component's table, asset and DDL file."""
        return f"{self.name}_features" if self.name in COMPONENTS else self.name


@dataclass(frozen=True)
class StoredColumn:
    """One column of a table between the chain and the features.

    Attributes:
        dtype: Polars type as in ``raw_chain.yaml`` (``Float64``, ``Int64``, ``Date``, …).
        unit: Unit, or empty for keys and texts.
        meaning: What it holds, for people.
    """

    name: str
    dtype: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class HistoryTable:
    """A compact per-day table that columns read previous trading days from.

    Attributes:
        columns: Every column, in stored order.
    """

    name: str
    grain: tuple[str, ...]
    depth_trading_days: int
    content: str
    built_from: str
    columns: tuple[StoredColumn, ...] = ()


@dataclass(frozen=True)
class RawColumn:
    """One column of the raw chain and of the canonical option chain.

    Attributes:
        position: 1-based place in the source file; 0 for a mark that ingestion adds.
        source: Column name in the source; empty for a mark.
        name: Column name in the canonical option chain.
        source_dtype: Parquet type the source's column is cast to; empty for a mark.
        dtype: Type in the canonical option chain.
        low: Least allowed value as declared (number, date or time text), None for open.
        high: Greatest allowed value, None for open.
        values: The allowed values of a label column; empty where not listed.
        pattern: Regular expression of a label column; empty where not declared.
        nullable: Whether null is allowed in the canonical option chain.
        outside: What happens to a value outside its range or values: ``quarantine`` the row,
            ``set_aside`` the row, make it ``nulled``, or ``allow`` where no bound is declared.
        role: What the column is for (key, price, volume, …).
        identity: True when the column belongs to the unique key.
    """

    position: int
    source: str
    name: str
    source_dtype: str
    dtype: str
    unit: str
    low: float | int | str | None
    high: float | int | str | None
    values: tuple[str, ...]
    pattern: str
    nullable: bool
    outside: str
    role: str
    identity: bool
    meaning: str


@dataclass(frozen=True)
class QualityRule:
    """One rule at the door.

    Attributes:
        severity: ``quarantine`` (the row goes and counts as bad), ``set_aside`` (the row goes,
            without counting), ``warn`` (told, nothing goes), ``error`` (the partition is refused).
        columns: Canonical columns the rule looks at; empty when it looks at the row or file.
        parameters: Numbers of the rule, or the setting (``settings:…``) that holds them.
    """

    name: str
    severity: Severity
    columns: tuple[str, ...]
    definition: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class RawChain:
    """The raw option chain: columns in source order, marks, ignored columns and rules."""

    title: str
    conventions: Mapping[str, str]
    columns: tuple[RawColumn, ...]
    marks: tuple[RawColumn, ...]
    ignored: Mapping[str, str]
    canonical_order: tuple[str, ...]
    rules: tuple[QualityRule, ...]

    @property
    def canonical(self) -> tuple[RawColumn, ...]:
        """Columns and marks in the order of the canonical option chain."""
        by_name = {column.name: column for column in (*self.columns, *self.marks)}
        return tuple(by_name[name] for name in self.canonical_order)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that identify a row of the canonical option chain."""
        return tuple(column.name for column in self.canonical if column.identity)

    def column(self, name: str) -> RawColumn:
        """The column with this canonical or source name.

        Raises:
            KeyError: No column has the name.
        """
        for column in (*self.columns, *self.marks):
            if name in (column.name, column.source):
                return column
        raise KeyError(name)

    def rule(self, name: str) -> QualityRule:
        """The rule with this name.

        Raises:
            KeyError: No rule has the name.
        """
        for rule in self.rules:
            if rule.name == name:
                return rule
        raise KeyError(name)


@dataclass(frozen=True)
class Registry:
    """Everything declared, checked and expanded.

    Attributes:
        panel: Columns of the minute panel, in stored order.
    """

    raw_chain: RawChain
    components: Mapping[str, Component]
    labels: Component
    history: Mapping[str, HistoryTable]
    panel: tuple[StoredColumn, ...] = ()

    @property
    def features(self) -> tuple[FeatureColumn, ...]:
        """Every feature of c1 to c8, in declared order."""
        return tuple(c for name in COMPONENTS for c in self.components[name].columns)

    @property
    def online(self) -> tuple[FeatureColumn, ...]:
        """The features served online, in declared order."""
        return tuple(column for column in self.features if column.online)
