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

from mr_platform.features.c6_series import PAIRED_SCALES, REPRESENTATIVES, SCORES
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.dependence import moments
from mr_platform.features.stacks import run_stacked
from mr_platform.features.streams import ASSETS
from mr_platform.gateways.frame_engine import FrameEngine

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
    name: (f"partner_{series}", series)
    for name, series in (
        ("spot", "r_und"), ("strd", "r_strd"), ("iv", "d_iv"), ("pcr", "d_pcr"),
        ("optvol", "optvol"), ("fvol", "fvol"),
    )
}  # fmt: skip

BETA_SERIES: tuple[str, ...] = ("spot", "strd")
BETA_WINDOWS: tuple[int, ...] = (30, 60)
"""Pairs with the partner whose slope is wanted too, and its minutes."""


def pairs_needed(w: int) -> int:
    """Observations that a window of w minutes needs: two thirds, rounded up."""
    return -(-2 * w // 3)


@dataclass(frozen=True)
class Pair:
    """Two series and what is wanted of them.

    Attributes:
        x: One series.
        y: The other, which slopes explain.
        windows: Minutes of the correlations.
        slopes: Minutes of the slopes of y on x.
    """

    x: str
    y: str
    windows: tuple[int, ...]
    slopes: tuple[int, ...] = ()


SHORT, MIDDLE = (15, 30, 60), (30, 60)
"""Minutes over which pairs of one index are correlated: straddles and anchors, all others."""

PARTNER_WINDOWS = (30, 60, 120)
"""Minutes over which a pair of both indices is correlated."""


@cache
def pairs() -> Mapping[str, Pair]:
    """All pairs by the head of the column's name, to which the window is appended.

    A head with the prefix ``c6_`` makes features as they stand.
    """
    found = {f"c6_corr_{name}": Pair(*pair, SHORT) for name, pair in _STRADDLES.items()}
    found |= {f"c6_anchor_{name}": Pair(*pair, SHORT) for name, pair in ANCHORS.items()}
    found[TREND] = Pair("minute", "path_strd", SHORT, SHORT)
    for name, (x, y) in _PARTNER.items():
        slopes = BETA_WINDOWS if name in BETA_SERIES else ()
        found[f"c6_xsym_corr_{name}"] = Pair(x, y, PARTNER_WINDOWS, slopes)
    for family, named in (
        ("greek_", _GREEKS), ("flow_", _FLOWS), ("iv_", _SMILE), ("c5_", _TECHNICAL),
        ("", COMPONENT_PAIRS),
    ):  # fmt: skip
        found |= {f"c6_corr_{family}{name}": Pair(*pair, MIDDLE) for name, pair in named.items()}
    for score in SCORES:
        for target, series in _TARGETS.items():
            found[f"c6_corr_{score}_{target}"] = Pair(f"{score}_d5", series, (60,))
    found["c6_xsym_lead_corr"] = Pair("r_und_before", "partner_r_und", (60,))
    found["c6_xsym_lag_corr"] = Pair("r_und", "partner_r_und_before", (60,))
    for k in PAIRED_SCALES:
        for what, series in (("rsi", f"rsi_{k}"), ("macd", f"macd_{k}_signal")):
            x, y = (f"{series}_{asset}_d1" for asset in ASSETS)
            found[f"{what}_{k}"] = Pair(x, y, (30,))
    return found


@cache
def _stacks() -> tuple[Mapping[str, Pair], ...]:
    """Pairs that are worked out together, over the windows that any of them wants.

    What a pair does not want costs less than another stack: of a day, a window more is a few short
    columns, while a stack more is as many columns as a window has.
    """
    common = {head: pair for head, pair in pairs().items() if set(pair.windows) <= set(MIDDLE)}
    others = {head: pair for head, pair in pairs().items() if head not in common}
    return common, others


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
    for stacked in _stacks():
        plan, outputs = _plan(
            tuple(sorted({w for pair in stacked.values() for w in pair.windows})),
            tuple(sorted({w for pair in stacked.values() for w in pair.slopes})),
        )
        blocks = {head: {"x": pair.x, "y": pair.y} for head, pair in stacked.items()}
        found += run_stacked(frame, blocks, plan, outputs, engine)
    wanted = _wanted()
    return pl.DataFrame([column for column in found if column.name in wanted])


@cache
def _wanted() -> frozenset[str]:
    """Columns that some pair asks for."""
    rhos = {f"{head}_{w}m" for head, pair in pairs().items() for w in pair.windows}
    return frozenset(
        rhos | {f"slope_{head}_{w}m" for head, pair in pairs().items() for w in pair.slopes}
    )


@cache
def _plan(
    windows: tuple[int, ...], slopes: tuple[int, ...]
) -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan()
    found = moments(p, "x", "y", windows)
    outputs = {f"{{}}_{w}m": found[w].correlation(pairs_needed(w)) for w in windows}
    outputs |= {f"slope_{{}}_{w}m": found[w].slope(pairs_needed(w)) for w in slopes}
    return p, outputs
