"""The pictures of a portfolio report as PNGs, and the two of a legacy run folder.

Here: which pictures there are, their measures, the bytes of each.
Not here: what a plot shows (``equity_plots``, ``member_plots``, ``search_plots``), the page around
them (``portfolio_page.py``), writing files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mr_platform.pictures import style
from mr_platform.pictures.canvas import draw_png
from mr_platform.pictures.equity_plots import Curves, date_axis, draw_equity, draw_fall
from mr_platform.pictures.member_plots import (
    MemberRows,
    draw_contributions,
    draw_correlation_scale,
    draw_correlations,
    draw_open_members,
    draw_stops,
    draw_windows,
)
from mr_platform.pictures.search_plots import algorithms_of, counted, draw_convergence, draw_sizes
from mr_platform.portfolio.portfolio_facts import PortfolioFacts, ReportFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 14.0
"""Width of every picture of the page, in inches."""

_LEFT, _RIGHT = 1.0, 1.9
_RUN_WIDTH, _RUN_HEIGHT = 10.0, 4.4
_NAMES = 3.3
_CELL_MOST, _MAP_MOST = 0.42, 9.6


@dataclass(frozen=True)
class PortfolioPicture:
    """One picture of the page.

    Attributes:
        name: Word for links.
        title: What it shows.
        about: How it is read, plain text.
        png: The picture.
    """

    name: str
    title: str
    about: str
    png: bytes


def portfolio_pictures(report: ReportFacts) -> tuple[PortfolioPicture, ...]:
    """All pictures of a report, in the order of the page."""
    best = report.best
    ordered = MemberRows.of(best.members)
    size = best.found.size
    return (
        PortfolioPicture(
            "equity",
            "Equity and drawdown",
            "Each row is the mean over the members, added up as it came. The grey line is all "
            f"{report.strategies:,} strategies at equal weight; the shaded span is the portfolio's "
            "deepest fall, measured from the peak of the running sum, which starts at its first "
            f"row. Falls of all strategies may leave the lower plot: an arrow tells how deep. "
            f"{_chosen(report)}",
            _two_curves(Curves.of(report)),
        ),
        PortfolioPicture(
            "composition",
            "Composition",
            "One row a member, by entry time; the number is that of the table below. Hours and "
            "stops are those of the strategy's name; the parts of ROI add up to the portfolio's.",
            _composition(ordered, report.settings.unit),
        ),
        PortfolioPicture(
            "correlation",
            "Correlation of the members",
            f"Pearson correlation of rows; mean over the {size * (size - 1) // 2:,} pairs "
            f"{best.mean_correlation:.3f}. Like stands beside like: average-linkage clustering of "
            "1 − correlation. A strategy without variation counts as 0.",
            _correlation(best),
        ),
        PortfolioPicture(
            "convergence",
            f"Convergence, {counted(size)}",
            "Best fitness so far against portfolios judged; dashed is the legacy form of an "
            "algorithm. A line ends where its search ended.",
            _convergence(report),
        ),
        PortfolioPicture(
            "sizes",
            "Fitness by size and algorithm",
            "The best that each search found; higher is better. A ring marks the best of all.",
            _sizes(report),
        ),
    )  # fmt: skip


def _chosen(report: ReportFacts) -> str:
    """By which of the rows drawn the members were chosen."""
    if report.held_out is None:
        return (
            "The members were chosen by these same rows: later ones tell how good the choice was."
        )
    return (
        "The members were chosen by the rows before the dashed line; those after it, from "
        f"{report.held_out.dates[0]} on, no search saw. The deepest fall is that of both together."
    )


def equity_png(curves: Curves, title: str) -> bytes:
    """The running sum of a portfolio, for a run folder.

    Args:
        curves: The portfolio, beside the universe or alone.
        title: Plain text above it.
    """
    return _run_picture(curves, title, draw_equity)


def drawdown_png(curves: Curves, title: str) -> bytes:
    """The falls of a portfolio below its peak, for a run folder.

    Args:
        curves: The portfolio, beside the universe or alone.
        title: Plain text above it.
    """
    return _run_picture(curves, title, draw_fall)


def _run_picture(curves: Curves, title: str, plot: Callable[[Axes, Curves], None]) -> bytes:
    def draw(figure: Figure) -> None:
        axes = _axes(figure, 0.95, 0.45, _RUN_WIDTH - 2.6, _RUN_HEIGHT - 1.05)
        date_axis(axes, curves.dates, labelled=True)
        plot(axes, curves)
        _title(figure, title)

    return draw_png(_RUN_WIDTH, _RUN_HEIGHT, draw)


def _two_curves(curves: Curves) -> bytes:
    height, upper, lower = 6.3, 3.3, 1.75

    def draw(figure: Figure) -> None:
        inner = WIDTH - _LEFT - _RIGHT
        above = _axes(figure, _LEFT, height - 0.45 - upper, inner, upper)
        below = _axes(figure, _LEFT, 0.4, inner, lower)
        for axes, plot in ((above, draw_equity), (below, draw_fall)):
            date_axis(axes, curves.dates, labelled=axes is below)
            plot(axes, curves)
        _title(figure, "Equity and drawdown")
        _key(figure, above)

    return draw_png(WIDTH, height, draw)


def _composition(rows: MemberRows, unit: str) -> bytes:
    size = len(rows.labels)
    each = min(0.24, max(0.145, 9.0 / size))
    body = max(each * size, 0.35)
    height = body + 1.75

    def draw(figure: Figure) -> None:
        bottom, hours = 0.4, 5.4
        windows = _axes(figure, _NAMES, bottom, hours, body)
        held = _axes(figure, _NAMES, bottom + body + 0.1, hours, 0.62)
        stops = _axes(figure, _NAMES + hours + 0.3, bottom, 2.2, body)
        parts = _axes(figure, _NAMES + hours + 2.85, bottom, 2.15, body)
        draw_windows(windows, rows)
        draw_open_members(held, rows)
        draw_stops(stops, rows)
        draw_contributions(parts, rows, unit)
        _title(figure, f"Composition, {counted(size)}")
        _key(figure, windows, stops)

    return draw_png(WIDTH, height, draw)


def _correlation(best: PortfolioFacts) -> bytes:
    size = best.found.size
    side = min(_MAP_MOST, _CELL_MOST * size)
    height = max(side, 0.5) + 1.15

    def draw(figure: Figure) -> None:
        _title(figure, "Correlation of the members")
        if size == 1:
            axes = _axes(figure, _LEFT, 0.4, WIDTH - 2 * _LEFT, height - 1.0)
            axes.set_axis_off()
            style.nothing_here(axes, "one member has no pairs")
            return
        draw_correlations(_axes(figure, _NAMES, 0.45, side, side), best.correlation, best.members)
        draw_correlation_scale(_axes(figure, WIDTH - 2.9, height - 0.32, 2.6, 0.12))

    return draw_png(WIDTH, height, draw)


def _convergence(report: ReportFacts) -> bytes:
    size = report.best.found.size
    own = [found for found in report.portfolios if found.size == size]

    def draw(figure: Figure) -> None:
        axes = _axes(figure, _LEFT, 0.55, WIDTH - _LEFT - 2.9, 3.9)
        draw_convergence(axes, own, algorithms_of(report.portfolios))
        _title(figure, f"Convergence, {counted(size)}")

    return draw_png(WIDTH, 5.0, draw)


def _sizes(report: ReportFacts) -> bytes:
    lone = len({found.size for found in report.portfolios}) == 1
    body = max(0.3 * len(report.portfolios), 0.5) if lone else 3.9

    def draw(figure: Figure) -> None:
        left = 2.6 if lone else _LEFT
        axes = _axes(figure, left, 0.55, WIDTH - left - 2.9, body)
        draw_sizes(axes, report.portfolios, algorithms_of(report.portfolios))
        _title(figure, "Fitness by size and algorithm")

    return draw_png(WIDTH, body + 1.1, draw)


def _axes(figure: Figure, left: float, bottom: float, across: float, up: float) -> Axes:
    """Axes at a place given in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, across / width, up / height))


def _title(figure: Figure, text: str) -> None:
    width, height = figure.get_size_inches()
    figure.text(0.18 / width, 1 - 0.2 / height, text, fontsize=11, fontweight="bold",
                va="center")  # fmt: skip


def _key(figure: Figure, *drawn: Axes) -> None:
    """One legend in the line of the title."""
    width, height = figure.get_size_inches()
    found = {
        name: handle
        for axes in drawn
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if found:
        figure.legend(
            list(found.values()), list(found), loc="center right", ncols=len(found),
            bbox_to_anchor=(1 - 0.18 / width, 1 - 0.2 / height), borderaxespad=0,
            columnspacing=1.2, handletextpad=0.5,
        )  # fmt: skip
