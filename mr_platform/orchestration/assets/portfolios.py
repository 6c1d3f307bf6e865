"""Portfolio group: landed strategy files become returns, figures, portfolios and a report.

Here: what Dagster is told of each table, and its materialisation for one book.
Not here: reading and storing (``strategy_books.py``), figures (``book_figures.py``), searching
(``book_search.py``), the report (``book_report.py``).
"""

# No postponed annotations here: Dagster compares the type of `context` itself, not its name.
import datetime as dt
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from mr_platform.gateways.correlation_cache import CorrelationCache
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.search_checkpoints import SearchCheckpoints
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.orchestration import book_figures, book_report, book_search, book_zones
from mr_platform.orchestration.book_freshness import (
    BEST_PORTFOLIO,
    MADE_OF,
    PORTFOLIO_REPORT,
    ZONE_PORTFOLIOS,
    BookAge,
)
from mr_platform.orchestration.book_partitions import (
    BOOK,
    BOOK_SIZES,
    BOOKS,
    parse_book_size,
    size_key,
)
from mr_platform.orchestration.columns import column_schema
from mr_platform.orchestration.failures import retries_told_apart
from mr_platform.orchestration.resources import SettingsResource
from mr_platform.orchestration.stored_portfolios import best_rows, with_stored
from mr_platform.orchestration.strategy_books import (
    BOOK_TABLES,
    STRATEGIES,
    STRATEGY_FILES,
    STRATEGY_RETURNS,
    STRATEGY_ROWS,
    LoadReport,
    load_book,
    read_book,
    write_part,
)
from mr_platform.portfolio.correlation_tiles import PairSettings
from mr_platform.portfolio.strategy_headers import StrategyChoice
from mr_platform.registry.portfolio_tables import load_portfolio_tables

GROUP = "portfolio"
OWNERS = ["team:portfolio"]
CODE_VERSION = "2"
"""Raised with every change of code that changes a stored number."""

CORRELATION_TABLES = ("correlation_summary", "correlated_pairs", "strategy_neighbours")
PORTFOLIO_TABLES = ("portfolios", "portfolio_members")

INPUT_FINGERPRINT = "input_fingerprint"
REGIMES_TAKEN = "rows_with_a_regime_from_bars"
BARS_NOT_USED = "bars_not_used"
ROWS = "dagster/partition_row_count"

with warnings.catch_warnings():
    # mappings of one dimension are beta in 1.13; every size of a book is read by its best portfolio
    warnings.simplefilter("ignore", dg.BetaWarning)
    _SIZES_OF_A_BOOK = dg.MultiToSingleDimensionPartitionMapping(BOOK)


def _told(table: str, kinds: Iterable[str] = ()) -> dict[str, Any]:
    """What Dagster is told of the asset of a table, however it is made."""
    return {
        "description": load_portfolio_tables()[table].meaning,
        "metadata": {"dagster/column_schema": column_schema(table)},
        "group_name": GROUP,
        "code_version": CODE_VERSION,
        "owners": OWNERS,
        "tags": {"layer": GROUP},
        "kinds": {"polars", "deltalake", *kinds},
    }


def _spec(
    table: str, *, deps: Sequence[dg.AssetDep | str] = (), kinds: Iterable[str] = ()
) -> dg.AssetSpec:
    return dg.AssetSpec(table, deps=list(deps), **_told(table, kinds))


