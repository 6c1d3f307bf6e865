"""The price levels of C7, each as a column: what they are, before anything is counted at them.

Here: levels of the previous day and week, opening range, swings, extremes of the session,
volume-weighted price, round numbers.
Not here: touches and breaks (``c7_level_events.py``), the pool of levels around spot
(``c7_level_pool.py``), the volume profile (``c7_volume_profile.py``), open-interest levels, which
the minute panel holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.inputs import (
    FeatureInputs,
    groups,
    symbol_days,
    underlying,
    written_out,
)
from mr_platform.features.kernels.durations import minutes_unchanged
from mr_platform.features.kernels.levels import pivots
from mr_platform.features.kernels.weighted import session_weighted_deviation
from mr_platform.features.kernels.windows import (
    TINY,
    forward_filled,
    lag,
    log,
    minutes_since,
    ratio,
    rolling_max,
    rolling_min,
    session_count,
    session_max,
    session_min,
    window_count,
)
from mr_platform.features.level_history import (
    SPOT,
    WEEK_DAYS_NEEDED,
    level_keys,
    previous_day,
    previous_week,
)

OPENING_MINUTES = 15
"""Minutes of the opening range; its levels are known from minute 14 on."""

OPENING_NEEDED = 10
"""Valid minutes of the opening range that its levels need."""

SWING_SIDE = 5
"""Minutes on either side of a swing's bar."""

SWING_NEEDED = 4
"""Valid minutes on either side that a swing needs."""

ROUND_STEPS = {"round_major": 10, "round_minor": 2}
"""Strike steps between two round levels."""

STRADDLE = "strd"

VWAP_Z_NEEDED = 10
VWAP_SLOPE_MINUTES = 15
SESSION_RANGE_NEEDED = 5

LINE_LEVELS: tuple[str, ...] = (
    "pdh", "pdl", "pdc", "pwh", "pwl", "orh", "orl", "pp", "r1", "s1", "r2", "s2", "tc", "bc",
    "vwap", "vwap_u1", "vwap_l1", "swh", "swl",
)  # fmt: skip
"""Levels of a price by its own past; the straddle has those of the week as nulls."""

_PERIODS: tuple[str, ...] = ("day_high", "day_low", "day_close", "week_high", "week_low")
_BLOCK = "b"


# -- finished periods -----------------------------------------------------------------------------


def period_prices(inputs: FeatureInputs, asset: str) -> pl.LazyFrame:
    """High, low and close of the previous day, and of the previous week for spot.

    Args:
        inputs: Panel, ``hist_daily`` and calendar.
        asset: ``spot`` or ``strd``.

    Returns:
        u (spot) or g (strd) with day_high, day_low, day_close and for spot week_high, week_low;
        null where the period has no prices; one row each.
    """
    history = inputs.past_table("hist_daily")
    keys = level_keys(asset)
    rows = symbol_days(inputs.panel) if asset == SPOT else groups(inputs.panel, keys)
    day = previous_day(history, inputs.days, asset).rename(
        {what: f"day_{what}" for what in ("high", "low", "close")}
    )
    rows = rows.join(day, on=keys, how="left", maintain_order="left")
    if asset == SPOT:
        week = (
            previous_week(history, inputs.days, asset)
            .filter(pl.col("days") >= WEEK_DAYS_NEEDED)
            .select(*keys, week_high="high", week_low="low")
        )
        rows = rows.join(week, on=keys, how="left", maintain_order="left")
    return rows.drop(keys)


def period_levels() -> dict[str, pl.Expr]:
    """Levels over the columns of ``period_prices``, by name."""
    lines = pivots("day_high", "day_low", "day_close")
    return {
        "pdh": pl.col("day_high"),
        "pdl": pl.col("day_low"),
        "pdc": pl.col("day_close"),
        "pp": lines.pp,
        "r1": lines.r1,
        "s1": lines.s1,
        "r2": lines.r2,
        "s2": lines.s2,
        "tc": lines.tc,
        "bc": lines.bc,
        "pwh": pl.col("week_high"),
        "pwl": pl.col("week_low"),
    }


# -- levels of the session ------------------------------------------------------------------------


@dataclass(frozen=True)
class HighLow:
    """An upper and a lower level, and the minutes since each was set; columns."""

    high: pl.Expr
    low: pl.Expr
    high_age: pl.Expr
    low_age: pl.Expr


