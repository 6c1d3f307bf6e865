"""A symbol-day as one PNG: sections of plots that share their minutes.

Here: sections, layout, rendering, and the small picture that fits an event.
Not here: what a plot shows (the ``*_plots.py`` modules), the page (``day_page.py``).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mr_platform.pictures import style
from mr_platform.pictures.null_map import Grouping, null_map
from mr_platform.pictures.null_map_plot import draw_null_map, draw_scale
from mr_platform.pictures.oi_plots import draw_changes, draw_totals, draw_walls
from mr_platform.pictures.price_plots import draw_spot, draw_straddle
from mr_platform.pictures.score_plots import draw_strips
from mr_platform.pictures.source_gaps import source_gaps
from mr_platform.pictures.symbol_day import SymbolDay
from mr_platform.pictures.volatility_plots import (
    draw_skew,
    draw_term_structure,
    draw_volatility,
)
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL.Image import Image

Draw = Callable[["Axes", SymbolDay], None]

MAX_EVENT_BYTES = 90_000
"""Size of the picture of an event: as a data URI, four thirds of it, it stays below 120 KB."""


@dataclass(frozen=True)
class Plot:
    """One plot over the minutes.

    Attributes:
        height: In inches.
        draw: Draws into prepared axes.
        side: Draws into axes of their own in the right margin.
        chart: True for a plot with zones, grid and time axis; others bring their own.
    """

    height: float
    draw: Draw
    side: Draw | None = None
    chart: bool = True


@dataclass(frozen=True)
class Section:
    """Plots under one title.

    Attributes:
        name: Word for links.
        title: What it shows.
        about: How it is read, in a sentence or two.
        legend: Draws a small key beside the title.
    """

    name: str
    title: str
    about: str
    plots: tuple[Plot, ...]
    legend: Callable[[Axes], None] | None = None


@dataclass(frozen=True)
class Layout:
    """Measures in inches, and dots an inch."""

    width: float = 14.0
    left: float = 2.15
    right: float = 2.1
    dpi: int = 110


EVENT_LAYOUT = Layout(width=10.0, left=2.1, right=1.75, dpi=84)

_EVENT_DPI = (84, 72, 60, 45)

_TITLE = 0.42
_BETWEEN = 0.14
_AXIS = 0.5
_HEADER = 0.95
_LINE = 0.19


def sections(day: SymbolDay, grouping: Grouping = "block") -> tuple[Section, ...]:
    """All sections of a day.

    Args:
        day: The day.
        grouping: Rows of the map of nulls.
    """
    return (
        _prices(), _volatility(), _open_interest(), _scores(COMPONENTS), null_section(day, grouping)
    )  # fmt: skip


def event_sections(day: SymbolDay) -> tuple[Section, ...]:
    """The sections of the small picture: prices, volatility, consensus, nulls by component."""
    prices, volatility = _prices(), _volatility()
    return (
        replace(prices, plots=(replace(prices.plots[0], height=2.3),
                               replace(prices.plots[1], height=1.2))),
        replace(volatility, plots=(replace(volatility.plots[0], height=1.3),)),
        _scores(("c8",)),
        null_section(day, "component"),
    )  # fmt: skip


@dataclass(frozen=True)
class DayPicture:
    """A drawn day.

    Attributes:
        png: The whole picture.
        parts: The same cut into sections, by their name.
    """

    png: bytes
    parts: Mapping[str, bytes]


def draw_day(
    day: SymbolDay, shown: Sequence[Section], layout: Layout, *, header: bool = True
) -> DayPicture:
    """Draw sections from the top down.

    Args:
        day: The day.
        shown: What to draw.
        layout: Measures.
        header: Whether title, facts and what is missing are written above.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lacking = _lacking(day) if header else ()
    above = _HEADER + _LINE * len(lacking) if header else 0.05
    height = above + sum(_height(section) for section in shown)
    # the defaults first: a reader's own matplotlibrc changes no picture
    parameters: Any = {**matplotlib.rcParamsDefault, **style.PARAMETERS}
    parameters.pop("backend")
    with matplotlib.rc_context(parameters):
        figure = Figure(figsize=(layout.width, height), dpi=layout.dpi)
        canvas = FigureCanvasAgg(figure)
        if header:
            _header(figure, day, layout, lacking)
        top = height - above
        edges = [above]
        for section in shown:
            _draw(figure, day, section, layout, top)
            top -= _height(section)
            edges.append(height - top)
        canvas.draw()  # type: ignore[no-untyped-call]
        image = _in_palette(canvas)
    across = image.width
    cuts = [min(round(edge * layout.dpi), image.height) for edge in edges]
    parts = {
        section.name: _png(image.crop((0, upper, across, lower)))
        for section, upper, lower in zip(shown, cuts, cuts[1:], strict=False)
    }
    return DayPicture(_png(image), parts)


