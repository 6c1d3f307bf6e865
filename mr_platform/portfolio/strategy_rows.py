"""What a row of a strategy sheet says of itself: date, zone, hours, regime, confidence, capital.

Here: label columns as text or typed → one typed table, faults with their rows, order of rows.
Not here: results of strategies (``strategy_cells``), filters and weights by confidence.

Units are declared by the format and converted once: a confidence is a share of 1 ever after, so
that 70 per cent and 0.7 give the same mask (portfolio.md §7).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.registry.book_declaration import option_of
from mr_platform.registry.strategy_files import (
    SETTING_OF_FIELD,
    StrategyFiles,
    StrategyFormat,
    Unit,
)
from mr_platform.trading_calendar import CALENDAR_FIRST, CALENDAR_LAST, trading_days

ROWS_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "zone": pl.String(),
    "day": pl.String(),
    "start_time": pl.Time(),
    "end_time": pl.Time(),
    "market_regime": pl.String(),
    "regime_confidence": pl.Float64(),
    "transition_threshold": pl.Float64(),
    "capital": pl.Float64(),
    "file_row": pl.Int64(),
}
"""Columns of the table of rows; those that a file lacks are null.

``regime_confidence`` and ``transition_threshold`` are shares of 1, ``capital`` is in rupees,
``file_row`` is the row's number in its file, from 1 without the header.
"""

_PERCENT = 100.0
_PLACES_SHOWN = 3
_KINDS = {"date": "dates", "time": "times of day", "number": "numbers"}
_TEXTUAL = (pl.String, pl.Null, pl.Categorical, pl.Enum)


def read_rows(
    place: str,
    labels: Mapping[str, pl.Series],
    fields: Mapping[str, str],
    form: StrategyFormat,
    declared: StrategyFiles,
) -> pl.DataFrame:
    """Typed rows in the order of the file.

    Args:
        place: File, for messages.
        labels: Label columns by their name in the file, T values each.
        fields: Row field by column name; each field at most once, the date among them.
        form: Format, for the forms of dates and times and the units of shares.
        declared: Zone labels.

    Returns:
        The columns of ``ROWS_SCHEMA``; empty cells are null.

    Raises:
        InputFileError: A cell that is not of its kind, a date that is missing or outside the
            calendar, a zone that is missing or unknown, a share outside [0, 1], negative capital.
    """
    reader = _RowReader(place, labels, form)
    read = {field: reader.field(name, field) for name, field in fields.items()}
    height = next(iter(labels.values())).len()
    # names of days and zones are looked up before shares: they tell more of what went wrong
    reader.check_dates(read["date"])
    if "zone" in read:
        reader.check_zones(read["zone"], declared.zones)
    if "capital" in read:
        reader.refuse("capital", read["capital"] < 0, "is negative", "Correct it at the source")
    rows = pl.DataFrame(
        {
            field: read[field].alias(field)
            if field in read
            else pl.Series(field, [None], dtype=dtype).new_from_index(0, height)
            for field, dtype in ROWS_SCHEMA.items()
            if field != "file_row"
        }
    )
    return rows.with_columns(file_row=pl.int_range(1, height + 1, dtype=pl.Int64))


def sort_rows(place: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in order of date and zone; drawdown depends on it.

    Raises:
        InputFileError: A date, or a date and zone, stands in several rows.
    """
    keys = ["date"] if rows["zone"].null_count() == rows.height else ["date", "zone"]
    twice = (
        rows.group_by(keys, maintain_order=True)
        .agg(pl.col("file_row"))
        .filter(pl.col("file_row").list.len() > 1)
    )
    if twice.height:
        shown = [
            f"{' '.join(map(str, row[:-1]))} in rows {_few(row[-1])}"
            for row in twice.head(_PLACES_SHOWN).rows()
        ]
        told = "dates" if len(keys) == 1 else "pairs of date and zone"
        raise InputFileError(
            f"has {told} that stand more than once, {twice.height:,} in all: "
            f"{_joined(shown, twice.height)}",
            place=place,
            next_step="Remove the repeated rows, or name the zone of each",
        )
    return rows.sort(keys, maintain_order=True)


def day_mismatches(rows: pl.DataFrame) -> list[int]:
    """File rows whose weekday, full or its first three letters, is not that of their date."""
    told = pl.col("day").str.strip_chars().str.to_lowercase()
    name = pl.col("date").dt.strftime("%A").str.to_lowercase()
    wrong = rows.filter((told != name) & (told != name.str.head(3)))
    return wrong["file_row"].to_list()


def days_without_trading(rows: pl.DataFrame) -> list[dt.date]:
    """Dates on which the exchange did not trade, ascending, each once."""
    days = rows["date"].unique().sort().to_list()
    if not days:
        return []
    trading = set(trading_days(days[0], days[-1]))
    return [day for day in days if day not in trading]


