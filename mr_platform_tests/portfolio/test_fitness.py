"""Legacy fitness: the golden figures, each branch by hand, laws that hold of any portfolio."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mr_platform.portfolio.correlation import Members, mean_correlation, standardised
from mr_platform.portfolio.fitness import (
    METRICS,
    Balance,
    Evaluation,
    LegacyFitness,
    PortfolioEvaluator,
)
from mr_platform.portfolio.returns import PortfolioError
from mr_platform_tests.portfolio import recorded

# two strategies that mirror each other, one that rises, one that is constant
PNL = np.array(
    [
        [1.0, -1.0, 1.0, 2.0],
        [3.0, -3.0, 2.0, 2.0],
        [-2.0, 2.0, 3.0, 2.0],
        [4.0, -4.0, 4.0, 2.0],
    ]
)
ALL = np.array([[0, 1, 2, 3]])


def one(*members: int) -> np.ndarray:
    return np.array([members])


def same_bits(left: Evaluation, right: Evaluation) -> bool:
    pairs = [(getattr(left, field.name), getattr(right, field.name)) for field in fields(left)]
    return all((a is None and b is None) or a.tobytes() == b.tobytes() for a, b in pairs)


def legacy(pnl: np.ndarray, members: list[int], metric: str, threshold: float = 0.0) -> float:
    """The formula of the record, a portfolio at a time, through the matrix of all pairs."""
    row = pnl[:, members].mean(axis=1)
    equity = np.cumsum(row)
    deepest = float(np.max(np.maximum.accumulate(equity) - equity))
    gains, losses = row[row > 0], -row[row < 0]
    won = len(gains) / len(row)
    roi = float(row.sum())
    means = [part.mean() if len(part) else 0.0 for part in (gains, losses)]
    base = {
        "roi": roi,
        "less max dd": -deepest,
        "ratio": roi / deepest if deepest > 1e-6 else roi * (100 if roi > 0 else 10),
        "win percentage": won,
        "profit factor": gains.sum() / losses.sum()
        if losses.sum() > 1e-6
        else float(len(gains) > 0),
        "expectancy": won * means[0] - (1 - won) * means[1],
    }[metric]
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = np.nan_to_num(np.corrcoef(pnl.T))[np.ix_(members, members)]
    rho = pairs[np.triu_indices(len(members), 1)].mean() if len(members) > 1 else 0.0
    halved = metric in ("ratio", "less max dd") and deepest < threshold
    return base - 10 * rho * (0.5 if halved else 1.0)


# -- the record --------------------------------------------------------------------------------


@pytest.mark.real_data
def test_every_golden_fitness_is_equal(real_data) -> None:
    folder = real_data / "strategies"
    pnl = recorded.small_returns(folder).pnl
    errors: dict[str, float] = defaultdict(float)
    count = 0
    for metric in METRICS:
        for penalised, weight in (("", 0.0), ("|penalised", 10.0)):
            evaluator = LegacyFitness(metric, correlation_weight=weight).over(pnl)
            for portfolio in recorded.golden(folder)["golden"]:
                result = evaluator.evaluate(np.array([portfolio["col"]]))
                wanted = np.array([portfolio[metric + penalised]])
                name = metric + penalised
                errors[name] = max(errors[name], recorded.worst_error(result.fitness, wanted))
                if result.correlation is not None:
                    wanted = np.array([portfolio["avg_corr"]])
                    error = recorded.worst_error(result.correlation, wanted)
                    errors["avg_corr"] = max(errors["avg_corr"], error)
                count += 1
    assert count == 104 * 12
    assert max(errors.values()) < 1e-12, recorded.told(errors)


@pytest.mark.real_data
def test_portfolios_that_the_legacy_searches_ended_with(real_data) -> None:
    folder = real_data / "strategies"
    runs = recorded.golden(folder)["algorithm_runs_seed42_size37"]
    evaluated = LegacyFitness().evaluate(
        recorded.small_returns(folder).pnl, np.array([run["portfolio"] for run in runs])
    )
    error = recorded.worst_error(evaluated.fitness, [run["fitness"] for run in runs])
    assert len(runs) == 7
    assert error < 1e-12, f"fitness {error:.1e}"


@pytest.mark.real_data
def test_total_return_of_the_july_portfolios(real_data) -> None:
    folder = real_data / "strategies"
    portfolios = recorded.july_portfolios(folder)
    evaluated = LegacyFitness("roi", correlation_weight=0).evaluate(
        recorded.returns_of_recorded_totals(folder),
        np.array([portfolio["col_index"] for portfolio in portfolios]),
    )
    # that program added members up; the legacy program takes their mean
    ours = evaluated.fitness * len(portfolios[0]["col_index"])
    error = recorded.worst_error(ours, [portfolio["total_return"] for portfolio in portfolios])
    assert len(portfolios) == 16
    assert error < 1e-13, f"total return {error:.1e}"


@pytest.mark.real_data
@pytest.mark.parametrize("metric", ["ratio", "roi", "expectancy"])
def test_a_portfolio_has_the_same_bits_alone_and_in_a_batch(real_data, metric: str) -> None:
    folder = real_data / "strategies"
    pnl = recorded.small_returns(folder).pnl
    rng = np.random.default_rng(7)
    members = np.array([rng.choice(pnl.shape[1], 37, replace=False) for _ in range(2_000)])
    evaluator = LegacyFitness(metric).over(pnl)
    batch = evaluator.evaluate(members)
    for place in (0, 1, 85, 86, 1_597, 1_598, 1_999):
        alone = evaluator.evaluate(rng.permuted(members[place : place + 1], axis=1))
        part = Evaluation(
            **{
                field.name: None
                if (whole := getattr(batch, field.name)) is None
                else whole[place : place + 1]
                for field in fields(batch)
            }
        )
        assert same_bits(alone, part), place


# -- each branch by hand -------------------------------------------------------------------------


def test_rows_are_means_and_the_ratio_is_total_over_drawdown() -> None:
    result = LegacyFitness(correlation_weight=0).evaluate(PNL, one(0, 3))
    # rows 1.5, 2.5, 0, 3: never falls, so 100 times the total of 7
    assert (result.roi[0], result.drawdown[0], result.fitness[0]) == (7.0, 0.0, 700.0)
    result = LegacyFitness(correlation_weight=0).evaluate(PNL, one(0))
    # 1, 4, 2, 6: falls by 2
    assert (result.roi[0], result.drawdown[0], result.fitness[0]) == (6.0, 2.0, 3.0)
    assert result.correlation is None
    assert result.penalty[0] == 0


def test_peak_starts_at_the_first_row() -> None:
    pnl = np.array([[-5.0], [1.0], [-2.0], [3.0]])
    result = LegacyFitness("less max dd", correlation_weight=0).evaluate(pnl, one(0))
    assert result.drawdown[0] == 2.0  # from -4 to -6; from 0 it would be 6
    assert result.fitness[0] == -2.0


@pytest.mark.parametrize(
    ("rows", "fitness"),
    [
        ([2.0, 1.0], 300.0),  # gain without drawdown
        ([-2.0, 1.0], -10.0),  # loss in the first row only: no drawdown
        ([0.0, 0.0], 0.0),
        ([3.0, -9e-7], 100.0 * (3.0 - 9e-7)),  # a drawdown below 1e-6 counts as none
        ([3.0, -2e-6], (3.0 - 2e-6) / 2e-6),
    ],
)
def test_zero_drawdown_branches_of_the_ratio(rows: list[float], fitness: float) -> None:
    pnl = np.array([[0.0], *([row] for row in rows)])
    if rows[0] < 0:
        pnl = pnl[1:]
    result = LegacyFitness().evaluate(pnl, one(0))
    assert result.fitness[0] == pytest.approx(fitness, rel=1e-9)


@pytest.mark.parametrize(
    ("metric", "fitness"),
    [
        ("roi", 6.0),
        ("less max dd", -2.0),
        ("ratio", 3.0),
        ("win percentage", 0.75),
        ("profit factor", 4.0),
        ("expectancy", 0.75 * 8 / 3 - 0.25 * 2),
    ],
)
def test_each_metric_by_hand(metric: str, fitness: float) -> None:
    result = LegacyFitness(metric).evaluate(PNL, one(0))
    assert result.fitness[0] == pytest.approx(fitness, rel=1e-15)
    assert result.correlation is not None
    assert result.correlation[0] == 0  # one member has no pair


@pytest.mark.parametrize(
    ("rows", "factor"),
    [
        ([1.0, 2.0], 1.0),
        ([0.0, 0.0], 0.0),
        ([-1.0, 0.0], 0.0),
        ([1.0, -1e-6], 1.0),
        ([0.0, -1e-7], 0.0),
    ],
)
def test_profit_factor_without_losses_or_gains(rows: list[float], factor: float) -> None:
    result = LegacyFitness("profit factor").evaluate(np.array([rows]).T, one(0))
    assert result.fitness[0] == factor


def test_a_negative_correlation_is_rewarded() -> None:
    result = LegacyFitness("roi").evaluate(PNL, one(0, 1))
    assert result.correlation == pytest.approx([-1.0])
    assert result.penalty == pytest.approx([-10.0])
    assert result.fitness == pytest.approx([10.0])


def test_pairs_with_a_constant_strategy_count_as_zero() -> None:
    pnl = PNL[:, [0, 2, 3]]
    pair = np.corrcoef(PNL[:, 0], PNL[:, 2])[0, 1]
    result = LegacyFitness("roi").evaluate(pnl, one(0, 1, 2))
    assert result.correlation == pytest.approx([pair / 3], rel=1e-14)
    assert LegacyFitness("roi").evaluate(pnl, one(0, 2)).correlation == pytest.approx([0.0])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("threshold", "halved"), [(0.5, False), (0.500001, True)])
def test_price_is_halved_below_the_threshold(metric: str, threshold: float, halved: bool) -> None:
    pnl = np.array([[1.0, 3.0], [2.0, -2.0], [-2.0, 1.0], [1.0, 1.0]])
    full = LegacyFitness(metric).evaluate(pnl, one(0, 1))
    assert full.drawdown[0] == 0.5
    result = LegacyFitness(metric, drawdown_threshold=threshold).evaluate(pnl, one(0, 1))
    halved = halved and metric in ("ratio", "less max dd")
    assert result.penalty[0] == full.penalty[0] * (0.5 if halved else 1.0)
    assert result.fitness[0] == result.base[0] - result.penalty[0]


def test_figures_that_are_kept_have_the_bits_of_every_other_batch() -> None:
    class Elsewhere(PortfolioEvaluator):
        """Judges batches on arrays that round otherwise."""

        def evaluate(self, members: Members) -> Evaluation:
            raise AssertionError("kept figures are judged by the processor")

    members = np.array([[0, 1], [1, 3]])
    found = Elsewhere(LegacyFitness(), PNL).evaluate_on_host(members)
    assert found.fitness.tolist() == LegacyFitness().evaluate(PNL, members).fitness.tolist()


def test_balanced_mode_counts_members_of_named_files() -> None:
    sources = ["a", "a", "b", "c"]
    balance = Balance({"a": 1, "b": 2}, penalty_factor=0.5)
    evaluator = LegacyFitness("roi", balance=balance).over(PNL, sources)
    plain = LegacyFitness("roi").over(PNL)
    members = np.array([[0, 1, 2], [1, 2, 3], [0, 1, 3]])
    result = evaluator.evaluate(members)
    assert result.imbalance is not None
    # a 2 b 1; a 1 b 1; a 2 b 0: c is free
    assert result.imbalance.tolist() == [1.0, 0.5, 1.5]
    assert result.fitness.tolist() == (plain.evaluate(members).fitness - result.imbalance).tolist()
    assert evaluator.imbalance(members).tolist() == result.imbalance.tolist()


def test_rows_kept_by_a_search_give_the_same_figures() -> None:
    evaluator = LegacyFitness(balance=Balance({"a": 1})).over(PNL, ["a", "a", "b", "b"])
    members = np.array([[0, 2], [1, 3], [2, 3]])
    whole = evaluator.evaluate(members)
    series = np.stack([PNL[:, row].mean(axis=1) for row in members])
    kept = evaluator.evaluate_series(
        series, mean_correlation(standardised(PNL), members), evaluator.imbalance(members)
    )
    assert same_bits(whole, kept)


def test_an_empty_batch_is_evaluated() -> None:
    result = LegacyFitness().evaluate(PNL, np.empty((0, 3), dtype=np.int64))
    assert result.fitness.shape == (0,)


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings_given", "fault"),
    [
        ({"metric": "Ratio"}, "metric 'Ratio' is not known"),
        ({"drawdown_threshold": -1.0}, "drawdown_threshold is -1.0"),
        ({"drawdown_threshold": float("nan")}, "drawdown_threshold is nan"),
        ({"correlation_weight": float("inf")}, "correlation_weight is inf"),
    ],
)
def test_settings_that_cannot_be_used(settings_given: dict, fault: str) -> None:
    with pytest.raises(PortfolioError, match=fault):
        LegacyFitness(**settings_given)


@pytest.mark.parametrize(
    ("desired", "factor", "fault"),
    [
        ({}, 1.0, "names no source file"),
        ({"a": -1}, 1.0, "desired count is negative: a"),
        ({"a": 1}, -0.5, "penalty_factor is -0.5"),
    ],
)
def test_balance_that_cannot_be_used(desired: dict, factor: float, fault: str) -> None:
    with pytest.raises(PortfolioError, match=fault):
        Balance(desired, factor)


def test_balance_keeps_its_own_counts() -> None:
    desired = {"a": 1}
    balance = Balance(desired)
    desired["a"] = 5
    assert dict(balance.desired) == {"a": 1}


@pytest.mark.parametrize(
    ("sources", "fault"),
    [
        (None, "source file of 4 strategies; none given"),
        (["a"], "source file of 4 strategies; 1 given"),
        (["b"] * 4, "files that no strategy came from: a"),
    ],
)
def test_sources_that_do_not_fit(sources: list[str] | None, fault: str) -> None:
    with pytest.raises(PortfolioError, match=fault):
        LegacyFitness(balance=Balance({"a": 1})).over(PNL, sources)


@pytest.mark.parametrize("members", [[[0, 0]], [[0, 4]], [[-1, 0]], [[0.0, 1.0]], [0, 1]], ids=str)
def test_members_that_are_no_portfolio(members: list) -> None:
    with pytest.raises(PortfolioError):
        LegacyFitness(correlation_weight=0).evaluate(PNL, np.array(members))


@pytest.mark.parametrize("pnl", [np.zeros(3), np.zeros((0, 3)), np.full((2, 3), np.nan)], ids=str)
def test_returns_that_cannot_be_evaluated(pnl: np.ndarray) -> None:
    with pytest.raises(PortfolioError, match="returns"):
        LegacyFitness(correlation_weight=0).over(pnl)


def test_kept_rows_that_do_not_fit() -> None:
    evaluator = LegacyFitness().over(PNL)
    with pytest.raises(PortfolioError, match="portfolios x 4 rows"):
        evaluator.evaluate_series(np.zeros((1, 3)), np.zeros(1))
    with pytest.raises(PortfolioError, match="correlation is missing"):
        evaluator.evaluate_series(np.zeros((1, 4)))
    with pytest.raises(PortfolioError, match="does not stand for 1 portfolios"):
        evaluator.evaluate_series(np.zeros((1, 4)), np.zeros(2))
    with pytest.raises(PortfolioError, match="imbalance is given, but has no price"):
        evaluator.evaluate_series(np.zeros((1, 4)), np.zeros(1), np.zeros(1))
    with pytest.raises(PortfolioError, match="balanced mode is off"):
        evaluator.imbalance(ALL)


# -- laws ----------------------------------------------------------------------------------------

# whole numbers: ties, equal columns and constants are frequent, and no sum is rounded
WHOLE = st.integers(-6, 6).map(float)


@st.composite
def portfolios(draw, rows: int = 1) -> tuple[np.ndarray, np.ndarray]:
    pnl = draw(
        arrays(np.float64, st.tuples(st.integers(rows, 12), st.integers(5, 7)), elements=WHOLE)
    )
    size = draw(st.integers(1, 5))
    order = draw(st.permutations(range(pnl.shape[1])))
    return pnl, np.array([order[:size]])


@given(portfolios(), st.sampled_from(METRICS), st.sampled_from([0.0, 2.0]))
@settings(max_examples=150, deadline=None)
def test_fitness_is_the_formula_of_the_record(case, metric: str, threshold: float) -> None:
    pnl, members = case
    if len(pnl) == 1:
        pnl = np.concatenate([pnl, pnl])
    result = LegacyFitness(metric, drawdown_threshold=threshold).evaluate(pnl, members)
    wanted = legacy(pnl, members[0].tolist(), metric, threshold)
    assert result.fitness[0] == pytest.approx(wanted, rel=1e-10, abs=1e-10)


@given(portfolios(), st.sampled_from(METRICS), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_members_and_company_change_no_bit(case, metric: str, random) -> None:
    pnl, members = case
    pnl = pnl / 7.0
    listed = members[0].tolist()
    random.shuffle(listed)
    other = np.sort(np.random.default_rng(1).permuted(np.arange(pnl.shape[1]))[: members.shape[1]])
    evaluator = LegacyFitness(metric).over(pnl)
    alone = evaluator.evaluate(members)
    batch = evaluator.evaluate(np.array([other, listed, other]))
    for field in fields(alone):
        value = getattr(alone, field.name)
        if value is not None:
            assert getattr(batch, field.name)[1] == value[0], field.name


@given(portfolios(rows=2), st.sampled_from([0.25, 2.0, 1024.0]))
@settings(max_examples=60, deadline=None)
def test_scaling_leaves_ratio_and_correlation_alone(case, scale: float) -> None:
    pnl, members = case
    plain, scaled = (LegacyFitness().evaluate(matrix, members) for matrix in (pnl, pnl * scale))
    assert scaled.roi == pytest.approx(plain.roi * scale)
    assert scaled.drawdown == pytest.approx(plain.drawdown * scale)
    assert scaled.correlation == pytest.approx(plain.correlation, abs=1e-14)
    factor = 1.0 if plain.drawdown[0] > 1e-6 else scale
    assert scaled.base == pytest.approx(plain.base * factor)


@given(arrays(np.float64, st.tuples(st.integers(1, 10), st.just(3)), elements=WHOLE))
@settings(max_examples=60, deadline=None)
def test_a_portfolio_of_copies_is_its_strategy(pnl: np.ndarray) -> None:
    copies = np.repeat(pnl[:, :1], 4, axis=1)
    single = LegacyFitness().evaluate(pnl, one(0))
    whole = LegacyFitness().evaluate(copies, ALL)
    varies = len(set(pnl[:, 0])) > 1
    assert whole.base == pytest.approx(single.base)
    assert whole.correlation == pytest.approx([1.0 if varies else 0.0])
    assert whole.fitness == pytest.approx(single.fitness - (10.0 if varies else 0.0))


@given(arrays(np.float64, st.tuples(st.integers(1, 10), st.just(4)), elements=st.integers(1, 9)))
@settings(max_examples=40, deadline=None)
def test_all_loss_has_no_wins_and_falls_all_the_way(gains: np.ndarray) -> None:
    result = {
        metric: LegacyFitness(metric, correlation_weight=0).evaluate(-gains, ALL)
        for metric in METRICS
    }
    rows = -gains.mean(axis=1)
    assert result["win percentage"].fitness[0] == 0
    assert result["profit factor"].fitness[0] == 0
    assert result["expectancy"].fitness[0] == pytest.approx(rows.mean())
    # the first loss is no drawdown: the peak starts there
    assert result["ratio"].drawdown[0] == pytest.approx(-rows[1:].sum())
    wanted = rows.sum() / -rows[1:].sum() if len(rows) > 1 else 10 * rows.sum()
    assert result["ratio"].fitness[0] == pytest.approx(wanted)
