"""The online features of c1 to c8, one strip each.

Here: range of a strip, what is drawn into it.
Not here: which features are online (``registry/declared``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mr_platform.pictures import style
from mr_platform.pictures.symbol_day import Series, SymbolDay, on_grid
from mr_platform.registry.model import FeatureColumn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_USED = 0.08
"""A declared range of which a day uses less than this share would show a flat line."""
_FILL = 0.84
"""Share of its row that a strip takes."""
_DOT = 1.8
"""Size of a lone minute in a strip, in points."""
_LAST = 38.0
"""Room for the last value, in points."""


@dataclass(frozen=True)
class StripRange:
    """What the lower and upper edge of a strip stand for.

    Attributes:
        base: Value from which the strip is filled: zero where the range holds it.
        declared: False where the day's own extremes are taken.
    """

    low: float
    high: float
    base: float
    declared: bool

    def place(self, values: Series) -> Series:
        """Values as heights in the strip, 0 to 1."""
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)


def strip_range(column: FeatureColumn, values: Series) -> StripRange:
    """The declared range of a feature, or the day's own where that is open or far too wide."""
    there = values[np.isfinite(values)]
    low, high = column.low, column.high
    if low is not None and high is not None:
        span = float(high) - float(low)
        extent = float(np.ptp(there)) if there.size else span
        reach = float(np.abs(there).max()) if there.size else span
        if max(extent, reach) >= _USED * span:
            return StripRange(float(low), float(high), _base(float(low), float(high)), True)
    if not there.size:
        return StripRange(-1.0, 1.0, 0.0, False)
    least = min(0.0, float(there.min()))
    most = max(0.0, float(there.max()))
    if least == most:
        most = 1.0
    return StripRange(least, most, 0.0, False)


def draw_strips(axes: Axes, day: SymbolDay, columns: Sequence[FeatureColumn]) -> None:
    """One strip for each column, from the top down, with range and last value at the right."""
    count = len(columns)
    axes.set_ylim(0, count)
    frames = {name: day.rows_of(name) for name in dict.fromkeys(c.component for c in columns)}
    for row, column in enumerate(columns):
        bottom = count - 1 - row + (1 - _FILL) / 2
        frame = frames[column.component]
        values = on_grid(frame, column.name) if frame is not None else np.full(375, np.nan)
        _strip(axes, values, strip_range(column, values), bottom)
        missing = frame is None or column.name not in frame.columns
        _right(axes, strip_range(column, values), values, bottom, missing=missing)
        if row and columns[row - 1].component != column.component:
            axes.axhline(count - row, color=style.LEVEL, linewidth=0.7)
    for name, colour in (
        ("above zero", style.CALL), ("below zero", style.PUT), ("null", style.NO_ROW)
    ):  # fmt: skip
        axes.plot([], [], color=colour, linewidth=6, solid_capstyle="butt", label=name)
    axes.set_yticks(
        [count - 0.5 - row for row in range(count)], labels=[column.name for column in columns]
    )
    axes.tick_params(axis="y", length=0, labelsize=7.5, labelcolor=style.INK)
    axes.spines["left"].set_visible(False)


def _strip(axes: Axes, values: Series, of: StripRange, bottom: float) -> None:
    missing = np.isnan(values)
    axes.fill_between(style.MINUTES, bottom, bottom + _FILL, where=_whole(missing), step="mid",
                      color=style.NO_ROW, linewidth=0)  # fmt: skip
    heights = bottom + _FILL * of.place(values)
    base = bottom + _FILL * float(of.place(np.array([of.base]))[0])
    axes.plot([0, len(values) - 1], [base, base], color=style.FAINT, linewidth=0.6, zorder=1)
    for where, colour in ((heights >= base, style.CALL), (heights < base, style.PUT)):
        if where.any():
            axes.fill_between(style.MINUTES, base, heights, where=_whole(where), step="mid",
                              color=colour, alpha=0.75, linewidth=0)  # fmt: skip
    for at in style.lone_minutes(values):  # an area over one minute has no width
        axes.vlines(at, base, heights[at], linewidth=1.0, alpha=0.75,
                    color=style.CALL if heights[at] >= base else style.PUT)  # fmt: skip
    style.draw_line(axes, heights, colour=style.INK, stepped=True, size=_DOT, linewidth=0.45,
                    alpha=0.7)  # fmt: skip


def _whole(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A step of one minute has no width of its own: let it reach into the next minute."""
    widened: NDArray[np.bool_] = where | np.roll(where, 1)
    return widened


def _right(axes: Axes, of: StripRange, values: Series, bottom: float, *, missing: bool) -> None:
    there = values[np.isfinite(values)]
    at = (1.018, bottom + _FILL / 2)
    beside = 0.0
    if missing:
        text = "table or column missing"
    elif not there.size:
        text = "null all day"
    else:
        last = _short(float(there[-1]))
        axes.text(*at, last, transform=axes.get_yaxis_transform(), va="center", fontsize=7.2)
        text = f"{_short(of.low)} … {_short(of.high)}" + ("" if of.declared else " (day)")
        beside = _LAST
    axes.annotate(
        text,
        xy=at,
        xycoords=axes.get_yaxis_transform(),
        xytext=(beside, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.2,
        color=style.MUTED,
        annotation_clip=False,
    )


def _short(value: float) -> str:
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def _base(low: float, high: float) -> float:
    return min(max(0.0, low), high)
