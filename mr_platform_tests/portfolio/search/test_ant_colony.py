"""Ant colony: drawing in turn, trails and their bounds, the record's samples, quality."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.ant_colony import AntColony, LegacyAntColony, drawn_in_turn
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform_tests.portfolio.search.made_problems import made_problem, real_problem
from mr_platform_tests.portfolio.search.quality import assert_better_than_chance_and_record


def test_defaults_are_those_of_the_record_where_it_has_them() -> None:
    colony = AntColony()
    assert (colony.ants, colony.alpha, colony.beta, colony.evaporation) == (20, 1, 2, 0.5)
    assert (colony.deposit, colony.lowest, colony.highest, colony.start) == (1, 0.01, 10, 0.1)
    with pytest.raises(PortfolioError, match="smallest trail"):
        AntColony(lowest=2.0, highest=1.0)


def test_drawing_in_turn_has_the_chances_of_drawing_without_repetition() -> None:
    weights = np.array([4.0, 3.0, 2.0, 1.0])
    drawn = drawn_in_turn(np.random.default_rng(1), weights, 2, 40_000)
    assert (np.diff(drawn, axis=1) > 0).all()
    share = weights / weights.sum()
    for first in range(4):
        for second in range(first + 1, 4):
            chance = share[first] * share[second] / (1 - share[first])
            chance += share[second] * share[first] / (1 - share[second])
            seen = ((drawn == [first, second]).all(axis=1)).mean()
            assert abs(seen - chance) < 0.01


def test_where_few_hold_all_weight_uniform_ones_fill_up() -> None:
    weights = np.full(30, 1e-12)
    weights[[4, 9]] = 1.0
    drawn = drawn_in_turn(np.random.default_rng(1), weights, 5, 500)
    assert (np.diff(drawn, axis=1) > 0).all()
    assert np.isin([4, 9], drawn).all()
    assert np.unique(drawn).size == 30


def test_trails_stay_between_their_bounds_and_gather_on_the_leader() -> None:
    colony = AntColony()
    problem, rng = made_problem(), np.random.default_rng(1)
    step = colony.begin(problem, rng, 10_000)
    assert (step.state["trail"] == 0.1).all()
    for _ in range(12):
        step = colony.step(problem, step.state, rng, 10_000)
        trail = step.state["trail"]
        assert trail.shape == (60,)
        assert 0.01 <= trail.min() <= trail.max() <= 10.0
    leader = step.state["leader"]
    others = np.delete(trail, leader)
    assert trail[leader].min() > np.median(others)


def test_a_strong_deposit_meets_the_upper_bound_and_evaporation_the_lower_one() -> None:
    colony = AntColony(deposit=100.0, evaporation=1.0, patience=1_000)
    problem, rng = made_problem(), np.random.default_rng(1)
    step = colony.begin(problem, rng, 10_000)
    for _ in range(3):
        step = colony.step(problem, step.state, rng, 10_000)
    assert set(np.unique(step.state["trail"])) == {0.01, 10.0}


def test_ants_keep_a_share_of_the_leader_and_follow_trails() -> None:
    problem, rng = made_problem(), np.random.default_rng(1)
    begun = AntColony().begin(problem, rng, 10_000)
    leader = begun.state["leader"]
    kept = []
    for keep in (0.0, 0.5, 1.0):
        colony = AntColony(keep=keep)
        walked = colony._walked(rng, begun.state, 3_000)
        kept.append(np.isin(walked, leader).mean())
    assert kept[0] < kept[1] < kept[2] == 1.0
    marked = begun.state["trail"].copy()
    marked[[50, 51, 52]] = 10.0
    trailed = AntColony(keep=0.0)._walked(rng, dict(begun.state) | {"trail": marked}, 3_000)
    blind = AntColony(keep=0.0)._walked(rng, begun.state, 3_000)
    marks = [50, 51, 52]
    assert np.isin(trailed, marks).mean() > 2 * np.isin(blind, marks).mean()


def test_a_colony_that_finds_nothing_starts_over_near_the_best_of_all() -> None:
    colony = AntColony()
    problem, rng = made_problem(), np.random.default_rng(1)
    step = colony.step(problem, colony.begin(problem, rng, 10_000).state, rng, 10_000)
    state = dict(step.state) | {"stalled": np.asarray(colony.patience)}
    over = colony.step(problem, state, rng, 10_000)
    assert (over.state["trail"] == 0.1).all()
    assert int(over.state["stalled"]) == 0
    assert np.isin(over.state["leader"], state["top"]).sum() >= problem.size - colony.kick
    assert float(over.state["top_fitness"]) >= float(state["top_fitness"])


def test_state_is_of_the_order_of_the_strategies() -> None:
    rng = np.random.default_rng(1)
    problem = SearchProblem(LegacyFitness().over(rng.normal(0, 1, (5, 20_000))), 50)
    result = run_search(AntColony(), problem, Budget(200), 1)
    held = sum(values.nbytes for values in result.checkpoint.state.values())
    assert held < 20_000 * 16 + 10_000


def test_the_record_judges_51_random_portfolios() -> None:
    problem = made_problem()
    result = run_search(LegacyAntColony(), problem, Budget(9_999), 1)
    assert (result.evaluations, result.stopped) == (51, "finished")
    assert run_search(LegacyAntColony(), problem, Budget(20), 1).evaluations == 20


@pytest.mark.real_data
def test_quality_on_real_data(real_data) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "ant_colony", 1_500, 3, median=30)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(("evaluations", "median"), [(1_500, 40), (20_000, 95)])
def test_quality_over_ten_seeds(real_data, evaluations: int, median: float) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "ant_colony", evaluations, 10, median=median)
