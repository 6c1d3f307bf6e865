"""More than a year of simulated life, cheaply: few whole days, the others at panel level.

Here: days simulated contract by contract, a year before them whose panels are those days moved
along the simulation's daily path, the history tables that the real builders make of all of them,
and every component on the days wanted.
Not here: what is asserted (``test_life.py``).

A panel of an earlier day is that of a template day with another date, the expiries listed then,
prices at the day's close and volatility of the path; its sections stay consistent with each other,
since each of them is scaled by its declared unit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from mr_platform.chain import sessions
from mr_platform.features.chain_grid import dte_bucket
from mr_platform.features.day_history import HIST_MINUTE_COLUMNS
from mr_platform.features.minute_panel import PANEL_KEYS
from mr_platform.features.table_schemas import MINUTE_PANEL, empty_table, table_schema
from mr_platform.orchestration.derived_tables import build_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.loader import load_registry
from mr_platform.simulation.daily_path import close_on, volatility_on
from mr_platform.trading_calendar import (
    SESSION_MINUTES,
    PartitionKey,
    expiries,
    next_trading_day,
    previous_trading_day,
)
from mr_platform_tests.features.chain_days import SEED
from mr_platform_tests.features.whole_graph import ENGINE, Tables, simulated, table_named

YEAR_DAYS = 252
PANEL_DAYS = 84
"""Days back from which tables but those of a year are made: c8 of 20 days back reads 60 more."""

CONSENSUS_DAYS = 20
CHUNK = 10
"""Days of moved panels worked on at once."""

YEAR_TABLES = ("hist_c4_day", "hist_c4_zone")
PANEL_TABLES = ("hist_minute", "hist_daily", "hist_c3_zone", "hist_zone", *YEAR_TABLES)
HISTORY_COLUMNS = frozenset(
    {
        *HIST_MINUTE_COLUMNS, "itm1", "otm1", "iv", "basis", "iv_atm", "s4_rr25", "chain_volume",
        "atm_ce_volume", "atm_pe_volume", "fut_volume", "r_strd", "r_und", "r_und_min",
        "o3_oi_ce", "o3_oi_pe", "o3_volume_ce_15", "o3_volume_pe_15",
    }
)  # fmt: skip
"""Series that the history tables of panels are made of."""

OPTION_PRICES = (
    "strd", "itm1", "otm1", "comb", "ce", "pe", "strd_open", "strd_lag",
    "atm_ce_high", "atm_ce_low", "atm_pe_high", "atm_pe_low",
)  # fmt: skip


@dataclass(frozen=True)
class LifeSpec:
    """What to live through.

    Attributes:
        symbols: Symbols with the number of expiries simulated.
        first: First of the days wanted.
        days: Trading days wanted.
        templates: Whole days simulated just before them.
        panel_days: Days back for which all history tables of panels are made, not the year's only.
        consensus_days: Days back for which every component is made, for ``hist_c8_zone``.
        wanted: Symbols whose components are made; the others lend their panel.
    """

    symbols: Mapping[str, int]
    first: dt.date
    days: int
    templates: int
    panel_days: int = PANEL_DAYS
    consensus_days: int = CONSENSUS_DAYS
    wanted: Sequence[str] = ("NIFTY", "BANKNIFTY")

    @property
    def target_dates(self) -> list[dt.date]:
        """The days wanted, ascending."""
        later = [next_trading_day(self.first, n) for n in range(1, self.days)]
        return [self.first, *later]

    @property
    def template_dates(self) -> list[dt.date]:
        """The whole days before them, ascending."""
        return [previous_trading_day(self.first, n) for n in range(self.templates, 0, -1)]

    def moved_dates(self, days: int) -> list[dt.date]:
        """Days at panel level among the last ``days`` before the first one, ascending."""
        return [previous_trading_day(self.first, n) for n in range(days, self.templates, -1)]


@dataclass
class Life:
    """What was lived through.

    Attributes:
        tables: c1 to c8 of the days wanted.
        history: All history tables, days wanted included.
        panels: Panels of the days wanted.
    """

    tables: Tables
    history: Tables
    panels: pl.DataFrame


def live(spec: LifeSpec) -> Life:
    """Simulate, build the history of a year, and make every component of the days wanted."""
    history: dict[str, list[pl.DataFrame]] = {}
    templates = _whole_days(spec, spec.template_dates, history)
    panels = _whole_days(spec, spec.target_dates, history)
    own = templates.filter(pl.col("symbol").is_in(list(spec.wanted)))
    series = [name for name in own.columns if name in HISTORY_COLUMNS or name in PANEL_KEYS]
    recent = spec.moved_dates(spec.panel_days)
    year = [d for d in spec.moved_dates(YEAR_DAYS + spec.templates) if d < recent[0]]
    for dates, made in ((year, YEAR_TABLES), (recent, PANEL_TABLES)):
        for chunk in _chunks(dates):
            _panel_history(_moved_panels(own.select(series), chunk), made, history)
    _panel_history(own, PANEL_TABLES, history)
    _panel_history(panels, PANEL_TABLES, history)
    for chunk in _chunks(spec.moved_dates(spec.consensus_days)):
        _components(spec, _moved_panels(own, chunk), history)
    _components(spec, own, history)
    tables = _components(spec, panels, history)
    return Life(tables, {name: pl.concat(parts) for name, parts in history.items()}, panels)


def _chunks(dates: Sequence[dt.date]) -> list[Sequence[dt.date]]:
    return [dates[at : at + CHUNK] for at in range(0, len(dates), CHUNK)]


def _whole_days(
    spec: LifeSpec, dates: Sequence[dt.date], history: dict[str, list[pl.DataFrame]]
) -> pl.DataFrame:
    """Panels of days simulated contract by contract; adds to ``hist_c3_close``."""
    panels, closing = [], history.setdefault("hist_c3_close", [])
    for day in dates:
        for symbol, count in spec.symbols.items():
            key = PartitionKey(day, symbol)
            frames = {
                OPTION_CHAIN: simulated(symbol, day, count).lazy(),
                "hist_c3_close": _read("hist_c3_close", history),
            }
            panels.append(build_table(table_named(MINUTE_PANEL), [key], frames, ENGINE))
            closing.append(build_table(table_named("hist_c3_close"), [key], frames, ENGINE))
    return pl.concat(panels)


def _read(table: str, history: Mapping[str, list[pl.DataFrame]]) -> pl.LazyFrame:
    parts = history.get(table)
    return pl.concat(parts).lazy() if parts else empty_table(table)


def _keys(panels: pl.DataFrame, symbols: Sequence[str] | None = None) -> list[PartitionKey]:
    pairs = panels.select("date", "symbol").unique().rows()
    return sorted(PartitionKey(day, s) for day, s in pairs if symbols is None or s in symbols)


def _panel_history(
    panels: pl.DataFrame, tables: Sequence[str], history: dict[str, list[pl.DataFrame]]
) -> None:
    """Add what the days of some panels leave behind, by the real builders."""
    for name in tables:
        frames = {MINUTE_PANEL: panels.lazy(), "hist_minute": _read("hist_minute", history)}
        made = build_table(table_named(name), _keys(panels), frames, ENGINE)
        history.setdefault(name, []).append(made)


def _components(
    spec: LifeSpec, panels: pl.DataFrame, history: dict[str, list[pl.DataFrame]]
) -> Tables:
    """Every component of some panels; adds to ``hist_c8_zone``."""
    frames = {name: _read(name, history) for name in load_registry().history}
    frames[MINUTE_PANEL] = panels.lazy()
    tables: Tables = {}
    for table in derived_tables():
        if table.group != "features" and table.name != "hist_c8_zone":
            continue
        made = build_table(table, _keys(panels, spec.wanted), frames, ENGINE)
        if table.group == "history":
            # of its own date a day never reads it: the next ones do
            history.setdefault(table.name, []).append(made)
            frames[table.name] = _read(table.name, history)
        else:
            tables[table.name] = made
            frames[table.name] = made.lazy()
    return tables


# -- panels moved along the path ------------------------------------------------------------------


def _moved_panels(templates: pl.DataFrame, days: Sequence[dt.date]) -> pl.DataFrame:
    """Panels of other days, templates taking turns."""
    dates = templates["date"].unique().sort().to_list()
    parts = []
    for day in days:
        # by the ordinal: the same day is the same panel in every chunk
        source = dates[day.toordinal() % len(dates)]
        own = templates.filter(pl.col("date") == source)
        parts += [
            moved_panel(panel, day) for _, panel in own.group_by("symbol", maintain_order=True)
        ]
    return pl.concat(parts)


def moved_panel(panel: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The panel of one (symbol, date) as another day's, along the simulation's daily path.

    Args:
        panel: A stored panel of one partition.
        day: The other trading day.
    """
    symbol, source = panel["symbol"][0], panel["date"][0]
    was = panel["expiry_date"].unique().sort().to_list()
    becomes = expiries(symbol, day)[: len(was)]
    level = close_on(SEED, symbol, day) / close_on(SEED, symbol, source)
    volatility = volatility_on(SEED, symbol, day) / volatility_on(SEED, symbol, source)
    drift = close_on(SEED, symbol, day) / close_on(SEED, symbol, previous_trading_day(day))
    named = pl.DataFrame({"expiry_date": was[: len(becomes)], "_expiry": becomes})
    days_left = (pl.col("_expiry") - pl.lit(day)).dt.total_days()
    minutes_left = days_left * 1440 + (SESSION_MINUTES - 1 - pl.col("j"))
    tau = pl.max_horizontal(minutes_left, sessions.MINIMUM_MINUTES_TO_EXPIRY)
    tau = tau / sessions.MINUTES_PER_YEAR
    frame = panel.join(named, on="expiry_date", how="inner", maintain_order="left").with_columns(
        _root=(tau / pl.col("tau")).sqrt()
    )
    factors = {
        "index points": level, "decimal a year": volatility, "log return": volatility,
        "ratio": np.sqrt(volatility), "units": drift**5,
    }  # fmt: skip
    scaled = []
    for column in load_registry().panel:
        factor = factors.get(column.unit)
        if factor is None or column.name not in panel.columns:
            continue
        if column.name in OPTION_PRICES:
            value = pl.col(column.name) * (level * volatility) * pl.col("_root")
        elif column.unit == "units" and not column.name.endswith(("_pe", "_pe_5", "_pe_15")):
            continue
        else:
            value = pl.col(column.name) * float(factor)
        if column.dtype == "Int64":
            value = value.round()
        scaled.append(value.cast(panel.schema[column.name]).alias(column.name))
    schema = table_schema(MINUTE_PANEL)
    kept = {name: schema[name] for name in schema.names() if name in panel.columns}
    return (
        frame.with_columns(scaled)
        .with_columns(
            date=pl.lit(day),
            expiry_date=pl.col("_expiry"),
            dte=days_left.cast(pl.Int64),
            dte_bucket=dte_bucket(days_left),
            ts_minute=pl.col("ts_minute") + (day - source),
            tau=tau,
        )
        .select(list(kept))
        .cast(kept)  # type: ignore[arg-type]
        .sort("expiry_date", "j")
    )