def event_png(day: SymbolDay, most: int = MAX_EVENT_BYTES) -> bytes:
    """The small picture of a day, drawn coarser until it holds at most ``most`` bytes."""
    shown = event_sections(day)
    picture = b""
    for dpi in _EVENT_DPI:
        picture = draw_day(day, shown, replace(EVENT_LAYOUT, dpi=dpi)).png
        if len(picture) <= most:
            break
    return picture


# -- sections -------------------------------------------------------------------------------------


def _prices() -> Section:
    return Section(
        "prices",
        "Spot and ATM straddle",
        "Dashed and dotted grey lines are high, low and close of the previous trading day, those "
        "of the straddle for the same expiry. Walls are the strikes of the largest call and put "
        "open interest; an arrow or a triangle says that a value lies outside the plot.",
        (Plot(3.5, draw_spot), Plot(1.8, draw_straddle)),
    )


def _volatility() -> Section:
    return Section(
        "volatility",
        "Implied volatility, skew and term structure",
        "The thicker line is the expiry that the page is about; a triangle at an edge marks where "
        "a line leaves the plot, and how far it goes. The curves beside it show ATM volatility "
        "against days to expiry at four times of the day.",
        (Plot(2.0, draw_volatility, side=draw_term_structure), Plot(1.4, draw_skew)),
    )


def _open_interest() -> Section:
    return Section(
        "open-interest",
        "Open interest",
        "Centres are the mean strikes of near calls and puts, weighted by open interest; below, "
        "the open interest of all strikes of the expiry in units of the index.",
        (Plot(2.2, draw_walls), Plot(1.25, draw_totals), Plot(1.25, draw_changes)),
    )


def _scores(components: Sequence[str]) -> Section:
    columns = [column for column in load_registry().online if column.component in components]
    return Section(
        "scores",
        "Online features",
        "One strip a feature over its declared range, filled from zero: blue above, vermilion "
        "below, grey where it is null. “(day)” marks a strip over the day's own extremes, where "
        "the declared range is open or far wider.",
        (Plot(0.235 * len(columns), lambda axes, day: draw_strips(axes, day, columns)),),
    )


def null_section(day: SymbolDay, grouping: Grouping) -> Section:
    """The map of nulls with one row a component, block or family."""
    rows = null_map(day, load_registry(), grouping)
    return Section(
        "nulls" if grouping == "block" else f"nulls-by-{grouping}",
        f"Share of null values by {grouping} and minute",
        "Number of columns in brackets; at the right the share over the day and the first minute "
        "without a null. A fading left edge is warm-up, a vertical stripe a gap in the data, a "
        "row dark all day a missing input.",
        (Plot(0.152 * len(rows), lambda axes, day: draw_null_map(axes, rows), chart=False),),
        legend=draw_scale,
    )


# -- layout ---------------------------------------------------------------------------------------


def _height(section: Section) -> float:
    plots = sum(plot.height for plot in section.plots)
    return _TITLE + plots + _BETWEEN * (len(section.plots) - 1) + _AXIS


