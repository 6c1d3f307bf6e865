"""Reads the declaration of recorded figures: files, tolerance, reasons, what cannot be compared.

Here: ``declared/portfolio/recorded_figures.yaml`` to typed, checked data; every fault at once.
Not here: reading the figures (``gateways/recorded_portfolios``), computing ours
(``portfolio/recorded_figures``), comparing (``parity/portfolio_figures``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mr_platform.registry.declaration_file import PORTFOLIO, read_declaration
from mr_platform.registry.faults import Source

RECORDED_FIGURES = PORTFOLIO / "recorded_figures.yaml"

Kind = Literal["recorded", "computed"]

FILES: tuple[str, ...] = (
    "strategy_metrics",
    "portfolios",
    "later_portfolios",
    "golden",
    "golden_strategies",
    "universe",
    "universe_days",
)
"""Files of the folder, by what they hold."""

FIGURES: tuple[str, ...] = (
    "strategy_metrics",
    "portfolios",
    "later_portfolios",
    "universe",
    "golden",
    "golden_searches",
    "golden_correlations",
    "inversions",
)
"""Groups of figures that are compared."""

REASONS: tuple[str, ...] = (
    "members_not_held",
    "strategies_not_held",
    "rows_between_not_held",
    "peak_not_held",
    "no_recorded_total",
    "not_this_file",
)
"""Why a figure is not computed."""

_COUNTED = ("members_not_held", "not_this_file")


@dataclass(frozen=True)
class FigureGroup:
    """One group of figures.

    Attributes:
        name: Stable name, one of :data:`FIGURES`.
        title: One line for people.
        kind: Whether its authors recorded it, or it was got by running their program.
        source: Where it is from.
    """

    name: str
    title: str
    kind: Kind
    source: str


@dataclass(frozen=True)
class Unreproducible:
    """A figure that nothing held can be compared with.

    Attributes:
        figure: What was recorded.
        source: Where.
        reason: Why it cannot be computed again.
    """

    figure: str
    source: str
    reason: str


@dataclass(frozen=True)
class Observed:
    """What comparing one measure of a group gave, on the columns of the record that are held.

    Attributes:
        figure: The group.
        measure: What was measured, by its recorded name.
        compared: Figures that could be computed; all of them agree.
        below: Bound of their relative errors.
        not_reproducible: Figures that could not.
    """

    figure: str
    measure: str
    compared: int
    below: float
    not_reproducible: int


@dataclass(frozen=True)
class RecordedFigures:
    """Everything declared about recorded figures.

    Attributes:
        tolerance: Relative error within which figures count as equal.
        production_rows: Rows of the file that the record was made from.
        universe_shift_days: Days by which the days of the whole universe are moved back.
        inverted_by_recorded_totals: Strategies of a negative recorded total.
        files: File names by what they hold.
        figures: Groups by name.
        reasons: Texts of reasons; ``{held}`` and ``{size}`` are filled in where they are counted.
        unreproducible: Figures that are told and not compared.
        observed: Outcome of the comparison, in its order.
    """

    tolerance: float
    production_rows: int
    universe_shift_days: int
    inverted_by_recorded_totals: int
    files: Mapping[str, str]
    figures: Mapping[str, FigureGroup]
    reasons: Mapping[str, str]
    unreproducible: tuple[Unreproducible, ...]
    observed: tuple[Observed, ...]


def load_recorded_figures(path: Path | None = None) -> RecordedFigures:
    """The declaration, read and checked.

    Args:
        path: A YAML file; None reads the package's own, once a process.

    Raises:
        RegistryError: The file is wrong; carries every fault with its line.
    """
    return _load() if path is None else read_declaration(path, _declaration)


@lru_cache(maxsize=1)
def _load() -> RecordedFigures:
    return read_declaration(RECORDED_FIGURES, _declaration)


def _declaration(source: Source, data: Any) -> RecordedFigures:
    top = source.mapping(data, (), "the file")
    counts = ("production_rows", "universe_shift_days", "inverted_by_recorded_totals")
    sections = ("files", "figures", "reasons", "unreproducible", "observed")
    source.fields(top, (), ("tolerance", *counts, *sections), ())
    tolerance = top.get("tolerance")
    # true is a number to Python, and no tolerance below 1
    if not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
        source.fault(("tolerance",), f"tolerance must lie between 0 and 1, was {tolerance!r}")
        tolerance = 1.0
    rows, shift, inverted = (source.whole(top.get(name), (name,), name) for name in counts)
    if not rows:
        source.fault(("production_rows",), "production_rows must be at least 1")
    reasons = _texts(source, top, "reasons", REASONS)
    for name in _COUNTED:
        if not all(mark in reasons.get(name, "") for mark in ("{held}", "{size}")):
            source.fault(("reasons", name), f"{name} must count {{held}} of {{size}}")
    figures = source.mapping(top.get("figures"), ("figures",), "figures")
    source.fields(figures, ("figures",), FIGURES, ())
    return RecordedFigures(
        tolerance=float(tolerance),
        production_rows=rows,
        universe_shift_days=shift,
        inverted_by_recorded_totals=inverted,
        files=_texts(source, top, "files", FILES),
        figures={str(name): _group(source, str(name), value) for name, value in figures.items()},
        reasons=reasons,
        unreproducible=tuple(
            _unreproducible(source, place, value)
            for place, value in enumerate(
                source.sequence(top.get("unreproducible"), ("unreproducible",), "unreproducible")
            )
        ),
        observed=_observed(source, top),
    )


def _texts(
    source: Source, top: Mapping[Any, Any], section: str, names: tuple[str, ...]
) -> dict[str, str]:
    given = source.mapping(top.get(section), (section,), section)
    source.fields(given, (section,), names, ())
    return {
        str(name): source.text(value, (section, name), str(name)) for name, value in given.items()
    }


def _group(source: Source, name: str, value: Any) -> FigureGroup:
    path = ("figures", name)
    given = source.mapping(value, path, name)
    source.fields(given, path, ("title", "kind", "source"), ())
    return FigureGroup(
        name=name,
        title=source.text(given.get("title"), (*path, "title"), "title"),
        kind=cast(Kind, source.known(given.get("kind"), (*path, "kind"), "kind", get_args(Kind))),
        source=source.text(given.get("source"), (*path, "source"), "source"),
    )


def _observed(source: Source, top: Mapping[Any, Any]) -> tuple[Observed, ...]:
    groups = source.mapping(top.get("observed"), ("observed",), "observed")
    source.fields(groups, ("observed",), FIGURES, ())
    found = []
    for figure, measures in groups.items():
        path: tuple[str, ...] = ("observed", str(figure))
        for measure, given in source.mapping(measures, path, str(figure)).items():
            entry = (*path, str(measure))
            if not isinstance(given, list) or len(given) != 3:
                source.fault(entry, f"{measure} must be [compared, below, not_reproducible]")
                continue
            compared, below, left = given
            found.append(
                Observed(
                    str(figure),
                    str(measure),
                    source.whole(compared, entry, "compared"),
                    source.number(below, entry, "below"),
                    source.whole(left, entry, "not_reproducible"),
                )
            )
    return tuple(found)


def _unreproducible(source: Source, place: int, value: Any) -> Unreproducible:
    path = ("unreproducible", place)
    given = source.mapping(value, path, "an entry")
    fields = ("figure", "source", "reason")
    source.fields(given, path, fields, ())
    return Unreproducible(
        *(source.text(given.get(field), (*path, field), field) for field in fields)
    )
