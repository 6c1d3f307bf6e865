"""C3: open interest and price action, 105 features of the session.

Here: changes, classes, concentration and flow of open interest near the money and at the walls,
put-call ratios, max pain, price range and volume profile of the future, and scores of them.
Not here: sums over strikes (``oi_flows.py``, ``oi_walls.py``), past days' closing open interest and
zone means (``oi_history.py``).

Series: ``ce`` and ``pe`` are the legs near the money, ``net`` puts less calls, ``fut`` the future,
which is the same for every expiry. Positive flow is bullish: puts are written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.history import wide
from mr_platform.features.inputs import ZONE_KEYS, FeatureInputs
from mr_platform.features.kernels.across import count_across, sum_across
from mr_platform.features.kernels.dependence import pearson
from mr_platform.features.kernels.ranks import percentile
from mr_platform.features.kernels.weighted import session_weighted_deviation
from mr_platform.features.kernels.windows import (
    OPEN_LIMIT,
    TINY,
    change,
    first_valid,
    lag,
    log,
    open_value,
    ratio,
    rolling_max,
    rolling_mean,
    rolling_min,
    rolling_std,
    rolling_sum,
    run_length,
    session_rms,
    session_sum,
)
from mr_platform.features.oi_flows import (
    ACCELERATION_WINDOWS,
    BUCKETS,
    FLOW_WINDOW,
    KINDS,
    LEGS,
    PCR_WINDOWS,
    VELOCITY_PERIODS,
    VOLUME_PERIODS,
)
from mr_platform.features.oi_history import ZONE_VALUES, pcr_oi, turnover

SERIES: tuple[str, ...] = (*LEGS, "fut")

SIDES: tuple[str, ...] = ("call_above", "put_below")
"""Walls on one side of spot."""

OI_WINDOWS: tuple[int, ...] = (3, 5, 15)
"""Minutes of the changes of open interest that are features."""

QUADRANT_WINDOWS: tuple[int, ...] = (5, 15)
"""Minutes of the changes that are classed."""

DEADBAND = 0.25
"""Standardised change of price or open interest below which a quadrant is neutral."""

DIRECTION: Mapping[int, float] = {1: 1.0, 2: -1.0, 3: 0.5, 4: -0.5, 0: 0.0}
"""Direction of a quadrant's code: closing a position counts half of opening one."""

ROLLUP_WEIGHTS: Mapping[int, float] = {3: 0.15, 5: 0.35, 10: 0.30, 15: 0.20}
"""Weight of each window, in minutes, in the rollup over time frames."""

ROLLUP_BASE = 3
"""Minutes of the change whose deviation scales the rollup: open interest refreshes that often."""

ROLLUP_CAP = 10.0
"""Largest rollup, in standard deviations."""

Z_WINDOW = 60
"""Minutes before t that a z-score compares with."""

Z_NEEDED = 30
Z_CAP = 10.0
"""Largest z-score."""

RMS_NEEDED = 15
"""Values of the session that a root mean square needs."""

CORRELATION_WINDOW = 30
CORRELATION_NEEDED = 20
CORRELATION_CHANGE = 3
"""Minutes of the changes that are correlated."""

ZONE_DAYS = 20
"""Previous trading days whose zone means a percentile compares with."""

ZONE_DAYS_NEEDED = 10

STRIKES_NEEDED = 15
"""Strikes of the chain with a valid volume that the session's put-call ratio needs."""

FLOW_WEIGHTS: Mapping[str, float] = {"ce": 0.35, "pe": 0.35, "fut": 0.30}
"""Weight of each series in the institutional flow score."""

FLOW_SCALE = 0.5
"""Inside the score's tanh."""

FLOW_SURPRISE_CAP = 4.0
"""Largest surprise, in standard deviations, that counts."""

FLOW_FULL_ABSORPTION = 0.2
"""Absorption from which on a surprise counts in full; at none it counts half."""

