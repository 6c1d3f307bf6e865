"""Checks of a book as the graph runs them: one verdict a partition, on the newest rows."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import polars as pl
import pytest

from mr_platform.orchestration.book_partitions import book_size_key
from mr_platform.orchestration.checks.portfolio_verdicts import BOOK_RULES, BookRule
from mr_platform.orchestration.checks.portfolios import MADE_LATER, PORTFOLIO_CHECKS
from mr_platform.orchestration.materialization_events import latest_records
from mr_platform.orchestration.strategy_books import BOOK_TABLES, read_part, write_part
from mr_platform.registry.portfolio_tables import load_portfolio_tables
from mr_platform_tests.orchestration.book_graph import BookGraph, open_books
from mr_platform_tests.orchestration.graph_runs import FAILED, PASSED
from mr_platform_tests.orchestration.small_books import BOOK, sheet

SIZE = 4
AT_ONCE = [rule for rule in BOOK_RULES if rule.table not in MADE_LATER]
"""Checks of what a load and a search make; the others are those of test_book_freshness."""

RULES = [rule for rule in AT_ONCE if not rule.name.startswith("recorded_")]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BookGraph]:
    """A book that was loaded and searched."""
    with open_books(tmp_path_factory.mktemp("home") / "home") as opened:
        opened.shelf.land("year.csv", sheet())
        for run in (opened.load(), opened.search(SIZE)):
            assert run.fault is None, run.fault
        yield opened


def by_size(table: str) -> bool:
    return load_portfolio_tables()[table].part == "size"


def partition_of(table: str) -> str:
    return str(book_size_key(BOOK, SIZE)) if by_size(table) else BOOK


def check(graph: BookGraph, table: str, *checks: str) -> dg.ExecuteInProcessResult:
    """Judge a table of the book, making nothing."""
    job = graph.definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=frozenset(),
        asset_check_selection=frozenset(
            dg.AssetCheckKey(dg.AssetKey(table), name) for name in checks
        ),
    )
    return job.execute_in_process(
        instance=graph.instance,
        tags={"dagster/partition": partition_of(table)},
        raise_on_error=False,
    )


def test_every_rule_is_a_check_of_its_table_with_partitions(graph: BookGraph) -> None:
    specs = {spec.key: spec for asset in PORTFOLIO_CHECKS for spec in asset.check_specs}

    assert {(key.asset_key.to_user_string(), key.name) for key in specs} == {
        (rule.table, rule.name) for rule in BOOK_RULES
    }
    for spec in specs.values():
        assert spec.description
        assert spec.partitions_def is not None
        assert not spec.blocking
    assert {key.name for key in graph.definitions.resolve_asset_graph().asset_check_keys} >= {
        rule.name for rule in BOOK_RULES
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_run_leaves_a_verdict_on_the_partition_it_made(rule: BookRule, graph: BookGraph) -> None:
    found = graph.verdicts(rule.table, rule.name)

    partition = partition_of(rule.table)
    assert set(found) == {partition}
    assert found[partition].status is PASSED
    evaluation = found[partition].evaluation
    assert evaluation is not None
    assert evaluation.description
    newest = latest_records(graph.instance, dg.AssetKey(rule.table), [partition])
    target = evaluation.target_materialization_data
    assert target is not None
    assert target.storage_id == newest[partition].storage_id


def test_what_was_not_asked_has_no_verdict(graph: BookGraph) -> None:
    for rule in AT_ONCE:
        if rule not in RULES:
            found = graph.verdicts(rule.table, rule.name)
            assert not {record.status for record in found.values()} & {PASSED, FAILED}


@pytest.mark.parametrize(
    ("table", "name", "column", "value"),
    [
        ("strategy_metrics", "legacy_metrics_agree", "roi", 1.0),
        ("portfolios", "fitness_agrees", "fitness", 99.0),
        ("portfolios", "portfolios_are_current", "data_key", "of before"),
    ],
)
def test_a_wrong_figure_fails_its_partition(
    table: str, name: str, column: str, value: object, graph: BookGraph
) -> None:
    part = f"{SIZE:03}" if by_size(table) else "all"
    stored = read_part(graph.shelf.lakehouse, table, BOOK, part)
    spoilt = stored.with_columns(pl.lit(value).cast(stored.schema[column]).alias(column))
    write_part(graph.shelf.lakehouse, table, spoilt, BOOK, part)
    result = check(graph, table, name)
    write_part(graph.shelf.lakehouse, table, stored, BOOK, part)

    assert result.success, "a check tells, it does not stop a run"
    found = graph.verdicts(table, name, result.run_id)
    assert set(found) == {partition_of(table)}
    (record,) = found.values()
    assert record.status is FAILED
    assert record.evaluation is not None
    rule = next(rule for rule in BOOK_RULES if rule.name == name)
    severity = dg.AssetCheckSeverity.ERROR if rule.severe else dg.AssetCheckSeverity.WARN
    assert record.evaluation.severity is severity
    mended = check(graph, table, name)
    assert graph.verdicts(table, name, mended.run_id)[partition_of(table)].status is PASSED


def test_what_is_made_later_is_judged_in_one_step_that_waits_for_the_book() -> None:
    (judge,) = [
        check for check in PORTFOLIO_CHECKS if len({k.asset_key for k in check.check_keys}) > 1
    ]

    assert {key.asset_key.to_user_string() for key in judge.check_keys} == set(MADE_LATER)
    for spec in judge.check_specs:
        waits = {dep.asset_key.to_user_string() for dep in spec.additional_deps}
        assert waits == set(BOOK_TABLES)


def test_one_check_can_be_run_alone(graph: BookGraph) -> None:
    result = check(graph, "strategy_returns", "enough_rows")

    assert result.success
    assert set(graph.verdicts("strategy_returns", "enough_rows", result.run_id)) == {BOOK}
    assert graph.verdicts("strategy_returns", "cells_are_numbers", result.run_id) == {}
