"""Mean correlation of portfolios against the matrix it does without, and golden figures."""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mr_platform.portfolio import correlation
from mr_platform.portfolio.correlation import (
    correlation_block,
    duplicate_columns,
    mean_correlation,
    member_sums,
    pair_correlation,
    sorted_members,
    standardised,
    swapped_correlation,
    varying,
)
from mr_platform.portfolio.returns import PortfolioError
from mr_platform_tests.portfolio.recorded import golden, real_returns, small_returns

HAND = np.array(  # columns: rising, falling, zigzag, constant, rising twice as fast
    [[1.0, 6.0, 1.0, 5.0, 2.0], [2.0, 4.0, -1.0, 5.0, 4.0], [3.0, 2.0, 1.0, 5.0, 6.0]]
)


def _random(rows: int, strategies: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(50, 400, (rows, strategies)) + rng.normal(0, 200, (rows, 1))


def _portfolios(count: int, size: int, strategies: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(strategies, size, replace=False) for _ in range(count)])


def _by_matrix(pnl: np.ndarray, members: np.ndarray) -> float:
    """The legacy program's way: the matrix, what is not a number counts as 0."""
    with np.errstate(invalid="ignore"):
        matrix = np.nan_to_num(np.corrcoef(pnl[:, members].T))
    return float(np.mean([matrix[i, j] for i, j in combinations(range(len(members)), 2)]))


def test_worked_by_hand() -> None:
    z = standardised(HAND)
    root = 2**-0.5
    assert z[:, 0] == pytest.approx([-root, 0, root])
    assert z[:, 2] == pytest.approx([6**-0.5, -2 * 6**-0.5, 6**-0.5])
    assert z[:, 3].tolist() == [0, 0, 0]
    assert varying(z).tolist() == [True, True, True, False, True]
    means = mean_correlation(z, np.array([[0, 1, 4], [0, 2, 4], [0, 3, 4]]))
    # pairs -1, 1, -1; 0, 1, 0; 0, 1, 0
    assert means == pytest.approx([-1 / 3, 1 / 3, 1 / 3], abs=1e-15)


@pytest.mark.parametrize("members", [[[0], [3]], [[0, 3], [3, 1]]])
def test_fewer_than_two_that_vary_have_no_correlation(members: list[list[int]]) -> None:
    assert mean_correlation(standardised(HAND), np.array(members)).tolist() == [0.0, 0.0]


def test_equals_the_matrix_with_constant_members() -> None:
    pnl = _random(82, 60)
    pnl[:, 7] = 0.0
    pnl[:, 11] = -3.25
    members = _portfolios(40, 20, 60)
    expected = [_by_matrix(pnl, row) for row in members]
    assert mean_correlation(standardised(pnl), members) == pytest.approx(expected, abs=1e-14)


def test_a_constant_with_a_rounded_mean_stays_constant() -> None:
    pnl = _random(82, 3)
    pnl[:, 1] = 0.1
    assert pnl[:, 1].mean() != 0.1
    z = standardised(pnl)
    assert not z[:, 1].any()
    assert mean_correlation(z, np.array([[0, 1]])).tolist() == [0.0]


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_scale_does_not_matter_even_at_the_ends_of_float64(scale: float) -> None:
    pnl = _random(30, 8)
    members = np.arange(8)[np.newaxis]
    expected = mean_correlation(standardised(pnl), members)
    assert mean_correlation(standardised(pnl * scale), members) == pytest.approx(
        expected, abs=1e-14
    )


@given(
    shift=st.floats(-1e3, 1e3),
    factors=st.lists(st.floats(1e-3, 1e3), min_size=6, max_size=6),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=6, max_size=6),
    seed=st.integers(0, 50),
)
def test_shift_and_scale_leave_correlation_and_signs_turn_it(
    shift: float, factors: list[float], signs: list[float], seed: int
) -> None:
    pnl = _random(20, 6, seed)
    moved = standardised((pnl + shift) * np.array(factors))
    turned = standardised(pnl * np.array(signs))
    z = standardised(pnl)
    first, second = np.triu_indices(6, 1)
    rho = pair_correlation(z, first, second)
    assert pair_correlation(moved, first, second) == pytest.approx(rho, abs=1e-11)
    turns = np.array(signs)[first] * np.array(signs)[second]
    assert pair_correlation(turned, first, second) == pytest.approx(rho * turns, abs=1e-13)