FLOW_TERMS_NEEDED = 2

DIVERGENCE_MOVE = 0.5
"""Standardised move of price and of positioning that makes a divergence."""

CHURN_SURPRISE = 1.0
"""z-score of volume (churn) or of positions (quiet build-up) that the other must not share."""

STRENGTH_CAP = 5.0
"""Largest strength of a divergence."""

RANGE_PERIODS: Mapping[int, int] = {5: 4, 15: 10}
"""Minutes of a price range, with the valid minutes that it needs."""

EXPANSION_WEIGHTS: Mapping[str, float] = {"range_15": 0.6, "range_5": 0.2, "dispersion": 0.2}
"""Weights inside the range expansion score's tanh."""

PROFILE_NEEDED = 15
"""Minutes of the session that the volume profile needs."""

PROFILE_CAP = 10.0
"""Largest distance from the volume's mean, in its deviations."""

_KEYS = ("g", "j", *ZONE_KEYS)
_UNDERLYING = ("spot", "fut", "fut_high", "fut_low", "fut_volume", "fut_oi")
_CHAIN = ("oi_ce", "oi_pe", "max_pain")


def c3_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All features of C3.

    Args:
        inputs: Panel, and the history table ``hist_c3_zone``. Yesterday's closing open interest
            is in the panel already (``oi_series.py``).

    Returns:
        The 105 declared columns, a row a panel row, in the panel's order.
    """
    panel = inputs.panel.lazy().select(
        *_KEYS, *_UNDERLYING, *_CHAIN,
        *[name for name in inputs.panel.columns if name.startswith("o3_")],
    )  # fmt: skip
    past = wide(
        inputs.past_table("hist_c3_zone"),
        inputs.days,
        keys=[key for key in ZONE_KEYS if key != "date"],
        values=ZONE_VALUES,
        depth=ZONE_DAYS,
    )
    frame = panel.join(past, on=list(ZONE_KEYS), how="left", maintain_order="left")
    plan, outputs = _plan()
    return plan.compute(inputs.engine.collect(frame), outputs, inputs.engine)


@lru_cache(maxsize=1)
def _plan() -> tuple[ColumnPlan, Mapping[str, pl.Expr]]:
    p = ColumnPlan()
    out: dict[str, pl.Expr] = {}
    for family in (
        _levels, _changes, _rollup, _quadrants, _ratios, _max_pain, _walls, _absorption,
        _price_and_flow, _divergence, _ranges, _volume_profile,
    ):  # fmt: skip
        out |= family(p)
    out |= _institutional_flow(p, out)
    return p, out


# -- series ---------------------------------------------------------------------------------------


def _change(p: ColumnPlan, series: str, w: int) -> pl.Expr:
    """o_w: relative change of open interest over w minutes."""
    if series == "fut":
        return p.let(ratio(change(p, "fut_oi", w), lag(p, "fut_oi", w)))
    if series == "net":
        moved = pl.col(f"o3_change_pe_{w}") - pl.col(f"o3_change_ce_{w}")
        return p.let(ratio(moved, pl.col(f"o3_base_ce_{w}") + pl.col(f"o3_base_pe_{w}")))
    return p.let(ratio(pl.col(f"o3_change_{series}_{w}"), pl.col(f"o3_base_{series}_{w}")))


def _price(p: ColumnPlan, series: str, w: int) -> pl.Expr:
    """p_w: relative change of price over w minutes."""
    if series == "fut":
        return p.let(ratio(pl.col("fut"), lag(p, "fut", w)) - 1.0)
    return pl.col(f"o3_price_{series}_{w}")


def _gross(p: ColumnPlan, series: str) -> pl.Expr:
    """G_15: sum of absolute changes of open interest."""
    if series == "fut":
        return p.let(change(p, "fut_oi", FLOW_WINDOW).abs())
    return pl.col(f"o3_gross_{series}")


def _volume(p: ColumnPlan, series: str) -> pl.Expr:
    """V_15."""
    if series == "fut":
        return rolling_sum(p, "fut_volume", FLOW_WINDOW, VOLUME_PERIODS[FLOW_WINDOW])
    return pl.col(f"o3_volume_{series}_{FLOW_WINDOW}")


def _standardised(p: ColumnPlan, x: pl.Expr) -> pl.Expr:
    """X over the root of its mean square in the session so far."""
    return p.let(ratio(p.let(x), session_rms(p, x, RMS_NEEDED)))


def _tape(p: ColumnPlan, volume: pl.Expr) -> pl.Expr:
    """Log of a volume, from its first value of the session.

    A z-score does not see the shift, but squares of a level far from its mean would cost digits.
    """
    level = p.let(log(1.0 + volume))
    return p.let(level - first_valid(p, level))


def _z(p: ColumnPlan, x: pl.Expr) -> pl.Expr:
    """X against the 60 minutes before t."""
    column = p.let(x)
    mean = lag(p, rolling_mean(p, column, Z_WINDOW, Z_NEEDED), 1)
    deviation = lag(p, rolling_std(p, column, Z_WINDOW, Z_NEEDED), 1)
    score = ratio(column - p.let(mean), p.let(deviation))
    return p.let(score.clip(-Z_CAP, Z_CAP))


# -- open interest --------------------------------------------------------------------------------


def _levels(p: ColumnPlan) -> dict[str, pl.Expr]:
    """What is summed over strikes and needs no other minute here."""
    out: dict[str, pl.Expr] = {}
    for leg in LEGS:
        out[f"c3_cum_oi_{leg}"] = pl.col(f"o3_oi_{leg}")
        for w in VOLUME_PERIODS:
            out[f"c3_cum_volume_{leg}_{w}m"] = pl.col(f"o3_volume_{leg}_{w}")
        for w in VELOCITY_PERIODS:
            out[f"c3_oi_velocity_{leg}_{w}m"] = 100.0 * pl.col(f"o3_velocity_{leg}_{w}")
        for w in ACCELERATION_WINDOWS:
            out[f"c3_oi_accel_{leg}_{w}m"] = 100.0 * pl.col(f"o3_accel_{leg}_{w}")
        since = log(pl.col(f"o3_since_close_{leg}"))
        out[f"c3_oi_since_prev_close_{leg}"] = 100.0 * since
        for kind in KINDS:
            out[f"c3_quadrant_share_{kind}_{leg}"] = pl.col(f"o3_share_{kind}_{leg}")
        for what in ("oi", "flow"):
            out[f"c3_{what}_hhi_{leg}"] = pl.col(f"o3_hhi_{what}_{leg}")
        for bucket in BUCKETS:
            flow = 100.0 * pl.col(f"o3_bucket_{bucket}_{leg}")
            out[f"c3_bucket_flow_{leg}_{bucket}_{FLOW_WINDOW}m"] = flow
        out[f"c3_otm_oi_share_{leg}"] = pl.col(f"o3_otm_share_{leg}")
    out["c3_oi_dispersion"] = 100.0 * ratio(pl.col("o3_spread"), pl.col("spot"))
    out[f"c3_oi_dispersion_change_{FLOW_WINDOW}m"] = _dispersion_change(p)
    return out


def _dispersion_change(p: ColumnPlan) -> pl.Expr:
    return p.let(100.0 * pl.col("o3_spread_growth"))


def _changes(p: ColumnPlan) -> dict[str, pl.Expr]:
    out = {
        f"c3_oi_change_{series}_{w}m": 100.0 * _change(p, series, w)
        for series in (*LEGS, "net", "fut")
        for w in OI_WINDOWS
    }
    return out | {f"c3_oi_shock_z_{series}": _z(p, _change(p, series, 5)) for series in SERIES}


def _rollup(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Changes over several windows in units of their deviation, which grows with root time."""
    out: dict[str, pl.Expr] = {}
    for series in (*LEGS, "net"):
        base = rolling_std(p, _change(p, series, ROLLUP_BASE), Z_WINDOW, Z_NEEDED)
        minute = base / math.sqrt(ROLLUP_BASE)
        total: pl.Expr = pl.lit(0.0)
        for w, weight in ROLLUP_WEIGHTS.items():
            total = total + weight / math.sqrt(w) * _change(p, series, w)
        out[f"c3_oi_mtf_{series}"] = ratio(total, minute).clip(-ROLLUP_CAP, ROLLUP_CAP)
    return out


