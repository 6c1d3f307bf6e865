"""The rules as declared: every name implemented, every bound taken from the registry."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.chain import audit, quality
from mr_platform.chain.dialects import LEGACY_CHAIN, LONG_QUOTES
from mr_platform.chain.ingest import ingest_partition
from mr_platform.chain.sieve import Sieve
from mr_platform.registry.loader import load_registry
from mr_platform_tests.chain.days import KEY, NOW, land, legacy_day, settings

RULES = load_registry().raw_chain.rules


def test_every_declared_rule_is_accounted_for_in_the_audit_of_a_day(tmp_path):
    partition = ingest_partition(
        KEY,
        [land(legacy_day(), tmp_path)],
        settings(run_great_expectations=True),
        now=NOW,
        code_version="v1",
    )

    told = partition.audit["rule"].to_list()
    # units that are mixed reject the partition before anything is audited
    assert told == [rule.name for rule in RULES if rule.name != "mixed_units"]
    severities = dict(partition.audit.select("rule", "severity").rows())
    assert severities == {rule.name: rule.severity for rule in RULES if rule.name in severities}


def test_every_plausibility_rule_is_declared_as_a_warning():
    declared = {rule.name for rule in RULES if rule.severity == "warn"}

    assert set(audit._PLAUSIBILITY) <= declared


def sieve_of(**columns: object) -> Sieve:
    height = len(next(iter(columns.values())))
    base = {"_file": [0] * height, "_row": list(range(1, height + 1))}
    return Sieve(pl.DataFrame(base | columns))


def test_an_unknown_option_type_is_unparseable():
    rows = pl.DataFrame(
        {
            "_file": [0, 0],
            "_row": [1, 2],
            "date": [dt.date(2026, 8, 18)] * 2,
            "time": [dt.time(9, 15)] * 2,
            "expiry_date": [dt.date(2026, 8, 18)] * 2,
            "strike": [100.0, 100.0],
            "option_type": ["CE", "XX"],
            "delta": [0.5, 0.5],
        }
    )
    sieve = Sieve(rows)

    sieve.apply(quality.key_rules(LONG_QUOTES, rows))

    assert sieve.rejected.select("_row", "reason").rows() == [(2, "unparseable_value")]


def test_a_put_delta_is_judged_by_the_puts_range_in_long_rows():
    rows = pl.DataFrame(
        {
            "_file": [0, 0],
            "_row": [1, 2],
            "date": [dt.date(2026, 8, 18)] * 2,
            "time": [dt.time(9, 15)] * 2,
            "expiry_date": [dt.date(2026, 8, 18)] * 2,
            "strike": [100.0, 100.0],
            "option_type": ["PE", "CE"],
            "delta": [-0.4, -0.4],
        }
    )
    sieve = Sieve(rows)

    sieve.apply(quality.value_rules(LONG_QUOTES, rows))

    assert sieve.rejected.select("_row", "reason").rows() == [(2, "out_of_range")]


def test_bounds_come_from_the_registry():
    delta = load_registry().raw_chain.column("ce_delta")

    bad = pl.DataFrame({"ce_delta": [0.0, 1.0, -0.1, 1.1, None]}).select(
        quality.outside("ce_delta", delta)
    )

    assert bad.to_series().to_list() == [False, False, True, True, None]
    assert quality.outside("ce_theta", load_registry().raw_chain.column("ce_theta")) is None


@pytest.mark.parametrize(
    ("snapshots", "kept", "spots"),
    [(True, [1, 2, 3, 4], [100.0] * 4), (False, [1, 2, 3], [100.0] * 3)],
)
def test_spots_seconds_apart_are_settled_for_snapshots_and_conflict_for_bars(
    snapshots, kept, spots
):
    sieve = sieve_of(minute=[555] * 4, spot=[100.0, 100.0, None, 100.2])

    changed = quality.settle_spot(sieve, snapshots=snapshots)

    assert sieve.rows["_row"].to_list() == kept
    assert sieve.rows["spot"].to_list() == spots
    assert changed == (1 if snapshots else 0)


def test_a_page_an_hour_old_conflicts_even_among_snapshots():
    sieve = sieve_of(minute=[555] * 3, spot=[30957.9, 30957.9, 30760.0])

    quality.settle_spot(sieve, snapshots=True)

    assert sieve.rejected["reason"].to_list() == ["spot_conflict"]


def test_a_strike_without_price_or_open_interest_on_both_legs_is_no_quote():
    sieve = sieve_of(
        minute=[555] * 3,
        ce_close=[None, None, 5.0],
        pe_close=[None, None, None],
        ce_oi=[0.0, None, 0.0],
        pe_oi=[None, 75.0, 0.0],
    )

    quality.set_aside_unquoted(sieve, LEGACY_CHAIN, ["minute"])

    assert sieve.rejected.select("_row", "reason").rows() == [(1, "no_quote")]


def test_in_long_rows_a_leg_without_a_quote_stays_while_the_other_leg_has_one():
    sieve = sieve_of(
        minute=[555] * 4,
        strike=[100.0, 100.0, 200.0, 200.0],
        option_type=["CE", "PE"] * 2,
        close=[1.0, None, None, None],
        oi=[None, None, 0.0, None],
    )

    quality.set_aside_unquoted(sieve, LONG_QUOTES, ["minute", "strike", "option_type"])

    assert sieve.rows["strike"].to_list() == [100.0, 100.0]
