"""Rows know their partition; what belongs to none is told with its reason."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.chain.source_rows import KEY_FAULT, read_source
from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.chain.days import KEY, land, legacy_day

CLEAN = legacy_day(minutes=3)


def test_rows_are_counted_by_partition_and_the_first_is_home(tmp_path):
    other = CLEAN.with_columns(pl.lit("BANKNIFTY").alias("index_name"))
    rows = read_source(land(pl.concat([CLEAN, other]), tmp_path))

    assert rows.partitions == {PartitionKey(KEY.date, "BANKNIFTY"): 66, KEY: 66}
    assert rows.home == PartitionKey(KEY.date, "BANKNIFTY")
    assert rows.height == 132


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("index_name", "SENSEX", "unknown_symbol"),
        ("index_name", None, "unparseable_key"),
        ("trade_date", None, "unparseable_key"),
        ("trade_date", dt.date(2025, 8, 27), "not_a_trading_day"),
        ("trade_date", dt.date(1999, 1, 4), "not_a_trading_day"),
    ],
)
def test_a_row_of_no_partition_names_why(tmp_path, column, value, fault):
    bent = CLEAN.with_columns(
        pl.when(pl.int_range(pl.len()) == 1)
        .then(pl.lit(value, CLEAN.schema[column]))
        .otherwise(column)
        .alias(column)
    )

    rows = read_source(land(bent, tmp_path))

    assert rows.frame[KEY_FAULT].to_list()[:3] == [None, fault, None]
    assert sum(rows.partitions.values()) == CLEAN.height - 1


def test_only_the_key_is_read_when_only_the_key_is_asked_for(tmp_path):
    rows = read_source(land(CLEAN, tmp_path), names=())

    assert "ce_close" not in rows.frame.columns
    assert rows.partitions == {KEY: 66}


def test_a_page_takes_what_its_rows_lack_from_its_path(tmp_path):
    page = tmp_path / "NIFTY" / "23MAY2019" / "NIFTY_23-05-2019_09:15.csv"
    page.parent.mkdir(parents=True)
    names = [f"{word}{name}" for word in ("Call", "Put") for name in PAGE]
    page.write_text(
        ",".join([*names, "StrikePrice", "CurrentVal"]) + "\n" + "-," * 14 + "11700,11737.9\n"
    )

    rows = read_source(RawFile(page, "NIFTY/23MAY2019/NIFTY_23-05-2019_09:15.csv"))

    row = rows.frame.row(0, named=True)
    assert rows.partitions == {PartitionKey(dt.date(2019, 5, 23), "NIFTY"): 1}
    assert (row["time"], row["expiry_date"]) == (dt.time(9, 15), dt.date(2019, 5, 23))
    assert (row["strike"], row["ce_close"]) == (11700.0, None)


PAGE = ("OI", "ChnginOI", "Volume", "IV", "LTP", "BidPrice", "AskPrice")


def test_an_impossible_instant_in_the_path_is_told(tmp_path):
    page = tmp_path / "23MAY2019" / "NIFTY_99-05-2019_09:15.csv"
    page.parent.mkdir(parents=True)
    names = [f"{word}{name}" for word in ("Call", "Put") for name in PAGE]
    page.write_text(",".join([*names, "StrikePrice", "CurrentVal"]) + "\n" + "-," * 14 + "1,1\n")

    with pytest.raises(InputFileError, match="'99-05-2019_09:15', which is no such date"):
        read_source(RawFile(page, "23MAY2019/NIFTY_99-05-2019_09:15.csv"))


def test_a_header_without_rows_and_a_foreign_header_are_faults_of_the_file(tmp_path):
    (tmp_path / "h.csv").write_text(",".join(CLEAN.columns) + "\n")
    (tmp_path / "f.csv").write_text("date,mood\n2025-08-29,good\n")

    with pytest.raises(InputFileError, match="a header and no rows"):
        read_source(RawFile(tmp_path / "h.csv", "h.csv"))
    with pytest.raises(UnknownDialectError, match="shares none with any dialect"):
        read_source(RawFile(tmp_path / "f.csv", "f.csv"))
