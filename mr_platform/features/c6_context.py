"""C6 features of the day's context: overnight gap, opening range, premium decay, the other index.

Here: gap, opening range, previous day, decay, trend, variance ratio, relative strength.
Not here: correlations (``c6_pairs.py``), RSI and MACD families (``c6_momentum.py``).
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.features.c6_history import previous_days, zone_decay
from mr_platform.features.c6_pairs import TREND
from mr_platform.features.c6_series import RETURN_MINUTES, RETURNS
from mr_platform.features.c6_windows import LEVEL_WINDOW, MEAN_WINDOW, SUM_WINDOWS, VARIANCE_WINDOWS
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.inputs import ZONE_KEYS, FeatureInputs, written_out
from mr_platform.features.kernels.windows import (
    log,
    open_value,
    ratio,
    session_count,
    session_max,
    session_min,
    session_sum,
)
from mr_platform.features.streams import ASSETS
from mr_platform.trading_calendar import ZONES

OPENING_RANGES: dict[int, int] = {5: 4, 15: 10, 30: 20}
"""Minutes of each opening range, and the observations it needs."""

SMALLEST_GAP = 0.0002
"""A gap below this share of the previous close is none that could be filled."""

DECAY_NEEDED = 5
"""Straddle returns of a zone before its decay a minute is stated."""

_PANEL = ("dte_bucket", "zone_name", "zone_id", "basis", "itm1", "otm1")
_SERIES = (
    GROUP, INDEX, "spot", "strd", "iv", "r_strd", "iv_spread", "c5_atr_daily_14d_und",
    "c5_rv_30m_und", "c5_rv_60m_und",
)  # fmt: skip
_VOLATILITY_WINDOWS = (30, 60)


def c6_context(
    inputs: FeatureInputs, series: pl.DataFrame, pairs: pl.DataFrame, sums: pl.DataFrame
) -> pl.DataFrame:
    """The features of the module.

    Args:
        inputs: Panel and history.
        series: ``c6_series.c6_series``.
        pairs: ``c6_pairs.correlations``.
        sums: ``c6_windows.window_statistics``.

    Returns:
        One column a feature, rows as the panel's.
    """
    trend = [name for name in pairs.columns if TREND in name]
    frame = (
        inputs.panel.select("symbol", "date", *_PANEL)
        .hstack(series.select(_SERIES).get_columns())
        .hstack(pairs.select(trend).get_columns())
        .hstack(sums.get_columns())
        .lazy()
        .join(previous_days(inputs).lazy(), on=GROUP, how="left", maintain_order="left")
        .join(
            zone_decay(inputs),
            on=list(ZONE_KEYS),
            how="left",
            maintain_order="left",
        )
    )
    beside = written_out(inputs.engine.collect(frame))
    plan, outputs = _plan()
    return plan.compute(beside, outputs, inputs.engine)


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    return p, {
        **_gaps(p),
        **_opening_ranges(p),
        **_previous_day(),
        **_decay(p),
        **_paths(),
        **_partner(),
    }


def _gaps(p: ColumnPlan) -> dict[str, pl.Expr]:
    """The open against the last bar of the day before, and how much of that is made good."""
    spot, strd, iv, basis = (open_value(p, name) for name in ("spot", "strd", "iv", "basis"))
    close = pl.col("prev_spot_close")
    gap = p.let(100.0 * log(ratio(spot, close)))
    points = p.let(spot - close)
    moved_back = (
        pl.when(points > 0)
        .then(spot - session_min(p, "spot"))
        .otherwise(session_max(p, "spot") - spot)
    )
    wide_enough = points.abs() / close >= SMALLEST_GAP
    share = p.let(pl.when(wide_enough).then(ratio(moved_back, points.abs()).clip(0.0, 1.0)))
    basis_before = ratio(pl.col("prev_basis_close"), close)
    return {
        "c6_gap_spot": gap,
        "c6_gap_strd": 100.0 * log(ratio(strd, pl.col("prev_strd_close"))),
        "c6_gap_iv": iv - pl.col("prev_iv_close"),
        "c6_gap_basis": 100.0 * (ratio(basis, spot) - basis_before),
        "c6_gap_atr": ratio(gap, pl.col("c5_atr_daily_14d_und")),
        "c6_gap_z_20d": ratio(gap, pl.col("gap_std")),
        "c6_gap_fill_share": share,
        "c6_gap_filled_flag": pl.when(share.is_not_null()).then((share >= 1.0).cast(pl.Int64)),
        "c6_move_vs_straddle": ratio((pl.col("spot") - spot).abs(), strd),
    }


def _opening_ranges(p: ColumnPlan) -> dict[str, pl.Expr]:
    spot = open_value(p, "spot")
    reach = p.let(100.0 * ratio(session_max(p, "spot") - session_min(p, "spot"), spot))
    change = p.let(100.0 * session_sum(p, "r_strd"))
    outputs = {}
    for w, needed in OPENING_RANGES.items():
        complete = pl.col(INDEX) == w - 1
        for name, value, source in (("width", reach, "spot"), ("strd_change", change, "r_strd")):
            enough = session_count(p, source) >= needed
            at_end = p.let(pl.when(complete & enough).then(value))
            outputs[f"c6_or_{name}_{w}m"] = p.over(at_end.fill_null(strategy="forward"))
    return outputs


def _previous_day() -> dict[str, pl.Expr]:
    legs = {"atm": "strd", "itm1": "itm1", "otm1": "otm1"}
    outputs = {
        f"c6_prev_close_ratio_{leg}": log(ratio(pl.col(name), pl.col(f"prev_{name}_close")))
        for leg, name in legs.items()
    }
    return outputs | {
        "c6_prev_itm1_otm1_ratio": log(ratio(pl.col("prev_itm1_close"), pl.col("prev_otm1_close"))),
        "c6_prev_ce_pe_ratio": log(ratio(pl.col("prev_ce_close"), pl.col("prev_pe_close"))),
        "c6_prev_close30_volume_share": pl.col("prev_close30_volume_share"),
        "c6_prev_close30_strd_return": pl.col("prev_close30_strd_return"),
        "c6_prev_day_decay": pl.col("prev_strd_day_return"),
        "c6_prev_strd_pctl_20d": ratio(pl.col("prev_strd_below"), pl.col("prev_strd_days")),
    }


def _decay(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Straddle returns added up by zone, and against the model's decay."""
    number = pl.col("zone_id")
    moves = pl.col("r_strd")
    total = p.over(p.let(moves.fill_null(0.0)).cum_sum(), by=["zone_id"])
    count = p.over(p.let(moves.is_not_null().cast(pl.Int32)).cum_sum(), by=["zone_id"])
    decay = p.let(pl.when(count > 0).then(100.0 * total))
    rate = p.let(pl.when(count >= DECAY_NEEDED).then(decay / count))
    outputs = {}
    for zone in ZONES:
        inside = p.let(pl.when(number == zone.zone_id).then(decay))
        outputs[f"c6_decay_{zone.name.lower()}"] = p.over(inside.fill_null(strategy="forward"))
    begun = session_count(p, "r_strd") > 0
    outputs |= {
        "c6_decay_rate_zone": rate,
        "c6_decay_rate_z_20d": ratio(rate - pl.col("zone_mean"), pl.col("zone_std")),
        "c6_strd_session_change": pl.when(begun).then(100.0 * session_sum(p, "r_strd")),
    }
    for w in SUM_WINDOWS:
        outputs[f"c6_decay_vs_theta_{w}m"] = 100.0 * pl.col(f"sum_theta_gap_{w}")
    return outputs


