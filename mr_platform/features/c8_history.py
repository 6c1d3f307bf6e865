"""``hist_c8_zone``: the consensus a finished day leaves behind, for the next 20 trading days.

Here: zone means of the consensus of both channels.
Not here: the votes (``c8_votes.py``), who compares with it (``c8_integration.py``).

The table is built from c1 … c7 of its own date and from nothing else, before c8 of that date, so
that c8 never reads itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from mr_platform.features.c8_votes import CHANNELS, channel_of, vote_frame
from mr_platform.features.column_plan import GROUP, ColumnPlan
from mr_platform.features.inputs import ZONE_KEYS
from mr_platform.gateways.frame_engine import FrameEngine

TABLE = "hist_c8_zone"

ZONE_VALUES: tuple[str, ...] = tuple(f"consensus_{channel}" for channel in CHANNELS)


def consensus_history(
    panel: pl.DataFrame, components: Mapping[str, pl.LazyFrame], engine: FrameEngine
) -> pl.DataFrame:
    """Zone means of the consensus on finished days.

    A zone's value is taken of each expiry by itself, then averaged over the expiries of its
    bucket, so that an expiry that is quoted more often does not weigh more.

    Args:
        panel: The minute panel of whole days, of which only the keys are read.
        components: Tables of c1 … c7 of the same days by name.
        engine: Where to work it out.

    Returns:
        symbol, date, dte_bucket, zone_name, consensus_direction, consensus_expansion; null where
        a channel had no consensus all zone. Ascending by the keys.
    """
    plan, outputs = _plan()
    minutes = plan.run(vote_frame(panel, components), outputs, keep=[GROUP, *ZONE_KEYS])
    # every zone of every expiry is one run of rows, so the sums have one order
    zones = (
        minutes.group_by(GROUP, *ZONE_KEYS, maintain_order=True)
        .agg(pl.col(*ZONE_VALUES).mean())
        .group_by(ZONE_KEYS, maintain_order=True)
        .agg(pl.col(*ZONE_VALUES).mean())
    )
    return engine.collect(zones.sort(ZONE_KEYS))


@lru_cache(maxsize=1)
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    return p, {f"consensus_{channel}": channel_of(p, channel).consensus for channel in CHANNELS}
