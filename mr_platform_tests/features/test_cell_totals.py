"""Totals of the strikes of a minute, on rows of the chain and on rows of contracts."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.cell_totals import CellTotals
from mr_platform.features.chain_grid import CELL, RUN


def rows(order: list[int]) -> pl.LazyFrame:
    """Three strikes of cell 7 and one of cell 5; runs as they come."""
    frame = pl.DataFrame(
        {
            "run": [1, 1, 1, 2], "cell": [7, 7, 7, 5], "x": [2.0, None, 5.0, None],
            "k": [1, 2, 3, 1],
        },
        schema_overrides={"run": pl.UInt32, "cell": pl.UInt32},
    )  # fmt: skip
    return frame[order].lazy()


def totals(key: str) -> CellTotals:
    made = CellTotals(key)
    size = made.let(pl.col("x") * pl.col("k"))
    made.sum("total", size)
    made.count("number", size)
    made.largest("most", size)
    made.least("smallest", size)
    made.sum("weights", pl.col("k"))
    return made


@pytest.mark.parametrize(("key", "order"), [(RUN, [0, 1, 2, 3]), (CELL, [0, 3, 1, 2])])
def test_a_cell_takes_its_totals(key: str, order: list[int]) -> None:
    found = totals(key).per_cell(rows(order)).collect().sort("cell")
    assert found.rows(named=True) == [
        {"cell": 5, "total": 0.0, "number": 0, "most": None, "smallest": None, "weights": 1},
        {"cell": 7, "total": 17.0, "number": 2, "most": 15.0, "smallest": 2.0, "weights": 6},
    ]


def test_a_term_is_worked_out_and_carried_once() -> None:
    made = totals(CELL)
    assert len(made.columns) == 2, "the product and k"
    assert [name for name, _ in made.plan.expressions()] == [next(iter(made.columns))]


def test_columns_may_be_worked_out_before_and_with_others() -> None:
    made = totals(RUN)
    more = {**made.columns, "twice": pl.col("k") * 2}
    ready = made.plan.run(rows([0, 1, 2, 3]), more, keep=made.keys).collect()
    assert ready.columns == ["run", "cell", *made.columns, "twice"]
    assert made.of_columns(ready).collect()["cell"].to_list() == [7, 5]


def test_a_window_of_the_plan_is_one_over_the_cell() -> None:
    made = CellTotals()
    highest = made.plan.over(pl.col("x").max())
    made.count("places", pl.when(pl.col("x") == highest).then(1))
    assert made.per_cell(rows([0, 3, 1, 2])).collect().sort("cell")["places"].to_list() == [0, 1]
