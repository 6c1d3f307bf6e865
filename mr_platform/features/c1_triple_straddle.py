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
from mr_platform.features.c1_path import path_features
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.history import wide
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.kernels.dependence import pearson
from mr_platform.features.kernels.levels import Pivots, pivots, range_position, range_width
from mr_platform.features.kernels.moving_averages import ema_span
from mr_platform.features.kernels.probability import normal_cdf
from mr_platform.features.kernels.ranks import trailing_percentile
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
    session_sum,
    sign,
    value_at_first,
    window_count,
    window_sum,
)

PRICES = {
    "atm": "strd", "itm1": "itm1", "otm1": "otm1", "comb": "comb", "ce": "ce", "pe": "pe",
    "fut": "fut",
}  # fmt: skip
"""Panel column of each series' re-struck price."""

RETURNS = {series: f"r_{price}" for series, price in PRICES.items()}
"""Panel column of each series' held one-minute log return; ``_min`` holds the minutes it spans."""

WEIGHTS = {"atm": 0.50, "itm1": 0.30, "otm1": 0.20}
"""Share of each straddle in the combined one."""

ANNUAL_MINUTES = 94500.0
"""Trading minutes of a year, 252 · 375."""

RETURN_WINDOWS = {3: 2, 5: 4, 10: 7, 15: 10}
"""Minutes of a return, with the least number of one-minute returns in it."""

EMA_SPANS = {20: 10, 100: 50, 200: 100}
"""Minutes of an exponential mean, with the least number of prices."""

RETURN_SERIES = ("atm", "comb", "ce", "pe")
STRADDLES = ("atm", "itm1", "otm1")

PAIRS = {
    "ce_pe": ("ce", "pe"), "atm_itm1": ("atm", "itm1"), "atm_otm1": ("atm", "otm1"),
    "itm1_otm1": ("itm1", "otm1"), "atm_fut": ("atm", "fut"),
}  # fmt: skip
"""Pairs of series whose returns are correlated."""

LEAST_VWAP_DEVIATION = 1e-6
"""Volume-weighted deviation, as a share of the VWAP, below which ``vwap_z`` is null."""

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
    *[f"{name}_min" for name in RETURNS.values()],
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
    plan, outputs = _plan()
    session = inputs.engine.collect(plan.run(_frame(inputs).lazy(), outputs))
    return session.hstack(momentum_features(inputs).get_columns())


