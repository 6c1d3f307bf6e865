"""What the GPU engine runs and what not, told without a GPU."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from mr_platform.features import gpu_operations as gpu
from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.moving_averages import ema_span
from mr_platform.features.kernels.windows import first_valid, rolling_std, session_max, sign
from mr_platform.features.operation_trees import snake

X, Y, G, J = pl.col("x"), pl.col("y"), pl.col("g"), pl.col("j")
S, T = pl.col("s"), pl.col("t")
FRAME = pl.LazyFrame(
    schema={
        "x": pl.Float64, "y": pl.Float64, "g": pl.Int64, "j": pl.Int64, "s": pl.String,
        "t": pl.Datetime("us"),
    }
)  # fmt: skip

# -- expressions by themselves --------------------------------------------------------------------

RUNS: dict[str, pl.Expr] = {
    "arithmetic": (X - Y) / 2.0,
    "condition without otherwise": pl.when(X > 0).then(X.log()),
    "horizontal": pl.sum_horizontal(X, Y) / pl.max_horizontal(X, Y),
    "clip, sign, roots": X.clip(0.0, 1.0).sign() + X.cbrt() + X.sqrt(),
    "powers": X**2 + X.exp().tanh(),
    "lag of a column": pl.when(J >= 3).then(X.shift(3)),
    "filling with a value": X.fill_null(0) + pl.coalesce(X, Y),
    "running maximum of a column": X.cum_max(),
    "aggregate over groups": X.sum().over("g"),
    "length over groups": pl.len().over("g"),
    "arithmetic of aggregates over groups": (X.sum() / X.count()).over("g") - X,
    "pointwise argument": (X * Y).fill_null(0).cum_sum().over("g"),
    "running sum over groups": X.cum_sum().over("g", "j"),
    "lag over groups": X.shift(2).over("g") + X.diff().over("g"),
    "fixed window over groups": X.rolling_mean(3).over("g") + X.rolling_var(3).over("g"),
    "rank over groups": X.rank("dense").over("g"),
    "filling forward over groups": X.fill_null(strategy="forward").over("g"),
    "cast": J.cast(pl.Int32) + X.is_not_null().cast(pl.Int32),
    "filtered aggregate of a column": X.filter(Y > 1).sum(),
}

DOES_NOT_RUN: dict[str, tuple[pl.Expr, str]] = {
    "exponential mean": (X.ewm_mean(span=3), "ewm.mean"),
    "exponential mean over groups": (X.ewm_mean(span=3).over("g"), "ewm.mean"),
    "rolling quantile": (X.rolling_quantile(0.5, window_size=3), "rolling.quantile"),
    "rolling median": (X.rolling_median(3).over("g"), "rolling.quantile"),
    "rolling correlation": (pl.rolling_corr(X, Y, window_size=3), "rolling.corr_cov"),
    "rolling skew": (X.rolling_skew(3), "rolling.skew"),
    "weighted window": (X.rolling_mean(2, weights=[1.0, 2.0]), "rolling.mean"),
    "window in time": (X.rolling_mean_by("j", "2i"), "rolling_function_by.mean_by"),
    "window of rows in time": (X.sum().rolling("j", period="2i"), "rolling"),
    "correlation": (pl.corr("x", "y"), "corr"),
    "list": (pl.concat_list(X, Y).list.sum(), "list.sum"),
    "python": (X.map_batches(lambda s: s, return_dtype=pl.Float64), "anonymousfunction"),
    "python by element": (S.map_elements(len, return_dtype=pl.Int64), "anonymousfunction"),
    "python over windows": (X.rolling_map(lambda s: s.len(), 3), "rolling map"),
    "python over groups": (
        X.map_batches(lambda s: s, return_dtype=pl.Float64).over("g"),
        "anonymousfunction",
    ),
    "time of day": (T.dt.time(), "temporal.time"),
    "duration from parts": (pl.duration(minutes=J), "temporal.duration"),
    "type time": (X.cast(pl.Time), "cast to Time"),
    "type enum": (S.cast(pl.Enum(["a"])), "cast to Enum"),
    "interpolation": (X.interpolate(), "interpolate"),
    "bins": (X.cut([1.0]), "cut"),
    "runs": (X.rle_id(), "rle_id"),
    "numbers of rows": (pl.int_range(pl.len()), "range.int_range"),
    "limited filling": (X.fill_null(strategy="forward", limit=2), "fill_null_with_strategy"),
    "random rank": (X.rank("random", seed=1), "rank"),
    "equiprobable quantile": (X.quantile(0.5, "equiprobable"), "quantile"),
    "running maximum over groups": (X.cum_max().over("g"), "cum_max"),
    "column over groups": (X.over("g"), "column"),
    "row and aggregate over groups": ((X - X.mean()).over("g"), "minus"),
    "window of a window": (X.diff().cum_sum().over("g"), "cum_sum of diff"),
    "aggregate of an aggregate": (X.max().sum().over("g"), "sum of max"),
    "aggregate of a sorted column": (X.sort_by(Y).first().over("g"), "first of sort_by"),
    "filtered aggregate over groups": (X.filter(Y > 1).sum().over("g"), "sum of filter"),
    "exploding window": (X.sum().over("g", mapping_strategy="explode"), "over"),
    "joining window": (X.sum().over("g", mapping_strategy="join"), "over"),
    "difference that drops": (X.diff(null_behavior="drop").over("g"), "diff"),
    "filling with a mean over groups": (
        X.fill_null(strategy="mean").over("g"),
        "fill_null_with_strategy",
    ),
    "lag by a column over groups": (X.shift(J.max()).over("g"), "shift"),
    "distinct over groups": (X.is_unique().over("g"), "boolean.is_unique"),
    "refused below what runs": (pl.when(X.ewm_mean(span=2) > 0).then(X) + 1, "ewm.mean"),
    "refused in the keys": (X.sum().over(X.interpolate()), "interpolate"),
    "refused in the order": (X.sum().over("g", order_by=X.interpolate()), "interpolate"),
}


STEPS = {"Select": FRAME.select, "HStack": FRAME.with_columns}


def _is_named(place: str, operation: str, refusals: tuple[str, ...]) -> bool:
    """Whether the operation is refused, by its name, in the step and column of its expression."""
    return any(one.startswith(f"{place}: {operation}: ") for one in refusals)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", RUNS)
def test_runs(name: str, step: str) -> None:
    assert gpu.refusals_of_frame(STEPS[step](z=RUNS[name])) == ()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", DOES_NOT_RUN)
def test_does_not_run_and_is_named(name: str, step: str) -> None:
    expression, operation = DOES_NOT_RUN[name]
    refusals = gpu.refusals_of_frame(STEPS[step](z=expression))
    assert _is_named(f"{step} z", operation, refusals), refusals


def test_a_refusal_names_its_expression_among_others() -> None:
    frame = FRAME.select(fine=X.sqrt(), slow=X.interpolate(), good=X + Y, ranked=X.rle_id())
    assert gpu.refusals_of_frame(frame) == (
        "Select slow: interpolate: none of the operations",
        "Select ranked: rle_id: none of the operations",
    )


# -- aggregates and keys of group_by --------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        X.sum(),
        pl.len(),
        (X * Y).sum() / Y.sum(),
        pl.when(X.count() > 0).then(X.sum()),
        pl.when(G == 3).then(X).max(),
        X.sort_by(Y).first(),
        X.std() + 1.0,
        X.quantile(0.5, "linear"),
    ],
    ids=str,
)
def test_runs_as_an_aggregate(expression: pl.Expr) -> None:
    assert gpu.refusals_of_frame(FRAME.group_by("g").agg(z=expression)) == ()


@pytest.mark.parametrize(
    ("expression", "operation"),
    [
        (X.shift(1).sum(), "sum of shift"),
        (X.filter(Y > 0).sum(), "sum of filter"),
        (X.rolling_sum(3).last(), "last of rolling.sum"),
        ((X - X.mean()).sum(), "sum of mean"),
        (X.sort().sum(), "sum of sort"),
        (X.interpolate().sum(), "interpolate"),
        (X.map_batches(lambda s: s, return_dtype=pl.Float64).sum(), "anonymousfunction"),
        (X.sum().cast(pl.Time), "cast to Time"),
        (X.quantile(Y.max()), "quantile"),
        (X.arg_max(), "arg_max"),
        (X.get(0), "gather"),
        # Polars makes a list of the rows of a group where an aggregate is no single value
        (X.cum_sum(), "implode of cum_sum"),
        (X / X.sum(), "implode of sum"),
        (X.sum().over("j"), "implode of over"),
    ],
    ids=str,
)
def test_does_not_run_as_an_aggregate(expression: pl.Expr, operation: str) -> None:
    refusals = gpu.refusals_of_frame(FRAME.group_by("g").agg(z=expression))
    assert _is_named("GroupBy z", operation, refusals), refusals


@pytest.mark.parametrize("expression", [G, X + 1, (X > 0) & Y.is_null()], ids=str)
def test_runs_as_a_key(expression: pl.Expr) -> None:
    assert gpu.refusals_of_frame(FRAME.group_by(z=expression).agg(Y.sum())) == ()


@pytest.mark.parametrize(
    ("expression", "operation"),
    [(X.cum_sum(), "cum_sum"), (X / X.sum(), "true_divide"), (X.sum().over("j"), "over")],
    ids=str,
)
def test_does_not_run_as_a_key(expression: pl.Expr, operation: str) -> None:
    refusals = gpu.refusals_of_frame(FRAME.group_by(z=expression).agg(Y.sum()))
    assert _is_named("GroupBy z", operation, refusals), refusals


# -- plans and frames -----------------------------------------------------------------------------


def test_every_column_of_a_plan_is_checked_and_the_outputs() -> None:
    p = ColumnPlan()
    good = p.let(ema_span(p, "x", 5, min_periods=5) + rolling_std(p, "x", 30, 20))
    good = p.let(good + session_max(p, "x") + first_valid(p, "x"))
    assert gpu.refusals_of_frame(p.run(FRAME, {"out": sign(good)})) == ()

    bad = p.let(X.ewm_mean(span=3))
    outputs = {"out": bad.rolling_median(3), "fine": good}
    step, last = sorted(gpu.refusals_of_frame(p.run(FRAME, outputs)))
    assert step == f"Select {bad.meta.output_name()}: ewm.mean: none of the operations"
    assert last == "Select out: rolling.quantile: none of the operations"


def test_a_frame_that_runs() -> None:
    frame = (
        FRAME.with_columns(z=pl.when(X > 1).then(Y.cum_sum().over("g")))
        .filter(pl.col("j") == pl.col("j").min().over("g"))
        .join(FRAME.select("g", w=X), on="g", how="left", maintain_order="left")
        .group_by("g", maintain_order=True)
        .agg(pl.col("z", "w").mean(), pl.len())
        .sort("g")
        .with_row_index("i")
        .unique("g")
        .head(3)
    )
    frame = pl.concat([frame, frame]).rename({"z": "consensus"})
    assert gpu.refusals_of_frame(frame) == ()


@pytest.mark.parametrize(
    ("frame", "operation"),
    [
        (FRAME.with_columns(z=X.ewm_mean(span=3)).select("y"), "ewm.mean"),
        (FRAME.group_by("g").agg(X.cum_sum()), "implode of cum_sum"),
        (FRAME.group_by(X.interpolate()).agg(Y.sum()), "interpolate"),
        (FRAME.filter(pl.corr("x", "y") > 0), "corr"),
        (FRAME.sort("j").join_asof(FRAME.sort("j"), on="j"), "Join AsOf"),
        (FRAME.sort("j").group_by_dynamic("j", every="2i").agg(pl.len()), "GroupBy by time"),
        (FRAME.map_batches(lambda frame: frame), "opaque python mapfunction"),
        (FRAME.with_columns(z=pl.lit(None)), "Null"),
        (FRAME.with_columns(z=pl.col("s").cast(pl.Enum(["a", "b"]))), "cast to Enum"),
        (FRAME.select(z=pl.col("j").cast(pl.Datetime("us")).dt.time() > pl.time(9, 15)),
         "temporal.time"),
    ],
)  # fmt: skip
def test_a_frame_that_does_not_run(frame: pl.LazyFrame, operation: str) -> None:
    refusals = gpu.refusals_of_frame(frame)
    assert any(f"{operation}: " in refusal for refusal in refusals), refusals


def test_a_typed_null_is_no_type_of_its_own() -> None:
    typed = FRAME.with_columns(z=pl.lit(None, dtype=pl.Float64), w=pl.when(X > 1).then(Y))
    assert gpu.refusals_of_frame(typed) == ()


# -- the lists ------------------------------------------------------------------------------------

LISTS: dict[str, tuple[str, tuple[str, ...], frozenset[str]]] = {
    "unary": (
        "dsl/expressions/unary.py",
        ("_OP_MAPPING", "_supported_misc_fns", "_supported_cum_aggs", "_supported_horizontal_fns",
         "_horizontal_fold_ops", "_supported_math_fns"),
        (gpu.POINTWISE_FUNCTIONS | gpu.COLUMN_FUNCTIONS)
        # translated before they become unary functions
        - {"log", "pow", "fused", "rechunk", "product", "quantile", "skew", "kurtosis"},
    ),
    "window": (
        "dsl/utils/aggregations.py", ("_WINDOW_ONLY_UNARY_FUNCTIONS",), gpu.WINDOW_FUNCTIONS
    ),
    "aggregates": ("dsl/expressions/aggregation.py", ("_SUPPORTED",), gpu.AGGREGATES),
    "rolling": ("dsl/expressions/rolling.py", ("_aggregations",), gpu.ROLLING_FUNCTIONS),
    "string": ("dsl/expressions/string.py", ("_valid_ops",),
               gpu.STRING_FUNCTIONS | gpu.COLUMN_STRINGS),
    "struct": ("dsl/expressions/struct.py", ("_supported_ops",), gpu.STRUCT_FUNCTIONS),
    "temporal": (
        "dsl/expressions/datetime.py",
        ("_valid_ops", "_COMPONENT_MAP", "_CENTURY_MILLENNIUM_DIVISOR",
         "_TOTAL_COMPONENT_NANOSECONDS"),
        gpu.TEMPORAL_FUNCTIONS,
    ),
    "binary": ("dsl/expressions/binaryop.py", ("_MAPPING",), gpu.BINARY_OPERATIONS),
    "steps": ("dsl/ir.py", ("_NAMES",), gpu.PLAN_NODES["MapFunction"] or frozenset()),
}  # fmt: skip

# names that Polars never hands over, or that the engine refuses although it lists them
UNUSED = {
    "unary": {"mask_nans", "hist"},
    "aggregates": {"m2", "merge_m2", "first_non_null"},
    "string": {"split_regex"},
    "steps": {"fast_count"},
}


@pytest.mark.skipif(
    importlib.util.find_spec("cudf_polars") is None, reason="cudf_polars is not installed"
)
@pytest.mark.parametrize("name", LISTS)
def test_the_lists_are_those_of_the_installed_engine(name: str) -> None:
    path, names, ours = LISTS[name]
    package = importlib.util.find_spec("cudf_polars")
    assert package is not None
    assert package.origin is not None
    source = ast.parse((Path(package.origin).parent / path).read_text("utf-8"))
    theirs = set(_listed(source, names)) - UNUSED.get(name, set())
    assert {one.rpartition(".")[2] for one in ours} == theirs


def _listed(source: ast.Module, names: tuple[str, ...]) -> Iterator[str]:
    """Words and enumeration members in the keys and elements of the named assignments."""
    for node in ast.walk(source):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not any(isinstance(one, ast.Name) and one.id in names for one in targets):
            continue
        value = node.value  # type: ignore[attr-defined]
        parts = value.keys if isinstance(value, ast.Dict) else [value]
        for part in (below for one in parts if one is not None for below in ast.walk(one)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value
            elif isinstance(part, ast.Attribute) and part.attr not in ("keys", "union"):
                owner = part.value
                if isinstance(owner, ast.Name | ast.Attribute) and (
                    getattr(owner, "id", "") == "Name" or getattr(owner, "attr", "") == "Operator"
                ):
                    yield snake(part.attr)
