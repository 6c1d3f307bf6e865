"""Portfolios of zones, each searched alone."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from mr_platform.config.settings import SearchSettings, ZoneSettings
from mr_platform.orchestration.book_search import data_key
from mr_platform.orchestration.book_zones import ZoneConfig, zone_rows
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
        return ZoneConfig(parameters=run).searcher(SETTINGS.model_copy(update={"parameters": both}))

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
    with pytest.raises(PortfolioError, match="9 members"):
        zone_rows(book, ZoneConfig(sizes=[9]), SETTINGS, ZoneSettings())
    whole = StrategyReturns(book.returns.pnl[::2], NAMES, book.returns.dates[::2])
    days = StoredBook("days", whole, book.strategies, "percent", book.rows[::2])
    with pytest.raises(PortfolioError, match="have no zones"):
        zone_rows(days, ZoneConfig(sizes=[2]), SETTINGS, ZoneSettings())
