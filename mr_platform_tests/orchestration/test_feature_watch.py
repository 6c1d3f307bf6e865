"""What the features sensor asks for, over an event log written by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import dagster as dg
import pytest

from mr_platform.orchestration import feature_watch
from mr_platform.orchestration.derived_tables import derived_table
from mr_platform.orchestration.feature_watch import (
    PARTNER_ASSETS,
    PARTNER_READER,
    FeatureMemory,
    look,
)
from mr_platform.orchestration.input_versions import input_fingerprints
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.orchestration.derived_days import record

DAY = dt.date(2025, 8, 28)
NIFTY, BANKNIFTY = PartitionKey(DAY, "NIFTY"), PartitionKey(DAY, "BANKNIFTY")
BOTH_ORDERS = pytest.mark.parametrize(
    ("first", "second"), [(NIFTY, BANKNIFTY), (BANKNIFTY, NIFTY)], ids=["NIFTY", "BANKNIFTY"]
)


@dataclass
class Watch:
    """The sensor's decisions with their memory, and what runs would record."""

    instance: dg.DagsterInstance
    memory: FeatureMemory = field(default_factory=FeatureMemory)
    run_keys: list[str] = field(default_factory=list)

    def tick(self) -> tuple[list[PartitionKey], list[PartitionKey]]:
        """Partitions whose features are asked for, and those whose partner reader is."""
        wanted, memory = look(self.instance, self.memory)
        self.memory = FeatureMemory.parse(memory.text())
        self.run_keys += [run_key for _, run_key in (*wanted.features, *wanted.partners)]
        return [key for key, _ in wanted.features], [key for key, _ in wanted.partners]

    def chain(self, key: PartitionKey, files: str = "files") -> None:
        """A chain is stored."""
        record(self.instance, "option_chain", key, fingerprint=files)

    def made(self, key: PartitionKey, *names: str) -> None:
        """Tables are made from their inputs as they stand."""
        for name in names or ("minute_panel", PARTNER_READER, "c8_features"):
            table = derived_table(name)
            assert table is not None
            record(
                self.instance,
                name,
                key,
                fingerprint=input_fingerprints(self.instance, table, [key])[key],
                version=table.code_version,
            )


@pytest.fixture
def watch(instance: dg.DagsterInstance) -> Watch:
    return Watch(instance)


def test_an_empty_log_asks_for_nothing(watch: Watch) -> None:
    assert watch.tick() == ([], [])
    assert watch.memory == FeatureMemory()


def test_a_new_chain_is_asked_for_once(watch: Watch) -> None:
    watch.chain(NIFTY)
    assert watch.tick() == ([NIFTY], [])
    assert watch.tick() == ([], [])
    watch.made(NIFTY)
    assert watch.tick() == ([], [])


def test_a_changed_chain_is_asked_for_again_and_the_same_one_is_not(watch: Watch) -> None:
    watch.chain(NIFTY)
    watch.tick()
    watch.made(NIFTY)
    watch.chain(NIFTY)
    assert watch.tick() == ([], []), "the same files were stored again"
    watch.chain(NIFTY, "rewritten")
    assert watch.tick() == ([NIFTY], [])
    assert len(set(watch.run_keys)) == 2


def test_a_chain_whose_features_were_made_by_a_command_is_not_asked_for(watch: Watch) -> None:
    watch.chain(NIFTY)
    watch.made(NIFTY)
    assert watch.tick() == ([], [])


def test_features_that_stopped_half_way_are_asked_for_with_the_next_event(watch: Watch) -> None:
    watch.chain(NIFTY)
    watch.made(NIFTY, "minute_panel")
    assert watch.tick() == ([NIFTY], [])


def test_another_definition_makes_a_new_event_due(watch: Watch) -> None:
    watch.chain(NIFTY)
    watch.made(NIFTY)
    record(watch.instance, "c8_features", NIFTY, fingerprint="whatever", version="older")
    assert watch.tick() == ([NIFTY], [])


