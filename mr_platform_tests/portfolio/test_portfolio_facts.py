from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mr_platform.portfolio import kelly, legacy_metrics
from mr_platform.portfolio.correlation import mean_correlation, standardised
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.portfolio_facts import (
    FoundPortfolio,
    portfolio_facts,
    portfolio_table,
    report_facts,
    weighted_figures,
)
from mr_platform.portfolio.regimes import RowWeights
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.risk import RiskSettings, risk_profile
from mr_platform.portfolio.series_facts import FactSettings, series_facts, universe_facts
from mr_platform_tests.portfolio.found_portfolios import drawn, found, lone_report, several, weekly
from mr_platform_tests.portfolio.recorded import small_returns


def test_members_are_kept_ascending_and_read_only() -> None:
    portfolio = found(7, 2, 5)
    assert portfolio.members.tolist() == [2, 5, 7]
    assert portfolio.size == 3
    with pytest.raises(ValueError, match="read-only"):
        portfolio.members[0] = 1


@pytest.mark.parametrize("members", [[], [1, 1], [-1, 2]])
def test_members_that_are_no_portfolio_are_refused(members: list[int]) -> None:
    with pytest.raises(PortfolioError):
        FoundPortfolio("genetic", "improved", np.array(members, dtype=np.int64), 1.0, 10)


@pytest.mark.parametrize(
    ("convergence", "fault"),
    [
        (((5, 1.0), (3, 2.0)), "ascend"),
        (((0, 1.0),), "ascend"),
        (((5, 1.0), (5, 2.0)), "ascend"),
        (((11, 1.0),), "11 of 10"),
    ],
)
def test_points_of_convergence_ascend_within_the_evaluations(
    convergence: tuple[tuple[int, float], ...], fault: str
) -> None:
    with pytest.raises(PortfolioError, match=fault):
        FoundPortfolio("genetic", "improved", np.array([1]), 1.0, 10, convergence)


def test_figures_are_those_of_the_modules_that_take_them() -> None:
    returns = drawn()
    facts = portfolio_facts(returns, found(1, 4, 7), FactSettings(capital=1e5, risk_free=0.02))
    row = returns.pnl[:, [1, 4, 7]].mean(axis=1)
    np.testing.assert_allclose(facts.series.rows, row, rtol=1e-12)
    expected = legacy_metrics.figures(facts.series.rows[np.newaxis])
    for name, values in vars(expected).items():
        assert facts.series.legacy[name] == values[0]
    asked = RiskSettings(capital=1e5, risk_free=0.02)
    profile = risk_profile(facts.series.rows[np.newaxis], returns.dates, asked)
    for name, values in vars(profile).items():
        assert facts.series.standard[name] == values[0]
    z = standardised(returns.pnl)
    assert facts.mean_correlation == mean_correlation(z, np.array([[1, 4, 7]]))[0]
    np.testing.assert_allclose(
        facts.correlation, np.corrcoef(returns.pnl[:, [1, 4, 7]].T), atol=1e-12
    )
    assert facts.kelly == kelly.kelly_fraction(facts.series.rows[np.newaxis])[0]


def test_percent_becomes_a_fraction_for_risk_alone() -> None:
    returns = drawn()
    percent = portfolio_facts(returns, found(1, 4), FactSettings(unit="percent"))
    rupees = portfolio_facts(returns, found(1, 4))
    assert percent.series.legacy == rupees.series.legacy
    assert percent.series.standard["cvar_95"] == pytest.approx(
        rupees.series.standard["cvar_95"] / 100
    )
    assert percent.series.standard["sharpe"] == pytest.approx(rupees.series.standard["sharpe"])


def test_parts_of_the_members_add_up_to_the_portfolio() -> None:
    returns = drawn()
    facts = portfolio_facts(returns, found(0, 2, 3, 9))
    members = facts.members
    assert members["contribution"].sum() == pytest.approx(facts.series.legacy["roi"])
    assert members["contribution_share"].sum() == pytest.approx(1.0)
    deepest = facts.series.legacy["max_drawdown"]
    assert members["fall_contribution"].sum() == pytest.approx(deepest)
    assert members["correlation_with_others"].mean() == pytest.approx(facts.mean_correlation)
    assert facts.allocated == pytest.approx(members["kelly_share"].sum())
    assert members["kelly_rupees"].null_count() == 4


