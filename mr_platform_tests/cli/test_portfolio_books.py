"""How books stand, as `mr portfolio books` and `mr status` tell it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mr_platform.cli.portfolio_books import books_document, books_text
from mr_platform.orchestration.book_status import CHANGED, LOADED, BookState
from mr_platform_tests.cli.conftest import BOOK_STRATEGIES, Run, document

SHEET = "Date,Day,SENSEX 930-1030 SL38%\n2024-01-04,Thursday,10.5\n"


def state(**told: Any) -> BookState:
    """A loaded book of which nothing was made, but for what is told."""
    plain: dict[str, Any] = {
        "book": "sensex",
        "files": 2,
        "loaded": LOADED,
        "strategies": 2500,
        "months": ("2024-01", "2024-03"),
        "portfolios": 0,
        "older_portfolios": 0,
        "best_fitness": None,
        "not_current": {},
    }
    return BookState(**{**plain, **told})


def test_a_book_of_which_nothing_was_made_is_neither_current_nor_not() -> None:
    text = books_text([state()])

    assert text.splitlines()[2].split()[-1] == "–"
    assert "2024-01 to 2024-03" in text
    assert len(text.splitlines()) == 3, "nothing to tell beside the table"


def test_what_is_current_and_what_is_not_is_told_with_the_command() -> None:
    good = books_text([state(portfolios=8, best_fitness=31.25)])
    assert good.splitlines()[2].split()[-3:] == ["8", "31.250", "yes"]
    why = "the book changed after it was chosen; choose and draw again: mr portfolio report sensex"
    bad = books_text(
        [state(loaded=CHANGED, older_portfolios=8, not_current={"best_portfolio": why})]
    )
    *_, files, older, best = bad.splitlines()
    assert bad.splitlines()[2].split()[-1] == "no"
    assert files.startswith("sensex has other files since; load it: mr portfolio load FILE")
    assert older.startswith("sensex: 8 portfolios were searched on other returns")
    assert older.endswith("mr portfolio optimize sensex")
    assert best == f"sensex, best_portfolio: {why}"


def test_why_a_book_could_not_be_loaded_is_told() -> None:
    state = BookState("cut", 1, "no", 0, (), 0, 0, None, {}, load_fault="cut.csv: ends in row 3")
    text = books_text([state])
    assert "cut could not be loaded: cut.csv: ends in row 3" in text
    assert "not loaded yet" not in text


def test_portfolios_that_do_not_count_are_told_and_make_nothing_old() -> None:
    text = books_text([state(portfolios=4, best_fitness=31.25, other_portfolios=3)])
    assert text.splitlines()[2].split()[-3:] == ["4", "31.250", "yes"]
    assert text.splitlines()[3].startswith(
        "sensex: 3 portfolios of the returns stored do not count: judged by another measure"
    )


def test_a_program_gets_every_fact_of_a_book() -> None:
    (told,) = books_document([state(portfolios=8, best_fitness=31.25)])
    assert told == {
        "book": "sensex",
        "files": 2,
        "loaded": "yes",
        "strategies": 2500,
        "months": ("2024-01", "2024-03"),
        "portfolios": 8,
        "older_portfolios": 0,
        "best_fitness": 31.25,
        "not_current": {},
        "other_portfolios": 0,
        "load_fault": None,
    }


def test_books_tell_how_they_stand(run: Run, book_home: Path) -> None:
    told = document(run("portfolio", "books", "--home", book_home, "--json"))
    (book,) = [row for row in told["books"] if row["book"] == "sensex"]
    assert (book["files"], book["loaded"], book["strategies"]) == (1, "yes", BOOK_STRATEGIES)
    assert book["months"][0] < book["months"][-1]
    assert (book["portfolios"], book["best_fitness"], book["not_current"]) == (0, None, {})
    stray = book_home / "landing" / "strategy_books" / "notes.pdf"
    stray.write_text("")
    try:
        text = run("portfolio", "books", "--home", book_home).stdout
    finally:
        stray.unlink()
    assert f"{book['months'][0]} to {book['months'][-1]}" in text
    assert "not of any book: strategy_books/notes.pdf: is neither CSV nor Parquet" in text


def test_books_and_status_tell_of_files_that_were_not_loaded(
    run: Run, book_home: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(book_home, tmp_path / "home")
    folder = home / "landing" / "strategy_books"
    (folder / "sensex" / "more.csv").write_text(SHEET)
    (folder / "waiting.csv").write_text(SHEET)
    (folder / "notes.txt").write_text("no strategies")
    text = run("portfolio", "books", "--home", home).stdout
    assert "not of any book: strategy_books/notes.txt: " in text
    assert "sensex has other files since; load it: mr portfolio load FILE --book sensex" in text
    assert "waiting was not loaded yet; load it: mr portfolio load FILE --book waiting" in text
    status = run("status", "--home", home)
    assert status.exit_code == 0, status.output
    assert all(line in status.stdout.splitlines() for line in text.splitlines())
    assert "damaged" not in status.stdout


def test_status_tells_the_books_though_a_table_of_theirs_is_damaged(
    run: Run, book_home: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(book_home, tmp_path / "home")
    log = home / "lakehouse" / "strategy_rows" / "_delta_log" / f"{0:020}.json"
    log.write_text("{")
    told = document(run("status", "--home", home, "--json"))
    assert list(told["damaged_tables"]) == ["strategy_rows"]
    (book,) = told["books"]
    assert (book["book"], book["strategies"]) == ("sensex", BOOK_STRATEGIES)
    assert (book["loaded"], bool(book["months"])) == ("yes", True)


def test_under_json_status_tells_the_books_unless_others_are_named(
    run: Run, book_home: Path
) -> None:
    words = ["status", "--home", book_home, "--json"]
    (book,) = document(run(*words))["books"]
    assert (book["book"], book["loaded"]) == ("sensex", "yes")
    assert document(run(*words, "--asset", "option_chain"))["books"] == []


def test_a_home_without_books_tells_how_to_make_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    result = run("portfolio", "books", "--home", tmp_path)
    assert (result.exit_code, result.stdout) == (
        0,
        "no book yet; mr portfolio load FILE makes one\n",
    )
