"""What a dialect is: which header it has, how its cells are read, what the file name must tell.

Here: the declaration types, detection by header, parsing of declared fields into typed rows.
Not here: units (``chain/units``), which rows are good (``chain/quality``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from mr_platform.errors import InputFileError, UnknownDialectError
from mr_platform.registry.strategy_files import load_strategy_files

Kind = Literal["text", "number", "date", "time", "instant"]
Legs = Literal["wide", "long"]


@dataclass(frozen=True)
class Field:
    """One column of a dialect.

    Attributes:
        source: Column name in the file.
        name: Name in the parsed rows.
        kind: How a cell is read: text, number, date, time of day, or instant (date and time).
        formats: chrono formats tried in turn for date, time and instant cells.
        required: False when a file of this dialect may lack the column.
    """

    source: str
    name: str
    kind: Kind
    formats: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Dialect:
    """One way in which sources write option chains.

    Attributes:
        name: Stable name, recorded with every file.
        title: One line for people.
        fields: Columns read.
        legs: ``wide`` has call and put side by side, ``long`` one row a contract.
        priority: Where several dialects hold one partition, the smallest number is used.
        ignored: Columns known and not read.
        null_values: CSV texts that stand for a missing value.
        zero_is_missing: Parsed columns in which 0 means that nothing was traded or computed.
        snapshots: True when a row is the state at an instant (never shifted), False for bars,
            None when each file must be asked (bars have opens).
        single_snapshot_files: True when one file holds one instant, so that units are settled
            over all files of the partition.
        whole_pages: True when all rows of an expiry are fetched as one page, which a later page of
            the minute replaces whole; False when each row has a time of its own.
        volume_cumulative: True/False where the source is known, None to be settled.
        name_pattern: Pattern on the file's relative path for facts that the rows lack; named
            groups among ``symbol``, ``instant``, ``expiry``.
        name_rule: How the file must be named, for the error message.
        name_formats: chrono formats of the ``instant`` and ``expiry`` groups.
        finish: Last step from parsed fields to the names every dialect shares.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    legs: Legs
    priority: int
    ignored: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()
    zero_is_missing: tuple[str, ...] = ()
    snapshots: bool | None = True
    single_snapshot_files: bool = False
    whole_pages: bool = False
    volume_cumulative: bool | None = True
    name_pattern: re.Pattern[str] | None = None
    name_rule: str = ""
    name_formats: Mapping[str, str] = field(default_factory=dict)
    finish: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame

    @property
    def required(self) -> tuple[str, ...]:
        """Source names a header must have."""
        return tuple(item.source for item in self.fields if item.required)

    @property
    def known(self) -> frozenset[str]:
        """Every source name this dialect can explain."""
        return frozenset(item.source for item in self.fields) | frozenset(self.ignored)

    def read_types(
        self, columns: Sequence[str], names: Collection[str] | None = None
    ) -> dict[str, type[pl.DataType]]:
        """Types to read a file's columns in: numbers as Float64, all else as text.

        Args:
            columns: Columns of the file.
            names: Parsed names wanted, or None for all.
        """
        return {
            item.source: pl.Float64 if item.kind == "number" else pl.String
            for item in self.fields
            if item.source in columns and (names is None or item.name in names)
        }

    def facts_of_name(self, relative: str) -> dict[str, str]:
        """Facts the file's path tells, where the rows lack them.

        Raises:
            InputFileError: The path does not follow the dialect's rule.
        """
        if self.name_pattern is None:
            return {}
        found = self.name_pattern.search(relative)
        if found is None:
            raise InputFileError(
                f"is a {self.title}, whose rows lack facts that its path must tell",
                place=relative,
                next_step=f"Name it {self.name_rule}",
            )
        return found.groupdict()


