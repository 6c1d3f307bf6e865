"""A row leaves once, with the first rule it breaks; the others stay in order."""

from __future__ import annotations

import polars as pl

from mr_platform.chain.sieve import REJECTED_SCHEMA, RowRule, Sieve

ROWS = pl.DataFrame({"_file": [0, 0, 0, 1], "_row": [1, 2, 3, 1], "price": [1.0, -1.0, None, -2.0]})
NEGATIVE = RowRule("negative", pl.col("price") < 0, "price", pl.format("was {}", "price"))
BELOW_ONE = RowRule("below_one", pl.col("price") < 1, "price", pl.lit("below one"))


def test_bad_rows_leave_with_reason_column_and_detail_and_null_is_not_bad():
    sieve = Sieve(ROWS)

    sieve.apply([NEGATIVE])

    assert sieve.rows["_row"].to_list() == [1, 3]
    assert sieve.rejected.rows() == [
        (0, 2, "negative", "price", "was -1.0"),
        (1, 1, "negative", "price", "was -2.0"),
    ]


def test_a_row_that_breaks_two_rules_is_told_by_the_first():
    sieve = Sieve(ROWS)

    sieve.apply([NEGATIVE, BELOW_ONE])

    assert sieve.rejected["reason"].to_list() == ["negative", "negative"]


def test_rows_named_by_file_and_number_leave():
    sieve = Sieve(ROWS)

    sieve.take_out(pl.DataFrame({"_file": [1], "_row": [1]}), "duplicate", None, "twice")

    assert sieve.rows.height == 3
    assert sieve.rejected.rows() == [(1, 1, "duplicate", None, "twice")]


def test_nothing_rejected_is_an_empty_frame_of_the_schema():
    sieve = Sieve(ROWS.clear())

    sieve.apply([NEGATIVE])

    assert dict(sieve.rejected.schema) == REJECTED_SCHEMA
    assert sieve.rejected.is_empty()


def test_rows_of_many_chunks_are_told_apart():
    """Polars 1.44 panicked on text formatting over the empty chunks that filtering leaves."""
    chunks = pl.concat([ROWS[:1], ROWS[1:2], ROWS[2:]], rechunk=False)
    sieve = Sieve(chunks)

    sieve.apply([NEGATIVE])

    assert sieve.rejected.height == 2
