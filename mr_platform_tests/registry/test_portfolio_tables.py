"""The declaration of portfolio tables: what it says, and every fault with its line."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.errors import RegistryError
from mr_platform.registry.portfolio_tables import PORTFOLIO_TABLES, load_portfolio_tables


def test_every_table_begins_with_its_partition_columns():
    tables = load_portfolio_tables()

    assert {"strategy_returns", "portfolios", "best_portfolio"} <= tables.keys()
    for table in tables.values():
        assert list(table.schema.items())[:2] == [("book", pl.String()), ("part", pl.String())]
        assert all(column.meaning.endswith(".") for column in table.columns), table.name
    assert tables["strategy_returns"].part == "month"
    assert load_portfolio_tables() is tables, "read once a process"
    assert load_portfolio_tables(PORTFOLIO_TABLES) == tables


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("part: month", "part: week", "unknown part 'week'"),
        ("{type: Date,", "{type: Dates,", "unknown type 'Dates'. Near: Date"),
        ("    zone: {type: String", "    book: {type: String", "book is a column of every table"),
        ("  meaning: \"Profit", "  meanings: \"Profit", "field meaning is missing"),
        ("unit: bytes, ", "units: bytes, ", "unknown field units. Near: unit"),
        ("strategy_files:\n  part: all", "strategy_files:\n  - part", "tables.yaml:"),
    ],
)  # fmt: skip
def test_faults_name_their_line(tmp_path, old, new, fault):
    text = PORTFOLIO_TABLES.read_text("utf-8")
    assert old in text
    path = tmp_path / "tables.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")

    with pytest.raises(RegistryError) as refused:
        load_portfolio_tables(path)

    assert fault in str(refused.value)
    assert "tables.yaml:" in str(refused.value)


def test_a_table_without_columns_and_a_file_that_is_none_are_refused(tmp_path):
    path = tmp_path / "tables.yaml"
    path.write_text("t:\n  part: all\n  meaning: x\n  columns: {}\n", "utf-8")
    with pytest.raises(RegistryError, match="t has no column"):
        load_portfolio_tables(path)
    with pytest.raises(RegistryError, match="cannot be read"):
        load_portfolio_tables(tmp_path / "none.yaml")
