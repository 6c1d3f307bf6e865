"""What feature tables hold: rows, columns, nulls and seconds of each component.

Here: the figures of some partitions, from what their materialisations recorded, and their table.
Not here: making them (``materialize.py``, ``demo.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mr_platform.cli.graph import Graph
from mr_platform.cli.terminal import table

if TYPE_CHECKING:
    from mr_platform.trading_calendar import PartitionKey


@dataclass(frozen=True)
class FeatureSummary:
    """One component's table.

    Attributes:
        table: Name of the table.
        partitions: Partitions made.
        rows: Rows, one a minute and expiry.
        columns: Feature columns.
        null_share: Share of null values.
        seconds: Seconds that the computation took, all partitions together.
    """

    table: str
    partitions: int
    rows: int
    columns: int
    null_share: float
    seconds: float


def component_tables() -> list[str]:
    """Tables of the components, c1 first."""
    from mr_platform.registry.loader import load_registry

    return [component.table for component in load_registry().components.values()]


def feature_summaries(
    graph: Graph, tables: Iterable[str], keys: Sequence[PartitionKey]
) -> tuple[FeatureSummary, ...]:
    """What the latest materialisations of components tell of themselves.

    Args:
        graph: The home's graph.
        tables: Tables of components; others are passed over.
        keys: Partitions.
    """
    components = component_tables()
    return tuple(_summary(graph, table, keys) for table in tables if table in components)


def _summary(graph: Graph, table: str, keys: Sequence[PartitionKey]) -> FeatureSummary:
    from mr_platform.orchestration.materialization_events import partition_facts_told

    told = list(partition_facts_told(graph.instance, table, keys).values())
    rows = sum(int(facts["dagster/partition_row_count"]) for facts in told)
    cells = [int(facts["dagster/partition_row_count"]) * facts["null_share"] for facts in told]
    return FeatureSummary(
        table=table,
        partitions=len(told),
        rows=rows,
        columns=max((int(facts["value_columns"]) for facts in told), default=0),
        null_share=sum(cells) / rows if rows else 0.0,
        seconds=sum(facts["seconds"] for facts in told),
    )


def feature_table(features: Sequence[FeatureSummary]) -> str:
    """The summaries as a table, for people."""
    headers = ["features", "partitions", "rows", "columns", "null", "seconds"]
    rows = [
        (one.table, one.partitions, one.rows, one.columns, f"{one.null_share:.1%}",
         f"{one.seconds:.2f}")
        for one in features
    ]  # fmt: skip
    return table(headers, rows, right=(1, 2, 3, 4, 5))