# -- price and open interest ----------------------------------------------------------------------


def _quadrant(p: ColumnPlan, series: str, w: int) -> pl.Expr:
    price = _standardised(p, _price(p, series, w))
    positions = _standardised(p, _change(p, series, w))
    code = (
        pl.when((price.abs() < DEADBAND) | (positions.abs() < DEADBAND)).then(0)
        .when(positions > 0).then(pl.when(price > 0).then(1).otherwise(2))
        .otherwise(pl.when(price > 0).then(3).otherwise(4))
    )  # fmt: skip
    return p.let(pl.when(price.is_not_null() & positions.is_not_null()).then(code))


def _direction(p: ColumnPlan, series: str, w: int) -> pl.Expr:
    """Direction of the series' quadrant, +1 where its holders expect a rise."""
    code = _quadrant(p, series, w)
    value: pl.Expr = pl.lit(DIRECTION[0])
    for number, direction in DIRECTION.items():
        if number:
            value = pl.when(code == number).then(direction).otherwise(value)
    return p.let(pl.when(code.is_not_null()).then(value))


def _quadrants(p: ColumnPlan) -> dict[str, pl.Expr]:
    out: dict[str, pl.Expr] = {}
    for w in QUADRANT_WINDOWS:
        for series in SERIES:
            out[f"c3_quadrant_{series}_{w}m"] = _quadrant(p, series, w)
        call, put, future = (_direction(p, series, w) for series in SERIES)
        out[f"c3_threeway_alignment_{w}m"] = (call - put + future) / 3.0
    for series in SERIES:
        out[f"c3_quadrant_age_{series}"] = run_length(p, _quadrant(p, series, FLOW_WINDOW))
    return out


