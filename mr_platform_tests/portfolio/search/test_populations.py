"""Populations: the start, the climb of the best, the new start around the best of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.ant_colony import AntColony
from mr_platform.portfolio.search.parameters import check, parameters_of
from mr_platform.portfolio.search.populations import (
    climb_parameter,
    climbed_on,
    drawn,
    kick_parameter,
    patience_parameter,
    scattered,
)
from mr_platform_tests.portfolio.search.made_problems import made_problem


@dataclass(frozen=True)
class _Asked:
    climb: int = climb_parameter(40)
    patience: int = patience_parameter(2)
    kick: int = kick_parameter(1)
    guide: float = 1.0


def test_parameters_say_what_they_are_of() -> None:
    told = {one.name: one.meaning for one in parameters_of(_Asked)}
    assert told["climb"] == "evaluations a step for swaps of the best"
    assert told["kick"] == "members drawn anew when it scatters"
    ants = {one.name: one.meaning for one in parameters_of(AntColony)}
    assert ants["patience"] == "steps without a better one before it starts over"
    for wrong in ({"climb": -1}, {"patience": 0}, {"kick": 0}):
        with pytest.raises(PortfolioError, match=next(iter(wrong))):
            check(_Asked(**wrong))


def test_a_start_keeps_its_best() -> None:
    problem = made_problem()
    begun = drawn(_Asked(), problem, np.random.default_rng(1), 20)
    assert begun.members.shape == (20, problem.size)
    assert (begun.fitness == problem.fitness(begun.members)).all()
    assert begun.best == begun.fitness.argmax()
    assert begun.kept["top"].tolist() == begun.members[begun.best].tolist()
    assert float(begun.kept["top_fitness"]) == begun.fitness.max()
    assert sorted(begun.kept["order"]) == list(range(problem.strategies))


def test_a_new_start_lies_around_the_best_of_all_which_only_a_better_one_replaces() -> None:
    problem, rng = made_problem(), np.random.default_rng(2)
    begun = drawn(_Asked(), problem, rng, 20)
    top = begun.kept["top"]
    high = begun.kept | {"stalled": np.asarray(7), "top_fitness": np.asarray(1e9)}
    near = scattered(_Asked(), problem, rng, high, 30)
    assert near.members.shape[0] == 30
    assert {int(np.isin(row, top).sum()) for row in near.members} <= {
        problem.size - 1,
        problem.size,
    }
    assert near.kept["top"].tolist() == top.tolist()
    assert (float(near.kept["top_fitness"]), int(near.kept["stalled"])) == (1e9, 0)

    low = begun.kept | {"top_fitness": np.asarray(-1e9)}
    near = scattered(_Asked(), problem, rng, low, 30)
    assert near.kept["top"].tolist() == near.members[near.best].tolist()
    assert float(near.kept["top_fitness"]) == near.fitness.max()


def test_the_best_climbs_in_its_place() -> None:
    problem, rng = made_problem(), np.random.default_rng(3)
    begun = drawn(_Asked(), problem, rng, 20)
    members, fitness = begun.members.copy(), begun.fitness.copy()
    before = float(fitness.max())
    climb, kept = climbed_on(_Asked(), problem, rng, begun.kept, members, fitness, before, 1_000)
    assert climb.fitness > before
    assert climb.evaluated <= 40
    assert members[begun.best].tolist() == climb.members.tolist() == kept["top"].tolist()
    assert fitness[begun.best] == climb.fitness == float(kept["top_fitness"])
    others = np.arange(20) != begun.best
    assert (members[others] == begun.members[others]).all()
    assert int(kept["stalled"]) == 0


def test_a_step_without_a_better_one_is_counted_and_the_best_of_all_stays() -> None:
    problem, rng = made_problem(), np.random.default_rng(4)
    begun = drawn(_Asked(), problem, rng, 20)
    state = begun.kept | {"stalled": np.asarray(3), "top_fitness": np.asarray(1e9)}
    # no evaluation is left, so nothing is tried
    climb, kept = climbed_on(
        _Asked(),
        problem,
        rng,
        state,
        begun.members.copy(),
        begun.fitness.copy(),
        float(begun.fitness.max()),
        0,
    )
    assert climb.evaluated == 0
    assert (int(kept["stalled"]), float(kept["top_fitness"])) == (4, 1e9)
    assert kept["top"] is state["top"]
