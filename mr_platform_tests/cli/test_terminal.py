from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import click
import pytest

from mr_platform.cli.terminal import Terminal, cell, duration, facts, listing, table
from mr_platform.errors import SettingsError


def test_a_table_is_aligned_and_groups_thousands() -> None:
    text = table(["name", "rows"], [("a", 12), ("long name", 1234567)], right=(1,))
    assert text.splitlines() == [
        "name            rows",
        "---------  ---------",
        "a                 12",
        "long name  1,234,567",
    ]


def test_an_empty_table_keeps_its_headers() -> None:
    assert table(["a", "bc"], []).splitlines() == ["a  bc", "-  --"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 1 s"), (7265, "2 h 1 min")],
)
def test_a_duration_reads_like_a_person_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (True, "yes"), (1000, "1,000"), (0.5, "0.500"), ("x", "x")]
)
def test_a_cell_shows_its_value(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_long_listing_says_how_many_more() -> None:
    assert listing([1, 2, 3], 3) == "1, 2, 3"
    assert listing([1, 2, 3, 4], 3) == "1, 2, 3 and 1 more"


def test_facts_are_one_pair_a_line() -> None:
    assert facts({"rows_in": 1200, "a": "b"}) == "rows in  1,200\na        b"


def test_json_goes_to_stdout_alone_and_progress_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(str(tmp_path), as_json=True)
    with terminal.progress("working", 2) as advance:
        advance(1, "first")
        advance(1)
    terminal.result({"day": dt.date(2024, 1, 1), "path": tmp_path}, "text for people")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"day": "2024-01-01", "path": str(tmp_path)}
    assert err == "working: 1/2 first\nworking: 2/2\n"


def test_notes_are_for_people_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(str(tmp_path), as_json=True).note("by the way")
    assert capsys.readouterr() == ("", "")
    Terminal(str(tmp_path), as_json=False).note("by the way")
    assert capsys.readouterr() == ("", "by the way\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_a_failure_is_a_document_for_programs_and_a_text_on_stderr_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    with pytest.raises(click.exceptions.Exit) as left:
        Terminal(str(tmp_path), as_json=as_json).failure({"fault": "broken"}, "error: broken")
    assert left.value.exit_code == 1
    out, err = capsys.readouterr()
    assert (json.loads(out) if out else None, err) == (
        ({"fault": "broken"}, "") if as_json else (None, "error: broken\n")
    )


def test_text_is_for_people_only_without_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Terminal(str(tmp_path), as_json=False).result({"a": 1}, "text for people")
    assert capsys.readouterr().out == "text for people\n"


def test_the_home_given_is_the_home_of_the_settings(tmp_path: Path) -> None:
    first = Terminal(str(tmp_path / "one"), as_json=False)
    assert first.settings.home == tmp_path / "one"
    assert first.at(tmp_path / "two").settings.home == tmp_path / "two"


def test_a_home_that_is_there_may_be_read(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    terminal = Terminal(str(tmp_path), as_json=False)
    assert terminal.existing_home is terminal.settings
    terminal.require_home()
    terminal.require_named_home()


def test_a_home_that_is_not_there_is_told_with_the_near_one_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "regime" / "dagster").mkdir(parents=True)
    (tmp_path / "regimes_of_old").mkdir()  # no home
    typo = tmp_path / "regmie"
    for ask in (Terminal.require_home, Terminal.require_named_home):
        with pytest.raises(SettingsError) as told:
            ask(Terminal(str(typo), as_json=False))
        assert told.value.place == "--home"
        assert told.value.fault == f"there is no home at {typo}"
        assert str(told.value.next_step).startswith(f"Near: {tmp_path / 'regime'}. ")
        ways = "`mr demo`, `mr ingest PATH` or `mr portfolio load FILE` makes one"
        assert ways in str(told.value.next_step)
    assert not typo.exists()


def test_a_folder_that_holds_no_home_is_none(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    with pytest.raises(SettingsError, match="there is no home at"):
        Terminal(str(tmp_path), as_json=False).require_home()
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_who_named_the_home_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MR_HOME", raising=False)
    terminal = Terminal(None, as_json=False)
    terminal.require_named_home()
    with pytest.raises(SettingsError, match=r"^default home: there is no home at .*data"):
        terminal.require_home()
    monkeypatch.setenv("MR_HOME", str(tmp_path / "no" / "such"))
    with pytest.raises(SettingsError, match=r"^MR_HOME: there is no home at .*such"):
        Terminal(None, as_json=False).require_home()
