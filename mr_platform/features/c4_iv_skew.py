"""C4: implied volatility and skew, 87 features.

Here: levels, changes over minutes, the session's own percentiles, volatility of volatility, and
the assembly of the component.
Not here: points of the smile (``smile_series.py``), expiries against each other
(``c4_term_structure.py``), past days (``c4_iv_ranks.py``).

Signs: skew_k and skew_bias positive, risk_reversal negative = puts richer than calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from mr_platform.features.c4_iv_ranks import day_ranks
from mr_platform.features.c4_term_structure import term_structure
from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.history import past
from mr_platform.features.inputs import FeatureInputs, symbol_days
from mr_platform.features.iv_history import PREMIUM_NEEDED, PREMIUM_WINDOW, premium
from mr_platform.features.kernels.across import count_across, sum_across
from mr_platform.features.kernels.dependence import slope
from mr_platform.features.kernels.ranks import session_percentile, session_rank
from mr_platform.features.kernels.volatility import YEAR_DAYS, annual, session_mean_square
from mr_platform.features.kernels.windows import (
    change,
    lag,
    log,
    ratio,
    rolling_mean,
    rolling_std,
    session_mean,
    session_std,
)
from mr_platform.features.smile_series import DELTAS, LEG_LAGS, SKEW_RANKS
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import ZONES

CHANGE_WINDOWS = LEG_LAGS
"""Minutes of a change of volatility or skew."""

ACCELERATION_WINDOWS = (5, 15)
"""Minutes between the three points of a second difference."""

MINUTES_NEEDED: Mapping[int, int] = {30: 20, 60: 40}
"""Windows of one-minute changes and returns, with the values that they need."""

SESSION_NEEDED = 30
"""Values that a comparison with the session needs."""

OPENING_MINUTES = 15
"""Minutes from 09:15 whose mean is the opening reference."""

REFERENCE_NEEDED = 10
"""Values that the mean of the opening or of a zone needs."""

DEVIATION_LIMIT = 10.0
"""The deviation from the session is clipped to this many standard deviations."""

BETA_LIMIT = 100.0
"""The slope of volatility on spot is clipped to this."""

STICKINESS_LIMIT = 20.0
"""The skew stickiness ratio is clipped to this."""

SKEW_FLOOR = 0.05
"""A mean relative skew per unit of log strike below this size measures no stickiness."""

STICKINESS_WINDOW = 60
"""Minutes of the skew stickiness ratio."""

DAILY_RETURNS = 20
"""Daily returns of the volatility between days."""

DAILY_NEEDED = 15
"""Of these, how many it needs."""

BIAS_TERMS: tuple[tuple[float, str, float], ...] = (
    (0.4, "s4_rr25", -0.20),
    (0.3, "s4_skew_k3", 0.10),
    (0.3, "s4_slope", -0.10),
)
"""Terms of the skew bias: weight, series, and the value that counts as one unit."""

BIAS_NEEDED = 2
"""Terms that the skew bias needs."""

_COPIED: Mapping[str, str] = {
    "c4_atm_iv_ce": "atm_ce_iv",
    "c4_atm_iv_pe": "atm_pe_iv",
    "c4_atm_iv_mean": "iv_atm",
    **{f"c4_skew_k{k}": f"s4_skew_k{k}" for k in SKEW_RANKS},
    **{f"c4_risk_reversal_{delta}d": f"s4_rr{delta}" for delta in DELTAS},
    **{f"c4_butterfly_{delta}d": f"s4_bf{delta}" for delta in DELTAS},
    **{f"c4_smile_{name}": f"s4_{name}" for name in ("slope", "curvature", "vertex", "rmse")},
    **{
        f"c4_{name}": f"s4_{name}"
        for name in ("wing_slope_put", "wing_slope_call", "wing_asymmetry")
    },
    **{f"c4_iv_{w}_weighted_premium": f"s4_{w}_premium" for w in ("oi", "vega")},
}
_SKEWS: Mapping[str, str] = {"rr25": "s4_rr25", "bf25": "s4_bf25", "slope": "s4_slope"}
_READ = (
    "g", INDEX, "zone_id", "tau", "r_und", "r_und_min", *_COPIED.values(),
    *[f"s4_{leg}_iv_lag{w}" for leg in ("ce", "pe") for w in LEG_LAGS],
)  # fmt: skip


def c4_features(inputs: FeatureInputs) -> pl.DataFrame:
    """All C4 features of the panel's rows.

    Args:
        inputs: Panel; history ``hist_c4_day``, ``hist_c4_zone``, ``hist_daily``.

    Returns:
        The declared columns in declared order, one row a panel row, in the panel's order.
    """
    plan, outputs = _plan()
    rows = inputs.panel.select(_READ).hstack([_daily_volatility(inputs)])
    own = plan.compute(rows, outputs, inputs.engine)
    against_days = day_ranks(inputs, own[f"c4_iv_rv_spread_{PREMIUM_WINDOW}m"])
    frame = own.hstack(against_days).hstack(term_structure(inputs))
    return frame.select([column.name for column in load_registry().components["c4"].columns])


def _daily_volatility(inputs: FeatureInputs) -> pl.Series:
    """Annual volatility of daily returns of the last spot, earlier days only, for each row."""
    # the spot repeats in every expiry's row
    table = inputs.past_table("hist_daily")
    closes = table.group_by("symbol", "date").agg(pl.col("spot_close").max())
    spot, back = pl.col("spot_close"), pl.col("back")
    day_before = (pl.col(DAY) == pl.col(DAY).shift(-1)) & (back + 1 == back.shift(-1))
    days = (
        past(closes, inputs.days, DAILY_RETURNS + 1)
        .join(symbol_days(inputs.panel), on=["symbol", "date"])
        .select(DAY, "back", "spot_close")
        .sort(DAY, "back")
        .select(DAY, log(ratio(spot, pl.when(day_before).then(spot.shift(-1)))).alias("r"))
        .group_by(DAY, maintain_order=True)
        .agg(pl.col("r").count().alias("n"), (pl.col("r") * pl.col("r")).sum().alias("rr"))
    )
    volatility = (YEAR_DAYS * pl.col("rr") / pl.col("n")).sqrt()
    rows = inputs.panel.lazy().select(DAY).join(days, on=DAY, how="left", maintain_order="left")
    enough = pl.col("n") >= DAILY_NEEDED
    return inputs.engine.collect(rows.select(pl.when(enough).then(volatility).alias("rv_20d")))[
        "rv_20d"
    ]


# -- within the session ---------------------------------------------------------------------------


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    outputs = {name: pl.col(source) for name, source in _COPIED.items()}
    outputs |= _changes(p)
    outputs |= _deviations(p)
    outputs |= {
        "c4_iv_pctl_session": session_percentile(p, "iv_atm", SESSION_NEEDED),
        "c4_iv_rank_session": session_rank(p, "iv_atm", SESSION_NEEDED),
        "c4_skew_pctl_session": session_percentile(p, -pl.col("s4_rr25"), SESSION_NEEDED),
    }
    outputs |= _premiums(p)
    outputs |= _dynamics(p)
    outputs["c4_skew_bias_score"] = _bias(p)
    return p, outputs


def _changes(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Log changes of volatility, its second differences, differences of skew."""
    outputs: dict[str, pl.Expr] = {}
    iv = pl.col("iv_atm")
    for w in CHANGE_WINDOWS:
        for leg in ("ce", "pe"):
            before = pl.col(f"s4_{leg}_iv_lag{w}")
            outputs[f"c4_atm_iv_{leg}_chg_{w}m"] = log(ratio(pl.col(f"atm_{leg}_iv"), before))
        outputs[f"c4_atm_iv_mean_chg_{w}m"] = log(ratio(iv, p.let(lag(p, iv, w))))
        for name, series in _SKEWS.items():
            outputs[f"c4_skew_mom_{name}_{w}m"] = change(p, series, w)
    level = p.let(log(iv))
    for w in ACCELERATION_WINDOWS:
        outputs[f"c4_atm_iv_accel_{w}m"] = level - 2.0 * lag(p, level, w) + lag(p, level, 2 * w)
    return outputs


