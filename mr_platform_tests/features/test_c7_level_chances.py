"""Chances of passing the nearest levels, by the error function."""

from __future__ import annotations

import math

import polars as pl
import pytest

from mr_platform.features import stacks
from mr_platform.features.c7_level_chances import passing_chances
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.c7_days import ROWS, check, sigma

MINUTES = 375


@pytest.mark.parametrize("side", ["support", "resistance"])
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_hit_probability(side: str, minutes: int) -> None:
    away = ROWS[f"c7_nearest_{side}_dist"].to_list()

    def chance(t: int) -> float | None:
        s = sigma(t)
        if s is None or away[t] is None:
            return None
        return math.erfc(away[t] / (100 * s * math.sqrt(minutes)) / math.sqrt(2))

    check(f"c7_hit_prob_{side}_{minutes}m", chance)


def test_a_breakout_passes_either_side_by_the_margin() -> None:
    below, above = (ROWS[f"c7_nearest_{s}_dist"].to_list() for s in ("support", "resistance"))

    def passing(t: int) -> float | None:
        s = sigma(t)
        if s is None or below[t] is None or above[t] is None:
            return None
        u, d = (math.erfc((x[t] + 0.05) / (100 * s * math.sqrt(60))) for x in (above, below))
        return 1 - (1 - u) * (1 - d)

    check("c7_breakout_probability", passing)


def rows() -> pl.DataFrame:
    """One day: a level that comes nearer, one that is unknown at times, calm that ends."""
    minute = pl.int_range(MINUTES, eager=True).cast(pl.Float64)
    return pl.DataFrame(
        {
            "c7_nearest_support_dist": minute / MINUTES,
            "c7_nearest_resistance_dist": pl.Series(
                [None if t % 5 == 0 else 0.2 for t in range(MINUTES)]
            ),
            "u_sigma": pl.Series([0.0 if t < 9 else 1e-4 for t in range(MINUTES)]),
        }
    )


def test_without_movement_or_a_level_there_is_no_chance_to_tell() -> None:
    found = pl.DataFrame(passing_chances(rows(), CpuEngine()))
    assert found.width == 2 * 3 + 1
    assert found.head(9).null_count().row(0) == (9,) * found.width
    unknown = pl.col("c7_hit_prob_resistance_15m").is_null()
    assert found.slice(9).filter(unknown).height == sum(t % 5 == 0 for t in range(9, MINUTES))
    known = found["c7_hit_prob_support_15m"].drop_nulls().to_list()
    assert known == sorted(known, reverse=True)
    assert all(0.0 <= x <= 1.0 for x in known)


def test_a_limit_of_rows_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pl.DataFrame(passing_chances(rows(), CpuEngine()))
    monkeypatch.setattr(stacks, "STACK_ROWS", 1)
    assert pl.DataFrame(passing_chances(rows(), CpuEngine())).equals(whole)
