"""What a day leaves behind of the consensus: zone means, expiry by expiry."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest

from mr_platform.features.c8_history import TABLE, consensus_history
from mr_platform.features.inputs import ZONE_KEYS
from mr_platform.features.table_schemas import table_schema
from mr_platform.gateways.frame_engine import CpuEngine
from mr_platform_tests.features.component_tables import (
    DAY,
    component_tables,
    key_panel,
    random_tables,
)

TANH1 = math.tanh(1.0)
SIGNED = ("c3_institutional_flow_score", "c5_momentum_score", "c6_multi_timeframe_rsi_consensus")


def history(panel: pl.DataFrame, tables: dict[str, pl.LazyFrame]) -> pl.DataFrame:
    return consensus_history(panel, tables, CpuEngine())


def test_a_zone_is_the_mean_of_its_minutes_with_a_consensus() -> None:
    panel = key_panel((6,))
    level = pl.when(pl.col("j") < 20).then(7).otherwise(1)
    tables = component_tables(panel, {"c2_sentiment_level": level, **dict.fromkeys(SIGNED, 0.2)})
    found = history(panel, tables)
    rows = {row["zone_name"]: row for row in found.to_dicts()}
    assert set(rows) == set(panel["zone_name"].unique())

    # norms need 15 minutes, so the first of 6 + n minutes of the opening zone come from 09:29 on
    first = panel["zone_name"][0]
    minutes = panel.filter((pl.col("zone_name") == first) & (pl.col("j") >= 14)).height
    up, down = (1 + 3 * TANH1) / 4, (-1 + 3 * TANH1) / 4
    expected = (6 * up + (minutes - 6) * down) / minutes
    assert rows[first]["consensus_direction"] == pytest.approx(expected)
    assert rows["CLOSE"]["consensus_direction"] == pytest.approx(down)
    assert rows["CLOSE"]["consensus_expansion"] is None


def test_expiries_of_a_bucket_weigh_alike_however_often_they_are_quoted() -> None:
    panel = key_panel((1, 6, 20)).with_columns(
        present=(pl.col("dte") != 6) | (pl.col("j") % 3 == 0)
    )
    level = pl.when(pl.col("dte") == 6).then(7).otherwise(1)
    tables = component_tables(panel, {"c2_sentiment_level": level, **dict.fromkeys(SIGNED, 0.2)})
    found = history(panel, tables).filter(pl.col("zone_name") == "CLOSE")
    by_bucket = {row["dte_bucket"]: row["consensus_direction"] for row in found.to_dicts()}
    assert by_bucket["near"] == pytest.approx(3 * TANH1 / 4)
    assert by_bucket["mid"] == pytest.approx((-1 + 3 * TANH1) / 4)


def test_the_table_has_its_grain_and_ascends() -> None:
    panel = key_panel((1, 6, 20), days=(DAY, DAY + dt.timedelta(days=3)))
    found = history(panel, random_tables(panel))
    assert found.schema == table_schema(TABLE)
    assert found.select(ZONE_KEYS).is_unique().all()
    assert found.equals(found.sort(ZONE_KEYS))


def test_a_day_alone_leaves_the_same_bits_as_in_a_batch() -> None:
    days = (DAY, DAY + dt.timedelta(days=3))
    both = key_panel((1, 6), days=days)
    tables = random_tables(both)
    second = both.filter(pl.col("date") == days[1]).with_columns(
        pl.col("g") - 2, pl.col("u") - 1, pl.col("cell") - 750
    )
    alone = history(second, tables)
    assert alone.equals(history(both, tables).filter(pl.col("date") == days[1]))


def test_without_tables_every_zone_is_null() -> None:
    found = history(key_panel((6,)), {})
    assert found.height == 5
    assert found["consensus_direction"].null_count() == 5
    assert found["consensus_expansion"].null_count() == 5
