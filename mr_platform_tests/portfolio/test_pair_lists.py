"""Pairs that are kept: listed above a threshold, ranked as neighbours, put into bins."""

from __future__ import annotations

import numpy as np
import pytest

from mr_platform.portfolio import pair_lists
from mr_platform.portfolio.correlation import correlation_of_rows, standardised
from mr_platform.portfolio.pair_lists import ListedPairs, bin_of, pairs_of, ranked, together

STRATEGIES = 12


def every_pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of strategies in some order, with made correlations."""
    first, second = np.triu_indices(STRATEGIES, 1)
    rho = np.random.default_rng(1).uniform(-1, 1, first.size)
    order = np.random.default_rng(2).permutation(first.size)
    return first[order], second[order], rho[order]


def listed(pairs: ListedPairs) -> list[tuple[int, int, float]]:
    return list(zip(*(side.tolist() for side in pairs.sorted()), strict=True))


def test_all_pairs_above_the_threshold_are_listed_in_order() -> None:
    first, second, rho = every_pair()
    pairs = ListedPairs(STRATEGIES, 0.4, None)
    assert pairs.takes_all
    above = 0
    # bands: whoever is offered later comes after all before
    for band in (first < 4, (first >= 4) & (first < 7), first >= 7):
        above += pairs.offer(first[band], second[band], rho[band])
        pairs.close_band()
    strong = np.abs(rho) > 0.4
    assert above == np.count_nonzero(strong)
    wanted = zip(first[strong].tolist(), second[strong].tolist(), rho[strong].tolist(), strict=True)
    assert listed(pairs) == sorted(wanted)


@pytest.mark.parametrize("spare", [0, 1 << 16])
def test_only_the_strongest_are_listed_where_so_many_are_wanted(
    spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_lists, "_SPARE", spare)
    first, second, rho = every_pair()
    pairs = ListedPairs(STRATEGIES, 0.1, 5)
    for at in range(0, first.size, 8):
        pairs.offer(first[at : at + 8], second[at : at + 8], rho[at : at + 8])
    assert (pairs.floor > 0.1) == (spare == 0), "weak pairs are dropped on the way"
    strongest = np.argsort(-np.abs(rho))[:5]
    wanted = zip(*(side[strongest].tolist() for side in (first, second, rho)), strict=True)
    assert listed(pairs) == sorted(wanted)
    assert pairs.floor == np.abs(rho[strongest]).min()
    weaker = np.array([pairs.floor / 2])
    assert pairs.offer(first[:1], second[:1], weaker) == 0


def test_no_pair_is_listed_where_none_is_wanted() -> None:
    pairs = ListedPairs(STRATEGIES, 0.1, 0)
    assert not pairs.takes_all
    pairs.offer(*every_pair())
    assert listed(pairs) == []


def test_neighbours_are_ranked_by_exact_correlation_and_equal_ones_by_column() -> None:
    pnl = np.random.default_rng(3).normal(size=(20, 6))
    pnl[:, 5], pnl[:, 4] = pnl[:, 1], -pnl[:, 1]
    rows = np.ascontiguousarray(standardised(pnl).T)
    owner = np.repeat([0, 1], 5)
    other = np.array([1, 2, 3, 4, 5, 0, 2, 3, 4, 5])
    who, rank, near, rho = ranked(rows, owner[::-1], other[::-1], 3)
    assert who.tolist() == [0, 0, 0, 1, 1, 1]
    assert rank.tolist() == [0, 1, 2, 0, 1, 2]
    assert near[3:5].tolist() == [4, 5]
    assert (rho == correlation_of_rows(rows, who, near)).all()
    assert (np.diff(np.abs(rho[:3])) <= 0).all()


def test_bins_hold_their_lower_edge_and_the_last_one_both() -> None:
    rho = np.array([-1.0, -0.5, -0.01, 0.0, 0.5, 0.99, 1.0])
    assert bin_of(rho, 4).tolist() == [0, 1, 1, 2, 3, 3, 3]


def test_parts_and_numbers_of_pairs() -> None:
    assert [pairs_of(count) for count in (0, 1, 2, 10)] == [0, 0, 1, 45]
    one, two = np.array([1]), np.array([2, 3])
    joined = together([(one, one, one * 0.5), (two, two, two * 0.5)])
    assert [side.tolist() for side in joined] == [[1, 2, 3], [1, 2, 3], [0.5, 1.0, 1.5]]
