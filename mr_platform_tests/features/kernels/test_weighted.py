"""Weighted means and deviations of the session against numpy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.weighted import (
    session_weighted_deviation,
    session_weighted_mean,
)

LENGTH = 30


def made(level: float) -> pl.DataFrame:
    random = np.random.default_rng(11)
    price = level + random.normal(size=2 * LENGTH)
    volume = np.floor(random.uniform(0, 9, size=2 * LENGTH))
    rows = pl.DataFrame({"x": price, "w": volume}).with_columns(
        g=pl.int_range(pl.len(), dtype=pl.UInt32) // LENGTH,
        j=(pl.int_range(pl.len(), dtype=pl.Int32) % LENGTH).cast(pl.Int32),
    )
    place = pl.int_range(pl.len())
    # prices without a weight, the first ones among them, and rows without either
    rows = rows.with_columns(pl.when(place % LENGTH > 1, place % 7 > 0).then("w").alias("w"))
    return rows.with_columns(
        pl.when(place % 11 > 0).then("x").alias("x"), pl.when(place % 11 > 0).then("w").alias("w")
    )


@pytest.mark.parametrize("level", [0.0, 25_000.0])
def test_moments_are_those_of_the_weighed_values_so_far(level: float) -> None:
    frame = made(level)
    p = ColumnPlan(length=LENGTH)
    moments = session_weighted_deviation(p, "x", "w")
    outputs = {
        "plain": session_weighted_mean(p, "x", "w"), "origin": moments.origin,
        "mean": moments.mean, "square": moments.square, "variance": moments.variance,
        "count": moments.count,
    }  # fmt: skip
    found = p.run(frame.lazy(), outputs).collect().rows(named=True)
    x, w = (frame[name].to_numpy() for name in ("x", "w"))
    for row, got in enumerate(found):
        rows = np.arange(row - row % LENGTH, row + 1)
        rows = rows[np.isfinite(x[rows]) & np.isfinite(w[rows])]
        assert got["count"] == len(rows)
        if not len(rows):
            assert got["origin"] is None
            continue
        origin = x[rows[0]]
        assert got["origin"] == origin
        if w[rows].sum() == 0:
            assert got["plain"] is got["mean"] is got["variance"] is None
            continue
        mean = np.average(x[rows], weights=w[rows])
        assert got["plain"] == pytest.approx(mean, rel=1e-12)
        assert origin + got["mean"] == pytest.approx(mean, rel=1e-12)
        offsets = x[rows] - origin
        assert got["square"] == pytest.approx(np.average(offsets**2, weights=w[rows]), abs=1e-12)
        spread = np.average((offsets - offsets.mean()) ** 2, weights=w[rows])
        spread -= (np.average(offsets, weights=w[rows]) - offsets.mean()) ** 2
        assert got["variance"] == pytest.approx(spread, abs=1e-10)