def _asset(
    name: str, *, deps: Sequence[dg.AssetDep | str], told: Mapping[str, Any] | None = None
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Makes an asset of one part for each book; what is told of it is what its table declares."""
    made: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        name=name, deps=list(deps), partitions_def=BOOKS, **(told or _told(name))
    )
    return made


@dg.multi_asset(
    name="load_strategy_book",
    specs=[
        _spec(STRATEGY_FILES, kinds=frozenset({"file"})),
        _spec(STRATEGIES, deps=[STRATEGY_FILES]),
        _spec(STRATEGY_RETURNS, deps=[STRATEGY_FILES]),
        _spec(STRATEGY_ROWS, deps=[STRATEGY_FILES]),
    ],
    partitions_def=BOOKS,
    pool="portfolio_ingestion",
)
def load_strategy_book(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
    strategy_landing: dg.ResourceParam[StrategyLanding],
) -> Iterator[dg.MaterializeResult[None]]:
    """Read the landed files of a book; the months that changed are replaced."""
    chosen = settings.load().portfolio
    with retries_told_apart():
        report = load_book(
            context.partition_key,
            landing=strategy_landing,
            lakehouse=lakehouse,
            choice=StrategyChoice(tuple(chosen.include), tuple(chosen.exclude)),
            commit_info={"run_id": context.run.run_id},
        )
    for table in BOOK_TABLES:
        yield dg.MaterializeResult(asset_key=table, metadata=_load_metadata(table, report))


def _load_metadata(table: str, report: LoadReport) -> dict[str, Any]:
    told: dict[str, Any] = {INPUT_FINGERPRINT: report.fingerprint}
    if table in report.versions:
        told["table_version"] = report.versions[table]
    if table == STRATEGY_RETURNS:
        told |= {
            ROWS: report.rows * report.strategies,
            "strategies": report.strategies,
            "rows": report.rows,
            "pnl_unit": report.pnl_unit,
            "months": dg.MetadataValue.json(list(report.months)),
            "months_replaced": dg.MetadataValue.json(list(report.replaced)),
            "cells_written": report.cells,
            "missing_cells": report.missing_cells,
            "unreadable_cells": report.unreadable_cells,
            "repeated_cells": report.repeated_cells,
            "cells_kept_from_files_no_longer_landed": report.kept_cells,
            **({} if report.regimes_taken is None else {REGIMES_TAKEN: report.regimes_taken}),
            **({BARS_NOT_USED: report.bars_not_used} if report.bars_not_used else {}),
            "warnings": dg.MetadataValue.json(list(report.warnings)),
        }
    return told


@_asset(
    "strategy_metrics",
    deps=[STRATEGIES, STRATEGY_RETURNS],
)
def strategy_metrics(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
) -> dg.MaterializeResult[None]:
    """Figures of every strategy of the book."""
    with retries_told_apart():
        book = read_book(lakehouse, context.partition_key)
        asked = settings.load().portfolio
        rows = book_figures.metric_rows(
            book, asked.kelly_cap, capital=asked.capital, risk_free=asked.risk_free
        )
        version = write_part(lakehouse, "strategy_metrics", rows, book.book)
    best = rows.sort("ratio", descending=True, nulls_last=True).head(5)
    return dg.MaterializeResult(
        metadata={
            ROWS: rows.height,
            "table_version": version,
            "best_by_ratio": _table(best.select("name", "ratio", "roi", "max_drawdown")),
        }
    )


@_asset(
    "inversions",
    deps=[STRATEGIES, STRATEGY_RETURNS],
)
def inversions(
    context: dg.AssetExecutionContext, lakehouse: dg.ResourceParam[Lakehouse]
) -> dg.MaterializeResult[None]:
    """Strategies of the book that do better the other way round."""
    with retries_told_apart():
        book = read_book(lakehouse, context.partition_key)
        rows = book_figures.inversion_rows(book)
        version = write_part(lakehouse, "inversions", rows, book.book)
    return dg.MaterializeResult(
        metadata={
            ROWS: rows.height,
            "table_version": version,
            "share_of_strategies": rows.height / book.returns.strategies,
        }
    )


@dg.multi_asset(
    name="correlate_strategies",
    specs=[_spec(table, deps=[STRATEGIES, STRATEGY_RETURNS]) for table in CORRELATION_TABLES],
    partitions_def=BOOKS,
)
def correlate_strategies(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
    correlation_cache: dg.ResourceParam[CorrelationCache],
) -> Iterator[dg.MaterializeResult[None]]:
    """Correlations of all pairs of the book, in tiles; known results come from the cache."""
    chosen = settings.load().portfolio.correlation
    asked = PairSettings(
        threshold=chosen.threshold, neighbours=chosen.neighbours, most_pairs=chosen.most_pairs
    )
    with retries_told_apart():
        book = read_book(lakehouse, context.partition_key)
        started = time.perf_counter()
        found = book_figures.correlations(book, asked, correlation_cache, chosen.engine)
        seconds = time.perf_counter() - started
        tables = book_figures.correlation_rows(book, found.frames)
        versions = {
            table: write_part(lakehouse, table, rows, book.book) for table, rows in tables.items()
        }
    for table in CORRELATION_TABLES:
        told: dict[str, Any] = {ROWS: tables[table].height, "table_version": versions[table]}
        if table == CORRELATION_TABLES[0]:
            told |= {
                **_plain(tables[table].drop("histogram").row(0, named=True)),
                "cache": found.source,
                "engine": chosen.engine,
                **({"cache_fault": found.fault} if found.fault else {}),
                "seconds": round(seconds, 3),
            }
        yield dg.MaterializeResult(asset_key=table, metadata=told)


@dg.multi_asset(
    name="search_portfolios",
    specs=[
        _spec(PORTFOLIO_TABLES[0], deps=[STRATEGIES, STRATEGY_RETURNS]),
        _spec(PORTFOLIO_TABLES[1], deps=[PORTFOLIO_TABLES[0]]),
    ],
    partitions_def=BOOK_SIZES,
    pool="portfolio_search",
)
def search_portfolios(
    context: dg.AssetExecutionContext,
    config: book_search.SearchConfig,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
    search_checkpoints: dg.ResourceParam[SearchCheckpoints],
) -> Iterator[dg.MaterializeResult[None]]:
    """The best portfolio of one size that each algorithm finds; goes on where it was broken off."""
    name, size = parse_book_size(context.partition_key)
    chosen = settings.load().portfolio
    order = config.over(chosen.search)
    with retries_told_apart():
        book = read_book(lakehouse, name)
        outcome = book_search.search_book(
            book,
            size,
            order,
            search_checkpoints,
            context.log.info,
            chosen.zones,
            at=dt.datetime.now(dt.UTC),
        )
        kept = with_stored(lakehouse, book, outcome)
        tables = dict(zip(PORTFOLIO_TABLES, kept, strict=True))
        versions = {
            table: write_part(lakehouse, table, rows, name, size_key(size))
            for table, rows in tables.items()
        }
    # only now: a kill before has the searches' ends to go on from
    for checkpoint in outcome.checkpoints:
        search_checkpoints.remove(checkpoint)
    for table in PORTFOLIO_TABLES:
        told: dict[str, Any] = {ROWS: tables[table].height, "table_version": versions[table]}
        if table == PORTFOLIO_TABLES[0]:
            told |= outcome.metadata()
            told["portfolios"] = _table(
                tables[table].select("algorithm", "form", "fitness", "evaluations", "stopped")
            )
        yield dg.MaterializeResult(asset_key=table, metadata=told)


@_asset(
    ZONE_PORTFOLIOS,
    deps=[STRATEGIES, STRATEGY_RETURNS, STRATEGY_ROWS],
)
def zone_portfolios(
    context: dg.AssetExecutionContext,
    config: book_zones.ZoneConfig,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
) -> dg.MaterializeResult[None]:
    """The best portfolio of each zone of the book."""
    chosen = settings.load().portfolio
    with retries_told_apart():
        book = read_book(lakehouse, context.partition_key)
        rows = book_zones.zone_rows(book, config, chosen.search, chosen.zones)
        version = write_part(lakehouse, ZONE_PORTFOLIOS, rows, book.book)
    return dg.MaterializeResult(
        metadata={
            ROWS: rows.height,
            "table_version": version,
            "zones": _table(rows.select("zone", "size", "fitness", "roi", "allocation")),
        }
    )


@_asset(
    BEST_PORTFOLIO,
    deps=[dg.AssetDep(table, partition_mapping=_SIZES_OF_A_BOOK) for table in PORTFOLIO_TABLES],
)
def best_portfolio(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
) -> dg.MaterializeResult[None]:
    """The best portfolio of the book over all sizes and algorithms, with Kelly shares."""
    with retries_told_apart():
        book = read_book(lakehouse, context.partition_key)
        rows = best_rows(lakehouse, book, settings.load().portfolio.kelly_cap)
        version = write_part(lakehouse, BEST_PORTFOLIO, rows, book.book)
    first = rows.row(0, named=True)
    return dg.MaterializeResult(
        metadata={
            ROWS: rows.height,
            "table_version": version,
            "size": first["size"],
            "algorithm": first["algorithm"],
            "fitness": first["fitness"],
            "members": _table(rows.select("place", "name", "kelly_share")),
        }
    )


@_asset(
    PORTFOLIO_REPORT,
    deps=[
        BEST_PORTFOLIO,
        ZONE_PORTFOLIOS,
        dg.AssetDep(PORTFOLIO_TABLES[0], partition_mapping=_SIZES_OF_A_BOOK),
        dg.AssetDep(PORTFOLIO_TABLES[1], partition_mapping=_SIZES_OF_A_BOOK),
    ],
    told={
        "description": "A page of the book's portfolios: curves, composition, correlations, "
        "convergence, members; one file without links to anywhere.",
        "group_name": GROUP,
        "code_version": CODE_VERSION,
        "owners": OWNERS,
        "tags": {"layer": GROUP},
        "kinds": {"html"},
    },
)
def portfolio_report(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    lakehouse: dg.ResourceParam[Lakehouse],
) -> dg.MaterializeResult[None]:
    """Write the page of a book."""
    loaded = settings.load()
    with retries_told_apart():
        # noted before it is drawn: what is stored meanwhile makes it old, never new
        shown = BookAge(lakehouse, context.partition_key).made_of()
        written = book_report.write_report(
            lakehouse, context.partition_key, loaded.portfolio_reports_dir,
            kelly_cap=loaded.portfolio.kelly_cap, capital=loaded.portfolio.capital,
            risk_free=loaded.portfolio.risk_free,
        )  # fmt: skip
    return dg.MaterializeResult(
        metadata={
            MADE_OF: shown,
            "page": dg.MetadataValue.path(str(written.page)),
            "bytes": written.page.stat().st_size,
            "summary": dg.MetadataValue.md(written.summary),
            "warnings": dg.MetadataValue.json(list(written.warnings)),
        }
    )


def _table(rows: pl.DataFrame) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(_plain(row)) for row in rows.to_dicts()])


def _plain(row: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """A record without nulls, which Dagster's tables refuse."""
    return {name: "" if value is None else value for name, value in row.items()}


PORTFOLIO_ASSETS: list[dg.AssetsDefinition] = [
    load_strategy_book,
    strategy_metrics,
    inversions,
    correlate_strategies,
    search_portfolios,
    zone_portfolios,
    best_portfolio,
    portfolio_report,
]
