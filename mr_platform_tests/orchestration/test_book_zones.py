"""Portfolios of zones, each searched alone."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import BalanceSettings, SearchSettings, ZoneSettings
from mr_platform.errors import PlatformError
from mr_platform.orchestration.book_search import data_key
from mr_platform.orchestration.book_zones import ZoneConfig, require_zones, zone_rows
from mr_platform.orchestration.strategy_books import StoredBook, declared
from mr_platform.portfolio.fitness import LegacyFitness
from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.search.algorithms import algorithm
from mr_platform.portfolio.search.engine import Algorithm

NAMES = tuple(f"s{number}" for number in range(8))
SETTINGS = SearchSettings(algorithms=("genetic",), evaluations=300)


@pytest.fixture
def book() -> StoredBook:
    """Thirty days of two zones."""
    days = [dt.date(2023, 1, 2) + dt.timedelta(days=day // 2) for day in range(60)]
    zones = ("A", "B") * 30
    pnl = np.random.default_rng(3).normal(0.2, 1.0, (60, len(NAMES)))
    return StoredBook(
        book="zones",
        returns=StrategyReturns(pnl, NAMES, np.array(days, "datetime64[D]"), zones),
        strategies=pl.DataFrame({"strategy_id": range(len(NAMES)), "name": NAMES}),
        pnl_unit="percent",
        rows=pl.DataFrame(
            {
                "date": days,
                "zone": zones,
                "start_time": ["09:30:00", "14:30:00"] * 30,
                "regime_confidence": [0.9, 0.5] * 30,
                "source_file": "zones.csv",
            }
        ),
    )


def test_each_zone_has_its_best_portfolio_and_a_share(book: StoredBook) -> None:
    config = ZoneConfig(sizes=[2, 3])
    rows = zone_rows(book, config, SETTINGS, ZoneSettings())

    assert rows["zone"].to_list() == ["A", "B"]
    assert rows["rows"].to_list() == [30, 30]
    assert rows["allocation"].sum() == pytest.approx(1)
    for place, row in enumerate(rows.to_dicts()):
        members = json.loads(row["members"])
        assert len(members) == row["size"]
        columns = np.array([[NAMES.index(name) for name in members]])
        alone = book.returns.pnl[place::2]
        assert LegacyFitness().evaluate(alone, columns).fitness[0] == row["fitness"]
        assert json.loads(row["correlation"])[row["zone"]] == pytest.approx(1)
    stored = declared("zone_portfolios", rows, "zones", "all")
    assert stored.height == 2
    again = zone_rows(book, config, SETTINGS, ZoneSettings())
    assert again.equals(rows), "the same seed finds the same portfolios"


def test_zones_can_be_windows_and_rows_be_left_out(book: StoredBook) -> None:
    windows = ZoneSettings(method="freeform", cuts=(dt.time(12),))
    rows = zone_rows(book, ZoneConfig(sizes=[2]), SETTINGS, windows)
    assert rows["zone"].to_list() == ["Zone 1", "Zone 2"]
    filtered = SETTINGS.model_copy(update={"row_rules": ("confidence filter",)})
    rows = zone_rows(book, ZoneConfig(sizes=[2]), filtered, ZoneSettings())
    assert rows["zone"].to_list() == ["A"], "no row of B reaches 70 %"


def test_multipliers_and_dates_held_out_are_those_of_the_settings(book: StoredBook) -> None:
    labelled = replace(book, rows=book.rows.with_columns(market_regime=pl.lit("Bullish_Grind")))
    asked = {"row_rules": ("regime",), "regime_multipliers": {"bull": 3.0}}
    plain = zone_rows(labelled, ZoneConfig(sizes=[2]), SETTINGS, ZoneSettings())
    tripled = zone_rows(
        labelled, ZoneConfig(sizes=[2]), SETTINGS.model_copy(update=asked), ZoneSettings()
    )
    assert tripled["members"].to_list() == plain["members"].to_list(), "all rows weigh alike"
    assert tripled["roi"].to_list() == pytest.approx([3 * roi for roi in plain["roi"]])

    held = SETTINGS.model_copy(update={"holdout": 0.2, "inversion": True})
    rows = zone_rows(book, ZoneConfig(sizes=[2]), held, ZoneSettings())
    assert rows["rows"].to_list() == [24, 24]
    changed = book.returns.pnl.copy()
    changed[48:] = -99.0
    other = replace(book, returns=replace(book.returns, pnl=changed))
    again = zone_rows(other, ZoneConfig(sizes=[2]), held, ZoneSettings())
    assert again.drop("data_key").equals(rows.drop("data_key")), "blind to the last dates"
    assert set(again["data_key"]) == {data_key(other)} != {data_key(book)}


def test_parameters_are_those_of_the_run_before_the_settings() -> None:
    def chosen(settings: dict[str, int], run: dict[str, int]) -> Algorithm:
        both = {"hill_climbing": settings, "genetic": {"population": 7}}
        order = ZoneConfig(parameters=run).over(SETTINGS.model_copy(update={"parameters": both}))
        return algorithm("hill_climbing", **order.parameters.get("hill_climbing", {}))

    assert chosen({}, {}) == algorithm("hill_climbing")
    assert chosen({"neighbours": 11}, {}) == algorithm("hill_climbing", neighbours=11)
    assert chosen({"neighbours": 11}, {"neighbours": 5}) == algorithm("hill_climbing", neighbours=5)


def test_parameters_change_what_is_found(book: StoredBook) -> None:
    found = {
        guide: zone_rows(
            book,
            ZoneConfig(sizes=[3], parameters={"guide": guide}, evaluations=1),
            SETTINGS,
            ZoneSettings(),
        )["members"].to_list()
        for guide in (1, 8)
    }
    assert found[1] != found[8]


def test_what_cannot_be_searched_is_refused(book: StoredBook) -> None:
    with pytest.raises(PortfolioError, match="hill_climbing"):
        zone_rows(book, ZoneConfig(algorithm="hill_climb"), SETTINGS, ZoneSettings())
    with pytest.raises(PortfolioError, match="neighbours"):
        zone_rows(book, ZoneConfig(parameters={"neighbour": 3}), SETTINGS, ZoneSettings())
    with pytest.raises(PortfolioError, match=r"zones: the book has 8 .* portfolios of 9") as large:
        require_zones(book, ZoneConfig(sizes=[9]), SETTINGS, ZoneSettings())
    assert "--sizes 4" in str(large.value)
    for size in (1, 101):
        with pytest.raises(PlatformError, match=f"{size} is no size of a portfolio") as refused:
            zone_rows(book, ZoneConfig(sizes=[2, size]), SETTINGS, ZoneSettings())
        assert refused.value.misused
    whole = StrategyReturns(book.returns.pnl[::2], NAMES, book.returns.dates[::2])
    days = StoredBook("days", whole, book.strategies, "percent", book.rows[::2])
    with pytest.raises(PortfolioError, match="days: its rows name no zone") as unzoned:
        zone_rows(days, ZoneConfig(sizes=[2]), SETTINGS, ZoneSettings())
    assert "mr portfolio load FILE --book NAME" in str(unzoned.value)


def test_each_row_tells_what_was_searched_and_on_which_dates(book: StoredBook) -> None:
    plain = zone_rows(book, ZoneConfig(sizes=[2]), SETTINGS, ZoneSettings())
    told = ("metric", "correlation_weight", "drawdown_threshold", "preparation")
    assert set(plain.select(told).rows()) == {("ratio", 10.0, 0.0, "{}")}
    assert set(plain.select("first_date", "last_date").rows()) == {
        (dt.date(2023, 1, 2), dt.date(2023, 1, 31))
    }
    asked = ZoneConfig(
        sizes=[2], metric="roi", correlation_weight=0.5, drawdown_threshold=2.0, holdout=0.5,
        row_rules=["confidence weight"],
    )  # fmt: skip
    rows = declared("zone_portfolios", zone_rows(book, asked, SETTINGS, ZoneSettings()), "z", "all")
    preparation = '{"holdout": 0.5, "row_rules": ["confidence weight"]}'
    assert set(rows.select(told).rows()) == {("roi", 0.5, 2.0, preparation)}
    assert set(rows["last_date"]) == {dt.date(2023, 1, 16)}
    assert rows["rows"].to_list() == [15, 15]


def test_a_run_comes_before_the_settings_and_can_switch_them_off(book: StoredBook) -> None:
    labelled = replace(book, rows=book.rows.with_columns(market_regime=pl.lit("Bullish_Grind")))
    settings = SETTINGS.model_copy(
        update={
            "metric": "expectancy", "holdout": 0.2, "row_rules": ("confidence filter",),
            "zone_mode": "collapsed", "inversion": True, "form": "legacy", "engine": "gpu",
            "balance": BalanceSettings(desired={"other.csv": 3}),
        }
    )  # fmt: skip
    kept = ZoneConfig().over(settings)
    assert (kept.metric, kept.holdout, kept.row_rules) == (
        "expectancy",
        0.2,
        ("confidence filter",),
    )
    assert (kept.zone_mode, kept.inversion, kept.form, kept.engine, kept.balance) == (
        "rows", False, "improved", "cpu", None,
    )  # fmt: skip
    off = ZoneConfig(holdout=0.0, row_rules=["none"], metric="ratio", sizes=[2])
    rows = zone_rows(labelled, off, settings, ZoneSettings())
    assert set(rows.select("metric", "preparation").rows()) == {("ratio", "{}")}
    weighed = ZoneConfig(row_rules=["regime"], regime_multipliers={"bull": 2.0})
    order = weighed.over(settings)
    assert (order.row_rules, order.regime_multipliers) == (("regime",), {"bull": 2.0})
