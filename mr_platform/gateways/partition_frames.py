"""What a frame must be to enter a table: rows of the named partitions, the table's columns.

Here: pure checks and the split of a frame by partition.
Not here: files and the log (``lakehouse.py``), rules on values (``chain/``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mr_platform.errors import TableError
from mr_platform.gateways.partition_layout import PartitionLayout, TableKey, layout_of

# The types that Delta stores and Polars reads back unchanged.
_STORABLE = frozenset(
    {
        pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.Float32(), pl.Float64(),
        pl.Boolean(), pl.String(), pl.Date(), pl.Datetime("us", "UTC"),
    }
)  # fmt: skip
_NAMED = 8  # columns or partitions that a message names before it says "and n more"


def rows_by_key(
    table: str, frame: pl.DataFrame, keys: Sequence[TableKey]
) -> dict[TableKey, pl.DataFrame]:
    """Split a frame by partition; partitions without rows have no entry.

    Args:
        table: Name for messages.
        frame: Rows with the partition columns of the table.
        keys: Partitions that rows may belong to.

    Returns:
        Rows by partition, ascending; the order of rows inside a partition is kept.

    Raises:
        TableError: No keys, a partition column is missing or of another type, or rows lie
            outside the keys.
    """
    if not keys:
        raise TableError(
            "no partitions were named", place=table, next_step="Name the partitions to replace"
        )
    layout = layout_of(table)
    wrong = [
        f"{name} was {frame.schema.get(name, 'absent')}, must be {kind}"
        for name, kind in layout.schema.items()
        if frame.schema.get(name) != kind
    ]
    if wrong:
        raise TableError(f"partition columns differ: {'; '.join(wrong)}", place=table)
    spans = (
        frame.lazy()
        .select(*layout.columns, row=pl.int_range(pl.len()))
        .group_by(layout.columns)
        .agg(first=pl.col("row").min(), last=pl.col("row").max(), rows=pl.len())
        .sort(*reversed(layout.columns), nulls_last=True)
        .collect()
    )
    _require_inside(table, layout, spans, set(keys))
    if spans.select((pl.col("last") - pl.col("first") + 1 == pl.col("rows")).all()).item():
        # Rows of a partition lie together: slices cost nothing, a split copies every column.
        return {
            layout.key(outer, inner): frame.slice(first, rows)
            for outer, inner, first, rows in spans.select(*layout.columns, "first", "rows").rows()
        }
    parts = frame.partition_by(layout.columns, as_dict=True, maintain_order=True)
    return {
        layout.key(outer, inner): parts[(outer, inner)]
        for outer, inner in spans.select(layout.columns).rows()
    }


def require_storable(table: str, schema: Mapping[str, pl.DataType]) -> None:
    """Refuse types that a table would not give back unchanged.

    Raises:
        TableError: Names every such column.
    """
    refused = [f"{name} ({kind})" for name, kind in schema.items() if kind not in _STORABLE]
    if refused:
        raise TableError(
            f"columns of types that a table does not store: {_listed(refused)}",
            place=table,
            next_step="Store numbers, booleans, strings, dates, and times as Datetime in "
            "microseconds UTC",
        )


def require_same_schema(
    table: str, frame: Mapping[str, pl.DataType], declared: Mapping[str, pl.DataType]
) -> None:
    """Refuse a frame whose columns, types or column order differ from the table's.

    Raises:
        TableError: Names missing, extra, other-typed and moved columns at once.
    """
    if list(frame.items()) == list(declared.items()):
        return
    faults = []
    if missing := [name for name in declared if name not in frame]:
        faults.append(f"missing {_listed(missing)}")
    if extra := [name for name in frame if name not in declared]:
        faults.append(f"not in the table {_listed(extra)}")
    other = [
        f"{name} was {frame[name]}, is {kind} in the table"
        for name, kind in declared.items()
        if name in frame and frame[name] != kind
    ]
    if other:
        faults.append(_listed(other))
    if not faults:
        moved = [
            f"{name} at the place of {kept}"
            for name, kept in zip(frame, declared, strict=True)
            if name != kept
        ]
        faults.append(f"order differs: {_listed(moved)}")
    raise TableError(
        f"columns differ from the table's: {'; '.join(faults)}",
        place=table,
        next_step="Correct the frame; a changed schema needs a new table",
    )


def _require_inside(
    table: str, layout: PartitionLayout, spans: pl.DataFrame, keys: set[TableKey]
) -> None:
    outside = [
        (f"{inner}|{outer}", rows)
        for outer, inner, rows in spans.select(*layout.columns, "rows").rows()
        if outer is None or inner is None or layout.key(outer, inner) not in keys
    ]
    if outside:
        count = sum(rows for _, rows in outside)
        raise TableError(
            f"{count} rows lie outside the partitions to replace: "
            f"{_listed([name for name, _ in outside])}",
            place=table,
            next_step="Name these partitions too, or leave their rows out; nothing was written",
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
