"""Columns of the stored tables as the definitions show them."""

from __future__ import annotations

import pytest

from mr_platform.chain.accounts import LANDED_FILES_SCHEMA
from mr_platform.chain.quarantine import QUARANTINE_SCHEMA
from mr_platform.orchestration.columns import column_schema
from mr_platform.orchestration.ingestion import TABLES
from mr_platform.registry.loader import load_registry


@pytest.mark.parametrize("table", TABLES)
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
