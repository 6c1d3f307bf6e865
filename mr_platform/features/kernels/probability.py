"""The standard normal distribution as expressions.

Here: density and distribution function, neither engine having one.
Not here: prices and Greeks (``chain/pricing.py``).
"""

from __future__ import annotations

import math

import polars as pl

from mr_platform.features.column_plan import ColumnPlan

_SPLIT = 7.07106781186547
"""Below this the rational form holds, above it the continued fraction."""

_NUMERATOR = (
    3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383,
    112.079291497871, 221.213596169931, 220.206867912376,
)  # fmt: skip
_DENOMINATOR = (
    8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461,
    296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752,
)  # fmt: skip


def normal_density(x: pl.Expr) -> pl.Expr:
    """phi(x) = exp(-x²/2) / sqrt(2·pi)."""
    return (x * x * -0.5).exp() / math.sqrt(2.0 * math.pi)


def normal_cdf(p: ColumnPlan, x: pl.Expr) -> pl.Expr:
    """Phi(x), accurate to some 1e-14 of 1.

    Args:
        p: The plan.
        x: Any real numbers.
    """
    column = p.let(x)
    upper = normal_tail(p, column.abs())
    return pl.when(column > 0.0).then(1.0 - upper).otherwise(upper)


def normal_tail(p: ColumnPlan, x: pl.Expr) -> pl.Expr:
    """1 - Phi(x) (Hart 1968, algorithm 5666, as given by West 2005); a column.

    Args:
        p: The plan.
        x: Numbers of at least 0.
    """
    size = p.let(x)
    tail = p.let((size * size * -0.5).exp())
    near = tail * _polynomial(size, _NUMERATOR) / _polynomial(size, _DENOMINATOR)
    fraction = size + 0.65
    for step in (4.0, 3.0, 2.0, 1.0):
        fraction = size + step / fraction
    far = tail / fraction / 2.506628274631
    return p.let(pl.when(size < _SPLIT).then(near).otherwise(far))


def _polynomial(x: pl.Expr, coefficients: tuple[float, ...]) -> pl.Expr:
    value: pl.Expr = pl.lit(coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
