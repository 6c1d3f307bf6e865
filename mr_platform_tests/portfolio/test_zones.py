"""Cubes by zone: the legacy zone fitness by loops, weights, zones alone and side by side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mr_platform.gateways.strategy_files import LandedStrategies
from mr_platform.portfolio.fitness import METRICS, LegacyFitness
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_sheets import read_text_sheet
from mr_platform.portfolio.zone_windows import OUTSIDE, equal_windows, zones_at
from mr_platform.portfolio.zones import (
    ZoneWeights,
    collapsed,
    suggested_allocation,
    zone_alone,
    zone_correlation,
    zone_cube,
    zone_series,
    zone_weights,
)
from mr_platform.registry.strategy_files import load_strategy_files

FIRST = np.datetime64("2024-01-01")


def returns(rows: list[tuple[int, str, list[float]]]) -> StrategyReturns:
    """Rows of day, zone and values."""
    pnl = np.array([values for _, _, values in rows], dtype=float)
    return StrategyReturns(
        pnl,
        tuple("abcdefgh"[: pnl.shape[1]]),
        FIRST + np.array([day for day, _, _ in rows]),
        tuple(zone for _, zone, _ in rows),
    )


SMALL = returns(
    [
        (0, "Zone 1", [1, 2]),
        (0, "Zone 2", [10, 20]),
        (1, "Outside Market", [99, 99]),
        (1, "Zone 2", [-30, 4]),
        (2, "Outside Market", [7, 7]),
        (3, "Zone 1", [5, 6]),
    ]
)


def by_loops(over: StrategyReturns, members: list[int], weights: list[float], metric: str) -> float:
    """The record's zone fitness as a person would work it out."""
    rows = [
        row for row in range(over.rows) if over.zones[row] not in (OUTSIDE, "nan", "")
    ]  # fmt: skip
    zones = sorted({over.zones[row] for row in rows})
    days = sorted({over.dates[row] for row in rows})
    series = []
    for day in days:
        value = 0.0
        for zone, weight in zip(zones, weights, strict=True):
            mean = 0.0
            for member in members:
                for row in rows:
                    if over.dates[row] == day and over.zones[row] == zone:
                        mean += over.pnl[row, member] / len(members)
            value += weight / sum(weights) * mean
        series.append(value)
    return _measure(series, metric)


def _measure(series: list[float], metric: str) -> float:
    equity, peak, deepest = 0.0, -np.inf, 0.0
    for value in series:
        equity += value
        peak = max(peak, equity)
        deepest = max(deepest, peak - equity)
    wins = [x for x in series if x > 0]
    losses = [-x for x in series if x < 0]
    share = len(wins) / len(series)
    if metric == "roi":
        return equity
    if metric == "less max dd":
        return -deepest
    if metric == "win percentage":
        return share
    if metric == "profit factor":
        lost = sum(losses)
        return sum(wins) / lost if lost > 1e-6 else float(sum(wins) > 0)
    if metric == "expectancy":
        won = share * (sum(wins) / len(wins) if wins else 0)
        return won - (1 - share) * (sum(losses) / len(losses) if losses else 0)
    if deepest > 1e-6:
        return equity / deepest
    return equity * (100 if equity > 0 else 10)


def test_the_cube_by_hand():
    cube = zone_cube(SMALL)

    assert cube.zones == ("Zone 1", "Zone 2")
    # the third day has rows outside the market alone
    assert cube.dates.tolist() == [(FIRST + day).item() for day in (0, 1, 3)]
    assert cube.values.tolist() == [[[1, 2], [10, 20]], [[0, 0], [-30, 4]], [[5, 6], [0, 0]]]
    assert cube.present.tolist() == [[True, True], [False, True], [True, False]]
    assert cube.dropped == 2


def test_collapsed_rows_by_hand():
    cube = zone_cube(SMALL)

    assert collapsed(cube).pnl.tolist() == [[5.5, 11], [-15, 2], [2.5, 3]]
    weights = zone_weights(cube, [1, 3])
    assert weights.weights.tolist() == [0.25, 0.75]
    assert collapsed(cube, weights).pnl.tolist() == [[7.75, 15.5], [-22.5, 3], [1.25, 1.5]]


