from __future__ import annotations

import datetime as dt
import errno
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from polars.testing import assert_frame_equal

from mr_platform.config.settings import ParquetSettings
from mr_platform.errors import TableConflictError, TableError
from mr_platform.gateways import lakehouse as lakehouse_module
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.storage_faults import StorageError
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.gateways.lakehouse_writers import (
    BANKNIFTY,
    FRIDAY,
    MONDAY_BANKNIFTY,
    MONDAY_NIFTY,
    NIFTY,
    TABLE,
    open_lakehouse,
    rows_of,
)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_lakehouse(tmp_path / "lakehouse")


def generations(lakehouse: Lakehouse, **options: int) -> dict[PartitionKey, set[int]]:
    rows = lakehouse.scan(TABLE, **options).collect()
    found: dict[PartitionKey, set[int]] = {}
    for symbol, day, generation in rows.select("symbol", "date", "generation").unique().rows():
        found.setdefault(PartitionKey(day, symbol), set()).add(generation)
    return found


def data_files(lakehouse: Lakehouse) -> list[Path]:
    return sorted(Path(lakehouse.uri(TABLE)).rglob("*.parquet"))


def test_rows_come_back_with_every_type_null_and_the_column_order(lakehouse: Lakehouse) -> None:
    frame = rows_of([NIFTY])

    report = lakehouse.replace_partitions(TABLE, frame, [NIFTY])

    back = lakehouse.scan(TABLE, [NIFTY]).collect()
    assert_frame_equal(back, frame)
    assert back.schema == frame.schema
    assert lakehouse.scan(TABLE).collect_schema() == frame.schema
    assert (report.version, report.rows, report.partitions, report.files) == (1, 6, 1, 1)
    assert report.bytes_written == data_files(lakehouse)[0].stat().st_size


def test_another_delta_reader_sees_the_same_rows(lakehouse: Lakehouse) -> None:
    frame = rows_of([NIFTY, BANKNIFTY])
    lakehouse.replace_partitions(TABLE, frame, [NIFTY, BANKNIFTY])

    foreign = pl.from_arrow(DeltaTable(lakehouse.uri(TABLE)).to_pyarrow_table())

    assert isinstance(foreign, pl.DataFrame)
    by = ["symbol", "ts_minute", "strike"]
    assert_frame_equal(foreign.select(frame.columns).sort(by), frame.sort(by))


def test_replacing_touches_only_the_named_pairs_of_date_and_symbol(lakehouse: Lakehouse) -> None:
    every = [NIFTY, BANKNIFTY, MONDAY_NIFTY, MONDAY_BANKNIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(every, 1), every)
    # a diagonal: neither whole dates nor whole symbols
    diagonal = [NIFTY, MONDAY_BANKNIFTY]

    report = lakehouse.replace_partitions(TABLE, rows_of(diagonal, 2), diagonal)

    assert generations(lakehouse) == {
        NIFTY: {2},
        MONDAY_BANKNIFTY: {2},
        BANKNIFTY: {1},
        MONDAY_NIFTY: {1},
    }
    assert (report.files, report.files_removed) == (2, 2)


def test_a_named_partition_without_rows_becomes_empty(lakehouse: Lakehouse) -> None:
    both = [NIFTY, BANKNIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(both, 1), both)

    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 2), both)

    assert generations(lakehouse) == {NIFTY: {2}}
    assert lakehouse.scan(TABLE, [BANKNIFTY]).collect().is_empty()
    assert lakehouse.scan(TABLE, [BANKNIFTY]).collect_schema() == rows_of([NIFTY]).schema


def test_a_first_write_without_rows_declares_the_columns(lakehouse: Lakehouse) -> None:
    frame = rows_of([NIFTY]).clear()

    lakehouse.replace_partitions(TABLE, frame, [NIFTY])

    assert lakehouse.exists(TABLE)
    assert lakehouse.schema(TABLE) == dict(frame.schema)
    assert lakehouse.scan(TABLE).collect().is_empty()


def test_replacing_twice_with_the_same_rows_changes_nothing(lakehouse: Lakehouse) -> None:
    for _ in range(2):
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY]), [NIFTY])

    assert_frame_equal(lakehouse.scan(TABLE).collect(), rows_of([NIFTY]))


