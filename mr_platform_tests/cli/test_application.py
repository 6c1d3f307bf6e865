from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from mr_platform.cli import application
from mr_platform.cli.application import COMMANDS, fault_document, root
from mr_platform.errors import InputFileError, PlatformError
from mr_platform_tests.cli.conftest import Run, document


def commands() -> list[list[str]]:
    """Every command and subcommand, as a person types it."""
    found: list[list[str]] = []

    def walk(command: click.Command, words: list[str]) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, [*words, name])
        else:
            found.append(words)

    walk(root, [])
    return found


def test_the_help_lists_every_command(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, (_, _, text) in COMMANDS.items():
        assert name in result.stdout
        assert text in result.stdout


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_takes_home_and_json(
    run: Run, words: list[str]
) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "Example:" in result.stdout
    assert f"mr {' '.join(words)}" in result.stdout
    assert "--home" in result.stdout
    assert "--json" in result.stdout


def test_an_unknown_command_is_wrong_usage_and_names_the_near_one(run: Run) -> None:
    result = run("statsu")
    assert result.exit_code == 2
    assert "Near: status" in result.stderr
    assert result.stdout == ""


def test_a_wrong_option_is_wrong_usage(run: Run) -> None:
    result = run("simulate", "--dates", "2024-02-30:2024-03-01", "--out", "nowhere")
    assert result.exit_code == 2
    assert "2024-01-01:2024-01-31" in result.stderr


def raising(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @click.option("--json", is_flag=True)
    def home(json: bool) -> None:
        raise fault

    monkeypatch.setattr(application._LazyGroup, "get_command", lambda self, ctx, name: home)


def test_a_platform_error_is_one_line_with_place_fault_and_next_step(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(InputFileError("is empty", place="a.csv", next_step="Send it again"), monkeypatch)
    result = run("home")
    assert result.exit_code == 1
    assert result.stderr == "error: a.csv: is empty. Send it again\n"
    assert result.stdout == ""


def test_a_call_that_no_home_could_serve_leaves_with_the_code_of_wrong_usage(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(PlatformError("there is no figure beauty", place="--by", misused=True), monkeypatch)
    result = run("home")
    assert (result.exit_code, result.stderr) == (2, "error: --by: there is no figure beauty\n")
    assert document(run("home", "--json"))["error"]["fault"] == "there is no figure beauty"
    raising(InputFileError("nothing of this book is stored", place="sense"), monkeypatch)
    assert run("home").exit_code == 1


def test_under_json_the_fault_is_a_document(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(InputFileError("is empty", place="a.csv", next_step="Send it again"), monkeypatch)
    result = run("home", "--json")
    assert result.exit_code == 1
    assert document(result) == {
        "error": {
            "kind": "InputFileError",
            "fault": "is empty",
            "place": "a.csv",
            "next_step": "Send it again",
            "permanent": True,
        }
    }


def test_an_unexpected_error_is_one_line_and_a_hint(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(ZeroDivisionError("division\nby zero"), monkeypatch)
    result = run("home")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "MR_DEBUG=1" in result.stderr


def test_the_traceback_is_there_when_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(ZeroDivisionError("division by zero"), monkeypatch)
    monkeypatch.setenv("MR_DEBUG", "1")
    result = run("home")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_an_operating_system_fault_names_the_path() -> None:
    told = fault_document(PermissionError(13, "Permission denied", "/data/x"))
    assert (told["place"], told["fault"]) == ("/data/x", "Permission denied")


def test_an_interrupt_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(KeyboardInterrupt(), monkeypatch)
    result = run("home")
    assert result.exit_code == 130
    assert "resume" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["dagster", "polars", "rich", "pydantic", "great_expectations"]),
        (["features", "list", "--json"], ["dagster", "great_expectations", "deltalake", "pandas"]),
        (["home"], ["dagster", "polars", "great_expectations"]),
    ],
)
def test_quick_commands_import_nothing_heavy(arguments: list[str], absent: list[str]) -> None:
    script = (
        "import sys\n"
        "from mr_platform.cli import main\n"
        f"sys.argv = ['mr', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as left:\n"
        f"    loaded = [name for name in {absent!r} if name in sys.modules]\n"
        "    sys.exit(repr(loaded) if loaded or left.code else 0)\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")


def test_the_module_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "mr_platform.cli"]
    good = subprocess.run([*command, "home", "--json"], capture_output=True, text=True)
    assert good.returncode == 0
    assert '"landing"' in good.stdout
    wrong = subprocess.run([*command, "hom"], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    script = f"{sys.executable} -m mr_platform.cli features list --json | head -n 1"
    process = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert process.stdout == "{\n"
    assert process.stderr == ""


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["day", "NIFTY", "2025-09-03"],
        ["quarantine", "show"],
        ["table", "list"],
        ["table", "history", "option_chain"],
        ["table", "restore", "option_chain", "1", "--yes"],
        ["table", "optimize", "option_chain"],
        ["table", "vacuum", "option_chain"],
        ["features", "list"],
        ["features", "describe", "ce_iv"],
        ["features", "search", "skew"],
        ["materialize", "option_chain", "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_command_that_reads_a_home_makes_none(run: Run, tmp_path: Path, words: list[str]) -> None:
    result = run(*words, "--home", tmp_path / "typo")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: --home: there is no home at {tmp_path / 'typo'}. ")
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []
