"""The declaration of a book in landing: written whole, updated, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mr_platform.errors import InputFileError
from mr_platform.gateways.book_declarations import (
    declare,
    read_declaration,
    take_back,
    withdraw,
)
from mr_platform.gateways.strategy_landing import StrategyLanding
from mr_platform.registry.book_declaration import BookDeclaration

DATES = BookDeclaration(date_format="%d-%m-%Y")
LESS = BookDeclaration(exclude=("T *",))


@pytest.fixture
def landing(tmp_path: Path) -> StrategyLanding:
    return StrategyLanding(tmp_path / "landing")


def files(landing: StrategyLanding) -> list[str]:
    """All below the books' folder, hidden names too."""
    return sorted(path.relative_to(landing.folder).as_posix() for path in landing.folder.rglob("*"))


def test_settings_come_to_those_that_are_there(landing: StrategyLanding) -> None:
    assert declare(landing, "mine", DATES)
    assert declare(landing, "mine", LESS)

    read = read_declaration(landing.folder / "mine" / "book.yaml", "p")
    assert read.given == {"date_format": "%d-%m-%Y", "exclude": ("T *",)}
    assert files(landing) == ["mine", "mine/book.yaml"]


def test_what_says_it_already_is_left_as_a_person_wrote_it(landing: StrategyLanding) -> None:
    file = landing.folder / "mine" / "book.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# of the vendor\ndate_format: '%d-%m-%Y'\n")

    assert declare(landing, "mine", DATES) is None
    assert file.read_text().startswith("# of the vendor")


def test_a_first_declaration_is_taken_back_with_its_folder(landing: StrategyLanding) -> None:
    written = declare(landing, "mine", DATES)
    assert written is not None
    assert take_back(landing, written)
    assert files(landing) == []


def test_an_updated_one_is_put_back_to_the_byte(landing: StrategyLanding) -> None:
    file = landing.folder / "mine" / "book.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"# mine\r\nexclude: [a]\r\n")
    written = declare(landing, "mine", DATES)
    assert written is not None
    assert b"%d-%m-%Y" in file.read_bytes()

    assert take_back(landing, written)
    assert file.read_bytes() == b"# mine\r\nexclude: [a]\r\n"


def test_what_somebody_wrote_since_stays(landing: StrategyLanding) -> None:
    written = declare(landing, "mine", DATES)
    assert written is not None
    assert declare(landing, "mine", LESS)

    assert not take_back(landing, written)
    assert "T *" in (landing.folder / "mine" / "book.yaml").read_text()


def test_files_and_declaration_are_withdrawn_together(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    (tmp_path / "july.csv").write_text("rows")
    written = declare(landing, "mine", DATES)
    placed = landing.place([tmp_path / "july.csv"], "mine")

    assert withdraw(landing, placed, written) == ["mine/july.csv", "mine/book.yaml"]
    assert files(landing) == []
    assert withdraw(landing, [], None) == []


def test_a_faulty_declaration_is_not_written_over(landing: StrategyLanding) -> None:
    file = landing.folder / "mine" / "book.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("exlude: [a]\n")

    with pytest.raises(InputFileError) as refused:
        declare(landing, "mine", DATES)

    assert refused.value.place == "strategy_books/mine/book.yaml"
    assert file.read_text() == "exlude: [a]\n"


def test_a_name_that_cannot_be_a_books_and_a_file_that_cannot_be_read(
    landing: StrategyLanding, tmp_path: Path
) -> None:
    with pytest.raises(InputFileError, match="cannot name a book"):
        declare(landing, "../up", DATES)
    with pytest.raises(InputFileError, match="p: cannot be read"):
        read_declaration(tmp_path / "gone.yaml", "p")
