"""Ours beside the record: every figure that can be computed agrees, the rest says why not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from mr_platform.gateways.recorded_portfolios import RecordedPortfolios, read_recorded
from mr_platform.parity.portfolio_figures import PAIRS_SCHEMA, account, compared, violations
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.recorded_figures import (
    FROM_ROWS,
    FROM_TOTALS,
    FROM_VOLATILITY,
    PAIR_COLUMNS,
    figure_pairs,
    implied_correlation,
    later_figures,
    later_fitness,
)
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.portfolio.strategy_metrics import portfolio_metrics, strategy_metrics
from mr_platform.registry.recorded_figures import FIGURES, load_recorded_figures
from mr_platform_tests.portfolio import recorded

DECLARED = load_recorded_figures()


@pytest.fixture(scope="module")
def record(real_data) -> RecordedPortfolios:
    return read_recorded(real_data / "strategies", DECLARED)


@pytest.fixture(scope="module")
def comparison(real_data, record) -> pl.DataFrame:
    pairs = figure_pairs(recorded.real_returns(real_data / "strategies"), record, DECLARED)
    return compared(pairs, DECLARED.tolerance)


def test_pairs_are_what_is_compared():
    assert PAIR_COLUMNS == PAIRS_SCHEMA


# -- the record --------------------------------------------------------------------------------


@pytest.mark.real_data
def test_every_figure_that_can_be_computed_agrees(comparison):
    assert comparison["figure"].unique(maintain_order=True).to_list() == list(FIGURES)
    assert violations(comparison).height == 0
    counts = comparison.group_by("figure").agg(pl.col("within").sum())
    assert dict(counts.iter_rows()) == {
        "strategy_metrics": 2_944 * 5,
        "portfolios": 26 * 3,
        "later_portfolios": 16 * 3,
        "universe": 1,
        "golden": 104 * (12 + 1 + 8),
        "golden_searches": 7,
        "golden_correlations": 150 + 6,
        "inversions": 2 + 20 * 6 + 1,
    }
    assert comparison["relative_error"].max() < 2e-11


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("figure", "measure", "worst"),
    [
        ("strategy_metrics", "ROI", 0),
        ("strategy_metrics", "Max Drawdown", 0),
        ("strategy_metrics", "Win Percentage", 0),
        ("strategy_metrics", "Expectancy", 2e-12),
        ("portfolios", "total_roi", 1e-15),
        ("portfolios", "annualized_return", 1e-15),
        ("portfolios", "expectancy", 1e-15),
        ("later_portfolios", "total_return", 4e-14),
        ("later_portfolios", "fitness", 1.8e-11),
        ("later_portfolios", "sharpe", 0),
        ("universe", "step of the drawdown", 2e-15),
        ("golden", "ratio|penalised", 2e-15),
        ("golden_correlations", "correlation", 1e-14),
        ("golden_correlations", "n_abs_gt_0.7", 0),
        ("inversions", "inverted", 0),
    ],
)
def test_errors_are_those_of_rounding(comparison, figure, measure, worst):
    told = account(comparison).filter(figure=figure, measure=measure).row(0, named=True)
    assert told["compared"] == told["within"] > 0
    assert told["worst"] <= worst


@pytest.mark.real_data
def test_the_step_of_the_universe_is_that_between_rows_77_and_78(real_data, comparison):
    dates = recorded.real_returns(real_data / "strategies").dates
    steps = comparison.filter(measure="step of the drawdown")
    known = steps.filter("reproducible").row(0, named=True)

    assert known["subject"] == "2024-12-25 to 2025-01-01"
    days = np.array(known["subject"].split(" to "), dtype="datetime64[D]") + 180
    assert np.flatnonzero(np.isin(dates, days)).tolist() == [77, 78]
    assert known["recorded"] == pytest.approx(7_469_483.98074, rel=1e-12)
    assert steps.filter(~pl.col("reproducible"))["reason"].unique().to_list() == [
        "rows between the two days are not held"
    ]
    levels = comparison.filter(figure="universe", measure="drawdown")
    assert levels["recorded"].min() == pytest.approx(-196_864_595.65, abs=0.01)
    assert not levels["reproducible"].any()


@pytest.mark.real_data
def test_what_cannot_be_computed_says_how_many_members_are_held(comparison):
    best = comparison.filter(figure="portfolios", subject="size 37")
    reasons = dict(best.select("measure", "reason").iter_rows())

    assert best["recorded"][0] == 30.45764862187442
    for measure in ("fitness", "max_drawdown", "win_percentage", "profit_factor", "sharpe_ratio"):
        assert reasons[measure] == "the rows of 5 of 37 members are held"
    assert reasons["total_roi"] is None
    assert set(best.filter("reproducible")["basis"]) == {FROM_TOTALS}
    later = comparison.filter(figure="later_portfolios", measure="fitness")
    assert set(later["basis"]) == {FROM_VOLATILITY}
    others = comparison.filter(figure="strategy_metrics", reproducible=False)
    assert others["subject"].unique().to_list() == ["22,599 other strategies"]


@pytest.mark.real_data
def test_implied_correlations_lie_where_the_record_says(record):
    implied = [implied_correlation(portfolio) for portfolio in record.portfolios]
    assert 0.029 < min(implied) < max(implied) < 0.065


@pytest.mark.real_data
def test_other_returns_have_reasons_instead_of_golden_figures(real_data, record):
    over = recorded.real_returns(real_data / "strategies")
    few = StrategyReturns(over.pnl[:, :40], over.names[:40], over.dates)
    found = compared(figure_pairs(few, record, DECLARED), DECLARED.tolerance)

    assert violations(found).height == 0
    assert found["figure"].unique(maintain_order=True).to_list() == list(FIGURES)
    golden = found.filter(figure="golden").row(0, named=True)
    lacking = sum(name not in few.names for name in record.golden_strategies)
    assert (
        golden["reason"]
        == f"the returns given lack {lacking:,} of the 2,500 strategies of the file"
    )
    assert found.filter(figure="strategy_metrics")["reproducible"].sum() == 39 * 5


@pytest.mark.real_data
def test_a_changed_value_is_found(real_data, record):
    over = recorded.real_returns(real_data / "strategies")
    pnl = over.pnl.copy()
    pnl[40, 7] += 1.0
    found = compared(
        figure_pairs(StrategyReturns(pnl, over.names, over.dates), record, DECLARED), 1e-5
    )
    assert over.names[7] in violations(found)["subject"].to_list()


# -- by hand -----------------------------------------------------------------------------------


def test_the_later_program_by_hand():
    pnl = np.array([[1.0, 2.0, 9.0], [3.0, 4.0, 9.0], [-1.0, 0.0, 9.0]])
    over = StrategyReturns(pnl, ("a", "b", "c"), np.datetime64("2024-01-01") + np.arange(3))
    total, volatility, fitness = later_figures(over, np.array([[1, 0]]))

    # rows 3, 7, -1: added up, not averaged
    assert total.tolist() == [9]
    assert volatility == pytest.approx([np.sqrt(32 / 3)])
    assert fitness == pytest.approx([3 / (np.sqrt(32 / 3) + 1e-6)], rel=1e-15)
    assert later_fitness(total, volatility, 3).tolist() == fitness.tolist()
    assert later_fitness(np.array([3.0]), np.array([0.0]), 3).tolist() == [1e6]


def test_an_implied_correlation_by_hand():
    told = {"total_roi": 60.0, "max_drawdown": 2.0, "fitness": 29.5}
    assert implied_correlation(told) == pytest.approx(0.05)


DAYS = pl.DataFrame(
    {
        "source": ["x"] * 4,
        "Date": ["2023-07-05", "2023-07-06", "2023-07-09", "2023-07-10"],
        "portfolio_drawdown": [None, -5.0, -3.0, -1.0],
    }
)


def small_record() -> tuple[StrategyReturns, SimpleNamespace]:
    """Six strategies of which five are held, with figures that agree."""
    rng = np.random.default_rng(8)
    pnl = rng.normal(size=(30, 6)).round(2) * 100
    names = tuple("abcdef")
    whole = StrategyReturns(pnl, names, np.datetime64("2024-01-01") + np.arange(30))
    metrics = strategy_metrics(whole)
    frame = pl.DataFrame(
        {
            "col_index": range(6),
            "strategy": names,
            "ROI": metrics["roi"],
            "Max Drawdown": metrics["max_drawdown"],
            "Win Percentage": metrics["win_rate"],
            "Profit Factor": metrics["profit_factor"],
            "Expectancy": metrics["expectancy"],
        }
    )

    def portfolio(columns: list[int]) -> dict:
        members = np.array([columns])
        report = portfolio_metrics(whole, members).row(0, named=True)
        return {
            "size": len(columns),
            "fitness": float(LegacyFitness().evaluate(pnl, members).fitness[0]),
            "total_roi": report["roi"],
            "max_drawdown": report["max_drawdown"],
            "win_percentage": report["win_rate"],
            "profit_factor": report["profit_factor"],
            "expectancy": report["expectancy"],
            "sharpe_ratio": report["sharpe"],
            "sortino_ratio": report["sortino"],
            "annualized_return": report["annual_return"],
            "strategies": [names[column] for column in columns],
            "col_index": columns,
        }

    def later(columns: list[int]) -> dict:
        total, volatility, fitness = (x.item() for x in later_figures(whole, np.array([columns])))
        return {
            "run": "r", "algorithm": str(columns), "fitness": fitness, "total_return": total,
            "volatility": volatility, "sharpe": round(fitness, 6),
            "strategies": [names[column] for column in columns], "col_index": columns,
        }  # fmt: skip

    record = SimpleNamespace(
        strategy_metrics=frame,
        portfolios=[portfolio([0, 2, 4]), portfolio([1, 5])],
        later_portfolios=[later([0, 1]), later([4, 5])],
        golden={},
        golden_strategies=("a", "z"),
        universe=pl.DataFrame({"2023-07-06": [1.0], "2023-07-09": [2.0], "2023-07-10": [2.0]}),
        universe_days=DAYS,
    )
    held = StrategyReturns(pnl[:, :5].copy(), names[:5], whole.dates)
    return held, record


SMALL = replace(DECLARED, production_rows=30, universe_shift_days=180)


def test_portfolios_whose_members_are_all_held_are_computed_from_rows():
    returns, record = small_record()
    found = compared(figure_pairs(returns, record, SMALL), 1e-12)

    whole = found.filter(figure="portfolios", subject="size 3")
    assert whole["within"].all()
    assert whole.height == 9
    assert set(whole["basis"]) == {FROM_ROWS}
    part = found.filter(figure="portfolios", subject="size 2")
    assert part.filter("reproducible")["measure"].to_list() == [
        "total_roi", "expectancy", "annualized_return",
    ]  # fmt: skip
    assert part["within"].drop_nulls().all()
    assert set(part["reason"].drop_nulls()) == {"the rows of 1 of 2 members are held"}
    later = found.filter(figure="later_portfolios")
    assert later["within"].drop_nulls().all()
    assert later["basis"].to_list() == [FROM_ROWS] * 4 + [
        FROM_TOTALS, FROM_ROWS, FROM_VOLATILITY, FROM_VOLATILITY,
    ]  # fmt: skip
    assert later["reproducible"].to_list() == [True] * 5 + [False, True, True]


def test_days_of_the_universe_are_compared_where_rows_follow_each_other():
    returns, record = small_record()
    steps = figure_pairs(returns, record, SMALL).filter(measure="step of the drawdown")

    # 6 and 9 July are the rows of 2 and 5 January: not next to each other
    assert steps["ours"].to_list() == [None, 2.0]
    assert steps["recorded"].to_list() == [2.0, 2.0]
    elsewhere = replace(SMALL, universe_shift_days=0)
    found = figure_pairs(returns, record, elsewhere).filter(measure="step of the drawdown")
    assert found["ours"].null_count() == 2


def test_a_day_at_the_peak_tells_no_step():
    returns, record = small_record()
    record.universe_days = DAYS.with_columns(portfolio_drawdown=pl.Series([None, -5.0, -3.0, 0.0]))
    steps = figure_pairs(returns, record, SMALL).filter(measure="step of the drawdown")
    assert steps["ours"].null_count() == 2


def test_members_without_a_recorded_total():
    returns, record = small_record()
    record.strategy_metrics = record.strategy_metrics.head(5)
    found = figure_pairs(returns, record, SMALL)

    reasons = found.filter(figure="portfolios", subject="size 2")
    told = dict(reasons.select("measure", "reason").iter_rows())
    assert told["total_roi"] == told["expectancy"] == "a member has no recorded total"
    assert told["fitness"] == "the rows of 1 of 2 members are held"
    later = found.filter(figure="later_portfolios", subject="r, [4, 5]")
    assert later["reason"].null_count() == 0


def test_a_strategy_that_the_report_of_inversions_lacks_is_a_violation():
    returns, record = small_record()
    first = {"a": {"original_roi": 1.0}}
    record.golden_strategies = returns.names
    record.golden = {
        "golden": [],
        "algorithm_runs_seed42_size37": [],
        "corr": {
            "samples": [[0, 1, 0.0]], "mean": 0.0, "mean_abs": 0.0, "min": 0.0, "max": 0.0,
            "n_abs_gt_0.7": 0, "n_pairs": 10,
        },
        "ulta": {"columns_considered": 4, "inverted": 99, "first_20": first},
    }  # fmt: skip
    found = compared(figure_pairs(returns, record, SMALL), 1e-5).filter(figure="inversions")

    assert found.filter(measure="columns_considered")["within"].to_list() == [True]
    assert found.filter(subject="a")["within"].to_list() == [False]
