"""Pivots and the central pivot range of a period worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from mr_platform.features.kernels.levels import (
    pivots,
    range_position,
    range_side,
    range_width,
)


def test_pivots_of_a_day() -> None:
    lines = pivots("h", "l", "c")
    frame = pl.DataFrame({"h": [110.0], "l": [100.0], "c": [108.0]})
    found = frame.select(
        pp=lines.pp, r1=lines.r1, s1=lines.s1, r2=lines.r2, s2=lines.s2, bc=lines.bc, tc=lines.tc,
        width=range_width(lines),
    ).row(0, named=True)  # fmt: skip
    assert found == pytest.approx(
        {
            "pp": 106.0, "r1": 112.0, "s1": 102.0, "r2": 116.0, "s2": 96.0, "bc": 105.0,
            "tc": 107.0, "width": 100.0 * 2.0 / 106.0,
        }
    )  # fmt: skip


def test_place_of_a_price_against_the_range() -> None:
    lines = pivots(pl.lit(110.0), pl.lit(100.0), pl.lit(108.0))
    prices = pl.DataFrame({"p": [107.5, 107.0, 106.0, 105.0, 104.0, None]})
    found = prices.select(
        place=range_position(pl.col("p"), lines), side=range_side(pl.col("p"), lines)
    )
    assert found["place"].to_list() == pytest.approx([0.15, 0.1, 0.0, -0.1, -0.2, None])
    # the edges belong to the range
    assert found["side"].to_list() == [1, 0, 0, 0, -1, None]


def test_a_close_below_the_middle_turns_the_range_over() -> None:
    lines = pivots(pl.lit(110.0), pl.lit(100.0), pl.lit(102.0))
    prices = pl.DataFrame({"p": [105.5, 104.0, 102.5]})
    assert prices.select(range_side(pl.col("p"), lines)).to_series().to_list() == [1, 0, -1]


def test_no_range_no_place_and_an_unknown_period_no_lines() -> None:
    frame = pl.DataFrame({"h": [100.0, None], "l": [100.0, 90.0], "c": [100.0, 95.0]})
    lines = pivots("h", "l", "c")
    found = frame.select(
        place=range_position(pl.lit(101.0), lines),
        side=range_side(pl.lit(101.0), lines),
        width=range_width(lines),
    )
    assert found["place"].to_list() == [None, None]
    assert found["side"].to_list() == [1, None]
    assert found["width"].to_list() == pytest.approx([0.0, None])
