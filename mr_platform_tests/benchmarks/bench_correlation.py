"""Correlation of strategies: all pairs in tiles, and portfolios without a matrix: ``make bench``.

Made strategies of 82 rows: a dozen shared movements, like neighbours, noise. The same tiles are
timed as bare matrix products beside the pass over all pairs (before and after it, the faster
counts), as other work on the machine slows both; the share is what the product alone would take
of the whole. Then portfolios of 37 members and swaps of one member a second.

On a busy machine run it with ``OPENBLAS_NUM_THREADS=1``: threads of the product that wait for
each other take the time of whoever they wait for.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from mr_platform.portfolio.correlation import (
    mean_correlation,
    member_sums,
    standardised,
    swapped_correlation,
)
from mr_platform.portfolio.correlation_tiles import TILE, PairSettings, Precision, pair_statistics
from mr_platform_tests.benchmarks.stopwatch import (
    Stopwatch,
    peak_memory_bytes,
    print_machine,
    print_table,
)

ROWS = 82
SIZE = 37
PORTFOLIOS = 20_000
REPETITIONS = 3


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--strategies", type=int, nargs="+", default=[2_500, 25_000])
    options.add_argument("--precision", nargs="+", default=["float64", "float32"])
    options.add_argument("--tile", type=int, default=TILE)
    chosen = options.parse_args()
    print_machine("numpy")
    rows = [
        _all_pairs(count, precision, chosen.tile)
        for count in sorted(chosen.strategies)
        for precision in chosen.precision
    ]
    print(f"\nall pairs, {ROWS} rows, tiles of {chosen.tile}")
    header = ["strategies", "precision", "s", "CPU s", "ns a pair", "product s", "GFlop/s", "share"]
    print_table([*header, "pairs above", "peak GB so far"], rows)
    _portfolios(min(*chosen.strategies, 2_500))


def made_returns(strategies: int) -> np.ndarray:
    """Rows x strategies; 2 to 0.2 pairs in a hundred are above 0.7, neighbours among them."""
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(ROWS, 12))
    groups = strategies // 50 + 1
    weights = np.repeat(rng.normal(size=(12, groups)), 50, axis=1)[:, :strategies]
    return 400 * (shared @ weights + 1.5 * rng.normal(size=(ROWS, strategies)))


def _all_pairs(strategies: int, precision: Precision, tile: int) -> tuple[str, ...]:
    pnl = made_returns(strategies)
    watch = Stopwatch()
    _bare_products(pnl, precision, tile, watch)
    started = time.process_time()
    with watch.lap("pass"):
        found = pair_statistics(pnl, PairSettings(precision=precision), tile=tile)
    worked = time.process_time() - started
    _bare_products(pnl, precision, tile, watch)
    taken, product = watch.median("pass"), min(watch.seconds["product"])
    return (
        f"{strategies:,}",
        precision,
        f"{taken:.2f}",
        f"{worked:.2f}",
        f"{taken / found.pairs * 1e9:.1f}",
        f"{product:.2f}",
        f"{2 * ROWS * found.pairs / product / 1e9:.0f}",
        f"{product / taken:.0%}",
        f"{found.above:,}",
        f"{peak_memory_bytes() / 1e9:.2f}",
    )


def _bare_products(pnl: np.ndarray, precision: Precision, tile: int, watch: Stopwatch) -> None:
    factors = np.ascontiguousarray(standardised(pnl).T, dtype=precision)
    space = np.empty(tile * tile, dtype=precision)
    with watch.lap("product"):
        for start in range(0, len(factors), tile):
            left = factors[start : start + tile]
            for other in range(start, len(factors), tile):
                right = factors[other : other + tile]
                out = space[: len(left) * len(right)].reshape(len(left), len(right))
                np.matmul(left, right.T, out=out)


def _portfolios(strategies: int) -> None:
    rng = np.random.default_rng(2)
    z = standardised(made_returns(strategies))
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
