"""C1: the triple rolling straddle, 120 features of the session and 30 of momentum.

Here: level, return, trend, position, dependence, volatility, volume and open interest of the
straddles at and beside the money, of their weighted sum, of the legs and of the future.
Not here: path structure (``c1_path.py``), samples over several days (``c1_momentum.py``), the
prices and held returns themselves (``price_series.py``).
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import polars as pl

from mr_platform.features.c1_momentum import momentum_features
from mr_platform.features.c1_path import path_features, strike_changes
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.history import wide
from mr_platform.features.inputs import FeatureInputs, groups, written_out
from mr_platform.features.kernels.dependence import moments
from mr_platform.features.kernels.levels import Pivots, pivots, range_position, range_width
from mr_platform.features.kernels.moving_averages import ema_span
from mr_platform.features.kernels.probability import normal_cdf
from mr_platform.features.kernels.ranks import trailing_percentiles
from mr_platform.features.kernels.volatility import annual, mean_square
from mr_platform.features.kernels.weighted import (
    session_weighted_deviation,
    session_weighted_mean,
)
from mr_platform.features.kernels.windows import (
    OPEN_LIMIT,
    TINY,
    first_valid,
    log,
    open_value,
    ratio,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_sum,
    session_count,
    session_mean,
    sign,
    value_at_first,
    window_count,
    window_sum,
)
from mr_platform.features.price_series import COMBINED_WEIGHTS
from mr_platform.features.stacks import run_stacked

PRICES = {
    "atm": "strd", "itm1": "itm1", "otm1": "otm1", "comb": "comb", "ce": "ce", "pe": "pe",
    "fut": "fut",
}  # fmt: skip
"""Panel column of each series' re-struck price."""

RETURNS = {series: f"r_{price}" for series, price in PRICES.items()}
"""Panel column of each series' held one-minute log return; ``_min`` holds the minutes it spans."""

RETURN_WINDOWS = {3: 2, 5: 4, 10: 7, 15: 10}
"""Minutes of a return, with the least number of one-minute returns in it."""

EMA_SPANS = {20: 10, 100: 50, 200: 100}
"""Minutes of an exponential mean, with the least number of prices."""

PCTRANK_WINDOWS = {30: 20, 120: 60}
"""Minutes of a price's percentile, with the least number of prices before t."""

RETURN_SERIES = ("atm", "comb", "ce", "pe")
STRADDLES = ("atm", "itm1", "otm1")

CORRELATION_WINDOWS = {20: 14, 60: 40}
"""Minutes of a correlation, with the least number of pairs."""

PAIRS = {
    "ce_pe": ("ce", "pe"), "atm_itm1": ("atm", "itm1"), "atm_otm1": ("atm", "otm1"),
    "itm1_otm1": ("itm1", "otm1"), "atm_fut": ("atm", "fut"),
}  # fmt: skip
"""Pairs of series whose returns are correlated."""

VWAP_NEEDED = 5
VWAP_Z_NEEDED = 15
"""Minutes with price and volume that the distance from the VWAP and its z-score need."""

LEAST_VWAP_DEVIATION = 1e-6
"""Volume-weighted deviation, as a share of the VWAP, below which ``vwap_z`` is null."""

PARKINSON = 4.0 * math.log(2.0)
"""Mean square of log ranges, in variances of the walk that makes them (Parkinson 1980)."""

RANGE_MINUTES = 60
"""Minutes of the range that ``breakout_probability`` asks about."""

RANGE_NEEDED = 40
"""Minutes needed in it, of returns, highs and lows alike."""

BREAKOUT_MINUTES = 15
"""Minutes ahead within which the range may be left."""

BREAKOUT_MARGIN = 0.5
"""How far outside the range counts, in standard deviations of those minutes."""

VOLUME_MINUTES = 15
"""Minutes of volumes behind weights and the balance of the legs."""

VOLUME_NEEDED = 10

MOMENTUM_MINUTES = 60
MOMENTUM_NEEDED = 30

