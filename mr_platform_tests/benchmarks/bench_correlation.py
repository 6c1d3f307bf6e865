"""Correlation of strategies: all pairs in tiles, and portfolios without a matrix: ``make bench``.

The real 2,500 strategies of 82 rows where they lie, and made ones as alike (``made_strategies``) in
larger numbers, each as the settings of a book ask for it; a process of its own for each, so that
its peak of memory is its own. The same tiles are made as bare matrix products beside the pass over
all pairs (before and after it, the faster counts); the share is what the machine's product alone
takes of the whole. Both are taken in seconds of the processor, which other work on the machine
changes least. Then portfolios of 37 members and swaps of one member a second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from mr_platform.config.settings import CorrelationSettings
from mr_platform.portfolio.correlation import (
    mean_correlation,
    member_sums,
    standardised,
    swapped_correlation,
)
from mr_platform.portfolio.correlation_tiles import TILE, PairSettings, Precision, pair_statistics
from mr_platform_tests.benchmarks.made_strategies import made_returns
from mr_platform_tests.benchmarks.stopwatch import (
    Stopwatch,
    peak_memory_bytes,
    print_machine,
    print_table,
    with_threads,
)
from mr_platform_tests.conftest import REAL_DATA
from mr_platform_tests.portfolio.recorded import small_returns

REAL = 2_500
SIZE = 37
PORTFOLIOS = 20_000
REPETITIONS = 3
LARGE = 50_000
"""From so many strategies on, one precision is enough unless another is asked for."""


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--strategies", type=int, nargs="+", default=[REAL, 10_000, 25_544, 100_000]
    )
    options.add_argument("--precision", nargs="+", help="float64, float32 or both")
    options.add_argument("--tile", type=int, default=TILE)
    options.add_argument("--threads", type=int, default=1, help="of linear algebra (default: 1)")
    options.add_argument("--data", type=Path, default=REAL_DATA)
    options.add_argument("--one", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        print(json.dumps(_all_pairs(*chosen.strategies, chosen.one, chosen.tile, chosen.data)))
        return
    with_threads(chosen.threads)
    print_machine("numpy")
    asked = CorrelationSettings()
    print(
        f"\nall pairs, 82 rows, tiles of {chosen.tile}; of each strategy {asked.neighbours} "
        f"neighbours, above {asked.threshold} the strongest {asked.most_pairs:,} pairs"
    )
    rows = [
        _apart(count, precision, chosen)
        for count in sorted(chosen.strategies)
        for precision in chosen.precision or ["float64", *(["float32"] if count < LARGE else [])]
    ]
    header = ["strategies", "of", "precision", "s", "CPU s", "ns a pair", "product CPU s"]
    print_table([*header, "GFlop/s", "share", "pairs above", "peak GB"], rows)
    _portfolios(_returns(REAL, chosen.data)[0])


def _returns(strategies: int, data: Path) -> tuple[np.ndarray, str]:
    folder = data / "strategies"
    if strategies == REAL and (folder / "test_data_small_2500.csv").is_file():
        return small_returns(folder).pnl, "real"
    return made_returns(strategies), "made"


def _apart(strategies: int, precision: str, chosen: argparse.Namespace) -> list[str]:
    """One row, measured in a process of its own."""
    done = subprocess.run(
        [
            sys.executable, "-m", "mr_platform_tests.benchmarks.bench_correlation",
            "--one", precision, "--strategies", str(strategies), "--tile", str(chosen.tile),
            "--data", str(chosen.data),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )  # fmt: skip
    return list(json.loads(done.stdout.splitlines()[-1]))


def _all_pairs(strategies: int, precision: Precision, tile: int, data: Path) -> tuple[str, ...]:
    pnl, kind = _returns(strategies, data)
    chosen = CorrelationSettings()
    asked = PairSettings(
        chosen.threshold, chosen.neighbours, most_pairs=chosen.most_pairs, precision=precision
    )
    before = _bare_products(pnl, precision, tile)
    started, worked = time.perf_counter(), time.process_time()
    found = pair_statistics(pnl, asked, tile=tile)
    taken, worked = time.perf_counter() - started, time.process_time() - worked
    peak = peak_memory_bytes()
    product = min(before, _bare_products(pnl, precision, tile))
    return (
        f"{strategies:,}",
        kind,
        precision,
        f"{taken:.2f}",
        f"{worked:.2f}",
        f"{worked / found.pairs * 1e9:.1f}",
        f"{product:.2f}",
        f"{2 * len(pnl) * found.pairs / product / 1e9:.0f}",
        f"{product / worked:.0%}",
        f"{found.above / found.pairs:.2%}",
        f"{peak / 1e9:.2f}",
    )


def _bare_products(pnl: np.ndarray, precision: Precision, tile: int) -> float:
    """Seconds of the processor that the products of all tiles take."""
    factors = np.ascontiguousarray(standardised(pnl).T, dtype=precision)
    space = np.empty(tile * tile, dtype=precision)
    started = time.process_time()
    for start in range(0, len(factors), tile):
        left = factors[start : start + tile]
        for other in range(start, len(factors), tile):
            right = factors[other : other + tile]
            out = space[: len(left) * len(right)].reshape(len(left), len(right))
            np.matmul(left, right.T, out=out)
    return time.process_time() - started


def _portfolios(pnl: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    z, strategies = standardised(pnl), pnl.shape[1]
    members = np.argsort(rng.random((PORTFOLIOS, strategies), dtype=np.float32), axis=1)[:, :SIZE]
    which = rng.integers(0, PORTFOLIOS, PORTFOLIOS)
    leaving = members[which, rng.integers(0, SIZE, PORTFOLIOS)]
    entering = rng.integers(0, strategies, PORTFOLIOS)
    sums = member_sums(z, members)
    watch = Stopwatch()
    for _ in range(REPETITIONS):
        with watch.lap("portfolio"):
            mean_correlation(z, members)
        with watch.lap("swap"):
            swapped_correlation(z, sums, which, leaving, entering)
    rows = [
        (step, f"{PORTFOLIOS / min(watch.seconds[step]):,.0f}", watch.spread(step))
        for step in ("portfolio", "swap")
    ]
    print(f"mean correlation of {SIZE} members out of {strategies:,}, {PORTFOLIOS:,} at once")
    print_table(["step", "a second", "seconds a run"], rows)


if __name__ == "__main__":
    main()