def _ratios(p: ColumnPlan) -> dict[str, pl.Expr]:
    near = p.let(pcr_oi())
    calls, puts = (session_sum(p, f"o3_volume_{leg}") for leg in LEGS)
    traded = pl.min_horizontal(f"o3_volume_strikes_{leg}" for leg in LEGS) >= STRIKES_NEEDED
    out = {
        "c3_pcr_oi": near,
        "c3_pcr_oi_all": ratio(pl.col("oi_pe"), pl.col("oi_ce")),
        f"c3_pcr_volume_{FLOW_WINDOW}m": ratio(_volume(p, "pe"), _volume(p, "ce")),
        "c3_pcr_volume_session": pl.when(traded).then(ratio(puts, calls)),
    }
    for w in PCR_WINDOWS:
        out[f"c3_pcr_oi_change_{w}m"] = 100.0 * pl.col(f"o3_pcr_change_{w}")
    for name, value in {"pcr_oi": near, "turnover": p.let(turnover())}.items():
        past = [pl.col(f"{name}_{back}") for back in range(1, ZONE_DAYS + 1)]
        out[f"c3_{name}_zone_pctl_{ZONE_DAYS}d"] = percentile(p, value, past, ZONE_DAYS_NEEDED)
    return out


def _max_pain(p: ColumnPlan) -> dict[str, pl.Expr]:
    strike, spot = pl.col("max_pain"), pl.col("spot")
    first = open_value(p, strike, last=OPEN_LIMIT)
    return {
        "c3_max_pain_distance": 100.0 * ratio(strike - spot, spot),
        "c3_max_pain_shift_session": 100.0 * ratio(strike - first, spot),
        "c3_max_pain_depth": pl.col("o3_pain_depth"),
    }