def detect_dialect(
    columns: Sequence[str], dialects: Sequence[Dialect], relative: str
) -> tuple[Dialect, tuple[str, ...]]:
    """Dialect of a header, and the columns of it that the dialect does not know.

    A dialect fits when the header has all its required columns; of several that fit, the one
    that explains most columns is taken.

    Args:
        columns: Header of the file.
        dialects: Declared dialects.
        relative: Path of the file, for the message only: names never decide.

    Returns:
        The dialect and the unknown extra columns (they are ignored and reported).

    Raises:
        UnknownDialectError: No dialect fits; names the nearest and the columns that differ.
    """
    header = set(columns)
    fitting = [dialect for dialect in dialects if header.issuperset(dialect.required)]
    if fitting:
        best = max(fitting, key=lambda dialect: (len(header & dialect.known), -dialect.priority))
        return best, tuple(name for name in columns if name and name not in best.known)
    nearest = max(
        dialects,
        key=lambda dialect: (
            len(header & set(dialect.required)) / len(dialect.required),
            -dialect.priority,
        ),
    )
    if not header & set(nearest.required):
        raise UnknownDialectError(
            f"has a header of {len(columns)} columns, {_listing(columns)}, that shares none with "
            f"any dialect ({', '.join(dialect.name for dialect in dialects)})",
            place=relative,
            next_step=_other_use(columns)
            or "Land option-chain files, or declare a dialect under chain/dialects",
        )
    missing = [name for name in nearest.required if name not in header]
    unknown = [name for name in columns if name not in nearest.known]
    raise UnknownDialectError(
        f"has a header of {len(columns)} columns that no dialect declares; nearest is "
        f"{nearest.name} ({nearest.title}), missing {_listing(missing)}"
        + (f", unknown {_listing(unknown)}" if unknown else ""),
        place=relative,
        next_step=_other_use(columns)
        or "Rename or add the columns, or declare a dialect under chain/dialects",
    )


def _other_use(columns: Sequence[str]) -> str | None:
    """Where a header belongs that is one of strategy results; None where it is none."""
    names = {name.strip().lower() for name in columns}
    declared = load_strategy_files()
    fits = any(
        names.issuperset(name.lower() for name in known.required)
        for known in declared.formats.values()
    )
    if not fits or names <= declared.metadata.keys():
        return None
    return (
        "Results with one strategy a column belong into a book: remove it from landing and call "
        "mr portfolio load FILE"
    )


