"""The feature reference: complete, well-formed Markdown."""

from __future__ import annotations

import re
from functools import cache

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS
from mr_platform.registry.render_features_page import render_features_page


@cache
def page() -> str:
    return render_features_page()


def test_the_feature_reference_names_every_feature_family_and_rule():
    text = page()
    registry = load_registry()
    for column in (*registry.features, *registry.labels.columns):
        mark = " ●" if column.online else ""
        assert f"| `{column.name}`{mark} |" in text, column.name
    for name in COMPONENTS:
        for family in registry.components[name].families:
            assert f"### {family.name}\n" in text
    for rule in registry.raw_chain.rules:
        assert f"| `{rule.name}` | {rule.severity} |" in text
    for table in registry.history:
        assert f"| `{table}` |" in text


def test_every_table_row_of_the_reference_has_the_cells_of_its_head():
    cells = re.compile(r"(?<!\\)\|")
    width = None
    for line in page().splitlines():
        if not line.startswith("| "):
            width = None
            continue
        found = len(cells.findall(line))
        assert width in (None, found), line[:120]
        width = found


def test_links_of_the_reference_lead_to_headings():
    text = page()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("## ")
    }
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) == 8
    assert set(links) <= headings
