"""What a finished day's open interest leaves behind: ``hist_c3_close`` and ``hist_c3_zone``.

Here: closing open interest of each contract, zone means of put-call ratio and turnover.
Not here: who compares with them (``oi_walls.py``, ``c3_oi_price_action.py``), where tables are
stored.
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.chain_grid import GROUP_KEYS, RUN, STRIKE_KEY, runs_of, strike_key
from mr_platform.features.column_plan import GROUP
from mr_platform.features.history import past
from mr_platform.features.inputs import ZONE_KEYS
from mr_platform.features.kernels.windows import ratio
from mr_platform.gateways.frame_engine import FrameEngine

CLOSE_KEYS: tuple[str, ...] = (*GROUP_KEYS, "strike")
"""A row of ``hist_c3_close``."""

CLOSE_VALUES: tuple[str, ...] = ("ce_oi", "pe_oi")

ZONE_VALUES: tuple[str, ...] = ("pcr_oi", "turnover")


def pcr_oi() -> pl.Expr:
    """Put over call open interest near the money, from panel columns."""
    return ratio(pl.col("o3_oi_pe"), pl.col("o3_oi_ce"))


def turnover() -> pl.Expr:
    """Volume of 15 minutes over open interest, both legs near the money, from panel columns."""
    return ratio(
        pl.col("o3_volume_ce_15") + pl.col("o3_volume_pe_15"),
        pl.col("o3_oi_ce") + pl.col("o3_oi_pe"),
    )


def oi_close_history(chain: pl.LazyFrame | pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_c3_close``: last open interest of every contract of finished days.

    Args:
        chain: Canonical rows of whole days, in any order.
        engine: Where to work it out.

    Returns:
        symbol, date, expiry_date, strike, ce_oi, pe_oi: each leg's last non-null value of the
        day, whichever minute it is from. Contracts with neither are left out. Ascending.
    """
    rows, runs = runs_of(chain.lazy().select(*CLOSE_KEYS, "ts_minute", *CLOSE_VALUES), (), engine)
    groups = engine.collect(
        runs.lazy().group_by(GROUP_KEYS, maintain_order=True).agg()
    ).with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(GROUP))
    of_runs = runs.lazy().select(RUN, *GROUP_KEYS)
    of_runs = of_runs.join(groups.lazy(), on=GROUP_KEYS, how="left", maintain_order="left")
    quotes = engine.collect(
        rows.lazy()
        .select(RUN, "strike", *CLOSE_VALUES)
        .join(of_runs.select(RUN, GROUP), on=RUN, how="left", maintain_order="left")
        .select(strike_key(GROUP), GROUP, "strike", *CLOSE_VALUES)
    ).lazy()
    contracts = quotes.select(STRIKE_KEY, GROUP, "strike").unique(STRIKE_KEY)
    for value in CLOSE_VALUES:
        last = (
            quotes.select(STRIKE_KEY, value)
            .filter(pl.col(value).is_not_null())
            # minutes ascend
            .group_by(STRIKE_KEY, maintain_order=True)
            .agg(pl.col(value).last())
        )
        contracts = contracts.join(last, on=STRIKE_KEY, how="left")
    return engine.collect(
        contracts.filter(pl.any_horizontal(pl.col(*CLOSE_VALUES).is_not_null()))
        .join(groups.lazy(), on=GROUP, how="left")
        .select(*CLOSE_KEYS, *CLOSE_VALUES)
        .sort(CLOSE_KEYS)
    )


def previous_oi_close(table: pl.LazyFrame, days: pl.LazyFrame, engine: FrameEngine) -> pl.DataFrame:
    """Closing open interest of the trading day before each target date.

    Args:
        table: ``hist_c3_close``.
        days: date, back, hist_date of the target dates.
        engine: Where to work it out.

    Returns:
        What ``minute_panel`` takes as ``previous_close``: the table's columns, ``date`` being
        the target date.
    """
    return engine.collect(past(table, days, 1).select(*CLOSE_KEYS, *CLOSE_VALUES).sort(CLOSE_KEYS))


def oi_zone_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_c3_zone``: means over the minutes and expiries of each zone of finished days.

    Every valid (minute, expiry) counts once, so an expiry that is quoted more often weighs more.

    Args:
        panel: The minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, dte_bucket, zone_name, pcr_oi, turnover, null where nothing is valid.
        Ascending by the keys.
    """
    minutes = panel.lazy().select(*ZONE_KEYS, pcr_oi=pcr_oi(), turnover=turnover())
    means = minutes.group_by(ZONE_KEYS, maintain_order=True).agg(pl.col(*ZONE_VALUES).mean())
    return engine.collect(means.sort(ZONE_KEYS))
