"""Stored results of strategies: months and back to the same bits, lasting numbers, wide export."""

from __future__ import annotations

import datetime as dt
import io

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.portfolio.returns import PortfolioError, StrategyReturns
from mr_platform.portfolio.strategy_rows import ROWS_SCHEMA
from mr_platform.portfolio.strategy_sheets import read_frame_sheet
from mr_platform.portfolio.strategy_tables import (
    PNL_SCHEMA,
    join_months,
    month_frames,
    number_strategies,
    wide_frame,
)
from mr_platform.registry.strategy_files import load_strategy_files


def matrix(days: int = 50, count: int = 7, zones: tuple[str, ...] = ()) -> StrategyReturns:
    random = np.random.default_rng(3)
    each = max(1, len(zones))
    dates = np.repeat(np.datetime64("2024-01-20") + np.arange(days), each)
    pnl = random.normal(0, 1000, (days * each, count))
    pnl[0, 0], pnl[1, 0], pnl[2, 0] = -0.0, 5e-324, 1 / 3
    return StrategyReturns(
        pnl, tuple(f"S{i}" for i in range(count)), dates, zones * days if zones else None
    )


def bits(returns: StrategyReturns) -> np.ndarray:
    return returns.pnl.view(np.uint64)


def assert_same(one: StrategyReturns, other: StrategyReturns) -> None:
    assert np.array_equal(bits(one), bits(other))
    assert (one.names, one.zones) == (other.names, other.zones)
    assert np.array_equal(one.dates, other.dates)


@pytest.mark.parametrize("zones", [(), ("A", "B", "Outside Market")])
@pytest.mark.parametrize("shuffled", [False, True])
def test_months_give_back_every_bit(zones, shuffled):
    returns = matrix(zones=zones)
    strategies = number_strategies(returns.names)

    months = dict(month_frames(returns, strategies))
    frames = list(months.values())
    if shuffled:
        frames = [frame.sample(fraction=1, shuffle=True, seed=1) for frame in frames[::-1]]
    joined = join_months(frames, strategies)

    assert list(months) == ["2024-01", "2024-02", "2024-03"]
    assert all(dict(frame.schema) == PNL_SCHEMA for frame in months.values())
    assert_same(joined.returns, returns)
    assert joined.absent.tolist() == [0] * 7


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(
        st.lists(st.floats(-1e12, 1e12), min_size=3, max_size=3), min_size=1, max_size=8
    ),
    gaps=st.lists(st.integers(1, 40), min_size=8, max_size=8),
    numbers=st.permutations([0, 5, 9]),
)
def test_any_matrix_comes_back_in_order_of_its_numbers(values, gaps, numbers):
    dates = np.datetime64("2024-01-01") + np.cumsum(gaps[: len(values)])
    returns = StrategyReturns(np.array(values), ("a", "b", "c"), dates)
    strategies = number_strategies(returns.names, dict(zip("abc", numbers, strict=True)))

    joined = join_months([f for _, f in month_frames(returns, strategies)], strategies).returns

    order = np.argsort(numbers)
    assert joined.names == tuple("abc"[i] for i in order)
    assert np.array_equal(bits(joined), bits(returns)[:, order])


def test_a_month_is_sorted_by_strategy_and_touches_no_other():
    returns = matrix()
    strategies = number_strategies(returns.names)
    months = dict(month_frames(returns, strategies))
    earlier = returns.dates < np.datetime64("2024-03-01")
    shorter = StrategyReturns(returns.pnl[earlier], returns.names, returns.dates[earlier])

    before = dict(month_frames(shorter, strategies))

    assert list(before) == ["2024-01", "2024-02"]
    assert all(months[month].equals(frame) for month, frame in before.items())
    assert months["2024-03"].equals(months["2024-03"].sort("strategy_id", "date"))


def test_numbers_last_while_strategies_come_and_go():
    first = number_strategies(["a", "b", "c"])
    known = dict(zip(first["name"], first["strategy_id"], strict=True))

    second = number_strategies(["d", "c", "a", "e"], known)

    assert second.rows() == [(3, "d"), (2, "c"), (0, "a"), (4, "e")]
    assert number_strategies([]).is_empty()
    with pytest.raises(PortfolioError, match="two numbers"):
        number_strategies(["a", "a"])
    with pytest.raises(PortfolioError, match="two strategies"):
        number_strategies(["c"], {"a": 1, "b": 1})


@pytest.mark.parametrize("zones", [(), ("A", "B")])
@pytest.mark.parametrize(
    "swap", [(0, 1), (3, 40), (0, 79)], ids=["neighbours", "two strategies", "both ends"]
)
def test_rows_out_of_place_find_their_place(zones, swap):
    returns = matrix(8, 10, zones)
    strategies = number_strategies(returns.names)
    [(_, frame)] = month_frames(returns, strategies)
    order = list(range(frame.height))
    order[swap[0]], order[swap[1]] = swap[1], swap[0]

    assert_same(join_months([frame[order]], strategies).returns, returns)