_VOLUME_LEGS = {
    **{name: (f"{name}_ce_volume", f"{name}_pe_volume") for name in STRADDLES},
    "comb": tuple(f"{name}_{side}_volume" for name in STRADDLES for side in ("ce", "pe")),
    "ce": ("atm_ce_volume",),
    "pe": ("atm_pe_volume",),
}
_DAILY_PRICES = {"atm": "strd", "comb": "comb", "ce": "ce", "pe": "pe"}
_DAILY = [
    f"{price}_{what}" for price in _DAILY_PRICES.values() for what in ("high", "low", "close")
]
_INPUTS = (
    GROUP, INDEX, "present", "tau", "spot", "atm_strike", "fut_high", "fut_low", "fut_volume",
    "atm_ce_high", "atm_ce_low", "atm_pe_high", "atm_pe_low", *PRICES.values(), *RETURNS.values(),
    *[f"{RETURNS[series]}_min" for series in ("atm", "comb", "fut")],
    *[f"{name}_{side}_{what}" for name in STRADDLES for side in ("ce", "pe")
      for what in ("volume", "oi")],
    *[f"{name}_oi_open" for name in STRADDLES],
)  # fmt: skip


def c1_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All declared columns of C1 on the panel's rows.

    Args:
        inputs: Panel, ``hist_daily`` (1 day back), ``hist_minute`` (3 days back), calendar.

    Returns:
        One row a panel row, in its order.
    """
    frame = _frame(inputs)
    plan, outputs = _plan()
    session = plan.compute(frame, outputs, inputs.engine)
    # what several series have alike is worked out over all of them at once
    alike = [
        *run_stacked(frame, _PAIR_BLOCKS, *_pair_plan(), inputs.engine),
        *run_stacked(frame, _PLACE_BLOCKS, *_place_plan(), inputs.engine),
        *path_features(frame, inputs.engine),
    ]
    return session.hstack([*alike, *momentum_features(inputs).get_columns()])


def _frame(inputs: FeatureInputs) -> pl.DataFrame:
    """The panel's columns with yesterday's high, low and close of the expiry."""
    keys = ["symbol", "expiry_date"]
    table = inputs.past_table("hist_daily").select("date", *keys, *_DAILY)
    yesterday = wide(table, inputs.days, keys=keys, values=_DAILY, depth=1)
    beside = (
        groups(inputs.panel, ["date", *keys])
        .join(yesterday, on=["date", *keys], how="left")
        .drop("date", *keys)
    )
    rows = inputs.panel.lazy().select(_INPUTS)
    joined = rows.join(beside, on=GROUP, how="left", maintain_order="left")
    return written_out(inputs.engine.collect(joined))


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {}
    for block in (
        _levels, _returns, _moving_averages, _volume_prices, _yesterday, _volatility, _breakout,
        _decay, _volumes, _open_interest, strike_changes,
    ):  # fmt: skip
        outputs.update(block(p))
    outputs |= _volatility_ratios(p, outputs)
    outputs |= _momentum_score(p, outputs)
    return p, outputs


# -- level, return, trend -------------------------------------------------------------------------


def _levels(p: ColumnPlan) -> dict[str, pl.Expr]:
    spot = pl.col("spot")
    columns = {
        f"c1_premium_pct_{series}": 100.0 * ratio(pl.col(PRICES[series]), spot)
        for series in (*STRADDLES, "ce")
    }
    columns["c1_straddle_iv"] = p.let(
        ratio(pl.col("strd"), 2.0 * spot) * (2.0 * math.pi / pl.col("tau")).sqrt()
    )
    columns["c1_straddle_curvature"] = log(
        p.let(ratio(pl.col("itm1") * pl.col("otm1"), pl.col("strd") * pl.col("strd")))
    )
    for series in (*STRADDLES, "comb", "ce", "pe"):
        price = PRICES[series]
        opened = open_value(p, price, last=OPEN_LIMIT)
        columns[f"c1_open_chg_{series}"] = 100.0 * (ratio(pl.col(price), opened) - 1.0)
    return columns


def _returns(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in RETURN_SERIES:
        for window, needed in RETURN_WINDOWS.items():
            total = rolling_sum(p, RETURNS[series], window, needed)
            # before that the window holds fewer returns than it has minutes
            columns[f"c1_ret_{series}_{window}m"] = p.let(
                pl.when(pl.col(INDEX) >= window).then(total)
            )
    return columns


def _moving_averages(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in RETURN_SERIES:
        price = pl.col(PRICES[series])
        means = [ema_span(p, price, span, min_periods=needed) for span, needed in EMA_SPANS.items()]
        for span, mean in zip(EMA_SPANS, means, strict=True):
            columns[f"c1_ema_dist_{series}_{span}"] = log(p.let(ratio(price, mean)))
        ladder = [price, *means]
        steps = [sign(p.let(upper - lower), price) for upper, lower in pairwise(ladder)]
        columns[f"c1_ema_align_{series}"] = (steps[0] + steps[1] + steps[2]) / 3.0
    return columns


def _volume_prices(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in _VOLUME_LEGS:
        price, volume = pl.col(PRICES[series]), _traded(p, series)
        columns[f"c1_vwap_dist_{series}"] = _vwap_distance(p, price, price, volume)
    for series in ("atm", "comb"):
        columns[f"c1_vwap_z_{series}"] = _vwap_z(p, pl.col(PRICES[series]), _traded(p, series))
    middle = p.let((pl.col("fut_high") + pl.col("fut_low") + pl.col("fut")) / 3.0)
    volume = p.let(pl.when(middle.is_not_null()).then(pl.col("fut_volume").cast(pl.Float64)))
    columns["c1_fut_vwap_dist"] = _vwap_distance(p, pl.col("fut"), middle, volume)
    return columns


def _traded(p: ColumnPlan, series: str) -> pl.Expr:
    """Volume of the rows in the series, null without a price or without any part of it."""
    first, *rest = [pl.col(name).cast(pl.Float64) for name in _VOLUME_LEGS[series]]
    volume = first
    for part in rest:
        volume = volume + part
    return p.let(pl.when(pl.col(PRICES[series]).is_not_null()).then(volume))


def _vwap_distance(p: ColumnPlan, price: pl.Expr, weighed: pl.Expr, volume: pl.Expr) -> pl.Expr:
    """Log distance of a price from the volume-weighted mean of the session."""
    enough = session_count(p, volume) >= VWAP_NEEDED
    return pl.when(enough).then(log(ratio(price, session_weighted_mean(p, weighed, volume))))


def _vwap_z(p: ColumnPlan, price: pl.Expr, volume: pl.Expr) -> pl.Expr:
    """Distance from the VWAP in volume-weighted standard deviations."""
    weighed = session_weighted_deviation(p, price, volume)
    deviation = p.let(weighed.variance.clip(lower_bound=0.0).sqrt())
    wide_enough = deviation >= LEAST_VWAP_DEVIATION * (weighed.origin + weighed.mean)
    away = ratio(price - weighed.origin - weighed.mean, deviation)
    return pl.when((weighed.count >= VWAP_Z_NEEDED) & wide_enough).then(away)


# -- position -------------------------------------------------------------------------------------


def _yesterday(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series, price in _DAILY_PRICES.items():
        lines = pivots(f"{price}_high_1", f"{price}_low_1", f"{price}_close_1")
        columns[f"c1_pivot_dist_{series}"] = range_position(pl.col(price), lines)
        if series in ("atm", "comb"):
            columns[f"c1_pivot_zone_{series}"] = _zone(pl.col(price), lines)
            columns[f"c1_cpr_width_{series}"] = range_width(lines)
    return columns


def _zone(price: pl.Expr, lines: Pivots) -> pl.Expr:
    """Which two pivot lines the price lies between, -3 .. 3 without 0."""
    # a price on a line is at it, though the line's sum is rounded
    reached = price * (1.0 + TINY)
    zone = (
        pl.when(reached >= lines.r2).then(3)
        .when(reached >= lines.r1).then(2)
        .when(reached >= lines.pp).then(1)
        .when(reached >= lines.s1).then(-1)
        .when(reached >= lines.s2).then(-2)
        .otherwise(-3)
    )  # fmt: skip
    known = price.is_not_null() & lines.pp.is_not_null()
    return pl.when(known & ((lines.high - lines.low).abs() >= TINY)).then(zone).cast(pl.Int64)


_PAIR_BLOCKS = {
    pair: {"one": RETURNS[one], "other": RETURNS[other]} for pair, (one, other) in PAIRS.items()
}


@cache
def _pair_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Correlation of the returns ``one`` and ``other``."""
    p = ColumnPlan()
    both = moments(p, "one", "other", tuple(CORRELATION_WINDOWS))
    return p, {
        f"c1_corr_{{}}_{window}m": both[window].correlation(needed)
        for window, needed in CORRELATION_WINDOWS.items()
    }