def test_rows_outside_the_keys_are_refused_before_anything_is_written(
    lakehouse: Lakehouse,
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    before = data_files(lakehouse)

    with pytest.raises(TableError, match=r"6 rows lie outside .* 2025-08-29\|BANKNIFTY"):
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY, BANKNIFTY], 2), [NIFTY])

    assert data_files(lakehouse) == before
    assert lakehouse.version(TABLE) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.drop("strike"), "missing strike"),
        (lambda frame: frame.with_columns(dte=1), "not in the table dte"),
        (
            lambda frame: frame.with_columns(pl.col("source_rows").cast(pl.Int64)),
            "source_rows was Int64, is Int32 in the table",
        ),
        (
            lambda frame: frame.select(*frame.columns[:3], *frame.columns[:2:-1]),
            "order differs: close at the place of strike",
        ),
    ],
)
def test_columns_that_differ_are_named_and_nothing_is_written(
    lakehouse: Lakehouse, change, told: str
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    before = data_files(lakehouse)

    with pytest.raises(TableError, match=told):
        lakehouse.replace_partitions(TABLE, change(rows_of([NIFTY], 2)), [NIFTY])

    assert data_files(lakehouse) == before
    assert generations(lakehouse) == {NIFTY: {1}}


def test_types_that_would_not_come_back_are_refused_by_name(lakehouse: Lakehouse) -> None:
    frame = rows_of([NIFTY]).with_columns(
        pl.col("expiry_bucket").cast(pl.Categorical),
        at=pl.col("ts_minute").dt.replace_time_zone(None),
    )

    with pytest.raises(TableError, match=r"expiry_bucket \(Categorical.*at \(Datetime"):
        lakehouse.replace_partitions(TABLE, frame, [NIFTY])

    assert not lakehouse.exists(TABLE)


def test_rows_are_stored_by_minute_expiry_and_strike(lakehouse: Lakehouse) -> None:
    frame = rows_of([NIFTY])

    lakehouse.replace_partitions(TABLE, frame.sample(fraction=1, shuffle=True, seed=3), [NIFTY])

    assert_frame_equal(lakehouse.scan(TABLE).collect(), frame)


def test_interleaved_partitions_are_parted_and_keep_their_order(lakehouse: Lakehouse) -> None:
    both = [NIFTY, BANKNIFTY]
    frame = rows_of(both).sort("ts_minute", "strike", "symbol")

    lakehouse.replace_partitions(TABLE, frame, both)

    assert_frame_equal(lakehouse.scan(TABLE, both).collect(), rows_of([BANKNIFTY, NIFTY]))


def test_a_scan_of_keys_opens_only_their_files(lakehouse: Lakehouse) -> None:
    both = [NIFTY, MONDAY_NIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(both), both)
    for file in data_files(lakehouse):
        if "2025-09-01" in str(file):
            file.write_bytes(b"unreadable")

    assert_frame_equal(lakehouse.scan(TABLE, [NIFTY]).collect(), rows_of([NIFTY]))
    with pytest.raises(pl.exceptions.PolarsError):
        lakehouse.scan(TABLE).collect()


def test_a_scan_sees_what_another_object_committed(lakehouse: Lakehouse) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    assert generations(lakehouse) == {NIFTY: {1}}

    open_lakehouse(lakehouse.root).replace_partitions(TABLE, rows_of([NIFTY], 2), [NIFTY])

    assert generations(lakehouse) == {NIFTY: {2}}


def test_a_scan_made_before_a_commit_still_reads_its_version(lakehouse: Lakehouse) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    earlier = lakehouse.scan(TABLE)

    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 2), [NIFTY])

    assert earlier.collect()["generation"].unique().to_list() == [1]


def test_a_table_made_anew_is_not_mistaken_for_the_one_it_replaced(lakehouse: Lakehouse) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    assert lakehouse.version(TABLE) == 1
    shutil.rmtree(lakehouse.root)
    assert not lakehouse.exists(TABLE)

    lakehouse.replace_partitions(TABLE, rows_of([BANKNIFTY], 2).drop("close"), [BANKNIFTY])

    assert generations(lakehouse) == {BANKNIFTY: {2}}
    assert "close" not in lakehouse.schema(TABLE)


