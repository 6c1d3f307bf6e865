"""Mean squares a minute covered against loops, and what a year makes of them."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from mr_platform.features.column_plan import ColumnPlan
from mr_platform.features.kernels.volatility import (
    YEAR_MINUTES,
    annual,
    mean_square,
    session_mean_square,
)

LENGTH = 40
GROUPS = 3


def made() -> pl.DataFrame:
    """Returns with gaps: one after a gap of k minutes spans k + 1."""
    random = np.random.default_rng(7)
    rows = []
    for group in range(GROUPS):
        since = 1
        for j in range(LENGTH):
            missing = random.random() < 0.3
            rows.append((group, j, None if missing else random.normal(0, 1e-3),
                         None if missing else since))  # fmt: skip
            since = min(since + 1, 3) if missing else 1
    schema = {"g": pl.UInt32, "j": pl.Int32, "r": pl.Float64, "r_min": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row")


FRAME = made()


def expected(first: int, last: int, needed: int) -> float | None:
    window = [
        (r, minutes)
        for r, minutes in FRAME.select("r", "r_min").rows()[first : last + 1]
        if r is not None
    ]
    if len(window) < needed:
        return None
    return sum(r * r for r, _ in window) / sum(minutes for _, minutes in window)


@pytest.mark.parametrize(("w", "needed"), [(5, 3), (15, 10), (100, 1)])
def test_a_mean_square_is_per_minute_covered(w: int, needed: int) -> None:
    p = ColumnPlan(length=LENGTH)
    outputs = {"found": mean_square(p, "r", "r_min", w, needed)}
    found = p.run(FRAME.lazy(), outputs).collect()["found"].to_list()
    for row, value in enumerate(found):
        start = row - row % LENGTH
        wanted = expected(max(start, row - w + 1), row, needed)
        assert value == (None if wanted is None else pytest.approx(wanted, rel=1e-12))


def test_of_the_session_it_is_over_all_returns_so_far() -> None:
    p = ColumnPlan(length=LENGTH)
    outputs = {"found": session_mean_square(p, "r", "r_min", 8)}
    found = p.run(FRAME.lazy(), outputs).collect()["found"].to_list()
    for row, value in enumerate(found):
        wanted = expected(row - row % LENGTH, row, 8)
        assert value == (None if wanted is None else pytest.approx(wanted, rel=1e-12))


def test_a_year_has_94500_minutes() -> None:
    assert YEAR_MINUTES == 94_500
    assert pl.select(annual(pl.lit(4e-8))).item() == pytest.approx(2e-4 * math.sqrt(94_500))
