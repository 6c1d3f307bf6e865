"""How dates, symbols and lists of names are written on the command line.

Here: click parameter types with messages that show a right example.
Not here: whether a day trades (``trading_calendar``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class DateRange:
    """Days from ``first`` to ``last``, both included."""

    first: dt.date
    last: dt.date

    def __contains__(self, day: dt.date) -> bool:
        """True when the day lies in the range."""
        return self.first <= day <= self.last


class DatesParameter(click.ParamType[DateRange]):
    """``2024-01-01:2024-01-31``, or one day."""

    name = "A:B"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> DateRange:
        """Parse a range of days."""
        if isinstance(value, DateRange):
            return value
        first_text, _, last_text = str(value).partition(":")
        try:
            first = dt.date.fromisoformat(first_text)
            last = dt.date.fromisoformat(last_text) if last_text else first
        except ValueError:
            self.fail(f"{value!r} is no range of days; write 2024-01-01:2024-01-31", param, ctx)
        if last < first:
            self.fail(f"{value!r} ends before it starts", param, ctx)
        return DateRange(first, last)


class NamesParameter(click.ParamType[tuple[str, ...]]):
    """``a,b,c``: distinct names, in the order given."""

    name = "A,B"

    def __init__(self, *, upper: bool = False) -> None:
        self._upper = upper

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split a comma-separated list."""
        if isinstance(value, tuple):
            return value
        text = str(value).upper() if self._upper else str(value)
        names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if not names:
            self.fail(f"{value!r} names nothing", param, ctx)
        return names


class SymbolsParameter(NamesParameter):
    """``NIFTY,BANKNIFTY``: symbols the trading calendar knows."""

    def __init__(self) -> None:
        super().__init__(upper=True)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split and check a list of symbols."""
        from mr_platform.trading_calendar import SYMBOLS

        names = super().convert(value, param, ctx)
        unknown = [name for name in names if name not in SYMBOLS]
        if unknown:
            self.fail(
                f"{', '.join(unknown)} is no known symbol; known: {', '.join(SYMBOLS)}", param, ctx
            )
        return names


DATES = DatesParameter()
NAMES = NamesParameter()
SYMBOLS = SymbolsParameter()
