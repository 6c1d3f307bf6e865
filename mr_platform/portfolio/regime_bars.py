"""Regime bars: typed, checked, and joined to rows of results as they were known at the time.

A row takes the latest bar of its own day that was known at its start. A row without a start, such
as one of a whole day, starts with the session: its positions may open then, and no later bar was
known by then. No bar is carried over from one day to the next.

Here: text columns → typed bars, faults with their rows; bars of rows, the age of each.
Not here: reading files (``gateways/regime_files``), weights of rows (``regimes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.portfolio.returns import PortfolioError
from mr_platform.registry.regimes import Regimes
from mr_platform.registry.strategy_files import Unit
from mr_platform.trading_calendar import CALENDAR_FIRST, CALENDAR_LAST, SESSION_OPEN

BARS_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "time": pl.Time(),
    "market_regime": pl.String(),
    "regime_confidence": pl.Float64(),
    "transition_threshold": pl.Float64(),
}
"""Columns of regime bars, in order of date and time; both shares are of 1."""

JOINED_SCHEMA: dict[str, pl.DataType] = {
    "market_regime": pl.String(),
    "regime_confidence": pl.Float64(),
    "transition_threshold": pl.Float64(),
    "bar_time": pl.Time(),
    "bar_age_minutes": pl.Float64(),
}
"""Columns that rows are given; all null where no bar of the day was known."""

_PERCENT = 100.0
_NANOSECONDS = 60_000_000_000
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class RegimeBars:
    """Regime bars of one source.

    Attributes:
        bars: The bars (``BARS_SCHEMA``), a date and time once.
        rows_moved: Rows that stood out of order in the file.
        odd_days: Days on which two bars are not the declared distance apart.
        known_after: Minutes after its stamp from which a bar is known.
    """

    bars: pl.DataFrame
    rows_moved: int
    odd_days: int
    known_after: int


def read_bars(labels: Mapping[str, pl.Series], place: str, regimes: Regimes) -> RegimeBars:
    """Typed bars from the columns of a file.

    Args:
        labels: Text columns by the field they mean, of one length.
        place: File, for messages.
        regimes: Declared formats, units and labels.

    Raises:
        InputFileError: No row; a cell that is missing or not of its kind, a date outside the
            calendar, a share outside [0, 1], a label that is not declared (where that is
            refused), a date and time that stand more than once.
    """
    reader = _Reader(place, labels)
    if not reader.height:
        raise InputFileError(
            "has a header and no data row", place=place, next_step="Ask the source to send it again"
        )
    form = regimes.bars
    regime = reader.text("market_regime")
    if regimes.unknown_family is None:
        reader.refuse(
            "market_regime",
            ~regime.is_in(list(regimes.labels)),
            "is not declared",
            "Declare the label in regimes.yaml, or a family for unknown ones",
        )
    read = pl.DataFrame(
        [
            reader.date(form.date_format),
            reader.parsed("time", pl.Time(), form.time_format),
            regime,
            reader.share("regime_confidence", form.confidence_unit),
            reader.share("transition_threshold", form.threshold_unit),
        ]
    ).with_row_index("row")
    twice = read.select(pl.struct("date", "time").is_duplicated()).to_series()
    reader.refuse("time", twice, "stands more than once on its date", "Keep one bar a time")
    ordered = read.sort("date", "time")
    steps = ordered.select(
        "date", odd=pl.col("time").diff().over("date").dt.total_seconds() != form.minutes * 60
    )
    return RegimeBars(
        bars=ordered.drop("row"),
        rows_moved=int((ordered["row"] != read["row"]).sum()),
        odd_days=steps.filter("odd")["date"].n_unique(),
        known_after=form.known_after,
    )


def bars_of_rows(
    rows: pl.DataFrame, regime_bars: RegimeBars, oldest_minutes: float | None = None
) -> pl.DataFrame:
    """The bar of each row, as far as one was known.

    Args:
        rows: ``date`` and, optionally, ``start_time``; null starts are those of the session.
        regime_bars: From :func:`read_bars`.
        oldest_minutes: Bars older than this at the row's start are taken for none; None takes the
            latest however old.

    Returns:
        ``JOINED_SCHEMA``, a row each in the order of ``rows``.

    Raises:
        PortfolioError: Rows without dates, an age that is negative.
    """
    if "date" not in rows.columns or rows["date"].null_count():
        raise PortfolioError("rows without a date have no regime", next_step="Give every row one")
    if oldest_minutes is not None and not oldest_minutes >= 0:
        raise PortfolioError(f"the oldest age of a bar is {oldest_minutes} minutes")
    bars = regime_bars.bars
    starts = (
        rows["start_time"].cast(pl.Time)
        if "start_time" in rows.columns
        else pl.Series("start_time", [None] * rows.height, dtype=pl.Time)
    )
    # a row of a whole day begins with the session: a later bar was not known by then
    starts = starts.fill_null(SESSION_OPEN)
    days = bars["date"].to_physical().to_numpy().astype(np.int64)
    times = bars["time"].to_physical().to_numpy()
    asked = rows["date"].cast(pl.Date).to_physical().to_numpy().astype(np.int64)
    start = starts.to_physical().to_numpy()
    # nanoseconds since the first day of time pass 2**63 only in the year 2262
    day_length = 24 * 60 * _NANOSECONDS
    known = days * day_length + times + regime_bars.known_after * _NANOSECONDS
    place = np.searchsorted(known, asked * day_length + start, side="right") - 1
    found = (place >= 0) & (place < bars.height)
    inside = np.clip(place, 0, max(bars.height - 1, 0))
    if bars.height:
        found &= days[inside] == asked
        age = (start - times[inside]) / _NANOSECONDS
        if oldest_minutes is not None:
            found &= age <= oldest_minutes
    else:
        age = np.zeros(rows.height)
    taken = pl.Series([int(row) if held else None for row, held in zip(inside, found, strict=True)])
    picked = bars.select(pl.all().gather(taken.cast(pl.UInt32))).rename({"time": "bar_time"})
    ages = pl.Series("bar_age_minutes", np.where(found, age, np.nan)).fill_nan(None)
    return picked.with_columns(ages).select(JOINED_SCHEMA.keys())


class _Reader:
    def __init__(self, place: str, labels: Mapping[str, pl.Series]) -> None:
        self._place = place
        self._raw = {
            field: (text := cells.cast(pl.String).str.strip_chars()).set(text == "", None)
            for field, cells in labels.items()
        }
        self.height = next(iter(self._raw.values())).len()

    def text(self, field: str) -> pl.Series:
        """A column without a missing cell."""
        raw = self._raw[field].alias(field)
        self.refuse(field, raw.is_null(), "is missing", "Complete it at the source")
        return raw

    def date(self, form: str) -> pl.Series:
        """The dates, all of them inside the calendar."""
        dates = self.parsed("date", pl.Date(), form)
        self.refuse(
            "date",
            (dates < CALENDAR_FIRST) | (dates > CALENDAR_LAST),
            f"lies outside the calendar of {CALENDAR_FIRST} to {CALENDAR_LAST}",
            "Correct the dates at the source",
        )
        return dates

    def parsed(self, field: str, kind: pl.Date | pl.Time, form: str) -> pl.Series:
        """Dates or times of the declared form."""
        read = self.text(field).str.strptime(kind, form, strict=False)
        self.refuse(
            field,
            read.is_null(),
            f"is not of the form {form} that regimes.yaml declares",
            "Correct it, or declare the form that the source uses",
        )
        return read

    def share(self, field: str, unit: Unit) -> pl.Series:
        """Shares of 1 from the declared unit."""
        read = self.text(field).cast(pl.Float64, strict=False)
        self.refuse(
            field,
            read.is_null() | ~read.is_finite(),
            "is no number",
            "Write it with a decimal point and no unit",
        )
        # numpy divides; Polars multiplies by a rounded 0.01, which makes 70 per cent more than 0.7
        share = pl.Series(field, read.to_numpy() / _PERCENT) if unit == "percent" else read
        self.refuse(
            field,
            ~share.is_between(0.0, 1.0),
            f"is declared in {unit} and lies outside 0 to {100 if unit == 'percent' else 1}",
            "Correct the values, or declare the unit that the source writes",
        )
        return share

    def refuse(self, field: str, wrong: pl.Series, fault: str, next_step: str) -> None:
        """Raise where ``wrong`` is true, naming the first rows and what stands there."""
        at = wrong.fill_null(True).arg_true()
        if not at.len():
            return
        raw = self._raw[field]
        shown = [f"row {i + 1} ({raw[i]!r})" for i in at.head(_SHOWN).to_list()]
        raise InputFileError(
            f"{field} {fault} in {at.len():,} of {self.height:,} rows: {', '.join(shown)}"
            + " …" * (at.len() > _SHOWN),
            place=self._place,
            next_step=next_step,
        )
