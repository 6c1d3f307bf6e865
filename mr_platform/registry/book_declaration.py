"""What a book declares of its own: how its files are read, in place of what holds for all books.

Here: text of a book's ``book.yaml`` to typed, checked settings and back; every fault at once.
Not here: where that file lies (``gateways/book_declarations``), the declared formats themselves
(``strategy_files``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, cast, get_args

import polars as pl
import yaml

from mr_platform.errors import InputFileError
from mr_platform.registry.faults import FaultList, Source, hint
from mr_platform.registry.marked_yaml import read_marked
from mr_platform.registry.strategy_files import (
    PnlUnit,
    StrategyFormat,
    StrategyLimits,
    Unit,
    load_strategy_files,
)

_HEAD = "# how the files of this book are read; what is not named holds as for every book\n"
_SAMPLES = (dt.datetime(2023, 1, 2, 9, 15), dt.datetime(2024, 11, 30, 15, 30))
_OF_A_FORMAT = ("date_format", "time_format", "confidence_unit", "threshold_unit", "pnl_unit")
_LIMITS = ("missing_in_strategy", "missing_in_all")


@dataclass(frozen=True)
class BookDeclaration:
    """Settings of one book; None where the book says nothing.

    Attributes:
        format: Name of the declared format that all of its files are read by; None detects it.
        date_format: chrono format of dates that stand as text.
        time_format: chrono format of times that stand as text.
        confidence_unit: Unit of the regime confidence.
        threshold_unit: Unit of the transition threshold.
        pnl_unit: Unit of the strategies' values.
        include: Patterns, one of which a strategy's name must match.
        exclude: Patterns, none of which it may match.
        missing_in_strategy: Greatest share of cells without a number in one strategy.
        missing_in_all: Greatest share of cells without a number in all strategies of a file.
    """

    format: str | None = None
    date_format: str | None = None
    time_format: str | None = None
    confidence_unit: Unit | None = None
    threshold_unit: Unit | None = None
    pnl_unit: PnlUnit | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    missing_in_strategy: float | None = None
    missing_in_all: float | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What the book says, by name, in the order of the fields."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def updated(self, other: BookDeclaration) -> BookDeclaration:
        """These settings with those that another gives in their place."""
        return replace(self, **other.given)

    def format_of(self, form: StrategyFormat) -> StrategyFormat:
        """A declared format with what the book says in its place."""
        own = {name: value for name, value in self.given.items() if name in _OF_A_FORMAT}
        return replace(form, **own, of_the_book=frozenset(own))

    def limits_of(self, limits: StrategyLimits) -> StrategyLimits:
        """The declared limits with what the book says in their place."""
        own = {name: value for name, value in self.given.items() if name in _LIMITS}
        return replace(limits, **own)

    def text(self) -> str:
        """The settings as a book's file has them."""
        plain = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.given.items()
        }
        return _HEAD + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def option_of(setting: str) -> str:
    """How a person gives a setting on the command line: ``--date-format`` of ``date_format``."""
    return f"--{setting.replace('_', '-')}"


def parse_book_declaration(content: bytes, place: str) -> BookDeclaration:
    """Settings that the text of a book's file holds.

    Args:
        content: Bytes of the file.
        place: The file, for messages.

    Raises:
        InputFileError: No UTF-8 text or no YAML, a name that is no setting, a value that a setting
            cannot have; tells every fault with its line.
    """
    try:
        document = read_marked(content.decode("utf-8-sig"))
    except UnicodeDecodeError as damaged:
        raise InputFileError(
            f"is not UTF-8 text (byte {damaged.start})", place=place, next_step="Save it as UTF-8"
        ) from damaged
    faults = FaultList()
    declared = _declared(Source("line ", document, faults), document.data)
    if faults:
        told = [text.replace("line :", "line ", 1) for text in faults.texts()]
        raise InputFileError(
            "; ".join(told), place=place, next_step="Correct the lines, or remove the file"
        )
    return declared


def format_fault(name: str) -> str | None:
    """Why a name is not that of a declared format; None where it is one."""
    formats = load_strategy_files().formats
    return None if name in formats else f"unknown format {name!r}{hint(name, formats)}"


def pattern_fault(setting: str, pattern: str) -> str | None:
    """Why a pattern does not tell a whole date or time of day; None where it does.

    Args:
        setting: ``date_format`` or ``time_format``.
        pattern: A chrono format.
    """
    kind, what, such = (
        (pl.Date(), "date", "%d-%m-%Y") if setting == "date_format" else
        (pl.Time(), "time of day", "%H:%M")
    )  # fmt: skip
    samples = pl.Series(_SAMPLES)
    try:
        read = samples.dt.strftime(pattern).str.strptime(kind, pattern, strict=False)
    except pl.exceptions.PolarsError:
        read = None
    if read is not None and read.equals(samples.cast(kind)):
        return None
    return f"{pattern!r} does not tell a whole {what}; write it such as {such}"


def _declared(source: Source, data: Any) -> BookDeclaration:
    # that the file is empty is told by the reading of YAML
    top = {} if data is None else source.mapping(data, (), "the file")
    source.fields(top, (), (), (field.name for field in fields(BookDeclaration)))

    def text(name: str) -> str | None:
        return source.text(top[name], (name,), name) if name in top else None

    def pattern(name: str) -> str | None:
        given = text(name)
        if given and (fault := pattern_fault(name, given)):
            source.fault((name,), f"{name} {fault}")
        return given

    def unit(name: str, known: Any) -> Any:
        return source.known(top[name], (name,), name, get_args(known)) if name in top else None

    def share(name: str) -> float | None:
        return source.number(top[name], (name,), name, 1.0) if name in top else None

    form = text("format")
    if form and (fault := format_fault(form)):
        source.fault(("format",), fault)
    include = _patterns(source, top, "include")
    if include == () and top["include"] == []:
        source.fault(("include",), 'include names no pattern; "*" takes every strategy')
    return BookDeclaration(
        format=form,
        date_format=pattern("date_format"),
        time_format=pattern("time_format"),
        confidence_unit=cast("Unit | None", unit("confidence_unit", Unit)),
        threshold_unit=cast("Unit | None", unit("threshold_unit", Unit)),
        pnl_unit=cast("PnlUnit | None", unit("pnl_unit", PnlUnit)),
        include=include,
        exclude=_patterns(source, top, "exclude"),
        missing_in_strategy=share("missing_in_strategy"),
        missing_in_all=share("missing_in_all"),
    )


def _patterns(source: Source, top: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    if name not in top:
        return None
    given: Iterable[Any] = source.sequence(top[name], (name,), name)
    return tuple(source.text(item, (name, place), "a pattern") for place, item in enumerate(given))