@BOTH_ORDERS
def test_whoever_comes_first_is_asked_again_when_the_partner_has_arrived(
    first: PartitionKey, second: PartitionKey, watch: Watch
) -> None:
    watch.chain(first)
    assert watch.tick() == ([first], [])
    watch.made(first)
    assert watch.tick() == ([], []), "the partner is not there"
    watch.chain(second)
    assert watch.tick() == ([second], [])
    watch.made(second)
    assert watch.tick() == ([], [first])
    watch.made(first, *PARTNER_ASSETS)
    assert watch.tick() == ([], [])
    assert watch.memory.waiting == ()


@BOTH_ORDERS
def test_a_partner_that_changes_is_seen_and_one_that_stays_the_same_is_not(
    first: PartitionKey, second: PartitionKey, watch: Watch
) -> None:
    for key in (first, second):
        watch.chain(key)
        watch.made(key, "minute_panel")
    for key in (first, second):
        watch.made(key)
    watch.tick()
    watch.made(second)
    assert watch.tick() == ([], [])
    watch.chain(second, "rewritten")
    assert watch.tick() == ([second], [])
    watch.made(second)
    assert watch.tick() == ([], [first])


@BOTH_ORDERS
def test_a_partition_that_is_being_made_waits_until_its_c6_is_there(
    first: PartitionKey, second: PartitionKey, watch: Watch
) -> None:
    watch.chain(first)
    watch.chain(second)
    watch.tick()
    watch.made(first, "minute_panel")
    # c6 of the first loads its inputs here, without the partner
    table = derived_table(PARTNER_READER)
    assert table is not None
    without_partner = input_fingerprints(watch.instance, table, [first])[first]
    watch.made(second)
    assert watch.tick() == ([], [])
    assert watch.memory.waiting == (str(first),)
    assert watch.tick() == ([], [])
    record(
        watch.instance, PARTNER_READER, first,
        fingerprint=without_partner, version=table.code_version,
    )  # fmt: skip
    assert watch.tick() == ([], [first])
    assert watch.memory.waiting == ()


def test_a_waiting_partition_that_saw_its_partner_is_forgotten(watch: Watch) -> None:
    watch.chain(NIFTY)
    watch.chain(BANKNIFTY)
    watch.tick()
    watch.made(NIFTY, "minute_panel")
    watch.made(BANKNIFTY)
    watch.tick()
    assert watch.memory.waiting == (str(NIFTY),)
    watch.made(NIFTY)
    assert watch.tick() == ([], [])
    assert watch.memory.waiting == ()


def test_what_is_asked_for_wholly_is_not_asked_for_as_a_partner(watch: Watch) -> None:
    for key in (NIFTY, BANKNIFTY):
        watch.chain(key)
        watch.made(key)
    watch.tick()
    watch.chain(NIFTY, "rewritten")
    watch.chain(BANKNIFTY, "rewritten")
    watch.made(BANKNIFTY, "minute_panel")
    features, partners = watch.tick()
    assert set(features) == {NIFTY, BANKNIFTY}
    assert partners == []


def test_many_events_are_spread_over_ticks(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_watch, "MAX_EVENTS_PER_TICK", 2)
    keys = [
        PartitionKey(dt.date(2025, 9, day), symbol)
        for day in (1, 2, 3)
        for symbol in ("BANKNIFTY", "NIFTY")
    ]
    for key in keys[:5]:
        watch.chain(key)
    asked = [watch.tick()[0] for _ in range(4)]
    assert [len(tick) for tick in asked] == [2, 2, 1, 0]
    assert [key for tick in asked for key in tick] == keys[:5]


def test_a_lost_cursor_asks_for_the_same_run_keys(watch: Watch) -> None:
    watch.chain(NIFTY)
    watch.tick()
    watch.memory = FeatureMemory.parse(None)
    watch.tick()
    first, again = watch.run_keys
    assert first == again, "Dagster starts no second run of the same key"


def test_the_memory_survives_as_text() -> None:
    memory = FeatureMemory(3, 9, (str(NIFTY),))
    assert FeatureMemory.parse(memory.text()) == memory
    assert FeatureMemory.parse(None) == FeatureMemory.parse("") == FeatureMemory()
