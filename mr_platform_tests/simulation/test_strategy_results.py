"""Simulated strategy files: named and shaped like real ones, the same for the same seed."""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise

import numpy as np
import pytest

from mr_platform.simulation.strategy_results import Plan, strategy_results
from mr_platform.trading_calendar import is_trading_day

SEED = 7


@pytest.fixture(scope="module")
def frame():
    return strategy_results(SEED)


def test_the_layout_is_the_legacy_one(frame):
    assert frame.shape == (82, 302)
    assert frame.columns[:2] == ["Date", "Day"]
    assert frame.null_count().sum_horizontal().item() == 0
    names = frame.columns[2:]
    assert len(set(names)) == 300
    assert all(re.fullmatch(r"SENSEX \d{3,4}-\d{3,4} SL\d+%(TP\d+%)?", name) for name in names)


def test_rows_are_trading_days_about_a_week_apart(frame):
    dates = frame["Date"].to_list()
    assert dates[0] == dt.date(2024, 1, 4)
    assert all(is_trading_day(date) for date in dates)
    assert all(4 <= (b - a).days <= 10 for a, b in pairwise(dates))
    assert frame["Day"].to_list() == [f"{date:%A}" for date in dates]


def test_some_strategies_lose_and_a_few_are_equal(frame):
    values = frame.drop("Date", "Day").to_numpy().T
    losing = (values.sum(axis=1) < 0).mean()
    assert 0.2 < losing < 0.8
    distinct = len({row.tobytes() for row in values})
    assert 0.9 * len(values) < distinct < len(values)


def test_strategies_of_one_entry_go_together_more_than_others(frame):
    values = frame.drop("Date", "Day").to_numpy().T
    entries = np.array([name.split()[1].split("-")[0] for name in frame.columns[2:]])
    rho = np.corrcoef(values)
    same = (entries[:, None] == entries[None, :]) & ~np.eye(len(entries), dtype=bool)
    other = entries[:, None] != entries[None, :]
    assert rho[same].mean() > rho[other].mean() + 0.2
    assert rho[other].mean() > 0.02


def test_no_day_gains_more_than_the_premium_or_loses_much_more_than_the_stop(frame):
    for name in frame.columns[2:30]:
        opened, closed = re.findall(r"(\d+)(\d\d)[- ]", name)
        minutes = 60 * (int(closed[0]) - int(opened[0])) + int(closed[1]) - int(opened[1])
        premium = 3_000 * np.sqrt(minutes / 60)
        assert frame[name].max() <= premium
        stop = int(re.search(r"SL(\d+)%", name)[1]) / 100
        assert frame[name].min() >= -stop * premium - 61


def test_the_same_seed_gives_the_same_file_and_another_another(frame):
    assert strategy_results(SEED).equals(frame)
    assert not strategy_results(SEED + 1).equals(frame)


def test_a_strategy_does_not_depend_on_how_many_there_are():
    few, many = strategy_results(SEED, 20, 10), strategy_results(SEED, 60, 10)
    shared = set(few.columns) & set(many.columns) - {"Date", "Day"}
    assert all(few[name].equals(many[name]) for name in shared)


@pytest.mark.parametrize(("strategies", "rows"), [(1, 1), (5, 2), (1500, 2)])
def test_any_size_has_as_many_strategies_as_asked(strategies, rows):
    assert strategy_results(SEED, strategies, rows).shape == (rows, strategies + 2)


@pytest.mark.parametrize("strategies", [0, -1, 100_000])
def test_a_number_of_strategies_without_names_is_refused(strategies):
    with pytest.raises(ValueError, match="have names"):
        strategy_results(SEED, strategies, 2)


def test_names_are_written_as_in_the_record():
    assert Plan(556, 676, 63, None).name == "SENSEX 916-1116 SL63%"
    assert Plan(601, 631, 7, 27).name == "SENSEX 1001-1031 SL7%TP27%"
