"""Every column of a component against its independent reference, minute by minute.

Here: both sides of one day, and how far they are apart.
Not here: the reference (``reference/``), which days are compared (``test_reference.py``).
"""

from __future__ import annotations

import datetime as dt
import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from mr_platform.features.compute import compute_component
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.minute_panel import minute_panel, numbered, stored
from mr_platform.features.oi_history import previous_oi_close
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.made_history import made_history
from mr_platform_tests.features.reference.day import Day, History, build_day

TOLERANCE = 1e-9
"""Greatest difference, of the value's size or of one, whichever is more."""

SESSION_START = dt.time(3, 45)
ENGINE = CpuEngine()


@dataclass
class ComparedDay:
    """One day of one symbol with its history, ready for both sides.

    Attributes:
        chain: Its option chain.
        panel: Its minute panel, numbered.
        tables: History tables by name.
        partner: The other symbol's panel and day, or None.
    """

    chain: pl.DataFrame
    panel: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    partner: ComparedDay | None = None
    components: dict[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def day(self) -> Day:
        """The day as the reference reads it."""
        return build_day(self.chain)

    @property
    def date(self) -> dt.date:
        """The trading day."""
        return self.panel["date"][0]

    def history(self) -> History:
        """The history as the reference reads it."""
        days = previous_days([self.date])
        return History(dict(self.tables), dict(days.select("hist_date", "back").iter_rows()))

    def component(self, name: str) -> pl.DataFrame:
        """A component's table by the implementation under test."""
        if name not in self.components:
            frames = [self.panel] if self.partner is None else [self.panel, self.partner.panel]
            earlier = {"c6": 6, "c8": 8}.get(name, 1)
            inputs = FeatureInputs(
                panel=self.panel,
                history={table: frame.lazy() for table, frame in self.tables.items()},
                days=previous_days([self.date]).lazy(),
                engine=ENGINE,
                components={
                    f"c{n}": self.component(f"c{n}").lazy()
                    for n in range(1, earlier)
                },
                partner=numbered(pl.concat([frame.select(frames[0].columns) for frame in frames])
                                 .drop("cell", "g", "u")) if name == "c6" else None,
            )  # fmt: skip
            self.components[name] = compute_component(name, inputs, feature_version="compared")
        return self.components[name]


def compared_day(chain: pl.DataFrame, seed: int, *, deep: bool = True) -> ComparedDay:
    """A day of a chain with made history around it.

    Args:
        chain: Canonical chain of one (symbol, date).
        seed: Seed of the history.
        deep: False leaves every history table empty.
    """
    first = stored(minute_panel(chain, ENGINE))
    tables = made_history(first, chain, seed)
    if not deep:
        tables = {name: table.clear() for name, table in tables.items()}
    days = previous_days([first["date"][0]], 1).lazy()
    before = previous_oi_close(tables["hist_c3_close"].lazy(), days, ENGINE)
    panel = numbered(stored(minute_panel(chain, ENGINE, before)))
    return ComparedDay(chain, panel, tables)


@dataclass
class ColumnReport:
    """How a column compares on one day.

    Attributes:
        cells: Cells compared.
        filled: Cells with a value on both sides.
        lone: Cells with a value on one side only.
        worst: Greatest difference in units of the tolerance's scale.
        where: The first differing cell: expiry, minute, ours, reference.
    """

    cells: int = 0
    filled: int = 0
    lone: int = 0
    worst: float = 0.0
    where: str = ""

    @property
    def equal(self) -> bool:
        """Whether no cell differs."""
        return not self.where


def compare(day: ComparedDay, component: str) -> dict[str, ColumnReport]:
    """Every column of a component on one day."""
    module = importlib.import_module(f"mr_platform_tests.features.reference.{component}")
    arguments: list[object] = [day.day, day.history()]
    if component == "c6":
        arguments.append(None if day.partner is None else day.partner.day)
    if component in ("c6", "c8"):
        last = 6 if component == "c6" else 8
        arguments.append({f"c{n}": as_result(day, f"c{n}") for n in range(1, last)})
    reference = getattr(module, component)(*arguments)
    ours = as_result(day, component)
    present = day.panel.filter("present").select("expiry_date", "j").rows()
    return {
        column.name: _compared(ours[column.name], reference[column.name], present)
        for column in load_registry().components[component].columns
    }


def as_result(day: ComparedDay, component: str) -> dict[str, dict[dt.date, list]]:
    """A component's table as the reference wants it: column, expiry, 375 values."""
    table = day.component(component)
    keys = day.panel.select("expiry_date", "ts_minute", "dte", "j")
    names = [column.name for column in load_registry().components[component].columns]
    full = keys.join(table, on=["ts_minute", "dte"], how="left", maintain_order="left")
    result: dict[str, dict[dt.date, list]] = {name: {} for name in names}
    for (expiry,), rows in full.group_by("expiry_date", maintain_order=True):
        for name in names:
            result[name][expiry] = rows[name].to_list()  # type: ignore[index]
    return result


def _compared(
    ours: Mapping[dt.date, list], reference: Mapping[dt.date, list], present: list
) -> ColumnReport:
    report = ColumnReport()
    for expiry, j in present:
        a, b = ours[expiry][j], reference[expiry][j]
        report.cells += 1
        if a is None and b is None:
            continue
        if a is None or b is None:
            report.lone += 1
            report.worst = math.inf
            report.where = report.where or f"{expiry} j={j}: ours {a}, reference {b}"
            continue
        report.filled += 1
        apart = abs(a - b) / max(1.0, abs(b))
        report.worst = max(report.worst, apart)
        if not apart <= TOLERANCE:
            report.where = report.where or f"{expiry} j={j}: ours {a!r}, reference {b!r}"
    return report
