"""C1: the shape of the path that a price has taken in the session.

Here: Hurst exponent, permutation entropy, number of strike changes.
Not here: the other features of C1 (``c1_triple_straddle.py``, ``c1_momentum.py``).

Path value L: the running sum of held returns, null where the price is null; so a strike change
is no step in it.
"""

from __future__ import annotations

import math
from functools import cache

import polars as pl

from mr_platform.features.column_plan import INDEX, ColumnPlan
from mr_platform.features.kernels.windows import (
    TINY,
    change,
    forward_filled,
    lag,
    lag_or_zero,
    ratio,
    session_count,
    session_count_where,
    session_sum,
    window_count,
    window_count_where,
    window_sum,
)
from mr_platform.features.stacks import run_stacked
from mr_platform.gateways.frame_engine import FrameEngine

PATHS = {
    "atm": {"price": "strd", "move": "r_strd"},
    "fut": {"price": "fut", "move": "r_fut"},
}
"""Panel columns of the series whose path is measured: price and held return."""

HURST_MINUTES = 120
HURST_NEEDED = 80
HURST_LAGS = (1, 2, 4, 8, 16)
"""Minutes of the differences, powers of two."""

ENTROPY_MINUTES = 60
ENTROPY_NEEDED = 40

_ORDERS = 6
_DIGIT = 1 << 8
"""Six counts of at most 60 share one integer, eight bits each."""


def path_features(frame: pl.DataFrame, engine: FrameEngine) -> list[pl.Series]:
    """Hurst exponent and permutation entropy, 4 columns.

    Args:
        frame: Panel rows with the columns that ``PATHS`` names.
        engine: Where to work it out.

    Returns:
        Columns by name, rows as in ``frame``.
    """
    return run_stacked(frame, PATHS, *_path_plan(), engine)


@cache
def _path_plan() -> tuple[ColumnPlan, dict[str, pl.Expr]]:
    """Both of one series."""
    p = ColumnPlan()
    path = p.let(pl.when(pl.col("price").is_not_null()).then(session_sum(p, "move")))
    return p, {
        "c1_hurst_{}_120m": hurst(p, path),
        "c1_entropy_{}_60m": permutation_entropy(p, path),
    }


def hurst(p: ColumnPlan, path: pl.Expr) -> pl.Expr:
    """Generalised Hurst exponent of order 2 (Di Matteo 2007) over 120 minutes; a column.

    Least-squares slope of the log root mean squared difference on the log lag. Null where a
    difference of some lag is never above rounding.
    """
    slope: pl.Expr = pl.lit(0.0)
    for place, minutes in enumerate(HURST_LAGS):
        move = p.let(change(p, path, minutes))
        # both ends lie in the window when the later one is not among its first `minutes` bars
        span = HURST_MINUTES - minutes
        mean = p.let(ratio(window_sum(p, move * move, span), window_count(p, move, span)))
        height = pl.when(mean > TINY * TINY).then(mean).log() * 0.5
        # the middle lag has weight 0 and yet must exist: 0 times null is null
        slope = slope + (place - 2) * p.let(height)
    enough = window_count(p, path, HURST_MINUTES) >= HURST_NEEDED
    return p.let(pl.when(enough).then(slope / (10.0 * math.log(2.0))))


def permutation_entropy(p: ColumnPlan, path: pl.Expr) -> pl.Expr:
    """Permutation entropy of order 3 (Bandt and Pompe 2002) over 60 minutes; a column.

    Triples are successive valid values, all three inside the window. Values closer than ``TINY``
    are a tie, ranked by time: a price that comes back to an earlier one differs from it by the
    rounding of the running sum only.
    """
    mark = p.let(_triple_mark(p, path))
    # Up to two triples reach back behind the window: those that end at its first and at its
    # second valid bar. Marks add up to the counts of all six orders, so both are just deducted.
    first = p.over(p.let(pl.when(path.is_not_null()).then(mark)).fill_null(strategy="backward"))
    later = p.let(pl.when(pl.col(INDEX) < p.length - 1).then(first.shift(-1)))
    second = p.over(p.let(pl.when(path.is_not_null()).then(later)).fill_null(strategy="backward"))
    outside = p.let((first + second).fill_null(0))
    inside = p.let(
        window_sum(p, mark, ENTROPY_MINUTES) - lag_or_zero(p, outside, ENTROPY_MINUTES - 1)
    )
    # with fewer valid bars `first` and `second` may lie after t: those rows are null
    count = window_count(p, path, ENTROPY_MINUTES)
    triples = p.let((count - 2).cast(pl.Float64))
    entropy: pl.Expr = pl.lit(0.0)
    rest = inside
    for _ in range(_ORDERS):
        share = p.let((rest % _DIGIT).cast(pl.Float64) / triples)
        entropy = entropy - pl.when(share > 0).then(share * share.log()).otherwise(0.0)
        rest = p.let(rest // _DIGIT)
    scaled = (entropy / math.log(_ORDERS)).clip(0.0, 1.0)
    return p.let(pl.when(count >= ENTROPY_NEEDED).then(scaled))


def _triple_mark(p: ColumnPlan, path: pl.Expr) -> pl.Expr:
    """256^order of the triple that ends here, 0 without one (Int64)."""
    valid = path.is_not_null()
    before = p.let(pl.when(valid).then(p.let(lag(p, forward_filled(p, path), 1))))
    first = p.let(lag(p, forward_filled(p, before), 1))
    early, middle, whole = (
        p.let(later - sooner >= -TINY)
        for sooner, later in ((first, before), (before, path), (first, path))
    )
    marks = [pl.lit(_DIGIT**order, dtype=pl.Int64) for order in range(_ORDERS)]
    rising = (
        pl.when(middle).then(marks[0]).otherwise(pl.when(whole).then(marks[1]).otherwise(marks[2]))
    )
    falling = (
        pl.when(middle).then(pl.when(whole).then(marks[3]).otherwise(marks[4])).otherwise(marks[5])
    )
    order = pl.when(early).then(rising).otherwise(falling)
    complete = valid & before.is_not_null() & first.is_not_null()
    return pl.when(complete).then(order).otherwise(pl.lit(0, dtype=pl.Int64))


def strike_changes(p: ColumnPlan) -> dict[str, pl.Expr]:
    """Bars whose money strike differs from that of the bar present before.

    Args:
        p: Plan over panel rows.

    Returns:
        Outputs by name.
    """
    strike = p.let(pl.when(pl.col("present")).then(pl.col("atm_strike")))
    moved = p.let(strike != p.let(lag(p, forward_filled(p, strike), 1)))
    recent = window_count_where(p, moved, 30)
    whole = session_count_where(p, moved)
    return {
        "c1_restrike_30m": pl.when(window_count(p, strike, 30) >= 20).then(recent).cast(pl.Int64),
        "c1_restrike_session": pl.when(session_count(p, strike) >= 2).then(whole).cast(pl.Int64),
    }