@dataclass(frozen=True)
class OpeningRange:
    """Extremes of the first 15 minutes; columns.

    Attributes:
        high: Greatest price, null before minute 14.
        low: Least price, null before minute 14.
        high_line: The same on all rows of the session: it looks ahead before minute 14, so what
            is built on it must be hidden wherever ``high`` is null.
        low_line: The same for ``low``.
    """

    high: pl.Expr
    low: pl.Expr
    high_line: pl.Expr
    low_line: pl.Expr


def opening_range(p: ColumnPlan, price: str) -> OpeningRange:
    """Opening range of Crabel 1990 over minute closes; null below ten valid minutes."""
    index = pl.col(p.index)
    early = p.let(pl.when(index < OPENING_MINUTES).then(pl.col(price)))
    known = p.over(p.let(early.is_not_null().cast(pl.Int32)).sum()) >= OPENING_NEEDED
    high = p.let(pl.when(known).then(p.over(early.max())))
    low = p.let(pl.when(known).then(p.over(early.min())))
    over = index >= OPENING_MINUTES - 1
    return OpeningRange(
        high=p.let(pl.when(over).then(high)),
        low=p.let(pl.when(over).then(low)),
        high_line=high,
        low_line=low,
    )


def swings(p: ColumnPlan, price: str) -> HighLow:
    """Latest swing high and low: fractals of five minutes a side (Williams 1995).

    Bar i is a high if it is above every valid price of i-5 .. i-1 and not below any of
    i+1 .. i+5, four of them valid on each side. It stands from minute i+5 on; ages count from i.
    """
    count = window_count(p, price, SWING_SIDE)
    enough = (p.let(lag(p, count, SWING_SIDE + 1)) >= SWING_NEEDED) & (count >= SWING_NEEDED)
    middle = p.let(lag(p, price, SWING_SIDE))
    most, least = rolling_max(p, price, SWING_SIDE), rolling_min(p, price, SWING_SIDE)
    top = (middle > lag(p, most, SWING_SIDE + 1)) & (middle >= most)
    bottom = (middle < lag(p, least, SWING_SIDE + 1)) & (middle <= least)
    levels, ages = [], []
    for turn in (top, bottom):
        found = p.let(pl.when(enough & turn).then(middle))
        levels.append(forward_filled(p, found))
        ages.append(p.let(minutes_since(p, p.let(found.is_not_null())) + SWING_SIDE))
    return HighLow(levels[0], levels[1], ages[0], ages[1])


def session_range(p: ColumnPlan, price: str) -> HighLow:
    """Greatest and least price of the session so far, and minutes since each was set."""
    high, low = session_max(p, price), session_min(p, price)
    return HighLow(high, low, _age(p, high), _age(p, low))


def _age(p: ColumnPlan, extreme: pl.Expr) -> pl.Expr:
    """An extreme that is only equalled was set before."""
    return minutes_unchanged(p, extreme)


@dataclass(frozen=True)
class WeightedPrice:
    """Volume-weighted price of the session so far; columns, null where nothing is quoted.

    Attributes:
        mean: Volume-weighted mean.
        spread: Volume-weighted standard deviation around it (population); 0 up to rounding.
        count: Minutes that entered.
    """

    mean: pl.Expr
    spread: pl.Expr
    count: pl.Expr


def weighted_price(
    p: ColumnPlan, price: str | pl.Expr, volume: str | pl.Expr, quoted: str | pl.Expr
) -> WeightedPrice:
    """Volume-weighted mean and deviation over the minutes with both price and volume.

    Args:
        p: The plan; its group is the session.
        price: Price of the minute.
        volume: Its weight.
        quoted: Series that is null where the minute has no value.
    """
    column = p.let(price)
    weight = p.let(pl.when(column.is_not_null()).then(p.let(volume).cast(pl.Float64)))
    moments = session_weighted_deviation(p, column, weight)
    mean, variance = p.let(moments.origin + moments.mean), moments.variance
    clear = variance > TINY * (variance + mean * mean)
    spread = pl.when(clear).then(variance.sqrt()).otherwise(pl.when(mean.is_not_null()).then(0.0))
    shown = p.let(quoted).is_not_null()
    return WeightedPrice(
        mean=p.let(pl.when(shown).then(mean)),
        spread=p.let(pl.when(shown).then(spread)),
        count=moments.count,
    )


# -- both prices at once --------------------------------------------------------------------------


