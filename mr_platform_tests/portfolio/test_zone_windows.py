"""Zones of the day: windows by three methods, their faults, zones of rows."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.zone_windows import (
    OUTSIDE,
    custom_windows,
    equal_windows,
    freeform_windows,
    zones_at,
)
from mr_platform.trading_calendar import SESSION_CLOSE, SESSION_OPEN


def at(hour: int, minute: int, second: int = 0) -> dt.time:
    return dt.time(hour, minute, second)


def times(*given: dt.time | None) -> pl.Series:
    return pl.Series(list(given), dtype=pl.Time)


def test_four_equal_windows():
    windows = equal_windows().windows

    assert [(w.name, w.start, w.end) for w in windows] == [
        ("Zone 1", at(9, 15), at(10, 48, 45)),
        ("Zone 2", at(10, 48, 45), at(12, 22, 30)),
        ("Zone 3", at(12, 22, 30), at(13, 56, 15)),
        ("Zone 4", at(13, 56, 15), at(15, 30)),
    ]


def test_windows_between_cuts():
    windows = freeform_windows([at(10, 0), at(14, 30)])

    assert windows.method == "freeform"
    assert [(w.start, w.end) for w in windows.windows] == [
        (at(9, 15), at(10, 0)), (at(10, 0), at(14, 30)), (at(14, 30), at(15, 30)),
    ]  # fmt: skip


def test_windows_with_names_of_their_own_in_any_order():
    windows = custom_windows({"late": (at(12, 0), at(15, 30)), "early": (at(9, 15), at(12, 0))})
    assert windows.names == ("early", "late")


def test_zones_of_rows():
    windows = freeform_windows([at(10, 0), at(14, 30)])
    found = zones_at(
        times(at(9, 15), at(9, 59, 59), at(10, 0), at(15, 30), at(9, 14), at(15, 31), None),
        windows,
    )
    assert found == ("Zone 1", "Zone 1", "Zone 2", "Zone 3", OUTSIDE, OUTSIDE, None)


def test_time_in_a_gap_is_outside():
    windows = custom_windows({"a": (at(9, 30), at(11, 0)), "b": (at(12, 0), at(15, 0))}, gaps=True)
    found = zones_at(times(at(9, 20), at(10, 0), at(11, 0), at(12, 0), at(15, 0)), windows)
    assert found == (OUTSIDE, "a", OUTSIDE, "b", OUTSIDE)


@pytest.mark.parametrize(
    ("windows", "fault"),
    [
        ({}, "there is none"),
        ({"a": (at(9, 15), at(12, 0))}, "nothing covers 12:00-15:30"),
        ({"a": (at(10, 0), at(15, 30))}, "nothing covers 09:15-10:00"),
        (
            {"a": (at(9, 15), at(12, 0)), "b": (at(12, 0, 1), at(15, 30))},
            "nothing covers 12:00-12:00:01",
        ),
        ({"a": (at(9, 15), at(12, 0)), "b": (at(11, 0), at(15, 30))}, "'b' (11:00-15:30) overlaps"),
        (
            {"a": (at(9, 15), at(15, 30)), "b": (at(10, 0), at(11, 0)),
             "c": (at(12, 0), at(13, 0))},
            "'c' (12:00-13:00) overlaps 'a'",
        ),
        ({"a": (at(9, 0), at(15, 30))}, "'a' (09:00-15:30) leaves the session"),
        ({"a": (at(9, 15), at(16, 0))}, "leaves the session"),
        ({"a": (at(12, 0), at(12, 0))}, "does not end after it starts"),
        ({" ": (at(9, 15), at(15, 30))}, "is no name of a zone"),
        ({"outside market": (at(9, 15), at(15, 30))}, "is no name of a zone"),
        ({"a": (at(9, 15), at(12, 0)), "a ": (at(12, 0), at(15, 30))}, "'a' stands twice"),
    ],
)  # fmt: skip
def test_faults_of_windows(windows, fault):
    with pytest.raises(PortfolioError) as refused:
        custom_windows(windows)
    assert fault in refused.value.fault


def test_a_window_before_the_session_makes_no_gap_of_its_own():
    with pytest.raises(PortfolioError) as refused:
        custom_windows({"a": (at(8, 0), at(9, 0)), "b": (at(9, 15), at(15, 30))})
    assert refused.value.fault.endswith("are wrong: 'a' (08:00-09:00) leaves the session")


def test_every_fault_is_told_at_once():
    with pytest.raises(PortfolioError) as refused:
        custom_windows({"a": (at(9, 0), at(12, 0)), "b": (at(11, 0), at(14, 0))})
    assert all(
        text in refused.value.fault for text in ("leaves the session", "overlaps", "nothing covers")
    )


@pytest.mark.parametrize("count", [0, -1, 22_501])
def test_counts_that_cut_nothing(count):
    with pytest.raises(PortfolioError, match="cannot be cut"):
        equal_windows(count)


@pytest.mark.parametrize("cuts", [[at(12, 0), at(11, 0)], [at(9, 0)], [at(12, 0), at(12, 0)]])
def test_cuts_that_do_not_ascend_or_leave_the_session(cuts):
    with pytest.raises(PortfolioError, match="freeform"):
        freeform_windows(cuts)


@given(st.integers(1, 60), st.lists(st.times(), max_size=20))
@settings(max_examples=60, deadline=None)
def test_equal_windows_cover_the_session_once_and_names_sort_by_time(count, starts):
    windows = equal_windows(count)

    assert len(windows.windows) == count
    assert windows.windows[0].start == SESSION_OPEN
    assert windows.windows[-1].end == SESSION_CLOSE
    assert list(windows.names) == sorted(windows.names)
    seconds = [
        (w.end.hour - w.start.hour) * 3600 + (w.end.minute - w.start.minute) * 60
        + w.end.second - w.start.second
        for w in windows.windows
    ]  # fmt: skip
    assert max(seconds) - min(seconds) <= 1
    for start, zone in zip(starts, zones_at(times(*starts), windows), strict=True):
        inside = SESSION_OPEN <= start <= SESSION_CLOSE
        assert (zone != OUTSIDE) == inside
        if inside:
            window = windows.windows[windows.names.index(zone)]
            assert window.start <= start < window.end or start == window.end == SESSION_CLOSE
