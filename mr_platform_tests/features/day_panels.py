"""Panel groups whose prices rise by one a minute, for histories of days."""

from __future__ import annotations

import datetime as dt

import polars as pl

from mr_platform.features.day_history import HIST_MINUTE_COLUMNS
from mr_platform.features.minute_panel import numbered
from mr_platform.trading_calendar import SESSION_MINUTES

FRIDAY, MONDAY, TUESDAY = dt.date(2025, 8, 29), dt.date(2025, 9, 1), dt.date(2025, 9, 2)
NEAR, FAR = dt.date(2025, 9, 9), dt.date(2025, 9, 30)


def minutes(day: dt.date, expiry: dt.date, start: float, symbol: str = "NIFTY") -> pl.DataFrame:
    """A panel group with the columns that streams and daily history read."""
    j = pl.int_range(SESSION_MINUTES, eager=True, dtype=pl.Int32)
    value = start + j.cast(pl.Float64)
    return pl.DataFrame({"j": j}).with_columns(
        symbol=pl.lit(symbol), date=pl.lit(day), expiry_date=pl.lit(expiry),
        dte=pl.lit((expiry - day).days, pl.Int64), dte_bucket=pl.lit("near"),
        r_strd=pl.when(j > 0).then(0.001), chain_volume=pl.lit(10, pl.Int64),
        atm_ce_volume=pl.lit(2, pl.Int64), atm_pe_volume=pl.lit(3, pl.Int64),
        fut_volume=pl.lit(4, pl.Int64),
        **dict.fromkeys((*HIST_MINUTE_COLUMNS, "itm1", "otm1", "iv", "basis"), value),
    )  # fmt: skip


def panel(*groups: pl.DataFrame) -> pl.DataFrame:
    return numbered(pl.concat(groups))
