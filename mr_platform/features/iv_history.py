"""What C4 remembers of a finished day: means of implied volatility, skew and risk premium.

Here: the history tables ``hist_c4_day`` and ``hist_c4_zone``, and implied less realised
volatility, which the day table and the features share.
Not here: who reads the tables (``c4_iv_ranks.py``), where they are stored.
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.features.chain_grid import CELL, DAY
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.volatility import annual, mean_square
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import ZONES

PREMIUM_WINDOW = 60
"""Minutes of realised volatility in the daily risk premium."""

PREMIUM_NEEDED = 40
"""One-minute returns that it needs."""

BUCKETS = ("near", "mid", "far")
"""The values of dte_bucket, in order of dte."""

_SERIES = {"iv_atm": "iv_atm", "rr25": "s4_rr25", "iv_rv_spread": "_premium"}


def iv_day_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_c4_day``: one row for each symbol, date and dte_bucket of finished days.

    Args:
        panel: Minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, dte_bucket, and the means over all minutes and expiries of the bucket of
        iv_atm, rr25 and iv_rv_spread (iv_atm less the realised volatility of 60 minutes), each
        over the rows in which it is not null; null where it is null in all.
    """
    means = [pl.col(source).mean().alias(name) for name, source in _SERIES.items()]
    return engine.collect(
        _minutes(panel, bucket_key())
        .group_by("key", maintain_order=True)
        .agg(pl.col("symbol", "date", "dte_bucket").first(), *means)
        .drop("key")
    )


def iv_zone_history(panel: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """``hist_c4_zone``: one row for each symbol, date, dte_bucket and zone of finished days.

    Args:
        panel: Minute panel of whole days, ascending by cell.
        engine: Where to work it out.

    Returns:
        symbol, date, dte_bucket, zone_name, and the mean of iv_atm over the zone's minutes and
        the bucket's expiries.
    """
    names = ("symbol", "date", "dte_bucket", "zone_name")
    return engine.collect(
        _minutes(panel, zone_key(bucket_key(), pl.col("zone_id")))
        .group_by("key", maintain_order=True)
        .agg(pl.col(*names).first(), pl.col("iv_atm").mean())
        .drop("key")
    )


def _minutes(panel: pl.DataFrame, key: pl.Expr) -> pl.LazyFrame:
    """Quoted minutes ascending by key, inside it by cell: means add in one order."""
    plan, outputs = _premium_plan()
    keep = [CELL, DAY, "symbol", "date", "dte_bucket", "zone_id", "zone_name", "present"]
    rows = plan.run(panel.lazy(), outputs, keep=[*keep, "iv_atm", "s4_rr25"])
    ordered = rows.filter("present").with_columns(key=key).sort("key", CELL)
    return ordered.with_columns(pl.col("key").set_sorted())


@cache
def _premium_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    return p, {"_premium": premium(p, PREMIUM_WINDOW, PREMIUM_NEEDED)}


def bucket_key() -> pl.Expr:
    """A number for each (u, dte_bucket), ascending like them."""
    place = pl.lit(None, pl.Int64)
    for number, name in enumerate(BUCKETS):
        place = pl.when(pl.col("dte_bucket") == name).then(number).otherwise(place)
    return pl.col(DAY).cast(pl.Int64) * len(BUCKETS) + place


def zone_key(bucket: pl.Expr, zone_id: pl.Expr) -> pl.Expr:
    """A number for each bucket number and zone."""
    return bucket * (len(ZONES) + 1) + zone_id


def premium(p: ColumnPlan, w: int, needed: int) -> pl.Expr:
    """iv_atm less the realised volatility of the last w minutes, both annual; a column.

    Args:
        p: The plan, over a minute panel.
        w: Minutes.
        needed: One-minute returns that the window must hold.
    """
    return p.let(pl.col("iv_atm") - annual(mean_square(p, "r_und", "r_und_min", w, needed)))
