"""C5: average true range, moving averages and the central pivot range of straddle and underlying.

Here: the 94 features of the component, most of them once for each asset with the same formula.
Not here: series along the stream of three days (``streams.py``), daily levels and statistics
(``c5_day_context.py``), what the zones of earlier days were like (``zone_history.py``).

The underlying (``und``) is spot for levels, returns and averages, the future for true range; its
features are worked out once a minute and repeated for every expiry. The straddle (``strd``) has
its own price, returns and levels for each expiry_date.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from mr_platform.features.c5_day_context import (
    ATR_DAYS_NEEDED,
    DAILY_EMA_SPANS,
    PERIODS,
    day_context,
    lines,
)
from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.history import wide
from mr_platform.features.inputs import (
    ZONE_KEYS,
    FeatureInputs,
    spread,
    underlying,
    written_out,
)
from mr_platform.features.kernels import windows
from mr_platform.features.kernels.across import count_across, count_where_across
from mr_platform.features.kernels.dependence import slope
from mr_platform.features.kernels.durations import minutes_unchanged
from mr_platform.features.kernels.levels import range_position, range_side, range_width
from mr_platform.features.kernels.ranks import percentile
from mr_platform.features.kernels.volatility import annual, mean_square
from mr_platform.features.kernels.windows import OPEN_LIMIT
from mr_platform.features.level_history import SPOT
from mr_platform.features.streams import (
    ATR_SPANS,
    EMA_SPANS,
    STRADDLE,
    UNDERLYING,
    asset_streams,
)

RETURNS_NEEDED: Mapping[int, int] = {15: 10, 30: 20, 60: 40}
"""Windows of returns, in minutes, and the returns or pairs that each needs."""

ATR_CHANGE_MINUTES = 15
ATR_SPREAD_MINUTES = 60
ATR_SPREAD_NEEDED = 40
SLOPE_MINUTES = 5
EFFICIENCY_MINUTES = 30

ZONE_DAYS = 20
ZONE_DAYS_NEEDED = 5
"""Earlier days with which the ATR of a zone is compared, and how many must be known."""

INSIDE_MINUTES_NEEDED = 5

REGIMES = 5
"""Levels of the volatility regime: fifths of the ATR's percentile."""

REGIME_WEIGHTS: Mapping[str, float] = {STRADDLE: 0.6, UNDERLYING: 0.4}
"""Weights of the assets in the regime score and in the confluence score (project weights)."""

FIFTH_ROUNDING = 1e-9
"""A percentile that lies on the border of two levels belongs to the upper one; the weighted sum
may fall short of the border by rounding."""

NEAR_RANGES = 2.0
"""A line counts as near the price within this many ATR 14."""

LINES_NEEDED = 4

MOMENTUM_WEIGHTS = (0.5, 0.3, 0.2)
"""Of the slope of EMA 20, of EMA 50, and of the distance from EMA 50."""

MOMENTUM_RANGES = 5.0
"""ATR 14 in which the distance from EMA 50 is measured."""

_PRICE: Mapping[str, tuple[str, str, str]] = {
    STRADDLE: ("strd", "r_strd", "r_strd_min"),
    UNDERLYING: ("spot", "r_und", "r_und_min"),
}
_EMAS = tuple(f"ema_{span}" for span in EMA_SPANS)
_ATRS = tuple(f"atrp_{span}" for span in ATR_SPANS)
_STREAMS = (*_ATRS, "a14", *_EMAS, "ema_cross_age")
_ADX = "adx_14"
_DAILY_EMAS = tuple(f"ema_daily_{span}" for span in DAILY_EMA_SPANS)
_ALL_BUCKETS = "all"
_BLOCK = "b"
"""Number of a series of one session: first the days of the underlying, then the expiries."""


