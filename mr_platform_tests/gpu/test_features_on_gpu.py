"""Every derived table by the GPU is that of the CPU: equal nulls, within 1e-9.

Each table is made from the same inputs on both sides, so that a difference names its table.
Skipped where no device answers; ``make test-gpu`` turns that into a failure.
"""

from __future__ import annotations

import datetime as dt
import os
from functools import lru_cache
from pathlib import Path

import polars as pl
import pytest

from mr_platform.features.gpu_operations import refusals_of_frame
from mr_platform.gateways.frame_engine import FrameEngine, gpu_answer, open_engine
from mr_platform.orchestration.derived_tables import chunks_of
from mr_platform_tests.features.chain_days import REAL_DAYS, real_chain
from mr_platform_tests.features.engine_days import TABLES, EngineDays, differences, engine_days
from mr_platform_tests.features.whole_graph import both_symbols, in_row_order, table_named

ANSWER = gpu_answer()

pytestmark = pytest.mark.skipif(
    ANSWER.device is None and os.environ.get("MR_REQUIRE_GPU") != "1",
    reason=f"no GPU answers: {ANSWER.fault}",
)

THURSDAY, FRIDAY = dt.date(2025, 9, 4), dt.date(2025, 9, 5)
ALL_AT_ONCE = {"option_chain": 99, "minute_panel": 99}
DAY_BY_DAY = {"option_chain": 1, "minute_panel": 1}


@pytest.fixture(scope="module")
def gpu() -> FrameEngine:
    """The engine, which raises rather than fall back; without a device an error says so."""
    return open_engine("gpu", refusals=refusals_of_frame).suited_to(1)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> EngineDays:
    """Two simulated days of both symbols, every expiry."""
    folder = tmp_path_factory.mktemp("chains")
    every = {"NIFTY": None, "BANKNIFTY": None}
    days = (THURSDAY, FRIDAY)
    return engine_days(
        pl.concat([both_symbols("simulated", day, every, folder, None) for day in days])
    )


@lru_cache(maxsize=1)
def real(symbol: str, day: dt.date, data: Path) -> EngineDays:
    """A real day, every expiry."""
    return engine_days(real_chain(symbol, day, data))


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_simulated_days_is_the_same(
    table: str, gpu: FrameEngine, simulated: EngineDays
) -> None:
    found = simulated.made_by(gpu, table)
    assert differences(found, simulated.tables[table]) == []


@pytest.mark.real_data
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("symbol", "day"), REAL_DAYS, ids=str)
def test_a_table_of_a_real_day_is_the_same(
    table: str, symbol: str, day: dt.date, gpu: FrameEngine, real_data: Path
) -> None:
    days = real(symbol, day, real_data)
    assert differences(days.made_by(gpu, table), days.tables[table]) == []


@pytest.mark.parametrize("table", TABLES)
def test_chunks_of_dates_are_the_same_as_all_at_once(
    table: str, gpu: FrameEngine, simulated: EngineDays
) -> None:
    whole = simulated.made_by(gpu, table, ALL_AT_ONCE)
    assert len(chunks_of(table_named(table), simulated.keys, DAY_BY_DAY)) == 2
    by_day = simulated.made_by(gpu, table, DAY_BY_DAY)
    assert differences(in_row_order(by_day), in_row_order(whole)) == []


def test_the_engine_says_which_device_it_works_on(gpu: FrameEngine) -> None:
    assert gpu.describe() == {"engine": "gpu", "device": ANSWER.device}
