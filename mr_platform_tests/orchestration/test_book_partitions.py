"""Partitions of books and sizes: keys there and back, names and sizes that cannot be."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from mr_platform.errors import InputFileError, PlatformError
from mr_platform.orchestration.book_partitions import (
    BOOK_SIZES,
    BOOKS,
    LARGEST_SIZE,
    SIZES,
    SMALLEST_SIZE,
    add_books,
    book_size_key,
    parse_book_size,
    size_key,
)


def test_sizes_are_texts_that_stand_in_the_order_of_numbers() -> None:
    keys = list(SIZES.get_partition_keys())

    assert keys == sorted(keys)
    assert keys == [size_key(size) for size in range(SMALLEST_SIZE, LARGEST_SIZE + 1)]
    assert size_key(37) == "037"
    assert {size_key(size) for size in range(35, 61)} <= set(keys), "the sizes of the record"


@pytest.mark.parametrize("size", [-1, 0, 1, 101])
def test_sizes_that_no_portfolio_has_are_refused(size: int) -> None:
    with pytest.raises(PlatformError, match="Give a number from 2 to 100"):
        size_key(size)


@pytest.mark.parametrize("book", ["sensex", "a-b_c", "037"])
def test_a_key_of_book_and_size_comes_back(book: str) -> None:
    key = book_size_key(book, 7)

    assert str(key) == f"{book}|007"
    assert parse_book_size(key) == parse_book_size(str(key)) == (book, 7)


def test_added_books_are_partitions_once(instance: dg.DagsterInstance) -> None:
    add_books(instance, ["b", "a"])
    add_books(instance, ["a"])
    add_books(instance, [])

    assert sorted(instance.get_dynamic_partitions(str(BOOKS.name))) == ["a", "b"]
    with partition_loading_context(dynamic_partitions_store=instance):
        assert BOOK_SIZES.has_partition_key(book_size_key("a", 35))
        assert not BOOK_SIZES.has_partition_key(book_size_key("c", 35))


def test_names_that_cannot_be_books_add_none_at_all(instance: dg.DagsterInstance) -> None:
    with pytest.raises(InputFileError, match="'my book' cannot name a book"):
        add_books(instance, ["good", "my book"])

    assert instance.get_dynamic_partitions(str(BOOKS.name)) == []
