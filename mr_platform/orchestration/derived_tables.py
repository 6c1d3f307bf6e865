"""Tables between the chain and the models: which partitions each reads, and how it is made.

Here: the list of minute panel, history tables and components, their look-backs, code versions,
and the computation of a batch in chunks of dates.
Not here: formulas (``features/``), Dagster's assets (``assets/``), storage (``io_managers.py``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from mr_platform.config.settings import ChunkDates
from mr_platform.errors import MissingInputError
from mr_platform.features.c8_history import consensus_history
from mr_platform.features.chain_grid import CHAIN_COLUMNS, GROUP_KEYS
from mr_platform.features.compute import FEATURE_FUNCTIONS, compute_component
from mr_platform.features.day_history import daily_history, minute_history
from mr_platform.features.history import previous_days
from mr_platform.features.inputs import FeatureInputs
from mr_platform.features.iv_history import iv_day_history, iv_zone_history
from mr_platform.features.minute_panel import minute_panel, numbered, stored
from mr_platform.features.oi_history import (
    oi_close_history,
    oi_zone_history,
    previous_oi_close,
)
from mr_platform.features.table_schemas import MINUTE_PANEL, table_schema
from mr_platform.features.zone_history import zone_history
from mr_platform.gateways.frame_engine import FrameEngine
from mr_platform.orchestration.ingestion import OPTION_CHAIN
from mr_platform.registry.fingerprint import code_version, imported_sources
from mr_platform.registry.loader import load_registry
from mr_platform.trading_calendar import PartitionKey

_ROOMS = ("features", "chain", "trading_calendar", "trading_calendar_declared")


def chunk_sizes(dates: ChunkDates) -> dict[str, int]:
    """Dates of a chunk, by the largest table that is read."""
    return {OPTION_CHAIN: dates.panel, MINUTE_PANEL: dates.features}


CHUNK_DATES: Mapping[str, int] = chunk_sizes(ChunkDates())
"""The sizes where a run names none: with the engine's number of chunks at once they bound memory,
and no number depends on them."""


@dataclass(frozen=True)
class Reading:
    """Partitions of one upstream table that a partition reads.

    Attributes:
        table: The upstream table.
        first_back: Trading days before the partition's date at which the span begins.
        last_back: And ends; 0 is the date itself.
        both_symbols: True when the partitions of both symbols are read.
    """

    table: str
    first_back: int = 0
    last_back: int = 0
    both_symbols: bool = False

    @property
    def same_day(self) -> bool:
        """Whether the partition's own date is read."""
        return self.last_back == 0


@dataclass(frozen=True)
class DerivedTable:
    """A table computed from other tables.

    Attributes:
        name: Asset key and table.
        group: Group in the asset graph: panel, history or features.
        description: What it holds.
        grain: Columns that identify a row.
        readings: What it reads.
        code_version: Of its declaration and of all code that decides its numbers.
        build: From the frames of a chunk to its rows.
    """

    name: str
    group: str
    description: str
    grain: tuple[str, ...]
    readings: tuple[Reading, ...]
    code_version: str
    build: Callable[[Chunk], pl.DataFrame]

    @property
    def required(self) -> str:
        """The table without whose rows a partition cannot be made."""
        return next(reading.table for reading in self.readings if reading.same_day)


@dataclass(frozen=True)
class Chunk:
    """Inputs of some dates of a batch.

    Attributes:
        keys: Partitions to make.
        frames: Upstream tables by name, rows that these dates may read.
        engine: Where to work it out.
        version: Code version written into feature rows.
    """

    keys: tuple[PartitionKey, ...]
    frames: Mapping[str, pl.LazyFrame]
    engine: FrameEngine
    version: str

    @property
    def dates(self) -> list[dt.date]:
        """Dates of the chunk, ascending."""
        return sorted({key.date for key in self.keys})

    def own(self, table: str) -> pl.LazyFrame:
        """Rows of the chunk's own partitions, not read yet."""
        symbols = sorted({key.symbol for key in self.keys})
        rows = self.frames[table].filter(
            pl.col("date").is_in(self.dates), pl.col("symbol").is_in(symbols)
        )
        if len(self.dates) * len(symbols) == len(set(self.keys)):
            return rows
        wanted = pl.LazyFrame(
            {"symbol": [key.symbol for key in self.keys], "date": [key.date for key in self.keys]}
        )
        return rows.join(wanted, on=["symbol", "date"], how="semi", maintain_order="left")

    def loaded(self, table: str) -> pl.LazyFrame:
        """Rows of the chunk's own partitions, read.

        Tables are read by Polars on the CPU whatever the engine: cuDF does not scan partitioned
        folders, and a frame that an engine works out as written would read them once a mention.
        In one piece: sums over a group add piece by piece, so that their last bits would tell
        into how many files a table is cut.
        """
        return self.own(table).collect().rechunk().lazy()

    def earlier(self, table: str, days: pl.LazyFrame) -> pl.LazyFrame:
        """Rows of the earlier dates in ``days`` (column hist_date), read; why: see ``loaded``."""
        dates = days.collect().get_column("hist_date").unique().to_list()
        return self.frames[table].filter(pl.col("date").is_in(dates)).collect().rechunk().lazy()

    def panel(self) -> pl.DataFrame:
        """The minute panel of the chunk's partitions, numbered."""
        return numbered(self.own(MINUTE_PANEL).collect())


