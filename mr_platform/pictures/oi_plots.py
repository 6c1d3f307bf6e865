"""Open interest through the day: where its walls stand, how much there is, how it changes.

Here: three plots over the minutes of the session.
Not here: what a wall is (``features/oi_series.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mr_platform.pictures import style
from mr_platform.pictures.style import SideLabel
from mr_platform.pictures.symbol_day import Series, SymbolDay, ends

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MILLION = 1e6
_SIDES = (("calls", "oi_ce", style.CALL), ("puts", "oi_pe", style.PUT))


def draw_walls(axes: Axes, day: SymbolDay) -> None:
    """Strikes of the largest call and put open interest, their centres of mass, max pain, spot."""
    axes.set_ylabel("strike, index points")
    lines = (
        ("call wall", "call_wall", style.CALL, "-", 1.5),
        ("put wall", "put_wall", style.PUT, "-", 1.5),
        ("max pain", "max_pain", style.MAX_PAIN, "-.", 1.1),
        ("call centre", "oi_centroid_ce", style.CALL, ":", 1.1),
        ("put centre", "oi_centroid_pe", style.PUT, ":", 1.1),
        ("spot", "spot", style.SPOT, "-", 1.1),
    )
    labels: list[SideLabel] = []
    for name, column, colour, dashes, width in lines:
        values = day.series(column)
        if np.isfinite(values).any():
            style.draw_line(axes, values, colour=colour, stepped=True, linestyle=dashes,
                            linewidth=width, label=name)  # fmt: skip
            labels.append(SideLabel(ends(values)[1], f"{name} {ends(values)[1]:,.0f}", colour))
    axes.margins(y=0.12)
    _tell(axes, labels)


def draw_totals(axes: Axes, day: SymbolDay) -> None:
    """Open interest of all calls and of all puts."""
    axes.set_ylabel("open interest,\nmillion units")
    labels = _draw_sides(axes, day, lambda values: values, ",.1f")
    axes.margins(y=0.12)
    _tell(axes, labels)


def draw_changes(axes: Axes, day: SymbolDay) -> None:
    """Change of both since the first minute that has them."""
    axes.set_ylabel("change since open,\nmillion units")
    labels = _draw_sides(axes, day, lambda values: values - ends(values)[0], "+,.2f")
    if labels:
        axes.axhline(0, color=style.LEVEL, linewidth=0.9)
    _tell(axes, labels)


def _draw_sides(
    axes: Axes, day: SymbolDay, shown: Callable[[Series], Series], form: str
) -> list[SideLabel]:
    """Lines of calls and puts in millions, each as ``shown``, with its last value as a label."""
    labels = []
    for name, column, colour in _SIDES:
        values = day.series(column) / _MILLION
        if np.isfinite(values).any():
            line = shown(values)
            style.draw_line(axes, line, colour=colour)
            last = ends(line)[1]
            labels.append(SideLabel(last, f"{name} {last:{form}} m", colour))
    return labels


def _tell(axes: Axes, labels: Sequence[SideLabel]) -> None:
    """The labels beside the plot, or that there is nothing to show."""
    if not labels:
        style.nothing_here(axes, "no open interest on this day")
        return
    axes.set_ylim(axes.get_ylim())
    style.side_labels(axes, labels)
