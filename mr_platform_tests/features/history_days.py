"""Every history table of a finished day by its builder and by the loop reference, cell by cell.

Here: both sides of one day, through the graph that reads earlier days as a run does, and how far
they are apart.
Not here: the reference (``reference/history_*.py``), which days are compared
(``test_history_reference.py``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from mr_platform.features.history import previous_days
from mr_platform.features.table_schemas import MINUTE_PANEL, empty_table, table_schema
from mr_platform.orchestration.derived_tables import build_table
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.features.changed_chains import MINUTE
from mr_platform_tests.features.comparison import TOLERANCE, ColumnReport
from mr_platform_tests.features.reference import history_minutes, history_zones
from mr_platform_tests.features.reference.c8_votes import BREAK_COLUMNS, DECLARED
from mr_platform_tests.features.reference.day import MINUTES, Day, Result, build_day
from mr_platform_tests.features.reference.history_minutes import Table
from mr_platform_tests.features.reference.history_zones import EarlierMinutes
from mr_platform_tests.features.whole_graph import ENGINE, Tables, partitions, table_named

PANEL_HISTORY = ("hist_minute", "hist_daily", "hist_zone", "hist_c3_close", "hist_c3_zone",
                 "hist_c4_day", "hist_c4_zone")  # fmt: skip
CONSENSUS = "hist_c8_zone"
COMPARED: tuple[str, ...] = (*PANEL_HISTORY, CONSENSUS)
"""Tables with a reference; labels are not made of the chain and have none."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "hist_minute": ("expiry_date", "j"),
    "hist_daily": ("expiry_date",),
    "hist_zone": ("dte_bucket", "zone_name"),
    "hist_c3_close": ("expiry_date", "strike"),
    "hist_c3_zone": ("dte_bucket", "zone_name"),
    "hist_c4_day": ("dte_bucket",),
    "hist_c4_zone": ("dte_bucket", "zone_name"),
    "hist_c8_zone": ("dte_bucket", "zone_name"),
}
"""What identifies a row of a day, symbol and date aside."""

NEGLIGIBLE = 1e-12
"""Differences below this are rounding whatever the value's size: sums of returns cancel."""

ZONES_ALWAYS = frozenset(COMPARED) - {"hist_c4_day", "hist_c4_zone"}
"""Tables whose rows do not depend on what was quoted; the two others leave out empty rows."""


@dataclass
class FinishedDay:
    """A day of one symbol, ready for both sides.

    Attributes:
        key: Its partition.
        day: The day as the reference reads it.
        earlier: Minutes of the two trading days before, as the reference reads them.
        tables: The history tables that the builders made of the same chain.
        components: Tables of c1 to c7 of the day.
    """

    key: PartitionKey
    day: Day
    earlier: EarlierMinutes
    tables: Tables
    components: Tables


def value_columns(table: str) -> list[str]:
    """Declared columns of a table that are no keys."""
    names = [column.name for column in load_registry().history[table].columns]
    return [name for name in names if name not in ("symbol", "date", *KEYS[table])]


# -- the builders ---------------------------------------------------------------------------------


def built_history(
    chain: pl.DataFrame, hist_minute: pl.DataFrame | None = None
) -> tuple[Tables, pl.DataFrame]:
    """History tables of all partitions of a chain, and their panel.

    Args:
        chain: Chains of any number of days; later ones read the minutes of earlier ones.
        hist_minute: Minutes of still earlier days.
    """
    keys = partitions(chain)
    frames = {name: empty_table(name) for name in load_registry().history}
    frames[OPTION_CHAIN] = chain.lazy()
    made: Tables = {}
    order = ("hist_c3_close", MINUTE_PANEL, *(n for n in PANEL_HISTORY if n != "hist_c3_close"))
    for name in order:
        if name == "hist_zone":
            parts = [made["hist_minute"], *([] if hist_minute is None else [hist_minute])]
            frames["hist_minute"] = pl.concat(parts).lazy()
        made[name] = build_table(table_named(name), keys, frames, ENGINE)
        if name in (MINUTE_PANEL, "hist_c3_close"):
            frames[name] = made[name].lazy()
    panel = made.pop(MINUTE_PANEL)
    return made, panel


