"""Eight components from the option chain: one symbol-day, and a range of days: ``make bench``.

Simulated days of four expiries with made history around them. Figures are warm (plans are built
once a process) and in milliseconds a symbol-day; the panel, the history tables and each component
are timed apart, the dearest intermediate columns of a component are counted by family.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from mr_platform.features.table_schemas import empty_table
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.orchestration.derived_tables import DerivedTable, build_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import SYMBOLS, PartitionKey, trading_days
from mr_platform_tests.benchmarks.stopwatch import (
    Stopwatch,
    peak_memory_bytes,
    print_machine,
    print_table,
)
from mr_platform_tests.features.chain_days import simulated_chain
from mr_platform_tests.features.made_history import made_history

LAST = dt.date(2025, 9, 5)
REPETITIONS = 5
SIMULATED = 5
"""Days of each symbol that are simulated; longer ranges repeat them under other dates."""


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=20, help="trading days of the range")
    options.add_argument("--repetitions", type=int, default=REPETITIONS)
    chosen = options.parse_args()
    print_machine("polars")
    with tempfile.TemporaryDirectory() as folder:
        chains = _chains(Path(folder), chosen.days)
    one = [key for key in chains if key.date == LAST and key.symbol == SYMBOLS[0]]
    _print("one symbol-day", _timed(chains, one, chosen.repetitions), len(one))
    for count in sorted({5, chosen.days}):
        dates = sorted({key.date for key in chains})[-count:]
        keys = [key for key in chains if key.date in dates]
        title = f"{count} days x {len(SYMBOLS)} symbols in one run"
        _print(title, _timed(chains, keys, 2 if count > 5 else 3), len(keys))
    print(f"\npeak memory {peak_memory_bytes() / 1e9:.2f} GB")


def _chains(folder: Path, days: int) -> dict[PartitionKey, pl.DataFrame]:
    """Chains of the range; beyond the simulated days earlier ones under other dates."""
    made = trading_days(LAST - dt.timedelta(days=20), LAST)[-SIMULATED:]
    wanted = trading_days(LAST - dt.timedelta(days=3 * days + 20), LAST)[-days:]
    chains = {}
    for place, day in enumerate(wanted):
        source = made[(place - len(wanted)) % SIMULATED]
        for symbol in SYMBOLS:
            chain = simulated_chain(symbol, source, folder)
            chains[PartitionKey(day, symbol)] = _moved(chain, day - source)
    return chains


def _moved(chain: pl.DataFrame, by: dt.timedelta) -> pl.DataFrame:
    """The chain under another date, expiries moved along."""
    return chain.with_columns(
        [(pl.col(name) + by) for name in ("date", "expiry_date", "ts_minute")]
    )


def _timed(
    chains: Mapping[PartitionKey, pl.DataFrame], keys: Sequence[PartitionKey], repetitions: int
) -> Stopwatch:
    engine = CpuEngine()
    frames: dict[str, pl.LazyFrame] = {name: empty_table(name) for name in load_registry().history}
    frames[OPTION_CHAIN] = pl.concat([chains[key] for key in keys]).lazy()
    watch = Stopwatch()
    for repetition in range(repetitions + 1):  # the first builds the plans
        for table in _ordered():
            with watch.lap(table.name if repetition else "first run"):
                rows = build_table(table, keys, frames, engine)
            if table.group != "history":
                frames[table.name] = rows.lazy()
            if table.name == "minute_panel" and not repetition:
                frames |= _history(rows, chains, keys)
    return watch


def _ordered() -> list[DerivedTable]:
    return list(derived_tables())


def _history(
    panel: pl.DataFrame, chains: Mapping[PartitionKey, pl.DataFrame], keys: Sequence[PartitionKey]
) -> dict[str, pl.LazyFrame]:
    """History around the first date of each symbol, which every later date of a range shares."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for symbol in {key.symbol for key in keys}:
        first = min(key for key in keys if key.symbol == symbol)
        own = panel.filter((pl.col("symbol") == symbol) & (pl.col("date") == first.date))
        for name, table in made_history(own, chains[first], seed=1).items():
            parts.setdefault(name, []).append(table)
    return {name: pl.concat(tables).lazy() for name, tables in parts.items()}


def _print(title: str, watch: Stopwatch, partitions: int) -> None:
    names = [table.name for table in derived_tables()]
    features = [name for name in names if name.endswith("_features")]
    rows = [
        (name, f"{watch.median(name) * 1e3 / partitions:.1f}", watch.spread(name)) for name in names
    ]
    without = sum(watch.median(name) for name in features) * 1e3 / partitions
    panel = watch.median("minute_panel") * 1e3 / partitions
    print(f"\n{title}: {partitions} symbol-days")
    print_table(["table", "ms a symbol-day", "seconds a run"], rows)
    print(f"eight components {without:.0f} ms, with the panel {without + panel:.0f} ms")


if __name__ == "__main__":
    main()
