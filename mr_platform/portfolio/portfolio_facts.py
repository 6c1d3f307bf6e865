"""Everything that a report says of portfolios: curves, figures, sizing, members.

Here: what was found by a search, figures of it and of each member, one row a portfolio for a table
of all, the same on rows that were held out or before they were weighed.
Not here: figures of one series (``series_facts``), sentences about the facts (``report_warnings``),
pictures and pages (``pictures/``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.portfolio import kelly, legacy_metrics, risk
from mr_platform.portfolio.correlation import (
    Members,
    correlation_block,
    duplicate_columns,
    mean_correlation,
    sorted_members,
    standardised,
)
from mr_platform.portfolio.regimes import raw_and_weighted
from mr_platform.portfolio.returns import Days, Matrix, PortfolioError, StrategyReturns
from mr_platform.portfolio.series_facts import (
    FactSettings,
    SeriesFacts,
    series_facts,
    universe_facts,
)
from mr_platform.portfolio.strategy_names import parse_names

PORTFOLIO, UNIVERSE = "portfolio", "all strategies"
"""Names of the two series in :attr:`ReportFacts.weighted`."""


@dataclass(frozen=True, eq=False)
class FoundPortfolio:
    """A portfolio and how it was found.

    Attributes:
        algorithm: Name of the search.
        form: ``legacy`` or ``improved``, or another word for how it was found.
        members: Shape (k,), columns of the returns, each once; kept ascending.
        fitness: What the search judged it by; higher is better.
        evaluations: Portfolios that the search judged.
        convergence: Evaluations and best fitness at each improvement, ascending; may be empty.

    Raises:
        PortfolioError: No member, one that stands twice, evaluations that do not ascend or pass
            the number of all.
    """

    algorithm: str
    form: str
    members: Members
    fitness: float
    evaluations: int
    convergence: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        """Check and order the members."""
        members = np.asarray(self.members)
        most = int(members.max(initial=0)) + 1
        ordered = sorted_members(members[np.newaxis], most)[0]
        ordered.flags.writeable = False
        object.__setattr__(self, "members", ordered)
        steps = [step for step, _ in self.convergence]
        if steps != sorted(set(steps)) or (steps and not 0 < steps[0] <= steps[-1]):
            raise PortfolioError("points of convergence do not ascend by evaluations from 1 on")
        if steps and steps[-1] > self.evaluations:
            raise PortfolioError(
                f"a point of convergence lies at {steps[-1]} of {self.evaluations} evaluations"
            )

    @property
    def size(self) -> int:
        """Number of members, k."""
        return int(self.members.size)


@dataclass(frozen=True, eq=False)
class PortfolioFacts:
    """What a report says of one portfolio of k members.

    Attributes:
        found: The portfolio.
        series: Its rows and figures.
        mean_correlation: Mean over all pairs; 0 for one member.
        correlation: Shape (k, k), in [-1, 1], members in the order of their columns; a constant
            strategy has 0 everywhere, also with itself.
        members: A row a member in the order of its column: see :func:`member_frame`.
        inverted_share: Share of members that are inverted.
        kelly: Capped Kelly fraction of the portfolio taken as one strategy.
        allocated: Sum of the members' Kelly shares, at most 1: the share of the capital that they
            are given.
        exposure: Share of it that rules of regimes leave at work, mean over rows; 1 without rules.
        utilisation: Share of the capital at work: both together, the rest is cash.
        duplicates: Groups of members, as places 0..k-1, that are equal in every row.
    """

    found: FoundPortfolio
    series: SeriesFacts
    mean_correlation: float
    correlation: Matrix
    members: pl.DataFrame
    inverted_share: float
    kelly: float
    allocated: float
    exposure: float
    utilisation: float
    duplicates: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class HeldOutFacts:
    """What the same portfolios did on the dates that no search saw.

    Attributes:
        dates: Shape (T',), of these rows, all after those searched.
        best: The best portfolio of the searched rows.
        universe: All strategies at equal weight.
        table: A row for each portfolio, as :attr:`ReportFacts.table`; ``fitness`` is that of the
            search.
    """

    dates: Days
    best: SeriesFacts
    universe: SeriesFacts
    table: pl.DataFrame


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """What a report says of all portfolios over one set of returns.

    Attributes:
        settings: In what it is measured.
        strategies: Strategies there are, n.
        dates: Shape (T,), of the rows.
        zoned: Whether a row is a zone of a day.
        portfolios: All that were found, by size, algorithm and form.
        best: Facts of the one with the highest fitness; of equal ones the smallest, then by name.
        universe: All strategies at equal weight.
        table: A row for each of ``portfolios``: see :func:`portfolio_table`.
        held_out: The same on later dates that were held out; None where none were.
        weighted: Figures before and after weights of rows: see :func:`weighted_figures`; None
            where no rule weighed them.
        row_capital: Rupees of capital that rows tell of themselves, mean; None where none tells
            it. No figure is measured against it.
    """

    settings: FactSettings
    strategies: int
    dates: Days
    zoned: bool
    portfolios: tuple[FoundPortfolio, ...]
    best: PortfolioFacts
    universe: SeriesFacts
    table: pl.DataFrame
    held_out: HeldOutFacts | None = None
    weighted: pl.DataFrame | None = None
    row_capital: float | None = None


def report_facts(
    returns: StrategyReturns,
    portfolios: Sequence[FoundPortfolio],
    settings: FactSettings | None = None,
    *,
    held_out: StrategyReturns | None = None,
    by_rules: tuple[StrategyReturns, StrategyReturns] | None = None,
    exposure: Matrix | None = None,
    row_capital: float | None = None,
) -> ReportFacts:
    """Facts of all portfolios that a search found.

    Args:
        returns: At least one row.
        portfolios: At least one, in any order.
        settings: In what it is measured; None takes rupees without capital.
        held_out: Later rows of the same strategies, which no search saw.
        by_rules: All rows of the dates searched, before rules weighed them and after.
        exposure: Share of the capital that rules leave at work in each of these rows; None is all
            of it.
        row_capital: Mean capital that rows tell of themselves, rupees; None where none does.

    Raises:
        PortfolioError: No portfolio, members that are not strategies, a fitness that is not a
            number, returns without rows or of other strategies.
    """
    asked = settings or FactSettings()
    if not portfolios:
        raise PortfolioError("there is no portfolio to report on")
    if any(np.isnan(found.fitness) for found in portfolios):
        raise PortfolioError("a portfolio's fitness is not a number")
    ordered = tuple(sorted(portfolios, key=_by_size))
    # max takes the first of equal ones, which the order makes the smallest
    best = max(ordered, key=lambda found: found.fitness)
    return ReportFacts(
        settings=asked,
        strategies=returns.strategies,
        dates=returns.dates,
        zoned=returns.zones is not None,
        portfolios=ordered,
        best=portfolio_facts(returns, best, asked, exposure),
        universe=universe_facts(returns, asked),
        table=portfolio_table(returns, ordered, asked),
        held_out=None if held_out is None else _held_out(returns, held_out, best, ordered, asked),
        weighted=None if by_rules is None else weighted_figures(returns, best, *by_rules),
        row_capital=row_capital,
    )


def portfolio_facts(
    returns: StrategyReturns,
    found: FoundPortfolio,
    settings: FactSettings | None = None,
    exposure: Matrix | None = None,
) -> PortfolioFacts:
    """Facts of one portfolio.

    Args:
        returns: At least one row.
        found: The portfolio.
        settings: In what it is measured; None takes rupees without capital.
        exposure: Share of the allocation that each row puts to work, in [0, 1], also those that
            rules left out of the returns; None is all of it.

    Raises:
        PortfolioError: Members that are not strategies, returns without rows, exposures outside
            [0, 1].
    """
    asked = settings or FactSettings()
    pnl, rows = _of_members(returns, found)
    places = np.arange(found.size, dtype=np.int64)
    z = standardised(pnl)
    correlation = correlation_block(z, places, places)
    facts = series_facts(rows, returns.dates, asked)
    frame = member_frame(returns, found, facts, correlation, asked)
    shares = frame["kelly_share"].to_numpy()
    return PortfolioFacts(
        found=found,
        series=facts,
        mean_correlation=float(mean_correlation(z, places[np.newaxis])[0]),
        correlation=correlation,
        members=frame,
        inverted_share=float(frame["inverted"].to_numpy().mean()),
        kelly=float(kelly.kelly_fraction(rows[np.newaxis], cap=asked.kelly_cap)[0]),
        allocated=risk.capital_utilisation(shares, 1.0),
        exposure=1.0 if exposure is None else float(exposure.mean()),
        utilisation=risk.capital_utilisation(shares, 1.0, exposure),
        duplicates=duplicate_columns(pnl),
    )


def weighted_figures(
    returns: StrategyReturns, found: FoundPortfolio, raw: StrategyReturns, weighted: StrategyReturns
) -> pl.DataFrame:
    """Figures of a portfolio and of all strategies before and after weights of rows.

    Args:
        returns: What was searched.
        found: The portfolio.
        raw: The same strategies on all rows, before rules weighed them or left them out.
        weighted: These rows by the rules; one that is left out is a row of 0.

    Returns:
        The columns of ``regimes.raw_and_weighted`` and ``ratio``, a row each for :data:`PORTFOLIO`
        and :data:`UNIVERSE`.

    Raises:
        PortfolioError: Other strategies than those searched, raw and weighted rows that differ.
    """
    both = []
    for rows in (raw, weighted):
        _refuse_others(returns, rows)
        universe = np.add.reduce(rows.pnl, axis=1) / rows.strategies
        series = np.column_stack([_of_members(rows, found)[1], universe])
        both.append(StrategyReturns(series, (PORTFOLIO, UNIVERSE), rows.dates, rows.zones))
    told = raw_and_weighted(*both)
    return told.with_columns(
        pl.Series(
            f"ratio_{kind}",
            legacy_metrics.ratio(
                told[f"roi_{kind}"].to_numpy(), told[f"max_drawdown_{kind}"].to_numpy()
            ),
        )
        for kind in ("raw", "weighted")
    )


def member_frame(
    returns: StrategyReturns,
    found: FoundPortfolio,
    series: SeriesFacts,
    correlation: Matrix,
    settings: FactSettings,
) -> pl.DataFrame:
    """Figures of the members of a portfolio.

    Args:
        returns: At least one row.
        found: The portfolio.
        series: Its own figures.
        correlation: Shape (k, k), of the members.
        settings: In what it is measured.

    Returns:
        A row a member in the order of its column: ``number`` from 1, ``name``, the columns of
        ``strategy_names.NAME_ATTRIBUTES``, ``roi``, ``max_drawdown`` and ``win_rate`` of the
        member alone, ``contribution`` (its part of the portfolio's ROI: the parts add up to it)
        and ``contribution_share`` (null where that ROI is 0), ``fall_contribution`` (its part of
        the deepest fall, positive where it deepens it), ``correlation_with_others`` (mean over the
        other members, null for one member), ``kelly_fraction``, ``kelly_share`` (scaled so that
        all fit into the capital) and ``kelly_rupees`` (null without a capital).
    """
    pnl, _ = _of_members(returns, found)
    strategies = legacy_metrics.by_strategy(pnl)
    own = legacy_metrics.figures(strategies)
    part = own.roi / found.size
    roi = series.legacy["roi"]
    during = strategies[:, series.peak + 1 : series.trough + 1]
    sizing = kelly.kelly_allocation(strategies, settings.capital or 1.0, cap=settings.kelly_cap)
    lone = found.size == 1
    others = (correlation.sum(axis=1) - np.diag(correlation)) / max(found.size - 1, 1)
    names = [returns.names[place] for place in found.members]
    missing = np.full(found.size, np.nan)
    return parse_names(names).select(
        number=pl.int_range(1, found.size + 1, dtype=pl.Int32),
        **{name: pl.col(name) for name in parse_names([]).columns},
        roi=pl.Series(own.roi),
        max_drawdown=pl.Series(own.max_drawdown),
        win_rate=pl.Series(own.win_rate),
        contribution=pl.Series(part),
        contribution_share=pl.Series(part / roi if roi else missing).fill_nan(None),
        fall_contribution=pl.Series(0.0 - during.sum(axis=1) / found.size),
        correlation_with_others=pl.Series(missing if lone else others).fill_nan(None),
        kelly_fraction=pl.Series(sizing.fractions),
        kelly_share=pl.Series(sizing.shares),
        kelly_rupees=pl.Series(missing if settings.capital is None else sizing.rupees).fill_nan(
            None
        ),
    )


def portfolio_table(
    returns: StrategyReturns,
    portfolios: Sequence[FoundPortfolio],
    settings: FactSettings | None = None,
) -> pl.DataFrame:
    """One row of figures for each portfolio.

    Args:
        returns: At least one row.
        portfolios: In the order wanted.
        settings: In what it is measured; None takes rupees without capital.

    Returns:
        ``size``, ``algorithm``, ``form``, ``fitness``, ``evaluations``, the legacy figures
        ``roi``, ``max_drawdown``, ``ratio``, ``win_rate``, ``profit_factor``, ``expectancy``, the
        standard ``sharpe``, ``sortino``, ``calmar`` and ``cvar_95`` (null where not defined), and
        ``mean_correlation``.

    Raises:
        PortfolioError: Members that are not strategies, returns without rows.
    """
    asked = settings or FactSettings()
    series = np.empty((len(portfolios), returns.rows))
    rho = np.empty(len(portfolios))
    for row, found in enumerate(portfolios):
        pnl, series[row] = _of_members(returns, found)
        everybody = np.arange(found.size, dtype=np.int64)[np.newaxis]
        rho[row] = mean_correlation(standardised(pnl), everybody)[0]
    figures = legacy_metrics.figures(series)
    profile = risk.risk_profile(asked.measured(series), returns.dates, asked.risk_settings())
    return pl.DataFrame(
        {
            "size": pl.Series([found.size for found in portfolios], dtype=pl.Int32),
            "algorithm": [found.algorithm for found in portfolios],
            "form": [found.form for found in portfolios],
            "fitness": [float(found.fitness) for found in portfolios],
            "evaluations": [found.evaluations for found in portfolios],
            "roi": figures.roi,
            "max_drawdown": figures.max_drawdown,
            "ratio": legacy_metrics.ratio(figures.roi, figures.max_drawdown),
            "win_rate": figures.win_rate,
            "profit_factor": figures.profit_factor,
            "expectancy": figures.expectancy,
            "sharpe": profile.sharpe,
            "sortino": profile.sortino,
            "calmar": profile.calmar,
            "cvar_95": profile.cvar_95,
            "mean_correlation": rho,
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))


def _held_out(
    returns: StrategyReturns,
    later: StrategyReturns,
    best: FoundPortfolio,
    portfolios: Sequence[FoundPortfolio],
    settings: FactSettings,
) -> HeldOutFacts:
    _refuse_others(returns, later)
    return HeldOutFacts(
        dates=later.dates,
        best=series_facts(_of_members(later, best)[1], later.dates, settings),
        universe=universe_facts(later, settings),
        table=portfolio_table(later, portfolios, settings),
    )


def _refuse_others(returns: StrategyReturns, rows: StrategyReturns) -> None:
    """Members are columns, which mean nothing in rows of other strategies."""
    if rows.names != returns.names:
        raise PortfolioError("rows that are set beside those searched are of other strategies")


def _by_size(found: FoundPortfolio) -> tuple[int, str, str, float]:
    return found.size, found.algorithm, found.form, -found.fitness


def _of_members(returns: StrategyReturns, found: FoundPortfolio) -> tuple[Matrix, Matrix]:
    """Returns of the members, shape (T, k), and their mean, shape (T,): the bits of fitness."""
    ordered = sorted_members(found.members[np.newaxis], returns.strategies)
    pnl = returns.pnl[:, ordered[0]]
    places = np.arange(found.size, dtype=np.int64)[np.newaxis]
    return pnl, legacy_metrics.portfolio_series(legacy_metrics.by_strategy(pnl), places)[0]