def _paths() -> dict[str, pl.Expr]:
    """Trend of the straddle, variance ratios, implied less realised volatility."""
    outputs = {}
    for w in SUM_WINDOWS:
        rho = pl.col(f"{TREND}_{w}m")
        outputs[f"c6_strd_trend_slope_{w}m"] = 100.0 * pl.col(f"slope_{TREND}_{w}m")
        outputs[f"c6_strd_trend_r2_{w}m"] = rho * rho
    for w in VARIANCE_WINDOWS:
        for asset in ASSETS:
            single = pl.col(f"var_{RETURNS[asset]}_{w}")
            outputs[f"c6_variance_ratio5_{asset}_{w}m"] = ratio(
                pl.col(f"var_r5_{asset}_{w}"), RETURN_MINUTES * single
            )
    for w in _VOLATILITY_WINDOWS:
        outputs[f"c6_iv_rv_spread_{w}m"] = pl.col("iv") - pl.col(f"c5_rv_{w}m_und")
    return outputs


def _partner() -> dict[str, pl.Expr]:
    """The own index against the other one."""
    spread = pl.col("iv_spread")
    w = LEVEL_WINDOW
    outputs = {
        f"c6_xsym_relative_strength_{w}m": 100.0
        * (pl.col(f"sum_r_und_{w}") - pl.col(f"sum_partner_r_und_{w}"))
        for w in SUM_WINDOWS
    }
    return outputs | {
        "c6_xsym_iv_spread": spread,
        f"c6_xsym_iv_spread_z_{w}m": ratio(
            spread - pl.col(f"mean_iv_spread_{w}"), pl.col(f"var_iv_spread_{w}").sqrt()
        ),
        f"c6_xsym_sign_agreement_{MEAN_WINDOW}m": pl.col(f"mean_agree_partner_{MEAN_WINDOW}"),
    }
