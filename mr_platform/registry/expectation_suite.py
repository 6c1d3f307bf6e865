"""Great Expectations' suite for the canonical option chain, rendered from the raw chain's YAML.

Here: which expectations the declarations imply, as plain data.
Not here: Great Expectations itself (``expectations.py``); rows and quarantine
(``chain/quality.py``).

The suite judges a *witness* of the frame (see ``expectations.py``): its columns hold every value
that decides an aggregate, and fact columns (``FACTS``) hold counts or names of columns.
"""

from __future__ import annotations

from typing import Any

from mr_platform.registry.model import RawChain, RawColumn

# fact column -> rule it stands for; the counts are of rows or minutes and must be 0
FACTS: dict[str, str] = {
    "rows_low_high_broken": "low_high_order",
    "rows_expired": "expiry_before_date",
    "rows_dte_mismatch": "dte_mismatch",
    "rows_outside_session": "outside_session",
    "rows_of_repeated_key": "duplicate_key",
    "minutes_with_two_spots": "spot_conflict",
}
COLUMNS_IN_ORDER = "columns_in_order"
COLUMNS_WITH_NULLS = "columns_with_nulls"
COLUMNS_NOT_FINITE = "columns_not_finite"
NONE_FOUND = "none"
# open and high are bounded below through low and the order of the four
_BOUNDED_BY_ORDER = ("_open", "_high")


def render_expectations(raw_chain: RawChain) -> list[dict[str, Any]]:
    """The expectations as plain data: ``type``, ``kwargs`` and ``meta`` with the rule's name.

    Args:
        raw_chain: The declared raw chain.
    """
    columns = raw_chain.canonical
    nullable = [column.name for column in columns if column.nullable]
    expectations = [
        _names(COLUMNS_IN_ORDER, [" ".join(c.name for c in columns)], "malformed_row"),
        _names(COLUMNS_WITH_NULLS, [*nullable, NONE_FOUND], "missing_value"),
        _names(COLUMNS_NOT_FINITE, [NONE_FOUND], "not_finite"),
    ]
    for column in columns:
        expectations += _of_column(column)
    expectations += [
        _expectation("expect_column_max_to_be_between", rule, column=fact, max_value=0)
        for fact, rule in FACTS.items()
    ]
    return expectations


def judged_columns(suite: list[dict[str, Any]]) -> list[str]:
    """Canonical columns that an expectation of the suite names."""
    named = [str(item["kwargs"]["column"]) for item in suite]
    facts = {*FACTS, COLUMNS_IN_ORDER, COLUMNS_WITH_NULLS, COLUMNS_NOT_FINITE}
    return [name for name in dict.fromkeys(named) if name not in facts]


def _of_column(column: RawColumn) -> list[dict[str, Any]]:
    if column.values:
        rule = "unknown_symbol" if column.name == "symbol" else "out_of_range"
        return [_names(column.name, list(column.values), rule)]
    if column.pattern:
        return [
            _expectation(
                "expect_column_values_to_match_regex",
                "out_of_range",
                column=column.name,
                regex=column.pattern,
            )
        ]
    if isinstance(column.low, str) or column.name.endswith(_BOUNDED_BY_ORDER):
        return []  # a time of day is judged by the fact rows_outside_session
    rule = "iv_out_of_range_nulled" if column.outside == "nulled" else "out_of_range"
    found = []
    if column.low is not None:
        found.append(
            _expectation(
                "expect_column_min_to_be_between", rule, column=column.name, min_value=column.low
            )
        )
    if column.high is not None:
        found.append(
            _expectation(
                "expect_column_max_to_be_between", rule, column=column.name, max_value=column.high
            )
        )
    return found


def _names(column: str, value_set: list[str], rule: str) -> dict[str, Any]:
    return _expectation(
        "expect_column_distinct_values_to_be_in_set", rule, column=column, value_set=value_set
    )


def _expectation(kind: str, rule: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "meta": {"rule": rule}}
