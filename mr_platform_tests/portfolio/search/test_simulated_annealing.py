"""Annealing: the record's greedy form; schedule, calibration and chains of the improved one."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.hill_climbing import LegacyHillClimbing
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform.portfolio.search.simulated_annealing import (
    END_SHARE,
    NO_SAMPLE,
    LegacySimulatedAnnealing,
    SimulatedAnnealing,
)
from mr_platform_tests.portfolio.search.made_problems import made_problem, real_problem


def test_the_legacy_form_is_a_longer_hill_climb() -> None:
    problem = made_problem()
    annealed = run_search(LegacySimulatedAnnealing(), problem, Budget(5000), 4)
    climbed = run_search(LegacyHillClimbing(steps=1000), problem, Budget(5000), 4)
    assert annealed.evaluations == 1001
    assert annealed.fitness == climbed.fitness
    assert annealed.members.tolist() == climbed.members.tolist()


@pytest.mark.parametrize("cooling", ["geometric", "linear"])
def test_the_temperature_falls_from_first_to_last(cooling: str) -> None:
    algorithm = SimulatedAnnealing(end_temperature=0.5, cooling=cooling)
    course = [algorithm.temperature(8.0, share) for share in np.linspace(0, 1, 11)]
    assert course[0] == 8.0
    assert course[-1] == pytest.approx(0.5)
    assert (np.diff(course) < 0).all()
    assert course[5] == pytest.approx(2.0 if cooling == "geometric" else 4.25)
    assert SimulatedAnnealing().temperature(8.0, 1.0) == pytest.approx(8.0 * END_SHARE)
    assert SimulatedAnnealing(end_temperature=9.0).temperature(2.0, 1.0) == 2.0


def _chain(temperature: float, seed: int = 1):
    algorithm = SimulatedAnnealing(
        start_temperature=temperature, end_temperature=temperature, neighbours=16
    )
    return run_search(algorithm, made_problem(), Budget(4000), seed)


def test_a_cold_chain_only_climbs_and_a_hot_one_wanders() -> None:
    cold, hot = _chain(1e-9), _chain(1e6)
    assert float(cold.checkpoint.state["fitness"][0]) == pytest.approx(cold.fitness)
    assert float(hot.checkpoint.state["fitness"][0]) < hot.fitness


@pytest.mark.parametrize("neighbours", [1, 3])
def test_moves_follow_the_law_of_metropolis(neighbours: int) -> None:
    """Two portfolios of one member: how often chains stand at the better one.

    With one neighbour at a time that is the law of Boltzmann. Of several the first accepted one
    is taken, so that a chain leaves the better portfolio where any of them is accepted.
    """
    pnl = np.array([[1.0, 1.0], [-1.0, -0.5], [1.0, 1.0]])
    problem = SearchProblem(LegacyFitness("roi").over(pnl), 1)
    better, worse = 1.5, 1.0
    temperature = 0.5
    algorithm = SimulatedAnnealing(
        start_temperature=temperature,
        end_temperature=temperature,
        chains=200,
        neighbours=neighbours,
    )
    rng = np.random.default_rng(1)
    step = algorithm.begin(problem, rng, 10**9)
    high = []
    for _ in range(12):
        step = algorithm.step(problem, step.state, rng, 10**9)
        high.append(np.isclose(step.state["fitness"], better).mean())
    accepted = np.exp(-(np.arcsinh(better) - np.arcsinh(worse)) / temperature)
    left = 1 - (1 - accepted) ** int(step.state["batch"])
    assert int(step.state["batch"]) <= neighbours
    assert np.mean(high) == pytest.approx(1 / (1 + left), abs=0.04)


def test_the_start_is_taken_from_samples_where_the_budget_allows() -> None:
    problem = made_problem()
    algorithm = SimulatedAnnealing()
    for budget, sampled in ((100, False), (100_000, True)):
        step = algorithm.begin(problem, np.random.default_rng(1), budget)
        assert (step.evaluated > 1) == sampled
        assert (float(step.state["temperature"]) != NO_SAMPLE) == sampled
    flat = SearchProblem(LegacyFitness().over(np.full((9, 20), 1.5)), 4)
    step = algorithm.begin(flat, np.random.default_rng(1), 100_000)
    assert float(step.state["temperature"]) == NO_SAMPLE


def test_the_last_swaps_of_a_budget_go_to_some_chains() -> None:
    algorithm = SimulatedAnnealing(chains=7, start_temperature=0.1)
    for budget in (5, 7, 10, 50):
        assert run_search(algorithm, made_problem(), Budget(budget), 1).evaluations == budget


@pytest.mark.real_data
def test_real_quality(real_data) -> None:
    result = run_search(
        SimulatedAnnealing(), real_problem(real_data / "strategies"), Budget(420_000), 1
    )
    assert result.fitness >= 130.0
