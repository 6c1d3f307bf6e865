"""Every table between the chain and the models, in memory, for proofs over all of them.

Here: building all derived tables of some partitions, made history for both symbols of a day, and
what each proof asks of the values (finite, in range, whole).
Not here: changed chains (``changed_chains.py``), hashes of values (``value_bits.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import polars as pl

from mr_platform.features import compute
from mr_platform.features.minute_panel import minute_panel, stored
from mr_platform.features.table_schemas import MINUTE_PANEL, empty_table
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.orchestration.derived_tables import DerivedTable, build_table, derived_tables
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.loader import load_registry
from mr_platform.registry.model import COMPONENTS, FeatureColumn
from mr_platform.simulation.chain_day import DaySpec, simulate_day
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.features.chain_days import SEED, ingested, real_chain, settings
from mr_platform_tests.features.made_history import made_history

ENGINE = CpuEngine()

CHECKED: tuple[str, ...] = (MINUTE_PANEL, *(f"{name}_features" for name in COMPONENTS))
"""Tables with a row a minute."""

ROW_ORDER: tuple[str, ...] = (
    "symbol", "date", "expiry_date", "ts_minute", "dte", "j", "strike", "dte_bucket", "zone_name",
)  # fmt: skip
"""Columns that identify a row in one table or another."""

Tables = dict[str, pl.DataFrame]


def partitions(chain: pl.DataFrame) -> list[PartitionKey]:
    """The (date, symbol) of a chain, ascending."""
    return sorted(
        PartitionKey(day, symbol) for day, symbol in chain.select("date", "symbol").unique().rows()
    )


def built(
    chain: pl.DataFrame,
    history: Mapping[str, pl.DataFrame] | None = None,
    *,
    keys: Sequence[PartitionKey] | None = None,
    upstream: Mapping[str, pl.DataFrame] | None = None,
) -> Tables:
    """Every derived table of the partitions of a chain.

    Args:
        chain: Canonical rows of any number of partitions.
        history: History tables of earlier dates, which all partitions read; what the chain's own
            days leave behind is made, but nobody reads it.
        keys: Partitions to make; by default all of the chain, in ascending order.
        upstream: Tables that stand ready, read in place of those made here: the partner's panel
            is found in them when only one symbol is made.
    """
    frames = {name: empty_table(name) for name in load_registry().history}
    frames |= {name: table.lazy() for name, table in (history or {}).items()}
    frames[OPTION_CHAIN] = chain.lazy()
    wanted = partitions(chain) if keys is None else keys
    tables: Tables = {}
    for table in derived_tables():
        tables[table.name] = build_table(table, wanted, frames, ENGINE)
        if table.group != "history":
            ready = (upstream or {}).get(table.name)
            frames[table.name] = (tables[table.name] if ready is None else ready).lazy()
    return tables


def table_named(name: str) -> DerivedTable:
    """The derived table of this name."""
    return next(table for table in derived_tables() if table.name == name)


def history_for(chain: pl.DataFrame, seed: int) -> Tables:
    """Made history around every partition of a chain, one date for each symbol."""
    parts: list[Tables] = []
    for _, own in chain.group_by("symbol", maintain_order=True):
        parts.append(made_history(stored(minute_panel(own, ENGINE)), own, seed + len(parts)))
    return {name: pl.concat([part[name] for part in parts]) for name in parts[0]}


def first_expiries(chain: pl.DataFrame, count: int) -> pl.DataFrame:
    """The nearest expiries of each partition."""
    nearest = (
        chain.select("symbol", "date", "expiry_date")
        .unique()
        .sort("symbol", "date", "expiry_date")
        .group_by("symbol", "date", maintain_order=True)
        .head(count)
    )
    return chain.join(
        nearest, on=["symbol", "date", "expiry_date"], how="semi", maintain_order="left"
    )


@lru_cache(maxsize=6)
def simulated(symbol: str, day: dt.date, expiries: int) -> pl.DataFrame:
    """A simulated day as the lakehouse holds it, with so many expiries."""
    spec = DaySpec(symbol, day, SEED, settings().market, expiries=expiries)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{symbol}_{day}.parquet"
        simulate_day(spec).chain.write_parquet(path)
        return ingested(PartitionKey(day, symbol), path)


def both_symbols(
    kind: str, day: dt.date, expiries: Mapping[str, int], data: Path | None = None
) -> pl.DataFrame:
    """A simulated or real day of several symbols in one frame.

    Args:
        kind: ``simulated`` or ``real``.
        day: Trading day.
        expiries: Symbols with the number of expiries kept.
        data: Folder of real data, for a real day.
    """
    parts = []
    for symbol, count in expiries.items():
        if kind == "simulated":
            parts.append(simulated(symbol, day, count))
        else:
            assert data is not None
            parts.append(first_expiries(real_chain(symbol, day, data), count))
    return pl.concat(parts)


def in_row_order(table: pl.DataFrame) -> pl.DataFrame:
    """Rows ascending by whatever identifies them."""
    return table.sort([name for name in ROW_ORDER if name in table.columns])


def features_of(component: str) -> tuple[FeatureColumn, ...]:
    """Declared columns of a component."""
    return load_registry().components[component].columns


def faults(component: str, table: pl.DataFrame) -> list[str]:
    """What is wrong with values of a component: not finite, out of range, of another type."""
    columns = features_of(component)
    floats = [c.name for c in columns if c.dtype == "FLOAT64"]
    wrong = [
        f"{c.name} is {table.schema[c.name]}"
        for c in columns
        if table.schema[c.name] != (pl.Int64 if c.dtype == "INT64" else pl.Float64)
    ]
    endless = table.select((~pl.col(floats).is_finite()).sum()).row(0)
    wrong += [
        f"{n} not finite in {count}" for n, count in zip(floats, endless, strict=True) if count
    ]
    lows = table.select(pl.col(c.name).min() for c in columns).row(0)
    highs = table.select(pl.col(c.name).max() for c in columns).row(0)
    for column, low, high in zip(columns, lows, highs, strict=True):
        below = low is not None and column.low is not None and low < column.low
        above = high is not None and column.high is not None and high > column.high
        if below or above:
            wrong.append(f"{column.name} in [{low!r}, {high!r}], declared {column.range_text()}")
    return wrong


def null_share(component: str, table: pl.DataFrame) -> float:
    """Share of a component's cells that are null."""
    names = [column.name for column in features_of(component)]
    nulls = sum(table.select(pl.col(names).null_count()).row(0))
    return float(nulls) / max(1, table.height * len(names))


