"""Parameters of algorithms as a run asks for them, over those of the settings.

What a run asks for must be a parameter of what it searches. Settings serve many runs: what they
say of algorithms and forms that a run does not search with is left aside, but never a name that
no algorithm knows.

Here: names checked, both put together; one parameter as text.
Not here: bounds (``parameters``), the algorithms (``algorithms``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mr_platform.portfolio.returns import PortfolioError
from mr_platform.portfolio.search.algorithms import ALGORITHMS
from mr_platform.portfolio.search.engine import Form
from mr_platform.portfolio.search.parameters import refuse_unknown

Value = int | float | str | None
Asked = Mapping[str, Mapping[str, Value]]
"""Values by algorithm and parameter."""

NONE: Final = "none"
"""Stands for no value where a parameter may have none: configurations of runs hold no null."""

_FORMS: Final[tuple[Form, Form]] = ("improved", "legacy")


def asked_parameters(
    settings: Asked, run: Asked, algorithms: Sequence[str], form: Form
) -> dict[str, dict[str, Value]]:
    """Parameters of the algorithms that are searched with, those of the run before the settings'.

    Args:
        settings: What the settings say.
        run: What this run asks for.
        algorithms: Names of the algorithms that are searched with.
        form: Their form.

    Raises:
        PortfolioError: A name that no algorithm knows; a parameter of the run that is of an
            algorithm or form that is not searched with.
    """
    for asked in (settings, run):
        for name, values in asked.items():
            _refuse_unknown(name, values)
    for name, values in run.items():
        _refuse_idle(name, values, algorithms, form)
    chosen: dict[str, dict[str, Value]] = {}
    for name in (name for name in ALGORITHMS if name in algorithms):
        known = {one.name: one for one in ALGORITHMS[name].parameters(form)}
        both = {**settings.get(name, {}), **run.get(name, {})}
        values = {
            parameter: None if value == NONE and known[parameter].optional else value
            for parameter, value in both.items()
            if parameter in known
        }
        if values:
            chosen[name] = values
    return chosen


def parsed_parameter(text: str) -> tuple[str, str, int | float | str]:
    """``genetic.population=60`` as algorithm, parameter and value.

    Raises:
        PortfolioError: A text of another form.
    """
    name, split, value = text.partition("=")
    algorithm, dot, parameter = name.partition(".")
    if not (split and dot and algorithm.strip() and parameter.strip() and value.strip()):
        raise PortfolioError(
            f"{text!r} is no parameter of an algorithm",
            next_step="Write ALGORITHM.PARAMETER=VALUE, such as genetic.population=60; "
            "`mr portfolio algorithms` lists them",
            misused=True,
        )
    return algorithm.strip(), parameter.strip(), _value(value.strip())


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _refuse_unknown(name: str, values: Mapping[str, Value]) -> None:
    refuse_unknown("algorithm", {name: None}, tuple(ALGORITHMS), "parameters of a search")
    known = [one.name for form in _FORMS for one in ALGORITHMS[name].parameters(form)]
    refuse_unknown("parameter", values, tuple(dict.fromkeys(known)), name)


def _refuse_idle(
    name: str, values: Mapping[str, Value], algorithms: Sequence[str], form: Form
) -> None:
    """Refuse parameters that a run asks for and nothing of it would use."""
    told = f"parameters are asked for ({', '.join(values)})"
    if name not in algorithms:
        raise PortfolioError(
            f"{told}, but the algorithm is not among those that are searched with",
            place=name,
            next_step=f"Add {name} to the algorithms ({', '.join(algorithms)}), or leave its "
            "parameters out",
            misused=True,
        )
    known = [one.name for one in ALGORITHMS[name].parameters(form)]
    idle = [parameter for parameter in values if parameter not in known]
    if idle:
        raise PortfolioError(
            f"its {form} form has no parameter {', '.join(idle)}",
            place=name,
            next_step=f"Parameters of this form: {', '.join(known) or 'none'}",
            misused=True,
        )
