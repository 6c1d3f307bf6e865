"""Comparisons of searches over seeds at equal numbers of evaluations."""

from __future__ import annotations

import statistics

from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.engine import Budget, Form, run_search
from mr_platform.portfolio.search.problem import SearchProblem


def unguided(name: str) -> dict[str, float]:
    """Parameters with which an algorithm takes no notice of how good strategies are alone.

    Ranking all of them judges each once, which no budget counts.
    """
    if name == "random_search":
        return {}
    return {"guide": 1.0} | ({"beta": 0.0} if name == "ant_colony" else {})


def fitness_over_seeds(
    problem: SearchProblem,
    name: str,
    evaluations: int,
    seeds: int,
    form: Form = "improved",
    **given: float,
) -> list[float]:
    """Fitness that an algorithm reaches with each seed."""
    return [
        run_search(algorithm(name, form, **given), problem, Budget(evaluations), seed).fitness
        for seed in range(seeds)
    ]


def assert_better_than_chance_and_record(
    problem: SearchProblem, name: str, evaluations: int, seeds: int, *, median: float
) -> None:
    """Each seed beats random search and the legacy form; the median reaches a figure."""
    ours = fitness_over_seeds(problem, name, evaluations, seeds)
    others = {
        "random search": fitness_over_seeds(problem, "random_search", evaluations, seeds),
        "legacy form": fitness_over_seeds(problem, name, evaluations, seeds, "legacy"),
    }
    for other, theirs in others.items():
        assert min(ours) > max(theirs), (other, ours, theirs)
    assert statistics.median(ours) > median, ours
