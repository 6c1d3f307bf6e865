"""Saved pages of the exchange, one a file or a day a file, against the real archive."""

from __future__ import annotations

import tarfile
from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain.dialects import NSE_SNAPSHOT, NSE_SNAPSHOT_DAY
from mr_platform_tests.golden.real_sources import ARCHIVE


def test_a_page_needs_its_expiry_folder_and_a_day_only_its_symbol():
    assert NSE_SNAPSHOT.name_pattern is not None
    assert NSE_SNAPSHOT.name_pattern.search("NIFTY_23-05-2019_09:15.csv") is None
    assert NSE_SNAPSHOT.facts_of_name("6JUN2019/NIFTY_23-05-2019_09.15.csv")["expiry"] == "6JUN2019"
    assert (
        NSE_SNAPSHOT_DAY.facts_of_name("in/BANKNIFTY_2019-05-20.parquet")["symbol"] == "BANKNIFTY"
    )


def test_pages_are_settled_together_and_days_on_their_own():
    assert NSE_SNAPSHOT.single_snapshot_files
    assert not NSE_SNAPSHOT_DAY.single_snapshot_files


@pytest.mark.real_data
def test_every_header_of_the_real_archive_is_explained(real_data: Path):
    headers = set()
    with tarfile.open(real_data / "options" / ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                headers.add(content.readline().decode().strip())

    # whole pages, and the empty ones that lack CurrentVal
    assert len(headers) == 2
    for header in headers:
        columns = set(header.split(","))
        assert set(NSE_SNAPSHOT.required) <= columns <= NSE_SNAPSHOT.known


@pytest.mark.real_data
def test_a_real_day_has_exactly_these_columns(real_data: Path):
    path = real_data / "options/raw/rohmhatre_2019_15min/NIFTY/NIFTY_2019-05-20.parquet"

    assert set(pl.read_parquet_schema(path)) <= NSE_SNAPSHOT_DAY.known
