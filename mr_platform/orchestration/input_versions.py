"""Which versions of its inputs a partition was made from, as one fingerprint.

Here: the fingerprint of a derived partition, from the event log, recursively by identity.
Not here: landed files (their fingerprint comes from the catalogue), staleness
(``partition_status.py``).

The identity of a partition is its code version with the fingerprint of its inputs: made again
from the same inputs by the same code it is the same, whoever made it and when. An input that was
never made counts as absent, so that a partition becomes stale when the input arrives.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import dagster as dg

from mr_platform.orchestration.derived_tables import DerivedTable, Reading, derived_table
from mr_platform.orchestration.materialization_events import (
    CODE_VERSION_TAG,
    INPUT_FINGERPRINT,
    latest_records,
)
from mr_platform.orchestration.partition_status import RecordedPartition, recorded_partitions
from mr_platform.orchestration.partitions import dagster_key
from mr_platform.trading_calendar import (
    CALENDAR_FIRST,
    CALENDAR_LAST,
    SYMBOLS,
    PartitionKey,
    trading_days,
)

ABSENT = "absent"


class InputVersions:
    """Fingerprints of the inputs of every asset's partitions, as they stand now.

    Args:
        instance: The home's instance; each asset is read once.
        landed: Fingerprint of the landed files by partition key, for assets that files feed.
    """

    def __init__(self, instance: dg.DagsterInstance, landed: Mapping[str, str]) -> None:
        self._instance = instance
        self._landed = dict(landed)
        self._recorded: dict[str, dict[str, RecordedPartition]] = {}

    def recorded(self, asset: str) -> dict[str, RecordedPartition]:
        """The latest materialisation of every partition of an asset."""
        if asset not in self._recorded:
            self._recorded[asset] = recorded_partitions(self._instance, asset)
        return self._recorded[asset]

    def assume(self, asset: str, keys: Collection[PartitionKey], code_version: str | None) -> None:
        """Count partitions as made by today's code from today's inputs, though they are not yet.

        What follows from them can be planned before they are made.

        Args:
            asset: The asset; what it reads is assumed before it.
            keys: Its partitions; those without input stay as they are.
            code_version: Its code version.
        """
        inputs, now = self.of(asset), dt.datetime.now(dt.UTC)
        self._recorded[asset] = self.recorded(asset) | {
            str(key): RecordedPartition(code_version, inputs[str(key)], made_at=now, run_id="")
            for key in keys
            if str(key) in inputs
        }

    def of(self, asset: str) -> dict[str, str]:
        """Fingerprint by partition key of every partition that has what it is made of.

        Landed files for the raw assets; for a derived table the partitions of the table that it
        cannot do without.
        """
        table = derived_table(asset)
        if table is None:
            return self._landed
        identities = {
            reading.table: {
                key: identity(made.code_version, made.fingerprint)
                for key, made in self.recorded(reading.table).items()
            }
            for reading in table.readings
        }
        return {
            key: fingerprint_of(table, PartitionKey.parse(key), identities)
            for key in sorted(self.recorded(table.required))
        }


def input_fingerprints(
    instance: dg.DagsterInstance, table: DerivedTable, keys: Sequence[PartitionKey]
) -> dict[PartitionKey, str]:
    """Fingerprint of the inputs of partitions as they stand in the event log now.

    Args:
        instance: The home's instance.
        table: The derived table.
        keys: Partitions of it.
    """
    known: dict[str, dict[str, str]] = {}
    for reading in table.readings:
        wanted = {str(read) for key in keys for read in read_partitions(reading, key)}
        known.setdefault(reading.table, {}).update(
            recorded_identities(instance, reading.table, wanted)
        )
    return {key: fingerprint_of(table, key, known) for key in keys}


def recorded_identities(
    instance: dg.DagsterInstance, table: str, partitions: Iterable[str]
) -> dict[str, str]:
    """Identity of each partition of a table that was made, by partition key."""
    wanted = {str(dagster_key(PartitionKey.parse(text))): text for text in partitions}
    identities = {}
    for partition, record in latest_records(instance, dg.AssetKey(table), wanted).items():
        event = record.asset_materialization
        if event is None:
            continue
        fingerprint = event.metadata.get(INPUT_FINGERPRINT)
        identities[wanted[partition]] = identity(
            (event.tags or {}).get(CODE_VERSION_TAG),
            None if fingerprint is None else str(fingerprint.value),
        )
    return identities


def identity(code_version: str | None, fingerprint: str | None) -> str:
    """What a partition is, as far as what follows from it is concerned."""
    return _digest([code_version or "", fingerprint or ""])


def fingerprint_of(
    table: DerivedTable, key: PartitionKey, identities: Mapping[str, Mapping[str, str]]
) -> str:
    """Fingerprint of the inputs of one partition.

    Args:
        table: The derived table.
        key: The partition.
        identities: Identity of made partitions by key, by upstream table.
    """
    parts = [
        f"{reading.table} {read} {identities.get(reading.table, {}).get(str(read), ABSENT)}"
        for reading in table.readings
        for read in read_partitions(reading, key)
    ]
    return _digest(parts)


def read_partitions(reading: Reading, key: PartitionKey) -> list[PartitionKey]:
    """Partitions of the upstream table that a partition reads, ascending."""
    symbols = SYMBOLS if reading.both_symbols else (key.symbol,)
    return [PartitionKey(day, symbol) for day in _days(reading, key) for symbol in sorted(symbols)]


def _days(reading: Reading, key: PartitionKey) -> list[dt.date]:
    """Trading days of the span; fewer at the beginning of the calendar."""
    if reading.first_back == 0:
        return [key.date]
    calendar, place = _calendar()
    at = place[key.date]
    return list(calendar[max(0, at - reading.first_back) : max(0, at + 1 - reading.last_back)])


@lru_cache(maxsize=1)
def _calendar() -> tuple[tuple[dt.date, ...], dict[dt.date, int]]:
    days = tuple(trading_days(CALENDAR_FIRST, CALENDAR_LAST))
    return days, {day: place for place, day in enumerate(days)}


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