def build_table(
    table: DerivedTable,
    keys: Sequence[PartitionKey],
    frames: Mapping[str, pl.LazyFrame],
    engine: FrameEngine,
    sizes: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Rows of a derived table for a batch of partitions.

    Args:
        table: What to make.
        keys: Partitions to make, at least one.
        frames: Upstream tables by name, at least the rows that the readings name.
        engine: Where to work it out.
        sizes: Dates of a chunk, by upstream table; None takes ``CHUNK_DATES``.

    Returns:
        The rows in the table's declared columns, chunk after chunk.

    Raises:
        MissingInputError: An own-day input holds no rows of some partition.
    """
    _require_rows(table, keys, frames)
    schema = table_schema(table.name)

    def built(part: tuple[PartitionKey, ...]) -> pl.DataFrame:
        rows = table.build(Chunk(part, frames, engine, table.code_version))
        return rows if rows.schema == schema else rows.select(schema.names()).cast(schema)

    # much of a chunk is worked on by one thread only, so two chunks at once keep two cores busy
    with ThreadPoolExecutor(engine.chunks_at_once) as threads:
        return pl.concat(threads.map(built, chunks_of(table, keys, sizes)), rechunk=False)


def chunks_of(
    table: DerivedTable, keys: Sequence[PartitionKey], sizes: Mapping[str, int] | None = None
) -> list[tuple[PartitionKey, ...]]:
    """Partitions that are worked on together, by ascending dates.

    Args:
        table: What is made.
        keys: Partitions to make.
        sizes: Dates of a chunk, by upstream table; None takes ``CHUNK_DATES``.
    """
    known = CHUNK_DATES if sizes is None else sizes
    size = min(known.get(reading.table, 10) for reading in table.readings)
    dates = sorted({key.date for key in keys})
    spans = [set(dates[at : at + size]) for at in range(0, len(dates), size)]
    return [tuple(key for key in sorted(keys) if key.date in span) for span in spans]


def _require_rows(
    table: DerivedTable, keys: Sequence[PartitionKey], frames: Mapping[str, pl.LazyFrame]
) -> None:
    for name in (reading.table for reading in table.readings if reading.same_day):
        # runs of equal partitions first: few rows are left for unique
        keys_of_rows = frames[name].select("date", "symbol")
        begins = pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1)))
        seen = keys_of_rows.filter(begins).unique().collect().rows()
        missing = sorted(set(keys) - {PartitionKey(day, symbol) for day, symbol in seen})
        if missing:
            named = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
            raise MissingInputError(
                f"{name} holds no rows of {named}",
                place=table.name,
                next_step=f"Materialise {name} for these partitions first",
            )


@lru_cache(maxsize=1)
def derived_tables() -> tuple[DerivedTable, ...]:
    """Every derived table; the last one ends the graph."""
    return (_panel(), *_panel_history(), *_components(("c1", "c2", "c3", "c4", "c5", "c7")),
            *_components(("c6",)), _c8_history(), *_components(("c8",)))  # fmt: skip


def derived_table(name: str) -> DerivedTable | None:
    """A derived table by name, None where there is none."""
    return next((table for table in derived_tables() if table.name == name), None)


# -- the minute panel and history -----------------------------------------------------------------


def _panel() -> DerivedTable:
    def build(chunk: Chunk) -> pl.DataFrame:
        chain = chunk.own(OPTION_CHAIN).select(CHAIN_COLUMNS).collect()
        days = previous_days(chunk.dates, 1).lazy()
        before = previous_oi_close(chunk.earlier("hist_c3_close", days), days, chunk.engine)
        return stored(minute_panel(chain, chunk.engine, before))

    return DerivedTable(
        name=MINUTE_PANEL,
        group="panel",
        description="The option chain reduced to one row a (symbol, expiry, minute) on the full "
        "375-minute grid: prices, held returns, sums over strikes, points of the smile.",
        grain=("symbol", "date", "expiry_date", "j"),
        readings=(Reading(OPTION_CHAIN), Reading("hist_c3_close", 1, 1)),
        code_version=code_version(
            [load_registry().panel],
            imported_sources("features.minute_panel", _ROOMS)
            + imported_sources("features.oi_history", _ROOMS),
        ),
        build=build,
    )


def _panel_history() -> list[DerivedTable]:
    panel = (Reading(MINUTE_PANEL),)
    from_panel: dict[str, Callable[[pl.DataFrame, FrameEngine], pl.DataFrame]] = {
        "hist_minute": minute_history,
        "hist_daily": daily_history,
        "hist_c3_zone": oi_zone_history,
        "hist_c4_day": iv_day_history,
        "hist_c4_zone": iv_zone_history,
    }
    modules = {
        "hist_minute": "day_history", "hist_daily": "day_history", "hist_c3_zone": "oi_history",
        "hist_c4_day": "iv_history", "hist_c4_zone": "iv_history",
    }  # fmt: skip
    made = [
        _history(name, panel, modules[name], _of_panel(function))
        for name, function in from_panel.items()
    ]
    made.append(_history("hist_zone", (*panel, Reading("hist_minute", 2, 1)), "zone_history",
                         _zone))  # fmt: skip
    made.append(_history("hist_c3_close", (Reading(OPTION_CHAIN),), "oi_history", _closing))
    return made


def _of_panel(
    function: Callable[[pl.DataFrame, FrameEngine], pl.DataFrame],
) -> Callable[[Chunk], pl.DataFrame]:
    return lambda chunk: function(chunk.panel(), chunk.engine)


def _zone(chunk: Chunk) -> pl.DataFrame:
    days = previous_days(chunk.dates, 2).lazy()
    minutes = chunk.earlier("hist_minute", days)
    return zone_history(chunk.panel(), minutes, days, chunk.engine)


def _closing(chunk: Chunk) -> pl.DataFrame:
    columns = [*GROUP_KEYS, "ts_minute", "strike", "ce_oi", "pe_oi"]
    chain = chunk.own(OPTION_CHAIN).select(columns).collect()
    return oi_close_history(chain, chunk.engine)


def _history(
    name: str,
    readings: tuple[Reading, ...],
    module: str,
    build: Callable[[Chunk], pl.DataFrame],
) -> DerivedTable:
    declared = load_registry().history[name]
    return DerivedTable(
        name=name,
        group="history",
        description=f"{declared.content.rstrip('.')}. Read up to {declared.depth_trading_days} "
        "trading days later.",
        grain=declared.grain,
        readings=readings,
        code_version=code_version([declared], imported_sources(f"features.{module}", _ROOMS)),
        build=build,
    )


def _c8_history() -> DerivedTable:
    readings = tuple(Reading(f"{name}_features") for name in FEATURE_FUNCTIONS if name != "c8")

    def build(chunk: Chunk) -> pl.DataFrame:
        tables = {
            reading.table.removesuffix("_features"): chunk.loaded(reading.table)
            for reading in readings
        }
        return consensus_history(chunk.panel(), tables, chunk.engine)

    return _history("hist_c8_zone", (Reading(MINUTE_PANEL), *readings), "c8_history", build)


# -- components -----------------------------------------------------------------------------------

_EARLIER: Mapping[str, tuple[str, ...]] = {
    "c6": ("c1", "c2", "c3", "c4", "c5"),
    "c8": ("c1", "c2", "c3", "c4", "c5", "c6", "c7"),
}
"""Components whose tables a component reads."""


def _components(names: Sequence[str]) -> list[DerivedTable]:
    return [_component(name) for name in names]


def _component(name: str) -> DerivedTable:
    declared = load_registry().components[name]
    depths: dict[str, int] = {}
    for column in declared.columns:
        for table, days in column.lookback.history:
            depths[table] = max(depths.get(table, 0), days)
    earlier = _EARLIER.get(name, ())
    readings = (
        Reading(MINUTE_PANEL, both_symbols=name == "c6"),
        *[Reading(f"{other}_features") for other in earlier],
        *[Reading(table, days, 1) for table, days in sorted(depths.items())],
    )
    tables = [load_registry().history[table] for table in sorted(depths)]
    return DerivedTable(
        name=declared.table,
        group="features",
        description=f"{declared.title}: {len(declared.columns)} features a minute and expiry.",
        grain=declared.grain,
        readings=readings,
        code_version=code_version(
            [declared.columns, declared.extra, tables],
            imported_sources(f"features.{declared.stem}", _ROOMS)
            + imported_sources("features.compute", ()),
        ),
        build=lambda chunk: _compute(name, earlier, depths, chunk),
    )


def _compute(
    name: str, earlier: Sequence[str], depths: Mapping[str, int], chunk: Chunk
) -> pl.DataFrame:
    partner = None
    if name == "c6":
        both = chunk.frames[MINUTE_PANEL].filter(pl.col("date").is_in(chunk.dates))
        partner = numbered(both.collect())
    days = previous_days(chunk.dates, max(depths.values(), default=0)).lazy()
    inputs = FeatureInputs(
        panel=chunk.panel(),
        history={
            table: chunk.earlier(table, days.filter(pl.col("back") <= depth))
            for table, depth in depths.items()
        },
        days=days,
        engine=chunk.engine,
        components={other: chunk.loaded(f"{other}_features") for other in earlier},
        partner=partner,
    )
    return compute_component(name, inputs, feature_version=chunk.version)
