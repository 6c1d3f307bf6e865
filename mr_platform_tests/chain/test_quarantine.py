"""A quarantined row carries its reason, its place and the row as it was read."""

from __future__ import annotations

import json

import polars as pl

from mr_platform.chain.quarantine import QUARANTINE_SCHEMA, quarantine_frame
from mr_platform.chain.source_rows import read_source
from mr_platform_tests.chain.days import KEY, NOW, land, legacy_day


def rejected(*rows: tuple[int, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [(0, number, reason, "spot", "told") for number, reason in rows],
        schema=["_file", "_row", "reason", "column", "detail"],
        orient="row",
    )


def test_the_row_as_read_is_kept_as_json(tmp_path):
    rows = read_source(land(legacy_day(minutes=2), tmp_path))

    frame = quarantine_frame(KEY, [(rows, 0)], rejected((2, "out_of_range")), NOW)

    shown = json.loads(frame["raw_row"][0])
    assert dict(frame.schema) == QUARANTINE_SCHEMA
    assert shown["trade_date"] == "2025-08-29"
    assert shown["strike"] == "24300.0"
    assert "_row" not in shown


def test_rows_come_in_file_order_and_set_aside_ones_do_not_count_as_bad(tmp_path):
    rows = read_source(land(legacy_day(minutes=2), tmp_path))
    lost = rejected((9, "outside_session"), (4, "duplicate_key"))

    frame = quarantine_frame(KEY, [(rows, 0)], lost, NOW)

    assert frame["row_number"].to_list() == [4, 9]
    assert frame["counts_as_bad"].to_list() == [True, False]


def test_nothing_quarantined_is_an_empty_frame_of_the_schema():
    frame = quarantine_frame(KEY, [], rejected()[:0], NOW)

    assert frame.is_empty()
    assert dict(frame.schema) == QUARANTINE_SCHEMA
