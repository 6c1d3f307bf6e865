"""One component file (or the labels) becomes a Component; the shared and history files too.

Here: fields of a file, blocks, conventions and series, totals of the file.
Not here: expansion of a family (``families.py``), checks across files (``loader.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mr_platform.registry.families import FamilyReader
from mr_platform.registry.faults import Source, hint
from mr_platform.registry.marked_yaml import Path
from mr_platform.registry.model import (
    Block,
    Component,
    Family,
    FeatureColumn,
    HistoryTable,
    StoredColumn,
)

STEMS: dict[str, str] = {
    "c1": "c1_triple_straddle",
    "c2": "c2_greeks_sentiment",
    "c3": "c3_oi_price_action",
    "c4": "c4_iv_skew",
    "c5": "c5_atr_ema_cpr",
    "c6": "c6_correlation",
    "c7": "c7_levels",
    "c8": "c8_integration",
    "labels": "labels",
}
REQUIRED = (
    "component",
    "title",
    "count",
    "online_count",
    "grain",
    "null_default",
    "blocks",
    "shared",
    "conventions",
    "series",
    "families",
)
# further declared mappings that belong to one component only
EXTRA: dict[str, tuple[str, ...]] = {
    "c8": ("key_series", "votes"),
    "labels": (
        "horizon_minutes",
        "metrics",
        "thresholds",
        "rule",
        "classes",
        "class_meaning",
        "label_end",
        "training_dataset",
    ),
}


STORED_TYPES = (
    "String",
    "Date",
    "Datetime[us, UTC]",
    "Float64",
    "Int64",
    "Int32",
    "UInt32",
    "Boolean",
)
"""Types that a column between the chain and the features may have."""


@dataclass(frozen=True)
class Shared:
    """Conventions and series that several components use, by name."""

    conventions: Mapping[str, str]
    series: Mapping[str, str]


def read_shared(source: Source) -> Shared:
    """The file of shared conventions and series."""
    data = source.mapping(source.document.data, (), "the file")
    source.fields(data, (), ("conventions", "series"), ())
    conventions = _texts(source, data, "conventions")
    series = _texts(source, data, "series")
    for name in sorted(set(conventions) & set(series)):
        source.fault(("series", name), f"{name} is declared as convention and as series")
    return Shared(conventions, series)


def read_history(source: Source) -> dict[str, HistoryTable]:
    """The file of history tables, by name."""
    data = source.mapping(source.document.data, (), "the file")
    source.fields(data, (), ("conventions", "tables"), ())
    tables = {}
    declared = source.mapping(data.get("tables", {}), ("tables",), "tables")
    for name, raw in declared.items():
        path: Path = ("tables", name)
        fields = source.mapping(raw, path, f"the table {name}")
        source.fields(
            fields,
            path,
            ("grain", "depth_trading_days", "content", "built_from", "columns"),
            (),
        )
        grain = source.sequence(fields.get("grain", []), (*path, "grain"), "grain")
        tables[str(name)] = HistoryTable(
            name=str(name),
            grain=tuple(map(str, grain)),
            depth_trading_days=source.whole(
                fields.get("depth_trading_days", 0), (*path, "depth_trading_days"), "depth"
            ),
            content=source.text(fields.get("content"), (*path, "content"), "content"),
            built_from=source.text(fields.get("built_from"), (*path, "built_from"), "built_from"),
            columns=_stored_columns(source, fields.get("columns", {}), (*path, "columns")),
        )
    return tables


def read_panel(source: Source) -> tuple[StoredColumn, ...]:
    """The file of the minute panel: its columns in stored order."""
    data = source.mapping(source.document.data, (), "the file")
    source.fields(data, (), ("columns",), ())
    return _stored_columns(source, data.get("columns", {}), ("columns",))


def _stored_columns(source: Source, raw: object, path: Path) -> tuple[StoredColumn, ...]:
    columns = []
    for name, fields in source.mapping(raw, path, "columns").items():
        place: Path = (*path, name)
        column = source.mapping(fields, place, f"the column {name}")
        source.fields(column, place, ("type", "meaning"), ("unit",))
        columns.append(
            StoredColumn(
                name=str(name),
                dtype=source.known(column.get("type"), (*place, "type"), "type", STORED_TYPES),
                unit=str(column.get("unit", "")),
                meaning=source.text(column.get("meaning"), (*place, "meaning"), "meaning"),
            )
        )
    return tuple(columns)


def read_component(
    source: Source, component: str, shared: Shared, history: Mapping[str, HistoryTable]
) -> Component:
    """One component with its expanded columns; faults go to the source."""
    data = source.mapping(source.document.data, (), "the file")
    source.fields(data, (), REQUIRED, EXTRA.get(component, ()))
    source.known(data.get("component"), ("component",), "component", [component])
    conventions = _texts(source, data, "conventions")
    series = _texts(source, data, "series")
    _add_shared(source, data, shared, conventions, series)
    blocks = _blocks(source, data)
    null_default = source.text(data.get("null_default"), ("null_default",), "null_default")
    reader = FamilyReader(
        source,
        component,
        series=series,
        history={name: table.depth_trading_days for name, table in history.items()},
        blocks=[block.name for block in blocks],
        null_default=null_default,
    )
    families = _families(source, data, component, reader)
    _totals(source, data, blocks, [c for family in families for c in family.columns])
    grain = source.sequence(data.get("grain", []), ("grain",), "grain")
    return Component(
        name=component,
        stem=STEMS[component],
        title=source.text(data.get("title"), ("title",), "title"),
        grain=tuple(map(str, grain)),
        null_default=null_default,
        blocks=blocks,
        conventions=conventions,
        series=series,
        extra={name: data[name] for name in EXTRA.get(component, ()) if name in data},
        families=families,
    )


def _texts(source: Source, data: Mapping[str, Any], field: str) -> dict[str, str]:
    declared = source.mapping(data.get(field, {}), (field,), field)
    return {
        str(name): source.text(value, (field, name), f"{field} {name}")
        for name, value in declared.items()
    }


def _add_shared(
    source: Source,
    data: Mapping[str, Any],
    shared: Shared,
    conventions: dict[str, str],
    series: dict[str, str],
) -> None:
    for i, name in enumerate(source.sequence(data.get("shared", []), ("shared",), "shared")):
        place: Path = ("shared", i)
        if name in conventions or name in series:
            source.fault(place, f"{name} is shared and declared in this file too")
        elif name in shared.conventions:
            conventions[name] = shared.conventions[name]
        elif name in shared.series:
            series[name] = shared.series[name]
        else:
            known = [*shared.conventions, *shared.series]
            source.fault(place, f"unknown shared entry {name}{hint(str(name), known)}")


def _blocks(source: Source, data: Mapping[str, Any]) -> tuple[Block, ...]:
    declared = source.mapping(data.get("blocks", {}), ("blocks",), "blocks")
    blocks = []
    for name, raw in declared.items():
        path: Path = ("blocks", name)
        fields = source.mapping(raw, path, f"the block {name}")
        source.fields(fields, path, ("count", "about"), ())
        blocks.append(
            Block(
                name=str(name),
                count=source.whole(fields.get("count", 0), (*path, "count"), "count"),
                about=source.text(fields.get("about"), (*path, "about"), "about"),
            )
        )
    return tuple(blocks)


def _families(
    source: Source, data: Mapping[str, Any], component: str, reader: FamilyReader
) -> tuple[Family, ...]:
    families: dict[str, Family] = {}
    raw_families = source.sequence(data.get("families", []), ("families",), "families")
    for i, raw in enumerate(raw_families):
        path: Path = ("families", i)
        columns = reader.read(raw, path)
        fields = raw if isinstance(raw, Mapping) else {}
        name = source.text(fields.get("id"), (*path, "id"), "id")
        line = source.document.line((*path, "id"))
        if name in families:
            source.fault(
                (*path, "id"),
                f"the family {name} is declared twice, first on line {families[name].line}",
            )
            continue
        names = fields.get("names")
        families[name] = Family(
            name=name,
            component=component,
            block=str(fields.get("block", "")),
            columns=columns,
            template=names if isinstance(names, str) else ", ".join(map(str, names or [])),
            definition=str(fields.get("definition", "")),
            line=line,
        )
    return tuple(families.values())


def _totals(
    source: Source,
    data: Mapping[str, Any],
    blocks: tuple[Block, ...],
    columns: list[FeatureColumn],
) -> None:
    count = source.whole(data.get("count", 0), ("count",), "count")
    if count != len(columns):
        source.fault(("count",), f"count is {count}, but {len(columns)} columns are declared")
    online = source.whole(data.get("online_count", 0), ("online_count",), "online_count")
    served = sum(column.online for column in columns)
    if online != served:
        source.fault(("online_count",), f"online_count is {online}, but {served} are online")
    by_block = Counter(column.block for column in columns)
    for block in blocks:
        if block.count != by_block[block.name]:
            source.fault(
                ("blocks", block.name, "count"),
                f"the block {block.name} counts {block.count}, "
                f"but {by_block[block.name]} columns are declared in it",
            )
