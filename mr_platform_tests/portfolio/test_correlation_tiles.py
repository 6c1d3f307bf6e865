"""Statistics of all pairs against the whole matrix, for every tile and both precisions."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.portfolio import correlation_tiles, pair_lists
from mr_platform.portfolio.correlation import pair_correlation, standardised
from mr_platform.portfolio.correlation_tiles import (
    PairSettings,
    PairStatistics,
    content_key,
    pair_statistics,
)
from mr_platform.portfolio.returns import PortfolioError
from mr_platform_tests.portfolio.recorded import golden, small_returns


def _returns(rows: int = 30, strategies: int = 90, seed: int = 3) -> np.ndarray:
    """Clusters of like strategies, among them a constant, a copy, a multiple and an opposite."""
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=(rows, strategies // 6 + 1)), 6, axis=1)[:, :strategies]
    pnl = 300 * (1.5 * shared + rng.normal(size=(rows, strategies)))
    pnl[:, strategies // 2] = 12.5
    pnl[:, strategies // 3] = pnl[:, 2]
    pnl[:, strategies // 4] = 3 * pnl[:, 1]
    pnl[:, strategies - 1] = -pnl[:, 0]
    return pnl


def _exact_matrix(pnl: np.ndarray) -> np.ndarray:
    """Every pair by the one sum that decides; 0 on the diagonal."""
    count = pnl.shape[1]
    first, second = (side.ravel() for side in np.indices((count, count)))
    matrix = pair_correlation(standardised(pnl), first, second).reshape(count, count)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _expected_neighbours(pnl: np.ndarray, wanted: int) -> np.ndarray:
    matrix = _exact_matrix(pnl)
    lives = pnl.min(axis=0) != pnl.max(axis=0)
    found = np.full((pnl.shape[1], wanted), -1)
    for own in np.flatnonzero(lives):
        others = [other for other in np.flatnonzero(lives) if other != own]
        others.sort(key=lambda other: (-abs(matrix[own, other]), other))
        found[own, : min(wanted, len(others))] = others[:wanted]
    return found


def _assert_same(left: PairStatistics, right: PairStatistics, mean_abs: float) -> None:
    for field in fields(left):
        ours, theirs = getattr(left, field.name), getattr(right, field.name)
        if field.name == "mean_abs":
            assert ours == pytest.approx(theirs, abs=mean_abs, nan_ok=True)
        elif isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs, err_msg=field.name)
        else:
            assert ours == theirs or (ours != ours and theirs != theirs), field.name


def test_worked_by_hand() -> None:
    pnl = np.array([[1.0, 6, 1, 5], [2, 4, -1, 5], [3, 2, 1, 5]])  # up, down, zigzag, constant
    found = pair_statistics(pnl, PairSettings(neighbours=2, bins=4))
    assert (found.strategies, found.pairs, found.above) == (4, 6, 1)
    assert found.mean == pytest.approx(-1 / 6, abs=1e-15)
    assert found.mean_abs == pytest.approx(1 / 6, abs=1e-15)
    assert (found.lowest, found.highest) == pytest.approx((-1, 0), abs=1e-15)
    assert found.histogram[0] == 1
    assert found.histogram.sum() == 6
    assert (found.first.tolist(), found.second.tolist()) == ([0], [1])
    assert found.rho == pytest.approx([-1], abs=1e-15)
    assert found.neighbour[:, 0].tolist() == [1, 0, found.neighbour[2, 0], -1]
    assert found.constant == (3,)
    assert found.duplicates == ()


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_equals_the_whole_matrix(precision: str) -> None:
    pnl = _returns()
    matrix = _exact_matrix(pnl)
    i, j = np.triu_indices(90, 1)
    rho = matrix[i, j]
    found = pair_statistics(pnl, PairSettings(neighbours=9, precision=precision), tile=32)
    assert found.mean == pytest.approx(rho.mean(), abs=1e-15)
    assert found.mean_abs == pytest.approx(
        np.abs(rho).mean(), abs=1e-15 if precision == "float64" else 1e-7
    )
    assert (found.lowest, found.highest) == (rho.min(), rho.max())
    bins = np.minimum(np.floor((rho + 1) * 100).astype(int), 199)
    assert found.histogram.tolist() == np.bincount(bins, minlength=200).tolist()
    above = np.abs(rho) > 0.7
    assert found.above == above.sum() > 20
    assert found.first.tolist() == i[above].tolist()
    assert found.second.tolist() == j[above].tolist()
    assert found.rho.tolist() == rho[above].tolist()
    expected = _expected_neighbours(pnl, 9)
    assert found.neighbour.tolist() == expected.tolist()
    own = np.arange(90)[:, np.newaxis]
    known = expected >= 0
    assert found.neighbour_rho[known].tolist() == matrix[own, expected][known].tolist()
    assert np.isnan(found.neighbour_rho[~known]).all()
    assert found.constant == (45,)
    assert found.duplicates == ((2, 30),)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("tile", [1, 7, 64, 89, 90, 4096])
def test_results_do_not_depend_on_tile_or_precision(tile: int, precision: str) -> None:
    pnl = _returns()
    whole = pair_statistics(pnl, PairSettings(neighbours=12), tile=90)
    tiled = pair_statistics(pnl, PairSettings(neighbours=12, precision=precision), tile=tile)
    _assert_same(tiled, whole, 1e-14 if precision == "float64" else 1e-7)


@settings(max_examples=30, deadline=None)
@given(
    # small whole numbers: many equal correlations, many on a bound or an edge
    strategies=st.integers(0, 24),
    rows=st.integers(1, 6),
    tile=st.integers(1, 30),
    threshold=st.sampled_from([0.0, 0.5, 0.7, 1.0]),
    most=st.sampled_from([None, 0, 3]),
    seed=st.integers(0, 1000),
)
def test_ties_and_bounds_do_not_depend_on_the_tile(
    strategies: int, rows: int, tile: int, threshold: float, most: int | None, seed: int
) -> None:
    pnl = np.random.default_rng(seed).integers(-2, 3, (rows, strategies)).astype(float)
    asked = {"threshold": threshold, "neighbours": 5, "bins": 8, "most_pairs": most}
    whole = pair_statistics(pnl, PairSettings(**asked), tile=100)
    tiled = pair_statistics(pnl, PairSettings(**asked, precision="float32"), tile=tile)
    _assert_same(tiled, whole, 1e-6)
    i, j = np.triu_indices(strategies, 1)
    rho = _exact_matrix(pnl)[i, j]
    assert whole.above == (np.abs(rho) > threshold).sum()
    assert whole.histogram.sum() == whole.pairs == rho.size
    assert whole.neighbour.tolist() == _expected_neighbours(pnl, 5).tolist()
    if rho.size:
        assert (whole.lowest, whole.highest) == (rho.min(), rho.max())


def test_strategies_in_another_order_give_the_same_pairs() -> None:
    pnl = _returns()
    order = np.random.default_rng(0).permutation(90)
    plain = pair_statistics(pnl, PairSettings(neighbours=3), tile=32)
    mixed = pair_statistics(pnl[:, order], PairSettings(neighbours=3), tile=32)
    assert mixed.mean == pytest.approx(plain.mean, abs=1e-15)
    assert mixed.histogram.tolist() == plain.histogram.tolist()
    pairs = {frozenset(pair) for pair in zip(plain.first, plain.second, strict=True)}
    back = {frozenset(order[list(pair)]) for pair in zip(mixed.first, mixed.second, strict=True)}
    assert pairs == back


def test_only_the_strongest_pairs_are_listed_where_so_many_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pnl = _returns()
    whole = pair_statistics(pnl, PairSettings(threshold=0.2, neighbours=2))
    order = np.lexsort((whole.second, whole.first, -np.abs(whole.rho)))[:25]
    # so that weak pairs are dropped early
    monkeypatch.setattr(correlation_tiles, "_STRIP", 64)
    monkeypatch.setattr(pair_lists, "_SPARE", 64)
    few = pair_statistics(pnl, PairSettings(threshold=0.2, neighbours=2, most_pairs=25), tile=16)
    assert few.above == whole.above > 600
    assert sorted(zip(few.first, few.second, few.rho, strict=True)) == list(
        zip(few.first, few.second, few.rho, strict=True)
    )
    assert set(zip(few.first, few.second, strict=True)) == set(
        zip(whole.first[order], whole.second[order], strict=True)
    )


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_pair_there_is_no_mean(count: int) -> None:
    found = pair_statistics(_returns()[:, :count])
    assert (found.pairs, found.above, found.histogram.sum()) == (0, 0, 0)
    assert all(map(math.isnan, (found.mean, found.mean_abs, found.lowest, found.highest)))
    assert found.neighbour.shape == (count, 64)
    assert found.neighbour_frame().is_empty()


def test_constant_strategies_count_as_zero_and_have_no_neighbours() -> None:
    found = pair_statistics(np.full((5, 4), 0.1), PairSettings(bins=2, neighbours=1))
    assert (found.mean, found.mean_abs, found.lowest, found.highest) == (0, 0, 0, 0)
    assert found.histogram.tolist() == [0, 6]
    assert (found.neighbour == -1).all()
    assert found.constant == (0, 1, 2, 3)


def test_frames_hold_what_there_is() -> None:
    found = pair_statistics(_returns(), PairSettings(neighbours=90))
    pairs, neighbours = found.pair_frame(), found.neighbour_frame()
    assert pairs.columns == ["first", "second", "rho"]
    assert pairs.height == found.above
    assert neighbours.columns == ["strategy", "rank", "neighbour", "rho"]
    assert neighbours.height == 89 * 88
    assert neighbours["rho"].is_not_nan().all()
    assert 45 not in neighbours["strategy"]


def test_progress_tells_every_tile() -> None:
    told: list[tuple[int, int]] = []
    pair_statistics(_returns(), tile=30, progress=lambda done, of: told.append((done, of)))
    assert len(told) == 6  # 89 strategies that vary: tiles of 30, 30, 29 on a side
    assert told[-1] == (89 * 44, 89 * 44)
    assert told == sorted(told)


def test_the_key_changes_with_values_names_and_settings() -> None:
    pnl = _returns(4, 6)
    names = [f"s{i}" for i in range(6)]
    key = content_key(pnl, names)
    assert key == content_key(pnl.copy(order="F"), tuple(names), PairSettings())
    inside = pnl.copy()
    inside[2, 3] = np.nextafter(inside[2, 3], 0)
    others = {
        content_key(inside, names),
        content_key(pnl.reshape(6, 4), names),
        content_key(pnl, [*names[:5], "s6"]),
        content_key(pnl, ["s0s1", "", *names[2:]]),
        content_key(pnl, names, PairSettings(threshold=0.71)),
        content_key(pnl, names, PairSettings(precision="float32")),
        content_key(pnl, names, PairSettings(most_pairs=0)),
    }
    assert len(others) == 7
    assert key not in others


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.5},
        {"threshold": math.nan},
        {"neighbours": -1},
        {"bins": 0},
        {"most_pairs": -1},
        {"precision": "float16"},
    ],
)
def test_settings_that_ask_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(PortfolioError):
        PairSettings(**wrong)


def test_a_tile_without_a_strategy_is_refused() -> None:
    with pytest.raises(PortfolioError, match="tile of 0"):
        pair_statistics(_returns(), tile=0)


@pytest.mark.real_data
@pytest.mark.parametrize(("precision", "close"), [("float64", 1e-15), ("float32", 1e-9)])
def test_golden_statistics(real_data: Path, precision: str, close: float) -> None:
    folder = real_data / "strategies"
    recorded = golden(folder)["corr"]
    found = pair_statistics(small_returns(folder).pnl, PairSettings(precision=precision))
    assert found.pairs == recorded["n_pairs"]
    assert found.above == found.rho.size == recorded["n_abs_gt_0.7"]
    assert found.mean == pytest.approx(recorded["mean"], abs=1e-15)
    assert found.mean_abs == pytest.approx(recorded["mean_abs"], abs=close)
    assert found.lowest == pytest.approx(recorded["min"], abs=1e-14)
    assert found.highest == pytest.approx(recorded["max"], abs=1e-14)
    assert (np.abs(found.rho) > 0.7).all()
