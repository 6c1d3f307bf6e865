"""The root command and what every fault looks like at the terminal.

Here: the list of commands, exit codes, faults as one line without a traceback.
Not here: what a command does (its own module).

Exit codes: 0 done; 1 a fault, or what is not there in this home (a book, a table, a day, a file,
also one among many); 2 a call that is wrong in whatever home (an option, a name that nothing has,
a value that cannot be); 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from mr_platform.errors import PlatformError

# name -> (module, attribute, one line of help): a command's module is imported when it is used
COMMANDS = {
    "demo": ("demo", "demo", "Land files, run the graph over them, tell what came out."),
    "ui": ("dagster_ui", "ui", "Start the Dagster webserver and daemon on this home."),
    "ingest": ("ingest", "ingest", "Copy files into landing and materialise what they hold."),
    "materialize": ("materialize", "materialize", "Materialise assets for dates and symbols."),
    "status": ("status", "status", "Partitions by asset, checks, staleness, faulty files, books."),
    "day": ("day", "day", "Draw one symbol-day: a page and a picture."),
    "portfolio": ("portfolio", "portfolio", "Books of strategies, and portfolios of them."),
    "quarantine": ("quarantine", "quarantine", "Rows that were set apart, and why."),
    "table": ("tables", "table_group", "History, restore, compaction and vacuum of a table."),
    "features": ("features", "features", "List, describe and search the declared columns."),
    "simulate": ("simulate", "simulate", "Write simulated option-chain days."),
    "home": ("home", "home", "Where this home keeps its files, and its settings."),
}

MISUSED, INTERRUPTED = 2, 130


class PlatformGroup(click.Group):
    """A group whose faults end as one clear line and an exit code, never as a traceback."""

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and leave the process with its exit code."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            code = super().main(args=arguments, prog_name=prog_name or "mr", **extra)
            sys.stdout.flush()
        except click.UsageError as wrong_call:
            wrong_call.show()
            sys.exit(MISUSED)
        except (click.exceptions.Abort, KeyboardInterrupt):
            click.echo("interrupted; what is materialised stays, run again to resume", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # the reader of our output has gone (mr … | head): nobody is left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(0)
        except click.exceptions.Exit as left:
            sys.exit(left.exit_code)
        except Exception as unexpected:  # every fault ends here, as one line
            _tell(unexpected, as_json="--json" in arguments)
            wrong = isinstance(unexpected, PlatformError) and unexpected.misused
            sys.exit(MISUSED if wrong else 1)
        sys.exit(code if isinstance(code, int) else 0)


class _LazyGroup(PlatformGroup):
    """Imports a command's module only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(f"mr_platform.cli.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Near: {near[0]}." if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint} Commands: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example:  mr ingest ~/downloads/NIFTY_2025-08-29.parquet && mr status",
)
def root() -> None:
    """Market-regime platform: option-chain files in, clean partitioned tables out.

    Every command takes --home (or MR_HOME): one folder that holds landing, lakehouse and Dagster
    storage, so that two homes never touch each other. --json prints the result for programs.
    """


def main() -> NoReturn:
    """Entry of the ``mr`` script."""
    root.main()


def fault_document(fault: BaseException) -> dict[str, Any]:
    """A fault as JSON fields: fault, place, next step, whether trying again is useless."""
    if isinstance(fault, PlatformError):
        return {
            "kind": type(fault).__name__,
            "fault": fault.fault,
            "place": fault.place,
            "next_step": fault.next_step,
            "permanent": fault.permanent,
        }
    if isinstance(fault, OSError) and fault.strerror:
        place = None if fault.filename is None else str(fault.filename)
        return {
            "kind": type(fault).__name__,
            "fault": fault.strerror,
            "place": place,
            "next_step": "Check the path, its permissions and the free space",
            "permanent": False,
        }
    return {
        "kind": type(fault).__name__,
        "fault": " ".join(f"{type(fault).__name__}: {fault}".split()),
        "place": None,
        "next_step": "This was not expected: run again with MR_DEBUG=1 for the traceback",
        "permanent": True,
    }


def _tell(fault: BaseException, *, as_json: bool) -> None:
    if os.environ.get("MR_DEBUG"):
        traceback.print_exception(fault, file=sys.stderr)
    document = fault_document(fault)
    if as_json:
        click.echo(json.dumps({"error": document}, ensure_ascii=False))
    place = f"{document['place']}: " if document["place"] else ""
    step = f". {document['next_step']}" if document["next_step"] else ""
    click.echo(f"error: {place}{document['fault']}{step}", err=True)
