"""How every plot looks: colours, the time axis, shaded zones, labels beside a plot.

Here: what all plots of a day share.
Not here: what a plot shows (the modules named after it).

Colours are those of Okabe and Ito, which stay apart for readers with any form of colour
blindness; calls are blue and puts vermilion everywhere, and no meaning hangs on red and green.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mr_platform.trading_calendar import SESSION_MINUTES, SESSION_OPEN, ZONES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1f2933"
MUTED = "#5f6b76"
FAINT = "#c9d0d6"
BAND = "#f3f5f8"
PAPER = "#ffffff"

SPOT = INK
CALL = "#0072b2"
PUT = "#d55e00"
STRADDLE = "#00795b"
VWAP = "#c79a00"
MAX_PAIN = "#a6498b"
LEVEL = "#6b7785"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#a6498b", "#c79a00", "#56b4e9")
"""Colours of several series of one kind, such as expiries."""

NULL_SHADES = (PAPER, "#fde0b8", "#f0a35c", "#d55e00", "#7a3200", "#3a1700")
"""No null to nothing but nulls."""
SHADES_OF_BLUE = ("#9ecae1", "#4292c6", "#08519c", "#08264d")
"""Early to late."""

NO_ROW = "#d6dbe0"
"""Where there is nothing to show: no row, or a null."""

PARAMETERS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "grid.color": "#e6eaee",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.3,
    "lines.solid_joinstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.6,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}

MINUTES = np.arange(SESSION_MINUTES)
_TICKS = ("09:15", "10:00", "11:00", "12:00", "13:00", "14:00", "15:00", "15:30")
_LEAST_APART = 12
_ARROWS = {-1: "↓ ", 0: "", 1: "↑ "}
_LONE_SIZE = 3.0
"""Size of the marker of a lone minute, in points."""
_EDGE_SIZE = 4.5
"""Size of the triangle at which a line leaves its plot, in points."""
_NOTE_LINE = 9.0
"""Height of a note inside a plot, in points."""


@dataclass(frozen=True)
class SideLabel:
    """A text at the right edge of a plot, at the height of a value."""

    value: float
    text: str
    colour: str = INK


def lone_minutes(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places of values with none before and none after them: a line through them shows nothing."""
    there = np.isfinite(values)
    beside = np.zeros(len(values), dtype=np.bool_)
    beside[1:] |= there[:-1]
    beside[:-1] |= there[1:]
    return np.flatnonzero(there & ~beside)


def draw_line(
    axes: Axes,
    values: NDArray[np.float64],
    *,
    colour: str,
    stepped: bool = False,
    size: float = _LONE_SIZE,
    **look: Any,
) -> None:
    """A line over the minutes of the session; a lone minute is a small dot of its colour.

    Args:
        axes: Where to draw.
        values: One value a minute, NaN where there is none.
        colour: Of line and dots.
        stepped: Whether a value holds for its whole minute.
        size: Of the dots, in points.
        look: What else matplotlib is told of the line.
    """
    alone = lone_minutes(values)
    if alone.size:
        look |= {"marker": "o", "markersize": size, "markeredgewidth": 0,
                 "markevery": alone.tolist()}  # fmt: skip
    axes.plot(MINUTES, values, color=colour,
              drawstyle="steps-mid" if stepped else "default", **look)  # fmt: skip


def mark_lone(axes: Axes, values: NDArray[np.float64], colour: str) -> None:
    """The dots of ``draw_line`` for values that are drawn by other means than a line."""
    alone = lone_minutes(values)
    if alone.size:
        axes.plot(MINUTES[alone], values[alone], color=colour, linestyle="none", marker="o",
                  markersize=_LONE_SIZE, markeredgewidth=0)  # fmt: skip


