"""The frozen yardsticks are still what they were: their text, and what they find."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mr_platform_tests.benchmarks import baseline_hill_climb, baseline_legacy_fitness
from mr_platform_tests.portfolio.search.made_problems import made_returns

FROZEN = {
    "hill_climb": "6b713b03dafb3ababdb9fd9e472431dd76f9d4b25379c77bf26ff588d8d3c52d",
    "legacy_fitness": "2c58aca23706b5db7effba155bd6d6ca8327f30d0db52df775d0912a2931506c",
}


@pytest.mark.parametrize("name", FROZEN)
def test_the_text_of_a_yardstick_is_frozen(name: str) -> None:
    found = hashlib.sha256(Path(__file__).with_name(f"baseline_{name}.py").read_bytes()).hexdigest()
    assert found == FROZEN[name], "a ratio to a yardstick that moves tells nothing: put it back"


def test_every_yardstick_is_frozen() -> None:
    held = {
        path.stem.removeprefix("baseline_") for path in Path(__file__).parent.glob("baseline_*.py")
    }
    assert held == FROZEN.keys()


def test_what_the_hill_climb_finds() -> None:
    members, fitness = baseline_hill_climb.climb(made_returns(30, 60), 6, 7, 6_400)
    assert sorted(members.tolist()) == [3, 4, 8, 24, 27, 30]
    assert fitness == pytest.approx(93.05652691173802, rel=1e-9)


def test_what_the_legacy_annealing_finds() -> None:
    pnl = made_returns(30, 60)
    matrix = baseline_legacy_fitness.correlations(pnl)
    members, fitness, judged = baseline_legacy_fitness.greedy_annealing(pnl, matrix, 6, 7)
    assert (sorted(members), judged) == ([4, 6, 18, 21, 29, 41], 1001)
    assert fitness == pytest.approx(43.115719778175276, rel=1e-9)
