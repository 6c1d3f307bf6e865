"""Tables written for other programs, one file each.

Here: CSV and Parquet files that appear whole or not at all.
Not here: what is in them, tables of the lakehouse.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.storage_faults import told_as_storage_error

ENDINGS = (".parquet", ".csv")

UNIT_KEY = "mr_platform.pnl_unit"
"""Under this key a Parquet file says in which unit its strategies' values are."""


def write_wide(frame: pl.DataFrame, target: Path, pnl_unit: str) -> bool:
    """Write a table; a file of the same name is replaced once the new one is whole.

    Args:
        frame: The table.
        target: A file ending with ``.parquet`` or ``.csv``.
        pnl_unit: Unit of the strategies' values.

    Returns:
        Whether the file itself tells the unit: Parquet does, CSV has no place for it.

    Raises:
        InputFileError: Another ending.
        StorageError: The file cannot be written.
    """
    if target.suffix not in ENDINGS:
        raise InputFileError(
            "the file's ending is neither .parquet nor .csv",
            place=str(target),
            next_step="Name it NAME.parquet or NAME.csv",
            misused=True,
        )
    partial = target.with_name(f".{uuid.uuid4().hex}.part")
    with told_as_storage_error(str(target), pl.exceptions.PolarsError):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if target.suffix == ".parquet":
                frame.write_parquet(partial, metadata={UNIT_KEY: pnl_unit})
            else:
                frame.write_csv(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target.suffix == ".parquet"
