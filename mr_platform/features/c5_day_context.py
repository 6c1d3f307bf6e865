"""What C5 knows of an asset before the session opens: levels, daily ranges, daily averages.

Here: one row for each stream of the target day, from ``hist_daily`` alone.
Not here: anything that changes inside the session (``c5_atr_ema_cpr.py``).

Days are compared along the dte_bucket for the straddle: a value that needs two days (a true range,
a pivot range) takes both from the same expiry_date, counts for the bucket in which that expiry was
on its later day, and is averaged over the expiries that were there.
"""

from __future__ import annotations

import math

import polars as pl

from mr_platform.features.chain_grid import DAY, GROUP_KEYS
from mr_platform.features.column_plan import GROUP
from mr_platform.features.history import past
from mr_platform.features.inputs import FeatureInputs, groups, symbol_days
from mr_platform.features.kernels.levels import Pivots, pivots, range_width
from mr_platform.features.kernels.windows import ratio
from mr_platform.features.level_history import (
    SPOT,
    WEEK_DAYS_NEEDED,
    level_keys,
    previous_day,
    previous_week,
)

ATR_DAYS_NEEDED = {5: 4, 14: 10}
"""Averages of the daily range: days, and how many of them must be known."""

PERCENTILE_DAYS = 20
PERCENTILE_DAYS_NEEDED = 5
"""Days that a value of today is compared with, and how many of them must be known."""

EMA_DAYS = 20
"""Closes in the daily averages of spot."""

DAILY_EMA_SPANS: tuple[int, ...] = (5, 20)

PERIODS: tuple[str, ...] = ("day", "eve", "week")
"""Previous day, the day before that, previous week."""

DEPTH = PERCENTILE_DAYS + 1
"""The oldest width is drawn from the day before it."""


def lines(period: str) -> Pivots:
    """Lines of ``day`` (previous day), ``eve`` (the day before that) or ``week``."""
    return pivots(f"{period}_high", f"{period}_low", f"{period}_close")


def day_context(inputs: FeatureInputs, asset: str) -> pl.LazyFrame:
    """Levels and daily statistics for the target day.

    Args:
        inputs: Panel, ``hist_daily`` and calendar.
        asset: ``spot`` or ``strd``.

    Returns:
        g (strd) or u (spot), one row each; {day,eve,week}_{high,low,close}; atr_daily_{5,14} in
        percent; width_pctl (rank of today's pivot range width among those of 20 days); for spot
        also ema_daily_{5,20}. Null where too few days are known.
    """
    history = inputs.past_table("hist_daily")
    group = DAY if asset == SPOT else GROUP
    keys = level_keys(asset)
    targets = _targets(inputs.panel, asset)
    for name, table in zip(
        PERIODS,
        (
            previous_day(history, inputs.days, asset, 1),
            previous_day(history, inputs.days, asset, 2),
            _full_weeks(previous_week(history, inputs.days, asset)),
        ),
        strict=True,
    ):
        renamed = table.rename({what: f"{name}_{what}" for what in ("high", "low", "close")})
        targets = targets.join(renamed, on=keys, how="left", maintain_order="left")
    targets = targets.with_columns(today_width=range_width(lines("day")))
    along = _along_days(_day_rows(history, inputs.days, asset), asset)
    # an expiry is compared with its bucket, spot with itself
    shared = ["symbol", "date"] if asset == SPOT else ["symbol", "date", "dte_bucket"]
    rows = targets.select(group, "today_width", *shared).join(along, on=shared, how="inner")
    statistics = _statistics(rows.sort(group, "back"), group, with_ema=asset == SPOT)
    found = targets.join(statistics, on=group, how="left", maintain_order="left")
    return found.drop("symbol", "date", "expiry_date", "dte_bucket", "today_width", strict=False)


def _targets(panel: pl.DataFrame, asset: str) -> pl.LazyFrame:
    """Groups of the target days (u for spot) and what they are looked up by."""
    if asset == SPOT:
        return symbol_days(panel)
    return groups(panel, [*GROUP_KEYS, "dte_bucket"])


def _full_weeks(weeks: pl.LazyFrame) -> pl.LazyFrame:
    return weeks.filter(pl.col("days") >= WEEK_DAYS_NEEDED).drop("days")


