"""The GPU worker's environment computes on the device what the main one computes on the CPU.

Skipped where cuDF's Polars engine is not installed; ``make test-gpu`` installs it and, by
``MR_REQUIRE_GPU=1``, turns a missing engine into a failure.
"""

from __future__ import annotations

import importlib.util
import os

import polars as pl
import pytest
from polars.testing import assert_frame_equal

INSTALLED = importlib.util.find_spec("cudf_polars") is not None

pytestmark = pytest.mark.skipif(
    not INSTALLED and os.environ.get("MR_REQUIRE_GPU") != "1",
    reason="cudf-polars is not installed: make test-gpu",
)


def test_the_engine_of_the_gpu_worker_is_installed() -> None:
    assert INSTALLED, "cudf-polars is missing from this environment"


def test_one_window_function_an_over_gives_the_same_on_the_device() -> None:
    """The house style of features: plain windows under ``over``, arithmetic outside."""
    frame = pl.LazyFrame(
        {
            "expiry": [1, 1, 1, 2, 2, 2] * 50,
            "minute": [minute for minute in range(50) for _ in range(6)],
            "price": [float(number % 17) for number in range(300)],
        }
    )
    price = pl.col("price")
    query = frame.sort("expiry", "minute").with_columns(
        gone=price - price.shift(1).over("expiry"),
        mean=price.rolling_mean(5).over("expiry"),
        total=price.cum_sum().over("expiry"),
    )
    on_device = query.collect(engine=pl.GPUEngine(raise_on_fail=True))
    assert_frame_equal(on_device, query.collect(), check_exact=False, rel_tol=1e-12)
