"""Reads the declaration of strategy files: formats, metadata columns, zones, limits.

Here: ``declared/portfolio/strategy_files.yaml`` to typed, checked data; every fault at once.
Not here: reading strategy files (``gateways/strategy_files``), judging them (``portfolio``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mr_platform.registry.declaration_file import PORTFOLIO, read_declaration
from mr_platform.registry.faults import Source

STRATEGY_FILES = PORTFOLIO / "strategy_files.yaml"

Container = Literal["csv", "parquet"]
Unit = Literal["percent", "fraction"]
PnlUnit = Literal["rupees", "percent"]

ROW_FIELDS: tuple[str, ...] = (
    "date",
    "day",
    "zone",
    "start_time",
    "end_time",
    "market_regime",
    "regime_confidence",
    "transition_threshold",
    "capital",
)
"""What a row can say of itself beside the results of strategies."""


@dataclass(frozen=True)
class StrategyFormat:
    """One way in which sources write results of strategies.

    Attributes:
        name: Stable name, recorded with every file.
        title: One line for people.
        container: Kind of file.
        required: Metadata columns that a header must have, as declared.
        optional: Metadata columns that it may have; any other metadata column does not fit.
        date_format: chrono format of dates that stand as text.
        time_format: chrono format of times that stand as text, None where there are none.
        confidence_unit: Unit of the regime confidence, None where there is none.
        threshold_unit: Unit of the transition threshold, None where there is none.
        pnl_unit: Unit of the strategies' values.
        of_the_book: Which of these settings are not the format's own, but those of a book.
    """

    name: str
    title: str
    container: Container
    required: tuple[str, ...]
    optional: tuple[str, ...]
    date_format: str
    pnl_unit: PnlUnit
    time_format: str | None = None
    confidence_unit: Unit | None = None
    threshold_unit: Unit | None = None
    of_the_book: frozenset[str] = frozenset()

    def declarer(self, setting: str) -> str:
        """Who declares a setting: the format by its name, or the book."""
        return "the book" if setting in self.of_the_book else self.name


SETTING_OF_FIELD: Mapping[str, str] = {
    "start_time": "time_format",
    "end_time": "time_format",
    "regime_confidence": "confidence_unit",
    "transition_threshold": "threshold_unit",
}
"""Setting without which a field cannot be read, by field; it is never guessed."""


@dataclass(frozen=True)
class StrategyLimits:
    """Limits of what is taken for results of strategies.

    Attributes:
        largest_amount: Greatest absolute value of a cell.
        missing_in_strategy: Greatest share of cells without a number in one strategy.
        missing_in_all: Greatest share of cells without a number in all strategies.
    """

    largest_amount: float
    missing_in_strategy: float
    missing_in_all: float


@dataclass(frozen=True)
class LevelSigns:
    """What betrays a level (account value, price) where profit and loss should stand.

    Attributes:
        mean_over_deviation: Least ratio of a column's absolute mean to its deviation.
        share_of_strategies: Least share of such columns that is worth a warning.
    """

    mean_over_deviation: float
    share_of_strategies: float


@dataclass(frozen=True)
class StrategyFiles:
    """Everything declared about strategy files.

    Attributes:
        metadata: Row field by column name, names in lower case.
        formats: The formats by name.
        zones: Zone labels that rows may carry.
        delimiter: Delimiter of CSV files.
        missing: Texts that stand for a missing number, in lower case.
        limits: Limits of what is taken.
        level: What betrays a level.
    """

    metadata: Mapping[str, str]
    formats: Mapping[str, StrategyFormat]
    zones: tuple[str, ...]
    delimiter: str
    missing: tuple[str, ...]
    limits: StrategyLimits
    level: LevelSigns


def load_strategy_files(path: Path | None = None) -> StrategyFiles:
    """The declaration, read and checked.

    Args:
        path: A YAML file; None reads the package's own, once a process.

    Raises:
        RegistryError: The file is wrong; carries every fault with its line.
    """
    return _load() if path is None else read_declaration(path, _declaration)


@lru_cache(maxsize=1)
def _load() -> StrategyFiles:
    return read_declaration(STRATEGY_FILES, _declaration)


def _declaration(source: Source, data: Any) -> StrategyFiles:
    return _Reader(source).declaration(data)


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source

    def declaration(self, data: Any) -> StrategyFiles:
        source = self._source
        top = source.mapping(data, (), "the file")
        sections = ("metadata", "formats", "zones", "csv", "limits", "level")
        source.fields(top, (), sections, ())
        metadata = self._metadata(top.get("metadata"))
        formats = {
            str(name): self._format(str(name), value, metadata)
            for name, value in source.mapping(top.get("formats"), ("formats",), "formats").items()
        }
        csv = source.mapping(top.get("csv"), ("csv",), "csv")
        source.fields(csv, ("csv",), ("delimiter", "missing"), ())
        return StrategyFiles(
            metadata=metadata,
            formats=formats,
            zones=self._texts(top.get("zones"), ("zones",)),
            delimiter=source.delimiter(csv.get("delimiter"), ("csv", "delimiter")),
            missing=tuple(
                text.lower() for text in self._texts(csv.get("missing"), ("csv", "missing"), "")
            ),
            limits=StrategyLimits(
                **self._numbers(
                    top, "limits", "largest_amount", "missing_in_strategy", "missing_in_all"
                )
            ),
            level=LevelSigns(
                **self._numbers(top, "level", "mean_over_deviation", "share_of_strategies")
            ),
        )

    def _metadata(self, value: Any) -> dict[str, str]:
        source, path = self._source, ("metadata",)
        found: dict[str, str] = {}
        for name, field in source.mapping(value, path, "metadata").items():
            folded = str(name).strip().lower()
            if folded in found:
                source.fault((*path, name), f"{name} is declared twice, case aside")
            found[folded] = source.known(field, (*path, name), "row field", ROW_FIELDS)
        return found

    def _format(self, name: str, value: Any, metadata: Mapping[str, str]) -> StrategyFormat:
        source, path = self._source, ("formats", name)
        given = source.mapping(value, path, name)
        units = ("time_format", "confidence_unit", "threshold_unit")
        plain = ("title", "container", "required", "optional", "date_format", "pnl_unit")
        source.fields(given, path, plain, units)

        def choice(field: str, known: Any) -> Any:
            return source.known(given.get(field), (*path, field), field, get_args(known))

        columns: dict[str, tuple[str, ...]] = {}
        for kind in ("required", "optional"):
            columns[kind] = self._texts(given.get(kind), (*path, kind))
            for place, column in enumerate(columns[kind]):
                if column.lower() not in metadata:
                    source.fault((*path, kind, place), f"{column} is no metadata column")
        fields = [metadata.get(column.lower(), "") for kind in columns.values() for column in kind]
        for field in sorted({field for field in fields if fields.count(field) > 1 and field}):
            source.fault(path, f"two columns of {name} mean {field}")
        if "date" not in [metadata.get(column.lower()) for column in columns["required"]]:
            source.fault((*path, "required"), f"{name} must require the date")
        needed = (SETTING_OF_FIELD[field] for field in fields if field in SETTING_OF_FIELD)
        for setting in dict.fromkeys(needed):
            if setting not in given:
                source.fault(path, f"{name} must declare {setting}: it is never guessed")
        return StrategyFormat(
            name=name,
            title=source.text(given.get("title"), (*path, "title"), "title"),
            container=choice("container", Container),
            required=columns["required"],
            optional=columns["optional"],
            date_format=source.text(given.get("date_format"), (*path, "date_format"), "a format"),
            pnl_unit=choice("pnl_unit", PnlUnit),
            time_format=(
                source.text(given["time_format"], (*path, "time_format"), "a format")
                if "time_format" in given
                else None
            ),
            confidence_unit=(
                choice("confidence_unit", Unit) if "confidence_unit" in given else None
            ),
            threshold_unit=choice("threshold_unit", Unit) if "threshold_unit" in given else None,
        )

    def _texts(self, value: Any, path: tuple[str, ...], *also: str) -> tuple[str, ...]:
        source = self._source
        return tuple(
            cast(str, item) if item in also else source.text(item, (*path, place), "an entry")
            for place, item in enumerate(source.sequence(value, path, path[-1]))
        )

    def _numbers(self, top: Mapping[Any, Any], section: str, *names: str) -> dict[str, float]:
        """Positive numbers of a section; shares are at most 1."""
        source, path = self._source, (section,)
        given = source.mapping(top.get(section), path, section)
        source.fields(given, path, names, ())
        found: dict[str, float] = {}
        for name in names:
            most = 1.0 if name.startswith(("missing", "share")) else math.inf
            found[name] = source.number(given.get(name, 0.0), (*path, name), name, most)
        return found
