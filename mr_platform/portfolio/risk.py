"""Risk of portfolios in standard definitions: Sharpe, Sortino, Calmar, value at risk.

Rows are profit and loss of portfolios as they came, one after the other: nothing is compounded.
A year has as many rows as the dates say (portfolio.md §6); the legacy program's 252 is left to
whoever asks for it. What is not defined is NaN in arrays and null in a frame, never infinite.

Here: the profile of many portfolios, years from dates, how much of the capital is at work.
Not here: the legacy program's Sharpe and Sortino, fitness, sizes of positions (``kelly``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from mr_platform.portfolio.legacy_metrics import drawdown
from mr_platform.portfolio.returns import Days, Matrix, PortfolioError

Unit = Literal["rupees", "fraction"]

DAYS_A_YEAR = 365.25
LEGACY_PERIODS = 252.0
"""Rows a year of the legacy program, whatever its rows are."""

LARGEST = 1e100
"""Rows beyond it are refused: their squares would not be finite."""

TAIL_95 = Fraction(5, 100)
TAIL_99 = Fraction(1, 100)
"""Tails as they are written: ``1 - 0.95`` is not 0.05 in floating point."""


@dataclass(frozen=True)
class RiskSettings:
    """In what and against what risk is measured.

    Attributes:
        unit: Of the rows: ``rupees``, or ``fraction`` of the capital (0.01 is one per cent).
        capital: Rupees that rows in rupees are divided by; None leaves them in rupees.
        risk_free: Fraction a year; only where the measured rows are fractions.
        minimum_acceptable: Return of a row below which Sortino counts it as bad, in the unit of
            the measured rows.
        periods_a_year: Rows a year; None takes them from the dates.

    Raises:
        PortfolioError: A risk-free rate for rupees without capital, capital for fractions, a
            capital or a number of periods that is not positive, a value that is not finite.
    """

    unit: Unit = "rupees"
    capital: float | None = None
    risk_free: float = 0.0
    minimum_acceptable: float = 0.0
    periods_a_year: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        if self.unit not in ("rupees", "fraction"):
            raise PortfolioError(f"unit {self.unit} is neither rupees nor fraction")
        given = [self.risk_free, self.minimum_acceptable]
        positive = [value for value in (self.capital, self.periods_a_year) if value is not None]
        if not np.isfinite([*given, *positive]).all() or any(value <= 0 for value in positive):
            raise PortfolioError("capital and periods a year are positive, and all are finite")
        if self.unit == "fraction" and self.capital is not None:
            raise PortfolioError(
                "rows are fractions of the capital already",
                next_step="Leave the capital out, or give rows in rupees",
            )
        if self.risk_free and self.unit == "rupees" and self.capital is None:
            raise PortfolioError(
                "a risk-free rate is a fraction a year and cannot be taken from rupees",
                next_step="Give the capital, or a rate of 0",
            )


@dataclass(frozen=True, eq=False)
class RiskProfile:
    """Risk of P portfolios; every array has shape (P,).

    In the unit of the measured rows (fractions where the capital is known, else rupees) are the
    mean, deviation, roi, annual_return, max_drawdown, and all of var and cvar. Losses are
    negative there, as in the rows; drawdown is positive.

    Attributes:
        mean: Mean row.
        deviation: Sample standard deviation of rows; NaN for a single row.
        roi: Sum of the rows.
        annual_return: ``mean * A``; NaN where A is not known.
        max_drawdown: Largest fall of the running sum from its peak, which starts at the first
            sum, not at 0.
        sharpe: ``(mean - risk_free / A) / deviation * sqrt(A)``; NaN where rows do not vary.
        sortino: ``(mean - MAR) / sqrt(mean(min(r - MAR, 0)²)) * sqrt(A)`` over all rows; NaN
            where no row is below MAR.
        calmar: ``annual_return / max_drawdown``; NaN without a drawdown.
        var_95: Quantile at 0.05, linear between rows (type 7).
        var_99: Quantile at 0.01.
        cvar_95: Mean of the rows not above ``var_95``.
        cvar_99: Mean of the rows not above ``var_99``.
        cvar_95_rests_on_one_row: Whether that mean is over a single row.
        cvar_99_rests_on_one_row: The same of ``cvar_99``; so with up to 100 rows without ties.
        normal_var_95: ``mean + z * deviation``, z the normal quantile at 0.05.
        normal_var_99: The same at 0.01.
        periods_a_year: Rows a year, A; the same for all.
    """

    mean: Matrix
    deviation: Matrix
    roi: Matrix
    annual_return: Matrix
    max_drawdown: Matrix
    sharpe: Matrix
    sortino: Matrix
    calmar: Matrix
    var_95: Matrix
    var_99: Matrix
    cvar_95: Matrix
    cvar_99: Matrix
    cvar_95_rests_on_one_row: npt.NDArray[np.bool_]
    cvar_99_rests_on_one_row: npt.NDArray[np.bool_]
    normal_var_95: Matrix
    normal_var_99: Matrix
    periods_a_year: Matrix

    def frame(self) -> pl.DataFrame:
        """One row a portfolio, one column a measure; null where a measure is not defined."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))