def test_a_zone_alone_has_its_own_days():
    alone = zone_alone(zone_cube(SMALL), "Zone 1")

    assert alone.pnl.tolist() == [[1, 2], [5, 6]]
    assert alone.dates.tolist() == [FIRST.item(), (FIRST + 3).item()]
    assert alone.zones is None


def test_zones_from_start_times_are_added_up():
    over = StrategyReturns(
        np.array([[1.0], [2.0], [4.0], [8.0]]), ("a",), np.repeat(FIRST, 4), tuple("ABCD")
    )
    cube = zone_cube(over, ["Zone 2", "Zone 1", "Zone 2", None])

    assert cube.values.tolist() == [[[2], [5]]]
    assert cube.dropped == 1


@pytest.mark.real_data
def test_the_enhanced_sample_by_zone_and_by_time(real_data):
    landed = LandedStrategies(real_data / "strategies" / "Options_Trading_Sheet1_2023.csv", "s")
    sheet = read_text_sheet(
        landed.header.columns, landed.pieces(), place="s", declared=load_strategy_files()
    )
    cube = zone_cube(sheet.returns)
    assert (cube.values.shape, cube.zones, cube.dropped) == ((22, 4, 20), tuple("ABCD"), 0)
    by_time = zone_cube(sheet.returns, zones_at(sheet.rows["start_time"], equal_windows()))
    assert by_time.dropped == 0
    assert by_time.values.sum(axis=(0, 1)) == pytest.approx(sheet.returns.pnl.sum(axis=0))
    evaluator = LegacyFitness(correlation_weight=0).over(collapsed(cube).pnl)
    members = np.array([[0, 3, 7, 11], [1, 2, 18, 19]])
    for row, fitness in zip(members, evaluator.evaluate(members).fitness, strict=True):
        looped = by_loops(sheet.returns, row.tolist(), [1, 1, 1, 1], "ratio")
        assert fitness == pytest.approx(looped, rel=1e-12)


def test_weights_by_name():
    cube = zone_cube(SMALL)
    assert zone_weights(cube, {"zone2": 3, "ZONE 1": 1}).weights.tolist() == [0.25, 0.75]
    assert zone_weights(cube).weights.tolist() == [0.5, 0.5]
    assert zone_weights(cube).warning is None


def test_weights_of_another_length_are_uniform_with_a_warning():
    found = zone_weights(zone_cube(SMALL), [1, 2, 3])

    assert found.weights.tolist() == [0.5, 0.5]
    assert "3 weights do not stand for 2 zones" in found.warning


@pytest.mark.parametrize(
    "given_weights",
    [
        [1, -1], [0, 0], [1, np.nan], [1, np.inf],
        {"zone 1": 1}, {"zone 1": 1, "zone 2": 1, "zone 3": 1}, {"zone 1": 1, "Zone1": 2},
    ],
)  # fmt: skip
def test_weights_that_are_none(given_weights):
    with pytest.raises(PortfolioError):
        zone_weights(zone_cube(SMALL), given_weights)


def test_weights_at_the_ends_of_float64():
    cube = zone_cube(SMALL)
    assert zone_weights(cube, [1e308, 1e308]).weights.tolist() == [0.5, 0.5]
    assert zone_weights(cube, [5e-324, 5e-324]).weights.tolist() == [0.5, 0.5]


def test_zones_side_by_side_share_their_dates():
    cube = zone_cube(SMALL)
    series = zone_series(cube, {"Zone 2": np.array([0, 1]), "Zone 1": np.array([1])})

    assert series.tolist() == [[15, -13, 0], [2, 0, 6]]
    found = zone_correlation(series)
    assert found == pytest.approx(np.corrcoef(series), abs=1e-15)
    assert np.diag(found).tolist() == [1, 1]


