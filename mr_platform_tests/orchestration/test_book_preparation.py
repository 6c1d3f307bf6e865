"""Steps between a book and the returns that are searched."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.book_preparation import Preparation, zone_windows
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns

DAYS = [dt.date(2023, 1, 2), dt.date(2023, 1, 3)]
ZONES = ("A", "B", "A", "B")


@pytest.fixture
def book() -> StoredBook:
    """Two days of two zones; the second strategy loses."""
    pnl = np.array([[1.0, -1.0], [2.0, -2.0], [4.0, -4.0], [8.0, -8.0]])
    days = [DAYS[0], DAYS[0], DAYS[1], DAYS[1]]
    rows = pl.DataFrame(
        {
            "date": days,
            "zone": ZONES,
            "start_time": ["09:20:00", "13:00:00", "09:20:00", "15:00:00"],
            "market_regime": ["Bullish_Grind", "Bearish_Panic", "Vol_Crush", "Vol_Crush"],
            "regime_confidence": [0.70, 0.69, 0.9, 0.8],
            "transition_threshold": [0.5, 0.2, 0.51, 0.1],
        }
    )
    return StoredBook(
        book="zones",
        returns=StrategyReturns(pnl, ("up", "down"), np.array(days, "datetime64[D]"), ZONES),
        strategies=pl.DataFrame({"strategy_id": [0, 1], "name": ["up", "down"]}),
        pnl_unit="percent",
        rows=rows,
    )


def up(preparation: Preparation, book: StoredBook) -> list[float]:
    """Rows of the winning strategy."""
    return preparation.returns(book).pnl[:, 0].tolist()


def test_nothing_asked_leaves_the_returns_alone(book: StoredBook) -> None:
    assert Preparation().returns(book) is book.returns
    assert Preparation().text() == "{}"


def test_rules_leave_rows_out_and_scale_them(book: StoredBook) -> None:
    assert up(Preparation(("confidence filter",)), book) == [1.0, 4.0, 8.0], "70 % passes"
    assert up(Preparation(("transition",)), book) == [1.0, 2.0, 2.0, 8.0], "0.5 is no transition"
    assert up(Preparation(("confidence filter", "transition")), book) == [1.0, 2.0, 8.0]
    weighted = up(Preparation(("confidence weight",)), book)
    assert weighted == pytest.approx([0.70, 1.38, 3.6, 6.4])


def test_rules_that_leave_nothing_and_unknown_ones_are_refused(book: StoredBook) -> None:
    silent = StoredBook(
        book.book, book.returns, book.strategies, book.pnl_unit,
        book.rows.with_columns(regime_confidence=pl.lit(None, pl.Float64)),
    )  # fmt: skip
    with pytest.raises(PortfolioError, match="no row of the book is left"):
        Preparation(("confidence filter",)).returns(silent)
    with pytest.raises(PortfolioError, match="confidence sieve"):
        Preparation(("confidence sieve",)).returns(book)


def test_zones_of_a_day_are_added_up_by_their_weights(book: StoredBook) -> None:
    assert up(Preparation(zone_mode="collapsed"), book) == [1.5, 6.0], "all alike"
    weights = ZoneSettings(weights={"A": 3, "B": 1})
    assert up(Preparation(zone_mode="collapsed", zones=weights), book) == [1.25, 5.0]


def test_zones_can_be_windows_that_rows_start_in(book: StoredBook) -> None:
    windows = ZoneSettings(
        method="custom",
        windows={"early": (dt.time(9, 15), dt.time(14)), "late": (dt.time(14), dt.time(15, 30))},
    )
    # the first day has two rows in the early window, the second one in each
    assert up(Preparation(zone_mode="collapsed", zones=windows), book) == [1.5, 6.0]
    assert zone_windows(ZoneSettings()) is None
    equal = zone_windows(ZoneSettings(method="equal", count=3))
    assert equal is not None
    assert len(equal.windows) == 3
    cut = zone_windows(ZoneSettings(method="freeform", cuts=(dt.time(12),)))
    assert cut is not None
    assert [window.start for window in cut.windows] == [dt.time(9, 15), dt.time(12)]


def test_losing_strategies_are_inverted_last(book: StoredBook) -> None:
    found = Preparation(("confidence filter",), "collapsed", inversion=True).returns(book)
    assert found.names == ("up", "down_inv")
    assert found.pnl[:, 1].tolist() == found.pnl[:, 0].tolist()
    assert found.zones is None


@pytest.mark.parametrize(
    "preparation",
    [
        Preparation(),
        Preparation(("confidence filter", "transition"), inversion=True),
        Preparation(
            zone_mode="collapsed", zones=ZoneSettings(method="equal", weights=(1, 2, 3, 4))
        ),
        Preparation(
            zone_mode="collapsed", zones=ZoneSettings(method="freeform", cuts=(dt.time(11, 30),))
        ),
    ],
)
def test_steps_come_back_from_their_text(preparation: Preparation) -> None:
    assert Preparation.parse(preparation.text()) == preparation


def test_settings_name_the_steps() -> None:
    order = SearchSettings(
        algorithms=("genetic",), row_rules=("regime",), zone_mode="collapsed", inversion=True
    )
    zones = ZoneSettings(method="equal")
    assert Preparation.of(order, zones) == Preparation(("regime",), "collapsed", True, zones)
