"""C2, Greeks and sentiment: 98 features of one expiry's Greeks over strikes and their day.

Here: ratios, changes and scores of the minute panel's Greek sums.
Not here: the sums over strikes (``greek_series.py``), max pain (``oi_series.py``).

Dealers are taken as long calls and short puts. Sentiment follows the writers: a build-up of puts
against calls since the open is bullish.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import polars as pl

from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.gamma_flip import FLIP
from mr_platform.features.greek_legs import GREEKS, SIDES, valid
from mr_platform.features.greek_series import BUCKET_GREEKS, BUCKETS, CURVE_GREEKS, WEIGHTS
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.kernels.probability import normal_cdf
from mr_platform.features.kernels.windows import (
    change,
    forward_filled,
    lag,
    log,
    open_value,
    ratio,
    session_count_where,
    window_count,
    window_sum,
)

BASE_FIRST, BASE_LAST = 4, 15
"""A base is the first value from 09:19 (Greeks settle first) to 09:30, in minutes of the day."""

CHANGE_MINUTES: tuple[int, ...] = (5, 15, 60)

CRORE = 1e-7
"""Crore rupees in a rupee."""

SHORT_CHANGE = 5
"""Minutes of the changes that scale the sentiment."""

SCALE_MINUTES = 60
"""Minutes in which those changes end."""

SCALE_MINIMUM = 30
"""Changes needed."""

GREEK_WEIGHTS: Mapping[str, float] = {"delta": 1.0, "gamma": 1.5, "theta": 0.8, "vega": 1.2}
"""Weights of the Greeks in the sentiment scores."""

SCORE_WEIGHTS: Mapping[str, float] = {"oi": 0.6, "vol": 0.4}
"""Weights of the two scores in the sentiment level."""

LEVEL_BOUNDS: tuple[float, ...] = (0.10, 0.25, 0.45)
"""Sizes of the combined score that part the seven levels."""

Columns = dict[str, pl.Expr]


def c2_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All columns of C2, a row for each row of the panel, in its order.

    Args:
        inputs: The panel; no history and no other component is read.
    """
    plan, outputs = _plan()
    return plan.compute(inputs.panel, outputs, inputs.engine)


@cache
def _plan() -> tuple[ColumnPlan, Columns]:
    p = ColumnPlan()
    columns: Columns = {}
    columns |= _first_order(p)
    columns |= _atm_straddle(p)
    columns |= _second_order()
    columns |= _exposures(p)
    columns |= _gamma_levels(p)
    columns |= _pin(p)
    columns |= _max_pain(p)
    columns |= _sentiment(p, columns)
    columns |= _shape(p)
    return p, columns


def _base(p: ColumnPlan, x: pl.Expr) -> pl.Expr:
    return open_value(p, x, first=BASE_FIRST, last=BASE_LAST)


def _base_bars() -> pl.Expr:
    return pl.col(INDEX).is_between(BASE_FIRST, BASE_LAST)


# -- first and second order -----------------------------------------------------------------------


def _first_order(p: ColumnPlan) -> Columns:
    columns: Columns = {}
    for greek in GREEKS:
        for weight in WEIGHTS:
            call, put = (pl.col(f"g2_{greek}_{weight}_{side}") for side in SIDES)
            for side, amount in zip(SIDES, (call, put), strict=True):
                mean = ratio(amount, pl.col(f"g2_{weight}_{side}"))
                columns[f"c2_{greek}_{weight}_{side}"] = mean
            net = p.let(ratio(call - put, call + put))
            columns[f"c2_{greek}_{weight}_net"] = net
            columns[f"c2_{greek}_{weight}_net_chg_open"] = p.let(net - _base(p, net))
        gross = p.let(pl.col(f"g2_{greek}_oi_ce") + pl.col(f"g2_{greek}_oi_pe"))
        for minutes in CHANGE_MINUTES:
            growth = p.let(ratio(gross, p.let(lag(p, gross, minutes))))
            columns[f"c2_{greek}_gross_chg_{minutes}m"] = log(growth)
    return columns


def _atm_straddle(p: ColumnPlan) -> Columns:
    both = p.let(valid("ce", "atm_") & valid("pe", "atm_"))

    def legs(greek: str) -> pl.Expr:
        call, put = pl.col(f"atm_ce_{greek}"), pl.col(f"atm_pe_{greek}")
        total = call.abs() + put.abs() if greek == "theta" else call + put
        return pl.when(both).then(total)

    premium = pl.col("strd")
    return {
        "c2_atm_delta": legs("delta"),
        "c2_atm_gamma": 0.01 * pl.col("spot") * legs("gamma"),
        "c2_atm_theta": ratio(legs("theta"), premium),
        "c2_atm_vega": ratio(legs("vega"), premium),
    }


