"""Which values are null, by minute: of what the features read, and of the features themselves.

Here: counts by component, block or family on the grid of 375 minutes.
Not here: how the map is drawn (``null_map_plot.py``), verdicts (``orchestration/checks``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mr_platform.pictures.symbol_day import SymbolDay, on_grid
from mr_platform.registry.model import Component, Registry
from mr_platform.trading_calendar import SESSION_MINUTES

Grouping = Literal["component", "block", "family"]

INPUTS = "inputs"
INPUT_SERIES: Mapping[str, tuple[str, ...]] = {
    "spot": ("spot",),
    "futures": ("fut", "fut_volume", "basis"),
    "ATM straddle": ("strd", "ce", "pe"),
    "neighbouring straddles": ("itm1", "otm1"),
    "implied volatility": ("iv_atm", "iv", "s4_rr25"),
    "Greeks": ("g2_gamma_net", "ndelta", "ngamma", "nvega"),
    "open interest": ("oi_ce", "oi_pe", "max_pain", "call_wall", "put_wall"),
    "volume": ("chain_volume",),
}
"""What the features stand on, as groups of panel columns."""


@dataclass(frozen=True)
class NullRow:
    """One row of the map.

    Attributes:
        component: ``c1`` … ``c8``, or ``inputs`` for series of the minute panel.
        name: The group: component, block or family.
        columns: Number of columns it stands for.
        shares: Share of null values among them, 0 to 1, by minute; NaN where the expiry has no
            row.
    """

    component: str
    name: str
    columns: int
    shares: NDArray[np.float64]

    @property
    def day_share(self) -> float | None:
        """Share of null values over the minutes that have a row; None where none has."""
        there = self.shares[np.isfinite(self.shares)]
        return float(there.mean()) if there.size else None

    @property
    def first_full_minute(self) -> int | None:
        """First minute without a null, None where every minute has one."""
        full = np.flatnonzero(self.shares == 0.0)
        return int(full[0]) if full.size else None


def null_map(
    day: SymbolDay, registry: Registry, grouping: Grouping = "block"
) -> tuple[NullRow, ...]:
    """Shares of null values by group and minute.

    Args:
        day: The day.
        registry: What is declared; a component whose table is missing has rows without shares.
        grouping: One row a component, block or family.

    Returns:
        Rows of the inputs, then of every component in declared order.
    """
    rows = list(_input_rows(day))
    for component in registry.components.values():
        rows += _component_rows(day, component, grouping)
    return tuple(rows)


def _input_rows(day: SymbolDay) -> list[NullRow]:
    panel = day.panel.filter(
        pl.col("expiry_date") == day.expiry, pl.col("present").fill_null(value=False)
    )
    groups = {
        name: [column for column in columns if column in panel.columns]
        for name, columns in INPUT_SERIES.items()
    }
    return _rows(INPUTS, panel, {name: columns for name, columns in groups.items() if columns})


def _component_rows(day: SymbolDay, component: Component, grouping: Grouping) -> list[NullRow]:
    groups: dict[str, list[str]] = {}
    for column in component.columns:
        name = {
            "component": component.stem.removeprefix(f"{component.name}_"),
            "block": column.block,
            "family": column.family.removeprefix(f"{component.name}_"),
        }[grouping]
        groups.setdefault(name, []).append(column.name)
    return _rows(component.name, day.rows_of(component.name), groups)


def _rows(
    component: str, frame: pl.DataFrame | None, groups: Mapping[str, Sequence[str]]
) -> list[NullRow]:
    """A column that a stored table lacks counts as null: an older table was made without it."""
    if frame is None:
        nothing = np.full(SESSION_MINUTES, np.nan)
        return [NullRow(component, name, len(names), nothing) for name, names in groups.items()]
    counted = frame.select(
        "j",
        *(
            (
                pl.sum_horizontal(
                    pl.col(c).is_null() if c in frame.columns else pl.lit(value=True) for c in names
                )
                / len(names)
            ).alias(str(place))
            for place, names in enumerate(groups.values())
        ),
    )
    return [
        NullRow(component, name, len(names), on_grid(counted, str(place)))
        for place, (name, names) in enumerate(groups.items())
    ]
