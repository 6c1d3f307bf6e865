"""One batch of partitions from landed files to the four stored tables.

Here: the order of doors: catalogue → files → ``chain.ingest`` → one commit a table; which
partitions were stored, which were refused and why.
Not here: rules for rows (``chain/``), Dagster's events (``assets/``), Delta (``gateways/``).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from mr_platform.chain.ingest import IngestedPartition, ingest_batch, inspect_source
from mr_platform.config.settings import Settings
from mr_platform.errors import MissingInputError, PlatformError
from mr_platform.gateways.lakehouse import Lakehouse
from mr_platform.gateways.landing import (
    FileInspection,
    LandedFile,
    LandingCatalogue,
    RefreshReport,
    stable_files,
)
from mr_platform.gateways.raw_files import RawFile
from mr_platform.registry.fingerprint import raw_chain_code_version
from mr_platform.trading_calendar import PartitionKey

LANDED_FILES = "landed_files"
OPTION_CHAIN = "option_chain"
QUARANTINED_ROWS = "quarantined_rows"
LOAD_AUDIT = "load_audit"

CODE_VERSION = raw_chain_code_version()
"""Of declarations and code that make these tables; fixed for the life of the process, so that
definitions, events and catalogue agree even while files are edited."""

# The chain is committed last: whoever reads a partition of it finds its account already there.
TABLES = (LANDED_FILES, QUARANTINED_ROWS, LOAD_AUDIT, OPTION_CHAIN)


@dataclass(frozen=True)
class StoredPartition:
    """What is told of a partition once its tables are stored.

    Attributes:
        key: The partition.
        rows: Rows stored, by table.
        rows_in: Input rows.
        quarantined: Quarantined rows by reason, most frequent first.
        files: Landed files, relative to the landing folder.
        dialects: Dialects of the files.
        units: Units settled, by question (``iv_unit`` …).
        timings: Seconds by step.
        input_fingerprint: Digest of the files' contents as the catalogue forms it.
    """

    key: PartitionKey
    rows: Mapping[str, int]
    rows_in: int
    quarantined: Mapping[str, int]
    files: tuple[str, ...]
    dialects: tuple[str, ...]
    units: Mapping[str, str]
    timings: Mapping[str, float]
    input_fingerprint: str


@dataclass(frozen=True)
class BatchReport:
    """Fate of every partition of a batch.

    Attributes:
        stored: Partitions whose tables were replaced, ascending.
        refused: Why a partition was not stored, by partition.
        versions: Version that the commit made, by table; empty when nothing was stored.
    """

    stored: tuple[StoredPartition, ...] = ()
    refused: Mapping[PartitionKey, PlatformError] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)

    def refusal_text(self) -> str:
        """One clear error naming every refused partition."""
        total = len(self.stored) + len(self.refused)
        lines = "\n".join(
            f"  {key}: {str(fault).removeprefix(f'{key}: ')}"
            for key, fault in sorted(self.refused.items())
        )
        rest = f"; the other {len(self.stored)} are stored" if self.stored else ""
        return f"{len(self.refused)} of {total} partitions were not stored{rest}\n{lines}"


def refresh_catalogue(
    catalogue: LandingCatalogue,
    *,
    only: Collection[str] | None = None,
    budget_s: float | None = None,
) -> RefreshReport:
    """Bring the catalogue up to the landing folder as it is now.

    Args:
        catalogue: The catalogue.
        only: Relative paths that may be opened; None allows all.
        budget_s: Seconds after which no further file is opened; None is no limit.
    """
    return catalogue.refresh(_inspect, budget_s=budget_s, only=only, inspector=CODE_VERSION)


def _inspect(file: LandedFile) -> FileInspection:
    return inspect_source(RawFile(file.path, file.relative))


def refresh_settled(catalogue: LandingCatalogue, settings: Settings) -> RefreshReport:
    """As ``refresh_catalogue``, leaving alone what may still be being written.

    Files that are catalogued as they are now (by the command line, which waits for nobody) stay
    catalogued.
    """
    files = catalogue.zone.list_files()
    settled = stable_files(files, {}, settings.orchestration.landing_settle_seconds, time.time())
    return refresh_catalogue(catalogue, only={file.relative for file in settled})


def days_to_come(catalogue: LandingCatalogue, keys: Collection[PartitionKey]) -> dict[str, str]:
    """Fault of each landed file that holds rows of days to come.

    Args:
        catalogue: Knows which landed files hold which partition.
        keys: Partitions of days to come.

    Returns:
        The fault by relative path; the file's other days are of use.
    """
    found: dict[str, list[str]] = {}
    for key in sorted(keys):
        for file in catalogue.files_for(key):
            found.setdefault(file.relative, []).append(str(key.date))
    return {
        name: f"{name}: holds rows of {', '.join(dict.fromkeys(days))}, a day to come. "
        "Check its dates; these rows wait until then"
        for name, days in found.items()
    }


def ingest_and_store(
    keys: Sequence[PartitionKey],
    *,
    lakehouse: Lakehouse,
    catalogue: LandingCatalogue,
    settings: Settings,
    now: dt.datetime,
    commit_info: Mapping[str, str] | None = None,
) -> BatchReport:
    """Ingest partitions and replace them in every table, one commit a table.

    Args:
        keys: Partitions wanted.
        lakehouse: Where the tables are.
        catalogue: Knows which landed files hold which partition.
        settings: Limits and market conventions.
        now: Time written into quarantine and audit (UTC).
        commit_info: Facts to write into the commits.

    Returns:
        What was stored and what was refused; a refused partition keeps what it held before.
    """
    refresh_settled(catalogue, settings)
    fingerprints = {key: found.fingerprint for key, found in catalogue.partitions().items()}
    refused: dict[PartitionKey, PlatformError] = {}
    inputs: dict[PartitionKey, list[RawFile]] = {}
    for key in sorted(keys):
        files = catalogue.files_for(key)
        if files:
            inputs[key] = [RawFile(file.path, file.relative, file.sha256) for file in files]
        else:
            refused[key] = MissingInputError(
                "no landed file holds rows of this partition",
                next_step="Land its files, or see `mr status` for faulty ones",
            )
    stored: list[StoredPartition] = []
    frames: dict[str, list[pl.DataFrame]] = {table: [] for table in TABLES}
    for partition in ingest_batch(inputs, settings, now=now, code_version=CODE_VERSION):
        if partition.rejection is not None:
            refused[partition.key] = partition.rejection
            continue
        for table, frame in _tables(partition).items():
            frames[table].append(frame)
        stored.append(_told(partition, fingerprints[partition.key]))
    if not stored:
        return BatchReport(refused=refused)
    done = [partition.key for partition in stored]
    versions = {}
    for table in TABLES:
        # without a rechunk the parts are not copied: a batch is held once, not twice
        whole = pl.concat(frames.pop(table), rechunk=False)
        versions[table] = lakehouse.replace_partitions(
            table, whole, done, commit_info=commit_info
        ).version
        del whole
    return BatchReport(tuple(stored), refused, versions)


def _tables(partition: IngestedPartition) -> dict[str, pl.DataFrame]:
    return {
        LANDED_FILES: partition.files,
        QUARANTINED_ROWS: partition.quarantine,
        LOAD_AUDIT: partition.audit,
        OPTION_CHAIN: partition.chain,
    }


def _told(partition: IngestedPartition, fingerprint: str) -> StoredPartition:
    files = partition.files
    return StoredPartition(
        key=partition.key,
        rows={table: frame.height for table, frame in _tables(partition).items()},
        rows_in=partition.rows_in,
        quarantined=partition.quarantined_by_reason(),
        files=tuple(files["file"].to_list()),
        dialects=_distinct(files, "dialect"),
        units={
            name: ", ".join(_distinct(files, name))
            for name in ("iv_unit", "oi_unit", "volume_kind", "volume_unit", "bar_label")
        },
        timings=dict(partition.timings),
        input_fingerprint=fingerprint,
    )


def _distinct(frame: pl.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(frame[column].drop_nulls().unique().sort().to_list())
