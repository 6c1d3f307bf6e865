"""Reference of component 6: correlations inside the symbol, their matrix and the online core."""

from __future__ import annotations

import math

from mr_platform_tests.features.reference.c6_series import (
    MINUTES,
    Sight,
    diff1,
    five_minute_sum,
    rolling_pearson,
)
from mr_platform_tests.features.reference.plain import (
    clip,
    lag,
    mean,
    std,
    sub,
    valid,
    window,
    zscore,
)
from mr_platform_tests.features.reference.streams import Series, Value

PRICE_PAIRS = {
    "atm_itm1": ("r_strd", "r_itm1"),
    "atm_otm1": ("r_strd", "r_otm1"),
    "itm1_otm1": ("r_itm1", "r_otm1"),
    "ce_pe": ("r_ce", "r_pe"),
}
GREEK_PAIRS = ("delta_gamma", "delta_vega", "gamma_theta", "vega_theta")
FLOW_PAIRS = {
    "ceoi_peoi": ("d_oi_ce", "d_oi_pe"),
    "optvol_absoi": ("optvol", "abs_oi"),
    "futoi_spot": ("d_foi", "r_und"),
    "pcr_spot": ("d_pcr", "r_und"),
}
IV_PAIRS = {
    "atm_otmput": ("d_iv", "d_iv_otmput"),
    "atm_otmcall": ("d_iv", "d_iv_otmcall"),
    "otmput_otmcall": ("d_iv_otmput", "d_iv_otmcall"),
    "ce_pe": ("d_iv_ce", "d_iv_pe"),
}
ANCHORS = {
    "strd_spot": ("r_strd", "r_und"),
    "strd_iv": ("r_strd", "d_iv"),
    "spot_iv": ("r_und", "d_iv"),
    "spot_fut": ("r_und", "r_fut"),
    "strd_optvol": ("r_strd", "optvol"),
    "spot_skew": ("r_und", "d_skew"),
}
REPRESENTATIVES = {
    "c1": "c1_momentum_score",
    "c2": "c2_gamma_exposure",
    "c3": "c3_institutional_flow_score",
    "c4": "c4_skew_bias_score",
    "c5": "c5_momentum_score",
}
INTER_PAIRS = (
    "c1_c2",
    "c1_c3",
    "c1_c4",
    "c1_c5",
    "c2_c3",
    "c2_c4",
    "c2_c5",
    "c3_c4",
    "c3_c5",
    "c4_c5",
)
SCORES = {
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


def pair_columns(sight: Sight) -> None:
    """Correlations of named pairs of series."""
    out, get = sight.columns, sight.series.get
    for pair, (x, y) in PRICE_PAIRS.items():
        for w in (15, 30, 60):
            out[f"c6_corr_{pair}_{w}m"] = rolling_pearson(get(x), get(y), w)
    for w in (30, 60):
        for pair in GREEK_PAIRS:
            one, two = pair.split("_")
            out[f"c6_corr_greek_{pair}_{w}m"] = rolling_pearson(
                get(f"d_n{one}"), get(f"d_n{two}"), w
            )
        for pair, (x, y) in FLOW_PAIRS.items():
            out[f"c6_corr_flow_{pair}_{w}m"] = rolling_pearson(get(x), get(y), w)
        for pair, (x, y) in IV_PAIRS.items():
            out[f"c6_corr_iv_{pair}_{w}m"] = rolling_pearson(get(x), get(y), w)
        out[f"c6_corr_c5_slope_strd_und_{w}m"] = rolling_pearson(
            sight.score("c5_ema_slope_20_strd"), sight.score("c5_ema_slope_20_und"), w
        )
        out[f"c6_corr_c5_atr_strd_und_{w}m"] = rolling_pearson(
            diff1(sight.score("c5_atr_14_strd")), diff1(sight.score("c5_atr_14_und")), w
        )


def score_columns(sight: Sight) -> None:
    """Correlations between components, and of their scores with the prices."""
    out = sight.columns
    changes = {name: diff1(sight.score(column)) for name, column in REPRESENTATIVES.items()}
    for pair in INTER_PAIRS:
        one, two = pair.split("_")
        for w in (30, 60):
            out[f"c6_corr_{pair}_{w}m"] = rolling_pearson(changes[one], changes[two], w)
    targets = {
        "strd": five_minute_sum(sight.series.get("r_strd")),
        "spot": five_minute_sum(sight.series.get("r_und")),
    }
    for name, column in SCORES.items():
        score = sight.score(column)
        moved = [sub(score[j], lag(score, j, 5)) for j in range(MINUTES)]
        for target, returns in targets.items():
            out[f"c6_corr_{name}_{target}_60m"] = rolling_pearson(moved, returns, 60)


def matrix_columns(sight: Sight) -> None:
    """Statistics over the ten correlations between components."""
    out = sight.columns
    for w in (30, 60):
        rhos = [out[f"c6_corr_{pair}_{w}m"] for pair in INTER_PAIRS]
        for stat in ("mean", "mean_abs", "dispersion", "effective_rank", "shift"):
            out[f"c6_matrix_{stat}_{w}m"] = []
        for j in range(MINUTES):
            now = valid([rho[j] for rho in rhos])
            steps = valid([sub(rho[j], lag(rho, j, w)) for rho in rhos])
            squares = sum(rho * rho for rho in now)
            out[f"c6_matrix_mean_{w}m"].append(mean(now, 8))
            out[f"c6_matrix_mean_abs_{w}m"].append(mean([abs(rho) for rho in now], 8))
            out[f"c6_matrix_dispersion_{w}m"].append(std(now, 1, 8))
            out[f"c6_matrix_effective_rank_{w}m"].append(
                25 / (5 + 2 * squares) if len(now) == len(INTER_PAIRS) else None
            )
            moved = mean([step * step for step in steps], 8)
            out[f"c6_matrix_shift_{w}m"].append(None if moved is None else math.sqrt(moved))


def anchor_columns(sight: Sight) -> None:
    """Anchor correlations, their Fisher z-scores and their volatility."""
    out, get = sight.columns, sight.series.get
    for pair, (x, y) in ANCHORS.items():
        for w in (15, 30, 60):
            out[f"c6_anchor_{pair}_{w}m"] = rolling_pearson(get(x), get(y), w)
        fisher: Series = []
        for rho in out[f"c6_anchor_{pair}_30m"]:
            held_in = clip(rho, -0.999, 0.999)
            fisher.append(None if held_in is None else math.atanh(held_in))
        out[f"c6_anchor_z_{pair}"] = [
            zscore(fisher[j], fisher[max(0, j - 120) : j], 45) for j in range(MINUTES)
        ]
        out[f"c6_anchor_vol_{pair}"] = [std(window(fisher, j, 60), 1, 30) for j in range(MINUTES)]


def alert_level(n: int) -> int:
    """0 to 3 from the number of broken pairs."""
    if n >= 4:
        return 3
    return 2 if n >= 2 else n


def core_columns(sight: Sight) -> None:
    """Agreement, breakdown and stability."""
    out = sight.columns
    stems = [f"c6_anchor_{pair}" for pair in ANCHORS] + [f"c6_corr_{p}" for p in INTER_PAIRS]
    agreement: Series = []
    alerts: Series = []
    stability: Series = []
    for j in range(MINUTES):
        gaps: list[Value] = []
        for stem in stems:
            gap = sub(out[f"{stem}_30m"][j], out[f"{stem}_60m"][j])
            gaps.append(None if gap is None else abs(gap) / 2)
        mean_gap = mean(gaps, 8)
        agreement.append(None if mean_gap is None else 1 - mean_gap)
        scores = valid([out[f"c6_anchor_z_{pair}"][j] for pair in ANCHORS])
        broken = sum(1 for z in scores if abs(z) >= 2)
        alerts.append(alert_level(broken) if len(scores) >= 4 else None)
        volatility = mean([out[f"c6_anchor_vol_{pair}"][j] for pair in ANCHORS], 4)
        stability.append(None if volatility is None else math.exp(-2 * volatility))
    out["c6_correlation_agreement_score"] = agreement
    out["c6_breakdown_alert"] = alerts
    out["c6_system_stability_score"] = stability
