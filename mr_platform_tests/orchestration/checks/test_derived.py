"""Checks of derived tables as the graph runs them: one verdict a partition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from mr_platform.orchestration.checks.derived import DERIVED_CHECKS, evaluations
from mr_platform.orchestration.checks.derived_verdicts import rules_of
from mr_platform.orchestration.derived_tables import derived_table, derived_tables
from mr_platform.orchestration.materialization_events import latest_records
from mr_platform.orchestration.partitions import range_tags
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.orchestration.derived_days import HOLIDAY_WEEK, DerivedGraph, open_graph
from mr_platform_tests.orchestration.graph_runs import FAILED, PASSED

KEYS = [PartitionKey(day, "NIFTY") for day in HOLIDAY_WEEK[1:]]
SPOILT = KEYS[1]
TABLE = "c2_features"
CHECKS = ("rows_match_the_panel", "values_are_in_range", "inputs_are_current")

Spoil = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DerivedGraph]:
    """Three days with a panel and one component."""
    with dg.DagsterInstance.ephemeral() as instance:
        graph = open_graph(tmp_path_factory.mktemp("home"), instance)
        graph.arrive(*KEYS)
        graph.fill(("hist_c3_close", "minute_panel", TABLE), KEYS)
        yield graph


@contextmanager
def spoilt(graph: DerivedGraph, spoil: Spoil, table: str = TABLE) -> Iterator[None]:
    """Change the middle day of a table and mend it afterwards."""
    stored = graph.rows(table, SPOILT)
    graph.lakehouse.replace_partitions(table, spoil(stored), [SPOILT])
    yield
    graph.lakehouse.replace_partitions(table, stored, [SPOILT])


def check(
    graph: DerivedGraph, table: str = TABLE, checks: tuple[str, ...] = CHECKS
) -> dg.ExecuteInProcessResult:
    """Judge the three days in one range run, making nothing."""
    job = graph.definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=frozenset(),
        asset_check_selection=frozenset(
            dg.AssetCheckKey(dg.AssetKey(table), name) for name in checks
        ),
    )
    return job.execute_in_process(
        instance=graph.instance, tags=range_tags(KEYS), raise_on_error=False
    )


def verdicts(
    graph: DerivedGraph, run_id: str, check: str, table: str = TABLE
) -> dict[str | None, AssetCheckExecutionRecord]:
    """The verdict on each partition; more than one is an error."""
    found: dict[str | None, AssetCheckExecutionRecord] = {}
    for record in graph.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(table), check), limit=1000
    ):
        if record.run_id == run_id:
            assert record.partition not in found
            found[record.partition] = record
    return found


def first_row(**values: object) -> Spoil:
    """Set values in the first row."""

    def spoil(rows: pl.DataFrame) -> pl.DataFrame:
        at = pl.int_range(pl.len()) == 0
        return rows.with_columns(
            pl.when(at).then(pl.lit(value)).otherwise(pl.col(name)).cast(rows.schema[name])
            .alias(name)
            for name, value in values.items()
        )  # fmt: skip

    return spoil


def test_a_range_run_gives_each_partition_one_verdict_of_each_check(graph: DerivedGraph) -> None:
    result = check(graph)
    assert result.success
    newest = latest_records(graph.instance, dg.AssetKey(TABLE), map(str, KEYS))
    for name in CHECKS:
        found = verdicts(graph, result.run_id, name)
        assert set(found) == set(map(str, KEYS))
        for partition, record in found.items():
            assert record.status is PASSED
            evaluation = record.evaluation
            assert evaluation is not None
            target = evaluation.target_materialization_data
            assert target is not None
            assert target.storage_id == newest[str(partition)].storage_id


def test_one_check_can_be_run_alone(graph: DerivedGraph) -> None:
    result = check(graph, checks=("values_are_in_range",))
    assert result.success
    assert set(verdicts(graph, result.run_id, "values_are_in_range")) == set(map(str, KEYS))
    assert verdicts(graph, result.run_id, "rows_match_the_panel") == {}


@pytest.mark.parametrize(
    ("name", "spoil", "succeeds"),
    [
        ("rows_match_the_panel", lambda rows: rows.slice(1), False),
        ("rows_match_the_panel", lambda rows: pl.concat([rows, rows.head(1)]), False),
        ("rows_match_the_panel", first_row(dte=77), False),
        ("values_are_in_range", first_row(c2_net_delta_near=float("inf")), True),
    ],
    ids=["lacking", "repeated", "extra", "no number"],
)
def test_a_spoilt_partition_fails_and_no_other(
    name: str, spoil: Spoil, succeeds: bool, graph: DerivedGraph
) -> None:
    if name == "values_are_in_range":
        some = next(c for c in graph.rows(TABLE, SPOILT).columns if c.startswith("c2_"))
        spoil = first_row(**{some: float("inf")})
    with spoilt(graph, spoil):
        result = check(graph)
    assert result.success is succeeds, "only wrong rows stop what is downstream"
    found = verdicts(graph, result.run_id, name)
    assert {key: record.status for key, record in found.items()} == {
        str(key): FAILED if key == SPOILT else PASSED for key in KEYS
    }
    evaluation = found[str(SPOILT)].evaluation
    assert evaluation is not None
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    if name == "values_are_in_range":
        assert " at 09:15 dte " in str(evaluation.description)


def test_a_panel_without_rows_fails(graph: DerivedGraph) -> None:
    with spoilt(graph, pl.DataFrame.clear, "minute_panel"):
        result = check(graph, "minute_panel", ("rows_are_sound",))
    assert not result.success
    found = verdicts(graph, result.run_id, "rows_are_sound", "minute_panel")
    assert {key: record.status for key, record in found.items()} == {
        str(key): FAILED if key == SPOILT else PASSED for key in KEYS
    }


def test_changed_inputs_are_told_as_a_warning_and_stop_nothing(graph: DerivedGraph) -> None:
    graph.arrive(SPOILT, rise=2.0)
    graph.fill(["minute_panel"], [SPOILT])
    result = check(graph)
    assert result.success
    found = verdicts(graph, result.run_id, "inputs_are_current")
    assert {key: record.status for key, record in found.items()} == {
        str(key): FAILED if key == SPOILT else PASSED for key in KEYS
    }
    evaluation = found[str(SPOILT)].evaluation
    assert evaluation is not None
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert "materialise it again" in str(evaluation.description)
    graph.fill([TABLE], [SPOILT])
    again = check(graph)
    assert verdicts(graph, again.run_id, "inputs_are_current")[str(SPOILT)].status is PASSED


def test_wrong_rows_of_a_component_stop_what_reads_it(
    graph: DerivedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mr_platform.orchestration.assets import derived as assets

    real = assets.build_table
    monkeypatch.setattr(
        assets,
        "build_table",
        lambda table, *rest: real(table, *rest).slice(1 if table.name == "c1_features" else 0),
    )
    others = ("c3_features", "c4_features", "c5_features")
    graph.fill(("hist_minute", *others), KEYS[:1])
    result = graph.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=graph.instance,
        asset_selection=[dg.AssetKey(name) for name in ("c1_features", "c6_features")],
        tags=range_tags(KEYS[:1]),
        raise_on_error=False,
    )
    assert not result.success
    assert graph.instance.get_materialized_partitions(dg.AssetKey("c1_features"))
    assert not graph.instance.get_materialized_partitions(dg.AssetKey("c6_features"))


def test_nothing_is_judged_without_partitions(graph: DerivedGraph) -> None:
    table = derived_table(TABLE)
    assert table is not None
    assert evaluations(graph.instance, table, [], graph.lakehouse) == []


def test_every_table_has_its_checks_by_name_partition_and_blocking() -> None:
    declared = {
        (spec.asset_key.to_user_string(), spec.name): (spec.blocking, spec.partitions_def)
        for definition in DERIVED_CHECKS
        for spec in definition.check_specs
    }
    assert {key: blocking for key, (blocking, _) in declared.items()} == {
        (table.name, rule.name): rule.blocks
        for table in derived_tables()
        for rule in rules_of(table)
    }
    assert all(partitions is not None for _, partitions in declared.values())
