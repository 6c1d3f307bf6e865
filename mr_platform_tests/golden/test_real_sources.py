"""Every real file ends as pinned: rows in, good, quarantined by reason; nothing is lost."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from mr_platform.chain.ingest import ingest_partition, inspect_source
from mr_platform.gateways.raw_files import RawFile
from mr_platform_tests.golden.real_sources import (
    ARCHIVE,
    PINNED,
    markdown,
    measure_archive,
    measure_file,
    real_files,
    settings,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
pytestmark = pytest.mark.real_data
FIGURES = json.loads(PINNED.read_text(encoding="utf-8"))


def test_every_real_file_is_pinned(real_data: Path):
    assert set(real_files(real_data / "options")) == set(FIGURES) - {ARCHIVE}
    assert sum(file.startswith("chain/") for file in FIGURES) == 48


@pytest.mark.parametrize("relative", [file for file in FIGURES if file != ARCHIVE])
def test_a_real_file_ends_as_pinned(real_data: Path, relative: str):
    assert measure_file(real_data / "options", relative) == FIGURES[relative]


def test_the_untouched_csv_archive_ends_as_pinned(real_data: Path, tmp_path: Path):
    assert measure_archive(real_data / "options", tmp_path) == FIGURES[ARCHIVE]


def test_good_rows_are_the_rule_and_every_row_is_accounted_for():
    for file, held in FIGURES.items():
        for key, item in (held["partitions"] if file == ARCHIVE else held).items():
            assert item["conserved"], (file, key)
            assert item["rows_good"] + sum(item["quarantined"].values()) == item["rows_in"]
            assert item["chain_rows"] > 0.3 * item["rows_in"], (file, key)


def test_the_readme_shows_the_pinned_table():
    readme = Path(__file__).resolve().parents[2] / "README.md"

    assert markdown(FIGURES) in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("raw", "prepared"),
    [
        (
            "raw/sanjot_20250829_1min/BANKNIFTY_20250829.parquet",
            "chain/symbol=BANKNIFTY/BANKNIFTY_2025-08-29.parquet",
        ),
        (
            "raw/chiragaibooks_nifty_1min/option_chain_20260818.parquet",
            "chain/symbol=NIFTY/NIFTY_2026-08-18.parquet",
        ),
    ],
)
def test_a_raw_form_gives_the_chain_that_was_prepared_from_it(real_data: Path, raw, prepared):
    """Two ways to the same day: the collectors' own columns, and the prepared 48-column file."""
    chains = []
    for relative in (raw, prepared):
        source = RawFile(real_data / "options" / relative, relative)
        (key,) = inspect_source(source).partitions
        chains.append(
            ingest_partition(key, [source], settings(), now=NOW, code_version="twins").chain
        )
    ours, theirs = chains
    keys = ["ts_minute", "expiry_date", "strike"]
    both = ours.join(theirs, on=keys, suffix="_theirs")

    assert both.height > 0.999 * max(ours.height, theirs.height)
    for name in ("ce_close", "pe_close", "ce_oi", "pe_oi"):
        same = pl.col(name).eq_missing(pl.col(f"{name}_theirs"))
        # a page fetched twice: we keep the later fetch, the prepared day mostly the earlier
        assert both.select(same.mean()).item() > 0.99, name
    volume = both.filter(
        pl.col("ce_volume").is_not_null() & pl.col("ce_volume_theirs").is_not_null()
    )
    assert volume.select((pl.col("ce_volume") == pl.col("ce_volume_theirs")).mean()).item() > 0.97
    gap = (both["spot"] / both["spot_theirs"] - 1).abs()
    # the prepared day took its spot from another feed, seconds apart
    assert gap.quantile(0.99) < 1e-3
    computed = both.filter(pl.col("ce_iv_computed") & pl.col("ce_iv_theirs").is_not_null())
    if computed.height:
        assert (computed["ce_iv"] - computed["ce_iv_theirs"]).abs().median() < 1e-3
