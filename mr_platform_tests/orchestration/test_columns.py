"""Columns of the stored tables as the definitions show them."""

from __future__ import annotations

import pytest

from mr_platform.chain.accounts import LANDED_FILES_SCHEMA
from mr_platform.chain.quarantine import QUARANTINE_SCHEMA
from mr_platform.features.table_schemas import table_schema
from mr_platform.orchestration.columns import column_schema
from mr_platform.orchestration.derived_tables import derived_tables
from mr_platform.orchestration.ingestion import TABLES
from mr_platform.registry.loader import load_registry

DERIVED = tuple(table.name for table in derived_tables())


@pytest.mark.parametrize("table", [*TABLES, *DERIVED])
def test_every_column_has_a_meaning_and_none_is_there_twice(table: str) -> None:
    columns = column_schema(table).columns
    names = [column.name for column in columns]
    assert len(set(names)) == len(names)
    assert all(column.description for column in columns)


def test_the_chain_shows_what_the_registry_declares() -> None:
    found = {column.name: column for column in column_schema("option_chain").columns}
    assert list(found) == [column.name for column in load_registry().raw_chain.canonical]
    assert not found["strike"].constraints.nullable
    delta = found["pe_delta"]
    assert delta.type == "FLOAT64"
    assert delta.constraints.nullable
    assert "range: [-1, 0]" in delta.constraints.other


@pytest.mark.parametrize(
    ("table", "schema"),
    [("landed_files", LANDED_FILES_SCHEMA), ("quarantined_rows", QUARANTINE_SCHEMA)],
)
def test_accounts_show_the_types_they_are_stored_with(table: str, schema: dict) -> None:
    shown = {column.name: column.type for column in column_schema(table).columns}
    assert shown == {name: str(dtype) for name, dtype in schema.items()}


@pytest.mark.parametrize("table", DERIVED)
def test_derived_tables_show_the_columns_they_are_stored_with_in_order(table: str) -> None:
    shown = [column.name for column in column_schema(table).columns]
    assert shown == table_schema(table).names()


def test_units_are_shown_beside_the_meaning() -> None:
    found = {column.name: column for column in column_schema("minute_panel").columns}
    assert found["spot"].description == "Index value. (index points)"
    assert found["symbol"].description == "Index."
    assert found["j"].type == "Int32"


def test_features_show_their_bounds() -> None:
    declared = next(
        column
        for column in load_registry().components["c1"].columns
        if column.low is not None and column.high is not None
    )
    found = {column.name: column for column in column_schema("c1_features").columns}
    assert found[declared.name].constraints is not None
    assert any(declared.range_text() in text for text in found[declared.name].constraints.other)
