"""Decisions of the strategy sensor, without files and without a clock."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mr_platform.gateways.landing import LandedFile
from mr_platform.orchestration.strategy_watch import (
    TRY_AGAIN_SECONDS,
    BookMemory,
    StrategyMemory,
    changed_books,
    due_again,
    remember_book,
    remember_settled,
    remember_try,
    run_key,
    stamp_of,
    wants_run,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64


def file(relative: str, size: int = 1, at: int = 1) -> LandedFile:
    return LandedFile(Path(relative), relative, size, at)


ONE = [file("strategy_books/sensex/a.csv"), file("strategy_books/sensex/b.csv")]
SETTLED = {one.relative for one in ONE}


def test_a_book_is_looked_at_until_it_was_read_as_it_is() -> None:
    memory = StrategyMemory()
    assert changed_books({"sensex": ONE}, SETTLED, memory) == ["sensex"]
    memory = remember_book(memory, "sensex", stamp_of(ONE), A, asked=True)
    assert changed_books({"sensex": ONE}, SETTLED, memory) == []


@pytest.mark.parametrize(
    "files",
    [
        ONE[:1],
        [*ONE, file("strategy_books/sensex/c.csv")],
        [ONE[0], replace(ONE[1], size=2)],
        [ONE[0], replace(ONE[1], mtime_ns=2)],
        [ONE[0], replace(ONE[1], relative="strategy_books/sensex/z.csv")],
    ],
    ids=["gone", "come", "size", "time", "name"],
)
def test_a_file_that_comes_goes_or_changes_is_a_change(files: list[LandedFile]) -> None:
    memory = remember_book(StrategyMemory(), "sensex", stamp_of(ONE), A, asked=True)

    assert changed_books({"sensex": files}, {one.relative for one in files}, memory) == ["sensex"]


def test_one_file_still_being_written_holds_up_its_book_alone() -> None:
    books = {"sensex": ONE, "a": [file("strategy_books/a/a.csv")]}

    assert changed_books(books, {ONE[0].relative, "strategy_books/a/a.csv"}, StrategyMemory()) == [
        "a"
    ]


def test_a_content_is_wanted_where_it_was_neither_stored_nor_asked_for_last() -> None:
    memory = StrategyMemory()
    assert wants_run(memory, "sensex", A, None)
    assert not wants_run(memory, "sensex", A, A), "loaded by command"
    memory = remember_book(memory, "sensex", "stamp", A, asked=True)
    assert not wants_run(memory, "sensex", A, None)
    assert wants_run(memory, "sensex", B, A)
    assert wants_run(memory, "other", A, None)


def test_a_content_that_comes_back_gets_a_run_of_its_own() -> None:
    memory, keys = StrategyMemory(), []
    for content in (A, B, A):
        assert wants_run(memory, "sensex", content, None)
        keys.append(run_key(memory, "sensex", content))
        memory = remember_book(memory, "sensex", "stamp", content, asked=True)

    assert len(set(keys)) == 3
    assert keys[0] == run_key(StrategyMemory(), "sensex", A), "a tick repeated asks the same"


def test_a_content_that_needed_no_run_is_not_counted_as_one() -> None:
    memory = remember_book(StrategyMemory(), "sensex", "stamp", A, asked=False)

    assert memory.books["sensex"] == BookMemory("stamp", A, 0)
    assert remember_book(memory, "sensex", "stamp", B, asked=True).books["sensex"].number == 1


def test_what_failed_is_due_again_after_longer_and_longer_pauses_and_then_never() -> None:
    memory = remember_book(StrategyMemory(), "sensex", "stamp", A, asked=True)
    keys = {run_key(memory, "sensex", A)}
    for pause in TRY_AGAIN_SECONDS:
        ended = {"sensex": 1000.0}
        assert due_again(memory, ended, 1000.0 + pause - 1) == []
        assert due_again(memory, ended, 1000.0 + pause) == ["sensex"]
        memory = remember_try(memory, "sensex")
        keys.add(run_key(memory, "sensex", A))

    assert due_again(memory, ended, 1e9) == []
    assert len(keys) == 1 + len(TRY_AGAIN_SECONDS), "each of them is a run of its own"
    assert list(TRY_AGAIN_SECONDS) == sorted(set(TRY_AGAIN_SECONDS))


def test_what_is_settled_is_not_asked_for_again_until_its_content_changes() -> None:
    memory = remember_book(StrategyMemory(), "sensex", "stamp", A, asked=True)
    assert memory.books["sensex"].open
    memory = remember_settled(memory, {"sensex"})
    assert not memory.books["sensex"].open
    assert due_again(memory, {"sensex": 0.0}, 1e9) == []
    assert StrategyMemory.parse(memory.text()) == memory
    memory = remember_book(memory, "sensex", "other", B, asked=True)
    assert due_again(memory, {"sensex": 0.0}, 1e9) == ["sensex"]


def test_another_content_may_be_tried_anew() -> None:
    memory = remember_try(
        remember_book(StrategyMemory(), "sensex", "stamp", A, asked=True), "sensex"
    )
    assert memory.books["sensex"] == BookMemory("stamp", A, 2, 1)
    memory = remember_book(memory, "sensex", "other", B, asked=True)
    assert memory.books["sensex"] == BookMemory("other", B, 3, 0)


def test_a_cursor_of_before_tries_were_counted_is_read() -> None:
    text = json.dumps({"books": {"sensex": ["stamp", A, 4]}, "moving": {}, "told": []})

    assert StrategyMemory.parse(text).books == {"sensex": BookMemory("stamp", A, 4, 0)}
    text = json.dumps({"books": {"sensex": ["stamp", A, 4, 2]}, "moving": {}, "told": []})
    assert StrategyMemory.parse(text).books == {"sensex": BookMemory("stamp", A, 4, 2, False)}


def test_the_memory_survives_its_cursor() -> None:
    memory = remember_book(StrategyMemory(), "sensex", stamp_of(ONE), A, asked=True)
    memory = remember_try(memory, "sensex")
    memory = remember_book(memory, "a", "", B, asked=False)
    memory = replace(
        memory, moving={"b.csv": (1, 2)}, told=frozenset({"x.csv: is no table, says “we”"})
    )

    assert StrategyMemory.parse(memory.text()) == memory
    assert StrategyMemory.parse(StrategyMemory().text()) == StrategyMemory()
    assert StrategyMemory.parse(memory.text()).text() == memory.text()


@pytest.mark.parametrize(
    "cursor",
    [None, "", "by hand", "[]", "null", "7", '{"books": {"a": 1}}', '{"books": []}',
     '{"moving": {"a": [1]}}', '{"told": 5}'],
)  # fmt: skip
def test_a_cursor_that_cannot_be_read_is_begun_anew(cursor: str | None) -> None:
    assert StrategyMemory.parse(cursor) == StrategyMemory()
