"""From landed files to one partition of the option chain: the whole way, in order.

Here: the sequence parse → units → rules → derive → audit, and the account of every row.
Not here: each step's rules (their own modules), storing (``gateways/lakehouse``), Dagster.

A partition is fed by one dialect. Where files of several dialects hold the same partition, the
dialect of the smallest priority number feeds it (the legacy export first, it is the most
complete) and the rows of the others are set aside as ``superseded_source``.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mr_platform.chain import quality
from mr_platform.chain.accounts import (
    LANDED_FILES_SCHEMA,
    FileAccount,
    all_rejections,
    files_frame,
    open_account,
    readable_rows,
)
from mr_platform.chain.audit import (
    AUDIT_SCHEMA,
    Finding,
    audit_partition,
    bad_share,
    dte_not_monotone,
)
from mr_platform.chain.canonical import canonical_schema, to_canonical
from mr_platform.chain.quarantine import QUARANTINE_SCHEMA, quarantine_frame
from mr_platform.chain.sessions import in_session
from mr_platform.chain.sieve import Sieve
from mr_platform.chain.source_rows import KEY_FAULT, SourceRows, read_source
from mr_platform.chain.units import convert_units, prefixes, settle_units
from mr_platform.config.settings import Settings
from mr_platform.errors import InputFileError, PartitionRejectedError, PlatformError
from mr_platform.gateways.landing import FileInspection
from mr_platform.gateways.raw_files import RawFile
from mr_platform.trading_calendar import PartitionKey


@dataclass(frozen=True)
class IngestedPartition:
    """Everything one partition became.

    Attributes:
        key: The partition.
        chain: Canonical option chain; empty when rejected.
        quarantine: Rows of ``quarantined_rows``.
        files: Rows of ``landed_files``.
        audit: Rows of ``load_audit``.
        timings: Seconds by step (parse, units, rules, derive, audit, expectations).
        rejection: Why nothing may be stored, or None.
    """

    key: PartitionKey
    chain: pl.DataFrame
    quarantine: pl.DataFrame
    files: pl.DataFrame
    audit: pl.DataFrame
    timings: Mapping[str, float]
    rejection: PlatformError | None

    @property
    def rows_in(self) -> int:
        """Input rows of the partition."""
        return int(self.files["rows_in"].sum())

    def quarantined_by_reason(self) -> dict[str, int]:
        """Quarantined rows by reason, most frequent first."""
        counts = (
            self.quarantine.group_by("reason")
            .len()
            .sort(["len", "reason"], descending=[True, False])
        )
        return dict(counts.rows())


def inspect_source(source: RawFile) -> FileInspection:
    """What a landed file holds, for the catalogue.

    Args:
        source: The file.

    Returns:
        Dialect, digest, rows, and rows by partition; ``fault`` where it feeds no partition.

    Raises:
        InputFileError: The file as a whole cannot be used.
    """
    rows = read_source(source, names=())
    if not rows.partitions:
        reasons = rows.frame[KEY_FAULT].value_counts(sort=True)
        told = ", ".join(f"{count:,} rows {reason}" for reason, count in reasons.rows())
        if rows.frame.height:
            symbol, day = rows.frame.select("symbol", "date").row(0)
            told += f"; the first is of symbol {symbol!r} on {day or 'no readable date'}"
        raise InputFileError(
            f"holds no row of a known symbol on a trading day ({told or 'no readable row'})",
            place=source.relative,
            next_step="Check its symbols and dates against the trading calendar",
        )
    assigned = sum(rows.partitions.values())
    return FileInspection(
        dialect=rows.dialect.name,
        sha256=source.sha256,
        rows=rows.height,
        partitions=rows.partitions,
        unassigned_rows=rows.height - assigned,
        fault=None,
        # pages of equal bytes at two paths are two instants: the path is part of what they say
        name_facts=rows.dialect.facts_of_name(source.relative),
    )


def ingest_batch(
    inputs: Mapping[PartitionKey, Sequence[RawFile]],
    settings: Settings,
    *,
    now: dt.datetime,
    code_version: str,
) -> Iterator[IngestedPartition]:
    """Ingest several partitions, reading a file that feeds many of them once.

    Args:
        inputs: Files of each partition.
        settings: Limits and market conventions.
        now: Time written beside quarantined rows and audits (UTC).
        code_version: Version of declarations and code, written into the audit.

    Yields:
        One result a partition, in ascending order of key; a rejected one does not stop the rest.
    """
    ordered = sorted(inputs)
    pending = Counter(file.relative for key in ordered for file in inputs[key])
    kept: dict[str, SourceRows] = {}
    for key in ordered:
        yield ingest_partition(
            key, inputs[key], settings, now=now, code_version=code_version, parsed=kept
        )
        for file in inputs[key]:
            pending[file.relative] -= 1
            if not pending[file.relative]:
                kept.pop(file.relative, None)


def ingest_partition(
    key: PartitionKey,
    sources: Sequence[RawFile],
    settings: Settings,
    *,
    now: dt.datetime,
    code_version: str,
    parsed: dict[str, SourceRows] | None = None,
) -> IngestedPartition:
    """Make one partition of the option chain from its landed files.

    Args:
        key: The partition.
        sources: Every landed file that holds rows of it.
        settings: Limits and market conventions.
        now: Time written beside quarantined rows and audits (UTC).
        code_version: Version of declarations and code, written into the audit.
        parsed: Files already parsed, by relative path; added to.

    Returns:
        The partition; with ``rejection`` set when a file cannot be used, units are mixed, or
        the share of bad rows is above ``settings.quality.max_bad_share``.
    """
    clock = _Clock()
    cache = {} if parsed is None else parsed
    try:
        accounts = [
            open_account(key, number, _parsed(source, cache))
            for number, source in enumerate(sorted(sources, key=lambda file: file.relative))
        ]
    except InputFileError as unusable:
        return _nothing(key, unusable, clock)
    clock.lap("parse")

    feeding, superseded = _one_dialect(accounts)
    lots = settings.market.recent_lot_sizes(key.symbol, key.date)
    _settle(key, feeding, lots)
    mixed = [f"{item.rows.source.relative}: {mix}" for item in feeding for mix in item.units.mixed]
    if mixed:
        rejection = PartitionRejectedError(
            "units are mixed within a file: " + "; ".join(dict.fromkeys(mixed)),
            place=str(key),
            next_step="Split the file by unit or ask the source; nothing of it was stored",
        )
        return _nothing(key, rejection, clock)
    sieve = Sieve(_combined(key, feeding, lots[0]))
    clock.lap("units")

    dialect = feeding[0].rows.dialect
    snapshots = _are_snapshots(feeding)
    own_dte = dte_not_monotone(sieve.rows)
    row_key = ["minute", "expiry_date", "strike"]
    row_key += ["option_type"] if dialect.legs == "long" else []
    sieve.apply(quality.key_rules(dialect, sieve.rows))
    quality.set_aside_outside_session(sieve, in_session(pl.col("time")))
    sieve.rows = _with_minute(sieve.rows)
    quality.set_aside_superseded(sieve, dialect, row_key)
    quality.quarantine_duplicates(sieve, row_key)
    sieve.apply(quality.value_rules(dialect, sieve.rows))
    quality.set_aside_unquoted(sieve, dialect, row_key)
    spots_settled = 0
    if "spot" in sieve.rows.columns:
        spots_settled = quality.settle_spot(sieve, snapshots=snapshots)
    clock.lap("rules")

    derived = to_canonical(sieve.rows, dialect, key, settings, cumulative=_cumulative(feeding))
    if derived.underivable.height:
        sieve.take_out(
            derived.underivable,
            "missing_value",
            "spot",
            "spot was missing and no two-sided strikes imply it",
        )
    clock.lap("derive")

    quarantine = quarantine_frame(
        key,
        [(item.rows, item.number) for item in accounts],
        all_rejections(key, feeding, superseded, sieve.rejected),
        now,
    )
    files = files_frame(key, accounts, quarantine)
    audit, expectation_seconds = audit_partition(
        key,
        derived.chain,
        quarantine,
        files,
        settings,
        notes={
            "dte_not_monotone": own_dte,
            **_notes(accounts, spots_settled, derived.notes),
        },
        now=now,
        code_version=code_version,
    )
    clock.lap("audit")
    clock.seconds["audit"] -= expectation_seconds
    clock.seconds["expectations"] = expectation_seconds
    too_bad = _too_bad(key, files, quarantine, settings.quality.max_bad_share)
    chain = derived.chain.clear() if too_bad else derived.chain
    return IngestedPartition(key, chain, quarantine, files, audit, clock.seconds, too_bad)


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


def _parsed(source: RawFile, cache: dict[str, SourceRows]) -> SourceRows:
    if source.relative not in cache:
        cache[source.relative] = read_source(source)
    return cache[source.relative]


def _one_dialect(accounts: Sequence[FileAccount]) -> tuple[list[FileAccount], list[FileAccount]]:
    chosen = min(accounts, key=lambda item: item.rows.dialect.priority).rows.dialect
    feeding = [item for item in accounts if item.rows.dialect is chosen]
    return feeding, [item for item in accounts if item.rows.dialect is not chosen]


def _settle(key: PartitionKey, feeding: Sequence[FileAccount], lots: tuple[int, ...]) -> None:
    dialect = feeding[0].rows.dialect
    if dialect.single_snapshot_files:
        # one instant says too little about units: all files of the day are asked together
        together = pl.concat([readable_rows(key, item) for item in feeding], how="diagonal_relaxed")
        units = settle_units(together, dialect, lots)
        for item in feeding:
            item.units = units
        return
    for item in feeding:
        item.units = settle_units(readable_rows(key, item), dialect, lots)


def _combined(key: PartitionKey, feeding: Sequence[FileAccount], lot: int) -> pl.DataFrame:
    dialect = feeding[0].rows.dialect
    return pl.concat(
        [convert_units(readable_rows(key, item), dialect, item.units, lot) for item in feeding],
        how="diagonal_relaxed",
    )


def _with_minute(rows: pl.DataFrame) -> pl.DataFrame:
    """``minute`` is the bar's or snapshot's minute; ``seen_at`` orders snapshots within it."""
    return rows.with_columns(
        minute=pl.col("time").dt.hour().cast(pl.Int16) * 60 + pl.col("time").dt.minute(),
        seen_at=pl.col("time"),
    )


def _are_snapshots(feeding: Sequence[FileAccount]) -> bool:
    dialect = feeding[0].rows.dialect
    if dialect.snapshots is not None:
        return dialect.snapshots
    opens = [f"{side}open" for side in prefixes(dialect)]
    return all(
        item.rows.frame.select(pl.all_horizontal(pl.col(opens).is_null().all())).item()
        for item in feeding
    )


def _cumulative(feeding: Sequence[FileAccount]) -> dict[int, bool]:
    return {item.number: item.units.volume_kind == "cumulative" for item in feeding}


def _notes(
    accounts: Sequence[FileAccount], spots_settled: int, derived: Mapping[str, int]
) -> dict[str, Finding]:
    """Findings that only the way through the steps can tell."""
    extra = {
        item.rows.source.relative: item.rows.extra_columns
        for item in accounts
        if item.rows.extra_columns
    }
    listed = "; ".join(f"{file}: {', '.join(names)}" for file, names in extra.items())
    nulled = derived["iv_out_of_range_nulled"]
    return {
        "extra_columns": Finding(
            len(accounts), len(extra), not extra, listed or "no unknown column"
        ),
        "spot_settled": Finding(
            sum(item.rows_in for item in accounts),
            spots_settled,
            spots_settled == 0,
            f"{spots_settled:,} rows brought to their minute's spot",
        ),
        "iv_out_of_range_nulled": Finding(
            sum(item.rows_in for item in accounts),
            nulled,
            nulled == 0,
            f"{nulled:,} implied volatilities outside the declared range made null",
        ),
    }


def _too_bad(
    key: PartitionKey, files: pl.DataFrame, quarantine: pl.DataFrame, limit: float
) -> PartitionRejectedError | None:
    verdict = bad_share(quarantine, int(files["rows_in"].sum()), limit)
    if verdict.passed and verdict.checked:
        return None
    worst = (
        quarantine.filter(pl.col("counts_as_bad"))
        .group_by("reason")
        .agg(pl.len(), pl.first("file", "row_number", "detail"))
        .sort("len", "reason", descending=[True, False])
    )
    told = "; ".join(
        f"{count:,} {reason} (first: {file} row {row}: {detail})"
        for reason, count, file, row, detail in worst.head(3).rows()
    )
    return PartitionRejectedError(
        f"{verdict.detail}: {told}" if told else "no row was left to store",
        place=str(key),
        next_step="Mend the file and land it again; nothing of this partition was stored",
    )


def _nothing(key: PartitionKey, why: PlatformError, clock: _Clock) -> IngestedPartition:
    """The outcome of a partition that could not even be judged row by row."""
    clock.lap("parse")
    return IngestedPartition(
        key,
        pl.DataFrame(schema=canonical_schema()),
        pl.DataFrame(schema=QUARANTINE_SCHEMA),
        pl.DataFrame(schema=LANDED_FILES_SCHEMA),
        pl.DataFrame(schema=AUDIT_SCHEMA),
        clock.seconds,
        why,
    )
