"""Inversion of losing strategies: the golden counts, order and names, the law behind the rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mr_platform.portfolio.inversion import inverted, originals
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_metrics import strategy_metrics
from mr_platform_tests.portfolio import recorded

FIGURES = [
    f"{side}_{figure}"
    for figure in ("roi", "drawdown", "ratio")
    for side in ("original", "inverted")
]


def returns(**columns: list[float]) -> StrategyReturns:
    pnl = np.array(list(columns.values())).T
    return StrategyReturns(
        pnl, tuple(columns), np.datetime64("2024-01-01") + np.arange(pnl.shape[0])
    )


@pytest.mark.real_data
def test_golden_counts_and_figures(real_data) -> None:
    folder = real_data / "strategies"
    golden = recorded.golden(folder)["ulta"]
    over = recorded.small_returns(folder)
    found = inverted(over, skip_first=True)
    assert found.considered == golden["columns_considered"] == 2_499
    assert found.report.height == golden["inverted"] == 1_427
    first = found.report.head(20)
    assert first["strategy"].to_list() == list(golden["first_20"])
    errors = {
        name: recorded.worst_error(
            first[name].to_numpy(),
            np.array([figures[name] for figures in golden["first_20"].values()]),
        )
        for name in FIGURES
    }
    assert max(errors.values()) < 1e-12, recorded.told(errors)
    survivors = 2_500 - 1_427
    assert found.returns.names[0] == over.names[0]
    assert not any(name.endswith("_inv") for name in found.returns.names[:survivors])
    assert found.returns.names[survivors:] == tuple(found.report["inverted_strategy"])


@pytest.mark.real_data
def test_recorded_totals_say_what_is_inverted(real_data) -> None:
    folder = real_data / "strategies"
    metrics = recorded.recorded_metrics(folder)
    pnl = np.array([metrics["ROI"].to_numpy()])
    found = inverted(StrategyReturns(pnl, tuple(metrics["strategy"]), ["2024-01-04"]))
    assert (found.considered, found.report.height) == (25_543, 14_468)


def test_survivors_come_first_and_inverted_ones_last() -> None:
    found = inverted(
        returns(a=[-3.0, 1.0], b=[2.0, -1.0], c=[-1.0, -2.0], d=[0.0, 0.0], e=[1.0, -1.0])
    )
    assert found.returns.names == ("b", "d", "e", "a_inv", "c_inv")
    assert found.returns.pnl.T.tolist() == [[2, -1], [0, 0], [1, -1], [3, -1], [1, 2]]
    assert found.considered == 5
    assert found.report.rows() == [
        # strategy, its new name, ROI, worst row, ratio: each before and after
        ("a", "a_inv", -2.0, 2.0, -3.0, -1.0, -2 / 3, 2.0),
        # the mirror image of a strategy that only loses has a worst row above 0
        ("c", "c_inv", -3.0, 3.0, -2.0, 1.0, -1.5, 3.0),
    ]


def test_the_first_strategy_is_left_alone_on_demand() -> None:
    over = returns(a=[-3.0, 1.0], b=[-2.0, 1.0])
    found = inverted(over, skip_first=True)
    assert found.returns.names == ("a", "b_inv")
    assert found.considered == 1
    assert inverted(over).returns.names == ("a_inv", "b_inv")


def test_a_mirror_image_without_losses_has_an_infinite_ratio() -> None:
    found = inverted(returns(a=[-3.0, 0.0]))
    assert found.report["inverted_ratio"].to_list() == [math.inf]
    # a row without profit or loss does not become -0
    assert np.signbit(found.returns.pnl).tolist() == [[False], [False]]


def test_nothing_to_invert_changes_nothing() -> None:
    over = returns(a=[3.0, -1.0], b=[0.0, 0.0])
    found = inverted(over)
    assert found.returns.names == over.names
    assert found.returns.pnl.tolist() == over.pnl.tolist()
    assert found.report.is_empty()
    assert found.report.columns[:2] == ["strategy", "inverted_strategy"]
    assert set(found.report.columns[2:]) == set(FIGURES)


def test_dates_and_zones_stay() -> None:
    over = StrategyReturns(
        np.array([[-1.0], [-2.0]]), ("a",), ["2024-01-04", "2024-01-04"], ("Zone 1", "Zone 2")
    )
    found = inverted(over).returns
    assert found.zones == over.zones
    assert found.dates.tolist() == over.dates.tolist()


def test_a_name_that_is_taken() -> None:
    with pytest.raises(PortfolioError, match="first 'a_inv'"):
        inverted(returns(a=[-1.0], a_inv=[1.0]))


def test_returns_without_rows() -> None:
    with pytest.raises(PortfolioError, match="rows"):
        inverted(StrategyReturns(np.empty((0, 1)), ("a",), np.empty(0, dtype="datetime64[D]")))


PNL = arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 8)),
    elements=st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 3)),
)


def named(pnl: np.ndarray) -> StrategyReturns:
    return returns(**{f"s{place}": column for place, column in enumerate(pnl.T.tolist())})


@given(PNL, st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_strategy_is_inverted_where_its_roi_is_negative(pnl: np.ndarray, skip: bool) -> None:
    over = named(pnl)
    found = inverted(over, skip_first=skip)
    roi = strategy_metrics(over)["roi"].to_numpy()
    losing = [name for name, value in zip(over.names, roi, strict=True) if value < 0]
    assert found.report["strategy"].to_list() == [
        name for name in losing if not (skip and name == "s0")
    ]


@given(PNL)
@settings(max_examples=60, deadline=None)
def test_after_inversion_nothing_is_left_to_invert(pnl: np.ndarray) -> None:
    once = inverted(named(pnl))
    again = inverted(once.returns)
    assert again.report.is_empty()
    assert again.returns.names == once.returns.names
    assert (strategy_metrics(once.returns)["roi"] >= 0).all()


def test_other_rows_are_inverted_alike() -> None:
    found = inverted(returns(up=[1.0, 2.0], down=[-3.0, 1.0], flat_inv=[5.0, 5.0]))
    later = returns(down=[-4.0, 0.0], flat_inv=[-6.0, 1.0], up=[-2.0, 3.0])

    alike = found.alike(later)

    assert alike.names == found.returns.names == ("up", "flat_inv", "down_inv")
    assert alike.pnl.tolist() == [[-2.0, -6.0, 4.0], [3.0, 1.0, 0.0]]
    assert str(alike.pnl[1, 2]) == "0.0"
    assert later.pnl[0].tolist() == [-4.0, -6.0, -2.0], "the rows given stay"
    with pytest.raises(PortfolioError, match="1 strategies are not among these rows, first 'down'"):
        found.alike(returns(up=[1.0], flat_inv=[2.0]))


@pytest.mark.parametrize(
    ("known", "losing"),
    [
        ("x y", "x"),
        ("x x_inv", ""),
        ("x x_inv", "x x_inv"),
        ("x x_inv", "x_inv"),
        ("x_inv y", "x_inv"),
        ("x_inv y", ""),
        ("x x_inv x_inv_inv", "x x_inv x_inv_inv"),
        ("x x_inv x_inv_inv", "x_inv_inv"),
        ("x x_inv_inv", "x_inv_inv"),
    ],
)
def test_every_column_has_the_strategy_it_was_made_of(known: str, losing: str) -> None:
    names = known.split()
    rows = {name: [-3.0, 1.0] if name in losing.split() else [3.0, -1.0] for name in names}
    found = inverted(returns(**rows))
    assert found.report.height == len(losing.split())

    made_of = originals(found.returns.names, set(names))

    told = dict(found.report.select("inverted_strategy", "strategy").rows())
    assert made_of == tuple(told.get(name, name) for name in found.returns.names)
    assert sorted(made_of) == sorted(names)