def _draw(figure: Figure, day: SymbolDay, section: Section, layout: Layout, top: float) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.18 / width, (top - 0.17) / height, section.title, fontsize=11,
                fontweight="bold", va="center")  # fmt: skip
    if section.legend is not None:
        place = (layout.width - layout.right - 2.6, top - 0.2, 2.6, 0.1)
        section.legend(figure.add_axes(_fractions(place, width, height)))
    bottom = top - _TITLE
    drawn = []
    inner = layout.width - layout.left - layout.right
    for number, plot in enumerate(section.plots):
        bottom -= plot.height
        place = (layout.left, bottom, inner, plot.height)
        axes = figure.add_axes(_fractions(place, width, height))
        plot.draw(axes, day)
        drawn.append(axes)
        if plot.chart:
            style.shade_zones(axes, named=number == 0)
            axes.grid(axis="y")
            style.time_axis(axes, labelled=number == len(section.plots) - 1)
        if plot.side is not None:
            beside = (layout.width - layout.right + 0.45, bottom + 0.3, layout.right - 0.6,
                      plot.height - 0.45)  # fmt: skip
            plot.side(figure.add_axes(_fractions(beside, width, height)), day)
        bottom -= _BETWEEN
    _key(figure, drawn, (width - 0.18) / width, (top - 0.17) / height)


def _key(figure: Figure, drawn: Sequence[Axes], right: float, middle: float) -> None:
    """One legend for all plots of a section, in the line of its title."""
    found: dict[str, Artist] = {}
    for axes in drawn:
        handles, names = axes.get_legend_handles_labels()
        found |= {name: handle for name, handle in zip(names, handles, strict=True)
                  if name not in found}  # fmt: skip
    if found:
        figure.legend(
            list(found.values()), list(found), loc="center right", bbox_to_anchor=(right, middle),
            ncols=len(found), columnspacing=1.2, handletextpad=0.5, borderaxespad=0,
        )  # fmt: skip


def _lacking(day: SymbolDay) -> tuple[str, ...]:
    tables = [f"missing: {each.table}, so {each.effect}.   {each.command}" for each in day.missing]
    return (*tables, *source_gaps(day))


def _header(figure: Figure, day: SymbolDay, layout: Layout, lacking: Sequence[str]) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.18 / width, 1 - 0.26 / height, day.title, fontsize=15, fontweight="bold",
                va="center")  # fmt: skip
    facts = day.facts
    at = 0.18
    room = [_width(max(name, value, key=len)) for name, value in facts.items()]
    scale = min(1.0, (layout.width - 0.36) / sum(room))
    for (name, value), inches in zip(facts.items(), room, strict=True):
        figure.text(at / width, 1 - 0.56 / height, name, fontsize=8 * scale,
                    color=style.MUTED, va="center")  # fmt: skip
        figure.text(at / width, 1 - 0.74 / height, value, fontsize=9 * scale, va="center")
        at += inches * scale
    for number, text in enumerate(lacking):
        figure.text(0.18 / width, 1 - (_HEADER + _LINE * number) / height, text, fontsize=8,
                    color=style.PUT, va="center")  # fmt: skip


def _width(text: str) -> float:
    """Inches that a text of 9 points takes, and a gap."""
    return 9 / 72 * 0.58 * len(text) + 0.3


def _fractions(
    place: tuple[float, float, float, float], width: float, height: float
) -> tuple[float, float, float, float]:
    left, bottom, across, up = place
    return left / width, bottom / height, across / width, up / height


def _in_palette(canvas: FigureCanvasAgg) -> Image:
    """What was drawn, in the colours of the style."""
    from PIL import Image

    width, height = canvas.get_width_height()
    drawn = bytes(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.frombytes("RGBA", (width, height), drawn).convert("RGB")
    wanted = Image.new("P", (1, 1))
    wanted.putpalette(style.palette())
    return image.quantize(palette=wanted, dither=Image.Dither.NONE)


def _png(image: Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()
