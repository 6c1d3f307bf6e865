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
from dataclasses import dataclass, field

from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.registry.book_declaration import BookDeclaration, option_of
from mr_platform.registry.strategy_files import (
    SETTING_OF_FIELD,
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
        own: What the book of the sheet says of its format.
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    limits: StrategyLimits | None = None
    own: BookDeclaration = field(default_factory=BookDeclaration)


def format_of_sheet(
    columns: Sequence[str],
    container: Container,
    declared: StrategyFiles,
    place: str,
    own: BookDeclaration,
) -> StrategyFormat:
    """Format that a sheet is read by: the one its book names, else the one its header tells.

    Where the book names it, the header may have further metadata columns; what cannot be read
    without a unit or a form must have it declared.

    Args:
        columns: Names of the header.
        container: Kind of the file.
        declared: The formats.
        place: File, for messages.
        own: What the book says.

    Raises:
        UnknownDialectError: No format fits, several fit alike, or the named one does not.
    """
    if own.format is None:
        return own.format_of(detect_format(columns, container, declared, place))
    form = own.format_of(declared.formats[own.format])
    named = f"{form.name}, which its book names"
    if form.container != container:
        raise UnknownDialectError(
            f"is a {container} file, {named}, is of {form.container} files",
            place=place,
            next_step="Load it as a book of its own, or name another format: --format NAME",
        )
    header = {name.lower() for name in columns}
    missing = [name for name in form.required if name.lower() not in header]
    if missing:
        raise UnknownDialectError(
            f"lacks {listed(missing)} of {named}",
            place=place,
            next_step="Rename or add the columns, or name another format: --format NAME",
        )
    for name in columns:
        setting = SETTING_OF_FIELD.get(declared.metadata.get(name.lower(), ""))
        if setting is not None and getattr(form, setting) is None:
            raise UnknownDialectError(
                f"has {name}, of which {form.name} does not declare the {setting}",
                place=place,
                next_step=f"Declare what the source writes: {option_of(setting)}; it is never "
                "guessed",
            )
    fields = Counter(declared.metadata.get(name.lower(), "") for name in columns)
    for meant in (meant for meant, count in fields.items() if meant and count > 1):
        twice = [name for name in columns if declared.metadata.get(name.lower()) == meant]
        raise UnknownDialectError(
            f"has several columns that mean {meant}: {listed(twice)}",
            place=place,
            next_step="Remove all but one",
        )
    return form


def detect_format(
    columns: Sequence[str], container: Container, declared: StrategyFiles, place: str
) -> StrategyFormat:
    """Format of a header: it has what the format requires and no metadata the format lacks.

    Raises:
        UnknownDialectError: No format fits: names the nearest and the columns that differ. Or
            several fit alike: names them.
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
        most = max(len(form.required) for form in fitting)
        alike = [form for form in fitting if len(form.required) == most]
        if len(alike) == 1:
            return alike[0]
        raise UnknownDialectError(
            f"has a header that {len(alike)} declared formats fit alike: "
            f"{', '.join(form.name for form in alike)}",
            place=place,
            next_step=f"Say which one the source writes: --format {alike[0].name}, or format: "
            f"{alike[0].name} in book.yaml of its book",
        )
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
        next_step="Rename or add the columns"
        + (
            ""
            if missing[nearest.name]
            else f", or name the format, which then takes them: --format {nearest.name}"
        ),
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
            next_step=f"Change the patterns (--include, --exclude); the first name is {names[0]!r}",
        )
    return chosen


def listed(items: Sequence[object]) -> str:
    """The first items, and how many more there are."""
    shown = ", ".join(repr(item) for item in items[:_SHOWN])
    return shown + (f" and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else "")
