"""C6 features of RSI and MACD at several scales, and how far the components agree.

Here: divergence, convergence, agreement of straddle and underlying, consensus of scales.
Not here: RSI and MACD themselves (``c6_series.py``, ``streams.py``).
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.features.c6_series import PAIRED_SCALES, RSI_MIDDLE, RSI_SCALES
from mr_platform.features.c6_windows import MEAN_WINDOW
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.kernels.across import count_across, mean_across, sum_across
from mr_platform.features.kernels.windows import lag, ratio, session_rms, sign
from mr_platform.features.streams import MACD_SCALES
from mr_platform.gateways.frame_engine import FrameEngine

SCALES_NEEDED = 2
"""Scales that a consensus needs, of four."""

TERMS_NEEDED = 3
"""Terms that agreement and coherence need, of four."""

CONVERGENCE_MINUTES = 5

EXPANDING_NEEDED = 15
"""Minutes of a session before its running mean square is used."""

DIVERGENCES: tuple[tuple[int, int], ...] = ((3, 5), (5, 10))
"""Scales, the shorter first, whose RSI are compared."""

_INPUTS = (
    GROUP, INDEX, "a14_und", "r5_und", "c3_flow", "c5_momentum",
    *(f"rsi_{k}_und" for k in RSI_SCALES),
    *(f"macd_{k}_hist_und" for k in MACD_SCALES),
)  # fmt: skip


def c6_momentum(
    series: pl.DataFrame, pairs: pl.DataFrame, sums: pl.DataFrame, engine: FrameEngine
) -> pl.DataFrame:
    """The features of the module.

    Args:
        series: ``c6_series.c6_series``.
        pairs: ``c6_pairs.correlations``.
        sums: ``c6_windows.window_statistics``.
        engine: Where to work it out.

    Returns:
        One column a feature, rows as given.
    """
    plan, outputs = _plan()
    w = MEAN_WINDOW
    found = plan.compute(series.select(_INPUTS), outputs, engine)
    taken: list[pl.Series] = []
    for k in PAIRED_SCALES:
        for name, column in (
            (f"c6_rsi_cross_correlation_{k}min", pairs[f"rsi_{k}_{w}m"]),
            (f"c6_macd_signal_correlation_{k}min", pairs[f"macd_{k}_{w}m"]),
            (f"c6_rsi_price_agreement_{k}min", sums[f"mean_agree_rsi_{k}_{w}"]),
            (f"c6_rsi_regime_coherence_{k}min", sums[f"mean_together_rsi_{k}_{w}"]),
            (f"c6_macd_trend_agreement_{k}min", sums[f"mean_together_macd_{k}_{w}"]),
        ):
            taken.append(column.alias(name))
    return found.hstack(taken)


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    outputs = {
        f"c6_rsi_divergence_{short}min_{long}min": (
            pl.col(f"rsi_{short}_und") - pl.col(f"rsi_{long}_und")
        )
        / 100.0
        for short, long in DIVERGENCES
    }
    reach = pl.col("a14_und")
    for k in PAIRED_SCALES:
        size = p.let(pl.col(f"macd_{k}_hist_und").abs())
        before = lag(p, size, CONVERGENCE_MINUTES)
        outputs[f"c6_macd_histogram_convergence_{k}min"] = ratio(before - size, reach)
        outputs[f"c6_macd_momentum_strength_{k}min"] = ratio(size, reach)
    return p, outputs | _consensus(p)


def _consensus(p: ColumnPlan) -> dict[str, pl.Expr]:
    rsi = mean_across(
        p, [(pl.col(f"rsi_{k}_und") - RSI_MIDDLE) / RSI_MIDDLE for k in RSI_SCALES], SCALES_NEEDED
    )
    macd = mean_across(
        p,
        [ratio(pl.col(f"macd_{k}_hist_und"), pl.col("a14_und")).tanh() for k in MACD_SCALES],
        SCALES_NEEDED,
    )
    flow, trend = pl.col("c3_flow"), pl.col("c5_momentum")
    votes = [p.let(sign(x)) for x in (flow, trend, pl.col("r5_und"), rsi)]
    count, total = p.let(count_across(votes)), p.let(sum_across(votes))
    alike = p.let(sum_across([vote * vote for vote in votes]))
    # the sum of v_i * v_j over pairs is half of (sum v)² - sum v²; of n votes n (n - 1) / 2 pairs
    agreement = (total * total - alike) / (count * (count - 1))
    flow_norm = p.let(ratio(flow, session_rms(p, flow, EXPANDING_NEEDED)).tanh())
    terms = [rsi, macd, trend, flow_norm]
    coherence = ratio(sum_across(terms).abs(), sum_across([term.abs() for term in terms]))
    enough = count_across(terms) >= TERMS_NEEDED
    return {
        "c6_multi_timeframe_rsi_consensus": rsi,
        "c6_multi_timeframe_macd_consensus": macd,
        "c6_cross_component_momentum_agreement": pl.when(count >= TERMS_NEEDED).then(agreement),
        "c6_overall_momentum_system_coherence": pl.when(enough).then(coherence.clip(0.0, 1.0)),
    }
