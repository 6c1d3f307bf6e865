"""The tables of one symbol-day that a picture is drawn from.

Here: the frames of a day, its series on the grid of 375 minutes, what is missing, what makes it.
Not here: reading tables (``orchestration/day_tables.py``), drawing (the modules beside this one).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mr_platform.trading_calendar import SESSION_MINUTES

Series: TypeAlias = NDArray[np.float64]
"""375 values, one a minute from 09:15 IST on; NaN where there is none."""


@dataclass(frozen=True)
class Missing:
    """A table without rows, or several that one command makes.

    Attributes:
        table: Its name.
        effect: What the picture lacks without it.
        command: What makes it.
        of: The day it holds no rows of.
    """

    table: str
    effect: str
    command: str
    of: str = "the day"

    @property
    def text(self) -> str:
        """What is missing and what it costs, without the command."""
        return f"{self.table} holds no rows of {self.of}, so {self.effect}"


@dataclass(frozen=True)
class SymbolDay:
    """One trading day of one index, seen from one expiry.

    Attributes:
        expiry: The expiry whose straddle, open interest and features are drawn.
        panel: Minute panel of the day, every expiry.
        previous: ``hist_daily`` of the previous trading day; empty where it was not made.
        components: Feature rows of the day by component (``c1`` …), every expiry; those whose
            table holds no rows of the day are left out.
        missing: Tables without rows of the day.
    """

    symbol: str
    date: dt.date
    expiry: dt.date
    panel: pl.DataFrame
    previous: pl.DataFrame = field(default_factory=pl.DataFrame)
    components: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()

    @property
    def title(self) -> str:
        """Symbol, weekday and date."""
        return f"{self.symbol} · {self.date:%A} {self.date.day} {self.date:%B %Y}"

    @property
    def dte(self) -> int:
        """Calendar days to the expiry."""
        return (self.expiry - self.date).days

    @cached_property
    def expiries(self) -> tuple[dt.date, ...]:
        """Expiries of the panel, the front one first."""
        return tuple(sorted(self.panel["expiry_date"].unique()))

    def series(self, column: str, expiry: dt.date | None = None) -> Series:
        """A column of the panel for an expiry, by default the day's own."""
        rows = self.panel.filter(pl.col("expiry_date") == (expiry or self.expiry))
        return on_grid(rows, column)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Minutes at which the chain quotes the expiry."""
        seen: NDArray[np.bool_] = self.series("present") == 1.0
        return seen

    def levels(self, series: str) -> dict[str, float]:
        """High, low and close of a series on the previous trading day; empty where unknown.

        Args:
            series: ``spot`` or, of the same expiry, ``strd``.
        """
        if self.previous.is_empty():
            return {}
        rows = self.previous
        if series != "spot":
            rows = rows.filter(pl.col("expiry_date") == self.expiry)
        names = ("high", "low", "close")
        found = rows.select(pl.col(f"{series}_{name}").alias(name) for name in names).drop_nulls()
        return {name: float(found[name][0]) for name in names} if found.height else {}

    def rows_of(self, component: str) -> pl.DataFrame | None:
        """Feature rows of the expiry with their minute ``j``; None without a table."""
        rows = self.components.get(component)
        if rows is None:
            return None
        minutes = (
            self.panel.filter(pl.col("expiry_date") == self.expiry)
            .select("ts_minute", pl.col("j").cast(pl.Int32))
            .unique()
        )
        own = rows.filter(pl.col("dte") == self.dte)
        return own.join(minutes, on="ts_minute", how="inner").sort("j")

    @cached_property
    def facts(self) -> dict[str, str]:
        """The day in a few numbers, for people."""
        spot, straddle, iv = self.series("spot"), self.series("strd"), self.series("iv_atm")
        calls, puts = self.series("oi_ce"), self.series("oi_pe")
        seen = int(self.present.sum())
        told = {
            "expiry": f"{self.expiry:%a} {self.expiry.day} {self.expiry:%b %Y}, {away(self.dte)}",
            "minutes quoted": f"{seen} of {SESSION_MINUTES}",
        }
        if np.isfinite(spot).any():
            first, last = ends(spot)
            told["spot"] = f"{first:,.2f} → {last:,.2f} ({100 * (last / first - 1):+.2f} %)"
            told["range"] = f"{np.nanmin(spot):,.2f} – {np.nanmax(spot):,.2f}"
        if np.isfinite(straddle).any():
            first, last = ends(straddle)
            told["ATM straddle"] = f"{first:,.1f} → {last:,.1f} points"
        if np.isfinite(iv).any():
            first, last = ends(iv)
            told["ATM volatility"] = f"{100 * first:.2f} % → {100 * last:.2f} %"
        if np.isfinite(calls).any() and np.isfinite(puts).any() and ends(calls)[1] > 0:
            told["put-call ratio (OI)"] = f"{ends(puts)[1] / ends(calls)[1]:.2f}"
        return told


def away(days: int) -> str:
    """Days to an expiry in words."""
    return {0: "today", 1: "1 day away"}.get(days, f"{days} days away")


def on_grid(rows: pl.DataFrame, column: str) -> Series:
    """A column on the grid by minute ``j``; NaN where there is no row or no value."""
    values: Series = np.full(SESSION_MINUTES, np.nan)
    if column in rows.columns:
        numbers: Any = rows[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        values[rows["j"].to_numpy()] = numbers
    return values


def ends(values: Series) -> tuple[float, float]:
    """First and last value that is there; at least one must be."""
    there = values[np.isfinite(values)]
    return float(there[0]), float(there[-1])


def weighted_price(price: Series, volume: Series) -> Series:
    """Volume-weighted mean of a price from the open to each minute; NaN before any volume.

    A minute without price or volume adds nothing.
    """
    counted = np.isfinite(price) & np.isfinite(volume)
    turnover = np.cumsum(np.where(counted, price * volume, 0.0))
    traded = np.cumsum(np.where(counted, volume, 0.0))
    mean: Series = np.full(len(price), np.nan)
    np.divide(turnover, traded, out=mean, where=traded > 0)
    return np.where(np.isfinite(price), mean, np.nan)
