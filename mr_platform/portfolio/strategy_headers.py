"""Header of a strategy sheet: its format, faulty names, which strategies are wanted.

Here: rules on names of columns, before any cell is read.
Not here: the formats themselves (``registry/strategy_files``), cells, rows.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.registry.strategy_files import (
    Container,
    StrategyFiles,
    StrategyFormat,
    StrategyLimits,
)

_SHOWN = 5


@dataclass(frozen=True)
class StrategyChoice:
    """Which strategies of a sheet are read, and how many of their cells may lack a number.

    Attributes:
        include: Patterns, one of which a name must match; ``*`` any text, ``?`` one character.
        exclude: Patterns, none of which it may match.
        limits: Limits in place of the declared ones.
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    limits: StrategyLimits | None = None


def detect_format(
    columns: Sequence[str], container: Container, declared: StrategyFiles, place: str
) -> StrategyFormat:
    """Format of a header: it has what the format requires and no metadata the format lacks.

    Raises:
        UnknownDialectError: No format fits; names the nearest and the columns that differ.
    """
    header = {name.lower(): name for name in columns if name.lower() in declared.metadata}
    formats = [form for form in declared.formats.values() if form.container == container]
    missing = {
        form.name: [name for name in form.required if name.lower() not in header]
        for form in formats
    }
    foreign = {
        form.name: [
            told
            for name, told in header.items()
            if name not in {known.lower() for known in (*form.required, *form.optional)}
        ]
        for form in formats
    }
    fitting = [form for form in formats if not missing[form.name] and not foreign[form.name]]
    if fitting:
        return max(fitting, key=lambda form: len(form.required))
    if not formats:
        raise UnknownDialectError(
            f"is a {container} file, for which no format is declared", place=place
        )
    nearest = min(formats, key=lambda form: len(missing[form.name]) + len(foreign[form.name]))
    told = []
    if missing[nearest.name]:
        told.append(f"missing {listed(missing[nearest.name])}")
        near = {
            name: difflib.get_close_matches(name, columns, n=1)
            for name in missing[nearest.name][:_SHOWN]
        }
        told += [f"{found[0]!r} may be meant for {name!r}" for name, found in near.items() if found]
    if foreign[nearest.name]:
        told.append(f"not part of it {listed(foreign[nearest.name])}")
    raise UnknownDialectError(
        f"has a header of {len(columns):,} columns that no declared format fits; nearest is "
        f"{nearest.name} ({nearest.title}): {'; '.join(told)}",
        place=place,
        next_step="Rename or add the columns, or declare the format in strategy_files.yaml",
    )


def check_names(columns: Sequence[str], declared: StrategyFiles, place: str) -> None:
    """Refuse columns without a name and names that stand over several columns.

    Raises:
        InputFileError: Names them and their places.
    """
    unnamed = [i + 1 for i, name in enumerate(columns) if not name.strip()]
    if unnamed:
        raise InputFileError(
            f"has {len(unnamed)} columns without a name: {listed(unnamed)}",
            place=place,
            next_step="Name them, or remove an index or a delimiter too many",
        )
    # metadata are the same whatever their case; names of strategies are told apart by it
    keys = [name.lower() if name.lower() in declared.metadata else name for name in columns]
    repeated = [key for key, count in Counter(keys).items() if count > 1]
    if repeated:
        shown = [
            f"{key!r} at {listed([i + 1 for i, name in enumerate(keys) if name == key])}"
            for key in repeated[:_SHOWN]
        ]
        raise InputFileError(
            f"has {len(repeated)} names that stand over several columns: {', '.join(shown)}"
            + " …" * (len(repeated) > _SHOWN),
            place=place,
            next_step="Each column may appear once",
        )


def choose_strategies(names: Sequence[str], choice: StrategyChoice, place: str) -> list[int]:
    """Places, among the names given, of the strategies that a choice takes.

    Raises:
        InputFileError: It takes none.
    """

    def matcher(patterns: Sequence[str]) -> re.Pattern[str] | None:
        # a bracket is a plain sign: names are matched by * and ? alone
        forms = [fnmatch.translate(pattern.replace("[", "[[]")) for pattern in patterns]
        return re.compile("|".join(forms)) if forms else None

    include, exclude = matcher(choice.include), matcher(choice.exclude)
    chosen = [
        i
        for i, name in enumerate(names)
        if include is not None
        and include.match(name)
        and (exclude is None or not exclude.match(name))
    ]
    if not chosen:
        raise InputFileError(
            f"has {len(names):,} strategies, none of which is chosen by include "
            f"{listed(choice.include)} and exclude {listed(choice.exclude)}",
            place=place,
            next_step=f"Change the patterns; the first name is {names[0]!r}",
        )
    return chosen


def listed(items: Sequence[object]) -> str:
    """The first items, and how many more there are."""
    shown = ", ".join(repr(item) for item in items[:_SHOWN])
    return shown + (f" and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else "")
