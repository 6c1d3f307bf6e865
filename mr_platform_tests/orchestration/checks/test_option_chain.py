"""Checks judge what is stored, one partition at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from mr_platform.definitions import build_definitions
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.checks import option_chain as checks_module
from mr_platform.orchestration.checks import verdicts as verdicts_module
from mr_platform.orchestration.checks.option_chain import CHECK_SPECS
from mr_platform.orchestration.checks.verdicts import RULES, PartitionFacts
from mr_platform.orchestration.ingestion import TABLES
from mr_platform.orchestration.partitions import PARTITIONS, range_tags
from mr_platform_tests.orchestration.conftest import QuickSettings
from mr_platform_tests.orchestration.graph_runs import (
    ALL_CHECKS,
    CHAIN,
    FAILED,
    PASSED,
    days,
    failure_texts,
    materialized,
    run_range,
    verdicts,
)
from mr_platform_tests.orchestration.small_days import land

KEYS = days("2024-01-02", 3)
SPOILT = KEYS[1]

BLOCKING = {rule.name for rule in RULES if rule.blocks}

first_row = pl.int_range(pl.len()) == 0


@dataclass(frozen=True)
class Ingested:
    """Three ingested days whose tables may be spoilt and are mended after each test."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    lakehouse: Lakehouse

    @contextmanager
    def spoilt(self, table: str, spoil: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterator[None]:
        """Change the middle day of a table."""
        stored = self.lakehouse.scan(table, [SPOILT]).collect()
        self.lakehouse.replace_partitions(table, spoil(stored), [SPOILT])
        yield
        self.lakehouse.replace_partitions(table, stored, [SPOILT])


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingested]:
    home = tmp_path_factory.mktemp("home")
    settings = QuickSettings(home=str(home))
    definitions = build_definitions(settings)
    for key in KEYS:
        land(home / "landing", key)
    found = settings.load()
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_range(definitions, instance, KEYS)
        assert result.success, failure_texts(result)
        yield Ingested(definitions, instance, Lakehouse(found.lakehouse_root, found.parquet))


def one_row_less(table: pl.DataFrame) -> pl.DataFrame:
    return table.slice(1)


