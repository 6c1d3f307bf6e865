"""What a day leaves behind for all components: its minutes, and one row of prices and volumes.

Here: the history tables ``hist_minute`` and ``hist_daily``.
Not here: tables of one component (``zone_history.py``, ``oi_history.py``, ``iv_history.py``,
``c8_history.py``), how later days read them (``history.py``).
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.features.chain_grid import GROUP_KEYS
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.kernels import windows
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES

HIST_MINUTE_COLUMNS: tuple[str, ...] = (
    "spot", "fut", "fut_open", "fut_high", "fut_low", "strd", "strd_open", "strd_lag", "comb",
    "ce", "pe",
)  # fmt: skip

DAILY_PRICES: tuple[str, ...] = ("spot", "strd", "comb", "ce", "pe")
"""Series whose daily open, high, low and close ``hist_daily`` keeps."""

CLOSING_MINUTES = 30
"""The last half hour, whose share of volume and return the next day reads."""


def minute_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_minute``: the panel's minutes that later days' streams read.

    Args:
        panel: Minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, expiry_date, j, and ``HIST_MINUTE_COLUMNS``, the full grid of each expiry.
    """
    return engine.collect(panel.lazy().select(*GROUP_KEYS, INDEX, *HIST_MINUTE_COLUMNS))


def daily_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_daily``: one row for each expiry of a finished day.

    Args:
        panel: Minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, expiry_date, dte, dte_bucket; ``{p}_{open,high,low,close}`` of
        ``DAILY_PRICES`` (open: first valid close at 09:30 at the latest; high, low, close over
        minute closes); last valid itm1, otm1, iv, basis; share of the last 30 minutes in the
        option volume; straddle returns of the last 30 minutes and of the day (sums of r_strd);
        volume-weighted prices of future and straddle.
    """
    plan, opens, closes, outputs = _daily_plan()
    kept = [GROUP, *GROUP_KEYS, "dte", "dte_bucket", *DAILY_PRICES, "r_strd", "chain_volume"]
    frame = plan.compute(panel, outputs, engine, keep=kept).lazy()
    day = frame.group_by(GROUP, maintain_order=True).agg(
        pl.col(*GROUP_KEYS, "dte", "dte_bucket").first(),
        pl.col(*opens).max(),
        *[pl.col(name).max().alias(f"{name}_high") for name in DAILY_PRICES],
        *[pl.col(name).min().alias(f"{name}_low") for name in DAILY_PRICES],
        pl.col(*closes).last(),
        pl.col("chain_volume").sum(),
        _sum_or_null("closing_volume").alias("closing_volume"),
        _sum_or_null("r_strd").alias("strd_day_return"),
        _sum_or_null("closing_return").alias("close30_strd_return"),
        *[pl.col(f"{name}_{what}").sum() for name in ("fut", "strd") for what in _TRADE],
    )
    table = day.select(
        *GROUP_KEYS, "dte", "dte_bucket",
        *[f"{name}_{what}" for name in DAILY_PRICES for what in ("open", "high", "low", "close")],
        "itm1_close", "otm1_close", "iv_close", "basis_close",
        windows.ratio(pl.col("closing_volume").cast(pl.Float64), pl.col("chain_volume"))
        .alias("close30_volume_share"),
        "close30_strd_return", "strd_day_return",
        *[
            windows.ratio(pl.col(f"{name}_turnover"), pl.col(f"{name}_traded"))
            .alias(f"{name}_vwap")
            for name in ("fut", "strd")
        ],
    )  # fmt: skip
    return engine.collect(table)


@cache
def _daily_plan() -> tuple[ColumnPlan, list[str], list[str], dict[str, pl.Expr]]:
    """The plan, the columns that hold opens and those that hold closes, and all its outputs."""
    p = ColumnPlan()
    closing = pl.col(INDEX) >= SESSION_MINUTES - CLOSING_MINUTES
    traded = pl.col("atm_ce_volume") + pl.col("atm_pe_volume")
    future = (pl.col("fut_high") + pl.col("fut_low") + pl.col("fut")) / 3.0
    opens = {f"{name}_open": windows.open_value(p, name) for name in DAILY_PRICES}
    closes = {
        f"{name}_close": windows.forward_filled(p, name)
        for name in (*DAILY_PRICES, "itm1", "otm1", "iv", "basis")
    }
    outputs = {
        **opens,
        **closes,
        "closing_volume": pl.when(closing).then(pl.col("chain_volume")),
        "closing_return": pl.when(closing).then(pl.col("r_strd")),
        "strd_traded": pl.when(pl.col("strd").is_not_null()).then(traded),
        "strd_turnover": pl.col("strd") * traded,
        "fut_traded": pl.when(future.is_not_null()).then(pl.col("fut_volume")),
        "fut_turnover": future * pl.col("fut_volume"),
    }
    return p, list(opens), list(closes), outputs


_TRADE = ("turnover", "traded")


def _sum_or_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum())
