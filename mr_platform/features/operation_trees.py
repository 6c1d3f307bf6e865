"""Lazy frames of Polars as plain steps, with their expressions as trees of named operations.

Here: the reader of whole frames, with the types of columns and operations.
Not here: which operations an engine runs (``gpu_operations.py``).

Frames are read through the traversal object of Polars from which cuDF's engine itself translates
(``cudf_polars/dsl/translate.py``), unoptimised, as ``gateways/frame_engine.py`` has them worked
out; no data is copied. An operation is called ``cum_sum``, ``boolean.is_null``, ``rolling.mean``,
``temporal.date``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Operation:
    """One operation of an expression with those it is applied to.

    Attributes:
        kind: ``column``, ``literal``, ``len``, ``function``, ``aggregate``, ``window``,
            ``binary``, ``conditional``, ``cast``, ``filter``, ``sort``, ``sort_by``, ``gather``,
            ``slice``, ``opaque`` for what Polars shows to no engine, or another word for what is
            not taken apart.
        name: Which one, in small letters; the kind where there is but one.
        arguments: What it is applied to; of a window the function first, then keys and order.
        options: The settings that decide whether an engine runs it.
        dtype: Type of the result; none of what is opaque.
    """

    kind: str
    name: str
    arguments: tuple[Operation, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    dtype: pl.DataType | None = None

    def walk(self) -> Iterator[Operation]:
        """This operation and all below it."""
        yield self
        for argument in self.arguments:
            yield from argument.walk()


@dataclass(frozen=True)
class PlanNode:
    """One step of a lazy frame.

    Attributes:
        name: ``Select``, ``HStack``, ``GroupBy``, ``Join``, ``Sort``, ``Filter``, ….
        detail: Kind of a join, name of a mapped function; empty elsewhere.
        expressions: By output name.
        schema: Columns and types that it gives.
    """

    name: str
    detail: str
    expressions: tuple[tuple[str, Operation], ...]
    schema: Mapping[str, pl.DataType]


def snake(name: str) -> str:
    """``CumSum`` as ``cum_sum``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def frame_nodes(frame: pl.LazyFrame) -> Iterator[PlanNode]:
    """The steps of a lazy frame with their expressions, unoptimised.

    Raises:
        NotImplementedError: Polars shows a step to no engine (Python functions over frames).
    """
    unoptimised = pl.QueryOptFlags.none()._pyoptflags
    yield from _FrameReader(frame._ldf.with_optimizations(unoptimised).visit()).nodes()


class _FrameReader:
    """Reads one plan; ``nt`` is the traversal object, whose current node gives types meaning."""

    def __init__(self, nt: Any) -> None:
        self._nt = nt
        self._seen: set[int] = set()

    def nodes(self) -> Iterator[PlanNode]:
        number = self._nt.get_node()
        if number in self._seen:
            return
        self._seen.add(number)
        node = self._nt.view_current_node()
        inputs = self._nt.get_inputs()
        yield PlanNode(
            name=type(node).__name__,
            detail=_detail(node),
            expressions=tuple(self._expressions(node, inputs)),
            schema=self._nt.get_schema(),
        )
        for child in inputs:
            self._nt.set_node(child)
            yield from self.nodes()
        self._nt.set_node(number)

    def _expressions(self, node: Any, inputs: Sequence[int]) -> Iterator[tuple[str, Operation]]:
        """Expressions of the current node, each read where its columns have their types."""
        number = self._nt.get_node()
        by_input = (
            [(inputs[0], node.left_on), (inputs[1], node.right_on)]
            if type(node).__name__ == "Join"
            else [(inputs[0] if inputs else number, self._nt.get_exprs())]
        )
        for where, expressions in by_input:
            self._nt.set_node(where)
            for one in expressions:
                yield one.output_name, self._read(one.node)
        self._nt.set_node(number)

    def _read(self, number: int) -> Operation:
        try:
            node = self._nt.view_expression(number)
        except NotImplementedError as refusal:
            return Operation("opaque", str(refusal))
        kind = type(node).__name__
        read = _VIEWS.get(kind, lambda _: (snake(kind), snake(kind), (), {}))
        word, name, arguments, options = read(node)
        return Operation(
            word,
            name,
            tuple(self._read(one) for one in arguments),
            options,
            self._nt.get_dtype(number),
        )


def _detail(node: Any) -> str:
    kind = type(node).__name__
    if kind == "Join":
        how = node.options[0]
        return str(how if isinstance(how, str) else how[0])
    if kind == "MapFunction":
        return str(node.function[0])
    if kind == "GroupBy" and (node.options.dynamic or node.options.rolling):
        return "by time"
    return ""


_View = tuple[str, str, Sequence[int], dict[str, Any]]


def _view_function(node: Any) -> _View:
    first, *options = node.function_data
    name = first if isinstance(first, str) else _enumerated(first)
    settings: dict[str, Any] = {}
    if name.startswith("rolling."):
        settings = {"weighted": options[2] is not None}
    elif name == "fill_null_with_strategy":
        settings = {"strategy": options[0], "limited": bool(options[1])}
    elif name == "rank":
        settings = {"method": options[0]}
    elif name == "diff":
        settings = {"nulls": options[0]}
    elif name == "quantile":
        settings = {"interpolation": options[0]}
    return "function", name, node.input, settings


def _enumerated(value: object) -> str:
    """``BooleanFunction.IsNull`` as ``boolean.is_null``."""
    family, _, name = str(value).partition(".")
    return f"{snake(family.removesuffix('Function'))}.{snake(name)}"


def _view_window(node: Any) -> _View:
    mapping = getattr(node.options, "kind", "by_time")
    options = {"mapping": mapping, "ordered": node.order_by is not None}
    order = () if node.order_by is None else (node.order_by,)
    return "window", "over", (node.function, *node.partition_by, *order), options


_VIEWS: Mapping[str, Callable[[Any], _View]] = {
    "Column": lambda _: ("column", "column", (), {}),
    "Literal": lambda _: ("literal", "literal", (), {}),
    "Len": lambda _: ("len", "len", (), {}),
    "Function": _view_function,
    "Window": _view_window,
    "Agg": lambda node: ("aggregate", node.name, node.arguments, {}),
    "BinaryExpr": lambda node: (
        "binary", snake(str(node.op).partition(".")[2]), (node.left, node.right), {}
    ),
    "Ternary": lambda node: (
        "conditional", "conditional", (node.predicate, node.truthy, node.falsy), {}
    ),
    "Cast": lambda node: ("cast", "cast", (node.expr,), {"type": type(node.dtype).__name__}),
    "Filter": lambda node: ("filter", "filter", (node.input, node.by), {}),
    "Sort": lambda node: ("sort", "sort", (node.expr,), {}),
    "SortBy": lambda node: ("sort_by", "sort_by", (node.expr, *node.by), {}),
    "Gather": lambda node: ("gather", "gather", (node.expr, node.idx), {}),
    "Slice": lambda node: ("slice", "slice", (node.input, node.offset, node.length), {}),
}  # fmt: skip