def test_partition_counts_come_from_the_log_alone(lakehouse: Lakehouse) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], rows=6), [NIFTY])
    lakehouse.replace_partitions(TABLE, rows_of([MONDAY_NIFTY], rows=8), [MONDAY_NIFTY])
    lakehouse.replace_partitions(TABLE, rows_of([BANKNIFTY], rows=4), [BANKNIFTY])
    lakehouse.replace_partitions(TABLE, rows_of([BANKNIFTY]).clear(), [BANKNIFTY])
    for file in data_files(lakehouse):
        file.write_bytes(b"unreadable")

    counts = lakehouse.read_partition_counts(TABLE)

    assert counts.rows() == [("NIFTY", FRIDAY, 6), ("NIFTY", MONDAY_NIFTY.date, 8)]
    assert counts.schema == {"symbol": pl.String, "date": pl.Date, "rows": pl.Int64}


def test_rows_that_the_log_does_not_count_are_counted_in_the_files(lakehouse: Lakehouse) -> None:
    from deltalake.transaction import AddAction

    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], rows=6), [NIFTY])
    [file] = data_files(lakehouse)
    table = DeltaTable(lakehouse.uri(TABLE))
    copied = "symbol=NIFTY/date=2025-09-01/foreign.parquet"
    target = Path(lakehouse.uri(TABLE), copied)
    target.parent.mkdir(parents=True)
    shutil.copy(file, target)
    values = {"symbol": "NIFTY", "date": "2025-09-01"}
    action = AddAction(copied, target.stat().st_size, values, 0, True, "{}")
    table.create_write_transaction([action], "append", table.schema(), ["symbol", "date"])

    assert lakehouse.read_partition_counts(TABLE)["rows"].to_list() == [6, 6]


def test_history_tells_the_facts_of_a_commit_and_the_partitions(lakehouse: Lakehouse) -> None:
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)
    keys = [MONDAY_NIFTY, NIFTY, BANKNIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(keys), keys, commit_info={"run_id": "r-17"})

    newest, created = lakehouse.history(TABLE)

    assert (newest.version, newest.operation) == (1, "replace_partitions")
    assert newest.info["run_id"] == "r-17"
    assert newest.predicate == (
        "(symbol = 'BANKNIFTY' AND date IN ('2025-08-29'))"
        " OR (symbol = 'NIFTY' AND date IN ('2025-08-29', '2025-09-01'))"
    )
    assert before < newest.committed_at <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)
    assert (created.version, created.operation) == (0, "CREATE TABLE")
    assert [entry.version for entry in lakehouse.history(TABLE, 1)] == [1]


def test_the_predicate_of_the_history_selects_exactly_the_replaced_rows(
    lakehouse: Lakehouse,
) -> None:
    every = [NIFTY, BANKNIFTY, MONDAY_NIFTY, MONDAY_BANKNIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(every, 1), every)
    diagonal = [NIFTY, MONDAY_BANKNIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(diagonal, 2), diagonal)
    predicate = lakehouse.history(TABLE, 1)[0].predicate
    frame = lakehouse.scan(TABLE).collect().with_columns(pl.col("date").cast(pl.String))

    met = pl.SQLContext(rows=frame, eager=True).execute(f"SELECT * FROM rows WHERE {predicate}")

    assert met["generation"].unique().to_list() == [2]
    assert met.height == frame.filter(pl.col("generation") == 2).height


def test_facts_that_the_log_writes_itself_are_refused(lakehouse: Lakehouse) -> None:
    with pytest.raises(TableError, match="timestamp"):
        lakehouse.replace_partitions(
            TABLE, rows_of([NIFTY]), [NIFTY], commit_info={"timestamp": "now"}
        )
    assert not lakehouse.exists(TABLE)


def test_an_absent_table_is_told_with_those_there_are(lakehouse: Lakehouse) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY]), [NIFTY])

    with pytest.raises(TableError, match=r"option_chan: there is no such table.*option_chain"):
        lakehouse.scan("option_chan")
    assert not lakehouse.exists("option_chan")
    assert lakehouse.tables() == [TABLE]


