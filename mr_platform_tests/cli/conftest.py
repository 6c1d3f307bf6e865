"""What the tests of the commands share: a runner, and a home with a small day in landing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from mr_platform.cli.application import root
from mr_platform.config.settings import load_settings
from mr_platform.simulation.chain_day import DaySpec, simulate_day
from mr_platform.simulation.day_files import write_days
from mr_platform.simulation.strategy_results import strategy_results
from mr_platform.trading_calendar import PartitionKey
from mr_platform_tests.orchestration.quick_stores import quick_stores

Run = Callable[..., Result]
MONDAY = dt.date(2023, 1, 2)


@contextmanager
def of_its_own() -> Iterator[None]:
    """A command sets MR_HOME and DAGSTER_HOME of its process; the next test must not see them."""
    before = dict(os.environ)
    for name in ("MR_HOME", "DAGSTER_HOME", "MR_DEBUG"):
        os.environ.pop(name, None)
    try:
        with quick_stores():
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Environment and stores of one test."""
    with of_its_own():
        yield


@pytest.fixture
def run() -> Run:
    """Call ``mr`` with these arguments."""

    def call(*arguments: object, **more: Any) -> Result:
        return CliRunner().invoke(root, [str(argument) for argument in arguments], **more)

    return call


def document(result: Result) -> Any:
    """The JSON document of a command; stdout must hold nothing else."""
    return json.loads(result.stdout)


@pytest.fixture(scope="session")
def small_days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of three consecutive trading days: half an hour, one expiry, near strikes."""
    folder = tmp_path_factory.mktemp("small_days")
    base = simulate_day(DaySpec("NIFTY", MONDAY, 5, load_settings(folder).market))
    chain = base.chain
    small = chain.filter(
        pl.col("expiry_date") == chain["expiry_date"].min(),
        pl.col("trade_time") < dt.time(9, 45),
        (pl.col("strike") - pl.col("atm_strike").first()).abs() <= 300,
    )
    files = []
    for weeks in (0, 1, 2):
        shift = dt.timedelta(weeks=weeks)
        day = dataclasses.replace(
            base,
            key=PartitionKey(MONDAY + shift, "NIFTY"),
            chain=small.with_columns(pl.col("trade_date", "expiry_date") + shift),
        )
        files += [file.path for file in write_days([day], folder, "legacy_csv").files]
    return files


BOOK_SEED = 11
BOOK_STRATEGIES, BOOK_ROWS = 40, 30


@pytest.fixture(scope="session")
def book_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small strategy file in the legacy layout."""
    file = tmp_path_factory.mktemp("strategies") / "weekly results.csv"
    strategy_results(BOOK_SEED, BOOK_STRATEGIES, BOOK_ROWS).write_csv(file)
    return file


@pytest.fixture(scope="session")
def loaded_home(tmp_path_factory: pytest.TempPathFactory, book_file: Path) -> Path:
    """A home that holds this file as the book ``sensex``; no test changes it."""
    folder = tmp_path_factory.mktemp("loaded_home")
    with of_its_own():
        words = ["portfolio", "load", book_file, "--book", "sensex", "--home", folder, "--json"]
        loaded = CliRunner().invoke(root, [str(word) for word in words])
    assert loaded.exit_code == 0, loaded.output
    (folder / "first.json").write_text(loaded.stdout)
    return folder


@pytest.fixture(scope="module")
def book_home(tmp_path_factory: pytest.TempPathFactory, loaded_home: Path) -> Path:
    """A copy of that home for the tests of a module; ``first.json`` is what the load told."""
    return shutil.copytree(loaded_home, tmp_path_factory.mktemp("book_home") / "home")
