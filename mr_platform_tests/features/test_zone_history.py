"""What a day leaves behind of each zone, against sums by hand."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from mr_platform.features.day_history import minute_history
from mr_platform.features.history import previous_days
from mr_platform.features.streams import streams
from mr_platform.features.table_schemas import table_schema
from mr_platform.features.zone_history import zone_history
from mr_platform_tests.features.stream_panels import (
    ENGINE,
    NEAR,
    TARGET,
    made_inputs,
    made_panel,
    numbered,
    trading_dates,
)

DATES = trading_dates(3)
MIDDLE = dt.date(2025, 9, 16)
LATER = dt.date(2025, 9, 23)
PANEL = made_panel(DATES, expiries=(NEAR, MIDDLE, LATER))


def zones_of(panel: pl.DataFrame, target: dt.date = TARGET) -> pl.DataFrame:
    days = previous_days(DATES).lazy()
    today = numbered(panel.filter(pl.col("date") == target))
    return zone_history(today, minute_history(panel, ENGINE).lazy(), days, ENGINE)


def test_a_zone_is_the_mean_of_the_means_of_its_expiries() -> None:
    found = zones_of(PANEL)
    assert found.schema == table_schema("hist_zone")
    assert found.height == 2 * 5  # near: one expiry, mid: two; five zones
    inputs = made_inputs(PANEL)
    names = ["atrp_14_strd", "atrp_50_und"]
    minutes = inputs.panel.select("expiry_date", "zone_name", "r_strd").hstack(
        streams(inputs, names).get_columns()
    )
    lunch = minutes.filter(pl.col("zone_name") == "LUNCH")
    means, rates = [], []
    for expiry in (MIDDLE, LATER):
        rows = lunch.filter(pl.col("expiry_date") == expiry)
        values = rows["atrp_14_strd"].drop_nulls().to_list()
        moves = rows["r_strd"].drop_nulls().to_list()
        means.append(sum(values) / len(values))
        rates.append(100.0 * sum(moves) / len(moves))
    row = found.filter((pl.col("dte_bucket") == "mid") & (pl.col("zone_name") == "LUNCH"))
    assert row["atrp_14_strd"].item() == pytest.approx(sum(means) / 2)
    assert row["decay_rate"].item() == pytest.approx(sum(rates) / 2)
    shared = lunch.filter(pl.col("expiry_date") == NEAR)["atrp_50_und"].drop_nulls().to_list()
    both = found.filter(pl.col("zone_name") == "LUNCH")["atrp_50_und"].to_list()
    assert both == pytest.approx([sum(shared) / len(shared)] * 2)


def test_a_zone_without_prices_is_null() -> None:
    lunch = (pl.col("zone_name") == "LUNCH") & (pl.col("date") == TARGET)
    silent = PANEL.with_columns(
        pl.when(~lunch).then(pl.col(name)).alias(name)
        for name in ("strd", "strd_open", "strd_lag", "r_strd", "fut", "fut_high", "fut_low")
    )
    found = zones_of(silent)
    values = found.filter(pl.col("zone_name") == "LUNCH").drop(found.columns[:4])
    assert all(column.null_count() == 2 for column in values)
    others = found.filter(pl.col("zone_name") != "LUNCH").drop(found.columns[:4])
    assert all(column.null_count() == 0 for column in others)


def test_a_first_day_starts_cold() -> None:
    found = zones_of(PANEL.filter(pl.col("date") == TARGET))
    warm = zones_of(PANEL)
    late = pl.col("zone_name") == "CLOSE"
    assert found.filter(late)["atrp_14_strd"].to_list() == pytest.approx(
        warm.filter(late)["atrp_14_strd"].to_list(), rel=1e-6
    )
    assert found["atrp_50_und"].null_count() == 2  # no 50 ranges before MID_MORN
    assert warm["atrp_50_und"].null_count() == 0


def test_a_batch_is_its_days() -> None:
    days = previous_days(DATES).lazy()
    batch = zone_history(PANEL, minute_history(PANEL, ENGINE).lazy(), days, ENGINE)
    assert batch.filter(pl.col("date") == TARGET).equals(zones_of(PANEL))
