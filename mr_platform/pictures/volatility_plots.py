"""ATM volatility, skew and term structure of the front expiries.

Here: two plots over the minutes, one over days to expiry.
Not here: how volatilities are computed (``features/smile_series.py``).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from mr_platform.pictures import style
from mr_platform.pictures.symbol_day import Series, SymbolDay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONT = 4
"""Expiries drawn."""
SNAPSHOTS = (dt.time(9, 30), dt.time(11, 30), dt.time(13, 0), dt.time(15, 15))
"""Times of the term structure; the last value up to ten minutes before is taken."""
_BACK = 10
_TAIL = 0.004
"""Share of values at either end that may run out of the plot: volatility of an expiring contract
grows without bound in its last minutes."""


def front_expiries(day: SymbolDay) -> tuple[dt.date, ...]:
    """The first expiries, and the one the day is seen from."""
    return tuple(sorted({*day.expiries[:FRONT], day.expiry}))


def draw_volatility(axes: Axes, day: SymbolDay) -> None:
    """ATM volatility of the front expiries."""
    axes.set_ylabel("ATM volatility,\n% a year")
    if not _lines(axes, day, "iv_atm", 100.0):
        style.nothing_here(axes, "no implied volatility on this day")


def draw_skew(axes: Axes, day: SymbolDay) -> None:
    """Risk reversal at 25 delta of the same expiries; below zero puts are richer."""
    axes.set_ylabel("25-delta risk reversal,\n% of ATM volatility")
    if not _lines(axes, day, "s4_rr25", 100.0):
        style.nothing_here(axes, "no risk reversal on this day")
        return
    low, high = axes.get_ylim()
    if low < 0 < high:
        axes.axhline(0, color=style.LEVEL, linewidth=0.9)
    axes.text(
        1.018, 0.5, "below 0:\nputs richer\nthan calls", transform=axes.transAxes, va="center",
        color=style.MUTED, fontsize=8,
    )  # fmt: skip


def draw_term_structure(axes: Axes, day: SymbolDay) -> None:
    """ATM volatility against days to expiry, at a few times of the day."""
    expiries = front_expiries(day)
    days = [(expiry - day.date).days for expiry in expiries]
    series = [100.0 * day.series("iv_atm", expiry) for expiry in expiries]
    drawn = 0
    for clock, shade in zip(SNAPSHOTS, style.SHADES_OF_BLUE, strict=True):
        at = style.minute_of(clock)
        values = np.array([_latest(one[at - _BACK + 1 : at + 1]) for one in series])
        there = np.isfinite(values)
        if there.any():
            drawn += 1
            axes.plot(np.array(days)[there], values[there], marker="o", markersize=3,
                      color=shade, linewidth=1.1, label=f"{clock:%H:%M}")  # fmt: skip
    if not drawn:
        style.nothing_here(axes, "no term\nstructure")
        return
    axes.set_xlabel("days to expiry", labelpad=1)
    axes.set_title("term structure, %", fontsize=8, color=style.MUTED, pad=3)
    axes.grid(axis="y")
    axes.legend(fontsize=6.5, handlelength=1.0, loc="best", labelspacing=0.2, borderpad=0.1)


def _lines(axes: Axes, day: SymbolDay, column: str, scale: float) -> bool:
    found: dict[dt.date, tuple[Series, str]] = {}
    for place, expiry in enumerate(front_expiries(day)):
        values = scale * day.series(column, expiry)
        if not np.isfinite(values).any():
            continue
        own = expiry == day.expiry
        style.draw_line(
            axes,
            values,
            colour=style.SERIES[place],
            linewidth=1.7 if own else 1.0,
            zorder=3 if own else 2,
            label=f"{expiry.day} {expiry:%b} ({(expiry - day.date).days} d)",
        )
        found[expiry] = values, style.SERIES[place]
    if found:
        drawn = np.concatenate([values[np.isfinite(values)] for values, _ in found.values()])
        low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL])
        margin = 0.08 * max(high - low, 0.1)
        axes.set_ylim(low - margin, high + margin)
    noted = 0
    for expiry, (values, colour) in found.items():
        told = f"{expiry.day} {expiry:%b} {{value:,.2f}} % at {{at}}"
        noted = style.mark_leaving(axes, values, colour, told, noted)
    return bool(found)


def _latest(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    there = values[np.isfinite(values)]
    return float(there[-1]) if there.size else float("nan")
