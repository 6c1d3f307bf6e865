"""Expressions and frames read as trees: both readers call an operation the same."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.operation_trees import (
    Operation,
    expression_tree,
    frame_nodes,
    snake,
)

X, Y, G, J = pl.col("x"), pl.col("y"), pl.col("g"), pl.col("j")
FRAME = pl.LazyFrame({"x": [1.0, 2.0], "y": [3.0, None], "g": [0, 0], "j": [0, 1], "s": ["a", "b"]})

EXPRESSIONS: dict[str, pl.Expr] = {
    "arithmetic": (X - Y) / 2.0 + X * Y,
    "integer arithmetic": J // 2 + J % 2,
    "comparison": (X > Y) & ~(J <= 1) | X.ne_missing(Y),
    "roots and powers": X.sqrt() + X.cbrt() + X**2,
    "logarithm": X.log() + X.log1p() + X.exp() + X.tanh(),
    "rounding": X.floor() + X.round(2) + X.abs() + X.sign() - -Y,
    "clip": X.clip(0.0, 1.0) + X.clip(lower_bound=0.0),
    "nulls": X.fill_null(0) + pl.coalesce(X, Y),
    "null tests": X.is_null() & X.is_not_null() & X.is_finite() & J.is_between(1, 2),
    "horizontal": pl.sum_horizontal(X, Y) + pl.max_horizontal(X, Y) + pl.min_horizontal(X, Y),
    "lag": X.shift(3) + X.shift(-1, fill_value=0.0),
    "cast": J.cast(pl.Int32) + X.cast(pl.Int32, strict=False),
    "aggregates": X.sum() + X.mean() + X.min() + X.max() + X.std() + X.first() + X.last(),
    "counts": X.count() + X.n_unique() + pl.len(),
    "quantiles": X.median() + X.quantile(0.5, "linear"),
    "window": X.sum().over("g") + X.cum_sum().over("g", "j") + X.rank("dense").over("g"),
    "filled window": X.fill_null(strategy="forward").over("g"),
    "rolling": X.rolling_mean(2).over("g") + X.rolling_std(2) + X.rolling_quantile(0.5),
    "running": X.cum_max() + X.cum_min() + X.diff(null_behavior="drop").sum(),
    "filtered": X.filter(Y > 1).sum() + X.sort_by(Y).first() + X.sort().last() + X.get(0),
    "strings": pl.col("s").str.slice(1) + pl.col("s").str.to_uppercase(),
    "lists": pl.concat_list(X, Y).list.sum(),
    "dates": J.cast(pl.Datetime("us")).dt.truncate("1m"),
    "times": J.cast(pl.Datetime("us")).dt.time(),
    "durations": pl.duration(minutes=J),
    "interpolated": X.interpolate() + X.arg_max() + X.reverse(),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_both_readers_see_the_same_operations(name: str) -> None:
    expression = EXPRESSIONS[name]
    (select,) = (
        node for node in frame_nodes(FRAME.select(expression.alias("z"))) if node.name == "Select"
    )
    assert _outline(dict(select.expressions)["z"]) == _outline(expression_tree(expression))


def _outline(operation: Operation) -> list[tuple[str, str, dict[str, object]]]:
    """Operations without the casts and literals that Polars adds once it knows the types."""
    return [
        (below.kind, below.name, dict(below.options))
        for below in operation.walk()
        if below.kind not in ("cast", "literal")
    ]


def test_settings_that_decide_are_read() -> None:
    def settings(expression: pl.Expr) -> dict[str, object]:
        return dict(expression_tree(expression).options)

    assert settings(X.fill_null(strategy="forward", limit=2)) == {
        "strategy": "forward", "limited": True
    }  # fmt: skip
    assert settings(X.rank("random", seed=1)) == {"method": "random"}
    assert settings(X.rolling_mean(3, weights=[1.0, 2.0, 3.0])) == {"weighted": True}
    assert settings(X.diff(null_behavior="drop")) == {"nulls": "drop"}
    assert settings(X.sum().over("g", order_by="j")) == {
        "mapping": "groups_to_rows", "ordered": True
    }  # fmt: skip


def test_a_name_is_no_operation() -> None:
    assert expression_tree(X.sqrt().alias("root")) == expression_tree(X.sqrt())


def test_what_polars_cannot_write_down_is_opaque() -> None:
    mapped = X.map_batches(lambda column: column, return_dtype=pl.Float64)
    assert expression_tree(mapped).kind == "opaque"
    (select,) = (node for node in frame_nodes(FRAME.select(z=mapped)) if node.name == "Select")
    assert dict(select.expressions)["z"].kind == "opaque"


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
