"""The reference layout, against the specification's order and a real file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain.dialects import LEGACY_CHAIN
from mr_platform.registry.loader import load_registry


def test_the_columns_and_their_order_are_those_of_the_registry():
    declared = [column.source for column in load_registry().raw_chain.columns]

    assert list(LEGACY_CHAIN.required) == declared


def test_prices_and_volatility_of_zero_are_missing_and_sizes_of_zero_are_not():
    assert {"ce_close", "pe_open", "ce_iv"} <= set(LEGACY_CHAIN.zero_is_missing)
    assert not {"ce_volume", "ce_oi", "ce_gamma"} & set(LEGACY_CHAIN.zero_is_missing)


@pytest.mark.real_data
def test_a_real_file_has_exactly_these_columns(real_data: Path):
    path = real_data / "options/chain/symbol=NIFTY/NIFTY_2019-05-20.parquet"

    assert list(pl.read_parquet(path, hive_partitioning=False).columns) == list(
        LEGACY_CHAIN.required
    )