def _day_rows(history: pl.LazyFrame, days: pl.LazyFrame, asset: str) -> pl.LazyFrame:
    """Past days: keys of the asset's levels, back, high, low, close and (strd) dte_bucket."""
    keys = [*level_keys(asset), "back"]
    prices = [pl.col(f"{asset}_{what}").alias(what) for what in ("high", "low", "close")]
    rows = past(history, days, DEPTH)
    if asset != SPOT:
        return rows.select(*keys, "dte_bucket", *prices)
    return rows.select(*keys, *prices).group_by(keys).agg(pl.col("high", "low", "close").max())


def _along_days(rows: pl.LazyFrame, asset: str) -> pl.LazyFrame:
    """For each day back: close, true range in percent of the close before, pivot range width."""
    keys = [*level_keys(asset), "back"]
    before = rows.select(
        *level_keys(asset),
        (pl.col("back") - 1).alias("back"),
        *[pl.col(what).alias(f"before_{what}") for what in ("high", "low", "close")],
    )
    paired = rows.join(before, on=keys, how="left").sort(keys)
    last = pl.col("before_close")
    known = pl.col("high").is_not_null() & pl.col("low").is_not_null() & last.is_not_null()
    reach = pl.max_horizontal("high", last) - pl.min_horizontal("low", last)
    valued = paired.with_columns(
        true_range=100.0 * pl.when(known).then(ratio(reach, last)),
        width=range_width(lines("before")),
    )
    if asset == SPOT:
        return valued.select("symbol", "date", "back", "close", "true_range", "width")
    return valued.group_by("symbol", "date", "dte_bucket", "back", maintain_order=True).agg(
        pl.col("true_range", "width").mean()
    )


def _statistics(rows: pl.LazyFrame, group: str, *, with_ema: bool) -> pl.LazyFrame:
    """One row a group from its past days, newest first."""
    if with_ema:
        valid = pl.col("close").is_not_null() & (pl.col("back") <= EMA_DAYS)
        rows = rows.with_columns(_valid=valid.cast(pl.Int32))
        rows = rows.with_columns(_count=pl.col("_valid").cum_sum().over(group))
        rows = rows.with_columns(
            pl.when(pl.col("_valid") == 1)
            .then(((pl.col("_count") - 1) * math.log(1.0 - 2.0 / (span + 1.0))).exp())
            .alias(f"_weight_{span}")
            for span in DAILY_EMA_SPANS
        )
    width, today = pl.col("width"), pl.col("today_width")
    # of a width that is unknown on either side no comparison holds
    twice = (width < today).cast(pl.Int32) + (width <= today).cast(pl.Int32)
    recent = (pl.col("back") <= PERCENTILE_DAYS) & width.is_not_null()
    sums: list[pl.Expr] = [
        pl.when(recent).then(twice).sum().alias("_below"),
        recent.cast(pl.Int32).sum().alias("_widths"),
        today.max().alias("_today"),
    ]
    finals: list[pl.Expr] = [
        pl.when((pl.col("_widths") >= PERCENTILE_DAYS_NEEDED) & pl.col("_today").is_not_null())
        .then(pl.col("_below") / (2.0 * pl.col("_widths")))
        .alias("width_pctl")
    ]
    for days, needed in ATR_DAYS_NEEDED.items():
        reach = pl.when(pl.col("back") <= days).then(pl.col("true_range"))
        sums += [reach.sum().alias(f"_reach_{days}"), reach.count().alias(f"_days_{days}")]
        finals.append(
            pl.when(pl.col(f"_days_{days}") >= needed)
            .then(pl.col(f"_reach_{days}") / pl.col(f"_days_{days}"))
            .alias(f"atr_daily_{days}")
        )
    if with_ema:
        sums.append(pl.col("_valid").sum().alias("_closes"))
        for span in DAILY_EMA_SPANS:
            weight = pl.col(f"_weight_{span}")
            sums += [
                (weight * pl.col("close")).sum().alias(f"_weighted_{span}"),
                weight.sum().alias(f"_weights_{span}"),
            ]
            finals.append(
                pl.when(pl.col("_closes") >= span)
                .then(pl.col(f"_weighted_{span}") / pl.col(f"_weights_{span}"))
                .alias(f"ema_daily_{span}")
            )
    totals = rows.group_by(group, maintain_order=True).agg(sums)
    return totals.select(group, *finals)
