"""What ``mr portfolio load`` is told of how files are read, and the declaration it becomes.

Here: its options, faults of their values.
Not here: the command (``portfolio.py``), what settings mean (``registry/book_declaration.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mr_platform.cli.search_arguments import AmountParameter

if TYPE_CHECKING:
    from mr_platform.registry.book_declaration import BookDeclaration

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SHARE: Final = AmountParameter(min=0, max=1)

_OPTIONS: Final = (
    click.option(
        "--format", metavar="NAME", help="Declared format of the book's files: it is not detected."
    ),
    click.option(
        "--date-format", metavar="FORM", help="How its files write dates, such as %d-%m-%Y."
    ),
    click.option(
        "--time-format", metavar="FORM", help="How its files write times, such as %H:%M."
    ),
    click.option(
        "--confidence-unit", type=click.Choice(["percent", "fraction"]),
        help="Unit of the regime confidence in its files.",
    ),
    click.option(
        "--threshold-unit", type=click.Choice(["percent", "fraction"]),
        help="Unit of the transition threshold in its files.",
    ),
    click.option(
        "--pnl-unit", type=click.Choice(["rupees", "percent"]), help="Unit of its results."
    ),
    click.option(
        "--include", multiple=True, metavar="PATTERN",
        help="Strategies taken (* any text, ? one character); may be given often.",
    ),
    click.option(
        "--exclude", multiple=True, metavar="PATTERN",
        help="Strategies left out; may be given often.",
    ),
    click.option(
        "--missing-in-strategy", type=_SHARE, metavar="SHARE",
        help="Share of cells without a number above which a strategy is refused.",
    ),
    click.option(
        "--missing-in-all", type=_SHARE, metavar="SHARE",
        help="The same of all strategies of a file.",
    ),
)  # fmt: skip


def declaration_options(function: _Function) -> _Function:
    """Give a command the options of how a book's files are read, for :func:`declaration`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def declaration(asked: Mapping[str, Any]) -> BookDeclaration:
    """What the options ask for, to be kept with the book.

    Args:
        asked: Values by the names that :func:`declaration_options` gives them.

    Raises:
        InputFileError: No such format, or a form that does not tell a whole date or time.
    """
    from mr_platform.errors import InputFileError
    from mr_platform.registry.book_declaration import (
        BookDeclaration,
        format_fault,
        option_of,
        pattern_fault,
    )

    for setting, value in asked.items():
        fault = None
        if setting == "format" and value is not None:
            fault = format_fault(value)
        elif setting in ("date_format", "time_format") and value is not None:
            fault = pattern_fault(setting, value)
        elif setting in ("include", "exclude") and not all(one.strip() for one in value):
            fault = "a pattern is empty; write such as 'SENSEX *'"
        if fault:
            raise InputFileError(fault, place=option_of(setting), misused=True)
    # an option that may be given often is an empty tuple where it was not
    given = {name: value for name, value in asked.items() if value not in (None, ())}
    return replace(BookDeclaration(), **given)
