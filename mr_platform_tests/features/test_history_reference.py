"""Every column of every history table against an independent reference of plain loops.

By default two days of three expiries are compared, the second reading the minutes of the first and
of a made-up day before it;
``make test-full`` compares whole days: three simulated ones of both symbols, made by the builders
and by the reference from chain to table, and three real ones. Tables of c1 to c7 are given to
``hist_c8_zone`` as they are. Columns compared are printed in the summary of a run.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mr_platform.features.minute_panel import minute_panel, numbered, stored
from mr_platform.registry.loader import load_registry
from mr_platform_tests.features.chain_days import REAL_DAYS, real_chain
from mr_platform_tests.features.changed_chains import LEGS, MINUTE, moved, near_strikes
from mr_platform_tests.features.component_tables import COMPONENTS, random_tables
from mr_platform_tests.features.history_days import (
    COMPARED,
    FinishedDay,
    compare_table,
    finished_days,
    value_columns,
)
from mr_platform_tests.features.made_history import made_history
from mr_platform_tests.features.whole_graph import ENGINE, Tables, both_symbols, built, simulated

WEDNESDAY, THURSDAY, FRIDAY = (dt.date(2025, 9, day) for day in (3, 4, 5))
EXPIRIES = 3
"""So many of the nearest expiries give two of a bucket."""

WHOLE = {"NIFTY": 4, "BANKNIFTY": 4}
HOLES = 0.04
"""Share of a sampled day's leg values that are taken away."""


FUTURE_COLUMNS = {
    "hist_minute": ("fut", "fut_open", "fut_high", "fut_low"),
    "hist_daily": ("basis_close", "fut_vwap"),
    "hist_zone": ("atrp_14_und", "atrp_21_und", "atrp_50_und"),
}
OPEN_COLUMNS = {"hist_minute": ("strd_open",)}
"""Columns that nothing can be said of without futures, without opens of the legs."""


def with_holes(chain: pl.DataFrame, seed: int) -> pl.DataFrame:
    """A chain that misses minutes and values, of one of its expiries more than of the others."""
    rng = np.random.default_rng(seed)
    far = pl.col("expiry_date") == pl.col("expiry_date").max()
    chain = chain.filter(~(far & (MINUTE % 3 == 0)) & (MINUTE % 37 != 5))
    holes = {}
    for name in ("open", "close", "volume", "oi", "iv", "delta"):
        for leg in LEGS:
            gone = pl.Series(rng.random(chain.height) < HOLES)
            holes[f"{leg}_{name}"] = pl.when(~gone).then(pl.col(f"{leg}_{name}"))
    return chain.with_columns(**holes)


