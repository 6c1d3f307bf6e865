"""One leg of a strike in a sum of Greeks: when it is valid, its weight, its second-order Greeks.

Here: expressions over one row of strike (a call and a put side by side), as plan columns.
Not here: the sums over strikes (``greek_series.py``, ``gamma_flip.py``).

Rows carry ``forward`` (F) and ``root_tau`` (square root of the years to expiry) of their minute.
Black 1976 at zero rate: d1 = (ln(F/K) + s²·tau/2) / (s·sqrt(tau)), d2 = d1 - s·sqrt(tau).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.probability import normal_density

SIDES: tuple[str, ...] = ("ce", "pe")

GREEKS: tuple[str, ...] = ("delta", "gamma", "theta", "vega")

FORWARD = "forward"
ROOT_TAU = "root_tau"

IV_LOW, IV_HIGH = 0.01, 5.0
"""Range of a valid implied volatility, decimal a year."""


def complete(side: str, prefix: str = "") -> pl.Expr:
    """Whether a leg has its four Greeks and a valid implied volatility.

    Args:
        side: ``ce`` or ``pe``.
        prefix: What stands before the side in the column names (``atm_`` in the panel).
    """
    iv = pl.col(f"{prefix}{side}_iv")
    present = pl.all_horizontal(
        [pl.col(f"{prefix}{side}_{greek}").is_not_null() for greek in GREEKS]
    )
    return present & (iv >= IV_LOW).fill_null(False) & (iv <= IV_HIGH).fill_null(False)


def valid(side: str, prefix: str = "") -> pl.Expr:
    """Whether a leg may enter a sum of Greeks: complete, gamma and vega positive."""
    positive = [
        (pl.col(f"{prefix}{side}_{greek}") > 0).fill_null(False) for greek in ("gamma", "vega")
    ]
    return complete(side, prefix) & positive[0] & positive[1]


@dataclass(frozen=True)
class LegCurve:
    """What Black's formula needs of one leg, as columns; null where the leg has no weight.

    Attributes:
        weight: Open interest of a valid leg, Float64.
        width: s·sqrt(tau).
        d1: Moneyness in standard deviations.
        bend: weight·phi(d1)·d2, the common factor of vanna, charm and volga.
    """

    weight: pl.Expr
    width: pl.Expr
    d1: pl.Expr
    bend: pl.Expr


def leg_curve(p: ColumnPlan, side: str, weight: pl.Expr) -> LegCurve:
    """The leg's place on the distribution at expiry.

    Args:
        p: A plan over rows of strikes with ``forward`` and ``root_tau``.
        side: ``ce`` or ``pe``.
        weight: Column with its weight, null where the leg is not valid.
    """
    iv = pl.col(f"{side}_iv")
    width = p.let(pl.when(weight.is_not_null()).then(iv * pl.col(ROOT_TAU)))
    d1 = p.let(moneyness(p) / width + width * 0.5)
    bend = p.let(weight * normal_density(d1) * (d1 - width))
    return LegCurve(weight, width, d1, bend)


def moneyness(p: ColumnPlan) -> pl.Expr:
    """ln(F/K); a column."""
    return p.let((pl.col(FORWARD) / pl.col("strike")).log())


def charm_factor(tau: pl.Expr) -> pl.Expr:
    """Charm over phi(d1)·d2: change of delta over a calendar day, or to expiry where sooner."""
    return pl.min_horizontal(365.0 * tau, 1.0) / (2.0 * tau) / 365.0


def volga_factor(forward: pl.Expr, tau: pl.Expr) -> pl.Expr:
    """Volga over phi(d1)·d1·d2/s: change of vega per volatility point squared."""
    return forward * tau.sqrt() * 1e-4