def risk_profile(rows: Matrix, dates: Days, settings: RiskSettings | None = None) -> RiskProfile:
    """Risk of many portfolios; each has the same bits alone and among others.

    Args:
        rows: Shape (P, T), finite, rows of each portfolio in the order of time.
        dates: Shape (T,), ascending.
        settings: In what and against what; None measures rupees as they are.

    Returns:
        The profile; formulas are those of portfolio.md §6.

    Raises:
        PortfolioError: Shapes that do not fit, no row, values that are not finite.
    """
    asked = settings or RiskSettings()
    if rows.ndim != 2 or not rows.shape[1] or dates.shape != rows.shape[1:]:
        raise PortfolioError(f"rows of shape {rows.shape} do not fit {dates.size} dates")
    r = np.array(rows, dtype=np.float64, order="C")
    if asked.capital is not None:
        r /= asked.capital
    if not (np.abs(r) < LARGEST).all():
        raise PortfolioError(f"rows hold values that are not finite or not below {LARGEST:g}")
    year = asked.periods_a_year or periods_a_year(dates)
    mean, deviation = r.mean(axis=1), _deviation(r)
    below = np.minimum(r - asked.minimum_acceptable, 0.0)
    downside = np.sqrt(np.square(below).mean(axis=1))
    annual, deepest = mean * year, drawdown(r)
    var_95, cvar_95, single_95 = _tail(r, TAIL_95)
    var_99, cvar_99, single_99 = _tail(r, TAIL_99)
    return RiskProfile(
        mean=mean,
        deviation=deviation,
        roi=r.sum(axis=1),
        annual_return=annual,
        max_drawdown=deepest,
        sharpe=_ratio(mean - asked.risk_free / year, deviation) * np.sqrt(year),
        sortino=_ratio(mean - asked.minimum_acceptable, downside) * np.sqrt(year),
        calmar=_ratio(annual, deepest),
        var_95=var_95,
        var_99=var_99,
        cvar_95=cvar_95,
        cvar_99=cvar_99,
        cvar_95_rests_on_one_row=single_95,
        cvar_99_rests_on_one_row=single_99,
        normal_var_95=mean + NormalDist().inv_cdf(float(TAIL_95)) * deviation,
        normal_var_99=mean + NormalDist().inv_cdf(float(TAIL_99)) * deviation,
        periods_a_year=np.full(len(r), year),
    )


def periods_a_year(dates: Days) -> float:
    """Rows a year: their number over the years from the first date to the last.

    Args:
        dates: Shape (T,), ascending.

    Returns:
        A; NaN where all rows bear one date, or there is none.
    """
    if not dates.size:
        return float("nan")
    days = int((dates[-1] - dates[0]).astype("timedelta64[D]").astype(np.int64))
    return dates.size / (days / DAYS_A_YEAR) if days > 0 else float("nan")


def capital_utilisation(allocated: Matrix, capital: float, exposure: Matrix | None = None) -> float:
    """Share of the capital that is at work, mean over rows.

    Args:
        allocated: Shape (n,), rupees given to each strategy, none negative.
        capital: Rupees there are.
        exposure: Shape (T,), share of the allocation that each row puts to work, in [0, 1]: 0 for
            rows that a filter took out, 0.5 in a transition, the rest being cash (portfolio.md
            §7); None is 1 throughout.

    Returns:
        ``sum(allocated) / capital * mean(exposure)``, in [0, 1] but for rounding.

    Raises:
        PortfolioError: No capital, negative allocations, more than the capital (beyond rounding),
            exposures outside [0, 1].
    """
    given = float(np.sum(allocated))
    if not 0 < capital < np.inf:
        raise PortfolioError(f"capital {capital} is no positive amount")
    if not np.isfinite(given) or (np.asarray(allocated) < 0).any():
        raise PortfolioError("allocations are finite and not negative")
    if given > capital * (1 + 1e-9):
        raise PortfolioError(f"allocations of {given:.2f} exceed the capital of {capital:.2f}")
    if exposure is None:
        return given / capital
    if not exposure.size or not ((exposure >= 0) & (exposure <= 1)).all():
        raise PortfolioError("exposures lie in [0, 1], one a row")
    return given / capital * float(np.mean(exposure))


def _deviation(r: Matrix) -> Matrix:
    if r.shape[1] < 2:
        return np.full(len(r), np.nan)
    # equal rows have no deviation, though their mean may be rounded
    still = r.min(axis=1) == r.max(axis=1)
    return np.where(still, 0.0, r.std(axis=1, ddof=1))


def _ratio(over: Matrix, under: Matrix) -> Matrix:
    """The quotient, NaN where it would be by zero or where a subnormal makes it infinite."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = over / under
    return np.where((under > 0) & np.isfinite(quotient), quotient, np.nan)


def _tail(r: Matrix, share: Fraction) -> tuple[Matrix, Matrix, npt.NDArray[np.bool_]]:
    """Quantile at a share, mean of the rows not above it, whether that is one row.

    The place of the quantile is exact, so that where it falls on a row that row counts.
    """
    place = (r.shape[1] - 1) * share
    row, rest = divmod(place.numerator, place.denominator)
    ordered = np.sort(r, axis=1)
    quantile = ordered[:, row].copy()
    if rest:
        quantile += rest / place.denominator * (ordered[:, row + 1] - ordered[:, row])
    inside = r <= quantile[:, np.newaxis]
    count = inside.sum(axis=1)
    return quantile, np.where(inside, r, 0.0).sum(axis=1) / count, count == 1