def c5_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All columns of the component c5, on the panel's rows.

    Args:
        inputs: Panel, ``hist_minute``, ``hist_daily``, ``hist_zone`` and calendar.
    """
    engine, panel = inputs.engine, inputs.panel
    # both assets go through one plan, one above the other: a short column costs as much as a
    # long one
    rows = pl.concat([_asset_frame(inputs, UNDERLYING), _asset_frame(inputs, STRADDLE)])
    rows = rows.join(
        _past_ranges(inputs), on=list(ZONE_KEYS), how="left", maintain_order="left"
    ).drop(ZONE_KEYS)
    plan, outputs = _asset_plan()
    both = written_out(engine.collect(rows))
    found = plan.compute(both, outputs, engine, keep=[_BLOCK, INDEX])
    days = found.height - panel.height
    below = found.slice(0, days).select(pl.col(_BLOCK).alias(DAY), INDEX, *_named(UNDERLYING))
    shared = engine.collect(spread(below.lazy(), panel))
    joint = panel.select(GROUP, INDEX, "r_strd", "r_und").hstack(
        [*found.slice(days).select(_named(STRADDLE)), *shared]
    )
    plan, outputs = _joint_plan()
    between = plan.compute(joint, outputs, engine)
    features = joint.hstack(between.get_columns())
    return features.select(name for name in features.columns if name.startswith("c5_"))


# -- frames of one asset --------------------------------------------------------------------------


def _asset_frame(inputs: FeatureInputs, asset: str) -> pl.LazyFrame:
    """Everything the features of an asset are made of, one row a minute, in generic names."""
    panel, days = inputs.panel, inputs.days
    columns = ["zone_name", *_PRICE[asset]]
    streams = [f"{name}_{asset}" for name in _STREAMS]
    if asset == STRADDLE:
        group, level = GROUP, STRADDLE
        rows = panel.lazy().select(GROUP, INDEX, "symbol", "date", "dte_bucket", *columns)
        first_block = int(panel.get_column(DAY).n_unique())
    else:
        group, level = DAY, SPOT
        rows = underlying(panel, columns).with_columns(dte_bucket=pl.lit(_ALL_BUCKETS))
        streams.append(f"{_ADX}_{asset}")
        first_block = 0
    along = asset_streams(
        panel, inputs.past_table("hist_minute"), days, asset, streams, inputs.engine
    ).lazy()
    joined = rows.join(along, on=[group, INDEX], how="left", maintain_order="left").join(
        day_context(inputs, level), on=group, how="left", maintain_order="left"
    )
    if asset == STRADDLE:  # what spot and future alone have
        absent = [pl.lit(None, pl.Float64).alias(name) for name in (f"{_ADX}_strd", *_DAILY_EMAS)]
        joined = joined.with_columns(absent)
    price, move, minutes = (pl.col(name) for name in _PRICE[asset])
    return joined.select(
        (pl.col(group) + first_block).cast(pl.UInt32).alias(_BLOCK),
        INDEX,
        *ZONE_KEYS,
        price.alias("price"),
        move.alias("move"),
        minutes.alias("minutes"),
        *[pl.col(f"{name}_{asset}").alias(name) for name in (*_STREAMS, _ADX)],
        *[f"{period}_{what}" for period in PERIODS for what in ("high", "low", "close")],
        *[f"atr_daily_{back}" for back in ATR_DAYS_NEEDED],
        "width_pctl",
        *_DAILY_EMAS,
    )


def _past_ranges(inputs: FeatureInputs) -> pl.LazyFrame:
    """ATR of the same zone on earlier days, of the straddles by bucket and of the underlying."""
    table = inputs.past_table("hist_zone")
    straddle = table.select(*ZONE_KEYS, *[pl.col(f"{x}_{STRADDLE}").alias(x) for x in _ATRS])
    # the same in every bucket
    shared = table.with_columns(dte_bucket=pl.lit(_ALL_BUCKETS)).select(
        *ZONE_KEYS, *[pl.col(f"{x}_{UNDERLYING}").alias(x) for x in _ATRS]
    )
    keys = [key for key in ZONE_KEYS if key != "date"]
    both = pl.concat([straddle, shared])
    return wide(both, inputs.days, keys=keys, values=_ATRS, depth=ZONE_DAYS)


# -- features of one asset ------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _asset_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Outputs of both assets, in generic names."""
    p = ColumnPlan(group=_BLOCK)
    outputs: dict[str, pl.Expr] = {}
    outputs |= _ranges(p)
    outputs |= _averages(p)
    outputs |= _pivot_range(p)
    outputs |= _returns(p)
    outputs |= _regime(p, outputs[_RANK.format(14)])
    outputs["confluence_count"] = _lines_near()
    outputs["momentum_score"] = _momentum_score(p, outputs)
    outputs["_vote"] = _vote(p, outputs)
    outputs[_ADX] = pl.col(_ADX)
    for span, average in zip(DAILY_EMA_SPANS, _DAILY_EMAS, strict=True):
        distance = 100.0 * (windows.ratio(pl.col("price"), pl.col(average)) - 1.0)
        outputs[f"ema_daily_dist_{span}d"] = distance
    return p, outputs


_RANK = "atr_{}{{}}_pctl_20d"
_OF_ONE_ASSET: Mapping[str, tuple[str, ...]] = {
    STRADDLE: (),
    UNDERLYING: (_ADX, *(f"ema_daily_dist_{span}d" for span in DAILY_EMA_SPANS)),
}
_SCORES = {UNDERLYING: "c5_momentum_score", STRADDLE: "c5_straddle_momentum_score"}


