"""What price has done at a level: touches, confirmed breaks, holds, failed breakouts.

Here: one band around a level, and the events that leaving and entering it makes.
Not here: the levels (``c7_level_set.py``), the pool of levels around spot
(``c7_level_pool.py``).

Everything follows from the place of the price at each minute: 1 above the band, -1 below it,
0 inside it, edges included; null where price or level is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.windows import (
    lag,
    session_count,
    session_count_where,
    window_count_where,
)
from mr_platform.features.stacks import Block, run_blocks
from mr_platform.gateways.frame_engine import FrameEngine

BAND = {"und": 0.0005, "strd": 0.005}
"""Half width of the band around a level, as a share of the price."""

BREAK_MINUTES = 5
"""Minutes on one side of the band that confirm a break."""

HOLD_MINUTES = 10
"""Minutes after a touch at which it is judged."""

RETURN_MINUTES = 10
"""Minutes within which a return makes a breakout a failed one."""

MINUTES_NEEDED = 2
"""Valid minutes before events are counted: an event is a step from one minute to the next."""

EVENT_COLUMNS: tuple[str, ...] = (
    "touches", "break", "watched", "touched_support", "touched_resistance", "held_support",
    "held_resistance", "failed_up", "failed_down",
)  # fmt: skip
"""What ``level_events`` finds at each level.

``touches``: entries into the band in the session so far, null where the level is. ``break``: 1
above the band for five minutes, -1 below it, else 0. ``watched``: minutes so far with price and
level. The others are 1 at a minute where the event happens, else 0: a touch of ten minutes ago,
from above (support) or below (resistance), is judged; it has held; an upward (downward) break of
the last ten minutes fails.
"""

ABOVE, BELOW = 1, -1


@dataclass(frozen=True)
class Level:
    """A level to watch, on the rows of the price that meets it.

    Attributes:
        name: Prefix of its columns.
        price: The price, on the full grid of each session.
        level: The level as it is known at each minute.
        line: The level as it runs through the minutes of a break; differs from ``level`` where
            it became known later than it holds.
        band: Half width of the band as a share of the price.
    """

    name: str
    price: pl.Series
    level: pl.Series
    line: pl.Series
    band: float


def level_events(levels: Sequence[Level], engine: FrameEngine) -> dict[str, list[pl.Series]]:
    """Events at many levels, worked out one above the other.

    Args:
        levels: Levels to watch; rows ascend by session and minute, 375 to a session.
        engine: Where to work it out.

    Returns:
        For each name the columns ``{name}_{event}``, the events being ``EVENT_COLUMNS``; rows as
        the level's.
    """
    plan, outputs = _event_plan()
    blocks: dict[str, Block] = {
        level.name: {
            "price": level.price,
            "level": level.level,
            "line": level.line,
            "share": level.band,
        }
        for level in levels
    }
    found = iter(run_blocks(blocks, plan, outputs, engine))
    return {level.name: [next(found) for _ in outputs] for level in levels}


@lru_cache(maxsize=1)
def _event_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    price, level = pl.col("price"), pl.col("level")
    band = p.let(price * pl.col("share"))
    distance = p.let(price - level)
    places = place(p, distance, band)
    watched = session_count(p, places)
    before = p.let(lag(p, places, 1))
    from_above = p.let((places == 0) & (before == ABOVE))
    from_below = p.let((places == 0) & (before == BELOW))
    entries = session_count_where(p, from_above | from_below)
    shown = level.is_not_null() & (watched >= MINUTES_NEEDED)
    # a touch is judged against the level as it was when it was touched
    judged = place(p, p.let(price - lag(p, level, HOLD_MINUTES)), band)
    up, down = _failed_breaks(p, distance, places, before)
    output: dict[str, pl.Expr] = {
        "touches": pl.when(shown).then(entries),
        "break": _confirmed_break(p, place(p, p.let(price - pl.col("line")), band)),
        "watched": watched,
        "failed_up": _flag(up),
        "failed_down": _flag(down),
    }
    for side, entry, home in (
        ("support", from_above, ABOVE),
        ("resistance", from_below, BELOW),
    ):
        then = p.let(lag(p, entry, HOLD_MINUTES))
        output[f"touched_{side}"] = _flag(then & price.is_not_null())
        output[f"held_{side}"] = _flag(then & (judged == home))
    return p, {f"{{}}_{event}": output[event] for event in EVENT_COLUMNS}


def place(p: ColumnPlan, distance: pl.Expr, band: pl.Expr) -> pl.Expr:
    """Place of the price by its distance above a level: 1, 0 or -1; a column (Int32)."""
    return p.let(
        pl.when(distance > band)
        .then(ABOVE)
        .when(distance < -band)
        .then(BELOW)
        .when(distance.is_not_null())
        .then(0)
        .cast(pl.Int32)
    )


def _confirmed_break(p: ColumnPlan, places: pl.Expr) -> pl.Expr:
    """1 or -1 where five minutes agree, else 0; null where one of them has no place."""
    two = p.let(places + lag(p, places, 1))
    four = p.let(two + lag(p, two, 2))
    total = p.let(four + lag(p, places, 4))
    agreed = (total == BREAK_MINUTES).cast(pl.Int32) - (total == -BREAK_MINUTES).cast(pl.Int32)
    return pl.when(pl.col("level").is_not_null() & total.is_not_null()).then(agreed)


def _failed_breaks(
    p: ColumnPlan, distance: pl.Expr, places: pl.Expr, before: pl.Expr
) -> tuple[pl.Expr, pl.Expr]:
    """Whether price falls back through a level it broke upwards in the last ten minutes.

    Returns:
        Upward breaks that fail now, and downward ones.
    """
    distance_before = p.let(lag(p, distance, 1))
    crossed_up = window_count_where(p, (places == ABOVE) & (before < ABOVE), RETURN_MINUTES)
    crossed_down = window_count_where(p, (places == BELOW) & (before > BELOW), RETURN_MINUTES)
    up = (distance < 0) & (distance_before >= 0) & (lag(p, crossed_up, 1) > 0)
    down = (distance > 0) & (distance_before <= 0) & (lag(p, crossed_down, 1) > 0)
    return up, down


def _flag(event: pl.Expr) -> pl.Expr:
    return event.fill_null(False).cast(pl.Int32)


def count_so_far(p: ColumnPlan, flags: Sequence[str]) -> pl.Expr:
    """Events of several levels in the session up to t; a column (Int32).

    Args:
        p: The plan; its group is the session.
        flags: Columns of 0 and 1 without nulls.
    """
    return p.over(p.let(pl.sum_horizontal(flags)).cum_sum())
