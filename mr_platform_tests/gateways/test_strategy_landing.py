"""Folders of books: whose file is whose, what belongs to none, and placing files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.landing import LandingZone
from mr_platform.gateways.strategy_landing import (
    StrategyLanding,
    fingerprint,
    plain_name,
    require_book,
)


@pytest.fixture
def landing(tmp_path: Path) -> StrategyLanding:
    return StrategyLanding(tmp_path / "landing")


def written(path: Path, content: str = "rows") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def put(landing: StrategyLanding, *names: str) -> None:
    for name in names:
        written(landing.folder / name, name)


def listed(landing: StrategyLanding) -> dict[str, list[tuple[str, str]]]:
    return {
        book: [(file.prefix, file.file.relative) for file in files]
        for book, files in landing.books().items()
    }


def test_an_absent_folder_has_no_books(landing: StrategyLanding) -> None:
    assert landing.books() == {}
    assert landing.stray_files() == {}


def test_a_folder_is_a_book_and_folders_below_stand_before_names(landing: StrategyLanding) -> None:
    put(
        landing, "sensex/july.csv", "sensex/atm/july.csv", "sensex/atm/near/x.parquet", "b/a.csv.gz"
    )

    assert listed(landing) == {
        "b": [("", "strategy_books/b/a.csv.gz")],
        "sensex": [
            ("atm", "strategy_books/sensex/atm/july.csv"),
            ("atm_near", "strategy_books/sensex/atm/near/x.parquet"),
            ("", "strategy_books/sensex/july.csv"),
        ],
    }


def test_a_file_that_was_placed_again_keeps_its_names(landing: StrategyLanding) -> None:
    put(landing, "sensex/again-2/july.csv", "sensex/atm/again-3/july.csv")

    assert [prefix for prefix, _ in listed(landing)["sensex"]] == ["", "atm"]


def test_a_file_in_no_folder_is_a_book_of_its_own(landing: StrategyLanding) -> None:
    put(landing, "my book 50%.csv", "zones.CSV.GZ")

    assert set(landing.books()) == {"my_book_50", "zones"}


def test_the_file_is_told_as_the_landing_folder_sees_it(landing: StrategyLanding) -> None:
    put(landing, "sensex/july.csv")

    (file,) = landing.files_of("sensex")

    assert file.book == "sensex"
    assert file.file.path == landing.folder / "sensex" / "july.csv"
    assert file.file.size == len("sensex/july.csv")


def test_strange_files_belong_to_no_book_and_say_why(landing: StrategyLanding) -> None:
    put(landing, "sensex/notes.txt", "my book/july.csv", "50%/a.csv", "sensex/a.csv.part")

    assert landing.stray_files() == {
        "strategy_books/sensex/notes.txt": "is neither CSV nor Parquet",
        "strategy_books/my book/july.csv": "its folder 'my book' cannot name a book",
        "strategy_books/50%/a.csv": "its folder '50%' cannot name a book",
    }
    assert landing.books() == {}


def test_a_book_may_have_the_name_of_the_folder_of_books(landing: StrategyLanding) -> None:
    put(landing, "strategy_books/july.csv")

    assert listed(landing) == {"strategy_books": [("", "strategy_books/strategy_books/july.csv")]}


def test_a_book_that_is_not_landed_is_told_with_those_that_are(landing: StrategyLanding) -> None:
    with pytest.raises(InputFileError, match="No book is landed yet"):
        landing.files_of("sensex")
    put(landing, "a/x.csv", "b/x.csv")
    with pytest.raises(InputFileError, match="Books: a, b; mr portfolio load"):
        landing.files_of("sensex")


@pytest.mark.parametrize(
    "book", ["", "my book", "a/b", "..", "50%", "M&M", "a" * 65, "é", "a\n", "a|b"]
)
def test_names_that_cannot_be_books_are_refused_before_anything_is_placed(
    book: str, landing: StrategyLanding, tmp_path: Path
) -> None:
    source = written(tmp_path / "july.csv")

    with pytest.raises(InputFileError, match="cannot name a book"):
        require_book(book)
    with pytest.raises(InputFileError, match="up to 64 letters, digits, _ and -"):
        landing.place([source], book)

    assert not landing.folder.exists()


@pytest.mark.parametrize("book", ["a", "SENSEX_2024-01", "0", "-", "a" * 64])
def test_plain_names_are_books(book: str) -> None:
    require_book(book)


def test_files_and_folders_are_placed_in_the_book(landing: StrategyLanding, tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    written(folder / "b.csv", "b")
    written(folder / "deep" / "c.parquet", "c")
    written(folder / "readme.txt")
    source = written(tmp_path / "a.csv", "a")

    fates = landing.place([source, folder], "sensex")

    assert [(fate.relative, fate.status) for fate in fates] == [
        ("sensex/a.csv", "placed"),
        ("sensex/b.csv", "placed"),
        ("sensex/c.parquet", "placed"),
    ]
    assert [prefix for prefix, _ in listed(landing)["sensex"]] == ["", "", ""]
    assert landing.place([source], "sensex")[0].status == "already there"


def test_prefixed_files_go_into_folders_of_their_names(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    sources = [written(tmp_path / name) for name in ("nifty 50%.csv", "bank.csv.gz")]

    fates = landing.place(sources, "both", prefixed=True)

    assert [fate.relative for fate in fates] == [
        "both/nifty_50/nifty 50%.csv",
        "both/bank/bank.csv.gz",
    ]
    assert {prefix for prefix, _ in listed(landing)["both"]} == {"nifty_50", "bank"}


def test_another_content_of_the_same_name_is_kept_beside_it(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    landing.place([written(tmp_path / "a" / "july.csv", "one")], "sensex")

    (fate,) = landing.place([written(tmp_path / "b" / "july.csv", "two")], "sensex")

    assert (fate.relative, fate.status) == ("sensex/again-2/july.csv", "renamed")
    assert len(landing.files_of("sensex")) == 2


def test_an_archive_is_unpacked_into_the_book(landing: StrategyLanding, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "july.zip", "w") as archive:
        archive.writestr("one.csv", "one")

    landing.place([tmp_path / "july.zip"], "sensex")

    (file,) = landing.files_of("sensex")
    assert file.file.path.read_text() == "one"


def test_an_absent_source_is_refused_before_anything_is_placed(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    source = written(tmp_path / "a.csv")

    with pytest.raises(InputFileError, match=r"no such file or folder: .*gone\.csv"):
        landing.place([source, tmp_path / "gone.csv"], "sensex")

    assert landing.books() == {}


def test_books_are_left_out_of_option_chains(landing: StrategyLanding) -> None:
    put(landing, "sensex/july.csv")
    written(landing.folder.parent / "NIFTY.csv")

    zone = LandingZone(landing.folder.parent)

    assert [file.relative for file in zone.list_files()] == ["NIFTY.csv"]


@pytest.mark.parametrize(
    ("name", "book"),
    [
        ("july.csv", "july"),
        ("july.CSV.ZSTD", "july"),
        ("SENSEX 2024 (1).parquet", "SENSEX_2024_1"),
        ("%&.csv", "book"),
        (f"{'x' * 70}.csv", "x" * 64),
        ("notes.txt", "notes_txt"),
    ],
)
def test_the_plain_name_of_a_file_can_name_a_book(name: str, book: str) -> None:
    assert plain_name(Path("/somewhere") / name) == book
    require_book(plain_name(Path(name)))


def test_a_fingerprint_is_of_paths_and_digests_in_any_order() -> None:
    found = fingerprint({"a.csv": "1", "b.csv": "2"})

    assert found == fingerprint({"b.csv": "2", "a.csv": "1"})
    others = ({"a.csv": "2", "b.csv": "1"}, {"a.csv": "1"}, {"a.csv": "1", "c.csv": "2"}, {})
    assert len({found, *map(fingerprint, others)}) == 5


def test_what_was_just_placed_can_be_withdrawn_and_nothing_else(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    june = written(tmp_path / "june.csv")
    landing.place([june], "sensex")
    first = landing.place([written(tmp_path / "july.csv"), june], "sensex")
    second = landing.place([written(tmp_path / "atm.csv")], "new", prefixed=True)
    assert landing.withdraw(second) == ["new/atm/atm.csv"]
    assert not (landing.folder / "new").exists()
    assert landing.withdraw(first) == ["sensex/july.csv"]
    assert [file.file.path.name for file in landing.files_of("sensex")] == ["june.csv"]


def test_a_book_that_is_held_is_told_to_who_does_not_wait(landing: StrategyLanding) -> None:
    with landing.alone("sensex") as first:
        with landing.alone("sensex", wait=False) as second:
            assert (first, second) == (True, False)
        with landing.alone("other", wait=False) as other:
            assert other
    with landing.alone("sensex", wait=False) as free:
        assert free


def test_what_a_book_declares_is_a_file_of_it_without_data(landing: StrategyLanding) -> None:
    put(landing, "sensex/book.yaml", "sensex/july.csv", "sensex/regimes/bars.csv")

    told = {
        file.file.relative.removeprefix("strategy_books/sensex/"): (
            file.declares,
            file.holds_regimes,
            file.holds_results,
        )
        for file in landing.files_of("sensex")
    }
    assert told == {
        "book.yaml": (True, False, False),
        "july.csv": (False, False, True),
        "regimes/bars.csv": (False, True, False),
    }
    assert landing.stray_files() == {}


def test_a_declaration_alone_is_no_book_and_elsewhere_it_is_stray(landing: StrategyLanding) -> None:
    put(landing, "empty/book.yaml", "sensex/atm/book.yaml", "book.yaml", "my book/book.yaml")

    assert landing.books() == {}
    assert landing.stray_files() == {
        "strategy_books/sensex/atm/book.yaml": "declares a book only in the book's own folder",
        "strategy_books/book.yaml": "declares a book only in the book's own folder",
        "strategy_books/my book/book.yaml": "its folder 'my book' cannot name a book",
    }
