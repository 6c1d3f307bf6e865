"""Sheets of a book put together."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from mr_platform.errors import InputFileError
from mr_platform.portfolio.book_sheets import (
    LABELS_SCHEMA,
    BookSheet,
    merge_sheets,
    with_strategies,
)
from mr_platform.portfolio.returns import StrategyReturns
from mr_platform.portfolio.strategy_rows import ROWS_SCHEMA
from mr_platform.portfolio.strategy_tables import PNL_SCHEMA, join_months

A, B = "SENSEX 930-1030 SL7%", "SENSEX 1000-1100 SL9%TP20%"


def sheet(place, values, dates, *, zones=None, prefix="", unit="rupees", missing=0):
    """A sheet of strategies by name, a list of values each."""
    days = [dt.date.fromisoformat(day) for day in dates]
    rows = pl.DataFrame(
        {name: [None] * len(days) for name in ROWS_SCHEMA}, schema=ROWS_SCHEMA
    ).with_columns(
        date=pl.Series(days), zone=pl.Series(zones or [None] * len(days), dtype=pl.String)
    )
    pnl = np.array(list(values.values()), dtype=float).T
    counts = {"missing_cells": [missing] * len(values), "unreadable_cells": [0] * len(values)}
    return BookSheet(
        place=place,
        pnl_unit=unit,
        returns=StrategyReturns(
            pnl, tuple(values), np.array(days, dtype="datetime64[D]"), zones and tuple(zones)
        ),
        rows=rows,
        strategies=pl.DataFrame({"name": list(values), **counts}),
        prefix=prefix,
    )


def matrix(book):
    """Values of a book by strategy."""
    return dict(zip(book.returns.names, book.returns.pnl.T.tolist(), strict=True))


def test_one_sheet_is_the_book():
    book = merge_sheets([sheet("a.csv", {A: [1, 2], B: [3, 4]}, ["2024-01-04", "2024-02-01"])])

    assert matrix(book) == {A: [1, 2], B: [3, 4]}
    assert book.filled is None
    assert book.rows.schema == LABELS_SCHEMA
    assert book.rows["source_file"].to_list() == ["a.csv", "a.csv"]
    assert book.strategies["strategy_id"].to_list() == [0, 1]
    assert book.strategies["entry"].to_list() == [dt.time(9, 30), dt.time(10)]


def test_more_months_of_the_same_strategies_follow_each_other():
    book = merge_sheets(
        [
            sheet("b.csv", {A: [3], B: [4]}, ["2024-02-01"]),
            sheet("a.csv", {B: [2], A: [1]}, ["2024-01-04"]),
        ]
    )

    assert matrix(book) == {A: [1, 3], B: [2, 4]}
    assert book.filled is None
    assert book.rows["source_file"].to_list() == ["a.csv", "b.csv"]


def test_other_strategies_of_the_same_days_stand_beside_each_other():
    days = ["2024-01-04", "2024-01-11"]
    book = merge_sheets([sheet("a.csv", {A: [1, 2]}, days), sheet("b.csv", {B: [3, 4]}, days)])

    assert matrix(book) == {A: [1, 2], B: [3, 4]}
    assert book.strategies["source_file"].to_list() == ["a.csv", "b.csv"]


def test_what_no_file_has_is_nought_and_counted():
    book = merge_sheets(
        [
            sheet("a.csv", {A: [1, 2]}, ["2024-01-04", "2024-01-11"], missing=1),
            sheet("b.csv", {B: [5]}, ["2024-02-01"]),
        ]
    )

    assert matrix(book) == {A: [1, 2, 0], B: [0, 0, 5]}
    assert book.strategies["missing_cells"].to_list() == [1 + 1, 2]
    months = {month.month: month for month in book.months()}
    assert months["2024-01"].returns["strategy_id"].unique().to_list() == [0], "B has no January"
    assert months["2024-02"].returns["strategy_id"].unique().to_list() == [1]


def test_a_cell_in_two_files_counts_once_where_the_values_are_the_same():
    book = merge_sheets(
        [
            sheet("a.csv", {A: [1, 2]}, ["2024-01-04", "2024-01-11"]),
            sheet("b.csv", {A: [2, 3]}, ["2024-01-11", "2024-01-18"]),
        ]
    )

    assert matrix(book) == {A: [1, 2, 3]}
    assert book.repeated_cells == 1
    assert book.rows["source_file"].to_list() == ["a.csv", "a.csv", "b.csv"]


def test_a_cell_with_two_values_names_both_files_and_the_cell():
    with pytest.raises(InputFileError) as refused:
        merge_sheets(
            [
                sheet("a.csv", {A: [1], B: [1]}, ["2024-01-04"]),
                sheet("b.csv", {B: [9]}, ["2024-01-04"]),
            ]
        )

    assert refused.value.place == "b.csv"
    assert f"{B} has 9.0 on 2024-01-04, and 1.0 in a.csv" in refused.value.fault
    assert "sub-folder" in refused.value.next_step


def test_a_prefix_keeps_strategies_of_one_name_apart():
    book = merge_sheets(
        [
            sheet("a.csv", {A: [1]}, ["2024-01-04"], prefix="atm"),
            sheet("b.csv", {A: [2]}, ["2024-01-04"]),
        ]
    )

    assert matrix(book) == {f"atm_{A}": [1], A: [2]}
    assert book.strategies["source_stem"].to_list() == ["atm", None]


def test_numbers_given_before_stay():
    book = merge_sheets([sheet("a.csv", {A: [1], B: [2]}, ["2024-01-04"])], {B: 0})
    assert dict(book.strategies.select("name", "strategy_id").rows()) == {A: 1, B: 0}


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ({"unit": "percent"}, "values are in percent, those of a.csv in rupees"),
        ({"zones": ["A"]}, "one of it and a.csv has rows by zone"),
    ],
)
def test_sheets_that_do_not_belong_together_are_refused(other, fault):
    with pytest.raises(InputFileError, match=r"b\.csv") as refused:
        merge_sheets(
            [
                sheet("a.csv", {A: [1]}, ["2024-01-04"]),
                sheet("b.csv", {B: [1]}, ["2024-01-04"], **other),
            ]
        )
    assert fault in refused.value.fault


def test_a_book_without_files_is_refused():
    with pytest.raises(InputFileError, match="no file of strategy results"):
        merge_sheets([])


def test_months_join_to_the_same_bits():
    rng = np.random.default_rng(1)
    days = [str(dt.date(2024, 1, 4) + dt.timedelta(days=7 * week)) for week in range(20)]
    values = {f"s{number}": rng.normal(size=20).tolist() for number in range(7)}
    book = merge_sheets(
        [
            sheet("a.csv", values, days),
            sheet("b.csv", {"late": [1.5, 2.5]}, days[-2:]),
        ]
    )
    months = list(book.months())
    joined = join_months([month.returns for month in reversed(months)], book.strategies)

    assert len(months) == 5
    assert all(month.returns.schema == PNL_SCHEMA for month in months)
    assert joined.returns.names == book.returns.names
    assert joined.returns.pnl.tobytes() == book.returns.pnl.tobytes()
    # rows of other months; of its own month, those that the file lacks are stored as 0
    assert joined.absent.tolist() == [0] * 7 + [17]


def test_zones_are_rows_of_their_own():
    zones = ["A", "B"]
    book = merge_sheets(
        [
            sheet("b.csv", {A: [3, 4]}, ["2024-01-11"] * 2, zones=zones),
            sheet("a.csv", {A: [1, 2]}, ["2024-01-04"] * 2, zones=zones),
        ]
    )
    assert book.returns.zones == ("A", "B", "A", "B")
    assert matrix(book) == {A: [1, 2, 3, 4]}


def test_some_strategies_keep_their_order_and_all_are_not_copied() -> None:
    returns = StrategyReturns(
        np.arange(6.0).reshape(2, 3), ("a", "b", "c"), np.array(["2024-01-01", "2024-01-02"], "M8")
    )

    some = with_strategies(returns, ["c", "a"])

    assert some.names == ("a", "c")
    assert some.pnl.tolist() == [[0.0, 2.0], [3.0, 5.0]]
    assert with_strategies(returns, ["c", "b", "a", "z"]) is returns
