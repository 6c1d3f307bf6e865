"""Simulated days written as files, whole or not at all, with their ground truth beside them.

Here: bytes, names, progress, injection of faults.
Not here: tables (``dialect_tables.py``), what faults do (``faults.py``).

The hidden regimes and the list of injected faults go to ``_ground_truth``; names that start with
an underscore are no input files.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import polars as pl

from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.simulation.dialect_tables import DialectFile, Units, dialect_files, output_dialect
from mr_platform.simulation.faults import Fault, chosen_faults
from mr_platform.simulation.random_streams import stream
from mr_platform.trading_calendar import PartitionKey

GROUND_TRUTH = "_ground_truth"
_GZIP_LEVEL = 1
_ZSTD_LEVEL = 1


@dataclass(frozen=True)
class WrittenFile:
    """One file of the output.

    Attributes:
        path: Where it lies.
        key: Day and symbol it belongs to.
        rows: Rows of its table.
        fault: Name of the fault injected, or None.
    """

    path: Path
    key: PartitionKey
    rows: int
    fault: str | None


@dataclass
class WriteReport:
    """What was written.

    Attributes:
        files: Every input file, in order.
        ground_truth: Regime files.
    """

    files: list[WrittenFile] = field(default_factory=list)
    ground_truth: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class WriteProgress:
    """State after a day.

    Attributes:
        key: Day just written.
        days: Days written so far.
        files: Files written so far.
        rows: Rows written so far.
    """

    key: PartitionKey
    days: int
    files: int
    rows: int


def write_days(
    days: Iterable[SimulatedDay],
    out_dir: Path,
    dialect: str,
    *,
    units: Units | None = None,
    faults: Sequence[str] = (),
    seed: int = 0,
    on_day: Callable[[WriteProgress], None] | None = None,
) -> WriteReport:
    """Write days in one dialect.

    Args:
        days: Days, for example of ``simulate``; read one at a time.
        out_dir: Folder, made where absent.
        dialect: A name in ``OUTPUT_DIALECTS``.
        units: Units that differ from the dialect's own.
        faults: Names of faults; files take them in turn, so one name damages every file.
        seed: Seed of the faults.
        on_day: Called after each day.

    Returns:
        Files written, with the fault of each.

    Raises:
        SettingsError: Unknown dialect or fault, or a fault the dialect cannot have.
    """
    output_dialect(dialect)
    chosen = chosen_faults(faults, dialect)
    report = WriteReport()
    rows = 0
    for count, day in enumerate(days, start=1):
        for file in dialect_files(day, dialect, units):
            fault = chosen[len(report.files) % len(chosen)] if chosen else None
            written = _write_file(file, out_dir, day.key, fault, seed)
            report.files.append(written)
            rows += written.rows
        report.ground_truth.append(_write_truth(day, out_dir))
        if on_day is not None:
            on_day(WriteProgress(day.key, count, len(report.files), rows))
    if chosen:
        _write_fault_list(report, out_dir)
    return report


def _write_file(
    file: DialectFile, out_dir: Path, key: PartitionKey, fault: Fault | None, seed: int
) -> WrittenFile:
    path = out_dir / file.relative
    table = file.table
    name = None if fault is None else fault.name
    random = stream(seed, "fault", name, file.relative)
    if fault is not None and fault.on_frame is not None:
        table = fault.on_frame(table, file.roles, random)
    _write_atomically(path, encoded(table, file.format))
    if fault is not None and fault.on_file is not None:
        path = fault.on_file(path, random)
    return WrittenFile(path, key, table.height, name)


def encoded(table: pl.DataFrame, form: str) -> bytes:
    """Bytes of a table in a file format: csv, csv.gz, csv.zst or parquet."""
    buffer = BytesIO()
    if form == "parquet":
        table.write_parquet(buffer, compression="zstd", compression_level=_ZSTD_LEVEL)
        return buffer.getvalue()
    table.write_csv(buffer, date_format="%Y-%m-%d", time_format="%H:%M:%S")
    # a column without a name stands bare in the pages that have one
    content = buffer.getvalue().removeprefix(b'""')
    if form == "csv.gz":
        return gzip.compress(content, _GZIP_LEVEL, mtime=0)
    if form == "csv.zst":
        import zstandard

        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(content)
    return content


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _write_truth(day: SimulatedDay, out_dir: Path) -> Path:
    name = f"{day.key.symbol}_{day.key.date.isoformat()}_regimes.parquet"
    path = out_dir / GROUND_TRUTH / name
    _write_atomically(path, encoded(day.regimes, "parquet"))
    return path


def _write_fault_list(report: WriteReport, out_dir: Path) -> None:
    listed = pl.DataFrame(
        {
            "file": [file.path.relative_to(out_dir).as_posix() for file in report.files],
            "symbol": [file.key.symbol for file in report.files],
            "date": [file.key.date for file in report.files],
            "fault": [file.fault for file in report.files],
        }
    )
    _write_atomically(out_dir / GROUND_TRUTH / "faults.csv", encoded(listed, "csv"))
