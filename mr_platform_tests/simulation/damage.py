"""One fault injected into one file of a day, for the tests of the faults."""

from __future__ import annotations

import polars as pl

from mr_platform.simulation.chain_day import SimulatedDay
from mr_platform.simulation.dialect_tables import DialectFile, dialect_files
from mr_platform.simulation.faults import FAULTS
from mr_platform.simulation.random_streams import stream


def source(day: SimulatedDay, dialect: str) -> DialectFile:
    return next(dialect_files(day, dialect))


def damaged(day: SimulatedDay, name: str, dialect: str = "legacy_csv") -> pl.DataFrame:
    file = source(day, dialect)
    inject = FAULTS[name].on_frame
    assert inject is not None
    return inject(file.table, file.roles, stream(1, name))
