"""Bayesian search: what the model learns, what it proposes, bounded memory, quality."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.fitness import METRICS, LegacyFitness
from mr_platform.portfolio.search.ant_colony import LegacyAntColony
from mr_platform.portfolio.search.bayesian import (
    Bayesian,
    LegacyBayesian,
    _curve_rows,
    _profiles,
)
from mr_platform.portfolio.search.draws import random_portfolios
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform_tests.portfolio.search.made_problems import (
    made_problem,
    made_returns,
    real_problem,
)
from mr_platform_tests.portfolio.search.quality import assert_better_than_chance_and_record


def test_defaults_are_those_of_the_record_where_it_has_them() -> None:
    assert (Bayesian().initial, Bayesian().explore) == (10, 0.2)


def test_the_model_learns_a_linear_fitness() -> None:
    rng = np.random.default_rng(1)
    away, truth = rng.normal(0, 1, (400, 12)), rng.normal(0, 1, 12)
    slopes = Bayesian(explore=1.0)._slopes(rng, away, away @ truth, 500)
    assert slopes.shape == (12, 500)
    # losses are cut off at the model's floor, so the direction is what it can know
    mean = slopes.mean(axis=1)
    assert mean @ truth > 0.97 * np.linalg.norm(mean) * np.linalg.norm(truth)
    assert slopes.std(axis=1).min() > 0


def test_slopes_spread_where_nothing_has_been_seen() -> None:
    rng = np.random.default_rng(1)
    away = rng.normal(0, 1, (300, 6))
    away[:, 5] = 0.0
    slopes = Bayesian(explore=1.0)._slopes(rng, away, away[:, 0] + rng.normal(0, 1, 300), 2_000)
    spread = slopes.std(axis=1)
    assert spread[5] > 5 * spread[:5].max()
    still = Bayesian(explore=0.0)._slopes(rng, away, away[:, 0], 3)
    assert (still == still[:, :1]).all()


@pytest.mark.parametrize("rows", [1, 5, 96, 250])
def test_profiles_are_running_sums_and_standardised_sums(rows: int) -> None:
    problem = made_problem(rows=rows)
    portfolios = random_portfolios(np.random.default_rng(1), 60, 6, 4)
    seen = _curve_rows(problem)
    assert seen[-1] == rows - 1
    assert seen.size == min(rows, 96)
    profiles = _profiles(problem, portfolios)
    members = problem.evaluator.strategies[portfolios]
    curves = np.cumsum(members.sum(axis=1), axis=1)[:, seen]
    assert np.allclose(profiles[:, : seen.size], curves, rtol=1e-12)
    assert np.allclose(profiles[:, seen.size :], problem.evaluator.z.T[portfolios].sum(axis=1))


def test_without_a_price_on_correlation_profiles_are_curves_alone() -> None:
    problem = made_problem(settings=LegacyFitness(correlation_weight=0.0))
    assert _profiles(problem, np.array([[1, 2]])).shape == (1, 30)
    assert run_search(Bayesian(), problem, Budget(300), 1).evaluations == 300


def test_proposals_are_new_and_one_or_two_swaps_away() -> None:
    bayesian = Bayesian(double=0.5)
    problem, rng = made_problem(strategies=200, size=10), np.random.default_rng(1)
    step = bayesian.begin(problem, rng, 10_000)
    seen = {row.tobytes() for row in step.state["known"]}
    sizes = set()
    for _ in range(40):
        place = step.state["place"]
        tried = bayesian._proposed(problem, step.state, rng, 8)
        assert (np.diff(tried, axis=1) > 0).all()
        sizes |= {10 - int(np.isin(row, place).sum()) for row in tried}
        step = bayesian.step(problem, step.state, rng, 10_000)
        new = {row.tobytes() for row in step.state["known"][-8:]}
        assert len(new - seen) >= 7  # a swap drawn in place of a known one may be known too
        seen |= new
    assert sizes == {1, 2}


def test_where_only_members_were_drawn_a_non_member_enters() -> None:
    problem = made_problem(strategies=9, size=8)
    rng, bayesian = np.random.default_rng(1), Bayesian(pool=1, double=1.0)
    step = bayesian.begin(problem, rng, 10_000)
    tried = np.concatenate([bayesian._proposed(problem, step.state, rng, 4) for _ in range(20)])
    assert (np.diff(tried, axis=1) > 0).all()
    assert all(np.isin(row, step.state["place"]).sum() == 7 for row in tried)


def test_the_window_bounds_what_is_kept() -> None:
    problem = made_problem()
    result = run_search(Bayesian(window=50), problem, Budget(500), 1)
    state = result.checkpoint.state
    assert state["known"].shape == (50, 6)
    assert state["known_fitness"].shape == (50,)
    assert state["known_profiles"].shape == (50, 60)
    assert (state["known_fitness"] == problem.fitness(state["known"])).all()


def test_it_moves_to_another_place_after_its_patience() -> None:
    bayesian = Bayesian(kick=2)
    problem, rng = made_problem(), np.random.default_rng(1)
    begun = bayesian.begin(problem, rng, 10_000)
    state = dict(begun.state) | {"stalled": np.asarray(bayesian.patience)}
    step = bayesian.step(problem, state, rng, 10_000)
    assert step.evaluated == 1
    assert int(step.state["stalled"]) == 0
    assert np.isin(step.state["place"], state["top"]).sum() >= problem.size - 2
    assert float(step.state["place_fitness"]) == step.fitness


@pytest.mark.parametrize("metric", METRICS)
def test_better_than_chance_on_every_metric(metric: str) -> None:
    problem = SearchProblem(LegacyFitness(metric).over(made_returns(40, 300)), 12)
    for seed in range(2):
        chance = random_portfolios(np.random.default_rng(seed), 300, 12, 400)
        ours = run_search(Bayesian(), problem, Budget(400), seed)
        assert ours.fitness > problem.fitness(chance).max()


def test_the_record_has_the_same_algorithm_twice() -> None:
    problem = made_problem()
    first = run_search(LegacyBayesian(), problem, Budget(100), 5)
    second = run_search(LegacyAntColony(), problem, Budget(100), 5)
    assert (first.evaluations, first.stopped) == (51, "finished")
    assert first.members.tolist() == second.members.tolist()
    assert first.convergence == second.convergence
    assert (first.algorithm, second.algorithm) == ("bayesian", "ant_colony")


@pytest.mark.real_data
def test_quality_on_real_data(real_data) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "bayesian", 600, 3, median=35)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(("evaluations", "median"), [(1_500, 65), (20_000, 160)])
def test_quality_over_ten_seeds(real_data, evaluations: int, median: float) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "bayesian", evaluations, 10, median=median)
