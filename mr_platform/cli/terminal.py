"""What a command writes, and where: the result on stdout, progress and notes on stderr.

Here: the options every command takes, results as text or JSON, plain tables, progress.
Not here: what the result means (the command).
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import click

if TYPE_CHECKING:
    from mr_platform.config.settings import Settings
    from mr_platform.errors import SettingsError

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Progress(Protocol):
    """Told after each piece of work."""

    def __call__(self, done: int, note: str = "") -> None:
        """Tell that ``done`` more pieces are finished; ``note`` says which."""


class Terminal:
    """Where one command writes.

    Args:
        home: Home folder given by ``--home``, or None for ``MR_HOME``.
        as_json: True when stdout carries one JSON document and nothing else.
    """

    def __init__(self, home: str | None, as_json: bool) -> None:
        self.as_json = as_json
        self._home = home

    def at(self, home: Path) -> Terminal:
        """The same terminal over another home."""
        return Terminal(str(home), self.as_json)

    @functools.cached_property
    def settings(self) -> Settings:
        """Settings of the chosen home."""
        from mr_platform.config.settings import load_settings

        return load_settings(self._home)

    @functools.cached_property
    def existing_home(self) -> Settings:
        """Settings of a home that is there: for commands that read it and make none.

        Raises:
            SettingsError: There is no such folder; names the near ones beside it.
        """
        settings = self.settings
        if not _is_home(settings.home):
            raise _no_home(settings.home, named_by=self._named_by())
        return settings

    def require_home(self) -> None:
        """Refuse a home that is not there.

        Raises:
            SettingsError: There is no such folder; names the near ones beside it.
        """
        _ = self.existing_home

    def require_named_home(self) -> None:
        """Refuse ``--home`` with a folder that is not there, where a command needs no home.

        Raises:
            SettingsError: There is no such folder; names the near ones beside it.
        """
        if self._home is not None:
            self.require_home()

    def _named_by(self) -> str:
        if self._home is not None:
            return "--home"
        return "MR_HOME" if os.environ.get("MR_HOME") else "default home"

    def result(self, document: Mapping[str, Any] | Sequence[Any], text: str) -> None:
        """Print the command's result: ``document`` under ``--json``, else ``text``."""
        if self.as_json:
            click.echo(json.dumps(document, default=_plain, ensure_ascii=False, indent=2))
        elif text:
            click.echo(text)

    def failure(self, document: Mapping[str, Any] | Sequence[Any], text: str) -> NoReturn:
        """Tell why there is no result and leave: ``document`` under ``--json``, else on stderr."""
        if self.as_json:
            self.result(document, "")
        else:
            click.echo(text, err=True)
        self.fail()

    def note(self, text: str) -> None:
        """Tell something beside the result, on stderr; nothing where a program reads the result."""
        if not self.as_json:
            click.echo(text, err=True)

    def fail(self, code: int = 1) -> NoReturn:
        """Leave with an exit code after the result was printed."""
        raise click.exceptions.Exit(code)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Progress]:
        """Show progress on stderr: a bar on a terminal, plain lines elsewhere."""
        if self.as_json or not sys.stderr.isatty():
            yield self._plain_progress(title, total)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Bar(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
            task = bar.add_task(title, total=total, note="")

            def advance(done: int, note: str = "") -> None:
                bar.update(task, advance=done, note=note)

            yield advance

    def _plain_progress(self, title: str, total: int) -> Progress:
        finished = 0

        def advance(done: int, note: str = "") -> None:
            nonlocal finished
            finished += done
            click.echo(f"{title}: {finished}/{total} {note}".rstrip(), err=True)

        return advance


def _no_home(home: Path, named_by: str) -> SettingsError:
    from difflib import get_close_matches

    from mr_platform.errors import SettingsError

    folders = [path.name for path in _inside(home.parent) if _is_home(path)]
    near = get_close_matches(home.name, folders, n=2)
    told = f"Near: {', '.join(str(home.parent / name) for name in near)}. " if near else ""
    return SettingsError(
        f"there is no home at {home}",
        place=named_by,
        next_step=f"{told}Name another with --home or MR_HOME; `mr demo`, `mr ingest PATH` or "
        "`mr portfolio load FILE` makes one",
    )


def _is_home(folder: Path) -> bool:
    """Whether a command has kept anything here; a folder that may not be read is none."""
    try:
        return any((folder / part).is_dir() for part in ("dagster", "landing", "lakehouse"))
    except OSError:
        return False


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def with_terminal(function: _Function) -> _Function:
    """Give a command ``--home`` and ``--json``, and a ``Terminal`` as its first argument."""

    @click.option(
        "--home",
        type=click.Path(file_okay=False),
        metavar="DIR",
        help="Home folder (default: $MR_HOME, else ./data).",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
    @functools.wraps(function)
    def command(home: str | None, as_json: bool, **arguments: Any) -> Any:
        return function(Terminal(home, as_json), **arguments)

    return command  # type: ignore[return-value]


def example(*lines: str) -> str:
    """Epilog of a command's help: its examples, one a line."""
    return "\b\n" + "\n".join(["Example:", *(f"  {line}" for line in lines)])


def table(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[int] = ()
) -> str:
    """Rows as aligned plain text; columns whose index is in ``right`` are right-aligned."""
    cells = [[cell(value) for value in row] for row in rows]
    widths = [
        max(len(header), *(len(row[i]) for row in cells)) if cells else len(header)
        for i, header in enumerate(headers)
    ]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.rjust(widths[i]) if i in right else value.ljust(widths[i])
            for i, value in enumerate(values)
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(headers), line(["-" * w for w in widths]), *map(line, cells)])


def facts(values: Mapping[str, Any]) -> str:
    """Names and values, one pair a line; names with underscores are read as words."""
    width = max((len(name) for name in values), default=0)
    return "\n".join(
        f"{name.replace('_', ' ').ljust(width)}  {cell(value)}" for name, value in values.items()
    )


def cell(value: Any) -> str:
    """One value as a person reads it: grouped thousands, an en dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, dt.datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as ``4.2 s``, ``3 min 5 s`` or ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def listing(values: Sequence[Any], limit: int = 6) -> str:
    """The first values, and how many more there are."""
    shown = ", ".join(str(value) for value in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit:,} more"


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return str(value)