def _walls(p: ColumnPlan) -> dict[str, pl.Expr]:
    spot = pl.col("spot")
    out: dict[str, pl.Expr] = {}
    for side in SIDES:
        out[f"c3_oi_wall_distance_{side}"] = 100.0 * ratio(
            (pl.col(f"o3_{side}") - spot).abs(), spot
        )
        out[f"c3_oi_wall_share_{side}"] = pl.col(f"o3_{side}_share")
        growth = pl.col(f"o3_{side}_growth")
        out[f"c3_oi_wall_change_{FLOW_WINDOW}m_{side}"] = 100.0 * (growth - 1.0)
    call, put = (pl.col(f"o3_{side}") for side in SIDES)
    out["c3_oi_wall_position"] = ratio(spot - put, call - put)
    return out


# -- flow -----------------------------------------------------------------------------------------


def _absorption(p: ColumnPlan) -> dict[str, pl.Expr]:
    out = {
        f"c3_absorption_{series}_{FLOW_WINDOW}m": p.let(
            ratio(_gross(p, series), _volume(p, series))
        )
        for series in SERIES
    }
    for w in QUADRANT_WINDOWS:
        moved = (pl.col(f"o3_change_ce_{w}") + pl.col(f"o3_change_pe_{w}")).abs()
        base = pl.col(f"o3_base_ce_{w}") + pl.col(f"o3_base_pe_{w}")
        price = log(ratio(pl.col("fut"), lag(p, "fut", w))).abs()
        out[f"c3_price_absorption_{w}m"] = _z(p, ratio(moved, base)) - _z(p, price)
    return out


def _price_and_flow(p: ColumnPlan) -> dict[str, pl.Expr]:
    out: dict[str, pl.Expr] = {}
    for leg in LEGS:
        base = pl.col(f"o3_base_{leg}_{FLOW_WINDOW}")
        tape, positions = _tape(p, _volume(p, leg)), ratio(_gross(p, leg), base)
        out[f"c3_volume_oi_divergence_{leg}_{FLOW_WINDOW}m"] = _z(p, tape) - _z(p, positions)
        out[f"c3_price_oi_corr_{leg}_{CORRELATION_WINDOW}m"] = pearson(
            p,
            _price(p, leg, CORRELATION_CHANGE),
            _change(p, leg, CORRELATION_CHANGE),
            CORRELATION_WINDOW,
            CORRELATION_NEEDED,
        )
    return out


def _divergence(p: ColumnPlan) -> dict[str, pl.Expr]:
    price = _standardised(p, _price(p, "fut", FLOW_WINDOW))
    net = _standardised(p, _change(p, "net", FLOW_WINDOW))
    tape = _z(p, _tape(p, _volume(p, "ce") + _volume(p, "pe")))
    base = pl.col(f"o3_base_ce_{FLOW_WINDOW}") + pl.col(f"o3_base_pe_{FLOW_WINDOW}")
    positions = _z(p, ratio(_gross(p, "ce") + _gross(p, "pe"), base))
    up, down = DIVERGENCE_MOVE, -DIVERGENCE_MOVE
    code = (
        pl.when((price <= down) & (net >= up)).then(1)
        .when((price >= up) & (net <= down)).then(2)
        # a comparison with null is null, which counts as not met
        .when((tape >= CHURN_SURPRISE) & (positions <= 0.0)).then(3)
        .when((positions >= CHURN_SURPRISE) & (tape <= 0.0)).then(4)
        .otherwise(0)
    )  # fmt: skip
    kind = p.let(pl.when(price.is_not_null() & net.is_not_null()).then(code))
    strength = pl.max_horizontal(-price * net, pl.lit(0.0)).sqrt().clip(0.0, STRENGTH_CAP)
    return {
        "c3_divergence_type": kind,
        "c3_divergence_age": pl.when(kind == 0).then(0).otherwise(run_length(p, kind)),
        # over nulls the greatest of (null, 0) is 0
        "c3_divergence_strength": pl.when(kind.is_not_null()).then(strength),
    }