def _deviations(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Deviations from the opening, from the zone before, from the session so far."""
    iv, index, zone = pl.col("iv_atm"), pl.col(INDEX), pl.col("zone_id")
    opening = p.let(_whole_mean(p, index < OPENING_MINUTES))
    # a zone's mean is read only in the zone after it, when all its minutes lie in the past
    before: pl.Expr = pl.lit(None, pl.Float64)
    for earlier in ZONES[:-1]:
        mean = p.let(_whole_mean(p, zone == earlier.zone_id))
        before = pl.when(zone == earlier.zone_id + 1).then(mean).otherwise(before)
    mean = session_mean(p, iv, SESSION_NEEDED)
    spread = session_std(p, iv, SESSION_NEEDED)
    return {
        "c4_iv_dev_open15": pl.when(index >= OPENING_MINUTES).then(log(ratio(iv, opening))),
        "c4_iv_dev_prev_zone": log(ratio(iv, p.let(before))),
        "c4_iv_dev_session": ratio(iv - mean, spread).clip(-DEVIATION_LIMIT, DEVIATION_LIMIT),
    }


def _whole_mean(p: ColumnPlan, condition: pl.Expr) -> pl.Expr:
    """Mean of iv_atm over all the group's rows where a condition holds, future ones included."""
    column = p.let(pl.when(condition).then(pl.col("iv_atm")))
    count = p.over(column.count())
    return pl.when(count >= REFERENCE_NEEDED).then(p.over(column.sum()) / count)


def _premiums(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Implied less realised volatility."""
    needed = {**MINUTES_NEEDED, PREMIUM_WINDOW: PREMIUM_NEEDED}
    outputs = {f"c4_iv_rv_spread_{w}m": premium(p, w, least) for w, least in needed.items()}
    iv = pl.col("iv_atm")
    session = annual(session_mean_square(p, "r_und", "r_und_min", SESSION_NEEDED))
    outputs["c4_iv_rv_spread_session"] = iv - session
    outputs["c4_iv_rv_spread_20d"] = iv - pl.col("rv_20d")
    return outputs


def _dynamics(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Volatility of volatility and of skew, slope of volatility on spot, skew stickiness."""
    steps = {
        "iv": p.let(change(p, log(pl.col("iv_atm")), 1)),
        "rr25": p.let(change(p, "s4_rr25", 1)),
    }
    outputs: dict[str, pl.Expr] = {}
    for w, least in MINUTES_NEEDED.items():
        for name, step in steps.items():
            outputs[f"c4_vol_of_{name}_{w}m"] = rolling_std(p, step, w, least)
        beta = slope(p, steps["iv"], "r_und", w, least)
        outputs[f"c4_spot_iv_beta_{w}m"] = beta.clip(-BETA_LIMIT, BETA_LIMIT)
    deviation = pl.col("iv_atm") * pl.col("tau").sqrt()
    skew = rolling_mean(
        p,
        ratio(pl.col("s4_slope"), deviation),
        STICKINESS_WINDOW,
        MINUTES_NEEDED[STICKINESS_WINDOW],
    )
    beta = outputs[f"c4_spot_iv_beta_{STICKINESS_WINDOW}m"]
    stickiness = pl.when(skew.abs() >= SKEW_FLOOR).then(beta / skew)
    outputs["c4_skew_stickiness_60m"] = stickiness.clip(-STICKINESS_LIMIT, STICKINESS_LIMIT)
    return outputs


def _bias(p: ColumnPlan) -> pl.Expr:
    """Weighted mean of the skew measures in their units, through tanh."""
    terms = [(weight, p.let(pl.col(name) / unit)) for weight, name, unit in BIAS_TERMS]
    present = count_across([term for _, term in terms])
    total = sum_across([weight * term for weight, term in terms])
    weights = sum_across([pl.when(t.is_not_null()).then(weight) for weight, t in terms])
    return p.let(pl.when(present >= BIAS_NEEDED).then((total / weights).tanh()))
