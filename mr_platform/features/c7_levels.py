"""Component C7: support, resistance and price action at levels.

Here: the component's columns, put together from two plans: one over the minutes of the
underlying, one over the minutes of each expiry.
Not here: the levels (``c7_level_set.py``), events at them (``c7_level_events.py``), the pool
around spot (``c7_level_pool.py``), volume by price (``c7_volume_profile.py``), momentum
(``c7_momentum_levels.py``).

Signs: a distance is price minus level in percent of price; a support lies at spot or below it, a
resistance above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import polars as pl

from mr_platform.features.c7_level_chances import passing_chances
from mr_platform.features.c7_level_events import (
    BAND,
    MINUTES_NEEDED,
    Level,
    count_so_far,
    level_events,
)
from mr_platform.features.c7_level_pool import (
    DAY_LEVELS,
    EXPIRY_LEVELS,
    SIDES,
    confluence_counts,
    least_distance,
)
from mr_platform.features.c7_level_set import LINE_LEVELS, ROUND_STEPS, price_levels, round_level
from mr_platform.features.c7_momentum_levels import (
    STREAM_NAMES,
    shared_momentum,
)
from mr_platform.features.c7_nearest_levels import Columns, around_spot, shared_pool
from mr_platform.features.c7_volume_profile import PROFILE_LEVELS, volume_profile
from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.inputs import FeatureInputs, spread, underlying
from mr_platform.features.kernels.across import count_across
from mr_platform.features.kernels.durations import minutes_unchanged
from mr_platform.features.kernels.volatility import mean_square
from mr_platform.features.kernels.windows import (
    log,
    open_value,
    ratio,
    session_count,
    session_sum,
    window_count,
    window_count_where,
    window_sum,
)
from mr_platform.features.streams import UNDERLYING, asset_streams

BREAK_LEVELS: tuple[str, ...] = (
    "pdh", "pdl", "orh", "orl", "pp", "r1", "s1", "pwh", "pwl", "pdc",
)  # fmt: skip
STRADDLE_BREAK_LEVELS: tuple[str, ...] = ("pdh", "pdl", "orh", "orl")
TOUCH_LEVELS: tuple[str, ...] = ("pdh", "pdl", "pdc", "orh", "orl", "pp", "r1", "s1")
"""Levels of all expiries whose touches are counted; the walls come on top."""

WALLS: tuple[str, ...] = ("call_wall", "put_wall")
FALSE_BREAK_LEVELS = {"up": ("orh", "pdh", "r1"), "down": ("orl", "pdl", "s1")}
STRADDLE_LEVELS: tuple[str, ...] = (
    "pdh", "pdl", "pdc", "orh", "orl", "pp", "r1", "s1", "tc", "bc", "vwap", "swh", "swl",
)  # fmt: skip

STRADDLE_REACH = 0.01
"""Straddle levels within this share of the straddle count as near."""

STRADDLE_LEVELS_NEEDED = 4
SIGMA_MINUTES = 30
SIGMA_NEEDED = 20
"""Minutes of the realised volatility that chances are reckoned with, and its returns needed."""

VOLUME_MINUTES = 60
VOLUME_NEEDED = 40
VOLUME_AT_LEVEL_NEEDED = 3
"""Minutes whose volume is compared with that at levels, and how many of either are needed."""

REJECTION_MINUTES = 15
REJECTION_NEEDED = 10
REJECTION_SHARE = 0.5
"""Share of a bar's range that makes a wick a rejection."""


_DAY_INPUTS: tuple[str, ...] = (
    "spot", "fut", "fut_open", "fut_high", "fut_low", "fut_volume", "r_und", "r_und_min",
)  # fmt: skip
_PANEL_INPUTS: tuple[str, ...] = (
    GROUP, INDEX, "spot", "step", "fut_volume", "strd", *WALLS, "max_pain",
    "call_wall_oi", "put_wall_oi", "call_second_oi", "put_second_oi", "call_wall_oi_open",
    "put_wall_oi_open", "oi_ce", "oi_pe", "oi_centroid_ce", "oi_centroid_pe",
)  # fmt: skip
_LEGS = {"call": "ce", "put": "pe"}
_AGES: tuple[str, ...] = ("swh", "swl", "session_high", "session_low")

Events = Mapping[str, list[pl.Series]]


