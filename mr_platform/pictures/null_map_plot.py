"""The map of nulls as a heat map: minutes across, groups of columns down.

Here: rows, colours, labels.
Not here: the shares (``null_map.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mr_platform.pictures import style
from mr_platform.pictures.null_map import INPUTS, NullRow
from mr_platform.trading_calendar import SESSION_MINUTES, ZONES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_null_map(axes: Axes, rows: Sequence[NullRow], *, size: float = 7.2) -> None:
    """Share of null values by group and minute; grey where the expiry has no row.

    Args:
        axes: Where to draw.
        rows: Rows from the top down.
        size: Size of the labels in points.
    """
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("nulls", style.NULL_SHADES, bad=style.NO_ROW)
    count = len(rows)
    shares = np.ma.masked_invalid(np.stack([row.shares for row in rows]))
    axes.imshow(
        shares, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest",
        extent=(-0.5, SESSION_MINUTES - 0.5, count, 0),
    )  # fmt: skip
    for place, row in enumerate(rows):
        axes.text(1.018, place + 0.5, _right(row), transform=axes.get_yaxis_transform(),
                  va="center", fontsize=size, color=style.MUTED)  # fmt: skip
        if place:
            new = rows[place - 1].component != row.component
            axes.axhline(place, color=style.LEVEL if new else style.BAND,
                         linewidth=0.8 if new else 0.5)  # fmt: skip
    for zone in ZONES[1:]:
        axes.axvline(style.minute_of(zone.start) - 0.5, color=style.LEVEL, linewidth=0.6,
                     linestyle=":")  # fmt: skip
    axes.set_yticks(np.arange(count) + 0.5, labels=[_left(row) for row in rows])
    axes.tick_params(axis="y", length=0, labelsize=size, labelcolor=style.INK)
    style.time_axis(axes, labelled=True)


def draw_scale(axes: Axes) -> None:
    """What the colours mean, as a small bar."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("nulls", style.NULL_SHADES)
    axes.imshow(np.linspace(0, 1, 64)[None, :], cmap=colours, aspect="auto", extent=(0, 1, 0, 1))
    axes.set_xlim(-0.55, 1)
    axes.axvspan(-0.55, -0.25, color=style.NO_ROW, linewidth=0)
    axes.set_yticks([])
    axes.set_xticks([-0.4, 0, 0.5, 1], labels=["no row", "0", "50", "100 % null"])
    axes.tick_params(axis="x", length=0, labelsize=7, pad=1)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _left(row: NullRow) -> str:
    if row.component == INPUTS:
        return f"panel · {row.name} ({row.columns})"
    return f"{row.component} · {row.name.replace('_', ' ')} ({row.columns})"


def _right(row: NullRow) -> str:
    share = row.day_share
    if share is None:
        return "no rows"
    if share == 0:
        return "0 %"
    first = row.first_full_minute
    when = f"first full at {style.clock_of(first)}" if first is not None else "never full"
    return f"{100 * share:.1f} %  {when}"
