"""Reads the declaration of market regimes: labels, multipliers, thresholds, files of bars.

Here: ``declared/portfolio/regimes.yaml`` to typed, checked data; every fault at once.
Not here: reading files of bars (``gateways/regime_files``), weighing rows (``portfolio/regimes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast, get_args

from mr_platform.registry.declaration_file import PORTFOLIO, read_declaration
from mr_platform.registry.faults import Source
from mr_platform.registry.marked_yaml import Path as Place
from mr_platform.registry.strategy_files import Unit

REGIMES = PORTFOLIO / "regimes.yaml"

BAR_FIELDS: tuple[str, ...] = (
    "date",
    "time",
    "market_regime",
    "regime_confidence",
    "transition_threshold",
)
"""What a regime bar says; a file of bars has a column for each."""

REFUSE = "refuse"
_MOST_MULTIPLIER = 10.0


@dataclass(frozen=True)
class RegimeFamily:
    """Labels that are treated alike.

    Attributes:
        name: Stable name.
        multiplier: Factor of a row's profit and loss, not negative.
        reason: Why, for people.
    """

    name: str
    multiplier: float
    reason: str


@dataclass(frozen=True)
class RegimeLabel:
    """One label of the sources.

    Attributes:
        name: As sources write it.
        family: Name of its family.
        reason: Why it belongs there, for people.
    """

    name: str
    family: str
    reason: str


@dataclass(frozen=True)
class RegimeBarFiles:
    """How sources write regime bars.

    Attributes:
        columns: Field by column name, one of :data:`BAR_FIELDS` each.
        date_format: chrono format of dates.
        time_format: chrono format of times.
        confidence_unit: Unit of the confidence.
        threshold_unit: Unit of the transition threshold.
        minutes: Distance of two bars.
        known_after: Minutes after its stamp from which a bar is known.
        delimiter: Delimiter of the columns.
    """

    columns: Mapping[str, str]
    date_format: str
    time_format: str
    confidence_unit: Unit
    threshold_unit: Unit
    minutes: int
    known_after: int
    delimiter: str


@dataclass(frozen=True)
class Regimes:
    """Everything declared about market regimes.

    Attributes:
        minimum_confidence: Share of 1 from which on rows are kept.
        transition_threshold: Share of 1 above which a row is in transition.
        transition_factor: What of such a row stays at work, in [0, 1].
        families: The families by name.
        labels: The labels by name.
        unknown_family: Family of labels that are not declared and of rows without one; None
            refuses them.
        bars: Files of bars.
    """

    minimum_confidence: float
    transition_threshold: float
    transition_factor: float
    families: Mapping[str, RegimeFamily]
    labels: Mapping[str, RegimeLabel]
    unknown_family: str | None
    bars: RegimeBarFiles

    def multiplier(self, label: str | None) -> float | None:
        """Factor of a label; None where it is unknown and that is refused."""
        known = self.labels.get(label) if label is not None else None
        family = self.unknown_family if known is None else known.family
        return None if family is None else self.families[family].multiplier


def load_regimes(path: Path | None = None) -> Regimes:
    """The declaration, read and checked.

    Args:
        path: A YAML file; None reads the package's own, once a process.

    Raises:
        RegistryError: The file is wrong; carries every fault with its line.
    """
    return _load() if path is None else read_declaration(path, _declaration)


@lru_cache(maxsize=1)
def _load() -> Regimes:
    return read_declaration(REGIMES, _declaration)


def _declaration(source: Source, data: Any) -> Regimes:
    return _Reader(source).declaration(data)


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source

    def declaration(self, data: Any) -> Regimes:
        source = self._source
        top = source.mapping(data, (), "the file")
        sections = ("confidence", "transition", "families", "labels", "unknown_label", "bars")
        source.fields(top, (), sections, ())
        confidence = self._section(top, "confidence", "minimum")
        transition = self._section(top, "transition", "threshold", "factor")
        families = {name: self._family(name, value) for name, value in self._named(top, "families")}
        labels = {
            name: self._label(name, value, families) for name, value in self._named(top, "labels")
        }
        unknown = source.known(
            top.get("unknown_label"), ("unknown_label",), "family", [REFUSE, *families]
        )
        return Regimes(
            minimum_confidence=self._number(confidence, ("confidence", "minimum")),
            transition_threshold=self._number(transition, ("transition", "threshold")),
            transition_factor=self._number(transition, ("transition", "factor")),
            families=families,
            labels=labels,
            unknown_family=None if unknown == REFUSE else unknown,
            bars=self._bars(top.get("bars")),
        )

    def _section(self, top: Mapping[Any, Any], name: str, *fields: str) -> Mapping[Any, Any]:
        given = self._source.mapping(top.get(name), (name,), name)
        self._source.fields(given, (name,), fields, ())
        return given

    def _named(self, top: Mapping[Any, Any], section: str) -> list[tuple[str, Any]]:
        source = self._source
        given = source.mapping(top.get(section), (section,), section)
        if not given:
            source.fault((section,), f"{section} names nothing")
        return [
            (source.text(name, (section, name), "a name"), value) for name, value in given.items()
        ]

    def _family(self, name: str, value: Any) -> RegimeFamily:
        source, path = self._source, ("families", name)
        given = source.mapping(value, path, name)
        source.fields(given, path, ("multiplier", "reason"), ())
        return RegimeFamily(
            name=name,
            multiplier=self._number(given, (*path, "multiplier"), _MOST_MULTIPLIER),
            reason=source.text(given.get("reason"), (*path, "reason"), "reason"),
        )

    def _label(self, name: str, value: Any, families: Mapping[str, RegimeFamily]) -> RegimeLabel:
        source, path = self._source, ("labels", name)
        given = source.mapping(value, path, name)
        source.fields(given, path, ("family", "reason"), ())
        return RegimeLabel(
            name=name,
            family=source.known(given.get("family"), (*path, "family"), "family", families),
            reason=source.text(given.get("reason"), (*path, "reason"), "reason"),
        )

    def _bars(self, value: Any) -> RegimeBarFiles:
        source, path = self._source, ("bars",)
        given = source.mapping(value, path, "bars")
        units = ("confidence_unit", "threshold_unit")
        formats = ("date_format", "time_format")
        counts = ("minutes", "known_after")
        source.fields(given, path, ("columns", *formats, *units, *counts, "delimiter"), ())
        columns = {
            str(name): source.known(field, (*path, "columns", name), "bar field", BAR_FIELDS)
            for name, field in source.mapping(
                given.get("columns"), (*path, "columns"), "columns"
            ).items()
        }
        for field in BAR_FIELDS:
            count = list(columns.values()).count(field)
            if count != 1:
                source.fault((*path, "columns"), f"{count} columns mean {field}, not 1")
        minutes = source.whole(given.get("minutes"), (*path, "minutes"), "minutes")
        if not minutes:
            source.fault((*path, "minutes"), "minutes must be at least 1")
        return RegimeBarFiles(
            columns=columns,
            date_format=source.text(given.get("date_format"), (*path, "date_format"), "a format"),
            time_format=source.text(given.get("time_format"), (*path, "time_format"), "a format"),
            confidence_unit=self._unit(given, (*path, "confidence_unit")),
            threshold_unit=self._unit(given, (*path, "threshold_unit")),
            minutes=minutes,
            known_after=source.whole(
                given.get("known_after"), (*path, "known_after"), "known_after"
            ),
            delimiter=source.delimiter(given.get("delimiter"), (*path, "delimiter")),
        )

    def _unit(self, given: Mapping[Any, Any], path: Place) -> Unit:
        name = str(path[-1])
        return cast(Unit, self._source.known(given.get(name), path, name, get_args(Unit)))

    def _number(self, given: Mapping[Any, Any], path: Place, most: float = 1.0) -> float:
        name = str(path[-1])
        return self._source.number(given.get(name, 0.0), path, name, most)
