"""Which operations cuDF's Polars engine 26.10 runs, and what of a lazy frame it does not.

Here: the lists, read in the source of ``cudf_polars`` 26.10.2, and the check against them.
Not here: reading frames (``operation_trees.py``), running anything.

A feature must run on both engines, and most machines that test it have no GPU. So every
lazy frame is held against the lists below, which say where in ``cudf_polars/dsl`` they come from.
Its expressions follow different rules in three places:

* by themselves (``select``, ``filter``, keys of ``over``): any listed operation, nested at will;
* as aggregates and keys of ``group_by``: aggregates of pointwise arguments, and pointwise
  operations on aggregates and literals. The engine would take any key; the house keeps them plain;
* under ``.over(keys)``: the same, and window functions; arguments are pointwise. The engine would
  take a running sum under ``fill_null`` too; the house does not, one window function a column.

Not checked: types of arguments beyond the types that the engine has none for, and what depends
on the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

import polars as pl

from mr_platform.features.operation_trees import Operation, PlanNode, frame_nodes

# -- what the engine runs -------------------------------------------------------------------------


def _names(words: str, family: str = "") -> frozenset[str]:
    """Names of a list, each after the name of its family."""
    return frozenset(family + word for word in words.split())


POINTWISE_FUNCTIONS = _names(
    "abs arccos arccosh arcsin arcsinh arctan arctanh bit_invert cbrt ceil clip coalesce cos cosh "
    "cot degrees exp fill_null floor fused hash log log1p max_horizontal mean_horizontal "
    "min_horizontal negate not pow radians rechunk reinterpret replace replace_strict round "
    "round_sig_figs set_sorted sign sin sinh sqrt sum_horizontal tan tanh to_physical truncate"
)
"""Row by row. expressions/unary.py: ``_pointwise_fns``; translate.py: log, pow, fused."""

COLUMN_FUNCTIONS = _names(
    "approx_n_unique arg_max arg_min arg_sort arg_unique argwhere as_struct cum_count cum_max "
    "cum_min cum_prod cum_sum diff drop_nans drop_nulls entropy extend_constant "
    "fill_null_with_strategy gather_every index_of kurtosis max_by min_by mode null_count "
    "pct_change product quantile rank repeat repeat_by reverse search_sorted shift shift_and_fill "
    "skew top_k top_k_by unique unique_counts value_counts"
)
"""Over a whole column. expressions/unary.py: the other ``_supported_fns``; translate.py."""

WINDOW_FUNCTIONS = _names("cum_sum diff fill_null_with_strategy rank shift shift_and_fill")
"""Restarted in every group. utils/aggregations.py: ``_WINDOW_ONLY_UNARY_FUNCTIONS``."""

ROLLING_FUNCTIONS = _names("sum mean min max var std", "rolling.")
"""Over windows of a fixed number of rows, also in groups. translate.py: ``agg_names``."""

AGGREGATES = _names(
    "min max median n_unique first last item implode mean sum product count std var quantile"
)
"""expressions/aggregation.py: ``Agg._SUPPORTED``."""

POINTWISE_BOOLEANS = _names(
    "all_horizontal any_horizontal is_between is_close is_finite is_in is_infinite is_nan "
    "is_not_nan is_not_null is_null not",
    "boolean.",
)
COLUMN_BOOLEANS = _names(
    "all any has_nulls is_duplicated is_empty is_first_distinct is_last_distinct is_sorted "
    "is_unique",
    "boolean.",
)
"""expressions/boolean.py: ``Name`` and ``is_pointwise``."""

BINARY_OPERATIONS = _names(
    "eq eq_validity not_eq not_eq_validity lt lt_eq gt gt_eq plus minus multiply divide "
    "true_divide floor_divide modulus and or xor logical_and logical_or"
)
"""expressions/binaryop.py: ``_MAPPING``."""

STRING_FUNCTIONS = _names(
    "concat_horizontal contains contains_any count_matches ends_with escape_regex extract "
    "extract_groups find head json_decode json_path_match len_bytes len_chars lowercase pad_end "
    "pad_start replace replace_many reverse slice split_exact split_n starts_with strip_chars "
    "strip_chars_end strip_chars_start strip_prefix strip_suffix strptime tail titlecase "
    "to_decimal to_integer uppercase z_fill",
    "string.",
)
"""expressions/string.py: ``_valid_ops`` (regular expressions and options have further limits)."""

TEMPORAL_FUNCTIONS = _names(
    "cast_time_unit century convert_time_zone date day days_in_month hour is_leap_year iso_year "
    "microsecond millennium millisecond minute month month_end month_start nanosecond ordinal_day "
    "quarter replace_time_zone round second time_stamp to_string total_days total_hours "
    "total_microseconds total_milliseconds total_minutes total_nanoseconds total_seconds truncate "
    "week week_day year",
    "temporal.",
)
"""expressions/datetime.py: ``_valid_ops``: no time of day, no duration or date from parts."""

COLUMN_STRINGS = _names("concat_vertical", "string.")
"""The one string function that is not row by row."""

STRUCT_FUNCTIONS = _names(
    "field_by_name rename_fields prefix_fields suffix_fields json_encode", "struct."
)
"""expressions/struct.py: ``_supported_ops``."""

POINTWISE = (
    POINTWISE_FUNCTIONS
    | POINTWISE_BOOLEANS
    | STRING_FUNCTIONS
    | TEMPORAL_FUNCTIONS
    | STRUCT_FUNCTIONS
)
FUNCTIONS = POINTWISE | COLUMN_FUNCTIONS | COLUMN_BOOLEANS | COLUMN_STRINGS | ROLLING_FUNCTIONS

KINDS = _names(
    "column literal len function aggregate window binary conditional cast filter sort sort_by "
    "gather slice"
)
"""translate.py: the nodes that ``_translate_expr`` is registered for."""

PLAN_NODES: Mapping[str, frozenset[str] | None] = {
    **dict.fromkeys(
        ("Cache", "DataFrameScan", "Distinct", "Filter", "HConcat", "HStack", "MergeSorted",
         "Scan", "Select", "SimpleProjection", "Slice", "Sort", "Union"),
        None,
    ),
    "GroupBy": frozenset({""}),
    "Join": frozenset({"Inner", "Left", "Right", "Full", "Cross", "Semi", "Anti", "IEJoin"}),
    "MapFunction": frozenset({"rechunk", "rename", "explode", "unpivot", "row_index",
                              "hint_sorted"}),
}  # fmt: skip
"""Steps of a frame, and which forms of them. translate.py: ``_translate_ir``; dsl/ir.py."""

TYPES: tuple[type[pl.DataType], ...] = (
    pl.Boolean, pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64,
    pl.Float32, pl.Float64, pl.Date, pl.Datetime, pl.Duration, pl.String, pl.Decimal, pl.List,
    pl.Struct,
)  # fmt: skip
"""containers/datatype.py: ``_from_polars``. A column of type Null ends a plan; a literal may be."""

# -- the check ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unsupported:
    """One thing that the engine does not run.

    Attributes:
        operation: Name of the operation, the step or the type.
        reason: Why it is none for the engine.
    """

    operation: str
    reason: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.reason}"


class _Place(Enum):
    """Where an expression stands; the value completes "is none of …"."""

    ALONE = "the operations"
    GROUPS = "what a group_by aggregates with"
    WINDOW = "the functions under over"


def refusals_of_frame(frame: pl.LazyFrame) -> tuple[str, ...]:
    """What the engine does not run of a lazy frame: steps, expressions and types.

    Each with its step and output column.
    """
    return tuple(
        dict.fromkeys(
            ": ".join(filter(None, (place, str(found)))) for place, found in _in_frame(frame)
        )
    )


def _in_frame(frame: pl.LazyFrame) -> Iterator[tuple[str, Unsupported]]:
    """Problems with the places where they stand."""
    try:
        for node in frame_nodes(frame):
            yield from _in_step(node)
    except NotImplementedError as refusal:
        yield "", Unsupported(str(refusal), "a step that Polars shows to no engine")


def _in_step(node: PlanNode) -> Iterator[tuple[str, Unsupported]]:
    forms = PLAN_NODES.get(node.name, frozenset())
    if forms is not None and node.detail not in forms:
        yield "", Unsupported(f"{node.name} {node.detail}".strip(), "none of the steps of a frame")
    for name, dtype in node.schema.items():
        if not isinstance(dtype, TYPES):
            yield node.name, Unsupported(str(dtype), f"type of column {name}")
    keys_and_sums = node.name == "GroupBy"
    for name, expression in node.expressions:
        found = _in_groups(expression, _Place.GROUPS) if keys_and_sums else _alone(expression)
        yield from ((f"{node.name} {name}", problem) for problem in found)


def _alone(operation: Operation) -> Iterator[Unsupported]:
    """Problems of an operation and all below it where each may nest any other."""
    yield from _itself(operation)
    if operation.kind == "window":
        body, *keys = operation.arguments
        yield from _under_over(operation, body)
        for key in keys:
            yield from _alone(key)
        return
    for argument in operation.arguments:
        yield from _alone(argument)


def _itself(operation: Operation) -> Iterator[Unsupported]:
    """Problems of an operation whatever it is applied to."""
    kind, name, options = operation.kind, operation.name, operation.options
    if kind not in KINDS:
        yield Unsupported(name, "no operation that the engine knows")
    elif kind == "function" and name not in FUNCTIONS:
        yield Unsupported(name, f"none of {_Place.ALONE.value}")
    elif kind == "aggregate" and name not in AGGREGATES:
        yield Unsupported(name, "none of the aggregates")
    elif kind == "binary" and name not in BINARY_OPERATIONS:
        yield Unsupported(name, "none of the binary operations")
    elif kind == "cast" and options["type"] not in _TYPE_NAMES:
        yield Unsupported(f"cast to {options['type']}", "a type that the engine has not")
    elif operation.dtype is not None and not _has_type(operation):
        yield Unsupported(f"{name} of type {operation.dtype}", "a type that the engine has not")
    yield from _settings(operation)


def _has_type(operation: Operation) -> bool:
    literal_null = operation.kind == "literal" and isinstance(operation.dtype, pl.Null)
    return literal_null or isinstance(operation.dtype, TYPES)


_TYPE_NAMES = frozenset(dtype.__name__ for dtype in TYPES)
_RANKS = frozenset({"average", "min", "max", "dense", "ordinal"})


def _settings(operation: Operation) -> Iterator[Unsupported]:
    """Settings that the engine refuses wherever the function stands."""
    options = operation.options
    if options.get("weighted"):
        yield Unsupported(operation.name, "no weights")
    if options.get("limited"):
        yield Unsupported(operation.name, "no limit")
    if options.get("method", "average") not in _RANKS:
        yield Unsupported(operation.name, f"no method {options['method']}")
    if options.get("interpolation") == "equiprobable":
        yield Unsupported(operation.name, "no interpolation equiprobable")


# -- groups and windows ---------------------------------------------------------------------------


def _under_over(window: Operation, body: Operation) -> Iterator[Unsupported]:
    if window.options.get("mapping") != "groups_to_rows":
        yield Unsupported("over", f"no mapping {window.options.get('mapping')}")
    problems = tuple(_in_groups(body, _Place.WINDOW))
    yield from problems
    if not problems and not _reduces(body, _Place.WINDOW):
        yield Unsupported(body.name, f"none of {_Place.WINDOW.value}")


def _reduces(operation: Operation, place: _Place) -> bool:
    """Whether an aggregate or window function stands at the operation or below it."""
    return any(_is_reduction(below, place) for below in operation.walk())


def _is_reduction(operation: Operation, place: _Place) -> bool:
    if operation.kind == "function":
        whole = {"product", "quantile", "null_count"}
        if place is _Place.WINDOW:
            whole = whole | WINDOW_FUNCTIONS | ROLLING_FUNCTIONS
        return operation.name in whole
    return operation.kind in ("aggregate", "len")


def _is_pointwise(operation: Operation) -> bool:
    if operation.kind == "function":
        return operation.name in POINTWISE
    return operation.kind in ("column", "literal", "binary", "conditional", "cast")


def _in_groups(operation: Operation, place: _Place) -> Iterator[Unsupported]:
    """Problems of an expression that is worked out group by group (utils/aggregations.py)."""
    yield from _itself(operation)
    if _is_reduction(operation, place):
        yield from _in_argument(operation, place)
    elif _is_pointwise(operation):
        for argument in operation.arguments:
            yield from _in_groups(argument, place)
        yield from _unbroadcast(operation, place)
    else:
        yield Unsupported(operation.name, f"none of {place.value}")


def _in_argument(operation: Operation, place: _Place) -> Iterator[Unsupported]:
    """Problems of what an aggregate or window function is applied to, and of its settings."""
    if not operation.arguments:
        return
    first, *settings = operation.arguments
    ordered = (
        place is _Place.GROUPS and operation.name in ("first", "last") and first.kind == "sort_by"
    )
    for argument in first.arguments if ordered else (first,):
        for below in argument.walk():
            yield from _itself(below)
            if not _is_pointwise(below):
                yield Unsupported(
                    f"{operation.name} of {below.name}", "the argument must be pointwise"
                )
    if any(setting.kind != "literal" for setting in settings):
        yield Unsupported(operation.name, "settings must be literals")
    if place is _Place.WINDOW:
        yield from _window_settings(operation)


def _window_settings(operation: Operation) -> Iterator[Unsupported]:
    if operation.options.get("nulls", "ignore") != "ignore":
        yield Unsupported("diff", "over groups it may not drop nulls")
    if operation.options.get("strategy", "forward") not in ("forward", "backward"):
        yield Unsupported(
            operation.name, f"over groups there is no strategy {operation.options['strategy']}"
        )


def _unbroadcast(operation: Operation, place: _Place) -> Iterator[Unsupported]:
    """A value of each row cannot meet a value of its group."""
    reduced = [_reduces(argument, place) for argument in operation.arguments]
    rows = [
        any(below.kind == "column" for below in argument.walk())
        for argument, one in zip(operation.arguments, reduced, strict=True)
        if not one
    ]
    if any(reduced) and any(rows):
        yield Unsupported(operation.name, "rows and aggregates of groups do not mix")