def a_row_twice(table: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([table, table.slice(0, 1)])


def put(**values: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Change cells of the first row."""

    def spoil(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(
            pl.when(first_row).then(value).otherwise(pl.col(name)).alias(name)
            for name, value in values.items()
        )

    return spoil


def failed_rule(name: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def spoil(table: pl.DataFrame) -> pl.DataFrame:
        return table.with_columns(passed=pl.col("passed") & (pl.col("rule") != name))

    return spoil


@pytest.mark.parametrize(
    ("check", "table", "spoil"),
    [
        ("has_rows", "option_chain", pl.DataFrame.clear),
        ("rows_are_conserved", "option_chain", one_row_less),
        ("rows_are_conserved", "landed_files", put(rows_in=pl.col("rows_in") + 1)),
        ("keys_are_unique", "option_chain", a_row_twice),
        ("one_spot_per_minute", "option_chain", put(spot=pl.col("spot") + 1)),
        ("one_spot_per_minute", "option_chain", put(spot=pl.lit(None))),
        ("values_are_in_range", "option_chain", put(ce_volume=pl.lit(-1))),
        ("values_are_in_range", "option_chain", put(pe_delta=pl.lit(0.5))),
        ("values_are_in_range", "option_chain", put(ce_high=pl.col("ce_low") - 1)),
        ("parity_is_plausible", "load_audit", failed_rule("parity_miss")),
        ("atm_labels_are_plausible", "load_audit", failed_rule("atm_off_spot")),
        ("inputs_are_current", "landed_files", put(file_sha256=pl.lit("0" * 64))),
    ],
)
def test_a_check_fails_for_the_spoilt_partition_and_for_no_other(
    check: str,
    table: str,
    spoil: Callable[[pl.DataFrame], pl.DataFrame],
    ingested: Ingested,
) -> None:
    with ingested.spoilt(table, spoil):
        result = run_range(
            ingested.definitions, ingested.instance, KEYS, job="check_option_chain_job"
        )
    assert result.success is (check not in BLOCKING)
    statuses = {
        partition: record.status
        for partition, (record,) in verdicts(ingested.instance, check, result.run_id).items()
    }
    assert statuses == {str(key): FAILED if key == SPOILT else PASSED for key in KEYS}


def many_bad_rows(table: pl.DataFrame) -> pl.DataFrame:
    """Twenty bad rows: more than a tenth of the day."""
    bad = pl.DataFrame(
        {
            "symbol": SPOILT.symbol,
            "date": SPOILT.date,
            "row_number": list(range(1, 21)),
            "reason": "out_of_range",
            "counts_as_bad": True,
        }
    )
    missing = [pl.lit(None).alias(name) for name in table.columns if name not in bad.columns]
    return bad.with_columns(missing).select(
        pl.col(name).cast(dtype) for name, dtype in table.schema.items()
    )


def test_too_many_bad_rows_in_the_quarantine_fail_the_share(ingested: Ingested) -> None:
    with ingested.spoilt("quarantined_rows", many_bad_rows):
        result = run_range(
            ingested.definitions, ingested.instance, KEYS, job="check_option_chain_job"
        )
    found = verdicts(ingested.instance, "bad_share_is_low", result.run_id)
    assert [found[str(key)][0].status for key in KEYS] == [PASSED, FAILED, PASSED]


def test_a_failed_warning_does_not_fail_the_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, landing: Path
) -> None:
    for key in KEYS:
        land(landing, key)
    result = run_range(definitions, instance, KEYS)
    assert result.success, failure_texts(result)
    warned = [
        check
        for check in ALL_CHECKS
        if any(records[0].status is FAILED for records in verdicts(instance, check).values())
    ]
    assert warned == ["session_is_complete"], "twelve minutes are no whole session"


@pytest.mark.parametrize("blocked", [True, False])
def test_a_failed_blocking_check_stops_what_is_downstream(
    blocked: bool,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    landing: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoilt_facts(*args: Any) -> list[PartitionFacts]:
        return [
            replace(facts, chain={}) if blocked and facts.key == SPOILT else facts
            for facts in verdicts_module.read_facts(*args)
        ]

    @dg.asset(partitions_def=PARTITIONS, deps=["option_chain"])
    def after_chain() -> None: ...

    monkeypatch.setattr(checks_module, "read_facts", spoilt_facts)
    whole = dg.Definitions.merge(definitions, dg.Definitions(assets=[after_chain]))
    for key in KEYS:
        land(landing, key)
    # as a run of chosen assets is started: assets of books have other partitions
    chosen = [dg.AssetKey(table) for table in (*TABLES, "after_chain")]
    result = whole.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, tags=range_tags(KEYS), asset_selection=chosen, raise_on_error=False
    )
    assert result.success is not blocked
    assert materialized(instance, "option_chain") == {str(key) for key in KEYS}
    assert bool(materialized(instance, "after_chain")) is not blocked


def test_one_check_can_be_run_alone(ingested: Ingested) -> None:
    definitions, instance = ingested.definitions, ingested.instance
    alone = definitions.resolve_job_def("check_option_chain_job").get_subset(
        asset_selection=frozenset(),
        asset_check_selection=frozenset({dg.AssetCheckKey(CHAIN, "has_rows")}),
    )
    result = alone.execute_in_process(instance=instance, tags=range_tags(KEYS[:1]))
    assert set(verdicts(instance, "has_rows", result.run_id)) == {str(KEYS[0])}
    assert verdicts(instance, "keys_are_unique", result.run_id) == {}


def test_what_must_not_flow_on_blocks_and_what_is_only_odd_warns() -> None:
    assert {spec.name: spec.blocking for spec in CHECK_SPECS} == {
        "has_rows": True,
        "rows_are_conserved": True,
        "bad_share_is_low": True,
        "keys_are_unique": True,
        "one_spot_per_minute": True,
        "values_are_in_range": True,
        "expectations_hold": True,
        "parity_is_plausible": False,
        "atm_labels_are_plausible": False,
        "session_is_complete": False,
        "inputs_are_current": False,
    }
    assert all(spec.partitions_def is not None and spec.description for spec in CHECK_SPECS)
