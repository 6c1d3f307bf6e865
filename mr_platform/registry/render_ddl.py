"""BigQuery DDL of the declared tables.

Here: SQL text from table data.
Not here: which columns there are (``tables.py``), running SQL (``gateways/``).
"""

from __future__ import annotations

import textwrap

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import Registry
from mr_platform.registry.tables import TableColumn, TableSpec, table_names, table_spec

HEADER = (
    "-- Rendered by `python -m mr_platform.registry.render` from mr_platform/registry/declared."
)


def render_ddl(registry: Registry | None = None) -> dict[str, str]:
    """SQL text by file name, one ``CREATE TABLE`` a file.

    Tables are named without a data set: the job that runs them sets its default data set.
    """
    declared = registry or load_registry()
    return {f"{name}.sql": ddl_of(table_spec(name, declared)) for name in table_names()}


def ddl_of(table: TableSpec) -> str:
    """One table's ``CREATE TABLE`` statement, partitioned by date."""
    columns = ",\n".join(f"  {_column(column)}" for column in table.columns)
    options = [f"description={_quoted(table.description)}", "require_partition_filter=TRUE"]
    if table.labels:
        labels = ", ".join(f"({_quoted(k)}, {_quoted(v)})" for k, v in table.labels)
        options.append(f"labels=[{labels}]")
    return (
        f"{HEADER}\n-- Do not edit: change the declaration and render again.\n"
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n{columns}\n)\n"
        f"PARTITION BY date\nCLUSTER BY {', '.join(table.cluster_by)}\n"
        f"OPTIONS(\n{textwrap.indent(f',{chr(10)}'.join(options), '  ')}\n);\n"
    )


def _column(column: TableColumn) -> str:
    required = " NOT NULL" if column.required else ""
    return (
        f"{column.name} {column.type}{required} OPTIONS(description={_quoted(column.description)})"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
