"""Volume of the session by price: the fullest bin and the value area around it.

Here: bins, their running volumes, point of control and value area at every minute.
Not here: distances from them (``c7_levels.py``).

Rules, after Steidlmayer's market profile:

* A bin is 0.05 percent of the open spot wide; bin n reaches from open + n·width up to, and not
  including, open + (n+1)·width. A minute's volume of the future goes to the bin of its spot.
* The point of control is the middle of the bin with the most volume; of several, of the one
  nearest to spot, then of the lower.
* The value area starts as that bin and takes in the fuller of the two bins beside it, the lower
  one if they are equal, until it holds 70 percent of the volume or more. Bins outside the range
  traded so far are never taken in; empty bins inside it are. Its edges are the upper edge of its
  highest bin and the lower edge of its lowest.

Growing bin by bin would be a loop. But a bin is taken in as soon as every other way out is
narrower: on its way from the point of control a bin's *passage* is the least volume from there up
to and including it, and bins are taken in by falling passage, the lower side first. So the area
is found by one sort.
"""

from __future__ import annotations

from functools import lru_cache

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.kernels.windows import (
    open_value,
    ratio,
    session_count,
    session_max,
    session_min,
    session_sum,
)
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.trading_calendar import SESSION_MINUTES

BIN_SHARE = 0.0005
"""Width of a bin as a share of the open spot: 0.05 percent."""

VALUE_SHARE = 0.7
"""Share of the volume that the value area holds."""

MINUTES_NEEDED = 10
"""Minutes with volume that the profile needs."""

PROFILE_LEVELS: tuple[str, ...] = ("poc", "vah", "val")

_MINUTE = "m"
"""Number of the minute in the whole frame: 375 u + j."""

_BLOCK = "b"
"""Number of the run of minutes of one bin."""

_FAR = 1024
"""More than the bins of a day, which are at most two for each minute."""


