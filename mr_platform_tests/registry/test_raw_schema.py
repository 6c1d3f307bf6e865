from __future__ import annotations

import re

import polars as pl
import pytest

from mr_platform.errors import RegistryError
from mr_platform.registry.loader import load_registry

QUARANTINE = {
    "malformed_row",
    "unparseable_value",
    "missing_value",
    "not_finite",
    "fractional_integer",
    "out_of_range",
    "low_high_order",
    "expiry_before_date",
    "dte_mismatch",
    "labels_not_mirrored",
    "spot_conflict",
    "duplicate_key",
    "duplicate_row",
    "unparseable_key",
}
SET_ASIDE = {
    "unknown_symbol",
    "not_a_trading_day",
    "outside_session",
    "no_quote",
    "superseded_snapshot",
    "superseded_source",
}
WARN = {
    "extra_columns",
    "spot_settled",
    "atm_label_missing",
    "atm_off_spot",
    "dte_not_monotone",
    "parity_miss",
    "strike_off_step",
    "zone_disagrees",
    "strike_type_disagrees",
    "bucket_disagrees",
    "unlisted_expiry",
    "few_bars",
    "iv_out_of_range_nulled",
    "expectations_failed",
}
ERROR = {"bad_share", "conservation", "mixed_units"}


def raw_chain():
    return load_registry().raw_chain


def test_the_raw_chain_has_48_columns_in_file_order():
    columns = raw_chain().columns
    assert [c.position for c in columns] == list(range(1, 49))
    assert [c.source for c in columns[:8]] == [
        "trade_date",
        "trade_time",
        "expiry_date",
        "index_name",
        "spot",
        "atm_strike",
        "strike",
        "dte",
    ]
    assert columns[13].source == "ce_symbol"
    assert columns[27].source == "pe_symbol"
    assert [c.source for c in columns[-3:]] == ["future_volume", "future_oi", "future_coi"]


@pytest.mark.real_data
def test_a_real_file_has_the_declared_columns_in_the_declared_order(real_data):
    file = next((real_data / "options" / "chain").rglob("*.parquet"))
    assert list(pl.read_parquet_schema(file)) == [c.source for c in raw_chain().columns]


def test_the_canonical_chain_puts_the_key_first_and_the_marks_last():
    names = [c.name for c in raw_chain().canonical]
    assert names[:8] == [
        "symbol",
        "date",
        "ts_minute",
        "expiry_date",
        "spot",
        "atm_strike",
        "strike",
        "dte",
    ]
    assert names[-7:] == [
        "spot_computed",
        "atm_computed",
        "ce_iv_computed",
        "pe_iv_computed",
        "ce_greeks_computed",
        "pe_greeks_computed",
        "source_rows",
    ]
    assert len(names) == len(set(names)) == 55
    assert set(raw_chain().key) == {"symbol", "ts_minute", "expiry_date", "strike"}


def test_only_the_first_columns_the_labels_and_the_marks_are_never_null():
    never = {c.name for c in raw_chain().canonical if not c.nullable}
    assert never == {
        "symbol",
        "date",
        "ts_minute",
        "expiry_date",
        "spot",
        "atm_strike",
        "strike",
        "dte",
        "zone_id",
        "zone_name",
        "call_strike_type",
        "put_strike_type",
        *(mark.name for mark in raw_chain().marks),
    }


def test_rules_have_the_agreed_severities():
    by_severity = {
        severity: {r.name for r in raw_chain().rules if r.severity == severity}
        for severity in ("quarantine", "set_aside", "warn", "error")
    }
    assert by_severity == {
        "quarantine": QUARANTINE,
        "set_aside": SET_ASIDE,
        "warn": WARN,
        "error": ERROR,
    }


def test_implied_volatility_outside_its_range_is_nulled_not_quarantined():
    for name in ("ce_iv", "pe_iv"):
        column = raw_chain().column(name)
        assert (column.low, column.high, column.outside) == (0.01, 5, "nulled")
    assert "ce_iv" not in raw_chain().rule("out_of_range").columns


def test_out_of_range_looks_at_every_column_that_quarantines():
    declared = {c.name for c in raw_chain().columns if c.outside == "quarantine"}
    assert set(raw_chain().rule("out_of_range").columns) == declared - {"symbol"}


def test_strike_type_pattern_takes_ranks_and_nothing_else():
    pattern = re.compile(raw_chain().column("call_strike_type").pattern)
    assert all(pattern.match(label) for label in ("ATM", "ITM1", "OTM7", "OTM120"))
    assert not any(pattern.match(label) for label in ("ATM1", "ITM", "ITM0", "OTM01", "otm1", ""))


def test_a_column_is_found_by_canonical_and_by_source_name():
    assert raw_chain().column("index_name") is raw_chain().column("symbol")
    with pytest.raises(KeyError):
        raw_chain().column("bid")
    with pytest.raises(KeyError):
        raw_chain().rule("no_rule")


FAULTS = [
    ("count: 48", "count: 47", "count is 47, but 48 columns are declared"),
    ("source: strike\n", "source: spot\n", "the source spot is declared twice"),
    ("range: [0.01, 5]", "range: [5, 0.01]", "the range [5, 0.01] is upside down"),
    ("range: [1, 5]", "range: [1]", "range must be [low, high], was [1]"),
    ("range: [-1, 0]", "range: [-1, low]", "both ends of a range must be of one kind"),
    ("name: no_quote", "name: outside_session", "the rule outside_session is declared twice"),
    ("outside: nulled", "outside: allow", "outside and a range, values or pattern must be given"),
    ("dtype: Boolean", "dtype: Bool", "unknown dtype 'Bool'. Near: Boolean"),
    ("nullable: false", "nullable: no thanks", "nullable must be true or false"),
]


def test_every_fault_of_the_raw_chain_is_told_at_once(declared_copy):
    order = "canonical_order: [\n  symbol, date, ts_minute,"
    folder = declared_copy(
        *[("raw_chain", old, new) for old, new, _ in FAULTS],
        ("raw_chain", order, order.replace("ts_minute", "ts_minutes")),
    )
    with pytest.raises(RegistryError) as caught:
        load_registry(folder)
    for _, _, said in FAULTS:
        assert any(said in fault for fault in caught.value.faults), said
    assert any("unknown column ts_minutes. Near: ts_minute" in f for f in caught.value.faults)
    assert any("canonical_order does not place ts_minute" in f for f in caught.value.faults)
    assert all(fault.startswith("raw_chain.yaml:") for fault in caught.value.faults)
