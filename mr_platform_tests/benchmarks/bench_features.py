"""Eight components from the option chain: one symbol-day, and ranges of days: ``make bench``.

Simulated days of four expiries with made history around them. Figures are warm (plans are built
once a process) and in milliseconds a symbol-day; the panel, the history tables and each component
are timed apart. One symbol-day is read from memory, ranges from Parquet files, so that the peak of
memory is that of the work. Then the ten dearest families of one symbol-day are named.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from mr_platform.features.table_schemas import empty_table
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.orchestration.derived_tables import DerivedTable, build_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import SYMBOLS, PartitionKey, trading_days
from mr_platform_tests.benchmarks.family_costs import family_seconds
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
MANY = 20
"""Days above which one repetition is enough, and above which tables are handed on as files: the
product never holds so many days of all tables at once."""

DEAREST = 10
SIMULATED = 5
"""Days of each symbol that are simulated; longer ranges repeat them under other dates."""


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--days", type=int, nargs="+", default=[5, 20, 60], help="trading days of the ranges"
    )
    options.add_argument("--repetitions", type=int, default=REPETITIONS)
    chosen = options.parse_args()
    print_machine("polars")
    with tempfile.TemporaryDirectory() as folder:
        files = _files(Path(folder), max(chosen.days))
        one = PartitionKey(LAST, SYMBOLS[0])
        frames = _frames([one], files)
        frames[OPTION_CHAIN] = frames[OPTION_CHAIN].collect().lazy()
        _print("one symbol-day", _timed(frames, [one], chosen.repetitions), 1)
        _print_families(frames, one)
        for count in sorted(chosen.days):
            dates = sorted({key.date for key in files})[-count:]
            keys = sorted(key for key in files if key.date in dates)
            many = count > MANY
            watch = _timed(
                _frames(keys, files), keys, 1 if many else 2, Path(folder) if many else None
            )
            _print(f"{count} days x {len(SYMBOLS)} symbols in one run", watch, len(keys))


def _files(folder: Path, days: int) -> dict[PartitionKey, Path]:
    """Chains of the range as files; beyond the simulated days earlier ones under other dates."""
    made = trading_days(LAST - dt.timedelta(days=20), LAST)[-SIMULATED:]
    wanted = trading_days(LAST - dt.timedelta(days=3 * days + 20), LAST)[-days:]
    chains = {
        (symbol, source): simulated_chain(symbol, source, folder)
        for symbol in SYMBOLS
        for source in made
    }
    files = {}
    for place, day in enumerate(wanted):
        source = made[(place - len(wanted)) % SIMULATED]
        for symbol in SYMBOLS:
            file = folder / f"{symbol}-{day}.parquet"
            _moved(chains[symbol, source], day - source).write_parquet(file)
            files[PartitionKey(day, symbol)] = file
    return files


def _moved(chain: pl.DataFrame, by: dt.timedelta) -> pl.DataFrame:
    """The chain under another date, expiries moved along."""
    return chain.with_columns(
        [(pl.col(name) + by) for name in ("date", "expiry_date", "ts_minute")]
    )


def _frames(
    keys: Sequence[PartitionKey], files: Mapping[PartitionKey, Path]
) -> dict[str, pl.LazyFrame]:
    """The chain of some partitions, and history tables without rows."""
    frames: dict[str, pl.LazyFrame] = {name: empty_table(name) for name in load_registry().history}
    frames[OPTION_CHAIN] = pl.scan_parquet([files[key] for key in keys])
    return frames


def _timed(
    frames: dict[str, pl.LazyFrame],
    keys: Sequence[PartitionKey],
    repetitions: int,
    folder: Path | None = None,
) -> Stopwatch:
    """Seconds of every table; ``frames`` holds all tables afterwards, from files in ``folder``."""
    engine = CpuEngine()
    watch = Stopwatch()
    for repetition in range(repetitions + 1):  # the first builds the plans
        for table in derived_tables():
            with watch.lap(table.name if repetition else "first run"):
                rows = build_table(table, keys, frames, engine)
            if table.group != "history":
                frames[table.name] = rows.lazy() if folder is None else _stored(rows, folder, table)
            if table.name == "minute_panel" and not repetition:
                frames |= _history(rows, frames[OPTION_CHAIN], keys)
    return watch


def _stored(rows: pl.DataFrame, folder: Path, table: DerivedTable) -> pl.LazyFrame:
    """A table in a file, read where it is needed, as the product does."""
    file = folder / f"{table.name}.parquet"
    rows.write_parquet(file)
    return pl.scan_parquet(file)


def _print_families(frames: Mapping[str, pl.LazyFrame], key: PartitionKey) -> None:
    """The ten dearest families, columns timed one by one and charged to those that read them."""
    seconds: dict[str, float] = {}
    for table in derived_tables():
        if table.group == "features":
            component = table.name.removesuffix("_features")
            build = partial(build_table, table, [key], frames, CpuEngine())
            for family, taken in family_seconds(component, build).items():
                seconds[family or f"{component}, not told apart"] = taken
    whole = sum(seconds.values())
    dearest = sorted(seconds, key=seconds.__getitem__, reverse=True)
    rows = [
        (name, f"{seconds[name] * 1e3:.1f}", f"{seconds[name] / whole:.1%}")
        for name in [family for family in dearest if "," not in family][:DEAREST]
    ]
    untold = sum(taken for name, taken in seconds.items() if "," in name)
    print(f"\n{DEAREST} dearest families of one symbol-day ({untold / whole:.0%} not told apart)")
    print_table(["family", "ms", "share"], rows)


def _history(
    panel: pl.DataFrame, chain: pl.LazyFrame, keys: Sequence[PartitionKey]
) -> dict[str, pl.LazyFrame]:
    """History around the first date of each symbol, which every later date of a range shares."""
    parts: dict[str, list[pl.DataFrame]] = {}
    for symbol in {key.symbol for key in keys}:
        first = min(key for key in keys if key.symbol == symbol)
        own = (pl.col("symbol") == symbol) & (pl.col("date") == first.date)
        day = chain.filter(own).collect()
        for name, table in made_history(panel.filter(own), day, seed=1).items():
            parts.setdefault(name, []).append(table)
    return {name: pl.concat(tables).lazy() for name, tables in parts.items()}


def _print(title: str, watch: Stopwatch, partitions: int) -> None:
    names = [table.name for table in derived_tables()]
    features = [name for name in names if name.endswith("_features")]
    together = sum(watch.median(name) for name in features)
    rows = [
        (
            name,
            f"{watch.median(name) * 1e3 / partitions:.1f}",
            f"{watch.median(name) / together:.0%}" if name in features else "",
            watch.spread(name),
        )
        for name in names
    ]
    without = together * 1e3 / partitions
    panel = watch.median("minute_panel") * 1e3 / partitions
    print(f"\n{title}: {partitions} symbol-days")
    print_table(["table", "ms a symbol-day", "share", "seconds a run"], rows)
    print(
        f"eight components {without:.0f} ms, with the panel {without + panel:.0f} ms; "
        f"peak memory so far {peak_memory_bytes() / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
