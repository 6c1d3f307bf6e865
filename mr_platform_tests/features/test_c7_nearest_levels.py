"""Levels next to spot on a made day, against loops over the pool."""

from __future__ import annotations

import math

import pytest

from mr_platform_tests.features.c7_days import (
    ROWS,
    SPOT,
    TOUCHES,
    check,
    known,
    nearest_to,
    side_of,
    sources,
)


@pytest.mark.parametrize("side", ["support", "resistance"])
@pytest.mark.parametrize(("points", "reach"), [(10, 0.001), (25, 0.0025), (50, 0.005)])
def test_confluence(side: str, points: int, reach: float) -> None:
    def count(t: int) -> int | None:
        if SPOT[t] is None or len(known(t)) < 8:
            return None
        return sum(abs(SPOT[t] - x) / SPOT[t] <= reach for x in side_of(t, side).values())

    check(f"c7_confluence_{side}_{points}bp", count)


@pytest.mark.parametrize("side", ["support", "resistance"])
def test_nearest_level_its_strength_and_the_nearest_cluster(side: str) -> None:
    def distance(t: int, level: float | None) -> float | None:
        return None if level is None else 100 * abs(SPOT[t] - level) / SPOT[t]  # type: ignore[operator]

    def firm(t: int) -> float | None:
        level = nearest_to(t, side_of(t, side))
        if level is None:
            return None
        members = [n for n, x in known(t).items() if abs(x - level) <= 0.001 * level]
        touched = sum(TOUCHES[n][t] or 0 for n in members if n in TOUCHES)
        return 1 - math.exp(-(len(sources(t, level)) - 1 + 0.5 * touched) / 3)

    def cluster(t: int) -> float | None:
        several = {n: x for n, x in side_of(t, side).items() if len(sources(t, x)) >= 2}
        return distance(t, nearest_to(t, several))

    check(f"c7_nearest_{side}_dist", lambda t: distance(t, nearest_to(t, side_of(t, side))))
    check(f"c7_nearest_{side}_strength", firm)
    check(f"c7_cluster_{side}_dist", cluster)


def test_what_follows_from_the_nearest_levels() -> None:
    below, above = (ROWS[f"c7_nearest_{s}_dist"].to_list() for s in ("support", "resistance"))
    firm = [ROWS[f"c7_nearest_{s}_strength"].to_list() for s in ("support", "resistance")]

    def score(t: int) -> float | None:
        pairs = [
            (x[t], math.exp(-away[t] / 0.25))
            for x, away in zip(firm, (below, above), strict=True)
            if away[t] is not None
        ]
        return sum(x * w for x, w in pairs) / sum(w for _, w in pairs) if pairs else None

    def both(t: int) -> bool:
        return below[t] is not None and above[t] is not None

    check("c7_level_strength_score", score)
    check("c7_channel_position", lambda t: below[t] / (below[t] + above[t]) if both(t) else None)
    check("c7_channel_width", lambda t: below[t] + above[t] if both(t) else None)