def test_a_zone_that_does_not_vary_has_no_correlation():
    series = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 4.0]])
    assert zone_correlation(series).tolist() == [[0, 0], [0, 1]]


def test_allocation_by_hand():
    assert suggested_allocation(np.array([3.0, 1.0, -5.0])) == pytest.approx(
        [3 / 4.01, 1 / 4.01, 0.01 / 4.01]
    )
    assert suggested_allocation(np.array([-1.0, -2.0])).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "call",
    [
        lambda: zone_cube(StrategyReturns(np.ones((1, 1)), ("a",), [FIRST])),
        lambda: zone_cube(SMALL, ["Zone 1"]),
        lambda: zone_cube(SMALL, [OUTSIDE, "outside market", "nan", " ", "", None]),
        lambda: zone_alone(zone_cube(SMALL), "Zone 3"),
        lambda: collapsed(zone_cube(SMALL), ZoneWeights(np.ones(3) / 3)),
        lambda: zone_series(zone_cube(SMALL), {"Zone 3": np.array([0])}),
        lambda: zone_series(zone_cube(SMALL), {"Zone 1": np.array([0, 0])}),
        lambda: suggested_allocation(np.array([])),
        lambda: suggested_allocation(np.array([np.nan])),
    ],
)
def test_what_has_no_zones_is_refused(call):
    with pytest.raises(PortfolioError):
        call()


@st.composite
def cases(draw):
    days = draw(st.integers(1, 6))
    labels = draw(
        st.lists(
            st.lists(
                st.sampled_from(["Zone 1", "Zone 2", "Zone 3", OUTSIDE, "nan"]),
                min_size=1, max_size=5, unique=True,
            ),
            min_size=days, max_size=days,
        )
    )  # fmt: skip
    rows = [(day, zone) for day, zones in enumerate(labels) for zone in zones]
    strategies = draw(st.integers(1, 5))
    pnl = draw(arrays(np.float64, (len(rows), strategies), elements=st.integers(-9, 9).map(float)))
    size = draw(st.integers(1, strategies))
    members = draw(st.permutations(range(strategies)))[:size]
    weights = draw(st.lists(st.sampled_from([0.5, 1, 2, 4]), min_size=3, max_size=3))
    over = returns(
        [(day, zone, values) for (day, zone), values in zip(rows, pnl.tolist(), strict=True)]
    )
    return over, members, weights


@given(cases(), st.sampled_from(METRICS))
@settings(max_examples=50, deadline=None)
def test_the_ordinary_evaluator_gives_the_legacy_zone_fitness(case, metric):
    assert_legacy_zone_fitness(case, metric)


@pytest.mark.slow
@given(cases(), st.sampled_from(METRICS))
@settings(max_examples=400, deadline=None)
def test_the_ordinary_evaluator_gives_the_legacy_zone_fitness_of_many_cases(case, metric):
    assert_legacy_zone_fitness(case, metric)


def assert_legacy_zone_fitness(case, metric):
    over, members, weights = case
    zones = sorted(set(over.zones) - {OUTSIDE, "nan", ""})
    if not zones:
        with pytest.raises(PortfolioError):
            zone_cube(over)
        return
    cube = zone_cube(over)
    weights = weights[: len(zones)]
    rows = collapsed(cube, zone_weights(cube, weights))
    found = LegacyFitness(metric, correlation_weight=0).evaluate(rows.pnl, np.array([members]))
    looped = by_loops(over, list(members), weights, metric)
    if metric in ("win percentage", "profit factor", "ratio", "expectancy"):
        # a sum that rounds to almost 0 in one order and to 0 in the other changes these by a jump
        series = rows.pnl[:, list(members)].mean(axis=1)
        equity = np.cumsum(series)
        falls = np.maximum.accumulate(equity) - equity
        if (np.abs(series) < 1e-9).any() or (falls.max() < 1e-9):
            return
    assert found.fitness[0] == pytest.approx(looped, rel=1e-9, abs=1e-9)
