"""Cells of strategy sheets: exact numbers whatever the pieces, every cell without one located."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.errors import InputFileError
from mr_platform.portfolio.strategy_cells import (
    FAULTS_SHOWN,
    CellFault,
    SheetColumns,
    read_frame_cells,
    read_text_cells,
)
from mr_platform.registry.strategy_files import load_strategy_files

DECLARED = load_strategy_files()
NAMES = ("Date", "S1", "S2", "Day", "S3")
SHEET = SheetColumns("in/s.csv", NAMES, strategies=(1, 2, 4), labels=(0, 3))


def text_cells(text: str, sheet: SheetColumns = SHEET, pieces: int = 1):
    lines = [line + b"\n" for line in text.encode().splitlines()]
    size = -(-len(lines) // pieces)
    parts = [b"".join(lines[i : i + size]) for i in range(0, len(lines), size)]
    return read_text_cells(sheet, parts, DECLARED)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_numbers_and_labels_come_in_the_order_of_the_file(pieces):
    cells = text_cells("d1,1,2,Mon,3\nd2,4,5,Tue,6\nd3,-7e2,.5,,+9\n", pieces=pieces)

    assert cells.pnl.tolist() == [[1, 2, 3], [4, 5, 6], [-700, 0.5, 9]]
    assert cells.labels["Date"].to_list() == ["d1", "d2", "d3"]
    assert cells.labels["Day"].to_list() == ["Mon", "Tue", None]
    assert cells.missing.tolist() == cells.unreadable.tolist() == [0, 0, 0]
    assert cells.first_faults == ()


def test_strategies_that_are_not_asked_for_cost_nothing():
    sheet = dataclasses.replace(SHEET, strategies=(4,), labels=())

    cells = text_cells("d1,x,,Mon,3\n", sheet)

    assert cells.pnl.tolist() == [[3.0]]
    assert cells.first_faults == ()
    assert cells.labels == {}


@pytest.mark.parametrize("pieces", [1, 4])
def test_a_cell_without_a_number_is_0_counted_and_located(pieces):
    cells = text_cells(
        'd1,1,,Mon,NaN\nd2,abc,2, ,-inf\nd3,1e400,2e12,x,-\nd4, 4 ,"1,5",y,1O0\n', pieces=pieces
    )

    assert cells.pnl.tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 0], [4, 0, 0]]
    assert cells.missing.tolist() == [0, 1, 2]
    assert cells.unreadable.tolist() == [2, 2, 2]
    assert cells.first_faults == (
        CellFault(1, "S2", "missing", None),
        CellFault(1, "S3", "missing", "NaN"),
        CellFault(2, "S1", "no number", "abc"),
        CellFault(2, "S3", "infinite", "-inf"),
        CellFault(3, "S1", "too large", "1e400"),
        CellFault(3, "S2", "too large", "2e12"),
        CellFault(3, "S3", "missing", "-"),
        CellFault(4, "S2", "no number", "1,5"),
        CellFault(4, "S3", "no number", "1O0"),
    )


def test_only_the_first_faults_are_told_and_all_are_counted():
    cells = text_cells("".join(f"d{i},x,2,Mon,3\n" for i in range(100)), pieces=3)

    assert len(cells.first_faults) == FAULTS_SHOWN
    assert [found.row for found in cells.first_faults] == list(range(1, FAULTS_SHOWN + 1))
    assert cells.unreadable.tolist() == [100, 0, 0]


def test_a_sheet_without_any_number_is_read():
    cells = text_cells(",,,,\n,,,,\n")

    assert cells.missing.tolist() == [2, 2, 2]
    assert cells.labels["Date"].to_list() == [None, None]


def test_no_rows_give_an_empty_matrix():
    cells = read_text_cells(SHEET, [], DECLARED)

    assert cells.pnl.shape == (0, 3)
    assert cells.labels["Date"].len() == 0


@pytest.mark.parametrize("quoted", ["", '"m"'])
@pytest.mark.parametrize(("row", "fields"), [("d2,1,2", 3), ("d2,1,2,Tue,3,", 6), ("", 1)])
def test_a_row_of_another_length_is_refused_with_its_number(quoted, row, fields):
    with pytest.raises(InputFileError, match=f"has {fields} fields in row 3, the header 5"):
        text_cells(f"d1,1,2,{quoted},3\nd1,1,2,{quoted},3\n{row}\n", pieces=2)


def test_a_quote_that_does_not_close_swallows_nothing():
    with pytest.raises(InputFileError, match="has a quote in row 2 that does not close"):
        text_cells('d1,1,2,"Mon",3\nd2,1,2,"Tue,3\nd3,1,2,"Wed",3\n')


def test_quoted_cells_are_read():
    cells = text_cells('"d1","1.5","2","Mon, ""early""","3"\n')

    assert cells.pnl.tolist() == [[1.5, 2, 3]]
    assert cells.labels["Day"].to_list() == ['Mon, "early"']


