"""The hidden regimes: random dwell times, shared by the indices, told by no single series."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from mr_platform.simulation.daily_path import day_frame
from mr_platform.simulation.regimes import REGIMES, TRAITS, RegimePath, regime_path
from mr_platform.simulation.spot_path import SpotPath, spot_path
from mr_platform.trading_calendar import trading_days

SEED = 11
DAYS = trading_days(dt.date(2022, 1, 3), dt.date(2022, 6, 30))


@pytest.fixture(scope="module")
def paths() -> dict[str, list[tuple[RegimePath, SpotPath]]]:
    found: dict[str, list[tuple[RegimePath, SpotPath]]] = {}
    for symbol in ("NIFTY", "BANKNIFTY"):
        found[symbol] = []
        for day in DAYS:
            regimes = regime_path(SEED, symbol, day)
            frame = day_frame(SEED, symbol, day)
            found[symbol].append((regimes, spot_path(SEED, symbol, frame, regimes)))
    return found


def joined(pieces: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(pieces)


def returns(path: SpotPath) -> NDArray[np.float64]:
    return np.log(path.close / path.open)


def trailing(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    padded = np.concatenate((np.full(window - 1, values[0]), values))
    return np.lib.stride_tricks.sliding_window_view(padded, window).mean(axis=1)


def series(path: SpotPath, regimes: RegimePath) -> dict[str, NDArray[np.float64]]:
    moved = returns(path)
    centred = np.convolve(moved, np.ones(31), "same")
    efficiency = np.abs(centred) / np.convolve(np.abs(moved), np.ones(31), "same")
    return {
        "squared return": moved**2,
        "volatility 15 minutes": np.log(trailing(moved**2, 15) + 1e-12),
        "volatility 30 minutes": np.log(trailing(moved**2, 30) + 1e-12),
        "centred volatility": np.log(np.convolve(moved**2, np.ones(21), "same") + 1e-12),
        "return 15 minutes": trailing(moved, 15),
        "centred return": centred,
        "efficiency": efficiency,
        "volatility shift": regimes.volatility_shift,
        "skew shift": regimes.skew_shift,
        "volume": regimes.volume,
    }


def nearest_mean_accuracy(
    values: NDArray[np.float64], labels: NDArray[np.int64], train: NDArray[np.bool_]
) -> float:
    means = np.array([values[train & (labels == regime)].mean() for regime in range(len(REGIMES))])
    guessed = np.abs(values[~train, None] - means).argmin(axis=1)
    return float((guessed == labels[~train]).mean())


def binned_accuracy(
    values: NDArray[np.float64], labels: NDArray[np.int64], train: NDArray[np.bool_]
) -> float:
    edges = np.quantile(values[train], np.linspace(0, 1, 31)[1:-1])
    bins = np.searchsorted(edges, values)
    counts = np.zeros((30, len(REGIMES)))
    np.add.at(counts, (bins[train], labels[train]), 1)
    return float((counts.argmax(axis=1)[bins[~train]] == labels[~train]).mean())


def test_no_single_series_gives_the_regime_away(
    paths: dict[str, list[tuple[RegimePath, SpotPath]]],
) -> None:
    nifty = paths["NIFTY"]
    labels = np.concatenate([regimes.regime for regimes, _ in nifty])
    train = np.repeat(np.arange(len(nifty)) % 2 == 0, 375)
    table = [series(path, regimes) for regimes, path in nifty]
    for name in table[0]:
        values = joined([row[name] for row in table])
        assert nearest_mean_accuracy(values, labels, train) < 0.35, name
        # the best any rule on one series can do, thresholds fitted freely
        assert binned_accuracy(values, labels, train) < 0.40, name


def test_regimes_still_differ_on_average(
    paths: dict[str, list[tuple[RegimePath, SpotPath]]],
) -> None:
    labels = np.concatenate([regimes.regime for regimes, _ in paths["NIFTY"]])
    moved = joined([returns(path) for _, path in paths["NIFTY"]])
    scale = {
        name: float(np.sqrt(np.mean(moved[labels == number] ** 2)))
        for number, name in enumerate(REGIMES)
    }
    assert scale["CBV"] > 1.2 * scale["LVLD"]
    assert moved[labels == REGIMES.index("SCGS")].mean() > 0
    assert moved[labels == REGIMES.index("PSED")].mean() < 0


def test_dwell_times_are_random_and_every_regime_appears(
    paths: dict[str, list[tuple[RegimePath, SpotPath]]],
) -> None:
    lengths: dict[int, list[int]] = {number: [] for number in range(len(REGIMES))}
    for regimes, _ in paths["NIFTY"]:
        starts = np.flatnonzero(np.diff(regimes.regime)) + 1
        edges = np.concatenate(([0], starts, [375]))
        # the last run of a day is cut by the close
        for start, end in pairwise(edges[:-1]):
            lengths[int(regimes.regime[start])].append(int(end - start))
    for number, name in enumerate(REGIMES):
        runs = np.array(lengths[number])
        assert len(runs) > 60, name
        assert 0.5 * TRAITS[name].dwell < runs.mean() < 1.6 * TRAITS[name].dwell
        assert runs.std() > 0.35 * runs.mean()
        assert len(np.unique(runs)) > 20


def test_the_indices_move_together_and_share_most_regimes(
    paths: dict[str, list[tuple[RegimePath, SpotPath]]],
) -> None:
    moved = [joined([returns(path) for _, path in paths[name]]) for name in paths]
    assert 0.75 < np.corrcoef(*moved)[0, 1] < 0.95
    nifty, bank = (np.concatenate([r.regime for r, _ in paths[name]]) for name in paths)
    assert 0.4 < (nifty == bank).mean() < 0.8
