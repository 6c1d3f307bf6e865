"""Fingerprints of inputs, over an event log written by hand."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from mr_platform.orchestration.derived_tables import DerivedTable, Reading, derived_table
from mr_platform.orchestration.input_versions import (
    ABSENT,
    InputVersions,
    fingerprint_of,
    identity,
    input_fingerprints,
    read_partitions,
    recorded_identities,
)
from mr_platform.trading_calendar import (
    CALENDAR_FIRST,
    PartitionKey,
    next_trading_day,
    trading_days,
)
from mr_platform_tests.orchestration.derived_days import record

# 2025-08-27 is a holiday
DAY = dt.date(2025, 8, 28)
BEFORE = dt.date(2025, 8, 26)
NIFTY, BANKNIFTY = PartitionKey(DAY, "NIFTY"), PartitionKey(DAY, "BANKNIFTY")
EARLIER = PartitionKey(BEFORE, "NIFTY")


def table(name: str) -> DerivedTable:
    found = derived_table(name)
    assert found is not None
    return found


def now(instance: dg.DagsterInstance, name: str, key: PartitionKey = NIFTY) -> str:
    """The fingerprint by both ways of reading the log, which must agree."""
    one = input_fingerprints(instance, table(name), [key])[key]
    bulk = InputVersions(instance, {}).of(name)
    if str(key) in bulk:
        assert bulk[str(key)] == one
    return one


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading("t"), ["2025-08-28|NIFTY"]),
        (Reading("t", both_symbols=True), ["2025-08-28|BANKNIFTY", "2025-08-28|NIFTY"]),
        (Reading("t", 1, 1), ["2025-08-26|NIFTY"]),
        (Reading("t", 3, 1), ["2025-08-22|NIFTY", "2025-08-25|NIFTY", "2025-08-26|NIFTY"]),
        (Reading("t", 3, 2), ["2025-08-22|NIFTY", "2025-08-25|NIFTY"]),
    ],
)
def test_a_reading_names_trading_days_and_not_days(reading: Reading, expected: list[str]) -> None:
    assert [str(key) for key in read_partitions(reading, NIFTY)] == expected


def test_the_calendar_s_first_days_read_what_there_is() -> None:
    first = PartitionKey(trading_days(CALENDAR_FIRST, DAY)[0], "NIFTY")
    second = PartitionKey(next_trading_day(first.date), "NIFTY")
    assert read_partitions(Reading("t", 20, 1), first) == []
    assert read_partitions(Reading("t", 20, 1), second) == [first]
    assert read_partitions(Reading("t", 20, 2), second) == []


def test_an_identity_is_code_and_inputs_and_neither_alone() -> None:
    seen = {identity("1", "a"), identity("1", "b"), identity("2", "a"), identity(None, None)}
    assert len(seen) == 4
    assert identity("1", "a") == identity("1", "a")
    assert identity(None, "") == identity("", None)


def test_a_fingerprint_names_table_partition_and_identity() -> None:
    panel = table("minute_panel")
    made = {"option_chain": {str(NIFTY): "x"}}
    alone = fingerprint_of(panel, NIFTY, made)
    assert alone == fingerprint_of(panel, NIFTY, {**made, "hist_c3_close": {str(EARLIER): ABSENT}})
    assert alone != fingerprint_of(panel, NIFTY, {"option_chain": {str(NIFTY): "y"}})
    assert alone != fingerprint_of(panel, NIFTY, {**made, "hist_c3_close": {str(EARLIER): "x"}})
    # neither another day's history nor the other symbol is read
    assert alone == fingerprint_of(
        panel, NIFTY, {"option_chain": {str(NIFTY): "x", str(BANKNIFTY): "z"}}
    )


def test_the_same_input_made_again_changes_nothing(instance: dg.DagsterInstance) -> None:
    record(instance, "option_chain", NIFTY, fingerprint="files")
    before = now(instance, "minute_panel")
    record(instance, "option_chain", NIFTY, fingerprint="files")
    assert now(instance, "minute_panel") == before


@pytest.mark.parametrize("change", [{"fingerprint": "others"}, {"version": "2"}])
def test_other_inputs_or_other_code_change_it(
    change: dict[str, str], instance: dg.DagsterInstance
) -> None:
    record(instance, "option_chain", NIFTY, fingerprint="files")
    before = now(instance, "minute_panel")
    record(instance, "option_chain", NIFTY, **{"fingerprint": "files", **change})
    assert now(instance, "minute_panel") != before


def test_history_that_arrives_changes_it_and_no_other_day_s(instance: dg.DagsterInstance) -> None:
    record(instance, "option_chain", NIFTY, fingerprint="files")
    before = now(instance, "minute_panel")
    record(instance, "hist_c3_close", PartitionKey(dt.date(2025, 8, 25), "NIFTY"))
    record(instance, "hist_c3_close", PartitionKey(BEFORE, "BANKNIFTY"))
    record(instance, "hist_c3_close", NIFTY)
    assert now(instance, "minute_panel") == before
    record(instance, "hist_c3_close", EARLIER)
    assert now(instance, "minute_panel") != before


@pytest.mark.parametrize("first", ["NIFTY", "BANKNIFTY"])
def test_c6_alone_follows_the_partner_s_panel(first: str, instance: dg.DagsterInstance) -> None:
    own, partner = (NIFTY, BANKNIFTY) if first == "NIFTY" else (BANKNIFTY, NIFTY)
    record(instance, "minute_panel", own, fingerprint="p")
    c5, c6 = now(instance, "c5_features", own), now(instance, "c6_features", own)
    record(instance, "minute_panel", partner, fingerprint="p")
    assert now(instance, "c5_features", own) == c5
    arrived = now(instance, "c6_features", own)
    assert arrived != c6
    record(instance, "minute_panel", partner, fingerprint="q")
    assert now(instance, "c6_features", own) != arrived
    record(instance, "minute_panel", partner, fingerprint="p")
    assert now(instance, "c6_features", own) == arrived


def test_partitions_without_what_they_cannot_do_without_have_no_input(
    instance: dg.DagsterInstance,
) -> None:
    record(instance, "hist_daily", EARLIER)
    assert InputVersions(instance, {}).of("c1_features") == {}
    record(instance, "minute_panel", NIFTY)
    assert set(InputVersions(instance, {}).of("c1_features")) == {str(NIFTY)}


def test_what_is_assumed_counts_as_made_from_today_s_inputs(instance: dg.DagsterInstance) -> None:
    versions = InputVersions(instance, {str(NIFTY): "files"})
    assert versions.of("minute_panel") == {}
    versions.assume("option_chain", [NIFTY, BANKNIFTY], "1")
    versions.assume("minute_panel", [NIFTY], "2")
    assumed = versions.of("c1_features")
    record(instance, "option_chain", NIFTY, fingerprint="files", version="1")
    assert versions.of("minute_panel") == InputVersions(instance, {}).of("minute_panel")
    panel = now(instance, "minute_panel")
    record(instance, "minute_panel", NIFTY, fingerprint=panel, version="2")
    assert assumed == {str(NIFTY): now(instance, "c1_features")}


def test_what_is_made_again_from_the_same_leaves_what_follows_current(
    instance: dg.DagsterInstance,
) -> None:
    record(instance, "option_chain", NIFTY, fingerprint="files", version="1")
    panel = now(instance, "minute_panel")
    record(instance, "minute_panel", NIFTY, fingerprint=panel, version="2")
    versions = InputVersions(instance, {str(NIFTY): "files"})
    versions.assume("minute_panel", [NIFTY], "2")
    assert versions.of("c1_features") == {str(NIFTY): now(instance, "c1_features")}
    versions.assume("minute_panel", [NIFTY], "3")
    assert versions.of("c1_features") != {str(NIFTY): now(instance, "c1_features")}


def test_raw_assets_follow_the_landed_files(instance: dg.DagsterInstance) -> None:
    landed = {str(NIFTY): "files"}
    versions = InputVersions(instance, landed)
    assert versions.of("option_chain") == landed
    assert versions.of("load_audit") == landed
    assert versions.of("minute_panel") == {}, "nothing is stored yet"


def test_the_log_is_read_once_for_each_asset(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(_: dg.DagsterInstance, asset: str) -> dict[str, object]:
        asked.append(asset)
        return {}

    monkeypatch.setattr("mr_platform.orchestration.input_versions.recorded_partitions", counted)
    versions = InputVersions(instance, {})
    for name in ("c1_features", "c2_features", "c8_features", "c8_features"):
        versions.of(name)
    assert len(asked) == len(set(asked))


def test_identities_are_told_of_what_was_made_only(instance: dg.DagsterInstance) -> None:
    record(instance, "minute_panel", NIFTY, fingerprint="p", version="7")
    assert recorded_identities(instance, "minute_panel", [str(NIFTY), str(BANKNIFTY)]) == {
        str(NIFTY): identity("7", "p")
    }
    assert recorded_identities(instance, "minute_panel", []) == {}
    assert input_fingerprints(instance, table("c1_features"), []) == {}
