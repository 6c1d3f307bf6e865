"""Small made-up returns and portfolios for tests of reports."""

from __future__ import annotations

import numpy as np

from mr_platform.portfolio.portfolio_facts import FoundPortfolio, ReportFacts
from mr_platform.portfolio.portfolio_facts import report_facts as facts_of
from mr_platform.portfolio.regimes import RowWeights
from mr_platform.portfolio.returns import Matrix, StrategyReturns
from mr_platform.portfolio.series_facts import FactSettings

FIRST_DAY = np.datetime64("2024-01-04")
NAMES = (
    "SENSEX 930-1030 SL38%TP27%",
    "SENSEX 1000-1100 SL7%",
    "SENATM1DTE 1226-1326 SL2X56%TP56%_inv",
    "odd <b>&% $x^2$",
)


def weekly(pnl: Matrix, names: tuple[str, ...] | None = None) -> StrategyReturns:
    """Returns a week apart; strategies beyond the four named ones are numbered."""
    pnl = np.asarray(pnl, dtype=np.float64)
    rows, strategies = pnl.shape
    given = names or (*NAMES, *(f"SENSEX 915-1530 SL{n}%" for n in range(1, strategies)))
    return StrategyReturns(pnl, given[:strategies], FIRST_DAY + 7 * np.arange(rows))


def drawn(rows: int = 40, strategies: int = 12, seed: int = 5) -> StrategyReturns:
    """Returns drawn at random, a little above 0 on average."""
    rng = np.random.default_rng(seed)
    return weekly(rng.normal(5.0, 100.0, (rows, strategies)))


def found(
    *members: int, algorithm: str = "genetic", form: str = "improved", fitness: float = 1.0
) -> FoundPortfolio:
    """A portfolio whose search improved twice."""
    return FoundPortfolio(
        algorithm, form, np.array(members), fitness, 500, ((1, fitness - 3), (40, fitness))
    )


def several() -> tuple[FoundPortfolio, ...]:
    """Portfolios of two sizes by two algorithms; the best has members 0, 1, 2 and 3."""
    return (
        found(4, 5, 6, fitness=2.0),
        found(7, 5, 6, algorithm="hill_climbing", form="legacy", fitness=1.5),
        found(3, 2, 1, 0, fitness=4.0),
        found(8, 9, 10, 11, algorithm="hill_climbing", form="legacy", fitness=3.0),
    )


def report(returns: StrategyReturns | None = None, **settings: object) -> ReportFacts:
    """Facts of several portfolios over returns drawn at random."""
    return facts_of(returns or drawn(), several(), FactSettings(**settings))


def held_out_report(rows: int = 10, **settings: object) -> ReportFacts:
    """Facts of several portfolios over forty rows that were searched, and later ones that lose."""
    returns = drawn()
    pnl = np.random.default_rng(8).normal(-20.0, 90.0, (rows, returns.strategies))
    dates = returns.dates[-1] + 7 * np.arange(1, rows + 1)
    later = StrategyReturns(pnl, returns.names, dates)
    return facts_of(returns, several(), FactSettings(**settings), held_out=later)


def weighted_report(**settings: object) -> ReportFacts:
    """Facts of several portfolios over rows of which each fourth is left out, the next halved."""
    returns = drawn()
    weights = RowWeights("by hand", np.tile([0.0, 0.5, 1.0, 1.0], returns.rows // 4))
    by_rules = returns, weights.weighted(returns)
    return facts_of(
        weights.kept(returns),
        several(),
        FactSettings(**settings),
        by_rules=by_rules,
        exposure=weights.exposure,
    )


def lone_report(pnl: Matrix, *members: int, **settings: object) -> ReportFacts:
    """Facts of one portfolio, of all strategies unless some are named."""
    returns = weekly(pnl)
    chosen = members or tuple(range(returns.strategies))
    return facts_of(returns, [found(*chosen)], FactSettings(**settings))
