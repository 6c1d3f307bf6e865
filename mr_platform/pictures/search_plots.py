"""How searches went: best fitness against evaluations, fitness by size and algorithm.

Here: one line a search, one mark a portfolio; which colour and stroke stands for which algorithm.
Not here: searching (``portfolio/search``), layout and bytes (``portfolio_picture.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mr_platform.pictures import style
from mr_platform.pictures.equity_plots import value_axis
from mr_platform.portfolio.portfolio_facts import FoundPortfolio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (*style.SERIES, style.INK, "#7a3200")
"""One an algorithm, in alphabetical order; a ninth takes the first again with another marker."""

_MARKERS = "osD^vPX*"
_ROOM = 1.35
"""Room beside the first and last evaluation on the logarithmic axis, as a factor."""


def algorithms_of(portfolios: Sequence[FoundPortfolio]) -> tuple[str, ...]:
    """Names of the algorithms in alphabetical order."""
    return tuple(sorted({found.algorithm for found in portfolios}))


def draw_convergence(
    axes: Axes, portfolios: Sequence[FoundPortfolio], names: Sequence[str]
) -> None:
    """Best fitness so far against evaluations, one step line a search.

    Args:
        axes: Where to draw.
        portfolios: Searches of one size; those without points of convergence are left out.
        names: All algorithms, so that one has one colour in every picture.
    """
    shown = [found for found in portfolios if found.convergence]
    if not shown:
        style.nothing_here(axes, "no search kept how it converged")
        axes.set_xticks([])
        return
    labels = []
    for found in shown:
        steps = [step for step, _ in found.convergence] + [found.evaluations]
        values = [value for _, value in found.convergence]
        values.append(values[-1])
        look = look_of(found, names)
        axes.step(steps, values, where="post", color=look["color"], linewidth=1.4,
                  linestyle=look["linestyle"])  # fmt: skip
        axes.plot(steps[-1], values[-1], **look, markersize=4.5, markeredgewidth=0)
        labels.append(style.SideLabel(values[-1], f"{search_name(found)} {values[-1]:.4g}",
                                      look["color"]))  # fmt: skip
    first = min(found.convergence[0][0] for found in shown)
    last = max(found.evaluations for found in shown)
    evaluation_axis(axes, first, last)
    axes.set_ylabel("best fitness so far")
    value_axis(axes)
    style.side_labels(axes, labels)


def evaluation_axis(axes: Axes, first: int, last: int) -> None:
    """Evaluations along the lower edge, logarithmic, in whole numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = max(first, 1) / _ROOM, last * _ROOM
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    decades = 10.0 ** np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    # less than two decades need marks between them
    marks = [mark * part for mark in [decades[0] / 10 if decades.size else last, *decades]
             for part in ((1, 2, 5) if decades.size < 3 else (1,))]  # fmt: skip
    inside = [mark for mark in marks if low <= mark <= high]
    axes.xaxis.set_major_locator(FixedLocator(inside or [last]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("portfolios judged (logarithmic)", labelpad=2)
    axes.grid(axis="x")


def draw_sizes(axes: Axes, portfolios: Sequence[FoundPortfolio], names: Sequence[str]) -> None:
    """Fitness against size, one line an algorithm and form; a lone size becomes rows.

    Args:
        axes: Where to draw.
        portfolios: All that were found, by size.
        names: All algorithms, so that one has one colour in every picture.
    """
    sizes = sorted({found.size for found in portfolios})
    if len(sizes) == 1:
        _draw_one_size(axes, portfolios, names)
        return
    labels = []
    for search in dict.fromkeys(map(search_name, portfolios)):
        own = [found for found in portfolios if search_name(found) == search]
        best = [max(each.fitness for each in own if each.size == size)
                for size in sorted({each.size for each in own})]  # fmt: skip
        look = look_of(own[0], names)
        axes.plot(sorted({each.size for each in own}), best, **look, markersize=4,
                  markeredgewidth=0, linewidth=1.1)  # fmt: skip
        labels.append(style.SideLabel(best[-1], search, look["color"]))
    top = max(portfolios, key=lambda found: found.fitness)
    axes.plot(top.size, top.fitness, linestyle="none", marker="o", markersize=11,
              markerfacecolor="none", markeredgecolor=style.INK, zorder=5)  # fmt: skip
    axes.set_xticks(sizes if len(sizes) <= 30 else sizes[:: -(-len(sizes) // 30)])
    axes.set_xlabel("members of the portfolio", labelpad=2)
    axes.set_ylabel("fitness")
    value_axis(axes)
    style.side_labels(axes, labels)


def search_name(found: FoundPortfolio) -> str:
    """Algorithm and, where it is not the improved one, its form."""
    name = found.algorithm.replace("_", " ")
    return name if found.form == "improved" else f"{name} ({found.form})"


def counted(members: int) -> str:
    """A number of members in words."""
    return f"{members} member{'' if members == 1 else 's'}"


def look_of(found: FoundPortfolio, names: Sequence[str]) -> dict[str, Any]:
    """Colour and marker of an algorithm; a legacy form is dashed."""
    place = names.index(found.algorithm)
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": _MARKERS[(place + place // len(COLOURS)) % len(_MARKERS)],
        "linestyle": (0, (4, 2)) if found.form == "legacy" else "-",
    }


def _draw_one_size(axes: Axes, portfolios: Sequence[FoundPortfolio], names: Sequence[str]) -> None:
    ordered = sorted(portfolios, key=lambda found: (-found.fitness, search_name(found)))
    at = np.arange(len(ordered))
    for place, found in zip(at, ordered, strict=True):
        look = look_of(found, names) | {"linestyle": "none"}
        axes.plot(found.fitness, place, **look, markersize=6, markeredgewidth=0)
        axes.annotate(f"{found.fitness:.4g}", (found.fitness, place), xytext=(8, 0), va="center",
                      textcoords="offset points", fontsize=8, annotation_clip=False)  # fmt: skip
    axes.set_yticks(at, labels=list(map(search_name, ordered)))
    axes.set_ylim(len(ordered) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=style.INK)
    axes.set_xlabel(f"fitness, {counted(ordered[0].size)}", labelpad=2)
    axes.grid(axis="both")
