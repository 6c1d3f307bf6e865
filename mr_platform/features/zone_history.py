"""``hist_zone``: what a finished day leaves behind of each zone, for the next 20 trading days.

Here: zone means of the ATR percentages and the straddle's decay a minute.
Not here: the ATR itself (``streams.py``), who compares with it (C5, C6).
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX
from mr_platform.features.inputs import ZONE_KEYS, underlying
from mr_platform.features.kernels.windows import ratio
from mr_platform.features.streams import ATR_SPANS, STRADDLE, UNDERLYING, asset_streams
from mr_platform.gateways.frame_engine import FrameEngine

STRADDLE_ATR: tuple[str, ...] = tuple(f"atrp_{span}_{STRADDLE}" for span in ATR_SPANS)
UNDERLYING_ATR: tuple[str, ...] = tuple(f"atrp_{span}_{UNDERLYING}" for span in ATR_SPANS)
DECAY = "decay_rate"

ZONE_VALUES: tuple[str, ...] = (*STRADDLE_ATR, *UNDERLYING_ATR, DECAY)


def zone_history(
    panel: pl.DataFrame, hist_minute: pl.LazyFrame, days: pl.LazyFrame, engine: FrameEngine
) -> pl.DataFrame:
    """Zone means of finished days.

    A zone's value is taken of each expiry by itself, then averaged over the expiries of its
    bucket, so that an expiry that is quoted more often does not weigh more.

    Args:
        panel: The minute panel of whole days.
        hist_minute: Minutes of the two trading days before each of them.
        days: date, back, hist_date.
        engine: Where to work it out.

    Returns:
        symbol, date, dte_bucket, zone_name; ``atrp_{14,21,50}_strd``; ``atrp_{14,21,50}_und``
        (the same in every bucket); decay_rate, percent a minute: 100 · sum of the zone's r_strd
        / number of its valid r_strd. Null where nothing is valid. Ascending by the keys.
    """
    straddle = asset_streams(panel, hist_minute, days, STRADDLE, STRADDLE_ATR, engine)
    by_expiry = (
        panel.lazy()
        .select(GROUP, INDEX, *ZONE_KEYS, "r_strd")
        .join(straddle.lazy(), on=[GROUP, INDEX], how="left", maintain_order="left")
        .group_by(GROUP, *ZONE_KEYS, maintain_order=True)
        .agg(
            pl.col(*STRADDLE_ATR).mean(),
            (
                100.0 * ratio(pl.col("r_strd").sum(), pl.col("r_strd").count().cast(pl.Float64))
            ).alias(DECAY),
        )
        .group_by(ZONE_KEYS, maintain_order=True)
        .agg(pl.col(*STRADDLE_ATR, DECAY).mean())
    )
    shared = asset_streams(panel, hist_minute, days, UNDERLYING, UNDERLYING_ATR, engine)
    by_day = (
        shared.lazy()
        .join(
            underlying(panel, ["zone_name"]),
            on=[DAY, INDEX],
            how="left",
            maintain_order="left",
        )
        .group_by("symbol", "date", "zone_name", maintain_order=True)
        .agg(pl.col(*UNDERLYING_ATR).mean())
    )
    joined = by_expiry.join(
        by_day, on=["symbol", "date", "zone_name"], how="left", maintain_order="left"
    )
    return engine.collect(joined.select(*ZONE_KEYS, *ZONE_VALUES).sort(ZONE_KEYS))
