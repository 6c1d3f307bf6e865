"""What each check of derived tables asks of stored rows, on rows made up and spoilt."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import replace

import polars as pl
import pytest

from mr_platform.features.table_schemas import MINUTE_PANEL, empty_table, table_schema
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.checks.derived_verdicts import (
    MAX_NAMED,
    RULES,
    TableFacts,
    read_table_facts,
    rules_of,
)
from mr_platform.orchestration.checks.verdicts import Judgement
from mr_platform.orchestration.derived_tables import DerivedTable, derived_table, derived_tables
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import FeatureColumn
from mr_platform.trading_calendar import PartitionKey

DAY = dt.date(2025, 8, 28)
KEY = PartitionKey(DAY, "NIFTY")
OPEN = dt.datetime(2025, 8, 28, 3, 45, tzinfo=dt.UTC)
MINUTES = 4
DTES = (5, 12)


def table(name: str) -> DerivedTable:
    found = derived_table(name)
    assert found is not None
    return found


def spine() -> pl.DataFrame:
    """Four minutes of two expiries."""
    return pl.DataFrame(
        [
            {"ts_minute": OPEN + dt.timedelta(minutes=minute), "dte": dte}
            for minute in range(MINUTES)
            for dte in DTES
        ],
        schema={"ts_minute": pl.Datetime("us", "UTC"), "dte": pl.Int64},
    )


def component_rows(component: str) -> pl.DataFrame:
    """A row for each minute and expiry; every value a null."""
    schema = table_schema(f"{component}_features")
    keys = spine().with_columns(
        symbol=pl.lit("NIFTY"), date=pl.lit(DAY), zone_name=pl.lit("OPEN"),
        feature_version=pl.lit("1"),
    )  # fmt: skip
    nothing = [pl.lit(None, schema[n]).alias(n) for n in schema if n not in keys.columns]
    return keys.with_columns(nothing).select(schema.names())


def facts(component: str, **more: object) -> TableFacts:
    made = TableFacts(
        KEY, table(f"{component}_features"), component_rows(component), spine(), "now", "now"
    )
    return replace(made, **more)


def judged(check: str, of: TableFacts) -> Judgement:
    (rule,) = [rule for rule in rules_of(of.table) if rule.name == check]
    return rule.judge(of)


def put(rows: pl.DataFrame, name: str, value: float, *, row: int) -> pl.DataFrame:
    changed = pl.when(pl.int_range(pl.len()) == row).then(value).otherwise(pl.col(name))
    return rows.with_columns(changed.cast(rows.schema[name]).alias(name))


# -- rows -----------------------------------------------------------------------------------------


def test_a_row_for_each_minute_and_expiry_is_sound() -> None:
    found = judged("rows_match_the_panel", facts("c1"))
    assert found.passed
    assert found.sentence == "8 rows, each key once"
    assert found.numbers == {"rows": 8, "rows_repeated": 0, "rows_lacking": 0, "rows_extra": 0}


def test_a_lacking_row_is_told() -> None:
    found = judged("rows_match_the_panel", facts("c1", rows=component_rows("c1").slice(1)))
    assert not found.passed
    assert found.numbers["rows_lacking"] == 1
    assert found.sentence == "1 minutes of the panel have no row, 0 rows no minute there"


def test_an_extra_row_is_told() -> None:
    found = judged("rows_match_the_panel", facts("c1", spine=spine().slice(2)))
    assert not found.passed
    assert (found.numbers["rows_lacking"], found.numbers["rows_extra"]) == (0, 2)


def test_a_repeated_row_is_told_with_its_key() -> None:
    rows = component_rows("c1")
    found = judged("rows_match_the_panel", facts("c1", rows=pl.concat([rows, rows.slice(0, 1)])))
    assert not found.passed
    assert found.numbers["rows_repeated"] == 1
    assert found.sentence == "1 rows repeat the key symbol, ts_minute, dte"


def test_no_rows_are_told_as_such() -> None:
    found = judged("rows_match_the_panel", facts("c1", rows=component_rows("c1").clear()))
    assert not found.passed
    assert found.sentence.startswith("no rows; 8 minutes of the panel have no row")


@pytest.mark.parametrize("name", ["minute_panel", "hist_daily", "hist_c3_close"])
def test_other_tables_have_rows_and_each_key_once(name: str) -> None:
    empty = empty_table(name).collect()
    one = empty.clear(1)
    made = TableFacts(KEY, table(name), one, None, None, "now")
    assert judged("rows_are_sound", made).passed
    nothing = judged("rows_are_sound", replace(made, rows=empty))
    # a day without open interest leaves nothing to keep of it
    assert nothing.passed is name.startswith("hist_")
    twice = judged("rows_are_sound", replace(made, rows=pl.concat([one, one])))
    assert not twice.passed
    assert twice.sentence == f"1 rows repeat the key {', '.join(table(name).grain)}"


# -- ranges ---------------------------------------------------------------------------------------


def bounded(component: str) -> list[FeatureColumn]:
    """Columns with an upper bound."""
    columns = load_registry().components[component].columns
    return [column for column in columns if column.high is not None]


def test_nulls_are_in_range() -> None:
    found = judged("values_are_in_range", facts("c1"))
    count = len(load_registry().components["c1"].columns)
    assert found.passed
    assert found.sentence == f"all values of {count} columns are in range"
    assert found.numbers == {"values_outside": 0, "columns_checked": count}


def test_no_rows_have_nothing_out_of_range() -> None:
    assert judged("values_are_in_range", facts("c1", rows=component_rows("c1").clear())).passed


def test_a_value_outside_is_told_with_minute_expiry_value_range_and_inputs() -> None:
    guilty = next(c for c in bounded("c1") if len(c.reads) >= 2)
    outside = float(guilty.high or 0) + 1.5
    rows = put(component_rows("c1"), guilty.name, outside, row=5)
    for number, name in enumerate(guilty.reads):
        if name in rows.columns and name != guilty.name:
            rows = put(rows, name, number / 4, row=5)
    found = judged("values_are_in_range", facts("c1", rows=rows))
    assert not found.passed
    # row 5 is the third minute of the second expiry
    assert f"{guilty.name} = {outside} at 09:17 dte 12, " in found.sentence
    assert f"range {guilty.range_text()}, from " in found.sentence
    for number, name in enumerate(guilty.reads):
        if rows.schema.get(name) == pl.Float64:
            assert f"{name} {number / 4}" in found.sentence
    assert found.numbers["outside_by_column"][guilty.name] == 1


def test_the_first_minute_outside_is_the_one_that_is_told() -> None:
    guilty = bounded("c1")[0]
    rows = component_rows("c1")
    for row in (6, 3):
        rows = put(rows, guilty.name, float(guilty.high or 0) + row, row=row)
    found = judged("values_are_in_range", facts("c1", rows=rows.reverse()))
    assert found.sentence.startswith("2 values of 1 columns are outside their range: ")
    assert " at 09:16 dte 12" in found.sentence


@pytest.mark.parametrize("component", ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"])
@pytest.mark.parametrize("side", ["low", "high"])
def test_every_bound_of_every_column_is_judged_and_can_be_told(component: str, side: str) -> None:
    columns = load_registry().components[component].columns
    bounds = {c.name: getattr(c, side) for c in columns if getattr(c, side) is not None}
    step = -1 if side == "low" else 1
    edge, over = component_rows(component), component_rows(component)
    first = pl.int_range(pl.len()) == 0
    edge = edge.with_columns(
        pl.when(first).then(pl.lit(b)).cast(edge.schema[n]).alias(n) for n, b in bounds.items()
    )
    over = over.with_columns(
        pl.when(first).then(pl.lit(b + step)).cast(over.schema[n]).alias(n)
        for n, b in bounds.items()
    )
    at_the_bound = judged("values_are_in_range", facts(component, rows=edge))
    assert at_the_bound.passed, at_the_bound.sentence
    found = judged("values_are_in_range", facts(component, rows=over))
    assert found.numbers["outside_by_column"] == dict.fromkeys(bounds, 1)
    assert re.search(r"\w+ = \S+ at 09:15 dte 5, range \[", found.sentence)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_outside_any_range(value: float) -> None:
    free = next(
        column
        for component in ("c1", "c2", "c3", "c4", "c5")
        for column in load_registry().components[component].columns
        if column.dtype == "FLOAT64" and column.low is None and column.high is None
    )
    rows = put(component_rows(free.component), free.name, value, row=2)
    found = judged("values_are_in_range", facts(free.component, rows=rows))
    assert not found.passed
    assert "range any" in found.sentence


def test_many_columns_outside_are_counted_and_a_few_named() -> None:
    guilty = bounded("c1")[: MAX_NAMED + 2]
    rows = component_rows("c1")
    for one in guilty:
        rows = put(rows, one.name, float(one.high or 0) + 1, row=1)
    found = judged("values_are_in_range", facts("c1", rows=rows))
    assert found.sentence.count(" at 09:15 dte 12") == MAX_NAMED
    assert found.sentence.endswith("; and 2 more columns")
    assert found.numbers["values_outside"] == MAX_NAMED + 2
    assert set(found.numbers["outside_by_column"]) == {one.name for one in guilty}


# -- inputs and the list --------------------------------------------------------------------------


@pytest.mark.parametrize(("made_from", "passes"), [("now", True), ("before", False), (None, False)])
def test_inputs_are_current_only_if_they_are_those_of_the_materialisation(
    made_from: str | None, passes: bool
) -> None:
    found = judged("inputs_are_current", facts("c6", made_from=made_from))
    assert found.passed is passes
    assert "materialise it again" in found.sentence or passes


def test_components_have_three_checks_and_other_tables_one() -> None:
    for one in derived_tables():
        names = [rule.name for rule in rules_of(one)]
        if one.group == "features":
            assert names == ["rows_match_the_panel", "values_are_in_range", "inputs_are_current"]
        else:
            assert names == ["rows_are_sound"]


def test_wrong_rows_stop_what_follows_and_stale_inputs_only_warn() -> None:
    assert {rule.name: (rule.blocks, rule.severe) for rule in RULES} == {
        "rows_are_sound": (True, True),
        "rows_match_the_panel": (True, True),
        "values_are_in_range": (False, True),
        "inputs_are_current": (False, False),
    }
    assert all(rule.description for rule in RULES)


# -- reading --------------------------------------------------------------------------------------


def test_facts_are_read_partition_by_partition_with_the_quoted_minutes_alone(
    lakehouse: Lakehouse,
) -> None:
    other = PartitionKey(dt.date(2025, 8, 29), "NIFTY")
    panel = empty_table(MINUTE_PANEL).collect().clear(3)
    panel = panel.with_columns(
        symbol=pl.lit("NIFTY"), date=pl.lit(DAY), dte=pl.lit(5, pl.Int64),
        ts_minute=pl.Series([OPEN + dt.timedelta(minutes=m) for m in range(3)])
        .cast(panel.schema["ts_minute"]),
        present=pl.Series([True, False, True]),
    ).select(panel.columns)  # fmt: skip
    lakehouse.replace_partitions(MINUTE_PANEL, panel, [KEY])
    lakehouse.replace_partitions("c2_features", component_rows("c2"), [KEY])
    first, second = read_table_facts(
        lakehouse, table("c2_features"), [other, KEY], {KEY: "then"}, {KEY: "a", other: "b"}
    )
    assert (first.key, second.key) == (KEY, other)
    assert first.spine is not None
    assert first.spine.height == 2, "a minute that is not quoted needs no row"
    assert (first.rows.height, first.made_from, first.inputs_now) == (8, "then", "a")
    assert (second.rows.height, second.made_from, second.inputs_now) == (0, None, "b")
    (plain,) = read_table_facts(lakehouse, table(MINUTE_PANEL), [KEY], {}, {KEY: "a"})
    assert plain.spine is None
