from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import polars as pl

from mr_platform.pictures.day_page import WORST, data_uri, day_page
from mr_platform.pictures.day_picture import sections
from mr_platform.pictures.null_map import null_map
from mr_platform.registry.loader import load_registry
from mr_platform_tests.pictures import picture_days as days

PICTURE = days.SIGNATURE + b"made up"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.left: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.sources += [value for name in ("src", "href") if (value := values.get(name))]
        if tag not in ("meta", "img"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def page(**changes: object) -> str:
    day = days.symbol_day(**changes)
    shown = sections(day)
    parts = {section.name: PICTURE for section in shown}
    families = null_map(day, load_registry(), "family")
    return day_page(day, shown, parts, families, PICTURE)


def test_the_page_asks_nothing_of_any_server_and_closes_its_tags() -> None:
    text = page()
    tags = _Tags()
    tags.feed(text)
    assert not tags.opened
    assert tags.sources
    for source in tags.sources:
        assert source.startswith(("data:image/png;base64,", "#"))
    assert not re.search(r"https?://|//[a-z]|@import|url\(|<script|<link", text)


def test_a_data_uri_holds_the_picture() -> None:
    kind, _, text = data_uri(PICTURE).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == PICTURE


def test_links_lead_to_the_sections() -> None:
    text = page()
    for name in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{name}"' in text


def test_missing_tables_are_told_with_the_command_and_escaped() -> None:
    text = page(missing=days.bare_day().missing)
    assert "c1_features holds no rows of the day, so scores of c1" in text
    assert "<code>mr materialize &lt;c1&gt;</code>" in text
    assert 'class="missing"' not in page()


def test_the_emptiest_families_are_listed_first() -> None:
    nulls = {"c1_premium_pct_atm": 10, "c1_straddle_iv": 75}
    text = page(components={"c1": days.features("c1", nulls=nulls)})
    assert text.index("<td>straddle_iv</td>") < text.index("<td>premium_pct</td>")
    assert '<td class="n">20.0 %</td><td>10:30</td>' in text
    assert "emptiest families, 2 of 2" in text


def test_what_the_source_lacks_is_told_without_a_command() -> None:
    text = page(panel=days.panel(futures=False))
    assert "<li>no futures in the file: families of the future are null</li>" in text


def test_every_component_is_among_the_emptiest_families() -> None:
    empty = {f"c{n}": days.features(f"c{n}") for n in (1, 8)}
    for name, frame in empty.items():
        nothing = [column for column in frame.columns if column.startswith(f"{name}_")]
        empty[name] = frame.with_columns(
            pl.lit(None, frame.schema[column]).alias(column) for column in nothing
        )
    text = page(components=empty)
    assert text.count("<tr><td>c1</td>") == text.count("<tr><td>c8</td>") == WORST + 2
    families = len(load_registry().components["c8"].families)
    rest = families - WORST
    assert f"… {rest} more with nulls, {rest} of them null all day" in text
    counts = f'<td>c8</td><td class="n">{families}</td><td class="n">{families}</td>'
    assert counts in text


def test_without_nulls_there_is_no_list() -> None:
    assert "<table>" not in page()