def test_a_portfolio_has_the_same_bits_alone_in_a_batch_and_in_any_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pnl = _random(83, 200)
    z = standardised(pnl)
    members = _portfolios(301, 37, 200)
    together = mean_correlation(z, members)
    alone = [mean_correlation(z, row[np.newaxis])[0] for row in members]
    assert together.tolist() == alone
    assert mean_correlation(z, members[:, ::-1]).tolist() == alone
    assert mean_correlation(np.ascontiguousarray(z), members).tolist() == alone
    monkeypatch.setattr(correlation, "CHUNK_BYTES", 3000)
    assert mean_correlation(z, members).tolist() == alone
    few = mean_correlation(z, np.array([*permutations([4, 9, 77])]))
    assert len(set(few.tolist())) == 1


def test_a_column_is_standardised_alike_alone_and_among_others() -> None:
    pnl = _random(83, 50)
    z = standardised(pnl)
    for column in (0, 17, 49):
        alone = standardised(pnl[:, [column]])
        assert alone[:, 0].tolist() == z[:, column].tolist()
        assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-15)


def test_the_bounds_hold() -> None:
    pnl = _random(82, 1)
    same = standardised(np.repeat(pnl, 5, axis=1))
    assert 1 - 1e-15 <= mean_correlation(same, np.arange(5)[np.newaxis])[0] <= 1.0
    opposite = standardised(np.hstack([pnl, -pnl]))
    assert -1.0 <= mean_correlation(opposite, np.array([[0, 1]]))[0] <= -1 + 1e-15


def test_a_swap_equals_the_portfolio_built_anew() -> None:
    rng = np.random.default_rng(5)
    pnl = _random(82, 120)
    pnl[:, [3, 50, 90]] = 7.0
    z = standardised(pnl)
    members = _portfolios(30, 12, 120)
    sums = member_sums(z, members)
    which = rng.integers(0, 30, 400)
    place = rng.integers(0, 12, 400)
    entering = np.array([rng.choice(np.setdiff1d(np.arange(120), members[p])) for p in which])
    new = members[which]
    new[np.arange(400), place] = entering
    swapped = swapped_correlation(z, sums, which, members[which, place], entering)
    assert np.isin(entering, [3, 50, 90]).any()
    assert swapped == pytest.approx(mean_correlation(z, new), abs=1e-14)
    assert sums.counts.tolist() == [int((~np.isin(row, [3, 50, 90])).sum()) for row in members]


def test_swaps_of_single_members_have_no_correlation() -> None:
    z = standardised(HAND)
    sums = member_sums(z, np.array([[0]]))
    zero = np.array([0])
    assert swapped_correlation(z, sums, zero, zero, np.array([1])).tolist() == [0.0]


def test_pairs_and_blocks_equal_numpy() -> None:
    pnl = _random(82, 40)
    pnl[:, 5] = 1.0
    z = standardised(pnl)
    with np.errstate(invalid="ignore"):
        matrix = np.nan_to_num(np.corrcoef(pnl.T))
    everybody = np.arange(40)
    block = correlation_block(z, everybody, everybody)
    assert block == pytest.approx(matrix, abs=1e-14)
    assert np.diag(block).tolist() == [float(i != 5) for i in range(40)]
    assert correlation_block(z, np.array([5, 3]), np.array([3, 5])).tolist()[0] == [0.0, 0.0]
    first, second = np.triu_indices(40, 1)
    rho = pair_correlation(z, first, second)
    assert rho == pytest.approx(matrix[first, second], abs=1e-14)
    assert pair_correlation(z, second, first).tolist() == rho.tolist()


def test_equals_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    pnl = _random(82, 12)
    z = standardised(pnl)
    expected = pandas.DataFrame(pnl).corr().to_numpy()
    everybody = np.arange(12)
    assert correlation_block(z, everybody, everybody) == pytest.approx(expected, abs=1e-13)


def test_duplicates_are_columns_equal_in_every_value() -> None:
    pnl = _random(5, 7)
    pnl[:, 4] = pnl[:, 1]
    pnl[:, 6] = pnl[:, 1]
    pnl[:, 0] = 0.0
    pnl[:, 3] = -0.0
    pnl[4, 5] = np.nextafter(pnl[4, 2], np.inf)
    pnl[:4, 5] = pnl[:4, 2]
    assert duplicate_columns(pnl) == ((0, 3), (1, 4, 6))
    assert duplicate_columns(np.empty((3, 0))) == ()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([[0, 1], [2, 2]], "portfolio 1: a strategy stands twice"),
        ([[0, 5]], "outside the 5 strategies"),
        ([[-1, 2]], "outside the 5 strategies"),
        ([[0.0, 1.0]], "float64, not whole numbers"),
        ([[]], "not portfolios x members"),
        ([0, 1], "not portfolios x members"),
    ],
)
def test_members_that_are_none_are_refused(members: list, said: str) -> None:
    with pytest.raises(PortfolioError, match=said):
        sorted_members(np.array(members), 5)
    with pytest.raises(PortfolioError, match=said):
        mean_correlation(standardised(HAND), np.array(members))


