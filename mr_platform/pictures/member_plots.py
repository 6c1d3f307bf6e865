"""Members of a portfolio: hours, stops and contribution row by row, correlations among them.

Here: rows of members, the order that puts like beside like, the map of correlations.
Not here: figures (``portfolio/portfolio_facts``), layout and bytes (``portfolio_picture.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mr_platform.pictures import style
from mr_platform.pictures.equity_plots import amount
from mr_platform.portfolio.returns import Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEPS = 8
"""Shades of the map of correlations on either side of 0."""

_LONGEST = 46
"""Letters of a name beside its row; a longer one loses its middle."""
_BAR = 0.62
_FEWEST_CLUSTERED = 3
_HOUR = 60
_OPEN, _CLOSE = 9 * _HOUR + 15, 15 * _HOUR + 30


@dataclass(frozen=True, eq=False)
class MemberRows:
    """Members from the top down as the composition shows them.

    Attributes:
        frame: Rows of ``portfolio_facts.member_frame``: by entry, exit and name, those whose name
            tells no hours last.
        labels: Number and name of each.
    """

    frame: pl.DataFrame
    labels: tuple[str, ...]

    @classmethod
    def of(cls, members: pl.DataFrame) -> MemberRows:
        """The order of the composition."""
        frame = members.sort("entry", "exit", "name", nulls_last=True)
        return cls(frame, tuple(map(member_label, frame["number"], frame["name"])))

    def minutes(self, side: str) -> NDArray[np.float64]:
        """Minutes after midnight of ``entry`` or ``exit``; NaN where the name tells none."""
        return np.array([_minute(time) for time in self.frame[side]], dtype=np.float64)


def member_label(number: int, name: str) -> str:
    """Number and name of a member, shortened in its middle where it is long."""
    if len(name) > _LONGEST:
        half = (_LONGEST - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    return f"{number}  {name}"


def draw_open_members(axes: Axes, rows: MemberRows) -> None:
    """How many members hold a position at each minute of the day."""
    entry, exit_ = rows.minutes("entry"), rows.minutes("exit")
    first, last = hours_shown(rows)
    minutes = np.arange(first, last + 1)
    held = (entry[:, np.newaxis] <= minutes) & (minutes < exit_[:, np.newaxis])
    counts = held.sum(axis=0)
    axes.fill_between(minutes, 0, counts, step="post", color=style.CALL, alpha=0.3, linewidth=0)
    axes.step(minutes, counts, where="post", color=style.CALL, linewidth=1)
    most = int(counts.max(initial=0))
    axes.set_ylim(0, max(most * 1.15, 1))
    axes.set_yticks(sorted({0, most}))
    axes.set_ylabel("open", rotation=0, ha="right", va="center")
    axes.set_title(
        "members that hold a position, by time of day (IST); below, each from entry to exit",
        loc="left",
        fontsize=8.5,
    )
    _hour_axis(axes, first, last, labelled=False)


def draw_windows(axes: Axes, rows: MemberRows) -> None:
    """From entry to exit, one bar a member; inverted members in another colour."""
    entry, exit_ = rows.minutes("entry"), rows.minutes("exit")
    inverted = rows.frame["inverted"].to_numpy()
    at = np.arange(len(rows.labels))
    known = np.isfinite(entry)
    for chosen, colour, name in (
        (known & ~inverted, style.CALL, "entry to exit"),
        (known & inverted, style.MAX_PAIN, "entry to exit, inverted"),
    ):
        if chosen.any():
            axes.barh(at[chosen], (exit_ - entry)[chosen], left=entry[chosen], height=_BAR,
                      color=colour, label=name, linewidth=0)  # fmt: skip
    first, last = hours_shown(rows)
    for place in at[~known]:
        axes.text(first + 4, place, "the name tells no hours", va="center", fontsize=7,
                  color=style.MUTED)  # fmt: skip
    _hour_axis(axes, first, last, labelled=True)
    _member_axis(axes, rows.labels)


def draw_stops(axes: Axes, rows: MemberRows) -> None:
    """Stop loss and take profit of each member, per cent as its name writes them."""
    at = np.arange(len(rows.labels))
    shown = 0.0
    for attribute, colour, marker, name in (
        ("stop_loss", style.PUT, "<", "stop loss"),
        ("take_profit", style.STRADDLE, ">", "take profit"),
    ):
        values = _floats(rows.frame[f"{attribute}_percent"])
        there = np.isfinite(values)
        if there.any():
            axes.plot(values[there], at[there], linestyle="none", color=colour, marker=marker,
                      markersize=4.5, markeredgewidth=0, label=name, clip_on=False)  # fmt: skip
            shown = max(shown, float(values[there].max()))
        multiples = _floats(rows.frame[f"{attribute}_multiple"])
        for place in at[np.isfinite(multiples)]:
            axes.annotate(f"{multiples[place]:g}×", (values[place], place), xytext=(5, 0),
                          textcoords="offset points", va="center", fontsize=6.5,
                          color=colour)  # fmt: skip
    axes.set_xlim(0, 1.06 * shown if shown else 1)
    axes.set_title("stops, % as named", loc="left", fontsize=8.5)
    _side_panel(axes, len(rows.labels))


def draw_contributions(axes: Axes, rows: MemberRows, unit: str) -> None:
    """What each member adds to the portfolio's ROI."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = _floats(rows.frame["contribution"])
    at = np.arange(len(rows.labels))
    colours = [style.PUT if value < 0 else style.STRADDLE for value in values]
    axes.barh(at, values, height=_BAR, color=colours, linewidth=0)
    axes.axvline(0, color=style.LEVEL, linewidth=0.7)
    if not values.any():
        axes.set_xlim(-1, 1)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axes.set_title(f"part of ROI, {unit}", loc="left", fontsize=8.5)
    _side_panel(axes, len(rows.labels))


