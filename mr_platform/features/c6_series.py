"""The series that C6 correlates: differences, returns, flows, the partner symbol's values.

Here: one column for each series, on the panel's rows.
Not here: which of them are paired (``c6_pairs.py``), series that other components share
(``price_series.py``, ``streams.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import polars as pl

from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.inputs import ROW_KEYS, FeatureInputs, groups
from mr_platform.features.kernels.oscillators import rsi_cutler
from mr_platform.features.kernels.windows import (
    bridged,
    change,
    diff1,
    lag,
    log,
    ratio,
    rolling_sum,
    session_sum,
    sign,
)
from mr_platform.features.stacks import run_stacked
from mr_platform.features.streams import ASSETS, MACD_SCALES, streams
from mr_platform.trading_calendar import SESSION_MINUTES

SCORES: Mapping[str, str] = {
    "c1_momentum": "c1_momentum_score",
    "c1_compression": "c1_vol_compression",
    "c1_breakout": "c1_breakout_probability",
    "c2_gamma": "c2_gamma_exposure",
    "c2_pin": "c2_pin_risk_score",
    "c3_flow": "c3_institutional_flow_score",
    "c3_range": "c3_range_expansion_score",
    "c4_skew": "c4_skew_bias_score",
    "c5_momentum": "c5_momentum_score",
    "c5_strdmom": "c5_straddle_momentum_score",
}
"""Scores of earlier components that are set against prices, by their short name here."""

REPRESENTATIVES: tuple[str, ...] = (
    "c1_momentum", "c2_gamma", "c3_flow", "c4_skew", "c5_momentum",
)  # fmt: skip
"""The score that stands for each of the components 1 to 5."""

TECHNICALS: tuple[str, ...] = (
    "c5_ema_slope_20_strd", "c5_ema_slope_20_und", "c5_atr_14_strd", "c5_atr_14_und",
    "c5_rv_30m_und", "c5_rv_60m_und", "c5_atr_daily_14d_und",
)  # fmt: skip
"""Further columns of C5 that C6 reads."""

RSI_SCALES: tuple[int, ...] = (3, 5, 10, 15)
"""Scales of the RSI of the underlying."""

PAIRED_SCALES: tuple[int, ...] = (3, 5)
"""Scales at which straddle and underlying are compared."""

PRICES: Mapping[str, str] = {"strd": "strd", "und": "spot"}
RETURNS: Mapping[str, str] = {"strd": "r_strd", "und": "r_und"}

RSI_MIDDLE = 50.0

RETURN_MINUTES = 5
"""Minutes of a five-minute return or change."""

RETURN_NEEDED = 4
"""One-minute returns that a five-minute return needs."""

THETA_MINUTES_PER_DAY = 375.0
"""Session minutes over which a calendar day's theta is spread (config default)."""

THETA_MINUTES_ON_EXPIRY_DAY = 1440.0
"""At dte = 0 no night is left that the session would have to carry."""

PARTNERS: Mapping[str, str] = {"NIFTY": "BANKNIFTY", "BANKNIFTY": "NIFTY"}

PARTNER_SERIES: tuple[str, ...] = ("r_und", "r_strd", "iv", "d_iv", "d_pcr", "optvol", "fvol")
"""Series of the partner, each as ``partner_{name}``."""

_OWN = (
    "spot", "r_und", "r_fut", "strd", "r_strd", "r_itm1", "r_otm1", "r_ce", "r_pe", "iv", "d_iv",
    "d_iv_ce", "d_iv_pe", "d_iv_otmput", "d_iv_otmcall", "d_skew", "d_ndelta", "d_ngamma",
    "d_ntheta", "d_nvega",
)  # fmt: skip
_FLOW_INPUTS = ("oi_ce", "oi_pe", "chain_volume", "fut_volume", "fut_oi")
_THETA_INPUTS = ("dte", "atm_ce_theta", "atm_pe_theta")
_STREAMS = (
    "a14_und",
    *(f"macd_{k}_hist_und" for k in MACD_SCALES),
    *(f"macd_{k}_hist_strd" for k in PAIRED_SCALES),
    *(f"macd_{k}_signal_{asset}" for k in PAIRED_SCALES for asset in ASSETS),
)
_STEPPED = (
    *REPRESENTATIVES, "c5_atr_14_strd", "c5_atr_14_und",
    *(f"rsi_{k}_{asset}" for k in PAIRED_SCALES for asset in ASSETS),
    *(f"macd_{k}_signal_{asset}" for k in PAIRED_SCALES for asset in ASSETS),
)  # fmt: skip
"""Series whose one-minute differences are paired."""
_CELL_PLACES = 1 << 32
_DTE_PLACES = 1 << 12


