"""Long quote files: one row per contract and snapshot, call and put apart."""

from __future__ import annotations

import polars as pl

from mr_platform.chain.dialects.dialect import Dialect, Field

_SYMBOLS = {"NIFTY50": "NIFTY", "NIFTY 50": "NIFTY", "NIFTY BANK": "BANKNIFTY"}


def _finish(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("symbol").replace(_SYMBOLS),
        date=pl.col("instant").dt.date(),
        time=pl.col("instant").dt.time(),
        option_type=pl.col("option_type").str.to_uppercase(),
    )


LONG_QUOTES = Dialect(
    name="long_quotes",
    title="long quote file, one row per contract and snapshot",
    fields=(
        Field("timestamp", "instant", "instant", ("%Y%m%d%H%M", "%Y-%m-%d %H:%M:%S")),
        Field("symbol", "symbol", "text"),
        Field("expiry", "expiry_date", "date", ("%d-%b-%Y", "%Y-%m-%d")),
        Field("strike", "strike", "number"),
        Field("option_type", "option_type", "text"),
        Field("spot", "spot", "number"),
        Field("ltp", "close", "number"),
        Field("volume", "volume", "number"),
        Field("oi", "oi", "number"),
        Field("oi_chg", "coi", "number"),
        Field("iv", "iv", "number"),
        Field("delta", "delta", "number"),
        Field("gamma", "gamma", "number"),
        Field("theta", "theta", "number"),
        Field("vega", "vega", "number"),
        Field("rho", "rho", "number"),
    ),
    legs="long",
    priority=2,
    zero_is_missing=("close", "iv", "spot"),
    finish=_finish,
)
"""Quotes as collectors of broker feeds save them: LTP, day volume, OI in lots, IV in percent."""