def test_attributes_of_members_come_from_their_names() -> None:
    facts = portfolio_facts(drawn(), found(0, 1, 2, 3), FactSettings(capital=2e5))
    members = facts.members
    assert members["number"].to_list() == [1, 2, 3, 4]
    assert [str(time) for time in members["entry"][:3]] == ["09:30:00", "10:00:00", "12:26:00"]
    assert members["take_profit_percent"].to_list() == [27, None, 56, None]
    assert members["stop_loss_multiple"].to_list() == [None, None, 2, None]
    assert members["name_parsed"].to_list() == [True, True, True, False]
    assert facts.inverted_share == 0.25
    np.testing.assert_allclose(members["kelly_rupees"], members["kelly_share"] * 2e5)


def test_one_member_has_no_correlation_with_others() -> None:
    facts = portfolio_facts(drawn(), found(5))
    assert facts.mean_correlation == 0
    assert facts.correlation.tolist() == [[1.0]]
    assert facts.members["correlation_with_others"].to_list() == [None]


def test_constant_and_equal_members_are_told() -> None:
    pnl = np.array([[1.0, 5.0, 1.0], [2.0, 5.0, 2.0], [-4.0, 5.0, -4.0]])
    facts = lone_report(pnl).best
    assert facts.duplicates == ((0, 2),)
    assert np.diag(facts.correlation).tolist() == [1, 0, 1]


def test_an_roi_of_zero_has_no_shares() -> None:
    facts = lone_report(np.array([[1.0, -1.0], [2.0, -2.0]])).best
    assert facts.members["contribution_share"].to_list() == [None, None]


def test_the_best_is_the_fittest_and_of_equal_ones_the_smallest() -> None:
    returns = drawn()
    report = report_facts(returns, several())
    assert report.best.found.members.tolist() == [0, 1, 2, 3]
    equal = [
        found(0, 1, 2, algorithm="b", fitness=2.0),
        found(0, 1, algorithm="z", fitness=2.0),
        found(2, 3, algorithm="a", fitness=2.0),
    ]
    assert report_facts(returns, equal).best.found is equal[2]
    assert report_facts(returns, equal[::-1]).best.found is equal[2]


def test_a_report_has_a_row_for_each_portfolio_by_size() -> None:
    returns = drawn()
    report = report_facts(returns, several())
    assert report.table["size"].to_list() == [3, 3, 4, 4]
    assert report.table["algorithm"].to_list() == ["genetic", "hill_climbing"] * 2
    for portfolio, row in zip(report.portfolios, report.table.to_dicts(), strict=True):
        facts = portfolio_facts(returns, portfolio)
        for name in ("roi", "max_drawdown", "ratio", "win_rate", "profit_factor", "expectancy"):
            assert row[name] == facts.series.legacy[name]
        for name in ("sharpe", "sortino", "calmar", "cvar_95"):
            assert row[name] == facts.series.standard[name]
        assert row["mean_correlation"] == facts.mean_correlation


def test_what_is_not_defined_is_null_in_the_table() -> None:
    table = portfolio_table(weekly(np.full((3, 2), 4.0)), [found(0, 1)])
    row = table.to_dicts()[0]
    assert (row["sharpe"], row["sortino"], row["calmar"]) == (None, None, None)
    assert row["profit_factor"] == np.inf


def test_nothing_to_report_on_is_refused() -> None:
    with pytest.raises(PortfolioError, match="no portfolio"):
        report_facts(drawn(), [])
    with pytest.raises(PortfolioError, match="not a number"):
        report_facts(drawn(), [found(1, fitness=float("nan"))])
    with pytest.raises(PortfolioError, match="12 strategies"):
        report_facts(drawn(), [found(12)])


