"""Declared parameters of search algorithms: name, default, bounds, meaning.

An algorithm is a frozen dataclass whose fields are made by :func:`declared`; ``__post_init__``
calls :func:`check`.

Here: declaring, checking and listing parameters.
Not here: the algorithms, choosing one by name (``algorithms``).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from mr_platform.portfolio.returns import PortfolioError

_MARK: Final = "parameter"


@dataclass(frozen=True)
class Parameter:
    """One parameter of an algorithm.

    Attributes:
        name: Its name.
        default: The value where none is given.
        least: Smallest value allowed; None where it is chosen from ``choices``.
        most: Largest value allowed; None where there is none.
        choices: The values allowed, where they are no numbers.
        meaning: What it does, with its unit.
        optional: Whether None is allowed as well.
    """

    name: str
    default: Any
    least: float | None
    most: float | None
    choices: tuple[str, ...]
    meaning: str
    optional: bool


def declared(
    default: Any,
    meaning: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
    optional: bool = False,
) -> Any:
    """A dataclass field that is a parameter.

    Args:
        default: The value where none is given; a whole number allows whole numbers only.
        meaning: What it does, with its unit.
        least: Smallest value allowed.
        most: Largest value allowed.
        choices: The values allowed, where they are no numbers.
        optional: Whether None is allowed as well; a number given then may be a fraction.
    """
    bounds = (least, most, choices, meaning, optional)
    return field(default=default, metadata={_MARK: bounds})


def parameters_of(algorithm: Any) -> tuple[Parameter, ...]:
    """The parameters of an algorithm or of its class, in the order of their declaration."""
    return tuple(
        Parameter(one.name, one.default, *_bounds(one.metadata))
        for one in fields(algorithm)
        if _MARK in one.metadata
    )


def values_of(algorithm: Any) -> dict[str, int | float | str | None]:
    """The value of each parameter of an algorithm."""
    return {one.name: getattr(algorithm, one.name) for one in parameters_of(algorithm)}


def check(algorithm: Any) -> None:
    """Refuse values that a parameter does not allow.

    Raises:
        PortfolioError: A value out of bounds, of another kind or not a number.
    """
    for one in parameters_of(algorithm):
        fault = _fault(one, getattr(algorithm, one.name))
        if fault:
            raise PortfolioError(
                f"{one.name} is {getattr(algorithm, one.name)!r}; {fault}",
                place=type(algorithm).__name__,
                next_step=f"{one.name}: {one.meaning}",
                misused=True,
            )


def refuse_unknown(what: str, names: Mapping[str, Any], known: tuple[str, ...], place: str) -> None:
    """Refuse names that are not among the known ones, telling the near one.

    Raises:
        PortfolioError: A name that is not known.
    """
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise PortfolioError(
                f"{what} {name!r} is not known",
                place=place,
                next_step=f"Did you mean {near[0]!r}?"
                if near
                else f"Choose from {', '.join(known) or 'none: there are no parameters'}",
                misused=True,
            )


def _bounds(
    metadata: Mapping[Any, Any],
) -> tuple[float | None, float | None, tuple[str, ...], str, bool]:
    least, most, choices, meaning, optional = metadata[_MARK]
    return least, most, choices, meaning, optional


def _fault(one: Parameter, value: Any) -> str:
    if value is None and one.optional:
        return ""
    if one.choices:
        return "" if value in one.choices else f"choose one of {', '.join(one.choices)}"
    whole = isinstance(one.default, int) and not one.optional
    if isinstance(value, bool) or not isinstance(value, int | (int if whole else float)):
        return f"it must be a {'whole ' if whole else ''}number"
    if not math.isfinite(value):
        return "it must be finite"
    if one.least is not None and value < one.least:
        return f"it must be at least {one.least}"
    if one.most is not None and value > one.most:
        return f"it must be at most {one.most}"
    return ""
