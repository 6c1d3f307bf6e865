"""What holds of all algorithms: seeds, budgets, resuming, better than chance."""

from __future__ import annotations

import statistics
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.algorithms import ALGORITHMS, algorithm
from mr_platform.portfolio.search.engine import Budget, Checkpoint, SearchResult, run_search
from mr_platform.portfolio.search.problem import SearchProblem
from mr_platform_tests.portfolio.recorded import golden
from mr_platform_tests.portfolio.search.made_problems import (
    balanced,
    made_problem,
    real_problem,
)
from mr_platform_tests.portfolio.search.quality import fitness_over_seeds, unguided

FORMS = [
    (name, form)
    for name, forms in ALGORITHMS.items()
    for form in ("improved", "legacy")
    if form == "improved" or forms.legacy is not None
]
EVERY = pytest.mark.parametrize(("name", "form"), FORMS, ids=lambda value: value)
IMPROVED = pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "random_search"])

# portfolio.md §3: portfolios that each algorithm of the record judges
LEGACY_EVALUATIONS = {
    "genetic": 1500,
    "particle_swarm": 1500,
    "differential_evolution": 1501,
    "simulated_annealing": 1001,
    "hill_climbing": 201,
    "ant_colony": 51,
    "bayesian": 51,
}
# about four standard errors to either side of the median of forty seeds, which stands beside
LEGACY_MEDIANS = {
    "genetic": (6.8, 9.0),  # 7.9
    "particle_swarm": (0.1, 0.8),  # 0.4
    "simulated_annealing": (18.0, 25.5),  # 21.9
    "differential_evolution": (0.1, 0.9),  # 0.5
    "ant_colony": (-0.6, 0.1),  # -0.2
    "hill_climbing": (7.0, 11.5),  # 9.0
    "bayesian": (-0.6, 0.1),  # -0.2
}
# as many as a second or less allows
FEW_SEEDS = {
    "genetic": 3,
    "particle_swarm": 3,
    "simulated_annealing": 3,
    "differential_evolution": 5,
    "ant_colony": 39,
    "hill_climbing": 5,
    "bayesian": 39,
}
GOLDEN_NAMES = {
    "GA": "genetic",
    "PSO": "particle_swarm",
    "SA": "simulated_annealing",
    "DE": "differential_evolution",
    "ACO": "ant_colony",
    "HC": "hill_climbing",
    "BO": "bayesian",
}


def _same(first: SearchResult, second: SearchResult) -> bool:
    return (
        first.members.tobytes() == second.members.tobytes()
        and first.fitness == second.fitness
        and first.evaluations == second.evaluations
        and first.convergence == second.convergence
        and first.checkpoint.generator == second.checkpoint.generator
        and first.checkpoint.state.keys() == second.checkpoint.state.keys()
        and all(
            values.tobytes() == second.checkpoint.state[key].tobytes()
            for key, values in first.checkpoint.state.items()
        )
    )


def test_eight_algorithms_of_which_one_is_not_of_the_record() -> None:
    assert len(ALGORITHMS) == 8
    assert {name for name, forms in ALGORITHMS.items() if forms.legacy} == set(LEGACY_EVALUATIONS)
    assert ALGORITHMS["random_search"].parameters("legacy") == ()
    for name, form in FORMS:
        made = algorithm(name, form)
        assert (made.name, made.form) == (name, form)
        for one in ALGORITHMS[name].parameters(form):
            assert one.meaning
            assert one.choices or one.least is not None


@EVERY
def test_seeds_repeat_and_budgets_hold(name: str, form: str) -> None:
    problem = made_problem()
    most = 0

    def seen(progress) -> None:
        nonlocal most
        most = max(most, progress.evaluations)

    first = run_search(algorithm(name, form), problem, Budget(1111), 11, on_progress=seen)
    assert _same(first, run_search(algorithm(name, form), problem, Budget(1111), 11))
    assert first.evaluations == most <= 1111
    if form == "improved":
        assert first.evaluations == 1111
    assert np.unique(first.members).size == problem.size
    other = run_search(algorithm(name, form), problem, Budget(1111), 12)
    assert other.convergence != first.convergence


@EVERY
@pytest.mark.parametrize("budget", [1, 2, 3, 31, 100])
def test_small_budgets(name: str, form: str, budget: int) -> None:
    result = run_search(algorithm(name, form), made_problem(), Budget(budget), 1)
    assert 1 <= result.evaluations <= budget


@EVERY
@pytest.mark.parametrize(("strategies", "size"), [(1, 1), (2, 1), (2, 2), (9, 9), (9, 8), (9, 1)])
def test_smallest_problems(name: str, form: str, strategies: int, size: int) -> None:
    problem = made_problem(strategies=strategies, size=size)
    result = run_search(algorithm(name, form), problem, Budget(300), 1)
    assert np.unique(result.members).size == size
    if strategies == size:
        assert (result.evaluations, result.stopped) == (1, "finished")


@EVERY
def test_constant_strategies_and_balanced_mode(name: str, form: str) -> None:
    flat = SearchProblem(LegacyFitness().over(np.full((9, 20), 1.5)), 4)
    assert run_search(algorithm(name, form), flat, Budget(200), 1).fitness == 1350.0
    result = run_search(algorithm(name, form), made_problem(settings=balanced()), Budget(200), 1)
    assert np.isfinite(result.fitness)


