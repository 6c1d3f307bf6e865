"""A component file of two columns, and the shared and history files beside it."""

from __future__ import annotations

from mr_platform.registry.component_file import (
    Shared,
    read_component,
    read_history,
    read_panel,
    read_shared,
)
from mr_platform.registry.faults import FaultList, Source
from mr_platform.registry.marked_yaml import read_marked
from mr_platform.registry.model import Component, HistoryTable, StoredColumn

COMPONENT = """\
component: c1
title: Triple straddle
count: 2
online_count: 1
grain: [symbol, ts_minute, dte]
null_default: warm-up null
blocks:
  straddle: {count: 2, about: levels}
shared: [held_return]
conventions: {group: one series per expiry}
series: {atm: both legs at the money}
families:
  - id: level
    block: straddle
    names: [c1_level, c1_level_rank]
    count: 2
    dtype: FLOAT64
    unit: points
    range: [0, null]
    scope: expiry
    definition: the price
    lookback: {history: {hist_day: 5}}
    min_periods: 1
    min_periods_counts: minutes
    online: [c1_level]
    reference: own
"""
SHARED = Shared({"held_return": "over at most two minutes"}, {"pcr": "puts over calls"})
HISTORY = {"hist_day": HistoryTable("hist_day", ("symbol", "date"), 20, "closes", "c1")}


def source_of(text: str) -> Source:
    return Source("x.yaml", read_marked(text), FaultList())


def component(*edits: tuple[str, str]) -> tuple[Component, list[str]]:
    """The component after textual edits, and its faults."""
    text = COMPONENT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    source = source_of(text)
    return read_component(source, "c1", SHARED, HISTORY), source.faults.texts()


def test_a_component_holds_its_own_and_the_shared_entries_it_names() -> None:
    found, faults = component()
    assert faults == []
    assert (found.name, found.stem, found.table) == ("c1", "c1_triple_straddle", "c1_features")
    assert [column.name for column in found.columns] == ["c1_level", "c1_level_rank"]
    assert set(found.conventions) == {"group", "held_return"}
    assert set(found.series) == {"atm"}
    assert found.families[0].template == "c1_level, c1_level_rank"
    assert found.families[0].line == 13


def test_totals_that_disagree_with_the_columns_are_faults_at_their_lines() -> None:
    _, faults = component(
        ("count: 2\n", "count: 3\n"),
        ("online_count: 1", "online_count: 0"),
        ("{count: 2, about", "{count: 1, about"),
    )
    assert faults == [
        "x.yaml:3: count is 3, but 2 columns are declared",
        "x.yaml:4: online_count is 0, but 1 are online",
        "x.yaml:8: the block straddle counts 1, but 2 columns are declared in it",
    ]


def test_a_shared_entry_must_exist_and_not_be_declared_again() -> None:
    assert component(("[held_return]", "[held_returns]"))[1] == [
        "x.yaml:9: unknown shared entry held_returns. Near: held_return"
    ]
    assert component(("{group:", "{held_return:"))[1] == [
        "x.yaml:9: held_return is shared and declared in this file too"
    ]


def test_a_family_declared_twice_is_told_with_its_first_line() -> None:
    family = COMPONENT[COMPONENT.index("  - id: level") :]
    _, faults = component((family, family + family))
    assert "x.yaml:27: the family level is declared twice, first on line 13" in faults


def test_the_shared_file_gives_conventions_and_series_under_distinct_names() -> None:
    source = source_of("conventions: {a: first}\nseries: {b: second}\n")
    assert read_shared(source) == Shared({"a": "first"}, {"b": "second"})
    assert not source.faults
    again = source_of("conventions: {a: first}\nseries: {a: second}\n")
    read_shared(again)
    assert again.faults.texts() == ["x.yaml:2: a is declared as convention and as series"]


def test_history_tables_say_their_grain_and_depth() -> None:
    source = source_of(
        "conventions: {}\n"
        "tables:\n"
        "  hist_day:\n"
        "    grain: [symbol, date]\n"
        "    depth_trading_days: 20\n"
        "    content: closes\n"
        "    built_from: c1\n"
        "    columns: {}\n"
    )
    assert read_history(source) == HISTORY
    assert not source.faults


def test_stored_columns_have_a_known_type_and_a_meaning() -> None:
    source = source_of("columns: {tau: {type: Float64, unit: years, meaning: Time to expiry.}}\n")
    assert read_panel(source) == (StoredColumn("tau", "Float64", "years", "Time to expiry."),)
    assert not source.faults
    wrong = source_of("columns: {tau: {type: Float46, unit: years, meaning: Time.}}\n")
    read_panel(wrong)
    assert wrong.faults.texts() == ["x.yaml:1: unknown type 'Float46'. Near: Float64"]
