"""What a load may not do to a book: lose values, give one strategy the rows of another."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration import strategy_books
from mr_platform_tests.orchestration.small_books import BOOK, Shelf, names, of_month, sheet

FULL = sheet()
JANUARY, FEBRUARY = of_month(FULL, "2024-01"), of_month(FULL, "2024-02")
A, B = names()[:3], names()[3:6]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A home without books."""
    return Shelf(tmp_path)


def part(frame: pl.DataFrame, strategies: tuple[str, ...]) -> pl.DataFrame:
    return frame.select("Date", "Day", *strategies)


def of(shelf: Shelf, name: str) -> list[float]:
    returns = shelf.read().returns
    return returns.pnl[:, returns.names.index(name)].tolist()


def test_strategies_stay_on_rows_that_another_file_holds(shelf: Shelf) -> None:
    file = shelf.land("a.csv", part(JANUARY, A))
    shelf.land("b.csv", part(JANUARY, B))
    shelf.load()
    file.unlink()

    report = shelf.load()

    assert set(shelf.read().returns.names) == {*A, *B}
    assert of(shelf, A[0]) == JANUARY[A[0]].to_list()
    assert report.kept_cells == JANUARY.height * len(A)
    assert report.replaced == (), "the months are as they were"


def test_what_a_landed_file_says_counts_before_what_is_stored(shelf: Shelf) -> None:
    shelf.land("a.csv", part(JANUARY, A))
    shelf.load()
    shelf.land("a.csv", part(JANUARY, A).with_columns(pl.col(A[0]) + 1.0))
    shelf.load()
    assert of(shelf, A[0]) == (JANUARY[A[0]] + 1.0).to_list()


def test_numbers_of_a_killed_load_go_to_no_other_strategy(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.land("a.csv", part(JANUARY, A))
    shelf.load()
    lost = shelf.land("x.csv", part(FEBRUARY, B))
    with monkeypatch.context() as killed:
        killed.setattr(strategy_books, "write_part", _kill)
        with pytest.raises(KeyboardInterrupt):
            shelf.load()
    lost.unlink()
    others = names()[6:9]
    shelf.land("c.csv", part(JANUARY, others))
    shelf.load()

    for name in others:
        mine = np.array(of(shelf, name))
        assert mine[mine != 0].tolist() == JANUARY[name].to_list(), "no row of the lost file"


def _kill(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_one_load_of_a_book_waits_for_another(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.land("z.csv", part(JANUARY, A))
    inside, go_on = threading.Event(), threading.Event()
    write = Lakehouse.replace_one_by_one

    def slow(self: Lakehouse, *arguments: object, **named: object) -> object:
        inside.set()
        assert go_on.wait(60)
        return write(self, *arguments, **named)

    monkeypatch.setattr(Lakehouse, "replace_one_by_one", slow)
    first = threading.Thread(target=shelf.load)
    first.start()
    assert inside.wait(60)
    shelf.land("a.csv", part(JANUARY, B))
    ended = threading.Event()
    second = threading.Thread(target=lambda: (Shelf(shelf.home).load(), ended.set()))
    second.start()
    assert not ended.wait(0.5), "the book is held"
    go_on.set()
    first.join(60)
    second.join(60)

    assert ended.is_set()
    for name in (*A, *B):
        assert of(shelf, name) == JANUARY[name].to_list()
    assert BOOK not in {path.name for path in shelf.landing.folder.glob("*.lock")}
