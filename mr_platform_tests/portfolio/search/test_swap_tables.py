"""Tables that swaps read: products of pairs, deepest falls, counts of files."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio import legacy_metrics
from mr_platform.portfolio.correlation import pair_correlation, standardised
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.search.swap_tables import PairProducts, SwapTables, deepest_falls
from mr_platform_tests.portfolio.search.made_problems import balanced, made_returns


def test_pair_products_do_not_depend_on_when_they_are_asked() -> None:
    z = standardised(made_returns(30, 50)).T
    together, apart = PairProducts(z), PairProducts(z)
    together.fill(np.arange(50))
    for one in (17, 3, 17, 40):
        apart.fill(np.array([one]))
        assert apart.table[one].tobytes() == together.table[one].tobytes()
    assert together.table.tobytes() == together.table.T.tobytes()
    first, second = np.array([1, 9, 20]), np.array([30, 2, 21])
    expected = pair_correlation(z.T, first, second)
    assert together.table[first, second] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("swaps", [1, 511, 512, 700])
@pytest.mark.parametrize("rows", [1, 2, 37])
def test_deepest_falls_have_the_bits_of_the_drawdown(swaps: int, rows: int) -> None:
    tables = SwapTables(LegacyFitness().over(made_returns(rows, 9)), np.arange(9), 3)
    series = np.random.default_rng(1).normal(size=(swaps, rows))
    sums = np.cumsum(series, axis=1)
    expected = legacy_metrics.drawdown(series)
    assert deepest_falls(sums, tables).tobytes() == expected.tobytes()


def test_counts_of_files() -> None:
    sources = ["file 0", "file 2", "another", "file 2", "file 0"]
    evaluator = balanced().over(made_returns(30, 5), sources)
    tables = SwapTables(evaluator, np.arange(5), 2)
    counts = tables.source_counts(np.array([[0, 1], [2, 3]]))
    assert counts is not None
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1]]
    which, gone, entering = np.array([0, 1]), np.array([0, 2]), np.array([2, 4])
    after = tables.imbalance_after(counts, which, gone, entering)
    expected = evaluator.imbalance(np.array([[2, 1], [4, 3]]))
    assert after == pytest.approx(expected)
    for row in range(2):
        tables.move_source(counts[row], int(gone[row]), int(entering[row]))
    assert counts.tolist() == [[0, 1, 1], [1, 1, 0]]


def test_what_has_no_price_has_no_table() -> None:
    tables = SwapTables(
        LegacyFitness(correlation_weight=0).over(made_returns(30, 5)), np.arange(5), 2
    )
    assert tables.z is None
    assert tables.pairs is None
    assert tables.source_counts(np.array([[0, 1]])) is None
