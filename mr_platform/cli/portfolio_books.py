"""``mr portfolio books``: how the books of a home stand.

Here: the command, and the table that ``mr status`` shows of the same.
Not here: what is looked at (``orchestration/book_status.py``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.terminal import Terminal, example, table, with_terminal

if TYPE_CHECKING:
    from mr_platform.config.settings import Settings
    from mr_platform.orchestration.book_status import BookState
    from mr_platform.orchestration.home_instance import DagsterInstance

_HEADERS = ("book", "files", "loaded", "strategies", "months", "portfolios", "best fitness",
            "current")  # fmt: skip


@click.command(epilog=example("mr portfolio books", "mr portfolio books --json"))
@with_terminal
def books(terminal: Terminal) -> None:
    """Books that are landed or stored: what they hold, and what of it is not current.

    What was made of a book is current while it is of the results and portfolios that are stored
    now; for what is not, the command is told that makes it again.
    """
    from mr_platform.orchestration.home_instance import open_instance

    settings = terminal.existing_home
    with open_instance(settings) as instance:
        states = states_of(settings, instance)
    stray = stray_files(settings)
    text = books_text(states) if states else "no book yet; mr portfolio load FILE makes one"
    text = "\n".join([text, *stray_lines(stray)])
    terminal.result({"books": books_document(states), "stray_files": stray}, text)


def stray_files(settings: Settings) -> list[str]:
    """Files below the folder of books that are of no book, each with why."""
    from mr_platform.gateways.strategy_landing import StrategyLanding

    stray = StrategyLanding(settings.landing_dir).stray_files()
    return [f"{path}: {fault}" for path, fault in stray.items()]


def stray_lines(stray: Sequence[str]) -> list[str]:
    """The same for people."""
    return [f"not of any book: {fault}" for fault in stray]


def states_of(settings: Settings, instance: DagsterInstance) -> list[BookState]:
    """How every book of a home stands."""
    from mr_platform.gateways.lakehouse import Lakehouse
    from mr_platform.gateways.strategy_landing import StrategyLanding
    from mr_platform.orchestration.book_status import book_states

    lakehouse = Lakehouse(settings.lakehouse_root, settings.parquet)
    return book_states(lakehouse, StrategyLanding(settings.landing_dir), instance)


def books_document(states: Sequence[BookState]) -> list[dict[str, Any]]:
    """Books as JSON has them."""
    return [dataclasses.asdict(state) for state in states]


def books_text(states: Sequence[BookState]) -> str:
    """Books as a table, and a line for all that is not of now."""
    text = table(_HEADERS, [_row(state) for state in states], right=(1, 3, 5, 6))
    return "\n".join([text, *_lines(states)])


def _row(state: BookState) -> tuple[Any, ...]:
    first, last = (state.months[0], state.months[-1]) if state.months else (None, None)
    searched = state.portfolios or state.older_portfolios or state.other_portfolios
    made = bool(searched or state.not_current)
    return (
        state.book,
        state.files,
        state.loaded,
        state.strategies or None,
        first if first == last else f"{first} to {last}",
        state.portfolios or None,
        state.best_fitness,
        not (state.not_current or state.older_portfolios) if made else None,
    )


def _lines(states: Sequence[BookState]) -> list[str]:
    from mr_platform.orchestration.book_status import CHANGED, NOT_LOADED

    lines = []
    for state in states:
        if state.load_fault is not None:
            lines.append(f"{state.book} could not be loaded: {state.load_fault}")
        elif state.loaded in (CHANGED, NOT_LOADED):
            why = "was not loaded yet" if state.loaded == NOT_LOADED else "has other files since"
            lines.append(
                f"{state.book} {why}; load it: mr portfolio load FILE --book {state.book}, with a "
                "file of it, or mr ui"
            )
        if state.older_portfolios:
            lines.append(
                f"{state.book}: {state.older_portfolios} portfolios were searched on other returns "
                f"than those stored; search again: mr portfolio optimize {state.book}"
            )
        if state.other_portfolios:
            lines.append(
                f"{state.book}: {state.other_portfolios} portfolios of the returns stored do not "
                "count: judged by another measure or after other steps than those searched last, "
                "or not stored whole"
            )
        lines += [f"{state.book}, {asset}: {why}" for asset, why in state.not_current.items()]
    return lines
