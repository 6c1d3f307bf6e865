from __future__ import annotations

from pathlib import Path

import pytest

from mr_platform.errors import TableError
from mr_platform.gateways.open_tables import OpenTables
from mr_platform_tests.gateways.lakehouse_writers import NIFTY, open_lakehouse, rows_of


def test_a_table_is_opened_once_and_read_on(tmp_path: Path) -> None:
    writer = open_lakehouse(tmp_path)
    writer.replace_partitions("t", rows_of([NIFTY]), [NIFTY])
    tables = OpenTables(tmp_path, None)
    first = tables.newest("t")
    assert first.version() == 1

    writer.replace_partitions("t", rows_of([NIFTY]), [NIFTY])

    assert tables.newest("t") is first
    assert first.version() == 2


def test_creating_a_table_that_another_created_is_no_fault(tmp_path: Path) -> None:
    tables = OpenTables(tmp_path, None)
    tables.create("t", rows_of([NIFTY]))
    tables.create("t", rows_of([NIFTY]))

    assert tables.newest("t").version() == 0
    assert tables.newest("t").metadata().partition_columns == ["symbol", "date"]


def test_folders_that_are_no_tables_are_not_listed(tmp_path: Path) -> None:
    tables = OpenTables(tmp_path, None)
    tables.create("b", rows_of([NIFTY]))
    tables.create("a", rows_of([NIFTY]))
    (tmp_path / "c" / "_delta_log").mkdir(parents=True)
    (tmp_path / "d").mkdir()

    assert tables.names() == ["a", "b"]


def test_tables_of_a_bucket_are_not_listed() -> None:
    tables = OpenTables("gs://bucket/lakehouse/", {"google_skip_signature": "true"})
    assert tables.uri("option_chain") == "gs://bucket/lakehouse/option_chain"
    with pytest.raises(TableError, match="on a local root only"):
        tables.names()