def test_a_root_that_does_not_exist_yet_has_no_tables(lakehouse: Lakehouse) -> None:
    assert lakehouse.tables() == []
    with pytest.raises(TableError, match="none yet"):
        lakehouse.version(TABLE)


@pytest.mark.parametrize("name", ["../outside", "a/b", "", "a b"])
def test_a_table_name_cannot_lead_out_of_the_root(lakehouse: Lakehouse, name: str) -> None:
    with pytest.raises(TableError, match="table name was"):
        lakehouse.replace_partitions(name, rows_of([NIFTY]), [NIFTY])


@pytest.mark.parametrize("folder", ["data [new] *", "env=prod", "with space & ünïcode"])
def test_the_root_may_have_any_name(tmp_path: Path, folder: str) -> None:
    lakehouse = open_lakehouse(tmp_path / folder)
    both = [BANKNIFTY, NIFTY]
    lakehouse.replace_partitions(TABLE, rows_of(both), both)

    assert_frame_equal(lakehouse.scan(TABLE).collect(), rows_of(both))
    assert_frame_equal(lakehouse.scan(TABLE, [NIFTY]).collect(), rows_of([NIFTY]))
    assert lakehouse.scan(TABLE).filter(pl.col("symbol") == "NIFTY").collect().height == 6


def test_a_root_given_as_an_address_is_used_through_the_object_store(tmp_path: Path) -> None:
    lakehouse = open_lakehouse(f"file://{tmp_path}/lakehouse/")
    both = [BANKNIFTY, NIFTY]

    report = lakehouse.replace_partitions(TABLE, rows_of(both, 1), both)
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], 2), [NIFTY])

    files = list((tmp_path / "lakehouse" / TABLE).rglob("symbol=*/*/*.parquet"))
    assert len(files) == 3
    first = [path.stat().st_size for path in files if "BANKNIFTY" in str(path)]
    assert report.bytes_written == 2 * first[0]
    assert_frame_equal(
        lakehouse.scan(TABLE).collect(), pl.concat([rows_of([BANKNIFTY], 1), rows_of([NIFTY], 2)])
    )
    assert_frame_equal(lakehouse.scan(TABLE, version=1).collect(), rows_of(both, 1))
    assert lakehouse.optimize(TABLE, ["strike"]).files_added == 2
    assert len(lakehouse.vacuum(TABLE, 0, dry_run=False, force=True).files) == 3
    with pytest.raises(TableError, match="there is no such table"):
        lakehouse.scan("absent")
    with pytest.raises(TableError, match="there is no version 99"):
        lakehouse.restore(TABLE, 99)


@pytest.mark.parametrize(
    ("compression", "level", "codec"),
    [("zstd", 3, "ZSTD"), ("snappy", 1, "SNAPPY"), ("lz4", None, "LZ4"), ("gzip", 22, "GZIP")],
)
def test_files_have_the_compression_and_row_groups_of_the_settings(
    tmp_path: Path, compression, level: int | None, codec: str
) -> None:
    import pyarrow.parquet as pq

    settings = ParquetSettings(
        compression=compression, compression_level=level, row_group_rows=1_000
    )
    lakehouse = Lakehouse(tmp_path, settings)

    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], rows=2_500), [NIFTY])

    facts = pq.ParquetFile(data_files(lakehouse)[0]).metadata
    assert facts.row_group(0).column(0).compression == codec
    assert facts.num_row_groups >= 2
    assert facts.row_group(0).num_rows <= 1_300


def test_checkpoints_are_made_and_the_table_opens_from_them(lakehouse: Lakehouse) -> None:
    for turn in range(52):
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY], turn), [NIFTY])
    log = Path(lakehouse.uri(TABLE), "_delta_log")
    assert list(log.glob("*.checkpoint.parquet"))
    for entry in log.glob("000000000000000000[0-3]?.json"):
        entry.unlink()

    assert generations(open_lakehouse(lakehouse.root)) == {NIFTY: {51}}