@EVERY
def test_killed_at_any_step_and_resumed(name: str, form: str) -> None:
    problem, budget = made_problem(), Budget(2200 if form == "improved" else 1600)
    whole = run_search(algorithm(name, form), problem, budget, 3)
    steps = 0
    checkpoint: Checkpoint | None = None
    while True:
        part = run_search(
            algorithm(name, form),
            problem,
            budget,
            3,
            checkpoint=checkpoint,
            should_stop=lambda: True,
        )
        steps += 1
        checkpoint = Checkpoint.from_bytes(part.checkpoint.to_bytes())
        if part.stopped != "asked":
            break
    assert _same(part, whole)
    assert steps >= 2


@IMPROVED
@pytest.mark.real_data
def test_better_than_chance_on_real_data(real_data, name: str) -> None:
    _assert_better_than_chance(real_data / "strategies", name, 3)


@IMPROVED
@pytest.mark.real_data
@pytest.mark.slow
def test_better_than_chance_over_ten_seeds(real_data, name: str) -> None:
    _assert_better_than_chance(real_data / "strategies", name, 10, 20_000)


@IMPROVED
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("seeds", "evaluations"),
    [
        pytest.param(2, 500, id="slice"),
        pytest.param(10, 20_000, id="whole", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_better_than_chance_without_a_look_at_single_strategies(
    real_data, name: str, seeds: int, evaluations: int
) -> None:
    """Draws by the quality of single strategies know figures that no budget counts."""
    folder = real_data / "strategies"
    _assert_better_than_chance(folder, name, seeds, evaluations, **unguided(name))


def _assert_better_than_chance(
    folder: Path, name: str, seeds: int, evaluations: int = 1000, **given: float
) -> None:
    chosen = algorithm(name, **given)
    for seed in range(seeds):
        ours = run_search(chosen, real_problem(folder), Budget(evaluations), seed)
        chance = _chance(folder, evaluations, seed)
        assert ours.evaluations <= chance.evaluations
        assert ours.fitness > chance.fitness, f"seed {seed}"


@cache
def _chance(folder: Path, evaluations: int, seed: int) -> SearchResult:
    """What chance finds is the same for every algorithm that is compared with it."""
    return run_search(algorithm("random_search"), real_problem(folder), Budget(evaluations), seed)


@pytest.mark.parametrize("name", LEGACY_EVALUATIONS)
def test_legacy_forms_judge_as_many_as_the_record(name: str) -> None:
    result = run_search(algorithm(name, "legacy"), made_problem(), Budget(10_000), 1)
    assert (result.evaluations, result.stopped) == (LEGACY_EVALUATIONS[name], "finished")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "seeds"),
    [*FEW_SEEDS.items(), *(pytest.param(one, 40, marks=pytest.mark.slow) for one in FEW_SEEDS)],
)
def test_legacy_forms_find_what_the_legacy_program_finds(real_data, name: str, seeds: int) -> None:
    """Its paths are drawn by another generator: the spread over seeds is what can be compared.

    The median is bounded from both sides, and the one seeded run of the legacy program lies among
    forty of ours.
    """
    problem = real_problem(real_data / "strategies")
    runs = golden(real_data / "strategies")["algorithm_runs_seed42_size37"]
    (run,) = (run for run in runs if GOLDEN_NAMES[run["alg"]] == name)
    found = fitness_over_seeds(problem, name, run["evals"], seeds, "legacy")
    lowest, highest = LEGACY_MEDIANS[name]
    assert lowest < statistics.median(found) < highest, found
    if seeds == 40:
        assert min(found) < run["fitness"] < max(found), (run["fitness"], found)


@pytest.mark.real_data
@pytest.mark.parametrize("seeds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_as_good_as_the_legacy_program(real_data, seeds: int) -> None:
    """Improved forms find as much with the same number of evaluations, with every seed."""
    problem = real_problem(real_data / "strategies")
    runs = golden(real_data / "strategies")["algorithm_runs_seed42_size37"]
    assert {run["alg"] for run in runs} == set(GOLDEN_NAMES)
    for run in runs:
        name, evaluations = GOLDEN_NAMES[run["alg"]], run["evals"]
        assert problem.fitness(np.array([sorted(run["portfolio"])]))[0] == pytest.approx(
            run["fitness"], rel=1e-10
        )
        for seed in range(seeds):
            improved = run_search(algorithm(name), problem, Budget(evaluations), seed).fitness
            assert improved >= run["fitness"], (name, seed)


def test_wrong_names_are_refused() -> None:
    with pytest.raises(PortfolioError, match="Did you mean 'genetic'"):
        algorithm("genetics")
    with pytest.raises(PortfolioError, match="Did you mean 'population'"):
        algorithm("genetic", populaton=3)
    with pytest.raises(PortfolioError, match="no legacy form"):
        algorithm("random_search", "legacy")
    with pytest.raises(PortfolioError, match="form 'old'"):
        algorithm("genetic", "old")  # type: ignore[arg-type]
    with pytest.raises(PortfolioError, match="at least 2"):
        algorithm("genetic", population=1)
