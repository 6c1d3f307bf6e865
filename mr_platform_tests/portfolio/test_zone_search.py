"""Optimisation zone by zone with searches that are handed in."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.zone_search import (
    SIZES,
    ZoneProblem,
    optimised_zones,
    zone_problems,
)
from mr_platform.portfolio.zones import ZoneCube, zone_cube


def cube(strategies: int = 6, days: int = 9, seed: int = 4) -> ZoneCube:
    rng = np.random.default_rng(seed)
    zones = ("Zone 1", "Zone 2", "Zone 3")
    first = np.datetime64("2024-01-01")
    return zone_cube(
        StrategyReturns(
            rng.normal(size=(days * 3, strategies)).round(3),
            tuple(f"s{number}" for number in range(strategies)),
            np.repeat(first + np.arange(days), 3),
            zones * days,
        )
    )


def exhaustive(problem: ZoneProblem) -> np.ndarray:
    every = np.array(list(combinations(range(problem.returns.strategies), problem.size)))
    return every[LegacyFitness().evaluate(problem.returns.pnl, every).fitness.argmax()]


def test_a_problem_for_each_zone_and_size():
    problems = zone_problems(cube(12))

    assert SIZES == (10, 11)
    assert [(p.zone, p.size) for p in problems] == [
        (zone, size) for zone in ("Zone 1", "Zone 2", "Zone 3") for size in (10, 11)
    ]
    assert problems[0].returns.rows == 9
    assert [(p.zone, p.size) for p in zone_problems(cube(), [3, 2, 3], ["Zone 2"])] == [
        ("Zone 2", 2), ("Zone 2", 3),
    ]  # fmt: skip


def test_the_best_of_each_zone_side_by_side():
    over = cube()
    asked = []

    def search(problem: ZoneProblem) -> np.ndarray:
        asked.append((problem.zone, problem.size))
        return exhaustive(problem)[::-1]

    found = optimised_zones(over, search, sizes=(2, 3))

    assert asked == [(zone, size) for zone in over.zones for size in (2, 3)]
    frame = found.portfolios
    assert frame["zone"].to_list() == list(over.zones)
    for place, zone in enumerate(over.zones):
        problems = zone_problems(over, (2, 3), [zone])
        best = max(
            float(LegacyFitness().evaluate(p.returns.pnl, exhaustive(p)[np.newaxis]).fitness[0])
            for p in problems
        )
        assert frame["fitness"][place] == best
        assert frame["size"][place] == len(found.members[place])
        names = [over.names[member] for member in found.members[place]]
        assert frame["members"][place].to_list() == names
        assert found.series[place].sum() == pytest.approx(frame["roi"][place])
    assert found.correlation.shape == (3, 3)
    assert frame["allocation"].sum() == pytest.approx(1)
    share = np.maximum(0.01, frame["roi"].to_numpy())
    assert frame["allocation"].to_numpy() == pytest.approx(share / share.sum())


def test_of_equal_fitness_the_smaller_portfolio_is_kept():
    over = zone_cube(
        StrategyReturns(
            np.ones((2, 3)), ("a", "b", "c"), np.array(["2024-01-01", "2024-01-02"], "M8[D]"),
            ("Zone 1", "Zone 1"),
        )
    )  # fmt: skip
    found = optimised_zones(over, lambda problem: np.arange(problem.size), sizes=(2, 1, 3))

    assert found.portfolios["size"].to_list() == [1]
    assert found.correlation.tolist() == [[0]]  # a zone that does not vary


def test_another_fitness_may_judge():
    found = optimised_zones(
        cube(), lambda problem: np.arange(problem.size), sizes=(2,),
        fitness=LegacyFitness("roi", correlation_weight=0),
    )  # fmt: skip
    assert found.portfolios["fitness"].to_list() == found.portfolios["roi"].to_list()


@pytest.mark.parametrize(
    ("sizes", "zones"),
    [
        ((), None),
        ((0,), None),
        ((7,), None),
        ((2,), []),
        ((2,), ["Zone 9"]),
        ((2,), ["Zone 1"] * 2),
    ],
)
def test_problems_that_are_none(sizes, zones):
    with pytest.raises(PortfolioError):
        zone_problems(cube(), sizes, zones)


@pytest.mark.parametrize("members", [[0], [0, 0], [0, 99]])
def test_a_search_that_gives_no_portfolio(members):
    with pytest.raises(PortfolioError):
        optimised_zones(cube(), lambda problem: np.array(members), sizes=(2,))