def test_a_writer_that_loses_every_race_says_so_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = open_lakehouse(tmp_path)
    rival.replace_partitions(TABLE, rows_of([NIFTY], 1), [NIFTY])
    loser = Lakehouse(tmp_path, ParquetSettings(), commit_attempts=3, backoff_seconds=0)
    of_keys = lakehouse_module.of_keys
    turns = []

    def rival_first(files: pl.DataFrame, layout: Any, keys: list[PartitionKey]) -> pl.DataFrame:
        """The rival commits after the loser has read the newest version."""
        if keys == [NIFTY]:
            turns.append(1)
            rival.replace_partitions(TABLE, rows_of([BANKNIFTY], len(turns)), [BANKNIFTY])
        return of_keys(files, layout, keys)

    monkeypatch.setattr(lakehouse_module, "of_keys", rival_first)
    with pytest.raises(TableConflictError, match="3 attempts") as lost:
        loser.replace_partitions(TABLE, rows_of([NIFTY], 9), [NIFTY])

    assert lost.value.permanent is False
    assert len(turns) == 3
    monkeypatch.undo()
    assert generations(rival) == {NIFTY: {1}, BANKNIFTY: {3}}
    nifty_files = [file for file in data_files(rival) if "symbol=NIFTY" in str(file)]
    assert len(nifty_files) == 1


def test_a_writer_that_loses_one_race_replaces_what_the_winner_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival, second = open_lakehouse(tmp_path), open_lakehouse(tmp_path)
    rival.replace_partitions(TABLE, rows_of([BANKNIFTY], 1), [BANKNIFTY])
    of_keys = lakehouse_module.of_keys
    turns = []

    def rival_first(files: pl.DataFrame, layout: Any, keys: list[PartitionKey]) -> pl.DataFrame:
        turns.append(1)
        if len(turns) == 1:
            # NIFTY has no files yet: nothing that the loser removes tells of the conflict
            rival.replace_partitions(TABLE, rows_of([NIFTY], 5), [NIFTY])
        return of_keys(files, layout, keys)

    monkeypatch.setattr(lakehouse_module, "of_keys", rival_first)
    report = second.replace_partitions(TABLE, rows_of([NIFTY], 6), [NIFTY])

    assert report.attempts == 2
    assert report.files_removed == 1
    assert generations(rival) == {NIFTY: {6}, BANKNIFTY: {1}}


@pytest.mark.parametrize(
    "fault",
    [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")],
    ids=["signal", "disk full"],
)
def test_a_fault_after_the_log_entry_was_taken_leaves_the_new_version_readable(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], generation=1), [NIFTY])
    _fail_after_the_entry(monkeypatch, fault)

    with pytest.raises((KeyboardInterrupt, StorageError)):
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY], generation=2), [NIFTY])

    assert generations(lakehouse) == {NIFTY: {2}}


def test_an_entry_taken_by_an_attempt_told_as_lost_is_not_made_again(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], generation=1), [NIFTY])
    _fail_after_the_entry(monkeypatch, CommitFailedError("the step after the entry failed"))

    report = lakehouse.replace_partitions(TABLE, rows_of([NIFTY], generation=2), [NIFTY])

    assert report.version == lakehouse.version(TABLE) == 2
    assert generations(lakehouse) == {NIFTY: {2}}


def test_files_of_a_run_that_never_reached_the_log_are_removed(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse.replace_partitions(TABLE, rows_of([NIFTY], generation=1), [NIFTY])
    before = data_files(lakehouse)

    def refuse(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DeltaTable, "create_write_transaction", refuse)
    with pytest.raises(KeyboardInterrupt):
        lakehouse.replace_partitions(TABLE, rows_of([NIFTY], generation=2), [NIFTY])

    assert data_files(lakehouse) == before
    assert generations(lakehouse) == {NIFTY: {1}}


def _fail_after_the_entry(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    commit = DeltaTable.create_write_transaction

    def commit_then_fail(*arguments: object, **options: object) -> None:
        commit(*arguments, **options)  # type: ignore[arg-type]
        raise fault

    monkeypatch.setattr(DeltaTable, "create_write_transaction", commit_then_fail)
