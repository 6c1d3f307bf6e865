"""What each check makes of the facts of a partition; the facts are set by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mr_platform.config.settings import load_settings
from mr_platform.orchestration.checks.verdicts import (
    RULES,
    Judgement,
    PartitionFacts,
    range_expressions,
)
from mr_platform.trading_calendar import PartitionKey

AUDITED = ("parity_miss", "atm_label_missing", "atm_off_spot", "few_bars", "expectations_failed")


def audit(**passed: bool) -> dict[str, dict[str, Any]]:
    return {
        rule: {"rule": rule, "passed": passed.get(rule, True), "detail": rule, "share": 0.0}
        for rule in AUDITED
    }


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> PartitionFacts:
    """A partition with nothing to find: 100 rows in, 10 quarantined, 5 of them bad."""
    home: Path = tmp_path_factory.mktemp("home")
    return PartitionFacts(
        key=PartitionKey.parse("2024-01-02|NIFTY"),
        settings=load_settings(home, environment={}),
        chain={"rows": 88, "source_rows": 90, "minutes": 4, "range:spot": 0},
        quarantined=10,
        bad=5,
        rows_in=100,
        stored_digests=frozenset({"one", "two"}),
        landed_digests=frozenset({"one", "two"}),
        audit=audit(),
    )


def judged(name: str, facts: PartitionFacts) -> Judgement:
    return next(rule for rule in RULES if rule.name == name).judge(facts)


def test_a_sound_partition_passes_every_check(sound: PartitionFacts) -> None:
    assert [rule.name for rule in RULES if not rule.judge(sound).passed] == []


@pytest.mark.parametrize(
    ("check", "change", "sentence"),
    [
        ("has_rows", {"chain": {}}, "0 rows in 0 minutes"),
        ("rows_are_conserved", {"rows_in": 101}, "90 good + 10 quarantined, 101 came in"),
        ("rows_are_conserved", {"chain": {}, "quarantined": 0, "rows_in": 0}, "0 good"),
        ("bad_share_is_low", {"quarantined": 40, "bad": 30}, "30 of 90 rows were bad (33.33%"),
        ("keys_are_unique", {"chain": {"repeated_keys": 2}}, "2 rows repeat a key"),
        (
            "one_spot_per_minute",
            {"chain": {"minutes_without_one_spot": 1}},
            "1 minutes hold no spot or several",
        ),
        (
            "values_are_in_range",
            {"chain": {"range:spot": 3, "range:ce_iv": 0, "range:dte": 1}},
            "values outside: dte: 1, spot: 3",
        ),
        ("expectations_hold", {"audit": audit(expectations_failed=False)}, "expectations_failed"),
        ("parity_is_plausible", {"audit": audit(parity_miss=False)}, "parity_miss"),
        ("parity_is_plausible", {"audit": {}}, "holds no parity_miss"),
        (
            "atm_labels_are_plausible",
            {"audit": audit(atm_off_spot=False)},
            "atm_label_missing; atm_off_spot",
        ),
        ("session_is_complete", {"audit": audit(few_bars=False)}, "few_bars"),
        (
            "inputs_are_current",
            {"landed_digests": frozenset({"one", "three", "four"})},
            "2 landed files are not in it yet, 1 of its files are no longer landed",
        ),
    ],
)
def test_one_changed_fact_fails_its_check_with_the_reason(
    sound: PartitionFacts, check: str, change: dict[str, Any], sentence: str
) -> None:
    verdict = judged(check, replace(sound, **change))
    assert not verdict.passed
    assert sentence in verdict.sentence


def test_rows_set_aside_are_no_part_of_the_share(sound: PartitionFacts) -> None:
    found = judged("bad_share_is_low", replace(sound, quarantined=95, bad=0))
    assert found.passed
    assert found.numbers["rows_judged"] == 5
    nothing = judged("bad_share_is_low", replace(sound, quarantined=100, bad=0))
    assert (nothing.passed, nothing.numbers["share"]) == (True, 0.0)


def test_expectations_missing_in_the_audit_pass_only_where_they_are_switched_off(
    sound: PartitionFacts,
) -> None:
    def switched(on: bool) -> Judgement:
        quality = sound.settings.quality.model_copy(update={"run_great_expectations": on})
        settings = sound.settings.model_copy(update={"quality": quality})
        return judged("expectations_hold", replace(sound, settings=settings, audit={}))

    assert not switched(True).passed
    assert switched(False).passed
    assert "is off" in switched(False).sentence


def test_values_outside_their_declared_range_are_counted_by_column() -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["NIFTY", "SENSEX", "NIFTY"],
            "pe_delta": [-0.5, 0.5, None],
            "ce_open": [10.0, 10.0, 10.0],
            "ce_high": [11.0, 9.0, 11.0],
            "ce_low": [9.0, 8.0, 10.5],
            "ce_close": [10.0, 8.5, 10.6],
        }
    )
    counts = frame.select(range_expressions(frame.columns)).row(0, named=True)
    assert counts["range:symbol"] == 1
    assert counts["range:pe_delta"] == 1
    assert counts["range:ce_bar_order"] == 2
    assert not any(name.startswith(("range:pe_bar", "range:spot")) for name in counts)


def test_nan_and_infinity_are_outside_every_range() -> None:
    broken = [float("nan"), float("inf"), -float("inf"), None, 1.0]
    frame = pl.DataFrame({"ce_gamma": broken, "ce_theta": broken, "spot": broken})
    counts = frame.select(range_expressions(frame.columns)).row(0, named=True)
    assert counts == {"range:ce_gamma": 3, "range:ce_theta": 3, "range:spot": 3}
