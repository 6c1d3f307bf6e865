"""Decisions of the landing sensor, without files and without a clock."""

from __future__ import annotations

import datetime as dt

from mr_platform.orchestration.landing_watch import (
    WatchMemory,
    fault_digest,
    new_inputs,
    remember_requested,
    remember_told,
    run_key,
)
from mr_platform.trading_calendar import PartitionKey

KEY = PartitionKey(dt.date(2025, 8, 29), "NIFTY")
OTHER = PartitionKey(dt.date(2025, 8, 29), "BANKNIFTY")


def test_an_input_is_new_until_it_was_asked_for() -> None:
    inputs = {KEY: "a" * 64, OTHER: "b" * 64}
    memory = remember_requested(WatchMemory(), {KEY: "a" * 64})
    assert new_inputs(inputs, memory) == {OTHER: "b" * 64}
    assert new_inputs({KEY: "c" * 64}, memory) == {KEY: "c" * 64}


def test_a_file_changed_and_changed_back_gets_a_run_each_time() -> None:
    memory, keys = WatchMemory(), []
    for fingerprint in ("a" * 64, "b" * 64, "a" * 64):
        assert new_inputs({KEY: fingerprint}, memory)
        keys.append(run_key(memory, KEY, fingerprint))
        memory = remember_requested(memory, {KEY: fingerprint})
    assert len(set(keys)) == 3


def test_the_same_tick_repeated_asks_for_the_same_run() -> None:
    assert run_key(WatchMemory(), KEY, "a" * 64) == run_key(WatchMemory(), KEY, "a" * 64)


def test_the_memory_survives_its_cursor() -> None:
    memory = remember_requested(WatchMemory(), {KEY: "a" * 64})
    memory = remember_told(memory, [fault_digest("x.csv", "empty")])
    memory = WatchMemory(memory.requested, {"b.csv": (1, 2)}, memory.told)
    assert WatchMemory.parse(memory.text()) == memory
    assert WatchMemory.parse(None) == WatchMemory()


def test_a_file_with_another_fault_is_another_telling() -> None:
    assert fault_digest("x.csv", "empty") != fault_digest("x.csv", "truncated")
    assert fault_digest("x.csv", "empty") != fault_digest("y.csv", "empty")