def _listing(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(frozen=True)
class ParsedRows:
    """Typed rows of one file.

    Attributes:
        frame: ``_row`` and the parsed names; cells that could not be read are null.
        unreadable: ``_row``, ``column``, ``detail`` of cells whose text is not of their kind.
    """

    frame: pl.DataFrame
    unreadable: pl.DataFrame


UNREADABLE_SCHEMA = {"_row": pl.Int64, "column": pl.String, "detail": pl.String}


def refuse_types(types: Mapping[str, pl.DataType], dialect: Dialect, relative: str) -> None:
    """Refuse columns whose stored type cannot mean what the dialect reads there.

    Args:
        types: Types that the file itself declares; a CSV declares none.
        dialect: Declaration of the columns.
        relative: Path of the file, for the message.

    Raises:
        InputFileError: Names every such column, its type and what it must be.
    """
    wrong = [
        f"{item.source} ({types[item.source]}, must hold {_WANTED[item.kind]})"
        for item in dialect.fields
        if item.source in types and not _fits(item.kind, types[item.source])
    ]
    if wrong:
        raise InputFileError(
            f"has columns of another type than theirs: {', '.join(wrong)}",
            place=relative,
            next_step="Store them in that type, or as text of the dialect's format",
        )


# bytes and dictionaries are read as the text they stand for
_TEXTUAL = (pl.String, pl.Null, pl.Binary, pl.Categorical, pl.Enum)


def _fits(kind: Kind, dtype: pl.DataType) -> bool:
    if kind == "text" or isinstance(dtype, _TEXTUAL):
        return True
    if kind == "number":
        return dtype.is_numeric()
    # 202508290915 is a timestamp of the long quotes: whole numbers are read by their digits
    if dtype.is_integer() or isinstance(dtype, pl.Datetime):
        return True
    if kind == "time":
        return dtype == pl.Time or isinstance(dtype, pl.Duration)
    return kind == "date" and dtype == pl.Date


def parse_fields(frame: pl.DataFrame, dialect: Dialect, *, clean_text: bool = True) -> ParsedRows:
    """Turn raw columns into typed ones; every unreadable cell is named, none is guessed.

    Args:
        frame: Rows as read (numbers typed, or everything as text), with ``_row``, in types that
            ``refuse_types`` lets pass.
        dialect: Declaration of the columns.
        clean_text: Strip blanks around texts and take empty ones for missing. A CSV read straight
            into types needs neither, and it would cost a tenth of its parsing.

    Returns:
        The parsed rows and the cells that could not be read. NaN becomes null; infinity stays
        for the rules to name.
    """
    present = [item for item in dialect.fields if item.source in frame.columns]
    frame = frame.with_columns(
        pl.col(item.source).cast(pl.String)
        for item in present
        if item.kind in _TEMPORAL and frame.schema[item.source].is_integer()
    )
    parsed = frame.select(
        "_row",
        *[
            _cell(_in_its_first_format(item, frame), frame.schema[item.source], clean_text)
            for item in present
        ],
    )
    # trying every format on every cell costs as often as much: only where the first does not do
    again = [
        _cell(item, pl.String(), clean_text)
        for item in present
        if len(item.formats) > 1
        and frame.schema[item.source] == pl.String
        and parsed[item.name].null_count() > frame[item.source].null_count()
    ]
    if again:
        parsed = parsed.with_columns(frame.select(again))
    # only text can fail to parse, and only where it was not missing to begin with
    textual = [item for item in present if frame.schema[item.source] == pl.String]
    textual = [item for item in textual if item.kind != "text"]
    if textual:
        lost = frame.select(item.source for item in textual).null_count().row(0)
        null_after = parsed.select(item.name for item in textual).null_count().row(0)
        textual = [
            item
            for item, before, after in zip(textual, lost, null_after, strict=True)
            if after != before
        ]
    faults = [
        frame.select(
            "_row",
            pl.lit(item.source).alias("column"),
            pl.format("{} was not a {}", pl.col(item.source), pl.lit(_KIND_WORDS[item.kind])).alias(
                "detail"
            ),
        ).filter(
            frame[item.source].is_not_null()
            & parsed[item.name].is_null()
            & ~frame[item.source].str.strip_chars().str.to_lowercase().is_in(_MISSING_TEXTS)
        )
        for item in textual
    ]
    unreadable = pl.concat(faults) if faults else pl.DataFrame(schema=UNREADABLE_SCHEMA)
    zero = [name for name in dialect.zero_is_missing if name in parsed.columns]
    if zero:
        parsed = parsed.with_columns(
            pl.when(pl.col(name) != 0).then(pl.col(name)).alias(name) for name in zero
        )
    return ParsedRows(parsed, unreadable)


def _in_its_first_format(item: Field, frame: pl.DataFrame) -> Field:
    """The field with the format of its first cell alone: sources rarely write two."""
    cells = frame[item.source]
    if len(item.formats) < 2 or cells.dtype != pl.String:
        return item
    first = cells.drop_nulls().head(1).to_frame()
    for fmt in item.formats:
        alone = replace(item, formats=(fmt,))
        read = first.select(_cell(alone, pl.String(), clean_text=True)).to_series()
        if read.len() and read.null_count() == 0:
            return alone
    return item


_KIND_WORDS: Mapping[Kind, str] = {
    "number": "number",
    "date": "date of the dialect's format",
    "time": "time of day HH:MM:SS",
    "instant": "date and time of the dialect's format",
}
_WANTED: Mapping[Kind, str] = {
    "number": "numbers",
    "date": "dates",
    "time": "times of day",
    "instant": "dates with time",
}
# texts that programs write for a missing number
_MISSING_TEXTS = ["", "nan", "null", "none", "na", "n/a"]


_IST = "Asia/Kolkata"
_TEMPORAL: Mapping[Kind, pl.DataType] = {
    "date": pl.Date(),
    "time": pl.Time(),
    "instant": pl.Datetime("us"),
}


def _cell(item: Field, dtype: pl.DataType, clean_text: bool) -> pl.Expr:
    column = pl.col(item.source)
    if clean_text and dtype == pl.String and item.kind != "number":
        column = column.str.strip_chars()
    if item.kind == "text":
        text = column.cast(pl.String)
        return (pl.when(text != "").then(text) if clean_text else text).alias(item.name)
    if item.kind == "number":
        if dtype == pl.String:
            column = column.str.strip_chars()
        return column.cast(pl.Float64, strict=False).fill_nan(None).alias(item.name)
    target = _TEMPORAL[item.kind]
    if dtype == pl.String:
        attempts = [_strptime(column, item.kind, fmt) for fmt in item.formats]
        return pl.coalesce(attempts).alias(item.name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        # the session is in IST: a day begins and a bar is labelled by its clock
        column = column.dt.convert_time_zone(_IST).dt.replace_time_zone(None)
    if isinstance(dtype, pl.Duration):
        column = column.dt.total_nanoseconds()
    return column.cast(target, strict=False).alias(item.name)


def _strptime(column: pl.Expr, kind: Kind, fmt: str) -> pl.Expr:
    if kind == "date":
        return column.str.to_date(fmt, strict=False)
    if kind == "time":
        return column.str.to_time(fmt, strict=False)
    return column.str.to_datetime(fmt, time_unit="us", strict=False)
