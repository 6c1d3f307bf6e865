"""From one landed file to typed rows that know their partition.

Here: dialect detection, parsing, facts of the file's path, which partition each row belongs to.
Not here: reading bytes (``gateways/raw_files``), units, row rules.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from mr_platform.chain.dialects import DIALECTS
from mr_platform.chain.dialects.dialect import (
    Dialect,
    detect_dialect,
    parse_fields,
    refuse_types,
)
from mr_platform.errors import InputFileError
from mr_platform.gateways.raw_files import ROW, RawFile
from mr_platform.trading_calendar import (
    CALENDAR_FIRST,
    CALENDAR_LAST,
    SYMBOLS,
    PartitionKey,
    trading_days,
)

KEY_FAULT = "_key_fault"
"""Reason why a row belongs to no partition, or null."""

_KEY_NAMES = frozenset({"date", "time", "instant", "symbol"})
# what the last step of some dialects looks at besides the key
_ALWAYS_READ = _KEY_NAMES | {"expiry_date", "option_type"}

FAULT_SCHEMA = {
    ROW: pl.Int64,
    "reason": pl.String,
    "column": pl.String,
    "detail": pl.String,
    "text": pl.String,
}


@dataclass(frozen=True)
class SourceRows:
    """Typed rows of one file.

    Attributes:
        source: The file.
        dialect: The dialect its header belongs to.
        extra_columns: Columns of the file that the dialect does not know (not read).
        raw: Rows as read, with ``_row``; what quarantine shows of a row.
        frame: Parsed rows: ``_row``, ``symbol``, ``date``, ``time``, ``expiry_date``,
            ``strike`` …, and ``_key_fault``.
        faults: Rows lost before parsing: ``_row``, ``reason``, ``column``, ``detail``, ``text``.
    """

    source: RawFile
    dialect: Dialect
    extra_columns: tuple[str, ...]
    raw: pl.DataFrame
    frame: pl.DataFrame
    faults: pl.DataFrame

    @cached_property
    def height(self) -> int:
        """Data rows of the file, readable or not."""
        if self.faults.is_empty():
            return self.frame.height
        lost = self.faults.filter(~pl.col(ROW).is_in(self.frame[ROW].implode())).height
        return self.frame.height + lost

    @cached_property
    def partitions(self) -> dict[PartitionKey, int]:
        """Rows by partition, without those that belong to none; ascending."""
        counts = (
            self.frame.select("date", "symbol", KEY_FAULT)
            .filter(pl.col(KEY_FAULT).is_null())
            .group_by("date", "symbol")
            .len()
            .rows()
        )
        return {PartitionKey(day, symbol): rows for day, symbol, rows in sorted(counts)}

    @cached_property
    def home(self) -> PartitionKey | None:
        """First partition of the file: rows that belong to no partition are quarantined there."""
        return next(iter(self.partitions), None)


def read_source(source: RawFile, names: Collection[str] | None = None) -> SourceRows:
    """Read and parse a landed file.

    Args:
        source: The file.
        names: Parsed names wanted, or None for all; the key columns are always read.

    Returns:
        The rows; every data row of the file is in ``frame`` or in ``faults``.

    Raises:
        InputFileError: The file as a whole cannot be used (format, header, path, dates).
    """
    header = source.header
    dialect, extra = detect_dialect(header.columns, DIALECTS, source.relative)
    facts = dialect.facts_of_name(source.relative)
    refuse_types(header.types, dialect, source.relative)
    wanted = None if names is None else _ALWAYS_READ | set(names)
    rows = source.read(dialect.read_types(header.columns, wanted), dialect.null_values)
    if rows.height == 0:
        raise InputFileError(
            "has a header and no rows",
            place=source.relative,
            next_step="Ask the source to send it again",
        )
    typed_csv = header.format == "csv" and rows.typed
    parsed = parse_fields(rows.frame, dialect, clean_text=not typed_csv)
    frame = _with_facts(parsed.frame, dialect, facts, source.relative)
    frame = dialect.finish(frame)
    _refuse_foreign_dates(rows.frame, frame, dialect, source.relative)
    frame = frame.with_columns(_key_fault().alias(KEY_FAULT))
    key_sources = [item.source for item in dialect.fields if item.name in _KEY_NAMES]
    faults = pl.concat(
        [
            rows.malformed.select(
                ROW,
                pl.lit("malformed_row").alias("reason"),
                pl.lit(None, pl.String).alias("column"),
                "detail",
                "text",
            ),
            # a key that could not be read is told as such, once, by _key_fault
            parsed.unreadable.filter(~pl.col("column").is_in(key_sources))
            .unique(subset=ROW, keep="first", maintain_order=True)
            .select(
                ROW,
                pl.lit("unparseable_value").alias("reason"),
                "column",
                "detail",
                pl.lit(None, pl.String).alias("text"),
            ),
        ]
    )
    return SourceRows(source, dialect, extra, rows.frame, frame, faults)


def _with_facts(
    frame: pl.DataFrame, dialect: Dialect, facts: dict[str, str], relative: str
) -> pl.DataFrame:
    if not facts:
        return frame
    literals: list[pl.Expr] = []
    if symbol := facts.get("symbol"):
        literals.append(pl.lit(symbol).alias("symbol"))
    for name, target in (("instant", "instant"), ("expiry", "expiry_date")):
        text = facts.get(name)
        if text is None:
            continue
        text = text.replace(".", ":") if name == "instant" else text.title()
        text = f"{text[:13]}:{text[14:]}" if name == "instant" else text
        fmt = dialect.name_formats[name]
        value = pl.Series([text]).str.to_datetime(fmt, time_unit="us", strict=False)[0]
        if value is None:
            raise InputFileError(
                f"its path gives {name} as {text!r}, which is no such date",
                place=relative,
                next_step=f"Name it {dialect.name_rule}",
            )
        literals.append(pl.lit(value, pl.Datetime("us")).alias(target))
    return frame.with_columns(literals)


def _refuse_foreign_dates(
    raw: pl.DataFrame, frame: pl.DataFrame, dialect: Dialect, relative: str
) -> None:
    """A whole column of dates in another format is one fault of the file, not of each row."""
    for name in ("date", "instant", "expiry_date"):
        item = next((item for item in dialect.fields if item.name == name), None)
        if item is None or name not in frame.columns or item.source not in raw.columns:
            continue
        given = raw[item.source].is_not_null()
        if given.any() and frame[name].filter(given).is_null().all():
            example = raw[item.source].filter(given)[0]
            raise InputFileError(
                f"column {item.source} was {str(example)!r} in its first row, which is not of "
                f"the format {' or '.join(item.formats)}",
                place=relative,
                next_step="Export dates in that format; day-first dates are never guessed",
            )


def _key_fault() -> pl.Expr:
    days = trading_days(CALENDAR_FIRST, CALENDAR_LAST)
    day, symbol = pl.col("date"), pl.col("symbol")
    return (
        pl.when(day.is_null() | symbol.is_null())
        .then(pl.lit("unparseable_key"))
        .when(~symbol.is_in(list(SYMBOLS)))
        .then(pl.lit("unknown_symbol"))
        .when(~day.is_in(pl.Series(days, dtype=pl.Date).implode()))
        .then(pl.lit("not_a_trading_day"))
        .otherwise(None)
    )
