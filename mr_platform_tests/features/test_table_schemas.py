"""Declared columns as Polars schemas."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.errors import TableError
from mr_platform.features.table_schemas import MINUTE_PANEL, empty_table, table_schema
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS

REGISTRY = load_registry()


def test_a_component_s_table_is_keys_features_and_the_version() -> None:
    schema = table_schema("c3_features")
    features = [column.name for column in REGISTRY.components["c3"].columns]
    assert schema.names() == [
        "symbol", "ts_minute", "date", "dte", "zone_name", *features, "feature_version",
    ]  # fmt: skip
    assert schema["ts_minute"] == pl.Datetime("us", "UTC")
    assert schema["dte"] == pl.Int64
    assert schema["feature_version"] == pl.String


@pytest.mark.parametrize("component", COMPONENTS)
def test_features_have_the_type_that_is_declared(component: str) -> None:
    declared = REGISTRY.components[component]
    schema = table_schema(declared.table)
    types = {"FLOAT64": pl.Float64, "INT64": pl.Int64}
    assert {column.name: schema[column.name] for column in declared.columns} == {
        column.name: types[column.dtype] for column in declared.columns
    }


@pytest.mark.parametrize("table", [MINUTE_PANEL, *REGISTRY.history])
def test_panel_and_history_are_as_declared(table: str) -> None:
    columns = REGISTRY.panel if table == MINUTE_PANEL else REGISTRY.history[table].columns
    schema = table_schema(table)
    assert schema.names() == [column.name for column in columns]
    for column in columns:
        told = "Datetime[us, UTC]" if column.dtype.startswith("Datetime") else column.dtype
        assert told.startswith(str(schema[column.name]).split("(")[0])


def test_a_table_that_is_not_declared_is_refused() -> None:
    with pytest.raises(TableError, match="c9_features: the registry declares no such table"):
        table_schema("c9_features")


@pytest.mark.parametrize("table", [MINUTE_PANEL, "hist_daily", "c7_features"])
def test_an_empty_table_has_the_columns_and_no_rows(table: str) -> None:
    rows = empty_table(table).collect()
    assert rows.is_empty()
    assert rows.schema == table_schema(table)
