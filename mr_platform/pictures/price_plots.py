"""Spot among its levels, and the ATM straddle among its own.

Here: two plots over the minutes of the session.
Not here: where the levels come from (``symbol_day.py``), the page around it (``day_picture.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from mr_platform.pictures import style
from mr_platform.pictures.style import SideLabel
from mr_platform.pictures.symbol_day import Series, SymbolDay, ends, weighted_price

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEVEL_LINES: Mapping[str, tuple[str, str]] = {
    "high": ("prev. high", "--"),
    "low": ("prev. low", "--"),
    "close": ("prev. close", ":"),
}
_NEAR = 0.6
"""Levels are inside the plot up to this many ranges of the day beyond it."""
_LEAST_RANGE = 0.001
"""A day that hardly moves is drawn over this share of its price at least."""


def draw_spot(axes: Axes, day: SymbolDay) -> None:
    """Spot with VWAP, the previous day's levels, the walls of open interest and max pain."""
    axes.set_ylabel("index points")
    spot = day.series("spot")
    if not np.isfinite(spot).any():
        style.nothing_here(axes, "no spot on this day")
        return
    levels = day.levels("spot")
    lines = {
        "call wall": (day.series("call_wall"), style.CALL, "-"),
        "put wall": (day.series("put_wall"), style.PUT, "-"),
        "max pain": (day.series("max_pain"), style.MAX_PAIN, "-."),
    }
    vwap = future_vwap(day)
    last = [ends(values)[1] for values, _, _ in lines.values() if np.isfinite(values).any()]
    axes.set_ylim(*limits([spot, vwap], [*levels.values(), *last]))
    labels = _level_lines(axes, levels)
    low, high = axes.get_ylim()
    noted = 0
    for name, (values, colour, dashes) in lines.items():
        _runs(axes, values, colour, dashes, name)
        # beside the plot only the last value has an arrow: earlier ones are told inside it
        if np.isfinite(values).any() and low <= ends(values)[1] <= high:
            told = f"{name} {{value:,.0f}} at {{at}}"
            noted = style.mark_leaving(axes, values, colour, told, noted)
        labels += _last(values, name, colour)
    told = "VWAP (future − basis)" if np.isfinite(vwap).any() else ""
    style.draw_line(axes, vwap, colour=style.VWAP, linewidth=1.3, label=told)
    style.draw_line(axes, spot, colour=style.SPOT, linewidth=1.5, label="spot")
    labels += _last(vwap, "VWAP", style.VWAP) + _last(spot, "spot", style.SPOT, digits=2)
    style.side_labels(axes, labels)


def draw_straddle(axes: Axes, day: SymbolDay) -> None:
    """The re-struck ATM straddle of the expiry with its VWAP and the previous day's levels."""
    axes.set_ylabel("straddle, points")
    straddle = day.series("strd")
    if not np.isfinite(straddle).any():
        style.nothing_here(axes, "no ATM straddle of this expiry on this day")
        return
    traded = day.series("atm_ce_volume") + day.series("atm_pe_volume")
    vwap = weighted_price(straddle, traded)
    levels = day.levels("strd")
    axes.set_ylim(*limits([straddle, vwap], levels.values()))
    labels = _level_lines(axes, levels, digits=1)
    style.draw_line(axes, vwap, colour=style.VWAP, linewidth=1.1, label="VWAP of the straddle")
    style.draw_line(axes, straddle, colour=style.STRADDLE, linewidth=1.5, label="ATM straddle")
    labels += _last(vwap, "VWAP", style.VWAP, 1)
    labels += _last(straddle, "straddle", style.STRADDLE, 1)
    style.side_labels(axes, labels)


def future_vwap(day: SymbolDay) -> Series:
    """VWAP of the future in terms of spot: less the basis of the minute, as c7 takes it."""
    typical = (day.series("fut_high") + day.series("fut_low") + day.series("fut")) / 3
    return weighted_price(typical, day.series("fut_volume")) - day.series("basis")


def limits(series: Iterable[Series], levels: Iterable[float]) -> tuple[float, float]:
    """Value axis that holds the series, and those levels that lie near them."""
    values = np.concatenate(list(series))
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span = max(high - low, _LEAST_RANGE * abs(high))
    near = [level for level in levels if low - _NEAR * span <= level <= high + _NEAR * span]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.06 * max(high - low, span)
    return low - margin, high + margin


def _level_lines(axes: Axes, levels: Mapping[str, float], digits: int = 0) -> list[SideLabel]:
    for name, value in levels.items():
        axes.axhline(value, color=style.LEVEL, linestyle=_LEVEL_LINES[name][1], linewidth=1.0)
    return [
        SideLabel(value, f"{_LEVEL_LINES[name][0]} {value:,.{digits}f}", style.LEVEL)
        for name, value in levels.items()
    ]


def _last(values: Series, name: str, colour: str, digits: int = 0) -> list[SideLabel]:
    if not np.isfinite(values).any():
        return []
    value = ends(values)[1]
    return [SideLabel(value, f"{name} {value:,.{digits}f}", colour)]


def _runs(axes: Axes, values: Series, colour: str, dashes: str, name: str) -> None:
    """A level that jumps between strikes, without the jumps."""
    style.mark_lone(axes, values, colour)
    turns = np.flatnonzero(values[1:] != values[:-1]) + 1
    runs = [run for run in np.split(style.MINUTES, turns) if np.isfinite(values[run[0]])]
    axes.hlines(
        [values[run[0]] for run in runs],
        [run[0] - 0.5 for run in runs],
        [run[-1] + 0.5 for run in runs],
        color=colour,
        linestyle=dashes,
        linewidth=1.4,
        alpha=0.9,
        label=name if runs else "",
    )