def c6_series(inputs: FeatureInputs) -> pl.DataFrame:
    """Everything that C6 pairs, sums or compares, one column each.

    Args:
        inputs: Panel, partner, components and ``hist_minute``.

    Returns:
        The panel's rows in the panel's order: g, j, the panel's own series; scores by their
        short name, ``TECHNICALS``; streams; ``rsi_{k}_{asset}``; differences ``{x}_d1`` over a
        minute and ``{score}_d5`` over five; flows; ``partner_{x}``; terms of window sums
        (``_derived``).
    """
    engine, panel = inputs.engine, inputs.panel
    frame = panel.select(GROUP, INDEX, *_OWN, *_FLOW_INPUTS, *_THETA_INPUTS)
    for part in (_components(inputs), streams(inputs, _STREAMS), _partner(inputs)):
        frame = frame.hstack(part.get_columns())
    plan, outputs = _relative_strength()
    price = {asset: {"price": PRICES[asset]} for asset in ASSETS}
    frame = frame.hstack(run_stacked(frame, price, plan, outputs, engine))
    plan, outputs = _steps()
    frame = frame.hstack(
        run_stacked(frame, {name: {"x": name} for name in _STEPPED}, plan, outputs, engine)
    )
    plan, outputs = _derived()
    derived = plan.compute(frame, outputs, engine)
    return frame.hstack(derived.get_columns())


@cache
def _relative_strength() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    return p, {f"rsi_{k}_{{}}": rsi_cutler(p, "price", k) for k in PAIRED_SCALES}


@cache
def _steps() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    return p, {"{}_d1": diff1(p, "x")}


@cache
def _derived() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Series made of the others.

    ``theta_gap``: realised minus model decay of the minute. ``agree_*``: 1 where two signs are
    equal and not zero, else 0. ``together_*``: product of two signs.
    """
    p = ColumnPlan()
    own, other = (p.let(sign(pl.col(name))) for name in ("r_und", "partner_r_und"))
    minutes = pl.when(pl.col("dte") == 0).then(THETA_MINUTES_ON_EXPIRY_DAY)
    theta = (pl.col("atm_ce_theta") + pl.col("atm_pe_theta")) / minutes.otherwise(
        THETA_MINUTES_PER_DAY
    )
    outputs = {
        **_flows(p),
        "minute": pl.col(INDEX).cast(pl.Float64),
        "path_strd": pl.when(pl.col("r_strd").is_not_null()).then(session_sum(p, "r_strd")),
        "r_und_before": lag(p, "r_und", 1),
        "partner_r_und_before": lag(p, "partner_r_und", 1),
        "theta_gap": pl.col("r_strd") - ratio(theta, pl.col("strd")),
        "iv_spread": pl.col("iv") - pl.col("partner_iv"),
        # only minutes in which both indices move
        "agree_partner": pl.when((own != 0) & (other != 0)).then((own == other).cast(pl.Float64)),
    }
    for k in RSI_SCALES:
        if k not in PAIRED_SCALES:
            outputs[f"rsi_{k}_und"] = rsi_cutler(p, PRICES["und"], k)
    for score in SCORES:
        outputs[f"{score}_d5"] = change(p, score, RETURN_MINUTES)
    for asset in ASSETS:
        outputs[f"r5_{asset}"] = rolling_sum(p, RETURNS[asset], RETURN_MINUTES, RETURN_NEEDED)
    for k in PAIRED_SCALES:
        side = {a: p.let(sign(pl.col(f"rsi_{k}_{a}") - RSI_MIDDLE, RSI_MIDDLE)) for a in ASSETS}
        move = p.let(sign(change(p, "spot", k), pl.col("spot")))
        outputs[f"agree_rsi_{k}"] = pl.when(side["und"].is_not_null() & move.is_not_null()).then(
            (side["und"] * move == 1.0).cast(pl.Float64)
        )
        outputs[f"together_rsi_{k}"] = side["und"] * side["strd"]
        push = {a: sign(pl.col(f"macd_{k}_hist_{a}"), pl.col(PRICES[a])) for a in ASSETS}
        outputs[f"together_macd_{k}"] = push["und"] * push["strd"]
    return p, outputs


def _flows(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Open interest and volume of the minute, from chain sums and the future.

    Changes of open interest are measured from the last of the three minutes before at which
    both sums are valid.
    """
    known = pl.col("oi_ce").is_not_null() & pl.col("oi_pe").is_not_null()
    calls = p.let(pl.when(known).then(pl.col("oi_ce").cast(pl.Float64)))
    puts = p.let(pl.when(known).then(pl.col("oi_pe").cast(pl.Float64)))
    calls_before, puts_before = bridged(p, calls)[0], bridged(p, puts)[0]
    total_before = calls_before + puts_before
    d_calls = p.let(ratio(calls - calls_before, total_before))
    d_puts = p.let(ratio(puts - puts_before, total_before))
    return {
        "d_oi_ce": d_calls,
        "d_oi_pe": d_puts,
        "d_oi_size": (d_calls + d_puts).abs(),
        "d_pcr": diff1(p, log(ratio(puts, calls))),
        "optvol": log(1.0 + pl.col("chain_volume")),
        "fvol": log(1.0 + pl.col("fut_volume")),
        "d_foi": diff1(p, log(pl.col("fut_oi").cast(pl.Float64))),
    }


