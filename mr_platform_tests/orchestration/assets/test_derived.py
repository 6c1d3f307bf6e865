"""Panel, history and components as the graph runs them, in this process, on small real days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from mr_platform.features.table_schemas import table_schema
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.orchestration.assets import derived as module
from mr_platform.orchestration.assets.derived import DERIVED_ASSETS, partition_mapping
from mr_platform.orchestration.derived_tables import (
    DerivedTable,
    Reading,
    build_table,
    derived_table,
    derived_tables,
)
from mr_platform.orchestration.input_versions import input_fingerprints, read_partitions
from mr_platform.orchestration.materialization_events import (
    CODE_VERSION_TAG,
    INPUT_FINGERPRINT,
    latest_records,
)
from mr_platform.orchestration.partitions import PARTITIONS, dagster_key, parse_keys
from mr_platform.trading_calendar import (
    CALENDAR_FIRST,
    PartitionKey,
    previous_trading_day,
    trading_days,
)
from mr_platform_tests.orchestration.derived_days import (
    HOLIDAY_WEEK,
    PANEL_AND_HISTORY,
    DerivedGraph,
    both,
    chain_of,
    open_graph,
)

DAYS = HOLIDAY_WEEK[1:]
"""Three trading days, a holiday after the first."""

ALL = tuple(table.name for table in derived_tables())
BEFORE_C6 = tuple(f"c{number}_features" for number in range(1, 6))
NIFTY = [PartitionKey(day, "NIFTY") for day in DAYS]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DerivedGraph]:
    """A home whose NIFTY is made by one range run of all tables, beside a finished partner."""
    with dg.DagsterInstance.ephemeral() as instance:
        graph = open_graph(tmp_path_factory.mktemp("home"), instance)
        graph.arrive(*both(DAYS))
        graph.fill(PANEL_AND_HISTORY, [PartitionKey(day, "BANKNIFTY") for day in DAYS])
        outcome = graph.make(ALL, NIFTY)
        assert outcome.made == tuple(NIFTY)
        yield graph


def differing(first: pl.DataFrame, second: pl.DataFrame) -> list[str]:
    """Columns that are not the same bit by bit."""
    assert first.height
    assert first.schema == second.schema
    return [c for c in first.columns if not first[c].equals(second[c], null_equal=True)]


@pytest.mark.parametrize("name", ALL)
def test_a_range_run_stores_and_records_every_partition(name: str, made: DerivedGraph) -> None:
    table = derived_table(name)
    assert table is not None
    assert made.rows(name, *NIFTY).schema == table_schema(name)
    records = latest_records(made.instance, dg.AssetKey(name), map(str, NIFTY))
    assert set(records) == set(map(str, NIFTY))
    fingerprints = input_fingerprints(made.instance, table, NIFTY)
    for key in NIFTY:
        event = records[str(key)].asset_materialization
        assert event is not None
        told: dict[str, Any] = {label: value.value for label, value in event.metadata.items()}
        assert told["dagster/partition_row_count"] == made.rows(name, key).height > 0
        assert told[INPUT_FINGERPRINT] == fingerprints[key]
        assert (told["engine"], told["device"][:4]) == ("cpu", "CPU,")
        assert told["chunks"] == (len(DAYS) if table.required == "option_chain" else 1)
        assert told["seconds"] >= 0
        assert 0 <= told["null_share"] <= 1
        assert (event.tags or {})[CODE_VERSION_TAG] == table.code_version
    assert made.stale(name) == set()


def test_a_range_is_stored_in_one_commit_a_table(made: DerivedGraph) -> None:
    assert made.lakehouse.version("c1_features") == 1, "creation and one commit"


@pytest.mark.parametrize("name", ALL)
def test_the_stored_rows_are_those_of_each_partition_worked_out_alone(
    name: str, made: DerivedGraph
) -> None:
    table = derived_table(name)
    assert table is not None
    frames = {reading.table: made.lakehouse.scan(reading.table) for reading in table.readings}
    for key in reversed(NIFTY):
        alone = build_table(table, [key], frames, CpuEngine())
        stored = made.rows(name, key).sort(table.grain)
        assert differing(stored, alone.sort(table.grain)) == []


def test_single_runs_from_the_last_day_to_the_first_give_the_same_bits(made: DerivedGraph) -> None:
    names = ("c1_features", "c6_features")
    before = {(name, key): made.rows(name, key) for name in names for key in NIFTY}
    for key in reversed(NIFTY):
        result = made.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=made.instance,
            asset_selection=[dg.AssetKey(name) for name in names],
            partition_key=dagster_key(key),
        )
        assert result.success
    for (name, key), rows in before.items():
        assert differing(rows, made.rows(name, key)) == []
        assert made.stale(name) == set()


@pytest.fixture
def graph(home: Path, instance: dg.DagsterInstance) -> DerivedGraph:
    """An empty home."""
    return open_graph(home, instance)


@pytest.mark.parametrize("first", ["NIFTY", "BANKNIFTY"])
def test_c6_becomes_stale_when_its_partner_arrives_and_when_it_changes(
    first: str, graph: DerivedGraph
) -> None:
    day = DAYS[-1]
    own = PartitionKey(day, first)
    partner = next(key for key in both([day]) if key != own)
    graph.arrive(own)
    graph.fill((*PANEL_AND_HISTORY, *BEFORE_C6), [own])
    graph.make(["c6_features"], [own])
    alone = graph.rows("c6_features", own)
    assert graph.stale("c6_features") == set()

    graph.arrive(partner)
    assert graph.stale("c6_features") == set(), "the partner's panel is not made yet"
    graph.fill(["minute_panel"], [partner])
    assert graph.stale("c6_features") == {str(own)}
    graph.make(["c6_features"], [own])
    together = graph.rows("c6_features", own)
    assert graph.stale("c6_features") == set()
    gained = [c for c in differing(alone, together) if alone[c].null_count() == alone.height]
    assert gained, "no column saw the partner"
    assert all(together[name].null_count() < together.height for name in gained)

    graph.arrive(partner, rise=3.0)
    graph.fill(["minute_panel"], [partner])
    assert graph.stale("c6_features") == {str(own)}
    graph.make(["c6_features"], [own])
    assert differing(together, graph.rows("c6_features", own))
    assert graph.stale("c6_features") == set()
    graph.fill(["minute_panel"], [partner])
    assert graph.stale("c6_features") == set(), "made again from the same, it is the same"


def test_a_first_day_without_any_history_is_made_with_nulls(graph: DerivedGraph) -> None:
    (key,) = NIFTY[-1:]
    graph.arrive(key)
    graph.make(("hist_c3_close", "minute_panel", "c1_features", "c4_features"), [key])
    for name in ("minute_panel", "c1_features", "c4_features"):
        assert graph.rows(name, key).height
    assert graph.rows("c1_features", key).null_count().sum_horizontal().item() > 0


def test_the_calendar_s_first_days_are_made_alone_and_in_a_range(graph: DerivedGraph) -> None:
    keys = [
        PartitionKey(day, "NIFTY")
        for day in trading_days(CALENDAR_FIRST, CALENDAR_FIRST + dt.timedelta(days=10))[:2]
    ]
    graph.arrive(*keys)
    names = ("hist_c3_close", "minute_panel", "hist_minute", "hist_zone")
    graph.make(names, keys[:1])
    alone = graph.rows("hist_zone", keys[0])
    graph.make(names, keys)
    assert differing(alone, graph.rows("hist_zone", keys[0])) == []
    assert graph.rows("hist_zone", keys[1]).height


def test_history_that_arrives_makes_the_following_days_stale_and_no_others(
    graph: DerivedGraph,
) -> None:
    keys = [PartitionKey(day, "NIFTY") for day in HOLIDAY_WEEK]
    graph.arrive(*keys)
    graph.fill(["hist_c3_close", "minute_panel"], keys[1:])
    graph.fill(["c5_features"], keys[1:])
    assert graph.stale("minute_panel") == graph.stale("c5_features") == set()
    graph.fill(["hist_c3_close"], keys[:1])
    assert graph.stale("minute_panel") == {str(keys[1])}, "the panel reads one day back"
    graph.fill(["minute_panel", "hist_minute"], keys[:1])
    # two trading days back, across the holiday
    assert graph.stale("c5_features") == {str(keys[1]), str(keys[2])}


def test_a_panel_without_a_chain_fails_at_once_with_the_next_step(graph: DerivedGraph) -> None:
    graph.arrive(NIFTY[0])
    result = graph.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=graph.instance,
        asset_selection=[dg.AssetKey("minute_panel")],
        partition_key=dagster_key(NIFTY[1]),
        raise_on_error=False,
    )
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    told = event.step_failure_data.user_failure_data
    assert told is not None
    assert told.description == (
        f"minute_panel: option_chain holds no rows of {NIFTY[1]}. "
        "Materialise option_chain for these partitions first"
    )


def test_an_input_that_arrives_during_the_work_leaves_the_partition_stale(
    graph: DerivedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, partner = (PartitionKey(DAYS[0], symbol) for symbol in ("NIFTY", "BANKNIFTY"))
    graph.arrive(own, partner)
    graph.fill((*PANEL_AND_HISTORY, *BEFORE_C6), [own])
    real = build_table

    def slow(table: DerivedTable, *arguments: Any) -> pl.DataFrame:
        rows = real(table, *arguments)
        graph.fill(["minute_panel"], [partner])
        return rows

    monkeypatch.setattr(module, "build_table", slow)
    graph.make(["c6_features"], [own])
    assert graph.stale("c6_features") == {str(own)}


# -- look-backs as Dagster knows them -------------------------------------------------------------

READINGS = sorted(
    {reading for table in derived_tables() for reading in table.readings},
    key=lambda reading: (reading.first_back, reading.table, reading.both_symbols),
)


def mapped(reading: Reading, *keys: PartitionKey) -> list[PartitionKey]:
    """What Dagster loads of the upstream table for these partitions."""
    found = partition_mapping(reading).get_upstream_mapped_partitions_result_for_partitions(
        PARTITIONS.subset_with_partition_keys([dagster_key(key) for key in keys]),
        PARTITIONS,
        PARTITIONS,
        current_time=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    return parse_keys(found.partitions_subset.get_partition_keys())


@pytest.mark.parametrize("reading", READINGS, ids=lambda r: f"{r.table}-{r.first_back}")
@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_dagster_loads_exactly_the_partitions_of_a_reading(reading: Reading) -> None:
    # after a holiday, after a weekend, and around a Saturday that traded
    for day in (dt.date(2025, 8, 28), dt.date(2025, 9, 1), dt.date(2024, 3, 4)):
        key = PartitionKey(day, "NIFTY")
        assert mapped(reading, key) == sorted(read_partitions(reading, key))


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_a_range_loads_what_any_of_its_days_reads() -> None:
    reading = Reading("hist_minute", 2, 1)
    keys = [PartitionKey(day, "NIFTY") for day in HOLIDAY_WEEK]
    assert mapped(reading, *keys) == sorted(
        {read for key in keys for read in read_partitions(reading, key)}
    )


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_the_first_days_of_the_calendar_load_what_there_is() -> None:
    days = trading_days(CALENDAR_FIRST, CALENDAR_FIRST + dt.timedelta(days=10))
    reading = Reading("hist_zone", 20, 1)
    second = PartitionKey(days[1], "NIFTY")
    assert mapped(reading, second) == [PartitionKey(days[0], "NIFTY")]
    assert mapped(reading, PartitionKey(days[0], "NIFTY")) == []


def test_a_run_is_handed_the_rows_of_the_previous_trading_days_and_no_others(
    made: DerivedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, set[tuple[str, dt.date]]] = {}

    def noted(
        table: DerivedTable, keys: Any, frames: Mapping[str, pl.LazyFrame], *others: Any
    ) -> pl.DataFrame:
        for name, frame in frames.items():
            seen[name] = set(frame.select("symbol", "date").unique().collect().rows())
        return build_table(table, keys, frames, *others)

    monkeypatch.setattr(module, "build_table", noted)
    last = NIFTY[-2]
    assert previous_trading_day(last.date) == DAYS[0], "a holiday lies between"
    made.make(["c6_features"], [last])
    assert seen["hist_minute"] == {("NIFTY", DAYS[0])}
    assert seen["minute_panel"] == {("NIFTY", last.date), ("BANKNIFTY", last.date)}
    assert seen["c3_features"] == {("NIFTY", last.date)}


# -- what Dagster is told -------------------------------------------------------------------------


def test_every_asset_says_who_owns_it_what_it_is_and_which_columns_it_has() -> None:
    assert len(DERIVED_ASSETS) == len(ALL)
    for asset, table in zip(DERIVED_ASSETS, derived_tables(), strict=True):
        (spec,) = asset.specs
        assert spec.key == dg.AssetKey(table.name)
        assert spec.group_name == spec.tags["layer"] == table.group
        assert spec.description == table.description
        assert spec.code_version == table.code_version
        assert spec.owners
        columns = spec.metadata["dagster/column_schema"].columns
        assert [column.name for column in columns] == table_schema(table.name).names()
        assert asset.backfill_policy is not None
        assert asset.backfill_policy.max_partitions_per_run == 20


def test_the_chains_of_these_tests_differ_from_day_to_day() -> None:
    first, second = chain_of(NIFTY[0]), chain_of(NIFTY[1])
    assert first.height == second.height
    assert not first["ce_close"].equals(second["ce_close"])
    assert set(second["date"]) == {NIFTY[1].date}
