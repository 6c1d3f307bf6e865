"""The feature reference: complete, well-formed Markdown."""

from __future__ import annotations

import re
from functools import cache

from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS
from mr_platform.registry.render_features_page import (
    render_decisions_page,
    render_features_page,
)


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


def test_the_page_of_decisions_holds_every_decision_once_at_its_family():
    lines = render_decisions_page().splitlines()
    registry = load_registry()
    decided = {
        family.name: family.columns[0].decision
        for component in (*registry.components.values(), registry.labels)
        for family in component.families
        if family.columns[0].decision
    }
    told = [line for line in lines if line.startswith("- [`")]
    assert len(told) == len(decided) > 150
    assert f"{len(decided)} families" in render_decisions_page()
    for name, decision in decided.items():
        text = decision.replace("*", "\\*").replace("<", "&lt;")
        assert f"- [`{name}`](features.md#{name}): {text}" in told


def test_the_page_of_decisions_tells_what_holds_in_several_components_once():
    lines = render_decisions_page().splitlines()
    for name in ("sums", "rounding", "held_return", "history_rule", "sign_zero"):
        assert sum(line.startswith(f"- `{name}`: ") for line in lines) == 1, name


def test_every_component_has_decisions_and_every_one_ends_as_a_sentence():
    registry = load_registry()
    for component in registry.components.values():
        decisions = [family.columns[0].decision for family in component.families]
        assert any(decisions), component.name
        assert all(text.endswith(".") for text in decisions if text), component.name
