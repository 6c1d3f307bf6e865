"""The form of a component's table, whatever its function returns."""

from __future__ import annotations

import math
from collections.abc import Callable

import polars as pl
import pytest

from mr_platform.features import compute
from mr_platform.features.compute import FEATURE_FUNCTIONS, FeatureShapeError, compute_component
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.table_schemas import table_schema
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.component_tables import key_panel

PANEL = key_panel((6, 13)).with_columns(present=pl.col("j") != 100)
INPUTS = FeatureInputs(PANEL, {}, pl.LazyFrame())

C2 = load_registry().components["c2"].columns
FLOATS = [column.name for column in C2 if column.dtype == "FLOAT64"]

Function = Callable[[FeatureInputs], pl.DataFrame]


def returned(**columns: pl.Series) -> Function:
    """A component that returns its columns in reverse order, with some values replaced."""

    def function(inputs: FeatureInputs) -> pl.DataFrame:
        values = {
            column.name: pl.Series([1] * inputs.panel.height, dtype=pl.Int32)
            for column in reversed(C2)
        }
        return pl.DataFrame({**values, "working": 0, **columns})

    return function


def computed(monkeypatch: pytest.MonkeyPatch, function: Function) -> pl.DataFrame:
    monkeypatch.setattr(compute, "FEATURE_FUNCTIONS", {"c2": function})
    return compute_component("c2", INPUTS, feature_version="v")


def test_every_component_of_the_registry_has_its_function() -> None:
    assert set(FEATURE_FUNCTIONS) == set(load_registry().components)


def test_columns_are_the_declared_ones_in_order_and_type(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = computed(monkeypatch, returned())
    assert rows.schema == table_schema("c2_features")
    assert rows["feature_version"].unique().to_list() == ["v"]


def test_rows_are_the_quoted_ones_by_minute_and_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = computed(monkeypatch, returned())
    assert rows.height == 2 * 374
    keys = rows.select("symbol", "date", "ts_minute", "dte")
    assert keys.equals(keys.sort(pl.all()))
    quoted = PANEL.filter("present").select("symbol", "date", "ts_minute", "dte")
    assert keys.equals(quoted.sort(pl.all()))


def test_values_stay_on_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    place = (PANEL["j"] * 100 + PANEL["dte"]).cast(pl.Float64)
    rows = computed(monkeypatch, returned(**{FLOATS[0]: place}))
    joined = rows.join(PANEL.select("ts_minute", "dte", "j"), on=["ts_minute", "dte"])
    assert (joined[FLOATS[0]] == joined["j"] * 100 + joined["dte"]).all()


def test_what_is_no_finite_number_becomes_null(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = [math.nan, math.inf, -math.inf, None, 1.5]
    values = pl.Series(bad + [2.0] * (PANEL.height - len(bad)), dtype=pl.Float64)
    rows = computed(monkeypatch, returned(**{FLOATS[1]: values}))
    first = rows.filter(pl.col("dte") == 6)[FLOATS[1]].to_list()
    assert first[:6] == [None, None, None, None, 1.5, 2.0]


def test_a_missing_column_is_a_fault_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(inputs: FeatureInputs) -> pl.DataFrame:
        return returned()(inputs).drop(C2[0].name, C2[3].name)

    with pytest.raises(FeatureShapeError) as told:
        computed(monkeypatch, lacking)
    assert f"c2: 2 declared columns are missing ({C2[0].name}, {C2[3].name})" in str(told.value)


def test_other_rows_than_the_panel_s_are_a_fault_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(FeatureShapeError, match="749 rows stand for 750 panel rows"):
        computed(monkeypatch, lambda inputs: returned()(inputs).slice(1))
