"""Every frame that the graph works out, held against what cuDF's engine runs: on any machine."""

from __future__ import annotations

import ast
import datetime as dt

import polars as pl
import pytest

from mr_platform.features.gpu_operations import refusals_of_frame
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.architecture.source_tree import modules
from mr_platform_tests.features.engine_days import TABLES, EngineDays, differences, engine_days
from mr_platform_tests.features.whole_graph import in_row_order
from mr_platform_tests.orchestration.derived_days import both, chain_of

DAYS = (dt.date(2025, 8, 28), dt.date(2025, 8, 29))

# a table and the beginning of a refusal, with the reason why it stays
EXCEPTIONS: dict[tuple[str, str], str] = {}


class CheckedEngine(CpuEngine):
    """The CPU, which writes down what a GPU would have refused."""

    prepares = False  # as on a GPU: a frame is given with its data

    def __init__(self) -> None:
        self.frames = 0
        self.refused: list[str] = []

    def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame's rows; refusals are kept."""
        self.frames += 1
        self.refused += refusals_of_frame(frame)
        return super().collect(frame)


@pytest.fixture(scope="module")
def days() -> EngineDays:
    """Two small simulated days of both symbols with made history."""
    return engine_days(pl.concat([chain_of(key) for key in both(DAYS)]))


@pytest.mark.parametrize("table", TABLES)
def test_every_frame_of_a_table_runs_on_a_gpu(table: str, days: EngineDays) -> None:
    engine = CheckedEngine()
    made = days.made_by(engine, table)
    assert engine.frames, f"{table} never asked the engine"
    assert made.height
    refused = [
        one
        for one in dict.fromkeys(engine.refused)
        if not any(name == table and one.startswith(start) for name, start in EXCEPTIONS)
    ]
    assert not refused, f"{table}, of {engine.frames} frames:\n" + "\n".join(refused)


def test_a_refusal_names_step_column_and_operation() -> None:
    engine = CheckedEngine()
    frame = pl.LazyFrame({"x": [1.0, 2.0]}).with_columns(mean=pl.col("x").ewm_mean(span=3))
    engine.collect(frame)
    assert engine.refused == ["HStack mean: ewm.mean: none of the operations"]


@pytest.mark.parametrize("table", ["minute_panel", "hist_daily", "c5_features"])
def test_chunks_of_dates_are_what_an_engine_is_given(table: str, days: EngineDays) -> None:
    """A device whose memory holds one day at a time makes the same table."""
    whole, chunked = CheckedEngine(), CheckedEngine()
    at_once = days.made_by(whole, table, {"option_chain": 99, "minute_panel": 99})
    by_day = days.made_by(chunked, table, {"option_chain": 1, "minute_panel": 1})
    assert chunked.frames > whole.frames
    assert differences(in_row_order(by_day), in_row_order(at_once)) == []


# -- nothing is worked out past the engine --------------------------------------------------------

# functions of features/ that work out a lazy frame themselves, with the reason
ON_THE_CPU = {
    "c7_volume_profile._bins": "numbers rows in groups: at most two rows a minute of a day",
    "c8_integration._doublings": "one number on which the plan depends, from a row an expiry",
    "level_history._days_of_previous_week": "fourteen rows of the calendar for each date",
}


def test_features_work_frames_out_by_the_engine_alone() -> None:
    found = set()
    for module in modules():
        if module.room != "features":
            continue
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef):
                past = [call for call in ast.walk(function) if _collects_by_itself(call)]
                if past:
                    found.add(f"{module.name.split('.')[-1]}.{function.name}")
    assert found == set(ON_THE_CPU)


def _collects_by_itself(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return node.func.attr == "collect" and name != "engine"


# -- the comparison of engines --------------------------------------------------------------------


def test_engines_may_differ_in_the_last_bits_and_in_nothing_else() -> None:
    one = pl.DataFrame({"k": [1, 2, 3], "x": [1e6, None, 0.0], "s": ["a", "b", None]})
    near = one.with_columns(x=pl.Series([1e6 + 1e-4, None, 5e-13]))
    assert differences(near, one) == []
    assert differences(one, one) == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("x", [1e6 + 1e-2, None, 0.0]),
        ("x", [1e6, None, 1e-11]),
        ("x", [1e6, 0.0, 0.0]),
        ("x", [1e6, None, None]),
        ("x", [1e6, None, float("nan")]),
        ("k", [1, 2, 4]),
        ("s", ["a", "b", "c"]),
    ],
)
def test_what_differs_is_named(column: str, values: list[object]) -> None:
    one = pl.DataFrame({"k": [1, 2, 3], "x": [1e6, None, 0.0], "s": ["a", "b", None]})
    other = one.with_columns(pl.Series(column, values))
    (told,) = differences(other, one)
    assert told.startswith(f"{column}: 1 of 3 rows")


def test_other_columns_types_or_rows_are_told() -> None:
    one = pl.DataFrame({"x": [1.0, 2.0]})
    assert "columns or types" in differences(one.cast(pl.Float32), one)[0]
    assert "1 rows stand for 2" in differences(one.head(1), one)[0]
