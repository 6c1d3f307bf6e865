"""The pairs of C6 and their rolling correlations.

Here: which series are paired over which windows; correlation, beta, trend of each.
Not here: the series (``c6_series.py``), the formula (``kernels/dependence.py``), what is made of
the correlations (``c6_correlation.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl

from mr_platform.features.c6_series import PAIRED_SCALES, SCORES
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.dependence import moments
from mr_platform.features.stacks import run_stacked
from mr_platform.features.streams import ASSETS
from mr_platform.gateways.frame_engine import FrameEngine

REPRESENTATIVES: tuple[str, ...] = (
    "c1_momentum", "c2_gamma", "c3_flow", "c4_skew", "c5_momentum",
)  # fmt: skip
"""The score that stands for each of the components 1 to 5."""

COMPONENT_PAIRS: Mapping[str, tuple[str, str]] = {
    f"c{i + 1}_c{j + 1}": (f"{REPRESENTATIVES[i]}_d1", f"{REPRESENTATIVES[j]}_d1")
    for i in range(5)
    for j in range(i + 1, 5)
}

ANCHORS: Mapping[str, tuple[str, str]] = {
    "strd_spot": ("r_strd", "r_und"),
    "strd_iv": ("r_strd", "d_iv"),
    "spot_iv": ("r_und", "d_iv"),
    "spot_fut": ("r_und", "r_fut"),
    "strd_optvol": ("r_strd", "optvol"),
    "spot_skew": ("r_und", "d_skew"),
}

TREND = "trend"
"""The pair of the minute index and the straddle's path, whose slope is wanted too."""

_STRADDLES = {
    "atm_itm1": ("r_strd", "r_itm1"),
    "atm_otm1": ("r_strd", "r_otm1"),
    "itm1_otm1": ("r_itm1", "r_otm1"),
    "ce_pe": ("r_ce", "r_pe"),
}
_GREEKS = {
    f"{one}_{other}": (f"d_n{one}", f"d_n{other}")
    for one, other in (
        ("delta", "gamma"), ("delta", "vega"), ("gamma", "theta"), ("vega", "theta"),
    )
}  # fmt: skip
_FLOWS = {
    "ceoi_peoi": ("d_oi_ce", "d_oi_pe"),
    "optvol_absoi": ("optvol", "d_oi_size"),
    "futoi_spot": ("d_foi", "r_und"),
    "pcr_spot": ("d_pcr", "r_und"),
}
_SMILE = {
    "atm_otmput": ("d_iv", "d_iv_otmput"),
    "atm_otmcall": ("d_iv", "d_iv_otmcall"),
    "otmput_otmcall": ("d_iv_otmput", "d_iv_otmcall"),
    "ce_pe": ("d_iv_ce", "d_iv_pe"),
}
_TECHNICAL = {
    "slope_strd_und": ("c5_ema_slope_20_strd", "c5_ema_slope_20_und"),
    "atr_strd_und": ("c5_atr_14_strd_d1", "c5_atr_14_und_d1"),
}
_TARGETS = {"strd": "r5_strd", "spot": "r5_und"}
_PARTNER = {
    "spot": "r_und", "strd": "r_strd", "iv": "d_iv", "pcr": "d_pcr", "optvol": "optvol",
    "fvol": "fvol",
}  # fmt: skip


def pairs_needed(w: int) -> int:
    """Observations that a window of w minutes needs: two thirds, rounded up."""
    return -(-2 * w // 3)


@dataclass(frozen=True)
class _PairSet:
    """Pairs that share their windows.

    Attributes:
        pairs: x and y by the head of the column's name, to which the window is appended; a head
            with the prefix ``c6_`` makes features as they stand.
        windows: Minutes.
        slopes: True where the slope of y on x is wanted beside the correlation.
    """

    pairs: Mapping[str, tuple[str, str]]
    windows: tuple[int, ...]
    slopes: bool = False


@cache
def _pair_sets() -> tuple[_PairSet, ...]:
    short = {f"c6_corr_{name}": pair for name, pair in _STRADDLES.items()}
    short |= {f"c6_anchor_{name}": pair for name, pair in ANCHORS.items()}
    middle = {f"c6_corr_greek_{name}": pair for name, pair in _GREEKS.items()}
    middle |= {f"c6_corr_flow_{name}": pair for name, pair in _FLOWS.items()}
    middle |= {f"c6_corr_iv_{name}": pair for name, pair in _SMILE.items()}
    middle |= {f"c6_corr_c5_{name}": pair for name, pair in _TECHNICAL.items()}
    middle |= {f"c6_corr_{name}": pair for name, pair in COMPONENT_PAIRS.items()}
    long = {
        f"c6_corr_{score}_{target}": (f"{score}_d5", series)
        for score in SCORES
        for target, series in _TARGETS.items()
    }
    long |= {
        "c6_xsym_lead_corr": ("r_und_before", "partner_r_und"),
        "c6_xsym_lag_corr": ("r_und", "partner_r_und_before"),
    }
    quick = {
        f"{what}_{k}": (f"{series}_{ASSETS[0]}_d1", f"{series}_{ASSETS[1]}_d1")
        for k in PAIRED_SCALES
        for what, series in (("rsi", f"rsi_{k}"), ("macd", f"macd_{k}_signal"))
    }
    partner = {f"c6_xsym_corr_{name}": (f"partner_{x}", x) for name, x in _PARTNER.items()}
    return (
        _PairSet(short, (15, 30, 60)),
        _PairSet({TREND: ("minute", "path_strd")}, (15, 30, 60), slopes=True),
        _PairSet(middle, (30, 60)),
        _PairSet(quick, (30,)),
        _PairSet(long, (60,)),
        _PairSet(partner, (30, 60, 120), slopes=True),
    )


def correlations(frame: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """Rolling correlations of all pairs.

    Args:
        frame: The columns of ``c6_series``.
        engine: Where to work it out.

    Returns:
        ``{head}_{w}m`` of every pair, clipped to [-1, 1], null below two thirds of the window or
        where a variance is zero; ``slope_{head}_{w}m`` where slopes are wanted. Rows as given.
    """
    found: list[pl.Series] = []
    for pair_set in _pair_sets():
        plan, outputs = _plan(pair_set.windows, pair_set.slopes)
        blocks = {head: {"x": x, "y": y} for head, (x, y) in pair_set.pairs.items()}
        found += run_stacked(frame, blocks, plan, outputs, engine)
    return pl.DataFrame(found)


@cache
def _plan(windows: tuple[int, ...], slopes: bool) -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    found = moments(p, "x", "y", windows)
    outputs = {f"{{}}_{w}m": found[w].correlation(pairs_needed(w)) for w in windows}
    if slopes:
        outputs |= {f"slope_{{}}_{w}m": found[w].slope(pairs_needed(w)) for w in windows}
    return p, outputs
