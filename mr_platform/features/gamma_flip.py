"""Where the dealers' gamma changes its sign: the zero of N(f) nearest to the forward.

Here: N(f) = sum over chain of (ce_oi·gamma(f, K, ce_iv) - pe_oi·gamma(f, K, pe_iv)) on the grid
f = F·(1 + i/400), i = -12 .. 12, and its zero, linear between grid points.
Not here: which legs are valid (``greek_legs.py``), the exposures at the forward itself
(``greek_series.py``).

The grid is walked outwards in rings. A zero between grid points i - 1 and i, on either side, is
nearer to F than any zero further out, so a minute that has found its zero needs no further
points: the same number as from all 25, for a third of the exponentials. Moving F to f moves d1
by ln(f/F) / (s·sqrt(tau)), so the logarithm of moneyness is taken once.
"""

from __future__ import annotations

import math

import polars as pl

from mr_platform.features.chain_grid import CELL, per_run
from mr_platform.features.greek_legs import SIDES
from mr_platform.gateways.frame_engine import FrameEngine

POINTS_PER_UNIT = 400
"""Grid points in a move of the forward by its own size: 0.25 % apart."""

PERCENT_PER_POINT = 100.0 / POINTS_PER_UNIT

RINGS: tuple[int, ...] = (3, 7, 12)
"""Grid points on either side of F after each round; the last is where the search ends."""

FLIP = "g2_flip"


def flip_columns(side: str) -> dict[str, str]:
    """Names of the columns that :func:`gamma_flip` reads of a side, by their meaning."""
    return {what: f"_flip_{side}_{what}" for what in ("d1", "slope", "weight")}


def flip_inputs(side: str, weight: pl.Expr, width: pl.Expr, d1: pl.Expr) -> dict[str, pl.Expr]:
    """The columns of a side, for a frame of strike rows.

    Args:
        side: ``ce`` or ``pe``.
        weight: Open interest, null where the leg is not valid.
        width: s·sqrt(tau), null with it.
        d1: Black's d1 at F, null with it.

    Returns:
        Expressions by column name; a leg that is not valid adds nothing.
    """
    names = flip_columns(side)
    return {
        names["d1"]: d1.fill_null(0.0),
        names["slope"]: (1.0 / width).fill_null(0.0),
        names["weight"]: (weight / width).fill_null(0.0),
    }


def gamma_flip(rows: pl.DataFrame, cells: pl.DataFrame, engine: FrameEngine) -> pl.DataFrame:
    """Distance of the zero of N(f) from F, in percent of F.

    Args:
        rows: Strikes ascending by run and strike: run, cell and the columns of ``flip_inputs``.
        cells: Column cell: the minutes in which N is defined.
        engine: Where to work it out.

    Returns:
        cell and ``g2_flip`` for these minutes: in [-3, 3], +-3 where there is no zero.
    """
    weights = [pl.col(flip_columns(side)["weight"]) != 0.0 for side in SIDES]
    legs = rows.lazy().filter(pl.any_horizontal(weights))
    known = cells.select(CELL)
    found: list[pl.DataFrame] = []
    before = 0
    for reach in RINGS:
        if before:  # at first all minutes are searched, but for some with few strikes
            legs = legs.join(known.lazy().select(CELL), on=CELL, how="semi", maintain_order="left")
        legs = engine.collect(legs).lazy()
        places = _places(before, reach)
        values = per_run(legs, [_exposure(place) for place in places])
        joined = known.lazy().join(values, on=CELL, how="left", maintain_order="left")
        # a minute whose legs all weigh nothing has no rows: N is zero everywhere
        filled = joined.with_columns(pl.col(_name(place)).fill_null(0.0) for place in places)
        zero = _nearest(before, reach) * PERCENT_PER_POINT
        known = engine.collect(filled.with_columns(zero.alias(FLIP)))
        found.append(known.filter(pl.col(FLIP).is_not_null()).select(CELL, FLIP))
        known = known.filter(pl.col(FLIP).is_null()).drop(FLIP)
        before = reach
    found.append(known.select(CELL, _without_zero()))
    return pl.concat(found)


def _places(before: int, reach: int) -> list[int]:
    inner = range(-before, before + 1) if before else range(0)
    return [place for place in range(-reach, reach + 1) if place not in inner]


def _name(place: int) -> str:
    return f"_n{place}"


def _exposure(place: int) -> pl.Expr:
    """N at a grid point, but for factors that all grid points share."""
    move = math.log1p(place / POINTS_PER_UNIT)
    terms = []
    for side in SIDES:
        names = flip_columns(side)
        d1 = pl.col(names["d1"]) + pl.col(names["slope"]) * move
        terms.append(pl.col(names["weight"]) * (d1.pow(2) * -0.5).exp())
    total = (terms[0] - terms[1]).sum()
    return (total / (1.0 + place / POINTS_PER_UNIT)).alias(_name(place))


def _nearest(before: int, reach: int) -> pl.Expr:
    """Grid steps from F to the nearest zero up to a ring, signed; null if there is none."""
    zeros: list[pl.Expr] = [pl.when(pl.col(_name(0)) == 0.0).then(0.0)]
    for ring in range(before + 1, reach + 1):
        down, up = _zero_between(-ring + 1, -ring), _zero_between(ring - 1, ring)
        lower = -down <= up
        zeros.append(pl.when(down.is_not_null() & (up.is_null() | lower)).then(down).otherwise(up))
    return pl.coalesce(zeros)


def _zero_between(inner: int, outer: int) -> pl.Expr:
    """Zero of the straight line between two neighbouring grid points, in grid steps."""
    a, b = pl.col(_name(inner)), pl.col(_name(outer))
    crossing = ((a > 0) & (b <= 0)) | ((a < 0) & (b >= 0))
    return pl.when(crossing).then(inner + (outer - inner) * (a / (a - b)))


def _without_zero() -> pl.Expr:
    """The end of the grid, with the sign opposite to N(F)."""
    end = RINGS[-1] * PERCENT_PER_POINT
    return pl.when(pl.col(_name(0)) > 0).then(-end).otherwise(end).alias(FLIP)
