"""``mr portfolio algorithms``: what searches there are, and what each can be told.

Here: the list, and the parameters of one algorithm.
Not here: the algorithms (``portfolio/search``), searching (``portfolio_search.py``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from mr_platform.cli.terminal import Terminal, example, table, with_terminal

if TYPE_CHECKING:
    from mr_platform.portfolio.search.parameters import Parameter

_FORMS = ("improved", "legacy")


@click.command(
    epilog=example(
        "mr portfolio algorithms",
        "mr portfolio algorithms genetic",
        "mr portfolio optimize sensex --parameter genetic.population=100",
    )
)
@click.argument("name", required=False)
@with_terminal
def algorithms(terminal: Terminal, name: str | None) -> None:
    """Algorithms that search, their forms and parameters; with NAME all of one algorithm."""
    from mr_platform.portfolio.search.algorithms import ALGORITHMS
    from mr_platform.portfolio.search.parameters import refuse_unknown

    if name is not None:
        refuse_unknown("algorithm", {name: None}, tuple(ALGORITHMS), "mr portfolio algorithms")
    documents = [_document(one) for one in ALGORITHMS if name in (None, one)]
    if name is not None:
        terminal.result(documents[0], _text(documents[0]))
        return
    rows = [
        (one["algorithm"], form, told["does"], len(told["parameters"]))
        for one in documents
        for form, told in one["forms"].items()
    ]
    text = table(("algorithm", "form", "what it does", "parameters"), rows, right=(3,))
    terminal.result(documents, f"{text}\n\nparameters of one: mr portfolio algorithms NAME")


def _document(name: str) -> dict[str, Any]:
    from mr_platform.portfolio.search.algorithms import ALGORITHMS
    from mr_platform.portfolio.search.parameters import parameters_of

    chosen = ALGORITHMS[name]
    forms = zip(_FORMS, (chosen.improved, chosen.legacy), strict=True)
    return {
        "algorithm": name,
        "forms": {
            form: {
                "does": _does(made),
                "parameters": [_parameter(one) for one in parameters_of(made)],
            }
            for form, made in forms
            if made is not None
        },
    }


def _does(made: type[Any]) -> str:
    """The first line of what a class says of itself, without marks and references."""
    first = (made.__doc__ or "").strip().partition("\n")[0]
    return re.sub(r"``|\.$| \([\w.]+ §\d+\)", "", first)


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "default": one.default,
        "least": one.least,
        "most": one.most,
        "choices": list(one.choices),
        "may_be_none": one.optional,
        "meaning": one.meaning,
    }


def _text(document: dict[str, Any]) -> str:
    lines: list[str] = []
    for form, told in document["forms"].items():
        rows = [
            (one["name"], _plain(one["default"]), _bounds(one), one["meaning"])
            for one in told["parameters"]
        ]
        lines += [f"{document['algorithm']}, {form}: {told['does']}", ""]
        lines += [table(("parameter", "default", "values", "meaning"), rows, right=(1,)), ""]
    improved = document["forms"]["improved"]["parameters"]
    first = next(one for one in improved if one["default"] is not None)
    asked = f"{document['algorithm']}.{first['name']}={_plain(first['default'])}"
    return "\n".join([*lines, "next", f"  mr portfolio optimize BOOK --parameter {asked}"])


def _bounds(one: dict[str, Any]) -> str:
    if one["choices"]:
        told = ", ".join(one["choices"])
    elif one["most"] is None:
        told = f"from {_plain(one['least'])}"
    else:
        told = f"{_plain(one['least'])} to {_plain(one['most'])}"
    return f"{told} or none" if one["may_be_none"] else told


def _plain(value: Any) -> str:
    """A value as it is written on the command line."""
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
