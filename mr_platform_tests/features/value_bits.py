"""Hashes of every value of a table, and the process that prints them for a thread count.

Here: one hash a column over its physical bits, nulls included. Run as a module with a folder of
Parquet inputs it builds every derived table and prints their hashes as JSON.
Not here: which tables are compared (``test_same_bits.py``).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from mr_platform_tests.features.whole_graph import Tables, built, in_row_order

VERSION = "feature_version"
CHAIN_FILE = "chain"


def column_bits(column: pl.Series) -> str:
    """Hash of a column: type, which values are null, and the bits of the others."""
    nulls = column.is_null()
    digest = hashlib.blake2b(f"{column.dtype} {len(column)}".encode(), digest_size=12)
    digest.update(np.packbits(nulls.to_numpy()).tobytes())
    # what lies under a null is no value: only the others count
    valid = column.drop_nulls()
    if valid.dtype == pl.String:
        digest.update("\0".join(valid).encode())
    else:
        digest.update(valid.to_physical().to_numpy().tobytes())
    return digest.hexdigest()


def table_bits(table: pl.DataFrame) -> dict[str, str]:
    """Hash of each column but the version, rows in the order of their keys."""
    ordered = in_row_order(table)
    return {name: column_bits(ordered[name]) for name in ordered.columns if name != VERSION}


def all_bits(tables: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Hashes of all columns of all tables, ``table.column``."""
    return {
        f"{table}.{column}": bits
        for table, frame in tables.items()
        for column, bits in table_bits(frame).items()
    }


def apart(left: Mapping[str, str], right: Mapping[str, str]) -> list[str]:
    """Names whose hashes differ, or that one side lacks."""
    return sorted(name for name in {*left, *right} if left.get(name) != right.get(name))


def write_inputs(folder: Path, chain: pl.DataFrame, history: Tables) -> None:
    """Lay down what ``main`` reads."""
    for name, frame in {CHAIN_FILE: chain, **history}.items():
        frame.write_parquet(folder / f"{name}.parquet")


def main(folder: Path) -> None:
    """Build everything from a folder of inputs and print threads and hashes."""
    frames = {path.stem: pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}
    chain = frames.pop(CHAIN_FILE)
    bits = all_bits(built(chain, frames))
    print(json.dumps({"threads": pl.thread_pool_size(), "bits": bits}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
