"""Lines of the texts of a run: taken one after the other, with the line of every fault.

Here: one reader of lines, numbers written in full and read strictly, names that fit on a line.
Not here: what the texts say (``run_texts``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence

from mr_platform.errors import InputFileError
from mr_platform.portfolio.returns import PortfolioError

TIME = "%Y-%m-%d %H:%M:%S"
"""Instants, to the second."""

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|inf|nan)", re.ASCII)


class Lines:
    """The lines of one text, taken one after the other."""

    def __init__(self, text: str, place: str) -> None:
        self._lines = plain(text).split("\n")
        self._place = place
        self._taken = 0

    @property
    def left(self) -> bool:
        """Whether any line is left."""
        return self._taken < len(self._lines)

    def fault(self, told: str) -> InputFileError:
        """A fault of the line taken last."""
        return text_fault(self._place, max(self._taken, 1), told)

    def take(self, start: str, *, exactly: bool = False) -> str:
        """What follows the start of the next line; nothing may follow where it is exact."""
        if not self.left:
            raise text_fault(
                self._place,
                len(self._lines),
                f"the file was cut off: {start.strip() or 'an empty line'!r} should follow",
            )
        line = self._lines[self._taken]
        self._taken += 1
        if not line.startswith(start) or (exactly and line != start):
            wanted = repr(start.strip()) if start else "an empty line"
            raise self.fault(f"{wanted} should stand here, not {line[:60]!r}")
        return line[len(start) :]

    def next_is(self, start: str) -> bool:
        """Whether the next line has a start."""
        return self.left and self._lines[self._taken].startswith(start)

    def holds(self, start: str) -> bool:
        """Whether any line that is left has a start."""
        return any(line.startswith(start) for line in self._lines[self._taken :])

    def number(self, start: str) -> float:
        """The number after a start."""
        return self.value(self.take(start))

    def value(self, text: str) -> float:
        """A number that was taken."""
        return read_number(text, self._place, self._taken)

    def whole(self, text: str) -> int:
        """A whole number that was taken."""
        if not re.fullmatch(r"\d+", text, re.ASCII):
            raise self.fault(f"{text[:40]!r} is no whole number")
        return int(text)

    def truth(self, start: str) -> bool:
        """True or False after a start."""
        text = self.take(start)
        if text not in ("True", "False"):
            raise self.fault(f"{text[:40]!r} is neither True nor False")
        return text == "True"

    def instant(self, start: str) -> dt.datetime:
        """The instant after a start."""
        text = self.take(start)
        try:
            return dt.datetime.strptime(text, TIME)
        except ValueError as wrong:
            raise self.fault(f"{text[:40]!r} is no instant") from wrong

    def members(self, size: int) -> tuple[str, ...]:
        """The numbered members, which end the text."""
        self.take("Selected Strategies:", exactly=True)
        found = self._lines[self._taken : -1]
        if self._lines[-1]:
            raise text_fault(
                self._place,
                len(self._lines),
                "the file was cut off: the last line does not end",
            )
        if len(found) != size:
            raise self.fault(f"{len(found)} members are listed, the size is {size}")
        names = tuple(self.take(f"{place}. ") for place in range(1, size + 1))
        if len(set(names)) < size:
            raise self.fault("a member is listed twice")
        return names


def refuse_line_breaks(names: Iterable[str]) -> None:
    """Refuse names that do not fit on a line.

    Raises:
        PortfolioError: Names the first of them.
    """
    wrong = [name for name in names if "\n" in name or "\r" in name]
    if wrong:
        raise PortfolioError(
            f"{len(wrong)} names hold a line break, first {wrong[0]!r}",
            next_step="Rename them: a run's texts have a name a line",
        )


def numbered_members(members: Sequence[str]) -> list[str]:
    """Lines that list members at the end of a text, for :meth:`Lines.members`."""
    numbered = [f"{place}. {name}" for place, name in enumerate(members, start=1)]
    return ["Selected Strategies:", *numbered, ""]


def in_full(value: float | None) -> str:
    """All digits; what is not defined is the ``nan`` that the legacy program writes."""
    return "nan" if value is None else repr(float(value))


def plain(text: str) -> str:
    """The text with LF line ends, as the writers write it."""
    return text.replace("\r\n", "\n")


def read_number(text: str, place: str, line: int) -> float:
    """A number as Python writes it, ``inf`` and ``nan`` among them.

    Raises:
        InputFileError: Anything else.
    """
    if not _NUMBER.fullmatch(text):
        raise text_fault(place, line, f"{text[:40]!r} is no number")
    return float(text)


def text_fault(place: str, line: int, told: str) -> InputFileError:
    """A fault of a line of a file."""
    return InputFileError(
        f"line {line}: {told}",
        place=place,
        next_step="Copy the run's folder again, or write it again from its figures",
    )