def mark_leaving(
    axes: Axes, values: NDArray[np.float64], colour: str, told: str, line: int = 0
) -> int:
    """Triangles at the edge where values leave a plot whose limits are set, and how far they go.

    Args:
        axes: The plot.
        values: One value a minute, NaN where there is none.
        colour: Of the series.
        told: Format of the note, given the farthest ``value`` and its time ``at``.
        line: Notes that stand in the plot already; this one is written below them.

    Returns:
        Notes that stand in the plot now.
    """
    low, high = axes.get_ylim()
    for outside, edge, marker, farthest in (
        (values > high, 1.0, "^", np.nanargmax),
        (values < low, 0.0, "v", np.nanargmin),
    ):
        if not outside.any():
            continue
        there = np.flatnonzero(np.isfinite(values))  # minutes without a value are no return
        left = outside[there]
        starts = there[left & ~np.concatenate(([False], left[:-1]))]
        axes.plot(
            starts, np.full(len(starts), edge), color=colour, linestyle="none", marker=marker,
            markersize=_EDGE_SIZE, markeredgewidth=0, clip_on=False, zorder=5,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        place = int(farthest(values))
        arrow = _ARROWS[1 if edge else -1]
        late = place > SESSION_MINUTES // 2
        away = -(4 + _NOTE_LINE * line) if edge else 4 + _NOTE_LINE * line
        axes.annotate(
            arrow + told.format(value=values[place], at=clock_of(place)), xy=(place, edge),
            xycoords=axes.get_xaxis_transform(), xytext=(-5 if late else 5, away),
            textcoords="offset points", ha="right" if late else "left",
            va="top" if edge else "bottom", fontsize=7.5, color=colour, annotation_clip=False,
            zorder=6,
        )  # fmt: skip
        line += 1
    return line


def minute_of(clock: dt.time) -> int:
    """Minutes from the open of the session to an IST time of day."""
    return (clock.hour - SESSION_OPEN.hour) * 60 + clock.minute - SESSION_OPEN.minute


def clock_of(minute: int) -> str:
    """IST time of day of a minute of the session."""
    total = SESSION_OPEN.hour * 60 + SESSION_OPEN.minute + minute
    return f"{total // 60:02d}:{total % 60:02d}"


def time_axis(axes: Axes, *, labelled: bool) -> None:
    """Minutes of the session in IST along the lower edge."""
    places = [minute_of(dt.time.fromisoformat(text)) for text in _TICKS]
    axes.set_xticks(places, labels=_TICKS if labelled else [""] * len(places))
    axes.set_xlim(-0.5, SESSION_MINUTES)
    if labelled:
        axes.set_xlabel("time of day, IST (start of the minute)", labelpad=2)


def shade_zones(axes: Axes, *, named: bool = False) -> None:
    """Shade every second zone of the session; name them along the upper edge."""
    for place, zone in enumerate(ZONES):
        first, last = minute_of(zone.start) - 0.5, minute_of(zone.end) - 0.5
        if place % 2 == 0:
            axes.axvspan(first, last, color=BAND, zorder=0, linewidth=0)
        if named:
            axes.text(
                (first + last) / 2,
                1.0,
                zone.name.replace("_", " ").lower(),
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=7.5,
                color=MUTED,
            )


def side_labels(axes: Axes, labels: Sequence[SideLabel], *, size: float = 8) -> None:
    """Write values beside the plot, pushed apart where they would overlap.

    A value outside the plot is written at the nearest edge with an arrow.
    """
    low, high = axes.get_ylim()
    figure = axes.get_figure()
    if not labels or figure is None or high == low:
        return
    height = float(axes.get_position().height * figure.get_figure(root=True).get_figheight() * 72)
    gap = 1.3 * size / height
    ascending = sorted(labels, key=lambda label: label.value)
    wanted = [(label.value - low) / (high - low) for label in ascending]
    for label, place, at in zip(
        ascending, wanted, spread([min(max(p, 0.0), 1.0) for p in wanted], gap), strict=True
    ):
        arrow = _ARROWS[-1 if place < 0 else 1 if place > 1 else 0]
        axes.annotate(
            f"{arrow}{label.text}",
            xy=(1.0, min(max(place, 0.0), 1.0)),
            xytext=(1.018, at),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=size,
            color=label.colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.7, "shrinkA": 0,
                        "shrinkB": 0},
        )  # fmt: skip


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places from 0 to 1 moved as little as possible to lie ``gap`` apart inside it.

    Least squares: less the gaps before it, a place may not fall below the one before; where it
    would, both take their mean (pool adjacent violators). Too many places lie closer.
    """
    if len(places) > 1:
        gap = min(gap, 1.0 / (len(places) - 1))
    pools: list[tuple[float, int]] = []
    for number, place in enumerate(places):
        mean, count = place - number * gap, 1
        while pools and pools[-1][0] > mean:
            before, size = pools.pop()
            mean = (mean * count + before * size) / (count + size)
            count += size
        pools.append((mean, count))
    most = 1.0 - (len(places) - 1) * gap
    level = [min(max(mean, 0.0), most) for mean, count in pools for _ in range(count)]
    return [place + number * gap for number, place in enumerate(level)]


def palette() -> list[int]:
    """256 colours as flat RGB values: those of the plots, and their blends with the paper.

    A PNG of these has a third of the bytes of a full one, and the edges of lines stay smooth.
    """
    strong = (INK, CALL, PUT, STRADDLE, VWAP, MAX_PAIN, *SERIES, *SHADES_OF_BLUE)
    light = (MUTED, LEVEL, FAINT, BAND, NO_ROW, PAPER)
    exact = [_rgb(colour) for colour in (*light, *strong)]
    ramp = [_rgb(colour) for colour in NULL_SHADES]
    blends = [
        _blend(first, second, step / 10)
        for first, second in pairwise(ramp)
        for step in range(1, 10)
    ]
    faded = [
        _blend(_rgb(colour), _rgb(PAPER), step / 8)
        for colour in dict.fromkeys(strong)
        for step in range(1, 8)
    ]
    found: list[tuple[int, int, int]] = []
    for colour in (*exact, *ramp, *blends, *faded):
        # Pillow finds the nearest colour in steps of four: too near ones would be mixed up
        if all(_apart(colour, other) >= _LEAST_APART for other in found):
            found.append(colour)
    found = [*found[:256], *[found[0]] * (256 - len(found))]
    return [part for colour in found for part in colour]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _apart(first: tuple[int, int, int], second: tuple[int, int, int]) -> int:
    return sum(abs(a - b) for a, b in zip(first, second, strict=True))


def _blend(
    first: tuple[int, int, int], second: tuple[int, int, int], share: float
) -> tuple[int, int, int]:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def nothing_here(axes: Axes, text: str) -> None:
    """Say inside an empty plot why it is empty."""
    axes.set_yticks([])
    axes.text(
        0.5,
        0.5,
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=MUTED,
        fontsize=9,
        wrap=True,
    )
