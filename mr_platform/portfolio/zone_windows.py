"""Zones of the day: time windows of the session, and which of them a row of results starts in.

A zone is a window of time, from 09:15 to 15:30 in all (portfolio.md §4), never a range of columns.
A window is half-open, only the last one holds its end: a row that starts with the close of the
session belongs to it.

Here: windows in equal parts, by cuts or named one by one, their check; zones of rows.
Not here: what is computed by zone (``zones``), zones of the option features.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.trading_calendar import SESSION_CLOSE, SESSION_OPEN

Method = Literal["equal", "freeform", "custom"]

OUTSIDE = "Outside Market"
"""Zone of rows that start in no window; rows of it are dropped."""

DEFAULT_ZONES = 4


@dataclass(frozen=True)
class ZoneWindow:
    """One window of the session.

    Attributes:
        name: Label of its rows.
        start: First instant that belongs to it.
        end: First instant that does not, but for the close of the session.
    """

    name: str
    start: dt.time
    end: dt.time


@dataclass(frozen=True)
class ZoneWindows:
    """The windows of a day, in the order of time.

    Attributes:
        method: How they were given.
        windows: One or more; they cover the session.
        gaps: Whether time between windows is allowed; rows that start there are outside.

    Raises:
        PortfolioError: No window, names that are empty, repeat or mean outside; windows that are
            empty, overlap, leave a gap (where that is not allowed) or leave the session. All
            faults are told at once.
    """

    method: Method
    windows: tuple[ZoneWindow, ...]
    gaps: bool = False

    def __post_init__(self) -> None:
        """Put the windows in order and check them against each other and the session."""
        ordered = tuple(sorted(self.windows, key=lambda window: (window.start, window.end)))
        faults = _faults(ordered, self.gaps)
        if faults:
            raise PortfolioError(
                f"zones by the method {self.method} are wrong: " + "; ".join(faults),
                next_step=f"Cover {_told(SESSION_OPEN)}-{_told(SESSION_CLOSE)} by windows that "
                "follow each other",
            )
        object.__setattr__(self, "windows", ordered)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels in the order of time."""
        return tuple(window.name for window in self.windows)


def equal_windows(count: int = DEFAULT_ZONES) -> ZoneWindows:
    """The session in parts of equal length, to the second, named ``Zone 1`` and so on.

    Args:
        count: Number of parts, from 1; 4 are 93 minutes and 45 seconds each.

    Raises:
        PortfolioError: Less than one part, or parts shorter than a second.
    """
    length = _seconds(SESSION_CLOSE) - _seconds(SESSION_OPEN)
    if not 1 <= count <= length:
        raise PortfolioError(f"the session cannot be cut into {count} zones")
    first = _seconds(SESSION_OPEN)
    ends = [_time(first + round(length * part / count)) for part in range(count + 1)]
    return ZoneWindows("equal", _numbered(ends))


def freeform_windows(cuts: Sequence[dt.time]) -> ZoneWindows:
    """Windows between chosen instants, named ``Zone 1`` and so on.

    Args:
        cuts: Instants inside the session at which one window ends and the next begins.

    Raises:
        PortfolioError: Cuts that do not ascend or lie outside the session.
    """
    return ZoneWindows("freeform", _numbered([SESSION_OPEN, *cuts, SESSION_CLOSE]))


def custom_windows(
    windows: Mapping[str, tuple[dt.time, dt.time]], *, gaps: bool = False
) -> ZoneWindows:
    """Windows with names, starts and ends of their own.

    Args:
        windows: Start and end by name, in any order.
        gaps: Allow time that belongs to no window, at the ends of the session too.

    Raises:
        PortfolioError: As :class:`ZoneWindows`.
    """
    return ZoneWindows(
        "custom", tuple(ZoneWindow(name, *ends) for name, ends in windows.items()), gaps
    )


def zones_at(starts: pl.Series, windows: ZoneWindows) -> tuple[str | None, ...]:
    """The zone that each row starts in.

    Args:
        starts: Times of day, one a row; null where a row tells none.
        windows: Zones of the day.

    Returns:
        Labels; :data:`OUTSIDE` for a start in no window, None for no start.
    """
    times = starts.cast(pl.Time)
    asked = times.to_physical().fill_null(-1).to_numpy()
    begins = np.array([_nanoseconds(window.start) for window in windows.windows])
    ends = np.array([_nanoseconds(window.end) for window in windows.windows])
    # the close of the session belongs to the window that ends with it
    ends[ends == _nanoseconds(SESSION_CLOSE)] += 1
    place = np.searchsorted(begins, asked, side="right") - 1
    inside = (place >= 0) & (asked < ends[np.clip(place, 0, None)])
    return tuple(
        None if missing else windows.names[where] if held else OUTSIDE
        for missing, where, held in zip(times.is_null(), place, inside, strict=True)
    )


def _numbered(ends: Sequence[dt.time]) -> tuple[ZoneWindow, ...]:
    """Windows between instants; numbers are as wide as the last, so that names sort by time."""
    count = len(ends) - 1
    width = len(str(count))
    return tuple(
        ZoneWindow(f"Zone {place:0{width}d}", start, end)
        for place, (start, end) in enumerate(pairwise(ends), start=1)
    )


def _faults(windows: Sequence[ZoneWindow], gaps: bool) -> list[str]:
    if not windows:
        return ["there is none"]
    names = [window.name.strip() for window in windows]
    faults = [f"{name!r} stands twice" for name in sorted(set(names)) if names.count(name) > 1]
    reserved = {"", "nan", OUTSIDE.lower()}
    faults += [f"{name!r} is no name of a zone" for name in names if name.lower() in reserved]
    for window in windows:
        if window.start >= window.end:
            faults.append(f"{_shown(window)} does not end after it starts")
        if window.start < SESSION_OPEN or window.end > SESSION_CLOSE:
            faults.append(f"{_shown(window)} leaves the session")
    return faults + _overlaps_and_gaps(windows, gaps)


def _overlaps_and_gaps(windows: Sequence[ZoneWindow], gaps: bool) -> list[str]:
    faults = []
    covered, last = SESSION_OPEN, None
    for window in windows:
        if last is not None and window.start < covered:
            faults.append(f"{_shown(window)} overlaps {_shown(last)}")
        elif window.start > covered and not gaps:
            faults.append(f"nothing covers {_told(covered)}-{_told(window.start)}")
        if window.end > covered or last is None:
            covered, last = max(covered, window.end), window
    if covered < SESSION_CLOSE and not gaps:
        faults.append(f"nothing covers {_told(covered)}-{_told(SESSION_CLOSE)}")
    return faults


def _shown(window: ZoneWindow) -> str:
    return f"{window.name!r} ({_told(window.start)}-{_told(window.end)})"


def _told(time: dt.time) -> str:
    return time.isoformat("auto" if time.second or time.microsecond else "minutes")


def _seconds(time: dt.time) -> int:
    return time.hour * 3600 + time.minute * 60 + time.second


def _time(seconds: int) -> dt.time:
    return (dt.datetime.min + dt.timedelta(seconds=seconds)).time()


def _nanoseconds(time: dt.time) -> int:
    return (_seconds(time) * 1_000_000 + time.microsecond) * 1_000
