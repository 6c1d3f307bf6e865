"""C8: the votes of the components' key series.

Here: votes_of, the two channels. Not here: the columns made of them (c8.py, c8_stability.py).
"""

from __future__ import annotations

import datetime as dt
import math

from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.reference.day import MINUTES, Day, Result
from mr_platform_tests.features.reference.plain import mean, ratio, rms, tanh, zscore

REGISTRY = load_registry()
DECLARED = REGISTRY.components["c8"].extra
CHANNELS = {channel: DECLARED["votes"][channel] for channel in ("direction", "expansion")}
"""Channel to name of the vote to key series."""
BREAK_COLUMNS = [
    column.name
    for column in REGISTRY.components["c7"].columns
    if column.name.startswith("c7_break_")
]
LEAST_BREAKS = 5
LEAST_MINUTES = 15


def stored(day: Day, e: dt.date, components: dict[str, Result], name: str) -> list:
    """A column of a component; null where the expiry has no row."""
    values = components.get(name[:2], {}).get(name, {}).get(e, [None] * MINUTES)
    return [x if day.present(e, j) else None for j, x in enumerate(values)]


def key_series(day: Day, e: dt.date, components: dict[str, Result], name: str) -> list:
    """The values that a vote is made of."""
    if name != "c7_break_mean":
        return stored(day, e, components, name)
    ten = [stored(day, e, components, column) for column in BREAK_COLUMNS]
    return [mean([column[j] for column in ten], LEAST_BREAKS) for j in range(MINUTES)]


def votes_of(day: Day, e: dt.date, components: dict[str, Result]) -> dict[str, list]:
    """Name of a vote to its 375 values.

    Args:
        day: The day, for presence.
        e: Expiry.
        components: Results of c1 to c7.
    """
    out: dict[str, list] = {}
    for names in CHANNELS.values():
        for vote, name in names.items():
            how = DECLARED["key_series"][name]
            x = key_series(day, e, components, name)
            shaped = [normed(how["norm"], name, x, j) for j in range(MINUTES)]
            out[vote] = [None if y is None else how["orient"] * y for y in shaped]
    return out


def normed(norm: str, name: str, x: list, j: int) -> float | None:
    """The norm of a key series at a minute."""
    if x[j] is None:
        return None
    so_far = x[: j + 1]
    if norm == "signed":
        return tanh(ratio(x[j], rms(so_far, LEAST_MINUTES)))
    if norm == "unsigned":
        return tanh(zscore(x[j], so_far, LEAST_MINUTES))
    low, high = declared_range(name)
    return 2 * (x[j] - low) / (high - low) - 1


def declared_range(name: str) -> tuple[float, float]:
    """Declared low and high of a column."""
    for column in REGISTRY.components[name[:2]].columns:
        if column.name == name and math.isfinite(column.low) and math.isfinite(column.high):
            return column.low, column.high
    raise KeyError(name)
