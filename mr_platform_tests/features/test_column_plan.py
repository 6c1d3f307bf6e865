"""Columns in stages: each once, as early as it can be, gone when nothing reads it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.features.column_plan import MAX_REMEMBERED, ColumnPlan
from mr_platform.features.kernels.windows import lag, rolling_mean, session_sum, window_sum
from mr_platform.features.operation_trees import frame_nodes
from mr_platform.gateways.frame_engine import CpuEngine

X, Y = pl.col("x"), pl.col("y")


def frame(groups: int = 2, length: int = 5) -> pl.LazyFrame:
    return pl.LazyFrame(
        {
            "g": [group for group in range(groups) for _ in range(length)],
            "j": [*range(length)] * groups,
            "x": [float(1 + 10 * group + row) for group in range(groups) for row in range(length)],
            "y": [float(row * row) for _ in range(groups) for row in range(length)],
        }
    )


def plan(length: int = 5) -> ColumnPlan:
    return ColumnPlan(length=length)


def stages(frame: pl.LazyFrame) -> list[list[str]]:
    """Columns of every step of a lazy frame, from the first after the source on."""
    return [list(node.schema) for node in frame_nodes(frame) if node.name != "DataFrameScan"][::-1]


# -- once -----------------------------------------------------------------------------------------


def test_a_column_is_handed_back_as_it_is() -> None:
    p = plan()
    assert p.let("x").meta.eq(X)
    assert p.let(X).meta.eq(X)
    assert list(p.expressions()) == []


def test_equal_expressions_are_one_column() -> None:
    p = plan()
    first, again, other = p.let(X + Y), p.let(pl.col("x") + pl.col("y")), p.let(Y + X)
    assert first.meta.eq(again)
    assert not first.meta.eq(other)
    assert len(list(p.expressions())) == 2


def test_equal_chains_of_expressions_are_one_chain() -> None:
    p = plan()
    for _ in range(3):
        p.let(p.let(p.let(X + 1) * 2) - Y)
    assert len(list(p.expressions())) == 3


def test_constants_of_different_types_are_different_columns() -> None:
    p = plan()
    assert not p.let(X + 1).meta.eq(p.let(X + 1.0))
    assert not p.let(X * pl.lit(1, pl.Int32)).meta.eq(p.let(X * pl.lit(1, pl.Int64)))


def test_a_window_is_shared_too() -> None:
    p = plan()
    first, again = p.over(X.cum_sum()), p.over(X.cum_sum())
    assert first.meta.eq(again)
    assert not first.meta.eq(p.over(X.cum_sum(), by=["j"]))


# -- stages ---------------------------------------------------------------------------------------


def test_a_column_stands_in_the_first_stage_that_has_what_it_reads() -> None:
    p = plan()
    a = p.let(X + 1)
    b = p.let(a * Y)
    late = p.let(X - Y)
    c = p.let(b + late)
    order = [name for name, _ in p.expressions()]
    place = {column.meta.output_name(): order.index(column.meta.output_name())
             for column in (a, b, late, c)}  # fmt: skip
    assert place[late.meta.output_name()] < place[b.meta.output_name()]
    assert place[b.meta.output_name()] < place[c.meta.output_name()]

    found = p.run(frame(), {"c": c}).collect()
    assert found["c"].to_list() == frame().select((X + 1) * Y + (X - Y)).collect()["x"].to_list()


def test_what_no_later_stage_reads_is_let_go() -> None:
    p = plan()
    a = p.let(X + 1)
    b = p.let(a * 2)
    c = p.let(b - Y)
    steps = stages(p.run(frame(), {"out": c}, keep=["g"]))
    names = [column.meta.output_name() for column in (a, b, c)]
    assert steps == [["g", "y", names[0]], ["g", "y", names[1]], ["g", names[2]], ["g", "out"]]


def test_columns_that_no_output_needs_are_not_computed() -> None:
    p = plan()
    a, unread = p.let(X + 1), p.let(Y + 1)
    p.let(unread * 2)
    steps = stages(p.run(frame(), {"out": a}))
    assert all(unread.meta.output_name() not in step for step in steps)
    assert steps[0] == [a.meta.output_name()]


def test_an_output_may_read_columns_of_any_stage() -> None:
    p = plan()
    early = p.let(X + 1)
    late = p.let(p.let(p.let(Y + 1) * 2) - 1)
    found = p.run(frame(), {"both": early + late, "frame": X, "early": early}).collect()
    expected = frame().select(
        both=X + 1 + (Y + 1) * 2 - 1, frame=X, early=X + 1
    )  # fmt: skip
    assert_frame_equal(found, expected.collect())


def test_kept_columns_come_first_then_outputs_in_their_order() -> None:
    p = plan()
    a = p.let(X + 1)
    found = p.run(frame(), {"z": a, "b": Y}, keep=["j", "g"]).collect()
    assert found.columns == ["j", "g", "z", "b"]
    assert found["j"].to_list() == [0, 1, 2, 3, 4] * 2


def test_a_plan_without_columns_hands_outputs_through() -> None:
    found = plan().run(frame(), {"twice": X * 2}, keep=["g"]).collect()
    assert found.columns == ["g", "twice"]
    assert found.height == 10


def test_a_plan_serves_many_frames_and_outputs() -> None:
    p = plan()
    total = window_sum(p, "x", 2)
    one = p.run(frame(1), {"s": total}).collect()["s"].to_list()
    both = p.run(frame(2), {"s": total}).collect()["s"].to_list()
    assert one == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert both[:5] == one
    assert both[5:] == [11.0, 23.0, 25.0, 27.0, 29.0]
    assert p.run(frame(), {"t": p.let(total + 1)}).collect()["t"][0] == 2.0


# -- however it is built --------------------------------------------------------------------------


def _staged(p: ColumnPlan) -> pl.Expr:
    """A formula whose every step is a column."""
    lagged = p.let(lag(p, "x", 2))
    return p.let(p.let(p.let(X - lagged) * p.let(Y + 1)).sqrt())


def _at_once(p: ColumnPlan) -> pl.Expr:
    return ((X - lag(p, "x", 2)) * (Y + 1)).sqrt()


def test_a_plan_serves_several_threads() -> None:
    p = plan()
    asked = [{"z": p.let(X + number)} for number in range(3 * MAX_REMEMBERED)]

    def last(outputs: dict[str, pl.Expr]) -> float:
        return float(p.run(frame(1), outputs).collect()["z"][-1])

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(last, asked * 5))
    assert found == [5.0 + number for number in range(3 * MAX_REMEMBERED)] * 5


def test_results_do_not_depend_on_how_finely_a_formula_is_staged() -> None:
    fine, coarse = plan(), plan()
    first = fine.run(frame(), {"z": _staged(fine)}).collect()
    second = coarse.run(frame(), {"z": _at_once(coarse)}).collect()
    assert first.equals(second)
    assert len(list(fine.expressions())) > len(list(coarse.expressions()))


@pytest.mark.parametrize("before", [(), ("total",), ("mean", "total"), ("total", "mean", "lag")])
def test_results_do_not_depend_on_what_else_the_plan_holds(before: Sequence[str]) -> None:
    def build(p: ColumnPlan, name: str) -> pl.Expr:
        known = {
            "mean": lambda: rolling_mean(p, "x", 3, 2),
            "total": lambda: session_sum(p, X * Y),
            "lag": lambda: p.let(lag(p, X * Y, 1)),
        }
        return known[name]()

    alone, crowded = plan(), plan()
    expected = alone.run(frame(), {"z": build(alone, "mean")}).collect()
    others = {name: build(crowded, name) for name in before}
    found = crowded.run(frame(), {**others, "z": build(crowded, "mean")}).collect()
    assert found.select("z").equals(expected)


def test_the_order_of_building_changes_no_stage() -> None:
    forth, back = plan(), plan()
    a = forth.let(forth.let(X + 1) + forth.let(Y + 1))
    right = back.let(Y + 1)
    b = back.let(back.let(X + 1) + right)
    assert [len(step) for step in stages(forth.run(frame(), {"z": a}))] == [
        len(step) for step in stages(back.run(frame(), {"z": b}))
    ]
    assert_frame_equal(
        forth.run(frame(), {"z": a}).collect(), back.run(frame(), {"z": b}).collect()
    )


# -- groups ---------------------------------------------------------------------------------------


def test_nothing_of_a_group_reaches_another() -> None:
    p = plan()
    outputs = {
        "lag": lag(p, "x", 2),
        "sum": window_sum(p, "x", 4),
        "total": session_sum(p, "x"),
        "mean": p.over(X.mean()),
        "before": p.over(X.shift(1)),
        "by": p.over(X.cum_sum(), by=["y"]),
    }
    alone = p.run(frame(1), outputs).collect()
    loud = frame(3).with_columns(
        pl.when(pl.col("g") == 0).then(X).otherwise(X * 1e9),
        pl.when(pl.col("g") == 0).then(Y).otherwise(None),
    )
    assert p.run(loud, outputs).collect().head(5).equals(alone)


def test_group_and_index_have_the_names_given() -> None:
    p = ColumnPlan(group="c", index="s", length=5)
    renamed = frame().rename({"g": "c", "j": "s"})
    found = p.run(
        renamed, {"total": p.over(X.cum_sum()), "lag": lag(p, "x", 1)}, keep=["c", "s"]
    ).collect()
    assert found["total"].to_list()[5] == 11.0
    assert found["lag"][5] is None


def test_a_window_divides_a_group_further_by_columns() -> None:
    p = plan()
    phase = p.let(pl.col("j") % 2)
    total = p.over(X.cum_sum(), by=[phase.meta.output_name()])
    found = p.run(frame(1), {"z": total}).collect()["z"].to_list()
    assert found == [1.0, 2.0, 4.0, 6.0, 9.0]


# -- worked out -----------------------------------------------------------------------------------


def two_families(p: ColumnPlan, length: int) -> dict[str, pl.Expr]:
    """Outputs of two chains that share nothing but the frame's columns."""
    outputs = {}
    for name, start in (("x", X), ("y", Y)):
        step = start
        for number in range(length):
            step = p.let(step * 0.5 + number)
        outputs[f"{name}_end"] = step
    return outputs


