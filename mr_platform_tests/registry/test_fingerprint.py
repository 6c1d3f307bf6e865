from __future__ import annotations

from pathlib import Path

import pytest

from mr_platform.config.settings import declared_market
from mr_platform.registry.fingerprint import (
    code_version,
    component_code_version,
    raw_chain_code_version,
    raw_chain_sources,
)
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS

ALL = (*COMPONENTS, "labels")


def versions(folder: Path) -> dict[str, str]:
    registry = load_registry(folder)
    found = {name: component_code_version(name, registry=registry) for name in ALL}
    return {**found, "raw_chain": raw_chain_code_version([], registry=registry)}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@pytest.fixture(scope="module")
def package_versions() -> dict[str, str]:
    registry = load_registry()
    found = {name: component_code_version(name, registry=registry) for name in ALL}
    return {**found, "raw_chain": raw_chain_code_version([], registry=registry)}


def test_versions_are_short_distinct_and_stable(package_versions, declared_copy):
    assert all(len(version) == 12 for version in package_versions.values())
    assert len(set(package_versions.values())) == len(package_versions)
    assert versions(declared_copy()) == package_versions


@pytest.mark.parametrize(
    ("edit", "stale"),
    [
        (("c2_greeks_sentiment", "1.5 * z_gamma", "1.6 * z_gamma"), {"c2"}),
        (("c2_greeks_sentiment", "range: [-50, 50]", "range: [-50, 60]"), {"c2"}),
        (("c4_iv_skew", "min_periods: {window: {30: 20, 60: 40}}",
          "min_periods: {window: {30: 21, 60: 40}}"), {"c4"}),
        (("history", "ISO week read 14", "ISO week read 15"), {"c1", "c4", "c5", "c6", "c7"}),
        (("labels", "history_days: 60", "history_days: 59"), {"labels"}),
        (("raw_chain", "range: [0.01, 5]", "range: [0.01, 4]"), {"raw_chain"}),
        (("raw_chain", "min_minutes: 300", "min_minutes: 299"), {"raw_chain"}),
        (("shared", "median over k = -1, 0, 1", "median over k = -2, 0, 2"), {"c2", "c4"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_changed_declaration_changes_exactly_the_versions_that_follow_from_it(
    package_versions, declared_copy, edit, stale
):
    assert changed(package_versions, versions(declared_copy(edit))) == stale


def test_comments_formatting_and_the_order_of_fields_change_no_version(
    package_versions, declared_copy
):
    folder = declared_copy(
        ("c2_greeks_sentiment", "families:", "# a note\nfamilies:"),
        ("c2_greeks_sentiment", "range: [-50, 50]", "range:\n      - -50\n      - 50"),
        ("c2_greeks_sentiment", "component: c2\ntitle: Greeks sentiment\n",
         "title: 'Greeks sentiment'\ncomponent: c2\n"),
    )  # fmt: skip
    assert versions(folder) == package_versions


def test_code_counts_but_not_its_comments_layout_or_docstrings(tmp_path):
    file = tmp_path / "kernel.py"
    file.write_text('def f(x):\n    """Old."""\n    return x + 1\n', encoding="utf-8")
    first = code_version(["d"], [file])
    file.write_text("# why\ndef f( x ):\n    'New.'\n    return (x +\n        1)\n", "utf-8")
    assert code_version(["d"], [file]) == first
    file.write_text("def f(x):\n    return x + 2\n", encoding="utf-8")
    assert code_version(["d"], [file]) != first
    file.write_text("def f(x):\n    return x - 1\n", encoding="utf-8")
    assert code_version(["d"], [file]) != first
    file.write_text("def g(x):\n    return x + 1\n", encoding="utf-8")
    assert code_version(["d"], [file]) != first


def test_constants_that_compare_equal_are_told_apart(tmp_path):
    file = tmp_path / "kernel.py"
    seen = set()
    for constant in ("1", "1.0", "True", "'1'", "b'1'", "None"):
        file.write_text(f"x = {constant}\n", encoding="utf-8")
        seen.add(code_version([], [file]))
    assert len(seen) == 6


def test_the_order_of_files_does_not_count_and_missing_ones_are_left_out(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("a = 1\n", encoding="utf-8")
    two.write_text("b = 2\n", encoding="utf-8")
    version = code_version([], [one, two])
    assert code_version([], [two, one, tmp_path / "three.py"]) == version
    assert code_version([], [one]) != version
    one.write_text("b = 2\n", encoding="utf-8")
    two.write_text("a = 1\n", encoding="utf-8")
    assert code_version([], [one, two]) != version


def test_a_component_without_code_differs_from_one_with_code(tmp_path):
    file = tmp_path / "c2_greeks_sentiment.py"
    without = component_code_version("c2", [file])
    assert without == component_code_version("c2")
    file.write_text("x = 1\n", encoding="utf-8")
    assert component_code_version("c2", [file]) != without


def test_the_raw_chain_follows_from_the_chain_room_and_the_calendar():
    names = {path.name for path in raw_chain_sources()}
    rooms = {path.parts[path.parts.index("mr_platform") + 1] for path in raw_chain_sources()}
    assert "trading_calendar.py" in names
    assert "chain" in rooms
    assert raw_chain_code_version() != raw_chain_code_version([])


def test_a_changed_lot_size_makes_the_chain_another_version():
    market = declared_market()
    other = {**market, "lot_sizes": {**market["lot_sizes"], "NIFTY": []}}

    assert raw_chain_code_version([], market=market) == raw_chain_code_version([])
    assert raw_chain_code_version([], market=other) != raw_chain_code_version([])


def test_an_unknown_component_is_refused():
    with pytest.raises(KeyError):
        component_code_version("c9")
