"""Equity and drawdown of a portfolio over time, beside all strategies at equal weight.

Here: curves over dates, the deepest fall, places of rows along the time axis.
Not here: figures (``portfolio/portfolio_facts``), layout and bytes (``portfolio_picture.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mr_platform.pictures import style
from mr_platform.portfolio.portfolio_facts import ReportFacts
from mr_platform.portfolio.returns import Days
from mr_platform.portfolio.series_facts import SeriesFacts, series_facts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PORTFOLIO = style.CALL
UNIVERSE = style.LEVEL

_MARKED_ROWS = 160
"""Up to this many rows each is marked by a dot."""
_THOUSAND = 1000.0
_HELD_OUT = "#eaf3fa"
_DEEPER = 2.5
"""The universe's falls are shown to this many times the portfolio's deepest."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What the curves are drawn of.

    Attributes:
        dates: Shape (T,), of the rows, ascending.
        unit: Of the values.
        portfolio: The portfolio.
        universe: All strategies at equal weight; None draws the portfolio alone.
        searched: Rows that were searched, the first ones; None where all were.
    """

    dates: Days
    unit: str
    portfolio: SeriesFacts
    universe: SeriesFacts | None = None
    searched: int | None = None

    @classmethod
    def of(cls, report: ReportFacts) -> Curves:
        """The best portfolio of a report beside the universe; rows held out follow the others."""
        settings, later = report.settings, report.held_out
        if later is None:
            return cls(report.dates, settings.unit, report.best.series, report.universe)
        dates = np.concatenate([report.dates, later.dates])
        own, all_ = (
            series_facts(np.concatenate([first.rows, then.rows]), dates, settings)
            for first, then in (
                (report.best.series, later.best),
                (report.universe, later.universe),
            )
        )
        return cls(dates, settings.unit, own, all_, report.dates.size)


def row_places(dates: Days) -> NDArray[np.float64]:
    """Days since 1970 of each row; rows of one date are spread over that day."""
    days = dates.astype("datetime64[D]").astype(np.int64)
    _, first, counts = np.unique(days, return_index=True, return_counts=True)
    within = np.arange(days.size) - np.repeat(first, counts)
    places: NDArray[np.float64] = days + within / np.repeat(counts, counts)
    return places


def amount(value: float) -> str:
    """A number for people: whole from a thousand on, else three digits; a real minus sign."""
    text = f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}"
    return ("0" if value == 0 else text).replace("-", "−")


def draw_equity(axes: Axes, curves: Curves) -> None:
    """Running sums of rows, the span of the portfolio's deepest fall shaded."""
    at = row_places(curves.dates)
    style_line(axes, at, curves.portfolio.equity, PORTFOLIO, "portfolio")
    labels = [_last(curves.portfolio, PORTFOLIO, "portfolio")]
    if curves.universe is not None:
        style_line(axes, at, curves.universe.equity, UNIVERSE, "all strategies", zorder=1.5)
        labels.append(_last(curves.universe, UNIVERSE, "all"))
    _shade_fall(axes, at, curves.portfolio)
    _mark_held_out(axes, at, curves, named=True)
    axes.axhline(0, color=style.FAINT, linewidth=0.8, zorder=0.5)
    axes.set_ylabel(f"running sum, {curves.unit}")
    value_axis(axes)
    style.side_labels(axes, labels)