def _second_order() -> Columns:
    columns: Columns = {}
    for greek in CURVE_GREEKS:
        sums = [pl.col(f"g2_{greek}_sum_{side}") for side in SIDES]
        sizes = [pl.col(f"g2_{greek}_gross_{side}") for side in SIDES]
        for side, value in zip(SIDES, sums, strict=True):
            columns[f"c2_{greek}_oi_{side}"] = ratio(value, pl.col(f"g2_oi_{side}"))
        columns[f"c2_{greek}_oi_net"] = ratio(sums[0] - sums[1], sizes[0] + sizes[1])
    return columns


# -- exposure -------------------------------------------------------------------------------------


def _exposures(p: ColumnPlan) -> Columns:
    spot = pl.col("spot")
    per_percent = 0.01 * spot * spot * CRORE
    exposure = p.let(per_percent * pl.col("g2_gamma_net"))
    gross = p.let(per_percent * pl.col("g2_gamma_gross"))
    columns: Columns = {
        "c2_gamma_exposure": exposure,
        "c2_delta_exposure": spot * CRORE * pl.col("g2_delta_sum"),
        "c2_vega_exposure": CRORE * pl.col("g2_vega_net"),
        "c2_vanna_exposure": 0.01 * spot * CRORE * pl.col("g2_vanna_net"),
        "c2_charm_exposure": spot * CRORE * pl.col("g2_charm_net"),
    }
    for minutes in CHANGE_MINUTES:
        columns[f"c2_gex_chg_{minutes}m"] = ratio(change(p, exposure, minutes), gross)
    columns["c2_gex_chg_open"] = 2.0 * ratio(
        exposure - _base(p, exposure), p.let(gross + _base(p, gross))
    )
    return columns


def _gamma_levels(p: ColumnPlan) -> Columns:
    columns: Columns = {
        "c2_gamma_flip_dist": pl.col(FLIP),
        "c2_gamma_flip_dist_chg_15m": change(p, FLIP, 15),
        "c2_gex_concentration": pl.col("g2_gamma_hhi"),
    }
    for sign in ("pos", "neg"):
        columns[f"c2_gex_peak_dist_{sign}"] = _percent_off(pl.col(f"g2_peak_{sign}"))
    return columns


def _percent_off(level: pl.Expr) -> pl.Expr:
    """Level less forward, in percent of the forward."""
    return 100.0 * ratio(level - pl.col("forward"), pl.col("forward"))


# -- pin risk -------------------------------------------------------------------------------------


def _deviation(p: ColumnPlan) -> pl.Expr:
    """One standard deviation to expiry, s_exp·sqrt(tau), from the straddle's price; a column."""
    tau = pl.col("tau")
    implied = ratio(pl.col("strd"), 2.0 * pl.col("spot")) * (2.0 * math.pi / tau).sqrt()
    return p.let(implied * tau.sqrt())


def _pin(p: ColumnPlan) -> Columns:
    deviation = _deviation(p)
    strike, forward, share = pl.col("g2_pin_strike"), pl.col("forward"), pl.col("g2_pin_share")
    edges = []
    for half_steps in (1.0, -1.0):
        edge = p.let(strike + half_steps * pl.col("step") / 2.0)
        place = ratio(log(p.let(edge / forward)) + deviation * deviation / 2.0, deviation)
        edges.append(p.let(normal_cdf(p, place)))
    probability = p.let((edges[0] - edges[1]).clip(0.0, 1.0))
    score = p.let((probability * share).sqrt())
    return {
        "c2_pin_probability": probability,
        "c2_pin_distance": ratio(log(p.let(strike / forward)), deviation),
        "c2_oi_concentration": pl.col("g2_oi_hhi"),
        "c2_pin_risk_score": score,
        "c2_pin_risk_chg_15m": change(p, score, 15),
    }


def _max_pain(p: ColumnPlan) -> Columns:
    level = p.let(pl.col("max_pain").cast(pl.Float64))
    return {
        "c2_max_pain_dist": _percent_off(level),
        "c2_max_pain_chg_open": 100.0 * ratio(level - _base(p, level), pl.col("forward")),
    }


# -- sentiment ------------------------------------------------------------------------------------


