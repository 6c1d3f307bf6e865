"""Which expectations the declared raw chain implies."""

from __future__ import annotations

from typing import Any

import pytest

from mr_platform.registry.expectation_suite import FACTS, judged_columns, render_expectations
from mr_platform.registry.loader import load_registry


def suite() -> list[dict[str, Any]]:
    return render_expectations(load_registry().raw_chain)


def of_column(name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Type without its prefix, rule and further arguments of a column's expectations."""
    found = []
    for item in suite():
        arguments = dict(item["kwargs"])
        if arguments.pop("column") == name:
            kind = item["type"].removeprefix("expect_column_").removesuffix("_to_be_between")
            found.append((kind, item["meta"]["rule"], arguments))
    return found


def test_the_suite_is_plain_data_of_declared_rules_on_canonical_columns():
    declared = {rule.name for rule in load_registry().raw_chain.rules}
    names = {column.name for column in load_registry().raw_chain.canonical}
    assert {item["meta"]["rule"] for item in suite()} <= declared
    assert set(judged_columns(suite())) <= names
    assert set(FACTS.values()) <= declared
    assert 25 <= len(suite()) <= 50


def test_bounds_become_least_and_greatest_value() -> None:
    assert of_column("pe_delta") == [
        ("min", "out_of_range", {"min_value": -1}),
        ("max", "out_of_range", {"max_value": 0}),
    ]


def test_a_volatility_out_of_range_is_the_rule_that_makes_it_null() -> None:
    assert {rule for _, rule, _ in of_column("ce_iv")} == {"iv_out_of_range_nulled"}


def test_listed_values_become_a_set_and_patterns_an_expression() -> None:
    assert of_column("symbol") == [
        ("distinct_values_to_be_in_set", "unknown_symbol", {"value_set": ["NIFTY", "BANKNIFTY"]})
    ]
    ((kind, rule, arguments),) = of_column("call_strike_type")
    assert (kind, rule) == ("values_to_match_regex", "out_of_range")
    assert arguments["regex"] == load_registry().raw_chain.column("call_strike_type").pattern


@pytest.mark.parametrize("fact", FACTS)
def test_each_counted_fact_must_be_zero(fact: str) -> None:
    assert of_column(fact) == [("max", FACTS[fact], {"max_value": 0})]


def test_only_columns_declared_nullable_may_hold_nulls() -> None:
    ((_, rule, arguments),) = of_column("columns_with_nulls")
    assert rule == "missing_value"
    assert "ce_iv" in arguments["value_set"]
    assert not {"spot", "strike", "ts_minute"} & set(arguments["value_set"])
