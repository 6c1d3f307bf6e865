"""Where every row of a file went, by partition."""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.chain.accounts import all_rejections, files_frame, open_account, readable_rows
from mr_platform.chain.quarantine import quarantine_frame
from mr_platform.chain.sieve import REJECTED_SCHEMA
from mr_platform.chain.source_rows import read_source
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.chain.days import KEY, NOW, legacy_day

NOTHING = pl.DataFrame(schema=REJECTED_SCHEMA)
LATER = PartitionKey(dt.date(2025, 9, 1), "NIFTY")


def two_day_file(tmp_path) -> RawFile:
    """66 rows of each of two days; one unknown symbol, one ragged line, one unreadable number."""
    both = pl.concat([legacy_day(minutes=3), legacy_day(minutes=3, day=LATER.date)])
    lines = both.write_csv(time_format="%H:%M:%S").splitlines()
    lines[2] = lines[2].replace(",NIFTY,", ",SENSEX,", 1)
    lines[70] = lines[70].replace(",24", ",x24", 1)
    lines[80] += ",more"
    path = tmp_path / "both.csv"
    path.write_text("\n".join(lines) + "\n")
    return RawFile(path, "both.csv")


def test_homeless_rows_are_counted_and_told_in_the_first_partition_only(tmp_path):
    rows = read_source(two_day_file(tmp_path))
    told = {}
    for key in (KEY, LATER):
        account = open_account(key, 0, rows)
        lost = all_rejections(key, [account], [], NOTHING)
        told[key] = (
            account.rows_in,
            readable_rows(key, account).height,
            lost.select("_row", "reason").sort("_row").rows(),
        )

    assert told[KEY] == (67, 65, [(2, "unknown_symbol"), (80, "malformed_row")])
    assert told[LATER] == (65, 64, [(70, "unparseable_value")])
    assert rows.height == 132


def test_a_superseded_file_is_set_aside_whole_with_its_faults_told_once(tmp_path):
    rows = read_source(two_day_file(tmp_path))
    feeding, superseded = open_account(KEY, 0, rows), open_account(LATER, 1, rows)

    lost = all_rejections(LATER, [feeding], [superseded], NOTHING).filter(pl.col("_file") == 1)

    counts = dict(lost.group_by("reason").len().rows())
    assert counts == {"superseded_source": 64, "unparseable_value": 1}


def test_landed_files_balance_good_and_quarantined(tmp_path):
    rows = read_source(two_day_file(tmp_path))
    account = open_account(KEY, 0, rows)
    lost = all_rejections(KEY, [account], [], NOTHING)

    frame = files_frame(KEY, [account], quarantine_frame(KEY, [(rows, 0)], lost, NOW))

    row = frame.row(0, named=True)
    assert (row["rows_in"], row["rows_good"], row["rows_quarantined"]) == (67, 65, 2)
    assert row["bytes"] == (tmp_path / "both.csv").stat().st_size
    assert row["dialect"] == "legacy_chain"