def test_strategies_that_a_month_lacks_are_0_there_and_counted():
    january = StrategyReturns(np.ones((2, 2)), ("a", "b"), np.array(["2024-01-01", "2024-01-02"],
                              dtype="datetime64[D]"))  # fmt: skip
    february = StrategyReturns(np.full((1, 2), 2.0), ("c", "a"), np.array(["2024-02-01"],
                               dtype="datetime64[D]"))  # fmt: skip
    table = number_strategies(["a", "b", "c"])
    known = dict(zip(table["name"], table["strategy_id"], strict=True))
    frames = [
        frame
        for returns in (february, january)
        for _, frame in month_frames(returns, number_strategies(returns.names, known))
    ]

    joined = join_months(frames, table)

    assert joined.returns.pnl.tolist() == [[1, 1, 0], [1, 1, 0], [2, 0, 2]]
    assert joined.absent.tolist() == [0, 1, 2]
    some = join_months(frames, table.filter(pl.col("name") == "b"))
    assert some.returns.pnl.tolist() == [[1], [1]]


def test_a_table_that_holds_a_cell_twice_is_refused():
    returns = matrix(3, 2)
    strategies = number_strategies(returns.names)
    [(_, frame)] = month_frames(returns, strategies)

    with pytest.raises(PortfolioError, match="S1, 2024-01-22: the table holds 2 values"):
        join_months([pl.concat([frame, frame[-1:]])], strategies)
    with pytest.raises(PortfolioError, match="stand more than once"):
        join_months([frame, frame], strategies)


def test_rows_by_zone_and_by_day_do_not_mix():
    by_zone, by_day = matrix(3, 2, ("A", "B")), matrix(3, 2)
    strategies = number_strategies(by_day.names)
    [(_, zones)], [(_, days)] = (list(month_frames(m, strategies)) for m in (by_zone, by_day))
    later = days.with_columns(pl.col("date").dt.offset_by("1mo"))

    for frames in ([zones, later], [pl.concat([zones, later])]):
        with pytest.raises(PortfolioError, match="some rows have a zone and some are whole days"):
            join_months(frames, strategies)


def test_nothing_stored_is_no_matrix():
    table = number_strategies(["a"])
    for frames in ([], [pl.DataFrame(schema=PNL_SCHEMA)]):
        with pytest.raises(PortfolioError, match="no stored row"):
            join_months(frames, table)
    [(_, frame)] = month_frames(matrix(3, 1), number_strategies(["S0"]))
    with pytest.raises(PortfolioError, match="no stored row"):
        join_months([frame], number_strategies(["x", "z"], {"z": 7, "x": 8}))


def test_the_table_of_strategies_must_be_that_of_the_matrix():
    with pytest.raises(PortfolioError, match="not that of the matrix"):
        list(month_frames(matrix(), number_strategies(["S1", "S0"])))


# ---------------------------------------------------------------------- wide


def rows_of(returns: StrategyReturns) -> pl.DataFrame:
    count = returns.rows
    told = {
        "date": pl.Series(returns.dates).cast(pl.Date),
        "zone": list(returns.zones or [None] * count),
        "start_time": [dt.time(9, 15)] * count,
        "regime_confidence": [0.7] * count,
        "file_row": range(1, count + 1),
    }
    empty = {name: [None] * count for name in ROWS_SCHEMA if name not in told}
    return pl.DataFrame(told | empty, schema_overrides=ROWS_SCHEMA).select(ROWS_SCHEMA.keys())


@pytest.mark.parametrize("zones", [(), ("A", "B")])
@pytest.mark.parametrize("with_rows", [False, True])
def test_the_wide_export_reads_back_with_the_same_bits(zones, with_rows):
    returns = matrix(zones=zones)
    rows = rows_of(returns) if with_rows else None
    file = io.BytesIO()

    wide_frame(returns, rows).write_parquet(file)
    table = pl.read_parquet(file.getvalue())
    again = read_frame_sheet(table.columns, [table], place="w", declared=load_strategy_files())

    assert_same(again.returns, returns)
    if rows is not None:
        assert again.rows.equals(rows)


def test_the_wide_export_leaves_out_what_no_row_says():
    returns = matrix(3, 2)

    assert wide_frame(returns).columns == ["Date", "S0", "S1"]
    told = ["Date", "start_time", "regime_confidence", "S0", "S1"]
    assert wide_frame(returns, rows_of(returns)).columns == told
    with pytest.raises(PortfolioError, match="table of rows is not that of the matrix"):
        wide_frame(returns, rows_of(returns)[::-1])