def _named(asset: str) -> list[pl.Expr]:
    """Outputs of an asset by their declared names."""
    alone = {name for names in _OF_ONE_ASSET.values() for name in names}
    return [
        pl.col(name).alias(_column(name, asset))
        for name in _asset_plan()[1]
        if name not in alone or name in _OF_ONE_ASSET[asset]
    ]


def _column(name: str, asset: str) -> str:
    """``atr_14{}_pctl_20d`` has the asset in its middle, others at their end, a vote no prefix."""
    if name == "momentum_score":
        return _SCORES[asset]
    if name == "_vote":
        return f"_vote_{asset}"
    return f"c5_{name.format('_' + asset)}" if "{}" in name else f"c5_{name}_{asset}"


def _ranges(p: ColumnPlan) -> dict[str, pl.Expr]:
    """True ranges: of minutes, of days, and how much of a day's range is spent."""
    found: dict[str, pl.Expr] = {}
    for span in ATR_SPANS:
        column = pl.col(f"atrp_{span}")
        found[f"atr_{span}"] = column
        past = [pl.col(f"atrp_{span}_{back}") for back in range(1, ZONE_DAYS + 1)]
        found[_RANK.format(span)] = p.let(percentile(p, column, past, ZONE_DAYS_NEEDED))
    fast = pl.col("atrp_14")
    found["atr_ratio_14_50"] = windows.ratio(fast, pl.col("atrp_50"))
    before = p.let(windows.lag(p, fast, ATR_CHANGE_MINUTES))
    found["atr_change_15m"] = windows.log(windows.ratio(fast, before))
    found["atr_cv_60m"] = windows.ratio(
        windows.rolling_std(p, fast, ATR_SPREAD_MINUTES, ATR_SPREAD_NEEDED),
        windows.rolling_mean(p, fast, ATR_SPREAD_MINUTES, ATR_SPREAD_NEEDED),
    )
    for days in ATR_DAYS_NEEDED:
        found[f"atr_daily_{days}d"] = pl.col(f"atr_daily_{days}")
    spent = windows.session_max(p, "price") - windows.session_min(p, "price")
    opened = windows.open_value(p, "price", last=OPEN_LIMIT)
    found["range_used"] = windows.ratio(
        100.0 * windows.ratio(spent, opened), pl.col("atr_daily_14")
    )
    return found


