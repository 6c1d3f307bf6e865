"""NSE option-chain pages saved as tables: one file a snapshot, or a day of them in one file."""

from __future__ import annotations

import re

import polars as pl

from mr_platform.chain.dialects.dialect import Dialect, Field, Kind

_NUMBER: Kind = "number"

_PAGE = (
    *[
        Field(f"{word}{source}", f"{side}_{name}", _NUMBER)
        for word, side in (("Call", "ce"), ("Put", "pe"))
        for source, name in (
            ("OI", "oi"),
            ("ChnginOI", "coi"),
            ("Volume", "volume"),
            ("IV", "iv"),
            ("LTP", "close"),
            ("BidPrice", "bid"),
            ("AskPrice", "ask"),
        )
    ],
    Field("StrikePrice", "strike", "number"),
    # empty pages were saved without this column; where a page has none, parity implies the spot
    Field("CurrentVal", "spot", "number", required=False),
)
_NOT_READ = tuple(
    f"{word}{name}" for word in ("Call", "Put") for name in ("NetChng", "BidQty", "AskQty")
)
_ZERO = ("ce_close", "pe_close", "ce_iv", "pe_iv", "ce_bid", "ce_ask", "pe_bid", "pe_ask")


def _finish_page(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        date=pl.col("instant").dt.date(),
        time=pl.col("instant").dt.time(),
        expiry_date=pl.col("expiry_date").cast(pl.Date),
    )


NSE_SNAPSHOT = Dialect(
    name="nse_snapshot",
    title="NSE option-chain snapshot CSV",
    fields=_PAGE,
    legs="wide",
    whole_pages=True,
    priority=4,
    # '' is the unnamed row index that the collector wrote
    ignored=("", *_NOT_READ),
    null_values=("-",),
    zero_is_missing=_ZERO,
    single_snapshot_files=True,
    name_pattern=re.compile(
        r"(?P<expiry>\d{1,2}[A-Z]{3}\d{4})/"
        r"(?P<symbol>[A-Z]+)_(?P<instant>\d\d-\d\d-\d{4}_\d\d[:.-]\d\d)\.csv",
    ),
    name_rule="EXPIRY/SYMBOL_DD-MM-YYYY_HH:MM.csv, such as 23MAY2019/NIFTY_23-05-2019_09:15.csv",
    name_formats={"instant": "%d-%m-%Y_%H:%M", "expiry": "%d%b%Y"},
    finish=_finish_page,
)
"""One page of the exchange's site: one symbol, expiry and instant, all three told by the path."""

NSE_SNAPSHOT_DAY = Dialect(
    name="nse_snapshot_day",
    title="day of NSE option-chain snapshots in one file",
    fields=(
        *_PAGE,
        Field("snapshot_time", "instant", "instant", ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.f")),
        Field("expiry", "expiry_date", "date", ("%Y-%m-%d",)),
    ),
    legs="wide",
    whole_pages=True,
    priority=3,
    ignored=("", *_NOT_READ),
    null_values=("-",),
    zero_is_missing=_ZERO,
    name_pattern=re.compile(r"(?P<symbol>[A-Z]+)_\d{4}-\d\d-\d\d\.[a-z.]+$"),
    name_rule="SYMBOL_YYYY-MM-DD.parquet, such as NIFTY_2019-05-20.parquet",
    finish=_finish_page,
)
"""The same pages with their instant and expiry as columns; the symbol is told by the name."""
