"""Assets of portfolios as the graph runs them: tables, metadata, failures that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mr_platform.config.settings import Settings
from mr_platform.orchestration.assets.portfolios import (
    CORRELATION_TABLES,
    INPUT_FINGERPRINT,
    PORTFOLIO_ASSETS,
    ROWS,
)
from mr_platform.orchestration.book_figures import metric_rows
from mr_platform.orchestration.book_files import book_fingerprint
from mr_platform.orchestration.strategy_books import BOOK_TABLES, read_part
from mr_platform.registry.portfolio_tables import load_portfolio_tables
from mr_platform_tests.orchestration.book_graph import BookGraph, open_books
from mr_platform_tests.orchestration.conftest import QuickSettings
from mr_platform_tests.orchestration.small_books import (
    BOOK,
    ODD_NAMES,
    names,
    of_month,
    plain_pages,
    sheet,
)

SHEET = sheet()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookGraph]:
    """A home whose book was searched, grew by a month, and was searched again."""
    with open_books(tmp_path_factory.mktemp("home") / "home") as opened:
        opened.shelf.land("january.csv", of_month(SHEET, "2024-01"))
        runs = [opened.load(), opened.search(3)]
        opened.shelf.land("february.csv", of_month(SHEET, "2024-02"))
        runs += [opened.load(), opened.search(4), opened.report()]
        assert [run.fault for run in runs] == [None] * 5
        yield opened


def test_every_declared_table_is_an_asset_with_its_columns() -> None:
    specs = {spec.key.to_user_string(): spec for asset in PORTFOLIO_ASSETS for spec in asset.specs}

    for table in load_portfolio_tables():
        schema = specs[table].metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(
            load_portfolio_tables()[table].schema
        )
        assert specs[table].description
    assert set(specs) - set(load_portfolio_tables()) == {"portfolio_report"}
    assert {spec.group_name for spec in specs.values()} == {"portfolio"}


def test_a_load_tells_what_it_read_and_wrote(graph: BookGraph) -> None:
    told = graph.metadata("strategy_returns", BOOK)

    content = book_fingerprint(graph.shelf.landing.files_of(BOOK))
    assert {graph.metadata(table, BOOK)[INPUT_FINGERPRINT] for table in BOOK_TABLES} == {content}
    assert (told["strategies"], told["rows"], told[ROWS]) == (12, 40, 480)
    assert (told["months"], told["months_replaced"]) == (["2024-01", "2024-02"], ["2024-02"])
    assert told["cells_written"] == 12 * of_month(SHEET, "2024-02").height
    assert told["pnl_unit"] == "rupees"
    assert told["table_version"] == graph.shelf.lakehouse.version("strategy_returns")
    newest = graph.shelf.lakehouse.history("strategy_returns", 1)[0]
    assert newest.predicate == "(book = 'sensex' AND part IN ('2024-02'))"
    assert graph.instance.get_run_by_id(newest.info["run_id"]) is not None


def test_tables_of_figures_are_those_of_the_stored_returns(graph: BookGraph) -> None:
    lakehouse = graph.shelf.lakehouse
    metrics = read_part(lakehouse, "strategy_metrics", BOOK)
    totals = SHEET.select(pl.col(pl.Float64).sum()).row(0, named=True)

    assert metrics["name"].to_list() == list(names())
    for name, roi in metrics.select("name", "roi").rows():
        assert roi == pytest.approx(totals[name])
    losing = {name for name, total in totals.items() if total < 0}
    assert set(read_part(lakehouse, "inversions", BOOK)["strategy"]) == losing
    assert graph.metadata("inversions", BOOK)["share_of_strategies"] == len(losing) / 12
    summary = read_part(lakehouse, "correlation_summary", BOOK)
    assert summary["pairs"].to_list() == [66]
    told = graph.metadata("correlation_summary", BOOK)
    assert told["mean"] == summary["mean"][0]
    for table in CORRELATION_TABLES:
        assert graph.metadata(table, BOOK)["table_version"] == lakehouse.version(table)
    best = graph.metadata("strategy_metrics", BOOK)["best_by_ratio"]
    assert [record.data["name"] for record in best.records] == metrics.sort(
        "ratio", descending=True, nulls_last=True
    )["name"].to_list()[:5]


def test_a_search_tells_its_portfolios(graph: BookGraph) -> None:
    partition = f"{BOOK}|004"
    told = graph.metadata("portfolios", partition)
    stored = read_part(graph.shelf.lakehouse, "portfolios", BOOK, "004")

    assert told["best_fitness"] == stored["fitness"].max()
    assert (told[ROWS], told["resumed"]) == (2, "none")
    assert told["evaluations"] == stored["evaluations"].sum()
    assert [record.data["algorithm"] for record in told["portfolios"].records] == [
        "hill_climbing",
        "random_search",
    ]
    assert graph.metadata("portfolio_members", partition)[ROWS] == 8
    assert graph.materialised("portfolios") == {f"{BOOK}|003", f"{BOOK}|004"}


def test_a_report_tells_the_best_and_where_the_page_is(graph: BookGraph) -> None:
    best = graph.metadata("best_portfolio", BOOK)
    told = graph.metadata("portfolio_report", BOOK)
    rows = read_part(graph.shelf.lakehouse, "best_portfolio", BOOK)
    stored = read_part(graph.shelf.lakehouse, "portfolios", BOOK, "004")

    assert best["fitness"] == stored["fitness"].max() == rows["fitness"][0]
    assert [record.data["name"] for record in best["members"].records] == rows["name"].to_list()
    page = Path(told["page"])
    assert page == graph.shelf.home / "portfolio_reports" / "sensex.html"
    assert told["bytes"] == page.stat().st_size
    assert f"| fitness | {best['fitness']:.6g} |" in told["summary"]


def test_odd_names_reach_every_table(graph: BookGraph) -> None:
    lakehouse = graph.shelf.lakehouse

    assert set(ODD_NAMES) <= set(read_part(lakehouse, "strategy_metrics", BOOK)["name"])
    members = graph.shelf.lakehouse.scan("portfolio_members").collect()
    assert set(members["name"]) <= set(names())


def test_files_that_contradict_fail_the_run_and_change_nothing(graph: BookGraph) -> None:
    shelf = graph.shelf
    shelf.land("a.csv", SHEET, book="torn")
    assert graph.load("torn").fault is None
    before = {table: shelf.lakehouse.version(table) for table in shelf.lakehouse.tables()}
    shelf.land("b.csv", SHEET.with_columns(pl.col(names()[2]) + 1), book="torn")

    run = graph.load("torn")

    assert run.fault is not None
    assert "strategy_books/torn/a.csv" in run.fault.message
    assert "strategy_books/torn/b.csv" in run.fault.message
    assert {table: shelf.lakehouse.version(table) for table in before} == before
    assert run.facts == {}
    assert run.verdicts == ()


def test_portfolios_of_before_a_further_month_are_left_out(graph: BookGraph) -> None:
    stored = read_part(graph.shelf.lakehouse, "portfolios", BOOK, "003")
    assert stored.height == 2

    assert graph.metadata("best_portfolio", BOOK)["size"] == 4
    (warning,) = (
        line for line in graph.metadata("portfolio_report", BOOK)["warnings"] if "left out" in line
    )
    assert warning.startswith("2 stored portfolios are left out")


def test_known_correlations_come_from_the_cache(graph: BookGraph) -> None:
    before = graph.metadata("correlation_summary", BOOK)

    again = graph.load().facts["correlation_summary"]

    assert again["cache"] != before["cache"]
    assert again["mean"] == before["mean"]


def test_capital_and_risk_free_rate_of_the_settings_reach_figures_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = QuickSettings.load

    def measured(self: QuickSettings) -> Settings:
        found = plain(self)
        asked = {"capital": 2e5, "risk_free": 0.065}
        return found.model_copy(update={"portfolio": found.portfolio.model_copy(update=asked)})

    monkeypatch.setattr(QuickSettings, "load", measured)
    with plain_pages(), open_books(tmp_path / "home") as opened:
        opened.shelf.land("year.csv", SHEET)
        assert [run.fault for run in (opened.load(), opened.search(3))] == [None, None]
        assert opened.report().fault is None
        warnings = opened.metadata("portfolio_report", BOOK)["warnings"]
        stored = read_part(opened.shelf.lakehouse, "strategy_metrics", BOOK)
        expected = metric_rows(opened.shelf.read(), capital=2e5, risk_free=0.065)

    assert stored["sharpe"].to_list() == expected["sharpe"].to_list()
    assert not any("no capital is given" in warning for warning in warnings)


def test_nothing_is_made_of_a_book_that_is_not_stored(graph: BookGraph) -> None:
    graph.instance.add_dynamic_partitions("strategy_books", ["absent"])
    job = graph.definitions.resolve_implicit_global_asset_job_def()
    for asset in ("strategy_metrics", "portfolio_report"):
        result = job.get_subset(asset_selection=frozenset({dg.AssetKey(asset)})).execute_in_process(
            instance=graph.instance, partition_key="absent", raise_on_error=False
        )
        (failure,) = (event for event in result.all_events if event.is_step_failure)
        data = failure.step_failure_data
        assert data.user_failure_data is not None
        assert "nothing of this book is stored" in str(data.user_failure_data.description)