def cluster_order(correlation: Matrix) -> NDArray[np.int64]:
    """Order of members that puts like beside like: leaves of average-linkage clustering.

    The distance of two members is 1 less their correlation, leaves lie in the order of least
    distance between neighbours; fewer than three stay as they are.

    Args:
        correlation: Shape (k, k), symmetric, in [-1, 1].
    """
    size = correlation.shape[0]
    if size < _FEWEST_CLUSTERED:
        return np.arange(size, dtype=np.int64)
    hierarchy: Any = import_module("scipy.cluster.hierarchy")
    upper = np.triu_indices(size, 1)
    joined = hierarchy.linkage(1.0 - correlation[upper], "average", optimal_ordering=True)
    return np.asarray(hierarchy.leaves_list(joined), dtype=np.int64)


def draw_correlations(axes: Axes, correlation: Matrix, members: pl.DataFrame) -> NDArray[np.int64]:
    """Map of the members' correlations, like beside like; the order drawn is returned.

    Args:
        axes: Where to draw.
        correlation: Shape (k, k).
        members: Rows of ``portfolio_facts.member_frame``.
    """
    order = cluster_order(correlation)
    size = order.size
    axes.imshow(correlation[np.ix_(order, order)], **_shades(), aspect="equal",
                interpolation="nearest")  # fmt: skip
    numbers = members["number"].to_numpy()[order]
    names = [members["name"][int(place)] for place in order]
    font = letters_of(axes, size)
    places = np.arange(size)
    axes.set_yticks(places, labels=list(map(member_label, numbers.tolist(), names)), fontsize=font)
    axes.set_xticks(places, labels=[str(number) for number in numbers], fontsize=font,
                    rotation=90 if size > 30 else 0)  # fmt: skip
    axes.tick_params(length=0, labelcolor=style.INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return order


def draw_correlation_scale(axes: Axes) -> None:
    """What the shades of the map stand for."""
    ramp = np.linspace(-1, 1, 2 * STEPS + 1)
    middles = (ramp[1:] + ramp[:-1]) / 2
    axes.imshow(middles[np.newaxis], **_shades(), aspect="auto", extent=(-1, 1, 0, 1))
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "−0.5", "0", "0.5", "1"])
    axes.set_yticks([])
    axes.tick_params(length=2, labelsize=7)


def letters_of(axes: Axes, rows: int) -> float:
    """Size of letters, in points, at which a label a row fits beside it."""
    figure = axes.get_figure()
    if figure is None:
        return 8.0
    height = axes.get_position().height * figure.get_figure(root=True).get_figheight() * 72
    return min(8.0, 0.85 * float(height) / max(rows, 1))


def hours_shown(rows: MemberRows) -> tuple[int, int]:
    """First and last minute of the axis of hours: the session, or wider where a member is."""
    known = [each[np.isfinite(each)] for each in (rows.minutes("entry"), rows.minutes("exit"))]
    whole = np.concatenate([*known, np.array([_OPEN, _CLOSE])])
    return int(whole.min()), int(whole.max())


def _shades() -> Mapping[str, Any]:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    ends = (style.PUT, style.CALL)
    below, above = ([_towards(end, (step + 0.5) / STEPS) for step in range(STEPS)] for end in ends)
    edges = np.linspace(-1.0, 1.0, 2 * STEPS + 1)
    colours = ListedColormap([*reversed(below), *above])
    return {"cmap": colours, "norm": BoundaryNorm(edges.tolist(), colours.N)}


def _towards(colour: str, share: float) -> tuple[float, ...]:
    """A colour mixed with the paper."""
    from matplotlib.colors import to_rgb

    pairs = zip(to_rgb(style.PAPER), to_rgb(colour), strict=True)
    return tuple(paper + (full - paper) * share for paper, full in pairs)


def _floats(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _minute(time: dt.time | None) -> float:
    return float("nan") if time is None else time.hour * _HOUR + time.minute


def _hour_axis(axes: Axes, first: int, last: int, *, labelled: bool) -> None:
    step = _HOUR if last - first <= 10 * _HOUR else 2 * _HOUR
    places = list(range(-(-first // step) * step, last + 1, step))
    texts = [f"{place // _HOUR:02d}:{place % _HOUR:02d}" if labelled else "" for place in places]
    axes.set_xticks(places, labels=texts)
    axes.set_xlim(first, last)
    axes.grid(axis="x")


def _member_axis(axes: Axes, labels: Sequence[str]) -> None:
    size = len(labels)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_yticks(range(size), labels=labels, fontsize=letters_of(axes, size))
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    _separate(axes, size)


def _side_panel(axes: Axes, size: int) -> None:
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x")
    _separate(axes, size)


def _separate(axes: Axes, size: int) -> None:
    """A band behind every second row leads the eye from its name to its figures."""
    for top, bottom in pairwise(range(size + 1)):
        if top % 2 == 0:
            axes.axhspan(top - 0.5, bottom - 0.5, color=style.BAND, zorder=0, linewidth=0)
