"""A declared family becomes its columns.

Here: the fields of a family, values that vary by axis or by name, expansion in declared order.
Not here: totals of a component (``component_file.py``), checks across files (``loader.py``).

A field may vary over the columns of its family: ``{window: {15: 10, 60: 40}}`` gives one value
for each value of the axis ``window``, ``{name: {c3_divergence_type: [0, 4], …}}`` one for each
column name.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from mr_platform.registry.faults import Source, hint
from mr_platform.registry.marked_yaml import Path
from mr_platform.registry.model import AxisValue, Bound, FeatureColumn, Lookback

REQUIRED = (
    "id",
    "block",
    "names",
    "count",
    "dtype",
    "unit",
    "range",
    "scope",
    "definition",
    "lookback",
    "min_periods",
    "min_periods_counts",
    "reference",
)
OPTIONAL = ("axes", "min_strikes", "null_policy", "online", "decision")
DTYPES = ("FLOAT64", "INT64", "TIMESTAMP")
SCOPES = ("expiry", "underlying")
COUNTED = (
    "minutes",
    "samples",
    "returns",
    "changes",
    "pairs",
    "points",
    "days",
    "strikes",
    "votes",
    "terms",
    "correlations",
    "levels",
    "events",
    "expiries",
    "rows",
)
LOOKBACK_FIELDS = ("minutes", "session", "history")
# axes whose values must be declared series, so that a mistyped series cannot make a column
SERIES_AXES = ("series", "asset")

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MENTION = re.compile(r"\bc[1-8]_[a-z0-9]+(?:_[a-z0-9]+)*\b")
_T = TypeVar("_T")


class FamilyReader:
    """Reads the families of one component file.

    Args:
        source: The file.
        component: Component that every column name must be prefixed by; empty for the labels.
        series: Names of the series declared for the component.
        history: Depth in trading days of every declared history table.
        blocks: Names of the component's blocks.
    """

    def __init__(
        self,
        source: Source,
        component: str,
        *,
        series: Iterable[str],
        history: Mapping[str, int],
        blocks: Iterable[str],
        null_default: str,
    ) -> None:
        self._source = source
        self._component = component
        self._prefix = f"{component}_" if component != "labels" else ""
        self._series = set(series)
        self._history = dict(history)
        self._blocks = list(blocks)
        self._null_default = null_default

    def read(self, data: Any, path: Path) -> tuple[FeatureColumn, ...]:
        """Expand one family; faults go to the source, faulty columns are left out."""
        source = self._source
        family = source.mapping(data, path, "a family")
        if not family:
            return ()
        source.fields(family, path, REQUIRED, OPTIONAL)
        axes = self._axes(family, path)
        expanded = self._names(family, path, axes)
        count = source.whole(family.get("count", 0), (*path, "count"), "count")
        if count != len(expanded):
            source.fault((*path, "count"), f"count is {count}, but {len(expanded)} names expand")
        online = self._online(family, path, [name for name, _ in expanded])
        values = _Varying(source, family, path, axes, expanded)
        columns = [
            self._column(family, path, values, name, point, name in online)
            for name, point in expanded
        ]
        values.finish()
        return tuple(columns)

    def _axes(self, family: Mapping[str, Any], path: Path) -> dict[str, list[AxisValue]]:
        axes: dict[str, list[AxisValue]] = {}
        place = (*path, "axes")
        declared = self._source.mapping(family.get("axes", {}), place, "axes")
        for axis, raw in declared.items():
            at = (*place, axis)
            values = self._source.sequence(raw, at, f"the axis {axis}")
            if axis == "name":
                self._source.fault(at, "an axis cannot be called name: it means the column name")
            if len(set(map(str, values))) != len(values) or not values:
                self._source.fault(at, f"the values of the axis {axis} must be distinct, not none")
            for i, value in enumerate(values):
                if axis in SERIES_AXES and value not in self._series:
                    self._source.fault(
                        (*at, i), f"unknown series {value}{hint(str(value), self._series)}"
                    )
            axes[axis] = values
        return axes

    def _names(
        self, family: Mapping[str, Any], path: Path, axes: Mapping[str, list[AxisValue]]
    ) -> list[tuple[str, dict[str, AxisValue]]]:
        place = (*path, "names")
        names = family.get("names")
        if isinstance(names, list):
            if axes:
                self._source.fault(place, "a list of names takes no axes")
            expanded: list[tuple[str, dict[str, AxisValue]]] = [(str(n), {}) for n in names]
        else:
            template = self._source.text(names, place, "names")
            used = _PLACEHOLDER.findall(template)
            for axis in used:
                if axis not in axes:
                    self._source.fault(place, f"names uses the axis {axis}, which is not declared"
                                       f"{hint(axis, axes)}")  # fmt: skip
            for axis in axes:
                if axis not in used:
                    self._source.fault((*path, "axes", axis), f"names does not use {axis}")
            points = itertools.product(*[[(a, v) for v in axes[a]] for a in axes if a in used])
            expanded = [(_fill(template, dict(point)), dict(point)) for point in points]
        for name, _ in expanded:
            if not name.startswith(self._prefix) or not name.isidentifier():
                self._source.fault(place, f"the name {name} must start with {self._prefix}")
        return expanded

    def _online(self, family: Mapping[str, Any], path: Path, names: list[str]) -> set[str]:
        place = (*path, "online")
        online = self._source.sequence(family.get("online", []), place, "online")
        for i, name in enumerate(online):
            if name not in names:
                self._source.fault(
                    (*place, i),
                    f"the online name {name} is no column of this family{hint(str(name), names)}",
                )
        return set(online)

    def _column(
        self,
        family: Mapping[str, Any],
        path: Path,
        values: _Varying,
        name: str,
        point: Mapping[str, AxisValue],
        online: bool,
    ) -> FeatureColumn:
        source = self._source
        dtype = values.get("dtype", name, point, lambda v, p: source.known(v, p, "dtype", DTYPES))
        low, high = values.get(
            "range", name, point, lambda v, p: self._range(v, p, dtype or ""), default=[None, None]
        ) or (None, None)
        scope = values.get("scope", name, point, lambda v, p: source.known(v, p, "scope", SCOPES))
        counts = values.get(
            "min_periods_counts",
            name,
            point,
            lambda v, p: source.known(v, p, "min_periods_counts", COUNTED),
        )
        definition, mentions = self._definition(family, path, point)
        return FeatureColumn(
            name=name,
            dtype=dtype or "FLOAT64",
            unit=values.get("unit", name, point, lambda v, p: source.text(v, p, "unit")) or "",
            low=low,
            high=high,
            definition=definition,
            lookback=values.get("lookback", name, point, self._lookback_of(values, name, point))
            or Lookback(),
            min_periods=values.get(
                "min_periods", name, point, lambda v, p: source.whole(v, p, "min_periods")
            )
            or 0,
            min_periods_counts=counts or "",
            min_strikes=values.get(
                "min_strikes", name, point, lambda v, p: source.whole(v, p, "min_strikes"), 0
            )
            or 0,
            scope="underlying" if scope == "underlying" else "expiry",
            null_policy=self._null_policy(values, name, point),
            online=online,
            reference=str(family.get("reference", "")),
            decision=str(family.get("decision", "")),
            family=str(family.get("id", "")),
            component=self._component,
            block=source.known(family.get("block"), (*path, "block"), "block", self._blocks),
            reads=mentions,
            axes=tuple(point.items()),
        )

    def _null_policy(self, values: _Varying, name: str, point: Mapping[str, AxisValue]) -> str:
        own = values.get(
            "null_policy", name, point, lambda v, p: self._source.text(v, p, "null_policy"), "-"
        )
        if not own or own == "-":
            return self._null_default
        return own if own.startswith("never null") else f"{own}; {self._null_default}"

    def _definition(
        self, family: Mapping[str, Any], path: Path, point: Mapping[str, AxisValue]
    ) -> tuple[str, tuple[str, ...]]:
        """The filled definition, and what looks like a column name in it."""
        place = (*path, "definition")
        text = self._source.text(family.get("definition"), place, "definition")
        used = set(_PLACEHOLDER.findall(text))
        for axis in sorted(used - set(point)):
            self._source.fault(
                place, f"the definition uses the axis {axis}, which is not declared"
                f"{hint(axis, point)}"
            )  # fmt: skip
        silent = [f"{axis} = {value}" for axis, value in point.items() if axis not in used]
        filled = _fill(text, point)
        mentions = tuple(dict.fromkeys(_MENTION.findall(filled)))
        return (f"{filled} ({', '.join(silent)})" if silent and filled else filled), mentions

    def _range(self, value: Any, path: Path, dtype: str) -> tuple[Bound, Bound]:
        bounds = self._source.sequence(value, path, "range")
        if len(bounds) != 2 or not all(_is_bound(b) for b in bounds):
            self._source.fault(path, f"range must be [low, high] of numbers or null, was {value!r}")
            return None, None
        low, high = bounds
        if low is not None and high is not None and low > high:
            self._source.fault(path, f"the range [{low}, {high}] is upside down")
        if dtype == "INT64" and any(isinstance(b, float) for b in bounds):
            self._source.fault(path, f"an INT64 range has whole bounds, was {value!r}")
        return low, high

    def _lookback_of(
        self, values: _Varying, name: str, point: Mapping[str, AxisValue]
    ) -> Callable[[Any, Path], Lookback]:
        source = self._source

        def read(value: Any, path: Path) -> Lookback:
            fields = source.mapping(value, path, "lookback")
            source.fields(fields, path, (), LOOKBACK_FIELDS)
            minutes = fields.get("minutes", 0)
            at = (*path, "minutes")
            if isinstance(minutes, str) and minutes[1:-1] in point:
                minutes = point[minutes[1:-1]]
            minutes, at = values.pick(minutes, at, name, point, "minutes")
            return Lookback(
                minutes=source.whole(minutes, at, "lookback minutes"),
                session=source.truth(fields.get("session", False), (*path, "session"), "session"),
                history=self._history_of(fields, path),
            )

        return read

    def _history_of(self, fields: Mapping[str, Any], path: Path) -> tuple[tuple[str, int], ...]:
        source = self._source
        place = (*path, "history")
        read = {}
        for table, raw in source.mapping(fields.get("history", {}), place, "history").items():
            at = (*place, table)
            days = source.whole(raw, at, "trading days")
            if table not in self._history:
                source.fault(at, f"unknown history table {table}{hint(str(table), self._history)}")
            elif not 0 < days <= self._history[table]:
                source.fault(
                    at,
                    f"a look-back of {days} trading days is outside 1 to "
                    f"{self._history[table]}, the depth of {table}",
                )
            read[str(table)] = days
        return tuple(sorted(read.items(), key=lambda item: -item[1]))


class _Varying:
    """Values of one family that may differ by axis value or by column name."""

    def __init__(
        self,
        source: Source,
        family: Mapping[str, Any],
        path: Path,
        axes: Mapping[str, list[AxisValue]],
        expanded: list[tuple[str, dict[str, AxisValue]]],
    ) -> None:
        self._source = source
        self._family = family
        self._path = path
        self._keys: dict[str, list[Any]] = {**axes, "name": [name for name, _ in expanded]}
        self._used: dict[Path, tuple[str, set[Any], Mapping[Any, Any]]] = {}

    def get(
        self,
        field: str,
        name: str,
        point: Mapping[str, AxisValue],
        read: Callable[[Any, Path], _T],
        default: Any = None,
    ) -> _T | None:
        """The field's value for one column; a missing field without default gives None."""
        value = self._family.get(field, default)
        if value is None:
            return None
        place = (*self._path, field) if field in self._family else self._path
        value, place = self.pick(value, place, name, point, field)
        return None if value is None else read(value, place)

    def pick(
        self, value: Any, path: Path, name: str, point: Mapping[str, AxisValue], field: str
    ) -> tuple[Any, Path]:
        """The value that holds for one column, with its path."""
        if not isinstance(value, Mapping) or set(value) <= set(LOOKBACK_FIELDS):
            return value, path
        if len(value) != 1 or next(iter(value)) not in self._keys:
            if field == "lookback":
                return value, path
            unknown = next((str(key) for key in value if key not in self._keys), "")
            self._source.fault(
                path, f"{field} varies over the unknown axis {unknown}{hint(unknown, self._keys)}"
            )
            return None, path
        ((axis, table),) = value.items()
        key = name if axis == "name" else point.get(axis)
        table = self._source.mapping(table, (*path, axis), f"{field} by {axis}")
        seen = self._used.setdefault((*path, axis), (axis, set(), table))[1]
        seen.add(key)
        if key not in table:
            self._source.fault((*path, axis), f"{field} has no value for {axis} {key}")
            return None, path
        return table[key], (*path, axis, key)

    def finish(self) -> None:
        """Fault every declared axis value that no column asked for."""
        for path, (axis, seen, table) in self._used.items():
            for key in table:
                if key not in seen:
                    self._source.fault(
                        (*path, key),
                        f"{key} is no value of {axis}{hint(str(key), map(str, self._keys[axis]))}",
                    )


def _fill(template: str, point: Mapping[str, AxisValue]) -> str:
    return _PLACEHOLDER.sub(lambda found: str(point.get(found[1], found[0])), template)


def _is_bound(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
