"""C4 across expiries: term structure of volatility and of skew, the same for every expiry.

Here: the ranking of a minute's expiries and the features made of ranks 1, 2, 3.
Not here: an expiry's own volatility (``smile_series.py``, ``c4_iv_skew.py``).
"""

from __future__ import annotations

from functools import cache

import polars as pl

from mr_platform.chain.sessions import MINUTES_PER_YEAR
from mr_platform.features.chain_grid import DAY
from mr_platform.features.column_plan import GROUP, INDEX, ColumnPlan
from mr_platform.features.inputs import FeatureInputs, spread, underlying
from mr_platform.features.kernels.windows import TINY, lag, log, ratio
from mr_platform.trading_calendar import SESSION_MINUTES

RANKED_MINUTES = 60
"""An expiry is ranked while at least so many minutes are left."""

CHANGE_WINDOWS = (5, 15, 30)
"""Minutes over which the slope between ranks 1 and 2 is compared."""

STEEP = 0.10
"""Log ratio from which the term structure counts as steep."""

INCLINED = 0.02
"""Log ratio from which it counts as inclined at all."""

SLOPE_EXPIRIES = 3
"""Ranked expiries that a slope over all of them needs."""

_MINUTE = "minute"  # u * 375 + j
_RANKS = (1, 2, 3)
_FIRST = _RANKS[:2]


def term_structure(inputs: FeatureInputs) -> pl.DataFrame:
    """Features of the ranked expiries, one row a panel row.

    Args:
        inputs: Inputs of C4.

    Returns:
        c4_ts_… (log_ratio_12, log_ratio_23, forward_premium_12, slope, log_ratio_12_chg_…),
        c4_skew_ts_12, c4_term_structure_signal.
    """
    plan, outputs = _plan()
    minutes = inputs.engine.collect(_minutes(inputs.panel))
    days = plan.run(minutes.lazy(), outputs, keep=[DAY, INDEX])
    return inputs.engine.collect(spread(days, inputs.panel))


def _minutes(panel: pl.DataFrame) -> pl.LazyFrame:
    """Every minute of every (symbol, date): values of the ranked expiries, sums over all ranks."""
    minute = (pl.col(DAY).cast(pl.Int64) * SESSION_MINUTES + pl.col(INDEX)).alias(_MINUTE)
    grid = underlying(panel, []).select(minute, DAY, INDEX)
    ranked = (
        panel.lazy()
        .filter((pl.col("tau") >= RANKED_MINUTES / MINUTES_PER_YEAR) & (pl.col("iv_atm") > 0))
        .select(
            minute, GROUP, "iv_atm", "s4_rr25", "tau",
            pl.col("tau").log().alias("x"),
            pl.col("iv_atm").log().alias("y"),
        )
        .sort(_MINUTE, GROUP)  # groups of a (symbol, date) ascend by expiry_date
        .with_columns(one=pl.lit(1, pl.Int32))
        .with_columns(pl.col("one").cum_sum().over(_MINUTE).alias("rank"))
        .with_columns(pl.col(_MINUTE).set_sorted())
    )  # fmt: skip
    picks = [
        pl.when(pl.col("rank") == rank).then(pl.col(source)).max().alias(f"{name}_{rank}")
        for name, source, ranks in (
            ("iv", "iv_atm", _RANKS), ("rr25", "s4_rr25", _FIRST), ("tau", "tau", _FIRST),
            ("g", GROUP, _FIRST),
        )
        for rank in ranks
    ]  # fmt: skip
    x, y = pl.col("x"), pl.col("y")
    sums = [
        pl.len().alias("n"),
        x.sum().alias("sx"),
        y.sum().alias("sy"),
        (x * x).sum().alias("sxx"),
        (x * y).sum().alias("sxy"),
    ]
    expiries = ranked.group_by(_MINUTE, maintain_order=True).agg(picks + sums)
    return grid.join(expiries, on=_MINUTE, how="left", maintain_order="left")


@cache
def _plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    p = ColumnPlan(group=DAY)
    first, second, third = (pl.col(f"iv_{rank}") for rank in _RANKS)
    near, far = pl.col("tau_1"), pl.col("tau_2")
    ratio_12 = p.let(log(ratio(second, first)))
    forward = ratio(second * second * far - first * first * near, far - near)
    outputs = {
        "c4_ts_log_ratio_12": ratio_12,
        "c4_ts_log_ratio_23": log(ratio(third, second)),
        "c4_ts_forward_premium_12": pl.when(forward > 0).then(forward).sqrt() / first - 1.0,
        "c4_ts_slope": _slope(),
        "c4_skew_ts_12": pl.col("rr25_1") - pl.col("rr25_2"),
        "c4_term_structure_signal": _signal(p.let(log(ratio(first, second)))),
    }
    for w in CHANGE_WINDOWS:
        same = (pl.col("g_1") == lag(p, "g_1", w)) & (pl.col("g_2") == lag(p, "g_2", w))
        change = ratio_12 - lag(p, ratio_12, w)
        outputs[f"c4_ts_log_ratio_12_chg_{w}m"] = pl.when(same).then(change)
    return p, outputs


def _slope() -> pl.Expr:
    """Least-squares slope of ln iv on ln T over all ranks."""
    n, sx, sxx = pl.col("n"), pl.col("sx"), pl.col("sxx")
    spread_x = n * sxx - sx * sx
    enough = (n >= SLOPE_EXPIRIES) & (spread_x > TINY * n * sxx)
    return pl.when(enough).then((n * pl.col("sxy") - sx * pl.col("sy")) / spread_x)


def _signal(s: pl.Expr) -> pl.Expr:
    """2 steep backwardation, 1 backwardation, 0 flat, -1 contango, -2 steep contango."""
    return (
        pl.when(s >= STEEP).then(2)
        .when(s >= INCLINED).then(1)
        .when(s <= -STEEP).then(-2)
        .when(s <= -INCLINED).then(-1)
        .when(s.is_not_null()).then(0)
    )  # fmt: skip
