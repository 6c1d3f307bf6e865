"""The raw chain's file becomes columns, marks and rules.

Here: fields of ``raw_chain.yaml`` and what they must agree on.
Not here: applying a rule to rows (``chain/quality.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, get_args

from mr_platform.registry.faults import Source, hint
from mr_platform.registry.marked_yaml import Path
from mr_platform.registry.model import QualityRule, RawChain, RawColumn, Severity

FILE_FIELDS = ("title", "count", "conventions", "canonical_order", "columns", "marks", "ignored",
               "rules")  # fmt: skip
MARK_REQUIRED = ("name", "dtype", "unit", "nullable", "role", "meaning")
COLUMN_REQUIRED = ("position", "source", "source_dtype", *MARK_REQUIRED)
COLUMN_OPTIONAL = ("range", "values", "pattern", "outside", "identity")
SOURCE_DTYPES = ("date32", "time64[us]", "string", "float64", "int64", "int32", "int8")
DTYPES = ("String", "Date", "Datetime[us, UTC]", "Float64", "Int64", "Int32", "Boolean")
ROLES = ("key", "price", "volume", "open_interest", "volatility", "greek", "label", "contract",
         "unused", "mark")  # fmt: skip
OUTSIDE = ("quarantine", "set_aside", "nulled", "allow")
SEVERITIES: tuple[str, ...] = get_args(Severity)


def read_raw_chain(source: Source) -> RawChain:
    """The raw chain with its rules; faults go to the source."""
    data = source.mapping(source.document.data, (), "the file")
    source.fields(data, (), FILE_FIELDS, ())
    columns = _columns(source, data, "columns", COLUMN_REQUIRED)
    marks = _columns(source, data, "marks", MARK_REQUIRED)
    _check_columns(source, data, columns, marks)
    names = [column.name for column in (*columns, *marks)]
    order = source.sequence(data.get("canonical_order", []), ("canonical_order",), "order")
    for i, name in enumerate(order):
        if name not in names:
            source.fault(("canonical_order", i), f"unknown column {name}{hint(str(name), names)}")
    for name in names:
        if name not in order:
            source.fault(("canonical_order",), f"canonical_order does not place {name}")
    conventions = source.mapping(data.get("conventions", {}), ("conventions",), "conventions")
    ignored = source.mapping(data.get("ignored", {}), ("ignored",), "ignored")
    return RawChain(
        title=source.text(data.get("title"), ("title",), "title"),
        conventions={str(k): str(v) for k, v in conventions.items()},
        columns=columns,
        marks=marks,
        ignored={str(k): str(v) for k, v in ignored.items()},
        canonical_order=tuple(str(name) for name in order if name in names),
        rules=_rules(source, data, names),
    )


def _columns(
    source: Source, data: Mapping[str, Any], field: str, required: tuple[str, ...]
) -> tuple[RawColumn, ...]:
    raw = source.sequence(data.get(field, []), (field,), field)
    return tuple(_column(source, item, (field, i), required) for i, item in enumerate(raw))


def _column(source: Source, raw: Any, path: Path, required: tuple[str, ...]) -> RawColumn:
    fields = source.mapping(raw, path, "a column")
    source.fields(fields, path, required, COLUMN_OPTIONAL)
    low, high = _bounds(source, fields.get("range", [None, None]), (*path, "range"))
    values = source.sequence(fields.get("values", []), (*path, "values"), "values")
    pattern = fields.get("pattern", "")
    bounded = low is not None or high is not None or bool(values) or bool(pattern)
    outside = source.known(
        fields.get("outside", "quarantine" if bounded else "allow"),
        (*path, "outside"),
        "outside",
        OUTSIDE,
    )
    if (outside == "allow") == bounded:
        source.fault(path, "outside and a range, values or pattern must be given together")
    from_file = "source" in required
    return RawColumn(
        position=source.whole(fields.get("position", 0), (*path, "position"), "position"),
        source=str(fields.get("source", "")),
        name=source.text(fields.get("name"), (*path, "name"), "name"),
        source_dtype=source.known(
            fields.get("source_dtype"), (*path, "source_dtype"), "source_dtype", SOURCE_DTYPES
        )
        if from_file
        else "",
        dtype=source.known(fields.get("dtype"), (*path, "dtype"), "dtype", DTYPES),
        unit=source.text(fields.get("unit"), (*path, "unit"), "unit"),
        low=low,
        high=high,
        values=tuple(map(str, values)),
        pattern=str(pattern),
        nullable=source.truth(fields.get("nullable"), (*path, "nullable"), "nullable"),
        outside=outside,
        role=source.known(fields.get("role"), (*path, "role"), "role", ROLES),
        identity=source.truth(fields.get("identity", False), (*path, "identity"), "identity"),
        meaning=source.text(fields.get("meaning"), (*path, "meaning"), "meaning"),
    )


def _bounds(source: Source, value: Any, path: Path) -> tuple[Any, Any]:
    bounds = source.sequence(value, path, "range")
    if len(bounds) != 2:
        source.fault(path, f"range must be [low, high], was {value!r}")
        return None, None
    low, high = (b.isoformat() if isinstance(b, dt.date | dt.time) else b for b in bounds)
    if low is not None and high is not None:
        if isinstance(low, str) != isinstance(high, str):
            source.fault(path, f"both ends of a range must be of one kind, was {value!r}")
        elif low > high:
            source.fault(path, f"the range [{low}, {high}] is upside down")
    return low, high


def _check_columns(
    source: Source,
    data: Mapping[str, Any],
    columns: tuple[RawColumn, ...],
    marks: tuple[RawColumn, ...],
) -> None:
    count = source.whole(data.get("count", 0), ("count",), "count")
    if count != len(columns):
        source.fault(("count",), f"count is {count}, but {len(columns)} columns are declared")
    for i, column in enumerate(columns):
        if column.position != i + 1:
            source.fault(
                ("columns", i, "position"), f"position must be {i + 1}, was {column.position}"
            )
    for field in ("name", "source"):
        seen: set[str] = set()
        for i, column in enumerate((*columns, *marks)):
            value = getattr(column, field)
            where: Path = ("columns", i) if i < len(columns) else ("marks", i - len(columns))
            if value and value in seen:
                source.fault((*where, field), f"the {field} {value} is declared twice")
            seen.add(value)


def _rules(source: Source, data: Mapping[str, Any], names: list[str]) -> tuple[QualityRule, ...]:
    rules: dict[str, QualityRule] = {}
    for i, raw in enumerate(source.sequence(data.get("rules", []), ("rules",), "rules")):
        path: Path = ("rules", i)
        fields = source.mapping(raw, path, "a rule")
        source.fields(fields, path, ("name", "severity", "columns", "definition"), ("parameters",))
        name = source.text(fields.get("name"), (*path, "name"), "name")
        if name in rules:
            source.fault((*path, "name"), f"the rule {name} is declared twice")
        columns = source.sequence(fields.get("columns", []), (*path, "columns"), "columns")
        for j, column in enumerate(columns):
            if column not in names:
                source.fault(
                    (*path, "columns", j), f"unknown column {column}{hint(str(column), names)}"
                )
        severity: Any = source.known(
            fields.get("severity"), (*path, "severity"), "severity", SEVERITIES
        )
        rules[name] = QualityRule(
            name=name,
            severity=severity,
            columns=tuple(map(str, columns)),
            definition=source.text(fields.get("definition"), (*path, "definition"), "definition"),
            parameters=source.mapping(
                fields.get("parameters", {}), (*path, "parameters"), "parameters"
            ),
        )
    return tuple(rules.values())
