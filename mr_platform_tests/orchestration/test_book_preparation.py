"""Steps between a book and the returns that are searched."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration.book_preparation import Preparation, zone_windows
from mr_platform.orchestration.book_search import search_book
from mr_platform.orchestration.strategy_books import StoredBook
from mr_platform.portfolio.returns import Matrix, PortfolioError, StrategyReturns
from mr_platform_tests.orchestration.small_books import Shelf, order

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


def test_a_fault_names_its_book_and_the_command_that_mends_it(book: StoredBook) -> None:
    unlabelled = replace(book, rows=book.rows.with_columns(market_regime=pl.lit(None, pl.String)))
    whole = StrategyReturns(book.returns.pnl[::2], book.returns.names, book.returns.dates[::2])
    days = replace(
        book, returns=whole, rows=book.rows[::2].with_columns(start_time=pl.lit(None, pl.String))
    )
    windows = ZoneSettings(method="equal")
    for steps, of, told, command in (
        (Preparation(("regime",)), unlabelled, "4 of 4 rows have no label", "--regimes BARS"),
        (Preparation(zone_mode="collapsed"), days, "its rows name no zone", "--zones rows"),
        (Preparation((), "collapsed", False, windows), days, "tell no start", "--zones rows"),
        (
            Preparation(zone_mode="collapsed", zones=ZoneSettings(weights={"A": 1})),
            book, "weights by name do not fit", "Weigh each of",
        ),
    ):  # fmt: skip
        with pytest.raises(PortfolioError, match=f"^zones: .*{told}") as refused:
            steps.returns(of)
        assert command in str(refused.value)
    with pytest.raises(PortfolioError, match=r"^zones: .*bull × inf") as refused:
        Preparation(("regime",), regime_multipliers={"bull": float("inf")}).returns(book)
    assert refused.value.misused


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
        Preparation(("regime",), regime_multipliers={"bull": 1.1, "bear": 0.0}, holdout=0.25),
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
    more = order.model_copy(update={"holdout": 0.2, "regime_multipliers": {"bull": 1.5}})
    found = Preparation.of(more, zones)
    assert (found.holdout, found.regime_multipliers) == (0.2, {"bull": 1.5})
    plain = Preparation.of(more.model_copy(update={"row_rules": ("transition",)}), zones)
    assert plain.regime_multipliers == {}, "nothing multiplies without the rule"


def test_multipliers_take_the_place_of_the_declared_ones(book: StoredBook) -> None:
    assert up(Preparation(("regime",)), book) == [1.2, 1.2, 4.0, 8.0]
    own = Preparation(("regime",), regime_multipliers={"bull": 2.0, "neutral": 0.5})
    assert up(own, book) == [2.0, 1.2, 2.0, 4.0]
    with pytest.raises(PortfolioError, match="calm") as refused:
        Preparation(("regime",), regime_multipliers={"calm": 1.0}).returns(book)
    assert "Name some of bull, bear, volatile, neutral" in str(refused.value)


# -- dates held out ----------------------------------------------------------------------------


def days_of(count: int, pnl: Matrix | None = None, zones: int = 1) -> StoredBook:
    """So many days of twelve strategies, by zone where there are several."""
    rows = count * zones
    values = np.random.default_rng(1).normal(0.1, 1.0, (rows, 12)) if pnl is None else pnl
    names = tuple(f"s{number}" for number in range(values.shape[1]))
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=row // zones) for row in range(rows)]
    labels = tuple("AB"[row % zones] for row in range(rows)) if zones > 1 else None
    return StoredBook(
        book="days",
        returns=StrategyReturns(values, names, np.array(days, "datetime64[D]"), labels),
        strategies=pl.DataFrame(
            {"strategy_id": range(len(names)), "name": names, "source_file": "days.csv"}
        ),
        pnl_unit="rupees",
        rows=pl.DataFrame(
            {
                "date": days,
                "zone": pl.Series(labels or [None] * rows, dtype=pl.String),
                "regime_confidence": [0.9] * rows,
                "source_file": "days.csv",
            }
        ),
    )


@pytest.mark.parametrize(
    ("dates", "share", "held"), [(3, 0.01, 1), (4, 0.5, 2), (10, 0.25, 3), (82, 0.25, 21)]
)
def test_the_last_dates_are_held_out(dates: int, share: float, held: int) -> None:
    book = days_of(dates)
    steps = Preparation(holdout=share)
    searched, later = steps.returns(book), steps.held_out(book)
    assert later is not None
    assert (searched.rows, later.rows) == (dates - held, held)
    assert np.concatenate([searched.pnl, later.pnl]).tolist() == book.returns.pnl.tolist()
    assert searched.dates[-1] < later.dates[0]
    assert Preparation().held_out(book) is None


def test_zones_of_a_date_are_not_parted() -> None:
    book = days_of(5, zones=2)
    steps = Preparation(holdout=0.3)
    searched, later = steps.returns(book), steps.held_out(book)
    assert later is not None
    assert (searched.rows, later.rows) == (6, 4)
    assert searched.zones == ("A", "B") * 3


@pytest.mark.parametrize(("dates", "share"), [(1, 0.1), (2, 0.1), (3, 0.5)])
def test_too_few_dates_to_hold_some_out_are_refused(dates: int, share: float) -> None:
    with pytest.raises(PortfolioError, match=f"of {dates} dates .* fewer than 2") as refused:
        Preparation(holdout=share).returns(days_of(dates))
    assert "Hold out a smaller share" in str(refused.value)


def test_rules_that_leave_one_side_empty_are_refused() -> None:
    book = days_of(10)
    steps = Preparation(("confidence filter",), holdout=0.2)
    for confident, fault in (
        ([0.9] * 8 + [0.1] * 2, "no held-out row of the book is left"),
        ([0.9] + [0.1] * 7 + [0.9] * 2, "1 searched date is left by: confidence filter"),
        ([0.1] * 8 + [0.9] * 2, "no row of the book is left"),
    ):
        told = replace(book, rows=book.rows.with_columns(regime_confidence=pl.Series(confident)))
        with pytest.raises(PortfolioError, match=fault):
            steps.returns(told)


def test_what_is_inverted_is_decided_by_the_rows_searched() -> None:
    # the first loses where it is searched and gains after, the second the other way round
    pnl = np.array([[-5.0, 1.0]] * 6 + [[19.0, -8.0]] * 2)
    book = days_of(8, pnl)
    steps = Preparation(inversion=True, holdout=0.25)
    later = steps.held_out(book)
    assert later is not None
    assert steps.returns(book).names == later.names == ("s1", "s0_inv")
    assert later.pnl.tolist() == [[-8.0, -19.0]] * 2
    assert Preparation(inversion=True).returns(book).names == ("s0", "s1_inv"), "all rows"


def test_rules_and_weights_of_zones_are_those_of_the_rows_searched(book: StoredBook) -> None:
    more = days_of(4, np.array([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0], [64.0], [128.0]]), 2)
    # the last day has a zone that the days searched do not have
    labels = (*more.returns.zones[:-1], "C")
    new = replace(
        more,
        returns=replace(more.returns, zones=labels),
        rows=more.rows.with_columns(
            zone=pl.Series(labels), transition_threshold=pl.Series([0.1] * 4 + [0.9] * 4)
        ),
    )
    steps = Preparation(("transition",), "collapsed", holdout=0.5)
    assert steps.returns(new).pnl.tolist() == [[1.5], [6.0]]
    later = steps.held_out(new)
    assert later is not None
    # halved by the rule; B weighs a half though the day lacks it, C is not known
    assert later.pnl.tolist() == [[12.0], [16.0]]


def test_a_search_is_blind_to_what_is_held_out(tmp_path: Path) -> None:
    book = days_of(40)
    changed = book.returns.pnl.copy()
    changed[-10:] = np.random.default_rng(9).normal(-50.0, 9.0, (10, 12))
    other = days_of(40, changed)
    asked = order(evaluations=150, holdout=0.25, inversion=True)

    def found(of: StoredBook, name: str, **more: float) -> list[tuple[list[int], float]]:
        kept = SearchCheckpoints(tmp_path / name)
        outcome = search_book(of, 3, asked.model_copy(update=more), kept, len)
        return [(one.members.tolist(), one.fitness) for one in outcome.results]

    assert found(book, "a") == found(other, "b")
    assert found(book, "c", holdout=0.0) != found(other, "d", holdout=0.0), "all rows are seen"


def test_rows_before_the_rules_stand_beside_those_after(book: StoredBook) -> None:
    assert Preparation().raw_and_weighted(book) is None
    pair = Preparation(("confidence filter", "transition"), inversion=True).raw_and_weighted(book)
    assert pair is not None
    raw, weighted = pair
    assert raw.names == weighted.names == ("up", "down_inv")
    assert raw.pnl[:, 0].tolist() == [1.0, 2.0, 4.0, 8.0]
    assert weighted.pnl[:, 1].tolist() == [1.0, 0.0, 2.0, 8.0]

    by_day = Preparation(("confidence filter", "transition"), "collapsed").raw_and_weighted(book)
    assert by_day is not None
    assert [rows.pnl[:, 0].tolist() for rows in by_day] == [[1.5, 6.0], [0.5, 5.0]]


def test_what_rules_leave_at_work_is_told_for_every_row_searched(book: StoredBook) -> None:
    assert Preparation().exposure(book) is None
    rules = ("confidence filter", "transition")
    pair = Preparation(rules).raw_and_weighted(book)
    assert pair is not None
    raw, weighted = (rows.pnl[:, 0] for rows in pair)
    shares = Preparation(rules, inversion=True).exposure(book)
    assert shares is not None
    assert shares.tolist() == (weighted / raw).tolist() == [1.0, 0.0, 0.5, 1.0]

    by_day = Preparation(rules, "collapsed", inversion=True).exposure(book)
    assert by_day is not None
    assert by_day.tolist() == [0.5, 0.75]
    uneven = ZoneSettings(weights={"A": 3, "B": 1})
    weighed = Preparation(rules, "collapsed", zones=uneven).exposure(book)
    assert weighed is not None
    assert weighed.tolist() == pytest.approx([0.75, 0.625])
    lone = Preparation(rules, holdout=0.5)
    with pytest.raises(PortfolioError, match="holds out"):
        lone.exposure(book)


def test_a_regime_scaled_up_puts_no_more_than_all_to_work(book: StoredBook) -> None:
    shares = Preparation(("regime",), regime_multipliers={"bull": 2.0}).exposure(book)
    assert shares is not None
    assert shares.max() == 1.0


def test_zones_without_a_row_that_is_kept_weigh_nothing_raw_either(book: StoredBook) -> None:
    unsure = replace(
        book, rows=book.rows.with_columns(regime_confidence=pl.Series([0.9, 0.1, 0.9, 0.1]))
    )
    steps = Preparation(("confidence filter",), "collapsed")
    assert up(steps, unsure) == [1.0, 4.0]
    pair = steps.raw_and_weighted(unsure)
    assert pair is not None
    assert [rows.pnl[:, 0].tolist() for rows in pair] == [[1.0, 4.0], [1.0, 4.0]]


def test_steps_are_told_in_a_sentence() -> None:
    assert Preparation().sentence() == ""
    steps = Preparation(
        ("transition", "regime"), "collapsed", True, ZoneSettings(weights={"A": 3, "B": 1}),
        {"bull": 1.1}, 0.25,
    )  # fmt: skip
    assert steps.sentence() == (
        "before the search the last 25 % of the dates were held out; rows were left out or "
        "weighted by: transition, regime, bull × 1.1; the zones of a day were added up, weighed "
        "A 3, B 1; strategies that lose on the rows searched were inverted"
    )
    listed = Preparation(zone_mode="collapsed", zones=ZoneSettings(weights=(1, 2.5)))
    assert listed.sentence().endswith("weighed 1, 2.5")
    assert Preparation(zone_mode="collapsed").sentence().endswith("added up, all alike")


def test_notes_count_rows_and_weights_that_were_not_taken(book: StoredBook) -> None:
    zones = ZoneSettings(weights=(1, 2, 3))
    told = Preparation(("confidence filter", "regime"), "collapsed", zones=zones).notes(book)
    assert told[0] == (
        "confidence filter, regime: 1 of 4 rows left out, 0 scaled down, 1 scaled up, "
        "0 tell nothing; on average 25 % of the capital is cash"
    )
    assert told[1].startswith("3 weights do not stand for 2 zones")


def test_a_consolidated_zone_file_is_read_and_its_outside_left_out(tmp_path: Path) -> None:
    made = Shelf(tmp_path)
    made.land(
        "Python_Multi_Zone.csv",
        pl.DataFrame(
            {
                "Date": ["2024-01-04", "2024-01-04", "2024-01-04", "2024-01-11"],
                "Zone": ["Outside Market", "Zone 1", "Zone 2", "Zone 1"],
                "Day": ["Thursday"] * 4,
                "SENSEX 930-1030 SL7%": [99.0, 1.0, 3.0, 5.0],
            }
        ),
    )
    made.load()
    found = Preparation(zone_mode="collapsed").returns(made.read())
    assert found.pnl.tolist() == [[2.0], [2.5]]
