"""Every kind of bad input the simulator makes, by name.

Here: the registry of faults, which dialects each applies to.
Not here: what each does (``frame_faults.py``, ``file_faults.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from mr_platform.errors import SettingsError
from mr_platform.simulation import file_faults as files
from mr_platform.simulation import frame_faults as frames
from mr_platform.simulation.dialect_tables import OUTPUT_DIALECTS, ColumnRoles

FrameInjector = Callable[[pl.DataFrame, ColumnRoles, np.random.Generator], pl.DataFrame]
FileInjector = Callable[[Path, np.random.Generator], Path]


@dataclass(frozen=True)
class Fault:
    """One kind of bad input.

    Attributes:
        name: Name on the command line.
        kind: ``frame`` changes rows before writing, ``file`` the bytes after it.
        description: Cause it imitates.
        applies_to: Output dialects that can have it.
        on_frame: Injector of a frame fault, else None.
        on_file: Injector of a file fault, else None.
    """

    name: str
    kind: Literal["frame", "file"]
    description: str
    applies_to: frozenset[str]
    on_frame: FrameInjector | None = None
    on_file: FileInjector | None = None


def _cause(injector: Callable[..., object]) -> str:
    return str(inspect.getdoc(injector)).splitlines()[0]


def _frame_fault(injector: FrameInjector, dialects: Iterable[str]) -> Fault:
    name = getattr(injector, "__name__", "")
    return Fault(name, "frame", _cause(injector), frozenset(dialects), on_frame=injector)


def _file_fault(injector: FileInjector, dialects: Iterable[str]) -> Fault:
    name = getattr(injector, "__name__", "")
    return Fault(name, "file", _cause(injector), frozenset(dialects), on_file=injector)


_EVERY = frozenset(OUTPUT_DIALECTS)
_LEGACY = frozenset(name for name in _EVERY if name.startswith("legacy"))
_TABLES = _EVERY - {"nse_snapshot"}
_WITH_SPOT = _LEGACY | {"long_quotes", "long_quotes_csv"}
_PLAIN_CSV = frozenset(name for name, output in OUTPUT_DIALECTS.items() if output.format == "csv")
_PARQUET = frozenset(name for name, output in OUTPUT_DIALECTS.items() if output.format == "parquet")
_GZIP = frozenset({"legacy_csv_gz"})

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        _file_fault(files.truncated_gz, _GZIP),
        _file_fault(files.gzip_named_csv, _PLAIN_CSV),
        _file_fault(files.wrong_delimiter, _PLAIN_CSV),
        _file_fault(files.bom, _PLAIN_CSV),
        _file_fault(files.utf16_file, _PLAIN_CSV),
        _file_fault(files.duplicate_header, _PLAIN_CSV),
        _file_fault(files.ragged_rows, _PLAIN_CSV),
        _file_fault(files.cut_off_last_line, _PLAIN_CSV),
        _file_fault(files.empty_file, _EVERY),
        _file_fault(files.html_instead_of_csv, _PLAIN_CSV),
        _file_fault(files.foreign_file, _PLAIN_CSV),
        _file_fault(files.directory_instead_of_file, _EVERY),
        _file_fault(files.unreadable_file, _EVERY),
        _file_fault(files.broken_link, _EVERY),
        _file_fault(files.corrupt_parquet, _PARQUET),
        _file_fault(files.truncated_parquet, _PARQUET),
        _frame_fault(frames.nested_parquet, _PARQUET),
        _frame_fault(frames.day_first_dates, _LEGACY),
        _frame_fault(frames.mixed_iv_units, _TABLES),
        _frame_fault(frames.mixed_oi_units, _TABLES),
        _frame_fault(frames.nan_values, _TABLES),
        _frame_fault(frames.inf_values, _TABLES),
        _frame_fault(frames.negative_prices, _TABLES),
        _frame_fault(frames.negative_volume, _TABLES),
        _frame_fault(frames.extra_column, _EVERY),
        _frame_fault(frames.missing_column, _EVERY),
        _frame_fault(frames.outside_session, _TABLES),
        _frame_fault(frames.holiday_file, _TABLES),
        _frame_fault(frames.swapped_expiries, _TABLES),
        _frame_fault(frames.expiry_before_date, _TABLES),
        _frame_fault(frames.unknown_symbol, _TABLES),
        _frame_fault(frames.null_strikes, _TABLES),
        _frame_fault(frames.header_only, _EVERY),
        _frame_fault(frames.duplicate_rows, _EVERY),
        _frame_fault(frames.conflicting_duplicates, _TABLES),
        _frame_fault(frames.low_above_high, _LEGACY),
        _frame_fault(frames.two_spots_in_a_minute, _WITH_SPOT),
        _frame_fault(frames.text_in_numbers, _EVERY),
        _frame_fault(frames.fractional_oi, _TABLES),
        _frame_fault(frames.wrong_dte, _LEGACY),
        _frame_fault(frames.unmirrored_labels, _LEGACY),
        _frame_fault(frames.missing_minutes, _TABLES),
    )
}
"""Every fault by its name."""


def chosen_faults(names: Iterable[str], dialect: str) -> list[Fault]:
    """Faults by name, all of which the dialect can have.

    Raises:
        SettingsError: A name is unknown, or the fault does not apply to the dialect.
    """
    found: list[Fault] = []
    for name in names:
        if name not in FAULTS:
            raise SettingsError(
                f"the simulator knows no fault {name}", next_step=f"Use {', '.join(sorted(FAULTS))}"
            )
        if dialect not in FAULTS[name].applies_to:
            able = ", ".join(sorted(FAULTS[name].applies_to))
            raise SettingsError(
                f"fault {name} does not apply to dialect {dialect}",
                next_step=f"Dialects that can have it: {able}",
            )
        found.append(FAULTS[name])
    return found