FINITE = st.floats(min_value=-1e12, max_value=1e12)


@settings(max_examples=60, deadline=None)
@given(
    values=st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(FINITE, min_size=n, max_size=n), min_size=1, max_size=6)
    ),
    pieces=st.integers(1, 6),
)
def test_text_gives_back_every_bit_of_a_number(values, pieces):
    width = len(values[0])
    names = ("Date", *[f"S{i}" for i in range(width)])
    sheet = SheetColumns("s", names, tuple(range(1, width + 1)), (0,))
    text = "".join(f"d,{','.join(map(repr, row))}\n" for row in values)

    found = text_cells(text, sheet, pieces).pnl

    assert found.flags.c_contiguous
    assert found.view(np.uint64).tolist() == np.array(values).view(np.uint64).tolist()


# ---------------------------------------------------------------------- typed columns

TABLE = pl.DataFrame(
    {
        "Date": [dt.date(2024, 1, 4), dt.date(2024, 1, 5)],
        "S1": [1.5, None],
        "S2": ["2", "x"],
        "Day": ["Thursday", "Friday"],
        "S3": pl.Series([3, 4], dtype=pl.Int16),
    }
)


def test_typed_columns_are_read_in_groups_of_any_size():
    whole = read_frame_cells(SHEET, [TABLE], DECLARED)
    single = read_frame_cells(SHEET, [TABLE[:, i : i + 1] for i in range(5)], DECLARED)

    for cells in (whole, single):
        assert cells.pnl.tolist() == [[1.5, 2, 3], [0, 0, 4]]
        assert cells.labels["Date"].dtype == pl.Date
        assert cells.missing.tolist() == [1, 0, 0]
        assert cells.unreadable.tolist() == [0, 1, 0]
        assert cells.first_faults == (
            CellFault(2, "S1", "missing", None),
            CellFault(2, "S2", "no number", "x"),
        )


def test_the_table_that_was_given_is_left_alone():
    table = pl.DataFrame({"S1": [float("nan"), 1.0]})

    cells = read_frame_cells(SheetColumns("s", ("S1",), (0,), ()), [table], DECLARED)

    assert cells.pnl.tolist() == [[0], [1]]
    assert np.isnan(table["S1"][0])


@pytest.mark.parametrize(
    ("values", "missing", "faults"),
    [
        (pl.Series([None, None], dtype=pl.Null), 2, []),
        (pl.Series([float("nan"), 1.0]), 1, []),
        (pl.Series([float("inf"), -float("inf")]), 0, ["infinite", "infinite"]),
        (pl.Series([1e13, 1e12]), 0, ["too large"]),
        (pl.Series([1, 2], dtype=pl.Decimal(8, 2)), 0, []),
        (pl.Series(["1", "na"], dtype=pl.Categorical), 1, []),
    ],
)
def test_typed_cells_without_a_number(values, missing, faults):
    sheet = SheetColumns("s", ("S1",), (0,), ())

    cells = read_frame_cells(sheet, [values.alias("S1").to_frame()], DECLARED)

    assert cells.missing.tolist() == [missing]
    told = [found.fault for found in cells.first_faults if found.fault != "missing"]
    assert told == faults
    assert cells.unreadable.tolist() == [len(faults)]


@pytest.mark.parametrize(
    "values", [[True, False], [dt.date(2024, 1, 1)] * 2, [b"1", b"2"], [dt.time(9)] * 2]
)
def test_a_column_of_another_type_is_no_strategy(values):
    with pytest.raises(InputFileError, match=r"strategy columns that hold no numbers: 'S3' \("):
        read_frame_cells(SHEET, [TABLE.with_columns(S3=pl.Series(values))], DECLARED)


def test_groups_of_different_length_are_refused():
    with pytest.raises(InputFileError, match="columns of 2 and of 1 rows"):
        read_frame_cells(SHEET, [TABLE[:, :2], TABLE[:1, 2:]], DECLARED)


def test_no_group_gives_an_empty_matrix():
    assert read_frame_cells(SHEET, [], DECLARED).pnl.shape == (0, 3)