def c7_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All columns of C7.

    Args:
        inputs: Panel, ``hist_daily``, ``hist_minute`` and calendar.

    Returns:
        The panel's rows in the panel's order.
    """
    panel, engine = inputs.panel, inputs.engine
    prices = engine.collect(underlying(panel, _DAY_INPUTS))
    spot, straddle = price_levels(inputs)
    events = level_events(
        [
            *[_watched(name, "und", prices, spot, name) for name in BREAK_LEVELS],
            *[_watched(f"strd_{x}", "strd", panel, straddle, x) for x in STRADDLE_BREAK_LEVELS],
            *[Level(x, panel["spot"], panel[x], panel[x], BAND["und"]) for x in WALLS],
        ],
        engine,
    )
    day = _day_columns(inputs, prices, spot, events)
    shared = engine.collect(spread(day.lazy(), panel))
    own = [name for name in events if name in WALLS or name.startswith("strd_")]
    frame = panel.select(_PANEL_INPUTS).hstack(
        [
            *straddle.select(
                *[f"a_{name}" for name in STRADDLE_LEVELS],
                *[pl.col(f"l_{name}").alias(f"l_strd_{name}") for name in STRADDLE_LEVELS],
            ).get_columns(),
            *[column for name in own for column in events[name]],
            *shared.get_columns(),
        ]
    )
    plan, outputs = _panel_plan()
    found = plan.compute(frame, outputs, engine)
    chances = passing_chances(found.hstack(shared.select("u_sigma")), engine)
    finished = [name for name in shared.columns if name.startswith("c7_")]
    return found.hstack(
        [
            *chances,
            *shared.select(finished).get_columns(),
            *straddle.select(_straddle_names()).get_columns(),
        ]
    )


def _watched(
    prefix: str, asset: str, prices: pl.DataFrame, levels: pl.DataFrame, name: str
) -> Level:
    """A level of spot or the straddle as the events see it."""
    level = levels[f"l_{name}"]
    line = levels[f"{name}_line"] if f"{name}_line" in levels.columns else level
    return Level(prefix, prices["spot" if asset == "und" else asset], level, line, BAND[asset])


def _day_columns(
    inputs: FeatureInputs, prices: pl.DataFrame, levels: pl.DataFrame, events: Events
) -> pl.DataFrame:
    """What all expiries share: finished features, and parts for ``_panel_plan``."""
    engine = inputs.engine
    momentum = asset_streams(
        inputs.panel, inputs.past_table("hist_minute"), inputs.days, UNDERLYING,
        STREAM_NAMES, engine,
    )  # fmt: skip
    pool = [f"{kind}_{name}" for kind in "la" for name in DAY_LEVELS]
    frame = prices.hstack(
        [
            *levels.select(pool).get_columns(),
            *[column for name in BREAK_LEVELS for column in events[name]],
            *momentum.select(STREAM_NAMES).get_columns(),
            *volume_profile(prices, engine).get_columns(),
        ]
    )
    plan, outputs = _day_plan()
    found = plan.compute(frame, outputs, engine, keep=[DAY, INDEX])
    finished = levels.select(
        *[pl.col(f"d_{name}").alias(f"c7_dist_{name}") for name in LINE_LEVELS],
        *[pl.col(f"age_{name}").alias(f"c7_age_{name}") for name in _AGES],
        *[pl.col(f"l_{name}") for name in DAY_LEVELS],
        c7_session_pos_und="session_pos",
        c7_vwap_z_und="vwap_z",
        c7_vwap_slope_15m_und="vwap_slope",
    )
    return found.hstack(finished.get_columns())


def _straddle_names() -> list[pl.Expr]:
    """Finished features of the straddle from its levels."""
    return [
        *[pl.col(f"d_{name}").alias(f"c7_strd_dist_{name}") for name in STRADDLE_LEVELS],
        pl.col("session_pos").alias("c7_session_pos_strd"),
        pl.col("vwap_z").alias("c7_vwap_z_strd"),
        pl.col("vwap_slope").alias("c7_vwap_slope_15m_strd"),
    ]


# -- what all expiries share ----------------------------------------------------------------------


@lru_cache(maxsize=1)
def _day_plan() -> tuple[ColumnPlan, Columns]:
    p = ColumnPlan(group=DAY)
    spot = pl.col("spot")
    output: Columns = {
        "c7_prev_range_pos": ratio(
            spot - pl.col("l_pdl"), p.let(pl.col("l_pdh") - pl.col("l_pdl"))
        ),
        "c7_outside_prev_range_share": _outside_share(p),
        "u_sigma": mean_square(p, "r_und", "r_und_min", SIGMA_MINUTES, SIGMA_NEEDED).sqrt(),
    }
    output |= {
        f"c7_profile_{name}_dist": _distance("spot", pl.col(name)) for name in PROFILE_LEVELS
    }
    output |= _day_events(p)
    output |= shared_pool(p)
    output |= _rejections(p)
    output |= shared_momentum(p)
    return p, output


def _day_events(p: ColumnPlan) -> Columns:
    """Touches, breaks, failed breakouts, and the shared part of the hold ratios."""
    output: Columns = {f"c7_break_{name}": pl.col(f"{name}_break") for name in BREAK_LEVELS}
    output |= {f"c7_touches_{name}": pl.col(f"{name}_touches") for name in TOUCH_LEVELS}
    output |= _holds(p, TOUCH_LEVELS, "u")
    for way, names in FALSE_BREAK_LEVELS.items():
        known = pl.coalesce([pl.col(f"l_{name}") for name in names]).is_not_null()
        # the minutes of one level hold those of another, so the most are those of any
        watched = pl.max_horizontal([pl.col(f"{name}_watched") for name in names])
        failed = count_so_far(p, [f"{name}_failed_{way}" for name in names])
        output[f"c7_false_breaks_{way}"] = pl.when(known & (watched >= MINUTES_NEEDED)).then(failed)
    levels = [pl.col(f"l_{name}") for name in BREAK_LEVELS]
    output["u_at_break_level"] = (
        least_distance(pl.col("spot"), levels) <= pl.col("spot") * BAND["und"]
    )
    return output


def _holds(p: ColumnPlan, names: Sequence[str], prefix: str) -> Columns:
    """Touches judged so far and those held, by side: ``{prefix}_{touched,held}_{side}``."""
    return {
        f"{prefix}_{what}_{side}": count_so_far(p, [f"{name}_{what}_{side}" for name in names])
        for what in ("touched", "held")
        for side in SIDES
    }


def _outside_share(p: ColumnPlan) -> pl.Expr:
    """Share of the session's minutes at which spot was outside the previous day's range."""
    spot, high, low = pl.col("spot"), pl.col("l_pdh"), pl.col("l_pdl")
    outside = p.let(((spot > high) | (spot < low)).cast(pl.Float64))
    known = high.is_not_null() & low.is_not_null()
    minutes = session_count(p, outside).cast(pl.Float64)
    return pl.when(known).then(ratio(session_sum(p, outside), minutes))


def _rejections(p: ColumnPlan) -> Columns:
    """Share of bars with a long wick among those of the last 15 that have a range."""
    opening, high, low, close = (pl.col(x) for x in ("fut_open", "fut_high", "fut_low", "fut"))
    reach = p.let(high - low)
    body_top = pl.when(opening >= close).then(opening).otherwise(close)
    body_bottom = pl.when(opening <= close).then(opening).otherwise(close)
    counted = p.let(reach.is_not_null() & (reach > 0) & opening.is_not_null() & close.is_not_null())
    bars = window_count_where(p, counted, REJECTION_MINUTES)
    output: Columns = {}
    for side, wick in (("upper", high - body_top), ("lower", body_bottom - low)):
        long = counted & (wick >= REJECTION_SHARE * reach)
        output[f"c7_rejection_share_15m_{side}"] = pl.when(bars >= REJECTION_NEEDED).then(
            window_count_where(p, long, REJECTION_MINUTES) / bars
        )
    return output


def _distance(price: str, level: pl.Expr) -> pl.Expr:
    """Price minus level in percent of the price."""
    return 100.0 * ratio(pl.col(price) - level, pl.col(price))


# -- what belongs to one expiry -------------------------------------------------------------------


@lru_cache(maxsize=1)
def _panel_plan() -> tuple[ColumnPlan, Columns]:
    p = ColumnPlan()
    rounds = {name: p.let(round_level(name)) for name in ROUND_STEPS}
    levels: Columns = {name: pl.col(name) for name in (*WALLS, "max_pain")} | rounds
    output: Columns = {
        f"c7_dist_{name}": _distance("spot", level) for name, level in levels.items()
    }
    output |= _open_interest(p)
    output |= {f"c7_touches_{name}": pl.col(f"{name}_touches") for name in WALLS}
    walls = _holds(p, WALLS, "e")
    for side in SIDES:
        all_touched = walls[f"e_touched_{side}"] + pl.col(f"u_touched_{side}")
        all_held = walls[f"e_held_{side}"] + pl.col(f"u_held_{side}")
        output[f"c7_hold_ratio_{side}"] = pl.when(all_touched > 0).then(all_held / all_touched)
    pool: Columns = {name: levels[name] for name in EXPIRY_LEVELS}
    pool |= {name: pl.col(f"l_{name}") for name in DAY_LEVELS}
    counts = {name: pl.col(f"c7_touches_{name}") for name in TOUCH_LEVELS}
    counts |= {name: pl.col(f"{name}_touches") for name in WALLS}
    output |= around_spot(p, pool, counts)
    output |= _level_volume(p, pool)
    output |= _straddle(p)
    return p, output


def _open_interest(p: ColumnPlan) -> Columns:
    """Strength, growth, lead and age of the walls; width, shift, centroids."""
    spot = pl.col("spot")
    output: Columns = {}
    for side, leg in _LEGS.items():
        wall = pl.col(f"{side}_wall_oi").cast(pl.Float64)
        total = pl.col(f"oi_{leg}").cast(pl.Float64)
        opening = pl.col(f"{side}_wall_oi_open").cast(pl.Float64)
        second = pl.col(f"{side}_second_oi").cast(pl.Float64)
        output |= {
            f"c7_{side}_wall_oi_share": pl.when(wall > 0).then(ratio(wall, total)),
            f"c7_{side}_wall_oi_build": log(wall) - log(opening),
            f"c7_{side}_wall_dominance": log(wall) - log(second),
            f"c7_age_{side}_wall": minutes_unchanged(p, f"{side}_wall"),
            f"c7_oi_centroid_dist_{leg}": _distance("spot", pl.col(f"oi_centroid_{leg}")),
        }
    moved = pl.col("max_pain") - open_value(p, "max_pain")
    output |= {
        "c7_wall_width": 100.0 * ratio(pl.col("call_wall") - pl.col("put_wall"), spot),
        "c7_max_pain_shift": ratio(moved, pl.col("step")).round(),
    }
    return output


def _level_volume(p: ColumnPlan, pool: Columns) -> Columns:
    """Volume of the future at levels against its mean."""
    spot, volume = pl.col("spot"), pl.col("fut_volume").cast(pl.Float64)
    band = p.let(spot * BAND["und"])
    own = least_distance(spot, [pool[name] for name in EXPIRY_LEVELS]) <= band
    at_level = p.let(pl.col("u_at_level") | own.fill_null(False))
    there = p.let(pl.when(at_level).then(volume))
    minutes, minutes_there = (window_count(p, x, VOLUME_MINUTES) for x in (p.let(volume), there))
    mean = ratio(window_sum(p, p.let(volume), VOLUME_MINUTES), minutes.cast(pl.Float64))
    mean_there = ratio(window_sum(p, there, VOLUME_MINUTES), minutes_there.cast(pl.Float64))
    enough = (minutes >= VOLUME_NEEDED) & (minutes_there >= VOLUME_AT_LEVEL_NEEDED)
    share = p.let(ratio(mean_there, mean))
    return {"c7_level_volume_ratio_60m": pl.when(enough).then(log(share))}


def _straddle(p: ColumnPlan) -> Columns:
    """Breaks and confluence of the straddle, and levels met by both prices at once."""
    price = pl.col("strd")
    away = [pl.col(f"a_{name}") for name in STRADDLE_LEVELS]
    known = p.let(count_across(away))
    output: Columns = {
        f"c7_strd_break_{name}": pl.col(f"strd_{name}_break") for name in STRADDLE_BREAK_LEVELS
    }
    for (side, _), count in confluence_counts(p, away, [STRADDLE_REACH]).items():
        output[f"c7_strd_confluence_{side}"] = pl.when(known >= STRADDLE_LEVELS_NEEDED).then(count)
    levels = [pl.col(f"l_strd_{name}") for name in STRADDLE_LEVELS]
    touching = least_distance(price, levels) <= price * BAND["strd"]
    # either is null where its price is or none of its levels is known; "and" would lose that
    output["c7_dual_level_flag"] = pl.col("u_at_break_level").cast(pl.Int32) * touching.cast(
        pl.Int32
    )
    return output