def _frame(inputs: FeatureInputs) -> pl.DataFrame:
    """The panel's columns with yesterday's high, low and close of the expiry."""
    rows = inputs.panel.lazy()
    keys = ["symbol", "expiry_date"]
    table = inputs.history.get("hist_daily")
    if table is None:
        absent = [pl.lit(None, pl.Float64).alias(f"{name}_1") for name in _DAILY]
        return inputs.engine.collect(rows.select(*_INPUTS, *absent))
    yesterday = wide(
        table.select("date", *keys, *_DAILY), inputs.days, keys=keys, values=_DAILY, depth=1
    )
    groups = (
        rows.filter(pl.col(INDEX) == 0)
        .select(GROUP, "date", *keys)
        .join(yesterday, on=["date", *keys], how="left")
        .drop("date", *keys)
    )
    joined = rows.select(_INPUTS).join(groups, on=GROUP, how="left", maintain_order="left")
    # The row of a single group stays one value for Polars, by which it divides with another
    # rounding than by a column: series make columns of it, so that the batch leaves no trace.
    return pl.DataFrame(inputs.engine.collect(joined).get_columns())


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    outputs: dict[str, pl.Expr] = {}
    for block in (
        _levels, _returns, _moving_averages, _volume_prices, _yesterday, _dependence, _position,
        _volatility, _breakout, _decay, _volumes, _open_interest, path_features,
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
        mean = _vwap(p, price, volume)
        columns[f"c1_vwap_dist_{series}"] = _enough(p, price, volume, 5, log(ratio(price, mean)))
    for series in ("atm", "comb"):
        columns[f"c1_vwap_z_{series}"] = _vwap_z(p, pl.col(PRICES[series]), _traded(p, series))
    middle = p.let((pl.col("fut_high") + pl.col("fut_low") + pl.col("fut")) / 3.0)
    volume = p.let(pl.when(middle.is_not_null()).then(pl.col("fut_volume").cast(pl.Float64)))
    mean = _vwap(p, middle, volume)
    columns["c1_fut_vwap_dist"] = _enough(p, middle, volume, 5, log(ratio(pl.col("fut"), mean)))
    return columns


def _traded(p: ColumnPlan, series: str) -> pl.Expr:
    """Volume of the rows in the series, null without a price or without any part of it."""
    first, *rest = [pl.col(name).cast(pl.Float64) for name in _VOLUME_LEGS[series]]
    volume = first
    for part in rest:
        volume = volume + part
    return p.let(pl.when(pl.col(PRICES[series]).is_not_null()).then(volume))


def _vwap(p: ColumnPlan, price: pl.Expr, volume: pl.Expr) -> pl.Expr:
    """Volume-weighted mean price of the session to t; a column."""
    return p.let(ratio(session_sum(p, price * volume), session_sum(p, volume)))


def _enough(p: ColumnPlan, price: pl.Expr, volume: pl.Expr, needed: int, value: pl.Expr) -> pl.Expr:
    return pl.when(session_count(p, price * volume) >= needed).then(value)


def _vwap_z(p: ColumnPlan, price: pl.Expr, volume: pl.Expr) -> pl.Expr:
    """Distance from the VWAP in volume-weighted standard deviations."""
    # prices are taken from the first one, else the squares cancel to a few digits
    first = value_at_first(p, price, volume.is_not_null())
    place = p.let(price - first)
    total = session_sum(p, volume)
    mean = p.let(ratio(session_sum(p, place * volume), total))
    square = p.let(ratio(session_sum(p, place * place * volume), total))
    deviation = p.let((square - mean * mean).clip(lower_bound=0.0).sqrt())
    wide_enough = deviation >= LEAST_VWAP_DEVIATION * (first + mean)
    return _enough(p, price, volume, 15, pl.when(wide_enough).then(ratio(place - mean, deviation)))


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


def _dependence(p: ColumnPlan) -> dict[str, pl.Expr]:
    return {
        f"c1_corr_{pair}_{window}m": pearson(p, RETURNS[one], RETURNS[other], window, needed)
        for pair, (one, other) in PAIRS.items()
        for window, needed in {20: 14, 60: 40}.items()
    }


def _position(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in ("atm", "comb"):
        price = PRICES[series]
        for window, needed in {15: 10, 60: 40}.items():
            columns[f"c1_z_{series}_{window}m"] = _zscore(p, price, window, needed)
        for window, needed in {30: 20, 120: 60}.items():
            # the window is t-w+1 .. t-1: the minutes before t are one fewer than w
            columns[f"c1_pctrank_{series}_{window}m"] = trailing_percentile(
                p, price, window - 1, needed
            )
    return columns


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


def mean_square(p: ColumnPlan, returns: str, window: int, needed: int) -> pl.Expr:
    """Mean squared return for each minute covered by the returns that end in the window."""
    column = pl.col(returns)
    squares = window_sum(p, column * column, window)
    minutes = window_sum(p, f"{returns}_min", window)
    return p.let(pl.when(window_count(p, column, window) >= needed).then(squares / minutes))


def _volatility(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    for series in ("atm", "fut"):
        for window, needed in {15: 10, 30: 20, 60: 40}.items():
            variance = mean_square(p, RETURNS[series], window, needed)
            columns[f"c1_rv_{series}_{window}m"] = p.let((ANNUAL_MINUTES * variance).sqrt())
    ranges = {
        "ce": ("atm_ce_high", "atm_ce_low"),
        "pe": ("atm_pe_high", "atm_pe_low"),
        "fut": ("fut_high", "fut_low"),
    }
    for series, (high, low) in ranges.items():
        extent = p.let(log(p.let(ratio(pl.col(high), pl.col(low)))))
        for window, needed in {15: 10, 60: 40}.items():
            square = rolling_mean(p, extent * extent, window, needed)
            scale = ANNUAL_MINUTES / (4.0 * math.log(2.0))
            columns[f"c1_parkinson_{series}_{window}m"] = (scale * square).sqrt()
    return columns


def _volatility_ratios(p: ColumnPlan, done: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    slow = p.let(mean_square(p, "r_comb", 120, 60).sqrt())
    fast = p.let(mean_square(p, "r_comb", 15, 10).sqrt())
    return {
        "c1_iv_rv_ratio": log(p.let(ratio(done["c1_straddle_iv"], done["c1_rv_fut_60m"]))),
        "c1_vol_compression": log(p.let(ratio(slow, fast))),
    }


def _breakout(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Chance that a driftless Brownian future leaves its range of the last hour."""
    future = pl.col("fut")
    minute = mean_square(p, "r_fut", RANGE_MINUTES, RANGE_NEEDED).sqrt()
    ahead = p.let(minute * math.sqrt(BREAKOUT_MINUTES))
    margin = BREAKOUT_MARGIN * ahead
    top = rolling_max(p, "fut_high", RANGE_MINUTES, RANGE_NEEDED)
    bottom = rolling_min(p, "fut_low", RANGE_MINUTES, RANGE_NEEDED)
    stay: pl.Expr = pl.lit(1.0)
    for distance in (log(p.let(ratio(top, future))), log(p.let(ratio(future, bottom)))):
        reach = p.let(ratio(distance + margin, ahead))
        # 2 (1 - Phi(x)) = 2 Phi(-x)
        leave = p.let((2.0 * normal_cdf(p.let(-reach))).clip(0.0, 1.0))
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
    minute = p.let(mean_square(p, "r_comb", MOMENTUM_MINUTES, MOMENTUM_NEEDED).sqrt())
    total: pl.Expr = pl.lit(0.0)
    for window in RETURN_WINDOWS:
        total = total + ratio(done[f"c1_ret_comb_{window}m"], minute * math.sqrt(window))
    return {"c1_momentum_score": (total / len(RETURN_WINDOWS)).tanh()}


# -- volume and open interest ---------------------------------------------------------------------


def _volumes(p: ColumnPlan) -> dict[str, pl.Expr]:
    columns = {}
    weighted = {}
    for series, weight in WEIGHTS.items():
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