def _averages(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Moving averages: distance of the price, slope, order and width of the ribbon."""
    found: dict[str, pl.Expr] = {}
    price, unit = pl.col("price"), pl.col("a14")
    for span in EMA_SPANS:
        average = pl.col(f"ema_{span}")
        found[f"ema_dist_{span}"] = 100.0 * (windows.ratio(price, average) - 1.0)
        found[f"ema_slope_{span}"] = p.let(
            windows.ratio(windows.change(p, average, SLOPE_MINUTES), unit)
        )
    pairs = itertools.pairwise(_EMAS)
    sides = [windows.sign(pl.col(fast) - pl.col(slow), pl.col(slow)) for fast, slow in pairs]
    found["ema_alignment"] = p.let((sides[0] + sides[1] + sides[2]).cast(pl.Int32))
    known = pl.all_horizontal([pl.col(name).is_not_null() for name in _EMAS])
    width = pl.max_horizontal(_EMAS) - pl.min_horizontal(_EMAS)
    found["ema_ribbon_width"] = pl.when(known).then(windows.ratio(width, unit))
    found["ema_cross_age"] = pl.col("ema_cross_age")
    return found


def _pivot_range(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Central pivot range of the previous day and week."""
    found: dict[str, pl.Expr] = {}
    price = pl.col("price")
    for frame, period in (("daily", "day"), ("weekly", "week")):
        drawn = lines(period)
        found[f"cpr_width_{frame}"] = range_width(drawn)
        found[f"cpr_pos_{frame}"] = range_position(price, drawn)
        found[f"cpr_zone_{frame}"] = p.let(range_side(price, drawn))
    found["cpr_width_pctl_20d"] = pl.col("width_pctl")
    today, before = lines("day"), lines("eve")
    found["cpr_shift"] = windows.ratio(today.pp - before.pp, today.high - today.low)
    zone = found["cpr_zone_daily"]
    minutes = windows.session_count(p, zone)
    inside = windows.session_count_where(p, zone == 0)
    found["cpr_inside_share"] = pl.when(minutes >= INSIDE_MINUTES_NEEDED).then(inside / minutes)
    return found


def _returns(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Realised volatility a minute covered, and how straight the way was."""
    found: dict[str, pl.Expr] = {}
    move = pl.col("move")
    for w, needed in RETURNS_NEEDED.items():
        found[f"rv_{w}m"] = p.let(annual(mean_square(p, move, "minutes", w, needed)))
    found["rv_ratio_15_60"] = windows.ratio(found["rv_15m"], found["rv_60m"])
    way = windows.window_sum(p, move.abs(), EFFICIENCY_MINUTES)
    net = windows.window_sum(p, move, EFFICIENCY_MINUTES)
    count = windows.window_count(p, move, EFFICIENCY_MINUTES)
    # rounding must not make the way shorter than its ends are apart
    efficiency = windows.ratio(net.abs(), way).clip(0.0, 1.0)
    found[f"trend_efficiency_{EFFICIENCY_MINUTES}m"] = pl.when(
        count >= RETURNS_NEEDED[EFFICIENCY_MINUTES]
    ).then(efficiency)
    return found


def _level(share: pl.Expr) -> pl.Expr:
    """Fifth in which a percentile lies, 0 .. 4 (Int32)."""
    return (REGIMES * share + FIFTH_ROUNDING).floor().clip(0, REGIMES - 1).cast(pl.Int32)


def _regime(p: ColumnPlan, share: pl.Expr) -> dict[str, pl.Expr]:
    level = p.let(_level(share))
    return {"vol_regime": level, "vol_regime_age": minutes_unchanged(p, level)}


def _lines_near() -> pl.Expr:
    """Number of the ten lines near the price."""
    day, week = lines("day"), lines("week")
    drawn = [
        *[pl.col(name) for name in _EMAS],
        day.pp, day.tc, day.bc, week.pp, week.tc, week.bc,
    ]  # fmt: skip
    price, reach = pl.col("price"), NEAR_RANGES * pl.col("a14")
    near = count_where_across([(price - line).abs() <= reach for line in drawn])
    enough = count_across(drawn) >= LINES_NEEDED
    return pl.when(price.is_not_null() & reach.is_not_null() & enough).then(near)


def _momentum_score(p: ColumnPlan, named: Mapping[str, pl.Expr]) -> pl.Expr:
    """Slope and distance of the averages."""
    fast, slow, distance = MOMENTUM_WEIGHTS
    away = windows.ratio(pl.col("price") - pl.col("ema_50"), MOMENTUM_RANGES * pl.col("a14"))
    total = fast * named["ema_slope_20"] + slow * named["ema_slope_50"] + distance * away
    return p.let(total).tanh()


def _vote(p: ColumnPlan, named: Mapping[str, pl.Expr]) -> pl.Expr:
    """How far order of the averages, place against the pivot range and slope agree, 0 .. 1."""
    average = pl.col("ema_50")
    rising = windows.sign(windows.change(p, average, SLOPE_MINUTES), average)
    return (named["ema_alignment"] / 3.0 + named["cpr_zone_daily"] + rising).abs() / 3.0


# -- both assets ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _joint_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    one, other = STRADDLE, UNDERLYING

    def both(name: str) -> tuple[pl.Expr, pl.Expr]:
        return pl.col(_column(name, one)), pl.col(_column(name, other))

    outputs: dict[str, pl.Expr] = {}
    strd, und = both("ema_alignment")
    outputs["c5_dual_trend_agreement"] = strd.sign() * und.sign()
    strd, und = both("vol_regime")
    outputs["c5_dual_vol_regime_gap"] = strd - und
    strd, und = both("ema_slope_20")
    outputs["c5_dual_momentum_spread"] = und - strd
    for w in (30, 60):
        outputs[f"c5_dual_beta_{w}m"] = slope(p, "r_strd", "r_und", w, RETURNS_NEEDED[w])
    strd, und = both("cpr_zone_daily")
    outputs["c5_dual_cpr_agreement"] = strd * und
    strd, und = both("atr_14")
    outputs["c5_dual_atr_gearing"] = windows.ratio(strd, und)
    strd, und = both(_RANK.format(14))
    outputs["c5_volatility_regime_score"] = _level(_weighted(strd, und))
    outputs["c5_confluence_score"] = _weighted(pl.col("_vote_strd"), pl.col("_vote_und"))
    return p, outputs


def _weighted(strd: pl.Expr, und: pl.Expr) -> pl.Expr:
    return REGIME_WEIGHTS[STRADDLE] * strd + REGIME_WEIGHTS[UNDERLYING] * und
