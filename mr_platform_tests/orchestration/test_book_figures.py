"""Rows of figures, inversions and correlations of a stored book."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.gateways.correlation_cache import CorrelationCache
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.orchestration import book_figures
from mr_platform.orchestration.book_figures import (
    correlation_rows,
    correlations,
    inversion_rows,
    metric_rows,
)
from mr_platform.orchestration.book_search import search_book
from mr_platform.orchestration.strategy_books import StoredBook, declared
from mr_platform.portfolio.correlation_tiles import PairSettings
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.portfolio.risk import risk_profile
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, names, order, sheet, zone_sheet

CONSTANT, GAINS, TWIN = names()[4:7]
STANDARD = (
    "annual_return", "sharpe", "sortino", "calmar", "var_95", "cvar_95", "var_99", "cvar_99",
)  # fmt: skip


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> StoredBook:
    """A book with a constant strategy, one without losses and two that are equal."""
    shelf = Shelf(tmp_path_factory.mktemp("home"))
    frame = sheet().with_columns(
        pl.lit(2.5).alias(CONSTANT),
        pl.col(GAINS).abs(),
        pl.col(names()[0]).alias(TWIN),
    )
    # numbered in another order than that of the file
    shelf.land("b.csv", frame.drop(names()[:3]))
    shelf.load()
    shelf.land("a.csv", frame)
    shelf.load()
    return shelf.read()


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> StoredBook:
    """A book by zone, in per cent."""
    shelf = Shelf(tmp_path_factory.mktemp("home"))
    shelf.land("zones.csv", zone_sheet())
    shelf.load()
    return shelf.read()


def by_name(rows: pl.DataFrame, name: str) -> dict[str, object]:
    return rows.row(by_predicate=pl.col("name") == name, named=True)


def test_every_strategy_has_its_figures_under_its_number(book: StoredBook) -> None:
    rows = metric_rows(book)

    assert (
        rows.select("strategy_id", "name").rows()
        == book.strategies.select("strategy_id", "name").rows()
    )
    for place, row in enumerate(rows.to_dicts()):
        series = book.returns.pnl[:, place]
        assert row["roi"] == pytest.approx(series.sum())
        assert row["win_rate"] == (series > 0).mean()
        assert row["var_95"] == pytest.approx(np.quantile(series, 0.05))
        assert row["legacy_annual_return"] == pytest.approx(series.sum() * 252 / 40)
        assert 0 <= row["kelly_fraction"] <= 0.25
    declared("strategy_metrics", rows, BOOK, "all")


def test_figures_that_are_not_defined_are_null(book: StoredBook) -> None:
    rows = metric_rows(book)
    gains, constant = by_name(rows, GAINS), by_name(rows, CONSTANT)

    assert (gains["profit_factor"], gains["sortino"]) == (None, None)
    assert (gains["max_drawdown"], gains["ratio"]) == (0, pytest.approx(100 * gains["roi"]))
    assert constant["constant"] is True
    assert constant["sharpe"] is None
    assert rows["constant"].sum() == 1
    floats = rows.select(pl.col(pl.Float64))
    assert not floats.select(
        pl.any_horizontal(pl.all().is_nan() | pl.all().is_infinite()).any()
    ).item()


def test_the_kelly_cap_is_the_asked_one(book: StoredBook) -> None:
    assert metric_rows(book, 0.01)["kelly_fraction"].max() == 0.01


def test_percent_is_measured_as_a_share_of_capital_and_told_in_percent(zones: StoredBook) -> None:
    rows = metric_rows(zones)

    first = zones.returns.pnl[:, 0]
    assert rows["var_95"][0] == pytest.approx(np.quantile(first, 0.05))
    assert rows["roi"][0] == pytest.approx(first.sum())
    free = metric_rows(zones, risk_free=0.065)
    year = rows["annual_return"][0] / first.mean()
    assert free["sharpe"][0] == pytest.approx(
        (first.mean() / 100 - 0.065 / year) / (first.std(ddof=1) / 100) * np.sqrt(year)
    )
    assert_frame_equal(free.drop("sharpe"), rows.drop("sharpe"))


def test_a_capital_lets_a_risk_free_rate_be_taken_from_rupees(book: StoredBook) -> None:
    plain = metric_rows(book)
    assert_frame_equal(metric_rows(book, risk_free=0.065), plain)

    rows = metric_rows(book, capital=2e5, risk_free=0.065)

    first = book.returns.pnl[:, 0]
    year = plain["annual_return"][0] / first.mean()
    assert rows["sharpe"][0] == pytest.approx(
        (first.mean() / 2e5 - 0.065 / year) / (first.std(ddof=1) / 2e5) * np.sqrt(year)
    )
    # money is told in the unit of the book, whatever it was measured against
    assert_frame_equal(rows.drop("sharpe"), plain.drop("sharpe"), rel_tol=1e-12)


@pytest.mark.parametrize(("unit", "scale"), [("rupees", 1.0), ("percent", 100.0)])
def test_portfolios_found_have_the_standard_figures_of_their_rows(
    unit: str, scale: float, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    book: StoredBook = request.getfixturevalue("book" if unit == "rupees" else "zones")
    assert book.pnl_unit == unit
    outcome = search_book(book, 3, order(evaluations=60), SearchCheckpoints(tmp_path), len)

    portfolios, members = outcome.rows(book)

    assert portfolios.height > 1
    for row in portfolios.to_dicts():
        chosen = members.filter(pl.col("algorithm") == row["algorithm"])["name"]
        columns = [book.returns.names.index(name) for name in chosen]
        series = book.returns.pnl[:, columns].mean(axis=1)
        profile = risk_profile(series[np.newaxis] / scale, book.returns.dates)
        for figure in STANDARD:
            money = scale if figure.startswith(("annual", "var", "cvar")) else 1.0
            assert row[figure] == pytest.approx(getattr(profile, figure)[0] * money), figure
    declared("portfolios", portfolios, BOOK, "003")


def test_standard_figures_of_portfolios_that_are_not_defined_are_null(
    book: StoredBook, tmp_path: Path
) -> None:
    returns = book.returns
    gains = StrategyReturns(np.abs(returns.pnl), returns.names, returns.dates)
    asked = order(evaluations=60)
    outcome = search_book(replace(book, returns=gains), 3, asked, SearchCheckpoints(tmp_path), len)

    row = outcome.rows(book)[0].row(0, named=True)

    assert (row["sortino"], row["calmar"]) == (None, None)
    assert all(row[name] > 0 for name in ("annual_return", "sharpe", "var_95", "cvar_99"))


def test_losing_strategies_are_told_both_ways(book: StoredBook) -> None:
    rows = inversion_rows(book)

    totals = dict(zip(book.returns.names, book.returns.pnl.sum(axis=0), strict=True))
    assert set(rows["strategy"]) == {name for name, total in totals.items() if total < 0}
    assert 0 < rows.height < book.returns.strategies
    for row in rows.to_dicts():
        assert row["inverted_strategy"] == f"{row['strategy']}_inv"
        assert row["strategy_id"] == book.ids[row["strategy"]]
        assert row["original_roi"] == -row["inverted_roi"] == pytest.approx(totals[row["strategy"]])
    declared("inversions", rows, BOOK, "all")


def test_correlations_are_those_of_numbered_strategies(book: StoredBook, tmp_path: Path) -> None:
    asked = PairSettings(threshold=0.2, neighbours=3)
    found = correlations(book, asked, CorrelationCache(tmp_path))
    tables = correlation_rows(book, found.frames)
    pnl = {name: book.returns.pnl[:, place] for place, name in enumerate(book.returns.names)}
    told = dict(book.strategies.select("strategy_id", "name").rows())

    def rho(first: int, second: int) -> float:
        return float(np.corrcoef(pnl[told[first]], pnl[told[second]])[0, 1])

    for first, second, value in (
        tables["correlated_pairs"].select("first_id", "second_id", "rho").rows()
    ):
        assert value == pytest.approx(rho(first, second))
        assert abs(value) > 0.2
    for one, other, value in (
        tables["strategy_neighbours"].select("strategy_id", "neighbour_id", "rho").rows()
    ):
        assert value == pytest.approx(rho(one, other), abs=1e-6)
        assert CONSTANT not in (told[one], told[other])
    (summary,) = tables["correlation_summary"].to_dicts()
    assert (summary["strategies"], summary["pairs"], summary["constant"]) == (12, 66, 1)
    assert (summary["duplicate_groups"], summary["duplicates"]) == (1, 1)
    assert summary["highest"] == pytest.approx(1)
    assert summary["above"] == tables["correlated_pairs"].height
    assert sum(json.loads(summary["histogram"])) == 66
    for table, rows in tables.items():
        declared(table, rows, BOOK, "all")


def test_known_correlations_come_from_the_cache_as_they_were(
    book: StoredBook, tmp_path: Path
) -> None:
    cache = CorrelationCache(tmp_path)
    first = correlations(book, PairSettings(), cache)
    again = correlations(book, PairSettings(), cache)
    other = correlations(book, PairSettings(threshold=0.1), cache)

    assert (first.source, again.source) != (first.source, first.source)
    assert other.source == first.source
    for name, frame in first.frames.items():
        assert_frame_equal(again.frames[name], frame, check_exact=True)


def test_a_book_of_one_strategy_has_no_pairs(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.land("one.csv", sheet(strategies=1))
    shelf.load()
    book = shelf.read()

    tables = correlation_rows(
        book, correlations(book, PairSettings(), CorrelationCache(tmp_path / "cache")).frames
    )

    (summary,) = tables["correlation_summary"].to_dicts()
    assert (summary["pairs"], summary["mean"], summary["lowest"]) == (0, None, None)
    assert tables["correlated_pairs"].is_empty()
    assert math.isfinite(metric_rows(book)["roi"][0])
    for table, rows in tables.items():
        declared(table, rows, BOOK, "all")


def test_blocks_of_strategies_give_the_same_bits(
    book: StoredBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, inversions = metric_rows(book), inversion_rows(book)
    monkeypatch.setattr(book_figures, "BLOCK_BYTES", 8 * book.returns.rows * 5)
    assert metric_rows(book).equals(metrics)
    assert inversion_rows(book).equals(inversions)