# -- columns from elsewhere -----------------------------------------------------------------------


def _components(inputs: FeatureInputs) -> pl.DataFrame:
    """Scores by their short name and ``TECHNICALS``, null where a component has no row."""
    wanted: dict[str, list[pl.Expr]] = {}
    for short, name in {**SCORES, **{name: name for name in TECHNICALS}}.items():
        column = pl.col(name).cast(pl.Float64).alias(short)
        wanted.setdefault(name.split("_")[0], []).append(column)
    frame = inputs.panel.lazy().select(ROW_KEYS)
    for component, columns in wanted.items():
        table = inputs.components.get(component)
        if table is None:
            names = [column.meta.output_name() for column in columns]
            frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
        else:
            frame = frame.join(
                table.select(*ROW_KEYS, *columns),
                on=list(ROW_KEYS), how="left", maintain_order="left",
            )  # fmt: skip
    return inputs.engine.collect(frame.select(*SCORES, *TECHNICALS))


def _partner(inputs: FeatureInputs) -> pl.DataFrame:
    """``PARTNER_SERIES`` of the other symbol at the same minute.

    Among the other symbol's expiries quoted in that minute the one whose dte is nearest, the
    smaller of two equally near: what is quoted later in the day decides nothing.
    """
    panel = inputs.panel
    if inputs.partner is None:
        names = [f"partner_{name}" for name in PARTNER_SERIES]
        return pl.DataFrame(schema=dict.fromkeys(names, pl.Float64)).clear(panel.height)
    keys = ["symbol", "date", "dte"]
    own = inputs.engine.collect(groups(panel, keys)).with_columns(
        wanted=pl.col("symbol").replace_strict(PARTNERS, default=None)
    )
    others = inputs.partner.filter(pl.col("symbol").is_in(own.get_column("wanted").to_list()))
    plan, outputs = _partner_plan()
    series = plan.compute(others, outputs, inputs.engine)
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    rows = others.select(GROUP, INDEX, "present", place.alias("place"))
    order = (pl.col("dte") - pl.col("dte_other")).abs() * _DTE_PLACES + pl.col("dte_other")
    offers = (
        own.lazy()
        .join(
            groups(others, keys),
            left_on=["wanted", "date"], right_on=["symbol", "date"], suffix="_other",
        )
        .select(
            pl.col(GROUP).cast(pl.Int64).alias("own"),
            pl.col(f"{GROUP}_other").alias(GROUP),
            (order * _CELL_PLACES).alias("order"),
        )
    )  # fmt: skip
    chosen = (
        rows.lazy()
        .filter("present")
        .join(offers, on=GROUP)
        .group_by((pl.col("own") * SESSION_MINUTES + pl.col(INDEX)).alias("cell"))
        .agg((pl.col("order") + pl.col("place")).min().alias("best"))
        .select("cell", (pl.col("best") % _CELL_PLACES).alias("place"))
    )
    matched = (
        panel.lazy()
        .select((pl.col(GROUP).cast(pl.Int64) * SESSION_MINUTES + pl.col(INDEX)).alias("cell"))
        .join(chosen, on="cell", how="left", maintain_order="left")
        .join(
            series.with_columns(place=place).lazy(),
            on="place", how="left", maintain_order="left",
        )
        .select(f"partner_{name}" for name in PARTNER_SERIES)
    )  # fmt: skip
    return inputs.engine.collect(matched)


@cache
def _partner_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    flows = _flows(p)
    known = {name: flows.get(name, pl.col(name)) for name in PARTNER_SERIES}
    return p, {f"partner_{name}": value for name, value in known.items()}