def _sentiment(p: ColumnPlan, columns: Columns) -> Columns:
    parts: Columns = {}
    scores: Columns = {}
    for weight in WEIGHTS:
        weighted: list[pl.Expr] = []
        for greek, share in GREEK_WEIGHTS.items():
            name = f"c2_{greek}_{weight}_net"
            z = _scaled_drift(p, columns[name], columns[f"{name}_chg_open"])
            weighted.append(share * z)
            if weight == "oi":
                parts[f"c2_sentiment_{greek}"] = p.let(-z.tanh())
        total = weighted[0] + weighted[1] + weighted[2] + weighted[3]
        score = p.let(-(total / sum(GREEK_WEIGHTS.values())).tanh())
        scores[f"c2_sentiment_score_{weight}"] = score
    combined = p.let(
        SCORE_WEIGHTS["oi"] * scores["c2_sentiment_score_oi"]
        + SCORE_WEIGHTS["vol"] * scores["c2_sentiment_score_vol"]
    )
    level = p.let(_level(combined))
    return {
        **parts,
        **scores,
        "c2_sentiment_level": level,
        "c2_sentiment_dispersion": _dispersion(p, list(parts.values())),
        "c2_sentiment_chg_15m": change(p, combined, 15),
        "c2_sentiment_duration": run_of_present_bars(p, level),
    }


def _scaled_drift(p: ColumnPlan, net: pl.Expr, since_base: pl.Expr) -> pl.Expr:
    """Drift since the base over what short changes of the last hour let expect; a column."""
    short = p.let(change(p, net, SHORT_CHANGE))
    count = window_count(p, short, SCALE_MINUTES)
    squares = window_sum(p, short * short, SCALE_MINUTES)
    rms = pl.when(count >= SCALE_MINIMUM).then((squares / count).sqrt())
    # the base's bar; a row before it has no drift, so that it comes later is never seen
    place = p.let(pl.when(net.is_not_null() & _base_bars()).then(pl.col(INDEX)))
    started = p.over(place.min())
    minutes = pl.max_horizontal(pl.col(INDEX) - started, SCALE_MINUTES).cast(pl.Float64)
    scale = p.let((minutes / SHORT_CHANGE).sqrt() * rms)
    return p.let(ratio(since_base, scale))


def _level(score: pl.Expr) -> pl.Expr:
    """Seven levels; a bound belongs to the level further from neutral."""
    low, middle, high = LEVEL_BOUNDS
    return (
        pl.when(score <= -high).then(1)
        .when(score <= -middle).then(2)
        .when(score <= -low).then(3)
        .when(score < low).then(4)
        .when(score < middle).then(5)
        .when(score < high).then(6)
        .when(score >= high).then(7)
        .cast(pl.Int32)
    )  # fmt: skip


def _dispersion(p: ColumnPlan, values: list[pl.Expr]) -> pl.Expr:
    """Population standard deviation of columns beside each other, all valid."""
    mean = p.let((values[0] + values[1] + values[2] + values[3]) / 4.0)
    squares = [(value - mean) * (value - mean) for value in values]
    return ((squares[0] + squares[1] + squares[2] + squares[3]) / 4.0).sqrt()


def run_of_present_bars(p: ColumnPlan, level: pl.Expr) -> pl.Expr:
    """Present bars up to t in one run of the level; a missing minute is stepped over.

    Args:
        p: A plan over panel rows (column ``present``).
        level: Integer column above 0; a null at a present bar ends the run.
    """
    present = pl.col("present")
    # a present bar without a level ends the run, so it needs a code of its own
    code = p.let(pl.when(present).then(level.fill_null(0)))
    before = p.let(lag(p, p.let(forward_filled(p, code)), 1))
    starts = present & level.is_not_null() & code.ne_missing(before)
    bars = session_count_where(p, present)
    first = forward_filled(p, p.let(pl.when(starts).then(bars)))
    return pl.when(level.is_not_null()).then(bars - first + 1)


# -- shape ----------------------------------------------------------------------------------------


def _shape(p: ColumnPlan) -> Columns:
    columns: Columns = {}
    for side in SIDES:
        for greek in BUCKET_GREEKS:
            total = pl.col(f"g2_{greek}_oi_{side}")
            for bucket in BUCKETS:
                part = pl.col(f"g2_{greek}_{bucket}_{side}")
                columns[f"c2_{greek}_share_{bucket}_{side}"] = ratio(part, total)
        centre = ratio(pl.col(f"g2_log_gamma_{side}"), pl.col(f"g2_gamma_oi_{side}"))
        columns[f"c2_gamma_centroid_{side}"] = ratio(centre, _deviation(p))
    return columns