def dearer(chain: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """The same day a day earlier at other prices: a whole one costs more than all its tables."""
    prices = [f"{leg}_{name}" for leg in LEGS for name in ("open", "high", "low", "close")]
    futures = [f"future_{name}" for name in ("open", "high", "low", "close")]
    other = moved(chain, day, expiries_too=False)
    return other.with_columns(
        (pl.col(prices) * (1.1 + 0.1 * (MINUTE % 11) / 11)).round(2),
        (pl.col(futures) * (0.99 + 0.001 * (MINUTE % 7))).round(2),
    )


def made_components(chain: pl.DataFrame) -> Tables:
    """Tables of c1 to c7 with values drawn at random, on the rows of a chain."""
    panel = numbered(stored(minute_panel(chain, ENGINE)))
    return {name: table.collect() for name, table in random_tables(panel).items()}


@lru_cache(maxsize=1)
def sampled_days() -> list[FinishedDay]:
    friday = near_strikes(simulated("NIFTY", FRIDAY, EXPIRIES))
    thursday = with_holes(dearer(friday, THURSDAY), 1)
    chain = pl.concat([thursday, with_holes(friday, 2)])
    made = made_history(stored(minute_panel(thursday, ENGINE)), thursday, seed=3)
    return finished_days(chain, made_components(chain), made["hist_minute"])


def real_components(tables: Tables) -> Tables:
    return {name: tables[f"{name}_features"] for name in COMPONENTS}


@lru_cache(maxsize=1)
def simulated_days() -> list[FinishedDay]:
    """Three whole days of both symbols, so that the last has a full stream before it."""
    days = (WEDNESDAY, THURSDAY, FRIDAY)
    chain = pl.concat([both_symbols("simulated", day, WHOLE) for day in days])
    return finished_days(chain, real_components(built(chain)))


@lru_cache(maxsize=1)
def real_days(data: Path) -> list[FinishedDay]:
    """Three real days; what they read of earlier days is made up, for both sides alike."""
    days = []
    for symbol, date in REAL_DAYS:
        chain = real_chain(symbol, date, data)
        history = made_history(stored(minute_panel(chain, ENGINE)), chain, seed=8)
        made = real_components(built(chain, history))
        days += finished_days(chain, made, history["hist_minute"])
    return days


def judge(days: list[FinishedDay], table: str, record_property) -> list[str]:
    """Compare a table on some days; the columns that never had a value."""
    filled = dict.fromkeys(value_columns(table), 0)
    cells, apart = 0, []
    for made in days:
        reports, faults = compare_table(made, table)
        assert list(reports) == value_columns(table)
        apart += [f"{made.key} {fault}" for fault in faults]
        for name, report in reports.items():
            filled[name] += report.filled
            cells += report.cells
            if report.where:
                apart.append(f"{made.key} {name}: {report.where} (one-sided in {report.lone})")
    empty = [name for name, count in filled.items() if not count]
    least = min(filled, key=filled.__getitem__)
    print(
        f"\n{table}: {len(filled)} columns on {len(days)} days, {sum(filled.values()):,} of "
        f"{cells:,} cells with a value; fewest: {least} {filled[least]:,}"
        + (f"; never: {', '.join(empty)}" if empty else "")
    )
    record_property("history_compared", {f"{table}.{name}": n for name, n in filled.items()})
    assert not apart, f"{len(apart)} differences in {table}:\n" + "\n".join(apart[:40])
    return empty


@pytest.mark.parametrize("table", COMPARED)
def test_history_equals_its_reference_on_two_days(table, record_property):
    assert judge(sampled_days(), table, record_property) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("table", COMPARED)
def test_history_equals_its_reference_on_whole_simulated_days(table, record_property):
    assert judge(simulated_days(), table, record_property) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.real_data
@pytest.mark.parametrize("table", COMPARED)
def test_history_equals_its_reference_on_whole_real_days(table, real_data, record_property):
    days = real_days(real_data)
    explained = [
        name
        for field, columns in (("future_close", FUTURE_COLUMNS), ("ce_open", OPEN_COLUMNS))
        for name in columns.get(table, ())
        if all(
            row[field] is None for made in days for rows in made.day.rows.values() for row in rows
        )
    ]
    assert judge(days, table, record_property) == explained


def test_every_history_table_of_the_chain_is_compared():
    # labels are made of the future of their day and are no history of the chain
    assert set(load_registry().history) - set(COMPARED) == {"hist_label_metrics"}


def test_zones_read_both_days_before_each_in_its_place():
    made = sampled_days()[1]
    assert {n for n, _, _ in made.earlier} == {1, 2}
    swapped = {(3 - n, expiry, j): row for (n, expiry, j), row in made.earlier.items()}
    without = {key: row for key, row in made.earlier.items() if key[0] == 1}
    # what a mean over 14 bars keeps of the day before yesterday is below the tolerance
    for earlier, seen in ((swapped, "_50_"), (without, "_50_"), ({}, "atrp_")):
        other = FinishedDay(made.key, made.day, earlier, made.tables, {})
        reports, _ = compare_table(other, "hist_zone")
        wrong = {name for name, report in reports.items() if report.where}
        assert wrong >= {name for name in reports if seen in name}
        assert "decay_rate" not in wrong