def price_levels(inputs: FeatureInputs) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Levels of spot on its own grid, and of the straddle on the panel's rows.

    Both prices go through one plan, one above the other: a short column costs as much as a long
    one.

    Returns:
        Two frames with the columns of ``_level_plan``: rows as those of ``inputs.underlying``,
        and as the panel's.
    """
    panel, engine = inputs.panel, inputs.engine
    typical = (pl.col("fut_high") + pl.col("fut_low") + pl.col("fut")) / 3.0
    names = ["spot", "fut", "fut_high", "fut_low", "fut_volume", "basis"]
    spot = (
        underlying(panel, names)
        .join(period_prices(inputs, SPOT), on=DAY, how="left", maintain_order="left")
        .select(
            pl.col(DAY).alias(_BLOCK), INDEX, price="spot", weighed=typical, quoted="fut",
            volume=pl.col("fut_volume").cast(pl.Float64), basis="basis", **_columns(_PERIODS),
        )
    )  # fmt: skip
    days = int(panel.get_column(DAY).n_unique())
    traded = (pl.col("atm_ce_volume") + pl.col("atm_pe_volume")).cast(pl.Float64)
    straddle = (
        panel.lazy()
        .join(period_prices(inputs, STRADDLE), on=GROUP, how="left", maintain_order="left")
        .with_columns(week_high=pl.lit(None, pl.Float64), week_low=pl.lit(None, pl.Float64))
        .select(
            (pl.col(GROUP) + days).cast(pl.UInt32).alias(_BLOCK), INDEX, price=STRADDLE,
            weighed=STRADDLE, quoted=STRADDLE, volume=traded,
            basis=pl.lit(0.0, pl.Float64), **_columns(_PERIODS),
        )
    )  # fmt: skip
    plan, outputs = _level_plan()
    both = written_out(engine.collect(pl.concat([spot, straddle])))
    found = plan.compute(both, outputs, engine)
    rows = found.height - panel.height
    return found.slice(0, rows), found.slice(rows)


def _columns(names: tuple[str, ...]) -> dict[str, pl.Expr]:
    return {name: pl.col(name) for name in names}


@lru_cache(maxsize=1)
def _level_plan() -> tuple[ColumnPlan, Mapping[str, pl.Expr]]:
    """Columns of one price: levels and distances from them, ages, place in the session.

    ``l_{level}`` the level; ``a_{level}`` (price - level) / price; ``d_{level}`` the same in
    percent; ``orh_line``, ``orl_line``; ``age_{swh,swl,session_high,session_low}``;
    ``session_pos``, ``vwap_z``, ``vwap_slope``.
    """
    p = ColumnPlan(group=_BLOCK)
    price = pl.col("price")
    opening, turns = opening_range(p, "price"), swings(p, "price")
    extremes = session_range(p, "price")
    weighted = weighted_price(p, "weighed", "volume", "quoted")
    vwap = p.let(weighted.mean - pl.col("basis"))
    levels = {name: p.let(line) for name, line in period_levels().items()}
    levels |= {
        "orh": opening.high, "orl": opening.low, "swh": turns.high, "swl": turns.low,
        "vwap": vwap,
        "vwap_u1": p.let(vwap + weighted.spread), "vwap_l1": p.let(vwap - weighted.spread),
    }  # fmt: skip
    away = {name: p.let(ratio(price - levels[name], price)) for name in LINE_LEVELS}
    moved = p.let(ratio(weighted.mean, lag(p, weighted.mean, VWAP_SLOPE_MINUTES)))
    seen = session_count(p, "price") >= SESSION_RANGE_NEEDED
    weighed = weighted.count >= VWAP_Z_NEEDED
    return p, {
        **{f"l_{name}": levels[name] for name in LINE_LEVELS},
        **{f"a_{name}": away[name] for name in LINE_LEVELS},
        **{f"d_{name}": 100.0 * away[name] for name in LINE_LEVELS},
        "orh_line": opening.high_line,
        "orl_line": opening.low_line,
        "age_swh": turns.high_age,
        "age_swl": turns.low_age,
        "age_session_high": extremes.high_age,
        "age_session_low": extremes.low_age,
        "session_pos": pl.when(seen).then(
            ratio(price - extremes.low, extremes.high - extremes.low)
        ),
        "vwap_z": pl.when(weighed).then(ratio(price - vwap, weighted.spread)),
        "vwap_slope": 100.0 * log(moved),
    }


def round_level(name: str) -> pl.Expr:
    """Multiple of the round distance nearest to spot, the lower of two equally near."""
    distance = ROUND_STEPS[name] * pl.col("step")
    return (ratio(pl.col("spot"), distance) - 0.5).ceil() * distance
