"""How files of a book are read, told on the command line and kept with the book."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mr_platform.cli.load_arguments import declaration
from mr_platform.cli.portfolio import portfolio
from mr_platform.errors import InputFileError
from mr_platform.registry.book_declaration import BookDeclaration, option_of
from mr_platform_tests.architecture.source_tree import REPOSITORY
from mr_platform_tests.cli.conftest import Run, document

LINES = ["13-06-2024,Thursday,1,2,3", "14-06-2024,Friday,-1,2,-3", "17-06-2024,Monday,1,-5,3"]
NOTHING = dict.fromkeys(
    ["format", "date_format", "time_format", "confidence_unit", "threshold_unit", "pnl_unit",
     "missing_in_strategy", "missing_in_all"]
) | {"include": (), "exclude": ()}  # fmt: skip


def csv(folder: Path, name: str, *lines: str, header: str = "Date,Day,S 1,S 2,T 1") -> Path:
    file = folder / name
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def landed(home: Path) -> dict[str, str]:
    """Files below the books' folder."""
    folder = home / "landing" / "strategy_books"
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_setting_of_a_book_has_an_option_of_its_name_and_is_documented() -> None:
    options = {option for one in portfolio.commands["load"].params for option in one.opts}
    page = (REPOSITORY / "docs" / "portfolio.md").read_text("utf-8")
    for field in dataclasses.fields(BookDeclaration):
        assert field.name in NOTHING
        assert option_of(field.name) in options
        assert f"`{field.name}: " in page
        assert f"`{option_of(field.name)}`" in page


def test_what_is_not_given_is_not_declared() -> None:
    assert declaration(NOTHING) == BookDeclaration()
    asked = {**NOTHING, "format": "legacy_csv", "exclude": ("T *",), "missing_in_all": 0.0}
    assert declaration(asked).given == {
        "format": "legacy_csv", "exclude": ("T *",), "missing_in_all": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"format": "legcy_csv"}, "--format: unknown format 'legcy_csv'. Near: legacy_csv"),
        ({"date_format": "DD-MM-YYYY"}, "--date-format: 'DD-MM-YYYY' does not tell a whole date"),
        ({"time_format": "%H"}, "--time-format: '%H' does not tell a whole time of day"),
        ({"include": (" ",)}, "--include: a pattern is empty"),
    ],
)
def test_a_value_that_cannot_be_is_wrong_usage(asked: dict[str, object], told: str) -> None:
    with pytest.raises(InputFileError) as refused:
        declaration({**NOTHING, **asked})
    assert told in str(refused.value)
    assert refused.value.misused


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "legcy_csv"],
        ["--confidence-unit", "guess"],
        ["--missing-in-all", "20"],
        ["--missing-in-strategy", "nan"],
    ],
    ids=" ".join,
)
def test_wrong_usage_makes_nothing(run: Run, tmp_path: Path, words: list[str]) -> None:
    file, home = csv(tmp_path, "days.csv", *LINES), tmp_path / "home"
    result = run("portfolio", "load", file, "--home", home, *words)
    assert result.exit_code == 2, result.output
    assert not home.exists()


def test_options_are_kept_with_the_book_and_hold_for_the_next_load(
    run: Run, tmp_path: Path
) -> None:
    file, home = csv(tmp_path, "days.csv", *LINES), tmp_path / "home"
    words = ["portfolio", "load", file, "--book", "mine", "--home", home]

    result = run(*words)
    assert result.exit_code == 1
    assert "--date-format %d-%m-%Y" in result.stderr
    assert landed(home) == {}

    own = ["--format", "legacy_csv", "--date-format", "%d-%m-%Y", "--confidence-unit", "fraction"]
    told = document(run(*words, *own, "--exclude", "T *", "--json"))
    assert (told["fault"], told["loaded"]["strategies"]) == (None, 2)
    assert told["declared"]["date_format"] == "%d-%m-%Y"
    text = landed(home)["mine/book.yaml"]
    assert "date_format: '%d-%m-%Y'" in text
    (state,) = document(run("portfolio", "books", "--home", home, "--json"))["books"]
    assert (state["files"], state["loaded"]) == (1, "yes")

    # a refused load puts back what the book declared before
    bad = csv(tmp_path, "bad.csv", "18-06-2024,Tuesday,1,x,3")
    result = run("portfolio", "load", bad, "--book", "mine", "--exclude", "S 1", "--home", home)
    assert result.exit_code == 1
    assert "--exclude 'S 2'" in result.stderr
    assert landed(home) == {"mine/book.yaml": text, "mine/days.csv": file.read_text()}


def test_a_faulty_declaration_is_told_with_its_line(run: Run, tmp_path: Path) -> None:
    file, home = csv(tmp_path, "days.csv", *LINES), tmp_path / "home"
    folder = home / "landing" / "strategy_books" / "mine"
    folder.mkdir(parents=True)
    (folder / "book.yaml").write_text("exlude: [a]\n")

    result = run("portfolio", "load", file, "--book", "mine", "--home", home)

    assert result.exit_code == 1
    fault = "error: strategy_books/mine/book.yaml: line 1: unknown field exlude. Near: exclude"
    assert fault in result.stderr
    assert list(landed(home)) == ["mine/book.yaml"]


def test_bars_handed_in_as_results_name_the_option_for_bars(run: Run, tmp_path: Path) -> None:
    header = "Date,Time,Market Regime,Confidence Score,Transition Threshold Score"
    bars = csv(tmp_path, "bars.csv", "2024-01-04,09:15:00,Vol_Crush,0.8,0.4", header=header)

    result = run("portfolio", "load", bars, "--book", "mine", "--home", tmp_path / "home")

    assert result.exit_code == 1
    assert "is a file of regime bars, not of results of strategies" in result.stderr
    assert "mr portfolio load FILE --book mine --regimes bars.csv" in result.stderr