def built_consensus(panel: pl.DataFrame, components: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """``hist_c8_zone`` of a panel's partitions from the component tables given."""
    frames = {f"{name}_features": table.lazy() for name, table in components.items()}
    frames[MINUTE_PANEL] = panel.lazy()
    return build_table(table_named(CONSENSUS), partitions(panel), frames, ENGINE)


# -- the reference --------------------------------------------------------------------------------


def minutes_of(history: Mapping[dt.date, Table], date: dt.date) -> EarlierMinutes:
    """Minutes of the two trading days before a date, of those that are known.

    Args:
        history: The reference's ``hist_minute`` by date.
        date: The later day.
    """
    back = dict(previous_days([date], 2).select("hist_date", "back").iter_rows())
    return {
        (back[day], expiry, j): row
        for day, table in history.items()
        if day in back
        for (expiry, j), row in table.items()
    }


def minutes_from(table: pl.DataFrame, symbol: str) -> dict[dt.date, Table]:
    """A stored ``hist_minute`` by date, as the reference's own would be."""
    found: dict[dt.date, Table] = {}
    for row in table.filter(pl.col("symbol") == symbol).iter_rows(named=True):
        found.setdefault(row["date"], {})[row["expiry_date"], row["j"]] = row
    return found


def as_results(day: Day, components: Mapping[str, pl.DataFrame]) -> dict[str, Result]:
    """The columns of component tables that vote: column, expiry, 375 values."""
    voting = {name for name in DECLARED["key_series"] if name != "c7_break_mean"}
    voting.update(BREAK_COLUMNS)
    expiry_of = {dte: e for e, dte in day.dte.items()}
    out: dict[str, Result] = {}
    for component, table in components.items():
        names = [name for name in table.columns if name in voting]
        columns: Result = {n: {e: [None] * MINUTES for e in day.expiries} for n in names}
        own = table.filter(pl.col("symbol") == day.symbol, pl.col("date") == day.date)
        for row in own.select(MINUTE.alias("_j"), "dte", *names).iter_rows(named=True):
            for name in names:
                columns[name][expiry_of[row["dte"]]][row["_j"]] = row[name]
        out[component] = columns
    return out


def reference_table(made: FinishedDay, table: str) -> Table:
    """A history table of a day by its loop reference."""
    if table == "hist_minute":
        return history_minutes.hist_minute(made.day)
    if table == "hist_daily":
        return history_minutes.hist_daily(made.day)
    if table == "hist_zone":
        return history_zones.hist_zone(made.day, made.earlier)
    if table == CONSENSUS:
        return history_zones.hist_c8_zone(made.day, as_results(made.day, made.components))
    of_the_day = {
        "hist_c3_close": history_zones.hist_c3_close,
        "hist_c3_zone": history_zones.hist_c3_zone,
        "hist_c4_day": history_zones.hist_c4_day,
        "hist_c4_zone": history_zones.hist_c4_zone,
    }
    return of_the_day[table](made.day)


def finished_days(
    chain: pl.DataFrame,
    components: Mapping[str, pl.DataFrame],
    hist_minute: pl.DataFrame | None = None,
) -> list[FinishedDay]:
    """Both sides of every partition of a chain, ascending.

    The reference reads its own minutes of an earlier day, never those that a builder made.

    Args:
        chain: Chains of any number of days and symbols.
        components: Tables of c1 to c7 of these days.
        hist_minute: Minutes of earlier days that both sides read.
    """
    tables, panel = built_history(chain, hist_minute)
    tables[CONSENSUS] = built_consensus(panel, components)
    known: dict[str, dict[dt.date, Table]] = {}
    days = []
    for key in partitions(chain):
        own = (pl.col("date") == key.date) & (pl.col("symbol") == key.symbol)
        day = build_day(chain.filter(own))
        if key.symbol not in known:
            given = pl.DataFrame(schema=table_schema("hist_minute"))
            given = given if hist_minute is None else hist_minute
            known[key.symbol] = minutes_from(given, key.symbol)
        earlier = minutes_of(known[key.symbol], key.date)
        mine = {name: table.filter(own) for name, table in tables.items()}
        days.append(FinishedDay(key, day, earlier, mine, dict(components)))
        known[key.symbol][key.date] = history_minutes.hist_minute(day)
    return days


# -- both -----------------------------------------------------------------------------------------


def compare_table(made: FinishedDay, table: str) -> tuple[dict[str, ColumnReport], list[str]]:
    """Every column of a history table on one day.

    Returns:
        A report a column, and what is wrong with the rows: doubled, missing, too many.
    """
    ours: dict[tuple[Any, ...], dict[str, Any]] = {}
    faults: list[str] = []
    for row in made.tables[table].iter_rows(named=True):
        key = tuple(row[name] for name in KEYS[table])
        if key in ours:
            faults.append(f"{table} {key} twice")
        ours[key] = row
    reference = reference_table(made, table)
    columns = value_columns(table)
    faults += _unlike_rows(table, ours, reference, columns)
    both = [key for key in reference if key in ours]
    reports = {}
    for name in columns:
        report = ColumnReport()
        for key in both:
            _judge(report, key, ours[key][name], reference[key][name])
        reports[name] = report
    return reports, faults


def _unlike_rows(
    table: str, ours: Mapping[Any, Any], reference: Table, columns: Iterable[str]
) -> list[str]:
    faults = [f"{table} {key}: not in the reference" for key in ours if key not in reference]
    for key, row in reference.items():
        filled = any(row[name] is not None for name in columns)
        if key not in ours and (filled or table in ZONES_ALWAYS):
            faults.append(f"{table} {key}: only in the reference")
    return faults


def _judge(report: ColumnReport, key: tuple[Any, ...], a: Any, b: Any) -> None:
    report.cells += 1
    if a is None and b is None:
        return
    named = f"{key}: ours {a!r}, reference {b!r}"
    if a is None or b is None:
        report.lone += 1
        report.worst = math.inf
        report.where = report.where or named
        return
    report.filled += 1
    if isinstance(a, str):
        report.where = report.where or ("" if a == b else named)
        return
    apart = abs(a - b) / max(abs(b), NEGLIGIBLE / TOLERANCE)
    report.worst = max(report.worst, apart)
    if not apart <= TOLERANCE:
        report.where = report.where or named
