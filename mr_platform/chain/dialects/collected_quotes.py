"""Collectors' tables of whole chains: call and put side by side, many instants in one file."""

from __future__ import annotations

import polars as pl

from mr_platform.chain.dialects.dialect import Dialect, Field


def _split_instant(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        date=pl.col("instant").dt.date(),
        time=pl.col("instant").dt.time(),
    )


NSE_COLLECTED = Dialect(
    name="nse_collected",
    title="collected NSE option-chain pages (CALLS_ and PUTS_ columns)",
    fields=(
        Field("Fetch_Time", "instant", "instant", ("%d-%b-%Y %H:%M:%S",)),
        # pages fetched twice keep their page time: the later fetch stands
        Field("collection_timestamp", "fetched", "text", required=False),
        Field("Symbol", "symbol", "text"),
        Field("Expiry_Date", "expiry_date", "date", ("%d-%b-%Y",)),
        Field("Strike_Price", "strike", "number"),
        *[
            Field(f"{word}_{source}", f"{side}_{name}", "number")
            for word, side in (("CALLS", "ce"), ("PUTS", "pe"))
            for source, name in (
                ("OI", "oi"),
                ("Chng_in_OI", "coi"),
                ("Volume", "volume"),
                ("IV", "iv"),
                ("LTP", "close"),
                ("Bid_Price", "bid"),
                ("Ask_Price", "ask"),
            )
        ],
    ),
    legs="wide",
    whole_pages=True,
    priority=3,
    ignored=(
        "index_name",
        "date",
        *[f"{word}_{name}" for word in ("CALLS", "PUTS") for name in ("Net_Chng", "Bid_Qty")],
        *[f"{word}_Ask_Qty" for word in ("CALLS", "PUTS")],
    ),
    null_values=("-",),
    zero_is_missing=(
        "ce_close",
        "pe_close",
        "ce_iv",
        "pe_iv",
        "ce_bid",
        "ce_ask",
        "pe_bid",
        "pe_ask",
    ),
    finish=_split_instant,
)
"""Whole chains every minute or so; no spot (implied by parity), OI and volume in lots."""

WIDE_QUOTES = Dialect(
    name="wide_quotes",
    title="collected quotes of several indices (CE_ and PE_ columns)",
    fields=(
        Field("timestamp", "instant", "instant", ("%Y-%m-%d %H:%M:%S",)),
        Field("Symbol", "symbol", "text"),
        Field("Expiry", "expiry_date", "date", ("%Y-%m-%d", "%d-%b-%Y")),
        Field("Strike", "strike", "number"),
        Field("CE_LTP", "ce_close", "number"),
        Field("CE_OI", "ce_oi", "number"),
        Field("CE_Volume", "ce_volume", "number"),
        Field("PE_LTP", "pe_close", "number"),
        Field("PE_OI", "pe_oi", "number"),
        Field("PE_Volume", "pe_volume", "number"),
        Field("Spot", "spot", "number"),
    ),
    legs="wide",
    priority=3,
    ignored=("%Change", "Max_Pain"),
    null_values=("-",),
    zero_is_missing=("ce_close", "pe_close", "spot"),
    finish=_split_instant,
)
"""Nearest expiry of every index each five minutes: LTP, OI, day volume and spot."""
