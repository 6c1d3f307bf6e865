"""Figures beside recorded ones: errors, tolerance, what cannot be compared."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.parity.portfolio_figures import (
    COMPARISON_SCHEMA,
    PAIRS_SCHEMA,
    ParityError,
    account,
    compared,
    violations,
)


def pairs(*rows: tuple[float | None, float | None], reason: str | None = None) -> pl.DataFrame:
    return pl.DataFrame(
        [
            ("group", f"s{place}", "measure", ours, theirs, "rows", reason)
            for place, (ours, theirs) in enumerate(rows)
        ],
        schema=PAIRS_SCHEMA,
        orient="row",
    )


def test_errors_by_hand():
    found = compared(
        pairs(
            (1.00001, 1.0), (1.000011, 1.0), (-2.0, -2.0), (1e-6, 0.0), (1.0, -1.0),
            (math.inf, math.inf), (math.inf, -math.inf), (math.inf, 1.0),
            (None, 1.0), (1.0, None), (math.nan, math.nan), (None, None), (math.nan, 1.0),
        ),
        1e-5 + 1e-12,
    )  # fmt: skip

    assert dict(found.schema) == COMPARISON_SCHEMA
    assert found["relative_error"].to_list() == pytest.approx(
        [1e-5, 1.1e-5, 0, 1e-6, 2, 0, math.inf, math.inf, math.inf, math.inf, 0, 0, math.inf],
        rel=1e-9,
    )
    assert found["within"].to_list() == [
        True, False, True, True, False, True, False, False, False, False, True, True, False,
    ]  # fmt: skip
    assert found["reproducible"].all()


def test_an_error_at_the_tolerance_is_within():
    assert compared(pairs((1.5, 1.0)), 0.5)["within"].to_list() == [True]


def test_a_figure_with_a_reason_is_not_compared():
    found = compared(pairs((None, 1.0), (5.0, 1.0), reason="rows are not held"), 1e-5)

    assert found["reproducible"].to_list() == [False, False]
    assert found["relative_error"].to_list() == [None, None]
    assert found["within"].to_list() == [None, None]
    assert violations(found).height == 0


def test_violations_come_worst_first():
    found = violations(compared(pairs((1.0, 1.0), (1.1, 1.0), (3.0, 1.0), (None, 1.0)), 1e-5))
    assert found["subject"].to_list() == ["s3", "s2", "s1"]


def test_an_account_of_each_measure():
    other = pairs((1.0, 2.0), reason="b").with_columns(measure=pl.lit("other"))
    frame = pl.concat(
        [
            other,
            pairs((1.0, 1.0), (2.0, 1.0)),
            pairs((None, 1.0), reason="a"),
            pairs((None, 1.0), (None, 1.0), reason="b"),
        ]
    )
    found = account(compared(frame, 1e-5))

    assert found["measure"].to_list() == ["other", "measure"]
    assert found["compared"].to_list() == [0, 2]
    assert found["within"].to_list() == [0, 1]
    assert found["worst"].to_list() == [None, 1.0]
    assert found["not_reproducible"].to_list() == [1, 3]
    assert found["reasons"].to_list() == [1, 2]
    assert found["reason"].to_list() == ["b", "b"]
    assert found["bases"].to_list() == [None, "rows"]


def test_nothing_to_compare():
    empty = compared(pairs(), 1e-5)
    assert dict(empty.schema) == COMPARISON_SCHEMA
    assert account(empty).height == 0


@pytest.mark.parametrize("tolerance", [0.0, -1.0, math.nan])
def test_a_tolerance_that_is_none(tolerance):
    with pytest.raises(ParityError, match="tolerance"):
        compared(pairs((1.0, 1.0)), tolerance)


def test_columns_that_are_missing():
    with pytest.raises(ParityError, match="lack basis, reason"):
        compared(pairs((1.0, 1.0)).drop("basis", "reason"), 1e-5)