@pytest.mark.parametrize("rows", [1, 3_000])
def test_a_plan_worked_out_gives_what_its_lazy_form_gives(rows: int) -> None:
    """Short frames are worked out in two parts, long ones whole; every time anew."""
    p = plan()
    outputs = two_families(p, 40)
    for groups in (rows, 2 * rows):
        data = frame(groups).collect()
        expected = p.run(data.lazy(), outputs, keep=["j", "g"]).collect()
        for _ in range(2):
            found = p.compute(data, outputs, CpuEngine(), keep=["j", "g"])
            assert_frame_equal(found, expected, check_exact=True)


def test_a_plan_is_divided_between_families() -> None:
    p = plan()
    outputs = two_families(p, 40)
    parts = p._parts(p._asked(outputs, ()), rows=10)
    assert [list(part) for part in parts] == [["x_end"], ["y_end"]]
    assert p._parts(p._asked(outputs, ()), rows=1_000_000) == [outputs]


def test_a_plan_that_is_small_or_of_one_piece_stays_whole() -> None:
    small = plan()
    outputs = two_families(small, 5)
    assert small._parts(small._asked(outputs, ()), rows=10) == [outputs]
    tangled = plan()
    shared = two_families(tangled, 40)
    both = {"sum": shared["x_end"] + shared["y_end"], "apart": shared["x_end"] - shared["y_end"]}
    assert tangled._parts(tangled._asked(both, ()), rows=10) == [both]
    single = {"sum": both["sum"]}
    assert tangled._parts(tangled._asked(single, ()), rows=10) == [single]


def test_an_engine_that_prepares_nothing_is_given_the_frame_with_its_data() -> None:
    given = []

    class Plain(CpuEngine):
        prepares = False

        def collect(self, frame: pl.LazyFrame) -> pl.DataFrame:
            given.append(frame.explain(optimizations=pl.QueryOptFlags.none()))
            return super().collect(frame)

    p = plan()
    outputs = two_families(p, 40)
    data = frame(2).collect()
    found = p.compute(data, outputs, Plain())
    assert found.equals(p.compute(data, outputs, CpuEngine()))
    assert len(given) == 1
    assert "DF [" in given[0]
    assert "PYTHON SCAN" not in given[0]


def test_frames_of_other_columns_may_follow() -> None:
    p = plan()
    outputs = two_families(p, 40)
    narrow = frame(1).collect()
    wide = narrow.with_columns(other=pl.lit("a"))
    first = p.compute(narrow, outputs, CpuEngine())
    assert p.compute(wide, outputs, CpuEngine()).equals(first)
    assert p.compute(narrow.cast({"x": pl.Float32}), outputs, CpuEngine())["y_end"].equals(
        first["y_end"]
    )
