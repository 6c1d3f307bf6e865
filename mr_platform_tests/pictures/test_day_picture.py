from __future__ import annotations

import matplotlib
import pytest

from mr_platform.pictures.day_picture import (
    MAX_EVENT_BYTES,
    DayPicture,
    Layout,
    draw_day,
    event_png,
    null_section,
    sections,
)
from mr_platform.pictures.symbol_day import SymbolDay
from mr_platform_tests.pictures import picture_days as days


@pytest.fixture(scope="module")
def day() -> SymbolDay:
    return days.symbol_day(panel=days.panel(gap=range(100, 130)))


@pytest.fixture(scope="module")
def drawn(day: SymbolDay) -> DayPicture:
    return draw_day(day, sections(day), Layout(dpi=60))


def test_the_picture_is_a_png_of_the_layouts_width(drawn: DayPicture) -> None:
    width, height = days.size_of(drawn.png)
    assert width == 840
    assert height > 1_500


def test_the_parts_are_the_sections_and_fill_the_picture(day: SymbolDay, drawn: DayPicture) -> None:
    assert list(drawn.parts) == [section.name for section in sections(day)]
    sizes = [days.size_of(part) for part in drawn.parts.values()]
    assert {width for width, _ in sizes} == {840}
    header = days.size_of(drawn.png)[1] - sum(height for _, height in sizes)
    assert 0 < header < 90


def test_a_day_of_which_nothing_is_known_is_drawn(drawn: DayPicture) -> None:
    bare = days.bare_day()
    picture = draw_day(bare, sections(bare), Layout(dpi=40))
    assert days.size_of(picture.png)[0] == 560


def test_drawing_leaves_the_readers_settings_alone(day: SymbolDay) -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 31.0}):
        draw_day(day, [null_section(day, "component")], Layout(dpi=40), header=False)
        assert matplotlib.rcParams["font.size"] == 31.0
    assert dict(matplotlib.rcParams) == before


def test_the_same_day_gives_the_same_bytes(day: SymbolDay) -> None:
    shown = [null_section(day, "component")]
    one, other = (draw_day(day, shown, Layout(dpi=40), header=False).png for _ in range(2))
    assert one == other


def test_the_picture_of_an_event_keeps_below_its_limit(day: SymbolDay) -> None:
    picture = event_png(day)
    assert days.size_of(picture)[0] == 840
    assert len(picture) <= MAX_EVENT_BYTES
    # as text, a data URI is four thirds of it
    assert 4 / 3 * MAX_EVENT_BYTES <= 120_000


def test_a_picture_that_is_too_large_is_drawn_coarser(day: SymbolDay) -> None:
    most = len(event_png(day)) - 1
    smaller = event_png(day, most)
    assert days.size_of(smaller)[0] < 840
    assert len(smaller) <= most
