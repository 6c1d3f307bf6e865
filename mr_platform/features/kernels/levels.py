"""Lines drawn from the high, low and close of a finished period: floor pivots, central pivot range.

Here: pivots and central pivot range of one period, the place of a price against them.
Not here: which period and of which series (``features/level_history.py``), distances and touches
(component modules).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mr_platform.features.kernels.windows import ratio


@dataclass(frozen=True)
class Pivots:
    """Lines of a period in units of its price; each null where one of H, L, C it needs is null.

    Attributes:
        high: Greatest price of the period.
        low: Least price of the period.
        pp: Pivot, the mean of high, low and close.
        r1: First resistance.
        s1: First support.
        r2: Second resistance.
        s2: Second support.
        bc: Middle of the range, an edge of the central pivot range.
        tc: Mirror image of ``bc`` at the pivot, the other edge; above or below ``bc``.
    """

    high: pl.Expr
    low: pl.Expr
    pp: pl.Expr
    r1: pl.Expr
    s1: pl.Expr
    r2: pl.Expr
    s2: pl.Expr
    bc: pl.Expr
    tc: pl.Expr


def pivots(high: str | pl.Expr, low: str | pl.Expr, close: str | pl.Expr) -> Pivots:
    """Floor-trader pivots (Person 2004) and central pivot range (Ochoa 2010) of a period."""
    h, l, c = (pl.col(x) if isinstance(x, str) else x for x in (high, low, close))  # noqa: E741
    pp = (h + l + c) / 3.0
    bc = (h + l) / 2.0
    return Pivots(
        high=h,
        low=l,
        pp=pp,
        r1=2.0 * pp - l,
        s1=2.0 * pp - h,
        r2=pp + (h - l),
        s2=pp - (h - l),
        bc=bc,
        tc=2.0 * pp - bc,
    )


def range_width(lines: Pivots) -> pl.Expr:
    """Width of the central pivot range in percent of the pivot."""
    return 100.0 * ratio((lines.tc - lines.bc).abs(), lines.pp)


def range_position(price: pl.Expr, lines: Pivots) -> pl.Expr:
    """(price - pivot) / (high - low): place in ranges of the period; null where it had no range."""
    return ratio(price - lines.pp, lines.high - lines.low)


def range_side(price: pl.Expr, lines: Pivots) -> pl.Expr:
    """1 above the central pivot range, -1 below it, 0 inside or on an edge (Int32)."""
    above = price > pl.max_horizontal(lines.tc, lines.bc)
    below = price < pl.min_horizontal(lines.tc, lines.bc)
    known = price.is_not_null() & lines.tc.is_not_null()
    return pl.when(known).then(above.cast(pl.Int32) - below.cast(pl.Int32))
