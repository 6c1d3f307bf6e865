"""The made day on which C7 is checked, its pool of levels, and how its tests read them."""

from __future__ import annotations

import math
from typing import Any

from mr_platform.features.c7_level_pool import DAY_LEVELS, GROUPS
from mr_platform.features.c7_level_set import price_levels
from mr_platform.features.c7_levels import TOUCH_LEVELS, WALLS, c7_features
from mr_platform_tests.features.c7_panels import MINUTES, Values, level_inputs, level_panel
from mr_platform_tests.features.stream_panels import NEAR, alike

PANEL = level_panel()
INPUTS = level_inputs(PANEL)
FEATURES = c7_features(INPUTS)
HERE = INPUTS.panel["expiry_date"] == NEAR
ROWS = INPUTS.panel.hstack(FEATURES.get_columns()).filter(HERE)
SPOT = ROWS["spot"].to_list()
SOURCE = {name: group for group, names in GROUPS.items() for name in names}


def pool() -> dict[str, Values]:
    """The 21 levels of the pool."""
    spot, _ = price_levels(INPUTS)
    levels = {name: spot[f"l_{name}"].to_list() for name in DAY_LEVELS}
    distance = 10 * ROWS["step"]
    levels["round_major"] = ((ROWS["spot"] / distance - 0.5).ceil() * distance).to_list()
    return levels | {name: ROWS[name].to_list() for name in (*WALLS, "max_pain")}


POOL = pool()
TOUCHES = {name: ROWS[f"c7_touches_{name}"].to_list() for name in (*TOUCH_LEVELS, *WALLS)}


def known(t: int) -> dict[str, float]:
    return {name: values[t] for name, values in POOL.items() if values[t] is not None}  # type: ignore[misc]


def side_of(t: int, side: str) -> dict[str, float]:
    """Levels of the pool on a side of spot."""
    spot = SPOT[t]
    if spot is None:
        return {}
    below = side == "support"
    return {name: x for name, x in known(t).items() if (x <= spot) == below}


def sources(t: int, level: float) -> set[str]:
    return {SOURCE[name] for name, x in known(t).items() if abs(x - level) <= 0.001 * level}


def sigma(t: int) -> float | None:
    returns = ROWS["r_und"].to_list()[max(t - 29, 0) : t + 1]
    minutes = ROWS["r_und_min"].to_list()[max(t - 29, 0) : t + 1]
    pairs = [(r, m) for r, m in zip(returns, minutes, strict=True) if r is not None]
    if len(pairs) < 20:
        return None
    return math.sqrt(sum(r * r for r, _ in pairs) / sum(m for _, m in pairs))


def nearest_to(t: int, levels: dict[str, float]) -> float | None:
    return min(levels.values(), key=lambda x: abs(SPOT[t] - x)) if levels else None  # type: ignore[operator]


def check(name: str, rule: Any) -> None:
    alike(ROWS[name], [rule(t) for t in range(MINUTES)])