_PLACE_BLOCKS = {series: {"price": PRICES[series]} for series in ("atm", "comb")}


@cache
def _place_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Where a price stands among those of the last minutes."""
    p = ColumnPlan()
    columns = {}
    for window, needed in {15: 10, 60: 40}.items():
        columns[f"c1_z_{{}}_{window}m"] = _zscore(p, "price", window, needed)
    # the window is t-w+1 .. t-1: the minutes before t are one fewer than w
    before = {window - 1: needed for window, needed in PCTRANK_WINDOWS.items()}
    for minutes, share in trailing_percentiles(p, "price", before).items():
        columns[f"c1_pctrank_{{}}_{minutes + 1}m"] = share
    return p, columns


def _zscore(p: ColumnPlan, price: str, window: int, needed: int) -> pl.Expr:
    """(P - mean) / std of the window, ddof 1; null where its prices are alike."""
    column = pl.col(price)
    # prices are taken from the session's first, else the squares cancel to a few digits
    place = p.let(column - first_valid(p, column))
    count = window_count(p, column, window)
    total = window_sum(p, place, window)
    spread = p.let(window_sum(p, place * place, window) - total * total / count)
    alike = spread <= TINY * window_sum(p, column * column, window)
    deviation = (spread / (count - 1)).sqrt()
    return p.let(pl.when((count >= needed) & ~alike).then((place - total / count) / deviation))


# -- volatility -----------------------------------------------------------------------------------


def _mean_square(p: ColumnPlan, series: str, window: int, needed: int) -> pl.Expr:
    """Mean squared return a minute; a column."""
    returns = RETURNS[series]
    return mean_square(p, returns, f"{returns}_min", window, needed)


def _volatility(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in ("atm", "fut"):
        for window, needed in {15: 10, 30: 20, 60: 40}.items():
            variance = _mean_square(p, series, window, needed)
            columns[f"c1_rv_{series}_{window}m"] = p.let(annual(variance))
    ranges = {
        "ce": ("atm_ce_high", "atm_ce_low"),
        "pe": ("atm_pe_high", "atm_pe_low"),
        "fut": ("fut_high", "fut_low"),
    }
    for series, (high, low) in ranges.items():
        extent = p.let(log(p.let(ratio(pl.col(high), pl.col(low)))))
        for window, needed in {15: 10, 60: 40}.items():
            square = rolling_mean(p, extent * extent, window, needed)
            columns[f"c1_parkinson_{series}_{window}m"] = annual(square / PARKINSON)
    return columns


def _volatility_ratios(p: ColumnPlan, done: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    slow = p.let(_mean_square(p, "comb", 120, 60).sqrt())
    fast = p.let(_mean_square(p, "comb", 15, 10).sqrt())
    return {
        "c1_iv_rv_ratio": log(p.let(ratio(done["c1_straddle_iv"], done["c1_rv_fut_60m"]))),
        "c1_vol_compression": log(p.let(ratio(slow, fast))),
    }


def _breakout(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Chance that a driftless Brownian future leaves its range of the last hour."""
    future = pl.col("fut")
    minute = _mean_square(p, "fut", RANGE_MINUTES, RANGE_NEEDED).sqrt()
    ahead = p.let(minute * math.sqrt(BREAKOUT_MINUTES))
    margin = BREAKOUT_MARGIN * ahead
    top = rolling_max(p, "fut_high", RANGE_MINUTES, RANGE_NEEDED)
    bottom = rolling_min(p, "fut_low", RANGE_MINUTES, RANGE_NEEDED)
    stay: pl.Expr = pl.lit(1.0)
    for distance in (log(p.let(ratio(top, future))), log(p.let(ratio(future, bottom)))):
        reach = p.let(ratio(distance + margin, ahead))
        # 2 (1 - Phi(x)) = 2 Phi(-x)
        leave = p.let((2.0 * normal_cdf(p, -reach)).clip(0.0, 1.0))
        stay = stay * (1.0 - leave)
    return {"c1_breakout_probability": (1.0 - stay).clip(0.0, 1.0)}


