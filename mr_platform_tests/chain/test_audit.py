"""Plausibility warns and never quarantines; shares and conservation are counted exactly."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.chain.audit import AUDIT_SCHEMA, bad_share
from mr_platform.chain.ingest import ingest_partition
from mr_platform_tests.chain.days import KEY, NOW, land, legacy_day, settings

CLEAN = legacy_day()


def audited(tmp_path, frame: pl.DataFrame, **quality: object):
    partition = ingest_partition(
        KEY, [land(frame, tmp_path)], settings(**quality), now=NOW, code_version="v7"
    )
    assert partition.rejection is None
    return partition


def verdict(partition, rule: str) -> dict[str, object]:
    return partition.audit.filter(pl.col("rule") == rule).row(0, named=True)


def test_a_clean_day_warns_only_of_its_few_minutes(tmp_path):
    partition = audited(tmp_path, CLEAN)

    failed = partition.audit.filter(~pl.col("passed"))["rule"].to_list()
    assert failed == ["few_bars"]
    assert dict(partition.audit.schema) == AUDIT_SCHEMA
    assert partition.audit["code_version"].unique().to_list() == ["v7"]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("atm_off_spot", {"atm_strike": pl.lit(24300.0)}),
        ("strike_off_step", {"strike": pl.col("strike") + 3}),
        ("zone_disagrees", {"zone_name": pl.lit("LUNCH")}),
        ("bucket_disagrees", {"expiry_bucket": pl.lit("NM")}),
        (
            "atm_label_missing",
            {
                name: pl.when(pl.col(name) == "ATM").then(pl.lit(other)).otherwise(name)
                for name, other in (("call_strike_type", "ITM9"), ("put_strike_type", "OTM9"))
            },
        ),
        (
            "strike_type_disagrees",
            {
                name: pl.when(pl.col(name) == "ATM").then(pl.lit(other)).otherwise(name)
                for name, other in (("call_strike_type", "ITM1"), ("put_strike_type", "OTM1"))
            },
        ),
        ("parity_miss", {"ce_close": pl.col("ce_close") + (pl.col("strike") % 100) * 2}),
        (
            "unlisted_expiry",
            {"expiry_date": pl.col("expiry_date") + pl.duration(days=1), "dte": pl.col("dte") + 1},
        ),
    ],
)
def test_an_implausible_pattern_warns_and_every_row_stays(tmp_path, rule, change):
    opened = {"ce_high": pl.lit(1e6)} if rule == "parity_miss" else {}
    partition = audited(tmp_path, CLEAN.with_columns(**change, **opened))

    found = verdict(partition, rule)
    assert not found["passed"], found["detail"]
    assert found["rows_failed"] > 0
    assert found["severity"] == "warn"
    assert partition.chain.height == CLEAN.height


def test_an_unknown_column_is_reported_and_not_read(tmp_path):
    partition = audited(tmp_path, CLEAN.with_columns(mood=pl.lit("good")))

    assert verdict(partition, "extra_columns")["detail"] == "day.csv: mood"
    assert partition.chain.height == CLEAN.height


def test_the_share_of_bad_rows_leaves_out_what_was_only_set_aside():
    quarantine = pl.DataFrame({"counts_as_bad": [True] * 2 + [False] * 60})

    finding = bad_share(quarantine, 100, 0.04)

    assert (finding.checked, finding.failed, finding.passed) == (40, 2, False)
    assert finding.detail == "2 of 40 rows were bad, limit 4%"


def test_the_dates_of_the_audit_are_those_of_the_partition(tmp_path):
    partition = audited(tmp_path, CLEAN)

    assert partition.audit["date"].unique().to_list() == [dt.date(2025, 8, 29)]
    assert partition.audit["loaded_at"].unique().to_list() == [NOW]