class _RowReader:
    def __init__(self, place: str, labels: Mapping[str, pl.Series], form: StrategyFormat) -> None:
        self._place = place
        self._labels = labels
        self._form = form
        self._names: dict[str, str] = {}

    def field(self, name: str, field: str) -> pl.Series:
        """One label column in the type of its field."""
        self._names[field] = name
        raw = self._labels[name]
        if isinstance(raw.dtype, _TEXTUAL):
            text = raw.cast(pl.String).str.strip_chars()
            raw = text.set(text == "", None)
        form = self._form
        if field == "date":
            return self._date(field, raw)
        if field in ("start_time", "end_time"):
            return self._parsed(field, raw, pl.Time(), form.time_format or "%H:%M:%S")
        if field == "regime_confidence":
            return self._share(field, raw, form.confidence_unit)
        if field == "transition_threshold":
            return self._share(field, raw, form.threshold_unit)
        if field == "capital":
            return self._number(field, raw)
        return raw.cast(pl.String)

    def refuse(self, field: str, wrong: pl.Series, fault: str, next_step: str) -> None:
        """Raise where ``wrong`` is true, naming the first rows and what stands there."""
        at = wrong.fill_null(False).arg_true()
        if not at.len():
            return
        name = self._names[field]
        raw = self._labels[name]
        shown = [f"row {i + 1} ({raw[i]!r})" for i in at.head(_PLACES_SHOWN).to_list()]
        raise InputFileError(
            f"{name} {fault} in {at.len():,} of {raw.len():,} rows: {_joined(shown, at.len())}",
            place=self._place,
            next_step=next_step,
        )

    def check_dates(self, dates: pl.Series) -> None:
        """Every row has a date, and the calendar knows it."""
        self.refuse("date", dates.is_null(), "is missing", "Give every row its date")
        self.refuse(
            "date",
            (dates < CALENDAR_FIRST) | (dates > CALENDAR_LAST),
            f"lies outside the calendar of {CALENDAR_FIRST} to {CALENDAR_LAST}",
            "Correct the dates at the source, or declare the form that it uses: --date-format "
            "FORMAT",
        )

    def check_zones(self, zones: pl.Series, known: tuple[str, ...]) -> None:
        """Every row has a zone, and it is declared."""
        self.refuse("zone", zones.is_null(), "is missing", "Give every row its zone")
        self.refuse(
            "zone",
            ~zones.is_in(list(known)),
            f"is none of {', '.join(known)}",
            "Correct the label or declare it in strategy_files.yaml",
        )

    # ------------------------------------------------------------------ kinds

    def _date(self, field: str, raw: pl.Series) -> pl.Series:
        if isinstance(raw.dtype, pl.Datetime):
            hours = raw.dt.time() != dt.time(0)
            self.refuse(field, hours, "has an hour", "Store the date alone, one row a day")
            return raw.dt.date()
        return self._parsed(field, raw, pl.Date(), self._form.date_format)

    def _parsed(
        self, field: str, raw: pl.Series, wanted: pl.Date | pl.Time, form: str
    ) -> pl.Series:
        if raw.dtype == wanted:
            return raw
        setting = SETTING_OF_FIELD.get(field, "date_format")
        text = self._text_of(field, raw, _KINDS["date" if wanted == pl.Date() else "time"])
        read = text.str.strptime(wanted, form, strict=False)
        self.refuse(
            field,
            read.is_null() & text.is_not_null(),
            f"is not of the form {form} that {self._form.declarer(setting)} declares",
            f"Write it {_example(form)}, or declare the form that the source uses: "
            f"{option_of(setting)} {_other(setting, form)}, or {setting} in book.yaml of its book",
        )
        return read

    def _number(self, field: str, raw: pl.Series) -> pl.Series:
        if raw.dtype.is_numeric():
            read = raw.cast(pl.Float64)
        else:
            text = self._text_of(field, raw, _KINDS["number"])
            read = text.cast(pl.Float64, strict=False)
            raw = text
        wrong = (read.is_null() & raw.is_not_null()) | (~read.is_finite()).fill_null(False)
        self.refuse(field, wrong, "is no number", "Write it with a decimal point and no unit")
        return read

    def _share(self, field: str, raw: pl.Series, unit: Unit | None) -> pl.Series:
        read = self._number(field, raw)
        # NumPy divides; Polars multiplies by 0.01, which makes 70 % a little more than 0.7
        share = (
            pl.Series(read.name, read.to_numpy() / _PERCENT, nan_to_null=True)
            if unit == "percent"
            else read
        )
        most = "100 per cent" if unit == "percent" else "1"
        setting = SETTING_OF_FIELD[field]
        other = "fraction" if unit == "percent" else "percent"
        self.refuse(
            field,
            ~share.is_between(0.0, 1.0),
            f"is declared in {unit} by {self._form.declarer(setting)} and lies outside 0 to {most}",
            "Correct the values, or declare the unit that the source writes: "
            f"{option_of(setting)} {other}, or {setting} in book.yaml of its book",
        )
        return share

    def _text_of(self, field: str, raw: pl.Series, kind: str) -> pl.Series:
        if raw.dtype != pl.String:
            raise InputFileError(
                f"{self._names[field]} is stored as {raw.dtype} and holds no {kind}",
                place=self._place,
                next_step="Store it in its own type or as text",
            )
        return raw


def _example(form: str) -> str:
    return (
        "as "
        + dt.datetime(2023, 1, 2, 9, 15).strftime(form)
        + (" for 2 January 2023" if "%d" in form else "")
    )


def _other(setting: str, form: str) -> str:
    """Such a form as a person may give in place of one; of the source's own nothing is guessed."""
    if setting == "time_format":
        return "%H:%M" if form != "%H:%M" else "%H:%M:%S"
    return "%d-%m-%Y" if form != "%d-%m-%Y" else "%Y-%m-%d"


def _few(rows: list[int]) -> str:
    shown = ", ".join(map(str, rows[:_PLACES_SHOWN]))
    return shown + (" …" if len(rows) > _PLACES_SHOWN else "")


def _joined(shown: list[Any], count: int) -> str:
    return ", ".join(shown) + (" …" if count > len(shown) else "")
