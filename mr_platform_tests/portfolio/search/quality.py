"""Comparisons of searches over seeds at equal numbers of evaluations."""

from __future__ import annotations

import statistics

from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.engine import Budget, Form, run_search
from mr_platform.portfolio.search.problem import SearchProblem


def fitness_over_seeds(
    problem: SearchProblem, name: str, evaluations: int, seeds: int, form: Form = "improved"
) -> list[float]:
    """Fitness that an algorithm reaches with each seed."""
    return [
        run_search(algorithm(name, form), problem, Budget(evaluations), seed).fitness
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
