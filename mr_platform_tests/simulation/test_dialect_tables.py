"""Every dialect: the header of the real files, units as asked, the same facts in each."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import tarfile
from pathlib import Path

import polars as pl
import pytest
import zstandard

from mr_platform.simulation.chain_day import LEGACY_SCHEMA, SimulatedDay
from mr_platform.simulation.day_files import encoded
from mr_platform.simulation.dialect_tables import (
    COLLECTED_COLUMNS,
    LONG_COLUMNS,
    SNAPSHOT_COLUMNS,
    DialectFile,
    Units,
    dialect_files,
)


@pytest.fixture(scope="module")
def short_day(ordinary_day: SimulatedDay) -> SimulatedDay:
    """Strikes near the money of two expiries, all minutes."""
    chain = ordinary_day.chain.filter(
        ((pl.col("strike") / pl.col("spot") - 1).abs() < 0.02) & (pl.col("dte") < 20)
    )
    return SimulatedDay(ordinary_day.key, chain, ordinary_day.regimes, ordinary_day.lot_size)


def only(day: SimulatedDay, dialect: str, units: Units | None = None) -> DialectFile:
    (file,) = dialect_files(day, dialect, units)
    return file


@pytest.mark.real_data
def test_headers_and_types_equal_those_of_the_real_files(
    short_day: SimulatedDay, real_data: Path
) -> None:
    raw = real_data / "options/raw"
    real_long = pl.read_parquet_schema(
        raw / "chiragaibooks_nifty_1min/option_chain_20260818.parquet"
    )
    assert dict(only(short_day, "long_quotes").table.schema) == dict(real_long)
    assert tuple(real_long) == LONG_COLUMNS
    real_pages = pl.read_parquet_schema(raw / "sanjot_20250829_1min/NIFTY_20250829.parquet")
    assert dict(only(short_day, "nse_collected").table.schema) == dict(real_pages)
    assert tuple(real_pages) == COLLECTED_COLUMNS
    with tarfile.open(raw / "rohmhatre_2019_15min/legacy_csv_2019-05-23.tar.gz") as archive:
        member = archive.extractfile("index/NIFTY/23MAY2019/NIFTY_23-05-2019_10:15.csv")
        assert member is not None
        real_header = member.readline()
    assert tuple(real_header.decode().rstrip("\n").split(",")) == SNAPSHOT_COLUMNS
    page = next(dialect_files(short_day, "nse_snapshot"))
    assert encoded(page.table, page.format).startswith(real_header)


def test_legacy_files_hold_the_48_columns_and_the_49th_where_asked(
    short_day: SimulatedDay,
) -> None:
    header = encoded(only(short_day, "legacy_csv").table, "csv").split(b"\n", 1)[0].decode()
    assert header.split(",") == list(LEGACY_SCHEMA)
    wider = only(short_day, "legacy_parquet_49").table
    assert wider.columns == [*LEGACY_SCHEMA, "dte_bucket"]
    assert set(wider["dte_bucket"].unique()) == {"near", "mid"}
    assert only(short_day, "legacy_parquet").table.equals(short_day.chain)


def test_csv_gives_back_what_was_simulated(short_day: SimulatedDay) -> None:
    content = encoded(short_day.chain, "csv")
    back = pl.read_csv(io.BytesIO(content), schema=dict(short_day.chain.schema))
    assert back.equals(short_day.chain)
    assert gzip.decompress(encoded(short_day.chain, "csv.gz")) == content
    packed = zstandard.ZstdDecompressor().decompress(encoded(short_day.chain, "csv.zst"))
    assert packed == content


def test_units_change_as_asked(short_day: SimulatedDay) -> None:
    plain = short_day.chain
    decimal = only(short_day, "legacy_csv", Units(iv="decimal")).table
    ratio = (plain["ce_iv"] / decimal["ce_iv"]).drop_nulls().drop_nans()
    assert ratio.is_between(99.9, 100.1).all()
    lots = only(short_day, "legacy_csv", Units(quantity="lots")).table
    for name in ("ce_oi", "pe_volume"):
        assert (lots[name] * short_day.lot_size).equals(plain[name])
    total = only(short_day, "legacy_csv", Units(volume="cumulative")).table
    last = total.group_by("expiry_date", "strike", maintain_order=True).last()["ce_volume"]
    sums = plain.group_by("expiry_date", "strike", maintain_order=True).agg(
        pl.col("ce_volume").sum()
    )["ce_volume"]
    assert last.equals(sums)
    ends = only(short_day, "legacy_csv", Units(bar_label="end")).table["trade_time"]
    assert (str(ends.min()), str(ends.max())) == ("09:16:00", "15:30:00")
    assert (
        only(short_day, "nse_collected", Units(quantity="units"))
        .table["CALLS_OI"]
        .equals(plain["ce_oi"].cast(pl.Float64), check_names=False)
    )


def test_long_quotes_have_a_row_for_each_contract_and_minute(short_day: SimulatedDay) -> None:
    table = only(short_day, "long_quotes").table
    assert table.height == 2 * short_day.chain.height
    assert table["symbol"].unique().to_list() == ["NIFTY50"]
    assert table["timestamp"][0] == "202508290915"
    assert table["expiry"][0] == "02-Sep-2025"
    calls = table.filter(pl.col("option_type") == "CE")
    assert calls["ltp"].equals(short_day.chain["ce_close"], check_names=False)
    assert (calls["oi"] * short_day.lot_size).equals(
        short_day.chain["ce_oi"].cast(pl.Float64), check_names=False
    )
    steps = calls.select(pl.col("volume").diff().over("expiry", "strike"))["volume"]
    assert steps.drop_nulls().min() >= 0


def test_snapshots_come_every_quarter_of_an_hour_for_each_expiry(short_day: SimulatedDay) -> None:
    pages = list(dialect_files(short_day, "nse_snapshot"))
    assert len(pages) == 25 * 2
    assert pages[0].relative == "index/NIFTY/2SEP2025/NIFTY_29-08-2025_09:15.csv"
    assert pages[-1].relative == "index/NIFTY/9SEP2025/NIFTY_29-08-2025_15:15.csv"
    # two expiries a snapshot: the third snapshot's first expiry
    assert pages[4].relative == "index/NIFTY/2SEP2025/NIFTY_29-08-2025_09:45.csv"
    cells = next(csv.DictReader(io.StringIO(encoded(pages[4].table, "csv").decode())))
    row = short_day.chain.filter(
        (pl.col("dte") == 4)
        & (pl.col("trade_time") == dt.time(9, 45))
        & (pl.col("strike") == float(cells["StrikePrice"]))
    ).row(0, named=True)
    assert cells[""] == "0"
    assert cells["CallLTP"] == f"{row['ce_close']:.2f}"
    assert cells["PutOI"] == str(row["pe_oi"])
    assert cells["CurrentVal"] == str(round(row["spot"], 1))
    assert "" not in cells.values()


def test_missing_values_are_dashes_in_pages_and_zero_in_collected_tables(
    ordinary_day: SimulatedDay,
) -> None:
    pages = pl.concat([page.table for page in dialect_files(ordinary_day, "nse_snapshot")])
    assert (pages["CallIV"] == "-").sum() > 50
    assert pages.null_count().sum_horizontal().item() == 0
    collected = only(ordinary_day, "nse_collected").table
    assert collected.null_count().sum_horizontal().item() == 0
    hidden = ordinary_day.chain["ce_iv"].fill_null(0.0) == 0
    assert (collected["CALLS_IV"] == 0.0).equals(hidden, check_names=False)
    quoted = collected.filter(pl.col("CALLS_Bid_Price") > 0)
    assert (quoted["CALLS_Bid_Price"] <= quoted["CALLS_LTP"]).all()
    assert (quoted["CALLS_Ask_Price"] >= quoted["CALLS_LTP"]).all()
