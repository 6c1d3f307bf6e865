"""Tables as plain data: columns, constraints, descriptions."""

from __future__ import annotations

import pytest

from mr_platform.errors import PlatformError
from mr_platform.registry.loader import load_registry
from mr_platform.registry.tables import DESCRIPTION_LIMIT, table_schema, table_spec

KEY_NAMES = ["symbol", "ts_minute", "date", "dte", "zone_name"]


def test_the_load_audit_has_the_columns_of_the_lakehouse_table():
    assert [c.name for c in table_schema("load_audit")] == [
        "symbol",
        "date",
        "rule",
        "severity",
        "rows_checked",
        "rows_failed",
        "share",
        "passed",
        "detail",
        "loaded_at",
        "code_version",
    ]


def test_a_table_schema_is_plain_data_without_load_stamps():
    schema = table_schema("c2")
    assert [c.name for c in schema[:5]] == KEY_NAMES
    assert len(schema) == 5 + 98 + 1
    gamma = next(c for c in schema if c.name == "c2_gamma_flip_dist")
    assert (gamma.type, gamma.required) == ("FLOAT64", False)
    assert gamma.constraints == ("unit: percent of F", "range: [-3, 3]")


def test_the_option_chain_has_a_schema_with_its_constraints():
    schema = {c.name: c for c in table_schema("option_chain")}
    assert len(schema) == 55
    assert schema["spot"].required
    assert not schema["ce_close"].required
    assert "one of: CW, NW, CM, NM" in schema["expiry_bucket"].constraints
    assert "range: [-1, 0]" in schema["pe_delta"].constraints
    assert schema["ts_minute"].type == "TIMESTAMP"
    assert [c.name for c in table_schema("labels")[5:]] == [
        c.name for c in load_registry().labels.columns
    ]


def test_a_description_beyond_the_limit_is_cut_and_points_to_the_reference(declared_copy):
    folder = declared_copy(
        ("c1_triple_straddle", "P_atm / (2 * S) * sqrt(2 * pi / tau).", "many words " * 200)
    )
    spec = table_spec("c1_features", load_registry(folder))
    column = next(c for c in spec.columns if c.name == "c1_straddle_iv")
    assert len(column.description) <= DESCRIPTION_LIMIT
    assert "… whole text: docs/features.md, c1_straddle_iv (unit: annualised" in column.description


def test_an_unknown_table_is_an_error_that_names_the_near_one():
    with pytest.raises(PlatformError, match="Near: c2_features"):
        table_spec("c2_feature")
