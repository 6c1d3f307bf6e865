"""What must hold of returns, and how a fault is told."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from mr_platform.portfolio.returns import PortfolioError, StrategyReturns

DATES = np.array(["2024-01-04", "2024-01-11", "2024-01-18"], dtype="datetime64[D]")
PNL = np.array([[1.0, -2.0], [0.0, 4.0], [3.0, 5.0]])
NAMES = ("a", "b")


def test_rows_and_strategies_are_counted() -> None:
    returns = StrategyReturns(PNL, NAMES, DATES)
    assert (returns.rows, returns.strategies) == (3, 2)
    assert returns.zones is None


def test_nobody_writes_what_is_held() -> None:
    returns = StrategyReturns(PNL.copy(), NAMES, DATES)
    with pytest.raises(ValueError, match="read-only"):
        returns.pnl[0, 0] = 7.0
    with pytest.raises(ValueError, match="read-only"):
        returns.dates[0] = np.datetime64("2024-01-01")


def test_a_matrix_in_c_order_is_not_copied_and_any_other_is_brought_into_it() -> None:
    own = PNL.copy()
    assert np.shares_memory(StrategyReturns(own, NAMES, DATES).pnl, own)
    assert own.flags.writeable
    turned = StrategyReturns(np.asfortranarray(PNL), NAMES, DATES).pnl
    assert turned.flags.c_contiguous
    assert np.array_equal(turned, PNL)
    whole = StrategyReturns(PNL.astype(np.int64), NAMES, DATES).pnl  # type: ignore[arg-type]
    assert whole.dtype == np.float64


def test_no_rows_and_no_strategies_are_returns_too() -> None:
    assert StrategyReturns(np.empty((0, 2)), NAMES, DATES[:0]).rows == 0
    assert StrategyReturns(np.empty((3, 0)), (), DATES).strategies == 0


def test_a_date_stands_once_in_each_zone() -> None:
    days = np.array([dt.date(2024, 1, 4)] * 2 + [dt.date(2024, 1, 5)], dtype="datetime64[D]")
    assert StrategyReturns(PNL, NAMES, days, ("A", "B", "A")).zones == ("A", "B", "A")
    with pytest.raises(PortfolioError, match=r"1 rows stand more than once: 2024-01-04 A"):
        StrategyReturns(PNL, NAMES, days, ("A", "A", "A"))
    with pytest.raises(PortfolioError, match=r"1 rows stand more than once: 2024-01-04"):
        StrategyReturns(PNL, NAMES, days)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"pnl": PNL[0]}, "returns have 1 dimensions"),
        ({"names": ("a",)}, "1 names stand for 2 strategies"),
        ({"names": ("a", "a")}, "1 strategies stand more than once: a"),
        ({"dates": DATES[:2]}, "dates or zones do not stand for 3 rows"),
        ({"zones": ("A",)}, "dates or zones do not stand for 3 rows"),
        ({"dates": DATES[::-1]}, "dates do not ascend"),
        ({"dates": np.array(["2024-01-04", "2024-01-11", "NaT"], "datetime64[D]")}, "ascend"),
        ({"pnl": np.where(PNL == 4.0, np.nan, PNL)}, "b, 2024-01-11: the value is nan"),
        ({"pnl": np.where(PNL == 3.0, np.inf, PNL)}, "a, 2024-01-18: the value is inf"),
    ],
)
def test_what_does_not_hold_is_told(changed: dict[str, object], told: str) -> None:
    parts: dict[str, object] = {"pnl": PNL, "names": NAMES, "dates": DATES} | changed
    with pytest.raises(PortfolioError, match=told):
        StrategyReturns(**parts)  # type: ignore[arg-type]
