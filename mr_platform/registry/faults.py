"""Faults of declared files, gathered so that all of them are told at once.

Here: the list of faults with file and line, hints for near names, typed reads of fields.
Not here: the rules of a particular file (``families.py``, ``raw_schema.py``).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from mr_platform.registry.marked_yaml import MarkedDocument, Path


def near_names(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """The known names most like a name, best first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=limit, cutoff=0.6)


def hint(name: str, known: Iterable[str]) -> str:
    """A clause naming the near names, or the known ones when they are few, else nothing."""
    names = sorted(set(known))
    near = near_names(name, names)
    if near:
        return f". Near: {', '.join(near)}"
    if 0 < len(names) <= 12:
        return f". Known: {', '.join(names)}"
    return ""


class FaultList:
    """Every fault found so far, as ``file:line: text``."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, str]] = []

    def add(self, file: str, line: int, text: str) -> None:
        """Record one fault."""
        self._found.append((file, line, text))

    def texts(self) -> list[str]:
        """The faults in order of file and line, each once."""
        return [f"{file}:{line}: {text}" for file, line, text in sorted(set(self._found))]

    def __bool__(self) -> bool:
        return bool(self._found)


class Source:
    """One read file: its data, its lines and where its faults go.

    Args:
        file: File name as told to people.
        document: The file's content with line marks.
        faults: The list shared by all files of one load.
    """

    def __init__(self, file: str, document: MarkedDocument, faults: FaultList) -> None:
        self.file = file
        self.document = document
        self.faults = faults
        for line, text in document.faults:
            faults.add(file, line, text)

    def fault(self, path: Path, text: str) -> None:
        """Record a fault at the value of a path."""
        self.faults.add(self.file, self.document.line(path), text)

    def mapping(self, value: Any, path: Path, what: str) -> dict[str, Any]:
        """The value as a mapping; anything else is a fault and reads as empty."""
        if isinstance(value, Mapping):
            return dict(value)
        self.fault(path, f"{what} must be a mapping, was {_said(value)}")
        return {}

    def sequence(self, value: Any, path: Path, what: str) -> list[Any]:
        """The value as a list; anything else is a fault and reads as empty."""
        if isinstance(value, list):
            return value
        self.fault(path, f"{what} must be a list, was {_said(value)}")
        return []

    def text(self, value: Any, path: Path, what: str) -> str:
        """The value as non-empty text; anything else is a fault."""
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.fault(path, f"{what} must be text, was {_said(value)}")
        return ""

    def whole(self, value: Any, path: Path, what: str) -> int:
        """The value as an integer of at least 0; anything else is a fault."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.fault(path, f"{what} must be an integer of at least 0, was {_said(value)}")
        return 0

    def number(self, value: Any, path: Path, what: str, most: float = math.inf) -> float:
        """The value as a number of at least 0 and at most ``most``; anything else is a fault."""
        # true is a number to Python
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        if plain and 0 <= value <= most:
            return float(value)
        bounds = "of at least 0" if most == math.inf else f"from 0 to {most:g}"
        self.fault(path, f"{what} must be a number {bounds}, was {_said(value)}")
        return 0.0

    def delimiter(self, value: Any, path: Path) -> str:
        """The value as a character between the columns of a CSV file; anything else is a fault."""
        # a tab is a delimiter and no text to be stripped
        if isinstance(value, str) and len(value.encode()) == 1 and value != '"':
            return value
        self.fault(path, "delimiter must be one ASCII character, no quote")
        return ","

    def truth(self, value: Any, path: Path, what: str) -> bool:
        """The value as true or false; anything else is a fault."""
        if isinstance(value, bool):
            return value
        self.fault(path, f"{what} must be true or false, was {_said(value)}")
        return False

    def known(self, value: Any, path: Path, what: str, names: Iterable[str]) -> str:
        """The value as one of the known names; anything else is a fault with a hint."""
        names = list(names)
        if isinstance(value, str) and value in names:
            return value
        self.fault(path, f"unknown {what} {_said(value)}{hint(str(value), names)}")
        return ""

    def fields(
        self, value: Mapping[Any, Any], path: Path, required: Iterable[str], optional: Iterable[str]
    ) -> None:
        """Fault every missing required field and every unknown field."""
        required, optional = list(required), list(optional)
        for name in required:
            if name not in value:
                self.fault(path, f"the field {name} is missing")
        for name in value:
            if name not in required and name not in optional:
                self.fault(
                    (*path, name),
                    f"unknown field {name}{hint(str(name), [*required, *optional])}",
                )


def _said(value: Any) -> str:
    return "nothing" if value is None else f"{value!r}"
