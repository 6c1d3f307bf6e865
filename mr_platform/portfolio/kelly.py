"""Kelly fractions: what share of the capital each strategy is given.

Here: the fraction of each, fractions that fit into the capital together, rupees.
Not here: which strategies are held, risk of the outcome (``risk``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mr_platform.portfolio.returns import Matrix, PortfolioError

CAP = 0.25
"""Largest fraction one strategy is given (portfolio.md §6)."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """Capital given to n strategies; every array has shape (n,).

    Attributes:
        fractions: Capped Kelly fraction of each.
        shares: Fractions scaled down to a sum of 1 where they exceed it; their rest is cash.
        rupees: ``shares * capital``.
    """

    fractions: Matrix
    shares: Matrix
    rupees: Matrix


def kelly_fraction(rows: Matrix, *, cap: float = CAP, zero_rows_lose: bool = False) -> Matrix:
    """Kelly fraction ``p - q * Lo / W`` of each series of rows, clipped to [0, cap].

    p is the share of winning rows, q that of losing rows, W the mean win, Lo the mean loss
    (positive). A row of 0 is neither: q is losses / T, not 1 - p (portfolio.md §6; the two agree
    where no row is 0). Without a win the fraction is 0, with wins and no loss it is the cap.

    Args:
        rows: Shape (P, T), finite; a strategy or a portfolio in each, in any unit.
        cap: Largest fraction, in [0, 1].
        zero_rows_lose: Take q = 1 - p, as the requirement's formula is written: rows of 0 then
            count among the losses, though not in Lo.

    Returns:
        Shape (P,), in [0, cap].

    Raises:
        PortfolioError: No rows, values that are not finite, a cap outside [0, 1].
    """
    if rows.ndim != 2 or not rows.shape[1] or not np.isfinite(rows).all():
        raise PortfolioError(f"rows of shape {rows.shape} are not series of finite values")
    if not 0 <= cap <= 1:
        raise PortfolioError(f"cap {cap} lies outside [0, 1]")
    r = np.ascontiguousarray(rows, dtype=np.float64)
    # the ratio Lo / W has no unit: a power of two, which is exact, keeps sums of it in range
    r = np.ldexp(r, -np.frexp(np.abs(r).max(axis=1, keepdims=True, initial=0.0))[1])
    wins, losses = (r > 0).sum(axis=1), (r < 0).sum(axis=1)
    won = np.maximum(r, 0.0).sum(axis=1)
    lost = np.maximum(-r, 0.0).sum(axis=1)
    p = wins / r.shape[1]
    q = 1.0 - p if zero_rows_lose else losses / r.shape[1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        odds = (lost / losses) / (won / wins)
        fraction = np.clip(p - q * odds, 0.0, cap)
    fraction = np.where(losses == 0, cap, fraction)
    return np.where(wins == 0, 0.0, fraction)


def scaled_to_one(fractions: Matrix) -> Matrix:
    """Fractions as they are where they fit into the capital together, else scaled to a sum of 1.

    Args:
        fractions: Shape (n,), none negative.

    Returns:
        Shape (n,), of a sum of at most 1 but for rounding.

    Raises:
        PortfolioError: Negative fractions, values that are not finite.
    """
    if not np.isfinite(fractions).all() or (fractions < 0).any():
        raise PortfolioError("fractions are finite and not negative")
    total = float(np.sum(fractions))
    return np.array(fractions, dtype=np.float64) / max(total, 1.0)


def kelly_allocation(
    rows: Matrix, capital: float, *, cap: float = CAP, zero_rows_lose: bool = False
) -> Allocation:
    """Capital for strategies held together: capped Kelly fractions, scaled, times the capital.

    Args:
        rows: Shape (n, T), the rows of each strategy (``pnl.T``).
        capital: Rupees there are.
        cap: Largest fraction, in [0, 1].
        zero_rows_lose: As :func:`kelly_fraction`.

    Raises:
        PortfolioError: As :func:`kelly_fraction`; a capital that is no positive amount.
    """
    if not 0 < capital < np.inf:
        raise PortfolioError(f"capital {capital} is no positive amount")
    fractions = kelly_fraction(rows, cap=cap, zero_rows_lose=zero_rows_lose)
    shares = scaled_to_one(fractions)
    return Allocation(fractions, shares, shares * capital)
