"""Breeding: crossover of sets, mutation, tournaments, elites."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio.search import genetic
from mr_platform.portfolio.search.engine import Budget, run_search
from mr_platform.portfolio.search.genetic import (
    Genetic,
    LegacyGenetic,
    crossed,
    mutated,
    tournament,
)
from mr_platform.portfolio.search.problem import random_portfolios
from mr_platform_tests.portfolio.search.made_problems import made_problem


@pytest.mark.parametrize("keep_shared", [True, False])
def test_children_are_parts_of_the_union(keep_shared: bool) -> None:
    rng = np.random.default_rng(1)
    first, second = (random_portfolios(rng, 14, 6, 500) for _ in range(2))
    children = crossed(rng, first, second, keep_shared=keep_shared)
    kept_all = True
    for child, one, other in zip(children, first, second, strict=True):
        assert len(set(child)) == 6
        assert set(child) <= set(one) | set(other)
        kept_all &= set(one) & set(other) <= set(child)
    assert kept_all == keep_shared


def test_a_uniform_part_of_the_union() -> None:
    first, second = np.tile([0, 1, 2], (20_000, 1)), np.tile([2, 3, 4], (20_000, 1))
    children = crossed(np.random.default_rng(1), first, second, keep_shared=False)
    shares = np.bincount(children.ravel(), minlength=5) / 20_000
    assert shares == pytest.approx([0.6] * 5, abs=0.02)


def test_parents_that_are_the_same_have_their_own_child() -> None:
    parents = random_portfolios(np.random.default_rng(1), 20, 5, 9)
    for keep in (True, False):
        children = crossed(np.random.default_rng(2), parents, parents, keep_shared=keep)
        assert children.tolist() == parents.tolist()


def test_mutation_replaces_by_non_members() -> None:
    rng = np.random.default_rng(1)
    members = random_portfolios(rng, 30, 5, 4000)
    changed = mutated(rng, members, 0.2, np.arange(30))
    assert (np.diff(changed, axis=1) > 0).all()
    stayed = np.array([len(set(a) & set(b)) for a, b in zip(members, changed, strict=True)])
    # one that has left may come back for another
    assert 1 - stayed.mean() / 5 == pytest.approx(0.2, abs=0.02)
    assert mutated(rng, members, 0.0, np.arange(30)).tolist() == members.tolist()


def test_tournaments_take_the_best_of_distinct_ones() -> None:
    fitness = np.arange(10.0)
    rng = np.random.default_rng(1)
    assert set(tournament(rng, fitness, 50, 10)) == {9}
    assert set(tournament(rng, fitness, 50, 99)) == {9}
    winners = tournament(rng, fitness, 5000, 3)
    assert winners.min() >= 2  # the best of three distinct ones
    assert np.bincount(winners, minlength=10)[9] / 5000 == pytest.approx(0.3, abs=0.03)
    assert len(set(tournament(rng, fitness, 500, 1))) == 10


def test_elites_live_on() -> None:
    problem = made_problem()
    best = -np.inf
    algorithm, rng = Genetic(population=20, elite=0.2), np.random.default_rng(1)
    step = algorithm.begin(problem, rng, 10_000)
    for _ in range(15):
        before = step.state["fitness"][:4]
        step = algorithm.step(problem, step.state, rng, 10_000)
        assert step.evaluated == 16
        assert step.state["fitness"][0] >= best
        best = step.state["fitness"][0]
        assert set(before) <= set(step.state["fitness"]) | {before[-1]}
        members = step.state["members"]
        assert problem.fitness(members).tobytes() == step.state["fitness"].tobytes()
        assert np.unique(members, axis=0).shape == members.shape


def _generation(search: LegacyGenetic, members: list[list[int]]) -> tuple:
    """A problem and the state of a generation whose portfolios are worse from row to row."""
    problem = made_problem()
    drawn = np.sort(np.array(members))
    fitness = problem.fitness(drawn)
    order = np.argsort(-fitness)
    assert len(drawn) == search.population
    assert np.unique(fitness).size == fitness.size
    state = {"members": drawn[order], "fitness": fitness[order], "generation": np.asarray(1)}
    return problem, state


def test_a_parent_of_the_record_is_the_best_of_three_distinct_ones() -> None:
    """Of four portfolios, three drawn leave one out: the best wins 3 in 4, the second 1 in 4.

    No two share a member, so that a child tells its parents; nothing is mutated.
    """
    search = LegacyGenetic(population=4, mutation=0.0)
    problem, state = _generation(search, np.arange(8, 32).reshape(4, 6).tolist())
    holds = np.full(problem.strategies, -1)
    for row, members in enumerate(state["members"]):
        holds[members] = row
    parents = np.zeros(4)
    both = children = 0
    for seed in range(500):
        step = search.step(problem, state, np.random.default_rng(seed), 10_000)
        assert step.evaluated == 4
        for child in step.state["members"]:
            assert np.unique(child).size == 6
            # the third is the best of no three, and a child holds nothing of none
            assert set(holds[child]) <= {0, 1}
            parents += np.bincount(holds[child], minlength=4)
            both += len(set(holds[child])) == 2
            children += 1
    assert parents[:2] / parents.sum() == pytest.approx([0.75, 0.25], abs=0.03)
    # two parents that differ: 2 * 3/4 * 1/4; a part of twelve that holds six of one is rare
    assert both / children == pytest.approx(0.375, abs=0.04)


def test_both_tournaments_of_the_record_draw_three(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[np.ndarray] = []

    def recorded(*asked: object) -> np.ndarray:
        drawn.append(random_portfolios(*asked))
        return drawn[-1]

    search = LegacyGenetic(mutation=0.0)
    problem = made_problem()
    rng = np.random.default_rng(3)
    state = search.begin(problem, rng, 10_000).state
    monkeypatch.setattr(genetic, "random_portfolios", recorded)
    step = search.step(problem, state, rng, 10_000)
    assert [tournaments.shape for tournaments in drawn] == [(30, 3), (30, 3)]
    first, second = (
        state["members"][[max(row, key=lambda one: state["fitness"][one]) for row in tournaments]]
        for tournaments in drawn
    )
    for child, one, other in zip(step.state["members"], first, second, strict=True):
        assert set(child) <= set(one) | set(other)


def test_nothing_of_the_record_lives_on() -> None:
    """The best is only remembered: where all members are replaced it is in no later generation."""
    search = LegacyGenetic(population=4, mutation=1.0)
    problem, state = _generation(search, np.arange(8, 32).reshape(4, 6).tolist())
    before = {tuple(members) for members in state["members"]}
    worse = 0
    for seed in range(20):
        step = search.step(problem, state, np.random.default_rng(seed), 10_000)
        after = step.state
        assert after["members"].shape == (4, 6)
        assert not before & {tuple(members) for members in after["members"]}
        assert after["fitness"].tobytes() == problem.fitness(after["members"]).tobytes()
        assert step.fitness == after["fitness"].max()
        worse += step.fitness < state["fitness"][0]
    assert worse > 0


@pytest.mark.parametrize("population", [1, 2, 5])
def test_small_populations(population: int) -> None:
    result = run_search(
        LegacyGenetic(population=population, generations=4), made_problem(), Budget(999), 1
    )
    assert (result.evaluations, result.stopped) == (4 * population, "finished")
    if population > 1:
        result = run_search(Genetic(population=population, elite=0), made_problem(), Budget(50), 1)
        assert result.evaluations == 50
