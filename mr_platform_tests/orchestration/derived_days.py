"""Small days of both symbols as stored chains, and the derived graph over a home of their own."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import dagster as dg
import polars as pl

from mr_platform.definitions import build_definitions
from mr_platform.features.table_schemas import empty_table
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.orchestration.derived_tables import (
    build_table,
    derived_table,
    derived_tables,
)
from mr_platform.orchestration.input_versions import InputVersions, input_fingerprints
from mr_platform.orchestration.materialization import BatchOutcome, materialize_batch
from mr_platform.orchestration.materialization_events import CODE_VERSION_TAG, INPUT_FINGERPRINT
from mr_platform.orchestration.partition_status import read_asset_status
from mr_platform.orchestration.partitions import dagster_key
from mr_platform.simulation.chain_day import DaySpec, simulate_day
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.features.chain_days import SEED, ingested
from mr_platform_tests.features.chain_days import settings as quick
from mr_platform_tests.orchestration.conftest import QuickSettings

BASE_DAY = dt.date(2025, 8, 28)
LAST_DAY = dt.date(2025, 9, 3)
"""No expiry of the cut chains is earlier, so that all test days may be shifted copies."""

STRIKES_EACH_SIDE = 8
EXPIRIES = 2

# 2025-08-27 is a holiday, 08-30 and 08-31 a weekend
HOLIDAY_WEEK = tuple(dt.date(2025, 8, day) for day in (25, 26, 28, 29))

COMPONENTS = tuple(table.name for table in derived_tables() if table.group == "features")
PANEL_AND_HISTORY = ("hist_c3_close", "minute_panel", "hist_minute", *(
    table.name
    for table in derived_tables()
    if table.group == "history" and table.name not in ("hist_c3_close", "hist_minute",
                                                       "hist_c8_zone")
))  # fmt: skip
"""The stage before the components, in an order in which it can be made table by table."""


@lru_cache(maxsize=2)
def base_chain(symbol: str) -> pl.DataFrame:
    """A simulated day cut to two expiries and a few strikes, as the lakehouse holds it."""
    made = simulate_day(DaySpec(symbol, BASE_DAY, SEED, quick().market)).chain
    later = made.filter(pl.col("expiry_date") > LAST_DAY)
    kept = later["expiry_date"].unique().sort().to_list()[:EXPIRIES]
    label = pl.col("call_strike_type")
    rank = pl.when(label != "ATM").then(label.str.slice(3).cast(pl.Int32, strict=False))
    small = later.filter(pl.col("expiry_date").is_in(kept), rank.fill_null(0) <= STRIKES_EACH_SIDE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{symbol}_{BASE_DAY}.parquet"
        small.write_parquet(path)
        return ingested(PartitionKey(BASE_DAY, symbol), path)


def chain_of(key: PartitionKey, *, rise: float = 0.0) -> pl.DataFrame:
    """The base day moved to a date; each date has prices of its own, ``rise`` percent higher."""
    base = base_chain(key.symbol)
    days = key.date - BASE_DAY
    factor = 1 + rise / 100 + 0.01 * (key.date.toordinal() % 7)
    premiums = [
        f"{leg}_{name}" for leg in ("ce", "pe") for name in ("open", "high", "low", "close")
    ]
    return base.with_columns(
        pl.col("date") + days,
        pl.col("ts_minute") + days,
        (pl.col("dte") - days.days).cast(pl.Int64),
        (pl.col(premiums) * factor).round(2),
    ).select(base.columns)


def both(days: Iterable[dt.date]) -> list[PartitionKey]:
    """Partitions of both symbols."""
    return [PartitionKey(day, symbol) for symbol in ("BANKNIFTY", "NIFTY") for day in days]


@dataclass(frozen=True)
class DerivedGraph:
    """The project's graph over one home, its chains put into the table directly."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    lakehouse: Lakehouse

    def arrive(self, *keys: PartitionKey, rise: float = 0.0) -> None:
        """Store chains and record them as the ingestion would."""
        frames = [chain_of(key, rise=rise) for key in keys]
        self.lakehouse.replace_partitions("option_chain", pl.concat(frames), list(keys))
        for key in keys:
            record(self.instance, "option_chain", key, fingerprint=f"files {rise}")

    def make(self, assets: Sequence[str], keys: Sequence[PartitionKey]) -> BatchOutcome:
        """One run over a gapless range of one symbol; it must succeed."""
        outcome = materialize_batch(self.definitions, self.instance, assets, keys)
        assert not outcome.faults, outcome.faults
        return outcome

    def fill(self, assets: Sequence[str], keys: Sequence[PartitionKey]) -> None:
        """Store and record tables as runs would, without runs."""
        for name in assets:
            table = derived_table(name)
            assert table is not None
            frames = {reading.table: self._scan(reading.table) for reading in table.readings}
            fingerprints = input_fingerprints(self.instance, table, keys)
            self.lakehouse.replace_partitions(
                name, build_table(table, keys, frames, CpuEngine()), list(keys)
            )
            for key in keys:
                record(
                    self.instance, name, key,
                    fingerprint=fingerprints[key], version=table.code_version,
                )  # fmt: skip

    def _scan(self, table: str) -> pl.LazyFrame:
        return self.lakehouse.scan(table) if self.lakehouse.exists(table) else empty_table(table)

    def rows(self, table: str, *keys: PartitionKey) -> pl.DataFrame:
        """Stored rows of partitions."""
        return self.lakehouse.scan(table, list(keys)).collect()

    def stale(self, asset: str) -> set[str]:
        """Partitions of an asset that are stale."""
        inputs = InputVersions(self.instance, {}).of(asset)
        return set(read_asset_status(self.definitions, self.instance, asset, inputs).stale)


def open_graph(home: Path, instance: dg.DagsterInstance) -> DerivedGraph:
    """The graph over a home."""
    settings = QuickSettings(home=str(home))
    found = settings.load()
    return DerivedGraph(
        build_definitions(settings), instance, Lakehouse(found.lakehouse_root, found.parquet)
    )


def record(
    instance: dg.DagsterInstance,
    asset: str,
    key: PartitionKey,
    *,
    fingerprint: str | None = None,
    version: str = "1",
) -> None:
    """Put a materialisation into the event log without a run."""
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset,
            partition=str(dagster_key(key)),
            metadata={} if fingerprint is None else {INPUT_FINGERPRINT: fingerprint},
            tags={CODE_VERSION_TAG: version},
        )
    )