def _institutional_flow(p: ColumnPlan, features: Mapping[str, pl.Expr]) -> dict[str, pl.Expr]:
    """Surprise times direction times absorption of each series, weighted."""
    terms, weighted, weights = [], [], []
    for series, weight in FLOW_WEIGHTS.items():
        surprise = features[f"c3_oi_shock_z_{series}"].abs().clip(0.0, FLOW_SURPRISE_CAP)
        absorbed = features[f"c3_absorption_{series}_{FLOW_WINDOW}m"] / FLOW_FULL_ABSORPTION
        direction = _direction(p, series, 5)
        if series == "pe":
            direction = -direction
        term = p.let(direction * surprise * (0.5 + 0.5 * absorbed.clip(0.0, 1.0)))
        terms.append(term)
        weighted.append(weight * term)
        weights.append(pl.when(term.is_not_null()).then(weight))
    mean = sum_across(weighted) / sum_across(weights)
    enough = count_across(terms) >= FLOW_TERMS_NEEDED
    return {"c3_institutional_flow_score": pl.when(enough).then((FLOW_SCALE * mean).tanh())}


# -- range and volume of the future ---------------------------------------------------------------


def _range_ratio(p: ColumnPlan, w: int) -> pl.Expr:
    """Range of the last w minutes against its mean over the hour before them, in logs."""
    quoted = pl.col("fut_high").is_not_null() & pl.col("fut_low").is_not_null()
    high = p.let(pl.when(quoted).then(pl.col("fut_high")))
    low = p.let(pl.when(quoted).then(pl.col("fut_low")))
    needed = RANGE_PERIODS[w]
    span = p.let(rolling_max(p, high, w, needed) - rolling_min(p, low, w, needed))
    return p.let(log(ratio(span, lag(p, rolling_mean(p, span, Z_WINDOW, Z_NEEDED), w))))


def _ranges(p: ColumnPlan) -> dict[str, pl.Expr]:
    short, long = (_range_ratio(p, w) for w in RANGE_PERIODS)
    dispersion = _standardised(p, _dispersion_change(p)).fill_null(0.0)
    total = (
        EXPANSION_WEIGHTS["range_15"] * long
        + EXPANSION_WEIGHTS["range_5"] * short
        + EXPANSION_WEIGHTS["dispersion"] * dispersion
    )
    return {
        "c3_range_ratio_5m": short,
        "c3_range_ratio_15m": long,
        "c3_range_expansion_score": total.tanh(),
    }


def _volume_profile(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Place of the future in the session's volume, in volume-weighted deviations."""
    price = p.let((pl.col("fut_high") + pl.col("fut_low") + pl.col("fut")) / 3.0)
    volume = p.let(pl.when(price.is_not_null()).then(pl.col("fut_volume").cast(pl.Float64)))
    weighed = session_weighted_deviation(p, price, volume)
    variance = weighed.variance
    deviation = pl.when(variance > TINY * weighed.square).then(variance).sqrt()
    away = pl.col("fut") - weighed.origin - weighed.mean
    place = ratio(away, deviation).clip(-PROFILE_CAP, PROFILE_CAP)
    dev = p.let(pl.when(weighed.count >= PROFILE_NEEDED).then(place))
    code = pl.when(dev > 1.0).then(1).when(dev < -1.0).then(-1).otherwise(0)
    return {
        "c3_volume_profile_dev": dev,
        "c3_volume_profile": pl.when(dev.is_not_null()).then(code),
    }