@contextmanager
def raw_values_watched() -> Iterator[list[str]]:
    """What components return before it is given its declared type.

    Yields:
        A list that grows by one line for each integer column with a fraction, and for each column
        with a value that is no finite number: the last step would hide both.
    """
    found: list[str] = []

    def watched(component: str) -> object:
        function = compute.FEATURE_FUNCTIONS[component]

        def call(inputs: object) -> pl.DataFrame:
            made = function(inputs)  # type: ignore[arg-type]
            found.extend(_raw_faults(component, made))
            return made

        return call

    replaced = {name: watched(name) for name in COMPONENTS}
    with mock.patch.dict(compute.FEATURE_FUNCTIONS, replaced):
        yield found


def _raw_faults(component: str, made: pl.DataFrame) -> Iterable[str]:
    columns = [c for c in features_of(component) if made.schema[c.name].is_float()]
    if not columns:
        return
    names = [c.name for c in columns]
    endless = made.select((~pl.col(names).is_finite()).sum()).row(0)
    broken = made.select(((pl.col(names) % 1.0) != 0).sum()).row(0)
    for column, bad, fractions in zip(columns, endless, broken, strict=True):
        if bad:
            yield f"{column.name} not finite in {bad} rows"
        if column.dtype == "INT64" and fractions:
            yield f"{column.name} has a fraction in {fractions} rows"
