"""The feature reference for people, and the decisions in it by themselves, as Markdown.

Here: texts from the registry.
Not here: the declarations, writing files (``render.py``).
"""

from __future__ import annotations

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import (
    COMPONENTS,
    Component,
    Family,
    FeatureColumn,
    HistoryTable,
    RawChain,
    RawColumn,
    Registry,
    interval_text,
)

HEADER = (
    "<!-- Rendered by `python -m mr_platform.registry.render` from "
    "mr_platform/registry/declared. Do not edit. -->"
)

SHARED_BY = 3
"""Components that name a convention before the page of decisions tells it."""


def render_features_page(registry: Registry | None = None) -> str:
    """Every component, family and column, with units, ranges, look-back and online marks."""
    declared = registry or load_registry()
    parts = [
        HEADER,
        "# Feature reference",
        f"{len(declared.features)} features in eight components, {len(declared.online)} of them "
        "served online (marked ●). A row is keyed by symbol, ts_minute and dte; a row labelled t "
        "is known one minute after t. Ranges are closed and hold for every non-null value.",
        _totals(declared),
        _online(declared),
        *(_component(declared.components[name]) for name in COMPONENTS),
        _component(declared.labels),
        _history(declared),
        _raw_chain(declared.raw_chain),
    ]
    return "\n\n".join(parts) + "\n"


def render_decisions_page(registry: Registry | None = None) -> str:
    """What was decided where a source was silent, open or wrong, component by component."""
    declared = registry or load_registry()
    components = [*declared.components.values(), declared.labels]
    decided = [
        (component, [family for family in component.families if family.columns[0].decision])
        for component in components
    ]
    general = [f"- `{name}`: {_plain(text)}" for name, text in _shared(components).items()]
    parts = [
        HEADER,
        "# Decisions",
        f"{sum(len(families) for _, families in decided)} families whose definition was settled "
        "here, each with what was decided and why. The definitions themselves are in the "
        "[feature reference](features.md).",
        "## What holds in several components",
        "\n".join(general),
    ]
    for component, families in decided:
        lines = [
            f"- [`{family.name}`](features.md#{family.name}): {_plain(family.columns[0].decision)}"
            for family in families
        ]
        if lines:
            parts += [f"## {_heading(component)}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _shared(components: list[Component]) -> dict[str, str]:
    """Conventions that ``SHARED_BY`` components or more name with one text, by name."""
    told: dict[tuple[str, str], int] = {}
    for component in components:
        for convention in component.conventions.items():
            told[convention] = told.get(convention, 0) + 1
    return {name: text for (name, text), times in told.items() if times >= SHARED_BY}


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return _plain(text.replace("|", "\\|").replace("\n", " ")) if "`" not in text else text


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands: formulas are full of stars and angles."""
    return text.replace("*", "\\*").replace("<", "&lt;")


def _counted(count: int, things: str) -> str:
    return f"{count} {things.removesuffix('s') if count == 1 else things}"


def _totals(declared: Registry) -> str:
    rows = []
    for name in COMPONENTS:
        component = declared.components[name]
        columns = component.columns
        rows.append(
            [
                f"[{name}](#{_anchor(component)})",
                component.title,
                str(len(columns)),
                str(sum(c.dtype == "INT64" for c in columns)),
                str(sum(c.online for c in columns)),
                str(len(component.families)),
            ]
        )
    return _table(["", "component", "features", "INT64", "online", "families"], rows)


def _online(declared: Registry) -> str:
    rows = [
        [f"`{c.name}`", c.dtype, c.unit, c.range_text(), c.lookback.text()] for c in declared.online
    ]
    return "## Served online\n\n" + _table(["name", "type", "unit", "range", "look-back"], rows)


def _heading(component: Component) -> str:
    return f"{component.name}: {component.title}"


def _anchor(component: Component) -> str:
    kept = "".join(c for c in _heading(component).lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _component(component: Component) -> str:
    blocks = _table(
        ["block", "columns", "about"],
        [[block.name, str(block.count), block.about] for block in component.blocks],
    )
    conventions = [[f"`{name}`", text] for name, text in component.conventions.items()]
    series = [[f"`{name}`", text] for name, text in component.series.items()]
    return "\n\n".join(
        [
            f"## {_heading(component)}",
            f"{len(component.columns)} columns in `{component.table}`, declared in "
            f"`{component.stem}.yaml`. Null: {_plain(component.null_default)}.",
            blocks,
            _folded("Conventions", _table(["name", "meaning"], conventions)),
            *([_folded("Series", _table(["name", "meaning"], series))] if series else []),
            *(_family(family) for family in component.families),
        ]
    )


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _family(family: Family) -> str:
    first = family.columns[0]
    size = _counted(len(family.columns), "columns")
    lines = [f"### {family.name}", f"`{family.template}` · block {family.block} · {size}"]
    lines.append(_plain(family.definition))
    lines.append(_plain(f"Null: {first.null_policy}. Reference: {first.reference}."))
    if first.decision:
        lines.append(_plain(f"Decision: {first.decision}"))
    head = ["name", "type", "unit", "range", "scope", "look-back", "at least"]
    rows = [_column(column) for column in family.columns]
    lines.append(_table(head, rows))
    return "\n\n".join(lines)


def _column(column: FeatureColumn) -> list[str]:
    least = _counted(column.min_periods, column.min_periods_counts)
    if column.min_strikes:
        least += f", {column.min_strikes} strikes"
    return [
        f"`{column.name}`{' ●' if column.online else ''}",
        column.dtype,
        column.unit,
        column.range_text(),
        column.scope,
        column.lookback.text(),
        least,
    ]


def _history(declared: Registry) -> str:
    def readers(table: HistoryTable) -> str:
        components = [*declared.components.values(), declared.labels]
        return ", ".join(
            component.name
            for component in components
            if any(table.name in c.lookback.history_tables for c in component.columns)
        )

    rows = [
        [f"`{t.name}`", ", ".join(t.grain), str(t.depth_trading_days), t.content, t.built_from,
         readers(t)]
        for t in declared.history.values()
    ]  # fmt: skip
    head = ["table", "grain", "trading days", "content", "built from", "read by"]
    return "## History tables\n\n" + _table(head, rows)


def _raw_chain(raw_chain: RawChain) -> str:
    columns = [_raw_column(column) for column in raw_chain.canonical]
    rules = [
        [f"`{rule.name}`", rule.severity, ", ".join(rule.columns) or "row or file",
         rule.definition]
        for rule in raw_chain.rules
    ]  # fmt: skip
    return "\n\n".join(
        [
            "## Option chain",
            raw_chain.title + ".",
            _table(["column", "source", "type", "unit", "range", "null", "meaning"], columns),
            "## Rules at the door",
            "quarantine: the row goes and counts as bad; set_aside: the row goes without "
            "counting; warn: told, nothing goes; error: the partition is refused.",
            _table(["rule", "severity", "looks at", "definition"], rules),
        ]
    )


def _raw_column(column: RawColumn) -> list[str]:
    bound = ", ".join(column.values) or column.pattern or interval_text(column.low, column.high)
    return [
        f"`{column.name}`",
        column.source or "added",
        column.dtype,
        column.unit,
        bound,
        "yes" if column.nullable else "never",
        column.meaning,
    ]
