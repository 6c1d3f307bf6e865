from __future__ import annotations

import json
from collections.abc import Callable
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


NEWEST = "00000000000000000001.json"
FIRST = "00000000000000000000.json"


def cut_off(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:300])


def garbage(entry: Path) -> None:
    entry.write_text("garbage\n")


def binary(entry: Path) -> None:
    entry.write_bytes(b"\xff\xfe\x00")


def zeroes(entry: Path) -> None:
    entry.write_bytes(b"\0" * entry.stat().st_size)


def emptied(entry: Path) -> None:
    entry.write_bytes(b"")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a table t with one write; a table whole stands beside it."""
    writer = open_lakehouse(tmp_path)
    for name in ("t", "whole"):
        writer.replace_partitions(name, rows_of([NIFTY]), [NIFTY])
    return tmp_path / "t" / "_delta_log"


@pytest.mark.parametrize("entry", [FIRST, NEWEST])
@pytest.mark.parametrize("damage", [cut_off, garbage, binary, zeroes])
def test_a_damaged_log_is_told_with_table_entry_and_next_step(
    tmp_path: Path, log: Path, damage: Callable[[Path], None], entry: str
) -> None:
    damage(log / entry)
    tables = OpenTables(tmp_path, None)

    with pytest.raises(TableError) as told:
        tables.newest("t")

    assert told.value.place == "t"
    assert told.value.fault.startswith(f"its log cannot be read, entry {entry}: Json error")
    assert "\n" not in str(told.value)
    assert "unknown>" not in str(told.value), "the library's own stack"
    assert f"move {tmp_path / 't'} aside" in str(told.value.next_step)
    assert "mr materialize t --force" in str(told.value.next_step)
    assert told.value.permanent
    assert tables.names() == ["t", "whole"]
    assert tables.newest("whole").version() == 1


def test_an_entry_without_content_is_no_commit_that_changed_nothing(
    tmp_path: Path, log: Path
) -> None:
    emptied(log / NEWEST)
    with pytest.raises(TableError, match=rf"^t: its log cannot be read, entry {NEWEST}: .* empty"):
        OpenTables(tmp_path, None).newest("t")


@pytest.mark.parametrize("damage", [garbage, emptied])
def test_a_log_damaged_after_it_was_opened_is_told_too_and_can_be_mended(
    tmp_path: Path, log: Path, damage: Callable[[Path], None]
) -> None:
    tables = OpenTables(tmp_path, None)
    tables.newest("t")
    whole = (log / NEWEST).read_bytes()

    damage(log / NEWEST)
    with pytest.raises(TableError, match=r"^t: its log cannot be read"):
        tables.newest("t")

    (log / NEWEST).write_bytes(whole)
    assert tables.newest("t").version() == 1


def test_a_log_with_a_gap_is_told_in_one_short_line(tmp_path: Path, log: Path) -> None:
    (log / NEWEST).rename(log / "00000000000000000005.json")
    with pytest.raises(TableError, match=r"^t: its log cannot be read: .*gap") as told:
        OpenTables(tmp_path, None).newest("t")
    assert len(told.value.fault) < 250


def test_an_entry_that_is_json_of_another_kind_is_told_without_naming_it(
    tmp_path: Path, log: Path
) -> None:
    (log / NEWEST).write_text('{"add": 5}')
    with pytest.raises(TableError, match=r"^t: its log cannot be read: Json error"):
        OpenTables(tmp_path, None).newest("t")


def test_an_emptied_entry_between_others_is_found(tmp_path: Path) -> None:
    writer = open_lakehouse(tmp_path)
    for _ in range(3):
        writer.replace_partitions("t", rows_of([NIFTY]), [NIFTY])
    follower = OpenTables(tmp_path, None)
    assert follower.newest("t").version() == 3
    for _ in range(2):
        writer.replace_partitions("t", rows_of([NIFTY]), [NIFTY])
    middle = tmp_path / "t" / "_delta_log" / f"{4:020}.json"
    emptied(middle)

    for tables in (OpenTables(tmp_path, None), follower):
        with pytest.raises(TableError, match=f"entry {middle.name}: the entry is empty"):
            tables.newest("t")


def test_a_table_of_a_newer_writer_is_not_called_damaged(tmp_path: Path, log: Path) -> None:
    entry = log / FIRST
    lines = []
    for line in entry.read_text().splitlines():
        action = json.loads(line)
        if "protocol" in action:
            action["protocol"] = {
                "minReaderVersion": 3, "minWriterVersion": 7,
                "readerFeatures": ["futureFeature"], "writerFeatures": ["futureFeature"],
            }  # fmt: skip
        lines.append(json.dumps(action))
    entry.write_text("\n".join(lines) + "\n")

    with pytest.raises(TableError, match="written by a newer version of Delta Lake") as told:
        OpenTables(tmp_path, None).newest("t")
    assert "aside" not in str(told.value.next_step)
    assert "futureFeature" in told.value.fault