def draw_fall(axes: Axes, curves: Curves) -> None:
    """How far each curve lies below its peak so far, downwards; the universe may leave the plot."""
    at = row_places(curves.dates)
    own = curves.portfolio
    axes.fill_between(at, 0.0, 0.0 - own.fall, color=PORTFOLIO, alpha=0.25, linewidth=0)
    style_line(axes, at, 0.0 - own.fall, PORTFOLIO, "portfolio")
    deepest = own.legacy["max_drawdown"]
    labels = [style.SideLabel(-deepest, f"deepest {amount(deepest)}", PORTFOLIO)]
    reach = deepest
    if curves.universe is not None:
        style_line(axes, at, 0.0 - curves.universe.fall, UNIVERSE, "all strategies", zorder=1.5)
        theirs = curves.universe.legacy["max_drawdown"]
        labels.append(style.SideLabel(-theirs, f"all {amount(theirs)}", UNIVERSE))
        # far deeper falls of the others would leave nothing to see of the portfolio's own
        reach = min(max(deepest, theirs), _DEEPER * deepest) if deepest > 0 else theirs
    _mark_held_out(axes, at, curves, named=False)
    reach = reach if reach > 0 else 1.0
    axes.set_ylim(-1.08 * reach, 0.04 * reach)
    if deepest > 0:
        _shade_fall(axes, at, own)
        axes.plot(at[own.trough], -deepest, color=style.PUT, marker="v", markersize=5,
                  linestyle="none", markeredgewidth=0, zorder=4)  # fmt: skip
        axes.set_title(
            f"deepest fall {amount(deepest)} {curves.unit}, {curves.dates[own.peak]} to "
            f"{curves.dates[own.trough]}",
            loc="left", color=style.PUT, fontsize=8, pad=4,
        )  # fmt: skip
    else:
        axes.set_title("no drawdown", loc="left", color=style.MUTED, fontsize=8, pad=4)
    axes.set_ylabel(f"below the peak, {curves.unit}")
    value_axis(axes)
    style.side_labels(axes, labels)


def date_axis(axes: Axes, dates: Days, *, labelled: bool) -> None:
    """Dates of the rows along the lower edge."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    at = row_places(dates)
    # a week at least, else the axis counts hours
    room = max(0.02 * float(at[-1] - at[0]), 1.0, (7 - float(at[-1] - at[0])) / 2)
    axes.set_xlim(float(at[0]) - room, float(at[-1]) + room)
    locator = AutoDateLocator(minticks=3, maxticks=12)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.tick_params(axis="x", labelbottom=labelled)
    # the year, where no tick tells it
    axes.xaxis.get_offset_text().set(visible=labelled, fontsize=8, color=style.MUTED)


def value_axis(axes: Axes) -> None:
    """Amounts for people along the left edge."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axes.grid(axis="y")


def style_line(
    axes: Axes,
    at: NDArray[np.float64],
    values: NDArray[np.float64],
    colour: str,
    name: str,
    **look: Any,
) -> None:
    """A line whose rows are marked where there are few of them; a lone row always is."""
    dots: dict[str, Any] = {"marker": "o", "markersize": 2.2, "markeredgewidth": 0}
    if at.size == 1:
        dots["markersize"] = 5
    axes.plot(at, values, color=colour, label=name,
              **(dots if at.size <= _MARKED_ROWS else {}), **look)  # fmt: skip


def _last(series: SeriesFacts, colour: str, name: str) -> style.SideLabel:
    value = float(series.equity[-1])
    return style.SideLabel(value, f"{name} {amount(value)}", colour)


def _shade_fall(axes: Axes, at: NDArray[np.float64], series: SeriesFacts) -> None:
    if series.trough > series.peak:
        axes.axvspan(at[series.peak], at[series.trough], color="#fdf0e4", zorder=0, linewidth=0)


def _mark_held_out(axes: Axes, at: NDArray[np.float64], curves: Curves, *, named: bool) -> None:
    """A tinted span from half way between the last row searched and the first that was not."""
    if curves.searched is None:
        return
    split = float(at[curves.searched - 1] + at[curves.searched]) / 2
    end = float(axes.get_xlim()[1])
    axes.axvspan(split, end, color=_HELD_OUT, zorder=-1, linewidth=0)
    axes.axvline(split, color=style.MUTED, linewidth=0.9, linestyle=(0, (3, 2)), zorder=0.6)
    if named:
        for text, side, shift in (("searched", "right", -4), ("held out", "left", 4)):
            axes.annotate(
                text, (split, 1.0), xycoords=axes.get_xaxis_transform(), ha=side, va="top",
                xytext=(shift, -3), textcoords="offset points", fontsize=8, color=style.MUTED,
            )  # fmt: skip
