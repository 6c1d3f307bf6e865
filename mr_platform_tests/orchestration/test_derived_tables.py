"""Which partitions derived tables read, what their versions follow from, how a batch is made."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.config.settings import ChunkDates
from mr_platform.errors import MissingInputError
from mr_platform.features.compute import FEATURE_FUNCTIONS
from mr_platform.features.table_schemas import MINUTE_PANEL, empty_table, table_schema
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.orchestration import derived_tables as module
from mr_platform.orchestration.derived_tables import (
    Chunk,
    DerivedTable,
    Reading,
    build_table,
    chunk_sizes,
    chunks_of,
    derived_table,
    derived_tables,
)
from mr_platform.orchestration.input_versions import read_partitions
from mr_platform.registry import fingerprint
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.orchestration.derived_days import HOLIDAY_WEEK, both, chain_of

KEYS = both(HOLIDAY_WEEK)
NIFTY = [key for key in KEYS if key.symbol == "NIFTY"]
TABLES = {table.name: table for table in derived_tables()}
COMPONENTS = {f"c{number}_features" for number in range(1, 9)}

SLOW = pytest.mark.slow

Frames = dict[str, pl.LazyFrame]


# -- what is read ---------------------------------------------------------------------------------


def test_there_is_a_table_for_each_component_and_each_history_that_a_component_reads() -> None:
    registry = load_registry()
    assert {name for name in TABLES if TABLES[name].group == "features"} == {
        registry.components[name].table for name in FEATURE_FUNCTIONS
    }
    assert {name for name in TABLES if TABLES[name].group == "history"} == {
        table
        for name in FEATURE_FUNCTIONS
        for column in registry.components[name].columns
        for table, _ in column.lookback.history
    }
    assert derived_table(MINUTE_PANEL) is TABLES[MINUTE_PANEL]
    assert derived_table("option_chain") is None


def test_look_backs_are_the_declared_ones() -> None:
    for name, component in load_registry().components.items():
        if name not in FEATURE_FUNCTIONS:
            continue
        declared: dict[str, int] = {}
        for column in component.columns:
            for table, days in column.lookback.history:
                declared[table] = max(days, declared.get(table, 0))
        history = [reading for reading in TABLES[component.table].readings if not reading.same_day]
        assert {reading.table: reading.first_back for reading in history} == declared
        assert {reading.last_back for reading in history} <= {1}, "history is earlier than the day"


def test_no_table_is_read_further_back_than_it_is_declared_to_be_kept() -> None:
    for table in derived_tables():
        for reading in table.readings:
            if not reading.same_day:
                kept = load_registry().history[reading.table].depth_trading_days
                assert reading.first_back <= kept, f"{table.name} reads {reading.table}"


def test_only_c6_reads_the_other_symbol() -> None:
    found = {table.name for table in derived_tables() for r in table.readings if r.both_symbols}
    assert found == {"c6_features"}


def test_grains_are_the_declared_ones_and_columns_of_the_tables() -> None:
    for table in derived_tables():
        assert set(table.grain) <= set(table_schema(table.name))
    for name, declared in load_registry().history.items():
        if name in TABLES:
            assert TABLES[name].grain == declared.grain


def test_own_days_form_no_circle_and_the_last_table_ends_the_graph() -> None:
    made = {"option_chain"}
    waiting = dict(TABLES)
    while waiting:
        ready = [
            name
            for name, table in waiting.items()
            if {r.table for r in table.readings if r.same_day} <= made
        ]
        assert ready, f"these read each other's day: {', '.join(waiting)}"
        made |= set(ready)
        for name in ready:
            del waiting[name]
    read = {reading.table for table in derived_tables() for reading in table.readings}
    assert derived_tables()[-1].name not in read


def test_a_partition_cannot_be_made_without_the_first_of_its_own_day() -> None:
    assert TABLES[MINUTE_PANEL].required == "option_chain"
    assert TABLES["hist_c3_close"].required == "option_chain"
    for name in COMPONENTS:
        assert TABLES[name].required == MINUTE_PANEL


# -- code versions --------------------------------------------------------------------------------


@pytest.fixture
def fresh_versions() -> Iterator[None]:
    derived_tables.cache_clear()
    yield
    derived_tables.cache_clear()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("features/c1_path.py", {"c1_features"}),
        ("features/c6_pairs.py", {"c6_features"}),
        ("features/c8_votes.py", {"hist_c8_zone", "c8_features"}),
        ("features/smile_series.py", {"minute_panel", "c4_features"}),
        (
            "features/oi_history.py",
            {"minute_panel", "hist_c3_zone", "hist_c3_close", "c3_features"},
        ),
        ("features/compute.py", COMPONENTS),
        ("chain/sessions.py", set(TABLES)),
        ("chain/pricing.py", set()),
        ("gateways/frame_engine.py", set()),
        ("orchestration/table_facts.py", set()),
    ],
)
@pytest.mark.usefixtures("fresh_versions")
def test_a_version_follows_the_modules_that_are_imported_and_no_others(
    changed: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fingerprint._source_hash
    source = (fingerprint.PACKAGE / changed).read_bytes()
    monkeypatch.setattr(
        fingerprint, "_source_hash", lambda text: real(text) + ("'" if text == source else "")
    )
    now = {table.name: table.code_version for table in derived_tables()}
    assert {name for name in now if now[name] != TABLES[name].code_version} == expected


def test_versions_differ_and_are_the_same_each_time() -> None:
    versions = {name: table.code_version for name, table in TABLES.items()}
    assert len(set(versions.values())) == len(versions)
    derived_tables.cache_clear()
    assert {table.name: table.code_version for table in derived_tables()} == versions


def test_a_changed_declaration_changes_its_component_alone(
    monkeypatch: pytest.MonkeyPatch, fresh_versions: None
) -> None:
    registry = load_registry()
    c2 = registry.components["c2"]
    other = dataclasses.replace(c2, extra={**c2.extra, "note": "another"})
    edited = dataclasses.replace(registry, components={**registry.components, "c2": other})
    monkeypatch.setattr(module, "load_registry", lambda: edited)
    now = {table.name: table.code_version for table in derived_tables()}
    assert {name for name in now if now[name] != TABLES[name].code_version} == {"c2_features"}


# -- making a batch -------------------------------------------------------------------------------


def made(keys: list[PartitionKey], chain: pl.DataFrame) -> Frames:
    """Every table of a batch, made stage by stage as runs make them."""
    frames: Frames = {name: empty_table(name) for name in TABLES}
    frames["option_chain"] = chain.lazy()
    order = ["hist_c3_close", MINUTE_PANEL, "hist_minute"]
    order += [name for name in TABLES if name not in order]
    for name in order:
        frames[name] = build_table(TABLES[name], keys, frames, CpuEngine()).lazy()
    return frames


@pytest.fixture(scope="module")
def at_once() -> Frames:
    """Four days of both symbols, made as one batch."""
    return made(KEYS, pl.concat([chain_of(key) for key in KEYS]))


def own(frames: Mapping[str, pl.LazyFrame], name: str, *keys: PartitionKey) -> pl.DataFrame:
    dates, symbols = {key.date for key in keys}, {key.symbol for key in keys}
    kept = pl.col("date").is_in(dates) & pl.col("symbol").is_in(symbols)
    return frames[name].filter(kept).sort(*TABLES[name].grain, "date").collect()


def assert_same(first: pl.DataFrame, second: pl.DataFrame) -> None:
    """Same rows, same bits, same nulls."""
    assert first.height
    assert first.schema == second.schema
    different = [c for c in first.columns if not first[c].equals(second[c], null_equal=True)]
    assert not different, different


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_declared_columns_and_the_rows_of_all_partitions(
    name: str, at_once: Frames
) -> None:
    rows = at_once[name].collect()
    assert rows.schema == table_schema(name)
    assert set(rows.select("symbol", "date").unique().rows()) == {
        (key.symbol, key.date) for key in KEYS
    }
    grain = ["date", *[column for column in TABLES[name].grain if column != "date"]]
    assert not rows.select(grain).is_duplicated().any()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "dates", [pytest.param((1,), id="one"), pytest.param((3, 99), id="more", marks=SLOW)]
)
def test_chunks_of_dates_give_the_same_bits_as_all_at_once(
    name: str, dates: tuple[int, ...], at_once: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = TABLES[name]
    for size in dates:
        sizes = {reading.table: size for reading in table.readings}
        monkeypatch.setattr(module, "CHUNK_DATES", sizes)
        again = build_table(table, KEYS, at_once, CpuEngine()).lazy()
        assert_same(own({name: again}, name, *KEYS), own(at_once, name, *KEYS))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "keys",
    [
        # the last day of one symbol, and a day after the holiday of the other
        pytest.param([KEYS[-1], KEYS[2]], id="sampled"),
        pytest.param(KEYS[::-1], id="all", marks=SLOW),
    ],
)
def test_single_partitions_in_any_order_give_the_same_bits_as_a_range(
    name: str, keys: list[PartitionKey], at_once: Frames
) -> None:
    for key in keys:
        alone = build_table(TABLES[name], [key], only_what_is_read(at_once, TABLES[name], key),
                            CpuEngine())  # fmt: skip
        assert_same(own({name: alone.lazy()}, name, key), own(at_once, name, key))


def only_what_is_read(frames: Frames, table: DerivedTable, key: PartitionKey) -> Frames:
    """The partitions that the readings of a table name, as Dagster would load them."""
    loaded: Frames = {}
    for reading in table.readings:
        wanted = read_partitions(reading, key)
        span = pl.LazyFrame(
            {"symbol": [k.symbol for k in wanted], "date": [k.date for k in wanted]},
            schema={"symbol": pl.String, "date": pl.Date},
        )
        loaded[reading.table] = frames[reading.table].join(span, on=["symbol", "date"], how="semi")
    return loaded


def test_a_chunk_is_no_larger_than_its_largest_input_allows(
    at_once: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[dt.date]] = []

    def noted(chunk: module.Chunk) -> pl.DataFrame:
        seen.append(chunk.dates)
        return empty_table("hist_minute").collect()

    monkeypatch.setattr(module, "CHUNK_DATES", {"option_chain": 1, MINUTE_PANEL: 3})
    for readings in ((Reading("option_chain"),), (Reading(MINUTE_PANEL),)):
        table = DerivedTable("hist_minute", "history", "", ("j",), readings, "1", noted)
        build_table(table, list(reversed(KEYS)), at_once, CpuEngine())
    days = list(HOLIDAY_WEEK)
    assert seen == [[day] for day in days] + [days[:3], days[3:]]


def test_a_run_may_choose_its_sizes(at_once: Frames) -> None:
    sizes = chunk_sizes(ChunkDates(panel=3, features=2))
    days = list(HOLIDAY_WEEK)

    def dates(name: str) -> list[list[dt.date]]:
        chunks = chunks_of(TABLES[name], list(reversed(KEYS)), sizes)
        assert sorted(key for chunk in chunks for key in chunk) == sorted(KEYS)
        return [sorted({key.date for key in chunk}) for chunk in chunks]

    assert dates(MINUTE_PANEL) == dates("hist_c3_close") == [days[:3], days[3:]]
    assert dates("c6_features") == dates("hist_daily") == [days[:2], days[2:]]
    made = build_table(TABLES["hist_daily"], KEYS, at_once, CpuEngine(), sizes).lazy()
    assert_same(own({"hist_daily": made}, "hist_daily", *KEYS), own(at_once, "hist_daily", *KEYS))


@pytest.mark.parametrize("name", ["hist_daily", "c2_features"])
def test_chunks_side_by_side_are_those_one_after_the_other(
    at_once: Frames, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = chunk_sizes(ChunkDates(panel=1, features=1))
    made = []
    for chunks_at_once in (1, 3):
        monkeypatch.setattr(CpuEngine, "chunks_at_once", chunks_at_once)
        made.append(build_table(TABLES[name], KEYS, at_once, CpuEngine(), sizes))
    assert_frame_equal(*made)
    assert made[0].get_column("date").is_sorted()


def test_the_fault_of_a_chunk_is_the_fault_of_the_batch(at_once: Frames) -> None:
    def build(chunk: Chunk) -> pl.DataFrame:
        if chunk.dates == [HOLIDAY_WEEK[2]]:
            raise MissingInputError("gone", next_step="Look again")
        return TABLES["hist_daily"].build(chunk)

    table = dataclasses.replace(TABLES["hist_daily"], build=build)
    with pytest.raises(MissingInputError, match="gone"):
        build_table(table, KEYS, at_once, CpuEngine(), chunk_sizes(ChunkDates(features=1)))


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        (MINUTE_PANEL, "option_chain"),
        ("hist_daily", MINUTE_PANEL),
        ("c2_features", MINUTE_PANEL),
        ("c6_features", "c3_features"),
        ("c8_features", "c7_features"),
    ],
)
def test_an_own_day_without_rows_is_told_with_table_partition_and_next_step(
    name: str, absent: str, at_once: Frames
) -> None:
    lacking = NIFTY[2]
    kept = at_once[absent].filter(
        ~((pl.col("date") == lacking.date) & (pl.col("symbol") == lacking.symbol))
    )
    with pytest.raises(MissingInputError) as told:
        build_table(TABLES[name], KEYS, {**at_once, absent: kept}, CpuEngine())
    assert told.value.permanent
    assert str(told.value) == (
        f"{name}: {absent} holds no rows of {lacking}. "
        f"Materialise {absent} for these partitions first"
    )


def test_many_partitions_without_rows_are_not_all_named(at_once: Frames) -> None:
    frames = {**at_once, MINUTE_PANEL: empty_table(MINUTE_PANEL)}
    with pytest.raises(MissingInputError, match=r"holds no rows of (\S+, ){4}\S+ …\. "):
        build_table(TABLES["c2_features"], KEYS, frames, CpuEngine())


@pytest.mark.parametrize("name", TABLES)
def test_history_that_was_never_made_gives_nulls_and_no_fault(name: str, at_once: Frames) -> None:
    table = TABLES[name]
    past = {r.table for r in table.readings if not r.same_day}
    frames = {**at_once, **{other: empty_table(other) for other in past}}
    without = own({name: build_table(table, NIFTY, frames, CpuEngine()).lazy()}, name, *NIFTY)
    full = own(at_once, name, *NIFTY)
    assert without.select(table.grain).equals(full.select(table.grain))
    assert sum(without.null_count().row(0)) >= sum(full.null_count().row(0))


def test_columns_of_earlier_days_alone_are_null_without_them_and_filled_with_them(
    at_once: Frames,
) -> None:
    table = TABLES["c5_features"]
    columns = [
        column.name
        for column in load_registry().components["c5"].columns
        if dict(column.lookback.history).get("hist_daily") == 1
    ]
    assert columns
    first, last = own(at_once, table.name, NIFTY[0]), own(at_once, table.name, NIFTY[-1])
    filled = [name for name in columns if last[name].null_count() < last.height]
    assert len(filled) > len(columns) / 2
    assert sum(first[name].null_count() == first.height for name in filled) > len(filled) / 2


def test_a_partner_that_is_not_there_leaves_the_pair_columns_null(at_once: Frames) -> None:
    panel = at_once[MINUTE_PANEL].filter(pl.col("symbol") == "NIFTY")
    alone = build_table(
        TABLES["c6_features"], NIFTY, {**at_once, MINUTE_PANEL: panel}, CpuEngine()
    ).lazy()
    without = own({"c6_features": alone}, "c6_features", *NIFTY)
    full = own(at_once, "c6_features", *NIFTY)
    differing = [
        name
        for name in full.columns
        if not full[name].equals(without[name], null_equal=True) and name != "feature_version"
    ]
    assert differing, "no column reads the partner"
    assert (
        full.select(differing).null_count().sum_horizontal().item()
        < without.select(differing).null_count().sum_horizontal().item()
    )


def test_feature_rows_carry_the_version_of_their_code(at_once: Frames) -> None:
    for name in sorted(COMPONENTS):
        versions = at_once[name].select(pl.col("feature_version").unique()).collect()
        assert versions.to_series().to_list() == [TABLES[name].code_version]
