"""Differential evolution: differences of sets, selection, the record's coin flips, quality."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.differential_evolution import (
    DifferentialEvolution,
    LegacyDifferentialEvolution,
)
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform_tests.portfolio.search.made_problems import made_problem, real_problem
from mr_platform_tests.portfolio.search.quality import assert_better_than_chance_and_record

PURE = {"mutation": 0.0, "climb": 0}


def test_defaults_are_those_of_the_record_where_it_has_them() -> None:
    evolution = DifferentialEvolution()
    assert (evolution.population, evolution.f, evolution.cr) == (30, 0.8, 0.7)
    assert evolution.strategy == "best/1/bin"
    with pytest.raises(PortfolioError, match="strategy"):
        DifferentialEvolution(strategy="best/2/bin")


@pytest.mark.parametrize("strategy", ["best/1/bin", "rand/1/bin"])
def test_selection_is_greedy_in_every_place(strategy: str) -> None:
    evolution = DifferentialEvolution(strategy=strategy)
    problem, rng = made_problem(), np.random.default_rng(1)
    step = evolution.begin(problem, rng, 10_000)
    for _ in range(5):
        before, step = step, evolution.step(problem, step.state, rng, 10_000)
        assert (step.state["fitness"] >= before.state["fitness"]).all()
        assert (step.state["fitness"] == problem.fitness(step.state["population"])).all()
        assert step.fitness == step.state["fitness"].max()
    assert (step.state["fitness"] > before.state["fitness"]).any()


@pytest.mark.parametrize("strategy", ["best/1/bin", "rand/1/bin"])
def test_without_mutation_nothing_comes_from_outside_the_population(strategy: str) -> None:
    evolution = DifferentialEvolution(strategy=strategy, **PURE)
    problem, rng = made_problem(strategies=200), np.random.default_rng(2)
    begun = evolution.begin(problem, rng, 10_000)
    known = np.unique(begun.state["population"])
    assert known.size < 150
    step = evolution.step(problem, begun.state, rng, 10_000)
    assert np.isin(step.state["population"], known).all()


def test_a_base_takes_the_difference_and_keeps_the_rest() -> None:
    evolution = DifferentialEvolution(f=1.0, cr=1.0, **PURE)
    base = np.array([0, 1, 2, 3])
    population = np.array([base, [2, 3, 8, 9], [2, 3, 8, 9], [2, 3, 8, 9]])
    mutants = evolution._mutants(np.random.default_rng(1), population, 0)
    # the first differs from three that are the same: no difference, so it is the base
    assert mutants[0].tolist() == base.tolist()
    population = np.array([base, [0, 1, 6, 7], [4, 5, 6, 7], [4, 5, 6, 7]])
    for seed in range(20):
        for mutant in evolution._mutants(np.random.default_rng(seed), population, 0):
            # differences of the others are 0 and 1 or their reverse: base has the one anyway, and
            # of the reverse 4 and 5 come for 0 and 1
            assert {*mutant.tolist()} in ({0, 1, 2, 3}, {4, 5, 2, 3}, {4, 5, 6, 7}, {0, 1, 6, 7})


def test_crossover_brings_at_least_one_and_at_most_all() -> None:
    population = np.tile(np.arange(6), (2_000, 1))
    mutants = population + 3
    order = np.arange(20)
    for cr, least, mean, most in ((0.0, 1, 1.0, 1), (0.5, 1, 1.625, 3), (1.0, 3, 3.0, 3)):
        evolution = DifferentialEvolution(cr=cr, **PURE)
        trials = evolution._crossed(np.random.default_rng(1), population, mutants, order)
        new = np.isin(trials, [6, 7, 8]).sum(axis=1)
        assert (new.min(), new.max()) == (least, most)
        assert abs(new.mean() - mean) < 0.15
        # what target and mutant share stays, but for a few
        assert np.isin(trials, [3, 4, 5]).mean() > 0.49


def test_a_population_that_agrees_is_changed_all_the_same() -> None:
    evolution = DifferentialEvolution(**PURE)
    problem, rng = made_problem(), np.random.default_rng(3)
    population = np.tile(np.arange(6), (30, 1))
    trials = evolution._crossed(rng, population, population, np.arange(60))
    assert (np.isin(trials, np.arange(6)).sum(axis=1) == 5).all()
    begun = evolution.begin(problem, rng, 10_000)
    state = dict(begun.state) | {"stalled": np.asarray(evolution.patience)}
    step = evolution.step(problem, state, rng, 10_000)
    near = [np.isin(row, state["top"]).sum() for row in step.state["population"]]
    assert min(near) >= problem.size - evolution.kick
    assert evolution.step(problem, state, rng, 4).state["population"].shape[0] == 4
    # what it finds while it scatters counts as well
    step = evolution.step(problem, state | {"top_fitness": np.asarray(-1e9)}, rng, 10_000)
    assert float(step.state["top_fitness"]) == step.fitness == step.state["fitness"].max()


def test_children_of_the_record_come_from_parent_or_partner() -> None:
    problem, rng = made_problem(strategies=60, size=20), np.random.default_rng(1)
    legacy = LegacyDifferentialEvolution(population=2)
    # partners that share nothing: each member is from one of them, about half of them from each
    apart = np.arange(40).reshape(2, 20)
    state = {"population": apart, "rounds": np.asarray(0)}
    shares = []
    for _ in range(100):
        children = legacy.step(problem, state, rng, 10_000).state["population"]
        assert (np.diff(children, axis=1) > 0).all()
        assert children.max() < 40
        shares += [(child < 20).mean() for child in children]
    assert 0.0 in shares  # its partner can be itself
    assert 1.0 in shares
    assert abs(np.mean([share for share in shares if 0 < share < 1]) - 0.5) < 0.05
    # partners that share all in another order: what stands twice is filled up from the others
    turned = np.stack([np.arange(20), np.roll(np.arange(20), 1)])
    state = {"population": turned, "rounds": np.asarray(0)}
    filled = [legacy.step(problem, state, rng, 10_000).state["population"] for _ in range(50)]
    assert (np.diff(np.concatenate(filled), axis=1) > 0).all()
    assert set(np.unique(filled)) == set(range(60))


def test_the_record_judges_one_and_50_rounds_of_30() -> None:
    result = run_search(LegacyDifferentialEvolution(), made_problem(), Budget(9_999), 1)
    assert (result.evaluations, result.stopped) == (1 + 50 * 30, "finished")


@pytest.mark.real_data
def test_quality_on_real_data(real_data) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(problem, "differential_evolution", 1_500, 3, median=30)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize(("evaluations", "median"), [(1_500, 35), (20_000, 110)])
def test_quality_over_ten_seeds(real_data, evaluations: int, median: float) -> None:
    problem = real_problem(real_data / "strategies")
    assert_better_than_chance_and_record(
        problem, "differential_evolution", evaluations, 10, median=median
    )
