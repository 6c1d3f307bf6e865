"""Prepared queries against the same query written over each frame."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mr_platform.features.prepared_queries import PreparedQuery

FRAME = pl.DataFrame({"g": [0, 0, 1, 1], "x": [1.0, None, 3.0, 4.0]})


def query(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select("g", total=pl.col("x").cum_sum().over("g"), twice=pl.col("x") * 2)


def test_each_frame_gives_what_the_query_gives_over_it() -> None:
    prepared = PreparedQuery(query, FRAME.schema)
    for frame in (FRAME, FRAME.reverse(), FRAME.head(0), FRAME.slice(1, 2)):
        with prepared.over(frame) as found:
            assert_frame_equal(found.collect(), query(frame.lazy()).collect(), check_exact=True)


def test_an_optimised_run_reads_the_columns_and_rows_it_asks_for() -> None:
    def part(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.filter(pl.col("x") > 1).select("x").head(1)

    prepared = PreparedQuery(part, FRAME.schema)
    with prepared.over(FRAME) as found:
        assert found.collect(optimizations=pl.QueryOptFlags())["x"].to_list() == [3.0]


def test_the_query_is_written_once() -> None:
    written = []

    def counted(rows: pl.LazyFrame) -> pl.LazyFrame:
        written.append(rows)
        return query(rows)

    prepared = PreparedQuery(counted, FRAME.schema)
    for _ in range(3):
        with prepared.over(FRAME) as found:
            found.collect()
    assert len(written) == 1


def test_the_data_are_let_go_of_after_the_run() -> None:
    prepared = PreparedQuery(query, FRAME.schema)
    with prepared.over(FRAME) as found:
        found.collect()
    with pytest.raises(pl.exceptions.ComputeError, match=r"inside over\(\) only"):
        found.collect()


def test_threads_at_the_same_time_see_their_own_data() -> None:
    prepared = PreparedQuery(query, FRAME.schema)
    together = Barrier(4, timeout=60)

    def run(number: int) -> list[float]:
        frame = FRAME.with_columns(x=pl.lit(float(number)))
        with prepared.over(frame) as found:
            together.wait()  # all four hold a query now
            return found.collect()["twice"].to_list()

    for _ in range(5):
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(run, range(4))) == [[2.0 * n] * 4 for n in range(4)]
