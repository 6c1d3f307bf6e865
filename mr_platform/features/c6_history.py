"""What previous trading days leave behind for C6: closes, gaps, decay of zones.

Here: one row a group, or a group and zone, out of ``hist_daily`` and ``hist_zone``.
Not here: features (``c6_context.py``), which day is the day before (``history.py``).
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.chain_grid import GROUP_KEYS
from mr_platform.features.column_plan import GROUP
from mr_platform.features.history import past
from mr_platform.features.inputs import ZONE_KEYS, FeatureInputs, groups, symbol_days
from mr_platform.features.kernels.windows import TINY, log, ratio

GAP_DAYS = 20
"""Daily gaps whose spread today's gap is measured in."""

GAPS_NEEDED = 10

SHAPE_DAYS = 20
"""Days before D-1 that its closing straddle is ranked among."""

SHAPE_DAYS_NEEDED = 5

ZONE_DAYS = 20
ZONE_DAYS_NEEDED = 5

CLOSES: tuple[str, ...] = (
    "strd_close", "itm1_close", "otm1_close", "ce_close", "pe_close", "iv_close",
    "close30_volume_share", "close30_strd_return", "strd_day_return",
)  # fmt: skip
"""Values of D-1 of the same expiry."""

SHARED_CLOSES: tuple[str, ...] = ("spot_close", "basis_close")
"""Values of D-1 that all expiries share; known also for an expiry that is new today."""

_SHARED = ("spot_open", *SHARED_CLOSES)


def previous_days(inputs: FeatureInputs) -> pl.DataFrame:
    """Closes of D-1 and what the days before make of them.

    Returns:
        One row for each group of the panel: g, ``CLOSES`` and ``SHARED_CLOSES`` with the prefix
        ``prev_``; ``gap_std`` (of the last 20 daily spot gaps, percent); ``prev_strd_days``, the
        days before D-1 that its closing straddle over spot is ranked among, and
        ``prev_strd_below``, how many are below it (equal ones half).
    """
    daily = inputs.past_table("hist_daily").select(*GROUP_KEYS, "dte_bucket", *CLOSES, *_SHARED)
    # means below add in order of expiry, whatever order the table is read in
    rows = inputs.engine.collect(
        past(daily, inputs.days, 1 + max(GAP_DAYS, SHAPE_DAYS))
        .join(symbol_days(inputs.panel), on=["symbol", "date"], how="semi")
        .sort("symbol", "date", "back", "expiry_date")
        # in one frame for all days: equal closes must give equal bits
        .with_columns(ratio(pl.col("strd_close"), pl.col("spot_close")).alias("shape"))
    )
    before = rows.filter(pl.col("back") == 1)
    own = before.select(
        "symbol", "date", "expiry_date", pl.col("dte_bucket").alias("bucket"),
        "shape",
        *[pl.col(name).alias(f"prev_{name}") for name in CLOSES],
    )  # fmt: skip
    shared = before.group_by("symbol", "date").agg(
        pl.col(name).max().alias(f"prev_{name}") for name in SHARED_CLOSES
    )
    frame = (
        groups(inputs.panel, GROUP_KEYS)
        .join(own.lazy(), on=["symbol", "date", "expiry_date"], how="left")
        .join(shared.lazy(), on=["symbol", "date"], how="left")
        .join(_gap_spread(rows), on=["symbol", "date"], how="left")
    )
    ranks = _shape_ranks(frame, rows)
    return inputs.engine.collect(
        frame.join(ranks, on=GROUP, how="left")
        .sort(GROUP)
        .select(
            GROUP,
            *[f"prev_{name}" for name in (*CLOSES, *SHARED_CLOSES)],
            "gap_std",
            "prev_strd_below",
            "prev_strd_days",
        )
    )


def _gap_spread(rows: pl.DataFrame) -> pl.LazyFrame:
    """Standard deviation of the spot gaps of D-1 .. D-20."""
    by_day = (
        rows.lazy()
        .group_by("symbol", "date", "back")
        .agg(pl.col("spot_open").max(), pl.col("spot_close").max())
        .sort("symbol", "date", "back")
    )
    follows = pl.all_horizontal(
        pl.col("symbol").shift(-1) == pl.col("symbol"),
        pl.col("date").shift(-1) == pl.col("date"),
        pl.col("back").shift(-1) == pl.col("back") + 1,
    )
    step = log(ratio(pl.col("spot_open"), pl.col("spot_close").shift(-1)))
    gaps = by_day.select(
        "symbol", "date", "back", pl.when(follows).then(100.0 * step).alias("gap")
    ).filter(pl.col("back") <= GAP_DAYS)
    return (
        gaps.with_columns((pl.col("gap") * pl.col("gap")).alias("square"))
        .group_by("symbol", "date", maintain_order=True)
        .agg(*_statistics("gap"))
        .select("symbol", "date", _spread(GAPS_NEEDED).alias("gap_std"))
    )


def _shape_ranks(frame: pl.LazyFrame, rows: pl.DataFrame) -> pl.LazyFrame:
    """Place of D-1's straddle over spot among bucket means of the days before it."""
    earlier = (
        rows.lazy()
        .filter(pl.col("back") > 1)
        .group_by("symbol", "date", "back", "dte_bucket", maintain_order=True)
        .agg(pl.col("shape").mean().alias("other"))
        .rename({"dte_bucket": "bucket"})
    )
    x, other = pl.col("shape"), pl.col("other")
    below = (other < x).cast(pl.Float64) + 0.5 * (other == x).cast(pl.Float64)
    return (
        frame.select(GROUP, "symbol", "date", "bucket", "shape")
        .join(earlier, on=["symbol", "date", "bucket"])
        .with_columns(below.alias("below"))
        .group_by(GROUP)
        .agg(pl.col("below").sum(), pl.col("below").count().alias("n"))
        .filter(pl.col("n") >= SHAPE_DAYS_NEEDED)
        .select(
            GROUP,
            pl.col("below").alias("prev_strd_below"),
            pl.col("n").cast(pl.Float64).alias("prev_strd_days"),
        )
    )


def zone_decay(inputs: FeatureInputs) -> pl.LazyFrame:
    """Mean and standard deviation of the straddle's decay in each zone of the last 20 days.

    Returns:
        symbol, date, dte_bucket, zone_name, ``zone_mean``, ``zone_std``; null below 5 days.
    """
    table = inputs.past_table("hist_zone").select(*ZONE_KEYS, "decay_rate")
    return (
        past(table, inputs.days, ZONE_DAYS)
        .sort(*ZONE_KEYS, "back")
        .with_columns((pl.col("decay_rate") * pl.col("decay_rate")).alias("square"))
        .group_by(ZONE_KEYS, maintain_order=True)
        .agg(*_statistics("decay_rate"))
        .select(
            *ZONE_KEYS,
            pl.when(pl.col("n") >= ZONE_DAYS_NEEDED).then(pl.col("mean")).alias("zone_mean"),
            _spread(ZONE_DAYS_NEEDED).alias("zone_std"),
        )
    )


def _statistics(value: str) -> list[pl.Expr]:
    return [
        pl.col(value).count().alias("n"),
        pl.col(value).mean().alias("mean"),
        pl.col(value).std().alias("std"),
        pl.col("square").mean(),
    ]


def _spread(needed: int) -> pl.Expr:
    """The standard deviation, zero up to rounding of the values, null below ``needed``."""
    real = pl.col("std") * pl.col("std") > TINY * pl.col("square")
    return pl.when(pl.col("n") >= needed).then(pl.when(real).then(pl.col("std")).otherwise(0.0))
