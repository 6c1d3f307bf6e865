"""Search for portfolios: what is judged a second, and how good it gets: ``make bench``.

On the real 2,500 strategies over 82 rows, size 37, fitness of the record, one process, whose linear
algebra has ``--threads``. Frozen yardsticks (``baseline_legacy_fitness``, ``baseline_hill_climb``)
run beside ours in the same process; the fastest of several repetitions counts, as other work on the
machine slows all of them.

Improved forms draw by how good strategies are alone, for which each is judged once: the budget does
not count that, so the same searches without it stand beside them (``unguided``).

Ten seeds a search, and hill climbing for 2 s and 30 s: five to eight minutes.
``--full`` (``make bench-full``) takes ten seeds unguided and over time too: about half an hour.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.search.algorithms import ALGORITHMS, algorithm
from mr_platform.portfolio.search.engine import Budget, SearchResult, run_search
from mr_platform.portfolio.search.problem import SearchProblem, random_portfolios
from mr_platform_tests.benchmarks import baseline_hill_climb, baseline_legacy_fitness
from mr_platform_tests.benchmarks.stopwatch import (
    peak_memory_bytes,
    print_machine,
    print_table,
    with_threads,
)
from mr_platform_tests.conftest import REAL_DATA
from mr_platform_tests.portfolio.recorded import golden, small_returns
from mr_platform_tests.portfolio.search.quality import fitness_over_seeds, unguided

SIZE = 37
REPETITIONS = 15
BATCH = 4096
SWAPS = 8192
CLIMBED = 20_000
"""Evaluations behind the portfolio whose swaps must be better, so that a bound tells most apart."""


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=REAL_DATA)
    options.add_argument("--evaluations", type=int, nargs="+", default=[1_001, 20_000])
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--unguided-seeds", type=int, default=3)
    options.add_argument("--timed-seeds", type=int, default=1)
    options.add_argument("--seconds", type=float, nargs="+", default=[2.0, 30.0])
    options.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS))
    options.add_argument("--threads", type=int, default=1, help="of linear algebra (default: 1)")
    options.add_argument("--full", action="store_true", help="as many seeds everywhere")
    chosen = options.parse_args()
    with_threads(chosen.threads)
    seeds = chosen.seeds
    free, timed = (seeds, seeds) if chosen.full else (chosen.unguided_seeds, chosen.timed_seeds)
    folder = chosen.data / "strategies"
    if not (folder / "test_data_small_2500.csv").is_file():
        print(f"no search is measured: {folder} holds no test_data_small_2500.csv (--data)")
        return
    pnl = small_returns(folder).pnl
    print_machine("numpy")
    _rates(pnl)
    problem = SearchProblem(LegacyFitness().over(pnl), SIZE)
    _equal_evaluations(problem, chosen.algorithms, chosen.evaluations, seeds, free)
    _against_the_record(problem, pnl, folder, seeds)
    _over_time(problem, pnl, chosen.seconds, timed)
    print(f"peak memory {peak_memory_bytes() / 1e9:.2f} GB")


def _fastest(work: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _rates(pnl: np.ndarray) -> None:
    """Portfolios and swaps judged a second, with and without the price on correlation."""
    priced, free = _rates_of(pnl, 10.0), _rates_of(pnl, 0.0)
    print(f"\njudged a second, {pnl.shape[1]:,} strategies x {pnl.shape[0]} rows, size {SIZE}")
    first = next(iter(priced))
    print_table(
        ["what", "with correlation", "x legacy", "without", "x legacy "],
        [
            (
                name,
                f"{priced[name]:,.0f}",
                f"{priced[name] / priced[first]:,.0f}",
                f"{free[name]:,.0f}",
                f"{free[name] / free[first]:,.0f}",
            )
            for name in priced
        ],
    )


def _rates_of(pnl: np.ndarray, weight: float) -> dict[str, float]:
    rng = np.random.default_rng(1)
    members = random_portfolios(rng, pnl.shape[1], SIZE, BATCH)
    lists = members[:200].tolist()
    matrix = baseline_legacy_fitness.correlations(pnl)
    series, z = np.ascontiguousarray(pnl.T), baseline_hill_climb.standardised(pnl)
    batch = members[: baseline_hill_climb.BATCH]
    problem = SearchProblem(LegacyFitness(correlation_weight=weight).over(pnl), SIZE)
    view = problem.swaps(members[:1])
    which = np.zeros(SWAPS, dtype=np.int64)
    swap = which, *view.draw(rng, which)
    climbed = run_search(algorithm("hill_climbing"), problem, Budget(CLIMBED), 1)
    high = problem.swaps(climbed.members[np.newaxis])
    better = which, *high.draw(rng, which)

    def legacy() -> None:
        for one in lists:
            if weight:
                baseline_legacy_fitness.fitness(pnl, matrix, one)
            else:
                baseline_legacy_fitness.base_fitness(pnl, one)

    work: dict[str, tuple[Callable[[], object], int]] = {
        "legacy style, one by one (frozen)": (legacy, len(lists)),
        "plain numpy, batches of 64 (frozen)": (
            lambda: baseline_hill_climb.fitness(series, z if weight else None, batch),
            len(batch),
        ),
        f"ours, batches of {BATCH:,}": (lambda: problem.fitness(members), BATCH),
        f"ours, swaps, {SWAPS:,} at a time": (lambda: view.fitness(*swap), SWAPS),
        "ours, swaps that must be better, of a climbed one": (
            lambda: high.fitness(*better, least=climbed.fitness),
            SWAPS,
        ),
    }
    return {name: count / _fastest(one) for name, (one, count) in work.items()}


def _spread(found: list[float]) -> tuple[str, str, str]:
    return f"{statistics.median(found):.2f}", f"{min(found):.2f}", f"{max(found):.2f}"


def _equal_evaluations(
    problem: SearchProblem, names: list[str], budgets: list[int], seeds: int, free: int
) -> None:
    """Improved forms with equal budgets, by the quality of single strategies and without."""
    for evaluations in budgets:
        chance = fitness_over_seeds(problem, "random_search", evaluations, max(seeds, free))
        guided, plain = [], []
        for name in names:
            start = time.perf_counter()
            found = fitness_over_seeds(problem, name, evaluations, seeds)
            taken = (time.perf_counter() - start) / seeds
            guided.append((name, *_spread(found), _above(found, chance), f"{taken:.2f}"))
            found = fitness_over_seeds(problem, name, evaluations, free, **unguided(name))
            plain.append((name, *_spread(found), _above(found, chance)))
        strategies = problem.strategies
        print(
            f"fitness with {evaluations:,} evaluations, {_seeds(seeds)}, improved forms; guided by "
            f"{strategies:,} strategies judged alone, which are not counted"
        )
        header = ["algorithm", "median", "min", "max", "above chance"]
        print_table([*header, "s a search"], guided)
        print(f"the same unguided, {_seeds(free)}: guide 1, of ants beta 0 as well")
        print_table(header, plain)


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"


def _above(found: list[float], chance: list[float]) -> str:
    above = sum(ours > theirs for ours, theirs in zip(found, chance, strict=False))
    return f"{above} of {len(found)}"


def _against_the_record(problem: SearchProblem, pnl: np.ndarray, folder: Path, seeds: int) -> None:
    """Seeded runs of the legacy program beside both of our forms at its evaluations."""
    short = {
        "GA": "genetic",
        "PSO": "particle_swarm",
        "SA": "simulated_annealing",
        "DE": "differential_evolution",
        "ACO": "ant_colony",
        "HC": "hill_climbing",
        "BO": "bayesian",
    }
    rows = []
    for run in golden(folder)["algorithm_runs_seed42_size37"]:
        name = short[run["alg"]]
        forms = [
            fitness_over_seeds(problem, name, run["evals"], seeds, form)
            for form in ("legacy", "improved")
        ]
        medians = [f"{statistics.median(found):.2f}" for found in forms]
        rows.append((name, f"{run['evals']:,}", f"{run['fitness']:.2f}", *medians))
    matrix = baseline_legacy_fitness.correlations(pnl)
    frozen = [
        baseline_legacy_fitness.greedy_annealing(pnl, matrix, SIZE, seed)[1]
        for seed in range(seeds)
    ]
    told = f"{statistics.median(frozen):.2f}"
    rows.append(("greedy annealing (frozen)", "1,001", told, "", ""))
    print(f"the legacy program, one seeded run, and our forms, median of {_seeds(seeds)}")
    print_table(["algorithm", "evaluations", "program", "our legacy", "our improved"], rows)


def _over_time(problem: SearchProblem, pnl: np.ndarray, seconds: list[float], seeds: int) -> None:
    rows = []
    found: dict[str, list[float]] = {}
    for seed in range(1, 1 + seeds):
        start = time.perf_counter()
        fitness = baseline_hill_climb.climb(pnl, SIZE, seed, 420_000)[1]
        taken = time.perf_counter() - start
        search = "plain numpy hill climb (frozen)"
        rows.append((search, f"{seed}", f"{taken:.1f}", "420,000", f"{fitness:.1f}"))
        found.setdefault(search, []).append(fitness)
        for limit in seconds:
            for name in ("hill_climbing", "simulated_annealing"):
                start = time.perf_counter()
                result = _timed(problem, name, seed, limit)
                taken = time.perf_counter() - start
                search = f"{name}, {limit:g} s"
                told = f"{result.evaluations:,}", f"{result.fitness:.1f}"
                rows.append((search, f"{seed}", f"{taken:.1f}", *told))
                found.setdefault(search, []).append(result.fitness)
    print(f"fitness over time, {_seeds(seeds)}")
    if seeds > 1:
        print_table(
            ["search", "median", "min", "max"],
            [(search, *_spread(fitness)) for search, fitness in found.items()],
        )
    print_table(["search", "seed", "seconds", "evaluations", "fitness"], sorted(rows))


def _timed(problem: SearchProblem, name: str, seed: int, seconds: float) -> SearchResult:
    """A search of about so many seconds; annealing cools over the budget that takes as long."""
    end = time.perf_counter() + seconds
    if name != "simulated_annealing":
        return run_search(
            algorithm(name),
            problem,
            Budget(10**12),
            seed,
            should_stop=lambda: time.perf_counter() >= end,
        )
    pilot = 100_000
    taken = _fastest(lambda: run_search(algorithm(name), problem, Budget(pilot), seed), 1)
    # a larger budget starts hotter, and hot chains move more often
    evaluations = max(pilot, int(pilot * (seconds - taken) / taken / 2))
    return run_search(algorithm(name), problem, Budget(evaluations), seed)


if __name__ == "__main__":
    main()
