from __future__ import annotations

import os
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.errors import TableError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform_tests.gateways.lakehouse_writers import (
    BANKNIFTY,
    MONDAY_NIFTY,
    NIFTY,
    TABLE,
    open_lakehouse,
    rows_of,
)

KEYS = ["symbol", "date", "ts_minute", "strike"]


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """Versions 1 to 3 hold generation 1 to 3 of one partition."""
    opened = open_lakehouse(tmp_path / "lakehouse")
    for generation in (1, 2, 3):
        opened.replace_partitions(TABLE, rows_of([NIFTY], generation), [NIFTY])
    return opened


def generation(lakehouse: Lakehouse, version: int | None = None) -> list[int]:
    rows = lakehouse.scan(TABLE, version=version).collect()
    return rows["generation"].unique().sort().to_list()


def data_files(lakehouse: Lakehouse) -> set[str]:
    root = Path(lakehouse.uri(TABLE))
    return {str(path.relative_to(root)) for path in root.rglob("symbol=*/**/*.parquet")}


def test_every_version_can_be_read(lakehouse: Lakehouse) -> None:
    assert [generation(lakehouse, version) for version in range(4)] == [[], [1], [2], [3]]


def test_restore_brings_a_version_back_as_a_commit_that_can_be_undone(
    lakehouse: Lakehouse,
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([BANKNIFTY], 4), [BANKNIFTY])

    report = lakehouse.restore(TABLE, 1, commit_info={"run_id": "rollback"})

    assert (report.restored, report.version) == (1, 5)
    assert (report.files_removed, report.files_brought_back) == (2, 1)
    assert_frame_equal(lakehouse.scan(TABLE).collect(), rows_of([NIFTY], 1))
    newest = lakehouse.history(TABLE, 1)[0]
    assert newest.operation == "RESTORE"
    assert newest.info["run_id"] == "rollback"
    lakehouse.restore(TABLE, 4)
    assert generation(lakehouse) == [3, 4]


@pytest.mark.parametrize("version", [4, 99, -1])
def test_a_version_that_no_commit_made_is_refused(lakehouse: Lakehouse, version: int) -> None:
    with pytest.raises(TableError, match=f"no version {version}; the newest is 3"):
        lakehouse.restore(TABLE, version)
    with pytest.raises(TableError, match=f"no version {version}"):
        lakehouse.scan(TABLE, version=version)


def test_a_vacuumed_version_is_refused_with_the_reason(lakehouse: Lakehouse) -> None:
    lakehouse.vacuum(TABLE, 0, dry_run=False, force=True)

    with pytest.raises(TableError, match=r"version 1 can't be read: 1 of its 1 files .* vacuum"):
        lakehouse.restore(TABLE, 1)
    with pytest.raises(TableError, match="removed by vacuum"):
        lakehouse.scan(TABLE, version=2)
    assert generation(lakehouse) == [3]


def test_a_version_that_the_log_no_longer_reaches_is_refused(lakehouse: Lakehouse) -> None:
    Path(lakehouse.uri(TABLE), "_delta_log", f"{0:020}.json").unlink()

    with pytest.raises(TableError, match="version 1 is no longer in the log"):
        lakehouse.scan(TABLE, version=1)


def test_vacuum_lists_first_and_deletes_only_when_told(lakehouse: Lakehouse) -> None:
    before = data_files(lakehouse)

    listed = lakehouse.vacuum(TABLE, 0, force=True)

    assert listed.dry_run
    assert len(listed.files) == 2
    assert listed.bytes > 0
    assert data_files(lakehouse) == before
    deleted = lakehouse.vacuum(TABLE, 0, dry_run=False, force=True)
    assert deleted.files == listed.files
    assert data_files(lakehouse) == before - set(listed.files)


def test_vacuum_refuses_a_short_retention_unless_forced(lakehouse: Lakehouse) -> None:
    before = data_files(lakehouse)

    with pytest.raises(TableError, match="retention was 167 h, the least is 168 h"):
        lakehouse.vacuum(TABLE, 167, dry_run=False)

    assert data_files(lakehouse) == before


def test_vacuum_keeps_young_files_and_takes_old_ones_that_no_version_names(
    lakehouse: Lakehouse,
) -> None:
    folder = Path(lakehouse.uri(TABLE), "symbol=NIFTY", "date=2025-08-29")
    at_work, left_behind = folder / "part-a.parquet", folder / "part-b.parquet"
    for path in (at_work, left_behind):
        path.write_bytes(b"not committed")
    old = time.time() - 169 * 3600
    os.utime(left_behind, (old, old))

    report = lakehouse.vacuum(TABLE, dry_run=False)

    assert [Path(name).name for name in report.files] == ["part-b.parquet"]
    assert at_work.exists()
    assert not left_behind.exists()
    assert generation(lakehouse, 1) == [1]


@pytest.mark.parametrize("zorder_by", [(), ("strike", "ts_minute")])
def test_compaction_joins_files_and_keeps_every_row_and_type(
    lakehouse: Lakehouse, zorder_by: tuple[str, ...]
) -> None:
    from deltalake import write_deltalake

    # a foreign writer appends small files to a partition
    more = rows_of([NIFTY], 4)
    write_deltalake(lakehouse.uri(TABLE), more, mode="append")
    lakehouse.replace_partitions(TABLE, rows_of([MONDAY_NIFTY], 5), [MONDAY_NIFTY])
    before = lakehouse.scan(TABLE).collect().sort(*KEYS, "generation")

    report = lakehouse.optimize(TABLE, zorder_by, keys=[NIFTY])

    after = lakehouse.scan(TABLE).collect()
    assert_frame_equal(after.sort(*KEYS, "generation"), before)
    assert (report.partitions, report.files_removed, report.files_added) == (1, 2, 1)
    assert report.bytes_removed > 0
    assert report.bytes_added > 0
    assert report.version == lakehouse.version(TABLE)
    assert lakehouse.read_partition_counts(TABLE)["rows"].to_list() == [12, 6]


def test_z_order_lays_rows_out_by_its_column(tmp_path: Path) -> None:
    lakehouse = open_lakehouse(tmp_path)
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY]), [NIFTY])
    assert not lakehouse.scan(TABLE).collect()["strike"].is_sorted()

    lakehouse.optimize(TABLE, ["strike"])

    assert lakehouse.scan(TABLE).collect()["strike"].is_sorted()


def test_a_compacted_partition_is_replaced_whole(lakehouse: Lakehouse) -> None:
    lakehouse.optimize(TABLE, ["strike"])

    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 7), [NIFTY])

    assert_frame_equal(lakehouse.scan(TABLE).collect(), rows_of([NIFTY], 7))


@pytest.mark.parametrize(
    ("columns", "told"), [(["strik"], "no such columns: strik"), (["date"], "date can't be")]
)
def test_z_order_columns_must_be_columns_of_the_rows(
    lakehouse: Lakehouse, columns: list[str], told: str
) -> None:
    with pytest.raises(TableError, match=told):
        lakehouse.optimize(TABLE, columns)
    assert lakehouse.version(TABLE) == 3


def test_a_partition_written_with_no_rows_is_read_in_old_versions_too(
    lakehouse: Lakehouse,
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY]).clear(), [NIFTY])

    assert lakehouse.scan(TABLE).select(pl.len()).collect().item() == 0
    assert generation(lakehouse, 3) == [3]
