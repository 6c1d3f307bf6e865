"""Figures of feature tables, from what their materialisations recorded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mr_platform.cli.feature_summary import component_tables, feature_summaries, feature_table
from mr_platform.orchestration import materialization_events
from mr_platform.trading_calendar import PartitionKey

KEYS = [PartitionKey.parse("2025-08-29|NIFTY"), PartitionKey.parse("2025-08-29|BANKNIFTY")]
TOLD = {
    KEYS[0]: {
        "dagster/partition_row_count": 300, "value_columns": 150, "null_share": 0.1, "seconds": 0.5
    },
    KEYS[1]: {
        "dagster/partition_row_count": 100, "value_columns": 150, "null_share": 0.5, "seconds": 0.25
    },
}  # fmt: skip


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Any:
    def told(instance: object, table: str, keys: object) -> dict[PartitionKey, dict[str, float]]:
        return TOLD if table == "c1_features" else {}

    monkeypatch.setattr(materialization_events, "partition_facts_told", told)
    return SimpleNamespace(instance=None)


def test_the_components_in_order() -> None:
    assert component_tables() == [f"c{number}_features" for number in range(1, 9)]


def test_rows_and_seconds_add_up_and_nulls_weigh_by_rows(graph: Any) -> None:
    (summary,) = feature_summaries(graph, ["c1_features", "minute_panel"], KEYS)
    assert (summary.table, summary.partitions, summary.rows) == ("c1_features", 2, 400)
    assert summary.columns == 150
    assert summary.null_share == pytest.approx((300 * 0.1 + 100 * 0.5) / 400)
    assert summary.seconds == 0.75


def test_a_component_that_was_not_made_has_no_rows(graph: Any) -> None:
    (summary,) = feature_summaries(graph, ["c2_features"], KEYS)
    assert (summary.partitions, summary.rows, summary.columns, summary.null_share) == (0, 0, 0, 0.0)


def test_the_table_has_a_line_a_component(graph: Any) -> None:
    text = feature_table(feature_summaries(graph, ["c1_features", "c2_features"], KEYS))
    lines = text.splitlines()
    assert lines[0].split() == ["features", "partitions", "rows", "columns", "null", "seconds"]
    assert lines[2].split() == ["c1_features", "2", "400", "150", "20.0%", "0.75"]
    assert len(lines) == 4
