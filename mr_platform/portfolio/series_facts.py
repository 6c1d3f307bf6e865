"""Curves and figures of one series of rows, and in what they are measured.

Here: settings of a measure, the running sum and its falls, legacy and standard figures.
Not here: portfolios and their members (``portfolio_facts``), the formulas (``legacy_metrics``,
``risk``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from mr_platform.portfolio import kelly, legacy_metrics, risk
from mr_platform.portfolio.returns import Days, Matrix, PortfolioError, StrategyReturns

ReturnUnit = Literal["rupees", "percent"]

PERCENT: Final = 100.0


@dataclass(frozen=True)
class FactSettings:
    """In what and against what a report measures.

    Attributes:
        unit: Of the returns: ``rupees``, or ``percent`` of the capital (1 is one per cent).
        capital: Rupees there are; None where the report is to divide by none.
        risk_free: Fraction a year that the standard Sharpe ratio subtracts.
        kelly_cap: Largest fraction of the capital that one strategy is given.
        periods_a_year: Rows a year; None takes them from the dates.

    Raises:
        PortfolioError: A setting outside its range, a risk-free rate for rupees without capital.
    """

    unit: ReturnUnit = "rupees"
    capital: float | None = None
    risk_free: float = 0.0
    kelly_cap: float = kelly.CAP
    periods_a_year: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be measured."""
        if self.unit not in ("rupees", "percent"):
            raise PortfolioError(f"unit {self.unit} is neither rupees nor percent")
        if not 0 <= self.kelly_cap <= 1:
            raise PortfolioError(f"cap {self.kelly_cap} lies outside [0, 1]")
        if self.capital is not None and not 0 < self.capital < np.inf:
            raise PortfolioError(f"capital {self.capital} is no positive amount")
        self.risk_settings()

    @classmethod
    def of_book(
        cls,
        pnl_unit: str,
        kelly_cap: float = kelly.CAP,
        *,
        capital: float | None = None,
        risk_free: float = 0.0,
    ) -> FactSettings:
        """How returns of a unit are measured by settings that serve books of either unit.

        Args:
            pnl_unit: Of the returns: ``rupees`` or ``percent``.
            kelly_cap: Largest Kelly fraction of one strategy.
            capital: Rupees there are; None divides by none.
            risk_free: Fraction a year; left aside where returns are rupees and no capital is
                given, as they are fractions of nothing there.

        Raises:
            PortfolioError: A setting outside its range.
        """
        unit: ReturnUnit = "percent" if pnl_unit == "percent" else "rupees"
        fractions = unit == "percent" or capital is not None
        return cls(unit, capital, risk_free if fractions else 0.0, kelly_cap)

    def risk_settings(self) -> risk.RiskSettings:
        """The same for :func:`.risk.risk_profile`, to which :meth:`measured` rows are given."""
        return risk.RiskSettings(
            unit="rupees" if self.unit == "rupees" else "fraction",
            capital=self.capital if self.unit == "rupees" else None,
            risk_free=self.risk_free,
            periods_a_year=self.periods_a_year,
        )

    def measured(self, rows: Matrix) -> Matrix:
        """Rows as risk takes them: per cent become fractions."""
        return rows / PERCENT if self.unit == "percent" else rows

    @property
    def measured_as_one(self) -> float:
        """What of the unit of the returns is 1 in the standard figures that have a unit."""
        if self.unit == "percent":
            return PERCENT
        return self.capital or 1.0

    @property
    def risk_unit(self) -> str:
        """Unit of the standard figures that have one: ``rupees`` or ``fraction``."""
        return "rupees" if self.unit == "rupees" and self.capital is None else "fraction"


@dataclass(frozen=True, eq=False)
class SeriesFacts:
    """Curves and figures of one series of rows.

    Attributes:
        rows: Shape (T,), mean over the members, in the unit of the returns.
        equity: Shape (T,), running sum.
        fall: Shape (T,), how far the equity lies below its peak so far, not negative; the peak
            starts at the first row.
        peak: Row of the peak before the deepest fall; with no fall the row of the trough.
        trough: Row of the deepest fall, the first of several.
        legacy: Figures under the names of ``legacy_metrics.SeriesFigures``, and ``ratio``; a
            Sortino that is not defined is NaN.
        standard: Figures under the names of ``risk.RiskProfile``; NaN where not defined.
    """

    rows: Matrix
    equity: Matrix
    fall: Matrix
    peak: int
    trough: int
    legacy: dict[str, float]
    standard: dict[str, float]


def universe_facts(returns: StrategyReturns, settings: FactSettings | None = None) -> SeriesFacts:
    """Curves and figures of all strategies at equal weight.

    Args:
        returns: At least one row and one strategy.
        settings: In what it is measured; None takes rupees without capital.

    Raises:
        PortfolioError: Returns without rows or strategies.
    """
    if not returns.rows or not returns.strategies:
        raise PortfolioError("returns without rows or strategies have no mean")
    rows: Matrix = np.add.reduce(returns.pnl, axis=1) / returns.strategies
    return series_facts(rows, returns.dates, settings or FactSettings())


def series_facts(rows: Matrix, dates: Days, settings: FactSettings) -> SeriesFacts:
    """Curves and figures of one series.

    Args:
        rows: Shape (T,), finite, in the unit of the returns.
        dates: Shape (T,), ascending.
        settings: In what it is measured.

    Raises:
        PortfolioError: No row, rows that do not stand for the dates, values that are not finite.
    """
    profile = risk.risk_profile(
        settings.measured(rows)[np.newaxis], dates, settings.risk_settings()
    )
    equity = np.cumsum(rows)
    fall = np.maximum.accumulate(equity) - equity
    trough = int(fall.argmax())
    figures = legacy_metrics.figures(rows[np.newaxis])
    legacy = {name: float(values[0]) for name, values in vars(figures).items()}
    legacy["ratio"] = float(legacy_metrics.ratio(figures.roi, figures.max_drawdown)[0])
    return SeriesFacts(
        rows=rows,
        equity=equity,
        fall=fall,
        peak=int(equity[: trough + 1].argmax()),
        trough=trough,
        legacy=legacy,
        standard={name: float(values[0]) for name, values in vars(profile).items()},
    )