@pytest.mark.real_data
def test_facts_of_real_strategies_are_those_of_fitness(real_data: Path) -> None:
    returns = small_returns(real_data / "strategies")
    members = np.random.default_rng(3).choice(returns.strategies, 37, replace=False)
    judged = LegacyFitness().evaluate(returns.pnl, members[np.newaxis])
    portfolio = FoundPortfolio("random_search", "improved", members, float(judged.fitness[0]), 1)
    report = report_facts(returns, [portfolio])
    legacy = report.best.series.legacy
    assert legacy["roi"] == judged.roi[0]
    assert legacy["max_drawdown"] == judged.drawdown[0]
    assert judged.correlation is not None
    assert report.best.mean_correlation == judged.correlation[0]
    assert legacy["ratio"] - 10 * report.best.mean_correlation == judged.fitness[0]
    assert report.best.members["name_parsed"].all()
    assert report.best.series.standard["cvar_99_rests_on_one_row"]
    assert report.best.series.standard["periods_a_year"] == pytest.approx(53.1, abs=0.05)


def later_than(returns: StrategyReturns, seed: int = 8) -> StrategyReturns:
    """Ten more rows of the same strategies."""
    pnl = np.random.default_rng(seed).normal(-20.0, 90.0, (10, returns.strategies))
    return StrategyReturns(pnl, returns.names, returns.dates[-1] + 7 * np.arange(1, 11))


def test_dates_held_out_have_the_same_figures_of_their_own_rows() -> None:
    returns = drawn()
    later = later_than(returns)
    report = report_facts(returns, several(), held_out=later)
    held = report.held_out
    assert held is not None
    assert report.table.equals(report_facts(returns, several()).table), "the search's own stay"
    expected = later.pnl[:, [0, 1, 2, 3]].mean(axis=1)
    np.testing.assert_allclose(held.best.rows, expected, rtol=1e-12)
    assert held.best.legacy == series_facts(held.best.rows, later.dates, report.settings).legacy
    np.testing.assert_array_equal(held.universe.rows, universe_facts(later).rows)
    assert held.table.equals(portfolio_table(later, report.portfolios))
    assert held.dates.tolist() == later.dates.tolist()
    assert report_facts(returns, several()).held_out is None


def test_weights_of_rows_are_told_raw_and_weighted() -> None:
    rows = weekly(np.array([[4.0, 2.0], [-3.0, -1.0], [8.0, 6.0], [1.0, 1.0]]))
    weights = RowWeights("by hand", np.array([1.0, 0.0, 0.5, 1.0]))
    told = weighted_figures(rows, found(0), rows, weights.weighted(rows))
    portfolio, universe = told.to_dicts()
    assert told["strategy"].to_list() == ["portfolio", "all strategies"]
    assert (portfolio["roi_raw"], portfolio["roi_weighted"]) == (10, 9)
    assert (portfolio["ratio_raw"], portfolio["ratio_weighted"]) == (10 / 3, 900)
    assert (portfolio["win_rate_raw"], portfolio["win_rate_weighted"]) == (0.75, 0.75)
    assert universe["roi_raw"] == 9
    report = report_facts(weights.kept(rows), [found(0)], by_rules=(rows, weights.weighted(rows)))
    assert report.weighted is not None
    assert report.weighted.equals(told)


def test_cash_that_rules_leave_is_not_at_work() -> None:
    rows = drawn()
    weights = RowWeights("by hand", np.tile([0.0, 0.5, 1.0, 1.2], rows.rows // 4))
    kept = weights.kept(rows)
    facts = portfolio_facts(kept, found(0, 2, 3), exposure=weights.exposure)

    assert facts.exposure == 0.625
    assert facts.allocated > 0
    assert facts.utilisation == pytest.approx(0.625 * facts.members["kelly_share"].sum())
    whole = portfolio_facts(kept, found(0, 2, 3))
    assert (whole.exposure, whole.utilisation) == (1.0, facts.allocated)


def test_rows_of_other_strategies_are_refused() -> None:
    returns = drawn()
    other = weekly(returns.pnl[:, ::-1], tuple(reversed(returns.names)))
    with pytest.raises(PortfolioError, match="other strategies"):
        report_facts(returns, several(), held_out=other)
    with pytest.raises(PortfolioError, match="other strategies"):
        report_facts(returns, several(), by_rules=(returns, other))