def volume_profile(day_frame: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """Point of control and value area at every minute.

    Args:
        day_frame: u, j, spot, fut_volume: the full grid of each (symbol, date), ascending.
        engine: Where to work it out.

    Returns:
        poc, vah, val with the rows of ``day_frame``; null below ten minutes with volume, without
        volume, and at minutes without spot.
    """
    plan, outputs = _minute_plan()
    minutes = engine.collect(
        plan.run(day_frame.lazy(), outputs, keep=[DAY, INDEX]).with_columns(
            (pl.col(DAY) * SESSION_MINUTES + pl.col(INDEX).cast(pl.UInt32)).alias(_MINUTE)
        )
    )
    bins = _bins(minutes)
    if bins.is_empty():
        nothing = pl.repeat(None, day_frame.height, dtype=pl.Float64, eager=True)
        return pl.DataFrame([nothing.alias(name) for name in PROFILE_LEVELS])
    area = (
        _areas(minutes, bins)
        .group_by(_MINUTE)
        .agg(
            pl.col("poc").max(), pl.col("bin").max().alias("vah"), pl.col("bin").min().alias("val")
        )
    )
    origin, width = pl.col("origin"), pl.col("width")
    found = (
        minutes.lazy()
        .select(_MINUTE, "origin", "width", "enough")
        .join(area, on=_MINUTE, how="left", maintain_order="left")
        .with_columns(
            poc=origin + (pl.col("poc") + 0.5) * width,
            vah=origin + (pl.col("vah") + 1.0) * width,
            val=origin + pl.col("val") * width,
        )
        .select([pl.when("enough").then(pl.col(name)).alias(name) for name in PROFILE_LEVELS])
    )
    return engine.collect(found)


@lru_cache(maxsize=1)
def _minute_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Bin and volume of each minute, and what is known of the session so far."""
    p = ColumnPlan(group=DAY)
    origin = open_value(p, "spot")
    width = p.let(origin * BIN_SHARE)
    at = p.let(ratio(pl.col("spot") - origin, width))
    traded = p.let(at.is_not_null() & pl.col("fut_volume").is_not_null())
    volume = p.let(pl.when(traded).then(pl.col("fut_volume").cast(pl.Float64)))
    here = p.let(pl.when(traded).then(at.floor()))
    so_far = session_sum(p, volume)
    enough = (session_count(p, volume) >= MINUTES_NEEDED) & (so_far > 0)
    return p, {
        "origin": origin,
        "width": width,
        "at": at,
        "bin_now": here,
        "volume_now": volume,
        "so_far": so_far,
        "lowest": session_min(p, here),
        "highest": session_max(p, here),
        "enough": enough,
    }


def _bins(minutes: pl.DataFrame) -> pl.DataFrame:
    """Bins that a day's volume goes to, one empty bin for each gap between them.

    One stands for all of a gap: whatever passes it has passage 0, and an area never ends in it.

    Returns:
        u, bin, place (0, 1, ... in its day), last (place of the day's highest bin), block; a row
        a bin, ascending.
    """
    filled = (
        minutes.lazy()
        .filter(pl.col("bin_now").is_not_null())
        .select(DAY, bin="bin_now")
        .unique()
        .sort(DAY, "bin")
    )
    # at most two bins a minute, worked out here: numbering rows in groups is not an operation of
    # every engine
    above = pl.col("bin").shift(-1).over(DAY)
    gaps = filled.filter(above > pl.col("bin") + 1).select(DAY, pl.col("bin") + 1)
    return (
        pl.concat([filled, gaps])
        .sort(DAY, "bin")
        .with_columns(
            place=pl.int_range(pl.len(), dtype=pl.Int32).over(DAY),
            last=pl.len().cast(pl.Int32).over(DAY) - 1,
            **{_BLOCK: pl.int_range(pl.len(), dtype=pl.UInt32)},
        )
        .collect()
    )


def _areas(minutes: pl.DataFrame, bins: pl.DataFrame) -> pl.LazyFrame:
    """Bins of the value area at each minute: m, bin, and poc in the row of that bin."""
    steps = int(bins.select(pl.col("place").max()).item()).bit_length()
    plan, outputs = _block_plan(steps)
    blocks = bins.lazy().join(minutes.lazy(), on=DAY, how="left", maintain_order="left_right")
    taken = pl.col("volume").cum_sum().over(_MINUTE)
    return (
        plan.run(blocks, outputs, keep=[_MINUTE, "bin", "so_far"])
        .filter("candidate")
        .sort(_MINUTE, "turn")
        .with_columns(taken.alias("taken"))
        .filter(pl.col("taken") - pl.col("volume") < VALUE_SHARE * pl.col("so_far"))
    )


@lru_cache(maxsize=16)
def _block_plan(steps: int) -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Volume and turn of each bin at each minute, for days of fewer than 2^steps bins."""
    p = ColumnPlan(group=_BLOCK)
    number, place, last = pl.col("bin"), pl.col("place"), pl.col("last")
    inside = (number >= pl.col("lowest")) & (number <= pl.col("highest"))
    arriving = p.let(pl.when(number == pl.col("bin_now")).then(pl.col("volume_now")))
    volume = session_sum(p, arriving)

    def of_minute(window: pl.Expr) -> pl.Expr:
        return p.let(window.over(_MINUTE))

    fullest = p.let(volume == of_minute(volume.max()))
    away = p.let(pl.when(fullest).then((number + 0.5 - pl.col("at")).abs()))
    control = p.let(pl.when(away == of_minute(away.min())).then(place))
    middle = of_minute(control.min())
    wide = pl.lit(float("inf"))
    down = p.let(pl.when(place < middle).then(volume).otherwise(wide))
    up = p.let(pl.when(place > middle).then(volume).otherwise(wide))
    for step in range(steps):
        reach = 1 << step
        rows = reach * SESSION_MINUTES
        # bins of a day follow each other, so the next bin's minute is 375 rows on
        higher = pl.when(place + reach <= last).then(down.shift(-rows))
        lower = pl.when(place >= reach).then(up.shift(rows))
        down, up = p.let(pl.min_horizontal(down, higher)), p.let(pl.min_horizontal(up, lower))
    below = place < middle
    passage = pl.when(below).then(down).otherwise(up)
    tie = (place - middle).abs() + pl.when(below).then(0).otherwise(_FAR)
    # volumes are whole numbers far below 2^53 / 2 _FAR, so the tie break never reaches them
    turn = tie - passage * (2.0 * _FAR)
    return p, {
        "volume": volume,
        "turn": pl.when(place == middle).then(float("-inf")).otherwise(turn),
        "poc": pl.when(place == middle).then(number),
        "candidate": inside & middle.is_not_null(),
    }