def test_swaps_and_returns_that_are_none_are_refused() -> None:
    z = standardised(HAND)
    sums = member_sums(z, np.array([[0, 1]]))
    one = np.array([0])
    with pytest.raises(PortfolioError, match="outside the 1 portfolios"):
        swapped_correlation(z, sums, one + 1, one, one)
    with pytest.raises(PortfolioError, match="outside the 5 strategies"):
        swapped_correlation(z, sums, one, one, one + 5)
    with pytest.raises(PortfolioError, match="same length"):
        swapped_correlation(z, sums, one, one, np.array([0, 1]))
    with pytest.raises(PortfolioError, match="rows x strategies"):
        standardised(np.empty((0, 3)))
    with pytest.raises(PortfolioError, match="not finite"):
        standardised(np.array([[1.0], [np.nan]]))


def test_no_portfolio_and_no_strategy_give_nothing() -> None:
    z = standardised(HAND)
    assert mean_correlation(z, np.empty((0, 3), dtype=np.int64)).size == 0
    assert standardised(np.empty((4, 0))).shape == (4, 0)


@pytest.mark.real_data
def test_golden_portfolios(real_data: Path) -> None:
    folder = real_data / "strategies"
    z = standardised(small_returns(folder).pnl)
    portfolios = golden(folder)["golden"]
    assert len(portfolios) == 104
    for portfolio in portfolios:
        members = np.array([portfolio["col"]])
        assert mean_correlation(z, members)[0] == pytest.approx(portfolio["avg_corr"], abs=1e-15)


@pytest.mark.real_data
def test_golden_pairs(real_data: Path) -> None:
    folder = real_data / "strategies"
    z = standardised(small_returns(folder).pnl)
    samples = golden(folder)["corr"]["samples"]
    first, second, rho = map(np.array, zip(*samples, strict=True))
    assert len(rho) == 150
    assert pair_correlation(z, first, second) == pytest.approx(rho, abs=1e-14)


@pytest.mark.real_data
def test_duplicates_of_the_production_file(real_data: Path) -> None:
    groups = duplicate_columns(real_returns(real_data / "strategies").pnl)
    assert sum(len(group) - 1 for group in groups) == 98


def _one_after_the_other(z: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean correlation and sums of columns, member by member over all portfolios."""
    ordered = np.sort(members, axis=1)
    size = members.shape[1]
    total = np.zeros((len(members), len(z)))
    counts = np.zeros(len(members), dtype=np.int64)
    for place in range(size):
        column = np.ascontiguousarray(z.T)[ordered[:, place]]
        counts += column.any(axis=1)
        total += column
    if size == 1:
        return np.zeros(len(members)), total
    squares = np.add.reduce(np.ascontiguousarray(total * total), axis=1)
    means = np.where(counts > 1, (squares - counts) / (size * (size - 1)), 0.0)
    return np.clip(means, -1.0 / (size - 1), 1.0), total


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 82, 250])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 37])
@pytest.mark.parametrize("count", [0, 1, 5, 130])
def test_gathering_has_the_bits_of_adding_one_by_one(rows: int, size: int, count: int) -> None:
    pnl = _random(rows, 50)
    pnl[:, 7], pnl[:, 11] = 0.0, -3.25
    z = standardised(pnl)
    members = _portfolios(count, size, 50).reshape(count, size).astype(np.int64)
    means, sums = _one_after_the_other(z, members)
    assert mean_correlation(z, members).tobytes() == means.tobytes()
    assert mean_correlation(z, members, varying(z)).tobytes() == means.tobytes()
    kept = member_sums(z, members)
    assert kept.sums.tobytes() == sums.tobytes()


def test_gathering_in_pieces_has_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    z, members = standardised(_random(82, 60)), _portfolios(40, 20, 60)
    whole = mean_correlation(z, members)
    monkeypatch.setattr(correlation, "GATHERED_BYTES", 3 * 20 * 82 * 8)
    assert mean_correlation(z, members).tobytes() == whole.tobytes()
    monkeypatch.setattr(correlation, "GATHERED_BYTES", 1)
    assert mean_correlation(z, members).tobytes() == whole.tobytes()
