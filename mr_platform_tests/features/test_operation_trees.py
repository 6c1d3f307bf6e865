"""Frames read as steps, and their expressions as trees of operations with agreed names."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.operation_trees import Operation, frame_nodes, snake

X, Y, J = pl.col("x"), pl.col("y"), pl.col("j")
S, T = pl.col("s"), pl.col("t")
FRAME = pl.LazyFrame(
    schema={
        "x": pl.Float64, "y": pl.Float64, "g": pl.Int64, "j": pl.Int64, "s": pl.String,
        "t": pl.Datetime("us"),
    }
)  # fmt: skip

OPERATIONS: dict[str, tuple[pl.Expr, str]] = {
    "sum": (X + Y, "binary plus(column, column)"),
    "difference": (X - Y, "binary minus(column, column)"),
    "product": (X * Y, "binary multiply(column, column)"),
    "quotient": (X / 2.0, "binary true_divide(column, literal)"),
    "whole quotient": (J // 2, "binary floor_divide(column, literal)"),
    "remainder": (J % 2, "binary modulus(column, literal)"),
    "greater": (X > Y, "binary gt(column, column)"),
    "not greater": (J <= 1, "binary lt_eq(column, literal)"),
    "not equal with nulls": (X.ne_missing(Y), "binary not_eq_validity(column, column)"),
    "and": ((X > Y) & (Y > X), "binary and(binary gt(column, column), binary gt(column, column))"),
    "or": ((X > Y) | (Y > X), "binary or(binary gt(column, column), binary gt(column, column))"),
    "not": (~(X > Y), "function boolean.not(binary gt(column, column))"),
    "square root": (X.sqrt(), "function sqrt(column)"),
    "cube root": (X.cbrt(), "function cbrt(column)"),
    "power": (X**2, "function pow(column, literal)"),
    "logarithm": (X.log(), "function log(column, literal)"),
    "logarithm near one": (X.log1p(), "function log1p(column)"),
    "exponential": (X.exp(), "function exp(column)"),
    "hyperbolic tangent": (X.tanh(), "function tanh(column)"),
    "floor": (X.floor(), "function floor(column)"),
    "rounding": (X.round(2), "function round(column)"),
    "absolute value": (X.abs(), "function abs(column)"),
    "sign": (X.sign(), "function sign(column)"),
    "negation": (-Y, "function negate(column)"),
    "clip on both sides": (X.clip(0.0, 1.0), "function clip(column, literal, literal)"),
    "clip below": (X.clip(lower_bound=0.0), "function clip(column, literal)"),
    "filling with a value": (X.fill_null(0), "function fill_null(column, literal)"),
    "first that is there": (pl.coalesce(X, Y), "function coalesce(column, column)"),
    "null": (X.is_null(), "function boolean.is_null(column)"),
    "not null": (X.is_not_null(), "function boolean.is_not_null(column)"),
    "finite": (X.is_finite(), "function boolean.is_finite(column)"),
    "between": (J.is_between(1, 2), "function boolean.is_between(column, literal, literal)"),
    "condition": (
        pl.when(X > 0).then(X).otherwise(Y),
        "conditional(binary gt(column, literal), column, column)",
    ),
    "sum of columns": (pl.sum_horizontal(X, Y), "function sum_horizontal(column, column)"),
    "maximum of columns": (pl.max_horizontal(X, Y), "function max_horizontal(column, column)"),
    "minimum of columns": (pl.min_horizontal(X, Y), "function min_horizontal(column, column)"),
    "lag": (X.shift(3), "function shift(column, literal)"),
    "lead with a filling": (
        X.shift(-1, fill_value=0.0),
        "function shift_and_fill(column, literal, literal)",
    ),
    "cast": (J.cast(pl.Int32), "cast(column)"),
    "cast that may fail": (X.cast(pl.Int32, strict=False), "cast(column)"),
    "total": (X.sum(), "aggregate sum(column)"),
    "mean": (X.mean(), "aggregate mean(column)"),
    "minimum": (X.min(), "aggregate min(column)"),
    "maximum": (X.max(), "aggregate max(column)"),
    "standard deviation": (X.std(), "aggregate std(column)"),
    "first": (X.first(), "aggregate first(column)"),
    "last": (X.last(), "aggregate last(column)"),
    "count": (X.count(), "aggregate count(column)"),
    "number of values": (X.n_unique(), "aggregate n_unique(column)"),
    "length": (pl.len(), "len"),
    "median": (X.median(), "aggregate median(column)"),
    "quantile": (X.quantile(0.5, "linear"), "function quantile(column, literal)"),
    "total of groups": (X.sum().over("g"), "window over(aggregate sum(column), column)"),
    "running total of groups": (
        X.cum_sum().over("g", "j"),
        "window over(function cum_sum(column), column, column)",
    ),
    "rank in groups": (X.rank("dense").over("g"), "window over(function rank(column), column)"),
    "filling in groups": (
        X.fill_null(strategy="forward").over("g"),
        "window over(function fill_null_with_strategy(column), column)",
    ),
    "rolling mean in groups": (
        X.rolling_mean(2).over("g"),
        "window over(function rolling.mean(column), column)",
    ),
    "rolling deviation": (X.rolling_std(2), "function rolling.std(column)"),
    "rolling quantile": (
        X.rolling_quantile(0.5, window_size=2),
        "function rolling.quantile(column)",
    ),
    "running maximum": (X.cum_max(), "function cum_max(column)"),
    "running minimum": (X.cum_min(), "function cum_min(column)"),
    "total of differences": (
        X.diff(null_behavior="drop").sum(),
        "aggregate sum(function diff(column, literal))",
    ),
    "total of some": (
        X.filter(Y > 1).sum(),
        "aggregate sum(filter(column, binary gt(column, literal)))",
    ),
    "first in an order": (X.sort_by(Y).first(), "aggregate first(sort_by(column, column))"),
    "last of the sorted": (X.sort().last(), "aggregate last(sort(column))"),
    "one row": (X.get(0), "gather(column, literal)"),
    "some rows": (X.slice(0, 2), "slice(column, literal, literal)"),
    "part of a text": (S.str.slice(1), "function string.slice(column, literal, literal)"),
    "capitals": (S.str.to_uppercase(), "function string.uppercase(column)"),
    "list": (
        pl.concat_list(X, Y).list.sum(),
        "function list.sum(function list.concat(column, column))",
    ),
    "minute of a date": (
        J.cast(pl.Datetime("us")).dt.truncate("1m"),
        "function temporal.truncate(cast(column), literal)",
    ),
    "time of day": (T.dt.time(), "function temporal.time(column)"),
    "duration": (
        pl.duration(minutes=J),
        "function temporal.duration(literal, literal, literal, column, literal, literal, literal, "
        "literal)",
    ),
    "interpolation": (X.interpolate(), "function interpolate(column)"),
    "place of the maximum": (X.arg_max(), "function arg_max(column)"),
    "reversal": (X.reverse(), "function reverse(column)"),
    "unlike kinds": (
        (X - Y) / 2.0 + X.rank("dense").over("g"),
        "binary plus(binary true_divide(binary minus(column, column), literal), "
        "cast(window over(function rank(column), column)))",
    ),
}
"""Expressions, and their operations as they are to be read."""


def _read(*expressions: pl.Expr, **named: pl.Expr) -> dict[str, Operation]:
    """Trees of the columns of a ``select``, by name."""
    nodes = frame_nodes(FRAME.select(*expressions, **named))
    (select,) = (node for node in nodes if node.name == "Select")
    return dict(select.expressions)


def _written(operation: Operation) -> str:
    kind, name = operation.kind, operation.name
    word = kind if kind == name else f"{kind} {name}"
    below = ", ".join(_written(one) for one in operation.arguments)
    return f"{word}({below})" if below else word


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_read_with_kind_name_and_arguments(name: str) -> None:
    expression, written = OPERATIONS[name]
    assert _written(_read(z=expression)["z"]) == written


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_read_alike_in_every_step(name: str) -> None:
    expression, _ = OPERATIONS[name]
    (stacked,) = (
        node for node in frame_nodes(FRAME.with_columns(z=expression)) if node.name == "HStack"
    )
    assert dict(stacked.expressions) == _read(z=expression)


@pytest.mark.parametrize(
    ("expression", "settings"),
    [
        (X.fill_null(strategy="forward"), {"strategy": "forward", "limited": False}),
        (X.fill_null(strategy="forward", limit=2), {"strategy": "forward", "limited": True}),
        (X.rank("dense"), {"method": "dense"}),
        (X.rank("random", seed=1), {"method": "random"}),
        (X.rolling_mean(3), {"weighted": False}),
        (X.rolling_mean(3, weights=[1.0, 2.0, 3.0]), {"weighted": True}),
        (X.diff(), {"nulls": "ignore"}),
        (X.diff(null_behavior="drop"), {"nulls": "drop"}),
        (X.quantile(0.5, "linear"), {"interpolation": "linear"}),
        (X.quantile(0.5, "equiprobable"), {"interpolation": "equiprobable"}),
        (X.sum().over("g"), {"mapping": "groups_to_rows", "ordered": False}),
        (X.sum().over("g", order_by="j"), {"mapping": "groups_to_rows", "ordered": True}),
        (X.sum().over("g", mapping_strategy="join"), {"mapping": "join", "ordered": False}),
        (X.cum_sum().over("g", mapping_strategy="explode"),
         {"mapping": "explode", "ordered": False}),
        (J.cast(pl.Int32), {"type": "Int32"}),
        (J.cast(pl.Datetime("us")), {"type": "Datetime"}),
        (X.sqrt(), {}),
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_decide_are_read(expression: pl.Expr, settings: dict[str, object]) -> None:
    assert _read(z=expression)["z"].options == settings


def test_a_name_is_no_operation() -> None:
    root = X.sqrt()
    read = _read(root, root.alias("root"), root.name.suffix("_root"), kept=root.name.keep())
    assert list(read) == ["x", "root", "x_root", "kept"]
    assert {_written(one) for one in read.values()} == {"function sqrt(column)"}


@pytest.mark.parametrize(
    "expression",
    [
        X.map_batches(lambda column: column, return_dtype=pl.Float64),
        S.map_elements(len, return_dtype=pl.Int64),
        X.rolling_map(lambda column: column.len(), 3),
    ],
    ids=["column", "elements", "windows"],
)
def test_python_functions_are_opaque(expression: pl.Expr) -> None:
    read = _read(alone=expression, below=expression + 1)
    assert read["alone"].kind == "opaque"
    assert read["alone"].dtype is None
    assert [one.kind for one in read["below"].walk()] == ["binary", "opaque", "literal"]


def test_a_frame_is_read_step_by_step_with_its_types() -> None:
    other = FRAME.select("g", w=J)
    frame = (
        FRAME.with_columns(t=J.cast(pl.Datetime("us")))
        .filter(X > 0)
        .join(other, on="g", how="left")
        .group_by("g")
        .agg(X.sum(), pl.col("t").first())
        .sort("g")
        .with_row_index("i")
    )
    nodes = list(frame_nodes(frame))
    assert [(node.name, node.detail) for node in nodes if node.name != "SimpleProjection"] == [
        ("MapFunction", "row_index"),
        ("Sort", ""),
        ("GroupBy", ""),
        ("Join", "Left"),
        ("Filter", ""),
        ("HStack", ""),
        ("DataFrameScan", ""),
        ("Select", ""),
        ("DataFrameScan", ""),
    ]
    grouped = next(node for node in nodes if node.name == "GroupBy")
    assert grouped.schema["t"] == pl.Datetime("us")
    assert dict(grouped.expressions)["x"].dtype == pl.Float64


def test_nothing_is_dropped_that_no_later_step_reads() -> None:
    unread = FRAME.with_columns(z=X.ewm_mean(span=3)).select("y")
    names = {
        below.name
        for node in frame_nodes(unread)
        for _, expression in node.expressions
        for below in expression.walk()
    }
    assert "ewm.mean" in names


def test_a_step_that_is_a_python_function_cannot_be_read() -> None:
    with pytest.raises(NotImplementedError):
        list(frame_nodes(FRAME.map_batches(lambda frame: frame)))


@pytest.mark.parametrize(
    ("camel", "small"),
    [("CumSum", "cum_sum"), ("NUnique", "n_unique"), ("Log1p", "log1p"), ("ZFill", "z_fill")],
)
def test_names_are_in_small_letters(camel: str, small: str) -> None:
    assert snake(camel) == small