def _decay(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Premium kept beyond square-root-of-time decay since the open."""
    open_bar = pl.col("strd").is_not_null() & (pl.col(INDEX) <= OPEN_LIMIT)
    premium = p.let(ratio(pl.col("strd"), pl.col("spot")))
    # the open bar is that of the straddle: 0, which gives null, where it has no spot
    opened = value_at_first(p, premium.fill_null(0.0), open_bar)
    tau = pl.col("tau")
    tau_open = value_at_first(p, tau, open_bar)
    kept = log(p.let(ratio(premium, opened)))
    return {"c1_decay_excess": kept - 0.5 * log(p.let(ratio(tau, tau_open)))}


def _momentum_score(p: ColumnPlan, done: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    minute = p.let(_mean_square(p, "comb", MOMENTUM_MINUTES, MOMENTUM_NEEDED).sqrt())
    total: pl.Expr = pl.lit(0.0)
    for window in RETURN_WINDOWS:
        total = total + ratio(done[f"c1_ret_comb_{window}m"], minute * math.sqrt(window))
    return {"c1_momentum_score": (total / len(RETURN_WINDOWS)).tanh()}


# -- volume and open interest ---------------------------------------------------------------------


def _volumes(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    weighted = {}
    for series in STRADDLES:
        weight = COMBINED_WEIGHTS[PRICES[series]]
        volume = _traded(p, series)
        for window, (in_window, in_session) in {5: (3, 10), 15: (10, 20)}.items():
            usual = session_mean(p, volume, in_session)
            columns[f"c1_relvol_{series}_{window}m"] = ratio(
                rolling_mean(p, volume, window, in_window), usual
            )
        total = rolling_sum(p, volume, VOLUME_MINUTES, VOLUME_NEEDED)
        call = p.let(pl.col(f"{series}_ce_volume").cast(pl.Float64))
        put = p.let(pl.col(f"{series}_pe_volume").cast(pl.Float64))
        tilt = p.let(pl.when(volume.is_not_null()).then(call - put))
        columns[f"c1_leg_volume_imb_{series}_15m"] = ratio(
            window_sum(p, tilt, VOLUME_MINUTES), total
        )
        weighted[series] = p.let(weight * total)
    return columns | _volume_weights(p, weighted)


def _volume_weights(p: ColumnPlan, weighted: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    """The declared weights, tilted to where volume goes."""
    total = p.let(weighted["atm"] + weighted["itm1"] + weighted["otm1"])
    share = {series: p.let(ratio(value, total)) for series, value in weighted.items()}
    squares = p.let(sum((value * value for value in share.values()), pl.lit(0.0)))
    price = p.let(sum((value * pl.col(PRICES[name]) for name, value in share.items()), pl.lit(0.0)))
    return {
        "c1_weight_atm": share["atm"],
        "c1_weight_itm1": share["itm1"],
        # rounding must not leave the range
        "c1_weight_effective_n": ratio(pl.lit(1.0), squares).clip(1.0, 3.0),
        "c1_weight_premium_dev": log(p.let(ratio(price, pl.col("comb")))),
    }


def _open_interest(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in STRADDLES:
        call = pl.col(f"{series}_ce_oi").cast(pl.Float64)
        put = pl.col(f"{series}_pe_oi").cast(pl.Float64)
        opened = pl.col(f"{series}_oi_open").cast(pl.Float64)
        columns[f"c1_leg_oi_imb_{series}"] = ratio(put - call, put + call)
        columns[f"c1_oi_chg_{series}"] = log(p.let(ratio(call + put, opened)))
    return columns
