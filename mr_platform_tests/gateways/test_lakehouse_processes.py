"""Several processes on one lakehouse, processes killed at work, disks that fail."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mr_platform.errors import PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform_tests.gateways import lakehouse_writers as writers
from mr_platform_tests.gateways.lakehouse_writers import (
    BANKNIFTY,
    MONDAY_NIFTY,
    NIFTY,
    TABLE,
    open_lakehouse,
    rows_of,
)

SPAWN = multiprocessing.get_context("spawn")
TIMES = 20


def run_together(*calls: tuple[Any, tuple[Any, ...]]) -> None:
    """Run calls in processes of their own; each gets a barrier at which all wait."""
    barrier = SPAWN.Barrier(len(calls), timeout=60)
    processes = [SPAWN.Process(target=target, args=(*args, barrier)) for target, args in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(calls)


def told_by(target: Any, *args: Any) -> Any:
    """What a process tells through its pipe."""
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=target, args=(*args, sender))
    process.start()
    sender.close()
    told = receiver.recv()
    process.join(60)
    return told


def test_writers_of_disjoint_partitions_lose_nothing(tmp_path: Path) -> None:
    root = str(tmp_path)

    run_together(
        (writers.write_often, (root, TABLE, NIFTY, 1, TIMES)),
        (writers.write_often, (root, TABLE, BANKNIFTY, 2, TIMES)),
    )

    lakehouse = open_lakehouse(tmp_path)
    assert lakehouse.version(TABLE) == 2 * TIMES
    rows = lakehouse.scan(TABLE).collect()
    found = rows.group_by("symbol").agg(pl.col("generation").unique(), pl.len()).sort("symbol")
    assert found.rows() == [("BANKNIFTY", [2019], 8), ("NIFTY", [1019], 7)]


def test_writers_of_one_partition_end_with_the_rows_of_exactly_one(tmp_path: Path) -> None:
    root = str(tmp_path)

    run_together(
        (writers.write_often, (root, TABLE, NIFTY, 1, TIMES)),
        (writers.write_often, (root, TABLE, NIFTY, 2, TIMES)),
    )

    lakehouse = open_lakehouse(tmp_path)
    last = lakehouse.history(TABLE, 1)[0].info
    rows = lakehouse.scan(TABLE).collect()
    assert rows.height == 6 + int(last["writer"])
    assert rows["generation"].unique().to_list() == [int(last["writer"]) * 1000 + TIMES - 1]
    # each version holds one generation: nobody ever saw two
    for version in range(1, 2 * TIMES + 1):
        seen = lakehouse.scan(TABLE, version=version).collect()
        assert seen["generation"].n_unique() == 1
    commits = lakehouse.history(TABLE, None)[:-1]
    turns = sorted((entry.info["writer"], int(entry.info["turn"])) for entry in commits)
    assert turns == [(writer, turn) for writer in "12" for turn in range(TIMES)]


def test_tables_first_written_by_two_processes_at_once_hold_both(tmp_path: Path) -> None:
    tables = [f"table_{number}" for number in range(20)]

    run_together(
        (writers.create_tables, (str(tmp_path), tables, NIFTY)),
        (writers.create_tables, (str(tmp_path), tables, BANKNIFTY)),
    )

    lakehouse = open_lakehouse(tmp_path)
    for table in tables:
        assert lakehouse.read_partition_counts(table)["rows"].to_list() == [6, 6]
        operations = [entry.operation for entry in reversed(lakehouse.history(table, None))]
        assert operations == ["CREATE TABLE", "replace_partitions", "replace_partitions"]


def test_compaction_beside_a_writer_of_the_same_partition_keeps_one_generation(
    tmp_path: Path,
) -> None:
    lakehouse = open_lakehouse(tmp_path)
    both = [NIFTY, MONDAY_NIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(both), both)

    run_together(
        (writers.write_often, (str(tmp_path), TABLE, NIFTY, 1, TIMES)),
        (writers.compact_often, (str(tmp_path), TABLE, 10)),
    )

    rows = lakehouse.scan(TABLE).collect()
    assert rows.filter(pl.col("date") == NIFTY.date)["generation"].to_list() == [1019] * 7
    assert rows.filter(pl.col("date") == MONDAY_NIFTY.date)["generation"].to_list() == [0] * 6
    operations = {entry.operation for entry in lakehouse.history(TABLE, None)}
    assert "OPTIMIZE" in operations


def kill_writers(root: Path, times: int, seed: int) -> None:
    """Kill a writer at random moments; after each, check the table and write on."""
    moments = random.Random(seed)
    keys = [NIFTY, BANKNIFTY, MONDAY_NIFTY]
    rows = 4_000
    generation = 0
    for _ in range(times):
        receiver, sender = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(
            target=writers.write_until_killed, args=(str(root), keys, generation, rows, sender)
        )
        process.start()
        sender.close()
        acknowledged = receiver.recv()
        time.sleep(moments.uniform(0, 0.12))
        process.kill()
        process.join(60)
        while receiver.poll():
            try:
                acknowledged = receiver.recv()
            except EOFError:
                break
        generation = check_after_kill(root, keys, rows, acknowledged)


def check_after_kill(root: Path, keys: list[Any], rows: int, acknowledged: int) -> int:
    lakehouse = open_lakehouse(root)
    frame = lakehouse.scan(TABLE, keys).collect()
    [found] = frame["generation"].unique().to_list()
    # a commit that was told is never lost; one more may have been made before it could be told
    assert found in (acknowledged, acknowledged + 1)
    assert frame.height == rows * len(keys)
    following = found + 1
    lakehouse.replace_partitions(TABLE, rows_of(keys, following, rows), keys)
    assert lakehouse.scan(TABLE).collect()["generation"].unique().to_list() == [following]
    return following


def test_a_killed_writer_leaves_the_last_good_version(tmp_path: Path) -> None:
    kill_writers(tmp_path, times=8, seed=11)


@pytest.mark.slow
def test_many_killed_writers_leave_the_last_good_version(tmp_path: Path) -> None:
    kill_writers(tmp_path, times=60, seed=12)


def test_a_full_disk_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    lakehouse = open_lakehouse(tmp_path)
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    files = sorted(tmp_path.rglob("*.parquet"))

    kind, text, permanent = told_by(writers.write_with_little_room, str(tmp_path), 20_000)

    assert kind == "StorageError"
    assert "no room was left to write" in text
    assert "Free disk space" in text
    assert permanent is False
    assert lakehouse.scan(TABLE).collect()["generation"].unique().to_list() == [1]
    assert [path for path in sorted(tmp_path.rglob("*.parquet")) if path not in files] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_without_rights_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("rights")
    lakehouse = open_lakehouse(root)
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])

    kind, text, permanent = told_by(writers.write_as_nobody, str(root))

    assert kind == "StorageError"
    assert "may not be written or read by this user" in text
    assert permanent is True
    assert lakehouse.scan(TABLE).collect()["generation"].unique().to_list() == [1]


def test_a_file_in_the_place_of_the_root_is_told(tmp_path: Path) -> None:
    root = tmp_path / "lakehouse"
    root.write_text("not a folder")
    lakehouse: Lakehouse = open_lakehouse(root)

    with pytest.raises(PlatformError, match="a file stands where a folder should be"):
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY]), [NIFTY])
